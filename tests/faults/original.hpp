// SPDX-License-Identifier: MIT
// The C library's own functions, behind those of the same names in this program.
#ifndef PROCPOOL_TESTS_FAULTS_ORIGINAL_HPP
#define PROCPOOL_TESTS_FAULTS_ORIGINAL_HPP

#include <dlfcn.h>

#include <utility>

namespace faults {

template <class Function>
class original {
public:
    constexpr explicit original(const char* name) noexcept : name_(name) {}

    Function* get() noexcept {
        if (!found_) found_ = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name_));
        return found_;
    }
    template <class... Args>
    auto operator()(Args... args) noexcept(noexcept(std::declval<Function*>()(args...))) {
        return get()(args...);
    }

private:
    const char* const name_;
    Function* found_ = nullptr;
};

}  // namespace faults

// The C library's declarations have attributes that mean nothing to their type.
#pragma GCC diagnostic ignored "-Wignored-attributes"

/// Finds the C library's NAME as real_NAME, before anything in this program runs: to look for it later
/// isn't safe between fork and exec.
#define PROCPOOL_FAULTS_ORIGINAL(name)                               \
    constinit faults::original<decltype(::name)> real_##name{#name}; \
    [[gnu::constructor(101)]] void find_##name() { real_##name.get(); }

#endif
