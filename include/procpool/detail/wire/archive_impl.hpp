// SPDX-License-Identifier: MIT
// The parts of archives that know no type.
#ifndef PROCPOOL_DETAIL_WIRE_ARCHIVE_IMPL_HPP
#define PROCPOOL_DETAIL_WIRE_ARCHIVE_IMPL_HPP

#include <cereal/cereal.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/archive.hpp"
#include "procpool/detail/wire/arena_place.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::wire {

PROCPOOL_COMPILED_APART void nesting::throw_too_deep(const char* what) {
    throw SerializationError(std::string("procpool: ").append(what).append(" nested too deeply"));
}

PROCPOOL_COMPILED_APART output_archive::output_archive(sink out) : OutputArchive(this), out_(out) {}
PROCPOOL_COMPILED_APART output_archive::~output_archive() = default;

PROCPOOL_COMPILED_APART void output_archive::pin(std::shared_ptr<const void> object) {
    out_.held.push_back(std::move(object));
}

struct input_archive::types_of_pointers {
    std::map<std::uint32_t, const std::type_info*> by_id;
};

PROCPOOL_COMPILED_APART input_archive::input_archive(cursor& from) : InputArchive(this), from_(from) {}
PROCPOOL_COMPILED_APART input_archive::~input_archive() = default;

PROCPOOL_COMPILED_APART void input_archive::read_bulk(void* to, std::size_t size) {
    const auto bytes = take_bulk(from_);
    if (bytes.size() != size)
        throw SerializationError("procpool: a message holds " + std::to_string(bytes.size()) +
                                 " bytes where " + std::to_string(size) + " must be");
    if (size > 0) std::memcpy(to, bytes.data(), size);
}

PROCPOOL_COMPILED_APART std::size_t input_archive::claimed(std::uint64_t count) {
    if (count > arena_threshold / 16 && count <= size_of_part_ahead(from_)) return count;
    return from_.claimed(count);
}

PROCPOOL_COMPILED_APART void input_archive::registerSharedPointer(std::uint32_t id,
                                                                  std::shared_ptr<void> object) {
    if (!shared_types_) shared_types_ = std::make_shared<types_of_pointers>();
    shared_types_->by_id[id & ~cereal::detail::msb_32bit] = expected_;
    InputArchive::registerSharedPointer(id, std::move(object));
}

PROCPOOL_COMPILED_APART std::shared_ptr<void> input_archive::getSharedPointer(std::uint32_t id) {
    if (shared_types_) {
        const auto at = shared_types_->by_id.find(id);
        if (at != shared_types_->by_id.end() && *at->second != *expected_)
            throw SerializationError("procpool: a message takes a " + type_name(*at->second) + " for a " +
                                     type_name(*expected_));
    }
    return InputArchive::getSharedPointer(id);
}

}  // namespace procpool::inline v0_1::detail::wire

#endif
