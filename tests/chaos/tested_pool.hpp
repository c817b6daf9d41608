// SPDX-License-Identifier: MIT
// A pool, with what has to be known of it to judge how its elements end.
#ifndef PROCPOOL_TESTS_CHAOS_TESTED_POOL_HPP
#define PROCPOOL_TESTS_CHAOS_TESTED_POOL_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dice.hpp"
#include "procpool/pool.hpp"

namespace chaos {

struct pool_plan {
    enum class initializer { none, sets_tag, is_slow, dies_sometimes, throws, dies };

    int processes = 1;
    procpool::start_method how = procpool::start_method::fork;
    std::optional<std::ptrdiff_t> maxtasksperchild;
    initializer start = initializer::none;
    std::uint64_t tag = 0;

    /// No element can run in it.
    bool doomed() const noexcept { return start == initializer::throws || start == initializer::dies; }
};
pool_plan draw_pool(dice& random, std::uint64_t tag);

class tested_pool {
public:
    explicit tested_pool(const pool_plan& plan);
    tested_pool(const tested_pool&) = delete;
    tested_pool& operator=(const tested_pool&) = delete;
    /// @throws nothing; lost errors of callbacks are kept for check()
    ~tested_pool();

    procpool::Pool& operator*() noexcept { return *pool_; }
    procpool::Pool* operator->() noexcept { return &*pool_; }

    const pool_plan plan;
    const std::int64_t born;
    const std::uint64_t strikes_before, zygotes_struck_before;

    void close();
    void terminate();
    /// Ends it; handles of its calls live on.
    void destroy();

    bool closed() const noexcept { return closed_; }
    bool terminated() const noexcept { return terminated_; }
    /// It gave up.
    mutable std::atomic<bool> failed{false};
    /// Jobs with time limits, or that are given up, may end workers, for other jobs too.
    mutable std::atomic<bool> ends_workers{false};

    /// For callbacks that throw: each error has to come to the pool's error handler.
    struct error_counts {
        std::atomic<std::uint64_t> thrown{0}, handled{0};
    };
    const std::shared_ptr<error_counts> callback_errors = std::make_shared<error_counts>();

    static std::string initializer_text(std::uint64_t tag);

private:
    void start();

    std::atomic<bool> closed_{false}, terminated_{false};
    std::optional<procpool::Pool> pool_;
};

/// The pools that all threads share; each may be replaced at any time, and lives on while it is used.
class pool_slots {
public:
    explicit pool_slots(std::size_t count) : slots_(count) {}

    /// The pool in a slot; a new one by `plan` if it is empty, or its pool has failed.
    std::shared_ptr<tested_pool> take(std::size_t slot, const pool_plan& plan);
    /// Puts another there. @return the one that was there; null if there was none
    std::shared_ptr<tested_pool> replace(std::size_t slot, std::shared_ptr<tested_pool> by);
    std::size_t size() const noexcept { return slots_.size(); }
    void clear();

private:
    std::mutex mutex_;
    std::vector<std::shared_ptr<tested_pool>> slots_;
};

}  // namespace chaos

#endif
