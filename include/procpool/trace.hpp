// SPDX-License-Identifier: MIT
// Trace: writes what a pool does when into a file, to be looked at as a timeline.
#ifndef PROCPOOL_TRACE_HPP
#define PROCPOOL_TRACE_HPP

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/observer.hpp"

namespace procpool::inline v0_1 {

namespace detail::job {
class trace_file;
}

/// How much a Trace writes.
struct TraceOptions {
    /// Bytes that the file may have, about; what comes later is left out. An element takes 150 bytes or more.
    std::uint64_t most_bytes = 256u << 20;
};

/// An observer that writes a timeline: a track for each worker, with its elements, their arguments if they
/// took a millisecond, starts and deaths; calls; and the lengths of queues. PoolOptions::trace makes one.
///
/// A file whose name ends with .html is a page that needs nothing else, to be opened in any browser; the
/// others are in the Trace Event Format, for Perfetto (ui.perfetto.dev) or chrome://tracing. The file is
/// written as things happen, and good at any time, also if the program is killed. It may observe several
/// pools.
class Trace final : public Observer {
public:
    /// Replaces what the file had. @throws std::system_error if it can't be written
    PROCPOOL_COMPILED_APART explicit Trace(const std::string& path, const TraceOptions& options = {});
    PROCPOOL_COMPILED_APART ~Trace() override;

    PROCPOOL_COMPILED_APART void call_begins(const CallInfo& call) override;
    PROCPOOL_COMPILED_APART void elements_given(const CallInfo& call, const ElementsGiven& some) override;
    PROCPOOL_COMPILED_APART void elements_end(const CallInfo& call,
                                              std::span<const ElementEnd> some) override;
    PROCPOOL_COMPILED_APART void call_ends(const CallInfo& call, const CallEnd& end) override;
    PROCPOOL_COMPILED_APART void worker_starts(const WorkerStart& start) override;
    PROCPOOL_COMPILED_APART void worker_ends(const WorkerEnd& end) override;

private:
    const std::shared_ptr<detail::job::trace_file> file_;
};

}  // namespace procpool::inline v0_1

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/job/trace_impl.hpp"
#endif

#endif
