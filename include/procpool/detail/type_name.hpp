// SPDX-License-Identifier: MIT
// Names of types and functions as a person writes them.
#ifndef PROCPOOL_DETAIL_TYPE_NAME_HPP
#define PROCPOOL_DETAIL_TYPE_NAME_HPP

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <typeinfo>

namespace procpool::detail {

/// The linker's name of something as it stands in the source; other names stay as they are.
inline std::string demangled(const char* symbol) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(symbol, nullptr, nullptr, &status),
                                                      &std::free);
    return status == 0 ? name.get() : symbol;
}

inline std::string type_name(const std::type_info& type) { return demangled(type.name()); }

}  // namespace procpool::detail

#endif
