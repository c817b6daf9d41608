// SPDX-License-Identifier: MIT
// The shared memory of a loader's batches.
#ifndef PROCPOOL_DETAIL_LOADER_BATCH_MEMORY_HPP
#define PROCPOOL_DETAIL_LOADER_BATCH_MEMORY_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>

#include "procpool/array_shape.hpp"
#include "procpool/detail/loader/batch_plan.hpp"
#include "procpool/detail/loader/free_slots.hpp"
#include "procpool/detail/loader/run_samples.hpp"
#include "procpool/shared_array.hpp"

namespace procpool::inline v0_1::detail::loader {

/// The memory of a loader's batches. It lives as long as the loader or a batch does.
template <class... Arrays>
struct batch_memory {
    batch_memory(std::uint32_t slots, std::size_t batch_size, const Arrays&... arrays)
        : free(slots),
          run({1}),
          states({std::size_t{slots}, batch_size}),
          parts(make(slots, batch_size, arrays)...) {}

    template <class Array>
    static SharedArray<typename Array::element, Array::rank + 2> make(std::uint32_t slots,
                                                                      std::size_t batch_size,
                                                                      const Array& array) {
        std::array<std::size_t, Array::rank + 2> shape{slots, batch_size};
        std::copy(array.shape.begin(), array.shape.end(), shape.begin() + 2);
        return SharedArray<typename Array::element, Array::rank + 2>(ArrayShape<Array::rank + 2>(shape));
    }

    /// The places behind those that are missing move up.
    void close_gaps(const open_batch& batch) const {
        std::apply([&](const auto&... each) { (close_gaps_in(each, batch), ...); }, parts);
    }
    template <class T, std::size_t Rank>
    static void close_gaps_in(const SharedArray<T, Rank>& array, const open_batch& batch) {
        const auto stride = static_cast<std::size_t>(array.strides()[1]);
        T* const first = array[batch.slot].data();
        std::size_t to = batch.missing.front();
        for (std::size_t gap = 0; gap < batch.missing.size(); ++gap) {
            const std::size_t from = batch.missing[gap] + std::size_t{1};
            const std::size_t end =
                gap + 1 < batch.missing.size() ? batch.missing[gap + 1] : batch.samples.size();
            std::memmove(first + to * stride, first + from * stride, (end - from) * stride * sizeof(T));
            to += end - from;
        }
    }

    free_slots free;
    SharedArray<std::uint64_t, 1> run;
    SharedArray<sample_state, 2> states;
    typename sample_memory<Arrays...>::slots parts;
};

}  // namespace procpool::inline v0_1::detail::loader

#endif
