// SPDX-License-Identifier: MIT
// What an error says.
#ifndef PROCPOOL_DETAIL_OUTCOME_IMPL_HPP
#define PROCPOOL_DETAIL_OUTCOME_IMPL_HPP

#include <exception>
#include <string>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/outcome.hpp"

namespace procpool::inline v0_1::detail {

PROCPOOL_COMPILED_APART std::string text_of(const std::exception_ptr& error) {
    if (!error) return {};
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& problem) {
        return problem.what();
    } catch (...) {
        return "an exception that is no std::exception";
    }
}

}  // namespace procpool::inline v0_1::detail

#endif
