// SPDX-License-Identifier: MIT
// Journal: a file that keeps the results of a call for the next run of the program.
#ifndef PROCPOOL_JOURNAL_HPP
#define PROCPOOL_JOURNAL_HPP

#include <iosfwd>
#include <string>

#include "procpool/detail/journal/call_journal.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1 {

/// Writes a journal's file to a stream, a line of JSON for each end of an element, in the order in which they
/// came: `{"index":3,"outcome":"returned","bytes":8,"seconds":0.25,"when":1760000000.125,"key":"..."}`, or
/// with "threw" or "worker_died" and an "error" in place of the bytes. A journal that a program uses now can
/// be read, too.
/// @throws Error if it is no journal, std::system_error
void journal_to_json_lines(const std::string& file, std::ostream& to);

}  // namespace procpool::inline v0_1

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/journal/json_lines_impl.hpp"
#endif

#endif
