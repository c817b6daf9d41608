// SPDX-License-Identifier: MIT
// Refuses a value of another type.
#ifndef PROCPOOL_DETAIL_ELEMENT_RESULT_IMPL_HPP
#define PROCPOOL_DETAIL_ELEMENT_RESULT_IMPL_HPP

#include <typeinfo>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/element_result.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail {

PROCPOOL_COMPILED_APART void throw_other_type(const std::type_info& asked_for, const std::type_info& is) {
    throw Error("procpool: ElementResult::value<" + type_name(asked_for) +
                ">() was called, but the task returns " + type_name(is) + ": ask for that");
}

}  // namespace procpool::inline v0_1::detail

#endif
