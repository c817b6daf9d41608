// SPDX-License-Identifier: MIT
// As ../support/leftovers.cpp. Handles have no names: who looks for leftovers counts them.
#include "support/leftovers.hpp"

#include <windows.h>
// Takes what is in the one before.
#include <tlhelp32.h>

#include "windows/calls.hpp"

namespace test {

std::vector<long> other_processes() {
    return windows::children_of(static_cast<long>(::GetCurrentProcessId()));
}

std::set<std::string> open_descriptors() {
    std::set<std::string> found;
    // GetProcessHandleCount() says 0 under Wine. The lowest free number is taken first.
    constexpr std::uintptr_t step = 4, longest_gap = 64 * step;
    for (std::uintptr_t number = step, last = 0; number < last + longest_gap; number += step) {
        DWORD flags = 0;
        if (!::GetHandleInformation(reinterpret_cast<HANDLE>(number), &flags)) continue;
        found.insert(std::to_string(number));
        last = number;
    }
    return found;
}
bool none_opened_since(const std::set<std::string>& before) {
    return open_descriptors().size() <= before.size() + windows::opened_once;
}

std::vector<std::string> memfd_mappings() { return {}; }
std::size_t memory_of_files(const std::string&) { return 0; }
std::set<std::string> named_shared_memory() { return {}; }

int threads() {
    int count = 0;
    const HANDLE all = ::CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    THREADENTRY32 one{};
    one.dwSize = sizeof one;
    for (BOOL more = ::Thread32First(all, &one); more; more = ::Thread32Next(all, &one))
        count += one.th32OwnerProcessID == ::GetCurrentProcessId();
    ::CloseHandle(all);
    return count;
}

}  // namespace test
