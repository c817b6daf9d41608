// SPDX-License-Identifier: MIT
// As ../support/shared.cpp: memory that fresh runs of the test program find by a name.
#include "support/shared.hpp"

#include <windows.h>

#include <cstdlib>
#include <string>

#include "procpool/detail/zygote/windows/exec.hpp"

namespace test {
namespace {

constexpr std::size_t most = 1 << 20;
constexpr const char* variable = "PROCPOOL_TESTS_MEMORY";

std::byte* map_memory() {
    std::string name = "Local\\procpool-tests-" + std::to_string(::GetCurrentProcessId());
    if (is_fresh_run()) {
        const char* const known = std::getenv(variable);
        name = known ? known : "";
    } else {
        ::_putenv_s(variable, name.c_str());
    }
    // It stays open, so that the name leads there.
    const HANDLE section = is_fresh_run() ? ::OpenFileMappingA(FILE_MAP_ALL_ACCESS, FALSE, name.c_str())
                                          : ::CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr,
                                                                 PAGE_READWRITE, 0, most, name.c_str());
    void* const at = section ? ::MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, most) : nullptr;
    if (!at) throw std::runtime_error("no memory to share with workers");
    return static_cast<std::byte*>(at);
}

std::size_t taken = 0;

}  // namespace

bool is_fresh_run() {
    static const bool fresh = procpool::detail::zygote::birth_name().has_value();
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
