// SPDX-License-Identifier: MIT
// What is called of Windows, declared here so that no program gets <windows.h> and its macros by a header of
// this library. Where a program includes that, too, these are the same functions.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_API_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_API_HPP

#include <cstddef>
#include <cstdint>

struct _BY_HANDLE_FILE_INFORMATION;
struct _EXCEPTION_POINTERS;
struct _FILETIME;
struct _MEMORY_BASIC_INFORMATION;
struct _MEMORYSTATUSEX;
struct _OVERLAPPED;
struct _OVERLAPPED_ENTRY;
struct _PROC_THREAD_ATTRIBUTE_LIST;
struct _PROCESS_INFORMATION;
struct _SECURITY_ATTRIBUTES;
struct _STARTUPINFOW;
struct _SYSTEM_INFO;
struct HINSTANCE__;

#define PROCPOOL_WINAPI(type) __declspec(dllimport) type __stdcall

extern "C" {

PROCPOOL_WINAPI(int) CancelIoEx(void*, _OVERLAPPED*);
PROCPOOL_WINAPI(int) CloseHandle(void*);
PROCPOOL_WINAPI(void*) CreateEventW(_SECURITY_ATTRIBUTES*, int, int, const wchar_t*);
PROCPOOL_WINAPI(void*)
CreateFileMappingW(void*, _SECURITY_ATTRIBUTES*, unsigned long, unsigned long, unsigned long, const wchar_t*);
PROCPOOL_WINAPI(void*)
CreateFileW(const wchar_t*, unsigned long, unsigned long, _SECURITY_ATTRIBUTES*, unsigned long, unsigned long,
            void*);
PROCPOOL_WINAPI(void*) CreateIoCompletionPort(void*, void*, unsigned long long, unsigned long);
PROCPOOL_WINAPI(void*) CreateJobObjectW(_SECURITY_ATTRIBUTES*, const wchar_t*);
PROCPOOL_WINAPI(void*) CreateMutexW(_SECURITY_ATTRIBUTES*, int, const wchar_t*);
PROCPOOL_WINAPI(void*)
CreateNamedPipeW(const wchar_t*, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long,
                 unsigned long, _SECURITY_ATTRIBUTES*);
PROCPOOL_WINAPI(int)
CreateProcessW(const wchar_t*, wchar_t*, _SECURITY_ATTRIBUTES*, _SECURITY_ATTRIBUTES*, int, unsigned long,
               void*, const wchar_t*, _STARTUPINFOW*, _PROCESS_INFORMATION*);
PROCPOOL_WINAPI(void*) CreateSemaphoreW(_SECURITY_ATTRIBUTES*, long, long, const wchar_t*);
PROCPOOL_WINAPI(void*)
CreateThread(_SECURITY_ATTRIBUTES*, unsigned long long, unsigned long(__stdcall*)(void*), void*,
             unsigned long, unsigned long*);
PROCPOOL_WINAPI(void) DeleteProcThreadAttributeList(_PROC_THREAD_ATTRIBUTE_LIST*);
PROCPOOL_WINAPI(int) DuplicateHandle(void*, void*, void*, void**, unsigned long, int, unsigned long);
PROCPOOL_WINAPI(unsigned long) FlsAlloc(void(__stdcall*)(void*));
PROCPOOL_WINAPI(void*) FlsGetValue(unsigned long);
PROCPOOL_WINAPI(int) FlsSetValue(unsigned long, void*);
PROCPOOL_WINAPI(int) FreeEnvironmentStringsW(wchar_t*);
PROCPOOL_WINAPI(unsigned long) GetActiveProcessorCount(unsigned short);
PROCPOOL_WINAPI(wchar_t*) GetCommandLineW();
PROCPOOL_WINAPI(int) GetComputerNameW(wchar_t*, unsigned long*);
PROCPOOL_WINAPI(int) GetConsoleMode(void*, unsigned long*);
PROCPOOL_WINAPI(void*) GetCurrentProcess();
PROCPOOL_WINAPI(unsigned long) GetCurrentProcessId();
PROCPOOL_WINAPI(void*) GetCurrentThread();
PROCPOOL_WINAPI(unsigned long) GetCurrentThreadId();
PROCPOOL_WINAPI(wchar_t*) GetEnvironmentStringsW();
PROCPOOL_WINAPI(int) GetExitCodeProcess(void*, unsigned long*);
PROCPOOL_WINAPI(unsigned long) GetFileAttributesW(const wchar_t*);
PROCPOOL_WINAPI(int) GetFileInformationByHandle(void*, _BY_HANDLE_FILE_INFORMATION*);
PROCPOOL_WINAPI(unsigned long) GetFileType(void*);
PROCPOOL_WINAPI(unsigned long) GetFullPathNameW(const wchar_t*, unsigned long, wchar_t*, wchar_t**);
PROCPOOL_WINAPI(unsigned long) GetLastError();
PROCPOOL_WINAPI(unsigned long) GetModuleFileNameW(HINSTANCE__*, wchar_t*, unsigned long);
PROCPOOL_WINAPI(int) GetModuleHandleExW(unsigned long, const wchar_t*, HINSTANCE__**);
PROCPOOL_WINAPI(HINSTANCE__*) GetModuleHandleW(const wchar_t*);
PROCPOOL_WINAPI(int) GetNamedPipeClientProcessId(void*, unsigned long*);
PROCPOOL_WINAPI(int) GetNamedPipeServerProcessId(void*, unsigned long*);
PROCPOOL_WINAPI(int)
GetNamedPipeInfo(void*, unsigned long*, unsigned long*, unsigned long*, unsigned long*);
PROCPOOL_WINAPI(int) GetOverlappedResult(void*, _OVERLAPPED*, unsigned long*, int);
PROCPOOL_WINAPI(void*) GetProcessHeap();
PROCPOOL_WINAPI(int) GetProcessAffinityMask(void*, unsigned long long*, unsigned long long*);
PROCPOOL_WINAPI(int) GetProcessTimes(void*, _FILETIME*, _FILETIME*, _FILETIME*, _FILETIME*);
PROCPOOL_WINAPI(int)
GetQueuedCompletionStatusEx(void*, _OVERLAPPED_ENTRY*, unsigned long, unsigned long*, unsigned long, int);
PROCPOOL_WINAPI(void*) GetStdHandle(unsigned long);
PROCPOOL_WINAPI(void) GetSystemInfo(_SYSTEM_INFO*);
PROCPOOL_WINAPI(int) GlobalMemoryStatusEx(_MEMORYSTATUSEX*);
PROCPOOL_WINAPI(unsigned long long) HeapCompact(void*, unsigned long);
PROCPOOL_WINAPI(int)
InitializeProcThreadAttributeList(_PROC_THREAD_ATTRIBUTE_LIST*, unsigned long, unsigned long,
                                  unsigned long long*);
PROCPOOL_WINAPI(int) K32EnumProcessModules(void*, HINSTANCE__**, unsigned long, unsigned long*);
PROCPOOL_WINAPI(HINSTANCE__*) LoadLibraryExW(const wchar_t*, void*, unsigned long);
PROCPOOL_WINAPI(void*)
MapViewOfFile(void*, unsigned long, unsigned long, unsigned long, unsigned long long);
PROCPOOL_WINAPI(int)
MultiByteToWideChar(unsigned int, unsigned long, const char*, int, wchar_t*, int);
PROCPOOL_WINAPI(void*) OpenFileMappingW(unsigned long, int, const wchar_t*);
PROCPOOL_WINAPI(void*) OpenProcess(unsigned long, int, unsigned long);
PROCPOOL_WINAPI(int)
PeekNamedPipe(void*, void*, unsigned long, unsigned long*, unsigned long*, unsigned long*);
PROCPOOL_WINAPI(int) PostQueuedCompletionStatus(void*, unsigned long, unsigned long long, _OVERLAPPED*);
PROCPOOL_WINAPI(int) ReadFile(void*, void*, unsigned long, unsigned long*, _OVERLAPPED*);
PROCPOOL_WINAPI(int)
RegisterWaitForSingleObject(void**, void*, void(__stdcall*)(void*, unsigned char), void*, unsigned long,
                            unsigned long);
PROCPOOL_WINAPI(int) ReleaseMutex(void*);
PROCPOOL_WINAPI(int) ReleaseSemaphore(void*, long, long*);
PROCPOOL_WINAPI(unsigned long) ResumeThread(void*);
PROCPOOL_WINAPI(int) SetConsoleCtrlHandler(int(__stdcall*)(unsigned long), int);
PROCPOOL_WINAPI(int) SetCurrentDirectoryW(const wchar_t*);
PROCPOOL_WINAPI(int) SetEnvironmentVariableW(const wchar_t*, const wchar_t*);
PROCPOOL_WINAPI(unsigned int) SetErrorMode(unsigned int);
PROCPOOL_WINAPI(int) SetEvent(void*);
PROCPOOL_WINAPI(int) SetPriorityClass(void*, unsigned long);
PROCPOOL_WINAPI(int) SetProcessAffinityMask(void*, unsigned long long);
PROCPOOL_WINAPI(unsigned long long) SetThreadAffinityMask(void*, unsigned long long);
PROCPOOL_WINAPI(int) SetThreadPriority(void*, int);
PROCPOOL_WINAPI(int) SetThreadStackGuarantee(unsigned long*);
PROCPOOL_WINAPI(int) SetFileCompletionNotificationModes(void*, unsigned char);
using procpool_exception_filter = long(__stdcall*)(_EXCEPTION_POINTERS*);
PROCPOOL_WINAPI(procpool_exception_filter) SetUnhandledExceptionFilter(procpool_exception_filter);
PROCPOOL_WINAPI(void) Sleep(unsigned long);
PROCPOOL_WINAPI(int) TerminateJobObject(void*, unsigned int);
PROCPOOL_WINAPI(int) TerminateProcess(void*, unsigned int);
PROCPOOL_WINAPI(int) UnmapViewOfFile(const void*);
PROCPOOL_WINAPI(int) UnregisterWaitEx(void*, void*);
PROCPOOL_WINAPI(int)
UpdateProcThreadAttribute(_PROC_THREAD_ATTRIBUTE_LIST*, unsigned long, unsigned long long, void*,
                          unsigned long long, void*, unsigned long long*);
PROCPOOL_WINAPI(void*) VirtualAlloc(void*, unsigned long long, unsigned long, unsigned long);
PROCPOOL_WINAPI(unsigned long long)
VirtualQuery(const void*, _MEMORY_BASIC_INFORMATION*, unsigned long long);
PROCPOOL_WINAPI(unsigned long) WaitForMultipleObjects(unsigned long, void* const*, int, unsigned long);
PROCPOOL_WINAPI(unsigned long) WaitForSingleObject(void*, unsigned long);
PROCPOOL_WINAPI(int)
WideCharToMultiByte(unsigned int, unsigned long, const wchar_t*, int, char*, int, const char*, int*);
PROCPOOL_WINAPI(int) WriteFile(void*, const void*, unsigned long, unsigned long*, _OVERLAPPED*);
using procpool_any_function = long long(__stdcall*)();
PROCPOOL_WINAPI(procpool_any_function) GetProcAddress(HINSTANCE__*, const char*);

}  // extern "C"

#undef PROCPOOL_WINAPI

namespace procpool::inline v0_1::detail::os::api {

// ---- structures, laid out as those of the system; pointers to them are passed by as()

struct overlapped {
    std::uintptr_t status = 0;
    std::uintptr_t bytes = 0;
    std::uint32_t offset = 0;
    std::uint32_t offset_high = 0;
    void* event = nullptr;
};

struct overlapped_entry {
    std::uintptr_t key;
    overlapped* operation;
    std::uintptr_t internal;
    std::uint32_t bytes;
};

struct file_time {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    /// In 100 ns.
    std::uint64_t value() const noexcept { return std::uint64_t{high} << 32 | low; }
};

struct file_information {
    std::uint32_t attributes;
    file_time created, accessed, written;
    std::uint32_t volume, size_high, size_low, links, index_high, index_low;
};

struct memory_information {
    void* base;
    void* allocation_base;
    std::uint32_t allocation_protection;
    std::uint32_t partition;
    std::uint64_t size;
    std::uint32_t state, protection, type, padding;
};

struct memory_status {
    std::uint32_t size, load;
    std::uint64_t physical, physical_left, commit_limit, commit_left, addresses, addresses_left, extended;
};

struct process_memory {
    std::uint32_t size, faults;
    std::uint64_t peak_working_set, working_set, peak_paged_pool, paged_pool, peak_other_pool, other_pool,
        pagefile, peak_pagefile, private_bytes;
};

struct startup_information {
    std::uint32_t size, padding;
    wchar_t *reserved, *desktop, *title;
    std::uint32_t x, y, width, height, columns, rows, fill, flags;
    std::uint16_t show, reserved_size;
    std::uint8_t* reserved_bytes;
    void *input, *output, *error;
    void* attributes;
};

struct process_information {
    void *process, *thread;
    std::uint32_t pid, thread_id;
};

struct system_information {
    std::uint32_t architecture, page_size;
    void *lowest, *highest;
    std::uint64_t processors;
    std::uint32_t processor_count, type, granularity;
    std::uint16_t level, revision;
};

struct job_limits {
    std::int64_t process_time, job_time;
    std::uint32_t flags, padding;
    std::uint64_t least_working_set, most_working_set;
    std::uint32_t most_processes, padding_2;
    std::uint64_t affinity;
    std::uint32_t priority, scheduling;
    std::uint64_t io[6];
    std::uint64_t process_memory, job_memory, peak_process_memory, peak_job_memory;
};

struct exception_record {
    std::uint32_t code, flags;
    exception_record* inner;
    void* address;
};

/// The registers of a thread on x86-64; only these two have names here.
struct alignas(16) context {
    std::byte before_rsp[0x98];
    std::uint64_t rsp;
    std::byte before_rip[0xF8 - 0xA0];
    std::uint64_t rip;
    std::byte rest[1232 - 0x100];
};
static_assert(sizeof(context) == 1232);

struct exception_pointers {
    exception_record* record;
    context* registers;
};

/// The same object under the system's name for its type.
template <class To, class From>
To* as(From* from) noexcept {
    return reinterpret_cast<To*>(from);
}
inline _OVERLAPPED* as_overlapped(overlapped* one) noexcept { return as<_OVERLAPPED>(one); }

/// A function whose parameters have types that can't be declared beside the system's headers.
template <class F>
F* function_of(const wchar_t* library, const char* name) noexcept {
    HINSTANCE__* const module = ::GetModuleHandleW(library);
    return module ? reinterpret_cast<F*>(reinterpret_cast<void*>(::GetProcAddress(module, name))) : nullptr;
}

// ---- numbers

inline void* const invalid_handle = reinterpret_cast<void*>(std::intptr_t{-1});
inline constexpr unsigned long infinite = 0xFFFFFFFF;
inline constexpr unsigned long wait_object = 0, wait_abandoned = 0x80, wait_timeout = 258;
inline constexpr unsigned int utf8 = 65001;

inline constexpr unsigned long error_file_not_found = 2, error_path_not_found = 3, error_too_many_open = 4,
                               error_access_denied = 5, error_invalid_handle = 6, error_not_enough_memory = 8,
                               error_out_of_memory = 14, error_not_supported = 50, error_file_exists = 80,
                               error_invalid_parameter = 87, error_broken_pipe = 109, error_disk_full = 112,
                               error_bad_pathname = 161, error_already_exists = 183, error_pipe_busy = 231,
                               error_no_data = 232, error_pipe_not_connected = 233, error_more_data = 234,
                               error_operation_aborted = 995, error_io_pending = 997,
                               error_no_system_resources = 1450, error_commitment_limit = 1455,
                               error_directory = 267;

inline constexpr unsigned long generic_read = 0x80000000, generic_write = 0x40000000;
inline constexpr unsigned long share_all = 7;
inline constexpr unsigned long create_always = 2, open_existing = 3;
inline constexpr unsigned long attribute_normal = 0x80, attribute_directory = 0x10,
                               invalid_attributes = 0xFFFFFFFF;
inline constexpr unsigned long flag_overlapped = 0x40000000, flag_first_instance = 0x00080000,
                               security_anonymous = 0x00100000;
inline constexpr unsigned long pipe_inbound = 1, pipe_outbound = 2, pipe_duplex = 3;
inline constexpr unsigned long pipe_message = 4, pipe_read_messages = 2, pipe_reject_remote = 8,
                               pipe_server_end = 1;
inline constexpr unsigned long duplicate_same_access = 2;
inline constexpr unsigned long type_disk = 1, type_char = 2, type_pipe = 3;

inline constexpr unsigned long page_read_only = 2, page_read_write = 4, page_no_access = 1,
                               page_guard = 0x100, page_executable = 0xF0;
inline constexpr unsigned long section_reserve = 0x04000000, section_commit = 0x08000000;
inline constexpr unsigned long map_write = 2, map_read = 4;
inline constexpr unsigned long mem_commit = 0x1000, mem_image = 0x1000000, mem_mapped = 0x40000;

inline constexpr unsigned long process_terminate = 1, process_duplicate = 0x40, process_query = 0x1000,
                               process_synchronize = 0x00100000;
inline constexpr unsigned long create_suspended = 4, create_unicode_environment = 0x400,
                               create_extended_startup = 0x00080000;
/// PROC_THREAD_ATTRIBUTE_JOB_LIST
inline constexpr unsigned long long attribute_job_list = 0x0002000D;
inline constexpr int job_extended_limits = 9;
inline constexpr std::uint32_t job_process_memory = 0x100, job_kill_on_close = 0x2000;

inline constexpr unsigned long module_from_address = 4, module_keep_count = 2, load_altered_path = 8;

}  // namespace procpool::inline v0_1::detail::os::api

#endif
