// SPDX-License-Identifier: MIT
// How a journal's file is opened, read and written.
#ifndef PROCPOOL_DETAIL_JOURNAL_JOURNAL_FILE_IMPL_HPP
#define PROCPOOL_DETAIL_JOURNAL_JOURNAL_FILE_IMPL_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "procpool/detail/compiled_apart.hpp"
#include "procpool/detail/journal/journal_file.hpp"
#include "procpool/detail/journal/record.hpp"
#include "procpool/detail/journal/record_reader.hpp"
#include "procpool/detail/mutex.hpp"
#include "procpool/detail/os/error.hpp"
#include "procpool/detail/os/fd_registry.hpp"
#include "procpool/detail/os/locked_file.hpp"
#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/error.hpp"

namespace procpool::inline v0_1::detail::journal {

/// Those that are open in this process; changed while nobody can fork.
inline std::vector<std::pair<os::file_identity, std::weak_ptr<journal_file>>>& open_journals() {
    static auto* const all = new std::vector<std::pair<os::file_identity, std::weak_ptr<journal_file>>>;
    return *all;  // leaked: calls of static pools end after it would
}

PROCPOOL_COMPILED_APART void new_records::add(const record_header& header, std::span<const std::byte> rest) {
    append_record(bytes_, header, rest);
    record_header complete;
    const std::uint64_t begin = bytes_.size() - rest.size();
    std::memcpy(&complete, bytes_.data() + begin - sizeof complete, sizeof complete);
    headers_.emplace_back(complete, begin);
}
PROCPOOL_COMPILED_APART void new_records::clear() noexcept {
    bytes_.clear();
    headers_.clear();
}

PROCPOOL_COMPILED_APART std::shared_ptr<journal_file> journal_file::open(const std::string& path) {
    const auto no_fork = os::fd_registry::instance().hold_forks();
    os::fd file = os::open_or_make_file(path);
    const os::file_status status = os::status_of(file);
    const auto name = "procpool: the journal " + path;
    if (!status.is_regular) throw Error(name + " is no regular file");
    auto& all = open_journals();
    std::erase_if(all, [](const auto& one) { return one.second.expired(); });
    for (const auto& [identity, weak] : all)
        if (const auto there = weak.lock(); there && identity == status.identity && !there->is_copy())
            return there;
    if (!os::lock_file(file))
        throw Error(name + " is in use by another program; wait for its end, or name another file");
    auto opened = std::make_shared<journal_file>(path, std::move(file), status.identity);
    all.emplace_back(status.identity, opened);
    return opened;
}

PROCPOOL_COMPILED_APART journal_file::journal_file(std::string path, os::fd file, os::file_identity identity)
    : path_(std::move(path)), identity_(identity), file_(std::move(file)) {}

PROCPOOL_COMPILED_APART void journal_file::refuse(const std::string& why) const {
    throw Error("procpool: the journal " + path_ + why);
}

PROCPOOL_COMPILED_APART void journal_file::load() {
    const std::uint64_t size = os::status_of(file_).size;
    std::array<char, file_begin.size()> begin{};
    const std::size_t got = os::read_at(file_, 0, reinterpret_cast<std::byte*>(begin.data()), begin.size());
    // A program that was killed while it made the file may have left a part.
    if (std::string_view(begin.data(), got) != file_begin.substr(0, got))
        refuse(" is a file of another kind; name one that is a journal, or a new one");
    if (got < begin.size()) {
        const auto bytes = std::as_bytes(std::span(file_begin));
        if (const int error = os::write_at(file_, 0, bytes))
            os::throw_system_error(error, "write (" + path_ + ")");
        end_ = begin.size();
        return;
    }
    record_reader records(file_, size);
    while (const auto header = records.next()) note(*header, records.rest_of_last());
    end_ = records.end();
    if (end_ < size) {
        // Its last words are no record, and what is written now must not stand behind them.
        if (const int error = os::cut_file(file_, end_))
            os::throw_system_error(error, "ftruncate (" + path_ + ")");
    }
}

PROCPOOL_COMPILED_APART void journal_file::note(const record_header& header, std::uint64_t rest) {
    using kind = record_header::kind;
    const record_place place{.offset = rest, .length = header.length, .sum = header.sum_of_rest};
    switch (header.what) {
        case kind::function: load_function(place); return;
        case kind::value: known_[header.key].value = place; return;
        case kind::threw: return;  // it runs again
        case kind::died: {
            known_element& one = known_[header.key];
            one.last_death = place;
            ++one.deaths;
            return;
        }
    }
}

PROCPOOL_COMPILED_APART void journal_file::load_function(const record_place& place) {
    const auto rest = read(place);
    if (!rest) return;
    wire::cursor from(rest->bytes());
    function_record one;
    one.version = wire::codec<std::string>::decode(from);
    one.signature = wire::codec<std::string>::decode(from);
    one.build = wire::codec<std::string>::decode(from);
    one.code = from.value<element_key>();
    function_ = std::move(one);
}

PROCPOOL_COMPILED_APART void journal_file::require(const function_record& function) {
    const mutex_guard lock(guard_);
    if (!std::exchange(is_loaded_, true)) try {
            load();
        } catch (...) {
            is_loaded_ = false;
            known_.clear();
            throw;
        }
    if (!function_ && !known_.empty())
        refuse(" is damaged: it doesn't tell any more of which function its results are; remove it");
    const bool same_build = function_ && function_->build == function.build && !function.build.empty();
    if (function_) {
        const auto version = [](const std::string& text) {
            return text.empty() ? std::string("no version") : "version " + text;
        };
        if (function_->signature != function.signature)
            refuse(" holds results of a function " + function_->signature +
                   ", and this call's is a function " + function.signature +
                   "; each function needs a file of its own");
        if (function_->version != function.version)
            refuse(" holds results of " + version(function_->version) + ", and this call has " +
                   version(function.version) + "; name another file, or remove this one");
        if (same_build && function_->code != function.code)
            refuse(" holds results of another function; each function needs a file of its own");
        if (!same_build && function.version.empty())
            refuse(
                " holds results of another build of the program (build id " + function_->build +
                ", this one is " + function.build +
                "), which may be other results; name another file, or give a version as long as results stay "
                "good: {.journal = {file, {.version = \"1\"}}}");
        if (function_->build == function.build && function_->code == function.code) return;
    }
    wire::buffer bytes;
    wire::pins none;
    const wire::sink out{bytes, none};
    for (const std::string& text : {function.version, function.signature, function.build})
        wire::codec<std::string>::encode(out, text);
    bytes.append_value(function.code);
    new_records records;
    records.add({.what = record_header::kind::function}, bytes.bytes());
    write_or_throw(records, false);
}

PROCPOOL_COMPILED_APART std::optional<known_element> journal_file::find(const element_key& key) {
    const mutex_guard lock(guard_);
    const auto at = known_.find(key);
    if (at == known_.end()) return std::nullopt;
    return at->second;
}

PROCPOOL_COMPILED_APART std::optional<wire::buffer> journal_file::read(const record_place& place) const try {
    return read_rest(file_, place.offset, place.length, place.sum);
} catch (const std::system_error&) {
    return std::nullopt;
}

PROCPOOL_COMPILED_APART std::exception_ptr journal_file::write(const new_records& records,
                                                               bool to_disk) noexcept {
    try {
        if (is_copy()) throw Error("procpool: a journal is written by the process that has opened it");
        const mutex_guard lock(guard_);
        write_or_throw(records, to_disk);
    } catch (...) {
        return std::current_exception();
    }
    return nullptr;
}

PROCPOOL_COMPILED_APART void journal_file::write_or_throw(const new_records& records, bool to_disk) {
    int error = os::write_at(file_, end_, records.bytes_.bytes());
    const char* what = "write";
    if (error == 0 && to_disk) {
        error = os::sync_data(file_);
        what = "fdatasync";
    }
    if (error != 0) {
        os::cut_file(file_, end_);  // what is left of it is passed over by the next who reads it
        os::throw_system_error(error, std::string(what) + " (the journal " + path_ +
                                          "; the results that came before are in it)");
    }
    for (const auto& [header, rest] : records.headers_) note(header, end_ + rest);
    end_ += records.bytes_.size();
}

}  // namespace procpool::inline v0_1::detail::journal

#endif
