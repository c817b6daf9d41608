// SPDX-License-Identifier: MIT
// Peers that take elements, run them, hold results back and die, one small step at a time.
#ifndef PROCPOOL_TESTS_SIMULATION_PEER_HPP
#define PROCPOOL_TESTS_SIMULATION_PEER_HPP

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "job.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/scheduler/peer.hpp"
#include "procpool/detail/wire/activity.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "random.hpp"

namespace simulation {

using procpool::detail::steady_time;

class simulated_clock final : public procpool::detail::time_source {
public:
    steady_time now() const noexcept override { return now_; }
    void advance_to(steady_time when) { now_ = std::max(now_, when); }

private:
    steady_time now_{std::chrono::hours(1)};
};

/// What a thrown exception is on its way.
inline const wire::buffer& thrown_record() {
    static const wire::buffer record = [] {
        wire::buffer bytes;
        wire::pins pins;
        try {
            throw std::runtime_error("simulated");
        } catch (...) {
            wire::encode_current_exception({bytes, pins, nullptr});
        }
        return bytes;
    }();
    return record;
}

/// A worker as the scheduler sees it: it reads what it was sent in order, claims elements, runs them one
/// after the other, and sends their results in that order, or keeps them for a while.
class simulated_peer final : public scheduler::peer {
public:
    /// One that is about to start.
    void connect() {
        *this = simulated_peer();
        words_ = std::make_unique<wire::activity>();
        begin(*words_);
        alive = true;
    }

    // ---- what the scheduler asks

    void give(std::shared_ptr<scheduler::remote_job> job, scheduler::block&& elements,
              std::uint32_t together) override {
        message next;
        wire::element_reader reader(elements.payload(), elements.stride);
        for (std::uint64_t i = 0; i < elements.count; ++i) {
            std::uint64_t number = 0;
            const auto bytes = reader.next();
            std::memcpy(&number, bytes.data(), sizeof number);
            next.elements.push_back({job.get(), elements.first + i, number});
        }
        next.together = together;
        taken += elements.count;
        keeps_all = false;
        scheduler::announcement header;
        header.head.append_value(std::uint64_t{0});
        next.bytes = header.head.size() + elements.payload().size();
        books().add(std::move(job), std::move(elements), std::move(header));
        outgoing.push_back(std::move(next));
    }
    std::vector<scheduler::returned> recall() override {
        auto back = books().recall(words_->recall());
        for (const auto& one : back) taken -= one.elements.count;
        scheduler::announcement notice;
        notice.head.append_value(std::uint64_t{0});
        outgoing.push_back({.elements = {}, .is_recall = true, .bytes = notice.head.size()});
        books().add(std::move(notice));
        return back;
    }
    bool collect_early(std::vector<scheduler::delivery>& into) override {
        if (has_news() || collected == results.size()) return false;
        return collect_up_to(results.size(), into);
    }
    std::int64_t quiet_since() const noexcept override { return 0; }
    std::optional<memory_state> memory() const override { return has_memory; }
    void forget_peak() override {
        if (has_memory) has_memory->peak = has_memory->now;
    }

    // ---- what the host does with it

    /// Sends `most` of the messages that wait.
    void transfer(std::size_t most) {
        for (; most > 0 && !outgoing.empty(); --most) {
            books().sent(outgoing.front().bytes);
            inbox.push_back(std::move(outgoing.front()));
            outgoing.pop_front();
        }
    }
    /// What was collected early arrives, too.
    bool has_news() const noexcept { return arrived > received; }
    void collect(std::vector<scheduler::delivery>& into) {
        received = arrived;
        collect_up_to(arrived, into);
    }
    void collect_remains(std::vector<scheduler::delivery>& into) { collect_up_to(results.size(), into); }

    // ---- what the worker does

    struct element {
        scheduler::remote_job* job;
        std::uint64_t index;
        std::uint64_t number;
    };

    bool is_running() const noexcept { return running.has_value(); }
    /// Whether there is anything that it could do now.
    bool can_read() const noexcept { return alive && !running && (!run.elements.empty() || !inbox.empty()); }
    /// Reads on until an element begins or nothing is left.
    void begin_next(steady_time now) {
        while (true) {
            if (run.elements.empty()) {
                if (inbox.empty()) return;
                run = std::move(inbox.front());
                inbox.pop_front();
                claimed = 0;
                if (run.is_recall) {
                    ++recalls;
                    run = {};
                }
                continue;
            }
            if (claimed == 0) {
                const auto wanted = std::min<std::uint64_t>(run.elements.size(), std::max(run.together, 1u));
                if (words_->claim(all_claimed, wanted, recalls) != wire::activity::claim_end::claimed) {
                    run = {};  // taken back
                    continue;
                }
                all_claimed += wanted;
                claimed = wanted;
            }
            --claimed;
            running = run.elements.front();
            run.elements.pop_front();
            words_->begun.store(words_->begun + 1);
            words_->begun_at.store(procpool::detail::ns_of(now));
            begun_at = now;
            return;
        }
    }
    void end_element(bool throws, steady_time now) {
        results.push_back({running->number, throws});
        running.reset();
        words_->busy_ns.store(words_->busy_ns + (now - begun_at).count());
        words_->ended.store(words_->begun.load());
    }
    void send_results() { arrived = results.size(); }
    wire::activity& words() { return *words_; }

    bool alive = false;        // the process is
    bool end_is_told = false;  // how it ended
    bool results_end = false;  // nothing more comes from it: seen by the host
    bool asked_to_end = false;
    bool input_ended = false;
    std::optional<element> running;
    steady_time begun_at{};
    std::optional<memory_state> has_memory;

private:
    struct message {
        std::deque<element> elements;
        std::uint32_t together = 1;
        bool is_recall = false;
        std::size_t bytes = 0;
    };
    struct result {
        std::uint64_t number;
        bool threw;
    };

    bool collect_up_to(std::size_t end, std::vector<scheduler::delivery>& into) {
        const bool any = collected < end;
        while (collected < end) {
            if (results[collected].threw) {
                ++collected;
                take_error(thrown_record().bytes(), 1, into);
                continue;
            }
            // They lie here until they are delivered.
            auto& values = frames.emplace_back();
            for (; collected < end && !results[collected].threw; ++collected)
                values.push_back(results[collected].number);
            wire::element_reader reader(std::as_bytes(std::span(values)), sizeof(std::uint64_t));
            take_values(reader, sizeof(std::uint64_t), into);
        }
        return any;
    }

    std::unique_ptr<wire::activity> words_;
    std::deque<message> outgoing;
    std::deque<message> inbox;
    message run;
    std::uint64_t claimed = 0;
    std::uint64_t all_claimed = 0;
    std::uint64_t recalls = 0;
    std::deque<result> results;
    std::deque<std::vector<std::uint64_t>> frames;
    std::size_t arrived = 0;    // of those
    std::size_t received = 0;   // of those
    std::size_t collected = 0;  // of those

public:
    bool has_outgoing() const noexcept { return !outgoing.empty(); }
    bool holds_results() const noexcept { return arrived < results.size(); }
    bool is_out_of_input() const noexcept {
        return !running && run.elements.empty() && inbox.empty() && outgoing.empty();
    }
};

}  // namespace simulation

#endif
