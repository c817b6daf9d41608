// SPDX-License-Identifier: MIT
// Classes of each kind that can be sent.
#ifndef PROCPOOL_TESTS_SUPPORT_SENDABLE_TYPES_HPP
#define PROCPOOL_TESTS_SUPPORT_SENDABLE_TYPES_HPP

#include <cereal/types/deque.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace test {

struct plain {
    std::int64_t a = 0;
    double b = 0;
};

struct record {
    std::string name;
    std::u32string wide;
    std::vector<double> numbers;
    std::vector<bool> bits;
    std::map<std::string, std::vector<plain>> rows;
    std::deque<std::string> queue;
    std::optional<std::string> maybe;
    std::variant<int, std::string, std::vector<int>> either;
    std::unique_ptr<std::string> owner;
    std::shared_ptr<std::string> shared;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(name, wide, numbers, bits, rows, queue, maybe, either, owner, shared);
    }
};

inline record full_record() {
    return {.name = "name",
            .wide = U"wide",
            .numbers = {1, 2, 3},
            .bits = {true, false},
            .rows = {{"a", {{1, 2}}}, {"b", {}}},
            .queue = {"x", "y"},
            .maybe = "maybe",
            .either = std::vector<int>{1, 2},
            .owner = std::make_unique<std::string>("owned"),
            .shared = std::make_shared<std::string>("shared")};
}

/// Has no default constructor.
struct constructed {
    explicit constructed(std::string value) : text(std::move(value)) {}
    std::string text;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(text);
    }
    template <class Archive>
    static void load_and_construct(Archive& archive, cereal::construct<constructed>& construct) {
        std::string text;
        archive(text);
        construct(std::move(text));
    }
};

/// Takes no bytes.
struct nothing_to_say {
    template <class Archive>
    void serialize(Archive&) {}
};

/// Two owners that may be of one object, and one of another type.
struct owners {
    std::shared_ptr<std::string> one;
    std::shared_ptr<std::string> other;
    std::shared_ptr<std::vector<double>> numbers;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(one, other, numbers);
    }
};

/// Holds another of its own type, as deep as one likes.
struct chain {
    std::unique_ptr<chain> next;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(next);
    }
};

struct tree {
    char value = 0;
    std::vector<tree> children;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(value, children);
    }
};

}  // namespace test

#endif
