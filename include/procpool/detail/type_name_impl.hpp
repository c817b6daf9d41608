// SPDX-License-Identifier: MIT
// Undoes what compilers do to names.
#ifndef PROCPOOL_DETAIL_TYPE_NAME_IMPL_HPP
#define PROCPOOL_DETAIL_TYPE_NAME_IMPL_HPP

#include <cxxabi.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/type_name.hpp"

namespace procpool::inline v0_1::detail {

PROCPOOL_COMPILED_APART std::string without_version(std::string name) {
    constexpr std::string_view outer = "procpool::";
    constexpr std::string_view whole = "procpool::v0_1::";
    for (std::size_t at = 0; (at = name.find(whole, at)) != std::string::npos;)
        name.erase(at + outer.size(), whole.size() - outer.size());
    return name;
}

PROCPOOL_COMPILED_APART std::string demangled(const char* symbol) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(symbol, nullptr, nullptr, &status),
                                                      &std::free);
    return status == 0 ? without_version(name.get()) : symbol;
}

PROCPOOL_COMPILED_APART std::string type_name(const std::type_info& type) { return demangled(type.name()); }

}  // namespace procpool::inline v0_1::detail

#endif
