// SPDX-License-Identifier: MIT
// ElementResult: what became of an element of a map, as MapOptions::on_result is told.
#ifndef PROCPOOL_ELEMENT_RESULT_HPP
#define PROCPOOL_ELEMENT_RESULT_HPP

#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "procpool/outcome.hpp"

namespace procpool::inline v0_1 {

namespace detail {
/// @throws Error
[[noreturn]] void throw_other_type(const std::type_info& asked_for, const std::type_info& is);
}  // namespace detail

/// What became of one element. It refers to the result, and is good for as long as the callback runs.
class ElementResult {
public:
    /// As the library makes it: `value` is a `type`, or there is an error.
    ElementResult(std::uint64_t index, const void* value, const std::type_info& type,
                  std::exception_ptr error)
        : index_(index), value_(value), type_(&type), error_(std::move(error)) {}

    /// Its position in the input.
    std::uint64_t index() const noexcept { return index_; }
    /// Whether the task returned.
    bool has_value() const noexcept { return !error_; }
    /// The same.
    explicit operator bool() const noexcept { return has_value(); }

    /// The value, of the type that the task returns: `result.value<double>()`.
    /// @throws the element's error if it failed; Error if the task returns another type
    template <class T>
    std::add_lvalue_reference_t<const T> value() const {
        if (error_) std::rethrow_exception(error_);
        if (*type_ != typeid(T)) detail::throw_other_type(typeid(T), *type_);
        if constexpr (!std::is_void_v<T>) return *static_cast<const T*>(value_);
    }

    /// The error; null if the task returned.
    const std::exception_ptr& error() const noexcept { return error_; }
    /// The error's text, for messages; empty if there is none.
    std::string what() const { return detail::text_of(error_); }

private:
    std::uint64_t index_;
    const void* value_;
    const std::type_info* type_;
    std::exception_ptr error_;
};

}  // namespace procpool::inline v0_1

#ifndef PROCPOOL_SEPARATE_COMPILATION
#include "procpool/detail/element_result_impl.hpp"
#endif

#endif
