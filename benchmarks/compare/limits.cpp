// SPDX-License-Identifier: MIT
// What the system itself allows, as an arm of the comparison: two forked children, pipes and shared memory,
// no library, no error but the end.
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "arm.hpp"
#include "tasks.hpp"

namespace {

using namespace compare;

void check(bool fine, const char* call) {
    if (fine) return;
    std::perror(call);
    std::_Exit(EXIT_FAILURE);
}

/// A child with a pipe to it and one back.
struct child {
    pid_t id;
    int to, from;

    template <class Life>
    static child start(Life life) {
        std::array<int, 2> down{}, up{};
        check(::pipe(down.data()) == 0 && ::pipe(up.data()) == 0, "pipe");
        const pid_t id = ::fork();
        check(id >= 0, "fork");
        if (id == 0) {
            ::close(down[1]);
            ::close(up[0]);
            life(down[0], up[1]);
            ::_exit(0);
        }
        ::close(down[0]);
        ::close(up[1]);
        return {id, down[1], up[0]};
    }
};

/// All ends first: a child also has those of the ones before it.
void stop(const std::vector<child>& children) {
    for (const child& each : children) {
        ::close(each.to);
        ::close(each.from);
    }
    for (const child& each : children) ::waitpid(each.id, nullptr, 0);
}

std::size_t read_some(int from, void* bytes, std::size_t most) {
    const ssize_t got = ::read(from, bytes, most);
    check(got >= 0, "read");
    return static_cast<std::size_t>(got);
}
void write_all(int to, const void* bytes, std::size_t size) {
    for (auto at = static_cast<const std::byte*>(bytes); size > 0;) {
        const ssize_t put = ::write(to, at, size);
        check(put > 0, "write");
        at += put;
        size -= static_cast<std::size_t>(put);
    }
}

constexpr std::size_t window = 1024;  // numbers on their way to a child
using numbers = std::array<long, window>;

/// Answers as many numbers as a read gives, by one write.
void cube_numbers(int from, int to) {
    numbers some;
    while (const std::size_t got = read_some(from, some.data(), sizeof some)) {
        for (std::size_t i = 0; i < got / sizeof(long); ++i) some[i] = cube(some[i]);
        write_all(to, some.data(), got);
    }
}

void start(const settings& how) {
    std::vector<double> all;
    for (int i = 0; i < (how.quick ? 1 : 21); ++i) {
        all.push_back(seconds([&] {
            std::vector<child> children;
            for (int worker = 0; worker < how.workers; ++worker)
                children.push_back(child::start(cube_numbers));
            for (const child& each : children) {
                long x = 3;
                write_all(each.to, &x, sizeof x);
                check(read_some(each.from, &x, sizeof x) == sizeof x && x == 27, "echo");
            }
            stop(children);
        }));
    }
    report("start + map + stop", 1e3 * median(all), "ms");
}

/// Each child always has a window of numbers: as many as come back are sent anew.
void tasks(const settings& how) {
    std::vector<child> children;
    std::vector<pollfd> ends;
    for (int worker = 0; worker < how.workers; ++worker) {
        children.push_back(child::start(cube_numbers));
        ends.push_back({children.back().from, POLLIN, 0});
    }
    const double all = rate(how, 64'000, 4'096'000, [&](std::size_t n) {
        numbers some;
        some.fill(3);
        return seconds([&] {
            std::size_t sent = 0, received = 0;
            const auto send = [&](const child& each, std::size_t count) {
                count = std::min(count, n - sent);
                sent += count;
                write_all(each.to, some.data(), count * sizeof(long));
            };
            for (const child& each : children) send(each, window);
            while (received < n) {
                check(::poll(ends.data(), ends.size(), -1) > 0, "poll");
                for (std::size_t i = 0; i < ends.size(); ++i) {
                    if (ends[i].revents == 0) continue;
                    numbers back;
                    const std::size_t count = read_some(ends[i].fd, back.data(), sizeof back) / sizeof(long);
                    received += count;
                    send(children[i], count);
                }
            }
        });
    });
    stop(children);
    report("map c1", all, "tasks/s");
}

void apply(const settings& how) {
    const std::vector children{child::start(cube_numbers)};
    const child& only = children[0];
    std::vector<double> took;
    for (std::size_t i = 0, n = how.amount(3000); i < n; ++i) {
        took.push_back(seconds([&] {
            long x = 3;
            write_all(only.to, &x, sizeof x);
            check(read_some(only.from, &x, sizeof x) == sizeof x && x == 27, "echo");
        }));
    }
    stop(children);
    report("apply p50", 1e6 * percentile(took, 0.5), "us");
    report("apply p99", 1e6 * percentile(took, 0.99), "us");
}

/// A warm shared buffer for each child: copied in, out, in and out again.
void payload(const settings& how) {
    for (const auto& [name, size] : {std::pair("1 KiB", std::size_t{1} << 10),
                                     {"64 KiB", std::size_t{64} << 10},
                                     {"1 MiB", std::size_t{1} << 20},
                                     {"16 MiB", std::size_t{16} << 20}}) {
        std::vector<child> children;
        std::vector<std::byte*> buffers;
        for (int worker = 0; worker < how.workers; ++worker) {
            void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
            check(memory != MAP_FAILED, "mmap");
            auto* const buffer = static_cast<std::byte*>(memory);
            buffers.push_back(buffer);
            children.push_back(child::start([buffer, length = size](int from, int to) {
                std::vector<std::byte> own(length);
                char token;
                while (read_some(from, &token, 1)) {
                    std::memcpy(own.data(), buffer, length);
                    std::memcpy(buffer, own.data(), length);
                    write_all(to, &token, 1);
                }
            }));
        }
        const std::vector<std::byte> input(size, std::byte{1});
        std::vector<std::byte> output(size);
        const double all = rate(how, 4, 20'000, [&](std::size_t n) {
            return seconds([&] {
                char token = 0;
                const std::size_t step = children.size();
                for (std::size_t i = 0; i < n + step; ++i) {
                    const child& next = children[i % step];
                    if (i >= step) {
                        check(read_some(next.from, &token, 1) == 1, "read");
                        std::memcpy(output.data(), buffers[i % step], size);
                    }
                    if (i < n) {
                        std::memcpy(buffers[i % step], input.data(), size);
                        write_all(next.to, &token, 1);
                    }
                }
            });
        });
        report(std::string("echo ") + name, 2e-6 * all * static_cast<double>(size), "MB/s");
        stop(children);
        for (std::byte* buffer : buffers) ::munmap(buffer, size);
    }
}

}  // namespace

int main(int argc, char** argv) {
    return run(argc, argv, [](std::string_view, std::string_view section, const settings& how) {
        if (section == "start") start(how);
        if (section == "tasks") tasks(how);
        if (section == "apply") apply(how);
        if (section == "payload") payload(how);
    });
}
