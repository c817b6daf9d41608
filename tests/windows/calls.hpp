// SPDX-License-Identifier: MIT
// What the tests ask of Windows. Its own header stays out of them, for the macros that it has.
#ifndef PROCPOOL_TESTS_WINDOWS_CALLS_HPP
#define PROCPOOL_TESTS_WINDOWS_CALLS_HPP

#include <cstddef>
#include <cstdint>
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
/// At once.
void end_this_process();
/// As in /proc: R, S (has used no CPU time for a while), T (stopped by send_signal), Z (ended, and somebody
/// has its handle); X if there is no such process.
char state_of(long pid);

}  // namespace test::windows

#endif
