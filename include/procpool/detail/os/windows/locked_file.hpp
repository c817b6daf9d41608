// SPDX-License-Identifier: MIT
// A file that one program has for itself, and how others read it.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_LOCKED_FILE_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_LOCKED_FILE_HPP

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/text.hpp"

namespace procpool::inline v0_1::detail::os {

/// Tells files apart, whatever names they have.
struct file_identity {
    std::uint64_t device = 0;
    std::uint64_t number = 0;
    bool operator==(const file_identity&) const noexcept = default;
};

struct file_status {
    file_identity identity;
    std::uint64_t size = 0;
    bool is_regular = false;
    bool is_own = true;  // who may write a user's files, the folder says
};

inline fd open_file(const std::string& path, unsigned long rights, unsigned long how) {
    fd file(::CreateFileW(widened(path).c_str(), rights, api::share_all, nullptr, how, api::attribute_normal,
                          nullptr));
    if (file) return file;
    const unsigned long error = ::GetLastError();
    throw_error(error, "open (" + path + ")");
}
/// Opens a file to read and write it, and makes it if there is none. @throws std::system_error
inline fd open_or_make_file(const std::string& path) {
    constexpr unsigned long open_always = 4;
    return open_file(path, api::generic_read | api::generic_write, open_always);
}
/// @throws std::system_error
inline fd open_to_read(const std::string& path) {
    return open_file(path, api::generic_read, api::open_existing);
}

inline file_status status_of(const fd& file) {
    if (::GetFileType(file.get()) != api::type_disk) return {};
    api::file_information status{};
    succeed(::GetFileInformationByHandle(file.get(), api::as<_BY_HANDLE_FILE_INFORMATION>(&status)),
            "GetFileInformationByHandle");
    return {.identity = {.device = status.volume,
                         .number = std::uint64_t{status.index_high} << 32 | status.index_low},
            .size = std::uint64_t{status.size_high} << 32 | status.size_low,
            .is_regular = (status.attributes & api::attribute_directory) == 0};
}

inline api::overlapped at_offset(std::uint64_t offset) noexcept {
    api::overlapped place;
    place.offset = static_cast<std::uint32_t>(offset);
    place.offset_high = static_cast<std::uint32_t>(offset >> 32);
    return place;
}

/// Takes the lock of a file until it is closed. @return whether nobody else has it
/// @throws std::system_error if this file system has no locks
inline bool lock_file(const fd& file) {
    using lock = int __stdcall(void*, unsigned long, unsigned long, unsigned long, unsigned long, void*);
    static auto* const call = api::function_of<lock>(L"kernel32.dll", "LockFileEx");
    // A byte that no file has: what is locked can't be read by others.
    api::overlapped place = at_offset(std::uint64_t{1} << 62);
    constexpr unsigned long at_once = 1, exclusive = 2, is_locked = 33;
    if (call && call(file.get(), at_once | exclusive, 0, 1, 0, &place)) return true;
    const unsigned long error = ::GetLastError();
    if (error == is_locked || error == api::error_io_pending) return false;
    throw_error(error, "LockFileEx");
}

/// @return how many bytes there were, fewer at the end of the file. @throws std::system_error
inline std::size_t read_at(const fd& file, std::uint64_t offset, std::byte* to, std::size_t size) {
    constexpr unsigned long is_end = 38;
    std::size_t got = 0;
    while (got < size) {
        api::overlapped place = at_offset(offset + got);
        const auto most = static_cast<unsigned long>(std::min(size - got, std::size_t{1} << 30));
        unsigned long bytes = 0;
        if (!::ReadFile(file.get(), to + got, most, &bytes, api::as_overlapped(&place))) {
            if (::GetLastError() == is_end) break;
            throw_last_error("ReadFile");
        }
        if (bytes == 0) break;
        got += bytes;
    }
    return got;
}

/// Writes all of it. @return what is wrong, as errno; 0 if nothing is
inline int write_at(const fd& file, std::uint64_t offset, std::span<const std::byte> bytes) noexcept {
    while (!bytes.empty()) {
        api::overlapped place = at_offset(offset);
        const auto most = static_cast<unsigned long>(std::min(bytes.size(), std::size_t{1} << 30));
        unsigned long written = 0;
        if (!::WriteFile(file.get(), bytes.data(), most, &written, api::as_overlapped(&place)))
            return errno_of(::GetLastError());
        if (written == 0) return EIO;
        offset += written;
        bytes = bytes.subspan(written);
    }
    return 0;
}

/// What was written is on the disk when this returns. @return what is wrong, as errno; 0 if nothing is
inline int sync_data(const fd& file) noexcept {
    using flush = int __stdcall(void*);
    static auto* const call = api::function_of<flush>(L"kernel32.dll", "FlushFileBuffers");
    return call && call(file.get()) ? 0 : errno_of(::GetLastError());
}

/// Cuts off what is behind. @return what is wrong, as errno; 0 if nothing is
inline int cut_file(const fd& file, std::uint64_t size) noexcept {
    using move = int __stdcall(void*, long long, long long*, unsigned long);
    using set_end = int __stdcall(void*);
    static auto* const go_to = api::function_of<move>(L"kernel32.dll", "SetFilePointerEx");
    static auto* const end_here = api::function_of<set_end>(L"kernel32.dll", "SetEndOfFile");
    if (go_to && end_here && go_to(file.get(), static_cast<long long>(size), nullptr, 0) &&
        end_here(file.get()))
        return 0;
    return errno_of(::GetLastError());
}

}  // namespace procpool::inline v0_1::detail::os

#endif
