// SPDX-License-Identifier: MIT
// What an exception says.
#ifndef PROCPOOL_TESTS_SUPPORT_MESSAGE_OF_HPP
#define PROCPOOL_TESTS_SUPPORT_MESSAGE_OF_HPP

#include <string>

namespace test {

/// The text of the Error that `call` throws.
template <class Error, class Call>
std::string message_of(Call call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "(not thrown)";
}

}  // namespace test

#endif
