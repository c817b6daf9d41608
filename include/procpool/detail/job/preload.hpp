// SPDX-License-Identifier: MIT
// The function that runs before workers are forked, whatever its type.
#ifndef PROCPOOL_DETAIL_JOB_PRELOAD_HPP
#define PROCPOOL_DETAIL_JOB_PRELOAD_HPP

#include <memory>

#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::job {

class preload {
public:
    preload() = default;
    preload(const preload&) = delete;
    preload& operator=(const preload&) = delete;
    virtual ~preload() = default;

    /// For another process, see zygote/preload.hpp, in a message with such `memory`; what it refers to is
    /// there as long as this object. @throws std::invalid_argument, SerializationError if it can't be sent
    /// there
    virtual wire::buffer encode(const std::shared_ptr<wire::arena>& memory) const = 0;
    /// Calls it here.
    virtual void call() const = 0;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
