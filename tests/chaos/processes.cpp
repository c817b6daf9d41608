// SPDX-License-Identifier: MIT
#include "processes.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

namespace chaos {

namespace fs = std::filesystem;

namespace {

std::string first_line_of(const fs::path& path) {
    std::ifstream file(path);  // of a process that may end meanwhile
    std::string line;
    std::getline(file, line);
    return line;
}

int depth_of(long pid, long program, const std::map<long, process>& all) {
    int depth = 0;
    for (; pid != program; ++depth) {
        const auto at = all.find(pid);
        if (at == all.end()) return -1;
        pid = at->second.parent;
    }
    return depth;
}

}  // namespace

std::vector<process> processes_of(long program) {
    std::map<long, process> all;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const std::string stat = first_line_of(entry.path() / "stat");
        const auto after_name = stat.rfind(')');
        process one;
        one.pid = std::stol(name);
        long group = 0;
        if (after_name == std::string::npos ||
            std::sscanf(stat.c_str() + after_name + 1, " %c %ld %ld", &one.state, &one.parent, &group) != 3)
            continue;
        if (group == program && one.state != 'Z' && one.state != 'X') all.emplace(one.pid, one);
    }
    std::vector<process> found;
    for (auto& [pid, one] : all) {
        one.depth = depth_of(pid, program, all);
        found.push_back(one);
    }
    return found;
}

std::string describe_processes_of(long program) {
    std::string text;
    for (const process& one : processes_of(program)) {
        const std::string role = one.depth < 0     ? "orphan"
                                 : one.depth == 0  ? "program"
                                 : one.is_zygote() ? "zygote"
                                                   : "worker";
        text += "  " + role + " " + std::to_string(one.pid) + ", child of " + std::to_string(one.parent) +
                ", depth " + std::to_string(one.depth) + "\n";
        std::error_code gone;
        for (const auto& thread :
             fs::directory_iterator("/proc/" + std::to_string(one.pid) + "/task", gone)) {
            const std::string stat = first_line_of(thread.path() / "stat");
            const auto after_name = stat.rfind(')');
            text += "    thread " + thread.path().filename().string() + ": state " +
                    (after_name == std::string::npos ? "?" : stat.substr(after_name + 2, 1)) + ", waits in " +
                    first_line_of(thread.path() / "wchan") + ", system call " +
                    first_line_of(thread.path() / "syscall") + "\n";
        }
    }
    return text;
}

}  // namespace chaos
