// SPDX-License-Identifier: MIT
// How a shared_segment comes to be: made, or found by its handle, and mapped.
#ifndef PROCPOOL_DETAIL_OS_LINUX_MAPPED_SEGMENT_HPP
#define PROCPOOL_DETAIL_OS_LINUX_MAPPED_SEGMENT_HPP

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/array_options.hpp"
#include "procpool/detail/os/available_memory.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/foreign_file.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/populate.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/shared_segment.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::os {

/// A mapping by Boost.Interprocess, which a forked child doesn't inherit and doesn't undo.
class shared_mapping {
public:
    shared_mapping(const fd& file, std::size_t size, access mode) : region_(map(file, size, mode)) {}
    shared_mapping(const shared_mapping&) = delete;
    shared_mapping& operator=(const shared_mapping&) = delete;
    ~shared_mapping() {
        // In a child something else may lie at this address by now.
        if (made_.is_here()) region_.~mapped_region();
    }

    std::byte* data() const noexcept { return static_cast<std::byte*>(region_.get_address()); }
    std::size_t size() const noexcept { return region_.get_size(); }

private:
    using region = boost::interprocess::mapped_region;

    struct mappable {
        const fd& file;
        boost::interprocess::mode_t mode;
        boost::interprocess::mode_t get_mode() const { return mode; }
        boost::interprocess::mapping_handle_t get_mapping_handle() const {
            return boost::interprocess::ipcdetail::mapping_handle_from_file_handle(file.get());
        }
    };

    static region map(const fd& file, std::size_t size, access mode) {
        const auto mapped_for =
            mode == access::read_only ? boost::interprocess::read_only : boost::interprocess::read_write;
        try {
            region mapped(mappable{file, mapped_for}, mapped_for, 0, size);
            checked(::madvise(mapped.get_address(), size, MADV_DONTFORK), "madvise(MADV_DONTFORK)");
            return mapped;
        } catch (const boost::interprocess::interprocess_exception& error) {
            throw_system_error(error.get_native_error(),
                               "mmap (shared memory of " + std::to_string(size) + " bytes)");
        }
    }

    const fork_stamp made_;
    union {
        region region_;
    };
};

class mapped_segment final : public shared_segment {
public:
    static std::shared_ptr<mapped_segment> create(std::size_t size, const ArrayOptions& options = {}) {
        require_memory(size);
        const auto segment = make("procpool-array", size, extent::memory);
        if (options.huge_pages) segment->want_huge_pages();
        if (options.prefault) populate(segment->file_, segment->data(), size);
        return segment;
    }

    static std::shared_ptr<mapped_segment> create(const char* name, std::size_t size, extent means) {
        if (means == extent::memory) require_memory(size);
        return make(name, size, means);
    }

    static std::shared_ptr<mapped_segment> open_file(const std::string& path, std::uint64_t least) {
        const auto lock = fd_registry::instance().hold_forks();
        // O_NONBLOCK: nobody may ever write to what turns out to be a named pipe.
        fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        if (!file) throw_system_error(errno, "open (" + path + ")");
        const struct stat status = status_of(file);
        if (!S_ISREG(status.st_mode))
            throw Error("procpool: " + path + " can't be mapped: it is no regular file");
        const auto size = static_cast<std::uint64_t>(status.st_size);
        if (size < least)
            throw Error("procpool: " + path + " is too short: it has " + std::to_string(size) +
                        " bytes, the array in it ends at byte " + std::to_string(least));
        if (auto segment = find({status.st_dev, status.st_ino, access::read_only}, least)) return segment;
        return remember(std::move(file), status, size, access::read_only, extent::memory);
    }

    static std::shared_ptr<mapped_segment> open(const segment_handle& wanted, access mode,
                                                extent means = extent::memory) {
        const auto lock = fd_registry::instance().hold_forks();
        if (auto segment = find({wanted.device, wanted.inode, mode}, wanted.size)) return segment;
        const std::string path = path_of(wanted);
        // The number may mean a pipe or a device by now, which it would be wrong to open.
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) refuse(wanted, why_not_opened(wanted.pid, errno));
        if (!is_meant(status, wanted)) refuse(wanted, "the process that sent it has let go of it");
        try {
            const int how = mode == access::read_only ? O_RDONLY : O_RDWR;
            fd file(checked(::open(path.c_str(), how | O_CLOEXEC), "open (shared memory)"));
            status = status_of(file);
            if (!is_meant(status, wanted)) refuse(wanted, "the process that sent it has let go of it");
            if (static_cast<std::uint64_t>(status.st_size) < wanted.size)
                refuse(wanted, "it is shorter than what was sent");
            return remember(std::move(file), status, static_cast<std::size_t>(wanted.size), mode, means);
        } catch (const std::system_error& error) {
            refuse(wanted, why_not_opened(wanted.pid, error.code().value()));
        }
    }

    mapped_segment(fd file, const struct stat& status, std::size_t size, access mode, extent means)
        : shared_segment(std::move(file)),
          mode_(mode),
          is_spacious_(means == extent::addresses),
          will_be_filled_(mode == access::read_write && means == extent::memory),
          mapping_(file_, size, mode) {
        memory_ = {mapping_.data(), mapping_.size()};
        handle_ = {current_pid(), file_.get(), status.st_dev, status.st_ino, size};
        if (will_be_filled_) live_bytes().fetch_add(size, std::memory_order_relaxed);
        if (is_spacious_) spacious().fetch_add(1, std::memory_order_relaxed);
    }
    mapped_segment(const mapped_segment&) = delete;
    mapped_segment& operator=(const mapped_segment&) = delete;
    ~mapped_segment() override {
        if (!is_of_this_process()) return;
        const auto lock = fd_registry::instance().hold_forks();
        if (will_be_filled_) live_bytes().fetch_sub(size(), std::memory_order_relaxed);
        if (is_spacious_) spacious().fetch_sub(1, std::memory_order_relaxed);
        // Unless another thread has opened it anew since the last handle went.
        const auto at = known().find({handle_.device, handle_.inode, mode_});
        if (at != known().end() && at->second.expired()) known().erase(at);
        // The memory itself is given back without the lock: that takes 0.2 s a gigabyte.
        file_.reset();
    }

    std::string path() const override { return path_of(handle_); }
    void want_huge_pages() noexcept override {
        huge_pages_.store(true, std::memory_order_relaxed);
        prefer_huge_pages(data(), size());
    }
    static std::uint64_t number_of_spacious() noexcept { return spacious().load(std::memory_order_relaxed); }

private:
    using identity = std::tuple<std::uint64_t, std::uint64_t, access>;
    using segments = std::map<identity, std::weak_ptr<mapped_segment>>;

    /// What this process has mapped, by device, inode and access; guarded by hold_forks(), so that no child
    /// inherits it locked. Leaked: arrays of static lifetime end after it would.
    static segments& known() {
        static segments* const all = new segments;
        return *all;
    }

    static std::string path_of(const segment_handle& handle) {
        return "/proc/" + std::to_string(handle.pid) + "/fd/" + std::to_string(handle.fd);
    }

    /// The one that is mapped already, with at least `least` bytes.
    static std::shared_ptr<mapped_segment> find(const identity& wanted, std::uint64_t least) {
        const auto at = known().find(wanted);
        auto segment = at == known().end() ? nullptr : at->second.lock();
        return segment && segment->is_of_this_process() && segment->size() >= least ? segment : nullptr;
    }

    /// Bytes that may be written to: what is only read takes no more memory here.
    static std::atomic<std::uint64_t>& live_bytes() noexcept {
        static std::atomic<std::uint64_t> bytes{0};
        return bytes;
    }

    static std::atomic<std::uint64_t>& spacious() noexcept {
        static std::atomic<std::uint64_t> number{0};
        return number;
    }

    static std::shared_ptr<mapped_segment> make(const char* name, std::size_t size, extent means) {
        // No thread can fork, and so inherit a half-made segment, or change `known`.
        const auto lock = fd_registry::instance().hold_forks();
        fd file = make_memfd(name, size);
        const struct stat status = status_of(file);
        return remember(std::move(file), status, size, access::read_write, means);
    }

    static std::shared_ptr<mapped_segment> remember(fd file, const struct stat& status, std::size_t size,
                                                    access mode, extent means) {
        auto segment = std::make_shared<mapped_segment>(std::move(file), status, size, mode, means);
        known()[{segment->handle_.device, segment->handle_.inode, mode}] = segment;
        return segment;
    }

    static struct stat status_of(const fd& file) {
        struct stat status{};
        checked(::fstat(file.get(), &status), "fstat (shared memory)");
        return status;
    }

    static bool is_meant(const struct stat& status, const segment_handle& wanted) noexcept {
        return S_ISREG(status.st_mode) && status.st_dev == wanted.device && status.st_ino == wanted.inode;
    }

    /// Throws if `size` more bytes would be more than there are.
    static void require_memory(std::size_t size) {
        if (!is_worth_a_check(size)) return;
        const std::uint64_t available = memory_left();
        std::uint64_t promised = 0;
        if (size <= available && live_bytes().load(std::memory_order_relaxed) > available - size)
            promised = untouched_bytes();
        if (size <= available && promised <= available - size) return;
        throw_system_error(ENOMEM, "shared memory of " + std::to_string(size) + " bytes: only " +
                                       std::to_string(available - std::min(available, promised)) +
                                       " bytes are available");
    }

    /// What our arrays will still take when they are filled.
    static std::uint64_t untouched_bytes() {
        std::vector<std::shared_ptr<mapped_segment>> mapped;  // a segment that ends changes `known`
        const auto lock = fd_registry::instance().hold_forks();
        for (const auto& [which, entry] : known()) mapped.push_back(entry.lock());
        std::uint64_t sum = 0;
        for (const auto& segment : mapped)
            if (segment && segment->is_of_this_process() && segment->will_be_filled_) {
                const auto touched = static_cast<std::uint64_t>(status_of(segment->file_).st_blocks) * 512;
                sum += segment->size() - std::min<std::uint64_t>(segment->size(), touched);
            }
        return sum;
    }

    [[noreturn]] static void refuse(const segment_handle& wanted, const std::string& reason) {
        throw SerializationError("procpool: shared memory of " + std::to_string(wanted.size) +
                                 " bytes, sent by process " + std::to_string(wanted.pid) +
                                 ", can't be opened: " + reason);
    }

    const access mode_;
    const bool is_spacious_;
    const bool will_be_filled_;
    shared_mapping mapping_;
};

template <class>
std::shared_ptr<shared_segment> shared_segment::create(std::size_t size, const ArrayOptions& options) {
    return mapped_segment::create(size, options);
}

template <class>
std::shared_ptr<shared_segment> shared_segment::create(const char* name, std::size_t size, extent means) {
    return mapped_segment::create(name, size, means);
}

template <class>
std::shared_ptr<shared_segment> shared_segment::open_file(const std::string& path, std::uint64_t least) {
    return mapped_segment::open_file(path, least);
}

template <class>
std::shared_ptr<shared_segment> shared_segment::open(const segment_handle& wanted, access mode,
                                                     extent means) {
    return mapped_segment::open(wanted, mode, means);
}

template <class>
std::uint64_t shared_segment::number_of_spacious() noexcept {
    return mapped_segment::number_of_spacious();
}

}  // namespace procpool::inline v0_1::detail::os

#endif
