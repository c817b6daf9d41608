// SPDX-License-Identifier: MIT
// Calls that tests make of a POSIX system which belong into left_out.txt.
#ifndef PROCPOOL_TESTS_WINDOWS_POSIX_DLFCN_H
#define PROCPOOL_TESTS_WINDOWS_POSIX_DLFCN_H

#include "windows/calls.hpp"

#define RTLD_NOW 2
#define RTLD_LOCAL 0
#define RTLD_DEFAULT (static_cast<void*>(nullptr))
inline void* dlopen(const char*, int) {
    test::windows::not_there("dlopen");
    return nullptr;
}
inline void* dlsym(void*, const char*) {
    test::windows::not_there("dlsym");
    return nullptr;
}
inline int dlclose(void*) { return -1; }
inline const char* dlerror() { return ""; }

#endif
