// SPDX-License-Identifier: MIT
// Jobs with elements ready that only one of the peers may run.
#ifndef PROCPOOL_DETAIL_SCHEDULER_KEYED_JOBS_HPP
#define PROCPOOL_DETAIL_SCHEDULER_KEYED_JOBS_HPP

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// A line for each peer, by its place among all.
template <class = only_if_used>
class basic_keyed_jobs {
public:
    /// Which of `peers` runs what has this key.
    static std::size_t place_of(std::uint64_t key, std::size_t peers) noexcept {
        // Keys may be multiples of something, as addresses are.
        return (key * 0x9E3779B97F4A7C15u >> 32) % peers;
    }

    bool empty() const noexcept { return count_ == 0; }
    void add(std::size_t place, std::shared_ptr<remote_job> job) {
        line(place).push_back(std::move(job));
        ++count_;
    }
    /// It was given out before.
    void put_back(std::size_t place, std::shared_ptr<remote_job> job) {
        line(place).push_front(std::move(job));
        ++count_;
    }
    /// The next one; null if there is none.
    std::shared_ptr<remote_job> first(std::size_t place) const {
        return place < lines_.size() && !lines_[place].empty() ? lines_[place].front() : nullptr;
    }
    void remove_first(std::size_t place) {
        lines_[place].pop_front();
        --count_;
    }
    std::vector<std::shared_ptr<remote_job>> take_all() {
        std::vector<std::shared_ptr<remote_job>> all;
        for (auto& some : lines_) all.insert(all.end(), some.begin(), some.end());
        clear();
        return all;
    }
    void clear() noexcept {
        lines_.clear();
        count_ = 0;
    }

private:
    std::deque<std::shared_ptr<remote_job>>& line(std::size_t place) {
        if (place >= lines_.size()) lines_.resize(place + 1);
        return lines_[place];
    }

    std::vector<std::deque<std::shared_ptr<remote_job>>> lines_;
    std::size_t count_ = 0;
};
using keyed_jobs = basic_keyed_jobs<>;

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
