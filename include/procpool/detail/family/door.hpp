// SPDX-License-Identifier: MIT
// A listening socket that lets in who knows its secret.
#ifndef PROCPOOL_DETAIL_FAMILY_DOOR_HPP
#define PROCPOOL_DETAIL_FAMILY_DOOR_HPP

#include <chrono>
#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/family/mutual_proof.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/local_socket.hpp"
#include "procpool/detail/os/watch_list.hpp"

namespace procpool::inline v0_1::detail::family {

/// Who waits at it costs a descriptor and no thread, for a limited time; of many, the newest may stay.
class door {
public:
    explicit door(const server_key& key) : secret_(key.secret), listener_(os::listen_at(key.address)) {
        waiting_.reserve(most_waiting);
        watched_.reserve(most_waiting + 1);
    }
    door(const door&) = delete;
    door& operator=(const door&) = delete;

    /// Waits for the next client that proves that it knows the secret; welcome() it.
    /// @throws std::bad_alloc, std::system_error; another call may succeed
    os::fd next_client() {
        for (;;) {
            if (!wait_for_news()) continue;
            if (os::fd client = hear_waiting()) return client;
            if (watched_.is_ready(0)) take_one_in();
        }
    }

private:
    // Clients of the family prove themselves within microseconds.
    static constexpr std::size_t most_waiting = 64;

    struct applicant {
        os::fd socket;
        proof_of_client proof;
        steady_time until;
    };

    /// Until the time of the one is over who has waited longest.
    bool wait_for_news() {
        using interest = os::watch_list::interest;
        watched_.clear();
        watched_.add(listener_.get(), interest::read);
        for (const applicant& one : waiting_) watched_.add(one.socket.get(), interest::read);
        const auto until = waiting_.empty() ? steady_time::max() : waiting_.front().until;
        if (watched_.wait_until(until) != os::wait_end::failed) return true;
        constexpr std::chrono::milliseconds until_there_is_memory{10};
        std::this_thread::sleep_for(until_there_is_memory);
        return false;
    }

    /// @return the first that has given its proof
    os::fd hear_waiting() {
        const auto now = std::chrono::steady_clock::now();
        for (std::size_t i = 0, was_at = 1; i < waiting_.size(); ++was_at) {
            auto state = proof_of_client::state::awaited;
            if (watched_.is_ready(was_at))
                state = waiting_[i].proof.read_from(waiting_[i].socket);
            else if (waiting_[i].until <= now)
                state = proof_of_client::state::refused;
            if (state == proof_of_client::state::awaited) {
                ++i;
                continue;
            }
            os::fd socket = std::move(waiting_[i].socket);
            waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
            if (state == proof_of_client::state::given) return socket;
        }
        return {};
    }

    void take_one_in() {
        os::fd socket = os::accept_from(listener_);
        if (!socket) return;
        if (waiting_.size() == most_waiting) waiting_.erase(waiting_.begin());
        waiting_.push_back({std::move(socket), proof_of_client(secret_), deadline_in(time_for_proof)});
    }

    const os::random_words secret_;
    const os::fd listener_;
    std::vector<applicant> waiting_;  // who has waited longest first
    os::watch_list watched_;          // the listener, and these in the same order
};

}  // namespace procpool::inline v0_1::detail::family

#endif
