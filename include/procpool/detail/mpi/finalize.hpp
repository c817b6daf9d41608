// SPDX-License-Identifier: MIT
// The end of MPI, which all ranks come to together.
#ifndef PROCPOOL_DETAIL_MPI_FINALIZE_HPP
#define PROCPOOL_DETAIL_MPI_FINALIZE_HPP

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <thread>

#include "procpool/detail/mpi/network.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/thread.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// Whether a rank of this MPI, told by what MPI_Get_library_version says, may wait for ever in MPI_Finalize.
/// MPICH before 4.2 closes its connections there and then waits for all ranks without making progress. A rank
/// that sees another's end closed before it has closed its own asks for a new connection, and gets no answer.
template <class = only_if_used>
bool may_hang_at_end(const std::string& library) {
    int major = 0;
    int minor = 0;
    return std::sscanf(library.c_str(), "MPICH Version: %d.%d", &major, &minor) == 2 &&
           (major < 4 || (major == 4 && minor < 2));
}

/// Ends the process if all ranks together take too long to begin or to end: who dies there is waited for by
/// the others for ever.
class end_of_patience {
public:
    /// `text` is what to say then; null for nothing.
    end_of_patience(int code, std::chrono::seconds patience, const char* text)
        : code_(code),
          patience_(patience),
          text_(text),
          thread_(os::start_thread([this] { wait(); }, "MPI's")) {}
    end_of_patience(const end_of_patience&) = delete;
    end_of_patience& operator=(const end_of_patience&) = delete;
    ~end_of_patience() {
        {
            const mutex_guard lock(mutex_);
            done_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }

private:
    void wait() {
        mutex_lock lock(mutex_);
        if (!changed_.wait_for(lock.native(), patience_,
                               [this]() PROCPOOL_REQUIRES(mutex_) { return done_; })) {
            if (text_)
                std::fprintf(stderr, "procpool: %s within %lld s\n", text_,
                             static_cast<long long>(patience_.count()));
            os::exit_process(code_);
        }
    }

    const int code_;
    const std::chrono::seconds patience_;
    const char* const text_;
    mutex mutex_;
    bool done_ PROCPOOL_GUARDED_BY(mutex_) = false;
    std::condition_variable changed_;
    std::thread thread_;  // the last, since it uses the others
};

/// What was printed is out, of std::cout and std::clog, too.
template <class = only_if_used>
void flush_output() noexcept {
    try {
        std::cout.flush();
        std::clog.flush();
    } catch (...) {  // the program wants to be told of errors; nobody listens any more
    }
    std::fflush(nullptr);
}

/// Collective over all ranks of the program. If they don't all come, or MPI hangs, the process ends with
/// `code`.
template <class = only_if_used>
void finalize(int code) {
    flush_output();
    std::optional<end_of_patience> watch(std::in_place, code, std::chrono::seconds(30),
                                         "not all ranks have ended MPI");
    std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> library{};
    int length = 0;
    int size = 0;
    check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
    check_mpi(MPI_Get_library_version(library.data(), &length), "MPI_Get_library_version");
    if (size > 1 && may_hang_at_end(library.data())) {
        // None looks at the network while all come to the end.
        check_mpi(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        // A rank that had no CPU for longer hangs nevertheless. All have done their work, and told it.
        watch.emplace(code, std::chrono::seconds(5), nullptr);
    }
    check_mpi(MPI_Finalize(), "MPI_Finalize");
}

}  // namespace procpool::inline v0_1::detail::mpi

#endif
