// SPDX-License-Identifier: MIT
// A node: a pool of simulated peers that runs what rank 0 sends, by the code that does so over MPI.
#ifndef PROCPOOL_TESTS_SIMULATION_NODE_HOST_HPP
#define PROCPOOL_TESTS_SIMULATION_NODE_HOST_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "pool.hpp"
#include "procpool/detail/mpi/forwarded_job.hpp"
#include "procpool/detail/mpi/hosted_jobs.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "random.hpp"

namespace simulation {

class simulated_host {
    mpi::outgoing_frames up_{1};  // before the pool, whose jobs write there
    mpi::hosted_jobs jobs_{up_};

public:
    simulated_host(node_link& link, std::size_t peers, std::uint64_t seed,
                   procpool::detail::scheduler::scheduler_options options)
        : pool(peers, seed, std::move(options)), link_(link) {}

    /// Some of the messages that are on their way arrive. @return whether any did
    bool receive(random& chance) {
        bool any = false;
        for (; !link_.down.empty() && !chance.one_in(4); any = true) {
            const wire::buffer message = std::move(link_.down.front());
            link_.down.pop_front();
            const auto lock = pool.acquire();
            mpi::each_frame(message.bytes(),
                            [&](const mpi::frame_header& header, std::span<const std::byte> payload) {
                                jobs_.handle(pool, header, payload);
                            });
        }
        return any;
    }
    /// The rest of a step of who drives.
    void step(random& chance) {
        pool.wake_up(chance, [] {}, [] {});
        {
            const auto lock = pool.acquire();
            if (pool.is_stuck()) jobs_.give_back_unasked(pool);
        }
        wire::buffer bytes = up_.take();
        if (!bytes.empty() && !link_.is_lost) link_.up.push_back(std::move(bytes));
    }
    /// Rank 0 hears nothing of it any more, nor does it of rank 0.
    void lose(random& chance) {
        link_.is_lost = true;
        is_alive = chance.one_in(2);
        while (!link_.up.empty() && chance.one_in(2)) link_.up.pop_back();
        if (!is_alive) link_.down.clear();
    }
    bool is_lost() const noexcept { return link_.is_lost; }

    /// For a person.
    std::string state() const {
        return "\n    host " + std::to_string(link_.node.rank()) + " of " +
               std::to_string(link_.node.workers) + (is_alive ? ", alive" : "") +
               (is_lost() ? ", lost" : "") + ", has " + std::to_string(link_.node.work().elements()) +
               ", in state " + std::to_string(static_cast<int>(link_.node.state())) + ", messages down " +
               std::to_string(link_.down.size()) + ", up " + std::to_string(link_.up.size()) +
               (pool.has_jobs() ? ", has jobs" : "");
    }

    simulated_pool pool;
    bool is_alive = true;  // it goes on, whether rank 0 hears of it or not

private:
    node_link& link_;
};

}  // namespace simulation

#endif
