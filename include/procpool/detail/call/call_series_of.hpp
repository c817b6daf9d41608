// SPDX-License-Identifier: MIT
// A series of calls with the type of their results.
#ifndef PROCPOOL_DETAIL_CALL_CALL_SERIES_OF_HPP
#define PROCPOOL_DETAIL_CALL_CALL_SERIES_OF_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <new>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

#include "procpool/detail/call/encode.hpp"
#include "procpool/detail/call/remote_job_of.hpp"
#include "procpool/detail/call/result_source.hpp"
#include "procpool/detail/call/results.hpp"
#include "procpool/detail/job/job.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/scheduler/call_series.hpp"

namespace procpool::inline v0_1::detail::call {

/// Calls that may share a job: nothing of one is left in the callable for the next, results are plain data
/// that can stay until the handles of all are gone, and arguments are encoded without running user code.
template <class F, class R, class... Wire>
concept can_join_series = (wire::function_pointer<F> || std::is_member_pointer_v<F> ||
                           wire::stateless_functor<F> || wire::constant_closure<F>) &&
                          (std::is_void_v<R> || (wire::flat<R> && sizeof(call::stored<R>) <= 64)) &&
                          (wire::flat<Wire> && ...) && encoded_size<std::tuple<Wire...>> <= 256;

template <class R>
class call_series_of final : public scheduler::call_series, public call::result_source<R> {
public:
    template <class Definition>
    explicit call_series_of(Definition&& definition)
        : scheduler::call_series(std::forward<Definition>(definition), room) {}

    void accept(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                std::span<const std::byte> values) override {
        store_values<R>(*this, first, count, stride, values);
    }

    // Where store_values() puts them.
    call::stored<R>* place(std::uint64_t first, std::uint64_t /*count*/) noexcept
        requires(!std::is_same_v<R, bool>)  // not each byte is one
    {
        return at(first);
    }
    void store(std::uint64_t call, call::stored<R>&& value) noexcept {
        ::new (at(call)) call::stored<R>(value);
    }

    bool call_done(std::uint64_t call) const noexcept override {
        return scheduler::call_series::call_done(call);
    }
    bool call_seen_done(std::uint64_t call) const noexcept override {
        return scheduler::call_series::call_seen_done(call);
    }
    bool call_settled(std::uint64_t call) const noexcept override {
        return scheduler::call_series::call_settled(call);
    }
    std::exception_ptr call_failure(std::uint64_t call) override {
        return scheduler::call_series::call_failure(call);
    }
    bool add_call_callback(std::uint64_t call, std::function<void()> callback) override {
        return scheduler::call_series::add_call_callback(call, std::move(callback));
    }
    void observe_call(std::uint64_t call, job::observer& one) override PROCPOOL_REQUIRES(pool_mutex) {
        scheduler::call_series::observe_call(call, one);
    }
    void drop_observer(std::uint64_t call, job::observer& one) noexcept override
        PROCPOOL_REQUIRES(pool_mutex) {
        scheduler::call_series::drop_observer(call, one);
    }
    bool was_empty() const noexcept override { return false; }
    std::exception_ptr error(std::uint64_t call) override { return error_of(call); }
    call::stored<R>& value(std::uint64_t call) override {
        if (is_taken(call)) call::throw_taken();
        return *std::launder(at(call));
    }
    void taken(std::uint64_t call) override { set_taken(call); }

private:
    static constexpr std::size_t usual_bytes = 8192;
    static constexpr std::size_t room = std::min(most_calls, usual_bytes / sizeof(call::stored<R>));

    call::stored<R>* at(std::uint64_t call) noexcept {
        return reinterpret_cast<call::stored<R>*>(values_) + call;
    }

    alignas(call::stored<R>)
        std::byte values_[room * sizeof(call::stored<R>)];  // not cleared: most are written at once
};

}  // namespace procpool::inline v0_1::detail::call

#endif
