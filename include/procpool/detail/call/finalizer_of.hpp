// SPDX-License-Identifier: MIT
// A finalizer of a type that is known.
#ifndef PROCPOOL_DETAIL_CALL_FINALIZER_OF_HPP
#define PROCPOOL_DETAIL_CALL_FINALIZER_OF_HPP

#include <any>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "procpool/detail/call/remote_job_of.hpp"
#include "procpool/detail/job/finalizer.hpp"
#include "procpool/detail/refused.hpp"
#include "procpool/detail/scheduler/finalizer_job.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/describe.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::call {

template <class F>
class finalizer_of final : public job::finalizer {
    static_assert(std::is_invocable_v<F&>,
                  "procpool: a finalizer is called without arguments; bind them with procpool::partial()");
    using returned = wire::result_of_call<F>;
    static_assert(std::is_same_v<returned, refused> || std::is_void_v<returned> ||
                      std::is_copy_constructible_v<returned>,
                  "procpool: a finalizer returns something that can be copied, or nothing");

public:
    template <class Function>
    explicit finalizer_of(std::in_place_t, Function&& function)
        : function_(std::forward<Function>(function)) {}

    std::shared_ptr<scheduler::finalizer_job> make_job(std::shared_ptr<const finalizer> self) const override {
        // Where it is to run isn't known before: a thread could call it all the same.
        if constexpr (wire::sendable_callable<F> && wire::sendable_result<returned>)
            return std::make_shared<scheduler::finalizer_job>(remote_task<F>::define(function_),
                                                              std::move(self));
        else
            throw std::invalid_argument("procpool: the finalizer, a " + type_name(typeid(F)) +
                                        ", can't be sent to worker processes: pass a function, a lambda that "
                                        "captures by value, or procpool::partial(f, ...) that returns "
                                        "something which can be sent");
    }

    result rebuild(std::span<const std::byte> encoded) const override {
        if constexpr (std::is_void_v<returned> || !wire::sendable_result<returned>) {
            return {};
        } else {
            wire::cursor from(encoded);
            return {std::any(wire::codec<returned>::decode(from)), wire::describe<returned>(encoded)};
        }
    }

    result call() const override {
        if constexpr (std::is_void_v<returned>) {
            called();
            return {};
        } else if constexpr (wire::sendable_result<returned>) {
            const returned value = called();
            wire::buffer encoded;
            wire::pins pins;
            wire::codec<returned>::encode({encoded, pins}, value);
            return {std::any(value), wire::describe<returned>(encoded.bytes())};
        } else {
            return {std::any(called()), type_name(typeid(returned))};
        }
    }

private:
    /// Threads call it at the same time: as const, or a copy each.
    decltype(auto) called() const {
        if constexpr (std::is_invocable_v<const F&>) {
            return std::invoke(function_);
        } else {
            F copy(function_);
            return std::invoke(copy);
        }
    }

    const F function_;
};

}  // namespace procpool::inline v0_1::detail::call

#endif
