// SPDX-License-Identifier: MIT
// Jobs whose elements are numbers, and that keep account of what becomes of each.
#ifndef PROCPOOL_TESTS_SIMULATION_JOB_HPP
#define PROCPOOL_TESTS_SIMULATION_JOB_HPP

#include <cstdint>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/scheduler/call_series.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/error.hpp"

namespace simulation {

namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;

/// The scheduler has done what it must not.
class broken : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// What an element does when it runs, for the n-th time.
enum class behaviour : std::uint8_t {
    returns,
    takes_long,
    throws,
    throws_once,
    kills,  // its peer
    kills_once,
    hangs,  // only where a limit ends it
};

/// What became of an element.
struct record {
    behaviour does = behaviour::returns;
    unsigned submitted = 0;
    unsigned begun = 0;
    unsigned innocent = 0;  // begun by a peer that was told to end before
    unsigned values = 0;
    unsigned errors = 0;
    bool withdrawn = false;
    bool lost = false;  // with a node
};

/// The part of both kinds of job that the simulation looks at.
class account {
public:
    explicit account(std::uint64_t first_number) : first_number_(first_number) {}
    virtual ~account() = default;

    std::vector<record> elements;
    std::vector<unsigned> places;  // in which each element is, when that is counted
    unsigned callbacks_run = 0;
    bool has_callback = false;
    bool all_submitted = false;
    std::uint64_t planned = 0;  // elements, in all

    virtual bool has_error(std::uint64_t index) { return of(index).errors > 0; }
    /// Of an element; each number exists once.
    std::uint64_t number(std::uint64_t index) const noexcept { return first_number_ + index; }
    bool has_number(std::uint64_t number) const noexcept {
        return number >= first_number_ && number - first_number_ < elements.size();
    }

    void take_values(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                     std::span<const std::byte> values) {
        wire::element_reader reader(values, stride);
        for (std::uint64_t i = first; i < first + count; ++i) {
            std::uint64_t value = 0;
            const auto bytes = reader.next();
            if (bytes.size() != sizeof value) throw broken("a result has another size");
            std::memcpy(&value, bytes.data(), sizeof value);
            if (value != number(i)) throw broken("a result belongs to another element");
            if (++of(i).values > 1) throw broken("an element has two results");
        }
        if (!reader.done()) throw broken("there are more results than elements");
    }
    void take_error(std::uint64_t index, const std::exception_ptr& error) {
        record& one = of(index);
        ++one.errors;
        try {
            std::rethrow_exception(error);
        } catch (const procpool::TaskCancelled& cancelled) {
            one.withdrawn = std::string(cancelled.what()) == "withdrawn";
        } catch (const procpool::NodeDied&) {
            one.lost = true;
        } catch (const procpool::WorkerDied&) {
            if (one.begun == 0) throw broken("an element is blamed for a death and has never begun");
        } catch (...) {
        }
    }
    record& of(std::uint64_t index) {
        if (index >= elements.size()) throw broken("there is no such element");
        return elements[index];
    }

private:
    const std::uint64_t first_number_;
};

inline scheduler::task_definition definition_of(std::uint64_t kind) {
    scheduler::task_definition made;
    made.bytes.append_value(kind);
    return made;
}

class simulated_job final : public scheduler::remote_job, public account {
public:
    simulated_job(std::uint64_t first_number, std::uint64_t kind, bool once)
        : remote_job(definition_of(kind), once), account(first_number) {}

    void accept(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                std::span<const std::byte> values) override {
        take_values(first, count, stride, values);
    }
    void fail(std::uint64_t index, std::exception_ptr error) override {
        take_error(index, error);
        if (of(index).errors + of(index).values > 1) throw broken("an element has failed after its end");
    }
};

/// What each peer runs first.
class simulated_initializer final : public scheduler::remote_job {
public:
    simulated_initializer() : remote_job(definition_of(0), true) { retries = 0; }

    void accept(std::uint64_t, std::uint64_t, std::uint64_t, std::span<const std::byte>) override {}
    void fail(std::uint64_t, std::exception_ptr error) override { fail_all(std::move(error)); }
};

class simulated_series final : public scheduler::call_series, public account {
public:
    simulated_series(std::uint64_t first_number, std::uint64_t kind)
        : call_series(definition_of(kind), most_calls), account(first_number) {}

    void accept(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                std::span<const std::byte> values) override {
        take_values(first, count, stride, values);
    }
    bool has_error(std::uint64_t call) override { return error_of(call) != nullptr; }

    std::map<std::uint64_t, unsigned> call_callbacks_run;
};

}  // namespace simulation

#endif
