// SPDX-License-Identifier: MIT
// An extension of a program that is somebody else's: its workers are fresh runs of another executable.
#include <dlfcn.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <thread>

#include "own_pools.hpp"
#include "procpool/freeze_support.hpp"
#include "procpool/pool.hpp"
#include "procpool/set_executable.hpp"
#include "support/engine.hpp"

namespace {

template <class Call>
std::string error_of(Call call) {
    try {
        call();
    } catch (const std::exception& error) {
        return error.what();
    }
    return "nothing was thrown";
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void use_pools(const std::string& executable, long (*in_plugin)(long), int (*of_the_host)(int),
               bool is_host) {
    const auto use = [&](mp::Pool& pool, const std::string& way) {
        expect(pool.apply([in_plugin](long x) { return in_plugin(x); }, 3L) == in_plugin(3),
               way + "a plugin's");
        expect(error_of([&] { pool.apply(plus, -1); }) == "negative", way + "what its own exception says");
        expect(error_of([&] { pool.apply(die); }).starts_with("procpool: worker "),
               way + "what a death's says");
        const std::string with_host = error_of([&] { pool.apply(of_the_host, 1); });
        expect(has(with_host, is_host ? "nothing was thrown" : "workers run another executable"),
               way + "a function of the host: " + with_host);
        const auto file = pool.apply([] { return std::filesystem::read_symlink("/proc/self/exe").string(); });
        expect(file == std::filesystem::canonical(executable).string(), way + "runs " + file);
    };
    make_pools(executable,
               {mp::start_method::automatic, mp::start_method::forkserver, mp::start_method::spawn}, use);
}

}  // namespace

extern "C" [[gnu::visibility("default")]] void live(int argc, char** argv) { mp::freeze_support(argc, argv); }

extern "C" [[gnu::visibility("default")]] int run(const char* host, const char* worker_program,
                                                  const char* plugin, int (*of_the_host)(int)) try {
    auto* const in_plugin =
        reinterpret_cast<long (*)(long)>(::dlsym(::dlopen(plugin, RTLD_NOW | RTLD_LOCAL), "in_plugin"));
    expect(has(error_of([] { mp::Pool pool({.start_method = mp::start_method::spawn}); }), "set_executable"),
           "the refusal says what to do");
    expect(has(error_of([] { mp::set_executable("/no/such/program"); }), "/no/such/program"),
           "a path that is none");

    mp::set_executable(worker_program);
    std::jthread beside([](const std::stop_token& stop) {  // where a fork would be refused
        while (!stop.stop_requested()) std::this_thread::yield();
    });
    use_pools(worker_program, in_plugin, of_the_host, false);

    Dl_info library{};
    ::dladdr(reinterpret_cast<void*>(&run), &library);
    mp::set_executable(host, {library.dli_fname, "live"});
    use_pools(host, in_plugin, of_the_host, true);
    return problems == 0 ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
