// SPDX-License-Identifier: MIT
// What goes through a worker's pipes: a header of fixed size, then `length` bytes.
#ifndef PROCPOOL_DETAIL_WIRE_FRAME_HPP
#define PROCPOOL_DETAIL_WIRE_FRAME_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "procpool/detail/wire/buffer.hpp"
#include "procpool/detail/wire/sink.hpp"

namespace procpool::inline v0_1::detail::wire {

// A sequence of encoded elements is either of one fixed `stride` in bytes, or (stride 0) each element is
// preceded by its size as a std::uint64_t, and may lie in an arena (see sink.hpp).
inline constexpr std::uint64_t variable_stride = 0;

/// Number of the job that is a pool's initializer; those of calls begin at 1.
inline constexpr std::uint64_t initializer_number = 0;
/// That of its finalizer.
inline constexpr std::uint64_t finalizer_number = ~std::uint64_t{0};

/// Down, to a worker.
struct task_header {
    static constexpr std::uint32_t magic_number = 0x31544B50;  // "PKT1"
    enum class kind : std::uint32_t {
        define,         // job's callable: the location of its task_ops, then the callable
        define_once,    // the same, forgotten after its next run
        define_again,   // the same as the last define_once
        define_shared,  // a callable that lies in an arena, behind `first` bytes of something else
        run,            // `count` elements of the job
        forget,         // the job's callable won't be needed again
        release,        // the first `count` results are received: what they refer to may go
        trim,           // nothing to do for now: memory that is kept for more work may go
        recalled,       // elements before this that were not begun were taken back, for the `count`-th time
        probe,          // whoever reads this has answered all that came before
        attempt,        // the next run is one element, for the `count`-th time
    };
    static constexpr std::uint8_t by_clock = 1;
    static constexpr std::uint8_t by_cpu_time = 2;
    static constexpr std::uint8_t noted = 4;  // its times are written down
    static constexpr std::uint8_t kept = 8;   // its result outlives the program: it refers to nothing
    std::uint32_t magic = magic_number;
    kind what{};
    std::uint64_t job = 0;
    std::uint64_t count = 0;
    std::uint64_t stride = 0;
    std::uint64_t length = 0;
    std::uint64_t call = 0;      // its number; 0 if each element is a call
    std::uint64_t first = 0;     // the first element's index, or the first call's number
    std::uint32_t together = 1;  // so many elements can be taken back only together
    std::uint16_t number = 0;    // runs before this one, so that none is missing unseen
    std::uint8_t timed = 0;      // what is to be known of each, in the bits `by_...`, `noted` and `kept`
    std::uint8_t bulk = 0;       // nobody sees a result before all are there
};

/// Up, from a worker. Results come in the order in which elements were sent, so they need no index;
/// `sequence`, the number of results before this frame, shows that both sides count alike.
struct result_header {
    static constexpr std::uint32_t magic_number = 0x31524B50;  // "PKR1"
    enum class kind : std::uint16_t { values, error };
    std::uint32_t magic = magic_number;
    kind what{};
    std::uint16_t pinned = 0;  // a value refers to something that the worker holds until `release`
    std::uint64_t sequence = 0;
    std::uint64_t stride = 0;
    std::uint64_t length = 0;

    bool is_known() const noexcept {
        return magic == magic_number && (what == kind::values || what == kind::error);
    }
};

/// Walks a sequence of encoded elements, whichever its stride.
class element_reader {
public:
    element_reader(std::span<const std::byte> bytes, std::uint64_t stride) : rest_(bytes), stride_(stride) {}

    bool done() const noexcept { return rest_.left() == 0; }
    std::span<const std::byte> next() {
        return stride_ == variable_stride ? take_bulk(rest_) : rest_.take(stride_);
    }
    /// The bytes of the next elements, sizes included: `most` of them, or all that are left; sets `count`.
    std::span<const std::byte> next_run(std::uint64_t most, std::uint64_t& count) {
        if (stride_ != variable_stride) {
            count = std::min<std::uint64_t>(most, rest_.left() / stride_);
            return rest_.take(count * stride_);
        }
        cursor ahead = rest_;
        for (count = 0; count < most && ahead.left() > 0; ++count) skip_bulk(ahead);
        return rest_.take(rest_.left() - ahead.left());
    }
    std::span<const std::byte> rest() { return rest_.take(rest_.left()); }

private:
    cursor rest_;
    std::uint64_t stride_;
};

}  // namespace procpool::inline v0_1::detail::wire

#endif
