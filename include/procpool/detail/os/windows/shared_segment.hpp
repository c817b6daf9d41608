// SPDX-License-Identifier: MIT
// A piece of memory that several processes share, found by a handle: anonymous and gone with its last user,
// or a file that is only read.
//
// Memory is a section with a random name, by which others open it, and which goes with the last of them. A
// file has no such name: its handle is duplicated out of the process that sent it.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_SHARED_SEGMENT_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_SHARED_SEGMENT_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "procpool/array_options.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/memfd.hpp"

namespace procpool::inline v0_1::detail::os {

/// How another process finds a segment: by its name, which `device` and `inode` are, or where `fd` isn't -1,
/// as a file that `pid` has under that number and that these identify.
struct segment_handle {
    std::int64_t pid = 0;
    std::int64_t fd = -1;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;  // bytes that are mapped; a file may have grown since
};

/// What the size of a segment says.
enum class extent {
    memory,     // what it will take when it is filled, as an array is
    addresses,  // much more than it ever takes
};

class shared_segment {
public:
    /// New zero-filled memory of `size` bytes, at least 1.
    /// @throws std::system_error if it isn't there: errc::not_enough_memory, too_many_files_open, ...
    template <class = only_if_used>
    static std::shared_ptr<shared_segment> create(std::size_t size, const ArrayOptions& options = {});

    /// The same for something other than an array; `name` is for messages.
    template <class = only_if_used>
    static std::shared_ptr<shared_segment> create(const char* name, std::size_t size, extent means);

    /// A regular file of at least `least` bytes, 1 or more, to be read only.
    /// @throws std::system_error if it can't be opened
    /// @throws Error if it is shorter, or no regular file
    template <class = only_if_used>
    static std::shared_ptr<shared_segment> open_file(const std::string& path, std::uint64_t least);

    /// The segment that another process (or this one) named: the one that is mapped already, if there is.
    /// @throws SerializationError if it can't be had, mostly since its owner is gone.
    template <class = only_if_used>
    static std::shared_ptr<shared_segment> open(const segment_handle& wanted, access mode,
                                                extent means = extent::memory);

    /// How many this process has whose size says how many addresses they take.
    template <class = only_if_used>
    static std::uint64_t number_of_spacious() noexcept;

    shared_segment(const shared_segment&) = delete;
    shared_segment& operator=(const shared_segment&) = delete;
    virtual ~shared_segment() = default;

    std::byte* data() const noexcept { return memory_.data(); }
    std::size_t size() const noexcept { return memory_.size(); }
    /// Good for as long as this segment lives.
    const segment_handle& handle() const noexcept { return handle_; }
    /// Where other programs of the same user find it, for as long as this segment lives.
    virtual std::string path() const = 0;
    /// Pages are made in the process that first touches them: all that map it have to ask.
    virtual void want_huge_pages() noexcept = 0;
    bool wants_huge_pages() const noexcept { return huge_pages_.load(std::memory_order_relaxed); }
    /// Keeps it mapped though no handle may be left: while something in it is locked.
    void keep(std::shared_ptr<shared_segment> itself) noexcept { kept_ = std::move(itself); }
    /// Ends that when what is returned is gone.
    std::shared_ptr<shared_segment> let_go() noexcept { return std::exchange(kept_, nullptr); }
    const fd& file() const noexcept { return file_; }
    bool is_of_this_process() const noexcept { return true; }

protected:
    explicit shared_segment(fd file) noexcept : file_(std::move(file)) {}

    std::atomic<bool> huge_pages_{false};
    fd file_;
    std::span<std::byte> memory_;  // mapped for as long as this lives
    segment_handle handle_;
    std::shared_ptr<shared_segment> kept_;
};

}  // namespace procpool::inline v0_1::detail::os

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/os/windows/mapped_segment.hpp"
#endif

#endif
