// SPDX-License-Identifier: MIT
// Linked with the program, or loaded by it; NAME and FACTOR make copies differ.
#ifndef NAME
#define NAME times_in_library
#endif
#ifndef FACTOR
#define FACTOR 10
#endif

extern "C" [[gnu::visibility("default")]] long NAME(long x) { return x * FACTOR; }
