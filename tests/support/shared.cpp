// SPDX-License-Identifier: MIT
#include "support/shared.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "procpool/detail/zygote/exec.hpp"

namespace test {
namespace {

constexpr std::size_t most = 1 << 20;
constexpr const char* variable = "PROCPOOL_TESTS_MEMORY";  // its path, for fresh runs

std::byte* map_memory() {
    int file = -1;
    if (is_fresh_run()) {
        const char* const path = std::getenv(variable);
        file = path ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
    } else {
        file = ::open("/dev/shm", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        const std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file);
        if (file >= 0 && (::ftruncate(file, most) != 0 || ::setenv(variable, path.c_str(), 1) != 0))
            file = -1;
    }
    if (file < 0) throw std::runtime_error("no memory to share with workers");
    void* const at = ::mmap(nullptr, most, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    // It stays open here, so that the path leads there.
    if (is_fresh_run()) ::close(file);
    return static_cast<std::byte*>(at);
}

std::size_t taken = 0;

}  // namespace

bool is_fresh_run() {
    static const bool fresh = procpool::detail::zygote::birth_socket().has_value();
    return fresh;
}

std::byte* take_shared_memory(std::size_t size) {
    static std::byte* const memory = map_memory();
    if (most - taken < size) throw std::bad_alloc();
    taken += size;
    return memory + taken - size;
}

void give_shared_memory_back(std::size_t size) noexcept { taken -= size; }

}  // namespace test
