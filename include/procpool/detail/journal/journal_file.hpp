// SPDX-License-Identifier: MIT
// A journal's file, which all calls of this process with it share.
#ifndef PROCPOOL_DETAIL_JOURNAL_JOURNAL_FILE_HPP
#define PROCPOOL_DETAIL_JOURNAL_JOURNAL_FILE_HPP

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "procpool/detail/journal/record.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/locked_file.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::journal {

/// Whose results a file holds.
struct function_record {
    std::string version;    // the user's; empty if the build says what results are good for
    std::string signature;  // what it takes and returns
    std::string build;      // of the file where its tasks are compiled; empty if it has no build id
    element_key code{};     // of all code that it names
};

/// Where the rest of a record lies.
struct record_place {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint64_t sum = 0;
};

/// What is known of an element.
struct known_element {
    std::optional<record_place> value;
    std::optional<record_place> last_death;
    std::uint32_t deaths = 0;  // calls in which it killed its worker
};

/// Records that are to be written together.
class new_records {
public:
    void add(const record_header& header, std::span<const std::byte> rest);
    bool empty() const noexcept { return headers_.empty(); }
    void clear() noexcept;

private:
    friend class journal_file;
    wire::buffer bytes_;
    std::vector<std::pair<record_header, std::uint64_t>> headers_;  // each with where its rest begins
};

/// May be used by several threads.
class journal_file {
public:
    /// The one of that name, which may be open here already.
    /// @throws Error if it is no journal, or another program's; std::system_error
    static std::shared_ptr<journal_file> open(const std::string& path);

    journal_file(std::string path, os::fd file, os::file_identity identity);
    journal_file(const journal_file&) = delete;
    journal_file& operator=(const journal_file&) = delete;

    /// Whether this is a copy in a forked child, where the file isn't open.
    bool is_copy() const noexcept { return !made_.is_here(); }

    /// Refuses a function whose results others are. If there are none yet, they are this one's from now on.
    /// @throws Error, std::system_error
    void require(const function_record& function);

    std::optional<known_element> find(const element_key& key);
    /// What follows a record's header; nothing if it can't be read, or was damaged.
    std::optional<wire::buffer> read(const record_place& place) const;

    /// Writes all of these, or none. @return why it could not; null if it did
    std::exception_ptr write(const new_records& records, bool to_disk) noexcept;

private:
    void load() PROCPOOL_REQUIRES(guard_);
    void note(const record_header& header, std::uint64_t rest) PROCPOOL_REQUIRES(guard_);
    void write_or_throw(const new_records& records, bool to_disk) PROCPOOL_REQUIRES(guard_);
    void load_function(const record_place& place) PROCPOOL_REQUIRES(guard_);
    [[noreturn]] void refuse(const std::string& why) const;

    const std::string path_;
    const os::file_identity identity_;
    const os::fork_stamp made_;
    mutex guard_;
    bool is_loaded_ PROCPOOL_GUARDED_BY(guard_) = false;
    std::uint64_t end_ PROCPOOL_GUARDED_BY(guard_) = 0;  // of its last record
    std::optional<function_record> function_ PROCPOOL_GUARDED_BY(guard_);
    std::unordered_map<element_key, known_element, hash_of_key> known_ PROCPOOL_GUARDED_BY(guard_);
    const os::fd file_;  // the last: closed first, since another one may be opened as soon as the end begins
};

}  // namespace procpool::inline v0_1::detail::journal

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/journal/journal_file_impl.hpp"
#endif

#endif
