// SPDX-License-Identifier: MIT
// A journal as text.
#ifndef PROCPOOL_DETAIL_JOURNAL_JSON_LINES_IMPL_HPP
#define PROCPOOL_DETAIL_JOURNAL_JSON_LINES_IMPL_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ostream>
#include <string>
#include <string_view>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/journal/record.hpp"
#include "procpool/detail/journal/record_reader.hpp"
#include "procpool/detail/json.hpp"
#include "procpool/detail/os/locked_file.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/error.hpp"
#include "procpool/journal.hpp"

namespace procpool::inline v0_1 {

namespace detail::journal {
/// `error` is null for a value.
inline std::string json_line(const record_header& header, const std::string_view* error) {
    using kind = record_header::kind;
    const bool died = header.what == kind::died;
    std::string line = "{\"index\":" + std::to_string(header.index) + ",\"outcome\":\"" +
                       (error ? (died ? "worker_died" : "threw") : "returned") + '"';
    if (error) {
        line += ",\"error\":";
        append_json_string(line, *error);
    } else {
        line += ",\"bytes\":" + std::to_string(header.length);
    }
    const auto add_seconds = [&](const char* name, std::int64_t ns) {
        char text[64];
        std::snprintf(text, sizeof text, ",\"%s\":%lld.%09lld", name,
                      static_cast<long long>(ns / 1'000'000'000), static_cast<long long>(ns % 1'000'000'000));
        line += text;
    };
    if (header.run_time > 0) add_seconds("seconds", header.run_time);
    if (header.when > 0) add_seconds("when", header.when);
    char key[64];
    std::snprintf(key, sizeof key, ",\"key\":\"%016llx%016llx\"}\n",
                  static_cast<unsigned long long>(header.key[0]),
                  static_cast<unsigned long long>(header.key[1]));
    return line += key;
}
}  // namespace detail::journal

PROCPOOL_COMPILED_APART void journal_to_json_lines(const std::string& file, std::ostream& to) {
    using namespace detail;
    using kind = journal::record_header::kind;
    const os::fd opened = os::open_to_read(file);
    std::array<char, journal::file_begin.size()> begin{};
    const std::size_t got = os::read_at(opened, 0, reinterpret_cast<std::byte*>(begin.data()), begin.size());
    if (got < begin.size() || std::string_view(begin.data(), got) != journal::file_begin)
        throw Error("procpool: " + file + " is no journal");
    journal::record_reader records(opened, os::status_of(opened).size);
    while (const auto header = records.next()) {
        if (header->what == kind::value) to << journal::json_line(*header, nullptr);
        if (header->what != kind::threw && header->what != kind::died) continue;
        const auto rest =
            journal::read_rest(opened, records.rest_of_last(), header->length, header->sum_of_rest);
        if (!rest) continue;
        const std::string_view text(reinterpret_cast<const char*>(rest->data()), rest->size());
        to << journal::json_line(*header, &text);
    }
}

}  // namespace procpool::inline v0_1

#endif
