// SPDX-License-Identifier: MIT
// What is known of an element besides its result.
#ifndef PROCPOOL_DETAIL_JOB_ELEMENT_FACTS_HPP
#define PROCPOOL_DETAIL_JOB_ELEMENT_FACTS_HPP

#include <cstdint>

namespace procpool::inline v0_1::detail::job {

struct element_facts {
    std::uint32_t attempts = 1;  // made at it
    bool asked_to_stop = false;  // before the last one ended
};

/// Results that keep them. Told of elements that have others than most, directly after their values or
/// errors.
class facts_keeper {
public:
    virtual void note(std::uint64_t index, const element_facts& facts) = 0;

protected:
    facts_keeper() = default;
    facts_keeper(const facts_keeper&) = default;
    facts_keeper& operator=(const facts_keeper&) = default;
    ~facts_keeper() = default;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
