// SPDX-License-Identifier: MIT
// What a program holds, and what of it must be gone after a run.
#ifndef PROCPOOL_TESTS_FAULTS_STOCK_HPP
#define PROCPOOL_TESTS_FAULTS_STOCK_HPP

#include <set>
#include <string>
#include <vector>

namespace faults {

struct stock {
    std::set<std::string> descriptors;
    std::vector<std::string> mappings;
    int threads = 0;
    long objects = 0;

    static stock now();
};

/// What is there now and was not `before`, processes included, in words; empty if there is nothing.
std::string left_since(const stock& before);

}  // namespace faults

#endif
