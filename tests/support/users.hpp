// SPDX-License-Identifier: MIT
// Other users, for tests that root runs.
#ifndef PROCPOOL_TESTS_SUPPORT_USERS_HPP
#define PROCPOOL_TESTS_SUPPORT_USERS_HPP

#include <grp.h>
#include <unistd.h>

#include <stdexcept>

namespace test {

/// Who owns nothing and runs nothing.
inline constexpr uid_t stranger = 54322;

inline bool may_become_another_user() { return ::geteuid() == 0; }

/// This process is that user's from now on, for good.
inline void become(uid_t user) {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
        ::setresuid(user, user, user) != 0)
        throw std::runtime_error("can't become another user");
}

}  // namespace test

#endif
