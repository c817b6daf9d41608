// SPDX-License-Identifier: MIT
#include "book.hpp"

#include <signal.h>

#include <cstdio>
#include <typeinfo>
#include <utility>

#include "board.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/error.hpp"

namespace chaos {

namespace mp = procpool;

namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

std::string describe_death(const mp::WorkerDied& death) {
    return std::string(death.what()) + " [pid " + std::to_string(death.pid()) + ", signal " +
           std::to_string(death.signal()) + ", exit code " +
           (death.exit_code() ? std::to_string(*death.exit_code()) : "unknown") + "]";
}

/// The index that the nested RemoteError tells.
std::optional<std::uint64_t> origin_of(const std::exception& error) {
    try {
        std::rethrow_if_nested(error);
    } catch (const mp::RemoteError& origin) {
        return origin.index();
    }
    return std::nullopt;
}

}  // namespace

std::string describe(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const mp::WorkerDied& death) {
        return describe_death(death);
    } catch (const std::exception& other) {
        return mp::detail::type_name(typeid(other)) + ": " + other.what();
    } catch (...) {
        return "something that is no std::exception";
    }
}

book::book(const tested_pool& pool, std::uint64_t job, std::vector<script> scripts, int retries)
    : pool_(pool),
      job_(job),
      scripts_(std::move(scripts)),
      retries_(retries),
      strikes_before_(the_board->deadly_strikes()),
      states_(scripts_.size(), state::count) {
    the_board->executions.begin_job(job);
}

std::string book::place_of(std::uint64_t index) const {
    std::string place = "element " + std::to_string(index) + " of " + std::to_string(size());
    if (index < size())
        place += " (act " + std::to_string(static_cast<int>(scripts_[index].what)) + ", " +
                 std::to_string(scripts_[index].argument_bytes) + " bytes there, " +
                 std::to_string(scripts_[index].result_bytes) + " back, retries " + std::to_string(retries_) +
                 ", run " + std::to_string(the_board->executions.of(job_, index)) + " times)";
    return place;
}

const script& book::script_of(std::uint64_t index) const {
    if (index >= size()) throw wrong("an error names " + place_of(index));
    return scripts_[index];
}

std::uint64_t book::meant_by(std::uint64_t number) const {
    const std::uint64_t index = !alone_ ? number : number == 0 ? *alone_ : size();
    script_of(index);
    return index;
}

void book::set(std::uint64_t index, state what) {
    script_of(index);
    if (states_[index] != state::count)
        throw wrong(place_of(index) + " ended twice: " + name_of(states_[index]) + ", then " + name_of(what));
    states_[index] = what;
}

void book::value(std::uint64_t index, bool is_right) {
    const script& element = script_of(index);
    if (!is_right) throw wrong(place_of(index) + " has a wrong value");
    if (element.what != act::answer || (!not_encodable.empty() && not_encodable[index]))
        throw wrong(place_of(index) + " has a value and should have none");
    if (pool_.plan.doomed()) throw wrong(place_of(index) + " has a value from a pool that can't start");
    set(index, state::value);
}

void book::error(const std::exception_ptr& error, std::uint64_t place) {
    const auto [what, index] = judge(error);
    if (index && *index != place)
        throw wrong(place_of(place) + " got the error of another: " + describe(error));
    set(place, what);
}

void book::call_failed(const std::exception_ptr& error) {
    const auto [what, index] = judge(error);
    if (index) {
        set(*index, what);
        others_run_ = !cancels;
    } else {
        rest(what);
    }
}

std::optional<state> book::error_in_stream(const std::exception_ptr& error,
                                           std::optional<std::uint64_t> place) {
    const auto [what, index] = judge(error);
    if (place && index && *place != *index)
        throw wrong(place_of(*place) + " got the error of another: " + describe(error));
    if (index || place) set(index ? *index : *place, what);
    const bool is_end = what == state::terminated || what == state::pool_failed;
    if (!is_end && !index && !place) throw wrong("an error that names no element: " + describe(error));
    return is_end ? std::optional(what) : std::nullopt;
}

void book::rest(state one) {
    for (state& each : states_)
        if (each == state::count) each = one;
}

void book::settle(tally& into) const {
    for (std::size_t i = 0; i < size(); ++i) {
        if (states_[i] == state::count) throw wrong(place_of(i) + " came to no end");
        check_executions(i, states_[i]);
        into.add(states_[i]);
    }
}

void book::check_executions(std::size_t index, state what) const {
    const int count = the_board->executions.of(job_, index);
    if (count < 0) return;
    const bool ran = what == state::value || what == state::own_exception || what == state::own_death;
    const int least = what == state::own_death ? retries_ + 1 : ran ? 1 : 0;
    // One that ran in a worker when that was ended for another's sake runs once more.
    const int again = pool_.ends_workers ? 3 : 0;
    const int most = what == state::refused ? 0 : retries_ + 1 + again;
    // A strike may come between the beginning of an element and its first step.
    const int missing = what == state::own_death ? retries_ : 0;
    // What one element throws keeps no other from running; a strike may.
    if (count == 0 && what == state::unseen && others_run_ && !pool_.terminated() &&
        the_board->deadly_strikes() == strikes_before_)
        throw wrong(place_of(index) + " was never run, though the call was not given up");
    if (count < least - missing || count > most)
        throw wrong(place_of(index) + " is '" + name_of(what) + "' but was run " + std::to_string(count) +
                    " times");
}

// ---- what an error may mean

book::verdict book::judge(const std::exception_ptr& error) const {
    if (!error) throw wrong("an element with neither a value nor an error");
    try {
        std::rethrow_exception(error);
    } catch (const mp::TaskTimeout& timeout) {
        // Any element may take so long: workers are stopped, and the machine is busy.
        if (has_time_limit && timeout.index()) return {state::timed_out, meant_by(*timeout.index())};
    } catch (const mp::WorkerDied& death) {
        return judge_death(death);
    } catch (const mp::BootstrapError&) {
        // Zygotes that were killed before they were any.
        if (pool_was_struck_down()) {
            pool_.failed = true;
            return {state::pool_failed, {}};
        }
    } catch (const mp::PoolTerminated&) {
        if (pool_.terminated()) return {state::terminated, {}};
    } catch (const mp::PoolNotRunning&) {
        if (pool_.closed() || pool_.terminated()) return {state::refused, {}};
    } catch (const mp::TaskCancelled&) {
        if (cancels) return {state::cancelled, {}};
    } catch (const mp::RemoteError& remote) {
        return judge_remote(remote);
    } catch (const mp::SerializationError& bad) {
        return judge_serialization(bad);
    } catch (const input_error&) {
        if (input_throws) return {state::unseen, {}};
    } catch (const std::out_of_range& own) {
        const auto index = index_in(own.what());
        if (index && script_of(*index).what == act::throw_known && own.what() == text_of(script_of(*index)) &&
            origin_of(own) && meant_by(*origin_of(own)) == *index)
            return {state::own_exception, *index};
    } catch (const std::runtime_error& refusal) {
        if (pool_.plan.start == pool_plan::initializer::throws &&
            refusal.what() == tested_pool::initializer_text(pool_.plan.tag))
            return {state::pool_failed, {}};
    } catch (...) {
    }
    throw wrong("an error that nothing explains: " + describe(error));
}

book::verdict book::judge_death(const mp::WorkerDied& death) const {
    if (!death.index()) {
        const bool in_initializer = contains(death.what(), "in its initializer");
        const bool meant = in_initializer && (pool_.plan.start == pool_plan::initializer::dies ||
                                              pool_.plan.start == pool_plan::initializer::dies_sometimes);
        if (!meant && !pool_was_struck_down())
            throw wrong("the pool gave up without a reason: " + describe_death(death));
        pool_.failed = true;
        return {state::pool_failed, {}};
    }
    const std::uint64_t index = meant_by(*death.index());
    const script& element = script_of(index);
    const std::string attempts = "after " + std::to_string(retries_ + 1) + " attempts";
    if (contains(death.what(), attempts) != (retries_ > 0))
        throw wrong("not as many attempts as retries: " + describe_death(death));
    if (death.pid() <= 0) throw wrong("a death without a process: " + describe_death(death));
    if (death.signal() != 0 && the_board->was_struck(death.pid(), death.signal(), pool_.born))
        return {state::killed, index};
    if (death.signal() == 0 && !death.exit_code() && the_board->zygotes_struck > pool_.zygotes_struck_before)
        return {state::killed, index};
    if (element.dies()) {
        const auto own = death_of(element);
        if (death.signal() == own.signal && death.exit_code() == own.exit_code)
            return {state::own_death, index};
    }
    throw wrong("a death that nothing explains: " + describe_death(death));
}

bool book::pool_was_struck_down() const noexcept {
    const auto limit = static_cast<std::uint64_t>(2 * pool_.plan.processes + 2);
    const auto zygotes = the_board->zygotes_struck - pool_.zygotes_struck_before;
    const auto all = the_board->deadly_strikes() - pool_.strikes_before;
    return all + zygotes * static_cast<std::uint64_t>(pool_.plan.processes) > limit;
}

book::verdict book::judge_remote(const mp::RemoteError& error) const {
    if (error.index()) {
        const std::uint64_t index = meant_by(*error.index());
        const script& element = script_of(index);
        if (element.what == act::throw_number && error.type_name() == "int")
            return {state::own_exception, index};
        if (element.what == act::throw_unknown && contains(error.type_name(), "odd_error") &&
            contains(error.what(), text_of(element)))
            return {state::own_exception, index};
    }
    throw wrong("an exception that no script throws: " + std::string(error.what()));
}

book::verdict book::judge_serialization(const mp::SerializationError& error) const {
    const std::string text = error.what();
    if (sends_arrays && contains(text, "can't be opened")) {
        if (pool_.ends_workers) return {state::lost_array, {}};
        long sender = 0;
        const auto at = text.find("sent by process ");
        if (at != text.npos && std::sscanf(text.c_str() + at, "sent by process %ld", &sender) == 1)
            for (const int signal : {board::by_own_script, SIGKILL, SIGSEGV, SIGTERM})
                if (the_board->was_struck(sender, signal, pool_.born)) return {state::lost_array, {}};
        if (the_board->zygotes_struck > pool_.zygotes_struck_before) return {state::lost_array, {}};
    }
    if (const auto index = index_in(text); index && *index < not_encodable.size() && not_encodable[*index])
        return {state::not_encoded, *index};
    throw wrong("a serialisation error that nothing explains: " + text);
}

}  // namespace chaos
