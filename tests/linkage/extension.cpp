// SPDX-License-Identifier: MIT
// An extension of a program that is somebody else's: its workers are fresh runs of another executable.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "procpool/freeze_support.hpp"
#include "procpool/pool.hpp"
#include "procpool/process.hpp"
#include "procpool/register_exception.hpp"
#include "procpool/set_executable.hpp"
#include "support/engine.hpp"

namespace {

namespace mp = procpool;

int problems = 0;
void expect(bool good, const std::string& what) {
    if (good) return;
    std::fprintf(stderr, "not so: %s\n", what.c_str());
    ++problems;
}
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

struct own_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};
const bool registered = mp::register_exception<own_error>();

int initialized = 0;
void initialize(int value) { initialized = value; }
int plus(int x) {
    if (x < 0) throw own_error("negative");
    return x + initialized;
}

void use_pools(const std::string& executable, long (*in_plugin)(long), int (*of_the_host)(int),
               bool is_host) {
    for (const auto how :
         {mp::start_method::automatic, mp::start_method::forkserver, mp::start_method::spawn}) {
        const std::string way = executable + ", method " + std::to_string(static_cast<int>(how)) + ": ";
        mp::Pool pool({.processes = 2, .start_method = how}, initialize, 10);
        expect(pool.map(plus, std::vector{1, 2}) == std::vector{11, 12}, way + "map");
        expect(pool.apply([in_plugin](long x) { return in_plugin(x); }, 3L) == in_plugin(3),
               way + "a plugin's");
        expect(error_of([&] { pool.apply(plus, -1); }) == "negative", way + "its own exception");
        try {
            pool.apply(plus, -1);
        } catch (const own_error&) {
        } catch (...) {
            expect(false, way + "the exception's type");
        }
        expect(error_of([&] { pool.apply([] { ::_exit(3); }); }).starts_with("procpool: worker "),
               way + "a death");
        expect(pool.apply(plus, 5) == 15, way + "its replacement");
        const std::string with_host = error_of([&] { pool.apply(of_the_host, 1); });
        expect(has(with_host, is_host ? "nothing was thrown" : "workers run another executable"),
               way + "a function of the host: " + with_host);
        const auto file = pool.apply([] { return std::filesystem::read_symlink("/proc/self/exe").string(); });
        expect(file == std::filesystem::canonical(executable).string(), way + "runs " + file);
        mp::Process process({.start_method = how}, [] {});
        process.start();
        process.join();
        expect(process.exitcode() == 0, way + "a Process");
    }
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
