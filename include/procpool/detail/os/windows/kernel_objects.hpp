// SPDX-License-Identifier: MIT
// Objects of the system that belong to places in shared memory, by random names that lie there.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_KERNEL_OBJECTS_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_KERNEL_OBJECTS_HPP

#include <cstddef>
#include <map>
#include <mutex>
#include <string>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/local_address.hpp"
#include "procpool/detail/os/windows/api.hpp"
#include "procpool/detail/os/windows/text.hpp"

namespace procpool::inline v0_1::detail::os {

/// The handles that this process has open, by the addresses of what they belong to. One is opened when it is
/// first needed, and closed when the memory is unmapped.
class kernel_objects {
public:
    static kernel_objects& instance() {
        static auto* const all = new kernel_objects;  // leaked: used until the process ends
        return *all;
    }

    /// `make(name)` opens it, or makes it. @throws std::system_error
    template <class Make>
    native_file get(const void* place, const random_words& name, const char* kind, Make make) {
        const std::lock_guard lock(mutex_);
        object& one = all_[place];
        if (!one.handle || one.name != name) {
            const std::wstring whole = L"Local\\procpool-" + widened(kind) + L"-" + digits_of(name);
            one = {name, fd(make(whole.c_str()))};
            if (!one.handle) throw_last_error(kind);
        }
        return one.handle.get();
    }
    /// The memory is about to be unmapped.
    void forget(const void* from, std::size_t size) noexcept {
        const std::lock_guard lock(mutex_);
        all_.erase(all_.lower_bound(from), all_.lower_bound(static_cast<const std::byte*>(from) + size));
    }

private:
    struct object {
        random_words name{};
        fd handle;
    };
    std::mutex mutex_;
    std::map<const void*, object> all_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
