// SPDX-License-Identifier: MIT
// What a serialize function has thrown, as an error of the library.
#ifndef PROCPOOL_DETAIL_WIRE_SERIALIZING_IMPL_HPP
#define PROCPOOL_DETAIL_WIRE_SERIALIZING_IMPL_HPP

#include <cxxabi.h>

#include <exception>
#include <string>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/utf8.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

PROCPOOL_COMPILED_APART void throw_as_serialization_error(const type_sentence& what) {
    const auto text = [&] { return what.before + (what.type ? type_name(*what.type) : "") + what.after; };
    try {
        throw;
    } catch (abi::__forced_unwind&) {
        throw;
    } catch (const SerializationError&) {
        throw;
    } catch (const ManagerDied&) {
        throw;
    } catch (const std::exception& error) {
        throw SerializationError(text() + ": " + valid_utf8(error.what()));
    } catch (...) {
        throw SerializationError(text() + ": an exception that is no std::exception");
    }
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
