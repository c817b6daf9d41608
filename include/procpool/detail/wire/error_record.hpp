// SPDX-License-Identifier: MIT
// Exceptions on their way from a worker: as their own type where that is known on both sides, else as text.
#ifndef PROCPOOL_DETAIL_WIRE_ERROR_RECORD_HPP
#define PROCPOOL_DETAIL_WIRE_ERROR_RECORD_HPP

#include <cxxabi.h>

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/utf8.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/detailed_exceptions.hpp"
#include "procpool/detail/wire/exception_kind.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

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
             kind_from_text<TaskQuarantined>(),
             kind_from_text<Empty>(),
             kind_from_text<Full>(),
             kind_from_text<QueueClosed>(),
             kind_from_text<BrokenBarrier>(),
             lock_owner_died_kind(),
             death_kind<WorkerDied>(),
             death_kind<TaskTimeout>(),
             death_kind<TaskCpuTimeout>(),
             node_died_kind(),
             remote_error_kind(),
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
        const bool name_will_do = may_lie_elsewhere(from);  // else the only one of the name is another one
        try {
            rethrow = decode_code(from);
        } catch (const SerializationError&) {  // it can't be found here
            if (!name_will_do) return nullptr;
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
/// origin, and `host` if that is another machine.
template <class = only_if_used>
std::exception_ptr decode_exception_of(cursor from, long pid, std::optional<std::uint64_t> index,
                                       const std::string& where, const std::string& host = {}) try {
    const auto name = codec<std::string>::decode(from);
    const auto text = codec<std::string>::decode(from);
    const auto mangled_name = codec<std::string>::decode(from);
    const RemoteError origin(name, valid_utf8(name + ": " + text + " (" + where + ")"), pid, index, host);
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
                                    const std::string& note = {}, const std::string& host = {}) {
    return decode_exception_of(from, pid, index,
                               "in worker " + std::to_string(pid) + (host.empty() ? "" : " on " + host) +
                                   (index ? ", element " + std::to_string(*index) : ", in the initializer") +
                                   note,
                               host);
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
