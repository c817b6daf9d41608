// SPDX-License-Identifier: MIT
// What a call returns that does not compile.
#ifndef PROCPOOL_DETAIL_REFUSED_HPP
#define PROCPOOL_DETAIL_REFUSED_HPP

namespace procpool::inline v0_1::detail {

/// It goes wherever the result would, so that the refusal stays the only error.
struct refused {
    template <class T>
    operator T() const;
    template <class... Args>
    refused get(Args&&...) const;
    const refused* begin() const;
    const refused* end() const;
};

}  // namespace procpool::inline v0_1::detail

#endif
