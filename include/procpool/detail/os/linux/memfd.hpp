// SPDX-License-Identifier: MIT
// Shared memory without a name: nothing in /dev/shm, gone with its last user.
#ifndef PROCPOOL_DETAIL_OS_LINUX_MEMFD_HPP
#define PROCPOOL_DETAIL_OS_LINUX_MEMFD_HPP

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/fork_stamp.hpp"

namespace procpool::inline v0_1::detail::os {

inline std::size_t page_size() {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

/// Bytes that a file may have; to make a larger one is a fatal signal.
inline std::uint64_t largest_file() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return std::numeric_limits<std::uint64_t>::max();
    return limit.rlim_cur;
}

/// Addresses that a pool's arenas take together. A process has only 128 TiB.
inline constexpr std::uint64_t most_spacious_memory = std::uint64_t{16} << 40;
/// The same of a queue.
inline constexpr std::uint64_t most_addresses_at_once = std::uint64_t{64} << 30;

/// @throws std::system_error if so large a file may not be made
inline void require_file_size(std::uint64_t size) {
    if (const std::uint64_t most = largest_file(); size > most)
        throw_system_error(EFBIG, "shared memory of " + std::to_string(size) +
                                      " bytes: this process may make files of " + std::to_string(most) +
                                      " bytes only (RLIMIT_FSIZE, ulimit -f), and memory counts as a file");
}

/// A new zero-filled memory file of `size` bytes; `name` shows in /proc only. It keeps that size, whoever has
/// it: where a mapped file ends is a fatal signal. `at_once` says where memory isn't had by the first write
/// how much is there without take_pages().
inline fd make_memfd(const char* name, std::size_t size, std::size_t /*at_once*/ = 0) {
    require_file_size(size);
    const auto no_fork = fd_registry::instance().hold_forks();
    fd file(checked(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create"));
    checked(::ftruncate(file.get(), static_cast<off_t>(size)), "ftruncate (shared memory)");
    checked(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), "fcntl (seals)");
    return file;
}

/// Replaces the first word of a page of memory that isn't mapped here. Safe between fork or vfork and exec.
/// @return what was there before, or 0 if the system refuses to map the page
inline std::int64_t exchange_in_memory(int file, std::uint64_t page, std::int64_t value) noexcept {
    // A write would fall under the limit of files (RLIMIT_FSIZE), by a signal that ends the process.
    void* const at =
        ::mmap(nullptr, sizeof value, PROT_READ | PROT_WRITE, MAP_SHARED, file, static_cast<off_t>(page));
    if (at == MAP_FAILED) return 0;
    const std::int64_t before = std::atomic_ref(*static_cast<std::int64_t*>(at)).exchange(value);
    ::munmap(at, sizeof value);
    return before;
}

/// In bytes.
inline std::size_t file_size(const fd& file) {
    struct stat status{};
    checked(::fstat(file.get(), &status), "fstat");
    return static_cast<std::size_t>(status.st_size);
}

/// What may be done with mapped memory: a stray write to what is only to be read is a fault.
enum class access { read_write, read_only };

/// A mapped piece of a memory file; unmapped at the end. Forked children don't inherit it.
class mapping {
public:
    mapping() noexcept = default;
    mapping(const fd& file, std::size_t offset, std::size_t size, access mode = access::read_write)
        : size_(size) {
        const int protection = mode == access::read_only ? PROT_READ : PROT_READ | PROT_WRITE;
        void* const at =
            ::mmap(nullptr, size, protection, MAP_SHARED, file.get(), static_cast<off_t>(offset));
        if (at == MAP_FAILED) throw_system_error(errno, "mmap (shared memory)");
        at_ = static_cast<std::byte*>(at);
        if (::madvise(at, size, MADV_DONTFORK) != 0) {
            const int error = errno;
            ::munmap(at, size);
            throw_system_error(error, "madvise(MADV_DONTFORK)");
        }
        ::madvise(at, size, MADV_DONTDUMP);  // a core file of all that is addressed would take minutes
    }
    mapping(mapping&& other) noexcept
        : at_(std::exchange(other.at_, nullptr)), size_(other.size_), made_(other.made_) {}
    mapping& operator=(mapping&& other) noexcept {
        std::swap(at_, other.at_);
        std::swap(size_, other.size_);
        std::swap(made_, other.made_);
        return *this;
    }
    ~mapping() {
        if (at_ && made_.is_here()) ::munmap(at_, size_);
    }

    std::byte* data() const noexcept { return at_; }
    std::size_t size() const noexcept { return size_; }

private:
    std::byte* at_ = nullptr;
    std::size_t size_ = 0;
    fork_stamp made_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
