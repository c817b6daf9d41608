// SPDX-License-Identifier: MIT
// All processes that this one has started.
#ifndef PROCPOOL_DETAIL_FAMILY_CHILD_LIST_HPP
#define PROCPOOL_DETAIL_FAMILY_CHILD_LIST_HPP

#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/family/child.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/worker/process_main.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::family {

/// The list is used while forks are held.
template <class = only_if_used>
class basic_child_list {
public:
    /// It is finished when the program ends, unless it has ended before.
    static void add(const std::shared_ptr<child>& one) {
        static bool joins_at_exit = false;
        const auto lock = os::fd_registry::instance().hold_forks();
        std::erase_if(all(), [](const auto& listed) { return listed.expired(); });
        all().push_back(one);
        worker::join_children.store(&join);
        if (!std::exchange(joins_at_exit, true)) std::atexit(&join);
    }

    /// In the order of their starts.
    static std::vector<std::shared_ptr<child>> running() {
        std::vector<std::shared_ptr<child>> found;
        {
            const auto lock = os::fd_registry::instance().hold_forks();
            for (const auto& listed : all())
                if (auto one = listed.lock(); one && one->is_of_this_process())
                    found.push_back(std::move(one));
        }
        std::erase_if(found, [](const auto& one) { return !one->still_runs(); });
        return found;
    }

private:
    static std::vector<std::weak_ptr<child>>& all() {
        static auto* const list = new std::vector<std::weak_ptr<child>>;  // used at exit
        return *list;
    }
    static void join() {
        for (const auto& one : running()) try {
                one->finish();
            } catch (const Error&) {  // another thread has closed it
            }
    }
};
using child_list = basic_child_list<>;

}  // namespace procpool::inline v0_1::detail::family

#endif
