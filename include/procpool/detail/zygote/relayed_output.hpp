// SPDX-License-Identifier: MIT
// What the workers of a zygote print, on its way through the zygote to the program's streams.
#ifndef PROCPOOL_DETAIL_ZYGOTE_RELAYED_OUTPUT_HPP
#define PROCPOOL_DETAIL_ZYGOTE_RELAYED_OUTPUT_HPP

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/fd.hpp"
#include "procpool/detail/os/watch_list.hpp"
#include "procpool/detail/shared/status_lines.hpp"
#include "procpool/detail/zygote/birth.hpp"
#include "procpool/detail/zygote/output_relay.hpp"
#include "procpool/detail/zygote/output_stream.hpp"
#include "procpool/options.hpp"

namespace procpool::inline v0_1::detail::zygote {

/// Never blocks but at the end. Does nothing where workers print directly.
template <class = only_if_used>
class basic_relayed_output {
public:
    /// `status` is the file of the program's status_lines; none unless output passes through here in lines.
    basic_relayed_output(os::fd status, const worker_settings& settings) : settings_(settings) {
        if (!status) return;
        status_.emplace(std::move(status));
        status_->close_file();
        for (output_stream* const stream : {&stdout_, &stderr_}) stream->keep_below(*status_);
    }

    bool pending() const noexcept { return stdout_.pending() || stderr_.pending(); }

    void watch(os::watch_list& watched) const {
        using interest = os::watch_list::interest;
        for (const output_stream* stream : {&stdout_, &stderr_})
            if (stream->pending()) watched.add(stream->file(), interest::write);
        for (const auto& relay : relays_)
            if (!relay->to().pending()) watched.add(relay->pipe().get(), interest::read);
    }

    /// What comes through this pipe of a worker is its standard output.
    void add_output(os::fd pipe, std::uint32_t slot) { relay_from(std::move(pipe), stdout_, slot); }
    /// Is its standard error.
    std::shared_ptr<output_relay> add_errors(os::fd pipe, std::uint32_t slot) {
        return relay_from(std::move(pipe), stderr_, slot);
    }

    /// A process that a task has started may go on printing when its worker is dead.
    void relay() {
        stdout_.write();
        stderr_.write();
        std::erase_if(relays_, [](const std::shared_ptr<output_relay>& relay) { return !relay->relay(); });
    }

    /// Before the end: all that workers have printed, unless nobody reads it.
    void finish() {
        constexpr int longest_pause_ms = 1000;
        do {
            stdout_.finish(longest_pause_ms);
            stderr_.finish(longest_pause_ms);
            if (pending()) return;
            relay();
        } while (pending());
    }

private:
    std::shared_ptr<output_relay> relay_from(os::fd pipe, output_stream& to, std::uint32_t slot) {
        std::string prefix;
        if (settings_.output == worker_output::prefixed)
            prefix.append("[worker ").append(std::to_string(settings_.first_index + slot)).append("] ");
        relays_.push_back(std::make_shared<output_relay>(std::move(pipe), to, settings_.stderr_tail,
                                                         settings_.output != worker_output::direct,
                                                         std::move(prefix)));
        return relays_.back();
    }

    const worker_settings& settings_;
    std::optional<shared::status_lines> status_;
    output_stream stdout_{os::standard_output};
    output_stream stderr_{os::standard_error};
    std::vector<std::shared_ptr<output_relay>> relays_;
};
using relayed_output = basic_relayed_output<>;

}  // namespace procpool::inline v0_1::detail::zygote

#endif
