// SPDX-License-Identifier: MIT
// Who a process is to its children, and who has started it.
#ifndef PROCPOOL_DETAIL_ZYGOTE_NAMED_PROCESS_HPP
#define PROCPOOL_DETAIL_ZYGOTE_NAMED_PROCESS_HPP

#include <array>
#include <cstdint>
#include <string_view>

namespace procpool::inline v0_1::detail::zygote {

/// A process of the program, as those are told that it starts.
struct named_process {
    std::int64_t pid = 0;
    bool daemon = false;
    std::array<char, 256> name{};  // with a zero at the end, so a longer one is cut

    void rename(std::string_view to, bool is_daemon) noexcept {
        daemon = is_daemon;
        name = {};
        to.copy(name.data(), name.size() - 1);
    }
};
/// This process, but for its number; and the one whose worker it is, if it is one. Set at its birth.
inline named_process own_name{0, false, {"MainProcess"}};
inline named_process parent_of_worker;

}  // namespace procpool::inline v0_1::detail::zygote

#endif
