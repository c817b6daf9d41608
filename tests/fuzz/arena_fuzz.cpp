// SPDX-License-Identifier: MIT
// A worker's result may name any place among the arenas, and what stands there may be anything, too: what is
// read lies within them.
#include <algorithm>
#include <array>
#include <cereal/types/vector.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "fuzz/property.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/wire/arena.hpp"
#include "procpool/detail/wire/borrowed.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/frame.hpp"

namespace {

namespace os = procpool::detail::os;
namespace wire = procpool::detail::wire;
using message = std::span<const std::byte>;

/// The arenas of a pool, with two parts that were put there.
struct arenas {
    static constexpr std::uint64_t pool = 0x0123456789ABCDEF;
    static constexpr std::uint64_t first = 1 << 20;
    static constexpr std::size_t size = 1 << 18;

    arenas() {
        for (const std::size_t bytes : {wire::arena_threshold, wire::arena_threshold + 1})
            parts.push_back(memory->allocate(bytes).value());
    }

    std::shared_ptr<const wire::arena_window> window = std::make_shared<const wire::arena_window>(
        pool, first, os::mapping(os::make_memfd("fuzz", size), 0, size));
    std::shared_ptr<wire::arena> memory = std::make_shared<wire::arena>(window, size, size);
    std::vector<wire::arena_part> parts;
};

bool lies_in(const void* begin, std::size_t size, const void* memory, std::size_t all) {
    const auto* const from = static_cast<const std::byte*>(begin);
    const auto* const start = static_cast<const std::byte*>(memory);
    return !std::less<>()(from, start) && !std::less<>()(start + all, from + size);
}

const arenas& all_arenas() {
    static const arenas all;
    return all;
}

template <class T>
void try_value(message bytes) try {
    wire::cursor from(bytes);
    wire::codec<T>::decode(from);
} catch (const procpool::SerializationError&) {
} catch (const cereal::Exception&) {
}

/// Whole elements may lie there, too.
template <class T>
void try_elements(message bytes) try {
    wire::element_reader elements(bytes, wire::variable_stride);
    while (!elements.done()) try_value<T>(elements.next());
} catch (const procpool::SerializationError&) {
}

template <class Owner, class View>
void try_view(message bytes) try {
    wire::cursor from(bytes);
    const wire::borrowed<Owner, View> argument(from);
    const View view = argument;
    const std::size_t size = view.size() * sizeof(view[0]);
    const bool copied = size <= bytes.size() && !lies_in(view.data(), size, bytes.data(), bytes.size());
    fuzz::require(copied || lies_in(view.data(), size, bytes.data(), bytes.size()) ||
                      lies_in(view.data(), size, all_arenas().window->data(), arenas::size),
                  "a view shows the message, or what lies in the arenas");
    static_cast<void>(std::count(view.begin(), view.end(), typename View::value_type{}));
} catch (const procpool::SerializationError&) {
}

struct samples {
    int id = 0;
    std::vector<float> values;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(id, values);
    }
};

/// The first byte of an input says which. New ones go to the end: the corpus knows the old ones by number.
constexpr std::array<void (*)(message), 9> attempts{
    try_value<std::string>,
    try_value<std::vector<double>>,
    try_value<samples>,
    try_value<std::vector<samples>>,
    try_value<std::tuple<int, std::vector<char>, std::string>>,
    try_value<std::vector<std::vector<char>>>,
    try_view<std::string, std::string_view>,
    try_view<std::vector<double>, std::span<const double>>,
    try_elements<std::vector<std::string>>,
};

}  // namespace

/// After the first byte: what a worker writes in front of its first part, then the message.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    wire::arena_part_header::identity header;
    if (size < 1 + sizeof header) return 0;
    const arenas& all = all_arenas();
    std::memcpy(&header, data + 1, sizeof header);
    std::memcpy(all.parts[0].memory.get() - wire::arena_alignment, &header, sizeof header);
    const fuzz::memory_meter memory;
    attempts[data[0] % attempts.size()](std::as_bytes(std::span(data, size)).subspan(1 + sizeof header));
    const std::size_t named = size / (sizeof(std::uint64_t) + sizeof(wire::arena_place));
    fuzz::require(memory.peak() <= 64 * 1024 + 512 * size + named * arenas::size,
                  "memory is claimed in proportion to the message and to the parts that it names");
    return 0;
}
