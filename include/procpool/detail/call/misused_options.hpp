// SPDX-License-Identifier: MIT
// The compile error for options of map() that are not in braces, or have another library's name.
#ifndef PROCPOOL_DETAIL_CALL_MISUSED_OPTIONS_HPP
#define PROCPOOL_DETAIL_CALL_MISUSED_OPTIONS_HPP

#include <concepts>

#include "procpool/detail/refused.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::call {

/// What takes a value of any type.
struct any_value {
    any_value() = default;
    template <class T>
    any_value(T&&);
};

/// Names that one may take for those of MapOptions. (One that isn't here is told by the compiler alone.)
struct misnamed_options {
    any_value backoff = {}, batch_size = {}, buffer_size = {}, chunk = {}, chunk_size = {}, chunks = {},
              max_retries = {}, prefetch = {}, progress_bar = {}, retry = {}, stop_token = {},
              time_limit = {}, window = {};
};

template <class Options>
inline constexpr bool misused = !std::convertible_to<const Options&, const MapOptions&>;

template <class Options>
refused refuse_options() {
    static_assert(
        !misused<Options>,
        "procpool: options are given by name, in braces: map(f, xs, {.chunksize = 10}); these are "
        "chunksize, timeout, cpu_timeout, soft_timeout, retries, buffersize, retry_exceptions, fail_fast, "
        "max_failures, stop, on_result, name, observers, progress, priority and journal");
    return {};
}

/// Takes part in choosing a pool's function where MapOptions don't fit, and refuses the call.
///
/// Braces choose misnamed_options here, since they tell no type; where they fit MapOptions, too, the pool's
/// own function is the more specialised one.
class misused_options {
protected:
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused map(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused starmap(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused try_map(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused try_starmap(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused map_async(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused starmap_async(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
};

/// The same for the functions that give results one by one.
class misused_imap_options {
protected:
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused imap(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused imap_unordered(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused istarmap(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused istarmap_unordered(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused try_imap(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused try_imap_unordered(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused try_istarmap(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
    template <class F, class Range, class Options = misnamed_options>
        requires misused<Options>
    refused try_istarmap_unordered(F&&, Range&&, const Options&) {
        return refuse_options<Options>();
    }
};

}  // namespace procpool::inline v0_1::detail::call

#endif
