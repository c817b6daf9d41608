// SPDX-License-Identifier: MIT
// What errors are made of that tell more than a text.
#ifndef PROCPOOL_DETAIL_ERROR_IMPL_HPP
#define PROCPOOL_DETAIL_ERROR_IMPL_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1 {

PROCPOOL_COMPILED_APART BufferTooShort::BufferTooShort(std::size_t most, std::vector<std::byte> message)
    : Error("procpool: a message of " + std::to_string(message.size()) + " bytes, where at most " +
            std::to_string(most) + " were asked for"),
      message_(std::make_shared<const std::vector<std::byte>>(std::move(message))) {}

PROCPOOL_COMPILED_APART const std::vector<std::byte>& BufferTooShort::message() const noexcept {
    return *message_;
}

PROCPOOL_COMPILED_APART WorkerDied::WorkerDied(const std::string& text, Cause cause)
    : Error(text), cause_(std::make_shared<const Cause>(std::move(cause))) {}

PROCPOOL_COMPILED_APART long WorkerDied::pid() const noexcept { return cause_->pid; }
PROCPOOL_COMPILED_APART std::optional<int> WorkerDied::exit_code() const noexcept {
    return cause_->exit_code;
}
PROCPOOL_COMPILED_APART int WorkerDied::signal() const noexcept { return cause_->signal; }
PROCPOOL_COMPILED_APART std::optional<std::uint64_t> WorkerDied::index() const noexcept {
    return cause_->index;
}
PROCPOOL_COMPILED_APART std::chrono::nanoseconds WorkerDied::run_time() const noexcept {
    return cause_->run_time;
}
PROCPOOL_COMPILED_APART std::uint64_t WorkerDied::peak_memory() const noexcept { return cause_->peak_memory; }
PROCPOOL_COMPILED_APART bool WorkerDied::out_of_memory() const noexcept { return cause_->out_of_memory; }
PROCPOOL_COMPILED_APART const std::string& WorkerDied::stack_trace() const noexcept {
    return cause_->stack_trace;
}
PROCPOOL_COMPILED_APART const std::string& WorkerDied::error_output() const noexcept {
    return cause_->error_output;
}
PROCPOOL_COMPILED_APART const std::string& WorkerDied::host() const noexcept { return cause_->host; }

PROCPOOL_COMPILED_APART RemoteError::RemoteError(std::string type_name, const std::string& text, long pid,
                                                 std::optional<std::uint64_t> index, std::string host)
    : Error(text), type_name_(std::move(type_name)), pid_(pid), index_(index), host_(std::move(host)) {}

}  // namespace procpool::inline v0_1

#endif
