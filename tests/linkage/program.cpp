// SPDX-License-Identifier: MIT
// Sends functions of the program, of a linked library and of plugins to workers of each start method.
// Usage: program DIRECTORY (or: program DIRECTORY no-plugins)
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "procpool/detail/os/module.hpp"
#include "procpool/freeze_support.hpp"
#include "procpool/pool.hpp"
#include "support/engine.hpp"

extern "C" long times_in_library(long x);

namespace {

namespace mp = procpool;
namespace fs = std::filesystem;
using function = long(long);

int problems = 0;
void expect(bool good, const std::string& what) {
    if (good) return;
    std::fprintf(stderr, "not so: %s\n", what.c_str());
    ++problems;
}

struct late {
    long value = 100;
    ~late() { value = 0; }
} constructed_before_main;

long plus_global(long x) { return x + constructed_before_main.value; }
template <int N>
long plus(long x) {
    return x + N;
}

function* load(const fs::path& file, const char* name) {
    void* const handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        std::fprintf(stderr, "%s\n", ::dlerror());
        std::exit(2);
    }
    return reinterpret_cast<function*>(::dlsym(handle, name));
}

template <class F>
void expect_works(mp::Pool& pool, F task, long result, const std::string& what) {
    try {
        expect(pool.map(task, std::vector<long>{1, 2}).at(1) == result, what);
    } catch (const std::exception& error) {
        expect(false, what + ": " + error.what());
    }
}

void expect_refusal(mp::Pool& pool, function* task, const std::vector<std::string>& words) {
    try {
        pool.apply(task, 1L);
        expect(false, "a refusal with " + words.front());
    } catch (const mp::SerializationError& error) {
        for (const std::string& word : words)
            expect(std::string(error.what()).find(word) != std::string::npos, word + " in: " + error.what());
    }
}

void use_own_functions(mp::Pool& pool) {
    expect_works(pool, plus_global, 102, "a function");
    expect_works(pool, &plus<5>, 7, "an instance of a template");
    const long captured = 3;
    expect_works(pool, [captured](long x) { return captured * x; }, 6, "a lambda");
    expect_works(pool, &times_in_library, 20, "a function of a library");
}

void use_plugins(const fs::path& directory, mp::start_method method) {
    function* const before = load(directory / "before.so", "in_plugin");
    mp::Pool pool({.processes = 2, .start_method = method});
    expect_works(pool, before, 4, "a plugin that was loaded before the pool was made");
    function* const after = load(directory / "after.so", "in_plugin");
    expect_works(pool, after, 6, "a plugin that was loaded later");
}

/// Once, since what is loaded stays.
void refuse_what_differs(const fs::path& directory) {
    function* const old = load(directory / "replaced.so", "in_plugin");
    function* const unnamed = load(directory / "without_id.so", "in_plugin");
    fs::rename(directory / "replacement.so", directory / "replaced.so");
    for (const auto method : {mp::start_method::forkserver, mp::start_method::spawn}) {
        mp::Pool pool({.processes = 1, .start_method = method});
        const auto build_id =
            mp::detail::os::locate_code(reinterpret_cast<std::uintptr_t>(old))->module.text();
        expect_refusal(pool, old, {"replaced.so is another build", "build id " + build_id});
        expect_refusal(pool, unnamed, {"without_id.so", "build id none"});
    }
}

}  // namespace

int main(int argc, char** argv) {
    mp::freeze_support(argc, argv);
    const bool plugins = argc == 2;
    const fs::path directory = fs::absolute(argv[1]);
    // It goes on working when its file is gone.
    fs::remove(fs::read_symlink("/proc/self/exe"));
    for (const auto method :
         {mp::start_method::fork, mp::start_method::forkserver, mp::start_method::spawn}) {
        mp::Pool pool({.processes = 2, .start_method = method});
        use_own_functions(pool);
        if (plugins) use_plugins(directory, method);
    }
    if (plugins) refuse_what_differs(directory);
    expect(argc == 2 || argc == 3, "the program has its own arguments");
    return problems == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
