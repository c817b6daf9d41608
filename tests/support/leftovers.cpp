// SPDX-License-Identifier: MIT
#include "support/leftovers.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace test {
namespace fs = std::filesystem;

namespace {

struct process_stat {
    char state = '?';
    long group = 0;
};

process_stat read_stat(const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/stat");
    std::string line;
    std::getline(file, line);
    process_stat stat;
    const auto after_name = line.rfind(')');
    if (after_name == std::string::npos) return stat;
    long parent = 0;
    if (std::sscanf(line.c_str() + after_name + 1, " %c %ld %ld", &stat.state, &parent, &stat.group) != 3)
        return {};
    return stat;
}

bool is_number(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

std::vector<long> other_processes() {
    std::vector<long> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename();
        if (!is_number(name) || name == std::to_string(::getpid())) continue;
        const process_stat stat = read_stat(name);
        // A zombie of a dead parent belongs to the system's first process, which may take its time.
        if (stat.group == ::getpgrp() && stat.state != 'Z' && stat.state != 'X')
            found.push_back(std::stol(name));
    }
    return found;
}

std::set<std::string> open_descriptors() {
    std::set<std::string> found;
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd"))
        names.push_back(entry.path().filename());
    for (const auto& name : names) {
        std::error_code gone;  // the listing's own descriptor
        const auto target = fs::read_symlink("/proc/self/fd/" + name, gone);
        if (!gone) found.insert(name + " -> " + target.string());
    }
    return found;
}
bool none_opened_since(const std::set<std::string>& before) { return open_descriptors() == before; }

std::vector<std::string> memfd_mappings() {
    std::vector<std::string> found;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
        if (line.find("memfd:") != std::string::npos) found.push_back(line);
    return found;
}

std::size_t memory_of_files(const std::string& target) {
    std::map<ino_t, std::size_t> files;  // one may have several descriptors
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        const auto found = fs::read_symlink(entry.path(), gone).string();
        struct stat status{};
        if (found.find(target) == std::string::npos || ::stat(entry.path().c_str(), &status) != 0) continue;
        files[status.st_ino] = static_cast<std::size_t>(status.st_blocks) * 512;
    }
    std::size_t sum = 0;
    for (const auto& [inode, bytes] : files) sum += bytes;
    return sum;
}

int threads() {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/task")) ++count;
    return count;
}

}  // namespace test
