// SPDX-License-Identifier: MIT
// Jobs that call a pool with plain numbers, or with texts of any size.
#include <tuple>

#include "calls.hpp"
#include "payloads.hpp"
#include "procpool/partial.hpp"

namespace chaos {

namespace mp = procpool;

void run_map(job_context& job) { call_map<numbers>(job); }
void run_apply(job_context& job) { call_apply<numbers>(job); }
void run_imap(job_context& job) { call_imap<numbers>(job); }
void run_map_of_texts(job_context& job) { call_map<texts>(job); }
void run_apply_of_texts(job_context& job) { call_apply<texts>(job); }
void run_imap_of_texts(job_context& job) { call_imap<texts>(job); }

namespace {

/// Two arguments, the second of which is added.
struct sums {
    using argument = std::tuple<script, std::uint64_t>;
    using result = numbers::result;

    static argument argument_of(const script& element) { return {element, element.index}; }
    static result task(const script& element, std::uint64_t more) {
        play(element);
        return {element.index, answer_of(element) + more};
    }
    static result flipped(std::uint64_t more, const script& element) { return task(element, more); }
    static void no_result(const script& element) { play(element); }
    static bool is_right(const script& element, const result& got) {
        return got.index == element.index && got.value == answer_of(element) + element.index;
    }
};

/// The same number for all, bound by partial.
struct bound_sums : sums {
    static constexpr std::uint64_t bound = 77;
    static bool is_right(const script& element, const result& got) {
        return got.index == element.index && got.value == answer_of(element) + bound;
    }
};

}  // namespace

void run_starmap(job_context& job) {
    const auto options = draw_options(job.random);
    book of = draw_book(job, options);
    with_input<sums>(job.random, of, [&](auto& input) {
        judged(of, [&] {
            switch (job.random.below(5)) {
                case 0: return put_down_values<sums>(of, job.pool->starmap(&sums::task, input, options));
                case 1:
                    return put_down_outcomes<sums>(of, job.pool->try_starmap(&sums::task, input, options));
                case 2:
                    return call_async<sums>(
                        job, of, [&] { return job.pool->starmap_async(&sums::task, input, options); });
                case 3: {
                    of.input_throws = false;  // it isn't read
                    const auto task = mp::partial(&sums::flipped, bound_sums::bound);
                    return put_down_outcomes<bound_sums>(of, job.pool->try_map(task, of.scripts(), options));
                }
                default:
                    of.input_throws = false;
                    job.pool->map(&sums::no_result, of.scripts(), options);
                    for (std::size_t i = 0; i < of.size(); ++i) of.value(i, true);
            }
        });
    });
    of.settle(job.counts);
}

}  // namespace chaos
