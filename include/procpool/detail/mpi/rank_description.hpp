// SPDX-License-Identifier: MIT
// What each rank tells of itself at the start, and whether all ranks run the same program.
#ifndef PROCPOOL_DETAIL_MPI_RANK_DESCRIPTION_HPP
#define PROCPOOL_DETAIL_MPI_RANK_DESCRIPTION_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/mpi/affinity.hpp"
#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/cpu_mask.hpp"
#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/program.hpp"
#include "procpool/detail/wire/buffer.hpp"

namespace procpool::inline v0_1::detail::mpi {

struct rank_description {
    std::string host;
    std::string build_id;  // hexadecimal digits; empty if the program has none
    std::string program;   // the path of its file on that host
    os::cpu_mask processors;

    friend bool operator==(const rank_description&, const rank_description&) = default;
};

template <class = only_if_used>
rank_description describe_this_rank() {
    const os::module_id id = os::program_id();
    return {os::host_name(), id.is_build_id() ? id.text() : "", os::own_executable(), processors_of_rank()};
}

template <class = only_if_used>
void encode(wire::buffer& to, const rank_description& rank) {
    for (const std::string* const text : {&rank.host, &rank.build_id, &rank.program}) {
        to.append_value(std::uint64_t{text->size()});
        to.append(text->data(), text->size());
    }
    const auto words = std::as_bytes(rank.processors.words());
    to.append_value(std::uint64_t{words.size()});
    to.append(words.data(), words.size());
}

/// @throws SerializationError if the bytes end too early
template <class = only_if_used>
rank_description decode_rank_description(wire::cursor& from) {
    rank_description rank;
    for (std::string* const text : {&rank.host, &rank.build_id, &rank.program}) {
        const auto bytes = from.sized();
        text->assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    wire::cursor mask(from.sized());
    std::vector<std::uint64_t> words;
    while (mask.left() > 0) words.push_back(mask.value<std::uint64_t>());
    rank.processors = os::cpu_mask(std::move(words));
    return rank;
}

/// What is wrong with these ranks, of which the first is rank 0: a sentence, or nothing if all run the same
/// build of the program. Its file may lie elsewhere on each node.
template <class = only_if_used>
std::string different_programs(std::span<const rank_description> ranks) {
    if (ranks.size() < 2) return {};
    const auto who = [&](std::size_t rank) {
        return "rank " + std::to_string(rank) + " on " + ranks[rank].host + " runs " + ranks[rank].program;
    };
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        if (ranks[i].build_id.empty())
            return "procpool: " + who(i) +
                   ", which has no build id, so that nobody can tell whether all ranks run the same program: "
                   "link the program with -Wl,--build-id";
        if (ranks[i].build_id != ranks[0].build_id)
            return "procpool: " + who(i) + " (build " + ranks[i].build_id + "), but " + who(0) + " (build " +
                   ranks[0].build_id + "): all nodes need the same build of the program";
    }
    return {};
}

}  // namespace procpool::inline v0_1::detail::mpi

#endif
