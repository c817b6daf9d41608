// SPDX-License-Identifier: MIT
// How long what a call was given is there for its tasks.
#ifndef PROCPOOL_DETAIL_CALL_CALL_STYLE_HPP
#define PROCPOOL_DETAIL_CALL_CALL_STYLE_HPP

namespace procpool::inline v0_1::detail::call {

enum class call_style {
    waits,    ///< the caller waits for the tasks: function and input stay where they are
    streams,  ///< the input is there as long as somebody takes results
    returns,  ///< nothing is there when the call has returned
};

}  // namespace procpool::inline v0_1::detail::call

#endif
