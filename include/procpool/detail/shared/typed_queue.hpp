// SPDX-License-Identifier: MIT
// Values as the records of a queue.
#ifndef PROCPOOL_DETAIL_SHARED_TYPED_QUEUE_HPP
#define PROCPOOL_DETAIL_SHARED_TYPED_QUEUE_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/os/per_thread.hpp"
#include "procpool/detail/shared/object.hpp"
#include "procpool/detail/shared/pinned_items.hpp"
#include "procpool/detail/shared/record_queue.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/item.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::shared {

/// True if T can be an item; one clear compile error if not.
template <class T>
consteval bool check_item() {
    static_assert(!wire::raw_pointer<T>,
                  "procpool: a queue can't hold raw pointers: they mean nothing in another process; put the "
                  "values themselves");
    static_assert(!std::is_reference_v<T> && !std::is_const_v<T> && !std::is_volatile_v<T>,
                  "procpool: the items of a queue are values, no references and not const");
    if constexpr (!wire::raw_pointer<T> && !std::is_reference_v<T>)
        static_assert(wire::codec<T>::sendable,
                      "procpool: an item of a queue can't be serialised: include its header "
                      "<cereal/types/...>, or give its class a serialize function for cereal (and a default "
                      "constructor or load_and_construct with <cereal/types/memory.hpp>)");
    return true;
}

template <class T>
class typed_queue {
    static_assert(check_item<T>());

public:
    explicit typed_queue(std::int64_t maxsize)
        : state_(record_queue::make(
              static_cast<std::uint32_t>(std::clamp<std::int64_t>(maxsize, 0, std::int64_t{1} << 30)))) {}

    typed_queue(const typed_queue&) noexcept = default;
    typed_queue& operator=(const typed_queue&) noexcept = default;
    ~typed_queue() { pinned_items::instance().sweep(); }

    const object<record_queue>& state() const noexcept { return state_; }

    void close() const noexcept { closed_->store(true, std::memory_order_relaxed); }

    /// @return false if there is no room until the deadline
    bool put(const T& item, steady_time deadline) const {
        record_queue& queue = open_queue();
        const os::shared_segment& segment = *state_.segment();
        pinned_items::instance().sweep();
        if constexpr (wire::copied_item<T>::value) {
            using copied = wire::copied_item<T>;
            copied::check(item);
            return queue.put(segment, copied::size(item), false, deadline,
                             [&](std::byte* to) { copied::write(item, to); });
        } else {
            const lent_buffer bytes;
            wire::pins pins;
            wire::serializing({"procpool: an item, a ", &typeid(T), ", can't be serialised"},
                              [&] { wire::codec<T>::encode({*bytes, pins}, item); });
            return queue.put(segment, bytes->size(), !pins.empty(), deadline, [&](std::byte* to) {
                if (!bytes->empty()) std::memcpy(to, bytes->data(), bytes->size());
                if (!pins.empty())
                    pinned_items::instance().keep_until(state_, queue.number_of_next(), std::move(pins));
            });
        }
    }

    /// Nothing if there is no item until the deadline.
    std::optional<T> get(steady_time deadline) const {
        record_queue& queue = open_queue();
        const os::shared_segment& segment = *state_.segment();
        std::optional<T> item;
        const auto decode = [&](std::span<const std::byte> bytes) {
            wire::cursor from(bytes);
            wire::serializing({"procpool: an item, a ", &typeid(T), ", can't be rebuilt"},
                              [&] { item.emplace(wire::codec<T>::decode(from)); });
        };
        if constexpr (wire::copied_item<T>::value) {
            queue.get(segment, deadline, [&](std::span<const std::byte> bytes, bool) { decode(bytes); });
        } else {
            // What decodes it may be code of the user's: others need not wait for that, nor share its fate.
            const lent_buffer copy;
            bool copied = false;
            queue.get(segment, deadline, [&](std::span<const std::byte> bytes, bool pinned) {
                if (pinned) return decode(bytes);  // what it refers to goes when it is taken
                copy->append(bytes.data(), bytes.size());
                copied = true;
            });
            if (copied) decode(copy->bytes());
        }
        return item;
    }

    void wait_until_unpinned() const { pinned_items::instance().wait_until_taken(state_); }

    static typed_queue decode(wire::cursor& from) {
        const auto state = object<record_queue>::decode(from, os::extent::addresses);
        record_queue::require_room(state.segment()->size());
        return typed_queue(state);
    }

private:
    /// This thread's buffer; another one if it is in use, which a serialize function may be that puts items.
    class lent_buffer {
    public:
        lent_buffer() : buffer_(std::exchange(spare(), {})) { buffer_.clear(); }
        lent_buffer(const lent_buffer&) = delete;
        lent_buffer& operator=(const lent_buffer&) = delete;
        ~lent_buffer() {
            constexpr std::size_t most = 1 << 20;
            if (buffer_.capacity() <= most) spare() = std::move(buffer_);
        }
        wire::buffer& operator*() const noexcept { return buffer_; }
        wire::buffer* operator->() const noexcept { return &buffer_; }

    private:
        static wire::buffer& spare() { return os::of_this_thread<wire::buffer, lent_buffer>(); }
        mutable wire::buffer buffer_;
    };

    static std::string name() { return type_name(typeid(T)); }

    explicit typed_queue(const object<record_queue>& state) : state_(state) {}

    record_queue& open_queue() const {
        if (closed_->load(std::memory_order_relaxed))
            throw QueueClosed("procpool: the queue was closed in this process");
        return *state_;
    }

    object<record_queue> state_;
    std::shared_ptr<std::atomic<bool>> closed_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace procpool::inline v0_1::detail::shared

#endif
