// SPDX-License-Identifier: MIT
#include "stock.hpp"

#include <sys/wait.h>

#include <cerrno>
#include <chrono>

#include "allocations.hpp"
#include "support/leftovers.hpp"
#include "support/wait.hpp"

namespace faults {

stock stock::now() {
    stock all;
    all.descriptors = test::open_descriptors();
    all.mappings = test::memfd_mappings();
    all.threads = test::threads();
    all.objects = faults::objects();
    return all;
}

std::string left_since(const stock& before) {
    constexpr std::chrono::seconds grace{5};  // for what is on its way out
    std::string left;
    if (!test::eventually([] { return test::other_processes().empty(); }, grace))
        for (const long pid : test::other_processes()) left += " process " + std::to_string(pid);
    if (::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD) left += " a child";
    for (const std::string& one : test::open_descriptors())
        if (!before.descriptors.contains(one)) left += " descriptor " + one;
    for (const std::string& one : before.descriptors)
        if (!test::open_descriptors().contains(one)) left += " (closed:) descriptor " + one;
    if (test::memfd_mappings().size() > before.mappings.size())
        left += " mapping " + test::memfd_mappings().back();
    if (!test::eventually([&] { return test::threads() <= before.threads; }, grace)) left += " a thread";
    return left;
}

}  // namespace faults
