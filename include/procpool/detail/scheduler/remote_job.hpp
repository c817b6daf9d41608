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
#include <typeinfo>
#include <utility>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/job/journal.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/element_journal.hpp"
#include "procpool/detail/scheduler/task_definition.hpp"
#include "procpool/detail/scheduler/task_timing.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/frame.hpp"

namespace procpool::inline v0_1::detail::scheduler {

class remote_job : public job::basic_job {
public:
    remote_job(task_definition&& definition, bool once);
    /// The definition stays where it is, longer than the job.
    remote_job(task_definition&, bool) = delete;
    remote_job(const task_definition& definition, bool once);
    PROCPOOL_COMPILED_APART ~remote_job() override;

    /// Stores `count` values, encoded with `stride`, as the results of the elements from `first` on (see
    /// basic_job::fail).
    virtual void accept(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                        std::span<const std::byte> values) = 0;
    /// An element's error as a worker has encoded it, for a job that passes it on; `attempts` tells of those
    /// before. False if it shall be decoded, for fail().
    virtual bool fail_with_record(std::uint64_t /*index*/, std::span<const std::byte> /*record*/,
                                  long /*pid*/, const std::string& /*attempts*/) {
        return false;
    }

    // Of one element, where elements have callers of their own.

    virtual bool elements_are_calls() const noexcept { return false; }
    /// Its caller gives it up: its result is `error`, and it needn't run, which is the pool's affair. `now`
    /// in steady ns. @return false if it has a result already
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
    PROCPOOL_COMPILED_APART void settle() noexcept override PROCPOOL_REQUIRES(pool_mutex);
    /// What elements get that are withdrawn before they have begun.
    PROCPOOL_COMPILED_APART virtual std::exception_ptr error_of_withdrawn(const char* why) const;
    /// Its number as its caller knows it.
    virtual std::uint64_t index_told(std::uint64_t index) const noexcept { return index; }

    std::span<const std::byte> definition() const noexcept { return definition_.all(); }
    /// Where workers find it, if it lies in memory that they see; there is no part otherwise.
    const task_definition::shared& shared_definition() const noexcept { return definition_.instead; }
    bool once() const noexcept { return once_; }
    /// What describe() uses; null if it can't.
    auto describer() const noexcept { return definition_.describe; }
    /// What its tasks take and return; null if that isn't known.
    const std::type_info* signature() const noexcept { return definition_.signature; }
    /// The arguments of one encoded element, as far as they can be printed.
    std::string describe(std::span<const std::byte> element) const {
        return definition_.describe ? definition_.describe(element) : std::string();
    }

    /// The soonest that an element which has taken so much CPU time can have taken all that it may: then it
    /// is to be looked at again.
    std::chrono::nanoseconds cpu_check_after(std::chrono::nanoseconds used) const noexcept {
        return cpu_timeout == job::no_limit ? job::no_limit : soonest_end(cpu_timeout, used);
    }

    /// The soonest that an element which is about to begin is to be looked at.
    std::chrono::nanoseconds first_check_after() const noexcept {
        return std::min({timeout, soft_timeout, cpu_check_after({})});
    }

    /// Whether this element has been given to nobody.
    bool is_ready(std::uint64_t index) const noexcept {
        return std::any_of(ready.begin(), ready.end(), [&](const block& some) { return some.holds(index); });
    }
    /// The first `count` elements that are ready, or less: those that are in one block.
    block take_ready(std::uint64_t count) {
        block& front = ready.front();
        block elements;
        if (count >= front.count) {
            elements = std::move(front);
            ready.pop_front();
        } else {
            elements = front.take_front(count);
        }
        ready_elements -= elements.count;
        ready_bytes -= elements.weight();
        return elements;
    }
    /// What is ready won't run.
    void drop_ready() noexcept;
    /// One element of it won't, if it is ready.
    void drop_ready(std::uint64_t index) {
        const auto at =
            std::find_if(ready.begin(), ready.end(), [&](const block& some) { return some.holds(index); });
        if (at == ready.end()) return;
        if (index > at->first) ready.insert(at, at->take_front(index - at->first));
        ready_bytes -= at->take_front(1).weight();
        --ready_elements;
        if (at->count == 0) ready.erase(at);
    }

    /// All that is ready and shall not run; where it is given back, what was tried stays, since the tries
    /// count.
    std::list<block> withdraw_ready() noexcept {
        std::list<block> all = std::exchange(ready, {});
        drop_ready();
        for (auto next = all.begin(); next != all.end();) {
            const auto one = next++;
            if (!gives_back || one->attempts.empty()) continue;
            ready_elements += one->count;
            ready_bytes += one->weight();
            ready.splice(ready.end(), all, one);
        }
        return all;
    }

    // The rest is the scheduler's, guarded by its mutex.
    std::uint64_t id = wire::initializer_number;  // until the pool gives it another
    bool bulk = false;                            // nobody waits for a single result
    bool guided = false;                          // as many elements go together as is best
    std::chrono::nanoseconds timeout = job::no_limit;
    std::chrono::nanoseconds cpu_timeout = job::no_limit;
    std::chrono::nanoseconds soft_timeout = job::no_limit;  // then it is asked to stop
    std::optional<std::int64_t> end_running_since;          // nor shall workers go on with any of it
    bool gives_back = false;           // what is withdrawn: each element fails, and runs elsewhere
    bool listed = false;               // among those that have blocks ready
    bool for_each_peer = false;        // each element is for one of them: number 0 for the first, and so on
    bool keeps_its_place = false;      // among them, instead of taking turns with others
    std::optional<std::uint64_t> key;  // says which peer runs it
    std::exception_ptr error_when_withdrawn;  // of elements that come back later, without having begun
    std::list<block> ready;
    std::size_t ready_bytes = 0;
    task_timing* timing = nullptr;
    std::shared_ptr<element_journal> journal;  // where its results are kept; null if nowhere

private:
    static std::chrono::nanoseconds soonest_end(std::chrono::nanoseconds limit,
                                                std::chrono::nanoseconds used) noexcept;

    task_definition own_definition_;
    const task_definition& definition_;
    bool once_;
};

/// @throws std::invalid_argument
template <class Options>
void apply_options(remote_job& job, const Options& options) {
    job::apply_options_but_timeout(job, options);
    job.timeout = job::checked_limit(options.timeout, "timeout");
    job.soft_timeout = job::checked_soft_limit(options);
    if constexpr (requires { options.key; }) job.key = options.key;
    job.cpu_timeout = job::checked_limit(options.cpu_timeout, "cpu_timeout");
    if (options.journal) job.journal = options.journal.kept()->begin(job);
}

}  // namespace procpool::inline v0_1::detail::scheduler

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/scheduler/remote_job_impl.hpp"
#endif

#endif
