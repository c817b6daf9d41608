// SPDX-License-Identifier: MIT
// How a shared_segment comes to be.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_MAPPED_SEGMENT_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_MAPPED_SEGMENT_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include "procpool/array_options.hpp"
#include "procpool/detail/os/available_memory.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/populate.hpp"
#include "procpool/detail/os/process_identity.hpp"
#include "procpool/detail/os/shared_segment.hpp"
#include "procpool/detail/os/windows/environment.hpp"
#include "procpool/detail/os/windows/kernel_objects.hpp"
#include "procpool/detail/os/windows/random.hpp"
#include "procpool/detail/os/windows/text.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::os {

class mapped_segment final : public shared_segment {
public:
    static std::shared_ptr<mapped_segment> create(std::size_t size, const ArrayOptions& options) {
        auto segment = make(size);
        // The system has promised the memory; a first write to each page gets it.
        for (std::size_t at = 0; options.prefault && at < size; at += page_size()) {
            volatile std::byte& first = segment->data()[at];
            first = first;
        }
        return segment;
    }
    static std::shared_ptr<mapped_segment> create(const char* /*name*/, std::size_t size, extent means) {
        return make(size, means);
    }

    static std::shared_ptr<mapped_segment> open_file(const std::string& path, std::uint64_t least) {
        const auto lock = fd_registry::instance().hold_forks();
        os::fd file(::CreateFileW(widened(path).c_str(), api::generic_read, api::share_all, nullptr,
                                  api::open_existing, api::attribute_normal, nullptr));
        if (!file) {
            const unsigned long error = ::GetLastError();
            if (is_directory(path)) refuse_what_is_no_file(path);
            throw_error(error, "open (" + path + ")");
        }
        if (::GetFileType(file.get()) != api::type_disk) refuse_what_is_no_file(path);
        return map_file(std::move(file), least, path);
    }

    static std::shared_ptr<mapped_segment> open(const segment_handle& wanted, access mode,
                                                extent /*means*/ = extent::memory) {
        const auto lock = fd_registry::instance().hold_forks();
        if (auto segment = find({wanted.device, wanted.inode, mode}, wanted.size)) return segment;
        try {
            if (wanted.fd >= 0) return map_file(copy_from(wanted), wanted.size, "a file");
            const random_words name{wanted.device, wanted.inode};
            const unsigned long rights =
                mode == access::read_only ? api::map_read : api::map_read | api::map_write;
            os::fd section(::OpenFileMappingW(rights, 0, name_of(name).c_str()));
            if (!section) refuse_after(wanted, ::GetLastError());
            return remember(std::move(section), {}, name[0], name[1], wanted.size, mode);
        } catch (const std::system_error& error) {
            refuse(wanted, error.code().message());
        }
    }

    mapped_segment(os::fd section, os::fd file, std::uint64_t first, std::uint64_t second, std::size_t size,
                   access mode)
        : shared_segment(std::move(section)),
          of_file_(std::move(file)),
          mode_(mode),
          mapping_(file_, 0, size, mode) {
        memory_ = {mapping_.data(), size};
        handle_ = {current_pid(), of_file_ ? reinterpret_cast<std::int64_t>(of_file_.get()) : -1, first,
                   second, size};
    }
    mapped_segment(const mapped_segment&) = delete;
    mapped_segment& operator=(const mapped_segment&) = delete;
    ~mapped_segment() override {
        const auto lock = fd_registry::instance().hold_forks();
        // Unless another thread has opened it anew since the last handle went.
        const auto at = known().find({handle_.device, handle_.inode, mode_});
        if (at != known().end() && at->second.expired()) known().erase(at);
        kernel_objects::instance().forget(data(), size());
    }

    std::string path() const override {
        return of_file_ ? std::string() : narrowed(name_of({handle_.device, handle_.inode}));
    }
    void want_huge_pages() noexcept override { huge_pages_.store(true, std::memory_order_relaxed); }
    static std::uint64_t number_of_spacious() noexcept { return 0; }

private:
    using identity = std::tuple<std::uint64_t, std::uint64_t, access>;
    using segments = std::map<identity, std::weak_ptr<mapped_segment>>;
    /// What this process has mapped; guarded by hold_forks(). Leaked: arrays of static lifetime end after it
    /// would.
    static segments& known() {
        static segments* const all = new segments;
        return *all;
    }
    static std::wstring name_of(const random_words& name) {
        return L"Local\\procpool-segment-" + digits_of(name);
    }
    /// The one that is mapped already, with at least `least` bytes.
    static std::shared_ptr<mapped_segment> find(const identity& wanted, std::uint64_t least) {
        const auto at = known().find(wanted);
        auto segment = at == known().end() ? nullptr : at->second.lock();
        return segment && segment->size() >= least ? segment : nullptr;
    }

    static std::shared_ptr<mapped_segment> make(std::size_t size, extent means = extent::memory) {
        const auto lock = fd_registry::instance().hold_forks();
        const random_words name = make_random_words();
        // Who has addresses only uses the beginning at once, and asks before each further step.
        constexpr std::size_t used_at_once = std::size_t{1} << 20;
        const bool is_spacious = means == extent::addresses && size > used_at_once;
        os::fd section(::CreateFileMappingW(
            api::invalid_handle, nullptr,
            api::page_read_write | (is_spacious ? api::section_reserve : api::section_commit),
            static_cast<unsigned long>(std::uint64_t{size} >> 32), static_cast<unsigned long>(size),
            name_of(name).c_str()));
        if (!section) {
            const unsigned long error = ::GetLastError();
            throw_error(error, "shared memory of " + std::to_string(size) +
                                   " bytes: " + std::to_string(available_memory()) + " bytes are available");
        }
        auto segment = remember(std::move(section), {}, name[0], name[1], size, access::read_write);
        if (is_spacious && !take_pages(segment->data(), used_at_once))
            throw_last_error("VirtualAlloc (a queue)");
        return segment;
    }
    static std::shared_ptr<mapped_segment> map_file(os::fd file, std::uint64_t least,
                                                    const std::string& path) {
        api::file_information status{};
        succeed(::GetFileInformationByHandle(file.get(), api::as<_BY_HANDLE_FILE_INFORMATION>(&status)),
                "GetFileInformationByHandle");
        const std::uint64_t size = std::uint64_t{status.size_high} << 32 | status.size_low;
        if (size < least)
            throw Error("procpool: " + path + " is too short: it has " + std::to_string(size) +
                        " bytes, the array in it ends at byte " + std::to_string(least));
        const std::uint64_t index = std::uint64_t{status.index_high} << 32 | status.index_low;
        if (auto segment = find({status.volume, index, access::read_only}, least)) return segment;
        os::fd section(::CreateFileMappingW(file.get(), nullptr, api::page_read_only, 0, 0, nullptr));
        if (!section) {
            const unsigned long error = ::GetLastError();
            throw_error(error, "CreateFileMapping (" + path + ")");
        }
        return remember(std::move(section), std::move(file), status.volume, index, size, access::read_only);
    }
    static std::shared_ptr<mapped_segment> remember(os::fd section, os::fd file, std::uint64_t first,
                                                    std::uint64_t second, std::uint64_t size, access mode) {
        auto segment = std::make_shared<mapped_segment>(std::move(section), std::move(file), first, second,
                                                        static_cast<std::size_t>(size), mode);
        known()[{first, second, mode}] = segment;
        return segment;
    }

    /// The file that its sender means, whatever has that number there by now.
    static os::fd copy_from(const segment_handle& wanted) {
        const os::fd owner = open_process(static_cast<long>(wanted.pid), api::process_duplicate);
        native_file copy = nullptr;
        if (!owner || !::DuplicateHandle(owner.get(), reinterpret_cast<native_file>(wanted.fd),
                                         ::GetCurrentProcess(), &copy, 0, 0, api::duplicate_same_access))
            refuse_after(wanted, ::GetLastError());
        os::fd file(copy);
        api::file_information status{};
        const bool known = ::GetFileType(copy) == api::type_disk &&
                           ::GetFileInformationByHandle(copy, api::as<_BY_HANDLE_FILE_INFORMATION>(&status));
        const std::uint64_t index = std::uint64_t{status.index_high} << 32 | status.index_low;
        if (!known || status.volume != wanted.device || index != wanted.inode)
            refuse(wanted, "the process that sent it has let go of it");
        return file;
    }

    [[noreturn]] static void refuse_what_is_no_file(const std::string& path) {
        throw Error("procpool: " + path + " can't be mapped: it is no regular file");
    }
    [[noreturn]] static void refuse(const segment_handle& wanted, const std::string& reason) {
        throw SerializationError("procpool: shared memory of " + std::to_string(wanted.size) +
                                 " bytes, sent by process " + std::to_string(wanted.pid) +
                                 ", can't be opened: " + reason);
    }
    [[noreturn]] static void refuse_after(const segment_handle& wanted, unsigned long error) {
        if (os::has_ended(wanted.pid)) refuse(wanted, "the process that sent it is gone");
        if (error == api::error_file_not_found || error == api::error_invalid_handle)
            refuse(wanted, "the process that sent it has let go of it");
        refuse(wanted, code_of(error).message());
    }

    const os::fd of_file_;
    const access mode_;
    mapping mapping_;
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
