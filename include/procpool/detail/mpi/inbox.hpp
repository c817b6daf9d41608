// SPDX-License-Identifier: MIT
// Messages for one pool, from whichever thread receives them to whoever drives the pool.
#ifndef PROCPOOL_DETAIL_MPI_INBOX_HPP
#define PROCPOOL_DETAIL_MPI_INBOX_HPP

#include <utility>
#include <vector>

#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/event.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// Thread-safe.
template <class = only_if_used>
class basic_inbox {
public:
    struct message {
        int from = 0;
        wire::buffer bytes;
    };

    /// `arrival` is rung for each.
    explicit basic_inbox(os::event& arrival) : arrival_(arrival) {}

    void put(int from, wire::buffer&& bytes, bool by_receiver = false) {
        {
            const mutex_guard lock(mutex_);
            messages_.push_back({from, std::move(bytes)});
        }
        if (!by_receiver) arrival_.ring();  // who receives messages looks here next
    }
    std::vector<message> take() {
        const mutex_guard lock(mutex_);
        return std::exchange(messages_, {});
    }

private:
    os::event& arrival_;
    mutex mutex_;
    std::vector<message> messages_ PROCPOOL_GUARDED_BY(mutex_);
};
using inbox = basic_inbox<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
