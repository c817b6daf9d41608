// SPDX-License-Identifier: MIT
// What is said between a manager and those who use its objects.
#ifndef PROCPOOL_DETAIL_FAMILY_MANAGER_REQUEST_HPP
#define PROCPOOL_DETAIL_FAMILY_MANAGER_REQUEST_HPP

#include <cstdint>
#include <memory>

#include "procpool/detail/mutex.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::family {

struct manager_request {
    enum class kind : std::uint32_t { create, acquire, release, call };
    kind what{};
    std::uint32_t unused = 0;
    std::uint64_t object = 0;
};

/// In front of each answer but that to `release`, which has none: a value follows, or an error record.
enum class manager_answer : std::uint8_t { value, error };

/// What a request to create names by its code address.
using object_maker = std::shared_ptr<void>(wire::cursor& arguments);
/// What a call names: decodes its arguments, then locks, calls, and encodes the result.
using object_call = void(void* object, mutex& lock, wire::cursor& arguments, wire::sink result);

}  // namespace procpool::inline v0_1::detail::family

#endif
