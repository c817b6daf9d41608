// SPDX-License-Identifier: MIT
// Elements on their way to a worker, and what comes of them.
#ifndef PROCPOOL_DETAIL_SCHEDULER_RUN_HPP
#define PROCPOOL_DETAIL_SCHEDULER_RUN_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "procpool/detail/job/element_facts.hpp"
#include "procpool/detail/job/observation.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// The frames that tell a worker of elements, or of something else.
struct announcement {
    wire::buffer head;         // what is sent first
    std::size_t in_front = 0;  // bytes of more of them, in front of the elements in their own buffer
};

/// Consecutive elements of a job that a worker has got.
struct run {
    std::shared_ptr<remote_job> job;
    block elements;
    std::uint64_t results = 0;  // elements whose result has come
    /// Where their bytes are, if the peer answers in any order: this run may be one of several parts of it.
    std::shared_ptr<const block> source = nullptr;
    wire::buffer head;  // as in its announcement
    std::size_t in_front = 0;
    std::size_t told = 0;     // bytes of the payload whose elements observers were told of; if there are any
    std::size_t sent = 0;     // bytes of all that went out
    std::size_t counted = 0;  // bytes among those that are out; less than they weigh if some were recalled

    std::uint64_t left() const noexcept { return elements.count - results; }
    /// What follows the head: the elements, and the frames that stand in front of them.
    std::span<const std::byte> body() const noexcept {
        return elements.bytes.bytes().subspan(elements.begin - in_front);
    }
    std::size_t size() const noexcept { return head.size() + body().size(); }
};

/// Elements that go back to where they came from.
struct returned {
    std::shared_ptr<remote_job> job;
    block elements;
};

/// An element that has failed and runs again, if the program says so.
struct second_try {
    block element;
    std::optional<job::told_end> end;  // that observers are to be told of, if there are any
};

/// What is told of an element that did not simply return at its first attempt.
struct element_history {
    std::uint64_t index = 0;  // which element it is
    job::element_facts facts = {};
    std::vector<std::string> attempts = {};  // how those ended that were made before
    std::string_view note = {};              // as other machines tell of that
    const std::string* host = nullptr;       // the name of another machine
    std::optional<second_try> again = {};    // of an error that decides about that
    bool is_decided = false;
};

/// Results of consecutive elements of a job, on their way into it.
struct delivery {
    std::shared_ptr<remote_job> job;
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    enum class kind {
        values,
        error_record,
        error,
        kept,        // values that the job's journal has
        runs_again,  // an error that ends nothing
    } what = kind::values;
    std::uint64_t stride = 0;
    std::span<const std::byte> bytes;  // values or an error record, in the worker's frame_reader
    std::exception_ptr error;
    long pid = 0;                                   // of the process that tells of the error
    std::unique_ptr<element_history> history = {};  // errors of peers have one, and few values

    element_history& its_history() {
        if (!history) history = std::make_unique<element_history>(element_history{.index = first});
        return *history;
    }
};

/// What is told of the attempts before the last one.
inline std::string describe_attempts(const std::vector<std::string>& attempts) {
    std::string text;
    for (std::size_t i = 0; i < attempts.size(); ++i)
        text.append("; attempt ").append(std::to_string(i + 1)).append(": ").append(attempts[i]);
    return text;
}

}  // namespace procpool::inline v0_1::detail::scheduler

#endif
