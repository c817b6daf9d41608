// SPDX-License-Identifier: MIT
// The version of these headers; the build system reads it from here too.
#ifndef PROCPOOL_VERSION_HPP
#define PROCPOOL_VERSION_HPP

#include <string_view>

#define PROCPOOL_VERSION_MAJOR 0
#define PROCPOOL_VERSION_MINOR 1
#define PROCPOOL_VERSION_PATCH 0

#define PROCPOOL_DETAIL_DOTTED(major, minor, patch) #major "." #minor "." #patch
#define PROCPOOL_DETAIL_EXPANDED(major, minor, patch) PROCPOOL_DETAIL_DOTTED(major, minor, patch)

namespace procpool::inline v0_1 {

/// "major.minor.patch".
inline constexpr std::string_view version =
    PROCPOOL_DETAIL_EXPANDED(PROCPOOL_VERSION_MAJOR, PROCPOOL_VERSION_MINOR, PROCPOOL_VERSION_PATCH);

}  // namespace procpool::inline v0_1

#undef PROCPOOL_DETAIL_EXPANDED
#undef PROCPOOL_DETAIL_DOTTED

#endif
