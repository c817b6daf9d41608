// SPDX-License-Identifier: MIT
// The life of a program over MPI: from MPI's start to its end, on each rank.
#ifndef PROCPOOL_DETAIL_MPI_PROGRAM_HPP
#define PROCPOOL_DETAIL_MPI_PROGRAM_HPP

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/clock.hpp"
#include "procpool/detail/mpi/host.hpp"
#include "procpool/detail/mpi/network.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/mpi/session.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/program.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// The program's nodes while rank 0 is in the function that it was given; null otherwise.
inline std::atomic<session*> current_session = nullptr;

/// @throws Error if there are none
inline session& require_session() {
    if (session* const all = current_session.load(std::memory_order_acquire)) return *all;
    throw Error(
        "procpool: an mpi::Pool is made in the function that mpi::run calls: in main, return "
        "procpool::mpi::run(argc, argv, f), and make the pool in f");
}

template <class = only_if_used>
class basic_program {
public:
    /// Collective.
    explicit basic_program(MPI_Comm comm) : net_(comm) { texts_ = net_.exchange(os::host_name()); }

    bool is_rank_0() const noexcept { return net_.rank() == 0; }

    /// Calls `body` on rank 0. @return its result; what it throws is thrown once the other ranks were told
    int lead(const std::function<int()>& body) {
        session all(net_, hosts());
        current_session.store(&all, std::memory_order_release);
        const struct end_of_session {
            ~end_of_session() {
                current_session.store(nullptr, std::memory_order_release);
                self.dismiss();
            }
            basic_program& self;
        } afterwards{*this};
        return body();
    }
    /// What the others do meanwhile.
    departure follow() { return departure_ = host(net_).serve(); }

    /// Whether MPI can be ended, which waits for all ranks.
    bool may_finalize() const noexcept { return departure_ == departure::in_peace; }

    /// Tells the other ranks that the program is over, and makes no more use of MPI.
    void dismiss() {
        if (net_.has_lost_any()) departure_ = departure::abrupt;
        for (int rank = 1; rank < net_.size(); ++rank) {
            wire::buffer message;
            append_frame(message, {.what = frame_header::kind::leave, .flag = !may_finalize()});
            net_.send(rank, std::move(message));
        }
        constexpr std::chrono::seconds patience{5};
        const auto end = deadline_in(patience);
        while (net_.is_sending() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        net_.close();
    }

private:
    std::vector<host_rank> hosts() const {
        std::vector<host_rank> all;
        for (std::size_t rank = 0; rank < texts_.size(); ++rank)
            all.push_back({static_cast<int>(rank), texts_[rank]});
        return all;
    }

    network net_;
    std::vector<std::string> texts_;  // of each rank
    departure departure_ = departure::in_peace;
};
using program = basic_program<>;

/// Starts MPI, unless the program has, and ends it. @return what `body` returns; 0 on other ranks than 0
template <class = only_if_used>
int run_program(int argc, char** argv, const std::function<int()>& body) {
    int level = 0;
    check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &level), "MPI_Init_thread");
    if (level < MPI_THREAD_SERIALIZED) throw Error("procpool: this MPI can't be used by several threads");
    int code = 0;
    std::exception_ptr thrown;
    bool may_finalize = true;
    {
        program all(MPI_COMM_WORLD);
        if (all.is_rank_0()) {
            try {
                code = all.lead(body);
            } catch (...) {
                thrown = std::current_exception();
            }
        } else {
            code = all.follow() == departure::orphaned ? EXIT_FAILURE : 0;
        }
        may_finalize = all.may_finalize();
    }
    if (may_finalize) {
        check_mpi(MPI_Finalize(), "MPI_Finalize");
    } else if (!thrown) {
        os::exit_process(code);  // MPI_Finalize would wait for the dead
    }
    if (thrown) std::rethrow_exception(thrown);
    return code;
}

/// The same where the program has started MPI, and ends it.
template <class = only_if_used>
int run_within(MPI_Comm comm, const std::function<int()>& body) {
    int level = 0;
    check_mpi(MPI_Query_thread(&level), "MPI_Query_thread");
    if (level < MPI_THREAD_SERIALIZED)
        throw Error(
            "procpool: mpi::run needs an MPI that several threads may use: start it by MPI_Init_thread with "
            "MPI_THREAD_SERIALIZED or MPI_THREAD_MULTIPLE");
    program all(comm);
    if (all.is_rank_0()) return all.lead(body);
    if (all.follow() == departure::orphaned) throw Error("procpool: rank 0 is lost");
    return 0;
}

}  // namespace procpool::inline v0_1::detail::mpi

#endif
