// SPDX-License-Identifier: MIT
#include "procpool/detail/wire/callable.hpp"

#include <gtest/gtest.h>
#include <cereal/types/memory.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "procpool/partial.hpp"

namespace callable_test {

namespace wire = procpool::detail::wire;
using procpool::partial;

/// Encodes a callable and makes another one of the bytes, as a worker does.
template <class F>
std::decay_t<F> sent(const F& function) {
    using callable = std::decay_t<F>;
    static_assert(wire::callable_check<callable>::run());
    wire::buffer bytes;
    wire::pins pins;
    wire::callable_codec<callable>::encode({bytes, pins}, function);
    const std::vector<std::byte> exact(bytes.data(), bytes.data() + bytes.size());
    wire::cursor from(exact);
    auto made = wire::callable_codec<callable>::decode(from);
    EXPECT_EQ(from.left(), 0u);
    return made;
}

template <class F>
std::size_t bytes_of(const F& function) {
    wire::buffer bytes;
    wire::pins pins;
    wire::callable_codec<std::decay_t<F>>::encode({bytes, pins}, function);
    return bytes.size();
}

template <class F>
std::string refusal_of(const F& function) {
    try {
        bytes_of(function);
    } catch (const procpool::SerializationError& error) {
        return error.what();
    }
    return "accepted";
}

int cube(int x) { return x * x * x; }
int cube_noexcept(int x) noexcept { return x * x * x; }
std::string joined(const std::string& a, const std::string& b, int n) { return a + b + std::to_string(n); }
template <class T>
T twice(T x) {
    return x + x;
}

// ---- functions

TEST(Callable, functions_travel_as_their_code_address) {
    EXPECT_EQ(sent(cube)(3), 27);
    EXPECT_EQ(sent(&cube)(3), 27);
    EXPECT_EQ(sent(cube_noexcept)(3), 27);
    EXPECT_EQ(sent(&cube_noexcept)(3), 27);
    EXPECT_EQ(sent(twice<std::string>)("ab"), "abab");
    EXPECT_EQ(bytes_of(cube), 48u) << "a build id, an offset, and no path";
}

TEST(Callable, a_null_function_pointer_is_refused) {
    int (*none)(int) = nullptr;
    EXPECT_EQ(refusal_of(none), "procpool: a function pointer that points to no function of this program");
}

// ---- lambdas and functors without state

TEST(Callable, stateless_functors_take_no_bytes) {
    const auto square = [](int x) { return x * x; };
    EXPECT_EQ(sent(square)(5), 25);
    EXPECT_EQ(bytes_of(square), 0u);
    EXPECT_EQ(sent(std::plus<>{})(2, 3), 5);
    EXPECT_EQ(sent(std::negate<int>{})(2), -2);
    EXPECT_EQ(bytes_of(std::plus<>{}), 0u);
    EXPECT_EQ(sent([](auto x) { return x + x; })(std::string("a")), "aa");
    EXPECT_EQ(sent([](int x) mutable noexcept { return ++x; })(1), 2);
}

// ---- lambdas that capture by value

enum class unit { metre, mile };
struct setting {
    double factor = 1;
    std::array<int, 3> offsets{};
    bool flag = false;
};

TEST(Callable, lambdas_carry_captured_values) {
    double scale = 0.5;
    int shift = -3;
    const auto line = [scale, shift](double x) { return scale * x + shift; };
    EXPECT_EQ(sent(line)(10), 2);
    EXPECT_EQ(bytes_of(line), sizeof line + sizeof(std::uint64_t)) << "and how many functions it holds";
    const setting how{2, {1, 2, 3}, true};
    EXPECT_EQ(sent([how, which = unit::mile](int x) {
                  return which == unit::mile && how.flag ? how.factor * x + how.offsets[2] : 0;
              })(4),
              11);
    EXPECT_EQ(sent([state = 5](int x) mutable { return state += x; })(1), 6);
    EXPECT_EQ(sent([last = 'z'](char c) { return c == last; })('z'), true);
}

TEST(Callable, a_lambda_may_hold_another_lambda_by_value) {
    int factor = 3;
    const auto times = [factor](int x) { return factor * x; };
    const auto nothing = [](int x) { return x; };
    EXPECT_EQ(sent([times, nothing, offset = 1](int x) { return times(nothing(x)) + offset; })(4), 13);
}

TEST(Callable, a_captured_pointer_into_this_process_is_refused_by_name) {
    const auto on_heap = std::make_unique<int>(1);
    int* const pointer = on_heap.get();
    const char* const text = "literal";
    for (const std::string& refusal : {refusal_of([pointer](int x) { return x + *pointer; }),
                                       refusal_of([text](int x) { return text[x]; }),
                                       refusal_of([n = 1, p = &pointer](int x) { return x + n + **p; })}) {
        EXPECT_NE(refusal.find("holds a pointer into this process's"), std::string::npos) << refusal;
        EXPECT_NE(refusal.find("lambda"), std::string::npos) << refusal;
        EXPECT_NE(refusal.find("SharedArray"), std::string::npos) << refusal;
    }
}

// What lies between the members of a plain class is whatever was there before.
TEST(Callable, padding_that_looks_like_a_pointer_is_no_pointer) {
#if !__has_builtin(__builtin_clear_padding)
    GTEST_SKIP() << "this compiler can't tell padding";
#endif
    struct padded {
        double d;
        std::int32_t low_half;
    };
    alignas(padded) std::array<std::byte, sizeof(padded)> bytes{};
    const auto address = reinterpret_cast<std::uintptr_t>(&bytes);
    std::memcpy(bytes.data() + 8, &address, sizeof address);
    EXPECT_NO_THROW(wire::refuse_pointers(std::launder(reinterpret_cast<padded*>(bytes.data())), 1));
}

// ---- function pointers in captures

int negative(int x) { return -x; }

struct step {
    int (*function)(int);
    double weight;
    int (*next)(int);
    double operator()(int x) const { return weight * next(function(x)); }
};

TEST(Callable, function_pointers_in_captures_travel_as_their_code_address) {
    int (*const function)(int) = cube;
    EXPECT_EQ(sent([function](int x) { return function(x); })(2), 8);
    EXPECT_EQ(sent([n = 1, function, m = std::int64_t{2}](int x) { return n + function(x) + int(m); })(2),
              11);
    EXPECT_EQ(sent(step{cube, 0.5, negative})(2), -4);
    int (*const none)(int) = nullptr;
    EXPECT_EQ(sent([none](int x) { return none ? none(x) : x; })(2), 2);
    EXPECT_EQ(sent([both = std::array{cube, negative}](int x) { return both[0](both[1](x)); })(2), -8);
    EXPECT_EQ(sent(partial([function](int a, int x) { return a + function(x); }, 1))(2), 9);
    const auto member = &std::string::size;
    EXPECT_EQ(sent([member](const std::string& of) { return (of.*member)(); })("abc"), 3u);
}

/// Bytes that a worker of another address space would get: where the function is isn't among them.
TEST(Callable, a_captured_function_pointer_is_replaced_on_the_other_side) {
    int (*const function)(int) = cube;
    const auto task = [function](int x) { return function(x); };
    using task_type = std::decay_t<decltype(task)>;
    wire::buffer bytes;
    wire::pins pins;
    wire::callable_codec<task_type>::encode({bytes, pins}, task);
    std::vector<std::byte> elsewhere(bytes.data(), bytes.data() + bytes.size());
    std::memset(elsewhere.data(), 0, sizeof task);
    wire::cursor from(elsewhere);
    EXPECT_EQ(wire::callable_codec<task_type>::decode(from)(3), 27);

    const std::uint64_t beyond = sizeof task - 7;
    std::memcpy(elsewhere.data() + sizeof task + sizeof(std::uint64_t), &beyond, sizeof beyond);
    wire::cursor broken(elsewhere);
    EXPECT_THROW(wire::callable_codec<task_type>::decode(broken), procpool::SerializationError);
}

TEST(Callable, an_argument_that_holds_a_function_pointer_is_told_how_to_send_it) {
    struct holder {
        int (*function)(int);
    };
    const auto refusal =
        refusal_of(partial([](const holder& of, int x) { return of.function(x); }, holder{cube}));
    EXPECT_NE(refusal.find("holder holds a function pointer"), std::string::npos) << refusal;
    EXPECT_NE(refusal.find("procpool::partial(f, function)"), std::string::npos) << refusal;
    EXPECT_EQ(sent(partial([](int (*function)(int), int x) { return function(x); }, cube))(2), 8);
}

struct counter {
    int start = 2;
    std::string captured_this() const {
        return refusal_of([this](int x) { return x + start; });
    }
    std::string captured_copy() const {
        return refusal_of([copy = *this](int x) { return x + copy.start; });
    }
};

TEST(Callable, a_captured_this_is_refused_and_a_copy_of_the_object_is_not) {
    const counter object;
    EXPECT_NE(object.captured_this().find("holds a pointer into this process's"), std::string::npos);
    EXPECT_EQ(object.captured_copy(), "accepted");
}

// ---- members

struct accumulator {
    int total = 0;
    std::string label;
    int add(int x) { return total += x; }
    int peek() const noexcept { return total; }
};

struct animal {
    virtual ~animal() = default;
    virtual std::string sound() const { return "?"; }
    virtual int legs(int missing) const { return 4 - missing; }
};
struct dog : animal {
    std::string sound() const override { return "woof"; }
    int legs(int missing) const override { return 40 - missing; }
};
struct first_base {
    int first = 1;
};
struct second_base {
    int second = 7;
    int get_second() const { return second; }
};
struct both : first_base, second_base {};

TEST(Callable, member_functions_are_found_again) {
    accumulator object{5, {}};
    EXPECT_EQ(std::invoke(sent(&accumulator::add), object, 3), 8);
    EXPECT_EQ(std::invoke(sent(&accumulator::peek), object), 8);
}

TEST(Callable, virtual_member_functions_call_the_override) {
    EXPECT_EQ(std::invoke(sent(&animal::sound), dog{}), "woof");
    EXPECT_EQ(std::invoke(sent(&animal::sound), animal{}), "?");
    EXPECT_EQ(std::invoke(sent(&animal::legs), dog{}, 1), 39);
}

TEST(Callable, member_functions_of_a_second_base_find_their_object) {
    int (both::* const get_second)() const = &both::get_second;
    EXPECT_EQ(std::invoke(sent(get_second), both{}), 7);
    int both::* const second = &both::second;
    EXPECT_EQ(std::invoke(sent(second), both{}), 7);
}

TEST(Callable, pointers_to_data_members_travel) {
    EXPECT_EQ(std::invoke(sent(&accumulator::total), accumulator{4, {}}), 4);
    EXPECT_EQ(std::invoke(sent(&accumulator::label), accumulator{4, "x"}), "x");
    EXPECT_EQ(bytes_of(&accumulator::total), sizeof(int accumulator::*));
}

// ---- functors with cereal

struct lookup {
    std::vector<std::string> words;
    const std::string& operator()(std::size_t i) const { return words.at(i); }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(words);
    }
};

class built_by_cereal {
public:
    explicit built_by_cereal(std::string text) : text_(std::move(text)) {}
    std::string operator()(int n) const { return text_ + std::to_string(n); }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(text_);
    }
    template <class Archive>
    static void load_and_construct(Archive& archive, cereal::construct<built_by_cereal>& construct) {
        std::string text;
        archive(text);
        construct(std::move(text));
    }

private:
    std::string text_;
};

TEST(Callable, functors_with_a_serialize_function_carry_what_they_own) {
    EXPECT_EQ(sent(lookup{{"a", "b"}})(1), "b");
    EXPECT_EQ(sent(built_by_cereal("n"))(4), "n4");
}

// ---- partial

TEST(Callable, partial_carries_its_arguments) {
    const std::string first = "one";
    const auto bound = sent(partial(joined, first, "two"));
    EXPECT_EQ(bound(3), "onetwo3");
    EXPECT_EQ(bound(4), "onetwo4") << "calls do not use the arguments up";
}

TEST(Callable, partial_binds_lambdas_functors_and_members) {
    EXPECT_EQ(sent(partial(
                  [k = 2](const std::vector<int>& v, int i) { return k * v.at(static_cast<std::size_t>(i)); },
                  std::vector<int>{1, 2, 3}))(1),
              4);
    EXPECT_EQ(sent(partial(std::minus<>{}, 10))(4), 6);
    EXPECT_EQ(sent(partial(lookup{{"x", "y"}}))(1), "y");
    EXPECT_EQ(sent(partial(&counter::start, counter{3}))(), 3);
}

TEST(Callable, partials_nest) {
    const auto inner = partial(joined, std::string("a"));
    EXPECT_EQ(sent(partial(inner, "b"))(1), "ab1");
    EXPECT_EQ(sent(partial(partial(partial(joined, "x"), "y"), 5))(), "xy5");
}

TEST(Callable, a_partial_gives_bound_arguments_as_const) {
    const auto bound = partial([]<class T>(T&, int) { return std::is_const_v<T>; }, std::string("a"));
    EXPECT_TRUE(sent(bound)(1));
}

TEST(Callable, a_pointer_hidden_in_a_bound_argument_is_refused) {
    struct hidden {
        const int* pointer;
    };
    const auto on_heap = std::make_unique<int>(1);
    const auto refusal =
        refusal_of(partial([](const hidden& h, int x) { return *h.pointer + x; }, hidden{on_heap.get()}));
    EXPECT_NE(refusal.find("hidden holds a pointer into this process's"), std::string::npos) << refusal;
}

// ---- what check_task() knows before anything is sent

static_assert(wire::takes_mutable_reference<int (*)(int, int&)>);
static_assert(!wire::takes_mutable_reference<int (*)(const int&, int&&, int)>);
static_assert(wire::takes_mutable_reference<int (accumulator::*)(int&) const>);
static_assert(wire::takes_raw_pointer<int (*)(const char*) noexcept>);
static_assert(wire::takes_raw_pointer<int (*)(char* const&)>);
static_assert(!wire::takes_raw_pointer<decltype(&cube)>);
static_assert(wire::takes_mutable_reference<decltype([](std::string&) noexcept {})>);
static_assert(wire::takes_raw_pointer<decltype([](int, const int*) mutable {})>);
static_assert(!wire::takes_raw_pointer<decltype([](int (*)(int)) {})>, "a function pointer can be sent");

template <class F, class... Args>
using result_of = wire::result_of_call<F, Args...>;
static_assert(std::is_same_v<result_of<lookup, std::size_t>, std::string>, "references become values");
static_assert(std::is_void_v<result_of<decltype([](int) {}), int>>);

static_assert(!wire::sendable_callable<std::function<int(int)>>);
static_assert(!wire::sendable_callable<std::reference_wrapper<int(int)>>);
static_assert(!wire::sendable_callable<int*>);

#ifdef __GNUG__
#ifndef __clang__  // which doesn't let one see it
struct with_this {
    int n = 1;
    auto captured() {
        return [this, m = 2](int x) { return n + m + x; };
    }
    auto all() {
        return [&](int x) { return n + x; };
    }
    auto copied() {
        return [*this](int x) { return n + x; };
    }
};
static_assert(!wire::sendable_callable<decltype(with_this().captured())>);
static_assert(!wire::sendable_callable<decltype(with_this().all())>);
static_assert(wire::sendable_callable<decltype(with_this().copied())>);
#endif
#endif

TEST(Callable, captures_that_are_no_plain_values_are_not_sendable) {
    int number = 0;
    const std::string text;
    [[maybe_unused]] const auto by_reference = [&number](int x) { return number + x; };
    [[maybe_unused]] const auto owning = [text](int x) { return text.size() + static_cast<std::size_t>(x); };
    EXPECT_FALSE(wire::sendable_callable<decltype(by_reference)>);
    EXPECT_FALSE(wire::sendable_callable<decltype(owning)>);
    EXPECT_FALSE((wire::sendable_callable<decltype(partial(by_reference, 1))>));
}

}  // namespace callable_test
