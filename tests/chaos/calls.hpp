// SPDX-License-Identifier: MIT
// The API's calls for any payload, each with all its outcomes put down in the job's book.
#ifndef PROCPOOL_TESTS_CHAOS_CALLS_HPP
#define PROCPOOL_TESTS_CHAOS_CALLS_HPP

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "book.hpp"
#include "dice.hpp"
#include "inputs.hpp"
#include "job.hpp"

namespace chaos {

/// Runs `call`; what it throws is judged, other than what a judge has thrown.
template <class Call>
void judged(book& of, Call call) {
    try {
        call();
    } catch (const wrong&) {
        throw;
    } catch (...) {
        of.call_failed(std::current_exception());
        of.rest(state::unseen);
    }
}

template <class Payload, class Values>
void put_down_values(book& of, const Values& values) {
    if (of.input_throws) throw wrong("the input threw, but the call didn't");
    if (values.size() != of.size())
        throw wrong(std::to_string(values.size()) + " values for " + std::to_string(of.size()) + " elements");
    for (std::size_t i = 0; i < of.size(); ++i) of.value(i, Payload::is_right(of.scripts()[i], values[i]));
}

template <class Payload, class Outcomes>
void put_down_outcomes(book& of, const Outcomes& outcomes) {
    if (of.input_throws) throw wrong("the input threw, but the call didn't");
    if (outcomes.size() != of.size())
        throw wrong(std::to_string(outcomes.size()) + " outcomes for " + std::to_string(of.size()) +
                    " elements");
    for (std::size_t i = 0; i < of.size(); ++i) {
        if (outcomes[i].has_value() == (outcomes[i].error() != nullptr))
            throw wrong("an outcome with both a value and an error, or neither");
        if (outcomes[i])
            of.value(i, Payload::is_right(of.scripts()[i], *outcomes[i]));
        else
            of.error(outcomes[i].error(), i);
    }
}

/// Counts how often the callbacks of a handle are called; they may outlive the job.
class callback_watch {
public:
    callback_watch(job_context& job)
        : throws_(job.random.chance(5)),
          errors_(job.pool.callback_errors),
          counts_(std::make_shared<calls>()) {}

    template <class Result>
    void attach(procpool::AsyncResult<Result>& handle) const {
        const auto count = [](auto which, const callback_watch& watch) {
            return [which, counts = watch.counts_, errors = watch.errors_, throws = watch.throws_](auto&&) {
                ++((*counts).*which);
                if (!throws) return;
                ++errors->thrown;
                throw std::runtime_error("a callback throws");
            };
        };
        handle.callback(count(&calls::values, *this))
            .error_callback([call = count(&calls::errors, *this)](std::exception_ptr error) { call(error); });
    }

    /// The result is there: so one of them has run, and only once.
    void check(bool has_value, bool is_empty_map, tally& into) const {
        const int values = counts_->values, errors = counts_->errors;
        const bool called = !is_empty_map;
        if (values != (called && has_value) || errors != (called && !has_value))
            throw wrong("the callback was called " + std::to_string(values) +
                        " times and the error callback " + std::to_string(errors) + " times, after " +
                        (has_value ? "a value" : "an error") +
                        (is_empty_map ? " of a map over nothing" : ""));
        into.callbacks += static_cast<std::uint64_t>(values + errors);
    }

private:
    struct calls {
        std::atomic<int> values{0}, errors{0};
    };
    bool throws_;
    std::shared_ptr<tested_pool::error_counts> errors_;
    std::shared_ptr<calls> counts_;
};

/// Waits for a handle, in one way or another. @return whether it has a value
template <class Result>
bool wait_for(dice& random, procpool::AsyncResult<Result>& handle) {
    switch (random.below(3)) {
        case 0:
            while (!handle.wait(std::chrono::microseconds(random.size(5000)))) {
            }
            break;
        case 1: try { handle.get(std::chrono::microseconds(random.size(1000)));
            } catch (...) {  // the time is over, or it is the result's own error: it will be thrown again
            }
            [[fallthrough]];
        default: handle.wait();
    }
    if (!handle.ready()) throw wrong("a handle that was waited for isn't ready");
    return handle.successful();
}

/// map_async or starmap_async: `start` makes the handle.
template <class Payload, class Start>
void call_async(job_context& job, book& of, Start start) {
    judged(of, [&] {
        auto handle = start();
        const callback_watch watch(job);
        const bool is_watched = job.random.chance(60);
        if (is_watched) watch.attach(handle);
        if (job.random.chance(10)) return of.rest(state::unseen);  // the work goes on without a handle
        bool cancelled = false;
        if (job.random.chance(15)) {
            handle.wait(std::chrono::microseconds(job.random.size(3000)));
            of.may_end_workers();
            cancelled = handle.cancel();
            of.cancels = of.cancels || cancelled;
        }
        const bool has_value = wait_for(job.random, handle);
        if (is_watched) watch.check(has_value, of.size() == 0, job.counts);
        if (cancelled && has_value) throw wrong("a cancelled call has a value");
        put_down_values<Payload>(of, handle.get());
    });
}

template <class Payload>
void call_map(job_context& job) {
    const auto options = draw_options(job.random);
    book of = draw_book(job, options);
    with_input<Payload>(job.random, of, [&](auto& input) {
        switch (job.random.below(3)) {
            case 0:
                judged(of,
                       [&] { put_down_values<Payload>(of, job.pool->map(&Payload::task, input, options)); });
                return;
            case 1:
                judged(of, [&] {
                    put_down_outcomes<Payload>(of, job.pool->try_map(&Payload::task, input, options));
                });
                return;
            default:
                call_async<Payload>(job, of,
                                    [&] { return job.pool->map_async(&Payload::task, input, options); });
        }
    });
    of.settle(job.counts);
}

/// Many tasks at once, each with a handle.
template <class Payload>
void call_apply(job_context& job) {
    const bool shares = job.random.chance(50);  // without options calls may share a job
    procpool::MapOptions drawn = shares ? procpool::MapOptions{} : draw_options(job.random);
    drawn.fail_fast = false;  // each call is one element
    const procpool::TaskOptions options{
        .timeout = drawn.timeout, .retries = drawn.retries, .retry_exceptions = drawn.retry_exceptions};
    book of = draw_book(job, drawn, 150);
    using handle = procpool::AsyncResult<typename Payload::result>;
    std::vector<std::optional<handle>> handles(of.size());
    std::vector<std::optional<callback_watch>> watches(of.size());
    for (std::size_t i = 0; i < of.size(); ++i)
        of.settle_alone(i, [&] {
            auto argument = Payload::argument_of(of.scripts()[i]);
            handles[i].emplace(shares ? job.pool->apply_async(&Payload::task, std::move(argument))
                                      : job.pool->apply_async(options, &Payload::task, std::move(argument)));
            if (job.random.chance(30)) watches[i].emplace(job).attach(*handles[i]);
        });
    const bool backwards = job.random.chance(30);
    for (std::size_t step = 0; step < of.size(); ++step) {
        const std::size_t i = backwards ? of.size() - 1 - step : step;
        if (!handles[i]) continue;  // refused
        of.settle_alone(i, [&] {
            if (job.random.chance(5)) {
                of.may_end_workers();
                of.cancels = handles[i]->cancel();
            } else {
                of.cancels = false;
            }
            const bool has_value = wait_for(job.random, *handles[i]);
            if (watches[i]) watches[i]->check(has_value, false, job.counts);
            if (of.cancels && has_value) throw wrong("a cancelled task has a value");
            of.value(i, Payload::is_right(of.scripts()[i], handles[i]->get()));
        });
    }
    of.settle(job.counts);
}

template <class Payload>
void call_imap(job_context& job) {
    auto options = draw_options(job.random);
    options.fail_fast = false;  // an element that is dropped has no place in a stream
    book of = draw_book(job, options);
    const bool ordered = job.random.chance(60);
    const bool abandons = job.random.chance(15);
    if (abandons) of.may_end_workers();
    const std::size_t most = abandons ? job.random.size(of.size()) : of.size();
    with_input<Payload>(job.random, of, [&](auto& input) {
        judged(of, [&] {
            auto results = ordered ? job.pool->imap(&Payload::task, input, options)
                                   : job.pool->imap_unordered(&Payload::task, input, options);
            std::optional<state> end_of_pool;
            for (std::size_t at = 0; at < most || !abandons; ++at) {
                const auto place = ordered ? std::optional<std::uint64_t>(at) : std::nullopt;
                try {
                    const auto next = take_next(job.random, results);
                    if (!next) {
                        if (at != of.size() && !end_of_pool)
                            throw wrong("imap ended after " + std::to_string(at) + " results of " +
                                        std::to_string(of.size()));
                        break;
                    }
                    const std::uint64_t index = ordered ? at : Payload::index_of(*next);
                    of.value(index, index < of.size() && Payload::is_right(of.scripts()[index], *next));
                } catch (const wrong&) {
                    throw;
                } catch (const input_error&) {
                    if (!of.input_throws) throw;
                    break;
                } catch (...) {
                    if (const auto what = of.error_in_stream(std::current_exception(), place))
                        end_of_pool = what;
                }
            }
            of.rest(end_of_pool.value_or(state::unseen));
        });
    });
    of.settle(job.counts);
}

/// next(), or next(timeout) until it comes.
template <class Results>
auto take_next(dice& random, Results& results) {
    if (!random.chance(20)) return results.next();
    for (;;) {
        try {
            return results.next(std::chrono::microseconds(random.size(2000)));
        } catch (const procpool::TimeoutError&) {
        }
    }
}

}  // namespace chaos

#endif
