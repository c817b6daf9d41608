// SPDX-License-Identifier: MIT
// Runs the element of a bundle in the program's own process, and nothing else.
#ifndef PROCPOOL_DETAIL_WORKER_REPLAY_HPP
#define PROCPOOL_DETAIL_WORKER_REPLAY_HPP

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/environment.hpp"
#include "procpool/detail/os/locked_file.hpp"
#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/program.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/frame_reader.hpp"
#include "procpool/detail/worker/black_box.hpp"
#include "procpool/detail/worker/bundle.hpp"
#include "procpool/detail/worker/element_position.hpp"
#include "procpool/detail/worker/outbox_impl.hpp"
#include "procpool/detail/worker/run_pacer_impl.hpp"
#include "procpool/detail/worker/task.hpp"
#include "procpool/worker.hpp"

namespace procpool::inline v0_1::detail::worker {

inline constexpr const char* replay_variable = "PROCPOOL_REPLAY";

/// The bundle that this process is to run, from its environment; null if there is none. A program that has
/// other rights than who started it runs nobody's.
inline const char* file_to_replay() noexcept {
    const char* const file = std::getenv(replay_variable);
    return file && *file != '\0' && !os::has_raised_rights() ? file : nullptr;
}

/// What stands for a worker meanwhile, as where a pool has none.
template <class = only_if_used>
class basic_replayer {
public:
    void run(const encoded_call& call) {
        wire::cursor from(call.definition);
        const task_ops& how = wire::decode_function<task_ops_getter>(from)();
        const std::shared_ptr<void> callable = how.make(from);
        wire::element_reader elements(call.arguments, call.stride);
        pacer_.begin_run({.what = wire::task_header::kind::run, .count = 1}, 0);
        pacer_.begin_element();
        how.run(callable.get(), elements, pacer_, outbox_);
        pacer_.end_run();
        pacer_.pause();
    }

private:
    struct alignas(64) slot {
        std::byte bytes[slot_memory];
    };
    const std::unique_ptr<slot> memory_ = std::make_unique<slot>();
    black_box& box_ = *new (memory_->bytes) black_box;
    wire::frame_reader results_;  // which nobody reads
    outbox outbox_{box_, memory_->bytes + outbox_offset, results_};
    run_pacer pacer_{box_, outbox_};
};
using replayer = basic_replayer<>;

[[noreturn]] inline void refuse_replay(const char* file, const std::string& why) noexcept {
    std::fprintf(stderr, "procpool: %s can't be replayed: %s\n", file, why.c_str());
    std::exit(EXIT_FAILURE);
}

inline bundle decoded(const char* file, std::span<const std::byte> bytes) {
    try {
        return decode_bundle(bytes);
    } catch (const SerializationError& error) {
        refuse_replay(file, error.what());
    }
}

/// As the worker had them. What only this process has stays: it may be for the debugger.
inline void take_surroundings(const char* file, const bundle& from) {
    const auto name_of = [](std::string_view variable) { return variable.substr(0, variable.find('=') + 1); };
    std::vector<std::string> variables = from.environment;
    for (std::string& own : os::environment())
        if (std::ranges::none_of(from.environment,
                                 [&](const std::string& one) { return name_of(one) == name_of(own); }))
            variables.push_back(std::move(own));
    std::erase_if(variables, [&](const std::string& one) {
        return name_of(one) == std::string(replay_variable) + "=";  // nor do its children
    });
    os::replace_environment(std::move(variables));
    if (!os::change_directory(from.directory.c_str()))
        refuse_replay(file, "its directory is gone: " + from.directory);
}

/// As the worker has run them. @throws what they throw
template <class = only_if_used>
void run_calls(const bundle& what) try {
    replayer as_worker;
    if (!what.initializer.definition.empty()) as_worker.run(what.initializer);
    if (what.element.definition.empty()) return;
    element_counter position(what.pool_seed, what.call);
    position.is(what.index);
    as_worker.run(what.element);
} catch (const SerializationError&) {
    if (what.may_refer_to_objects)
        std::fputs(
            "procpool: what refers to shared objects of the program that has written a bundle (as SharedArray, Lock or "
            "Queue) can't be replayed when that has ended\n",
            stderr);
    throw;
}

/// Ends the process as the element does, or when that has returned.
template <class = only_if_used>
[[noreturn]] void replay(const char* file) noexcept {
    try {
        const os::fd opened = os::open_to_read(file);
        if (!os::status_of(opened).is_own)
            refuse_replay(file, "another user has written it, and it says which code is to run");
        const std::string text = os::read_to_end(opened);
        const bundle what = decoded(file, std::as_bytes(std::span(text)));
        const os::module_id build = os::program_id();
        if (what.build.empty() || !build.is_build_id())
            refuse_replay(
                file,
                "the program has no build id by which it could be told from another build; link it with "
                "-Wl,--build-id");
        if (what.build != build.text())
            refuse_replay(file, "another build of the program has written it (build id " + what.build +
                                    ", this one is " + build.text() + "); run that one");
        const std::string name(file);  // which may be in the environment
        std::fprintf(stderr, "procpool: replays %s, of which a worker told: %s\n", name.c_str(),
                     what.message.c_str());
        take_surroundings(name.c_str(), what);
        wire::may_load_libraries = true;
        os::started_anew = false;  // it is the program, also before main
        const identity who{.index = what.worker,
                           .seed = seed_of(what.worker, os::current_pid()),
                           .pool_seed = what.pool_seed};
        this_thread = &who;
        run_calls(what);
        std::fprintf(stderr, "procpool: the replay of %s has come to its end, and nothing died\n",
                     name.c_str());
        this_thread = nullptr;
        std::exit(EXIT_SUCCESS);
    } catch (...) {
        std::fprintf(stderr, "procpool: the replay of %s threw: %s\n", file,
                     wire::current_exception_text().c_str());
        std::exit(EXIT_FAILURE);
    }
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
