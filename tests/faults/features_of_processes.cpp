// SPDX-License-Identifier: MIT
// Process, Pipe and Manager.
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "feature.hpp"
#include "procpool/manager.hpp"
#include "procpool/pipe.hpp"
#include "procpool/process.hpp"
#include "procpool/waitable.hpp"

namespace faults {
namespace {

namespace mp = procpool;
using mp::start_method;
using namespace std::chrono_literals;

void answer(mp::Connection connection) {
    try {
        for (;;) {
            const auto text = connection.recv<std::string>();
            connection.send(text + text);
        }
    } catch (const mp::EOFError&) {  // the other end was closed
    }
}

template <start_method How>
void process() {
    auto [here, there] = mp::Pipe();
    mp::Process process({.name = "answerer", .start_method = How}, answer, there);
    process.start();
    there.close();
    attempts attempt;
    attempt([&] {
        for (const std::size_t size : {10u, 5000u, 400'000u}) {
            here.send(std::string(size, 'x'));
            expect(here.recv<std::string>() == std::string(2 * size, 'x'), "the answer");
        }
    });
    here.close();
    attempt([&] {
        process.join();
        expect(process.exitcode().has_value(), "an exit code");
        if (process.exitcode() != 0)
            throw mp::ProcessError("procpool: ended with " + std::to_string(*process.exitcode()));
    });
    attempt.finish();
}

void sleep_for_ever() {
    for (;;) ::pause();
}

template <start_method How>
void terminated_process() {
    mp::Process process({.daemon = true, .start_method = How}, sleep_for_ever);
    process.start();
    attempts attempt;
    attempt([&] { expect(process.is_alive(), "it runs"); });
    attempt([&] { expect(mp::active_children().size() == 1, "it is listed"); });
    attempt([&] { process.terminate(); });
    attempt([&] {
        if (!process.join(3s)) throw mp::ProcessError("procpool: it was not told to end");
    });
    attempt.finish();  // and its destructor ends it in earnest
}

struct account {
    int sum = 0;
    int pay(int more) {
        if (more < 0) throw std::invalid_argument("less than nothing");
        return sum += more;
    }
};

void add(const mp::ListProxy<std::string>& list, const mp::Proxy<account>& money) {
    list.append("from a process");
    money.call(&account::pay, 5);
}

template <start_method How>
void manager() {
    mp::Manager manager({.start_method = How});
    attempts attempt;
    attempt([&] {
        const auto list = manager.list<std::string>({"a", "b"});
        const auto money = manager.create<account>();
        mp::Process process({.start_method = How}, add, list, money);
        process.start();
        process.join();
        const bool good = process.exitcode() == 0;
        const auto now = list.to_vector();
        const int sum = money.call(&account::pay, 1);
        if (!good) throw mp::ProcessError("procpool: the process failed");
        expect(now == std::vector<std::string>{"a", "b", "from a process"}, "the list");
        expect(sum == 6, "the object");
    });
    attempt([&] {
        auto names = manager.dict<std::string, int>();
        names.set("one", 1);
        expect(names["one"] == 1, "the dictionary");
    });
    attempt([&] {
        const auto large = manager.list<std::string>();
        large.append(std::string(500'000, 'y'));
        expect(large[0].size() == 500'000, "a large element");
    });
    attempt([&] { manager.shutdown(); });
    attempt.finish();
}

constexpr std::array features{feature{"process_fork", process<start_method::fork>},
                              feature{"process_forkserver", process<start_method::forkserver>},
                              feature{"process_spawn", process<start_method::spawn>},
                              feature{"terminated_process", terminated_process<start_method::fork>},
                              feature{"terminated_spawn", terminated_process<start_method::spawn>},
                              feature{"manager", manager<start_method::fork>},
                              feature{"manager_spawn", manager<start_method::spawn>}};

}  // namespace

std::span<const feature> process_features() { return features; }

}  // namespace faults
