// SPDX-License-Identifier: MIT
// Sleeping until a word in shared memory changes, and changing it for those who sleep.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_FUTEX_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_FUTEX_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/kernel_objects.hpp"
#include "procpool/detail/os/windows/random.hpp"

namespace procpool::inline v0_1::detail::os {

/// In memory that processes share: the word, how many sleep, and the name of the semaphore on which they do.
/// WaitOnAddress() knows those of one process only.
class futex_word : public std::atomic<std::uint32_t> {
public:
    futex_word(std::uint32_t value) : std::atomic<std::uint32_t>(value), name_(make_random_words()) {}
    using std::atomic<std::uint32_t>::operator=;

    native_file semaphore() const {
        return kernel_objects::instance().get(this, name_, "sleepers", [](const wchar_t* name) {
            return ::CreateSemaphoreW(nullptr, 0, 1 << 30, name);
        });
    }
    /// One that dies asleep is counted on: whoever wakes one too many leaves a wake-up for nobody.
    mutable std::atomic<std::uint32_t> sleepers{0};

private:
    random_words name_;
};

/// Sleeps if `word` is `expected`, until somebody wakes it, or for no reason. @return false at the deadline
inline bool futex_wait(const futex_word& word, std::uint32_t expected, steady_time deadline) {
    // To change the word and to wake are two steps here: who has done the first may die before the second.
    constexpr std::chrono::milliseconds recheck_interval{50};
    const native_file semaphore = word.semaphore();
    word.sleepers.fetch_add(1);
    const struct leave {
        const futex_word& of;
        ~leave() { of.sleepers.fetch_sub(1); }
    } afterwards{word};
    while (word.load() == expected) {
        const auto now = std::chrono::steady_clock::now();
        if (now >= deadline) return false;
        const auto left = std::min<std::chrono::nanoseconds>(recheck_interval, deadline - now);
        const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        if (::WaitForSingleObject(semaphore, static_cast<unsigned long>(milliseconds)) == api::wait_object)
            return true;
    }
    return true;
}

/// The same of a word that has no semaphore: nobody tells of a change, and it is looked at again and again.
inline bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, steady_time deadline) {
    constexpr unsigned long recheck_milliseconds = 10;
    while (word.load() == expected) {
        if (std::chrono::steady_clock::now() >= deadline) return false;
        ::Sleep(recheck_milliseconds);
    }
    return true;
}
/// Who sleeps on such a word sees by himself what it has become.
inline void futex_wake(const std::atomic<std::uint32_t>& /*word*/) noexcept {}

enum class futex_change : unsigned { set, add, add_bits };

/// Changes a word and wakes up to `most` of those who sleep on it.
inline void futex_change_and_wake(futex_word& word, futex_change how, int argument, int most = INT_MAX) {
    const auto value = static_cast<std::uint32_t>(argument);
    switch (how) {
        case futex_change::set: word.store(value); break;
        case futex_change::add: word.fetch_add(value); break;
        case futex_change::add_bits: word.fetch_or(value); break;
    }
    const std::uint32_t asleep = std::min(word.sleepers.load(), static_cast<std::uint32_t>(most));
    if (asleep > 0) ::ReleaseSemaphore(word.semaphore(), static_cast<long>(asleep), nullptr);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
