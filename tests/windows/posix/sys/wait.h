// SPDX-License-Identifier: MIT
// Nothing forks on Windows: there is no child to wait for.
#ifndef PROCPOOL_TESTS_WINDOWS_POSIX_SYS_WAIT_H
#define PROCPOOL_TESTS_WINDOWS_POSIX_SYS_WAIT_H

#include <errno.h>

#define WNOHANG 1
#define WIFSIGNALED(status) 0
#define WIFEXITED(status) 0
#define WTERMSIG(status) 0
#define WEXITSTATUS(status) 0
inline long waitpid(long, int*, int) {
    errno = ECHILD;
    return -1;
}

#endif
