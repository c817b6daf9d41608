// SPDX-License-Identifier: MIT
// What keeps the pool's engine out of files that include it but make no pool.
#ifndef PROCPOOL_DETAIL_ONLY_IF_USED_HPP
#define PROCPOOL_DETAIL_ONLY_IF_USED_HPP

namespace procpool::inline v0_1::detail {

/// Marks a template that is one only so that it is compiled where it is used: a compiler instantiates all
/// templates that an inline function needs, even if nobody calls it, but not those that a template needs.
using only_if_used = void;

}  // namespace procpool::inline v0_1::detail

#endif
