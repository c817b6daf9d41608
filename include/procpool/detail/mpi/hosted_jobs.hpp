// SPDX-License-Identifier: MIT
// The jobs of rank 0 of which a node runs elements, and what rank 0 says of them.
#ifndef PROCPOOL_DETAIL_MPI_HOSTED_JOBS_HPP
#define PROCPOOL_DETAIL_MPI_HOSTED_JOBS_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>

#include "procpool/detail/job/runner.hpp"
#include "procpool/detail/mpi/forwarded_job.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/pool_backend.hpp"
#include "procpool/detail/scheduler/task_definition.hpp"
#include "procpool/detail/wire/arena.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/large_part.hpp"
#include "procpool/detail/wire/whole_elements.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// They run in the node's `local` pool, and answer through `up`.
template <class = only_if_used>
class basic_hosted_jobs {
public:
    explicit basic_hosted_jobs(outgoing_frames& up) : up_(up) {}

    /// A frame of rank 0 that is about a job; its payload may lie in memory that the workers see.
    /// @return whether it brings one quick element
    /// @throws PoolNotRunning, SerializationError
    bool handle(scheduler::pool_backend& local, const frame_header& header,
                std::span<const std::byte> payload, scheduler::task_definition::shared lies_in = {})
        PROCPOOL_REQUIRES(pool_mutex) {
        using kind = frame_header::kind;
        using running = job::runner::running;
        if (header.what == kind::define) {
            wire::cursor from(payload);
            const auto settings = from.value<job_settings>();
            if (!lies_in.part.memory && !settings.once) lies_in = from_arena(from, local.arena());
            const auto job =
                std::make_shared<forwarded_job>(header.job, settings, from, up_, std::move(lies_in));
            local.add(job);
            jobs_.insert_or_assign(header.job, job);
            return false;
        }
        if (header.what == kind::give_back) {
            give_back(local);
            return false;
        }
        const auto at = jobs_.find(header.job);
        if (at == jobs_.end()) return false;  // it is over
        const std::shared_ptr<forwarded_job> job = at->second;
        switch (header.what) {
            case kind::run:
                job->reopen(header.first, header.count);
                local.submit(job, block_of(header, payload, local.arena()));
                if (job->once()) local.seal(job);  // not later, when that would wake who drives
                return header.count == 1 && job->timing && job->timing->quick();
            case kind::forget:
                if (!job->once()) local.seal(job);
                jobs_.erase(at);
                break;
            case kind::cancel:
                local.abandon(job, header.flag != 0 ? running::is_ended : running::goes_on, cancelled);
                local.seal(job);
                up_.expect_none_of(header.job);
                jobs_.erase(at);
                break;
            case kind::give_up:
                for (std::uint64_t i = 0; i < header.count; ++i)
                    local.abandon_call(job, header.first + i, cancelled);
                break;
            default: throw SerializationError("procpool: a node got a message that it doesn't know");
        }
        return false;
    }
    /// What has not begun goes back, though rank 0 hasn't asked for it.
    void give_back_unasked(scheduler::pool_backend& local) PROCPOOL_REQUIRES(pool_mutex) {
        for (const auto& [number, job] : jobs_)
            up_.expect_returned(number, local.withdraw(job, "procpool: given back to another node"));
    }
    /// No more elements come.
    void seal_all(scheduler::pool_backend& local) PROCPOOL_REQUIRES(pool_mutex) {
        for (const auto& [number, job] : std::exchange(jobs_, {})) local.seal(job);
    }

private:
    /// What is left of a definition, in an arena if it is large and there is room: then each worker reads it
    /// there, and `from` does, too.
    static scheduler::task_definition::shared from_arena(wire::cursor& from,
                                                         const std::shared_ptr<wire::arena>& memory) {
        const std::size_t size = from.left();
        if (!memory || size < wire::arena_threshold) return {};
        auto part = wire::allocate_part(*memory, size);
        if (!part) return {};
        const auto bytes = from.take(size);
        std::memcpy(part->memory.get(), bytes.data(), size);
        from = wire::cursor(std::span<const std::byte>(part->memory.get(), size));
        return {.part = std::move(*part), .size = size};
    }

    static constexpr const char* cancelled = "procpool: cancelled";

    /// Large elements go to the workers through memory that they share.
    static scheduler::block block_of(const frame_header& header, std::span<const std::byte> payload,
                                     const std::shared_ptr<wire::arena>& memory) {
        scheduler::block elements{.first = header.first,
                                  .count = header.count,
                                  .stride = header.stride,
                                  .bytes = {},
                                  .begin = scheduler::block::room_for_frames,
                                  .pins = {},
                                  .large = {memory}};
        if (payload.size() < wire::arena_threshold) elements.bytes.reserve(elements.begin + payload.size());
        elements.bytes.extend(elements.begin);
        wire::append_to_arena({elements.bytes, elements.pins, &elements.large}, elements.stride, payload);
        return elements;
    }

    void give_back(scheduler::pool_backend& local) PROCPOOL_REQUIRES(pool_mutex) {
        give_back_unasked(local);
        up_.tell_when_all_returned();
    }

    outgoing_frames& up_;
    std::unordered_map<std::uint64_t, std::shared_ptr<forwarded_job>> jobs_;
};
using hosted_jobs = basic_hosted_jobs<>;

}  // namespace procpool::inline v0_1::detail::mpi

#endif
