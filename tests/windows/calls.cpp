// SPDX-License-Identifier: MIT
#include "windows/calls.hpp"

#include <windows.h>
// Takes what is in the one before.
#include <tlhelp32.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>

namespace test::windows {
namespace {

// As POSIX numbers them.
constexpr int sig_segv = 11, sig_fpe = 8, sig_ill = 4, sig_abrt = 6, sig_bus = 7, sig_cont = 18,
              sig_stop = 19;
/// As the library tells by which signal a process was ended.
constexpr DWORD ended_by_signal = 0xE0500000;

std::mutex stopped_mutex;
std::set<long> stopped;  // by this process; nobody else can be asked

class process {
public:
    process(long pid, DWORD rights) : handle_(::OpenProcess(rights, FALSE, static_cast<DWORD>(pid))) {}
    process(const process&) = delete;
    process& operator=(const process&) = delete;
    ~process() {
        if (handle_) ::CloseHandle(handle_);
    }
    explicit operator bool() const { return handle_ != nullptr; }
    HANDLE get() const { return handle_; }

private:
    const HANDLE handle_;
};

bool has_ended(const process& one) { return ::WaitForSingleObject(one.get(), 0) == WAIT_OBJECT_0; }

/// Of ntdll, which has no header.
int call_of_ntdll(const char* name, HANDLE process) {
    using call = LONG(NTAPI*)(HANDLE);
    const auto found = reinterpret_cast<call>(
        reinterpret_cast<void (*)()>(::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), name)));
    return found && found(process) == 0 ? 0 : -1;
}

/// 0 if there is no such thread.
std::uint64_t cpu_time_of_thread(DWORD id) {
    const HANDLE thread = ::OpenThread(THREAD_QUERY_INFORMATION, FALSE, id);
    FILETIME begin, end, kernel, user;
    const bool known = thread && ::GetThreadTimes(thread, &begin, &end, &kernel, &user);
    if (thread) ::CloseHandle(thread);
    if (!known) return 0;
    const auto number = [](const FILETIME& time) {
        return std::uint64_t{time.dwHighDateTime} << 32 | time.dwLowDateTime;
    };
    return number(kernel) + number(user);
}

/// Of all its threads. Wine tells the time of who asks for that of another process.
std::uint64_t cpu_time_of_process(long pid) {
    std::uint64_t sum = 0;
    const HANDLE all = ::CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    THREADENTRY32 one{};
    one.dwSize = sizeof one;
    for (BOOL more = ::Thread32First(all, &one); more; more = ::Thread32Next(all, &one))
        if (static_cast<long>(one.th32OwnerProcessID) == pid) sum += cpu_time_of_thread(one.th32ThreadID);
    ::CloseHandle(all);
    return sum;
}

}  // namespace

long current_thread() { return static_cast<long>(::GetCurrentThreadId()); }

template <class Visit>
void for_each_process(Visit visit) {
    const HANDLE all = ::CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32W one{};
    one.dwSize = sizeof one;
    for (BOOL more = ::Process32FirstW(all, &one); more; more = ::Process32NextW(all, &one))
        visit(static_cast<long>(one.th32ProcessID), static_cast<long>(one.th32ParentProcessID));
    ::CloseHandle(all);
}
long parent_of(long pid) {
    long parent = 0;
    for_each_process([&](long one, long its) {
        if (one == pid) parent = its;
    });
    return parent;
}
std::vector<long> children_of(long parent) {
    std::vector<long> found;
    for_each_process([&](long one, long its) {
        if (its == parent) found.push_back(one);
    });
    std::ranges::sort(found);
    return found;
}

int sleep_for_ever() {
    ::Sleep(INFINITE);
    return 0;
}
void sleep_for(unsigned int milliseconds) { ::Sleep(milliseconds); }

long not_there(const char* call) { throw std::runtime_error(std::string(call) + ": not on Windows"); }

namespace {
std::size_t mapped_before = 0;  // what is the system's, and the tests' own
std::size_t all_mapped_sections() {
    std::size_t count = 0;
    MEMORY_BASIC_INFORMATION one{};
    const void* last = nullptr;
    for (const char* at = nullptr; ::VirtualQuery(at, &one, sizeof one) != 0;
         at = static_cast<const char*>(one.BaseAddress) + one.RegionSize) {
        if (one.Type != MEM_MAPPED || one.AllocationProtect != PAGE_READWRITE || one.AllocationBase == last)
            continue;
        last = one.AllocationBase;
        ++count;
    }
    return count;
}
}  // namespace
std::size_t mapped_sections() { return all_mapped_sections() - mapped_before; }
void count_sections_from_here() { mapped_before = all_mapped_sections(); }
bool is_in_section(const void* address) {
    MEMORY_BASIC_INFORMATION one{};
    return ::VirtualQuery(address, &one, sizeof one) != 0 && one.Type == MEM_MAPPED;
}
bool is_section(const std::string& name) {
    const HANDLE section = ::OpenFileMappingA(FILE_MAP_READ, FALSE, name.c_str());
    if (section) ::CloseHandle(section);
    return section != nullptr;
}

unsigned long long own_cpus() {
    DWORD_PTR own = 0, all = 0;
    return ::GetProcessAffinityMask(::GetCurrentProcess(), &own, &all) ? own : 0;
}
int use_cpus(unsigned long long which) {
    return ::SetProcessAffinityMask(::GetCurrentProcess(), which) ? 0 : -1;
}
int this_cpu() { return static_cast<int>(::GetCurrentProcessorNumber()); }

int send_signal(long pid, int signal) {
    const process one(pid, PROCESS_TERMINATE | PROCESS_SUSPEND_RESUME | SYNCHRONIZE);
    if (!one || has_ended(one)) {
        errno = ESRCH;
        return -1;
    }
    if (signal == 0) return 0;
    if (signal == sig_stop || signal == sig_cont) {
        const std::lock_guard lock(stopped_mutex);
        // It counts: what is stopped twice must be let go twice.
        if (signal == sig_stop)
            return stopped.insert(pid).second ? call_of_ntdll("NtSuspendProcess", one.get()) : 0;
        return stopped.erase(pid) != 0 ? call_of_ntdll("NtResumeProcess", one.get()) : 0;
    }
    return ::TerminateProcess(one.get(), ended_by_signal | static_cast<DWORD>(signal)) ? 0 : -1;
}

void crash_quietly() {
    ::SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
    ::SetUnhandledExceptionFilter([](EXCEPTION_POINTERS* exception) -> LONG {
        ::TerminateProcess(::GetCurrentProcess(), exception->ExceptionRecord->ExceptionCode);
        return EXCEPTION_EXECUTE_HANDLER;
    });
}

void end_this_process() { ::TerminateProcess(::GetCurrentProcess(), 96); }

int raise_signal(int signal) {
    switch (signal) {
        case sig_segv: ::RaiseException(EXCEPTION_ACCESS_VIOLATION, 0, 0, nullptr); break;
        case sig_bus: ::RaiseException(EXCEPTION_IN_PAGE_ERROR, 0, 0, nullptr); break;
        case sig_fpe: ::RaiseException(EXCEPTION_INT_DIVIDE_BY_ZERO, 0, 0, nullptr); break;
        case sig_ill: ::RaiseException(EXCEPTION_ILLEGAL_INSTRUCTION, 0, 0, nullptr); break;
        case sig_abrt: std::abort();
        default: break;
    }
    return send_signal(static_cast<long>(::GetCurrentProcessId()), signal);
}

namespace {
bool is_thread(long id) {
    const HANDLE thread = ::OpenThread(THREAD_QUERY_INFORMATION, FALSE, static_cast<DWORD>(id));
    if (thread) ::CloseHandle(thread);
    return thread != nullptr;
}

/// Whether the CPU time that is told stays as it is.
template <class Time>
char sleeps(Time cpu_time) {
    constexpr DWORD a_while = 60;
    const std::uint64_t before = cpu_time();
    ::Sleep(a_while);
    return cpu_time() == before ? 'S' : 'R';
}
}  // namespace

char state_of(long id) {
    const process one(id, PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE);
    if (!one) {
        if (!is_thread(id)) return 'X';
        return sleeps([id] { return cpu_time_of_thread(static_cast<DWORD>(id)); });
    }
    if (has_ended(one)) return 'Z';
    {
        const std::lock_guard lock(stopped_mutex);
        if (stopped.contains(id)) return 'T';
    }
    return sleeps([id] { return cpu_time_of_process(id); });
}

}  // namespace test::windows

/// Takes precedence over the C library's, which ends the process with exit code 3, whatever the signal is.
extern "C" int raise(int signal) { return test::windows::raise_signal(signal); }
