// SPDX-License-Identifier: MIT
// Arguments and results that can't be sent after all: the element's error, and nobody else's.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cereal/types/memory.hpp>
#include <cereal/types/string.hpp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/queue.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/rebuilt_library.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/views.hpp"
#ifndef _WIN32  // where these are not yet
#include "procpool/manager.hpp"
#include "procpool/pipe.hpp"
#include "procpool/process.hpp"
#endif

namespace serialization_error_test {

namespace mp = procpool;

enum class moment { never, saved_in_parent, saved_in_worker, loaded_in_worker, loaded_in_parent };
enum class error { standard, nested, number };

[[noreturn]] void fail(error how) {
    if (how == error::number) throw 42;
    if (how == error::standard) throw std::runtime_error("a fragile one");
    try {
        throw std::out_of_range("the reason");
    } catch (...) {
        std::throw_with_nested(std::runtime_error("a fragile one"));
    }
}

/// Throws at a given moment of its journey.
struct fragile {
    int number = 0;
    moment when = moment::never;
    error how = error::standard;

    template <class Archive>
    void save(Archive& archive) const {
        archive(number, when, how);
        if (when == (is_parent() ? moment::saved_in_parent : moment::saved_in_worker)) fail(how);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(number, when, how);
        if (when == (is_parent() ? moment::loaded_in_parent : moment::loaded_in_worker)) fail(how);
    }
    static bool is_parent() { return !procpool::worker_index(); }
};

fragile echo(const fragile& one) { return one; }

std::vector<fragile> row(std::size_t count, std::vector<std::size_t> bad, moment when, error how) {
    std::vector<fragile> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back({static_cast<int>(i), moment::never, how});
    for (const std::size_t i : bad) all[i].when = when;
    return all;
}

std::string text_of(const std::exception_ptr& problem) {
    try {
        std::rethrow_exception(problem);
    } catch (const mp::SerializationError& found) {
        return found.what();
    }
}

using trouble = std::pair<moment, error>;
class Serialization : public testing::TestWithParam<trouble> {
protected:
    static bool is_std() { return GetParam().second != error::number; }
};

// An element of a map, at all chunk sizes.
TEST_P(Serialization, failure_costs_the_element_alone) {
    mp::Pool pool(2);
    const auto workers = test::workers();
    const std::vector<std::size_t> bad{0, 7, 8, 59};
    const auto input = row(60, bad, GetParam().first, GetParam().second);
    for (const auto& options : {mp::MapOptions{}, {.chunksize = 1}, {.chunksize = 7}, {.chunksize = 100}}) {
        const auto outcomes = pool.try_map(echo, input, options);
        ASSERT_EQ(outcomes.size(), 60u);
        for (std::size_t i = 0; i < 60; ++i) {
            if (std::ranges::find(bad, i) == bad.end()) {
                EXPECT_EQ(outcomes[i].value().number, static_cast<int>(i));
                continue;
            }
            ASSERT_TRUE(outcomes[i].error()) << i;
            if (is_std()) {
                EXPECT_NE(text_of(outcomes[i].error()).find("a fragile one"), std::string::npos)
                    << text_of(outcomes[i].error());
            } else {
                EXPECT_THROW(outcomes[i].value(), mp::Error);
            }
        }
    }
    EXPECT_EQ(test::workers(), workers);  // nobody had to die for it
}

TEST_P(Serialization, failure_is_the_error_of_its_call) {
    mp::Pool pool(2);
    const auto input = row(10, {4}, GetParam().first, GetParam().second);
    EXPECT_THROW(pool.apply(echo, input[4]), mp::Error);
    EXPECT_THROW(pool.map(echo, input), mp::Error);
    EXPECT_THROW(pool.map_async(echo, input).get(), mp::Error);
    EXPECT_THROW(pool.apply_async(echo, input[4]).get(), mp::Error);
    EXPECT_EQ(pool.apply(echo, input[5]).number, 5);
}

TEST_P(Serialization, failure_in_imap_is_thrown_at_its_place) {
    mp::Pool pool(2);
    const auto input = row(20, {4, 5, 19}, GetParam().first, GetParam().second);
    for (const std::ptrdiff_t chunk : {1, 3}) {
        auto results = pool.imap(echo, input, {.chunksize = chunk});
        for (std::size_t i = 0; i < 20; ++i) {
            if (input[i].when == moment::never)
                EXPECT_EQ(results.next()->number, static_cast<int>(i));
            else
                EXPECT_THROW(results.next(), mp::Error);
        }
        EXPECT_FALSE(results.next());
    }
}

std::vector<trouble> all_troubles() {
    std::vector<trouble> all;
    for (const moment when : {moment::saved_in_parent, moment::saved_in_worker, moment::loaded_in_worker,
                              moment::loaded_in_parent})
        for (const error how : {error::standard, error::nested, error::number}) all.emplace_back(when, how);
    return all;
}
std::string name_of(const testing::TestParamInfo<trouble>& one) {
    constexpr std::array moments{"never", "argument_saved", "result_saved", "argument_loaded",
                                 "result_loaded"};
    constexpr std::array errors{"error", "nested_error", "number"};
    return std::string(moments[static_cast<std::size_t>(one.param.first)]) + "_throwing_" +
           errors[static_cast<std::size_t>(one.param.second)];
}
INSTANTIATE_TEST_SUITE_P(Of, Serialization, testing::ValuesIn(all_troubles()), name_of);

// ---- pointers

std::string refusal(auto call) {
    try {
        call();
    } catch (const mp::SerializationError& found) {
        return found.what();
    }
    return "nothing was refused";
}
::testing::AssertionResult names(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << part << " isn't in: " << text;
}

int in_program = 1;

/// A task that can't be made again where it is to run.
struct unmakeable {
    bool kills = false;

    int operator()(int i) const { return i; }
    template <class Archive>
    void save(Archive& archive) const {
        archive(kills);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(kills);
        if (kills) ::raise(SIGKILL);
        throw std::runtime_error("no such task");
    }
};

TEST(UnmakeableCallable, is_the_error_of_each_element_and_of_no_other) {
    mp::Pool pool(2);
    for (const std::ptrdiff_t chunk : {1, 3}) {
        const auto outcomes = pool.try_map(unmakeable{}, std::vector{1, 2, 3, 4, 5, 6}, {.chunksize = chunk});
        ASSERT_EQ(outcomes.size(), 6u);
        for (const auto& one : outcomes) EXPECT_FALSE(one.has_value());
        EXPECT_EQ(pool.map([](int i) { return 2 * i; }, std::vector{1, 2, 3}), (std::vector{2, 4, 6}));
    }
}

TEST(UnmakeableCallable, that_kills_its_worker_costs_the_element_that_needed_it) {
    mp::Pool pool(1);
    const auto outcomes = pool.try_map(unmakeable{true}, std::vector{1, 2, 3}, {.chunksize = 3});
    for (const auto& one : outcomes) {
        ASSERT_FALSE(one.has_value());
        EXPECT_THROW(std::rethrow_exception(one.error()), mp::WorkerDied);
    }
    EXPECT_EQ(pool.apply([](int i) { return i; }, 7), 7);
}

TEST(CapturedPointer, is_refused_by_a_sentence_that_names_what_it_points_into) {
    mp::Pool pool(1);
    int on_stack = 1;
    const auto on_heap = std::make_unique<int>(1);
    const auto task = [](int* pointer) { return [pointer](int i) { return i + *pointer; }; };
    const std::vector<int> input{1, 2};
    const std::string text = refusal([&] { pool.map(task(&on_stack), input); });
    EXPECT_TRUE(names(text, "[stack]"));
    EXPECT_TRUE(names(text, "capture it by value"));
    EXPECT_TRUE(names(refusal([&] { pool.apply(task(&in_program), 1); }), "serialization_error"));
    EXPECT_TRUE(names(refusal([&] { (void)pool.imap(task(&on_stack), input); }), "[stack]"));
    // Sanitizers keep the heap elsewhere, without a name.
    EXPECT_TRUE(names(refusal([&] { (void)pool.apply_async(task(on_heap.get()), 1); }),
                      test::sanitized ? "pointer" : "[heap]"));
    EXPECT_EQ(pool.map([](int i) { return -i; }, input), (std::vector{-1, -2}));
}

struct holder {
    int number;
    const int* pointer;
};

TEST(PointerInPlainStruct, is_refused_as_an_argument_for_its_element_alone) {
    mp::Pool pool(2);
    const int on_stack = 1;
    std::vector<holder> input(40, holder{1, nullptr});
    input[17].pointer = &on_stack;
    const auto outcomes = pool.try_map([](const holder& one) { return one.number; }, input);
    for (std::size_t i = 0; i < input.size(); ++i) EXPECT_EQ(outcomes[i].has_value(), i != 17);
    EXPECT_TRUE(names(text_of(outcomes[17].error()), "holder"));
    EXPECT_TRUE(names(refusal([&] { pool.apply([](const holder&) {}, input[17]); }), "[stack]"));
    EXPECT_TRUE(names(refusal([&] { pool.apply([](const std::vector<holder>&) {}, input); }), "[stack]"));
}

TEST(PointerInPlainStruct, is_refused_as_a_result_for_its_element_alone) {
    mp::Pool pool(2);
    const auto task = [](int i) { return holder{i, i == 17 ? &in_program : nullptr}; };
    const auto outcomes = pool.try_map(task, test::views::iota(0, 40));
    for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(outcomes[i].has_value(), i != 17);
    EXPECT_TRUE(names(text_of(outcomes[17].error()), "holder"));
    EXPECT_TRUE(names(refusal([&] { pool.apply([] { return std::vector<holder>(3, {1, &in_program}); }); }),
                      "pointer"));
}

int negative(int x) { return -x; }

struct two_functions {
    int (*first)(int);
    std::int64_t factor;
    int (*last)(int);
    int operator()(int x) const { return last(static_cast<int>(factor) * first(x)); }
};

TEST(CapturedFunctionPointer, is_the_same_function_in_the_worker) {
    mp::Pool pool(1);
    int (*const function)(int) = negative;
    EXPECT_EQ(pool.map([function](int i) { return function(i); }, std::vector{1, 2}), (std::vector{-1, -2}));
    EXPECT_EQ(pool.map(two_functions{negative, 3, negative}, std::vector{1, 2}), (std::vector{3, 6}));
    EXPECT_EQ(pool.apply_async(two_functions{negative, 2, negative}, 4).get(), 8);
    EXPECT_EQ(pool.apply(mp::partial([function](int a, int b) { return function(a + b); }, 1), 2), -3);
    char* (*const of_a_library)(const char*) = ::getenv;
    EXPECT_TRUE(pool.apply([of_a_library] { return of_a_library("NO_SUCH_VARIABLE") == nullptr; }));
}

TEST(SerializationError, an_old_pool_refuses_a_plugin_that_was_built_anew_and_a_new_pool_has_it) {
    test::rebuilt_library plugin;
    auto* const before = plugin.get();
    mp::Pool old_pool(1);
    EXPECT_EQ(old_pool.apply(before), 1u);
    plugin.replace();
    if (plugin.get() != before) GTEST_SKIP() << "it was not loaded at the same address";
    try {
        old_pool.apply(plugin.get());
        ADD_FAILURE() << "the old code ran";
    } catch (const mp::SerializationError& error) {
        EXPECT_NE(std::string(error.what()).find("is another build in the worker"), std::string::npos)
            << error.what();
    }
    mp::Pool new_pool(1);
    EXPECT_EQ(new_pool.apply(plugin.get()), 1u);
    EXPECT_EQ(new_pool.apply([function = plugin.get()] { return function(); }), 1u);
}

test::shared<test::gate> series_may_begin;

TEST(SerializationError, a_call_of_a_plugin_that_was_built_anew_joins_no_calls_of_the_old_one) {
    series_may_begin.reset();
    test::rebuilt_library plugin;
    auto* const before = plugin.get();
    mp::Pool pool(1);
    EXPECT_EQ(pool.apply(before), 1u);
    auto holds_the_worker = pool.apply_async([] { series_may_begin->pass(); });
    std::vector<mp::AsyncResult<std::size_t>> old_ones;
    for (int i = 0; i < 20; ++i) old_ones.push_back(pool.apply_async(before));
    plugin.replace();
    const bool same_place = plugin.get() == before;
    auto new_one = pool.apply_async(plugin.get());
    series_may_begin->open();
    for (auto& one : old_ones) EXPECT_EQ(one.get(), 1u);
    if (!same_place) GTEST_SKIP() << "it was not loaded at the same address";
    const std::string text = test::message_of<mp::SerializationError>([&] { new_one.get(); });
    EXPECT_NE(text.find("is another build in the worker"), std::string::npos) << text;
}

// ---- whatever is thrown, wherever values are sent

/// Its save(), or its load(), throws a number.
struct thrower {
    bool on_save = false;

    template <class Archive>
    void save(Archive& archive) const {
        if (on_save) throw 42;
        archive(on_save);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(on_save);
        throw 42;
    }
};
constexpr thrower on_save{true}, on_load{false};

template <class Call>
void expect_serialization_error(Call call) {
    const std::string text = test::message_of<mp::SerializationError>(call);
    EXPECT_NE(text.find("an exception that is no std::exception"), std::string::npos) << text;
}

int takes(const thrower&) { return 1; }
int takes_two(const thrower&, int i) { return i; }
thrower makes(bool in_save) { return {in_save}; }

TEST(ThrownNumber, is_a_serialization_error_of_pools) {
    mp::Pool pool(1);
    for (const thrower& one : {on_save, on_load}) {
        expect_serialization_error([&] { pool.apply(takes, one); });
        expect_serialization_error([&] { pool.map(mp::partial(takes_two, one), std::vector<int>{1, 2}); });
        expect_serialization_error([&] { pool.apply(makes, one.on_save); });
    }
    expect_serialization_error([] { mp::Pool(1, [](const thrower&) {}, on_save); });
}

TEST(ThrownNumber, is_a_serialization_error_of_queues) {
    const mp::Queue<thrower> queue;
    expect_serialization_error([&] { queue.put(on_save); });
    EXPECT_TRUE(queue.empty());
    queue.put(on_load);
    expect_serialization_error([&] { queue.get(); });
    EXPECT_TRUE(queue.empty());
}

#ifndef _WIN32

TEST(ThrownNumber, is_a_serialization_error_of_processes) {
    expect_serialization_error([] { mp::Process(takes, on_save); });
    mp::Process process(takes, on_load);
    expect_serialization_error([&] { process.start(); });
}

TEST(ThrownNumber, is_a_serialization_error_of_connections) {
    auto [first, second] = mp::Pipe();
    expect_serialization_error([&, &end = first] { end.send(on_save); });
    first.send(on_load);
    expect_serialization_error([&, &end = second] { end.recv<thrower>(); });
    first.send(7);
    EXPECT_EQ(second.recv<int>(), 7);
}

struct managed {
    managed() = default;
    explicit managed(const thrower&) {}
    int take(const thrower&) { return 1; }
    thrower make(bool in_save) { return {in_save}; }
};

TEST(ThrownNumber, is_a_serialization_error_of_managers) {
    mp::Manager manager;
    const auto object = manager.create<managed>();
    for (const thrower& one : {on_save, on_load}) {
        expect_serialization_error([&] { manager.create<managed>(one); });
        expect_serialization_error([&] { object.call(&managed::take, one); });
        expect_serialization_error([&] { object.call(&managed::make, one.on_save); });
    }
    EXPECT_EQ(object.call([](managed&) { return 7; }), 7);
}

#endif

// ---- values that hold values of their own type

/// A list that is serialised as its nodes hold each other.
struct chain {
    struct node {
        int number = 0;
        std::unique_ptr<node> next;

        node() = default;
        node(int i, std::unique_ptr<node> after) : number(i), next(std::move(after)) {}

        template <class Archive>
        void serialize(Archive& archive) {
            archive(number, next);
        }
    };
    chain() = default;
    explicit chain(int length) {
        for (int i = 0; i < length; ++i) first.next = std::make_unique<node>(i, std::move(first.next));
    }
    chain(chain&&) = default;
    chain& operator=(chain&&) = default;
    ~chain() {  // not each node that of the next, which takes the stack that this is about
        while (first.next) first.next = std::move(first.next->next);
    }
    node first;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(first);
    }
};
int first_of(const chain& all) { return all.first.next ? all.first.next->number : -1; }
chain chain_of(int length) { return chain(length); }

constexpr int too_deep = 200'000;
template <class Call>
void is_refused(Call call) {
    const std::string text = test::message_of<mp::SerializationError>(call);
    EXPECT_NE(text.find("nested too deeply"), std::string::npos) << text;
}

TEST(DeepNesting, is_an_error_where_the_value_is_sent) {
    const chain deep(too_deep);
    mp::Pool pool(1);
    const auto workers = test::workers();
    is_refused([&] { pool.apply(first_of, deep); });
    is_refused([&] { pool.apply(chain_of, too_deep); });
    const mp::Queue<chain> queue;
    is_refused([&] { queue.put(deep); });
    EXPECT_EQ(pool.apply(first_of, chain(200)), 199);
    EXPECT_EQ(test::workers(), workers) << "nobody had to die for it";
}

#ifndef _WIN32

TEST(DeepNesting, is_an_error_where_a_process_or_a_connection_would_send_it) {
    const chain deep(too_deep);
    is_refused([&] { mp::Process(first_of, deep); });
    auto [first, second] = mp::Pipe();
    is_refused([&, &end = first] { end.send(deep); });
}

#endif

}  // namespace serialization_error_test
