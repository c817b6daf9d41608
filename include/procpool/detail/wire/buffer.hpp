// SPDX-License-Identifier: MIT
// Bytes in one piece, that grow, and a cursor that reads them and never past their end.
#ifndef PROCPOOL_DETAIL_WIRE_BUFFER_HPP
#define PROCPOOL_DETAIL_WIRE_BUFFER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace procpool::inline v0_1::detail::wire {

/// A growing byte buffer that, unlike std::vector, leaves new bytes uninitialised.
class buffer {
public:
    buffer() noexcept = default;
    buffer(buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, 0)) {}
    buffer& operator=(buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        return *this;
    }
    ~buffer() { delete[] data_; }

    std::byte* data() noexcept { return data_; }
    const std::byte* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    std::size_t capacity() const noexcept { return capacity_; }
    bool empty() const noexcept { return size_ == 0; }
    std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

    void clear() noexcept { size_ = 0; }
    void shrink_to(std::size_t size) noexcept { size_ = std::min(size_, size); }

    /// Makes `count` bytes at the end and returns where they are.
    std::byte* extend(std::size_t count) {
        if (capacity_ - size_ < count) grow(size_ + count);
        std::byte* const at = data_ + size_;
        size_ += count;
        return at;
    }

    void append(const void* from, std::size_t count) {
        if (count > 0) std::memcpy(extend(count), from, count);
    }

    template <class T>
        requires std::is_trivially_copyable_v<T>
    void append_value(const T& value) {
        append(&value, sizeof value);
    }

    /// Forgets the first `count` bytes.
    void drop_front(std::size_t count) noexcept {
        size_ -= count;
        if (count > 0 && size_ > 0) std::memmove(data_, data_ + count, size_);
    }

    void reserve(std::size_t capacity) {
        if (capacity > capacity_) grow(capacity);
    }

private:
    void grow(std::size_t needed);

    std::byte* data_ = nullptr;  // not unique_ptr, which would compile a lot for each file
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

/// Reads bytes from front to back; throws SerializationError where they end too early.
class cursor {
public:
    explicit cursor(std::span<const std::byte> bytes) noexcept : rest_(bytes), claimable_(bytes.size()) {}

    std::size_t left() const noexcept { return rest_.size(); }

    std::span<const std::byte> take(std::size_t count) {
        if (count > rest_.size()) throw_too_short(count, rest_.size());
        const auto taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }

    void copy_to(void* to, std::size_t count) {
        const auto from = take(count);
        if (count > 0) std::memcpy(to, from.data(), count);
    }

    template <class T>
        requires std::is_trivially_copyable_v<T>
    T value() {
        if constexpr (std::is_same_v<T, bool>) return value<unsigned char>() != 0;  // no other byte is a bool
        alignas(T) std::byte bytes[sizeof(T)];
        copy_to(bytes, sizeof(T));
        return *std::launder(reinterpret_cast<T*>(bytes));
    }

    /// A size followed by that many bytes.
    std::span<const std::byte> sized() { return take(value<std::uint64_t>()); }

    /// Refuses a message that claims `count` elements more than it can hold: each takes a byte or more that
    /// is no other's, those of its own elements included, so that all claims together are no more than its
    /// bytes.
    std::size_t claimed(std::uint64_t count) {
        if (const std::size_t most = std::min(claimable_, left()); count > most)
            throw_claims_too_much(count, most);
        claimable_ -= count;
        return count;
    }

private:
    // Apart, so that take() is small enough to become part of its callers; static, so that a cursor may stay
    // in registers.
    [[noreturn, gnu::cold]] static void throw_too_short(std::size_t wanted, std::size_t left);
    [[noreturn, gnu::cold]] static void throw_claims_too_much(std::uint64_t count, std::size_t bytes);

    std::span<const std::byte> rest_;
    std::size_t claimable_;  // elements
};

}  // namespace procpool::inline v0_1::detail::wire

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/wire/buffer_impl.hpp"
#endif

#endif
