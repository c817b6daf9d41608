// SPDX-License-Identifier: MIT
// worker_program(): the main of an executable for set_executable().
#ifndef PROCPOOL_WORKER_PROGRAM_HPP
#define PROCPOOL_WORKER_PROGRAM_HPP

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/program.hpp"
#include "procpool/detail/zygote/exec.hpp"

namespace procpool::inline v0_1 {

/// To be returned by main: loads the library that its arguments name, and lives there as a worker.
///
/// It is the same for all libraries and all versions of procpool: what it runs is the library's own code.
inline int worker_program(int argc, const char* const* argv) {
    using namespace detail;
    const auto fail = [](const std::string& why) {
        std::fprintf(stderr, "procpool: this program is started by pools of a library, to be a worker: %s\n",
                     why.c_str());
        return 2;
    };
    if (argc != 5) return fail("it takes four arguments from them");
    const std::string path = argv[1];
    const std::string_view build_id = argv[2], place = argv[3];
    const char* const last_two[] = {argv[0], argv[4]};
    const auto socket = zygote::birth_socket(2, last_two);
    std::uint64_t offset = 0;
    if (!socket || std::from_chars(place.data(), place.data() + place.size(), offset).ec != std::errc())
        return fail("its arguments are none of theirs");
    if (os::has_raised_rights()) return fail("not with other rights than those of who starts it");
    if (const std::string problem = os::load_module(path); !problem.empty()) return fail(problem);

    std::uintptr_t entry = 0;
    os::find_module([&](const os::loaded_module& module) {
        if (module.id().text() != build_id || !module.contains(module.base() + offset, true)) return false;
        entry = module.base() + offset;
        return true;
    });
    if (entry == 0)
        return fail(path + " is another build than the one that started it; was the file replaced?");
    reinterpret_cast<void (*)(int)>(entry)(*socket);
    return 0;
}

}  // namespace procpool::inline v0_1

#endif
