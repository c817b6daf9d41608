// SPDX-License-Identifier: MIT
#include "diagnosis.hpp"

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

namespace faults {
namespace {

/// What a command prints.
std::string printed_by(const std::string& command) {
    // The sweep has it blocked, and gdb waits for it.
    sigset_t children;
    sigset_t before;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    ::sigprocmask(SIG_UNBLOCK, &children, &before);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "re"), &::pclose);
    std::string text;
    std::array<char, 4096> piece;
    while (pipe && std::fgets(piece.data(), piece.size(), pipe.get())) text += piece.data();
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return text;
}

std::vector<std::string> members_of(pid_t group) {
    std::vector<std::string> pids;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename();
        std::ifstream file(entry.path() / "stat");
        std::string line;
        std::getline(file, line);
        const auto after_name = line.rfind(')');
        if (after_name == line.npos) continue;
        char state = '?';
        long parent = 0;
        long in = 0;
        if (std::sscanf(line.c_str() + after_name + 1, " %c %ld %ld", &state, &parent, &in) == 3 &&
            in == group && state != 'Z')
            pids.push_back(name);
    }
    return pids;
}

}  // namespace

std::string trace_of(const plan& in) {
    if (in.hits == 0) return "the call was not reached\n";
    std::string offsets;
    for (const auto& one : in.trace) {
        std::array<char, 32> text{};
        // A return address may be the first of the next function: the call is before it.
        if (one != 0) std::snprintf(text.data(), text.size(), " 0x%zx", static_cast<std::size_t>(one) - 1);
        offsets += text.data();
    }
    const auto program = std::filesystem::read_symlink("/proc/self/exe").string();
    std::string lines = printed_by("addr2line -Cfpse '" + program + "'" + offsets + " 2>/dev/null");
    if (lines.empty()) lines = offsets + "\n";
    return "in process " + std::to_string(in.process) + " the call failed here:\n" + lines;
}

std::string stacks_of_group(pid_t group) {
    std::string text;
    for (const std::string& pid : members_of(group))
        text += "process " + pid + (pid == std::to_string(group) ? ", the program" : "") + ":\n" +
                printed_by("timeout 20 gdb -nx -batch -p " + pid +
                           " -ex 'set print frame-arguments none' -ex 'thread apply all bt 14' 2>/dev/null |"
                           " grep -E '^(#|Thread)'");
    return text;
}

}  // namespace faults
