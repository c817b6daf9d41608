// SPDX-License-Identifier: MIT
// What a zygote and its workers find around them that isn't the program's own.
#ifndef PROCPOOL_DETAIL_ZYGOTE_SURROUNDINGS_HPP
#define PROCPOOL_DETAIL_ZYGOTE_SURROUNDINGS_HPP

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procpool/detail/os/environment.hpp"
#include "procpool/detail/os/inner_threads.hpp"
#include "procpool/detail/zygote/birth.hpp"

namespace procpool::inline v0_1::detail::zygote {

struct surroundings {
    /// Variables that are set, or have none of a value and are removed; the last of a name counts.
    std::vector<std::pair<std::string, std::optional<std::string>>> variables = {};
    /// Absolute; that of the program if empty.
    std::string directory = {};
    /// That libraries use in each worker; as many as they like if 0.
    int inner_threads = 0;
    /// Unless the program has said how many.
    bool inner_threads_by_default = false;

    /// Those that decide how many threads libraries use.
    std::vector<std::string_view> variables_for_threads() const {
        std::vector<std::string_view> names;
        if (inner_threads == 0 ||
            (inner_threads_by_default && program_says(os::inner_thread_variables.front())))
            return names;
        for (const std::string_view name : os::inner_thread_variables)
            if (inner_threads_by_default ? !program_says(name) : !sets(name)) names.push_back(name);
        return names;
    }

    /// All variables, NAME=value.
    std::vector<std::string> environment() const {
        std::vector<std::string> all = os::environment();
        const auto set = [&](std::string_view name, const std::optional<std::string>& value) {
            std::erase_if(all, [=](const std::string& one) {
                return one.size() > name.size() && one[name.size()] == '=' && one.starts_with(name);
            });
            if (value) all.push_back(std::string(name).append("=").append(*value));
        };
        for (const auto& [name, value] : variables) set(name, value);
        for (const std::string_view name : variables_for_threads()) set(name, std::to_string(inner_threads));
        return all;
    }

    /// Says to workers how many threads libraries shall use that have looked at the variables before.
    void tell_libraries(worker_settings& settings) const {
        const auto names = variables_for_threads();
        if (std::ranges::find(names, os::inner_thread_variables.front()) == names.end()) return;
        settings.inner_threads = inner_threads;
        settings.only_default_threads = inner_threads_by_default;
    }

private:
    bool sets(std::string_view name) const {
        return std::ranges::any_of(variables, [=](const auto& one) { return one.first == name; });
    }
    bool program_says(std::string_view name) const { return sets(name) || os::has_variable(name.data()); }
};

}  // namespace procpool::inline v0_1::detail::zygote

#endif
