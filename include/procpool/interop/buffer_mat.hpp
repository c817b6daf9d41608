// SPDX-License-Identifier: MIT
// cv::Mat whose elements lie where a Buffer's do: as the result of a task it is never copied. Part of
// interop/opencv.hpp.
#ifndef PROCPOOL_INTEROP_BUFFER_MAT_HPP
#define PROCPOOL_INTEROP_BUFFER_MAT_HPP

#include <cstddef>
#include <memory>
#include <opencv2/core.hpp>
#include <utility>

#include "procpool/detail/wire/buffer_memory.hpp"

namespace procpool::inline v0_1 {
namespace detail {

/// Gives cv::Mat memory as a Buffer has it.
class mat_buffer_allocator final : public cv::MatAllocator {
public:
    /// There is one. Leaked: a Mat of static lifetime needs it longer.
    static mat_buffer_allocator& instance() {
        static auto* const one = new mat_buffer_allocator;
        return *one;
    }

    cv::UMatData* allocate(int dims, const int* sizes, int type, void* data, std::size_t* step,
                           cv::AccessFlag flags, cv::UMatUsageFlags usage) const override {
        if (data) return cv::Mat::getStdAllocator()->allocate(dims, sizes, type, data, step, flags, usage);
        const std::size_t bytes = set_steps(dims, sizes, type, step);
        return keep(wire::buffer_memory(bytes), bytes);
    }
    bool allocate(cv::UMatData* data, cv::AccessFlag, cv::UMatUsageFlags) const override {
        return data != nullptr;
    }
    void deallocate(cv::UMatData* data) const override {
        if (!data || data->refcount != 0) return;
        delete static_cast<wire::buffer_memory*>(data->userdata);
        delete data;
    }

    /// A Mat over memory that a result came in.
    cv::Mat mat_over(wire::buffer_memory memory, int dims, const int* sizes, int type) const {
        cv::Mat made(dims, sizes, type, memory.data());
        made.u = keep(std::move(memory), made.total() * made.elemSize());
        made.addref();
        return made;
    }
    /// The memory of a Mat, from its first byte on, if it is of here and no other Mat shows it: what is sent
    /// without a copy changes if somebody writes to it later.
    const wire::buffer_memory* memory_of(const cv::Mat& mat) const noexcept {
        const cv::UMatData* const of = mat.u;
        if (!of || of->currAllocator != this || of->refcount != 1 || of->urefcount != 0) return nullptr;
        if (mat.data != of->data || !mat.isContinuous()) return nullptr;
        return static_cast<const wire::buffer_memory*>(of->userdata);
    }

private:
    mat_buffer_allocator() = default;

    static std::size_t set_steps(int dims, const int* sizes, int type, std::size_t* step) {
        auto bytes = static_cast<std::size_t>(CV_ELEM_SIZE(type));
        for (int d = dims - 1; d >= 0; --d) {
            if (step) step[d] = bytes;
            bytes *= static_cast<std::size_t>(sizes[d]);
        }
        return bytes;
    }
    cv::UMatData* keep(wire::buffer_memory memory, std::size_t bytes) const {
        auto kept = std::make_unique<wire::buffer_memory>(std::move(memory));
        auto* const made = new cv::UMatData(this);
        made->data = made->origdata = reinterpret_cast<unsigned char*>(kept->data());
        made->size = bytes;
        made->userdata = kept.release();
        return made;
    }
};

}  // namespace detail

namespace interop {

/// For cv::Mat::allocator, or cv::Mat::setDefaultAllocator() in an initializer of a pool: each cv::Mat has
/// its elements where a Buffer has them.
inline cv::MatAllocator* buffer_allocator() noexcept { return &detail::mat_buffer_allocator::instance(); }

/// A cv::Mat without elements, for a task to fill and return: what OpenCV's functions write into it lies
/// where a Buffer's elements do, so the caller's cv::Mat is the same memory, and nothing is copied.
///
///     cv::Mat small = mp::interop::buffer_mat();
///     cv::resize(large, small, {224, 224});
///     return small;
///
/// OpenCV may give it another size or type. What is assigned to it, as in `small = large`, is another cv::Mat
/// with memory of its own, and is copied when it is returned; so is a Mat whose elements another one shows, a
/// part of a larger one, and one of less than 64 KiB. Return it by value: a reference to a Mat that the task
/// keeps shares its elements with the caller. The memory stays for as long
/// as a cv::Mat of the caller's shows it, see Buffer; in a forked child it is not mapped.
inline cv::Mat buffer_mat() {
    cv::Mat made;
    made.allocator = buffer_allocator();
    return made;
}
/// The same with elements of no particular values. @throws cv::Exception, std::bad_alloc as cv::Mat does
inline cv::Mat buffer_mat(int rows, int cols, int type) {
    cv::Mat made = buffer_mat();
    made.create(rows, cols, type);
    return made;
}

}  // namespace interop
}  // namespace procpool::inline v0_1

#endif
