// SPDX-License-Identifier: MIT
// The function that workers of a pool run before they leave, whatever its type.
#ifndef PROCPOOL_DETAIL_JOB_FINALIZER_HPP
#define PROCPOOL_DETAIL_JOB_FINALIZER_HPP

#include <any>
#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/pool_status.hpp"

namespace procpool::inline v0_1::detail::scheduler {
class finalizer_job;
}

namespace procpool::inline v0_1::detail::job {

class finalizer {
public:
    finalizer() = default;
    finalizer(const finalizer&) = delete;
    finalizer& operator=(const finalizer&) = delete;
    virtual ~finalizer() = default;

    /// What it has returned, and that as far as it can be printed; both are empty if that is nothing.
    struct result {
        std::any value;
        std::string text;
    };

    /// For worker processes, by the one who holds it. @throws std::invalid_argument if it can't be sent there
    virtual std::shared_ptr<scheduler::finalizer_job> make_job(
        std::shared_ptr<const finalizer> self) const = 0;
    /// What a worker process sends.
    virtual result rebuild(std::span<const std::byte> encoded) const = 0;
    /// Calls it here.
    virtual result call() const = 0;
};

/// Calls it in this thread, the worker `index` of a pool.
template <class = only_if_used>
FinalizerResult run_finalizer(const finalizer& function, std::size_t index) noexcept {
    FinalizerResult end{.worker = index};
    try {
        finalizer::result result = function.call();
        end.value = std::move(result.value);
        end.text = std::move(result.text);
    } catch (...) {
        end.error = std::current_exception();
    }
    return end;
}

}  // namespace procpool::inline v0_1::detail::job

#endif
