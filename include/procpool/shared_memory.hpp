// SPDX-License-Identifier: MIT
// SharedMemory: bytes under a name, for programs that know nothing of each other but that; Python's, too.
#ifndef PROCPOOL_SHARED_MEMORY_HPP
#define PROCPOOL_SHARED_MEMORY_HPP

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/kept_name.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/shared/named_block.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1 {

/// A block of memory that other programs open by its name, as multiprocessing.shared_memory.SharedMemory.
///
/// It is the one thing in this library that can stay behind: the name belongs to the system, in /dev/shm,
/// until somebody removes it. Who creates a block removes its name when the object ends, unless keep() was
/// called; if that process is killed, the block stays. Where no other program has to find the memory, use
/// SharedArray, of which nothing stays. Forked children don't inherit the block: they open it by its name.
class SharedMemory {
public:
    /// A new block of `size` zero bytes. Without a name it gets one as Python makes them, "psm_" and eight
    /// digits; the system's leading "/" is not part of it.
    /// @throws std::invalid_argument if the size is 0, or the name can't be one
    /// @throws std::system_error if there is a block of that name (errc::file_exists), or no room for it
    static SharedMemory create(std::size_t size, std::string_view name = {}) {
        if (size == 0) throw std::invalid_argument("procpool: shared memory has a size of 1 byte or more");
        auto made = detail::shared::create_block(size, name);
        const std::string its_name = made.name;
        try {
            return SharedMemory(std::move(made), true);
        } catch (...) {
            detail::shared::remove_block(its_name);
            throw;
        }
    }

    /// The block that somebody has created under this name.
    /// @throws std::system_error if there is none (errc::no_such_file_or_directory), or it may not be opened
    explicit SharedMemory(std::string_view name) : SharedMemory(detail::shared::open_block(name), false) {}

    /// Leaves `other` without a block.
    SharedMemory(SharedMemory&& other) noexcept
        : name_(std::move(other.name_)),
          memory_(std::move(other.memory_)),
          kept_(std::move(other.kept_)),
          size_(std::exchange(other.size_, 0)),
          removes_(std::exchange(other.removes_, false)),
          made_(other.made_) {}
    SharedMemory& operator=(SharedMemory&& other) noexcept {
        SharedMemory taken(std::move(other));
        std::swap(name_, taken.name_);
        std::swap(memory_, taken.memory_);
        std::swap(kept_, taken.kept_);
        std::swap(size_, taken.size_);
        std::swap(removes_, taken.removes_);
        std::swap(made_, taken.made_);
        return *this;
    }
    ~SharedMemory() {
        if (removes_ && made_.is_here()) detail::shared::remove_block(name_);
    }

    /// By which others open it.
    const std::string& name() const noexcept { return name_; }
    /// Number of bytes. (Other systems than Linux round it up.)
    std::size_t size() const noexcept { return size_; }
    /// The bytes; none after close().
    std::span<std::byte> buf() const noexcept { return {memory_.data(), memory_.data() ? size_ : 0}; }

    /// Lets go of the memory here; others keep it, and can still open it.
    void close() noexcept {
        memory_ = {};
        kept_ = {};
    }

    /// Removes the name: nobody can open the block any more, and its memory is freed when all have let go.
    /// @throws std::system_error if there is no block of that name now
    void unlink() {
        removes_ = false;
        if (const int error = detail::shared::remove_block(name_))
            detail::os::throw_system_error(error, "shm_unlink (" + name_ + ")");
    }

    /// The name stays when this object ends, until somebody calls unlink().
    void keep() noexcept { removes_ = false; }

private:
    SharedMemory(detail::shared::named_block&& block, bool removes)
        : name_(block.name),
          memory_(block.file, 0, not_empty(block.name, block.size)),
          kept_(std::move(block.file)),
          size_(block.size),
          removes_(removes) {}

    static std::size_t not_empty(const std::string& name, std::size_t size) {
        if (size == 0)
            throw Error("procpool: shared memory " + name +
                        " has no bytes: whoever creates it has not got that far, or has failed");
        return size;
    }

    std::string name_;
    detail::os::mapping memory_;
    [[no_unique_address]] detail::os::kept_name kept_;
    std::size_t size_ = 0;
    bool removes_ = false;
    detail::os::fork_stamp made_;
};

}  // namespace procpool::inline v0_1

#endif
