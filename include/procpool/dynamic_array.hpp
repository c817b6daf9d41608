// SPDX-License-Identifier: MIT
// SharedArray<T>: a shared array whose number of dimensions is known when the program runs, as that of a
// file.
#ifndef PROCPOOL_DYNAMIC_ARRAY_HPP
#define PROCPOOL_DYNAMIC_ARRAY_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/array_options.hpp"
#include "procpool/array_shape.hpp"
#include "procpool/array_view.hpp"
#include "procpool/error.hpp"
#include "procpool/shared_array.hpp"

namespace procpool::inline v0_1 {

/// An array in shared memory, of any number of dimensions: `SharedArray<float> images({n, rows, cols});`
///
/// It has what doesn't depend on that number; view() and array() give the same elements with a fixed rank,
/// and it converts from a SharedArray of any rank, without a copy. Otherwise it is as that: see there.
template <class T>
class SharedArray<T, dynamic_rank> {
public:
    using element_type = T;
    using value_type = std::remove_cv_t<T>;
    using iterator = T*;

    /// No elements: one dimension of size 0.
    SharedArray() noexcept = default;

    /// New elements, all zero bytes; of an empty shape, one.
    /// @throws std::length_error if the sizes overflow
    /// @throws std::system_error as that of a fixed rank
    explicit SharedArray(std::vector<std::size_t> shape, const ArrayOptions& options = {})
        requires(!std::is_const_v<T>)
        : shape_(std::move(shape)), elements_({checked_size(shape_)}, options) {}

    /// Another handle of the same elements.
    template <std::size_t Rank>
        requires(Rank != dynamic_rank)
    SharedArray(const SharedArray<T, Rank>& array) : shape_(array.shape().begin(), array.shape().end()) {
        elements_.segment_ = array.segment_;
        elements_.show({array.size()}, array.segment_ ? array.offset() : 0);
    }
    /// Another handle, by which the elements can't be written to.
    template <class U>
        requires(std::is_const_v<T> && std::is_same_v<const U, T>)
    SharedArray(const SharedArray<U, dynamic_rank>& array)
        : shape_(array.shape_), elements_(array.elements_) {}

    /// Number of dimensions.
    std::size_t rank() const noexcept { return shape_.size(); }
    /// Number of elements in each dimension.
    const std::vector<std::size_t>& shape() const noexcept { return shape_; }
    /// Number of elements.
    std::size_t size() const noexcept { return elements_.size(); }
    /// Whether there are no elements.
    bool empty() const noexcept { return elements_.empty(); }
    /// Where the elements are; null if there are none.
    T* data() const noexcept { return elements_.data(); }
    /// All elements in order, the last index fastest.
    std::span<T> span() const noexcept { return elements_.span(); }
    /// Iterates over all elements in that order.
    iterator begin() const noexcept { return elements_.begin(); }
    iterator end() const noexcept { return elements_.end(); }
    /// Where other programs of the same user find the memory; see SharedArray::path().
    std::string path() const { return elements_.path(); }

    /// The element at as many indices as there are dimensions: `array.at({i, j})`.
    /// @throws std::out_of_range
    T& at(std::initializer_list<std::size_t> indices) const {
        const bool inside = indices.size() == rank() &&
                            std::equal(indices.begin(), indices.end(), shape_.begin(), std::less<>());
        if (!inside)
            throw std::out_of_range("procpool: index " +
                                    detail::shape_text({indices.begin(), indices.size()}) +
                                    " is outside of an array of shape " + detail::shape_text(shape_));
        std::size_t place = 0;
        for (std::size_t d = 0; d < rank(); ++d) place = place * shape_[d] + indices.begin()[d];
        return data()[place];
    }

    /// Sets all elements.
    void fill(const value_type& value) const
        requires(!std::is_const_v<T>)
    {
        elements_.fill(value);
    }

    /// All elements with the array's shape, which has this rank.
    /// @throws std::invalid_argument if it has another
    template <std::size_t Rank>
    ArrayView<T, Rank> view() const {
        return {data(), sizes<Rank>()};
    }
    /// Another handle of the same elements, with this rank.
    /// @throws std::invalid_argument if the array has another
    template <std::size_t Rank>
    SharedArray<T, Rank> array() const {
        SharedArray<T, Rank> same;
        same.segment_ = elements_.segment_;
        same.show(sizes<Rank>(), same.segment_ ? elements_.offset() : 0);
        return same;
    }
    /// Another handle of the same elements, in another shape.
    /// @throws std::invalid_argument if that has another number of elements
    SharedArray reshape(std::vector<std::size_t> shape) const {
        if (checked_size(shape) != size())
            throw std::invalid_argument("procpool: an array of shape " + detail::shape_text(shape_) +
                                        " can't have the shape " + detail::shape_text(shape));
        SharedArray same = *this;
        same.shape_ = std::move(shape);
        return same;
    }

    /// Whether both have the same shape and equal elements.
    friend bool operator==(const SharedArray& a, const SharedArray& b) {
        return a.shape_ == b.shape_ && std::equal(a.begin(), a.end(), b.begin());
    }

    /// For cereal, in messages between the processes of a pool.
    template <class Archive>
    void save(Archive& archive) const {
        elements_.save(archive);
        archive(shape_);
    }
    /// For cereal, in messages between the processes of a pool.
    /// @throws SerializationError if the owner is gone, or this is another kind of array
    template <class Archive>
    void load(Archive& archive) {
        elements_.load(archive);
        archive(shape_);
        std::size_t size = 0;
        try {
            size = checked_size(shape_);
        } catch (const std::length_error& error) {
            throw SerializationError(error.what());
        }
        if (size != elements_.size())
            throw SerializationError("procpool: a shared array of shape " + detail::shape_text(shape_) +
                                     " arrived with " + std::to_string(elements_.size()) + " elements");
    }

private:
    template <class, std::size_t>
    friend class SharedArray;

    static std::size_t checked_size(const std::vector<std::size_t>& shape) {
        return detail::bytes_of_shape(shape, sizeof(T)) / sizeof(T);
    }

    template <std::size_t Rank>
    std::array<std::size_t, Rank> sizes() const {
        if (rank() != Rank)
            throw std::invalid_argument("procpool: an array of shape " + detail::shape_text(shape_) +
                                        " has " + std::to_string(rank()) + " dimensions, not " +
                                        std::to_string(Rank));
        std::array<std::size_t, Rank> fixed{};
        std::copy(shape_.begin(), shape_.end(), fixed.begin());
        return fixed;
    }

    std::vector<std::size_t> shape_{0};
    SharedArray<T, 1> elements_;
};

/// Another name of SharedArray<T>, for code that says what it means: `DynamicArray<float> images(shape);`
template <class T>
using DynamicArray = SharedArray<T>;

}  // namespace procpool::inline v0_1

#endif
