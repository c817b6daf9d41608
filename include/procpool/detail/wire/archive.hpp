// SPDX-License-Identifier: MIT
// cereal archives over one contiguous buffer.
//
// Beyond what cereal serialises by itself, plain data (trivially copyable classes without serialize
// functions) travels as its bytes. Sizes that a message claims are checked against the bytes that are left.
#ifndef PROCPOOL_DETAIL_WIRE_ARCHIVE_HPP
#define PROCPOOL_DETAIL_WIRE_ARCHIVE_HPP

#include <cereal/cereal.hpp>
#include <cereal/types/common.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <typeinfo>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::wire {

/// How much of the stack is taken by objects that hold objects of their own type, and these again.
class nesting {
public:
    /// Called for each object on the way in.
    void descend(const char* what) const {
        constexpr std::ptrdiff_t most_stack = 1 << 20;  // threads have 2 MiB and more, mostly 8
        if (static_cast<std::ptrdiff_t>(top_ - stack_here()) > most_stack) throw_too_deep(what);
    }

private:
    [[noreturn]] static void throw_too_deep(const char* what);
    [[gnu::always_inline]] static std::uintptr_t stack_here() noexcept {
        return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    }

    const std::uintptr_t top_ = stack_here();
};

class output_archive : public cereal::OutputArchive<output_archive, cereal::AllowEmptyClassElision> {
public:
    explicit output_archive(sink out);
    output_archive(const output_archive&) = delete;
    output_archive& operator=(const output_archive&) = delete;
    PROCPOOL_COMPILED_APART ~output_archive() override;

    void write(const void* from, std::size_t size) { out_.to.append(from, size); }
    /// The same for what may be large; to be read by read_bulk().
    void write_bulk(const void* from, std::size_t size) { append_bulk(out_, from, size); }
    void pin(std::shared_ptr<const void> object);

    /// For what a codec encodes wherever it is.
    const sink& to() const noexcept { return out_; }

    void descend() const { depth_.descend("a value's objects are"); }

private:
    sink out_;
    const nesting depth_;
};

class input_archive : public cereal::InputArchive<input_archive, cereal::AllowEmptyClassElision> {
public:
    explicit input_archive(cursor& from);
    input_archive(const input_archive&) = delete;
    input_archive& operator=(const input_archive&) = delete;
    PROCPOOL_COMPILED_APART ~input_archive() override;

    void read(void* to, std::size_t size) { from_.copy_to(to, size); }
    void read_bulk(void* to, std::size_t size);
    std::size_t left() const noexcept { return from_.left(); }
    /// See cursor::claimed(). cereal says how many elements there are before it reads them in bulk.
    std::size_t claimed(std::uint64_t count);
    /// For what a codec decodes wherever it is.
    cursor& from() const noexcept { return from_; }

    void descend() const { depth_.descend("a message's objects are"); }

    // cereal gives the object that came with an id for every later pointer with that id, and casts it to the
    // pointer's type, whatever it was.
    void expect_pointer_to(const std::type_info& type) noexcept { expected_ = &type; }
    void registerSharedPointer(std::uint32_t id, std::shared_ptr<void> object);
    std::shared_ptr<void> getSharedPointer(std::uint32_t id);

private:
    cursor& from_;
    const nesting depth_;
    const std::type_info* expected_ = &typeid(void);
    struct types_of_pointers;
    std::shared_ptr<types_of_pointers> shared_types_;  // none before the first pointer
};

/// Stands in for our archive to ask what cereal can do by itself, before plain data is let through.
class probe_archive : public cereal::OutputArchive<probe_archive> {
public:
    probe_archive() : OutputArchive(this) {}
    void write(const void*, std::size_t) {}
    void write_bulk(const void*, std::size_t) {}
};

template <class Archive>
concept output = std::is_same_v<Archive, output_archive> || std::is_same_v<Archive, probe_archive>;

/// A class without serialize functions that its bytes describe completely.
template <class T>
concept plain_data = std::is_class_v<T> && std::is_trivially_copyable_v<T> &&
                     !cereal::traits::is_output_serializable<T, probe_archive>::value;

}  // namespace procpool::inline v0_1::detail::wire

// The archive is tested first in each constraint: cereal asks about other archives too, and plain_data
// asks cereal.
namespace cereal {

namespace memory_detail {
template <class T>
struct PtrWrapper;  // of <cereal/types/memory.hpp>, which only who sends pointers needs
}

template <class T>
    requires std::is_class_v<T>
void prologue(procpool::detail::wire::output_archive& archive, const T&) {
    archive.descend();
}
template <class T>
    requires std::is_class_v<T>
void prologue(procpool::detail::wire::input_archive& archive, const T&) {
    archive.descend();
}
template <class T>
void prologue(procpool::detail::wire::input_archive& archive,
              const memory_detail::PtrWrapper<std::shared_ptr<T>&>&) {
    archive.expect_pointer_to(typeid(T));
}

template <procpool::detail::wire::output Archive, class T>
    requires std::is_arithmetic_v<T>
void CEREAL_SAVE_FUNCTION_NAME(Archive& archive, const T& value) {
    archive.write(&value, sizeof value);
}
template <std::same_as<procpool::detail::wire::input_archive> Archive, class T>
    requires std::is_arithmetic_v<T>
void CEREAL_LOAD_FUNCTION_NAME(Archive& archive, T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        unsigned char byte = 0;  // a bool that is neither 0 nor 1 is undefined behaviour
        archive.read(&byte, sizeof byte);
        value = byte != 0;
    } else {
        archive.read(&value, sizeof value);
    }
}

template <std::same_as<procpool::detail::wire::output_archive> Archive, class T>
    requires procpool::detail::wire::plain_data<T>
void CEREAL_SAVE_FUNCTION_NAME(Archive& archive, const T& value) {
    archive.write(&value, sizeof value);
}
template <std::same_as<procpool::detail::wire::input_archive> Archive, class T>
    requires procpool::detail::wire::plain_data<T>
void CEREAL_LOAD_FUNCTION_NAME(Archive& archive, T& value) {
    archive.read(&value, sizeof value);
}

template <procpool::detail::wire::output Archive, class T>
void CEREAL_SAVE_FUNCTION_NAME(Archive& archive, const BinaryData<T>& data) {
    const auto size = static_cast<std::size_t>(data.size);
    if (size < procpool::detail::wire::arena_threshold)
        archive.write(data.data, size);
    else
        archive.write_bulk(data.data, size);
}
template <std::same_as<procpool::detail::wire::input_archive> Archive, class T>
void CEREAL_LOAD_FUNCTION_NAME(Archive& archive, BinaryData<T>& data) {
    const auto size = static_cast<std::size_t>(data.size);
    if (size < procpool::detail::wire::arena_threshold)
        archive.read(data.data, size);
    else
        archive.read_bulk(data.data, size);
}

template <class Archive, class T>
    requires procpool::detail::wire::output<Archive> ||
             std::same_as<Archive, procpool::detail::wire::input_archive>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& archive, NameValuePair<T>& pair) {
    archive(pair.value);
}

template <procpool::detail::wire::output Archive, class T>
void CEREAL_SAVE_FUNCTION_NAME(Archive& archive, const SizeTag<T>& tag) {
    const std::uint64_t size = tag.size;
    archive.write(&size, sizeof size);
}
template <std::same_as<procpool::detail::wire::input_archive> Archive, class T>
void CEREAL_LOAD_FUNCTION_NAME(Archive& archive, SizeTag<T>& tag) {
    std::uint64_t size = 0;
    archive.read(&size, sizeof size);
    tag.size = static_cast<size_type>(archive.claimed(size));
}

}  // namespace cereal

CEREAL_REGISTER_ARCHIVE(procpool::detail::wire::output_archive)
CEREAL_REGISTER_ARCHIVE(procpool::detail::wire::input_archive)
CEREAL_SETUP_ARCHIVE_TRAITS(procpool::detail::wire::input_archive, procpool::detail::wire::output_archive)

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/wire/archive_impl.hpp"
#endif

#endif
