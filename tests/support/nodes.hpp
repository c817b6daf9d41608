// SPDX-License-Identifier: MIT
// For tests of peers of many workers: jobs of which an element is its own number.
#ifndef PROCPOOL_TESTS_SUPPORT_NODES_HPP
#define PROCPOOL_TESTS_SUPPORT_NODES_HPP

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/task_timing.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "simulation/job.hpp"

namespace nodes_support {

namespace mpi = procpool::detail::mpi;
namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;
using kind = mpi::frame_header::kind;
using scheduler::peer_state;
using simulation::simulated_job;
using simulation::simulated_series;
/// First and count of each.
using ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

/// An element is its own number.
inline scheduler::block block_of(std::uint64_t first, std::uint64_t count) {
    scheduler::block made{.first = first, .count = count, .stride = 8, .bytes = {}, .pins = {}};
    for (std::uint64_t i = first; i < first + count; ++i) made.bytes.append_value(i);
    return made;
}
inline std::vector<std::uint64_t> numbers_in(const scheduler::block& some) {
    std::vector<std::uint64_t> numbers;
    for (wire::cursor from(some.payload()); from.left() > 0;) numbers.push_back(from.value<std::uint64_t>());
    return numbers;
}
inline std::vector<std::uint64_t> numbers(std::uint64_t first, std::uint64_t count) {
    std::vector<std::uint64_t> all;
    for (std::uint64_t i = first; i < first + count; ++i) all.push_back(i);
    return all;
}

class Nodes : public testing::Test {
protected:
    std::shared_ptr<simulated_job> make_job(bool once = false) {
        auto made = std::make_shared<simulated_job>(0, 1, once);
        made->id = ++last_id;
        made->timing = &timing;
        return made;
    }
    std::shared_ptr<simulated_series> make_series(std::uint64_t calls) {
        auto made = std::make_shared<simulated_series>(0, 1);
        made->id = ++last_id;
        made->timing = &timing;
        made->add_submitted(calls);
        return made;
    }
    scheduler::task_timing timing;
    std::uint64_t last_id = 0;
};

}  // namespace nodes_support

#endif
