// SPDX-License-Identifier: MIT
#include "tested_pool.hpp"

#include <signal.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

#include "board.hpp"
#include "script.hpp"
#include "tally.hpp"

namespace chaos {

namespace mp = procpool;

namespace {

void set_tag(std::uint64_t tag) { initialized_with = tag; }
void set_tag_slowly(std::uint64_t tag) {
    ::usleep(2000);
    initialized_with = tag;
}
void set_tag_or_die(std::uint64_t tag) {
    if (mp::worker_seed() % 8 == 0) ::raise(SIGKILL);
    initialized_with = tag;
}
void refuse_to_start(std::uint64_t tag) { throw std::runtime_error(tested_pool::initializer_text(tag)); }
void die_at_start(std::uint64_t) { ::_exit(7); }

}  // namespace

pool_plan draw_pool(dice& random, std::uint64_t tag) {
    using initializer = pool_plan::initializer;
    pool_plan plan{.processes = random.between(1, 4), .maxtasksperchild = {}};
    using procpool::start_method;
    plan.how =
        random.pick({start_method::fork, start_method::fork, start_method::forkserver, start_method::spawn});
    // What a fresh run of the program has not got from this process.
    if (plan.how == start_method::fork) plan.tag = initialized_with;
    if (random.chance(30)) plan.maxtasksperchild = static_cast<std::ptrdiff_t>(1 + random.size(300));
    if (random.chance(50)) {
        plan.start = random.pick({initializer::sets_tag, initializer::sets_tag, initializer::is_slow,
                                  initializer::dies_sometimes});
        plan.tag = tag;
    }
    return plan;
}

tested_pool::tested_pool(const pool_plan& the_plan)
    : plan(the_plan),
      born(now_ns()),
      strikes_before(the_board->deadly_strikes()),
      zygotes_struck_before(the_board->zygotes_struck) {
    start();
}

void tested_pool::start() {
    // Other threads of this test run meanwhile; tasks need no lock of theirs, so fork is good, too.
    const mp::PoolOptions options{
        .processes = plan.processes,
        .maxtasksperchild = plan.maxtasksperchild,
        .start_method = plan.how,
        .error_handler = [errors = callback_errors](std::exception_ptr) { ++errors->handled; }};
    using initializer = pool_plan::initializer;
    switch (plan.start) {
        case initializer::none: pool_.emplace(options); return;
        case initializer::sets_tag: pool_.emplace(options, set_tag, plan.tag); return;
        case initializer::is_slow: pool_.emplace(options, set_tag_slowly, plan.tag); return;
        case initializer::dies_sometimes: pool_.emplace(options, set_tag_or_die, plan.tag); return;
        case initializer::throws: pool_.emplace(options, refuse_to_start, plan.tag); return;
        case initializer::dies: pool_.emplace(options, die_at_start, plan.tag); return;
    }
}

tested_pool::~tested_pool() { destroy(); }

void tested_pool::close() {
    closed_ = true;
    pool_->close();
}
void tested_pool::terminate() {
    terminated_ = true;
    pool_->terminate();
}
void tested_pool::destroy() {
    terminated_ = true;
    pool_.reset();
}

std::string tested_pool::initializer_text(std::uint64_t tag) {
    return "the initializer with tag " + std::to_string(tag) + " throws";
}

std::shared_ptr<tested_pool> pool_slots::take(std::size_t slot, const pool_plan& plan) {
    const std::lock_guard lock(mutex_);
    auto& pool = slots_[slot];
    if (!pool || pool->failed) pool = std::make_shared<tested_pool>(plan);
    return pool;
}

std::shared_ptr<tested_pool> pool_slots::replace(std::size_t slot, std::shared_ptr<tested_pool> by) {
    const std::lock_guard lock(mutex_);
    return std::exchange(slots_[slot], std::move(by));
}

void pool_slots::clear() {
    const std::lock_guard lock(mutex_);
    for (auto& slot : slots_) slot.reset();
}

}  // namespace chaos
