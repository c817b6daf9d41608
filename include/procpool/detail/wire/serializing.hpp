// SPDX-License-Identifier: MIT
// Runs what may be a serialize function of the user's.
#ifndef PROCPOOL_DETAIL_WIRE_SERIALIZING_HPP
#define PROCPOOL_DETAIL_WIRE_SERIALIZING_HPP

#include <cxxabi.h>

#include <exception>
#include <string>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/utf8.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

/// In a handler: throws what was thrown as a SerializationError that begins with `what`, unless it is one
/// already, or tells that a proxy's manager is gone.
template <class = only_if_used>
[[noreturn]] void throw_as_serialization_error(const std::string& what) {
    try {
        throw;
    } catch (const SerializationError&) {
        throw;
    } catch (const ManagerDied&) {
        throw;
    } catch (const std::exception& error) {
        throw SerializationError(what + ": " + valid_utf8(error.what()));
    } catch (...) {
        throw SerializationError(what + ": an exception that is no std::exception");
    }
}

/// call(); whatever it throws is a SerializationError that begins with what().
template <class What, class Call>
decltype(auto) serializing(What what, Call call) {
    try {
        return call();
    } catch (abi::__forced_unwind&) {  // the thread ends: pthread_exit
        throw;
    } catch (...) {
        throw_as_serialization_error(what());
    }
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
