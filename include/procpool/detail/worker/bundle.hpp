// SPDX-License-Identifier: MIT
// A file with all that a worker had when it died of an element, so that the program can run that again.
#ifndef PROCPOOL_DETAIL_WORKER_BUNDLE_HPP
#define PROCPOOL_DETAIL_WORKER_BUNDLE_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "procpool/detail/siphash.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::worker {

/// A function as workers get it, and the arguments of one call.
struct encoded_call {
    std::span<const std::byte> definition = {};  // empty if there is none
    std::uint64_t stride = 0;
    std::span<const std::byte> arguments = {};
};

struct bundle {
    std::string build;    // of the program; empty if it has no build id
    std::string message;  // of the error
    std::string directory;
    std::vector<std::string> environment;  // NAME=value
    bool may_refer_to_objects = false;     // that the program shared which has written it
    std::uint32_t worker = 0;              // its index
    std::uint64_t pool_seed = 0;
    std::uint64_t call = 0;  // see element_position
    std::uint64_t index = 0;
    encoded_call initializer = {};
    encoded_call element = {};  // none if the initializer itself is it
};

inline constexpr std::string_view bundle_begin = "procpool bundle 1\n";

inline std::uint64_t sum_of_bundle(std::span<const std::byte> bytes) noexcept {
    constexpr two_words against_accidents{0x70726f63706f6f6c, 0x2062756e646c6521};
    return siphash(against_accidents, bytes)[0];
}

inline wire::buffer encode_bundle(const bundle& what) {
    wire::buffer to;
    wire::pins none;
    const wire::sink out{to, none};
    to.append(bundle_begin.data(), bundle_begin.size());
    for (const std::string* text : {&what.build, &what.message, &what.directory})
        wire::codec<std::string>::encode(out, *text);
    wire::codec<std::vector<std::string>>::encode(out, what.environment);
    to.append_value(what.may_refer_to_objects);
    to.append_value(what.worker);
    to.append_value(what.pool_seed);
    to.append_value(what.call);
    to.append_value(what.index);
    for (const encoded_call* call : {&what.initializer, &what.element}) {
        to.append_value(call->stride);
        for (const auto bytes : {call->definition, call->arguments}) {
            to.append_value(std::uint64_t{bytes.size()});
            to.append(bytes.data(), bytes.size());
        }
    }
    to.append_value(sum_of_bundle(to.bytes()));
    return to;
}

/// It refers to `bytes`. @throws SerializationError if they are none
inline bundle decode_bundle(std::span<const std::byte> bytes) {
    constexpr std::size_t shortest = bundle_begin.size() + sizeof(std::uint64_t);
    const auto begin = std::as_bytes(std::span(bundle_begin));
    if (bytes.size() < shortest || !std::equal(begin.begin(), begin.end(), bytes.begin()))
        throw SerializationError("it is no bundle of this version of procpool");
    const auto body = bytes.first(bytes.size() - sizeof(std::uint64_t));
    if (wire::cursor(bytes.subspan(body.size())).value<std::uint64_t>() != sum_of_bundle(body))
        throw SerializationError("it is damaged");
    wire::cursor from(body.subspan(begin.size()));
    bundle what;
    for (std::string* text : {&what.build, &what.message, &what.directory})
        *text = wire::codec<std::string>::decode(from);
    what.environment = wire::codec<std::vector<std::string>>::decode(from);
    what.may_refer_to_objects = from.value<bool>();
    what.worker = from.value<std::uint32_t>();
    what.pool_seed = from.value<std::uint64_t>();
    what.call = from.value<std::uint64_t>();
    what.index = from.value<std::uint64_t>();
    for (encoded_call* call : {&what.initializer, &what.element}) {
        call->stride = from.value<std::uint64_t>();
        call->definition = from.sized();
        call->arguments = from.sized();
    }
    return what;
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
