// SPDX-License-Identifier: MIT
// Begins and ends blocks of encoded elements.
#ifndef PROCPOOL_DETAIL_CALL_ENCODE_IMPL_HPP
#define PROCPOOL_DETAIL_CALL_ENCODE_IMPL_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "procpool/detail/call/encode.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/wire/other_machines.hpp"

namespace procpool::inline v0_1::detail::call {

PROCPOOL_COMPILED_APART void block_mark::restore(scheduler::block& to) const noexcept {
    to.bytes.shrink_to(bytes_);
    to.pins.resize(pins_);
    to.large.parts.resize(parts_);
    to.large.bytes = large_bytes_;
}

PROCPOOL_COMPILED_APART void put_size_in_front(scheduler::block& element) {
    if (element.stride == wire::variable_stride) return;
    const std::uint64_t size = element.bytes.size();
    wire::buffer sized;
    sized.append_value(size);
    sized.append(element.bytes.data(), element.bytes.size());
    element.bytes = std::move(sized);
    element.stride = wire::variable_stride;
}

PROCPOOL_COMPILED_APART const std::shared_ptr<wire::arena>& memory_for_arguments(
    const scheduler::pool_backend& pool, const scheduler::remote_job& job) {
    return job.journal ? wire::other_machines() : pool.arena();
}

PROCPOOL_COMPILED_APART block_encoder::block_encoder(std::shared_ptr<wire::arena> memory,
                                                     scheduler::element_journal* journal)
    : memory_(std::move(memory)), journal_(journal) {}
PROCPOOL_COMPILED_APART block_encoder::~block_encoder() = default;

PROCPOOL_COMPILED_APART std::exception_ptr block_encoder::take_error() noexcept {
    if (pending_error_) ++encoded_;
    return std::exchange(pending_error_, nullptr);
}

PROCPOOL_COMPILED_APART scheduler::block block_encoder::begin_block() {
    if (broken_) std::rethrow_exception(std::exchange(broken_, nullptr));
    return {.first = encoded_, .bytes = std::exchange(spare_, {}), .pins = {}, .large = {memory_}};
}

PROCPOOL_COMPILED_APART void block_encoder::end_block(scheduler::block& encoded) {
    encoded_ += encoded.count;
    // Elements that went into the arena were encoded here first: the next ones find the room for that.
    if (encoded.bytes.capacity() <= 4 * wire::arena_threshold + 2 * encoded.bytes.size()) return;
    spare_.append(encoded.bytes.data(), encoded.bytes.size());
    std::swap(spare_, encoded.bytes);
    spare_.clear();
}

PROCPOOL_COMPILED_APART void block_encoder::keep_error() noexcept {
    pending_error_ = std::current_exception();
}

PROCPOOL_COMPILED_APART void block_encoder::break_off(const scheduler::block& unfinished) {
    if (unfinished.count == 0) throw;
    broken_ = std::current_exception();
}

}  // namespace procpool::inline v0_1::detail::call

#endif
