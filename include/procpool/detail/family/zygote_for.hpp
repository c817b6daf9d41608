// SPDX-License-Identifier: MIT
// The zygotes that single processes are born of.
#ifndef PROCPOOL_DETAIL_FAMILY_ZYGOTE_FOR_HPP
#define PROCPOOL_DETAIL_FAMILY_ZYGOTE_FOR_HPP

#include <array>
#include <atomic>
#include <memory>
#include <utility>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/worker/process_main.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/starter.hpp"
#include "procpool/start_method.hpp"

namespace procpool::inline v0_1::detail::family {

/// The zygote of one process that is forked from this one, or of all that are born by the same other method.
///
/// A zygote that is a fresh run lives for as long as a process that came from it is remembered.
template <class = only_if_used>
std::shared_ptr<zygote::zygote> zygote_for(start_method how) {
    const auto make = [how] {
        const zygote::worker_settings settings{
            .how = how, .limits = {}, .purpose = zygote::occupation::process};
        return std::make_shared<zygote::zygote>(os::fd(), &worker::process_main<>, settings,
                                                os::signal_mask::of_this_thread());
    };
    if (how == start_method::fork) return make();
    static std::array<std::weak_ptr<zygote::zygote>, 2> known;  // guarded by hold_forks()
    static os::fork_stamp made;
    const auto lock = os::fd_registry::instance().hold_forks();
    if (!std::exchange(made, {}).is_here()) known = {};  // those of whom this is a copy of
    std::weak_ptr<zygote::zygote>& place = known[how == start_method::spawn];
    if (auto zygote = place.lock()) {
        while (zygote->next_report()) {
        }
        if (!zygote->gone()) return zygote;
    }
    auto zygote = make();
    place = zygote;
    return zygote;
}

}  // namespace procpool::inline v0_1::detail::family

#endif
