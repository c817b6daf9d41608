// SPDX-License-Identifier: MIT
// Turns a range of arguments into blocks of encoded elements.
#ifndef PROCPOOL_DETAIL_CALL_ENCODE_HPP
#define PROCPOOL_DETAIL_CALL_ENCODE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "procpool/detail/call/reader_of.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/error.hpp"

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

/// How much a block has of everything, to go back to.
class block_mark {
public:
    explicit block_mark(const scheduler::block& of) noexcept
        : bytes_(of.bytes.size()),
          pins_(of.pins.size()),
          parts_(of.large.parts.size()),
          large_bytes_(of.large.bytes) {}
    void restore(scheduler::block& to) const noexcept;

private:
    std::size_t bytes_;
    std::size_t pins_;
    std::size_t parts_;
    std::size_t large_bytes_;
};

/// Appends one element to `to`; if its serialisation throws, `to` is as before and SerializationError is
/// thrown.
template <class T>
void append_element(scheduler::block& to, const T& element) {
    using wire_type = wire::wire_type_t<T>;
    constexpr std::size_t fixed = encoded_size<wire_type>;
    const block_mark before(to);
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
    } catch (...) {
        before.restore(to);
        wire::throw_as_serialization_error(
            {"procpool: an argument, a ", &typeid(wire_type), ", can't be serialised"});
    }
    ++to.count;
}

/// Where large arguments of a job go: a journal's are all in their messages, which it reads.
const std::shared_ptr<wire::arena>& memory_for_arguments(const scheduler::pool_backend& pool,
                                                         const scheduler::remote_job& job);

/// The same element as one of variable size, as workers expect the arguments of an initializer.
void put_size_in_front(scheduler::block& element);

/// The part of a range_encoder that knows nothing of the range.
class block_encoder {
public:
    using block_type = scheduler::block;

    std::uint64_t encoded() const noexcept { return encoded_; }

    /// The error of the element after those of the last block, if it could not be encoded; it counts as
    /// encoded.
    std::exception_ptr take_error() noexcept;

protected:
    block_encoder(std::shared_ptr<wire::arena> memory, scheduler::element_journal* journal);
    ~block_encoder();

    static constexpr std::uint64_t enough_elements = 2048;

    /// @throws what the range has thrown
    scheduler::block begin_block();
    /// Whether `most` elements are in it, or whole chunks that are enough to be sent.
    static bool is_full(const scheduler::block& block, std::uint64_t chunk, std::uint64_t most) noexcept {
        constexpr std::size_t enough_bytes = 64 * 1024;
        if (block.count >= most) return true;
        if (block.large.bytes >= enough_bytes) return true;  // whoever has a part of a chunk has enough
        return block.count > 0 && block.count % chunk == 0 &&
               (block.bytes.size() >= enough_bytes || block.count >= enough_elements);
    }
    void end_block(scheduler::block& encoded);
    /// In a handler: the element could not be encoded.
    void keep_error() noexcept;
    /// In a handler: the range has thrown. That goes through, but after the elements of this block.
    void break_off(const scheduler::block& unfinished);
    bool has_error() const noexcept { return pending_error_ || broken_; }
    /// What is to be known of elements before they are submitted.
    void look_up(const scheduler::block& encoded) const {
        if (journal_) journal_->look_up(encoded);
    }

    std::uint64_t encoded_ = 0;

private:
    std::shared_ptr<wire::arena> memory_;  // for large parts; none if null
    scheduler::element_journal* journal_;  // the job's
    wire::buffer spare_;
    std::exception_ptr pending_error_;
    std::exception_ptr broken_;  // what the range has thrown
};

/// Encodes a range from front to back, in blocks of whole chunks.
template <class Iterator, class Sentinel>
class range_encoder : public block_encoder {
public:
    /// Large parts go to `memory`, if that isn't null; what `journal` knows is noted there.
    range_encoder(Iterator begin, Sentinel end, std::shared_ptr<wire::arena> memory,
                  scheduler::element_journal* journal = nullptr)
        : block_encoder(std::move(memory), journal), at_(std::move(begin)), end_(std::move(end)) {}

    bool at_end() {
        if (has_error()) return false;
        catch_up();
        return at_ == end_;
    }

    /// The next elements: `most` at the most; fewer than a chunk only at the end, or before an element that
    /// can't be encoded. What the range itself throws goes through, after the elements before it.
    scheduler::block next(std::uint64_t chunk, std::uint64_t most = ~std::uint64_t{0}) {
        scheduler::block result = begin_block();
        encode_next(result, chunk, most);
        look_up(result);
        return result;
    }

private:
    void encode_next(scheduler::block& result, std::uint64_t chunk, std::uint64_t most) {
        using value = std::iter_value_t<Iterator>;
        if constexpr (std::contiguous_iterator<Iterator> && std::sized_sentinel_for<Sentinel, Iterator> &&
                      wire::flat<value> && std::is_same_v<value, wire::wire_type_t<value>>) {
            catch_up();
            const std::uint64_t wanted = std::max<std::uint64_t>(enough_elements / chunk, 1) * chunk;
            const auto count = std::min({static_cast<std::uint64_t>(end_ - at_), wanted, most});
            if (count == 0) return;
            const value* const from = std::to_address(at_);
            try {
                wire::refuse_pointers(from, static_cast<std::size_t>(count));
                result.bytes.append(from, static_cast<std::size_t>(count) * sizeof(value));
                result.stride = sizeof(value);
                result.count = count;
                at_ += static_cast<std::iter_difference_t<Iterator>>(count);
                encoded_ += count;
                return;
            } catch (const SerializationError&) {
                // One of them can't be sent; the slow way tells which.
            }
        }
        try {
            while (!is_full(result, chunk, most)) {
                catch_up();
                if (at_ == end_) break;
                decltype(auto) element = *at_;
                behind_ = true;
                try {
                    append_element(result, element);
                } catch (const SerializationError&) {
                    keep_error();
                    break;
                }
            }
        } catch (...) {
            break_off(result);
        }
        end_block(result);
    }

    // Only when the next element is wanted: an input range may take long to find it.
    void catch_up() {
        if (std::exchange(behind_, false)) ++at_;
    }

    Iterator at_;
    Sentinel end_;
    bool behind_ = false;  // at_ is the last element that was encoded
};

/// Turns a range into elements of a job of this pool. Without the lock.
template <>
struct reader_of<scheduler::pool_backend> {
    template <class Iterator, class Sentinel>
    static range_encoder<Iterator, Sentinel> make(const scheduler::pool_backend& pool,
                                                  const scheduler::remote_job& job, Iterator begin,
                                                  Sentinel end) {
        return {std::move(begin), std::move(end), memory_for_arguments(pool, job), job.journal.get()};
    }
};

}  // namespace procpool::inline v0_1::detail::call

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/call/encode_impl.hpp"
#endif

#endif
