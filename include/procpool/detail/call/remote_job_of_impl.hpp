// SPDX-License-Identifier: MIT
// What jobs and definitions do that depends on no type.
#ifndef PROCPOOL_DETAIL_CALL_REMOTE_JOB_OF_IMPL_HPP
#define PROCPOOL_DETAIL_CALL_REMOTE_JOB_OF_IMPL_HPP

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "procpool/detail/call/remote_job_of.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/scheduler/task_definition.hpp"
#include "procpool/detail/utf8.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::call {

PROCPOOL_COMPILED_APART std::exception_ptr why_not_rebuilt(std::uint64_t index) {
    const auto because = [index](const char* why) {
        return std::make_exception_ptr(SerializationError("procpool: the result of element " +
                                                          std::to_string(index) +
                                                          " can't be rebuilt: " + valid_utf8(why)));
    };
    try {
        throw;
    } catch (const SerializationError&) {
        return std::current_exception();
    } catch (const std::exception& error) {
        return because(error.what());
    } catch (...) {
        return because("an exception that is no std::exception");
    }
}

PROCPOOL_COMPILED_APART const scheduler::task_definition& keep_for_ever(
    std::atomic<const scheduler::task_definition*>& only, scheduler::task_definition made) {
    auto kept = std::make_unique<const scheduler::task_definition>(std::move(made));
    const scheduler::task_definition* there = nullptr;
    if (only.compare_exchange_strong(there, kept.get(), std::memory_order_acq_rel)) there = kept.release();
    return *there;
}

PROCPOOL_COMPILED_APART void hold(scheduler::task_definition& definition, const wire::large_parts& parts) {
    definition.pins.insert(definition.pins.end(), parts.parts.begin(), parts.parts.end());
}

}  // namespace procpool::inline v0_1::detail::call

#endif
