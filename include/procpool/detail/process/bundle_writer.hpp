// SPDX-License-Identifier: MIT
// Writes a bundle for each element of which a worker has died: see worker/bundle.hpp.
#ifndef PROCPOOL_DETAIL_PROCESS_BUNDLE_WRITER_HPP
#define PROCPOOL_DETAIL_PROCESS_BUNDLE_WRITER_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/os/module.hpp"
#include "procpool/detail/os/new_file.hpp"
#include "procpool/detail/os/pipe.hpp"
#include "procpool/detail/os/process.hpp"
#include "procpool/detail/os/program.hpp"
#include "procpool/detail/process/post_mortem.hpp"
#include "procpool/detail/scheduler/block.hpp"
#include "procpool/detail/scheduler/remote_job.hpp"
#include "procpool/detail/wire/frame.hpp"
#include "procpool/detail/worker/bundle.hpp"

namespace procpool::inline v0_1::detail::process {

/// Where bundles go, and what is the same in all of a pool.
struct bundle_options {
    std::string folder;     // absolute; none are written if empty
    std::string directory;  // that workers start in
    std::vector<std::string> environment;
};

template <class = only_if_used>
class basic_bundle_writer {
public:
    basic_bundle_writer(bundle_options options, std::uint64_t pool_seed)
        : options_(std::move(options)), pool_seed_(pool_seed) {}

    bool is_wanted() const noexcept { return !options_.folder.empty(); }

    /// Of a worker that died in `initializer`, or if that had returned, in `element` of `job`.
    struct death {
        const scheduler::remote_job& job;
        const scheduler::block& element;
        std::uint64_t place;  // in its job
        const scheduler::remote_job* initializer;
        const scheduler::block& initializer_arguments;
        std::uint32_t worker;
        const post_mortem& found;
    };
    /// If one is wanted, and the element isn't run again.
    /// @return what is to be told behind the error's text
    std::string write(const death& of) noexcept try {
        if (!is_wanted() || of.element.attempts.size() < of.job.retries ||
            of.job.id == wire::finalizer_number)
            return {};
        if (written_ == most)
            return "; no bundle, since the pool has written " + std::to_string(most) + " already";
        const bool in_initializer = &of.job == of.initializer;
        const bool are_calls = of.job.elements_are_calls();
        const os::module_id build = os::program_id();
        worker::bundle all{.build = build.is_build_id() ? build.text() : std::string(),
                           .message = of.found.text(),
                           .directory = options_.directory,
                           .environment = options_.environment};
        all.may_refer_to_objects = refers(of.job, of.element) ||
                                   (of.initializer && refers(*of.initializer, of.initializer_arguments));
        all.worker = of.worker;
        all.pool_seed = pool_seed_;
        all.call = are_calls ? 0 : of.job.id;
        all.index = of.place + (are_calls ? of.job.id : 0);
        if (of.initializer) all.initializer = call_of(*of.initializer, of.initializer_arguments);
        if (!in_initializer) all.element = call_of(of.job, of.element);
        const std::string path =
            options_.folder + "/" + std::to_string(os::current_pid()) + "-" +
            (in_initializer ? "initializer"
                            : "call" + std::to_string(are_calls ? all.index : all.call) + "-element" +
                                  std::to_string(of.job.index_told(of.place))) +
            ".bundle";
        const wire::buffer bytes = worker::encode_bundle(all);
        os::write_all(os::new_private_file(path), bytes.data(), bytes.size());
        ++written_;
        const auto command = os::own_arguments();
        return "; run it alone: PROCPOOL_REPLAY=" + path + " " +
               (command.empty() ? "PROGRAM" : command.front());
    } catch (const std::exception& error) {
        return std::string("; no bundle: ") + error.what();
    }

private:
    static constexpr std::size_t most = 100;

    static bool refers(const scheduler::remote_job& job, const scheduler::block& element) noexcept {
        return !element.pins.empty() || !job.pins.empty();
    }
    static worker::encoded_call call_of(const scheduler::remote_job& job, const scheduler::block& element) {
        wire::element_reader reader(element.payload(), element.stride);
        std::uint64_t count = 0;
        return {
            .definition = job.definition(), .stride = element.stride, .arguments = reader.next_run(1, count)};
    }

    const bundle_options options_;
    const std::uint64_t pool_seed_;
    std::size_t written_ = 0;
};
using bundle_writer = basic_bundle_writer<>;

}  // namespace procpool::inline v0_1::detail::process

#endif
