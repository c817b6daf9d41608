// SPDX-License-Identifier: MIT
// SetProxy: a set in a manager's process.
#ifndef PROCPOOL_MANAGED_SET_HPP
#define PROCPOOL_MANAGED_SET_HPP

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "procpool/managed.hpp"
#include "procpool/proxy.hpp"

namespace procpool::inline v0_1 {

/// A set in a manager's process, in order; mirrors the set of Python's managers. Elements are copies, and
/// each call is one step that nobody else sees the middle of.
template <class T>
class SetProxy : public Proxy<std::set<T>> {
    using set = std::set<T>;
    using list = std::vector<T>;  // how elements travel: a set needs another header of cereal's

public:
    SetProxy() noexcept = default;
    /// Of a set that Manager::create() has made.
    explicit SetProxy(Proxy<set> proxy) noexcept : Proxy<set>(std::move(proxy)) {}

    /// Adds an element. @return whether it is new: of several processes that add it, one is told so
    bool add(const T& value) const {
        return this->call([](set& all, const T& one) { return all.insert(one).second; }, value);
    }
    /// Takes an element out. @return whether it was there
    bool discard(const T& value) const {
        return this->call([](set& all, const T& one) { return all.erase(one) > 0; }, value);
    }
    /// Takes an element out. @throws std::out_of_range if it isn't there
    void remove(const T& value) const {
        if (!discard(value)) throw std::out_of_range("procpool: the set has no such element");
    }
    /// Takes the lowest element out. @throws std::out_of_range if there is none
    T pop() const {
        return this->call([](set& all) -> T {
            if (all.empty()) throw std::out_of_range("procpool: pop from an empty set");
            return std::move(all.extract(all.begin()).value());
        });
    }
    /// Takes all elements out.
    void clear() const {
        this->call([](set& all) { all.clear(); });
    }
    /// Whether it is there.
    bool contains(const T& value) const {
        return this->call([](set& all, const T& one) { return all.contains(one); }, value);
    }
    /// Number of elements.
    std::size_t size() const {
        return this->call([](set& all) { return all.size(); });
    }
    /// Whether there are no elements.
    bool empty() const { return size() == 0; }

    /// Adds all of these.
    void update(const std::set<T>& others) const {
        this->call([](set& all, const list& more) { all.insert(more.begin(), more.end()); }, list_of(others));
    }
    /// Keeps those that are among these.
    void intersection_update(const std::set<T>& others) const {
        this->call(
            [](set& all, const list& kept) {
                std::erase_if(
                    all, [&](const T& one) { return !std::binary_search(kept.begin(), kept.end(), one); });
            },
            list_of(others));
    }
    /// Takes these out.
    void difference_update(const std::set<T>& others) const {
        this->call(
            [](set& all, const list& out) {
                for (const T& one : out) all.erase(one);
            },
            list_of(others));
    }
    /// Takes those of these out that are there, and adds the others.
    void symmetric_difference_update(const std::set<T>& others) const {
        this->call(
            [](set& all, const list& turned) {
                for (const T& one : turned)
                    if (all.erase(one) == 0) all.insert(one);
            },
            list_of(others));
    }
    /// Whether all of it are among these.
    bool issubset(const std::set<T>& others) const {
        return this->call(
            [](set& all, const list& whole) {
                return std::includes(whole.begin(), whole.end(), all.begin(), all.end());
            },
            list_of(others));
    }
    /// Whether all of these are in it.
    bool issuperset(const std::set<T>& others) const {
        return this->call(
            [](set& all, const list& part) {
                return std::includes(all.begin(), all.end(), part.begin(), part.end());
            },
            list_of(others));
    }
    /// Whether none of these is in it.
    bool isdisjoint(const std::set<T>& others) const {
        return this->call(
            [](set& all, const list& some) {
                return std::none_of(some.begin(), some.end(),
                                    [&](const T& one) { return all.contains(one); });
            },
            list_of(others));
    }

    /// A copy of all.
    std::set<T> to_set() const {
        list all = elements();
        return std::set<T>(std::make_move_iterator(all.begin()), std::make_move_iterator(all.end()));
    }
    /// Iterates over a copy.
    detail::snapshot_iterator<list> begin() const { return detail::snapshot_iterator<list>(elements()); }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    static list list_of(const std::set<T>& values) { return list(values.begin(), values.end()); }
    list elements() const {
        return this->call([](set& all) -> list { return list(all.begin(), all.end()); });
    }
};

}  // namespace procpool::inline v0_1

#endif
