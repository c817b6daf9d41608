// SPDX-License-Identifier: MIT
// A node as rank 0's scheduler sees it: a peer of many workers that answers in any order.
#ifndef PROCPOOL_DETAIL_MPI_NODE_HPP
#define PROCPOOL_DETAIL_MPI_NODE_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/mpi/definition_chain.hpp"
#include "procpool/detail/mpi/definition_head.hpp"
#include "procpool/detail/mpi/noted_facts.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/scheduler/run.hpp"
#include "procpool/detail/wire/activity.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/error.hpp"
#include "procpool/observer.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// With the pool's lock held.
template <class = only_if_used>
class basic_node final : public scheduler::peer {
public:
    basic_node(int rank, std::string host, std::uint64_t pool)
        : rank_(rank), host_(std::move(host)), pool_(pool) {}

    int rank() const noexcept { return rank_; }
    const std::string& host() const noexcept { return host_; }

    /// Large definitions go along a chain of nodes: `chain` tells all of them of a job.
    void use_chain(std::function<void(const std::shared_ptr<scheduler::remote_job>&)> chain) {
        chain_ = std::move(chain);
    }

    /// The error of what is lost with it, after nothing has come from it for so long.
    std::exception_ptr loss(std::chrono::nanoseconds silence) const {
        constexpr std::chrono::milliseconds tenth{100};
        const auto tenths = silence / tenth;
        return std::make_exception_ptr(NodeDied(
            "procpool: " + host_ + " (rank " + std::to_string(rank_) +
                ") was lost: its process has died, hangs or can't be reached; nothing has come from it for " +
                std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10) + " s",
            host_, rank_));
    }

    /// Its share of the pool has ended.
    bool has_closed = false;

    /// It has a pool of so many workers.
    void open(std::size_t count) {
        workers = count;
        checks_itself = true;
        begin(activity_);
        activity_.ready.store(1, std::memory_order_relaxed);
        tell_start();
    }

    // ---- what goes there

    void give(std::shared_ptr<scheduler::remote_job> job, scheduler::block&& elements,
              std::uint32_t /*together*/) override {
        taken += elements.count;
        keeps_all = false;
        if (chain_ && !job->once() && job->definition().size() >= chain_threshold && !knows(*job))
            chain_(job);
        define(job);
        append_frame(out_,
                     {.what = frame_header::kind::run,
                      .pool = pool_,
                      .job = job->id,
                      .first = elements.first,
                      .count = elements.count,
                      .stride = elements.stride},
                     elements.payload());
        auto sent = std::make_shared<const scheduler::block>(std::move(elements));
        books().add_sent(std::move(job), std::move(sent));
        tell_activity();
    }
    /// What nobody wants any more ends there. The rest comes back later, as `returned`, if it has not begun.
    std::vector<scheduler::returned> recall() override {
        if (!drop_unwanted()) ask_back();
        tell_activity();
        return {};
    }
    /// It is asked for all that it has not begun, unless it is already.
    void ask_back() {
        if (work().elements() > 0 && !std::exchange(asked_back_, true))
            append_frame(out_, {.what = frame_header::kind::give_back, .pool = pool_});
    }
    /// Until it has given that back.
    bool is_asked_back() const noexcept { return asked_back_; }
    /// It is being told of the job in parts, `size` bytes in all, which may take a while: what is sent here
    /// directly, and comes first, must wait for them there.
    /// @return false if it knows of it already
    bool await_definition(const std::shared_ptr<scheduler::remote_job>& job, std::size_t size) {
        if (!jobs_.emplace(job->id, job).second) return false;
        in_parts_.push_back(job);
        const wire::buffer none = part_message(
            {.what = frame_header::kind::define_part, .pool = pool_, .job = job->id, .count = size}, {}, {});
        out_.append(none.data(), none.size());
        return true;
    }
    /// Jobs whose definitions it may not have completely.
    const std::vector<std::shared_ptr<scheduler::remote_job>>& in_parts() const noexcept { return in_parts_; }
    bool knows(const scheduler::remote_job& job) const noexcept { return jobs_.contains(job.id); }
    void forget(const scheduler::remote_job& job) {
        facts_.forget(job.id);
        if (jobs_.erase(job.id) > 0)
            append_frame(out_, {.what = frame_header::kind::forget, .pool = pool_, .job = job.id});
    }
    bool has_output() const noexcept { return !out_.empty(); }
    wire::buffer take_output() noexcept { return std::exchange(out_, {}); }

    bool collect_early(std::vector<scheduler::delivery>& /*into*/) override { return false; }
    std::int64_t quiet_since() const noexcept override { return 0; }

    // ---- what comes from there

    /// Results, whose bytes must stay until they are delivered; what else a job gets back.
    /// @throws SerializationError for nonsense
    void collect(const frame_header& header, std::span<const std::byte> payload,
                 std::vector<scheduler::delivery>& into, std::vector<scheduler::returned>& back) {
        using kind = frame_header::kind;
        if (header.what == kind::given_back) {
            asked_back_ = false;
            return;
        }
        if (header.what == kind::defined) {
            std::erase_if(in_parts_, [&](const auto& job) { return job->id == header.job; });
            return;
        }
        const auto at = jobs_.find(header.job);
        if (at == jobs_.end()) return;  // nobody waits for it any more
        const std::shared_ptr<scheduler::remote_job> job = at->second;
        switch (header.what) {
            case kind::values: collect_values(job, header, payload, into); break;
            case kind::error: {
                wire::cursor from(payload);
                const std::string_view attempts = text_of(from.sized());
                if (books().got(*job, header.first, 1) == 0) break;
                tell_ended(*job, header.first, 1, element_outcome::threw);
                into.push_back({.job = job,
                                .first = header.first,
                                .count = 1,
                                .what = scheduler::delivery::kind::error_record,
                                .bytes = from.take(from.left()),
                                .error = {},
                                .pid = static_cast<long>(header.pid)});
                scheduler::element_history& told = into.back().its_history();
                told.note = attempts;
                told.host = &host_;
                facts_.move_to(into.back());
                break;
            }
            case kind::facts: facts_.add(header); return;
            case kind::returned: take_returned(job, header, back); break;
            default: throw SerializationError("procpool: a node sent a message that nobody knows");
        }
        if (job->once() && !work().has(*job)) forget(*job);
        tell_activity();
    }

    /// It is lost: what it had not answered. An element that was on another lost node before, or all if it
    /// `fails`, has an error instead.
    std::vector<scheduler::returned> take_lost(bool fails, const std::exception_ptr& error,
                                               std::vector<scheduler::delivery>& into) {
        std::vector<scheduler::returned> back;
        for (scheduler::run& one : books().take_unfinished()) {
            if (one.left() == 0 || one.job->abandoned || one.job->failure()) continue;
            if (fails || one.source->losses > 0) {
                tell_ended(*one.job, one.elements.first, one.elements.count, element_outcome::worker_died);
                for (std::uint64_t i = 0; i < one.elements.count; ++i)
                    into.push_back({.job = one.job,
                                    .first = one.elements.first + i,
                                    .count = 1,
                                    .what = scheduler::delivery::kind::error,
                                    .bytes = {},
                                    .error = error});
                continue;
            }
            back.push_back({one.job, scheduler::runs_in_flight::copy(one)});
            ++back.back().elements.losses;
        }
        jobs_.clear();
        in_parts_.clear();
        out_.clear();
        drain();
        die();
        leave();
        return back;
    }

private:
    /// To observers: only so much is known here.
    void tell_ended(const scheduler::remote_job& job, std::uint64_t first, std::uint64_t count,
                    element_outcome outcome, std::int64_t each_ns = 0) const noexcept {
        if (job.observed)
            scheduler::element_notes::ended_elsewhere(index, job, first, count, outcome, each_ns);
    }

    void define(const std::shared_ptr<scheduler::remote_job>& job) {
        if (!jobs_.emplace(job->id, job).second) return;
        const wire::buffer head = head_of_definition(*job);
        const std::span<const std::byte> definition = job->definition();
        const std::size_t begin =
            begin_frame(out_, {.what = frame_header::kind::define, .pool = pool_, .job = job->id});
        out_.append(head.data(), head.size());
        out_.append(definition.data(), definition.size());
        end_frame(out_, begin);
    }

    /// @return whether there was any
    bool drop_unwanted() {
        struct range {
            std::shared_ptr<scheduler::remote_job> job;
            std::uint64_t first;
            std::uint64_t count;
        };
        std::vector<range> unwanted;
        for (const scheduler::run& one : work().runs()) {
            if (one.left() == 0 || !one.job->has_dropped(one.elements.first, one.elements.count)) continue;
            if (one.job->abandoned) {
                unwanted.push_back({one.job, one.elements.first, one.elements.count});
                continue;
            }
            for (std::uint64_t i = 0; i < one.elements.count; ++i)
                if (one.job->has_dropped(one.elements.first + i, 1))
                    unwanted.push_back({one.job, one.elements.first + i, 1});
        }
        for (const range& one : unwanted) {
            books().remove(*one.job, one.first, one.count);
            frame_header header{.what = frame_header::kind::give_up,
                                .pool = pool_,
                                .job = one.job->id,
                                .first = one.first,
                                .count = one.count};
            if (one.job->abandoned) {
                if (jobs_.erase(one.job->id) == 0) continue;
                facts_.forget(one.job->id);
                header.what = frame_header::kind::cancel;
                header.flag = one.job->end_running_since.has_value();
            }
            append_frame(out_, header);
        }
        return !unwanted.empty();
    }

    void collect_values(const std::shared_ptr<scheduler::remote_job>& job, const frame_header& header,
                        std::span<const std::byte> payload, std::vector<scheduler::delivery>& into) {
        if (header.ns > 0 && job->timing)
            job->timing->add(static_cast<double>(header.ns) * static_cast<double>(header.count),
                             static_cast<double>(header.count));
        const auto deliver = [&](std::uint64_t first, std::uint64_t count, std::span<const std::byte> bytes) {
            tell_ended(*job, first, count, element_outcome::returned, header.ns);
            into.push_back({.job = job,
                            .first = first,
                            .count = count,
                            .what = scheduler::delivery::kind::values,
                            .stride = header.stride,
                            .bytes = bytes,
                            .error = {}});
            facts_.move_to(into.back());
        };
        if (!job->has_dropped(header.first, header.count)) {
            if (!work().has(*job, header.first, header.count))
                throw SerializationError("procpool: a node sent results of elements that it doesn't have");
            books().got(*job, header.first, header.count);
            deliver(header.first, header.count, payload);
            return;
        }
        wire::element_reader values(payload, header.stride);
        for (std::uint64_t i = 0; i < header.count; ++i) {
            std::uint64_t one = 0;
            const auto bytes = values.next_run(1, one);
            if (books().got(*job, header.first + i, 1) == 1) deliver(header.first + i, 1, bytes);
        }
    }

    void take_returned(const std::shared_ptr<scheduler::remote_job>& job, const frame_header& header,
                       std::vector<scheduler::returned>& back) {
        for (const scheduler::run& one : work().runs()) {
            if (one.job != job || header.first < one.elements.first ||
                header.first - one.elements.first >= one.elements.count)
                continue;
            scheduler::block element = one.source->copy(header.first - one.source->first, 1);
            element.losses = one.source->losses;
            books().remove(*job, header.first, 1);
            taken -= 1;
            if (!back.empty() && back.back().job == job && back.back().elements.losses == element.losses &&
                back.back().elements.first + back.back().elements.count == element.first)
                back.back().elements.append(std::move(element));
            else
                back.push_back({job, std::move(element)});
            return;
        }
    }

    /// It runs as many elements at once as it has workers.
    void tell_activity() noexcept {
        const std::uint64_t begun = work().results() + std::min<std::uint64_t>(workers, work().elements());
        activity_.claimed_and_recalls.store(begun, std::memory_order_relaxed);
        activity_.begun.store(begun, std::memory_order_relaxed);
    }

    const int rank_;
    const std::string host_;
    const std::uint64_t pool_;
    std::function<void(const std::shared_ptr<scheduler::remote_job>&)> chain_;
    wire::activity activity_;
    wire::buffer out_;
    std::unordered_map<std::uint64_t, std::shared_ptr<scheduler::remote_job>> jobs_;  // that it was told of
    std::vector<std::shared_ptr<scheduler::remote_job>> in_parts_;
    noted_facts facts_;
    bool asked_back_ = false;
};
using node = basic_node<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
