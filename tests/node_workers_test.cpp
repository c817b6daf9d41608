// SPDX-License-Identifier: MIT
// Workers that serve a pool of several machines: their numbers, their environment, and results that can
// leave.
#include <gtest/gtest.h>

#include <algorithm>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/basic_pool.hpp"
#include "procpool/detail/call/encode.hpp"
#include "procpool/detail/call/in_processes.hpp"
#include "procpool/detail/call/remote_job_of.hpp"
#include "procpool/detail/mpi/definition_chain.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/process/pool_options.hpp"
#include "procpool/detail/wire/whole_elements.hpp"
#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/register_exception.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/worker.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"
#include "support/views.hpp"
#include "support/wait.hpp"

namespace node_workers_test {

namespace mp = procpool;
namespace call = procpool::detail::call;
namespace mpi = procpool::detail::mpi;
namespace process = procpool::detail::process;
namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;

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

// ---- results

struct page {
    std::string title;
    std::vector<std::string> lines;
    std::vector<double> numbers;
    bool operator==(const page&) const = default;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(title, lines, numbers);
    }
};

std::vector<double> numbers(int i) {
    std::vector<double> all(1 << 17);
    std::iota(all.begin(), all.end(), i);
    return all;
}
page large_page(int i) { return {std::string(300'000, 'a'), {std::string(100'000, 'b'), "c"}, numbers(i)}; }
std::vector<std::string> many(int i) { return std::vector<std::string>(20'000, std::to_string(i)); }
std::string word(int i) { return std::to_string(i); }
/// Large and small results in turns.
std::string mixed(int i) { return std::string(i % 3 == 0 ? 200'000 : 10, static_cast<char>('a' + i % 26)); }

TEST(NodeWorkers, return_results_of_all_sizes) {
    host_pool pool(options_of(2, [](auto& settings) { settings.serves_other_machine = true; }));
    const auto input = test::views::iota(0, 12);
    const auto check = [&](auto function) {
        const auto results = pool.map(function, input);
        for (int i = 0; i < 12; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], function(i));
    };
    check(numbers);
    check(large_page);
    check(many);
    check(word);
    check(mixed);
    EXPECT_EQ(pool.map(word, test::views::iota(0, 5000)).back(), "4999");
}

TEST(NodeWorkers, refuse_handles_as_results) {
    const auto make = [](int) { return mp::SharedArray<int, 1>({4}); };
    host_pool pool(options_of(1, [](auto& settings) { settings.serves_other_machine = true; }));
    const std::string text = test::message_of<mp::SerializationError>([&] { pool.apply(make, 1); });
    EXPECT_TRUE(text.starts_with("procpool: a procpool::SharedArray<int, 1")) << text;
    EXPECT_EQ(pool.apply(word, 7), "7");
    EXPECT_EQ(mp::Pool(1).apply(make, 1).size(), 4u);
}

class error_with_array : public std::exception {
public:
    error_with_array() = default;
    explicit error_with_array(mp::SharedArray<int, 1> values) : values_(std::move(values)) {}
    const char* what() const noexcept override { return "it has an array"; }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(values_);
    }

private:
    mp::SharedArray<int, 1> values_;
};
const bool registered = mp::register_exception<error_with_array>();

TEST(NodeWorkers, send_exceptions_with_handles_as_text) {
    ASSERT_TRUE(registered);
    const auto fail = [](const mp::SharedArray<int, 1>& values) { throw error_with_array(values); };
    const mp::SharedArray<int, 1> values({4});
    host_pool pool(options_of(1, [](auto& settings) { settings.serves_other_machine = true; }));
    const std::string text = test::message_of<mp::RemoteError>([&] { pool.apply(fail, values); });
    EXPECT_NE(text.find("it has an array"), std::string::npos) << text;
    EXPECT_THROW(mp::Pool(1).apply(fail, values), error_with_array);
}

/// Keeps results as bytes, as what sends them on does.
class forwarded_job final : public scheduler::remote_job {
public:
    explicit forwarded_job(scheduler::task_definition definition)
        : remote_job(std::move(definition), false) {}
    void accept(std::uint64_t, std::uint64_t, std::uint64_t stride,
                std::span<const std::byte> values) override {
        arrived += values.size();
        wire::append_from_arena(bytes, stride, values);
    }
    void fail(std::uint64_t, std::exception_ptr error) override { fail_all(std::move(error)); }

    std::size_t arrived = 0;  // bytes that came without those in arenas
    wire::buffer bytes;
};

/// The encoded results of `job`, whose elements these are.
void run(process::process_pool& pool, const std::shared_ptr<forwarded_job>& job,
         scheduler::block&& elements) {
    auto held = pool.acquire();
    pool.add(job);
    pool.submit(job, std::move(elements));
    pool.seal(job);
    const auto deadline = std::chrono::steady_clock::now() + test::patience;
    ASSERT_TRUE(pool.wait(held, [&] { return job->done(); }, deadline, job.get()));
    if (job->failure()) std::rethrow_exception(job->failure());
}

TEST(NodeWorkers, return_results_whose_bytes_mean_the_same_elsewhere) {
    using task = call::remote_task<page (*)(int), int>;
    const auto job = std::make_shared<forwarded_job>(task::define(&large_page));
    {
        process::process_pool pool(
            options_of(1, [](auto& settings) { settings.serves_other_machine = true; }));
        scheduler::block elements;
        for (int i = 0; i < 3; ++i) call::append_element(elements, std::tuple(i));
        run(pool, job, std::move(elements));
    }
    EXPECT_LT(job->arrived, 1000u);  // the rest lay in an arena
    EXPECT_GT(job->bytes.size(), 3'000'000u);
    wire::element_reader results(job->bytes.bytes(), wire::variable_stride);
    for (int i = 0; i < 3; ++i) {
        wire::cursor from(results.next());
        EXPECT_EQ(wire::codec<page>::decode(from), large_page(i));
    }
    EXPECT_TRUE(results.done());
}

// ---- elements that came from another machine

std::size_t length_of(const std::string& text) { return text.size(); }

TEST(NodeWorkers, get_large_elements_of_other_machines_by_the_arena) {
    scheduler::block sent{.bytes = {}, .pins = {}, .large = {wire::other_machines()}};
    std::vector<std::size_t> lengths;
    for (int i = 0; i < 10; ++i) {
        call::append_element(sent, std::tuple(mixed(i)));
        lengths.push_back(mixed(i).size());
    }
    process::process_pool pool(options_of(1, leave_as_they_are));
    scheduler::block elements{
        .count = sent.count, .stride = sent.stride, .bytes = {}, .pins = {}, .large = {pool.arena()}};
    wire::append_to_arena({elements.bytes, elements.pins, &elements.large}, sent.stride, sent.payload());
    EXPECT_EQ(elements.large.parts.size(), 4u);
    EXPECT_LT(elements.bytes.size(), 1000u);
    using task = call::remote_task<std::size_t (*)(const std::string&), std::string>;
    const auto job = std::make_shared<forwarded_job>(task::define(&length_of));
    run(pool, job, std::move(elements));
    std::vector<std::size_t> results(lengths.size());
    ASSERT_EQ(job->bytes.size(), results.size() * sizeof(std::size_t));
    std::memcpy(results.data(), job->bytes.data(), job->bytes.size());
    EXPECT_EQ(results, lengths);
}

TEST(NodeWorkers, get_elements_of_which_none_refers_to_memory_here) {
    wire::buffer bytes;
    bytes.append_value(std::uint64_t{100'000} | wire::lies_in_arena);
    bytes.append_value(wire::arena_place{1, 64});
    wire::buffer taken;
    wire::pins pins;
    wire::large_parts large;
    EXPECT_THROW(wire::append_to_arena({taken, pins, &large}, wire::variable_stride, bytes.bytes()),
                 mp::SerializationError);
    large.memory = wire::other_machines();
    EXPECT_THROW(wire::append_to_arena({taken, pins, &large}, wire::variable_stride, bytes.bytes()),
                 mp::SerializationError);
}

// ---- definitions that came in parts

/// Adds what was bound; the first worker that runs 2 dies of it.
double add_last(const std::vector<double>& bound, const std::string& died, int x) {
    if (x == 2 && !std::filesystem::exists(died)) {
        std::filesystem::create_directory(died);
        std::raise(SIGKILL);
    }
    return bound.back() + x;
}

TEST(NodeWorkers, read_large_definitions_in_the_arena) {
    const test::temporary_folder folder;
    const auto bound = mp::partial(add_last, std::vector<double>(300'000, 0.5), folder.path("died"));
    using task = call::remote_task<std::remove_const_t<decltype(bound)>, int>;
    scheduler::task_definition whole = task::define(bound, wire::other_machines());
    wire::buffer head;
    head.append("settings", 8);
    process::process_pool pool(options_of(2, leave_as_they_are));
    mpi::partial_definition parts(pool.arena());
    mpi::send_parts({}, {}, {head.bytes(), whole.bytes.bytes()}, [&](const wire::buffer& message) {
        mpi::each_frame(message.bytes(), [&](const auto& header, std::span<const std::byte> payload) {
            parts.add(header, mpi::definition_part(payload).bytes, {});
        });
    });
    scheduler::task_definition definition;
    definition.instead = parts.lies_in();
    ASSERT_TRUE(definition.instead.part.memory);
    definition.instead.begin = head.size();
    ASSERT_TRUE(std::ranges::equal(definition.all(), whole.bytes.bytes()));
    const auto job = std::make_shared<forwarded_job>(std::move(definition));
    job->retries = 1;
    job->chunk = 1;
    scheduler::block elements;
    for (int i = 0; i < 4; ++i) call::append_element(elements, std::tuple(i));
    run(pool, job, std::move(elements));
    ASSERT_EQ(job->bytes.size(), 4 * sizeof(double));
    std::vector<double> results(4);
    std::memcpy(results.data(), job->bytes.data(), job->bytes.size());
    std::ranges::sort(results);
    EXPECT_EQ(results, (std::vector{0.5, 1.5, 2.5, 3.5})) << "also in the worker that came later";
}

}  // namespace node_workers_test
