// SPDX-License-Identifier: MIT
#include "windows/child.hpp"

#include <windows.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <set>
#include <stdexcept>
#include <vector>

#include "support/wait.hpp"
#include "windows/calls.hpp"

namespace test::windows {
namespace {

struct call {
    std::uint64_t offset;  // of the function, in the program
    std::uint64_t size;
};

std::atomic<unsigned> started{0};
std::mutex running_mutex;
std::set<long> running;  // children that this process has
constexpr std::string_view argument = " --procpool-tests-child=";

std::string name_of_call() {
    const std::string line = ::GetCommandLineA();
    const auto at = line.rfind(argument);
    return at == line.npos ? std::string() : line.substr(at + argument.size());
}
std::uintptr_t base_of_program() { return reinterpret_cast<std::uintptr_t>(::GetModuleHandleW(nullptr)); }

[[noreturn]] void fail(const char* what) {
    throw std::runtime_error(std::string(what) + ": error " + std::to_string(::GetLastError()));
}
HANDLE as_handle(int number) { return reinterpret_cast<HANDLE>(static_cast<std::intptr_t>(number)); }

std::string event_name(long pid) { return "Local\\procpool-tests-begun-" + std::to_string(pid); }

/// A handle that another process has, here.
class copied {
public:
    explicit copied(pipe_end which) {
        const HANDLE owner = ::OpenProcess(PROCESS_DUP_HANDLE, FALSE, static_cast<DWORD>(which.process));
        ::DuplicateHandle(owner, as_handle(which.file), ::GetCurrentProcess(), &handle_, 0, FALSE,
                          DUPLICATE_SAME_ACCESS);
        if (owner) ::CloseHandle(owner);
    }
    copied(const copied&) = delete;
    copied& operator=(const copied&) = delete;
    ~copied() {
        if (handle_) ::CloseHandle(handle_);
    }
    HANDLE get() const { return handle_; }

private:
    HANDLE handle_ = nullptr;
};

}  // namespace

bool is_child() {
    static const bool is = !name_of_call().empty();
    return is;
}

void run_as_child() {
    if (!is_child()) return;
    const HANDLE section = ::OpenFileMappingA(FILE_MAP_READ, FALSE, name_of_call().c_str());
    const void* const at = section ? ::MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0) : nullptr;
    if (!at) std::_Exit(98);
    const auto& sent = *static_cast<const call*>(at);
    auto* const main = reinterpret_cast<child_main*>(base_of_program() + sent.offset);
    // It stays open until this process ends.
    ::CreateEventA(nullptr, TRUE, TRUE, event_name(static_cast<long>(::GetCurrentProcessId())).c_str());
    count_sections_from_here();
    int code = 99;
    try {
        code = main({reinterpret_cast<const std::byte*>(&sent + 1), static_cast<std::size_t>(sent.size)});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "child program: %s\n", error.what());
    }
    std::fflush(nullptr);
    std::_Exit(code);
}

bool has_begun(long pid) {
    {
        const std::lock_guard lock(running_mutex);
        if (!running.contains(pid)) return true;
    }
    const HANDLE event = ::OpenEventA(SYNCHRONIZE, FALSE, event_name(pid).c_str());
    if (event) ::CloseHandle(event);
    return event != nullptr;
}

child::child(child_main* main, std::span<const std::byte> sent) {
    const std::string name = "Local\\procpool-tests-child-" + std::to_string(::GetCurrentProcessId()) + "-" +
                             std::to_string(started++);
    section_ = ::CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0,
                                    static_cast<DWORD>(sizeof(call) + sent.size()), name.c_str());
    if (!section_) fail("CreateFileMapping");
    auto* const to = static_cast<call*>(::MapViewOfFile(section_, FILE_MAP_WRITE, 0, 0, 0));
    if (!to) fail("MapViewOfFile");
    *to = {reinterpret_cast<std::uintptr_t>(main) - base_of_program(), sent.size()};
    if (!sent.empty()) std::memcpy(to + 1, sent.data(), sent.size());
    ::UnmapViewOfFile(to);

    SECURITY_ATTRIBUTES inherited{sizeof inherited, nullptr, TRUE};
    HANDLE errors = nullptr;
    if (!::CreatePipe(&errors_, &errors, &inherited, 64 * 1024)) fail("CreatePipe");
    ::SetHandleInformation(errors_, HANDLE_FLAG_INHERIT, 0);

    // Only this one: other threads may start processes, which would keep it open.
    SIZE_T size = 0;
    ::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
    std::vector<std::byte> room(size);
    const auto attributes = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(room.data());
    if (!::InitializeProcThreadAttributeList(attributes, 1, 0, &size)) fail("attributes");
    if (!::UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &errors, sizeof errors,
                                     nullptr, nullptr))
        fail("UpdateProcThreadAttribute");
    STARTUPINFOEXA start{};
    start.StartupInfo.cb = sizeof start;
    start.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    start.StartupInfo.hStdOutput = errors;
    start.StartupInfo.hStdError = errors;
    start.lpAttributeList = attributes;
    std::array<char, 4096> program{};
    ::GetModuleFileNameA(nullptr, program.data(), static_cast<DWORD>(program.size()));
    std::string line = "\"" + std::string(program.data()) + "\"" + std::string(argument) + name;
    PROCESS_INFORMATION made{};
    const BOOL good =
        ::CreateProcessA(program.data(), line.data(), nullptr, nullptr, TRUE, EXTENDED_STARTUPINFO_PRESENT,
                         nullptr, nullptr, &start.StartupInfo, &made);
    ::DeleteProcThreadAttributeList(attributes);
    ::CloseHandle(errors);
    if (!good) fail("CreateProcess");
    ::CloseHandle(made.hThread);
    process_ = made.hProcess;
    pid_ = static_cast<long>(made.dwProcessId);
    const std::lock_guard lock(running_mutex);
    running.insert(pid_);
}

child::~child() {
    ::TerminateProcess(process_, 97);
    ::WaitForSingleObject(process_, INFINITE);
    {
        const std::lock_guard lock(running_mutex);
        running.erase(pid_);
    }
    for (void* const one : {section_, process_, errors_}) ::CloseHandle(one);
}

std::string child::errors() const {
    std::string text;
    std::array<char, 4096> piece;
    DWORD bytes = 0;
    while (::ReadFile(errors_, piece.data(), static_cast<DWORD>(piece.size()), &bytes, nullptr))
        text.append(piece.data(), bytes);
    std::erase(text, '\r');
    return text;
}

unsigned long child::exit_code() const {
    constexpr DWORD most = std::chrono::milliseconds(patience).count();
    DWORD code = 0;
    if (::WaitForSingleObject(process_, most) == WAIT_OBJECT_0) ::GetExitCodeProcess(process_, &code);
    return code;
}

void make_pipe(int (&ends)[2]) {
    HANDLE read = nullptr, write = nullptr;
    if (!::CreatePipe(&read, &write, nullptr, 64 * 1024)) fail("CreatePipe");
    ends[0] = static_cast<int>(reinterpret_cast<std::intptr_t>(read));
    ends[1] = static_cast<int>(reinterpret_cast<std::intptr_t>(write));
}
void close_end(int end) { ::CloseHandle(as_handle(end)); }

bool write_to(pipe_end to, int bytes) {
    const copied end(to);
    const std::string text(static_cast<std::size_t>(bytes), '.');
    DWORD written = 0;
    return ::WriteFile(end.get(), text.data(), static_cast<DWORD>(bytes), &written, nullptr) &&
           static_cast<int>(written) == bytes;
}
bool read_from(pipe_end from, int bytes) {
    const copied end(from);
    for (char byte = 0; bytes > 0; --bytes) {
        DWORD read = 0;
        if (!::ReadFile(end.get(), &byte, 1, &read, nullptr) || read != 1) return false;
    }
    return true;
}
std::string read_some(int end, int most, bool& ended) {
    std::string text;
    DWORD there = 0;
    eventually(
        [&] {
            ended = !::PeekNamedPipe(as_handle(end), nullptr, 0, nullptr, &there, nullptr);
            return ended || there > 0;
        },
        std::chrono::milliseconds(most));
    if (there == 0) return text;
    text.resize(there);
    DWORD read = 0;
    ::ReadFile(as_handle(end), text.data(), there, &read, nullptr);
    text.resize(read);
    return text;
}

}  // namespace test::windows
