// SPDX-License-Identifier: MIT
// The same elements as different kinds of ranges: what a call reads its input from.
#ifndef PROCPOOL_TESTS_CHAOS_INPUTS_HPP
#define PROCPOOL_TESTS_CHAOS_INPUTS_HPP

#include <cstddef>
#include <iterator>
#include <limits>
#include <list>
#include <ranges>
#include <vector>

#include "book.hpp"
#include "dice.hpp"
#include "script.hpp"

namespace chaos {

/// Can be read once, and may throw at an element.
template <class Payload>
class one_pass_input {
public:
    static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

    one_pass_input(const std::vector<script>& scripts, std::size_t throws_at)
        : scripts_(&scripts), throws_at_(throws_at) {}

    class iterator {
    public:
        using value_type = typename Payload::argument;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        explicit iterator(const one_pass_input* of) : of_(of) {}
        value_type operator*() const {
            if (at_ == of_->throws_at_) throw input_error();
            return Payload::argument_of((*of_->scripts_)[at_]);
        }
        iterator& operator++() {
            ++at_;
            return *this;
        }
        void operator++(int) { ++at_; }
        friend bool operator==(const iterator& at, std::default_sentinel_t) { return at.is_at_end(); }

    private:
        bool is_at_end() const { return at_ == of_->scripts_->size(); }

        const one_pass_input* of_;
        std::size_t at_ = 0;
    };
    iterator begin() const { return iterator(this); }
    std::default_sentinel_t end() const { return {}; }

private:
    const std::vector<script>* scripts_;
    std::size_t throws_at_;
};

/// Calls `use` with the arguments of the book's elements, as some kind of range.
template <class Payload, class Use>
void with_input(dice& random, book& of, Use use) {
    const std::vector<script>& scripts = of.scripts();
    const auto lazy = scripts | std::views::transform(&Payload::argument_of);
    switch (random.below(5)) {
        case 0: {
            std::vector<typename Payload::argument> all(lazy.begin(), lazy.end());
            use(all);
            return;
        }
        case 1: {
            const std::list<typename Payload::argument> all(lazy.begin(), lazy.end());
            use(all);
            return;
        }
        case 2: {
            std::size_t throws_at = one_pass_input<Payload>::never;
            if (!scripts.empty() && random.chance(20)) {
                throws_at = random.below(scripts.size());
                of.input_throws = true;
                of.may_end_workers();
            }
            one_pass_input<Payload> input(scripts, throws_at);
            use(input);
            return;
        }
        default: use(lazy);
    }
}

}  // namespace chaos

#endif
