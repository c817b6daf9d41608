// SPDX-License-Identifier: MIT
#include "job.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <string>

#include "board.hpp"
#include "support/sanitizers.hpp"

namespace chaos {

namespace mp = procpool;

std::span<const job_kind> all_kinds() {
    using needs = job_kind::pool;
    static const std::array kinds{
        job_kind{"map", 12, run_map},
        job_kind{"map of texts", 6, run_map_of_texts},
        job_kind{"starmap", 5, run_starmap},
        job_kind{"apply", 10, run_apply},
        job_kind{"apply of texts", 5, run_apply_of_texts},
        job_kind{"imap", 10, run_imap},
        job_kind{"imap of texts", 5, run_imap_of_texts},
        job_kind{"shared arrays", 5, run_arrays},
        job_kind{"awkward values", 3, run_awkward},
        job_kind{"nested pools", test::thread_sanitizer ? 0u : 4u, run_nested, needs::any, false},
        job_kind{"another pool in a slot", 3, run_replacement, needs::any, false},
        job_kind{"a pool ends in the midst", 4, run_end_in_the_midst, needs::own},
        job_kind{"handles outlive their pool", 2, run_orphaned_handles, needs::own},
        job_kind{"a pool that can't start", 1, run_doomed, needs::own},
    };
    return kinds;
}

namespace {

const job_kind& draw_kind(dice& random, bool nested) {
    unsigned sum = 0;
    for (const job_kind& kind : all_kinds())
        if (!nested || kind.may_be_nested) sum += kind.weight;
    auto at = random.below(sum);
    for (const job_kind& kind : all_kinds()) {
        if (nested && !kind.may_be_nested) continue;
        if (at < kind.weight) return kind;
        at -= kind.weight;
    }
    return all_kinds().front();
}

}  // namespace

void run_job(std::uint64_t seed, std::uint64_t number, pool_slots* slots, tally& counts,
             void (*begins)(const char* kind)) {
    dice random(seed, number);
    const job_kind& kind = draw_kind(random, slots == nullptr);
    if (begins) begins(kind.name);
    const auto slot = slots ? random.below(slots->size()) : 0;
    const bool own = !slots || kind.needs == job_kind::pool::own || random.chance(15);
    pool_plan plan = draw_pool(random, 2 * number + 1);
    if (!slots) plan.processes = std::min(plan.processes, 2);
    if (kind.run == run_doomed)
        plan.start = random.chance(70) ? pool_plan::initializer::throws : pool_plan::initializer::dies;
    std::shared_ptr<tested_pool::error_counts> callback_errors;
    {
        const auto pool = own ? std::make_shared<tested_pool>(plan) : slots->take(slot, plan);
        if (own) ++counts.pools;
        job_context job{number, random, *pool, counts, slots};
        kind.run(job);
        if (own && random.chance(40) && !pool->terminated()) {
            pool->close();
            (*pool)->join();
        }
        if (own) callback_errors = pool->callback_errors;
    }
    if (callback_errors && callback_errors->thrown != callback_errors->handled)
        throw wrong(std::to_string(callback_errors->thrown) + " callbacks threw, and the error handler got " +
                    std::to_string(callback_errors->handled));
    ++counts.jobs;
}

book draw_book(job_context& job, const mp::MapOptions& options, std::size_t most) {
    const temper how = draw_temper(job.random);
    if (how.most_bytes > 100'000) most = std::min<std::size_t>(most, 200);
    // Each new worker takes some milliseconds, much more under a sanitizer.
    const auto lifetime = static_cast<std::size_t>(job.pool.plan.maxtasksperchild.value_or(1000));
    const std::size_t count = job.random.size(std::min(most, 100 * lifetime));
    auto scripts = draw_scripts(job.random, job.number, job.pool.plan.tag, count, how);
    if (options.timeout)
        for (int hanging = job.random.between(0, 3); hanging > 0 && count > 0; --hanging)
            scripts[job.random.below(count)].what = act::hang;
    book of(job.pool, job.number, std::move(scripts), options.retries.times());
    of.has_time_limit = options.timeout.has_value();
    of.cancels = options.fail_fast;
    if (of.has_time_limit || of.cancels) of.may_end_workers();
    return of;
}

mp::MapOptions draw_options(dice& random) {
    mp::MapOptions options;
    if (random.chance(50)) options.chunksize = static_cast<std::ptrdiff_t>(1 + random.size(200));
    if (random.chance(30)) options.retries = random.between(1, 3);
    if (random.chance(20)) options.timeout = std::chrono::milliseconds(random.between(5, 80));
    options.fail_fast = random.chance(10);
    options.retry_exceptions = random.chance(30);
    if (random.chance(30)) options.buffersize = static_cast<std::ptrdiff_t>(1 + random.size(100));
    return options;
}

}  // namespace chaos
