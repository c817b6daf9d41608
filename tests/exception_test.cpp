// SPDX-License-Identifier: MIT
// Exceptions of tasks: each arrives as its own type where that is known, and tells where it was thrown.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cereal/types/string.hpp>
#include <csignal>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/register_exception.hpp"
#include "support/views.hpp"

namespace exception_test {

namespace mp = procpool;
namespace fs = std::filesystem;

// ---- a user's own types

class ParseError : public std::runtime_error {
public:
    explicit ParseError(const std::string& text) : std::runtime_error(text) {}
};

class HttpError : public std::exception {
public:
    HttpError() = default;
    HttpError(int status, std::string url) : status_(status), url_(std::move(url)) {}
    const char* what() const noexcept override { return url_.c_str(); }
    int status() const { return status_; }
    const std::string& url() const { return url_; }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(status_, url_);
    }

private:
    int status_ = 0;
    std::string url_;
};

class FinalError final : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class UnknownError : public std::out_of_range {
public:
    using std::out_of_range::out_of_range;
};

class DerivedFromParseError : public ParseError {
public:
    using ParseError::ParseError;
};

class UnsavableError : public std::exception {
public:
    const char* what() const noexcept override { return "its text"; }
    template <class Archive>
    void save(Archive&) const {
        throw std::runtime_error("can't be saved");
    }
    template <class Archive>
    void load(Archive&) {}
};

class UnloadableError : public std::runtime_error {
public:
    explicit UnloadableError(const std::string& text) : std::runtime_error(text) {
        if (in_parent) throw 42;
    }
    static inline bool in_parent = false;
};

const bool registered[] = {mp::register_exception<ParseError>(), mp::register_exception<HttpError>(),
                           mp::register_exception<FinalError>(), mp::register_exception<UnsavableError>(),
                           mp::register_exception<UnloadableError>()};

/// What `call` throws, caught as an E.
template <class E, class Call>
E thrown_by(Call call) {
    try {
        call();
    } catch (const E& error) {
        if (typeid(error) != typeid(E) && !dynamic_cast<const std::nested_exception*>(&error))
            throw std::logic_error("of another type: " + std::string(typeid(error).name()));
        return error;
    }
    throw std::logic_error("nothing was thrown");
}

/// The RemoteError that is nested in what `call` throws.
template <class Call>
mp::RemoteError origin_of(Call call) {
    try {
        call();
    } catch (const std::exception& error) {
        return thrown_by<mp::RemoteError>([&] { std::rethrow_if_nested(error); });
    }
    throw std::logic_error("nothing was thrown");
}

class Exceptions : public testing::Test {
protected:
    mp::Pool pool_{1};
};

// ---- standard types

template <class E>
void throw_with_text() {
    throw E("text of it");
}
template <class E>
void throw_plain() {
    throw E();
}

TEST_F(Exceptions, of_stdexcept_keep_type_and_text) {
    const auto check = [&]<class E>(std::in_place_type_t<E>) {
        EXPECT_STREQ(thrown_by<E>([&] { pool_.apply(throw_with_text<E>); }).what(), "text of it");
    };
    check(std::in_place_type<std::logic_error>);
    check(std::in_place_type<std::domain_error>);
    check(std::in_place_type<std::invalid_argument>);
    check(std::in_place_type<std::length_error>);
    check(std::in_place_type<std::out_of_range>);
    check(std::in_place_type<std::runtime_error>);
    check(std::in_place_type<std::range_error>);
    check(std::in_place_type<std::overflow_error>);
    check(std::in_place_type<std::underflow_error>);
}

TEST_F(Exceptions, without_text_keep_their_type) {
    const auto check = [&]<class E>(std::in_place_type_t<E>) {
        EXPECT_STREQ(thrown_by<E>([&] { pool_.apply(throw_plain<E>); }).what(), E().what());
    };
    check(std::in_place_type<std::exception>);
    check(std::in_place_type<std::bad_alloc>);
    check(std::in_place_type<std::bad_array_new_length>);
    check(std::in_place_type<std::bad_cast>);
    check(std::in_place_type<std::bad_typeid>);
    check(std::in_place_type<std::bad_exception>);
    check(std::in_place_type<std::bad_optional_access>);
    check(std::in_place_type<std::bad_function_call>);
    check(std::in_place_type<std::bad_weak_ptr>);
}

TEST_F(Exceptions, that_the_library_itself_throws_in_a_task_keep_their_type) {
    EXPECT_THROW(pool_.apply([] { throw mp::TimeoutError("inner"); }), mp::TimeoutError);
    EXPECT_THROW(pool_.apply([] { throw mp::PoolNotRunning("inner"); }), mp::PoolNotRunning);
    EXPECT_THROW(pool_.apply([] { throw mp::Error("inner"); }), mp::Error);
}

TEST_F(Exceptions, system_error_keeps_code_category_and_text) {
    const auto check = [&](auto task, const std::system_error& expected) {
        const auto error = thrown_by<std::system_error>([&] { pool_.apply(task); });
        EXPECT_EQ(error.code(), expected.code());
        EXPECT_STREQ(error.what(), expected.what());
    };
    check([] { throw std::system_error(EACCES, std::generic_category(), "open"); },
          std::system_error(EACCES, std::generic_category(), "open"));
    check([] { throw std::system_error(ENOENT, std::system_category()); },
          std::system_error(ENOENT, std::system_category()));
    check([] { throw std::system_error(make_error_code(std::errc::timed_out), "a: b: c"); },
          std::system_error(make_error_code(std::errc::timed_out), "a: b: c"));
}

class own_category : public std::error_category {
public:
    const char* name() const noexcept override { return "own"; }
    std::string message(int value) const override { return "own message " + std::to_string(value); }
};
const own_category category;

TEST_F(Exceptions, system_error_of_an_unknown_category_arrives_as_text) {
    const auto error =
        thrown_by<mp::RemoteError>([&] { pool_.apply([] { throw std::system_error(7, category); }); });
    EXPECT_EQ(error.type_name(), "std::system_error");
    EXPECT_NE(std::string(error.what()).find("own message 7"), std::string::npos) << error.what();
}

TEST_F(Exceptions, filesystem_error_keeps_code_text_and_paths) {
    const std::error_code denied = make_error_code(std::errc::permission_denied);
    const auto check = [&](auto task, const fs::filesystem_error& expected) {
        const auto error = thrown_by<fs::filesystem_error>([&] { pool_.apply(task); });
        EXPECT_EQ(error.code(), expected.code());
        EXPECT_EQ(error.path1(), expected.path1());
        EXPECT_EQ(error.path2(), expected.path2());
        EXPECT_STREQ(error.what(), expected.what());
    };
    check(
        [] { throw fs::filesystem_error("copy", "/a", "/b", make_error_code(std::errc::permission_denied)); },
        fs::filesystem_error("copy", "/a", "/b", denied));
    check([] { throw fs::filesystem_error("open", "/a", make_error_code(std::errc::permission_denied)); },
          fs::filesystem_error("open", "/a", denied));
    check([] { throw fs::filesystem_error("look", make_error_code(std::errc::permission_denied)); },
          fs::filesystem_error("look", denied));
    EXPECT_EQ(thrown_by<fs::filesystem_error>([&] {
                  pool_.apply([] { return fs::file_size("/no/file"); });
              }).path1(),
              "/no/file");
}

// ---- own types

TEST_F(Exceptions, of_a_registered_type_are_rebuilt_from_their_text) {
    EXPECT_STREQ(thrown_by<ParseError>([&] { pool_.apply(throw_with_text<ParseError>); }).what(),
                 "text of it");
}

TEST_F(Exceptions, of_a_registered_type_are_rebuilt_by_cereal) {
    const auto error = thrown_by<HttpError>([&] { pool_.apply([] { throw HttpError(404, "http://x"); }); });
    EXPECT_EQ(error.status(), 404);
    EXPECT_EQ(error.url(), "http://x");
}

TEST_F(Exceptions, of_a_final_class_keep_their_type) {
    EXPECT_STREQ(thrown_by<FinalError>([&] { pool_.apply(throw_with_text<FinalError>); }).what(),
                 "text of it");
}

TEST_F(Exceptions, are_caught_by_their_base_class_as_at_home) {
    EXPECT_THROW(pool_.apply(throw_with_text<ParseError>), std::runtime_error);
    EXPECT_THROW(pool_.apply(throw_with_text<std::out_of_range>), std::logic_error);
}

TEST_F(Exceptions, of_an_unregistered_type_arrive_as_remote_error_with_type_name_and_text) {
    const auto error = thrown_by<mp::RemoteError>([&] { pool_.apply(throw_with_text<UnknownError>); });
    EXPECT_NE(error.type_name().find("UnknownError"), std::string::npos) << error.type_name();
    EXPECT_NE(std::string(error.what()).find("text of it"), std::string::npos) << error.what();
    // Its registered base would be a lie.
    EXPECT_THROW(pool_.apply(throw_with_text<DerivedFromParseError>), mp::RemoteError);
}

TEST_F(Exceptions, that_can_not_be_saved_or_rebuilt_arrive_as_text) {
    const auto unsavable = thrown_by<mp::RemoteError>([&] { pool_.apply(throw_plain<UnsavableError>); });
    EXPECT_NE(std::string(unsavable.what()).find("its text"), std::string::npos) << unsavable.what();
    UnloadableError::in_parent = true;
    const auto unloadable =
        thrown_by<mp::RemoteError>([&] { pool_.apply(throw_with_text<UnloadableError>); });
    UnloadableError::in_parent = false;
    EXPECT_NE(std::string(unloadable.what()).find("text of it"), std::string::npos) << unloadable.what();
}

TEST(RegisterException, tells_whether_the_type_is_new) {
    for (const bool is_new : registered) EXPECT_TRUE(is_new);
    EXPECT_FALSE(mp::register_exception<ParseError>());
    EXPECT_FALSE(mp::register_exception<std::out_of_range>());
}

// ---- no exceptions at all

TEST_F(Exceptions, that_are_no_std_exceptions_arrive_with_their_type_name) {
    EXPECT_EQ(thrown_by<mp::RemoteError>([&] { pool_.apply([] { throw 42; }); }).type_name(), "int");
    EXPECT_EQ(thrown_by<mp::RemoteError>([&] {
                  pool_.apply([] { throw std::optional<mp::start_method>(); });
              }).type_name(),
              "std::optional<procpool::start_method>");  // as it is written, without the version's namespace
    EXPECT_EQ(thrown_by<mp::RemoteError>([&] { pool_.apply([] { throw "text"; }); }).type_name(),
              "char const*");
    const auto error = thrown_by<mp::RemoteError>([&] { pool_.apply([] { throw std::vector<int>(3); }); });
    EXPECT_NE(error.type_name().find("std::vector<int"), std::string::npos) << error.type_name();
}

// ---- where it was thrown

TEST_F(Exceptions, are_nested_with_worker_element_and_text) {
    const long worker = pool_.apply([] { return static_cast<long>(::getpid()); });
    const auto outcomes = pool_.try_map(
        [](int i) {
            if (i == 3) throw std::out_of_range("number three");
            return i;
        },
        test::views::iota(0, 5));
    EXPECT_EQ(*outcomes[4], 4);
    const auto origin = origin_of([&] { outcomes[3].value(); });
    EXPECT_EQ(origin.pid(), worker);
    EXPECT_EQ(origin.index(), 3u);
    EXPECT_EQ(origin.type_name(), "std::out_of_range");
    const std::vector<std::string> parts{"std::out_of_range", "number three", "element 3",
                                         std::to_string(worker)};
    for (const std::string& part : parts)
        EXPECT_NE(std::string(origin.what()).find(part), std::string::npos)
            << part << " in " << origin.what();
}

TEST_F(Exceptions, of_own_types_are_nested_too) {
    EXPECT_EQ(origin_of([&] { pool_.apply(throw_with_text<ParseError>); }).index(), 0u);
    EXPECT_EQ(origin_of([&] { pool_.apply([] { throw HttpError(404, "x"); }); }).index(), 0u);
}

TEST_F(Exceptions, with_others_nested_in_them_keep_their_type_and_tell_the_inner_text) {
    const auto task = [] {
        try {
            try {
                throw ParseError("innermost");
            } catch (...) {
                std::throw_with_nested(std::invalid_argument("in the middle"));
            }
        } catch (...) {
            std::throw_with_nested(std::runtime_error("outer"));
        }
    };
    EXPECT_STREQ(thrown_by<std::runtime_error>([&] { pool_.apply(task); }).what(), "outer");
    const std::string text = origin_of([&] { pool_.apply(task); }).what();
    for (const char* part : {"outer", "in the middle", "innermost"})
        EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST_F(Exceptions, of_a_pool_inside_the_task_keep_their_type_and_tell_both_places) {
    const auto task = [](int outer) {
        const auto inner_task = [](int inner) {
            if (inner == 2) throw ParseError("inside");
            return inner;
        };
        return mp::Pool(1).map(inner_task, test::views::iota(0, outer)).size();
    };
    EXPECT_STREQ(thrown_by<ParseError>([&] { pool_.apply(task, 5); }).what(), "inside");
    const std::string text = origin_of([&] { pool_.apply(task, 5); }).what();
    for (const char* part : {"element 0", "element 2"})
        EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST_F(Exceptions, of_deaths_in_a_pool_inside_the_task_keep_their_type) {
    const auto error = thrown_by<mp::WorkerDied>(
        [&] { pool_.apply([] { mp::Pool(1).apply([] { std::raise(SIGKILL); }); }); });
    EXPECT_EQ(error.signal(), SIGKILL);
    EXPECT_EQ(error.host(), "");
    const auto unknown = thrown_by<mp::RemoteError>(
        [&] { pool_.apply([] { mp::Pool(1).apply(throw_with_text<UnknownError>); }); });
    EXPECT_NE(unknown.type_name().find("UnknownError"), std::string::npos) << unknown.type_name();
}

class OwnNestedError : public std::runtime_error, public std::nested_exception {
public:
    using std::runtime_error::runtime_error;
};

TEST_F(Exceptions, of_an_own_type_that_nests_by_itself_arrive_as_text_too) {
    const auto error = thrown_by<mp::RemoteError>([&] { pool_.apply(throw_with_text<OwnNestedError>); });
    EXPECT_NE(error.type_name().find("OwnNestedError"), std::string::npos) << error.type_name();
}

TEST_F(Exceptions, may_have_a_huge_text_or_none) {
    const auto huge = thrown_by<std::runtime_error>(
        [&] { pool_.apply([] { throw std::runtime_error(std::string(1 << 20, 'x')); }); });
    EXPECT_EQ(huge.what(), std::string(1 << 20, 'x'));
    EXPECT_STREQ(
        thrown_by<std::runtime_error>([&] { pool_.apply([] { throw std::runtime_error(""); }); }).what(), "");
    const auto many = pool_.try_map(
        [](int i) -> int { throw std::runtime_error(std::string(100'000, static_cast<char>('a' + i))); },
        test::views::iota(0, 20), {.chunksize = 20});
    for (std::size_t i = 0; i < 20; ++i)
        EXPECT_EQ(thrown_by<std::runtime_error>([&] { many[i].value(); }).what(),
                  std::string(100'000, static_cast<char>('a' + i)));
}

TEST_F(Exceptions, of_every_element_leave_the_pool_and_its_worker_as_they_were) {
    const auto pid = [] { return ::getpid(); };
    const auto worker = pool_.apply(pid);
    EXPECT_THROW(pool_.map([](int i) -> int { throw std::out_of_range(std::to_string(i)); },
                           test::views::iota(0, 2000)),
                 std::out_of_range);
    EXPECT_EQ(pool_.apply(pid), worker);
}

TEST_F(Exceptions, can_be_thrown_again_by_each_get) {
    auto call = pool_.apply_async(throw_with_text<ParseError>);
    for (int i = 0; i < 3; ++i) EXPECT_THROW(call.get(), ParseError);
}

TEST_F(Exceptions, in_imap_are_thrown_at_their_place_and_iteration_goes_on) {
    const auto task = [](int i) {
        if (i % 3 == 1) throw ParseError(std::to_string(i));
        return i;
    };
    auto results = pool_.imap(task, test::views::iota(0, 20), {.chunksize = 4});
    for (int i = 0; i < 20; ++i) {
        if (i % 3 == 1)
            EXPECT_EQ(thrown_by<ParseError>([&] { results.next(); }).what(), std::to_string(i));
        else
            EXPECT_EQ(results.next(), i);
    }
    EXPECT_EQ(results.next(), std::nullopt);
}

}  // namespace exception_test
