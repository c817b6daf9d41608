// SPDX-License-Identifier: MIT
// As ../support/test_memory.cpp: memory that fresh runs of the test program find by a name.
#include "support/test_memory.hpp"

#include <windows.h>

#include <cstdlib>
#include <string>

#include "procpool/detail/zygote/windows/exec.hpp"
#include "support/shared.hpp"
#include "windows/child.hpp"

namespace test {

std::byte* map_test_memory() {
    std::string name = "Local\\procpool-tests-" + std::to_string(::GetCurrentProcessId());
    if (is_fresh_run()) {
        const char* const known = std::getenv(test_memory_variable);
        name = known ? known : "";
    } else {
        ::_putenv_s(test_memory_variable, name.c_str());
    }
    // It stays open, so that the name leads there.
    const HANDLE section = is_fresh_run()
                               ? ::OpenFileMappingA(FILE_MAP_ALL_ACCESS, FALSE, name.c_str())
                               : ::CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0,
                                                      size_of_test_memory, name.c_str());
    void* const at =
        section ? ::MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, size_of_test_memory) : nullptr;
    if (!at) throw std::runtime_error("no memory to share with workers");
    return static_cast<std::byte*>(at);
}

bool is_fresh_run() {
    static const bool fresh = procpool::detail::zygote::birth_name().has_value() || windows::is_child();
    return fresh;
}

}  // namespace test
