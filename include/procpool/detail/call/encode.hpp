// SPDX-License-Identifier: MIT
// Turns a range of arguments into blocks of encoded elements.
#ifndef PROCPOOL_DETAIL_CALL_ENCODE_HPP
#define PROCPOOL_DETAIL_CALL_ENCODE_HPP

#include <cxxabi.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

#include "procpool/detail/call/reader_of.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/serializing.hpp"

namespace procpool::inline v0_1::detail::call {

/// Size of every encoded T, or variable_stride.
template <class T>
inline constexpr std::size_t encoded_size = wire::flat<T> ? sizeof(T) : wire::variable_stride;
template <class... Elements>
inline constexpr std::size_t encoded_size<std::tuple<Elements...>> =
    ((encoded_size<Elements> != wire::variable_stride) && ...) ? (encoded_size<Elements> + ... + 0)
                                                               : wire::variable_stride;
template <class First, class Second>
inline constexpr std::size_t encoded_size<std::pair<First, Second>> = encoded_size<std::tuple<First, Second>>;

/// Appends one element to `to`; if its serialisation throws, `to` is as before and SerializationError is
/// thrown.
template <class T>
void append_element(scheduler::block& to, const T& element) {
    using wire_type = wire::wire_type_t<T>;
    constexpr std::size_t fixed = encoded_size<wire_type>;
    const std::size_t before = to.bytes.size();
    const std::size_t pins_before = to.pins.size();
    const std::size_t parts_before = to.large.parts.size();
    const std::size_t large_before = to.large.bytes;
    const auto undo = [&] {
        to.bytes.shrink_to(before);
        to.pins.resize(pins_before);
        to.large.parts.resize(parts_before);
        to.large.bytes = large_before;
    };
    to.stride = fixed;
    const wire::sink out{to.bytes, to.pins, &to.large};
    try {
        if constexpr (fixed == wire::variable_stride) {
            const std::size_t begin = wire::begin_sized(out);
            wire::encode(out, element);
            wire::end_sized(out, begin);
        } else {
            wire::encode(out, element);
        }
    } catch (abi::__forced_unwind&) {  // the thread ends
        undo();
        throw;
    } catch (...) {
        undo();
        wire::throw_as_serialization_error("procpool: an argument, a " + type_name(typeid(wire_type)) +
                                           ", can't be serialised");
    }
    ++to.count;
}

/// The same element as one of variable size, as workers expect the arguments of an initializer.
template <class = only_if_used>
void put_size_in_front(scheduler::block& element) {
    if (element.stride == wire::variable_stride) return;
    const std::uint64_t size = element.bytes.size();
    wire::buffer sized;
    sized.append_value(size);
    sized.append(element.bytes.data(), element.bytes.size());
    element.bytes = std::move(sized);
    element.stride = wire::variable_stride;
}

/// Encodes a range from front to back, in blocks of whole chunks.
template <class Iterator, class Sentinel>
class range_encoder {
public:
    using block_type = scheduler::block;

    /// Large parts go to `memory`, if there is any.
    range_encoder(Iterator begin, Sentinel end, std::shared_ptr<wire::arena> memory)
        : at_(std::move(begin)), end_(std::move(end)), memory_(std::move(memory)) {}

    bool at_end() {
        if (pending_error_ || broken_) return false;
        catch_up();
        return at_ == end_;
    }
    std::uint64_t encoded() const noexcept { return encoded_; }

    /// The error of the element after those of the last block, if it could not be encoded; it counts as
    /// encoded.
    std::exception_ptr take_error() noexcept {
        if (pending_error_) ++encoded_;
        return std::exchange(pending_error_, nullptr);
    }

    /// The next elements: `most` at the most; fewer than a chunk only at the end, or before an element that
    /// can't be encoded. What the range itself throws goes through, after the elements before it.
    scheduler::block next(std::uint64_t chunk, std::uint64_t most = ~std::uint64_t{0}) {
        constexpr std::size_t enough_bytes = 64 * 1024;
        constexpr std::uint64_t enough_elements = 2048;
        if (broken_) std::rethrow_exception(std::exchange(broken_, nullptr));
        scheduler::block result{
            .first = encoded_, .bytes = std::exchange(spare_, {}), .pins = {}, .large = {memory_}};
        using value = std::iter_value_t<Iterator>;
        if constexpr (std::contiguous_iterator<Iterator> && std::sized_sentinel_for<Sentinel, Iterator> &&
                      wire::flat<value> && std::is_same_v<value, wire::wire_type_t<value>>) {
            catch_up();
            const std::uint64_t wanted = std::max<std::uint64_t>(enough_elements / chunk, 1) * chunk;
            const auto count = std::min({static_cast<std::uint64_t>(end_ - at_), wanted, most});
            if (count == 0) return result;
            const value* const from = std::to_address(at_);
            try {
                wire::refuse_pointers(from, static_cast<std::size_t>(count));
                result.bytes.append(from, static_cast<std::size_t>(count) * sizeof(value));
                result.stride = sizeof(value);
                result.count = count;
                at_ += static_cast<std::iter_difference_t<Iterator>>(count);
                encoded_ += count;
                return result;
            } catch (const SerializationError&) {
                // One of them can't be sent; the slow way tells which.
            }
        }
        try {
            while (result.count < most) {
                if (result.count > 0 && result.count % chunk == 0 &&
                    (result.bytes.size() >= enough_bytes || result.count >= enough_elements))
                    break;
                if (result.large.bytes >= enough_bytes) break;  // whoever has a part of a chunk has enough
                catch_up();
                if (at_ == end_) break;
                decltype(auto) element = *at_;
                behind_ = true;
                try {
                    append_element(result, element);
                } catch (const SerializationError&) {
                    pending_error_ = std::current_exception();
                    break;
                }
            }
        } catch (...) {
            if (result.count == 0) throw;
            broken_ = std::current_exception();
        }
        encoded_ += result.count;
        keep_room_of(result);
        return result;
    }

private:
    /// Elements that went into the arena were encoded here first: the next ones find the room for that.
    void keep_room_of(scheduler::block& encoded) {
        if (encoded.bytes.capacity() <= 4 * wire::arena_threshold + 2 * encoded.bytes.size()) return;
        spare_.append(encoded.bytes.data(), encoded.bytes.size());
        std::swap(spare_, encoded.bytes);
        spare_.clear();
    }

    // Only when the next element is wanted: an input range may take long to find it.
    void catch_up() {
        if (std::exchange(behind_, false)) ++at_;
    }

    Iterator at_;
    Sentinel end_;
    std::shared_ptr<wire::arena> memory_;
    wire::buffer spare_;
    std::uint64_t encoded_ = 0;
    bool behind_ = false;  // at_ is the last element that was encoded
    std::exception_ptr pending_error_;
    std::exception_ptr broken_;  // what the range has thrown
};

/// Turns a range into elements of a job of this pool. Without the lock.
template <>
struct reader_of<scheduler::pool_backend> {
    template <class Job, class Iterator, class Sentinel>
    static range_encoder<Iterator, Sentinel> make(const scheduler::pool_backend& pool, const Job& /*job*/,
                                                  Iterator begin, Sentinel end) {
        return {std::move(begin), std::move(end), pool.arena()};
    }
};

}  // namespace procpool::inline v0_1::detail::call

#endif
