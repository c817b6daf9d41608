// SPDX-License-Identifier: MIT
// The locale of a process, as names that another process can set.
#ifndef PROCPOOL_DETAIL_OS_LOCALE_HPP
#define PROCPOOL_DETAIL_OS_LOCALE_HPP

#include <algorithm>
#include <array>
#include <clocale>
#include <cstddef>
#include <locale>
#include <stdexcept>
#include <string_view>

namespace procpool::inline v0_1::detail::os {

class locale_names {
public:
    static locale_names of_this_process() {
        locale_names names;
        if (const char* const name = std::setlocale(LC_ALL, nullptr)) keep(names.c_, name);
        keep(names.cpp_, std::locale().name());
        return names;
    }

    /// What can't be set here stays as it is.
    void apply() const {
        // A global locale of C++ that has a name sets the one of C, too.
        if (const std::string_view name = cpp_.data(); !name.empty() && name != "*" && name != "C") try {
                std::locale::global(std::locale(cpp_.data()));
            } catch (const std::runtime_error&) {
            }
        if (const std::string_view name = c_.data(); !name.empty()) std::setlocale(LC_ALL, c_.data());
    }

private:
    using text = std::array<char, 512>;
    static void keep(text& to, std::string_view name) {
        if (name.size() < to.size()) std::copy(name.begin(), name.end(), to.begin());
    }

    text c_{};
    text cpp_{};
};

}  // namespace procpool::inline v0_1::detail::os

#endif
