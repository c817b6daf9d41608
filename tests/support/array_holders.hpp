// SPDX-License-Identifier: MIT
// Which processes have a shared array.
#ifndef PROCPOOL_TESTS_SUPPORT_ARRAY_HOLDERS_HPP
#define PROCPOOL_TESTS_SUPPORT_ARRAY_HOLDERS_HPP

#include <string>

#ifdef _WIN32
#include "windows/calls.hpp"
#else
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>
#endif

namespace test {

#ifdef _WIN32
template <class Array>
std::string name_of_only(const Array& array) {
    return array.path();
}
/// Nobody tells how many.
inline int holders(const std::string& name) { return windows::is_section(name) ? 1 : 0; }
/// Handles don't tell what they are of.
inline int array_descriptors_below() { return 0; }
#else
/// What the array, the only one that this process has, is called: its inode.
template <class Array>
std::string name_of_only(const Array&) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find("procpool-array") == std::string::npos) continue;
        std::istringstream words(line);
        std::string inode;
        for (int i = 0; i < 5; ++i) words >> inode;
        return inode;
    }
    return {};
}

/// Processes that have the array of this inode mapped.
inline int holders(const std::string& inode) {
    int count = 0;
    for (const auto& process : std::filesystem::directory_iterator("/proc")) {
        if (!std::ranges::all_of(process.path().filename().string(),
                                 [](char c) { return c >= '0' && c <= '9'; }))
            continue;
        std::ifstream maps(process.path() / "maps");
        for (std::string line; std::getline(maps, line);)
            if (line.find("procpool-array") != std::string::npos &&
                line.find(" " + inode + " ") != std::string::npos) {
                ++count;
                break;
            }
    }
    return count;
}

inline std::vector<std::string> processes_below(const std::string& pid) {
    std::vector<std::string> children;
    std::ifstream list("/proc/" + pid + "/task/" + pid + "/children");
    for (std::string child; list >> child;) {
        children.push_back(child);
        for (auto& grandchild : processes_below(child)) children.push_back(std::move(grandchild));
    }
    return children;
}

/// Descriptors of arrays, mapped or not, in all processes below this one.
inline int array_descriptors_below() {
    int count = 0;
    for (const std::string& pid : processes_below(std::to_string(::getpid()))) {
        std::error_code gone;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/" + pid + "/fd", gone))
            count += std::filesystem::read_symlink(entry.path(), gone).string().find("procpool-array") !=
                     std::string::npos;
    }
    return count;
}
#endif

}  // namespace test

#endif
