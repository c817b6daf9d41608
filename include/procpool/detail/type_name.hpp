// SPDX-License-Identifier: MIT
// Names of types and functions as a person writes them.
#ifndef PROCPOOL_DETAIL_TYPE_NAME_HPP
#define PROCPOOL_DETAIL_TYPE_NAME_HPP

#include <string>
#include <typeinfo>

namespace procpool::inline v0_1::detail {

/// Users never write the namespace of the version.
std::string without_version(std::string name);

/// The linker's name of something as it stands in the source; other names stay as they are.
std::string demangled(const char* symbol);

std::string type_name(const std::type_info& type);

}  // namespace procpool::inline v0_1::detail

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/type_name_impl.hpp"
#endif

#endif
