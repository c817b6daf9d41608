// SPDX-License-Identifier: MIT
#ifndef PROCPOOL_TESTS_FAULTS_ALLOCATIONS_HPP
#define PROCPOOL_TESTS_FAULTS_ALLOCATIONS_HPP

namespace faults {

/// Objects of this process that operator new has made and operator delete has not seen again.
long objects() noexcept;

}  // namespace faults

#endif
