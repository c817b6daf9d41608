// SPDX-License-Identifier: MIT
// Workers that serve a pool of several machines: their numbers, their environment, and results that can
// leave.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "procpool/basic_pool.hpp"
#include "procpool/detail/call/in_processes.hpp"
#include "procpool/detail/process/pool_options.hpp"
#include "procpool/pool.hpp"
#include "procpool/worker.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace node_workers_test {

namespace mp = procpool;
namespace call = procpool::detail::call;
namespace process = procpool::detail::process;

process::process_pool_options options_of(int processes, const auto& change) {
    process::process_pool_options options = process::checked(mp::PoolOptions{.processes = processes});
    change(options.workers.settings);
    return options;
}
void leave_as_they_are(procpool::detail::zygote::worker_settings&) {}

/// A pool as a host has it.
class host_pool : public mp::BasicPool<call::in_processes> {
public:
    explicit host_pool(process::process_pool_options options) {
        start(std::make_shared<process::process_pool>(std::move(options)));
    }
    std::vector<mp::WorkerStatus> workers() const {
        const auto lock = core().acquire();
        return core().workers();
    }
};

// ---- numbers

TEST(NodeWorkers, are_numbered_behind_those_of_other_machines) {
    host_pool pool(options_of(2, [](auto& settings) { settings.first_index = 10; }));
    std::set<std::uint32_t> indices;
    std::set<std::uint64_t> seeds;
    const auto deadline = std::chrono::steady_clock::now() + test::patience;
    while (indices.size() < 2 && std::chrono::steady_clock::now() < deadline)
        for (const auto& [index, seed] :
             pool.map([](int) { return std::pair(mp::worker_index().value(), mp::worker_seed()); },
                      test::views::iota(0, 100), {.chunksize = 1})) {
            indices.insert(index);
            seeds.insert(seed);
        }
    EXPECT_EQ(indices, (std::set<std::uint32_t>{10, 11}));
    EXPECT_EQ(seeds.size(), 2u);
    const auto workers = pool.workers();
    ASSERT_EQ(workers.size(), 2u);
    EXPECT_EQ(workers[1].index, 1u);
}

// ---- environment

std::string variables_of_worker() {
    std::string text;
    for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "PRTE_LAUNCHED",
                             "MPI_LOCALRANKID", "SLURM_JOB_ID", "PMACCT"})
        if (const char* const value = std::getenv(name))
            text.append(name).append("=").append(value).append(" ");
    return text;
}

TEST(NodeWorkers, take_no_rank_from_a_launcher_and_keep_other_variables) {
    for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "PRTE_LAUNCHED",
                             "MPI_LOCALRANKID", "SLURM_JOB_ID", "PMACCT"})
        ASSERT_EQ(::setenv(name, "7", 1), 0);
    host_pool pool(options_of(1, [](auto& settings) { settings.is_rank = true; }));
    EXPECT_EQ(pool.apply(variables_of_worker), "SLURM_JOB_ID=7 PMACCT=7 ");
    EXPECT_EQ(host_pool(options_of(1, leave_as_they_are)).apply(variables_of_worker), variables_of_worker());
    EXPECT_NE(std::getenv("PMI_RANK"), nullptr);  // of this process
}

}  // namespace node_workers_test
