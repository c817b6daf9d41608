// SPDX-License-Identifier: MIT
// The library's own errors as bytes: what another process, or another machine, makes of them again.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>

#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/error.hpp"
#include "procpool/register_exception.hpp"

namespace error_record_test {

namespace mp = procpool;
namespace os = procpool::detail::os;
namespace wire = procpool::detail::wire;
using namespace std::chrono_literals;

wire::buffer record_of(const std::exception_ptr& error) {
    wire::buffer record;
    wire::pins pins;
    try {
        std::rethrow_exception(error);
    } catch (...) {
        wire::encode_current_exception({record, pins});
    }
    return record;
}

template <class E>
std::exception_ptr sent(const E& error, const std::string& host = {}) {
    const wire::buffer record = record_of(std::make_exception_ptr(error));
    return wire::decode_exception(wire::cursor(record.bytes()), 7, 3, "", host);
}

/// `error` as an E, if it is one and nothing more special.
template <class E>
E as(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const E& caught) {
        EXPECT_TRUE(typeid(caught) == typeid(E) || typeid(caught) == typeid(wire::with_origin<E>))
            << typeid(caught).name();
        return caught;
    }
}

mp::RemoteError origin_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& caught) {
        try {
            std::rethrow_if_nested(caught);
        } catch (const mp::RemoteError& origin) {
            return origin;
        }
    }
    throw std::logic_error("nothing is nested");
}

mp::WorkerDied::Cause full_cause() {
    return {.pid = 4711,
            .exit_code = 3,
            .signal = 11,
            .index = 5,
            .run_time = 17ms,
            .peak_memory = std::uint64_t{1} << 40,
            .out_of_memory = true,
            .stack_trace = "f()\ng()\n",
            .error_output = "last words",
            .host = "node7"};
}

template <class Death>
void keeps_all() {
    const Death death("procpool: it died", full_cause());
    const auto copy = as<Death>(sent(death));
    EXPECT_STREQ(copy.what(), death.what());
    EXPECT_EQ(copy.pid(), death.pid());
    EXPECT_EQ(copy.exit_code(), death.exit_code());
    EXPECT_EQ(copy.signal(), death.signal());
    EXPECT_EQ(copy.index(), death.index());
    EXPECT_EQ(copy.run_time(), death.run_time());
    EXPECT_EQ(copy.peak_memory(), death.peak_memory());
    EXPECT_EQ(copy.out_of_memory(), death.out_of_memory());
    EXPECT_EQ(copy.stack_trace(), death.stack_trace());
    EXPECT_EQ(copy.error_output(), death.error_output());
    EXPECT_EQ(copy.host(), death.host());
}

TEST(ErrorRecords, of_deaths_keep_all_that_is_known) {
    keeps_all<mp::WorkerDied>();
    keeps_all<mp::TaskTimeout>();
}

TEST(ErrorRecords, of_deaths_keep_what_is_not_known) {
    const auto copy = as<mp::WorkerDied>(sent(mp::WorkerDied("died", {})));
    EXPECT_STREQ(copy.what(), "died");
    EXPECT_EQ(copy.exit_code(), std::nullopt);
    EXPECT_EQ(copy.index(), std::nullopt);
    EXPECT_EQ(copy.host(), "");
    mp::WorkerDied::Cause zero;
    zero.exit_code = 0;
    zero.index = 0;
    const auto known = as<mp::WorkerDied>(sent(mp::WorkerDied("died", zero)));
    EXPECT_EQ(known.exit_code(), 0);
    EXPECT_EQ(known.index(), 0u);
}

TEST(ErrorRecords, of_remote_errors_keep_what_they_say_of_the_first_place) {
    const mp::RemoteError error("my::Error", "my::Error: no (in worker 1)", 1, 2, "node2");
    const auto copy = as<mp::RemoteError>(sent(error));
    EXPECT_STREQ(copy.what(), error.what());
    EXPECT_EQ(copy.type_name(), "my::Error");
    EXPECT_EQ(copy.pid(), 1);
    EXPECT_EQ(copy.index(), 2u);
    EXPECT_EQ(copy.host(), "node2");
    EXPECT_EQ(origin_of(sent(error)).index(), 3u);
    const mp::RemoteError of_an_initializer("int", "int", 1, std::nullopt);
    EXPECT_EQ(as<mp::RemoteError>(sent(of_an_initializer)).index(), std::nullopt);
}

TEST(ErrorRecords, of_lost_machines_name_them) {
    const auto copy = as<mp::NodeDied>(sent(mp::NodeDied("procpool: node3 is lost", "node3", 12)));
    EXPECT_STREQ(copy.what(), "procpool: node3 is lost");
    EXPECT_EQ(copy.host(), "node3");
    EXPECT_EQ(copy.rank(), 12);
}

TEST(ErrorRecords, keep_the_other_types_that_end_an_element) {
    const auto check = [](const auto& error) {
        using E = std::remove_cvref_t<decltype(error)>;
        EXPECT_STREQ(as<E>(sent(error)).what(), error.what());
    };
    check(mp::TaskCancelled("cancelled"));
    check(mp::PoolTerminated("terminated"));
    check(mp::SerializationError("can't"));
    check(mp::BootstrapError("no worker"));
    check(std::system_error(EAGAIN, std::generic_category(), "fork"));
}

TEST(ErrorRecords, of_another_machine_name_it) {
    const auto death =
        as<mp::WorkerDied>(sent(mp::WorkerDied("procpool: worker 5 died", {.pid = 5}), "node9"));
    EXPECT_EQ(death.host(), "node9");
    EXPECT_STREQ(death.what(), "procpool: worker 5 died (on node9)");
    EXPECT_EQ(as<mp::RemoteError>(sent(mp::RemoteError("T", "text", 1, 2), "node9")).host(), "node9");

    const mp::RemoteError origin = origin_of(sent(std::out_of_range("too far"), "node9"));
    EXPECT_EQ(origin.host(), "node9");
    EXPECT_STREQ(origin.what(), "std::out_of_range: too far (in worker 7 on node9, element 3)");
    const wire::buffer unknown = record_of(std::make_exception_ptr(42));
    EXPECT_EQ(
        as<mp::RemoteError>(wire::decode_exception(wire::cursor(unknown.bytes()), 7, 3, "", "node9")).host(),
        "node9");
}

TEST(ErrorRecords, that_have_a_machine_keep_it_on_the_way) {
    const mp::WorkerDied first("procpool: worker 5 died (on node1)", {.host = "node1"});
    const auto copy = as<mp::WorkerDied>(sent(first, "node9"));
    EXPECT_EQ(copy.host(), "node1");
    EXPECT_STREQ(copy.what(), first.what());
}

TEST(ErrorRecords, of_what_was_sent_before_are_the_same_again) {
    const wire::buffer record = record_of(sent(mp::TaskTimeout("too long", full_cause())));
    const auto copy = as<mp::TaskTimeout>(wire::decode_exception(wire::cursor(record.bytes()), 8, 1));
    EXPECT_STREQ(copy.what(), "too long");
    EXPECT_EQ(copy.index(), 5u);
}

TEST(ErrorRecords, of_deaths_that_are_cut_off_are_errors_all_the_same) {
    const wire::buffer record = record_of(std::make_exception_ptr(mp::WorkerDied("died", full_cause())));
    for (std::size_t cut = 0; cut < record.size(); ++cut)
        EXPECT_NE(wire::decode_exception(wire::cursor(record.bytes().first(cut)), 1, 2), nullptr);
}

namespace {
class own_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
}  // namespace
const bool registered = mp::register_exception<own_error>();

TEST(ErrorRecords, of_another_files_type_of_the_name_are_text_unless_workers_run_another_executable) {
    ASSERT_TRUE(registered);
    wire::buffer record = record_of(std::make_exception_ptr(own_error("no")));
    const auto decoded = [&] { return wire::decode_exception(wire::cursor(record.bytes()), 7, 3); };
    EXPECT_STREQ(as<own_error>(decoded()).what(), "no");

    wire::buffer code;
    wire::encode_function(code, wire::exception_registry::instance().find(typeid(own_error))->rethrow);
    std::byte* const end = record.data() + record.size();
    std::byte* const at = std::search(record.data(), end, code.data(), code.data() + code.size());
    ASSERT_NE(at, end);
    os::code_location place;
    std::memcpy(&place, at, sizeof place);
    if (!place.module.is_build_id()) GTEST_SKIP() << "the program has no build id";
    place.offset = std::uint64_t{1} << 60;
    std::memcpy(at, &place, sizeof place);
    EXPECT_NE(std::string(as<mp::RemoteError>(decoded()).what()).find("own_error: no"), std::string::npos);
    os::workers_run_another_program = true;
    EXPECT_STREQ(as<own_error>(decoded()).what(), "no");
    os::workers_run_another_program = false;
}

}  // namespace error_record_test
