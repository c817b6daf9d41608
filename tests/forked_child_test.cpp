// SPDX-License-Identifier: MIT
// What a forked child has of its parent's pools: copies of handles, which know that they are that.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/executor.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"

namespace forked_child_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    test::gate gate;
};
test::shared<board> seen;

int twice(int i) { return 2 * i; }
int waits(int i) {
    seen->gate.pass();
    return i;
}
std::string large(int i) { return std::string(200'000, static_cast<char>('a' + i % 26)); }

/// Exit code of a forked child that runs `body`; what a signal ended, an alarm for one that hangs among
/// them, has 1000 and its number. It leaves without the destructors of this process's objects.
template <class Body>
int exit_code_of_child(Body body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::alarm(20);
        int code = 99;
        try {
            code = body();
        } catch (const std::exception&) {
            code = 98;
        }
        ::_exit(code);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// 0 if `call` throws PoolNotRunning, else `otherwise`.
template <class Call>
int refused(int otherwise, Call call) {
    try {
        call();
    } catch (const mp::PoolNotRunning&) {
        return 0;
    }
    return otherwise;
}

template <class PoolType>
class ForkedChild : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
    void TearDown() override { seen->gate.open(); }
};
using pools = testing::Types<mp::Pool, mp::ThreadPool>;
TYPED_TEST_SUITE(ForkedChild, pools);

TYPED_TEST(ForkedChild, leaves_an_imap_loop_unharmed) {
    TypeParam pool(2);
    auto input = test::views::iota(0, 500);
    int code = -1, taken = 0;
    for ([[maybe_unused]] const int x : pool.imap(twice, input)) {
        if (++taken != 20) continue;
        code = exit_code_of_child([&] {
            {
                auto other = pool.imap(twice, input);  // refused, in itself
                return 1;
            }
        });
        EXPECT_EQ(code, 98);
    }
    EXPECT_EQ(taken, 500);

    auto results = std::make_optional(pool.imap(large, input));
    EXPECT_EQ(results->next()->size(), 200'000u);
    code = exit_code_of_child([&] {
        results.reset();
        return 0;
    });
    EXPECT_EQ(code, 0);
    EXPECT_EQ(results->next()->front(), 'b') << "it is as it was where it belongs";
}

TYPED_TEST(ForkedChild, gets_no_results_from_a_stream) {
    TypeParam pool(2);
    auto results = pool.imap(large, test::views::iota(0, 500));
    auto unordered = pool.imap_unordered(large, test::views::iota(0, 500));
    results.next();
    const int code = exit_code_of_child([&] {
        if (const int failed = refused(1, [&] { results.next(); })) return failed;
        if (const int failed = refused(2, [&] { results.next(1ms); })) return failed;
        if (const int failed = refused(3, [&] { results.begin(); })) return failed;
        return refused(4, [&] { unordered.next(); });
    });
    EXPECT_EQ(code, 0);
    EXPECT_EQ(results.next()->front(), 'b');
}

TYPED_TEST(ForkedChild, gets_nothing_from_an_async_result) {
    TypeParam pool(2);
    auto finished = std::make_optional(pool.apply_async(twice, 2));
    finished->wait();
    auto pending = std::make_optional(pool.apply_async(waits, 3));
    auto many = std::make_optional(pool.map_async(waits, test::views::iota(0, 100)));
    for (auto* const result : {&finished, &pending}) {
        const int code = exit_code_of_child([&] {
            if (const int failed = refused(1, [&] { (*result)->get(); })) return failed;
            if (const int failed = refused(2, [&] { (*result)->get(1ms); })) return failed;
            if (const int failed = refused(3, [&] { (*result)->wait(); })) return failed;
            if (const int failed = refused(4, [&] { (*result)->ready(); })) return failed;
            if (const int failed = refused(5, [&] { (*result)->successful(); })) return failed;
            if (const int failed = refused(6, [&] { (*result)->callback([](int) {}); })) return failed;
            if (const int failed = refused(7, [&] { std::move(**result).get(); })) return failed;
            if ((*result)->cancel()) return 8;
            result->reset();
            return 0;
        });
        EXPECT_EQ(code, 0);
    }
    EXPECT_EQ(exit_code_of_child([&] {
                  if (many->cancel()) return 1;
                  many.reset();
                  return 0;
              }),
              0);
    seen->gate.open();
    EXPECT_EQ(finished->get(), 4);
    EXPECT_EQ(pending->get(), 3);
    EXPECT_EQ(many->get().size(), 100u);
}

TYPED_TEST(ForkedChild, is_refused_while_other_threads_use_the_pool) {
    // Whatever they hold when the child is forked is held for ever there.
    TypeParam pool(2);
    std::atomic<bool> stop{false};
    std::vector<std::jthread> others;
    for (int i = 0; i < 2; ++i)
        others.emplace_back([&] {
            while (!stop) pool.map(twice, test::views::iota(0, 20));
        });
    auto pending = pool.apply_async(waits, 3);
    for (int i = 0; i < 20; ++i) {
        const int code = exit_code_of_child([&] {
            if (const int failed = refused(1, [&] { pending.get(); })) return failed;
            return pending.cancel() ? 2 : refused(3, [&] { pool.apply(twice, 1); });
        });
        EXPECT_EQ(code, 0);
    }
    stop = true;
    seen->gate.open();
    EXPECT_EQ(pending.get(), 3);
}

TYPED_TEST(ForkedChild, drops_handles_that_have_outlived_their_pool) {
    std::optional<mp::AsyncResult<int>> result;
    std::optional<mp::ImapResults<std::string>> stream;
    {
        TypeParam pool(2);
        result = pool.apply_async(twice, 2);
        result->wait();
        stream.emplace(pool.imap(large, test::views::iota(0, 100)));
        stream->next();
    }
    const int code = exit_code_of_child([&] {
        result.reset();
        stream.reset();
        return 0;
    });
    EXPECT_EQ(code, 0);
    EXPECT_EQ(result->get(), 4);
}

TYPED_TEST(ForkedChild, may_request_stops_that_end_nothing) {
    TypeParam pool(2);
    std::stop_source stop;
    mp::TaskOptions options;
    options.stop = stop.get_token();
    auto pending = pool.apply_async(options, waits, 3);
    EXPECT_EQ(exit_code_of_child([&] { return stop.request_stop() ? 0 : 1; }), 0);
    seen->gate.open();
    EXPECT_EQ(pending.get(), 3);
}

TYPED_TEST(ForkedChild, gets_nothing_from_futures) {
    std::optional<mp::BasicExecutor<TypeParam>> executor(2);
    auto pending = std::make_optional(executor->submit(waits, 3));
    auto other = executor->submit(waits, 4);
    auto results = std::make_optional(executor->map(waits, test::views::iota(0, 100)));
    const std::vector<mp::Future<int>> both{*pending, other};
    auto completed = std::make_optional(mp::as_completed(both));
    const int code = exit_code_of_child([&] {
        if (const int failed = refused(1, [&] { pending->result(); })) return failed;
        if (const int failed = refused(2, [&] { pending->exception(); })) return failed;
        if (const int failed = refused(3, [&] { pending->done(); })) return failed;
        if (const int failed = refused(4, [&] { pending->running(); })) return failed;
        if (const int failed = refused(5, [&] { pending->cancelled(); })) return failed;
        if (const int failed = refused(6, [&] { pending->add_done_callback([](const auto&) {}); }))
            return failed;
        if (const int failed = refused(7, [&] { mp::wait(both); })) return failed;
        if (const int failed = refused(8, [&] { mp::as_completed(both); })) return failed;
        if (const int failed = refused(9, [&] { completed->begin(); })) return failed;
        if (const int failed = refused(10, [&] { results->next(); })) return failed;
        if (const int failed = refused(11, [&] { (void)executor->submit(twice, 1); })) return failed;
        if (const int failed = refused(12, [&] { executor->shutdown(); })) return failed;
        if (pending->cancel() || other.cancel()) return 13;
        completed.reset();
        results.reset();
        pending.reset();
        executor.reset();
        return 0;
    });
    EXPECT_EQ(code, 0);
    seen->gate.open();
    EXPECT_EQ(pending->result(), 3);
    EXPECT_EQ(other.result(), 4);
}

TYPED_TEST(ForkedChild, makes_pools_of_its_own_beside_the_copies) {
    TypeParam pool(2);
    auto pending = pool.apply_async(waits, 3);
    const int code = exit_code_of_child([&] {
        TypeParam own(mp::PoolOptions{.processes = 1, .start_method = mp::start_method::fork});
        auto mine = own.apply_async(twice, 4);
        if (mine.get() != 8) return 1;
        return refused(2, [&] { pending.get(); });
    });
    EXPECT_EQ(code, 0);
    seen->gate.open();
    EXPECT_EQ(pending.get(), 3);
}

}  // namespace forked_child_test
