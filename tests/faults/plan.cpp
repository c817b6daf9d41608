// SPDX-License-Identifier: MIT
#include "plan.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

extern "C" const char __executable_start;

namespace faults {
namespace {

// In the environment of the trial's processes: where a fresh run finds its plan, and the depth of the process
// that starts it.
constexpr const char* plan_variable = "PROCPOOL_FAULTS_PLAN";
constexpr const char* at_variable = "PROCPOOL_FAULTS_AT";
constexpr const char* depth_variable = "PROCPOOL_FAULTS_DEPTH";
// Stands in the environment itself, so that a forked process changes its own without a call.
constinit char depth_text[] = "PROCPOOL_FAULTS_DEPTH=0";
constexpr std::size_t depth_at = sizeof depth_text - 2;

plan* map_plans(int file, std::size_t count) {
    void* const at = file < 0
                         ? MAP_FAILED
                         : ::mmap(nullptr, count * sizeof(plan), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED) {
        std::perror("fault_sweep: its plans");
        std::exit(EXIT_FAILURE);
    }
    return static_cast<plan*>(at);
}

/// In a fresh run, before anything else, so that its first calls can fail, too.
[[gnu::constructor(102)]] void find_plan() {
    const char* const path = std::getenv(plan_variable);
    const char* const at = std::getenv(at_variable);
    const char* const depth = std::getenv(depth_variable);
    if (!path || !at || !depth) return;
    depth_text[depth_at] = depth[0];
    descend();
    ::putenv(depth_text);
    const int file = ::open(path, O_RDWR | O_CLOEXEC);
    const auto mine = static_cast<std::size_t>(std::atol(at));
    plan* const found = map_plans(file, mine + 1) + mine;
    ::close(file);
    the_plan = found;
}

}  // namespace

plan_file::plan_file(std::size_t plans) : file_(::open("/dev/shm", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600)) {
    if (file_ >= 0 && ::ftruncate(file_, static_cast<off_t>(plans * sizeof(plan))) != 0) file_ = -1;
    plans_ = map_plans(file_, plans);
    for (std::size_t i = 0; i < plans; ++i) new (plans_ + i) plan;
    const std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file_);
    ::setenv(plan_variable, path.c_str(), 1);
}

void plan_file::adopt(std::size_t at) const {
    ::setenv(at_variable, std::to_string(at).c_str(), 1);
    depth_text[depth_at] = '0';
    ::putenv(depth_text);
    the_plan = plans_ + at;
}

role current_role() noexcept {
    switch (depth_text[depth_at]) {
        case '0': return role::program;
        case '1': return role::zygote;
        default: return role::worker;
    }
}

void descend() noexcept {
    if (depth_text[depth_at] < '9') ++depth_text[depth_at];
}

void note_hit(plan& in) noexcept {
    in.process = ::getpid();
    struct walk {
        plan& to;
        std::size_t count;
    } state{in, 0};
    _Unwind_Backtrace(
        [](_Unwind_Context* context, void* data) {
            auto& [to, count] = *static_cast<walk*>(data);
            if (count == plan::most_calls) return _URC_END_OF_STACK;
            to.trace[count++] =
                _Unwind_GetIP(context) - reinterpret_cast<std::uintptr_t>(&__executable_start);
            return _URC_NO_REASON;
        },
        &state);
}

}  // namespace faults
