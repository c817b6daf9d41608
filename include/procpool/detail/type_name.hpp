// SPDX-License-Identifier: MIT
// Names of types as a person writes them.
#ifndef PROCPOOL_DETAIL_TYPE_NAME_HPP
#define PROCPOOL_DETAIL_TYPE_NAME_HPP

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <typeinfo>

namespace procpool::detail {

inline std::string type_name(const std::type_info& type) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(
        abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
    return status == 0 ? name.get() : type.name();
}

}  // namespace procpool::detail

#endif
