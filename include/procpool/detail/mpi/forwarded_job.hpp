// SPDX-License-Identifier: MIT
// A job of another machine's pool, as the pool of a node runs it: of its results it knows bytes only.
#ifndef PROCPOOL_DETAIL_MPI_FORWARDED_JOB_HPP
#define PROCPOOL_DETAIL_MPI_FORWARDED_JOB_HPP

#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/job/element_facts.hpp"
#include "procpool/detail/mpi/noted_facts.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/call_series.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "procpool/detail/wire/whole_elements.hpp"
#include "procpool/error.hpp"
#include "procpool/retry_policy.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// Frames of one pool that are to be sent. Thread-safe: results come from whoever drives the node's pool.
template <class = only_if_used>
class basic_outgoing_frames {
public:
    explicit basic_outgoing_frames(std::uint64_t pool) : pool_(pool) {}

    void append(frame_header header, std::span<const std::byte> payload = {}) {
        const mutex_guard lock(mutex_);
        header.pool = pool_;
        append_frame(bytes_, header, payload);
    }
    /// `fill(buffer)` appends the payload.
    template <class Fill>
    void append_filled(frame_header header, Fill fill) {
        const mutex_guard lock(mutex_);
        header.pool = pool_;
        const std::size_t before = bytes_.size();
        try {
            const std::size_t begin = begin_frame(bytes_, header);
            fill(bytes_);
            end_frame(bytes_, begin);
        } catch (...) {
            bytes_.shrink_to(before);
            throw;
        }
    }
    bool empty() {
        const mutex_guard lock(mutex_);
        return bytes_.empty();
    }
    wire::buffer take() {
        const mutex_guard lock(mutex_);
        return std::exchange(bytes_, {});
    }

    // ---- elements that are given back

    /// So many elements of a job will fail with forwarded_job::given_back(); they are returned.
    void expect_returned(std::uint64_t job, std::uint64_t count) {
        if (count == 0) return;
        const mutex_guard lock(mutex_);
        to_return_[job] += count;
    }
    /// The job was cancelled: some of them may not be told of any more.
    void expect_none_of(std::uint64_t job) {
        const mutex_guard lock(mutex_);
        if (to_return_.erase(job) > 0) tell_if_all_returned();
    }
    /// Once, when all that were expected are.
    void tell_when_all_returned() {
        const mutex_guard lock(mutex_);
        is_asked_ = true;
        tell_if_all_returned();
    }
    void append_returned(std::uint64_t job, std::uint64_t index) {
        const mutex_guard lock(mutex_);
        append_frame(
            bytes_,
            {.what = frame_header::kind::returned, .pool = pool_, .job = job, .first = index, .count = 1});
        const auto at = to_return_.find(job);
        if (at == to_return_.end() || --at->second > 0) return;
        to_return_.erase(at);
        tell_if_all_returned();
    }

private:
    void tell_if_all_returned() PROCPOOL_REQUIRES(mutex_) {
        if (!is_asked_ || !to_return_.empty()) return;
        is_asked_ = false;
        append_frame(bytes_, {.what = frame_header::kind::given_back, .pool = pool_});
    }

    const std::uint64_t pool_;
    mutex mutex_;
    wire::buffer bytes_ PROCPOOL_GUARDED_BY(mutex_);
    std::map<std::uint64_t, std::uint64_t> to_return_ PROCPOOL_GUARDED_BY(mutex_);  // elements of jobs
    bool is_asked_ PROCPOOL_GUARDED_BY(mutex_) = false;
};
using outgoing_frames = basic_outgoing_frames<>;

template <class = only_if_used>
class basic_forwarded_job final : public scheduler::remote_job, private job::facts_keeper {
public:
    /// `from` has what describes an element, and the definition. It is the rest of what lies in `lies_in`, if
    /// there is such a part.
    basic_forwarded_job(std::uint64_t number, const job_settings& settings, wire::cursor& from,
                        outgoing_frames& up, scheduler::task_definition::shared lies_in = {})
        : remote_job(definition_from(from, std::move(lies_in)), settings.once), number_(number), up_(up) {
        chunk = settings.chunk;
        timeout = std::chrono::nanoseconds(settings.timeout_ns);
        cpu_timeout = std::chrono::nanoseconds(settings.cpu_timeout_ns);
        soft_timeout = std::chrono::nanoseconds(settings.soft_timeout_ns);
        retries = settings.retries;
        retry_exceptions = settings.retry_exceptions;
        if (settings.retry_delay_ns > 0)
            retry_policy = std::make_shared<const RetryPolicy>(
                RetryPolicy{.delay = std::chrono::nanoseconds(settings.retry_delay_ns),
                            .backoff = settings.retry_backoff,
                            .longest_delay = std::chrono::nanoseconds(settings.longest_retry_delay_ns),
                            .jitter = settings.retry_jitter});
        guided = settings.guided;
        bulk = settings.bulk;
        keeps_its_place = settings.keeps_its_place;
        gives_back = true;
        facts = this;
    }

    void accept(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                std::span<const std::byte> values) override {
        frame_header header{.what = frame_header::kind::values,
                            .job = number_,
                            .first = first,
                            .count = count,
                            .stride = stride};
        if (timing && timing->known()) header.ns = static_cast<std::int64_t>(timing->mean_ns());
        try {
            up_.append_filled(header, [&](wire::buffer& to) { wire::append_from_arena(to, stride, values); });
        } catch (const SerializationError&) {  // a corrupt worker named places that have nothing
            for (std::uint64_t i = 0; i < count; ++i) fail(first + i, std::current_exception());
        }
    }

    /// A task's own error.
    bool fail_with_record(std::uint64_t index, std::span<const std::byte> record, long pid,
                          const std::string& attempts) override {
        append_error(
            {.what = frame_header::kind::error, .job = number_, .first = index, .count = 1, .pid = pid},
            attempts, record);
        return true;
    }
    /// An error of this node's pool.
    void fail(std::uint64_t index, std::exception_ptr error) override {
        if (error == given_back()) {
            up_.append_returned(number_, index);
            return;
        }
        wire::buffer record;
        wire::pins nothing;
        try {
            std::rethrow_exception(std::move(error));
        } catch (...) {
            wire::encode_current_exception({record, nothing});
        }
        append_error({.what = frame_header::kind::error, .job = number_, .first = index, .count = 1}, {},
                     record.bytes());
    }

    /// The error of elements that were withdrawn, since they run on another node.
    static const std::exception_ptr& given_back() {
        static const std::exception_ptr* const error =
            new std::exception_ptr(std::make_exception_ptr(Error("procpool: given back to another node")));
        return *error;
    }
    std::exception_ptr error_of_withdrawn(const char* /*why*/) const override { return given_back(); }

    // ---- elements of callers of their own

    bool elements_are_calls() const noexcept override { return keeps_its_place; }
    bool give_up(std::uint64_t index, std::exception_ptr /*error*/, std::int64_t now) override {
        if (over_.test(index)) return false;
        given_up_.emplace(index, now);
        publish(index, 1);
        return true;
    }
    /// What was given back may come once more.
    void reopen(std::uint64_t first, std::uint64_t count) {
        if (!elements_are_calls()) return;
        for (std::uint64_t i = first; i < first + count; ++i) over_.reset(i);
    }
    void publish(std::uint64_t first, std::uint64_t count) override {
        std::uint64_t published = count;
        if (elements_are_calls()) {
            for (std::uint64_t i = first; i < first + count; ++i) {
                if (over_.test(i)) --published;  // it was given up
                over_.set(i);
            }
        }
        remote_job::publish(first, published);
    }
    bool has_dropped(std::uint64_t first, std::uint64_t count) const noexcept override {
        if (abandoned) return true;
        const auto next = given_up_.lower_bound(first);
        return next != given_up_.end() && next->first < first + count;
    }
    std::optional<std::int64_t> unwanted_since(std::uint64_t index) const noexcept override {
        const auto at = given_up_.find(index);
        return at != given_up_.end() ? std::optional(at->second) : end_running_since;
    }
    std::uint64_t index_told(std::uint64_t index) const noexcept override {
        return keeps_its_place ? 0 : index;
    }

private:
    void note(std::uint64_t index, const job::element_facts& its) override {
        up_.append(noted_facts::header_of(number_, index, its));
    }
    void append_error(const frame_header& header, const std::string& attempts,
                      std::span<const std::byte> record) {
        up_.append_filled(header, [&](wire::buffer& to) {
            to.append_value(std::uint64_t{attempts.size()});
            to.append(attempts.data(), attempts.size());
            to.append(record.data(), record.size());
        });
    }

    static scheduler::task_definition definition_from(wire::cursor& from,
                                                      scheduler::task_definition::shared lies_in) {
        scheduler::task_definition definition;
        if (from.value<bool>())
            definition.describe = wire::decode_function<std::string(std::span<const std::byte>)>(from);
        if (lies_in.part.memory) {
            lies_in.begin = lies_in.size - from.left();
            definition.instead = std::move(lies_in);
            return definition;
        }
        const auto bytes = from.take(from.left());
        definition.bytes.append(bytes.data(), bytes.size());
        return definition;
    }

    const std::uint64_t number_;
    outgoing_frames& up_;
    std::map<std::uint64_t, std::int64_t> given_up_;        // which, and when in steady ns
    std::bitset<scheduler::call_series::most_calls> over_;  // elements with callers that wait no more
};
using forwarded_job = basic_forwarded_job<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
