// SPDX-License-Identifier: MIT
// Threads whose failure to start names the call.
#ifndef PROCPOOL_DETAIL_OS_THREAD_HPP
#define PROCPOOL_DETAIL_OS_THREAD_HPP

#include <system_error>
#include <thread>
#include <utility>

#include "procpool/detail/os/error.hpp"

namespace procpool::inline v0_1::detail::os {

/// A new thread that runs `body`. @throws std::system_error
template <class Body>
std::thread start_thread(Body body, const char* what) {
    try {
        return std::thread(std::move(body));
    } catch (const std::system_error& error) {
        throw_system_error(error.code().value(), std::string("pthread_create (").append(what).append(")"));
    }
}

}  // namespace procpool::inline v0_1::detail::os

#endif
