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

template <class T>
void save_optional(const std::optional<T>& value, sink out) {
    encode(out, value.has_value());
    encode(out, value.value_or(T{}));
}
template <class T>
std::optional<T> load_optional(cursor& from) {
    const auto there = codec<bool>::decode(from);
    const auto value = codec<T>::decode(from);
    return there ? std::optional<T>(value) : std::nullopt;
}

template <class = only_if_used>
void save_death(const std::exception& error, sink out) {
    const auto& death = dynamic_cast<const WorkerDied&>(error);
    save_text(error, out);
    encode(out, death.pid());
    save_optional(death.exit_code(), out);
    encode(out, death.signal());
    save_optional(death.index(), out);
    encode(out, death.run_time().count());
    encode(out, death.peak_memory());
    encode(out, death.out_of_memory());
    encode(out, death.stack_trace());
    encode(out, death.error_output());
    encode(out, death.host());
}

template <class Death>
void rethrow_death(cursor& from) {
    auto text = codec<std::string>::decode(from);
    WorkerDied::Cause cause;
    cause.pid = codec<long>::decode(from);
    cause.exit_code = load_optional<int>(from);
    cause.signal = codec<int>::decode(from);
    cause.index = load_optional<std::uint64_t>(from);
    cause.run_time = std::chrono::nanoseconds(codec<std::chrono::nanoseconds::rep>::decode(from));
    cause.peak_memory = codec<std::uint64_t>::decode(from);
    cause.out_of_memory = codec<bool>::decode(from);
    cause.stack_trace = codec<std::string>::decode(from);
    cause.error_output = codec<std::string>::decode(from);
    cause.host = codec<std::string>::decode(from);
    if (cause.host.empty()) {
        cause.host = host_of_origin();
        if (!cause.host.empty()) text.append(" (on ").append(cause.host).append(")");
    }
    throw_with_origin(Death(text, std::move(cause)));
}

/// A WorkerDied, or what derives from it without members.
template <class Death>
exception_kind death_kind() {
    return {&typeid(Death), &save_death<>, &rethrow_death<Death>};
}

template <class = only_if_used>
exception_kind node_died_kind() {
    return {&typeid(NodeDied),
            [](const std::exception& error, sink out) {
                const auto& death = dynamic_cast<const NodeDied&>(error);
                save_text(error, out);
                encode(out, death.host());
                encode(out, death.rank());
            },
            [](cursor& from) {
                const auto text = codec<std::string>::decode(from);
                auto host = codec<std::string>::decode(from);
                throw_with_origin(NodeDied(text, std::move(host), codec<int>::decode(from)));
            }};
}

template <class = only_if_used>
exception_kind remote_error_kind() {
    return {&typeid(RemoteError),
            [](const std::exception& error, sink out) {
                const auto& remote = dynamic_cast<const RemoteError&>(error);
                save_text(error, out);
                encode(out, remote.type_name());
                encode(out, remote.pid());
                save_optional(remote.index(), out);
                encode(out, remote.host());
            },
            [](cursor& from) {
                const auto text = codec<std::string>::decode(from);
                auto type_name = codec<std::string>::decode(from);
                const auto pid = codec<long>::decode(from);
                const auto index = load_optional<std::uint64_t>(from);
                auto host = codec<std::string>::decode(from);
                if (host.empty()) host = host_of_origin();
                throw_with_origin(RemoteError(std::move(type_name), text, pid, index, std::move(host)));
            }};
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
