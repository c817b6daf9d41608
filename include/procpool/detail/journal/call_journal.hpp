// SPDX-License-Identifier: MIT
// The part that one call has in a journal: which of its elements are known, and what is written of the
// others.
#ifndef PROCPOOL_DETAIL_JOURNAL_CALL_JOURNAL_HPP
#define PROCPOOL_DETAIL_JOURNAL_CALL_JOURNAL_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/job/journal.hpp"
#include "procpool/detail/journal/journal_file.hpp"
#include "procpool/detail/journal/record.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/scheduler/element_journal.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::journal {

class call_journal final : public scheduler::element_journal {
public:
    /// `bound` tells calls with other bound arguments apart.
    call_journal(std::shared_ptr<journal_file> file, const JournalOptions& options, element_key bound);

    PROCPOOL_COMPILED_APART void look_up(const scheduler::block& elements) override;
    PROCPOOL_COMPILED_APART alike next_alike(std::uint64_t first, std::uint64_t most) override;
    PROCPOOL_COMPILED_APART std::exception_ptr why_given_up(std::uint64_t index) override;
    PROCPOOL_COMPILED_APART void ran(std::uint64_t index, std::chrono::nanoseconds time) override;
    PROCPOOL_COMPILED_APART void deliver(scheduler::remote_job& job, std::uint64_t first,
                                         std::uint64_t count) override;
    PROCPOOL_COMPILED_APART void add_values(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                                            std::span<const std::byte> values) override;
    PROCPOOL_COMPILED_APART void add_error(std::uint64_t index, const std::exception_ptr& error) override;
    PROCPOOL_COMPILED_APART void write() noexcept override;
    PROCPOOL_COMPILED_APART std::exception_ptr write_error() override;
    PROCPOOL_COMPILED_APART void close() noexcept override;

private:
    struct element {
        element_key key{};
        std::int64_t run_time = 0;
        state what = state::unknown;
        bool has_key = false;  // else it could not be encoded
    };
    static state state_of(journal_file& file, const element_key& key, int give_up_after);
    /// Null if it is closed.
    std::shared_ptr<journal_file> file();
    /// A copy of what is known here.
    element at(std::uint64_t index);
    void add(record_header::kind what, std::uint64_t index, const element& of,
             std::span<const std::byte> rest) PROCPOOL_REQUIRES(guard_);

    const JournalOptions options_;
    const element_key bound_;
    mutex guard_;  // never held while the file is read or written
    std::shared_ptr<journal_file> file_ PROCPOOL_GUARDED_BY(guard_);
    std::vector<element> elements_ PROCPOOL_GUARDED_BY(guard_);
    new_records waiting_ PROCPOOL_GUARDED_BY(guard_);
    std::exception_ptr error_ PROCPOOL_GUARDED_BY(guard_);
};

/// What a Journal is: opens its file for the first call.
class named_journal : public job::journal {
public:
    /// @throws std::invalid_argument
    named_journal(std::string path, JournalOptions options);
    PROCPOOL_COMPILED_APART ~named_journal() override;

    PROCPOOL_COMPILED_APART std::shared_ptr<scheduler::element_journal> begin(
        const scheduler::remote_job& call) override;

private:
    std::shared_ptr<journal_file> opened();

    const std::string path_;
    const JournalOptions options_;
    mutex guard_;
    std::shared_ptr<journal_file> file_ PROCPOOL_GUARDED_BY(guard_);  // of the first call on
};

/// The same, from a name of any kind; declared with the options.
template <class Name>
class journal_in_file final : public named_journal {
    using named_journal::named_journal;
};

}  // namespace procpool::inline v0_1::detail::journal

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/journal/call_journal_impl.hpp"
#endif

#endif
