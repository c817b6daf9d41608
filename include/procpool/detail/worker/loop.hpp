// SPDX-License-Identifier: MIT
// The life of a worker: read elements, run them, send the results together.
#ifndef PROCPOOL_DETAIL_WORKER_LOOP_HPP
#define PROCPOOL_DETAIL_WORKER_LOOP_HPP

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/poll_hook.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/c_streams.hpp"
#include "procpool/detail/os/crash.hpp"
#include "procpool/detail/os/inner_threads.hpp"
#include "procpool/detail/os/limits.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/peaceful_exit.hpp"
#include "procpool/detail/os/standard_output.hpp"
#include "procpool/detail/wire/arena.hpp"
#include "procpool/detail/wire/arena_window.hpp"
#include "procpool/detail/wire/element_times.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/wire/large_part_impl.hpp"
#include "procpool/detail/worker/black_box.hpp"
#include "procpool/detail/worker/element_position.hpp"
#include "procpool/detail/worker/exit_functions.hpp"
#include "procpool/detail/worker/launcher_variables.hpp"
#include "procpool/detail/worker/outbox_impl.hpp"
#include "procpool/detail/worker/run_pacer_impl.hpp"
#include "procpool/detail/worker/stop_watch.hpp"
#include "procpool/detail/worker/task.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/preload.hpp"
#include "procpool/options.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::detail::worker {

/// Runs what arrives in the task pipe until that ends.
template <class = only_if_used>
class basic_loop {
public:
    basic_loop(zygote::worker_birth& birth, const WorkerLimits& limits)
        : memory_(birth.memory, birth.slot * slot_memory, slot_memory),
          box_(*std::launder(reinterpret_cast<black_box*>(memory_.data()))),
          outbox_(box_, memory_.data() + outbox_offset, std::move(birth.results)),
          tasks_(std::move(birth.tasks)),
          most_growth_(limits.memory_growth),
          limited_(limits.memory.has_value()),
          seed_(birth.settings.seed),
          pacer_(box_, outbox_,
                 std::launder(reinterpret_cast<wire::element_times*>(memory_.data() + times_offset))) {
        open_arenas(birth);
        if (birth.settings.serves_other_machine) outbox_.serve_other_machine();
        birth.memory.reset();
        os::crash_recorder::install(box_.crash);
        if (most_growth_) pacer_.watch_growth(*most_growth_);
    }

    int run() {
        // Again: where the page could not be mapped for it, birth_record has stored nothing.
        box_.told.pid.store(os::current_pid(), std::memory_order_relaxed);
        box_.told.ready.store(steady_ns(), std::memory_order_release);
        while (read_more())
            while (serve_frame()) {
            }
        outbox_.flush();
        run_exit_functions();
        return EXIT_SUCCESS;
    }

private:
    struct definition {
        wire::buffer bytes;
        const task_ops* how = nullptr;
        bool is_shared = false;          // `bytes` say where in an arena it lies
        std::size_t begin = 0;           // where in it the callable starts
        std::shared_ptr<void> callable;  // if all jobs of this definition may share it
    };
    struct known_job {
        std::uint64_t id = 0;
        std::shared_ptr<definition> what;
        bool once = false;
        std::shared_ptr<void> callable;
    };

    /// Arguments can be read there and nothing else, so that no stray write harms another worker.
    void open_arenas(const zygote::worker_birth& birth) {
        const zygote::arena_layout& arenas = birth.settings.arenas;
        if (arenas.size == 0) return;
        const arena_room& room = box_.room;
        const std::uint64_t own = (1 + std::uint64_t{birth.slot}) * arenas.size + room.first;
        try {
            arguments_.emplace(arenas.pool, 0,
                               os::mapping(birth.memory, arenas.begin, arenas.size, os::access::read_only));
            if (room.size == 0) return;
            auto results = std::make_shared<const wire::arena_window>(
                arenas.pool, own, os::mapping(birth.memory, arenas.begin + own, room.size));
            auto arena = std::make_shared<wire::arena>(std::move(results), room.size, room.limit,
                                                       &box_.arena_bytes, &box_.returned);
            wire::results_of_this_process() = arena;
            outbox_.use(std::move(arena));
        } catch (const std::system_error&) {  // its addresses are limited: results go through the pipe
            if (!arguments_) throw;
        }
    }

    /// Waits for input, after everything that is done was sent; false at its end.
    bool read_more() {
        os::flush_standard_output();  // of threads that tasks have left
        pacer_.pause();
        input_.drop_front(parsed_);
        parsed_ = 0;
        constexpr std::size_t piece = 64 * 1024;
        std::byte* const at = input_.extend(std::max(piece, missing_));
        const std::size_t wanted = std::max(piece, missing_);
        const auto got = os::read_some(tasks_, at, wanted);
        input_.shrink_to(input_.size() - wanted + got.bytes);
        return !got.closed;
    }

    /// False if no complete frame is there.
    bool serve_frame() {
        const auto rest = input_.bytes().subspan(parsed_);
        missing_ = 0;
        if (rest.size() < sizeof(wire::task_header)) return false;
        const auto header = wire::cursor(rest).value<wire::task_header>();
        if (header.magic != wire::task_header::magic_number) leave(EXIT_FAILURE);  // somebody has taken some
        if (rest.size() - sizeof header < header.length) {
            missing_ = static_cast<std::size_t>(header.length) - (rest.size() - sizeof header);
            return false;
        }
        const auto payload = rest.subspan(sizeof header, static_cast<std::size_t>(header.length));
        switch (header.what) {
            case wire::task_header::kind::define:
            case wire::task_header::kind::define_once:
            case wire::task_header::kind::define_again:
            case wire::task_header::kind::define_shared: define(header, payload); break;
            case wire::task_header::kind::run: run_elements(header, payload); break;
            case wire::task_header::kind::forget: forget(header.job); break;
            case wire::task_header::kind::release: outbox_.release_pins(header.count); break;
            case wire::task_header::kind::trim:
                outbox_.trim();
                os::give_back_heap();
                break;
            case wire::task_header::kind::recalled: recalls_ = header.count; break;
            case wire::task_header::kind::probe: break;  // that it was read is the answer
            case wire::task_header::kind::attempt: attempt_ = static_cast<std::uint32_t>(header.count); break;
        }
        parsed_ += sizeof header + payload.size();
        return true;
    }

    void define(const wire::task_header& header, std::span<const std::byte> payload) {
        known_job job;
        job.id = header.job;
        const bool is_shared = header.what == wire::task_header::kind::define_shared;
        job.once = header.what != wire::task_header::kind::define && !is_shared;
        if (header.what == wire::task_header::kind::define_again) {
            job.what = last_once_;
        } else {
            // The callable is made when the first element needs it, so that its failure is that element's.
            job.what = std::make_shared<definition>();
            job.what->bytes.append(payload.data(), payload.size());
            job.what->is_shared = is_shared;
            job.what->begin = header.first;
            if (job.once) last_once_ = job.what;
        }
        jobs_.push_back(std::move(job));
    }

    /// The newest job is looked for most.
    known_job& job_of(std::uint64_t id) {
        const auto at =
            std::find_if(jobs_.rbegin(), jobs_.rend(), [&](const known_job& job) { return job.id == id; });
        if (at == jobs_.rend()) throw Error("procpool: elements of a job that was never defined");
        return *at;
    }

    void forget(std::uint64_t id) {
        std::erase_if(jobs_, [&](const known_job& job) { return job.id == id; });
    }

    void run_elements(const wire::task_header& header, std::span<const std::byte> payload) {
        if (header.number != runs_++) leave(EXIT_FAILURE);  // somebody has taken others
        known_job& job = job_of(header.job);
        const bool is_initializer = header.job == wire::initializer_number;
        const bool is_finalizer = header.job == wire::finalizer_number;
        if (is_initializer) pacer_.watch_growth_no_more();  // what it loads is no growth
        wire::element_reader elements(payload, header.stride);
        position_in_process = {.pool_seed = seed_,
                               .call = header.call,
                               .offset = header.first - box_.told.begun.load(std::memory_order_relaxed) - 1,
                               .counter = is_initializer || is_finalizer ? nullptr : &box_.told.begun,
                               .attempt = std::exchange(attempt_, 1),
                               .asked = &box_.stop_asked};
        bool good = true;
        outbox_.keep_results((header.timed & wire::task_header::kept) != 0);
        pacer_.begin_run(header, recalls_);
        while ((good || !os::allocations_failed) && pacer_.begin_element())
            good = run_until_one_throws(job, elements);
        pacer_.end_run();
        if (is_initializer)
            box_.told.initializing_ns.store(box_.told.busy_ns.load(std::memory_order_relaxed),
                                            std::memory_order_relaxed);
        if (is_initializer) os::print_by_c_streams(os::buffered_text::goes_out);
        // No task may run in a worker that isn't set up; some may wait in its pipe.
        if (!good && is_initializer) leave(EXIT_FAILURE);
        // The next ones would fail, too, for what this one has kept.
        if (!is_initializer && os::allocations_failed) {
            outbox_.flush();
            os::leave_in_peace(EXIT_SUCCESS);
        }
        if (is_initializer) os::allocations_failed = false;
        if (is_initializer && most_growth_) pacer_.watch_growth(*most_growth_);
        if (job.once) forget(header.job);
    }

    [[noreturn]] void leave(int code) {
        outbox_.flush();
        os::exit_process(code);
    }

    /// Runs the elements from the one on that has begun, as far as that goes: false if the last one threw.
    // What pthread_exit throws is no object, which the sanitizer takes for a null reference.
    __attribute__((no_sanitize("null"))) bool run_until_one_throws(known_job& job,
                                                                   wire::element_reader& elements) {
        try {
            if (!job.callable) make_callable(job);
            job.what->how->run(job.callable.get(), elements, pacer_, outbox_);
            return true;
        } catch (abi::__forced_unwind&) {
            os::exit_process(EXIT_SUCCESS);  // what pthread_exit in a process's only thread means
        } catch (const std::bad_alloc&) {
            if (limited_) os::allocations_failed = true;  // not by operator new, perhaps
            put_current_exception();
        } catch (...) {
            put_current_exception();
        }
        if (!job.callable) elements.next();  // what it would have been called with
        pacer_.end_element();
        return false;
    }

    void put_current_exception() {
        if (os::allocations_failed) os::limit_allocations_no_more();
        wire::encode_current_exception(outbox_.error_scratch());
        outbox_.put_error();
    }

    static void make_callable(known_job& job) {
        definition& what = *job.what;
        if (what.callable) {
            job.callable = what.callable;
            return;
        }
        wire::cursor lies_in(what.bytes.bytes());
        const auto bytes = what.is_shared ? wire::take_bulk(lies_in) : what.bytes.bytes();
        wire::cursor from(bytes.subspan(std::min(what.begin, bytes.size())));
        if (!what.how) {
            what.how = &wire::decode_function<task_ops_getter>(from)();
            what.begin = bytes.size() - from.left();
        }
        job.callable = what.how->make(from);
        if (what.how->stateless) what.callable = job.callable;
    }

    os::mapping memory_;
    std::optional<wire::arena_window> arguments_;
    black_box& box_;
    outbox outbox_;
    os::fd tasks_;
    const std::optional<std::size_t> most_growth_;
    const bool limited_;  // in its allocations
    const std::uint64_t seed_;
    run_pacer pacer_;
    wire::buffer input_;
    std::size_t parsed_ = 0;
    std::size_t missing_ = 0;
    std::vector<known_job> jobs_;
    std::shared_ptr<definition> last_once_;
    std::uint64_t recalls_ = 0;
    std::uint32_t attempt_ = 1;  // at the element of the next run
    std::uint16_t runs_ = 0;
};
using loop = basic_loop<>;

/// In a fresh run, which no zygote has loaded anything for. @return whether tasks may run
template <class = only_if_used>
bool preload_alone(const zygote::worker_birth& birth) {
    const auto wrong = zygote::run_preload(birth.preload);
    if (!wrong) return true;
    const os::mapping memory(birth.memory, birth.slot * slot_memory, slot_memory);
    auto* const text = reinterpret_cast<char*>(memory.data() + outbox_offset);
    text[wrong->copy(text, longest_preload_problem - 1)] = '\0';
    std::launder(reinterpret_cast<black_box*>(memory.data()))
        ->preload_failed.store(1, std::memory_order_release);
    return false;
}

/// What a new worker process runs.
template <class = only_if_used>
int main(zygote::worker_birth& birth) {
    const WorkerLimits& limits = birth.settings.limits;
    wire::may_load_libraries = true;
    if (birth.settings.is_rank) remove_launcher_variables();
    // What a forked one has in such buffers the program prints itself.
    os::print_by_c_streams(os::buffered_text::is_dropped);
    if (limits.nice > 0) os::add_niceness(limits.nice);
    os::keep_heap();
    if (limits.pin_to_cpu) os::pin_to_cpu(birth.slot);
    if (limits.memory) os::limit_allocations(*limits.memory);
    if (const int threads = birth.settings.inner_threads; threads > 0)
        os::limit_inner_threads(threads, birth.settings.only_default_threads);
    // The program may have forked in a thread of a pool, in a worker, or where a WaitHook is.
    this_thread = nullptr;
    position_in_thread = nullptr;
    stop_watch::forget();
    job::poll_hook::current() = nullptr;
    new auto(std::exchange(exit_functions<>(), {}));  // never destroyed: what they hold is the parent's
    const std::uint64_t first = birth.settings.first_index;
    this_process.index = birth.settings.first_index + birth.slot;
    this_process.seed = seed_of(birth.serial + (first << 20), os::current_pid());
    if (birth.preload && !preload_alone(birth)) return EXIT_FAILURE;
    birth.preload.reset();
    const int code = loop(birth, limits).run();
    os::leave_in_peace(code);
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
