// SPDX-License-Identifier: MIT
// The jobs: each kind draws what it does, does it, and checks what came of it.
//
// A new kind is a function and a line in all_kinds(); a new option of the API is drawn in draw_options().
#ifndef PROCPOOL_TESTS_CHAOS_JOB_HPP
#define PROCPOOL_TESTS_CHAOS_JOB_HPP

#include <cstdint>
#include <span>

#include "book.hpp"
#include "dice.hpp"
#include "procpool/options.hpp"
#include "tally.hpp"
#include "tested_pool.hpp"

namespace chaos {

struct job_context {
    std::uint64_t number;
    dice& random;
    tested_pool& pool;
    tally& counts;
    pool_slots* slots = nullptr;  // none in a nested pool
};

struct job_kind {
    const char* name;
    unsigned weight;
    void (*run)(job_context&);
    enum class pool { any, own } needs = pool::any;
    bool may_be_nested = true;
};
std::span<const job_kind> all_kinds();

/// Draws job `number` of the run with `seed`, and runs it: in the shared pools, or in one of its own.
/// @return its kind's name
/// @throws wrong
void run_job(std::uint64_t seed, std::uint64_t number, pool_slots* slots, tally& counts,
             void (*begins)(const char* kind));

/// Elements for a job, with a temper drawn for all of them; `most` at the most.
book draw_book(job_context& job, const procpool::MapOptions& options, std::size_t most = 3000);
/// Any settings that the calls of map's kind take.
procpool::MapOptions draw_options(dice& random);

// The kinds; each in the file of its family.
void run_map(job_context& job);
void run_map_of_texts(job_context& job);
void run_starmap(job_context& job);
void run_apply(job_context& job);
void run_apply_of_texts(job_context& job);
void run_imap(job_context& job);
void run_imap_of_texts(job_context& job);
void run_arrays(job_context& job);
void run_awkward(job_context& job);
void run_nested(job_context& job);
void run_replacement(job_context& job);
void run_end_in_the_midst(job_context& job);
void run_orphaned_handles(job_context& job);
void run_doomed(job_context& job);

}  // namespace chaos

#endif
