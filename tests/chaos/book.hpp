// SPDX-License-Identifier: MIT
// One job's bookkeeping: each element ends in exactly one state, and for a reason.
#ifndef PROCPOOL_TESTS_CHAOS_BOOK_HPP
#define PROCPOOL_TESTS_CHAOS_BOOK_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "script.hpp"
#include "tally.hpp"
#include "tested_pool.hpp"

namespace chaos {

/// What an input range throws that is meant to throw.
class input_error : public std::runtime_error {
public:
    input_error() : std::runtime_error("the input throws") {}
};

class book {
public:
    book(const tested_pool& pool, std::uint64_t job, std::vector<script> scripts, int retries);

    const std::vector<script>& scripts() const noexcept { return scripts_; }
    std::size_t size() const noexcept { return scripts_.size(); }

    // What this job brings about itself, beyond its scripts.
    bool cancels = false;
    bool has_time_limit = false;
    bool input_throws = false;
    bool sends_arrays = false;
    /// Elements whose argument or result can't be encoded or rebuilt.
    std::vector<bool> not_encodable;

    /// Workers may be ended for this job's sake.
    void may_end_workers() const noexcept { pool_.ends_workers = true; }

    /// The element has a value. @throws wrong if it should not, has ended before, or the value is not right
    void value(std::uint64_t index, bool is_right);
    /// The element at `place` has failed.
    void error(const std::exception_ptr& error, std::uint64_t place);
    /// A call has thrown: that is the end of one element, or of all that have not ended.
    void call_failed(const std::exception_ptr& error);
    /// An error in a stream. @return what all elements that don't come any more will end as, if it is the
    /// pool's end
    std::optional<state> error_in_stream(const std::exception_ptr& error, std::optional<std::uint64_t> place);
    /// The end of an element that is the only one of its call, and so number 0 in its errors.
    template <class Call>
    void settle_alone(std::uint64_t index, Call call) {
        alone_ = index;
        try {
            call();
        } catch (const wrong&) {
            throw;
        } catch (...) {
            error(std::current_exception(), index);
        }
        alone_.reset();
    }
    /// All elements that have not ended are in this state.
    void rest(state one);

    /// The end. @throws wrong if an element has no state, or ran too often
    void settle(tally& into) const;

private:
    struct verdict {
        state what;
        std::optional<std::uint64_t> index;
    };
    verdict judge(const std::exception_ptr& error) const;
    verdict judge_death(const procpool::WorkerDied& death) const;
    verdict judge_remote(const procpool::RemoteError& error) const;
    verdict judge_serialization(const procpool::SerializationError& error) const;
    bool pool_was_struck_down() const noexcept;
    const script& script_of(std::uint64_t index) const;
    /// The element that an error means by its number.
    std::uint64_t meant_by(std::uint64_t number) const;
    void set(std::uint64_t index, state what);
    void check_executions(std::size_t index, state what) const;
    std::string place_of(std::uint64_t index) const;

    const tested_pool& pool_;
    const std::uint64_t job_;
    const std::vector<script> scripts_;
    const int retries_;
    const std::uint64_t strikes_before_;
    std::vector<state> states_;
    std::optional<std::uint64_t> alone_;
    bool others_run_ = false;
};

/// "std::out_of_range: text", for messages.
std::string describe(const std::exception_ptr& error);

}  // namespace chaos

#endif
