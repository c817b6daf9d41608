// SPDX-License-Identifier: MIT
// A worker may send any bytes, cut anywhere, and leave any in the memory that it shares. What the pool takes
// for results belongs to elements that the worker was given, in their order; the rest gets no result.
#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "fuzz/property.hpp"
#include "procpool/detail/call/remote_job_of.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/wire/error_record.hpp"
#include "support/sendable_types.hpp"

namespace {

namespace call = procpool::detail::call;
namespace os = procpool::detail::os;
namespace process = procpool::detail::process;
namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;
namespace worker = procpool::detail::worker;
using fuzz::require;
using message = std::span<const std::byte>;

/// The input of a run, read from front to back; zeros when it is used up.
class script {
public:
    explicit script(message bytes) : rest_(bytes) {}

    bool done() const noexcept { return rest_.empty(); }
    message take(std::size_t most) {
        const message taken = rest_.first(std::min(most, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    template <class T>
    T value() {
        T read{};
        const message from = take(sizeof read);
        if (!from.empty()) std::memcpy(&read, from.data(), from.size());
        return read;
    }
    std::uint8_t byte() { return value<std::uint8_t>(); }
    /// A number that is close to `truth` more often than not.
    std::uint64_t near(std::uint64_t truth) {
        const std::uint8_t off = byte();
        return off == 0xFF ? value<std::uint64_t>() : truth + off - (off < 0x80 ? 0 : 0xC0);
    }

private:
    message rest_;
};

/// A job and what it has got.
struct entry {
    std::shared_ptr<scheduler::remote_job> job;
    std::uint64_t given = 0;
};

/// Each result is a value or an error that says what was wrong with the bytes.
template <class R>
class checked_results {
public:
    static constexpr bool seen_as_a_whole = false;

    void store(std::uint64_t, call::stored<R>&&) { ++unpublished_; }
    void fail(std::uint64_t, const std::exception_ptr& error) {
        require(error != nullptr, "a failure has an error");
        ++unpublished_;
    }
    void publish(std::uint64_t, std::uint64_t count) {
        require(unpublished_ == count, "each element of a delivery gets one result");
        unpublished_ = 0;
    }

private:
    std::uint64_t unpublished_ = 0;
};

/// Its task returns an R, its caller gets a T.
template <class R, class Results, class T = R, class... Args>
entry make(Args... args) {
    return {
        std::make_shared<call::remote_job_of<R, Results, T>>(scheduler::task_definition{}, false, args...)};
}

class pool_end {
public:
    pool_end() {
        for (std::size_t i = 0; i < jobs_.size(); ++i) jobs_[i].job->id = i + 1;
        start_worker();
    }
    pool_end(const pool_end&) = delete;
    pool_end& operator=(const pool_end&) = delete;

    void run(script& steps) {
        while (!steps.done()) {
            const std::uint8_t what = steps.byte();
            switch (what % 4) {
                case 0: give(jobs_[what / 4 % jobs_.size()], steps.byte() % 8u, what < 0xE0); break;
                case 1: send_bytes(steps.take(what / 4), steps); break;
                case 2: send_frame(what / 4, steps); break;
                default:
                    scribble(steps);
                    if (what & 16 && link_.fault().empty()) collect(true);
                    if (what & 4) end(what & 8), start_worker();
            }
        }
        end(true);
    }

private:
    struct expectation {
        const scheduler::remote_job* job;
        std::uint64_t next;
        std::uint64_t left;
        bool sent;
    };

    void start_worker() {
        worker_end_ = link_.connect(memory_->data());
        os::set_nonblocking(link_.tasks_reader());
        arrived_ = 0;
        link_.pid = 1;
        require(link_.work().elements() == 0, "a new worker has nothing to do");
    }

    void give(entry& to, std::uint64_t count, bool send) {
        if (count == 0) return;
        scheduler::block elements;
        elements.first = to.given;
        elements.count = count;
        elements.stride = 1;
        std::memset(elements.bytes.extend(count), 0, count);
        link_.give(to.job, std::move(elements));
        expected_.push_back({to.job.get(), to.given, count, false});
        to.given += count;
        if (!send) return;
        while (!link_.write()) read_tasks();
        for (expectation& one : expected_) one.sent = true;
    }

    void read_tasks() {
        std::array<std::byte, 4096> piece;
        while (os::read_some(link_.tasks_reader(), piece.data(), piece.size()).bytes > 0) {
        }
    }

    void send_bytes(message bytes, script& steps) {
        const std::size_t piece = steps.byte() + std::size_t{1};
        while (!bytes.empty()) {
            const message next = bytes.first(std::min(piece, bytes.size()));
            bytes = bytes.subspan(next.size());
            if (!link_.fault().empty()) return;
            require(os::write_all(worker_end_, next.data(), next.size()), "the pipe is open");
            arrived_ += next.size();
            link_.receive(1 << 20);
            collect();
        }
    }

    /// With most of its fields right.
    void send_frame(unsigned what, script& steps) {
        constexpr std::array<std::uint64_t, 4> strides{wire::variable_stride, 1, sizeof(long), 24};
        wire::result_header header;
        header.what = static_cast<wire::result_header::kind>(what % 4 == 3 ? 1 : 0);
        header.pinned = static_cast<std::uint16_t>(what / 4 % 2);
        header.stride = strides[what / 8 % strides.size()];
        header.sequence = steps.near(link_.work().results());
        const message payload = steps.take(steps.byte());
        header.length = steps.near(payload.size());
        wire::buffer bytes;
        bytes.append_value(header);
        bytes.append(payload.data(), payload.size());
        send_bytes(bytes.bytes(), steps);
    }

    /// The worker writes what it likes into the memory that it shares.
    void scribble(script& steps) {
        auto& box = *std::launder(reinterpret_cast<worker::black_box*>(memory_->data()));
        box.base = steps.near(arrived_);
        const message left = steps.take(steps.byte());
        std::copy(left.begin(), left.end(), memory_->begin() + worker::outbox_offset);
        box.committed = steps.near(box.base + left.size());
        box.open_frame = steps.near(box.base);
        box.told.begun = steps.near(link_.work().results());
        box.told.ended = steps.near(0);
        box.told.busy_ns = static_cast<std::int64_t>(steps.near(0));
    }

    /// The worker dies; unless it was the last to hold its pipe, that stays open.
    void end(bool last) {
        if (last) worker_end_.reset();
        link_.receive_rest();
        std::vector<scheduler::delivery> found;
        link_.collect_remains(found);
        check(found);
        while (const auto interrupted = link_.interrupted()) {
            expectation& first = next_expected();
            require(interrupted->of->job.get() == first.job && interrupted->index == first.next,
                    "the element that was running is the oldest without a result");
            link_.take_interrupted(*interrupted->of);
            skip(first, 1);
        }
        std::uint64_t left = 0;
        for (const expectation& one : expected_) left += one.left;
        require(link_.work().elements() == left, "what has no result is known by its number");
        for (const scheduler::run& one : link_.take_unfinished()) left -= one.left();
        require(left == 0, "what has no result goes back");
        expected_.clear();
    }

    void collect(bool early = false) {
        std::vector<scheduler::delivery> found;
        try {
            if (early)
                link_.collect_early(found);
            else
                link_.collect(found);
        } catch (const procpool::SerializationError& error) {
            link_.find_faulty(error.what());
        }
        try {
            link_.check_unfinished();
        } catch (const procpool::SerializationError&) {
            // It would be the end of most runs: the worker seldom writes into its outbox what it sends.
        }
        link_.take_timing();
        link_.tells_the_possible();
        if (link_.take_pinned() && link_.fault().empty()) link_.send_release();
        check(found);
    }

    void check(const std::vector<scheduler::delivery>& found) {
        for (const scheduler::delivery& one : found) {
            require(one.count > 0, "a delivery holds a result");
            expectation& first = next_expected();
            require(first.sent && one.job.get() == first.job && one.first == first.next &&
                        one.count <= first.left,
                    "results belong to the oldest elements that were sent");
            skip(first, one.count);
            deliver(one);
        }
    }

    expectation& next_expected() {
        require(!expected_.empty(), "nothing comes without being asked for");
        return expected_.front();
    }
    void skip(expectation& first, std::uint64_t count) {
        first.next += count;
        first.left -= count;
        if (first.left == 0) expected_.pop_front();
    }

    static void deliver(const scheduler::delivery& one) {
        if (one.what == scheduler::delivery::kind::error_record)
            one.job->fail(one.first, wire::decode_exception(wire::cursor(one.bytes), one.pid, one.first));
        else
            one.job->accept(one.first, one.count, one.stride, one.bytes);
        one.job->publish(one.first, one.count);
    }

    struct alignas(4096) pages : std::array<std::byte, worker::slot_memory> {};
    std::unique_ptr<pages> memory_ = std::make_unique<pages>();
    std::array<entry, 8> jobs_{make<long, call::all_results<long>, std::vector<long>>(),
                               make<bool, call::all_outcomes<bool>, std::vector<procpool::Outcome<bool>>>(),
                               make<void, checked_results<void>>(),
                               make<std::string, checked_results<std::string>>(),
                               make<test::plain, call::stream_of_results<test::plain>>(true),
                               make<std::vector<std::string>, call::one_result<std::vector<std::string>>>(),
                               make<test::record, call::stream_of_results<test::record>>(false),
                               make<test::constructed, checked_results<test::constructed>>()};
    process::worker_link link_;
    os::fd worker_end_;
    std::uint64_t arrived_ = 0;         // bytes in the worker's stream of results
    std::deque<expectation> expected_;  // what has no result yet
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::memory_meter memory;
    script steps(std::as_bytes(std::span(data, size)));
    pool_end().run(steps);
    // The shared memory and room for what may arrive are there in any case.
    require(memory.peak() <= 512 * 1024 + 1024 * size, "memory is claimed in proportion to what arrived");
    return 0;
}
