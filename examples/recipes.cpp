// Programs in a few lines for what comes up again and again; docs/recipes.md shows them one by one.
//     ./recipes           runs all
//     ./recipes ctrl_c    runs one; their names stand at the end
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <numeric>
#include <random>
#include <ranges>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <procpool/element_seed.hpp>
#include <procpool/freeze_support.hpp>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <procpool/queue.hpp>
#include <procpool/shared_array.hpp>
#include <procpool/start_method.hpp>
#include <procpool/wait_hook.hpp>
#include <procpool/worker.hpp>

namespace mp = procpool;

namespace {

// ---- Ctrl-C that keeps what is done

// [ctrl_c]
volatile std::sig_atomic_t interrupted = 0;
struct Interrupted {};

std::pair<int, long> slow_square(int n) {
    std::this_thread::sleep_for(std::chrono::milliseconds(n < 20 ? 1 : 60'000));
    return {n, static_cast<long>(n) * n};
}

std::vector<std::pair<int, long>> squares_until_ctrl_c(const std::function<void(std::size_t)>& progress) {
    std::signal(SIGINT, [](int) { interrupted = 1; });
    const mp::WaitHook hook([] {
        if (interrupted) throw Interrupted();
    });
    mp::Pool pool(2);
    std::vector<std::pair<int, long>> done;
    try {
        for (const auto& result : pool.imap_unordered(slow_square, std::views::iota(0, 1000))) {
            done.push_back(result);
            progress(done.size());
        }
    } catch (const Interrupted&) {
        std::signal(SIGINT, SIG_DFL);  // the next one ends the program
    }
    return done;  // the pool ends what still runs
}
// [/ctrl_c]

void ctrl_c() {
    const auto done = squares_until_ctrl_c([](std::size_t n) {
        if (n == 20) std::raise(SIGINT);
    });
    std::cout << done.size() << " squares are kept\n";
}

// ---- gdb on one task

// [debugger]
/// Waits until a debugger is attached to this process: gdb -p PID, then `finish` a few times.
void wait_for_debugger() {
    std::cerr << "worker " << *mp::worker_index() << " waits for: gdb -p " << ::getpid() << std::endl;
    for (;;) {
        std::ifstream status("/proc/self/status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("TracerPid:") && std::stol(line.substr(10)) != 0) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

int suspicious(int element) {
    if (element == 17) wait_for_debugger();
    return element * element;
}
// [/debugger]

void debugger() {
    mp::Pool pool({.processes = 2, .output = mp::worker_output::lines});
    auto results = pool.map_async(suspicious, std::views::iota(0, 100), {.chunksize = 1});
    // What gdb does, in short.
    for (bool attached = false; !attached && !results.ready();)
        for (const mp::WorkerStatus& worker : pool.workers()) {
            if (!worker.running || worker.running->index != 17) continue;
            const auto pid = static_cast<pid_t>(worker.pid);
            if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) continue;
            attached = true;
            results.wait();
            ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
            ::waitpid(pid, nullptr, __WALL);
            ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
        }
    std::cout << "element 17 went on with a debugger: " << results.get()[17] << "\n";
}

// ---- a ring of slots in a SharedArray

// [ring]
using Frames = mp::SharedArray<float, 2>;  // (slot, pixels)

double brightness(const Frames& frames, std::size_t slot) {
    const auto frame = frames[slot];  // no copy
    return std::accumulate(frame.begin(), frame.end(), 0.0) / static_cast<double>(frame.size());
}

std::vector<double> brightness_of_a_stream(int length) {
    constexpr std::size_t slots = 8, pixels = 1024;
    const Frames frames({slots, pixels});
    mp::Pool pool(2);
    // imap pulls number i when the result of number i - buffersize was taken, and so its slot is free.
    const auto grab = [&](int i) {
        const std::size_t slot = static_cast<std::size_t>(i) % slots;
        std::ranges::fill(frames[slot], static_cast<float>(i));  // a camera would write here
        return slot;
    };
    std::vector<double> all;
    for (const double one :
         pool.imap(mp::partial(brightness, frames), std::views::iota(0, length) | std::views::transform(grab),
                   {.buffersize = slots}))
        all.push_back(one);
    return all;
}
// [/ring]

void ring() {
    const auto all = brightness_of_a_stream(1000);
    bool good = all.size() == 1000;
    for (std::size_t i = 0; i < all.size(); ++i) good = good && all[i] == static_cast<double>(i);
    std::cout << "1000 frames through 8 slots: " << (good ? "good" : "WRONG") << "\n";
}

// ---- timing by a wrapper

// [timing]
/// The same function, which returns its time in seconds, too.
template <class F>
auto timed(F function) {
    return [function](auto element) {
        const auto begin = std::chrono::steady_clock::now();
        auto result = function(element);
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
        return std::pair(std::move(result), time.count());
    };
}

int decode(int file) {
    std::this_thread::sleep_for(std::chrono::milliseconds(file == 3 ? 50 : 1));
    return file;
}

int slowest_file() {
    mp::Pool pool(2);
    const auto results = pool.map(timed(decode), std::views::iota(0, 20));
    const auto by_time = [](const auto& one) { return one.second; };
    return std::ranges::max(results, {}, by_time).first;
}
// [/timing]

void timing() { std::cout << "the slowest file is number " << slowest_file() << "\n"; }

// ---- logging from workers

// [logging]
using Lines = mp::Queue<std::string>;
const Lines* log_of_this_worker = nullptr;

void open_log(const Lines& lines) { log_of_this_worker = new Lines(lines); }
void log(const std::string& text) {
    log_of_this_worker->put("worker " + std::to_string(*mp::worker_index()) + ": " + text);
}

int logged_task(int n) {
    if (n % 10 == 0) log("at number " + std::to_string(n));
    return n;
}

void run_with_log(const std::function<void(const std::string&)>& write) {
    const Lines lines;
    mp::Pool pool(2, open_log, lines);
    std::jthread writer([&] {  // one writer: a file, syslog, spdlog, ...
        for (std::string line = lines.get(); !line.empty(); line = lines.get()) write(line);
    });
    pool.map(logged_task, std::views::iota(0, 100));
    lines.put("");  // the end
}
// [/logging]

void logging() {
    int count = 0;
    run_with_log([&](const std::string& line) { count += line.find(": at number ") != std::string::npos; });
    std::cout << count << " lines were logged\n";
}

// ---- a pool in a library whose host has threads

// [library]
/// Of a library: workers are fresh runs, so that the host's threads don't matter. The host's main calls
/// procpool::freeze_support(argc, argv); if it can't, the library calls procpool::set_executable().
class Thumbnailer {
public:
    std::vector<int> make(const std::vector<int>& images) {
        return pool_.map([](int image) { return image / 2; }, images);
    }

private:
    mp::Pool pool_{{.processes = 2, .start_method = mp::start_method::forkserver}};
};
// [/library]

void library() {
    std::atomic<bool> running{true};
    std::jthread host([&] {
        while (running) std::this_thread::yield();
    });
    Thumbnailer thumbnailer;
    std::vector<std::vector<int>> made(2);
    {
        std::jthread one([&] { made[0] = thumbnailer.make({2, 4}); });
        std::jthread other([&] { made[1] = thumbnailer.make({6, 8}); });
    }
    running = false;
    std::cout << "thumbnails " << made[0][0] << made[0][1] << made[1][0] << made[1][1] << "\n";
}

// ---- generate into a SharedArray instead of sharing a copy

// [generate]
using Table = mp::SharedArray<double, 2>;

/// Row by row in the workers: the program never has a table of its own, and nothing is copied.
void fill_row(const Table& table, std::size_t row) {
    std::mt19937_64 random(mp::element_seed());  // the same table whatever worker fills which row
    std::ranges::generate(table[row], [&] { return static_cast<double>(random() >> 11) * 0x1p-53; });
}

Table random_table(std::size_t rows, std::size_t columns, int workers) {
    Table table({rows, columns});
    mp::Pool pool({.processes = workers, .seed = 2024});
    pool.map(mp::partial(fill_row, table), std::views::iota(std::size_t{0}, rows));
    return table;
}
// [/generate]

void generate() {
    const Table one = random_table(100, 1000, 1), other = random_table(100, 1000, 3);
    std::cout << "tables of 1 and of 3 workers are "
              << (std::ranges::equal(one.span(), other.span()) ? "equal" : "DIFFERENT") << "\n";
}

}  // namespace

int main(int argc, char** argv) {
    mp::freeze_support(argc, argv);
    const std::pair<const char*, void (*)()> recipes[] = {
        {"ctrl_c", ctrl_c},   {"debugger", debugger}, {"ring", ring},        {"timing", timing},
        {"logging", logging}, {"library", library},   {"generate", generate}};
    for (const auto& [name, run] : recipes)
        if (argc < 2 || name == std::string(argv[1])) run();
}
