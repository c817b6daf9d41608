// SPDX-License-Identifier: MIT
// What keeps the results of a call for later runs, as options of calls hold it.
#ifndef PROCPOOL_DETAIL_JOB_JOURNAL_HPP
#define PROCPOOL_DETAIL_JOB_JOURNAL_HPP

#include <memory>

namespace procpool::inline v0_1::detail::scheduler {
class element_journal;
class remote_job;
}  // namespace procpool::inline v0_1::detail::scheduler

namespace procpool::inline v0_1::detail::job {

class journal {
public:
    journal() = default;
    journal(const journal&) = delete;
    journal& operator=(const journal&) = delete;
    virtual ~journal() = default;

    /// For a call that begins. @throws Error if it isn't one of this journal's function, std::system_error
    virtual std::shared_ptr<scheduler::element_journal> begin(const scheduler::remote_job& call) = 0;
};

}  // namespace procpool::inline v0_1::detail::job

#endif
