// SPDX-License-Identifier: MIT
// Shared memory without a name, gone with its last user.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_MEMFD_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_MEMFD_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/windows/api.hpp"

namespace procpool::inline v0_1::detail::os {

inline std::size_t page_size() {
    static const std::size_t size = [] {
        api::system_information information{};
        ::GetSystemInfo(api::as<_SYSTEM_INFO>(&information));
        return std::size_t{information.page_size};
    }();
    return size;
}

/// Bytes that a file may have.
inline std::uint64_t largest_file() noexcept { return std::numeric_limits<std::uint64_t>::max(); }

/// The system keeps a word for each page of a section, whether or not that has memory, so a pool's arenas
/// don't get more addresses than these.
inline constexpr std::uint64_t most_spacious_memory = std::uint64_t{8} << 30;
/// The same of a queue.
inline constexpr std::uint64_t most_addresses_at_once = std::uint64_t{1} << 30;

/// A new zero-filled section of `size` bytes. Of these `at_once` have memory from the beginning, others get
/// it by take_pages(), in whole pages.
inline fd make_memfd(const char* what, std::uint64_t size,
                     std::uint64_t at_once = std::numeric_limits<std::uint64_t>::max()) {
    const bool all = at_once >= size;
    fd file(::CreateFileMappingW(api::invalid_handle, nullptr,
                                 api::page_read_write | (all ? api::section_commit : api::section_reserve),
                                 static_cast<unsigned long>(size >> 32), static_cast<unsigned long>(size),
                                 nullptr));
    if (!file) {
        const unsigned long error = ::GetLastError();
        throw_error(error, "shared memory of " + std::to_string(size) + " bytes (" + what + ")");
    }
    if (all || at_once == 0) return file;
    void* const at = ::MapViewOfFile(file.get(), api::map_write, 0, 0, at_once);
    if (!at) throw_last_error("MapViewOfFile (shared memory)");
    const bool done = ::VirtualAlloc(at, at_once, api::mem_commit, api::page_read_write) != nullptr;
    const unsigned long error = ::GetLastError();
    ::UnmapViewOfFile(at);
    if (!done) throw_error(error, "VirtualAlloc (shared memory)");
    return file;
}

/// Replaces the first word of a page of memory that isn't mapped here. @return what was there before, or 0 if
/// the system refuses to map the page
inline std::int64_t exchange_in_memory(native_file file, std::uint64_t page, std::int64_t value) noexcept {
    void* const at = ::MapViewOfFile(file, api::map_write, static_cast<unsigned long>(page >> 32),
                                     static_cast<unsigned long>(page), sizeof value);
    if (!at) return 0;
    const std::int64_t before = std::atomic_ref(*static_cast<std::int64_t*>(at)).exchange(value);
    ::UnmapViewOfFile(at);
    return before;
}

/// What may be done with mapped memory: a stray write to what is only to be read is a fault.
enum class access { read_write, read_only };

/// A mapped piece of a section; unmapped at the end. It may begin anywhere.
class mapping {
public:
    mapping() noexcept = default;
    /// All of it if `size` is 0.
    mapping(const fd& file, std::uint64_t offset, std::size_t size, access mode = access::read_write)
        : size_(size), gap_(offset % granularity) {
        const std::uint64_t begin = offset - gap_;
        at_ = static_cast<std::byte*>(::MapViewOfFile(
            file.get(), mode == access::read_only ? api::map_read : api::map_read | api::map_write,
            static_cast<unsigned long>(begin >> 32), static_cast<unsigned long>(begin),
            size == 0 ? 0 : size + gap_));
        if (!at_) throw_last_error("MapViewOfFile (shared memory)");
    }
    mapping(mapping&& other) noexcept
        : at_(std::exchange(other.at_, nullptr)), size_(other.size_), gap_(other.gap_) {}
    mapping& operator=(mapping&& other) noexcept {
        std::swap(at_, other.at_);
        std::swap(size_, other.size_);
        std::swap(gap_, other.gap_);
        return *this;
    }
    ~mapping() {
        if (at_) ::UnmapViewOfFile(at_);
    }

    std::byte* data() const noexcept { return at_ + gap_; }
    std::size_t size() const noexcept { return size_; }

private:
    static constexpr std::size_t granularity = 64 * 1024;
    std::byte* at_ = nullptr;
    std::size_t size_ = 0;
    std::size_t gap_ = 0;
};

/// Of a section that is mapped here as a whole: bytes, in whole pages.
inline std::size_t file_size(const fd& file) {
    const mapping all(file, 0, 0, access::read_only);
    api::memory_information information{};
    if (::VirtualQuery(all.data(), api::as<_MEMORY_BASIC_INFORMATION>(&information), sizeof information) == 0)
        throw_last_error("VirtualQuery (shared memory)");
    return static_cast<std::size_t>(information.size);
}

}  // namespace procpool::inline v0_1::detail::os

#endif
