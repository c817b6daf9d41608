// SPDX-License-Identifier: MIT
// Runs what is to be loaded before there are tasks.
#ifndef PROCPOOL_DETAIL_ZYGOTE_PRELOAD_HPP
#define PROCPOOL_DETAIL_ZYGOTE_PRELOAD_HPP

#include <cxxabi.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <typeinfo>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/standard_output.hpp"
#include "procpool/detail/type_name.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/code_address.hpp"
#include "procpool/detail/wire/error_record.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// What names the code of a preload: it rebuilds it from the rest, and calls it.
using preload_function = void(wire::cursor&);

/// In a file that another process can be given.
template <class = only_if_used>
os::fd file_of_preload(std::span<const std::byte> encoded) {
    os::fd file = os::make_memfd("procpool-preload", encoded.size());
    os::mapping memory(file, 0, encoded.size());
    std::memcpy(memory.data(), encoded.data(), encoded.size());
    return file;
}

/// @return what has gone wrong, so that no task must run
// What pthread_exit throws is no object, which the sanitizer takes for a null reference.
template <class = only_if_used>
__attribute__((no_sanitize("null"))) std::optional<std::string> run_preload(const os::fd& file) {
    std::optional<std::string> wrong;
    try {
        const os::mapping encoded(file, 0, os::file_size(file), os::access::read_only);
        wire::cursor from({encoded.data(), encoded.size()});
        wire::may_load_libraries = true;
        wire::decode_function<preload_function>(from)(from);
    } catch (abi::__forced_unwind&) {
        os::exit_process(EXIT_SUCCESS);  // what pthread_exit in a process's only thread means
    } catch (...) {
        const std::type_info* const type = abi::__cxa_current_exception_type();
        wrong = "threw " + (type ? type_name(*type) : std::string("something")) + ": " +
                wire::current_exception_text();
    }
    wire::may_load_libraries = false;
    // Or each fork would have it to print, or lose it.
    for (std::ostream* const stream : {&std::cout, &std::clog}) try {
            stream->flush();
        } catch (...) {  // the program has asked for exceptions
        }
    os::flush_standard_output();
    constexpr std::size_t longest = 1000;
    if (wrong && wrong->size() > longest) wrong->resize(longest);
    return wrong;
}

}  // namespace procpool::inline v0_1::detail::zygote

#endif
