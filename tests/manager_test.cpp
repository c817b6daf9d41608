// SPDX-License-Identifier: MIT
// Manager: its containers and objects from several processes, errors, and deaths of either side.
#include "procpool/manager.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/register_exception.hpp"
#include "procpool/shared_array.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/rounds.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"
#include "support/wait.hpp"

namespace manager_test {

namespace mp = procpool;
using namespace std::chrono_literals;
using test::message_of;

test::shared<std::atomic<int>> objects;

struct refused_sum : std::runtime_error {
    using std::runtime_error::runtime_error;
};
const bool registered = mp::register_exception<refused_sum>();

class Account {
public:
    explicit Account(int sum) : sum_(sum) {
        if (sum < 0) throw refused_sum("an account begins with 0 or more");
        ++*objects;
    }
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;
    ~Account() { --*objects; }

    int pay(int more) {
        if (more < 0) throw refused_sum("pay " + std::to_string(more));
        return sum_ += more;
    }
    int sum() const { return sum_; }
    long process() const { return ::getpid(); }

private:
    int sum_;
};

void start_and_join(std::vector<mp::Process>& processes) {
    for (mp::Process& one : processes) one.start();
    for (mp::Process& one : processes) one.join();
    for (mp::Process& one : processes) EXPECT_EQ(one.exitcode(), 0);
}

// ---- containers

TEST(Manager, list_is_like_a_vector) {
    mp::Manager manager;
    const auto list = manager.list<std::string>({"a"});
    list.push_back("b");
    list.append("d");
    list.insert(2, "c");
    list.extend({"e", "f"});
    EXPECT_EQ(list.to_vector(), (std::vector<std::string>{"a", "b", "c", "d", "e", "f"}));
    EXPECT_EQ(list[5], "f");
    list.set(5, "F");
    EXPECT_EQ(list.pop(), "F");
    EXPECT_EQ(list.pop(0), "a");
    list.erase(0);
    EXPECT_EQ(list.size(), 3u);
    std::string all;
    for (const std::string& one : list) all += one;
    EXPECT_EQ(all, "cde");
    EXPECT_THROW(list[3], std::out_of_range);
    EXPECT_THROW(list.set(3, ""), std::out_of_range);
    EXPECT_THROW(list.insert(4, ""), std::out_of_range);
    list.clear();
    EXPECT_TRUE(list.empty());
    EXPECT_THROW(list.pop(), std::out_of_range);
}

TEST(Manager, dict_is_like_a_map) {
    mp::Manager manager;
    const auto dict = manager.dict<std::string, int>({{"one", 1}});
    dict.set("two", 2);
    dict.update({{"two", 22}, {"three", 3}});
    EXPECT_EQ(dict["two"], 22);
    EXPECT_THROW(dict["four"], std::out_of_range);
    EXPECT_EQ(dict.get("four"), std::nullopt);
    EXPECT_EQ(dict.get("four", 4), 4);
    EXPECT_TRUE(dict.contains("one"));
    EXPECT_EQ(dict.keys(), (std::vector<std::string>{"one", "three", "two"}));
    EXPECT_EQ(dict.values(), (std::vector{1, 3, 22}));
    EXPECT_TRUE(dict.erase("one"));
    EXPECT_FALSE(dict.erase("one"));
    EXPECT_EQ(dict.size(), 2u);
    int sum = 0;
    for (const auto& [key, value] : dict) sum += value;
    EXPECT_EQ(sum, 25);
    EXPECT_EQ(dict.to_map(), (std::map<std::string, int>{{"three", 3}, {"two", 22}}));
}

TEST(Manager, namespace_holds_values_of_all_types) {
    mp::Manager manager;
    const auto names = manager.Namespace();
    names.set("number", 4.5);
    names.set("text", "hello");
    EXPECT_EQ(names.get<double>("number"), 4.5);
    EXPECT_EQ(names.get<std::string>("text"), "hello");
    EXPECT_TRUE(names.contains("text"));
    EXPECT_TRUE(names.erase("text"));
    EXPECT_THROW(names.get<std::string>("text"), std::out_of_range);
    const auto text = message_of<std::invalid_argument>([&] { names.get<int>("number"); });
    EXPECT_NE(text.find("is a double, not a int"), std::string::npos) << text;
}

// ---- objects of other classes

TEST(Manager, objects_of_any_class_live_in_its_process_for_as_long_as_somebody_refers_to_them) {
    *objects = 0;
    mp::Manager manager;
    {
        const mp::Proxy<Account> account = manager.create<Account>(5);
        const mp::Proxy<Account> copy = account;
        EXPECT_EQ(account.call(&Account::pay, 10), 15);
        EXPECT_EQ(copy.call(&Account::sum), 15);
        EXPECT_EQ(account.call(&Account::process), manager.pid());
        EXPECT_EQ(account.call([](Account& self, int n) { return self.pay(n) * 2; }, 1), 32);
        EXPECT_EQ(*objects, 1);
    }
    EXPECT_TRUE(test::eventually([] { return *objects == 0; }));
}

TEST(Manager, exceptions_come_back_as_their_own_type) {
    mp::Manager manager;
    const auto account = manager.create<Account>(1);
    EXPECT_EQ(message_of<refused_sum>([&] { account.call(&Account::pay, -3); }), "pay -3");
    EXPECT_EQ(account.call(&Account::sum), 1);
    EXPECT_THROW(manager.create<Account>(-1), refused_sum);
    try {
        account.call(&Account::pay, -3);
    } catch (const std::exception& error) {
        const auto text = message_of<mp::RemoteError>([&] { std::rethrow_if_nested(error); });
        EXPECT_NE(text.find("in the manager"), std::string::npos) << text;
    }
}

TEST(Manager, calls_on_one_object_come_one_at_a_time) {
    mp::Manager manager;
    const auto list = manager.list<int>({0});
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int k = 0; k < 50; ++k)
                list.call([](std::vector<int>& all) {
                    const int before = all[0];
                    std::this_thread::yield();
                    all[0] = before + 1;
                });
        });
    for (std::thread& one : threads) one.join();
    EXPECT_EQ(list[0], 200);
}

// ---- from other processes

TEST(Manager, processes_append_to_a_list) {
    mp::Manager manager;
    const auto list = manager.list<int>();
    std::vector<mp::Process> processes;
    for (int i = 0; i < 4; ++i)
        processes.emplace_back(
            [](const mp::ListProxy<int>& to, int from) {
                for (int n = from; n < from + 25; ++n) to.append(n);
            },
            list, 25 * i);
    start_and_join(processes);
    auto all = list.to_vector();
    std::ranges::sort(all);
    ASSERT_EQ(all.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
}

TEST(Manager, tasks_and_initializers_take_proxies) {
    static std::optional<mp::DictProxy<int, int>> squares;
    mp::Manager manager;
    const auto dict = manager.dict<int, int>();
    const auto account = manager.create<Account>(0);
    mp::Pool pool(2, [](const mp::DictProxy<int, int>& all) { squares = all; }, dict);
    pool.map([](int n) { squares->set(n, n * n); }, std::vector{1, 2, 3});
    pool.map(mp::partial([](const mp::Proxy<Account>& to, int n) { to.call(&Account::pay, n); }, account),
             std::vector{10, 20});
    EXPECT_EQ(dict.values(), (std::vector{1, 4, 9}));
    EXPECT_EQ(account.call(&Account::sum), 30);
    pool.apply([](const std::vector<mp::Proxy<Account>>& all) { all.at(0).call(&Account::pay, 1); },
               std::vector{account});
    EXPECT_EQ(account.call(&Account::sum), 31);
    const mp::Proxy<Account> back = pool.apply([](mp::Proxy<Account> same) { return same; }, account);
    EXPECT_EQ(back.call(&Account::sum), 31);
}

TEST(Manager, lists_hold_arrays_and_other_proxies) {
    mp::Manager manager;
    const auto inner = manager.list<int>({7});
    const auto outer = manager.list<mp::ListProxy<int>>();
    outer.append(inner);
    EXPECT_EQ(outer[0][0], 7);
    const auto arrays = manager.list<mp::SharedArray<int, 1>>();
    {
        mp::SharedArray<int, 1> array({1});
        array[0] = 42;
        arrays.append(array);
    }
    EXPECT_EQ(arrays[0][0], 42);
}

TEST(Manager, global_proxy_is_refused_in_a_forked_process) {
    static std::optional<mp::ListProxy<int>> global;
    mp::Manager manager;
    global = manager.list<int>();
    mp::Process process({.start_method = mp::start_method::fork}, [] {
        try {
            global->append(1);
        } catch (const mp::ManagerDied& error) {
            std::exit(std::string(error.what()).find("argument") != std::string::npos ? 7 : 8);
        }
    });
    process.start();
    process.join();
    EXPECT_EQ(process.exitcode(), 7);
    global.reset();
}

TEST(Manager, hands_out_what_needs_no_process) {
    mp::Manager manager;
    auto queue = manager.Queue<int>();
    const auto event = manager.Event();
    auto lock = manager.Lock();
    auto value = manager.Value(3);
    manager.shutdown();
    mp::Process process(
        [](mp::Queue<int> to, mp::Event ready, mp::Lock alone, mp::Value<int> number) {
            const std::lock_guard guard(alone);
            to.put(number.value());
            ready.set();
        },
        queue, event, lock, value);
    process.start();
    EXPECT_TRUE(event.wait(test::patience));
    EXPECT_EQ(queue.get(), 3);
    process.join();
}

// ---- ends and deaths

TEST(Manager, calls_after_shutdown_fail) {
    mp::Manager manager;
    const auto list = manager.list<int>({1});
    manager.shutdown();
    manager.shutdown();
    EXPECT_THROW(list.size(), mp::ManagerDied);
    EXPECT_THROW(manager.list<int>(), mp::ManagerDied);
    EXPECT_EQ(manager.pid(), 0);
}

TEST(Manager, death_of_its_process_ends_calls_everywhere) {
    mp::Manager manager;
    const auto list = manager.list<int>({1});
    std::vector<mp::Process> processes;
    for (int i = 0; i < 2; ++i)
        processes.emplace_back(
            [](const mp::ListProxy<int>& shared) {
                try {
                    for (;;) shared.append(1);
                } catch (const mp::ManagerDied&) {
                    std::exit(0);
                }
            },
            list);
    for (mp::Process& one : processes) one.start();
    ASSERT_TRUE(test::eventually([&] { return list.size() > 10; }));
    ::kill(static_cast<pid_t>(manager.pid()), SIGKILL);
    for (mp::Process& one : processes) {
        EXPECT_TRUE(one.join(test::patience));
        EXPECT_EQ(one.exitcode(), 0);
    }
    EXPECT_THROW(list.size(), mp::ManagerDied);
}

struct quitter {
    quitter() = default;
    explicit quitter(int) { ::pthread_exit(nullptr); }
    int calls = 0;
};

TEST(Manager, call_that_ends_its_thread_costs_nothing_else) {
    mp::Manager manager;
    const auto object = manager.create<quitter>();
    const auto list = manager.list<int>({1, 2, 3});
    for (int i = 0; i < 3; ++i) {
        const std::string text = test::message_of<mp::Error>([&] {
            object.call([](quitter& all) {
                ++all.calls;
                ::pthread_exit(nullptr);
            });
        });
        EXPECT_NE(text.find("pthread_exit"), std::string::npos) << text;
        EXPECT_THROW(manager.create<quitter>(1), mp::Error);
        EXPECT_EQ(list.size(), 3u) << "what this process refers to is there";
    }
    EXPECT_EQ(object.call([](quitter& all) { return all.calls; }), 3) << "and nobody holds its lock";
}

TEST(Manager, interrupt_is_not_for_it) {
    mp::Manager manager;
    const auto list = manager.list<int>({1});
    ::kill(static_cast<pid_t>(manager.pid()), SIGINT);
    EXPECT_EQ(list.size(), 1u);
}

int deaths() { return test::rounds(test::sanitized ? 10 : 40); }

std::minstd_rand dice{std::random_device{}()};

void wait_a_moment() { std::this_thread::sleep_for(std::chrono::microseconds(dice() % 3000)); }

/// Makes all kinds of calls on the objects of a manager until it is killed, or the manager is.
void call_for_ever(const mp::ListProxy<std::vector<int>>& list, const mp::DictProxy<int, std::string>& dict,
                   const mp::NamespaceProxy& names, const mp::ListProxy<mp::Proxy<Account>>& accounts) {
    for (std::size_t size = 1;; size = size * 3 % 100'003) {
        list.append(std::vector<int>(size, 1));
        const mp::Proxy<Account> account = accounts[0];
        account.call(&Account::pay, 1);
        accounts.append(account);
        dict.set(static_cast<int>(size % 10), std::string(size, 'x'));
        if (dict.get(1, "").size() > 100'003) std::exit(9);
        names.set("size", size);
        names.get<std::size_t>("size");
        // Others wait for their turn meanwhile.
        list.call([](std::vector<std::vector<int>>&) { std::this_thread::sleep_for(100us); });
        if (list.size() > 5) list.pop();
        // In one call: what the dead have asked for is done later, too.
        accounts.call([](std::vector<mp::Proxy<Account>>& all) {
            if (all.size() > 5) all.pop_back();
        });
        list.to_vector();
    }
}

TEST(ManagerAndDeath, users_killed_in_calls_block_nobody_and_leave_no_references) {
    *objects = 0;
    mp::Manager manager;
    const auto list = manager.list<std::vector<int>>();
    const auto dict = manager.dict<int, std::string>();
    const auto names = manager.Namespace();
    const auto accounts = manager.list<mp::Proxy<Account>>();
    accounts.append(manager.create<Account>(0));
    for (int n = 0; n < deaths() && !testing::Test::HasFailure(); ++n) {
        mp::Process victim(call_for_ever, list, dict, names, accounts);
        victim.start();
        wait_a_moment();
        victim.kill();
        victim.join();
        const auto begin = std::chrono::steady_clock::now();
        accounts[0].call(&Account::pay, 0);
        for (const std::vector<int>& one : list)
            for (const int value : one) ASSERT_EQ(value, 1);
        list.clear();
        for (const auto& [key, text] : dict) ASSERT_EQ(text, std::string(text.size(), 'x'));
        names.set("size", std::size_t{0});
        accounts.call([](std::vector<mp::Proxy<Account>>& all) { all.resize(1); });
        ASSERT_LT(std::chrono::steady_clock::now() - begin, test::patience);
    }
    EXPECT_EQ(*objects, 1);
    // Again and again: what the last of them has asked for may still be done.
    const auto clear = [&] {
        accounts.clear();
        return *objects == 0;
    };
    EXPECT_TRUE(test::eventually(clear)) << "the dead still refer to it";
}

TEST(ManagerAndDeath, its_own_is_told_to_all_who_are_in_calls) {
    for (int n = 0; n < deaths() && !testing::Test::HasFailure(); ++n) {
        mp::Manager manager;
        const auto list = manager.list<std::vector<int>>();
        const auto dict = manager.dict<int, std::string>();
        const auto names = manager.Namespace();
        const auto accounts = manager.list<mp::Proxy<Account>>();
        accounts.append(manager.create<Account>(0));
        mp::Process user(
            [](const auto&... all) {
                try {
                    call_for_ever(all...);
                } catch (const mp::ManagerDied&) {
                    std::exit(7);
                }
            },
            list, dict, names, accounts);
        user.start();
        std::thread thread(
            [&] { EXPECT_THROW(call_for_ever(list, dict, names, accounts), mp::ManagerDied); });
        wait_a_moment();
        ::kill(static_cast<pid_t>(manager.pid()), SIGKILL);
        thread.join();
        EXPECT_TRUE(user.join(test::patience));
        EXPECT_EQ(user.exitcode(), 7);
        EXPECT_THROW(list.size(), mp::ManagerDied);
    }
}

}  // namespace manager_test
