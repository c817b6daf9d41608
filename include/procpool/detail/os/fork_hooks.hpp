// SPDX-License-Identifier: MIT
// What a program has asked to be called around the library's forks.
#ifndef PROCPOOL_DETAIL_OS_FORK_HOOKS_HPP
#define PROCPOOL_DETAIL_OS_FORK_HOOKS_HPP

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"

namespace procpool::inline v0_1::detail::os {

struct fork_hook {
    std::function<void()> before;
    std::function<void()> after_in_parent;
    std::function<void()> after_in_child;
};

/// Those that were registered when it is made: around one fork.
class fork_hooks {
public:
    fork_hooks() : hooks_(get()) {}

    void before() const noexcept {
        if (!hooks_) return;
        for (auto one = hooks_->rbegin(); one != hooks_->rend(); ++one)
            if (one->before) one->before();
    }
    void after_in_parent() const noexcept { after(&fork_hook::after_in_parent); }
    void after_in_child() const noexcept { after(&fork_hook::after_in_child); }

    static void add(fork_hook hook) {
        const auto no_fork = fd_registry::instance().hold_forks();
        list more = registered() ? *registered() : list();
        more.push_back(std::move(hook));
        registered() = std::make_shared<const list>(std::move(more));
    }

private:
    using list = std::vector<fork_hook>;

    static std::shared_ptr<const list>& registered() {
        static auto* const all = new std::shared_ptr<const list>;  // leaked: used until the program ends
        return *all;
    }
    static std::shared_ptr<const list> get() {
        const auto no_fork = fd_registry::instance().hold_forks();
        return registered();
    }
    void after(std::function<void()> fork_hook::* which) const noexcept {
        if (!hooks_) return;
        for (const fork_hook& one : *hooks_)
            if (one.*which) (one.*which)();
    }

    std::shared_ptr<const list> hooks_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
