// SPDX-License-Identifier: MIT
// Timelines: files that viewers take at any time, with all that happened.
#include "procpool/trace.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/handles.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/shared.hpp"
#include "support/temporary_folder.hpp"
#include "support/wait.hpp"

namespace trace_test {

namespace mp = procpool;
using namespace std::chrono_literals;

struct board {
    std::atomic<int> count{0};
    test::gate gate;
};
test::shared<board> seen;

int twice(int i) { return 2 * i; }
int takes_2_ms(int i) {
    const auto until = std::chrono::steady_clock::now() + 2ms;
    while (std::chrono::steady_clock::now() < until) {
    }
    ++seen->count;
    return i;
}
int dies_of_3(int i) {
    takes_2_ms(i);
    if (i == 3) ::raise(SIGKILL);
    return i;
}
std::size_t slow_size(const std::string& text) {
    for (int i = 0; i < 10; ++i) takes_2_ms(i);
    return text.size();
}

std::vector<int> numbers(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t count_of(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++count;
    return count;
}

/// Whether a text is JSON.
class json {
public:
    static bool is_valid(std::string_view text) {
        json rest(text);
        return rest.value() && (rest.space(), rest.text_.empty());
    }

private:
    explicit json(std::string_view text) : text_(text) {}
    void space() {
        while (!text_.empty() && std::isspace(static_cast<unsigned char>(text_.front())))
            text_.remove_prefix(1);
    }
    bool take(char c) {
        space();
        if (text_.empty() || text_.front() != c) return false;
        text_.remove_prefix(1);
        return true;
    }
    bool string() {
        if (!take('"')) return false;
        while (!text_.empty() && text_.front() != '"') {
            if (static_cast<unsigned char>(text_.front()) < 0x20) return false;
            text_.remove_prefix(text_.front() == '\\' ? std::min<std::size_t>(2, text_.size()) : 1);
        }
        return take('"');
    }
    bool number() {
        space();
        const auto end = text_.find_first_not_of("0123456789.-+eE");
        const std::size_t size = end == text_.npos ? text_.size() : end;
        text_.remove_prefix(size);
        return size > 0;
    }
    template <class Item>
    bool items(char end, Item item) {
        if (take(end)) return true;
        do {
            if (!item()) return false;
        } while (take(','));
        return take(end);
    }
    bool value() {
        if (take('[')) return items(']', [this] { return value(); });
        if (take('{')) return items('}', [this] { return string() && take(':') && value(); });
        space();
        return !text_.empty() && (text_.front() == '"' ? string() : number());
    }
    std::string_view text_;
};

template <class PoolType>
class AnyTrace : public testing::Test {
protected:
    void SetUp() override { seen.reset(); }
    test::temporary_folder folder;
};
using pools = testing::Types<mp::Pool, mp::ThreadPool>;
TYPED_TEST_SUITE(AnyTrace, pools);

TYPED_TEST(AnyTrace, has_a_slice_for_each_element_and_is_json) {
    const std::string path = this->folder.path("run.json");
    {
        TypeParam pool({.processes = 2, .trace = path});
        pool.map(twice, numbers(100), {.name = "a \"quoted\" name\n"});
    }
    const std::string text = text_of(path);
    EXPECT_TRUE(json::is_valid(text)) << text;
    EXPECT_EQ(count_of(text, "\"cat\":\"element\""), 100u);
    EXPECT_EQ(count_of(text, "\"ph\":\"b\""), 1u);
    EXPECT_EQ(count_of(text, "\"ph\":\"e\""), 1u);
    EXPECT_EQ(count_of(text, "\"cat\":\"start\""), 2u);
    EXPECT_NE(text.find("\"index\":99"), text.npos);
}

TYPED_TEST(AnyTrace, is_bounded) {
    const std::string path = this->folder.path("run.json");
    const auto trace = std::make_shared<mp::Trace>(path, mp::TraceOptions{.most_bytes = 20'000});
    {
        TypeParam pool({.processes = 2, .observers = {trace}});
        for (int i = 0; i < 20; ++i) pool.map(twice, numbers(100));
    }
    EXPECT_LT(std::filesystem::file_size(path), 21'000u);
    EXPECT_EQ(count_of(text_of(path), "\"cat\":\"full\""), 1u);
}

TYPED_TEST(AnyTrace, a_file_that_cant_be_written_is_refused_at_once) {
    EXPECT_THROW(TypeParam({.processes = 1, .trace = this->folder.path("none/run.json")}), std::system_error);
}

TYPED_TEST(AnyTrace, may_have_several_pools) {
    const std::string path = this->folder.path("run.json");
    {
        const auto trace = std::make_shared<mp::Trace>(path);
        TypeParam one({.processes = 1, .observers = {trace}}), other({.processes = 1, .observers = {trace}});
        one.map(twice, numbers(10));
        other.map(twice, numbers(10));
    }
    EXPECT_TRUE(json::is_valid(text_of(path)));
    EXPECT_EQ(count_of(text_of(path), "\"cat\":\"element\""), 20u);
}

TEST(Trace, tells_which_file_cant_be_written) {
    if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "there is no /dev/full";
    const std::string error = test::message_of<std::system_error>([] { mp::Trace trace("/dev/full"); });
    EXPECT_NE(error.find("/dev/full"), error.npos) << error;
}

class PoolTrace : public AnyTrace<mp::Pool> {};

TEST_F(PoolTrace, tells_deaths_and_new_starts) {
    const std::string path = folder.path("run.json");
    {
        mp::Pool pool({.processes = 2, .trace = path});
        EXPECT_THROW(pool.map(dies_of_3, numbers(20)), mp::WorkerDied);
        // The next worker is there when it has run something.
        pool.map(takes_2_ms, numbers(20), {.chunksize = 1});
    }
    const std::string text = text_of(path);
    EXPECT_TRUE(json::is_valid(text));
    EXPECT_EQ(count_of(text, "\"cat\":\"death\""), 1u);
    EXPECT_EQ(count_of(text, "\"outcome\":\"its worker died\""), 1u);
    EXPECT_NE(text.find("\"arguments\":\"3\""), text.npos) << "elements that take 2 ms have texts";
    EXPECT_GT(count_of(text, "\"name\":\"queue\""), 0u);
    EXPECT_GT(count_of(text, "\"name\":\"workers\""), 0u);
}

TEST_F(PoolTrace, of_a_program_that_is_killed_is_good) {
    const std::string path = folder.path("run.json");
    const std::string page = folder.path("run.html");
    test::child_program program(
        test::passed(
            [](const std::string& run, const std::string& shown) {
                mp::Pool pool(
                    {.processes = 2, .trace = run, .observers = {std::make_shared<mp::Trace>(shown)}});
                for (;;) pool.map(takes_2_ms, numbers(50));
                return 0;
            },
            path, page),
        test::child_program::group::own);
    EXPECT_TRUE(test::eventually([&] { return count_of(text_of(path), "\"cat\":\"element\"") > 100; }));
    program.send(SIGKILL);
    program.wait();
    EXPECT_TRUE(json::is_valid(text_of(path) + "]")) << "a viewer takes an array without its end";
    EXPECT_GT(count_of(text_of(page), "])</script>\n"), 1u);
}

TEST_F(PoolTrace, workers_dont_hold_the_file) {
    const std::string path = folder.path("run.json");
    mp::Pool pool({.processes = 2, .trace = path});
    for (const auto& one : pool.workers())
        for (const auto& open : test::descriptors_of(one.pid)) EXPECT_NE(open.second, path);
}

TEST_F(PoolTrace, no_text_ends_a_script_of_the_page) {
    const std::string path = folder.path("run.html");
    {
        mp::Pool pool({.processes = 1, .trace = path});
        pool.map(slow_size, std::vector<std::string>{"</script><script>alert(1)</script>"});
    }
    const std::string text = text_of(path);
    EXPECT_EQ(text.find("alert(1)</script>"), text.npos);
    EXPECT_NE(text.find("\\u003cscript>alert"), text.npos) << "it is there as text";
}

// ---- in a browser

std::string browser() {
    for (const char* const name : {"chromium", "chromium-browser", "google-chrome"})
        for (const char* const folder : {"/usr/bin/", "/usr/local/bin/"})
            if (::access((std::string(folder) + name).c_str(), X_OK) == 0) return std::string(folder) + name;
    return {};
}

/// The page as it is once its scripts have run.
std::string shown(const std::string& browser, const std::string& page, const std::string& profile,
                  const std::string& picture) {
    const std::string command = browser + " --headless --no-sandbox --disable-gpu --disable-dev-shm-usage" +
                                " --user-data-dir=" + profile + " --window-size=1200,900" +
                                (picture.empty() ? " --dump-dom" : " --screenshot=" + picture) + " file://" +
                                page + " 2>/dev/null";
    std::string text;
    FILE* const output = ::popen(command.c_str(), "r");
    if (!output) throw std::runtime_error("no shell");
    char piece[4096];
    for (std::size_t size = 0; (size = std::fread(piece, 1, sizeof piece, output)) > 0;)
        text.append(piece, size);
    ::pclose(output);
    return text;
}

TEST_F(PoolTrace, the_page_shows_in_a_browser_what_happened) {
    const std::string program = browser();
    if (program.empty()) GTEST_SKIP() << "there is no chromium here (Debian: apt-get install chromium)";
    const std::string path = folder.path("run.html");
    {
        mp::Pool pool({.processes = 2, .trace = path});
        EXPECT_THROW(pool.map(dies_of_3, numbers(40), {.name = "numbers"}), mp::WorkerDied);
        pool.map(slow_size, std::vector<std::string>{"<b>a.jpg</b>", "b.jpg"}, {.name = "files"});
    }
    const std::string page = shown(program, path, folder.path("profile"), "");
    const std::string text = page.substr(0, page.find("function T("));
    EXPECT_NE(text.find("42 elements, 1 failed, 1 worker died"), text.npos) << text;
    EXPECT_NE(text.find("its worker died"), text.npos);
    EXPECT_NE(text.find("numbers"), text.npos);
    EXPECT_NE(text.find("&lt;b&gt;a.jpg"), text.npos) << "what the program says is no HTML";
    if (const char* const keep = std::getenv("PROCPOOL_TEST_SCREENSHOT"))
        shown(program, path, folder.path("profile"), keep);
}

}  // namespace trace_test
