// SPDX-License-Identifier: MIT
// What a Process calls: its function with its arguments, rebuilt from bytes.
#ifndef PROCPOOL_DETAIL_WORKER_PROCESS_BODY_HPP
#define PROCPOOL_DETAIL_WORKER_PROCESS_BODY_HPP

#include <functional>
#include <memory>

#include "procpool/detail/wire/callable.hpp"
#include "procpool/detail/wire/serializing.hpp"
#include "procpool/detail/worker/arguments.hpp"

namespace procpool::inline v0_1::detail::worker {

/// What a process's definition names by its code address: rebuilds what is to be called, from the rest.
using body_maker = std::function<void()>(wire::cursor&);

/// For an F with arguments of the wire types Args.
template <class F, class... Args>
std::function<void()> make_body(wire::cursor& from) {
    struct call {
        explicit call(wire::cursor& in)
            : function(wire::serializing({"procpool: the function can't be rebuilt"},
                                         [&] { return wire::callable_codec<F>::decode(in); })),
              values(in) {}
        F function;
        arguments<F, Args...> values;
    };
    return [made = std::make_shared<call>(from)] { static_cast<void>(made->values.call(made->function)); };
}

}  // namespace procpool::inline v0_1::detail::worker

#endif
