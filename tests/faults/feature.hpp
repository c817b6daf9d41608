// SPDX-License-Identifier: MIT
// What the library can do, as scripted runs that check their own results.
#ifndef PROCPOOL_TESTS_FAULTS_FEATURE_HPP
#define PROCPOOL_TESTS_FAULTS_FEATURE_HPP

#include <exception>
#include <span>
#include <string>

namespace faults {

/// Runs in the program of a trial. Throws what the library throws, or wrong_result.
struct feature {
    const char* name;
    void (*run)();
};

std::span<const feature> pool_features();
std::span<const feature> call_features();
std::span<const feature> data_features();
std::span<const feature> sync_features();
std::span<const feature> process_features();

/// What no fault excuses. No std::exception, so that nobody takes it for an error of the library's.
struct wrong_result {
    std::string what;
};

inline void expect(bool good, const char* what) {
    if (!good) throw wrong_result{what};
}

/// Makes calls one after another though one before has failed: what is left must work or say why not.
class attempts {
public:
    template <class Call>
    void operator()(Call call) {
        try {
            call();
        } catch (const std::exception&) {
            if (!first_) first_ = std::current_exception();
        }
    }
    /// Throws the first error.
    void finish() const {
        if (first_) std::rethrow_exception(first_);
    }

private:
    std::exception_ptr first_;
};

}  // namespace faults

#endif
