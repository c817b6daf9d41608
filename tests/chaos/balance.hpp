// SPDX-License-Identifier: MIT
// What a program holds while it has no pool: the same before and after.
#ifndef PROCPOOL_TESTS_CHAOS_BALANCE_HPP
#define PROCPOOL_TESTS_CHAOS_BALANCE_HPP

#include <cstddef>
#include <optional>
#include <set>
#include <string>

namespace chaos {

/// Bytes that the process has allocated, if that can be known.
std::optional<std::size_t> allocated_bytes();
/// Resident memory of a process without what it shares, in bytes; 0 if it is gone.
std::size_t resident_bytes(long pid);
/// Memory that is free goes back to the system, as far as it can.
void trim_memory();

class balance {
public:
    balance();
    /// @throws wrong if something was left behind
    void check();
    /// What was measured at the first and at the last check.
    void print() const;

private:
    struct memory {
        std::size_t allocated, resident;
    };

    std::set<std::string> descriptors_, shared_memory_;
    int threads_;
    // Not before the first check: until then libraries allocate what they keep.
    std::optional<memory> first_, last_;
};

}  // namespace chaos

#endif
