// SPDX-License-Identifier: MIT
// What src.hpp is for pools, this is for pools over MPI: a program that includes mpi.hpp, and has the engine
// compiled apart, includes both in one file each, or both in one. With CMake, link procpool::mpi_engine.
#ifndef PROCPOOL_SRC_MPI_HPP
#define PROCPOOL_SRC_MPI_HPP

#ifndef PROCPOOL_SEPARATE_COMPILATION
#error "procpool: src_mpi.hpp is for programs that define PROCPOOL_SEPARATE_COMPILATION in all their files"
#endif

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "procpool/detail/mpi/make_pool_impl.hpp"
#include "procpool/detail/mpi/run_program_impl.hpp"

namespace procpool::inline v0_1::detail {

template std::shared_ptr<scheduler::pool_backend> mpi::make_pool<void>(
    mpi::pool_request, std::function<void(std::exception_ptr)>);
template void mpi::each_node<void>(scheduler::pool_backend&,
                                   const std::function<void(int, const std::string&, std::size_t, bool)>&);
template int mpi::run_program<void>(int, char**, const std::function<int()>&);
template int mpi::run_within<void>(MPI_Comm, const std::function<int()>&);

}  // namespace procpool::inline v0_1::detail

#endif
