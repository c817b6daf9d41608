// SPDX-License-Identifier: MIT
// What a program shows at the bottom of its terminal, as its zygotes read it.
#include "procpool/detail/shared/status_lines.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/memfd.hpp"

namespace status_lines_test {

using procpool::detail::shared::status_lines;

constexpr std::uint64_t terminal = 34816;

namespace os = procpool::detail::os;
#ifdef _WIN32
os::fd another(const os::fd& file) { return os::copy_of(file); }
#else
os::fd another(const os::fd& file) { return os::fd(::dup(file.get())); }
#endif

TEST(StatusLines, are_none_before_there_are_some_and_on_other_terminals) {
    const auto lines = status_lines::of_this_program();
    EXPECT_FALSE(lines->on(terminal));
    lines->show("text", terminal);
    ASSERT_TRUE(lines->on(terminal));
    EXPECT_EQ(lines->on(terminal)->text, "text");
    EXPECT_FALSE(lines->on(terminal + 1));
    lines->show("", terminal);
    ASSERT_TRUE(lines->on(terminal)) << "they are not erased yet";
    EXPECT_EQ(lines->on(terminal)->text, "");
    lines->hide();
    EXPECT_FALSE(lines->on(terminal));
}

TEST(StatusLines, are_the_same_for_all_who_have_them) {
    const auto lines = status_lines::of_this_program();
    EXPECT_EQ(lines, status_lines::of_this_program());
    status_lines reader(another(lines->file()));
    lines->show("text", terminal);
    EXPECT_EQ(reader.on(terminal)->text, "text");
    EXPECT_EQ(reader.version(), lines->on(terminal)->version);
    lines->show("another", terminal);
    EXPECT_NE(reader.version(), 2U);
}

TEST(StatusLines, are_cut_where_there_is_no_more_room) {
    const auto lines = status_lines::of_this_program();
    lines->show(std::string(status_lines::capacity + 100, 'x'), terminal);
    EXPECT_EQ(lines->on(terminal)->text.size(), status_lines::capacity);
}

TEST(StatusLines, that_are_just_written_have_no_text_yet_but_are_there) {
    const auto lines = status_lines::of_this_program();
    lines->show("text", terminal);
    // As after the first step of show().
    const os::mapping memory(lines->file(), 0, sizeof(std::uint32_t));
    auto& version = *reinterpret_cast<std::atomic<std::uint32_t>*>(memory.data());
    ++version;
    const auto shown = lines->on(terminal);
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->text, "");
    lines->show("next", terminal);
    EXPECT_EQ(lines->on(terminal)->text, "next");
}

}  // namespace status_lines_test
