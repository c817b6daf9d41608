// SPDX-License-Identifier: MIT
// Exceptions on their way from a worker: as their own type where that is known on both sides, else as text.
#ifndef PROCPOOL_DETAIL_WIRE_ERROR_RECORD_HPP
#define PROCPOOL_DETAIL_WIRE_ERROR_RECORD_HPP

#include <cxxabi.h>

#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/utf8.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

/// An E with the exception that is being handled when it is made: where it comes from.
template <class E>
struct with_origin : E, std::nested_exception {
    explicit with_origin(E&& error) : E(std::move(error)) {}
};

/// Throws `error`, with its origin unless its class can't take that.
template <class E>
[[noreturn]] void throw_with_origin(E error) {
    if constexpr (std::is_final_v<E> || std::is_base_of_v<std::nested_exception, E>)
        throw error;
    else
        throw with_origin<E>(std::move(error));
}

/// How one type of exception travels.
struct exception_kind {
    const std::type_info* type;
    void (*save)(const std::exception& error, sink out);
    void (*rethrow)(cursor& from);  // called while its origin is being handled
};

/// Whether each file may have a type of this name of its own: in an unnamed namespace.
inline bool is_of_one_file(std::string_view mangled_name) noexcept {
    return mangled_name.find("_GLOBAL__N_") != std::string_view::npos;
}

/// The kinds that this process knows. Thread-safe; kinds are only ever added. Guarded by hold_forks(), so
/// that no child inherits it locked.
template <class = only_if_used>
class basic_exception_registry {
public:
    static basic_exception_registry& instance() {
        static basic_exception_registry* const registry =
            new basic_exception_registry;  // leaked: used by static objects
        return *registry;
    }

    /// False if the type is known already.
    bool add(const exception_kind& kind) {
        const auto lock = os::fd_registry::instance().hold_forks();
        if (find(*kind.type)) return false;
        kinds_.push_back(kind);
        return true;
    }

    const exception_kind* find(const std::type_info& type) const {
        const auto lock = os::fd_registry::instance().hold_forks();
        for (const exception_kind& known : kinds_)
            if (is_same(*known.type, type)) return &known;
        return nullptr;
    }

    /// Of several kinds of the name, the one that has `rethrow`; 0 if that isn't known.
    const exception_kind* find(std::string_view mangled_name, std::uintptr_t rethrow) const {
        const auto lock = os::fd_registry::instance().hold_forks();
        const exception_kind* found = nullptr;
        int of_that_name = 0;
        for (const exception_kind& known : kinds_) {
            if (known.type->name() != mangled_name) continue;
            if (reinterpret_cast<std::uintptr_t>(known.rethrow) == rethrow) return &known;
            found = &known;
            ++of_that_name;
        }
        return of_that_name == 1 && rethrow == 0 ? found : nullptr;
    }

private:
    basic_exception_registry();

    /// Types of two shared libraries are the same by their name, but for those that each file has of its own.
    static bool is_same(const std::type_info& one, const std::type_info& other) noexcept {
        if (&one == &other) return true;
        const std::string_view name = one.name();
        return name == other.name() && !is_of_one_file(name);
    }

    std::deque<exception_kind> kinds_;  // stable addresses
};
using exception_registry = basic_exception_registry<>;

inline void save_text(const std::exception& error, sink out) { encode(out, std::string_view(error.what())); }
inline void save_nothing(const std::exception&, sink) {}

template <class E>
void rethrow_from_text(cursor& from) {
    throw_with_origin(E(codec<std::string>::decode(from)));
}
template <class E>
void rethrow_empty(cursor&) {
    throw_with_origin(E());
}

/// A type that is rebuilt from its text.
template <class E>
exception_kind kind_from_text() {
    return {&typeid(E), &save_text, &rethrow_from_text<E>};
}

/// A type that has nothing to tell but itself.
template <class E>
exception_kind kind_without_text() {
    return {&typeid(E), &save_nothing, &rethrow_empty<E>};
}

/// A type that cereal serialises.
template <class E>
exception_kind kind_by_cereal() {
    return {
        &typeid(E),
        [](const std::exception& error, sink out) { codec<E>::encode(out, dynamic_cast<const E&>(error)); },
        [](cursor& from) { throw_with_origin(codec<E>::decode(from)); }};
}

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

template <class OnlyIfUsed>
basic_exception_registry<OnlyIfUsed>::basic_exception_registry()
    : kinds_{kind_without_text<std::exception>(),
             kind_without_text<std::bad_exception>(),
             kind_without_text<std::bad_alloc>(),
             kind_without_text<std::bad_array_new_length>(),
             kind_without_text<std::bad_cast>(),
             kind_without_text<std::bad_typeid>(),
             kind_without_text<std::bad_optional_access>(),
             kind_without_text<std::bad_function_call>(),
             kind_without_text<std::bad_weak_ptr>(),
             kind_from_text<std::logic_error>(),
             kind_from_text<std::domain_error>(),
             kind_from_text<std::invalid_argument>(),
             kind_from_text<std::length_error>(),
             kind_from_text<std::out_of_range>(),
             kind_from_text<std::runtime_error>(),
             kind_from_text<std::range_error>(),
             kind_from_text<std::overflow_error>(),
             kind_from_text<std::underflow_error>(),
             kind_from_text<Error>(),
             kind_from_text<TimeoutError>(),
             kind_from_text<PoolNotRunning>(),
             kind_from_text<PoolStillRunning>(),
             kind_from_text<ResultNotReady>(),
             kind_from_text<PoolTerminated>(),
             kind_from_text<SerializationError>(),
             kind_from_text<BootstrapError>(),
             kind_from_text<ProcessError>(),
             kind_from_text<EOFError>(),
             kind_from_text<ConnectionClosed>(),
             kind_from_text<ManagerDied>(),
             kind_from_text<TaskCancelled>(),
             kind_from_text<Empty>(),
             kind_from_text<Full>(),
             kind_from_text<QueueClosed>(),
             kind_from_text<BrokenBarrier>(),
             lock_owner_died_kind(),
             system_error_kind(),
             filesystem_error_kind()} {}

/// The kind of the exception that is being handled; null if its type is not known here.
template <class = only_if_used>
const exception_kind* current_exception_kind() {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    if (!type) return nullptr;
    const exception_registry& registry = exception_registry::instance();
    if (const exception_kind* const kind = registry.find(*type)) return kind;
    // What std::throw_with_nested(E) or a pool of the task's own has thrown is a template<E> that derives
    // from E and std::nested_exception; it travels as an E.
    const auto* const derived = dynamic_cast<const abi::__vmi_class_type_info*>(type);
    if (!derived || derived->__base_count != 2) return nullptr;
    // Declared with one element, it has as many as there are bases.
    const abi::__base_class_type_info* const bases = derived->__base_info;
    if (*bases[1].__base_type != typeid(std::nested_exception)) return nullptr;
    const std::type_info& base = *bases[0].__base_type;
    return type_name(*type).ends_with(std::string("<").append(type_name(base)).append(">"))
               ? registry.find(base)
               : nullptr;
}

/// The text of the exception that is being handled, with those that are nested in it.
template <class = only_if_used>
std::string current_exception_text() {
    try {
        throw;
    } catch (const std::exception& error) {
        std::string text = error.what();
        // std::rethrow_if_nested would end the process if nothing is nested after all.
        const auto* const outer = dynamic_cast<const std::nested_exception*>(&error);
        if (!outer || !outer->nested_ptr()) return text;
        try {
            outer->rethrow_nested();
        } catch (...) {
            return text + " (because of: " + current_exception_text() + ")";
        }
    } catch (...) {
        return "not derived from std::exception";
    }
}

/// Encodes the exception that is being handled.
template <class = only_if_used>
void encode_current_exception(sink out) {
    const exception_kind* const kind = current_exception_kind();
    const std::type_info* const type = kind ? kind->type : abi::__cxa_current_exception_type();
    encode(out, type ? type_name(*type) : std::string("unknown"));
    encode(out, current_exception_text());
    const std::size_t before = out.to.size();
    if (kind) {
        try {
            throw;
        } catch (const std::exception& error) {
            try {
                encode(out, std::string_view(type->name()));
                if (is_of_one_file(type->name())) encode_function(out.to, kind->rethrow);
                kind->save(error, out);
                return;
            } catch (...) {
                out.to.shrink_to(before);  // what can't be saved travels as text
            }
        } catch (...) {
        }
    }
    encode(out, std::string_view());
}

/// The kind that encode_current_exception() has named; null if it isn't known here.
template <class = only_if_used>
const exception_kind* decode_kind(std::string_view mangled_name, cursor& from) {
    std::uintptr_t rethrow = 0;
    if (is_of_one_file(mangled_name)) {
        try {
            rethrow = decode_code(from);
        } catch (const SerializationError&) {  // it can't be found here
        }
    }
    return exception_registry::instance().find(mangled_name, rethrow);
}

/// Type and text of an exception that a worker encoded.
template <class = only_if_used>
std::string text_of_exception(std::span<const std::byte> record) {
    cursor from(record);
    std::string text = codec<std::string>::decode(from);
    return text.append(": ").append(codec<std::string>::decode(from));
}

/// The exception that another process encoded; SerializationError if it is garbage. `where` is told with its
/// origin.
template <class = only_if_used>
std::exception_ptr decode_exception_of(cursor from, long pid, std::optional<std::uint64_t> index,
                                       const std::string& where) try {
    const auto name = codec<std::string>::decode(from);
    const auto text = codec<std::string>::decode(from);
    const auto mangled_name = codec<std::string>::decode(from);
    const RemoteError origin(name, valid_utf8(name + ": " + text + " (" + where + ")"), pid, index);
    try {
        throw origin;
    } catch (...) {
        std::exception_ptr as_text = std::current_exception();
        const exception_kind* const kind = decode_kind(mangled_name, from);
        if (!kind) return as_text;
        try {
            kind->rethrow(from);
        } catch (...) {
            // Anything else was thrown by the attempt to make it: its text is better than that.
            return current_exception_kind() == kind ? std::current_exception() : as_text;
        }
    }
    std::terminate();  // rethrow() throws
} catch (...) {
    return std::current_exception();
}

/// The same of a worker.
template <class = only_if_used>
std::exception_ptr decode_exception(cursor from, long pid, std::optional<std::uint64_t> index,
                                    const std::string& note = {}) {
    return decode_exception_of(from, pid, index,
                               "in worker " + std::to_string(pid) +
                                   (index ? ", element " + std::to_string(*index) : ", in the initializer") +
                                   note);
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
