// SPDX-License-Identifier: MIT
// The positions of an outbox: each state in which a worker's instructions leave them, and a pool that reads
// at any of these moments, or while one follows the other.
//
// A worker with a short life runs here one instruction at a time. Whenever something has changed of what it
// shares with its pool, that is kept: its memory, and how much is in its pipe. A death at that instruction
// leaves just this. The pool's code then runs on what was kept.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <ostream>
#include <string>
#include <vector>

#include "procpool/detail/os/memfd.hpp"
#include "support/outbox_steps.hpp"
#include "support/rounds.hpp"
#include "support/single_steps.hpp"

namespace outbox_interleavings_test {

namespace os = procpool::detail::os;
namespace worker = procpool::detail::worker;
using namespace test::outbox_steps;

/// Frames of each kind that follow each other, are sent, or come to nothing.
std::vector<step> life_of_small_results() {
    return {flat("12345678"), flat("abcdefgh"), in_a_row({"row_of_a", "row_of_b"}),
            flat("abcd"),     in_a_row({}),     encoded("text"),
            encoded(""),      flush(),          in_a_row({}),
            flush(),          encoded("more"),  failed("why"),
            in_a_row({}),     failed("again"),  in_a_row({"after_it"}),
            pinned("held"),   flat("12345678"), flush(),
            flush(),          flat("z")};
}
/// So many that there is no room for another one: not in single steps, as they are nothing new.
step fills_it() {
    const std::string text(1000, 'F');
    const std::size_t count = worker::outbox_capacity / (text.size() + sizeof(std::uint64_t)) - 1;
    return {[=](worker::outbox& box) {
                test::run_at_once([&] {
                    for (std::size_t i = 0; i < count; ++i) encoded(text).act(box);
                });
            },
            std::vector<std::string>(count, text)};
}

/// Results that find no room in the outbox, or never have any.
std::vector<step> life_of_large_results() {
    const std::string large(worker::outbox_capacity + 1000, 'L'), text(1000, 'T');
    return {flat("12345678"), fills_it(),    encoded(text), flat(text), flat(large),
            flat("abcdefgh"), failed("why"), flat(large),   fills_it(), flat(large),
            encoded(text),    flush(),       flat("z")};
}

// ---- the worker's side

/// What a worker shared with its pool after one of its instructions.
struct state {
    std::vector<std::byte> memory;  // from the black box on, as far as the pool would look
    std::size_t sent = 0;           // bytes of the stream
    std::size_t begun = 0;          // results that it had begun to put
    std::size_t put = 0;            // of these, for which put had returned
};

class recorded_life {
public:
    explicit recorded_life(const std::vector<step>& steps) : results_(results_of(steps, steps.size())) {
        pools_end pool;
        {
            worker::outbox box = pool.make_outbox();
            std::size_t begun = 0, put = 0;
            recorder keep(pool, begun, put);
            keep.look();
            test::run_in_single_steps(
                [&] {
                    for (const step& next : steps) {
                        begun += next.adds.size();
                        next.act(box);
                        put = begun;
                    }
                },
                [&] { keep.look(); });
            states_ = keep.states();
            instructions_ = keep.looks();
        }
        stream_.resize(states_.back().sent);
        for (std::size_t got = 0; got < stream_.size();)
            got += os::read_some(pool.link.results(), stream_.data() + got, stream_.size() - got).bytes;
        add_parts_of_writes();
    }

    const std::vector<state>& states() const noexcept { return states_; }
    const std::vector<std::byte>& stream() const noexcept { return stream_; }
    const std::vector<std::string>& results() const noexcept { return results_; }
    std::size_t instructions() const noexcept { return instructions_; }

private:
    /// Takes all memory that it needs before it looks: the instruction before may be one of malloc.
    class recorder {
    public:
        recorder(pools_end& pool, const std::size_t& begun, const std::size_t& put)
            : pool_(pool),
              begun_(begun),
              put_(put),
              room_(static_cast<std::byte*>(::mmap(nullptr, room, PROT_READ | PROT_WRITE,
                                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))),
              kept_(most) {
            if (room_ == MAP_FAILED) throw std::bad_alloc();
        }
        recorder(const recorder&) = delete;
        recorder& operator=(const recorder&) = delete;
        ~recorder() { ::munmap(room_, room); }

        void look() noexcept {
            ++looks_;
            const std::byte* const memory = reinterpret_cast<const std::byte*>(&pool_.box());
            const worker::black_box& box = pool_.box();
            int sent = 0;
            ::ioctl(pool_.link.results().get(), FIONREAD, &sent);
            const std::size_t in_use = box.committed.load() - box.base.load();
            std::size_t size = worker::outbox_offset + nearby;
            // A large result that goes past the outbox is committed for a moment before the base follows.
            if (in_use <= worker::outbox_capacity) size = std::max(size, worker::outbox_offset + in_use);
            const kept now{used_, size, static_cast<std::size_t>(sent), begun_, put_};
            if (count_ > 0) {
                const kept& last = kept_[count_ - 1];
                if (last.size == now.size && last.sent == now.sent && last.begun == now.begun &&
                    last.put == now.put && std::memcmp(memory, room_ + last.at, size) == 0)
                    return;
            }
            if (count_ == most || used_ + size > room) ::abort();
            std::memcpy(room_ + used_, memory, size);
            kept_[count_++] = now;
            used_ += size;
        }
        std::vector<state> states() const {
            std::vector<state> all;
            for (const kept& one : std::span(kept_).first(count_))
                all.push_back({{room_ + one.at, room_ + one.at + one.size}, one.sent, one.begun, one.put});
            return all;
        }
        std::size_t looks() const noexcept { return looks_; }

    private:
        struct kept {
            std::size_t at, size, sent, begun, put;
        };
        static constexpr std::size_t most = 10'000, room = std::size_t{1} << 30;
        static constexpr std::size_t nearby = 2048;  // changes there count, whoever would look

        pools_end& pool_;
        const std::size_t& begun_;
        const std::size_t& put_;
        std::byte* const room_;
        std::vector<kept> kept_;
        std::size_t count_ = 0, used_ = 0, looks_ = 0;
    };

    /// The system may have taken a part of what a call writes, and the worker is still in that call.
    void add_parts_of_writes() {
        std::vector<state> all;
        for (state& next : states_) {
            if (!all.empty() && next.sent > all.back().sent) {
                const state before = all.back();
                const std::size_t written = next.sent - before.sent;
                const std::size_t by = std::max<std::size_t>(1, written / 12);
                for (std::size_t part = 1; part < written; part += by) {
                    all.push_back(before);
                    all.back().sent += part;
                }
            }
            all.push_back(std::move(next));
        }
        states_ = std::move(all);
    }

    std::vector<std::string> results_;
    std::vector<state> states_;
    std::vector<std::byte> stream_;
    std::size_t instructions_ = 0;
};

// ---- the pool's side

/// A pool whose worker is in one recorded state after the other.
class replay : public pools_end {
public:
    explicit replay(const recorded_life& life) : life_(life), workers_(file, 0, worker::slot_memory) {}

    /// As signal handlers may.
    void worker_gets_to(std::size_t number) noexcept {
        const state& next = life_.states()[number];
        std::memcpy(workers_.data(), next.memory.data(), next.memory.size());
        while (sent_ < next.sent) {
            const auto n = ::write(pipe.get(), life_.stream().data() + sent_, next.sent - sent_);
            if (n < 0) ::abort();
            sent_ += static_cast<std::size_t>(n);
        }
        at_ = number;
    }
    void worker_dies() {
        pipe.reset();
        receive_remains();
    }

    /// Nothing has come that is none of the results.
    bool is_right() const { return is_right(0); }
    /// And all are there that were put.
    bool is_complete() const { return is_right(life_.states()[at_].put); }

private:
    bool is_right(std::size_t least) const {
        return !testing::Test::HasFailure() && results.size() >= least &&
               results.size() <= life_.states()[at_].begun &&
               std::equal(results.begin(), results.end(), life_.results().begin());
    }

    const recorded_life& life_;
    const os::mapping workers_;  // as the worker has it, the same memory
    std::size_t sent_ = 0;
    std::size_t at_ = 0;
};

struct kind_of_life {
    const char* name;
    std::vector<step> (*steps)();
    std::size_t by;  // where pairs of states are tried: large states take their time
};
void PrintTo(const kind_of_life& one, std::ostream* to) { *to << one.name; }

class OutboxInterleavings : public testing::TestWithParam<kind_of_life> {
protected:
    void SetUp() override {
        if (!test::single_steps) GTEST_SKIP() << test::no_single_steps;
    }

    /// Each pair of states in scope all, or else every `n`-th; sanitizers take their time.
    static std::size_t every(std::size_t n) { return GetParam().by * (is_thorough() ? 1 : n); }
    static bool is_thorough() { return test::rounds(100) == 100 && !test::sanitized; }
};

TEST_P(OutboxInterleavings, no_result_is_lost_or_torn_wherever_the_worker_dies) {
    const recorded_life life(GetParam().steps());
    EXPECT_GT(life.states().size(), 100u);
    RecordProperty("instructions", static_cast<int>(life.instructions()));
    RecordProperty("states", static_cast<int>(life.states().size()));
    std::size_t found = 0;
    for (std::size_t death = 0; death < life.states().size(); ++death) {
        replay pool(life);
        pool.worker_gets_to(death);
        ASSERT_NO_THROW(pool.worker_dies()) << "in state " << death;
        ASSERT_TRUE(pool.is_complete())
            << "death in state " << death << ", " << pool.results.size() << " results";
        ASSERT_GE(pool.results.size(), found) << "what had survived is lost in state " << death;
        found = pool.results.size();
    }
    EXPECT_EQ(found, life.results().size());
}

/// How a pool reads.
const std::vector<std::function<void(pools_end&)>> ways_to_read{[](pools_end& pool) { pool.receive(); },
                                                                [](pools_end& pool) { pool.receive_early(); },
                                                                [](pools_end& pool) {
                                                                    pool.receive();
                                                                    pool.receive_early();
                                                                }};

TEST_P(OutboxInterleavings, no_result_is_lost_or_comes_twice_whenever_the_pool_has_read_before) {
    const recorded_life life(GetParam().steps());
    const std::size_t end = life.states().size(), by = every(5);
    for (std::size_t read = 0; read < end; read += by)
        for (std::size_t death = read + read / by % by; death < end; death += by)
            for (const auto& way : ways_to_read) {
                replay pool(life);
                pool.worker_gets_to(read);
                ASSERT_NO_THROW(way(pool)) << "read in state " << read;
                ASSERT_TRUE(pool.is_right()) << "read in state " << read;
                pool.worker_gets_to(death);
                ASSERT_NO_THROW(pool.worker_dies()) << "read in state " << read << ", death in " << death;
                ASSERT_TRUE(pool.is_complete()) << "read in state " << read << ", death in " << death;
            }
}

TEST_P(OutboxInterleavings, no_result_is_lost_or_comes_twice_if_the_pool_reads_in_each_state) {
    const recorded_life life(GetParam().steps());
    const std::size_t end = life.states().size(), by = every(5);
    for (const auto& way : ways_to_read)
        for (std::size_t death = 0; death < end; death += by) {
            replay pool(life);
            for (std::size_t read = death % by; read <= death; ++read) {
                pool.worker_gets_to(read);
                ASSERT_NO_THROW(way(pool)) << "read in state " << read;
                ASSERT_TRUE(pool.is_right()) << "read in state " << read;
            }
            ASSERT_NO_THROW(pool.worker_dies()) << "death in state " << death;
            ASSERT_TRUE(pool.is_complete()) << "death in state " << death;
        }
}

// ---- between two looks of the pool

/// Stops a reader of some memory each time before it looks there, and does something before one of these.
class before_a_look {
public:
    before_a_look(std::byte* memory, std::size_t size, std::size_t number, std::function<void()> act)
        : memory_(memory), size_(size), number_(number), act_(std::move(act)) {
        here = this;
        protect(PROT_NONE);
    }
    before_a_look(const before_a_look&) = delete;
    before_a_look& operator=(const before_a_look&) = delete;
    ~before_a_look() {
        protect(PROT_READ | PROT_WRITE);
        here = nullptr;
    }

    bool has_come() const noexcept { return looks_ >= number_; }

private:
    void protect(int as) const noexcept {
        if (::mprotect(memory_, size_, as) != 0) ::abort();
    }

    static void on_look(int signal, siginfo_t* what, void* of) {
        const auto* const at = static_cast<std::byte*>(what->si_addr);
        if (!here || at < here->memory_ || at >= here->memory_ + here->size_) {
            ::signal(signal, SIG_DFL);  // a crash like others
            return;
        }
        here->protect(PROT_READ | PROT_WRITE);
        if (++here->looks_ == here->number_)
            here->act_();
        else
            test::trap_flag::set(*static_cast<ucontext_t*>(of));
    }
    static void after_look(int, siginfo_t*, void* of) {
        test::trap_flag::clear(*static_cast<ucontext_t*>(of));
        here->protect(PROT_NONE);
    }

    static inline before_a_look* here = nullptr;
    const test::signal_action on_look_{SIGSEGV, on_look}, after_look_{SIGTRAP, after_look};
    std::byte* const memory_;
    const std::size_t size_;
    const std::size_t number_;
    const std::function<void()> act_;
    std::size_t looks_ = 0;
};

TEST_P(OutboxInterleavings, no_result_is_lost_or_torn_if_the_worker_goes_on_between_two_looks_of_the_pool) {
    const recorded_life life(GetParam().steps());
    const std::size_t end = life.states().size(), by = every(4);
    // The further ones are behind a flush, where other bytes lie in the place of those that were sent.
    std::vector<std::size_t> ahead{1, 2, 3, 5, 8, 13, 21, 34, 55};
    if (by == 1) {
        ahead.resize(80);
        std::iota(ahead.begin(), ahead.end(), std::size_t{1});
    }
    constexpr std::size_t most_looks = 40;  // of which the last ones are at one long result
    std::size_t interruptions = 0;
    for (std::size_t from = 0; from < end; from += by)
        for (const std::size_t steps : ahead)
            for (std::size_t look = 1; from + steps < end && look <= most_looks; ++look) {
                const std::size_t to = from + steps;
                const auto where = [&] {
                    return "state " + std::to_string(from) + ", before look " + std::to_string(look) +
                           " state " + std::to_string(to);
                };
                replay pool(life);
                pool.worker_gets_to(from);
                bool has_come = false;
                {
                    const before_a_look interruption(reinterpret_cast<std::byte*>(&pool.box()),
                                                     worker::slot_memory, look,
                                                     [&] { pool.worker_gets_to(to); });
                    ASSERT_NO_THROW(ways_to_read.back()(pool)) << where();
                    has_come = interruption.has_come();
                }
                if (!has_come) break;
                ++interruptions;
                ASSERT_TRUE(pool.is_right()) << where();
                ASSERT_NO_THROW(pool.worker_dies()) << where();
                ASSERT_TRUE(pool.is_complete()) << where();
            }
    EXPECT_GT(interruptions, 100u);
    RecordProperty("interruptions", static_cast<int>(interruptions));
}

INSTANTIATE_TEST_SUITE_P(With, OutboxInterleavings,
                         testing::Values(kind_of_life{"small_results", life_of_small_results, 1},
                                         kind_of_life{"large_results", life_of_large_results, 5}),
                         [](const auto& which) { return std::string(which.param.name); });

}  // namespace outbox_interleavings_test
