// SPDX-License-Identifier: MIT
// Locks whose use Clang checks: what is guarded by which, and which functions need one.
#ifndef PROCPOOL_DETAIL_MUTEX_HPP
#define PROCPOOL_DETAIL_MUTEX_HPP

#include <mutex>

// Older ones can't follow a lock that a function returns.
#if defined(__clang__) && __clang_major__ >= 16
#define PROCPOOL_THREAD_SAFETY(what) __attribute__((what))
#else
#define PROCPOOL_THREAD_SAFETY(what)
#endif

/// Data that is used only with this lock held.
#define PROCPOOL_GUARDED_BY(lock) PROCPOOL_THREAD_SAFETY(guarded_by(lock))
/// A function that is called with the lock held, and leaves it so.
#define PROCPOOL_REQUIRES(...) PROCPOOL_THREAD_SAFETY(requires_capability(__VA_ARGS__))
/// A function that is called without the lock.
#define PROCPOOL_EXCLUDES(...) PROCPOOL_THREAD_SAFETY(locks_excluded(__VA_ARGS__))
#define PROCPOOL_ACQUIRE(...) PROCPOOL_THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define PROCPOOL_TRY_ACQUIRE(...) PROCPOOL_THREAD_SAFETY(try_acquire_capability(__VA_ARGS__))
#define PROCPOOL_RELEASE(...) PROCPOOL_THREAD_SAFETY(release_capability(__VA_ARGS__))
#define PROCPOOL_CAPABILITY(name) PROCPOOL_THREAD_SAFETY(capability(name))
#define PROCPOOL_SCOPED_CAPABILITY PROCPOOL_THREAD_SAFETY(scoped_lockable)
/// What such a function does is right, but can't be followed.
#define PROCPOOL_NO_THREAD_SAFETY_ANALYSIS PROCPOOL_THREAD_SAFETY(no_thread_safety_analysis)

namespace procpool::inline v0_1::detail {

class PROCPOOL_CAPABILITY("mutex") mutex {
public:
    void lock() PROCPOOL_ACQUIRE() { native_.lock(); }
    bool try_lock() PROCPOOL_TRY_ACQUIRE(true) { return native_.try_lock(); }
    void unlock() PROCPOOL_RELEASE() { native_.unlock(); }
    std::mutex& native() noexcept { return native_; }

private:
    std::mutex native_;
};

/// Holds a mutex until its end.
class PROCPOOL_SCOPED_CAPABILITY mutex_guard {
public:
    explicit mutex_guard(mutex& guarding) PROCPOOL_ACQUIRE(guarding) : lock_(guarding.native()) {}
    ~mutex_guard() PROCPOOL_RELEASE() = default;

private:
    const std::lock_guard<std::mutex> lock_;
};

/// The same for who hands it on, waits, or lets it go meanwhile.
class PROCPOOL_SCOPED_CAPABILITY mutex_lock {
public:
    explicit mutex_lock(mutex& guarding) PROCPOOL_ACQUIRE(guarding) : lock_(guarding.native()) {}
    mutex_lock(mutex_lock&&) noexcept = default;
    ~mutex_lock() PROCPOOL_RELEASE() = default;

    void lock() PROCPOOL_ACQUIRE() { lock_.lock(); }
    void unlock() PROCPOOL_RELEASE() { lock_.unlock(); }
    /// For a condition variable, which gives it back as it was.
    std::unique_lock<std::mutex>& native() noexcept { return lock_; }

private:
    std::unique_lock<std::mutex> lock_;
};

/// Any pool's lock. It guards objects of many classes, which don't know their pool: so what is checked is
/// that one is held, not whose.
class PROCPOOL_CAPABILITY("role") pool_mutex_role {};
inline constexpr pool_mutex_role pool_mutex{};

}  // namespace procpool::inline v0_1::detail

#endif
