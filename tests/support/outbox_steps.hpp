// SPDX-License-Identifier: MIT
// What a worker does with its outbox, step by step, and the pool's end of that.
#ifndef PROCPOOL_TESTS_SUPPORT_OUTBOX_STEPS_HPP
#define PROCPOOL_TESTS_SUPPORT_OUTBOX_STEPS_HPP

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/os/memfd.hpp"
#include "procpool/detail/process/worker_link.hpp"
#include "procpool/detail/worker/outbox_impl.hpp"
#include "support/worker_link.hpp"

namespace test::outbox_steps {

/// The pool's end of one worker, whose other end is an outbox in this process or in a child.
class pools_end {
public:
    pools_end() : file(os::make_memfd("test", worker::slot_memory)), memory_(file, 0, worker::slot_memory) {
        pipe = link.connect(memory_.data());
        EXPECT_GT(::fcntl(pipe.get(), F_SETPIPE_SZ, 1 << 20), 0);  // one thread plays both parts
        link.give(test::job(1), test::block(0, 1'000'000));
        link.write();
    }

    worker::black_box& box() { return *std::launder(reinterpret_cast<worker::black_box*>(memory_.data())); }
    std::byte* bytes() { return memory_.data() + worker::outbox_offset; }
    worker::outbox make_outbox() { return {box(), bytes(), std::move(pipe)}; }

    void collect() {
        std::vector<scheduler::delivery> found;
        link.collect(found);
        link.check_unfinished();
        keep(found);
    }
    void receive() {
        link.receive(~std::size_t{0});
        collect();
    }
    /// From the outbox of a worker that lives.
    void receive_early() {
        std::vector<scheduler::delivery> found;
        link.collect_early(found);
        keep(found);
    }
    /// What is there after the worker's death.
    void receive_remains() {
        link.receive_rest();
        std::vector<scheduler::delivery> found;
        EXPECT_FALSE(link.collect_remains(found));
        keep(found);
    }
    void keep(const std::vector<scheduler::delivery>& found) {
        for (const auto& one : found) {
            EXPECT_EQ(one.first, results.size());
            wire::element_reader values(one.bytes, one.stride);
            if (one.what == scheduler::delivery::kind::error_record) {
                results.push_back("error " + text(one.bytes));
                continue;
            }
            for (std::uint64_t i = 0; i < one.count; ++i) results.push_back(text(values.next()));
            EXPECT_TRUE(values.done());
        }
    }

    static std::string text(std::span<const std::byte> from) {
        return {reinterpret_cast<const char*>(from.data()), from.size()};
    }

    os::fd file;
    os::fd pipe;  // until the worker has it
    process::worker_link link;
    std::vector<std::string> results;

private:
    os::mapping memory_;
};

// ---- what a worker does: each step and the results that it adds

struct step {
    std::function<void(worker::outbox&)> act;
    std::vector<std::string> adds{};
};

inline step flat(const std::string& text) {
    return {[=](worker::outbox& box) { box.put_flat(text.data(), text.size()); }, {text}};
}
/// What quick elements do, the next of which may throw.
inline step in_a_row(const std::vector<std::string>& texts) {
    constexpr std::size_t size = 8;
    return {[=](worker::outbox& box) {
                worker::outbox::flat_results<size> results(box);
                EXPECT_GE(results.room(), std::max<std::size_t>(texts.size(), 1));
                for (const std::string& text : texts) results.put(text.data());
            },
            texts};
}
inline step encoded(const std::string& text) {
    return {[=](worker::outbox& box) {
                box.scratch().to.append(text.data(), text.size());
                box.put_encoded();
            },
            {text}};
}
inline step pinned(const std::string& text) {
    return {[=](worker::outbox& box) {
                const wire::sink to = box.scratch();
                to.to.append(text.data(), text.size());
                to.held.push_back(std::make_shared<int>(1));
                box.put_encoded();
            },
            {text}};
}
inline step failed(const std::string& text) {
    return {[=](worker::outbox& box) {
                box.scratch().to.append(text.data(), text.size());
                box.put_error();
            },
            {"error " + text}};
}
inline step flush() {
    return {[](worker::outbox& box) { box.flush(); }};
}

inline std::vector<std::string> results_of(const std::vector<step>& steps, std::size_t count) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < count; ++i) all.insert(all.end(), steps[i].adds.begin(), steps[i].adds.end());
    return all;
}

}  // namespace test::outbox_steps

#endif
