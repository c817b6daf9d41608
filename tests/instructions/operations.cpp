// SPDX-License-Identifier: MIT
// Operations whose instructions are counted by callgrind (check.sh), each by itself: times can't be trusted
// on a shared machine, and how a pool's work falls into batches depends on them.
#include <fcntl.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/poller.hpp"
#include "procpool/pool.hpp"

namespace {

namespace call = procpool::detail::call;
namespace os = procpool::detail::os;
namespace process = procpool::detail::process;
namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;
namespace worker = procpool::detail::worker;

using number = std::int64_t;
using record = std::tuple<int, std::string, std::vector<double>>;

number same(number x) { return x; }
std::string text_of(const record& one) { return std::get<1>(one); }

constexpr std::uint64_t count = 1000;  // elements of each operation

template <class T>
void keep(const T& value) {
    asm volatile("" : : "r"(&value) : "memory");
}

/// The second of two runs is counted: the first one finds memory and looks up symbols.
template <class Prepare, class Operation>
void count_instructions(const char* name, Prepare prepare, Operation operation) {
    for (int i = 0; i < 2; ++i) {
        auto with = prepare();
        CALLGRIND_ZERO_STATS;
        operation(*with);
        CALLGRIND_DUMP_STATS_AT(name);
    }
}

// ---- values

std::vector<number> numbers() {
    std::vector<number> all(count);
    std::iota(all.begin(), all.end(), 0);
    return all;
}
std::vector<record> records() {
    std::vector<record> all;
    for (std::uint64_t i = 0; i < count; ++i)
        all.emplace_back(static_cast<int>(i), "number " + std::to_string(i), std::vector<double>(i % 8, 0.5));
    return all;
}

template <class T>
scheduler::block encoded(const std::vector<T>& values) {
    call::range_encoder encoder(values.begin(), values.end(), nullptr);
    scheduler::block all;
    while (!encoder.at_end()) all.append(encoder.next(1));
    return all;
}

template <class T>
using map_job = call::remote_job_of<T, call::all_results<T>, std::vector<T>>;

template <class T, class F>
std::shared_ptr<map_job<T>> new_map(F* function) {
    using task = call::remote_task<F*, T>;
    return std::make_shared<map_job<T>>(task::define(function), false);
}

// ---- both ends of a worker's pipes, in this process

struct both_ends {
    both_ends() : file(os::make_memfd("instructions", worker::slot_memory)), memory(file, 0, file_size) {
        results = link.connect(memory.data());
        for (const int pipe : {link.tasks().get(), results.get()})
            if (::fcntl(pipe, F_SETPIPE_SZ, 1 << 20) < 0) std::abort();
    }

    worker::black_box& box() { return *std::launder(reinterpret_cast<worker::black_box*>(memory.data())); }
    worker::outbox make_outbox() {
        return {box(), memory.data() + worker::outbox_offset, std::move(results)};
    }
    void send_up(wire::result_header header, std::span<const std::byte> payload) {
        header.length = payload.size();
        wire::buffer frame;
        frame.append_value(header);
        frame.append(payload.data(), payload.size());
        if (!os::write_all(results, frame.data(), frame.size())) std::abort();
    }

    /// What has come up goes into its jobs.
    void take_results() {
        link.receive(1 << 20);
        deliveries.clear();
        link.collect(deliveries);
        for (const scheduler::delivery& one : deliveries) {
            one.job->accept(one.first, one.count, one.stride, one.bytes);
            one.job->publish(one.first, one.count);
        }
    }

    static constexpr std::size_t file_size = worker::slot_memory;
    os::fd file;
    os::mapping memory;
    process::worker_link link;
    os::fd results;
    std::vector<scheduler::delivery> deliveries;
};

// ---- operations

void encoding() {
    count_instructions(
        "encode_numbers", [] { return std::make_unique<std::vector<number>>(numbers()); },
        [](const auto& values) { keep(encoded(values)); });
    count_instructions(
        "encode_records", [] { return std::make_unique<std::vector<record>>(records()); },
        [](const auto& values) { keep(encoded(values)); });
    count_instructions(
        "decode_records", [] { return std::make_unique<scheduler::block>(encoded(records())); },
        [](const scheduler::block& block) {
            const auto map = std::make_shared<map_job<record>>(scheduler::task_definition{}, false);
            map->expect(count);
            map->accept(0, count, block.stride, block.payload());
            keep(map);
        });
}

void callables() {
    count_instructions(
        "encode_callable", [] { return std::make_unique<int>(0); },
        [](int&) {
            for (std::uint64_t i = 0; i < count; ++i)
                keep(call::remote_task<number (*)(number), number>::define(&same));
        });
}

/// What a worker does for each element, if it looks at the clock each time: how often it would do so for
/// elements that are this quick depends on the time.
template <class F, class T>
void task_in_worker(const char* name, F* function, const std::vector<T>& values) {
    struct state : both_ends {
        explicit state(const std::vector<T>& input) : elements(encoded(input)) {}
        scheduler::block elements;
        worker::outbox answers = make_outbox();
        worker::run_pacer done{box(), answers};
    };
    count_instructions(
        name, [&] { return std::make_unique<state>(values); },
        [&](state& my) {
            const worker::task_ops& how = worker::task<F*, T>::ops();
            wire::element_reader elements(my.elements.payload(), my.elements.stride);
            for (std::uint64_t i = 0; i < count; ++i) {
                my.done.begin_run({.count = 1, .bulk = 1}, 0);
                if (!my.done.begin_element()) std::abort();
                how.run(&function, elements, my.done, my.answers);
            }
            my.answers.flush();
        });
}

/// The pool's part of a map whose elements go out one by one, and of its results.
void map_in_pool() {
    struct state : both_ends {
        std::shared_ptr<map_job<number>> map = new_map<number>(&same);
        scheduler::block elements = encoded(numbers());
    };
    count_instructions(
        "map_out", [] { return std::make_unique<state>(); },
        [](state& my) {
            for (std::uint64_t i = 0; i < count; ++i) my.link.give(my.map, my.elements.take_front(1));
            if (!my.link.write()) std::abort();
        });
    count_instructions(
        "map_back",
        [] {
            auto my = std::make_unique<state>();
            my->map->expect(count);
            const scheduler::block answers = my->elements.copy(0, count);
            my->link.give(my->map, my->elements.copy(0, count));
            my->link.write();
            for (std::uint64_t i = 0; i < count; ++i)
                my->send_up({.sequence = i, .stride = sizeof(number)},
                            answers.payload().subspan(i * sizeof(number), sizeof(number)));
            return my;
        },
        [](state& my) {
            my.take_results();
            if (my.link.work().results() != count) std::abort();
        });
}

/// The pool's part of single calls.
void apply_in_pool() {
    using single = call::remote_job_of<number, call::one_result<number>>;
    count_instructions(
        "apply", [] { return std::make_unique<both_ends>(); },
        [](both_ends& my) {
            for (std::uint64_t i = 0; i < count; ++i) {
                const auto call = std::make_shared<single>(
                    call::remote_task<number (*)(number), number>::define(&same), true);
                scheduler::block arguments{.bytes = {}, .pins = {}};
                call::append_element(arguments, std::tuple(static_cast<number>(i)));
                my.link.give(call, std::move(arguments));
                if (!my.link.write()) std::abort();
                my.send_up({.sequence = i, .stride = sizeof i}, std::as_bytes(std::span(&i, 1)));
                my.take_results();
                if (call->value(0) != static_cast<number>(i)) std::abort();
            }
        });
}

/// The pool's part of calls that share jobs, 100 a message, and of what their handles ask.
void calls_in_series() {
    using series = call::call_series_of<number>;
    constexpr std::uint64_t together = 100;
    count_instructions(
        "calls_in_series", [] { return std::make_unique<both_ends>(); },
        [](both_ends& my) {
            for (std::uint64_t done = 0; done < count; done += together) {
                const auto calls =
                    std::make_shared<series>(call::remote_task<number (*)(number), number>::define(&same));
                for (std::uint64_t i = 0; i < together; ++i) {
                    call::append_element(calls->open_block(sizeof(number)),
                                         std::tuple(static_cast<number>(i)));
                    calls->add_submitted(1);
                }
                my.link.give(calls, std::move(calls->ready.front()));
                calls->ready.clear();
                if (!my.link.write()) std::abort();
                const std::vector<number> answers = numbers();
                my.send_up({.sequence = done, .stride = sizeof(number)},
                           std::as_bytes(std::span(answers)).first(together * sizeof(number)));
                my.take_results();
                for (std::uint64_t i = 0; i < together; ++i)
                    if (!calls->call_seen_done(i) || calls->error(i) ||
                        calls->value(i) != static_cast<number>(i))
                        std::abort();
            }
        });
}

/// What the program does until two workers are on their way, and what it does for their end.
void start() {
    const os::event interruption;
    os::poller watch;
    count_instructions(
        "start_two_workers", [] { return std::make_unique<std::unique_ptr<process::worker_processes>>(); },
        [&](std::unique_ptr<process::worker_processes>& workers) {
            process::worker_process_options options;
            options.count = 2;
            options.arena_limit = std::size_t{1} << 30;
            workers = std::make_unique<process::worker_processes>(std::move(options), interruption, watch, 1);
            workers->launch_all();
            workers->disconnect();
            workers->take_zygote()->kill();
        });
}

}  // namespace

int main() {
    std::printf("%d\n", static_cast<int>(::getpid()));
    std::fflush(stdout);
    encoding();
    callables();
    task_in_worker("task_numbers", &same, numbers());
    task_in_worker("task_records", &text_of, records());
    map_in_pool();
    apply_in_pool();
    calls_in_series();
    start();
}
