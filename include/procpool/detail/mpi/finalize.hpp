// SPDX-License-Identifier: MIT
// The end of MPI, which all ranks come to together.
#ifndef PROCPOOL_DETAIL_MPI_FINALIZE_HPP
#define PROCPOOL_DETAIL_MPI_FINALIZE_HPP

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
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
    end_of_patience(int code, const char* text)
        : code_(code), text_(text), thread_(os::start_thread([this] { wait(); }, "MPI's")) {}
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
        constexpr std::chrono::seconds patience{30};
        mutex_lock lock(mutex_);
        if (!changed_.wait_for(lock.native(), patience,
                               [this]() PROCPOOL_REQUIRES(mutex_) { return done_; })) {
            std::fprintf(stderr, "procpool: %s\n", text_);
            os::exit_process(code_);
        }
    }

    const int code_;
    const char* const text_;
    mutex mutex_;
    bool done_ PROCPOOL_GUARDED_BY(mutex_) = false;
    std::condition_variable changed_;
    std::thread thread_;  // the last, since it uses the others
};

/// Collective over all ranks of the program. If they don't all come, the process ends with `code`.
template <class = only_if_used>
void finalize(int code) {
    const end_of_patience watch(code, "not all ranks have ended MPI");
    std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> library{};
    int length = 0;
    int size = 0;
    check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
    check_mpi(MPI_Get_library_version(library.data(), &length), "MPI_Get_library_version");
    if (size > 1 && may_hang_at_end(library.data())) {
        // None looks at the network while all come to the end.
        check_mpi(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier");
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    check_mpi(MPI_Finalize(), "MPI_Finalize");
}

}  // namespace procpool::inline v0_1::detail::mpi

#endif
