// SPDX-License-Identifier: MIT
// How exceptions travel that tell more than a text.
#ifndef PROCPOOL_DETAIL_WIRE_DETAILED_EXCEPTIONS_HPP
#define PROCPOOL_DETAIL_WIRE_DETAILED_EXCEPTIONS_HPP

#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <utility>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/exception_kind.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

// std::system_error appends its code's message to the text that it was made with.
inline std::string without_suffix(std::string text, const std::string& suffix) {
    if (text == suffix) return {};
    const std::string end = ": " + suffix;
    if (text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0)
        text.resize(text.size() - end.size());
    return text;
}

template <class = only_if_used>
void save_error_code(const std::error_code& code, sink out) {
    encode(out, code.value());
    encode(out, std::string_view(code.category().name()));
}

template <class = only_if_used>
std::error_code load_error_code(cursor& from) {
    const int value = codec<int>::decode(from);
    const auto category = codec<std::string>::decode(from);
    if (category == std::system_category().name()) return {value, std::system_category()};
    if (category == std::generic_category().name()) return {value, std::generic_category()};
    throw SerializationError("procpool: unknown error category " + category);
}

template <class = only_if_used>
exception_kind system_error_kind() {
    return {&typeid(std::system_error),
            [](const std::exception& error, sink out) {
                const auto& system = dynamic_cast<const std::system_error&>(error);
                save_error_code(system.code(), out);
                encode(out, without_suffix(system.what(), system.code().message()));
            },
            [](cursor& from) {
                const std::error_code code = load_error_code(from);
                const auto text = codec<std::string>::decode(from);
                throw_with_origin(text.empty() ? std::system_error(code) : std::system_error(code, text));
            }};
}

template <class = only_if_used>
exception_kind filesystem_error_kind() {
    using std::filesystem::filesystem_error;
    return {&typeid(filesystem_error),
            [](const std::exception& error, sink out) {
                const auto& file = dynamic_cast<const filesystem_error&>(error);
                save_error_code(file.code(), out);
                encode(out, without_suffix(file.std::system_error::what(), file.code().message()));
                encode(out, file.path1().string());
                encode(out, file.path2().string());
            },
            [](cursor& from) {
                const std::error_code code = load_error_code(from);
                const auto text = codec<std::string>::decode(from);
                const auto first = codec<std::string>::decode(from);
                const auto second = codec<std::string>::decode(from);
                throw_with_origin(!second.empty()  ? filesystem_error(text, first, second, code)
                                  : !first.empty() ? filesystem_error(text, first, code)
                                                   : filesystem_error(text, code));
            }};
}

template <class = only_if_used>
exception_kind lock_owner_died_kind() {
    return {&typeid(LockOwnerDied),
            [](const std::exception& error, sink out) {
                save_text(error, out);
                encode(out, dynamic_cast<const LockOwnerDied&>(error).pid());
            },
            [](cursor& from) {
                const auto text = codec<std::string>::decode(from);
                throw_with_origin(LockOwnerDied(text, codec<long>::decode(from)));
            }};
}

/// What is encoded here tells no host if it is of the machine that encodes it. The receiver knows that
/// machine's name, and has put it into the origin, which is being handled.
inline std::string host_of_origin() {
    try {
        throw;
    } catch (const RemoteError& origin) {
        return origin.host();
    }
}

/// All numbers that an exception tells, in one piece: it is rare, and shall take little code.
struct told_numbers {
    enum flag : std::uint64_t { has_index = 1, has_exit_code = 2, out_of_memory = 4 };

    std::uint64_t flags = 0;  // no bool, of which not all bytes are values
    std::int64_t pid = 0;
    std::uint64_t index = 0;
    std::int64_t run_time = 0;
    std::uint64_t peak_memory = 0;
    std::int32_t exit_code = 0;
    std::int32_t signal_or_rank = 0;

    void tell_index(const std::optional<std::uint64_t>& known) {
        if (!known) return;
        flags |= has_index;
        index = *known;
    }
    std::optional<std::uint64_t> told_index() const {
        return flags & has_index ? std::optional(index) : std::nullopt;
    }
};

template <class = only_if_used>
void save_death(const std::exception& error, sink out) {
    const auto& death = dynamic_cast<const WorkerDied&>(error);
    told_numbers numbers{.flags = death.out_of_memory() ? told_numbers::out_of_memory : std::uint64_t{0},
                         .pid = death.pid(),
                         .run_time = death.run_time().count(),
                         .peak_memory = death.peak_memory(),
                         .signal_or_rank = death.signal()};
    numbers.tell_index(death.index());
    if (const auto code = death.exit_code()) {
        numbers.flags |= told_numbers::has_exit_code;
        numbers.exit_code = *code;
    }
    out.to.append_value(numbers);
    save_text(error, out);
    for (const std::string* text : {&death.stack_trace(), &death.error_output(), &death.host()})
        encode(out, *text);
}

/// @return its text
template <class = only_if_used>
std::string load_death(cursor& from, WorkerDied::Cause& cause) {
    const auto numbers = from.value<told_numbers>();
    cause.pid = static_cast<long>(numbers.pid);
    cause.signal = numbers.signal_or_rank;
    cause.index = numbers.told_index();
    cause.run_time = std::chrono::nanoseconds(numbers.run_time);
    cause.peak_memory = numbers.peak_memory;
    cause.out_of_memory = (numbers.flags & told_numbers::out_of_memory) != 0;
    if (numbers.flags & told_numbers::has_exit_code) cause.exit_code = numbers.exit_code;
    std::string text;
    for (std::string* part : {&text, &cause.stack_trace, &cause.error_output, &cause.host})
        *part = codec<std::string>::decode(from);
    if (cause.host.empty()) {
        cause.host = host_of_origin();
        if (!cause.host.empty()) text.append(" (on ").append(cause.host).append(")");
    }
    return text;
}

/// A WorkerDied, or what derives from it without members.
template <class Death>
exception_kind death_kind() {
    return {&typeid(Death), &save_death<>, [](cursor& from) {
                WorkerDied::Cause cause;
                const std::string text = load_death(from, cause);
                throw_with_origin(Death(text, std::move(cause)));
            }};
}

template <class = only_if_used>
exception_kind node_died_kind() {
    return {&typeid(NodeDied),
            [](const std::exception& error, sink out) {
                const auto& death = dynamic_cast<const NodeDied&>(error);
                out.to.append_value(told_numbers{.signal_or_rank = death.rank()});
                save_text(error, out);
                encode(out, death.host());
            },
            [](cursor& from) {
                const auto numbers = from.value<told_numbers>();
                const auto text = codec<std::string>::decode(from);
                throw_with_origin(NodeDied(text, codec<std::string>::decode(from), numbers.signal_or_rank));
            }};
}

template <class = only_if_used>
exception_kind remote_error_kind() {
    return {&typeid(RemoteError),
            [](const std::exception& error, sink out) {
                const auto& remote = dynamic_cast<const RemoteError&>(error);
                told_numbers numbers{.pid = remote.pid()};
                numbers.tell_index(remote.index());
                out.to.append_value(numbers);
                save_text(error, out);
                encode(out, remote.type_name());
                encode(out, remote.host());
            },
            [](cursor& from) {
                const auto numbers = from.value<told_numbers>();
                const auto text = codec<std::string>::decode(from);
                auto type_name = codec<std::string>::decode(from);
                auto host = codec<std::string>::decode(from);
                if (host.empty()) host = host_of_origin();
                throw_with_origin(RemoteError(std::move(type_name), text, static_cast<long>(numbers.pid),
                                              numbers.told_index(), std::move(host)));
            }};
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
