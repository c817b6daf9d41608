// SPDX-License-Identifier: MIT
// A preload of a type that is known.
#ifndef PROCPOOL_DETAIL_CALL_PRELOAD_OF_HPP
#define PROCPOOL_DETAIL_CALL_PRELOAD_OF_HPP

#include <functional>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "procpool/detail/job/preload.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::call {

template <class F>
class preload_of final : public job::preload {
    static_assert(std::is_invocable_v<F&>,
                  "procpool: a preload is called without arguments; bind them with procpool::partial()");

public:
    template <class Function>
    explicit preload_of(std::in_place_t, Function&& function) : function_(std::forward<Function>(function)) {}

    wire::buffer encode(const std::shared_ptr<wire::arena>& memory) const override {
        // Where it is to run isn't known before: a ThreadPool could call it all the same.
        if constexpr (wire::sendable_callable<F>) {
            wire::buffer bytes;
            wire::large_parts large{memory};
            wire::encode_function(bytes, &rebuild_and_call);
            wire::serializing({"procpool: the preload, a ", &typeid(F), ", can't be serialised"}, [&] {
                wire::callable_codec<F>::encode({bytes, refers_to_, &large}, function_);
            });
            return bytes;
        } else {
            throw std::invalid_argument("procpool: the preload, a " + type_name(typeid(F)) +
                                        ", can't be sent to another process: pass a function, a lambda that "
                                        "captures by value, or procpool::partial(f, ...)");
        }
    }

    void call() const override {
        F copy(function_);
        std::invoke(copy);
    }

private:
    static void rebuild_and_call(wire::cursor& from) {
        F function(wire::serializing({"procpool: the preload, a ", &typeid(F), ", can't be rebuilt"},
                                     [&] { return wire::callable_codec<F>::decode(from); }));
        std::invoke(function);
    }

    const F function_;
    mutable wire::pins refers_to_;  // in what was encoded
};

}  // namespace procpool::inline v0_1::detail::call

#endif
