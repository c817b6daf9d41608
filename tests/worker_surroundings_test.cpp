// SPDX-License-Identifier: MIT
// Environment, working directory and inner threads of workers.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "procpool/cpu_count.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/processes.hpp"
#include "support/temporary_folder.hpp"
#include "support/wait.hpp"

namespace worker_surroundings_test {

namespace mp = procpool;

std::string variable(const std::string& name) {
    const char* const value = ::getenv(name.c_str());
    return value ? value : "(none)";
}
std::string directory() { return std::filesystem::current_path().string(); }
/// Its whole name, which may have a drive in front.
std::string root() { return std::filesystem::absolute("/").string(); }

/// Set in this program, and gone at the end.
class program_variable {
public:
    program_variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
    program_variable(const program_variable&) = delete;
    program_variable& operator=(const program_variable&) = delete;
    ~program_variable() { ::unsetenv(name_); }

private:
    const char* name_;
};

/// Those that the machine's user may have set would decide in place of the library.
class WorkerSurroundings : public testing::Test {
protected:
    void SetUp() override {
        for (const char* name :
             {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"})
            ::unsetenv(name);
    }
};

TEST_F(WorkerSurroundings, have_variables_besides_those_of_the_program) {
    const program_variable kept("PROCPOOL_TEST_KEPT", "as it was");
    const program_variable changed("PROCPOOL_TEST_CHANGED", "old");
    const program_variable removed("PROCPOOL_TEST_REMOVED", "gone");
    mp::Pool pool({.processes = 2,
                   .environment = {{"PROCPOOL_TEST_NEW", "a=b c"},
                                   {"PROCPOOL_TEST_CHANGED", "first"},
                                   {"PROCPOOL_TEST_CHANGED", "new"},
                                   {"PROCPOOL_TEST_EMPTY", ""},
                                   {"PROCPOOL_TEST_REMOVED", std::nullopt}}});
    const auto in_workers = [&](const char* name) {
        const auto all = pool.everywhere(variable, std::string(name));
        EXPECT_EQ(all[0], all[1]);
        return all[0];
    };
    EXPECT_EQ(in_workers("PROCPOOL_TEST_KEPT"), "as it was");
    EXPECT_EQ(in_workers("PROCPOOL_TEST_NEW"), "a=b c");
    EXPECT_EQ(in_workers("PROCPOOL_TEST_CHANGED"), "new");
    EXPECT_EQ(in_workers("PROCPOOL_TEST_EMPTY"), "");
    EXPECT_EQ(in_workers("PROCPOOL_TEST_REMOVED"), "(none)");
    EXPECT_EQ(variable("PROCPOOL_TEST_NEW"), "(none)");
    EXPECT_EQ(variable("PROCPOOL_TEST_CHANGED"), "old");
    EXPECT_EQ(variable("PROCPOOL_TEST_REMOVED"), "gone");
}

TEST_F(WorkerSurroundings, are_the_same_for_who_takes_the_place_of_a_dead_one) {
    mp::Pool pool({.processes = 1, .environment = {{"PROCPOOL_TEST_NEW", "1"}}, .working_directory = "/"});
    const auto both = [] { return variable("PROCPOOL_TEST_NEW") + directory(); };
    EXPECT_EQ(pool.apply(both), "1" + root());
    EXPECT_THROW(pool.apply([] { ::raise(SIGKILL); }), mp::WorkerDied);
    EXPECT_EQ(pool.apply(both), "1" + root());
}

TEST_F(WorkerSurroundings, are_the_same_under_another_zygote) {
    mp::Pool pool({.processes = 1, .environment = {{"PROCPOOL_TEST_NEW", "1"}}, .working_directory = "/"});
    const auto both = [] { return variable("PROCPOOL_TEST_NEW") + directory(); };
    const auto zygotes = test::children_of(::getpid());
    for (const long zygote : zygotes) ::kill(static_cast<pid_t>(zygote), SIGKILL);
    ASSERT_TRUE(test::eventually([&] {
        const auto now = test::children_of(::getpid());
        return !now.empty() && now != zygotes;
    }));
    EXPECT_EQ(pool.apply({.retries = 5}, both), "1" + root());
}

TEST_F(WorkerSurroundings, begin_in_their_working_directory) {
    const test::temporary_folder folder;
    std::filesystem::create_directory(folder.path("sub"));
    const std::string here = directory();
    {
        mp::Pool pool({.processes = 2, .working_directory = folder.path("sub")});
        pool.everywhere([] { std::ofstream("written").put('x'); });
        EXPECT_EQ(pool.everywhere(directory),
                  std::vector<std::string>(2, std::filesystem::canonical(folder.path("sub")).string()));
    }
    EXPECT_TRUE(std::filesystem::exists(folder.path("sub") + "/written"));
    EXPECT_EQ(directory(), here);
    std::filesystem::current_path(folder.path(""));
    {
        mp::Pool relative({.processes = 1, .working_directory = "sub"});
        EXPECT_EQ(relative.apply(directory), std::filesystem::canonical("sub").string());
    }
    std::filesystem::current_path(here);
}

TEST_F(WorkerSurroundings, that_cannot_be_are_refused) {
    const test::temporary_folder folder;
    std::ofstream(folder.path("file")).put('x');
    EXPECT_THROW(mp::Pool({.processes = 1, .working_directory = folder.path("nowhere")}), std::system_error);
    EXPECT_THROW(mp::Pool({.processes = 1, .working_directory = folder.path("file")}), std::system_error);
    EXPECT_THROW(mp::Pool({.processes = 1, .environment = {{"", "x"}}}), std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = 1, .environment = {{"A=B", "x"}}}), std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = 1, .environment = {{"A", std::string("x\0y", 3)}}}),
                 std::invalid_argument);
    EXPECT_THROW(mp::Pool({.processes = 1, .inner_threads = 0}), std::invalid_argument);
    EXPECT_THROW(mp::ThreadPool({.processes = 1, .environment = {{"A", "x"}}}), std::invalid_argument);
    EXPECT_THROW(mp::ThreadPool({.processes = 1, .working_directory = "/"}), std::invalid_argument);
    EXPECT_THROW(mp::ThreadPool({.processes = 1, .inner_threads = 1}), std::invalid_argument);
}

TEST_F(WorkerSurroundings, whose_directory_is_removed_make_the_pool_fail_in_the_end) {
    auto folder = std::make_unique<test::temporary_folder>();
    mp::Pool pool({.processes = 1, .restart_limit = 2, .working_directory = folder->path("")});
    EXPECT_EQ(pool.apply([] { return 1; }), 1);
    folder.reset();
    for (const long zygote : test::children_of(::getpid())) ::kill(static_cast<pid_t>(zygote), SIGKILL);
    EXPECT_TRUE(test::eventually([&] {
        try {
            pool.apply([] { return 1; });
        } catch (const std::exception&) {
        }
        return pool.state() == mp::pool_state::failed;
    }));
}

// ---- inner threads

const std::vector<std::string> names{"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                                     "OPENCV_FOR_THREADS_NUM"};

TEST_F(WorkerSurroundings, divide_the_cpus_by_default) {
    for (const int workers : {1, 2}) {
        mp::Pool pool(workers);
        const int share = std::max(1, mp::cpu_count() / workers);
        for (const std::string& name : names) EXPECT_EQ(pool.apply(variable, name), std::to_string(share));
    }
    EXPECT_EQ(variable("OMP_NUM_THREADS"), "(none)");
}

TEST_F(WorkerSurroundings, have_as_many_inner_threads_as_they_are_told) {
    const program_variable of_the_program("OMP_NUM_THREADS", "5");
    mp::Pool pool({.processes = 1, .environment = {{"MKL_NUM_THREADS", "9"}}, .inner_threads = 3});
    EXPECT_EQ(pool.apply(variable, std::string("OMP_NUM_THREADS")), "3");
    EXPECT_EQ(pool.apply(variable, std::string("OPENBLAS_NUM_THREADS")), "3");
    EXPECT_EQ(pool.apply(variable, std::string("MKL_NUM_THREADS")), "9");
}

TEST_F(WorkerSurroundings, leave_what_the_program_has_said_of_inner_threads) {
    {
        const program_variable of_one("MKL_NUM_THREADS", "5");
        mp::Pool pool(1);
        EXPECT_EQ(pool.apply(variable, std::string("MKL_NUM_THREADS")), "5");
        EXPECT_EQ(pool.apply(variable, std::string("OMP_NUM_THREADS")), std::to_string(mp::cpu_count()));
    }
    const program_variable of_all("OMP_NUM_THREADS", "5");
    mp::Pool pool(1);
    EXPECT_EQ(pool.apply(variable, std::string("OMP_NUM_THREADS")), "5");
    EXPECT_EQ(pool.apply(variable, std::string("MKL_NUM_THREADS")), "(none)");
}

// As if the program were linked with an OpenMP runtime that has looked at its variables already.
constexpr int omp_cpus = 64;
int omp_threads = omp_cpus;

TEST_F(WorkerSurroundings, tell_an_openmp_that_has_looked_at_its_variables_already) {
    const auto threads = [] { return omp_threads; };
    const int share = mp::cpu_count();
    {
        mp::Pool pool(1);
        EXPECT_EQ(pool.apply(threads), share);
    }
    {
        mp::Pool pool({.processes = 1, .inner_threads = 3});
        EXPECT_EQ(pool.apply(threads), 3);
    }
    EXPECT_EQ(omp_threads, omp_cpus);
}

TEST_F(WorkerSurroundings, leave_what_the_program_has_told_openmp) {
    omp_threads = 7;
    mp::Pool pool({.processes = 1, .start_method = mp::start_method::fork});
    EXPECT_EQ(pool.apply([] { return omp_threads; }), 7);
    mp::Pool other({.processes = 1, .start_method = mp::start_method::fork, .inner_threads = 3});
    EXPECT_EQ(other.apply([] { return omp_threads; }), 3);
    omp_threads = omp_cpus;
}

}  // namespace worker_surroundings_test

extern "C" {
void omp_set_num_threads(int n) { worker_surroundings_test::omp_threads = n; }
int omp_get_max_threads() { return worker_surroundings_test::omp_threads; }
int omp_get_num_procs() { return worker_surroundings_test::omp_cpus; }
}
