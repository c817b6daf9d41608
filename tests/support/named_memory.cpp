// SPDX-License-Identifier: MIT
// Which names in /dev/shm the processes of this test program have given: other programs' names come and go
// beside.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

#include "support/leftovers.hpp"

namespace test {
namespace {

constexpr const char* names_variable = "PROCPOOL_TESTS_NAMES";  // the path of the list, for all processes

/// A file without a name, which the first process keeps open: a line for each name.
const std::string& list_of_names() {
    static const std::string path = [] {
        if (const char* const given = std::getenv(names_variable)) return std::string(given);
        // Not closed by exec: like all that whoever runs the tests hands on, it isn't the library's.
        const int file = ::memfd_create("names-in-dev-shm", 0);
        std::string made = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file);
        if (file < 0 || ::setenv(names_variable, made.c_str(), 1) != 0)
            throw std::runtime_error("no memory for the list of names in /dev/shm");
        return made;
    }();
    return path;
}
// Before a test begins, which must not find one descriptor more at its end.
[[maybe_unused]] const std::string& made_at_the_start = list_of_names();

}  // namespace

std::set<std::string> named_shared_memory() {
    std::set<std::string> found;
    std::ifstream names(list_of_names());
    for (std::string name; std::getline(names, name);)
        if (::access(("/dev/shm/" + name).c_str(), F_OK) == 0) found.insert(name);
    return found;
}

}  // namespace test

/// Takes precedence over the C library's, also for libraries; over this one, that of a program that makes
/// calls fail.
extern "C" [[gnu::weak]] int shm_open(const char* name, int how, mode_t mode) {
    static const auto open_it =
        reinterpret_cast<int (*)(const char*, int, mode_t)>(::dlsym(RTLD_NEXT, "shm_open"));
    const int file = open_it(name, how, mode);
    if (file < 0 || (how & O_CREAT) == 0) return file;
    std::string line(name);
    line.erase(0, line.find_first_not_of('/')).push_back('\n');
    const int list = ::open(test::list_of_names().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (list < 0 || ::write(list, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        std::abort();
    ::close(list);
    return file;
}
