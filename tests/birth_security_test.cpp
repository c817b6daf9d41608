// SPDX-License-Identifier: MIT
// A program that includes freeze_support.hpp obeys nobody but itself: whoever else starts it as if it were to
// be a worker gets a sentence.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "procpool/detail/zygote/exec.hpp"
#include "procpool/pool.hpp"
#include "procpool/process.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/temporary_folder.hpp"
#include "support/users.hpp"

/// The leak sanitizer can't look at a program with rights of its own. Its options don't reach each of those:
/// not all may read /proc/self/environ, where it looks for them.
extern "C" int __lsan_is_turned_off() { return ::getauxval(AT_SECURE) != 0; }

namespace birth_security_test {

namespace mp = procpool;
namespace fs = std::filesystem;
namespace zygote = procpool::detail::zygote;
using mp::start_method;

/// What an attacker wants to have called.
void boast() {
    std::fprintf(stderr, "obeyed as user %ld\n", static_cast<long>(::geteuid()));
    std::fflush(stderr);
}

/// How an attacker starts a program: which one, and what its child does before that.
std::string program = "/proc/self/exe";
std::function<void()> before_exec = [] {};

long start_as_if_it_were_a_worker(const char* argument, int inherited) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    before_exec();
    zygote::prepare_exec(inherited);
    ::execl(program.c_str(), "program", argument, nullptr);
    ::_exit(126);
}

/// Says to a fresh run of a program all that a program's own processes say to it. @return what was printed
std::string attack(start_method how, const std::function<void()>& prepare) {
    test::child_program attacker([&] {
        zygote::launcher = &start_as_if_it_were_a_worker;
        prepare();
        mp::Process process({.start_method = how}, boast);
        process.start();
        process.join();
        return 0;
    });
    return attacker.wait().errors;
}

constexpr std::array fresh_runs{start_method::forkserver, start_method::spawn};

void expect_refusal(const std::string& printed, const std::string& reason) {
    EXPECT_EQ(printed.find("obeyed"), std::string::npos) << printed;
    EXPECT_NE(printed.find("procpool: process "), std::string::npos) << printed;
    EXPECT_NE(printed.find(reason), std::string::npos) << printed;
}

TEST(FreshRunOf, a_program_is_what_its_own_process_makes_of_it) {
    for (const auto how : fresh_runs)
        EXPECT_EQ(attack(how, [] {}), "obeyed as user " + std::to_string(::geteuid()) + "\n");
}

/// A copy of this program which has rights that not everybody has who may run it.
class privileged_copy {
public:
    explicit privileged_copy(const char* by) {
        fs::copy_file("/proc/self/exe", path());
        const std::string kind = by;
        bool made = ::chmod(folder_.path("").c_str(), 0755) == 0;
        if (kind == "capability") {
            vfs_cap_data rights{};
            rights.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
            rights.data[0].permitted = 1u << CAP_DAC_OVERRIDE;
            made = made && ::chmod(path().c_str(), 0755) == 0 &&
                   ::setxattr(path().c_str(), "security.capability", &rights, XATTR_CAPS_SZ_2, 0) == 0;
        } else {
            made = made && ::chmod(path().c_str(), kind == "set-user-id" ? 04755 : 02755) == 0;
        }
        if (!made) throw std::runtime_error("can't make a program with rights of its own");
    }
    std::string path() const { return folder_.path("program"); }
    bool has_effect() const {
        struct statvfs where{};
        return ::statvfs(path().c_str(), &where) == 0 && (where.f_flag & ST_NOSUID) == 0;
    }

private:
    test::temporary_folder folder_;
};

class PrivilegedProgram : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (!test::may_become_another_user()) GTEST_SKIP() << "only root can become another user";
        copy_.emplace(GetParam());
        if (!copy_->has_effect()) GTEST_SKIP() << "programs have no rights of their own in this folder";
    }
    const privileged_copy& copy() const { return *copy_; }

private:
    std::optional<privileged_copy> copy_;
};
INSTANTIATE_TEST_SUITE_P(By, PrivilegedProgram, testing::Values("set-user-id", "set-group-id", "capability"),
                         [](const auto& one) {
                             std::string name = one.param;
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

TEST_P(PrivilegedProgram, does_not_obey_the_user_who_starts_it) {
    for (const auto how : fresh_runs)
        expect_refusal(attack(how,
                              [&] {
                                  program = copy().path();
                                  test::become(test::stranger);
                              }),
                       "has other rights than who started it");
}

TEST(FreshRunOf, a_program_does_not_obey_the_socket_of_another_user) {
    if (!test::may_become_another_user()) GTEST_SKIP() << "only root can become another user";
    for (const auto how : fresh_runs)
        expect_refusal(attack(how,
                              [] {  // as with sudo: who runs the program has the socket from somebody else
                                  before_exec = [] {
                                      if (::setresuid(0, 0, 0) != 0) ::_exit(125);
                                  };
                                  if (::setresuid(test::stranger, test::stranger, 0) != 0) ::_exit(125);
                              }),
                       "another user");
}

TEST(FreshRunOf, a_program_does_not_obey_a_socket_that_its_parent_has_not_made) {
    for (const auto how : fresh_runs)
        expect_refusal(attack(how,
                              [] {
                                  before_exec = [] {
                                      const pid_t child = ::fork();
                                      if (child == 0) return;
                                      ::waitpid(child, nullptr, 0);
                                      ::_exit(0);
                                  };
                              }),
                       "not its parent");
}

TEST(FreshRunOf, a_program_does_not_obey_what_is_no_socket) {
    for (const char* const argument :
         {"--procpool-process=0", "--procpool-process=1000", "--procpool-process=", "--procpool-process=-1",
          "--procpool-process=99999999999999999999"}) {
        test::child_program started([&] {
            ::execl("/proc/self/exe", "program", argument, nullptr);
            return 126;
        });
        const auto end = started.wait();
        EXPECT_EQ(end.exit_code, EXIT_FAILURE);
        expect_refusal(end.errors, "no socket");
    }
}

// ---- pools of programs whose fresh runs would have other rights

/// What a program gets that makes a pool.
std::string make_pool(start_method how) {
    try {
        mp::Pool pool({.processes = 1, .start_method = how});
        return "worker of user " + std::to_string(pool.apply([] { return static_cast<long>(::geteuid()); }));
    } catch (const mp::BootstrapError& error) {
        return error.what();
    }
}

/// Prints what pools of all kinds are in this program, and one that is made beside another thread.
void show_pools() {
    mp::set_start_method(start_method::automatic, true);
    for (const auto how :
         {start_method::automatic, start_method::fork, start_method::forkserver, start_method::spawn})
        std::fprintf(stderr, "%s\n", make_pool(how).c_str());
    std::thread([] { std::fprintf(stderr, "%s\n", make_pool(start_method::automatic).c_str()); }).join();
}

void expect_lines(const std::string& printed, const std::array<std::string, 5>& beginnings) {
    std::istringstream lines(printed);
    std::string line;
    for (const std::string& beginning : beginnings) {
        std::getline(lines, line);
        EXPECT_TRUE(line.starts_with(beginning)) << printed;
    }
    EXPECT_FALSE(std::getline(lines, line)) << printed;
}

void expect_forked_pools_only(const std::string& printed, uid_t user) {
    const std::string worker = "worker of user " + std::to_string(user);
    const std::string refusal = "procpool: a fresh run of this program would have other rights";
    expect_lines(printed, {worker, worker, refusal, refusal, refusal});
}

TEST(Program, without_rights_of_its_own_has_pools_of_all_kinds) {
    if (::getauxval(AT_SECURE) != 0) return show_pools();  // in the next test
    test::child_program ordinary([] {
        show_pools();
        return 0;
    });
    const auto end = ordinary.wait();
    EXPECT_EQ(end.exit_code, 0);
    const std::string worker = "worker of user " + std::to_string(::geteuid());
    expect_lines(end.errors, {worker, worker, worker, worker, worker});
}

TEST_P(PrivilegedProgram, has_forked_workers_by_default_and_is_told_why_others_would_refuse) {
    test::child_program started([&] {
        test::become(test::stranger);
        ::execl(copy().path().c_str(), "program", "--gtest_brief=1",
                "--gtest_filter=Program.without_rights_of_its_own_has_pools_of_all_kinds", nullptr);
        return 126;
    });
    const auto end = started.wait();
    EXPECT_EQ(end.exit_code, 0);
    expect_forked_pools_only(end.errors, GetParam() == std::string("set-user-id") ? 0 : test::stranger);
}

TEST(Program, that_acts_as_another_user_has_forked_workers_by_default) {
    if (!test::may_become_another_user()) GTEST_SKIP() << "only root can become another user";
    test::child_program acting([] {
        if (::seteuid(test::stranger) != 0) return 125;
        show_pools();
        return 0;
    });
    const auto end = acting.wait();
    EXPECT_EQ(end.exit_code, 0);
    expect_forked_pools_only(end.errors, test::stranger);
}

}  // namespace birth_security_test
