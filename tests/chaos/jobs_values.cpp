// SPDX-License-Identifier: MIT
// Jobs whose values are special: arrays that processes share, and values that can't be encoded or rebuilt.
#include <algorithm>
#include <cereal/types/string.hpp>
#include <stdexcept>

#include "calls.hpp"
#include "payloads.hpp"
#include "procpool/partial.hpp"
#include "procpool/shared_array.hpp"

namespace chaos {

namespace mp = procpool;

namespace {

using array = mp::SharedArray<std::uint64_t, 1>;

void fill(const array& cells, const script& element, std::uint64_t direction) {
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = answer_of(element) + direction + i;
}
bool is_filled(const array& cells, const script& element, std::uint64_t direction) {
    for (std::size_t i = 0; i < cells.size(); ++i)
        if (cells[i] != answer_of(element) + direction + i) return false;
    return true;
}
array filled_array(const script& element, std::uint64_t direction, std::size_t bytes) {
    array cells({bytes / sizeof(std::uint64_t)});
    fill(cells, element, direction);
    return cells;
}

/// An array of its own for each argument and each result.
struct arrays {
    struct message {
        script about;
        array cells;

        template <class Archive>
        void serialize(Archive& archive) {
            archive(about.job, about.index, about.pool_tag, about.what, about.microseconds,
                    about.argument_bytes, about.result_bytes, cells);
        }
    };
    using argument = message;
    using result = message;

    static argument argument_of(const script& element) {
        return {element, filled_array(element, 0, element.argument_bytes)};
    }
    static result task(const message& question) {
        const script& element = question.about;
        if (question.cells.size() != element.argument_bytes / sizeof(std::uint64_t) ||
            !is_filled(question.cells, element, 0))
            throw std::logic_error("an array arrived damaged");
        play(element);
        return {element, filled_array(element, 1, element.result_bytes)};
    }
    static std::uint64_t index_of(const result& from) { return from.about.index; }
    static bool is_right(const script& element, const result& got) {
        return got.about.index == element.index && is_filled(got.cells, element, 1) &&
               got.cells.size() == element.result_bytes / sizeof(std::uint64_t);
    }
};

/// One array for all: each element writes its cell.
numbers::result write_cell(const array& cells, const script& element) {
    cells[element.index] = answer_of(element);
    return numbers::task(element);
}

/// What a value's serialize function does.
enum class defect : std::uint64_t {
    none,
    argument_is_not_saved,
    argument_is_not_loaded,
    result_is_not_saved,
    result_is_not_loaded
};

struct awkward {
    struct message {
        script about;
        defect at_argument = defect::none;  // result_* mean the way back
        bool on_the_way_back = false;

        template <class Archive>
        void save(Archive& archive) const {
            archive(about.job, about.index, about.pool_tag, about.what, at_argument, on_the_way_back);
            refuse(on_the_way_back ? defect::result_is_not_saved : defect::argument_is_not_saved);
        }
        template <class Archive>
        void load(Archive& archive) {
            archive(about.job, about.index, about.pool_tag, about.what, at_argument, on_the_way_back);
            refuse(on_the_way_back ? defect::result_is_not_loaded : defect::argument_is_not_loaded);
        }
        void refuse(defect one) const {
            if (at_argument == one) throw std::runtime_error(text_of(about));
        }
    };
    using argument = message;
    using result = message;

    /// About every tenth has a defect.
    static defect defect_of(const script& element) {
        const std::uint64_t roll = mix(answer_of(element)) % 40;
        return roll < 4 ? static_cast<defect>(roll + 1) : defect::none;
    }
    static argument argument_of(const script& element) { return {element, defect_of(element), false}; }
    static result task(const message& question) {
        play(question.about);
        return {question.about, question.at_argument, true};
    }
    static std::uint64_t index_of(const result& from) { return from.about.index; }
    static bool is_right(const script& element, const result& got) {
        return got.about.job == element.job && got.about.index == element.index;
    }
};

}  // namespace

void run_arrays(job_context& job) {
    const auto options = draw_options(job.random);
    book of = draw_book(job, options, 60);  // each array takes a descriptor
    of.sends_arrays = true;
    switch (job.random.below(3)) {
        case 0:
            with_input<arrays>(job.random, of, [&](auto& input) {
                judged(of, [&] {
                    put_down_outcomes<arrays>(of, job.pool->try_map(&arrays::task, input, options));
                });
            });
            break;
        case 1:
            judged(of, [&] {
                const array cells({of.size()});
                auto outcomes = job.pool->try_map(mp::partial(&write_cell, cells), of.scripts(), options);
                put_down_outcomes<numbers>(of, outcomes);
                for (std::size_t i = 0; i < of.size(); ++i)
                    if (outcomes[i] && cells[i] != answer_of(of.scripts()[i]))
                        throw wrong("cell " + std::to_string(i) + " was not written");
            });
            break;
        default:
            for (std::size_t i = 0; i < of.size(); ++i)
                of.settle_alone(i, [&] {
                    auto handle =
                        job.pool->apply_async({.timeout = options.timeout, .retries = options.retries},
                                              &arrays::task, arrays::argument_of(of.scripts()[i]));
                    of.value(i, arrays::is_right(of.scripts()[i], handle.get()));
                });
    }
    of.settle(job.counts);
}

void run_awkward(job_context& job) {
    const auto options = draw_options(job.random);
    book of = draw_book(job, options, 300);
    for (const script& element : of.scripts())
        of.not_encodable.push_back(awkward::defect_of(element) != defect::none);
    with_input<awkward>(job.random, of, [&](auto& input) {
        judged(of,
               [&] { put_down_outcomes<awkward>(of, job.pool->try_map(&awkward::task, input, options)); });
    });
    of.settle(job.counts);
}

}  // namespace chaos
