// SPDX-License-Identifier: MIT
// What a journal's file consists of: a header of fixed size with the sums of itself and of what follows.
#ifndef PROCPOOL_DETAIL_JOURNAL_RECORD_HPP
#define PROCPOOL_DETAIL_JOURNAL_RECORD_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string_view>
#include <type_traits>

#include "procpool/detail/siphash.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::journal {

/// What a file begins with. Numbers in it are as in this machine's memory, and the file is for such machines.
inline constexpr std::string_view file_begin = "procpool journal";

/// Tells elements apart by their arguments, bound ones included.
using element_key = two_words;
struct hash_of_key {
    std::size_t operator()(const element_key& key) const noexcept { return static_cast<std::size_t>(key[0]); }
};

struct record_header {
    static constexpr std::uint32_t magic_number = 0x31524A50;  // "PJR1": another one in another format
    enum class kind : std::uint32_t {
        function,  ///< whose results these are: a function_record
        value,     ///< an element's result, encoded
        threw,     ///< an element's error, its text
        died,      ///< the same, of one that has killed its worker or exceeded its time limit
    };

    std::uint32_t magic = magic_number;
    kind what{};
    std::uint64_t length = 0;  // bytes that follow
    element_key key{};
    std::uint64_t index = 0;    // in the input of its call
    std::int64_t when = 0;      // nanoseconds since 1970
    std::int64_t run_time = 0;  // nanoseconds; 0 if it isn't known
    std::uint64_t sum_of_rest = 0;
    std::uint64_t sum = 0;  // of all before

    bool is_good() const noexcept { return magic == magic_number && sum == own_sum(); }
    std::uint64_t own_sum() const noexcept {
        return sum_of({reinterpret_cast<const std::byte*>(this), offsetof(record_header, sum)});
    }
    static std::uint64_t sum_of(std::span<const std::byte> bytes) noexcept {
        constexpr two_words against_accidents{0x70726f63706f6f6c, 0x6a6f75726e616c21};
        return siphash(against_accidents, bytes)[0];
    }
};
static_assert(std::has_unique_object_representations_v<record_header>);

/// Appends a record; its header gets its sums.
inline void append_record(wire::buffer& to, record_header header, std::span<const std::byte> rest) {
    header.length = rest.size();
    header.sum_of_rest = record_header::sum_of(rest);
    header.sum = header.own_sum();
    to.append_value(header);
    to.append(rest.data(), rest.size());
}

}  // namespace procpool::inline v0_1::detail::journal

#endif
