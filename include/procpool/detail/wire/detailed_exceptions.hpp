// SPDX-License-Identifier: MIT
// How exceptions travel that tell more than a text.
#ifndef PROCPOOL_DETAIL_WIRE_DETAILED_EXCEPTIONS_HPP
#define PROCPOOL_DETAIL_WIRE_DETAILED_EXCEPTIONS_HPP

#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>

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

}  // namespace procpool::inline v0_1::detail::wire

#endif
