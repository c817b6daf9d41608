// SPDX-License-Identifier: MIT
// A job whose elements run in other processes: what is sent, and what is known of its tasks.
#ifndef PROCPOOL_DETAIL_SCHEDULER_REMOTE_JOB_HPP
#define PROCPOOL_DETAIL_SCHEDULER_REMOTE_JOB_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/task_timing.hpp"
#include "procpool/detail/wire/archive.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/frame.hpp"

namespace procpool::inline v0_1::detail::scheduler {

/// Encoded elements [first, first + count) of a job, ready to go to a worker.
struct block {
    /// Who leaves so many bytes before `begin` gets the frames there that announce the elements.
    static constexpr std::size_t room_for_frames = 2 * sizeof(wire::task_header);

    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::uint64_t stride = 0;
    wire::buffer bytes;
    std::size_t begin = 0;  // where in `bytes` the elements start; what is before that is of no more use
    std::vector<std::string> attempts =
        {};                        // how those ended that were made with it (then it is one element)
    wire::pins pins;               // what the elements refer to
    wire::large_parts large = {};  // of the elements
    unsigned lost = 0;             // times that they were with a peer of many workers when it was lost

    /// Bytes to be moved, wherever they lie.
    std::size_t weight() const noexcept { return bytes.size() - begin + large.bytes; }
    std::span<const std::byte> payload() const noexcept { return bytes.bytes().subspan(begin); }

    /// Cuts off the first `n` elements.
    block take_front(std::uint64_t n);

    /// A copy of the n-th element alone.
    block element(std::uint64_t n) const { return copy(n, 1); }

    /// A copy of `n` elements after the first `from`.
    block copy(std::uint64_t from, std::uint64_t n) const;

    /// Adds the elements that follow these.
    void append(block next);

private:
    /// Which part is whose isn't known: all stay until all elements are done, their bytes are divided.
    wire::large_parts share_of_large(std::uint64_t n) const {
        return {large.memory, large.parts, large.bytes / std::max<std::uint64_t>(count, 1) * n};
    }
};

/// What tells a worker how to run a task: the location of its ops, then the callable.
struct task_definition {
    wire::buffer bytes;
    wire::pins pins;  // what the callable refers to
    /// An encoded element as text, for messages.
    std::string (*describe)(std::span<const std::byte> element) = nullptr;
};

class remote_job : public job::basic_job {
public:
    remote_job(task_definition&& definition, bool once);
    /// The definition stays where it is, longer than the job.
    remote_job(task_definition&, bool) = delete;
    remote_job(const task_definition& definition, bool once);
    ~remote_job() override;

    /// Stores `count` values, encoded with `stride`, as the results of the elements from `first` on (see
    /// basic_job::fail).
    virtual void accept(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                        std::span<const std::byte> values) = 0;

    // Of one element, where elements have callers of their own.

    virtual bool elements_are_calls() const noexcept { return false; }
    /// Its caller gives it up: its result is `error`, and it needn't run, which is the pool's affair. `now` in
    /// steady ns. @return false if it has a result already
    virtual bool give_up(std::uint64_t /*index*/, std::exception_ptr /*error*/, std::int64_t /*now*/) {
        return false;
    }

    /// Whether nobody wants the results of some of these elements any more.
    virtual bool has_dropped(std::uint64_t /*first*/, std::uint64_t /*count*/) const noexcept {
        return abandoned;
    }
    /// Since when workers shall not go on with it (steady ns).
    virtual std::optional<std::int64_t> unwanted_since(std::uint64_t /*index*/) const noexcept {
        return end_running_since;
    }
    /// Its number as its caller knows it.
    virtual std::uint64_t index_told(std::uint64_t index) const noexcept { return index; }

    const wire::buffer& definition() const noexcept { return definition_.bytes; }
    bool once() const noexcept { return once_; }
    /// The arguments of one encoded element, as far as they can be printed.
    std::string describe(std::span<const std::byte> element) const {
        return definition_.describe ? definition_.describe(element) : std::string();
    }

    /// What is ready won't run.
    void drop_ready() noexcept {
        ready.clear();
        ready_elements = 0;
        ready_bytes = 0;
    }

    // The rest is the scheduler's, guarded by its mutex.
    std::uint64_t id = wire::initializer_number;  // until the pool gives it another
    bool bulk = false;                            // nobody sees a result before all are there
    bool guided = false;                          // as many elements go together as is best
    std::chrono::nanoseconds timeout = job::no_limit;
    std::optional<std::int64_t> end_running_since;  // nor shall workers go on with any of it
    bool listed = false;                            // among those that have blocks ready
    bool keeps_its_place = false;                   // among them, instead of taking turns with others
    std::exception_ptr withdrawn;                   // what elements get that come back without having begun
    std::list<block> ready;
    std::size_t ready_bytes = 0;
    task_timing* timing = nullptr;

private:
    task_definition own_definition_;
    const task_definition& definition_;
    bool once_;
};

/// @throws std::invalid_argument
template <class Options>
void apply_options(remote_job& job, const Options& options) {
    job::apply_options_but_timeout(job, options);
    job.timeout = job::checked_limit(options.timeout, "timeout");
}

}  // namespace procpool::inline v0_1::detail::scheduler

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/scheduler/remote_job_impl.hpp"
#endif

#endif
