// SPDX-License-Identifier: MIT
// The pool's end of a worker whose other end is the test: frames made by hand.
#ifndef PROCPOOL_TESTS_SUPPORT_WORKER_LINK_HPP
#define PROCPOOL_TESTS_SUPPORT_WORKER_LINK_HPP

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "procpool/detail/process/worker_link.hpp"

namespace test {

namespace os = procpool::detail::os;
namespace process = procpool::detail::process;
namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;
namespace worker = procpool::detail::worker;

/// A job that keeps nothing.
class silent_job final : public scheduler::remote_job {
public:
    silent_job(std::uint64_t number, const std::string& definition, bool once = false)
        : remote_job(definition_of(definition), once) {
        id = number;
    }
    void accept(std::uint64_t, std::uint64_t, std::uint64_t, std::span<const std::byte>) override {}
    void fail(std::uint64_t, std::exception_ptr) override {}

private:
    static scheduler::task_definition definition_of(const std::string& text) {
        scheduler::task_definition definition;
        definition.bytes.append(text.data(), text.size());
        return definition;
    }
};

inline std::shared_ptr<silent_job> job(std::uint64_t number, const std::string& definition = "def",
                                       bool once = false) {
    return std::make_shared<silent_job>(number, definition, once);
}

inline scheduler::block block(std::uint64_t first, std::uint64_t count, const std::string& bytes = {}) {
    scheduler::block made;
    made.first = first;
    made.count = count;
    made.stride = count > 0 ? bytes.size() / count : 0;
    made.bytes.append(bytes.data(), bytes.size());
    return made;
}

inline std::string text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::string sized(const std::string& content) {
    const std::uint64_t size = content.size();
    return std::string(reinterpret_cast<const char*>(&size), sizeof size) + content;
}
inline std::string frame(wire::result_header header, const std::string& payload) {
    if (header.length == 0) header.length = payload.size();
    return std::string(reinterpret_cast<const char*>(&header), sizeof header) + payload;
}
inline std::string values(std::uint64_t sequence, std::uint64_t stride, const std::string& payload) {
    return frame({.sequence = sequence, .stride = stride}, payload);
}
inline std::string error(std::uint64_t sequence, const std::string& record) {
    return frame({.what = wire::result_header::kind::error, .sequence = sequence}, sized(record));
}

/// "first+count: bytes" of each delivery.
inline std::string summary(const std::vector<scheduler::delivery>& deliveries) {
    std::string all;
    for (const auto& one : deliveries)
        all += (one.what == scheduler::delivery::kind::error_record ? "error " : "") +
               std::to_string(one.job->id) + ":" + std::to_string(one.first) + "+" +
               std::to_string(one.count) + "=" + text(one.bytes) + ";";
    return all;
}

struct task_frame {
    wire::task_header header;
    std::string payload;
};

inline std::vector<task_frame> frames_of(const std::string& all) {
    wire::cursor from(std::as_bytes(std::span(all)));
    std::vector<task_frame> frames;
    while (from.left() > 0) {
        const auto header = from.value<wire::task_header>();
        frames.push_back({header, text(from.take(static_cast<std::size_t>(header.length)))});
    }
    return frames;
}

/// A worker_link, and the ends of its pipes that are its worker's.
class WorkerLink : public testing::Test {
protected:
    WorkerLink() { worker_end = link.connect(memory.data()); }

    void send_up(const std::string& bytes) {
        ASSERT_TRUE(
            os::write_all(worker_end, reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
    }
    std::string collected() {
        std::vector<scheduler::delivery> found;
        link.receive(1 << 20);
        link.collect(found);
        return summary(found);
    }
    /// What the worker has put into its outbox and not sent, from the start of its stream on.
    void put_into_outbox(const std::string& bytes, std::uint64_t open_frame = worker::black_box::no_frame) {
        std::memcpy(memory.data() + worker::outbox_offset, bytes.data(), bytes.size());
        box().open_frame = open_frame;
        box().committed = bytes.size();
    }
    std::string collected_early() {
        std::vector<scheduler::delivery> found;
        link.collect_early(found);
        return summary(found);
    }
    /// What the worker would read now.
    std::string sent_down() {
        os::set_nonblocking(link.tasks_reader());
        std::string all;
        std::array<std::byte, 4096> piece{};
        for (;;) {
            const auto got = os::read_some(link.tasks_reader(), piece.data(), piece.size());
            if (got.bytes == 0) return all;
            all += text({piece.data(), got.bytes});
        }
    }
    std::vector<task_frame> frames_down() { return frames_of(sent_down()); }
    void give(std::uint64_t first, std::uint64_t count, std::uint64_t number = 1) {
        link.give(job(number), block(first, count));
        EXPECT_TRUE(link.write());
    }
    /// As the worker does it, which knows of so many recalls.
    bool claim(std::uint64_t count, std::uint64_t recalls) {
        if (box().told.claim(claimed, count, recalls) != wire::activity::claim_end::claimed) return false;
        claimed += count;
        return true;
    }
    worker::black_box& box() { return *std::launder(reinterpret_cast<worker::black_box*>(memory.data())); }

    struct alignas(4096) pages : std::array<std::byte, worker::slot_memory> {};
    std::unique_ptr<pages> memory_owner = std::make_unique<pages>();
    pages& memory = *memory_owner;
    process::worker_link link;
    os::fd worker_end;
    std::uint64_t claimed = 0;
};

}  // namespace test

#endif
