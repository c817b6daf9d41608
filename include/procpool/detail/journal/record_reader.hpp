// SPDX-License-Identifier: MIT
// Reads the records of a journal's file, whatever state that is in.
#ifndef PROCPOOL_DETAIL_JOURNAL_RECORD_READER_HPP
#define PROCPOOL_DETAIL_JOURNAL_RECORD_READER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "procpool/detail/journal/record.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/locked_file.hpp"

namespace procpool::inline v0_1::detail::journal {

/// From the first record to the last one that is complete. A program that was killed leaves a part of a
/// record at the end, a machine that crashed leaves anything: what is no record is passed over.
class record_reader {
public:
    /// Of the first `size` bytes.
    record_reader(const os::fd& file, std::uint64_t size) : file_(file), size_(size) {}

    /// The next one; nothing at the end.
    std::optional<record_header> next() {
        for (at_ = end_; size_ - at_ >= sizeof(record_header); ++at_) {
            record_header header;
            std::memcpy(&header, bytes_at(at_, sizeof header), sizeof header);
            if (!header.is_good() || header.length > size_ - at_ - sizeof header) continue;
            end_ = at_ + sizeof header + header.length;
            return header;
        }
        return std::nullopt;
    }

    /// Where what follows the header of the last one begins.
    std::uint64_t rest_of_last() const noexcept { return at_ + sizeof(record_header); }
    /// The end of the last one: what is behind it is no record.
    std::uint64_t end() const noexcept { return end_; }

private:
    /// They stay until the next call.
    const std::byte* bytes_at(std::uint64_t offset, std::size_t count) {
        if (offset < begin_ || offset + count > begin_ + piece_.size()) {
            constexpr std::size_t usual = 256 * 1024;
            begin_ = offset;
            piece_.resize(std::min<std::uint64_t>(usual, size_ - offset));
            const std::size_t got = os::read_at(file_, offset, piece_.data(), piece_.size());
            std::fill(piece_.begin() + static_cast<std::ptrdiff_t>(got), piece_.end(),
                      std::byte{});  // it was cut
        }
        return piece_.data() + (offset - begin_);
    }

    const os::fd& file_;
    const std::uint64_t size_;
    std::uint64_t at_ = file_begin.size();
    std::uint64_t end_ = file_begin.size();
    std::uint64_t begin_ = 0;  // of the piece
    std::vector<std::byte> piece_;
};

/// What follows a record's header; nothing if it was damaged.
inline std::optional<wire::buffer> read_rest(const os::fd& file, std::uint64_t offset, std::uint64_t length,
                                             std::uint64_t sum) {
    wire::buffer rest;
    std::byte* const to = rest.extend(length);
    if (os::read_at(file, offset, to, rest.size()) < rest.size()) return std::nullopt;
    if (record_header::sum_of(rest.bytes()) != sum) return std::nullopt;
    return rest;
}

}  // namespace procpool::inline v0_1::detail::journal

#endif
