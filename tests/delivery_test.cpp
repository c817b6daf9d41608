// SPDX-License-Identifier: MIT
// Results on their way into their jobs: what happens when memory is out in the program just then.
#include <gtest/gtest.h>
#include <cereal/types/memory.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/detail/call/encode.hpp"
#include "procpool/detail/call/remote_job_of.hpp"
#include "procpool/detail/process/pool_options.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/pool.hpp"
#include "support/wait.hpp"

namespace delivery_test {

namespace mp = procpool;
namespace call = procpool::detail::call;
namespace process = procpool::detail::process;
namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;
using procpool::detail::steady_time;

int half(int number) {
    if (number % 2 != 0) throw std::invalid_argument("it is odd");
    return number / 2;
}

/// A job for whose results there is no memory.
class unlucky_job final : public scheduler::remote_job {
public:
    unlucky_job() : remote_job(call::remote_task<int (*)(int), int>::define(&half), false) {}
    void accept(std::uint64_t, std::uint64_t, std::uint64_t, std::span<const std::byte>) override {
        throw std::bad_alloc();
    }
    void fail(std::uint64_t, std::exception_ptr) override { throw std::bad_alloc(); }
};

/// A job that passes errors on as they came.
class forwarded_job final : public scheduler::remote_job {
public:
    forwarded_job() : remote_job(call::remote_task<int (*)(int), int>::define(&half), false) {}
    void accept(std::uint64_t, std::uint64_t, std::uint64_t, std::span<const std::byte>) override {}
    void fail(std::uint64_t, std::exception_ptr) override { ++decoded; }
    bool fail_with_record(std::uint64_t index, std::span<const std::byte> bytes, long from,
                          const std::string& of_attempts) override {
        EXPECT_EQ(index, 0u);
        record.assign(bytes.begin(), bytes.end());
        pid = from;
        attempts = of_attempts;
        return true;
    }

    std::vector<std::byte> record;
    long pid = 0;
    std::string attempts;
    int decoded = 0;
};

class Delivery : public testing::Test {
protected:
    void submit(const std::shared_ptr<scheduler::remote_job>& job, int argument) {
        auto held = pool.acquire();
        pool.add(job);
        scheduler::block elements;
        call::append_element(elements, std::tuple(argument));
        pool.submit(job, std::move(elements));
        pool.seal(job);
        pool.leave(held);
    }
    /// The error that the job ends with.
    std::string end_of(const std::shared_ptr<scheduler::remote_job>& job) {
        auto held = pool.acquire();
        const auto deadline = std::chrono::steady_clock::now() + test::patience;
        if (!pool.wait(held, [&] { return job->done(); }, deadline, job.get())) return "it never ends";
        EXPECT_TRUE(job->complete());
        try {
            std::rethrow_exception(job->failure());
        } catch (const std::exception& error) {
            return error.what();
        }
    }

    process::process_pool pool{process::checked(mp::PoolOptions{.processes = 1})};
};

TEST_F(Delivery, that_fails_ends_its_job_and_the_pool_with_that_error) {
    const auto job = std::make_shared<unlucky_job>();
    submit(job, 2);
    EXPECT_EQ(end_of(job), std::bad_alloc().what());
    EXPECT_THROW(submit(std::make_shared<unlucky_job>(), 2), std::bad_alloc);
}

TEST_F(Delivery, of_an_error_that_fails_does_the_same) {
    const auto job = std::make_shared<unlucky_job>();
    submit(job, 1);
    EXPECT_EQ(end_of(job), std::bad_alloc().what());
}

TEST_F(Delivery, that_fails_keeps_no_pool_from_its_end) {
    const auto job = std::make_shared<unlucky_job>();
    const auto other = std::make_shared<unlucky_job>();
    submit(job, 2);
    submit(other, 3);
    auto held = pool.acquire();
    pool.terminate(held);
    held.unlock();
    EXPECT_TRUE(job->done());
    EXPECT_TRUE(other->done());
}

TEST_F(Delivery, of_an_error_leaves_it_to_the_job_to_decode_it) {
    const auto job = std::make_shared<forwarded_job>();
    job->retries = 1;
    job->retry_exceptions = true;
    submit(job, 3);
    {
        auto held = pool.acquire();
        const auto deadline = std::chrono::steady_clock::now() + test::patience;
        ASSERT_TRUE(pool.wait(held, [&] { return job->done(); }, deadline, job.get()));
    }
    EXPECT_EQ(job->decoded, 0);
    EXPECT_NE(job->pid, 0);
    EXPECT_EQ(job->attempts, "; attempt 1: threw std::invalid_argument: it is odd");
    EXPECT_THROW(std::rethrow_exception(
                     wire::decode_exception(wire::cursor(job->record), job->pid, 0, job->attempts, "node2")),
                 std::invalid_argument);
}

}  // namespace delivery_test
