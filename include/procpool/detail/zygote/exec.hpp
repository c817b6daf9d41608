// SPDX-License-Identifier: MIT
// Starting this program anew in a child.
//
// The child gets one descriptor, a socket whose number is its only argument, and learns all else from the
// first message there. An argument, since an environment variable would be inherited by whatever the child
// starts in its turn.
#ifndef PROCPOOL_DETAIL_ZYGOTE_EXEC_HPP
#define PROCPOOL_DETAIL_ZYGOTE_EXEC_HPP

#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procpool/detail/os/environment.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/peer.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/process_identity.hpp"
#include "procpool/detail/os/program.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/os/socket.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/surroundings.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// Runs this program with `argument`; to be called in the child before that: prepare_exec(). Returns the
/// process id.
/// @throws std::system_error
using program_launcher = long (*)(const char* argument, int inherited);

/// Set by freeze_support().
inline std::atomic<program_launcher> launcher{nullptr};

/// The launcher, in launcher.hpp.
long launch_fresh_run(const char* argument, int inherited);

/// What a fresh run is of.
struct fresh_run_command {
    std::string file = "/proc/self/exe";  // this program, also when its file was replaced or removed
    std::vector<std::string> arguments;   // from its name on; the one that names the socket comes behind
};
/// Set by freeze_support() or set_executable(), before there is a pool.
inline fresh_run_command& fresh_run() {
    static auto* const command =
        new fresh_run_command;  // leaked: pools of static lifetime end after it would
    return *command;
}

inline constexpr std::string_view birth_argument = "--procpool-process=";

/// The socket in the argument of a process that was started anew, -1 if that is no number; nothing in all
/// others.
inline std::optional<int> birth_socket(int argc, const char* const* argv) {
    if (argc != 2) return std::nullopt;
    std::string_view number = argv[1];
    if (!number.starts_with(birth_argument)) return std::nullopt;
    number.remove_prefix(birth_argument.size());
    int socket = -1;
    const char* const end = number.data() + number.size();
    const auto [read_to, error] = std::from_chars(number.data(), end, socket);
    return error == std::errc() && read_to == end ? socket : -1;
}

/// The same for code that has no arguments at hand: of what an executable is given, it is the last.
inline std::optional<int> birth_socket() {
    const auto arguments = os::own_arguments();
    if (arguments.size() < 2) return std::nullopt;
    const std::array<const char*, 2> argv{arguments.front().c_str(), arguments.back().c_str()};
    return birth_socket(2, argv.data());
}

/// For a fresh run: those that it makes are like itself. False if that is the program, and not another
/// executable.
inline bool repeat_own_command() {
    auto arguments = os::own_arguments();
    if (arguments.size() <= 2) return false;
    arguments.pop_back();
    fresh_run().arguments = std::move(arguments);
    return true;
}

/// Anybody may start the program with such an argument, and whoever is at the other end of the socket decides
/// which code runs here. So this ends a process of which that isn't its own parent, with its own rights.
inline void require_birth_by_parent(int socket) {
    const char* reason = nullptr;
    const auto maker = os::peer_of(socket);
    if (os::has_raised_rights())
        reason = "it has other rights than who started it, by set-user-id, set-group-id or capabilities";
    else if (!maker)
        reason = "its argument names no socket";
    else if (!os::is_own_user(*maker))
        reason = "another user has made its socket";
    else if (maker->pid != os::parent_pid())
        reason = "who has made its socket is not its parent";
    else
        return;
    // A parent that has ended while this process started needs no worker any more, and no message.
    if (!maker || !os::is_own_user(*maker) || !os::has_ended(maker->pid))
        std::fprintf(stderr, "procpool: process %ld was started to be a worker, and refuses: %s\n",
                     os::current_pid(), reason);
    os::exit_process(EXIT_FAILURE);
}

/// Whether a fresh run would refuse.
inline bool fresh_runs_change_rights() noexcept { return os::would_change_rights(fresh_run().file.c_str()); }

/// For a fresh run of the program that gets to where it would do what the program does.
[[noreturn]] inline void end_without_freeze_support() noexcept {
    std::fprintf(
        stderr,
        "procpool: process %ld was started to be a worker and has come to the program's own work; call "
        "procpool::freeze_support(argc, argv) first in main, whatever the arguments are\n",
        os::current_pid());
    os::exit_process(EXIT_FAILURE);
}

/// Of the fresh run that is started next.
inline birth_record next_record;
inline char** next_environment = nullptr;     // that of the program if null
inline const char* next_directory = nullptr;  // the same

/// For the child, between fork or vfork and exec. Calls nothing that isn't safe there.
inline void prepare_exec(int inherited) noexcept {
    next_record.write();
    // If it is gone meanwhile: nothing may run elsewhere.
    if (next_directory && !os::change_directory(next_directory)) os::end_at_once(EXIT_FAILURE);
    os::inherit_only(inherited);
}

/// Starts this program anew with `socket`, all signals blocked, and the standard streams of this process.
/// @throws std::system_error
inline long start_anew(const os::fd& socket, birth_record record = {}, const surroundings* around = nullptr) {
    const std::string argument = std::string(birth_argument).append(std::to_string(socket.get()));
    // A handler of the program's that runs in the child, before exec, would run in the wrong process; and no
    // child that another thread forks meanwhile must hold what this one has open for a moment.
    const os::signals_blocked quiet;
    auto& registry = os::fd_registry::instance();
    const auto no_fork = registry.hold_forks();
    // It may be a fork after all: by Boost.Process without vfork, or by the thread sanitizer, which has none.
    const std::array keep{socket.get(), record.memory};
    registry.keep_in_next_child(keep);
    std::vector<std::string> variables;
    std::vector<char*> environment;
    if (around) {
        variables = around->environment();
        for (std::string& one : variables) environment.push_back(one.data());
        environment.push_back(nullptr);
        next_environment = environment.data();
        if (!around->directory.empty()) next_directory = around->directory.c_str();
    }
    next_record = record;
    const struct forget_it {
        ~forget_it() {
            os::fd_registry::instance().keep_in_next_child({});
            next_record = {};
            next_environment = nullptr;
            next_directory = nullptr;
        }
    } afterwards;
    return launcher.load()(argument.c_str(), socket.get());
}

/// A fresh run gets it in a message behind its first one, where that says so.
inline void send_preload(const os::fd& socket, const os::fd& preload) {
    if (!preload) return;
    const std::array files{preload.get()};
    process_birth only_files;
    only_files.what = process_birth::kind::preload;
    os::send_message(socket, only_files, files);
}

}  // namespace procpool::inline v0_1::detail::zygote

#endif
