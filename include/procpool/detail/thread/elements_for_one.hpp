// SPDX-License-Identifier: MIT
// Elements that only one thread of a pool may run.
#ifndef PROCPOOL_DETAIL_THREAD_ELEMENTS_FOR_ONE_HPP
#define PROCPOOL_DETAIL_THREAD_ELEMENTS_FOR_ONE_HPP

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/thread/thread_job.hpp"

namespace procpool::inline v0_1::detail::thread {

template <class = only_if_used>
class basic_elements_for_one {
public:
    /// Of these the first is for the first thread, and so on.
    void add(const std::shared_ptr<thread_job>& job, elements all) {
        while (all.count > 0) waiting_.push_back({job, all.take_front(1)});
    }

    struct taken {
        std::shared_ptr<thread_job> job;
        elements one;
    };
    /// The next one for this thread.
    std::optional<taken> take(std::uint32_t thread) {
        const auto at =
            std::ranges::find_if(waiting_, [=](const taken& next) { return next.one.first == thread; });
        if (at == waiting_.end()) return std::nullopt;
        taken next = std::move(*at);
        waiting_.erase(at);
        return next;
    }

private:
    std::deque<taken> waiting_;
};
using elements_for_one = basic_elements_for_one<>;

}  // namespace procpool::inline v0_1::detail::thread

#endif
