// SPDX-License-Identifier: MIT
// The control groups (containers) that this process is in, and their settings.
#ifndef PROCPOOL_DETAIL_OS_LINUX_CGROUP_HPP
#define PROCPOOL_DETAIL_OS_LINUX_CGROUP_HPP

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace procpool::inline v0_1::detail::os {

struct close_file {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

/// Calls `use` with each line of a file; a file that isn't there has none.
template <class Use>
void for_each_line(const std::string& path, Use use) {
    const std::unique_ptr<std::FILE, close_file> file(std::fopen(path.c_str(), "re"));
    if (!file) return;
    char line[4352];  // a path of PATH_MAX and what stands before it
    while (std::fgets(line, sizeof line, file.get())) {
        line[std::strcspn(line, "\n")] = '\0';
        use(static_cast<const char*>(line));
    }
}

/// Calls `use` with the folder of each group that this process is in, from its own to the topmost, of the
/// hierarchy of `controller` ("" is version 2's) that is mounted at `mounted_at`. `root` is for tests.
template <class Use>
void for_each_cgroup(const std::string& root, std::string_view controller, const char* mounted_at, Use use) {
    for_each_line(root + "/proc/self/cgroup", [&](const char* line) {
        // "number:controllers:path"; version 2 has no controllers
        const std::string_view text = line;
        const std::size_t first = text.find(':');
        const std::size_t second = text.find(':', first + 1);
        if (first == text.npos || second == text.npos) return;
        const auto between_commas = [](std::string_view name) {
            return std::string(",").append(name).append(",");
        };
        const std::string controllers = between_commas(text.substr(first + 1, second - first - 1));
        if (controllers.find(between_commas(controller)) == std::string::npos) return;
        std::string path(text.substr(second + 1));
        if (path.empty() || path.front() != '/') return;
        if (path == "/") path.clear();
        // In a container the path may be one that only the host sees: its own group is then the topmost.
        for (;; path.erase(path.find_last_of('/'))) {
            use(std::string(root).append(mounted_at).append(path));
            if (path.empty()) return;
        }
    });
}

}  // namespace procpool::inline v0_1::detail::os

#endif
