// SPDX-License-Identifier: MIT
// What the tests ask of Windows. Its own header stays out of them, for the macros that it has.
#ifndef PROCPOOL_TESTS_WINDOWS_CALLS_HPP
#define PROCPOOL_TESTS_WINDOWS_CALLS_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace test::windows {

long current_thread();
/// 0 if nobody knows.
long parent_of(long pid);
/// Living ones, in ascending order.
std::vector<long> children_of(long parent);
int sleep_for_ever();
void sleep_for(unsigned int milliseconds);
/// @throws std::runtime_error: a test that calls it belongs into left_out.txt
long not_there(const char* call);

/// How many sections this process has mapped to write there, without those that it had at this call.
std::size_t mapped_sections();
void count_sections_from_here();
/// Whether it is an address of a section that this process has mapped.
bool is_in_section(const void* address);
/// Whether some process has a section of this name.
bool is_section(const std::string& name);

/// The CPUs that this process may use, a bit each.
unsigned long long own_cpus();
int use_cpus(unsigned long long which);
int this_cpu();

/// As kill(). A signal that isn't 0, to stop or to continue ends the process.
int send_signal(long pid, int signal);
/// As raise(), for signals that end this process.
int raise_signal(int signal);
/// An exception of the system ends this process without a dialog or a debugger, by its number.
void crash_quietly();
/// So many handles are the system's own threads' and the C++ library's, which open them once.
inline constexpr std::size_t opened_once = 16;

/// At once.
void end_this_process();
/// Of a process or a thread, as in /proc: R, S (has used no CPU time for a while), T (stopped by
/// send_signal), Z (ended, and somebody has its handle); X if there is none.
char state_of(long id);

}  // namespace test::windows

#endif
