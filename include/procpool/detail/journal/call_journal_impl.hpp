// SPDX-License-Identifier: MIT
// What a call asks its journal, and what it tells it.
#ifndef PROCPOOL_DETAIL_JOURNAL_CALL_JOURNAL_IMPL_HPP
#define PROCPOOL_DETAIL_JOURNAL_CALL_JOURNAL_IMPL_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procpool/detail/assert.hpp"
#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/call_options.hpp"
#include "procpool/detail/job/make_error.hpp"
#include "procpool/detail/journal/call_journal.hpp"
#include "procpool/detail/journal/journal_file.hpp"
#include "procpool/detail/journal/record.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/siphash.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/utf8.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/code_pieces.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::journal {

PROCPOOL_COMPILED_APART call_journal::call_journal(std::shared_ptr<journal_file> file,
                                                   const JournalOptions& options, element_key bound)
    : options_(options), bound_(bound), file_(std::move(file)) {}

PROCPOOL_COMPILED_APART std::shared_ptr<journal_file> call_journal::file() {
    const mutex_guard lock(guard_);
    return file_;
}

PROCPOOL_COMPILED_APART void call_journal::close() noexcept {
    std::shared_ptr<journal_file> closed;
    const mutex_guard lock(guard_);
    closed.swap(file_);
}

PROCPOOL_COMPILED_APART void call_journal::look_up(const scheduler::block& elements) {
    const std::shared_ptr<journal_file> file = this->file();
    std::vector<element> found;
    found.reserve(elements.count);
    wire::element_reader reader(elements.payload(), elements.stride);
    while (!reader.done()) {
        element one{.key = siphash(bound_, reader.next())};
        one.has_key = true;
        if (file) one.what = state_of(*file, one.key, options_.give_up_after);
        found.push_back(one);
    }
    const mutex_guard lock(guard_);
    const auto end = elements.first + found.size();
    if (elements_.size() < end) elements_.resize(end);
    std::copy(found.begin(), found.end(), elements_.begin() + static_cast<std::ptrdiff_t>(elements.first));
}

PROCPOOL_COMPILED_APART call_journal::state call_journal::state_of(journal_file& file, const element_key& key,
                                                                   int give_up_after) {
    const std::optional<known_element> known = file.find(key);
    if (!known) return state::unknown;
    // A damaged one is none: the element runs again.
    if (known->value && file.read(*known->value)) return state::kept;
    return known->deaths >= static_cast<std::uint32_t>(give_up_after) ? state::given_up : state::unknown;
}

PROCPOOL_COMPILED_APART call_journal::element call_journal::at(std::uint64_t index) {
    const mutex_guard lock(guard_);
    return index < elements_.size() ? elements_[index] : element{};
}

PROCPOOL_COMPILED_APART call_journal::alike call_journal::next_alike(std::uint64_t first,
                                                                     std::uint64_t most) {
    const mutex_guard lock(guard_);
    PROCPOOL_ASSERT(most > 0 && first + most <= elements_.size());
    const auto begin = elements_.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = std::find_if(begin, begin + static_cast<std::ptrdiff_t>(most),
                                  [&](const element& one) { return one.what != begin->what; });
    return {static_cast<std::uint64_t>(end - begin), begin->what};
}

PROCPOOL_COMPILED_APART std::exception_ptr call_journal::why_given_up(std::uint64_t index) {
    const std::shared_ptr<journal_file> file = this->file();
    const std::optional<known_element> known = file ? file->find(at(index).key) : std::nullopt;
    std::string text =
        "procpool: element " + std::to_string(index) + " was not run: it has killed its worker in " +
        std::to_string(known ? known->deaths : 0) + " earlier calls (see JournalOptions::give_up_after)";
    if (known && known->last_death)
        if (const auto last = file->read(*known->last_death)) {
            std::string_view how(reinterpret_cast<const char*>(last->data()), last->size());
            if (constexpr std::string_view ours = "procpool: "; how.starts_with(ours))
                how.remove_prefix(ours.size());
            text.append(", in the last of them like this: ").append(how);
        }
    return job::make_error<TaskQuarantined>(text.c_str());
}

PROCPOOL_COMPILED_APART void call_journal::ran(std::uint64_t index, std::chrono::nanoseconds time) {
    const mutex_guard lock(guard_);
    if (index < elements_.size()) elements_[index].run_time = time.count();
}

PROCPOOL_COMPILED_APART void call_journal::deliver(scheduler::remote_job& job, std::uint64_t first,
                                                   std::uint64_t count) {
    const std::shared_ptr<journal_file> file = this->file();
    for (std::uint64_t index = first; index < first + count; ++index) {
        const std::optional<known_element> known = file ? file->find(at(index).key) : std::nullopt;
        const auto value = known && known->value ? file->read(*known->value) : std::nullopt;
        if (!value) {
            const std::string text = "procpool: the result of element " + std::to_string(index) +
                                     " can't be read from its journal any more";
            job.fail(index, job::make_error<Error>(text.c_str()));
            continue;
        }
        wire::buffer sized;
        sized.append_value(std::uint64_t{value->size()});
        sized.append(value->data(), value->size());
        job.accept(index, 1, wire::variable_stride, sized.bytes());
    }
}

PROCPOOL_COMPILED_APART void call_journal::add(record_header::kind what, std::uint64_t index,
                                               const element& of, std::span<const std::byte> rest) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    waiting_.add({.what = what,
                  .key = of.key,
                  .index = index,
                  .when = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count(),
                  .run_time = of.run_time},
                 rest);
}

PROCPOOL_COMPILED_APART void call_journal::add_values(std::uint64_t first, std::uint64_t count,
                                                      std::uint64_t stride,
                                                      std::span<const std::byte> values) try {
    const std::shared_ptr<journal_file> file = this->file();
    if (!file) return;
    wire::element_reader reader(values, stride);
    for (std::uint64_t index = first; index < first + count; ++index) {
        const auto value = reader.next();
        const element of = at(index);
        if (!of.has_key) continue;
        // The same argument may have come twice.
        if (const auto known = file->find(of.key);
            known && known->value && of.what == state::unknown && file->read(*known->value))
            continue;
        const mutex_guard lock(guard_);
        add(record_header::kind::value, index, of, value);
    }
} catch (const SerializationError&) {
    // A corrupt worker's, which the job refuses, too.
}

/// Whether a death tells something of the element, unlike that of a worker which somebody has ended.
inline bool is_due_to_element(const WorkerDied& death) {
    const int signal = death.signal();
    if (dynamic_cast<const TaskTimeout*>(&death)) return true;
    if (signal == 0 && !death.exit_code()) return false;  // it died with its zygote
    return signal != os::interrupt_signal && signal != os::terminate_signal && signal != os::hangup_signal;
}

PROCPOOL_COMPILED_APART void call_journal::add_error(std::uint64_t index, const std::exception_ptr& error) {
    using kind = record_header::kind;
    element of = at(index);
    if (!of.has_key) return;
    const auto add_text = [&](kind what, std::string_view text) {
        const mutex_guard lock(guard_);
        add(what, index, of, std::as_bytes(std::span(text)));
    };
    try {
        std::rethrow_exception(error);
    } catch (const WorkerDied& death) {
        of.run_time = death.run_time().count();
        if (is_due_to_element(death)) add_text(kind::died, death.what());
    } catch (const TaskQuarantined&) {  // which was not run
    } catch (const TaskCancelled&) {
    } catch (const PoolTerminated&) {
    } catch (const NodeDied&) {
    } catch (const std::exception& thrown) {
        add_text(kind::threw, thrown.what());
    } catch (...) {
        add_text(kind::threw, "an exception that is no std::exception");
    }
}

PROCPOOL_COMPILED_APART void call_journal::write() noexcept {
    new_records some;
    std::shared_ptr<journal_file> file;
    {
        const mutex_guard lock(guard_);
        if (waiting_.empty() || error_ || !file_) return;
        std::swap(some, waiting_);
        file = file_;
    }
    std::exception_ptr error = file->write(some, options_.sync);
    some.clear();
    const mutex_guard lock(guard_);
    if (error) error_ = std::move(error);
    if (waiting_.empty()) std::swap(some, waiting_);  // its memory
}

PROCPOOL_COMPILED_APART std::exception_ptr call_journal::write_error() {
    const mutex_guard lock(guard_);
    return error_;
}

PROCPOOL_COMPILED_APART named_journal::named_journal(std::string path, JournalOptions options)
    : path_(std::move(path)), options_(std::move(options)) {
    if (path_.empty()) job::refuse("a journal needs the name of a file");
    if (options_.give_up_after < 1)
        job::refuse("give_up_after must be 1 or more, not ", std::to_string(options_.give_up_after));
}
PROCPOOL_COMPILED_APART named_journal::~named_journal() = default;

PROCPOOL_COMPILED_APART std::shared_ptr<journal_file> named_journal::opened() {
    const mutex_guard lock(guard_);
    if (!file_ || file_->is_copy()) file_ = journal_file::open(path_);
    return file_;
}

/// The build of the module that the first code lies in; empty if it can't be told from another one.
inline std::string build_of(const wire::buffer& code) {
    if (code.size() < sizeof(os::code_location)) return {};
    const auto module = wire::cursor(code.bytes()).value<os::code_location>().module;
    return module.is_build_id() ? module.text() : std::string();
}

PROCPOOL_COMPILED_APART std::shared_ptr<scheduler::element_journal> named_journal::begin(
    const scheduler::remote_job& call) {
    constexpr element_key no_key{};
    const wire::code_and_rest parts = wire::split_code(call.definition());
    const std::type_info* const signature = call.signature();
    function_record function{.version = options_.version,
                             .signature = signature ? type_name(*signature) : std::string(),
                             .build = build_of(parts.code),
                             .code = siphash(no_key, parts.code.bytes())};
    if (function.build.empty() && function.version.empty())
        throw Error(
            "procpool: this program has no build id by which a journal could tell it from another build; link it "
            "with -Wl,--build-id, or give a version: {.journal = {file, {.version = \"1\"}}}");
    std::shared_ptr<journal_file> file = opened();
    file->require(function);
    return std::make_shared<call_journal>(std::move(file), options_, siphash(no_key, parts.rest.bytes()));
}

}  // namespace procpool::inline v0_1::detail::journal

#endif
