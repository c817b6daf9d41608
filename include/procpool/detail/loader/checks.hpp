// SPDX-License-Identifier: MIT
// What a loader checks: its options, a state to go on from, and what an error is about.
#ifndef PROCPOOL_DETAIL_LOADER_CHECKS_HPP
#define PROCPOOL_DETAIL_LOADER_CHECKS_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

#include "procpool/detail/loader/batch_plan.hpp"
#include "procpool/error.hpp"
#include "procpool/loader_options.hpp"

namespace procpool::inline v0_1::detail::loader {

inline LoaderOptions checked(LoaderOptions how) {
    const auto require = [](bool good, const char* what) {
        if (!good) throw std::invalid_argument(std::string("procpool: LoaderOptions::") + what);
    };
    require(how.batch_size > 0, "batch_size is 1 or more");
    require(how.prefetch > 0, "prefetch is 1 or more");
    require(how.held > 0, "held is 1 or more");
    require(how.retries >= 0, "retries is 0 or more");
    constexpr std::size_t most = 1 << 20;
    require(how.prefetch <= most && how.held <= most, "prefetch and held are a million at the most");
    require(how.batch_size <= std::numeric_limits<std::uint32_t>::max(), "batch_size is 2^32 at the most");
    return how;
}

/// @throws std::invalid_argument if the state is of other samples or other batches
inline void require_same(const LoaderState& from, const batch_plan& plan) {
    const plan_settings& own = plan.settings();
    if (from.samples != own.samples || from.batch_size != own.batch_size || from.shuffle != own.shuffle ||
        from.drop_last != own.drop_last)
        throw std::invalid_argument("procpool: this LoaderState is of " + std::to_string(from.samples) +
                                    " samples in batches of " + std::to_string(from.batch_size) +
                                    ", and the Loader has " + std::to_string(own.samples) +
                                    " in batches of " + std::to_string(own.batch_size) +
                                    "; batch_size, shuffle and drop_last must be what they were");
    if (from.batch > plan.batches_per_epoch())
        throw std::invalid_argument("procpool: this LoaderState is at batch " + std::to_string(from.batch) +
                                    " of an epoch, which has " + std::to_string(plan.batches_per_epoch()));
}

/// Whether it has nothing to do with a sample.
inline bool is_of_the_pool(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const PoolTerminated&) {
    } catch (const PoolNotRunning&) {
    } catch (const BootstrapError&) {
    } catch (const TaskCancelled&) {
    } catch (const SerializationError&) {
    } catch (...) {
        return false;
    }
    return true;
}
/// Whether a worker died of it, or was ended for its time.
inline bool is_end_of_worker(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const WorkerDied&) {
    } catch (...) {
        return false;
    }
    return true;
}
/// What became of the worker that was to make a sample, and of which sample that is told.
inline std::exception_ptr end_of_worker_at(std::uint64_t sample, const std::exception_ptr& error) {
    const auto told = [&]<class Death>(const Death& death) {
        constexpr std::string_view ours = "procpool: ";
        std::string text = death.what();
        if (text.starts_with(ours)) text.erase(0, ours.size());
        return std::make_exception_ptr(
            Death(std::string(ours) + "sample " + std::to_string(sample) + " could not be made: " + text,
                  {.pid = death.pid(),
                   .exit_code = death.exit_code(),
                   .signal = death.signal(),
                   .index = sample,
                   .run_time = death.run_time(),
                   .peak_memory = death.peak_memory(),
                   .out_of_memory = death.out_of_memory(),
                   .stack_trace = death.stack_trace(),
                   .error_output = death.error_output(),
                   .host = death.host()}));
    };
    try {
        std::rethrow_exception(error);
    } catch (const TaskCpuTimeout& death) {
        return told(death);
    } catch (const TaskTimeout& death) {
        return told(death);
    } catch (const WorkerDied& death) {
        return told(death);
    } catch (...) {
        return error;
    }
}

}  // namespace procpool::inline v0_1::detail::loader

#endif
