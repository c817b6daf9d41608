// SPDX-License-Identifier: MIT
#include "simulation.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <utility>

#include "procpool/detail/scheduler/window.hpp"

namespace simulation {

namespace {

using namespace std::chrono_literals;
using scheduler::peer_state;

class world {
public:
    explicit world(const plan& what)
        : plan_(what),
          dice_(what.seed),
          most_per_peer_(with(trouble::replacement) && dice_.one_in(3) ? dice_.from(1, 40)
                                                                       : ~std::uint64_t{0}),
          pool_(dice_.from(1, 4), dice_.next(),
                {.max_elements_per_peer = most_per_peer_,
                 .terminate_grace = std::chrono::milliseconds(dice_.below(20)),
                 .error_handler = {},
                 .initializer = with(trouble::initializers) && dice_.one_in(4)
                                    ? std::make_shared<simulated_initializer>()
                                    : nullptr}) {}

    void run(counts& total) {
        for (std::uint64_t i = 0; i < plan_.actions; ++i) {
            act();
            move_driver();
        }
        finish();
        total.elements += last_number_;
        total.deaths += deaths_;
        total.steps += steps_;
    }

private:
    bool with(trouble which) const { return (plan_.troubles & static_cast<unsigned>(which)) != 0; }
    bool sometimes(trouble which, std::uint64_t n) { return with(which) && dice_.one_in(n); }

    // ---- what happens

    void act() {
        switch (dice_.below(12)) {
            case 0: add_job(); return;
            case 1: submit_more(); return;
            case 2: single_calls(); return;
            case 3: give_up(); return;
            case 4: pass_time(); return;
            case 5: end_pool(); return;
            default: move_peer(); return;
        }
    }

    /// The driver sleeps until something wakes it, then does a step.
    void move_driver() {
        if (!pool_.sleeps()) {
            if (dice_.one_in(2)) return;  // callers come and go meanwhile
            pool_.fall_asleep();
            return;
        }
        if (!pool_.must_wake()) {
            if (pool_.has_something_to_do())
                throw broken("nothing wakes the driver, and there is something to do");
            return;
        }
        step();
    }
    void step() {
        ++steps_;
        pool_.wake_up(dice_, [this] { check_idle(); }, [this] { check_places(), check_limits(); });
        check_ends();
    }

    std::shared_ptr<simulated_job> make_job(bool once) {
        const auto job = std::make_shared<simulated_job>(last_number_, dice_.below(3), once);
        job->retries = with(trouble::retries) ? static_cast<std::uint32_t>(dice_.below(3)) : 0;
        job->retry_exceptions = dice_.one_in(2);
        job->bulk = dice_.one_in(2);
        job->fail_fast = sometimes(trouble::cancellation, 6);
        if (sometimes(trouble::limits, 3)) job->timeout = std::chrono::milliseconds(dice_.from(1, 50));
        if (dice_.one_in(2))
            job->guided = true;
        else
            job->chunk = dice_.from(1, 8);
        return job;
    }
    void plan_elements(account& of, const scheduler::remote_job& job, std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            record one;
            if (sometimes(trouble::errors, 10)) {
                constexpr std::array kinds{behaviour::takes_long,  behaviour::throws,
                                           behaviour::throws_once, behaviour::kills,
                                           behaviour::kills_once,  behaviour::hangs};
                one.does = kinds[dice_.below(kinds.size())];
                if (one.does == behaviour::hangs && job.timeout == procpool::detail::job::no_limit)
                    one.does = behaviour::takes_long;
            }
            of.elements.push_back(one);
        }
        of.planned = count;
        last_number_ += count;
    }

    void add_job() {
        if (closed_ || pool_.why_failed()) return;
        const auto job = make_job(false);
        plan_elements(*job, *job, dice_.one_in(10) ? 0 : dice_.from(1, 60));
        job->expected = dice_.one_in(2) ? job->planned : 0;
        add_callbacks(*job, job);
        const auto lock = pool_.acquire();
        pool_.add(job);
        keep(job, *job);
        submit_some(job);
    }
    template <class Job>
    void keep(const std::shared_ptr<Job>& job, account& of) {
        pool_.open_.push_back(job);
        jobs_.push_back({job, &of});
    }
    void add_callbacks(scheduler::remote_job& job, const std::shared_ptr<account>& of) {
        if (!sometimes(trouble::callbacks, 3)) return;
        of->has_callback = true;
        job.add_callback([this, weak = std::weak_ptr(of)] {
            if (const auto one = weak.lock()) ++one->callbacks_run;
            if (dice_.one_in(3)) add_job();
            if (dice_.one_in(5)) give_up();
        });
    }

    void submit_more() {
        if (jobs_.empty()) return;
        auto& [job, of] = jobs_[dice_.below(jobs_.size())];
        const auto one = std::dynamic_pointer_cast<simulated_job>(job);
        if (!one || one->all_submitted) return;
        const auto lock = pool_.acquire();
        submit_some(one);
    }
    void submit_some(const std::shared_ptr<simulated_job>& job) {
        const std::uint64_t left = job->planned - job->submitted();
        if (left > 0 && !job->sealed()) {
            if (dice_.one_in(20)) {
                const std::uint64_t index = job->submitted();
                job->of(index).begun = 0;
                ++job->of(index).submitted;
                pool_.submit_failed(job, index, std::make_exception_ptr(std::runtime_error("can't be sent")));
            } else {
                const std::uint64_t count = dice_.from(1, left);
                scheduler::block some{
                    .first = job->submitted(), .count = count, .stride = 8, .bytes = {}, .pins = {}};
                for (std::uint64_t i = 0; i < count; ++i) {
                    some.bytes.append_value(job->number(some.first + i));
                    ++job->of(some.first + i).submitted;
                }
                pool_.submit(job, std::move(some));
            }
        }
        if (job->submitted() == job->planned || job->sealed()) {
            job->all_submitted = true;
            if (!job->sealed()) pool_.seal(job);
        }
    }

    void single_calls() {
        if (closed_ || pool_.why_failed()) return;
        for (std::uint64_t n = dice_.from(1, 12); n > 0; --n) {
            if (with(trouble::series) && join_series()) continue;
            const auto job = make_job(true);
            job->chunk = 1;
            plan_elements(*job, *job, 1);
            const auto lock = pool_.acquire();
            pool_.add(job);
            keep(job, *job);
            submit_some(job);
        }
    }
    bool join_series() {
        const auto lock = pool_.acquire();
        static constexpr char task = 0;
        const scheduler::pool_backend::call_kind kind{&task};
        auto series = std::static_pointer_cast<simulated_series>(pool_.series_of(kind));
        if (!series) {
            if (!pool_.begins_series(kind)) return false;
            series = std::make_shared<simulated_series>(last_number_, 9);
            last_number_ += scheduler::call_series::most_calls;
            pool_.open_series(series);
            keep(series, *series);
        }
        const std::uint64_t call = series->submitted();
        record one;
        if (sometimes(trouble::errors, 12)) one.does = dice_.one_in(2) ? behaviour::throws : behaviour::kills;
        series->elements.push_back(one);
        series->planned = series->elements.size();
        ++series->of(call).submitted;
        if (sometimes(trouble::callbacks, 8)) {
            auto* const counted = &series->call_callbacks_run;
            (*counted)[call] = 0;
            series->add_call_callback(call, [counted, call] { ++(*counted)[call]; });
        }
        scheduler::block& arguments = series->open_block(8);
        arguments.stride = 8;
        arguments.bytes.append_value(series->number(call));
        ++arguments.count;
        pool_.submit_call(series, 8);
        return true;
    }

    void give_up() {
        if (!with(trouble::cancellation) || jobs_.empty() || !dice_.one_in(3)) return;
        const auto job = jobs_[dice_.below(jobs_.size())].job;
        using running = procpool::detail::job::runner::running;
        const auto lock = pool_.acquire();
        switch (dice_.below(3)) {
            case 0:
                pool_.abandon(job, dice_.one_in(2) ? running::goes_on : running::is_ended, "given up");
                return;
            case 1: pool_.withdraw(job, "withdrawn"); return;
            default:
                if (job->submitted() > 0) pool_.abandon_call(job, dice_.below(job->submitted()), "given up");
        }
    }

    void end_pool() {
        if (!with(trouble::ends) || !dice_.one_in(40)) return;
        if (dice_.one_in(4)) {
            closed_ = true;
            pool_.terminate_now();
            return;
        }
        closed_ = true;
        const auto lock = pool_.acquire();
        pool_.wind_up(dice_.one_in(2) ? "withdrawn" : nullptr);
    }

    void pass_time() {
        const auto step = std::chrono::microseconds(dice_.from(1, dice_.one_in(4) ? 20'000 : 500));
        // The driver wakes up in time.
        const steady_time most =
            pool_.sleeps() ? std::max(pool_.sleeps_until(), pool_.time().now()) : pool_.time().now();
        pool_.time().advance_to(std::min<steady_time>(pool_.time().now() + step, most));
    }

    // ---- peers

    void move_peer() {
        simulated_peer& one = pool_.peers()[dice_.below(pool_.peers().size())];
        if (!one.alive) return;
        if (with(trouble::deaths) && dice_.one_in(60)) {
            kill(one);
            return;
        }
        if (one.asked_to_end && dice_.one_in(2)) {
            kill(one);
            return;
        }
        run_peer(one, dice_.from(1, 4));
    }
    void kill(simulated_peer& one) {
        ++deaths_;
        one.alive = false;
    }
    /// Some steps of a peer. @return whether it did anything
    bool run_peer(simulated_peer& one, std::uint64_t steps) {
        bool any = false;
        for (; steps > 0 && one.alive; --steps) {
            if (one.is_running()) {
                if (!end_element(one)) return any;
            } else if (one.can_read()) {
                one.words().ready.store(1);
                one.begin_next(pool_.time().now());
                if (one.is_running()) note_begin(one);
            } else if (one.holds_results()) {
                one.send_results();
            } else if (one.input_ended) {
                one.alive = false;
            } else {
                one.words().ready.store(1);
                return any;
            }
            any = true;
            if (dice_.one_in(4)) one.send_results();
        }
        return any;
    }
    void note_begin(const simulated_peer& one) {
        const auto& element = *one.running;
        if (!account_of(element.job)) {
            if (one.told().begun != 1) throw broken("an initializer isn't the first that a peer runs");
            return;
        }
        account& of = *account_of(element.job);
        record& kept = of.of(element.index);
        if (of.number(element.index) != element.number) throw broken("an element has another's bytes");
        if (kept.withdrawn && element.job->retries == 0)
            throw broken("an element runs after it was withdrawn");
        // A peer that was told to end for the sake of another element dies in this one, which is innocent.
        if (one.asked_to_end) ++kept.innocent;
        if (++kept.begun > 1 + element.job->retries + kept.innocent)
            throw broken("an element runs more often than it may: " + std::to_string(element.index) +
                         " of job " + std::to_string(element.job->id) + ", begun " +
                         std::to_string(kept.begun) + " times, " + std::to_string(element.job->retries) +
                         " retries" + state());
    }
    static account* account_of(const scheduler::remote_job* job) {
        return dynamic_cast<account*>(const_cast<scheduler::remote_job*>(job));
    }
    /// False if it goes on.
    bool end_element(simulated_peer& one) {
        const auto& element = *one.running;
        if (!account_of(element.job)) {
            if (dice_.one_in(10))
                kill(one);
            else
                one.end_element(dice_.one_in(100), pool_.time().now());
            return true;
        }
        const record& kept = account_of(element.job)->of(element.index);
        switch (kept.does) {
            case behaviour::hangs: return false;
            case behaviour::takes_long:
                if (pool_.time().now() - one.begun_at < 30ms) return false;
                break;
            case behaviour::kills: kill(one); return true;
            case behaviour::kills_once:
                if (kept.begun == 1) {
                    kill(one);
                    return true;
                }
                break;
            default: break;
        }
        const bool throws =
            kept.does == behaviour::throws || (kept.does == behaviour::throws_once && kept.begun == 1);
        one.end_element(throws, pool_.time().now());
        return true;
    }

    // ---- what must be true

    /// After a step each element that was submitted is in one place.
    void check_places() {
        for (const auto& [job, of] : jobs_) {
            of->places.assign(of->elements.size(), 0);
            std::uint64_t ready = 0;
            for (const auto& some : job->ready) {
                ready += some.count;
                for (std::uint64_t i = 0; i < some.count; ++i) ++of->places.at(some.first + i);
            }
            if (ready != job->ready_elements) throw broken("the number of ready elements is wrong");
        }
        for (const auto& peer : pool_.peers())
            for (const auto& run : peer.work().runs())
                for (std::uint64_t i = run.results; i < run.elements.count && account_of(run.job.get()); ++i)
                    ++account_of(run.job.get())->places.at(run.elements.first + i);
        for (const auto& [job, of] : jobs_) {
            if (job->failure() || job->abandoned) continue;
            for (std::uint64_t i = 0; i < of->places.size(); ++i) {
                const record& one = of->elements[i];
                const unsigned places = of->places[i] + (one.values > 0 || of->has_error(i));
                if (places == 1 || job->has_dropped(i, 1)) continue;
                if (places > 1) throw broken("an element is in two places");
                if (one.submitted > 0) throw broken("an element is lost");
            }
        }
    }
    void check_ends() {
        std::erase_if(jobs_, [this](const entry& one) {
            if (!is_over(one)) return false;
            check_end(one);
            std::erase(pool_.open_, one.job);
            return true;
        });
    }

    /// No peer that may work is without work while elements are ready, and none has more than its window.
    void check_idle() {
        if (pool_.why_failed()) return;
        for (const auto& one : pool_.peers()) {
            constexpr std::uint64_t most_of_chunk = 8;  // which isn't cut
            if (one.taken >= most_per_peer_ && one.taken - most_per_peer_ >= most_of_chunk)
                throw broken("a peer has got more elements than it may");
            if (one.work().elements() > 40'000) throw broken("a peer has more elements than any window");
            if (one.can_work() && !one.input_ended && one.work().elements() == 0 && one.taken == 0 &&
                pool_.has_ready())
                throw broken("a peer has nothing to do, and elements are ready");
        }
    }

    /// What has a time limit is checked in time.
    void check_limits() {
        for (auto& one : pool_.peers()) {
            if (!one.alive || !one.is_running() || !one.has_started() || !one.is_alive()) continue;
            const auto& element = *one.running;
            if (element.job->timeout == procpool::detail::job::no_limit || one.asked_to_end) continue;
            if (!one.work().has(*element.job, element.index)) continue;
            if (one.check_at > std::max(one.begun_at, pool_.time().now()) + element.job->timeout)
                throw broken("an element has a time limit, and nobody will look");
            if (pool_.time().now() > one.begun_at + element.job->timeout + 40ms)
                throw broken("an element runs longer than it may");
        }
    }

    struct entry {
        std::shared_ptr<scheduler::remote_job> job;
        account* of;
    };
    static bool is_over(const entry& one) {
        if (!one.job->done()) return false;
        for (std::uint64_t call = 0; call < one.job->submitted(); ++call)
            if (!one.job->call_done(call)) return false;
        return true;
    }
    /// Of a job that is over.
    static void check_end(const entry& one) {
        const bool failed = one.job->failure() != nullptr;
        for (std::uint64_t i = 0; i < one.of->elements.size(); ++i) {
            const record& element = one.of->elements[i];
            const unsigned ends = element.values + one.of->has_error(i);
            if (element.submitted > 0 && ends == 0 && !failed) throw broken("an element has no end");
            if (ends > 1 && !one.job->has_dropped(i, 1)) throw broken("an element has two ends");
        }
        if (one.of->has_callback && one.of->callbacks_run != 1) throw broken("a callback didn't run once");
        if (const auto* const series = dynamic_cast<const simulated_series*>(one.job.get()))
            for (const auto& [call, runs] : series->call_callbacks_run)
                if (runs != 1)
                    throw broken("a call's callback ran " + std::to_string(runs) + " times: call " +
                                 std::to_string(call) + " of " + std::to_string(one.job->submitted()) +
                                 (one.job->failure() ? ", failed" : ""));
    }

    /// No more calls and deaths: everything comes to its end, by what the driver is told alone.
    void finish() {
        if (!pool_.why_failed()) {
            const auto all = jobs_;
            for (const auto& [job, of] : all) {
                const auto one = std::dynamic_pointer_cast<simulated_job>(job);
                while (one && !one->all_submitted) {
                    const auto lock = pool_.acquire();
                    submit_some(one);
                }
            }
            const auto lock = pool_.acquire();
            pool_.close();
        }
        closed_ = true;
        for (std::uint64_t idle = 0; idle < 200;) {
            if (!pool_.sleeps()) pool_.fall_asleep();
            bool any = false;
            for (auto& one : pool_.peers()) {
                if (one.alive && one.asked_to_end) one.alive = false;
                any = (one.alive && run_peer(one, 3)) || any;
                if (one.alive && one.holds_results() && one.is_out_of_input()) one.send_results();
            }
            if (pool_.must_wake()) {
                step();
                idle = 0;
                if (!pool_.has_jobs() && ++quiet_ > 20) break;
                continue;
            }
            if (any) continue;
            if (!pool_.has_jobs()) break;
            ++idle;
            // Peers that run something long need time.
            const bool busy =
                std::any_of(pool_.peers().begin(), pool_.peers().end(),
                            [](const simulated_peer& one) { return one.alive && one.is_running(); });
            const steady_time due = pool_.sleeps_until();
            if (busy)
                pool_.time().advance_to(std::min<steady_time>(due, pool_.time().now() + 5ms));
            else if (due != steady_time::max())
                pool_.time().advance_to(due);
        }
        if (pool_.has_jobs())
            throw broken("the pool has come to a stop with calls that have no end:" + state());
        for (const entry& one : jobs_) {
            if (!is_over(one)) throw broken("a job is not done, and the pool has none left");
            check_end(one);
        }
    }

    /// For a person.
    std::string state() {
        std::string text;
        for (const auto& [job, of] : jobs_)
            text += "\n    job " + std::to_string(job->id) + ": submitted " +
                    std::to_string(job->submitted()) + " of " + std::to_string(of->planned) + ", ready " +
                    std::to_string(job->ready_elements) + (job->sealed() ? ", sealed" : "") +
                    (job->failure() ? ", failed" : "") + (job->complete() ? ", complete" : "") +
                    (job->abandoned ? ", abandoned" : "");
        for (const auto& one : pool_.peers())
            text += "\n    peer in state " + std::to_string(static_cast<int>(one.state())) +
                    (one.alive ? ", alive" : "") + (one.is_running() ? ", runs" : "") + ", has " +
                    std::to_string(one.work().elements()) + " of " + std::to_string(one.taken) +
                    (one.input_ended ? ", input ended" : "") + (one.has_outgoing() ? ", unsent" : "") +
                    (one.holds_results() ? ", holds results" : "") + (one.has_news() ? ", news" : "");
        return text;
    }

    const plan plan_;
    random dice_;
    const std::uint64_t most_per_peer_;
    simulated_pool pool_;
    std::vector<entry> jobs_;
    std::uint64_t last_number_ = 0;
    std::uint64_t deaths_ = 0;
    std::uint64_t steps_ = 0;
    unsigned quiet_ = 0;
    bool closed_ = false;
};

}  // namespace

std::optional<std::string> run(const plan& what, counts& total) try {
    world(what).run(total);
    return std::nullopt;
} catch (const std::exception& error) {
    return error.what();
}

}  // namespace simulation
