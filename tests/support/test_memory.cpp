// SPDX-License-Identifier: MIT
#include "support/test_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "procpool/detail/zygote/exec.hpp"
#include "support/shared.hpp"

namespace test {

std::byte* map_test_memory() {
    int file = -1;
    if (is_fresh_run()) {
        const char* const path = std::getenv(test_memory_variable);
        file = path ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
    } else {
        file = ::open("/dev/shm", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        const std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file);
        if (file >= 0 && (::ftruncate(file, size_of_test_memory) != 0 ||
                          ::setenv(test_memory_variable, path.c_str(), 1) != 0))
            file = -1;
    }
    if (file < 0) throw std::runtime_error("no memory to share with workers");
    void* const at = ::mmap(nullptr, size_of_test_memory, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    // It stays open here, so that the path leads there.
    if (is_fresh_run()) ::close(file);
    return static_cast<std::byte*>(at);
}

bool is_fresh_run() {
    static const bool fresh = procpool::detail::zygote::birth_socket().has_value();
    return fresh;
}

}  // namespace test
