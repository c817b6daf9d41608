// SPDX-License-Identifier: MIT
// What a fuzz target checks: statements that must hold, and how much memory the library claimed.
#ifndef PROCPOOL_TESTS_FUZZ_PROPERTY_HPP
#define PROCPOOL_TESTS_FUZZ_PROPERTY_HPP

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Ends the program with `sentence` unless `holds`.
void require(bool holds, const char* sentence);

/// The most heap memory that was in use at once since this object was made, beyond what was in use then.
class memory_meter {
public:
    memory_meter() noexcept;
    std::size_t peak() const noexcept;

private:
    std::size_t before_;
};

}  // namespace fuzz

#endif
