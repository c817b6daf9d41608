// SPDX-License-Identifier: MIT
// How far a call is, as a text: the rate, the time that is left, and what fits into a line.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "procpool/detail/progress/line.hpp"
#include "procpool/detail/progress/rate_meter.hpp"
#include "procpool/detail/progress/text_width.hpp"

namespace progress_line_test {

using namespace procpool::detail::progress;
using namespace std::chrono_literals;
using procpool::detail::steady_time;

constexpr steady_time begin{};

call_state half_done() {
    return {.name = "decoding",
            .unit = "images",
            .done = 255,
            .total = 510,
            .elapsed = 2s,
            .per_second = 131,
            .left = 2s};
}
/// Of the name of `a` alone.
line_style style(int columns, bool utf8 = false) { return {.columns = columns, .utf8 = utf8}; }

// ---- rate and time

TEST(RateMeter, knows_nothing_before_the_first_element) {
    rate_meter rate(begin);
    EXPECT_EQ(rate.per_second(), 0);
    EXPECT_EQ(rate.time_for(10), std::nullopt);
    rate.sample(0, begin + 1s);
    EXPECT_EQ(rate.per_second(), 0);
    EXPECT_EQ(rate.time_for(10), std::nullopt);
    EXPECT_EQ(rate.time_for(0), 0s);
}

TEST(RateMeter, is_exact_for_an_even_rate) {
    rate_meter rate(begin);
    for (int i = 1; i <= 1000; ++i) rate.sample(static_cast<std::uint64_t>(i) * 5, begin + i * 100ms);
    EXPECT_NEAR(rate.per_second(), 50, 0.01);
    EXPECT_EQ(rate.time_for(500), 10s);
}

TEST(RateMeter, forgets_a_burst_at_the_begin) {
    rate_meter rate(begin);
    rate.sample(1000, begin + 1s);  // were there already
    for (int i = 2; i <= 60; ++i) rate.sample(1000 + static_cast<std::uint64_t>(i), begin + i * 1s);
    EXPECT_LT(rate.per_second(), 1.5);
    EXPECT_GT(rate.per_second(), 0.9);
}

TEST(RateMeter, does_not_jump_with_elements_of_a_minute) {
    rate_meter rate(begin);
    constexpr double right = 8.0 / 60;
    std::uint64_t done = 0;
    for (int second = 1; second <= 3600; ++second) {
        if (second % 60 == 0) done += 8;
        rate.sample(done, begin + second * 1s);
        if (second < 60) continue;
        const double off = rate.per_second() / right;
        EXPECT_TRUE(second < 1800 ? off > 0.6 && off < 1.5 : off > 0.9 && off < 1.1) << second << ": " << off;
    }
}

TEST(RateMeter, follows_a_change_within_the_same_time_again) {
    rate_meter rate(begin);
    std::uint64_t done = 0;
    for (int second = 1; second <= 200; ++second) {
        done += second <= 100 ? 100 : 10;
        rate.sample(done, begin + second * 1s);
    }
    EXPECT_LT(rate.per_second(), 12);
}

TEST(RateMeter, believes_in_the_mean_where_few_elements_came) {
    rate_meter rate(begin);
    rate.sample(4, begin + 100ms);
    for (int second = 1; second <= 30; ++second) rate.sample(4, begin + second * 1s);
    EXPECT_GT(rate.per_second(), 0.1);
    EXPECT_LT(*rate.time_for(3), 30s);
}

TEST(RateMeter, sinks_while_nothing_ends_so_that_the_time_left_grows) {
    rate_meter rate(begin);
    for (int i = 1; i <= 10; ++i) rate.sample(static_cast<std::uint64_t>(i) * 10, begin + i * 1s);
    auto left = rate.time_for(100);
    for (int i = 11; i <= 60; i += 10) {
        rate.sample(100, begin + i * 1s);
        const auto now = rate.time_for(100);
        ASSERT_TRUE(now);
        EXPECT_GT(*now, *left);
        left = now;
    }
}

TEST(RateMeter, takes_a_clock_that_stands_still_or_goes_back) {
    rate_meter rate(begin + 1s);
    rate.sample(5, begin + 1s);
    rate.sample(5, begin);
    EXPECT_EQ(rate.per_second(), 0);
    rate.sample(10, begin + 2s);
    EXPECT_DOUBLE_EQ(rate.per_second(), 10);
}

// ---- width

TEST(TextWidth, counts_columns) {
    EXPECT_EQ(columns_of(""), 0);
    EXPECT_EQ(columns_of("abc"), 3);
    EXPECT_EQ(columns_of("\u00e4\u00f6"), 2);
    EXPECT_EQ(columns_of("e\u0301"), 1);
    EXPECT_EQ(columns_of("\u65e5\u672c"), 4);
    EXPECT_EQ(columns_of("\U0001f600"), 2);
    EXPECT_EQ(cut_to_columns("\u65e5\u672c", 3), "\u65e5");
    EXPECT_EQ(cut_to_columns("abc", 0), "");
}

TEST(TextWidth, makes_a_text_of_one_line_of_anything) {
    EXPECT_EQ(printable("a\nb\tc\x1b[31m"), "a b c [31m");
    EXPECT_EQ(printable("\xff\u00e4"), "\\xff\u00e4");
    EXPECT_EQ(printable("\u009b"), " ");  // a control sequence begins so, too
    EXPECT_EQ(as_ascii("\u00e4b\u65e5"), "?b?");
}

// ---- the line of a terminal

TEST(ProgressLine, has_a_bar_and_all_else_where_there_is_room) {
    EXPECT_EQ(line_on_terminal(half_done(), style(80)),
              "decoding  [###########            ]   50%  255 of 510 images  131/s  0:02 left");
    EXPECT_EQ(line_on_terminal(half_done(), style(80, true)),
              "decoding  |███████████▌           |   50%  255 of 510 images  131/s  0:02 left");
}

TEST(ProgressLine, tells_of_failures_and_deaths) {
    auto call = half_done();
    call.failed = 2;
    call.died = 1;
    const std::string line = line_on_terminal(call, style(120));
    EXPECT_NE(line.find("  2 failed  1 worker died"), std::string::npos) << line;
    call.died = 3;
    EXPECT_NE(line_on_terminal(call, style(120)).find("3 workers died"), std::string::npos);
    auto colours = style(120);
    colours.colour = true;
    EXPECT_NE(line_on_terminal(call, colours).find("\x1b[31m2 failed\x1b[0m"), std::string::npos);
}

TEST(ProgressLine, has_no_bar_and_the_time_so_far_where_nobody_knows_how_many) {
    call_state call{.name = "reading", .unit = "lines", .done = 7, .elapsed = 62s, .per_second = 0.11};
    EXPECT_EQ(line_on_terminal(call, style(80)), "reading  7 lines  6.60/min  1:02");
}

TEST(ProgressLine, fits_into_every_width) {
    auto call = half_done();
    call.failed = 12;
    call.died = 3;
    for (const char* const name : {"decoding", "", "a name that is much longer than a line can ever be",
                                   "\u65e5\u672c\u8a9e\u65e5\u672c\u8a9e"}) {
        call.name = name;
        for (const bool utf8 : {false, true})
            for (int columns = 1; columns <= 200; ++columns) {
                const std::string line = line_on_terminal(call, style(columns, utf8));
                EXPECT_LT(columns_of(line), columns) << line;
                const auto has = [&](const char* text) { return line.find(text) != std::string::npos; };
                EXPECT_TRUE(columns < 12 || has("255 of 510")) << columns << ": " << line;
                EXPECT_TRUE(columns < 25 || has("12 failed")) << columns << ": " << line;
            }
    }
}

TEST(ProgressLine, is_full_at_the_end_only) {
    call_state call{.name = "n", .done = 0, .total = 100000};
    EXPECT_NE(line_on_terminal(call, style(60)).find("  0%"), std::string::npos);
    call.done = 99999;
    EXPECT_NE(line_on_terminal(call, style(60)).find(" 99%"), std::string::npos);
    EXPECT_NE(line_on_terminal(call, style(60)).find(" ]"), std::string::npos);
    call.done = 100000;
    EXPECT_NE(line_on_terminal(call, style(60)).find("100%"), std::string::npos);
    EXPECT_NE(line_on_terminal(call, style(60)).find("#]"), std::string::npos);
}

TEST(ProgressLine, of_nothing_at_all_is_done) {
    const call_state call{.name = "n", .done = 0, .total = 0};
    EXPECT_EQ(line_in_log(call), "n: 100%, 0 of 0 in 0.00 s");
    EXPECT_NE(line_on_terminal(call, style(60)).find("100%"), std::string::npos);
}

TEST(ProgressLine, has_only_ascii_where_the_terminal_has_no_more) {
    auto call = half_done();
    call.name = "d\u00e9coder";
    call.unit = "\u65e5";
    for (const char character : line_on_terminal(call, style(90)))
        EXPECT_LT(static_cast<unsigned char>(character), 0x80U);
}

TEST(ProgressLine, stands_below_others_in_columns) {
    auto wide = style(100);
    wide.name_columns = 12;
    const std::string line = line_on_terminal(half_done(), wide);
    EXPECT_TRUE(line.starts_with("decoding      [")) << line;
}

// ---- logs, and the end

TEST(ProgressLine, in_a_log_is_a_sentence) {
    auto call = half_done();
    EXPECT_EQ(line_in_log(call), "decoding: 50%, 255 of 510 images in 2.00 s, 131/s, 0:02 left");
    call.total.reset();
    call.failed = 1;
    EXPECT_EQ(line_in_log(call), "decoding: 255 images in 2.00 s, 131/s, 1 failed");
}

TEST(ProgressLine, tells_at_the_end_of_the_whole) {
    auto call = half_done();
    EXPECT_EQ(last_line(call, false), "decoding: stopped after 255 of 510 images in 2.00 s, 128/s");
    call.done = 510;
    call.failed = 2;
    call.died = 2;
    call.elapsed = 3725s;
    EXPECT_EQ(last_line(call, true), "decoding: 510 images in 1:02:05, 8.21/min, 2 failed, 2 workers died");
    call.unit = "";
    EXPECT_EQ(last_line(call, true), "decoding: 510 done in 1:02:05, 8.21/min, 2 failed, 2 workers died");
}

TEST(ProgressLine, has_short_numbers) {
    const auto rate = [](double per_second) {
        return line_in_log({.name = "n", .done = 1, .elapsed = 1s, .per_second = per_second});
    };
    EXPECT_EQ(rate(94'700'000), "n: 1 in 1.00 s, 94.7M/s");
    EXPECT_EQ(rate(12'345), "n: 1 in 1.00 s, 12.3k/s");
    EXPECT_EQ(rate(9'876), "n: 1 in 1.00 s, 9876/s");
    EXPECT_EQ(rate(0.5), "n: 1 in 1.00 s, 30.0/min");
    EXPECT_EQ(rate(0.001), "n: 1 in 1.00 s, 3.60/h");
    call_state call{.name = "n", .done = 1, .total = 2, .elapsed = 100h, .left = 30h};
    EXPECT_EQ(line_in_log(call), "n: 50%, 1 of 2 in 4d 04:00:00, 1d 06:00:00 left");
}

}  // namespace progress_line_test
