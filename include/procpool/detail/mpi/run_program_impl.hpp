// SPDX-License-Identifier: MIT
// The life of a program over MPI: from MPI's start to its end, on each rank.
#ifndef PROCPOOL_DETAIL_MPI_RUN_PROGRAM_IMPL_HPP
#define PROCPOOL_DETAIL_MPI_RUN_PROGRAM_IMPL_HPP

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/cpu_count.hpp"
#include "procpool/detail/clock.hpp"
#include "procpool/detail/mpi/affinity.hpp"
#include "procpool/detail/mpi/finalize.hpp"
#include "procpool/detail/mpi/host.hpp"
#include "procpool/detail/mpi/launch_check.hpp"
#include "procpool/detail/mpi/network.hpp"
#include "procpool/detail/mpi/protocol.hpp"
#include "procpool/detail/mpi/rank_description.hpp"
#include "procpool/detail/mpi/run_program.hpp"
#include "procpool/detail/mpi/session.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/affinity.hpp"
#include "procpool/detail/os/cpu_mask.hpp"
#include "procpool/detail/os/environment.hpp"
#include "procpool/detail/os/fork_stamp.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/signal.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::mpi {

/// How MPI ends for a process.
enum class mpi_end {
    together,   ///< with all ranks
    never,      ///< some are lost
    elsewhere,  ///< this is a child that the program has forked, and no rank
};

/// What all ranks do together, from MPI's start to its end.
template <class = only_if_used>
class basic_program {
public:
    /// Collective.
    explicit basic_program(MPI_Comm comm) : net_(comm) {
        // So that a test has several nodes on one machine.
        const bool each_is_a_node = std::getenv("PROCPOOL_MPI_NODE_PER_RANK") != nullptr;
        const int first_on_node = each_is_a_node ? net_.rank() : net_.first_on_node();
        wire::buffer mine;
        mine.append_value(first_on_node);
        encode(mine, describe_this_rank());
        std::vector<rank_description> all;
        os::cpu_mask processors;
        for (const wire::buffer& one : net_.exchange(mine.bytes())) {
            wire::cursor from(one.bytes());
            const int first = from.value<int>();
            const int rank = static_cast<int>(all.size());
            all.push_back(decode_rank_description(from));
            if (first == rank) hosts_.push_back({rank, all.back().host});
            if (first == first_on_node) processors |= all.back().processors;
        }
        fault_ = different_programs(all);
        if (!fault_.empty()) return;
        if (first_on_node == net_.rank()) os::set_affinity(processors);
        wire::buffer count;
        count.append_value(cpu_count());
        const std::vector<wire::buffer> counts = net_.exchange(count.bytes());
        for (host_rank& one : hosts_)
            one.processors = wire::cursor(counts[static_cast<std::size_t>(one.rank)].bytes()).value<int>();
        if (net_.size() > 1) os::survive_broken_connections();  // MPI writes to ranks that have died
    }
    basic_program(const basic_program&) = delete;
    basic_program& operator=(const basic_program&) = delete;

    bool is_rank_0() const noexcept { return net_.rank() == 0; }
    /// Why it can't go on, the same on all ranks; empty if it can.
    const std::string& fault() const noexcept { return fault_; }

    /// Calls `body` on rank 0, and then lets the other ranks go. @return its result @throws what it throws
    int lead(const std::function<int()>& body) {
        auto all = std::make_unique<session>(net_, hosts_);
        current_session.store(all.get(), std::memory_order_release);
        const struct end_of_session {
            ~end_of_session() {
                if (!self.is_here()) {
                    static_cast<void>(all.release());  // its thread isn't here, either
                    return;
                }
                if (!all->end_pools()) self.leave_at_once();
                self.dismiss();
            }
            basic_program& self;
            std::unique_ptr<session>& all;
        } afterwards{*this, all};
        return body();
    }
    /// What the others do meanwhile.
    departure follow() noexcept try {
        return departure_ = host(net_).serve();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "procpool: %s: %s, so this node ends\n", os::host_name().c_str(), error.what());
        return departure_ = departure::orphaned;
    }

    /// Whether this is the process that has started MPI, and no child that the program has forked.
    bool is_here() const noexcept { return made_.is_here(); }
    mpi_end ending() const noexcept {
        return !is_here() ? mpi_end::elsewhere : may_finalize() ? mpi_end::together : mpi_end::never;
    }
    /// Whether MPI can be ended, which waits for all ranks.
    bool may_finalize() const noexcept { return departure_ == departure::in_peace; }

    /// Tells the other ranks that the program is over, and makes no more use of MPI.
    void dismiss() noexcept try {
        if (!made_.is_here()) return;
        session* const all = current_session.exchange(nullptr, std::memory_order_acq_rel);
        if (!all) return;
        if (!all->finish()) {
            departure_ = departure::abrupt;
            flush_output();  // a launcher may end all ranks as soon as one has left
        }
        all->let_all_go(may_finalize());
    } catch (...) {
        departure_ = departure::abrupt;  // they will miss this rank
    }

private:
    /// A thread of the program is at the end of a pool, and needs what would end here.
    [[noreturn]] void leave_at_once() noexcept {
        std::fprintf(stderr, "procpool: a pool doesn't end, so the program ends without it\n");
        departure_ = departure::abrupt;
        flush_output();
        dismiss();
        os::exit_process(EXIT_FAILURE);
    }

    const os::fork_stamp made_;
    network net_;
    std::vector<host_rank> hosts_;
    std::string fault_;
    departure departure_ = departure::in_peace;
};
using program = basic_program<>;

/// The program whose function runs now, and may call exit(); null if there is none.
inline std::atomic<program*> leading = nullptr;

/// What exit() does in there.
template <class = only_if_used>
void end_with_program(int status) {
    program* const left = leading.exchange(nullptr, std::memory_order_acq_rel);
    if (!left || os::started_anew || !left->is_here()) return;
    left->dismiss();
    if (left->may_finalize()) finalize(status);
}

/// Calls `body`, which may call exit(): that ends MPI on all ranks, too, and its status stays.
template <class = only_if_used>
int lead_until_exit(program& all, const std::function<int()>& body, mpi_end& ending) {
    leading.store(&all, std::memory_order_release);
    os::at_exit<&end_with_program<>>();
    const struct not_left {
        ~not_left() {
            leading.store(nullptr, std::memory_order_release);
            ending = self.ending();
        }
        program& self;
        mpi_end& ending;
    } afterwards{all, ending};
    return all.lead(body);
}

/// MPI_Finalize would wait for the lost.
template <class = only_if_used>
[[noreturn]] void exit_without_mpi(int code) {
    flush_output();
    os::exit_process(code);
}

/// What is wrong with the start of a program that has started MPI: a sentence, or nothing.
template <class = only_if_used>
std::string wrong_start(int thread_level) {
    if (thread_level < MPI_THREAD_SERIALIZED) return "procpool: this MPI can't be used by several threads";
    std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> library{};
    int length = 0;
    int size = 0;
    check_mpi(MPI_Get_library_version(library.data(), &length), "MPI_Get_library_version");
    check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
    return wrong_launcher(size, library.data(), [](const char* name) { return std::getenv(name); });
}

template <class>
int run_program(int argc, char** argv, const std::function<int()>& body) {
    // Open MPI lets others run at each of its calls where there are more ranks than processors; who waits
    // here sleeps anyway, and may hold the lock of the network meanwhile.
    os::set_default_variable("OMPI_MCA_mpi_yield_when_idle", "0");
    int level = 0;
    {
        // A rank that dies in there is waited for by the others; but a large machine may take its time.
        const end_of_patience watch(EXIT_FAILURE, std::chrono::minutes(5), "MPI has not begun");
        // MPI is called by one thread at a time. With locks of its own Open MPI 4.1 waits for itself for ever
        // when a connection breaks while something is being written to it.
        check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &level), "MPI_Init_thread");
    }
    int code = EXIT_FAILURE;
    std::exception_ptr thrown;
    mpi_end ending = mpi_end::together;
    try {
        std::string fault = wrong_start(level);
        bool tells = true;
        if (fault.empty()) {
            std::optional<end_of_patience> watch(std::in_place, EXIT_FAILURE, std::chrono::seconds(30),
                                                 "not all ranks have begun");
            program all(MPI_COMM_WORLD);
            watch.reset();
            fault = all.fault();
            tells = all.is_rank_0();
            if (fault.empty() && all.is_rank_0()) {
                code = lead_until_exit(all, body, ending);
            } else if (fault.empty()) {
                if (all.follow() != departure::orphaned) code = EXIT_SUCCESS;
                ending = all.ending();
            }
        }
        if (!fault.empty() && tells) std::fprintf(stderr, "%s\n", fault.c_str());
    } catch (...) {
        thrown = std::current_exception();
    }
    if (ending == mpi_end::together)
        finalize(code);
    else if (ending == mpi_end::never && !thrown)
        exit_without_mpi(code);
    if (thrown) std::rethrow_exception(thrown);
    return code;
}

template <class>
int run_within(MPI_Comm comm, const std::function<int()>& body) {
    int level = 0;
    check_mpi(MPI_Query_thread(&level), "MPI_Query_thread");
    if (level < MPI_THREAD_SERIALIZED)
        throw Error(
            "procpool: mpi::run needs an MPI that several threads may use: start it by MPI_Init_thread with "
            "MPI_THREAD_SERIALIZED or MPI_THREAD_MULTIPLE");
    program all(comm);
    if (!all.fault().empty()) throw Error(all.fault());
    if (!all.is_rank_0()) {
        const int code = all.follow() == departure::orphaned ? EXIT_FAILURE : EXIT_SUCCESS;
        if (!all.may_finalize()) exit_without_mpi(code);
        return code;
    }
    int code = EXIT_FAILURE;
    try {
        code = all.lead(body);
    } catch (const std::exception& error) {
        if (all.may_finalize()) throw;
        std::fprintf(stderr, "%s\n", error.what());  // it goes no further: see below
    } catch (...) {
        if (all.may_finalize()) throw;
    }
    if (!all.may_finalize()) exit_without_mpi(code);
    return code;
}

}  // namespace procpool::inline v0_1::detail::mpi

#endif
