// SPDX-License-Identifier: MIT
// For those who hand on descriptors without a look at them.
#ifndef PROCPOOL_DETAIL_OS_FD_FWD_HPP
#define PROCPOOL_DETAIL_OS_FD_FWD_HPP

namespace procpool::inline v0_1::detail::os {

class fd;

}  // namespace procpool::inline v0_1::detail::os

#endif
