// SPDX-License-Identifier: MIT
// A worker's result is any bytes: decoding them gives a value or an error, for as much memory as they
// deserve.
#include <algorithm>
#include <array>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "fuzz/property.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/dynamic_array.hpp"
#include "support/sendable_types.hpp"

namespace {

namespace wire = procpool::detail::wire;
using message = std::span<const std::byte>;

/// The value in a message; nothing if it is refused.
template <class T>
std::optional<T> decoded(message bytes) {
    wire::cursor from(bytes);
    try {
        return wire::codec<T>::decode(from);
    } catch (const procpool::SerializationError&) {
    } catch (const cereal::Exception&) {
    }
    return std::nullopt;
}

template <class T>
wire::buffer encoded(const T& value) {
    wire::buffer bytes;
    wire::pins pins;
    try {
        wire::encode({bytes, pins}, value);
    } catch (const procpool::SerializationError&) {
        bytes.clear();  // plain data that looks like a pointer
    }
    return bytes;
}

bool same(message one, message other) { return std::ranges::equal(one, other); }

template <class T>
void try_value(message bytes) {
    const std::optional<T> value = decoded<T>(bytes);
    if (!value) return;
    // What was accepted is a whole value: it can be sent on, and arrives as it is.
    const wire::buffer once = encoded(*value);
    if (once.empty()) return;
    const std::optional<T> again = decoded<T>(once.bytes());
    fuzz::require(again.has_value(), "what was decoded can be sent again");
    fuzz::require(same(once.bytes(), encoded(*again).bytes()), "what is sent again arrives as it was");
}

/// An object that is there is what its pointer's type says.
void try_owners(message bytes) {
    const auto found = decoded<test::owners>(bytes);
    if (!found || !found->numbers) return;
    fuzz::require(found->numbers->size() <= bytes.size(), "an object is of its pointer's type");
    try_value<test::owners>(bytes);
}

/// cereal's own containers give elements no byte that have none to send.
template <class T>
void try_decoding(message bytes) {
    decoded<T>(bytes);
}

void try_error_record(message bytes) {
    const std::exception_ptr error = wire::decode_exception(wire::cursor(bytes), 1, 2);
    fuzz::require(error != nullptr, "an error record is some error");
    wire::buffer again;
    wire::pins pins;
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& thrown) {
        fuzz::require(thrown.what() != nullptr, "an error has a text");
        wire::encode_current_exception({again, pins});
    }
    fuzz::require(wire::decode_exception(wire::cursor(again.bytes()), 1, 2) != nullptr,
                  "an error can be sent again");
}

using test::chain, test::constructed, test::nothing_to_say, test::plain, test::record, test::tree;

/// The first byte of an input says which. New types go to the end: the corpus knows the old ones by number.
constexpr std::array<void (*)(message), 31> attempts{
    try_error_record,
    try_value<bool>,
    try_value<std::string>,
    try_value<std::u32string>,
    try_value<std::vector<double>>,
    try_value<std::vector<bool>>,
    try_value<std::vector<plain>>,
    try_value<std::vector<std::string>>,
    try_value<std::vector<std::vector<std::vector<char>>>>,
    try_value<std::vector<std::pair<std::string, plain>>>,
    try_value<std::tuple<int, std::string, std::vector<bool>, plain>>,
    try_value<std::map<std::string, std::list<int>>>,
    try_value<std::optional<std::vector<std::string>>>,
    try_value<std::variant<bool, std::string, std::vector<int>>>,
    try_value<std::unique_ptr<std::string>>,
    try_value<std::vector<std::unique_ptr<std::vector<int>>>>,
    try_value<record>,
    try_value<std::vector<record>>,
    try_value<constructed>,
    try_value<std::vector<constructed>>,
    try_value<std::vector<std::shared_ptr<constructed>>>,
    try_owners,
    try_value<chain>,
    try_value<tree>,
    try_value<std::vector<tree>>,
    try_value<std::vector<nothing_to_say>>,
    try_value<std::vector<std::vector<nothing_to_say>>>,
    try_decoding<std::list<std::list<nothing_to_say>>>,
    try_value<int (*)(int)>,
    try_value<procpool::SharedArray<double, 1>>,
    try_value<procpool::SharedArray<double>>,
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const fuzz::memory_meter memory;
    attempts[data[0] % attempts.size()](std::as_bytes(std::span(data, size)).subspan(1));
    // A record takes 360 bytes, and at least one in a message.
    fuzz::require(memory.peak() <= 64 * 1024 + 512 * size, "memory is claimed in proportion to the message");
    return 0;
}
