// SPDX-License-Identifier: MIT
// What a test may leave behind: nothing.
#ifndef PROCPOOL_TESTS_SUPPORT_LEFTOVERS_HPP
#define PROCPOOL_TESTS_SUPPORT_LEFTOVERS_HPP

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace test {

/// Other processes of this test program: all that descend from it share its process group.
std::vector<long> other_processes();

/// Targets of this process's open descriptors, one line each ("5 -> pipe:[123]").
std::set<std::string> open_descriptors();
/// Whether none is open that wasn't among `before`, but for those that a system opens once and keeps.
bool none_opened_since(const std::set<std::string>& before);

/// Mappings of memory files in this process.
std::vector<std::string> memfd_mappings();

/// Bytes that this process's memory files take whose target in /proc begins so ("memfd:procpool").
std::size_t memory_of_files(const std::string& target);

/// Names in /dev/shm that processes of this test program have given and nobody has removed.
std::set<std::string> named_shared_memory();

/// Number of threads of this process.
int threads();

}  // namespace test

#endif
