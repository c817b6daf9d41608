// SPDX-License-Identifier: MIT
// What is checked when a program over MPI starts, without MPI: detail/mpi/launch_check.hpp, affinity.hpp and
// rank_description.hpp.
#include "procpool/detail/mpi/launch_check.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "procpool/detail/mpi/affinity.hpp"
#include "procpool/detail/mpi/rank_description.hpp"

namespace launch_check_test {

namespace mpi = procpool::detail::mpi;
namespace os = procpool::detail::os;
namespace wire = procpool::detail::wire;

const std::string open_mpi = "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, repo rev: v4.1.4";
const std::string mpich = "MPICH Version:\t4.0.2\nMPICH Release date:\tThu Apr  7 12:34:45 CDT 2022\n";

std::string refusal(int size, const std::string& library, const std::map<std::string, std::string>& set) {
    return mpi::wrong_launcher(size, library, [&](const char* name) -> const char* {
        const auto found = set.find(name);
        return found == set.end() ? nullptr : found->second.c_str();
    });
}

TEST(launch_check, a_program_by_itself_is_one_rank) {
    EXPECT_EQ(refusal(1, open_mpi, {}), "");
    EXPECT_EQ(refusal(1, mpich, {}), "");
}

TEST(launch_check, several_ranks_are_well_whatever_the_environment_says) {
    EXPECT_EQ(refusal(2, open_mpi, {{"PMI_SIZE", "4"}, {"SLURM_STEP_NUM_TASKS", "3"}}), "");
}

TEST(launch_check, one_rank_by_the_right_launcher_is_well) {
    EXPECT_EQ(refusal(1, open_mpi, {{"OMPI_COMM_WORLD_SIZE", "1"}}), "");
    EXPECT_EQ(refusal(1, mpich, {{"PMI_SIZE", "1"}, {"HYDI_CONTROL_FD", "7"}}), "");
    EXPECT_EQ(refusal(1, open_mpi, {{"SLURM_STEP_NUM_TASKS", "1"}}), "");
}

TEST(launch_check, in_a_job_of_slurm_the_processes_of_mpiexec_itself_do_not_count) {
    EXPECT_EQ(refusal(1, open_mpi, {{"SLURM_STEP_NUM_TASKS", "3"}, {"OMPI_COMM_WORLD_SIZE", "1"}}), "");
    EXPECT_EQ(refusal(1, mpich, {{"SLURM_STEP_NUM_TASKS", "3"}, {"PMI_SIZE", "1"}}), "");
    EXPECT_EQ(
        refusal(1, open_mpi, {{"SLURM_STEP_NUM_TASKS", "3"}, {"PMI_SIZE", "1"}, {"HYDI_CONTROL_FD", "7"}}),
        "");
}

TEST(launch_check, srun_without_the_right_option_is_refused) {
    EXPECT_EQ(refusal(1, open_mpi, {{"SLURM_STEP_NUM_TASKS", "3"}}),
              "procpool: srun has started this program 3 times, and each sees itself alone: the program is "
              "linked with Open MPI, so start it with srun --mpi=pmix");
    EXPECT_EQ(refusal(1, mpich, {{"SLURM_STEP_NUM_TASKS", "3"}}),
              "procpool: srun has started this program 3 times, and each sees itself alone: the program is "
              "linked with MPICH, so start it with srun --mpi=pmi2");
    // --mpi=pmi2 with Open MPI
    EXPECT_EQ(refusal(1, open_mpi, {{"SLURM_STEP_NUM_TASKS", "3"}, {"PMI_SIZE", "3"}}),
              refusal(1, open_mpi, {{"SLURM_STEP_NUM_TASKS", "3"}}));
}

TEST(launch_check, mpiexec_of_the_other_MPI_is_refused) {
    EXPECT_EQ(refusal(1, open_mpi, {{"PMI_SIZE", "4"}, {"HYDI_CONTROL_FD", "7"}}),
              "procpool: MPICH's mpiexec has started this program 4 times, and each sees itself alone: the "
              "program is linked with Open MPI, so start it with Open MPI's mpiexec (mpiexec.openmpi in "
              "Debian)");
    EXPECT_EQ(
        refusal(1, mpich, {{"OMPI_COMM_WORLD_SIZE", "2"}}),
        "procpool: Open MPI's mpiexec has started this program 2 times, and each sees itself alone: the "
        "program is linked with MPICH, so start it with MPICH's mpiexec (mpiexec.mpich in Debian)");
}

TEST(launch_check, an_unknown_MPI_is_named_as_it_names_itself) {
    EXPECT_EQ(refusal(1, "Some MPI, version 7", {{"SLURM_STEP_NUM_TASKS", "2"}}),
              "procpool: srun has started this program 2 times, and each sees itself alone: the program is "
              "linked with Some MPI, so start it with the srun --mpi=... that its documentation names (srun "
              "--mpi=list has all)");
}

TEST(launch_check, what_is_no_number_says_nothing) {
    EXPECT_EQ(refusal(1, mpich, {{"SLURM_STEP_NUM_TASKS", "many"}, {"OMPI_COMM_WORLD_SIZE", ""}}), "");
}

// ---- ranks of different programs

mpi::rank_description rank(const std::string& host, const std::string& build,
                           const std::string& file = "/bin/x") {
    return {host, build, file, os::cpu_mask({3})};
}
std::string complaint(const std::vector<mpi::rank_description>& ranks) {
    return mpi::different_programs(ranks);
}

TEST(rank_description, the_same_build_is_well_wherever_its_file_lies) {
    EXPECT_EQ(complaint({rank("a", "12ab"), rank("b", "12ab"), rank("c", "12ab", "/tmp/x")}), "");
}

TEST(rank_description, another_build_is_refused_with_hosts_and_ids) {
    EXPECT_EQ(complaint({rank("a", "12ab"), rank("b", "12ab"), rank("c", "34cd", "/opt/x")}),
              "procpool: rank 2 on c runs /opt/x (build 34cd), but rank 0 on a runs /bin/x (build 12ab): all "
              "nodes need the same build of the program");
}

TEST(rank_description, programs_without_a_build_id_are_refused_but_for_a_single_rank) {
    EXPECT_EQ(complaint({rank("a", ""), rank("b", "")}),
              "procpool: rank 0 on a runs /bin/x, which has no build id, so that nobody can tell whether all "
              "ranks run the same program: link the program with -Wl,--build-id");
    EXPECT_EQ(complaint({rank("a", "12ab"), rank("b", "", "/opt/x")}),
              "procpool: rank 1 on b runs /opt/x, which has no build id, so that nobody can tell whether all "
              "ranks run the same program: link the program with -Wl,--build-id");
    EXPECT_EQ(complaint({rank("a", "")}), "");
}

TEST(rank_description, arrives_as_it_was_sent) {
    mpi::rank_description sent = rank("a-host", "12ab", "/a/program with spaces");
    sent.processors = os::cpu_mask({0, 1u << 7});
    wire::buffer bytes;
    mpi::encode(bytes, sent);
    mpi::encode(bytes, rank("b", ""));
    wire::cursor from(bytes.bytes());
    EXPECT_EQ(mpi::decode_rank_description(from), sent);
    EXPECT_EQ(mpi::decode_rank_description(from), rank("b", ""));
    EXPECT_EQ(from.left(), 0u);
}

TEST(rank_description, refuses_bytes_that_end_too_early) {
    wire::buffer bytes;
    mpi::encode(bytes, rank("a", "12ab"));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        wire::cursor from(bytes.bytes().first(size));
        EXPECT_THROW(mpi::decode_rank_description(from), procpool::SerializationError) << size;
    }
}

TEST(rank_description, tells_of_this_process) {
    const mpi::rank_description here = mpi::describe_this_rank();
    char name[256] = {};
    ASSERT_EQ(::gethostname(name, sizeof name - 1), 0);
    EXPECT_EQ(here.host, name);
    EXPECT_EQ(::access(here.program.c_str(), X_OK), 0) << here.program;
    EXPECT_EQ(here.build_id.size() % 2, 0u);
    EXPECT_GE(here.processors.count(), 1u);
}

// ---- processors

TEST(affinity, only_launchers_of_MPI_bind_ranks) {
    for (const char* const name :
         {"orted", "prted", "mpiexec", "mpiexec.openmpi", "mpirun", "hydra_pmi_proxy"})
        EXPECT_TRUE(mpi::binds_ranks(name)) << name;
    for (const char* const name : {"slurmstepd", "bash", "", "sshd", "ortedx"})
        EXPECT_FALSE(mpi::binds_ranks(name)) << name;
}

const os::cpu_mask one({1});
const os::cpu_mask two({3});
const os::cpu_mask four({15});

TEST(affinity, a_rank_gets_what_its_launcher_has) {
    EXPECT_EQ(mpi::unbound(one, std::vector<mpi::ancestor>{{"orted", four}, {"sshd", four}}), four);
    EXPECT_EQ(mpi::unbound(one, std::vector<mpi::ancestor>{{"hydra_pmi_proxy", two}}), two);
}

TEST(affinity, also_through_a_shell) {
    EXPECT_EQ(mpi::unbound(one, std::vector<mpi::ancestor>{{"bash", one}, {"orted", four}}), four);
}

TEST(affinity, but_not_past_somebody_who_has_chosen_a_mask) {
    EXPECT_EQ(mpi::unbound(one, std::vector<mpi::ancestor>{{"taskset.sh", two}, {"orted", four}}), one);
}

TEST(affinity, what_slurm_gives_stays) {
    EXPECT_EQ(mpi::unbound(one, std::vector<mpi::ancestor>{{"slurmstepd", four}, {"orted", four}}), one);
    EXPECT_EQ(
        mpi::unbound(one, std::vector<mpi::ancestor>{{"bash", one}, {"slurmstepd", one}, {"orted", four}}),
        one);
    EXPECT_EQ(mpi::unbound(one, std::vector<mpi::ancestor>{{"orted", two}, {"slurmstepd", four}}), two);
}

TEST(affinity, a_process_that_no_launcher_started_keeps_its_mask) {
    EXPECT_EQ(mpi::unbound(two, std::vector<mpi::ancestor>{{"bash", two}, {"sshd", two}}), two);
    EXPECT_EQ(mpi::unbound(two, {}), two);
}

TEST(affinity, a_mask_is_its_processors_however_long) {
    EXPECT_EQ(os::cpu_mask({3, 0, 0}), two);
    EXPECT_EQ(os::cpu_mask({5, 1}).count(), 3u);
}

TEST(affinity, a_thread_takes_the_mask_that_it_is_given) {
    const os::cpu_mask before = os::affinity_of(0);
    ASSERT_GE(before.count(), 1u);
    EXPECT_EQ(os::affinity_of(::getpid()), before);
    std::thread([&] {  // only it is bound
        std::vector<std::uint64_t> words(before.words().size());
        words.back() = std::uint64_t{1} << (63 - std::countl_zero(before.words().back()));
        const os::cpu_mask last{words};
        EXPECT_TRUE(os::set_affinity(last));
        EXPECT_EQ(os::affinity_of(0), last);
        EXPECT_TRUE(os::set_affinity(before));
        EXPECT_EQ(os::affinity_of(0), before);
    })
        .join();
    EXPECT_FALSE(os::set_affinity({}));
}

TEST(affinity, a_process_has_a_name_and_a_parent) {
    const os::process_origin here = os::origin_of(::getpid());
    EXPECT_EQ(here.parent, ::getppid());
    EXPECT_FALSE(here.name.empty());
    EXPECT_EQ(os::origin_of(0).parent, 0);
}

}  // namespace launch_check_test
