// SPDX-License-Identifier: MIT
// What travels: for each kind of payload its argument, its task, its result, and whether that is right.
#ifndef PROCPOOL_TESTS_CHAOS_PAYLOADS_HPP
#define PROCPOOL_TESTS_CHAOS_PAYLOADS_HPP

#include <cereal/types/string.hpp>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "script.hpp"

namespace chaos {

/// Plain data both ways.
struct numbers {
    using argument = script;
    struct result {
        std::uint64_t index = 0;
        std::uint64_t value = 0;
    };

    static argument argument_of(const script& element) { return element; }
    static result task(const script& element) {
        play(element);
        return {element.index, answer_of(element)};
    }
    static std::uint64_t index_of(const result& from) { return from.index; }
    static bool is_right(const script& element, const result& got) {
        return got.index == element.index && got.value == answer_of(element);
    }
};

/// Bytes by the megabyte, whose every one is checked at both ends.
struct texts {
    struct letter {
        script about;
        std::string body;

        template <class Archive>
        void serialize(Archive& archive) {
            archive(about.job, about.index, about.pool_tag, about.what, about.microseconds,
                    about.argument_bytes, about.result_bytes, body);
        }
    };
    using argument = letter;
    using result = letter;

    static argument argument_of(const script& element) {
        return {element, filler(element, 0, element.argument_bytes)};
    }
    static result task(const letter& question) {
        const script& element = question.about;
        if (question.body != filler(element, 0, element.argument_bytes))
            throw std::logic_error("an argument arrived damaged");
        play(element);
        return {element, filler(element, 1, element.result_bytes)};
    }
    static std::uint64_t index_of(const result& from) { return from.about.index; }
    static bool is_right(const script& element, const result& got) {
        return got.about.job == element.job && got.about.index == element.index &&
               got.body == filler(element, 1, element.result_bytes);
    }
};

}  // namespace chaos

#endif
