// SPDX-License-Identifier: MIT
// ListProxy, DictProxy and NamespaceProxy: the containers of a manager.
#ifndef PROCPOOL_MANAGED_HPP
#define PROCPOOL_MANAGED_HPP

#include <any>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "procpool/detail/utf8.hpp"
#include "procpool/proxy.hpp"

namespace procpool::inline v0_1 {
namespace detail {

/// Input iterator over a copy of a container, which it shares with its own copies.
template <class Container>
class snapshot_iterator {
public:
    using value_type = std::ranges::range_value_t<Container>;
    using difference_type = std::ptrdiff_t;

    snapshot_iterator() = default;
    explicit snapshot_iterator(Container all)
        : all_(std::make_shared<const Container>(std::move(all))), at_(all_->begin()) {}
    decltype(auto) operator*() const { return *at_; }
    snapshot_iterator& operator++() {
        ++at_;
        return *this;
    }
    void operator++(int) { ++at_; }
    friend bool operator==(const snapshot_iterator& it, std::default_sentinel_t) noexcept {
        return it.at_ == it.all_->end();
    }

private:
    std::shared_ptr<const Container> all_;
    typename Container::const_iterator at_;
};

/// `index` if there is such an element.
inline std::size_t checked_index(std::size_t index, std::size_t size) {
    if (index >= size)
        throw std::out_of_range("procpool: list index " + std::to_string(index) + " in a list of " +
                                std::to_string(size));
    return index;
}

}  // namespace detail

/// A list in a manager's process; mirrors the list of Python's managers. Elements are copies.
template <class T>
class ListProxy : public Proxy<std::vector<T>> {
    using list = std::vector<T>;
    using difference = typename list::difference_type;

public:
    ListProxy() noexcept = default;
    /// Of a vector that Manager::create() has made.
    explicit ListProxy(Proxy<list> proxy) noexcept : Proxy<list>(std::move(proxy)) {}

    /// Appends an element.
    void push_back(const T& value) const {
        this->call([](list& all, const T& one) { all.push_back(one); }, value);
    }
    /// The same by Python's name.
    void append(const T& value) const { push_back(value); }
    /// Appends all of them at once.
    void extend(const std::vector<T>& values) const {
        this->call([](list& all, const list& more) { all.insert(all.end(), more.begin(), more.end()); },
                   values);
    }
    /// A copy of the element. @throws std::out_of_range
    T operator[](std::size_t index) const {
        return this->call(
            [](list& all, std::size_t i) -> T { return all[detail::checked_index(i, all.size())]; }, index);
    }
    /// Replaces the element with this index.
    /// @throws std::out_of_range
    void set(std::size_t index, const T& value) const {
        this->call(
            [](list& all, std::size_t i, const T& one) { all[detail::checked_index(i, all.size())] = one; },
            index, value);
    }
    /// Puts it in front of the element with this index, or at the end. @throws std::out_of_range
    void insert(std::size_t index, const T& value) const {
        this->call(
            [](list& all, std::size_t i, const T& one) {
                const std::size_t at = detail::checked_index(i, all.size() + 1);
                all.insert(all.begin() + static_cast<difference>(at), one);
            },
            index, value);
    }
    /// Takes the element with this index out.
    /// @throws std::out_of_range
    void erase(std::size_t index) const { static_cast<void>(pop(index)); }
    /// Takes the last element out. @throws std::out_of_range if there is none
    T pop() const {
        return this->call([](list& all) -> T {
            if (all.empty()) throw std::out_of_range("procpool: pop from an empty list");
            T last = std::move(all.back());
            all.pop_back();
            return last;
        });
    }
    /// Takes the element with this index out. @throws std::out_of_range
    T pop(std::size_t index) const {
        return this->call(
            [](list& all, std::size_t i) -> T {
                const auto at = all.begin() + static_cast<difference>(detail::checked_index(i, all.size()));
                T one = std::move(*at);
                all.erase(at);
                return one;
            },
            index);
    }
    /// Takes all elements out.
    void clear() const {
        this->call([](list& all) { all.clear(); });
    }
    /// Number of elements.
    std::size_t size() const {
        return this->call([](list& all) { return all.size(); });
    }
    /// Whether there are no elements.
    bool empty() const { return size() == 0; }
    /// A copy of all elements.
    std::vector<T> to_vector() const {
        return this->call([](list& all) -> list { return all; });
    }
    /// Iterates over a copy.
    detail::snapshot_iterator<list> begin() const { return detail::snapshot_iterator<list>(to_vector()); }
    std::default_sentinel_t end() const noexcept { return {}; }
};

/// A dictionary in a manager's process, in the order of its keys; mirrors the dict of Python's managers.
template <class K, class V>
class DictProxy : public Proxy<std::map<K, V>> {
    using dict = std::map<K, V>;

public:
    /// All pairs of key and value.
    using items_type = std::vector<std::pair<K, V>>;

    DictProxy() noexcept = default;
    /// Of a map that Manager::create() has made.
    explicit DictProxy(Proxy<dict> proxy) noexcept : Proxy<dict>(std::move(proxy)) {}

    /// A copy of the value. @throws std::out_of_range if there is no such key
    V operator[](const K& key) const {
        auto found = get(key);
        if (!found) throw std::out_of_range("procpool: the dict has no such key");
        return std::move(*found);
    }
    /// The same, or nothing.
    std::optional<V> get(const K& key) const {
        // As a list, since optional needs another header of cereal's.
        auto found = this->call(
            [](dict& all, const K& wanted) {
                std::vector<V> value;
                if (const auto at = all.find(wanted); at != all.end()) value.push_back(at->second);
                return value;
            },
            key);
        if (found.empty()) return std::nullopt;
        return std::optional<V>(std::move(found.front()));
    }
    /// A copy of the value, or `otherwise` if there is no such key.
    V get(const K& key, V otherwise) const {
        auto found = get(key);
        return found ? std::move(*found) : std::move(otherwise);
    }
    /// Sets the value of a key, new or not.
    void set(const K& key, const V& value) const {
        this->call([](dict& all, const K& k, const V& v) { all.insert_or_assign(k, v); }, key, value);
    }
    /// Sets all of them at once.
    void update(const std::map<K, V>& values) const {
        this->call(
            [](dict& all, const items_type& more) {
                for (const auto& [k, v] : more) all.insert_or_assign(k, v);
            },
            items_type(values.begin(), values.end()));
    }
    /// Whether there is such a key.
    bool contains(const K& key) const {
        return this->call([](dict& all, const K& wanted) { return all.contains(wanted); }, key);
    }
    /// Takes a key and its value out.
    /// @return whether there was such a key
    bool erase(const K& key) const {
        return this->call([](dict& all, const K& wanted) { return all.erase(wanted) > 0; }, key);
    }
    /// Takes all keys out.
    void clear() const {
        this->call([](dict& all) { all.clear(); });
    }
    /// Number of keys.
    std::size_t size() const {
        return this->call([](dict& all) { return all.size(); });
    }
    /// Whether there are no keys.
    bool empty() const { return size() == 0; }

    /// Copies of all pairs, of all keys, of all values.
    items_type items() const {
        return this->call([](dict& all) { return items_type(all.begin(), all.end()); });
    }
    /// Copies of all keys.
    std::vector<K> keys() const {
        return this->call([](dict& all) {
            std::vector<K> found;
            for (const auto& one : all) found.push_back(one.first);
            return found;
        });
    }
    /// Copies of all values, in the order of their keys.
    std::vector<V> values() const {
        return this->call([](dict& all) {
            std::vector<V> found;
            for (const auto& one : all) found.push_back(one.second);
            return found;
        });
    }
    /// A copy of all.
    std::map<K, V> to_map() const {
        std::map<K, V> copy;
        for (auto& one : items()) copy.insert(std::move(one));
        return copy;
    }
    /// Iterates over a copy of the pairs.
    detail::snapshot_iterator<items_type> begin() const {
        return detail::snapshot_iterator<items_type>(items());
    }
    std::default_sentinel_t end() const noexcept { return {}; }
};

/// Values of all types by name, in a manager's process; mirrors the Namespace of Python's managers.
class NamespaceProxy : public Proxy<std::map<std::string, std::any>> {
    using attributes = std::map<std::string, std::any>;

public:
    NamespaceProxy() noexcept = default;
    /// Of a map that Manager::create() has made.
    explicit NamespaceProxy(Proxy<attributes> proxy) noexcept : Proxy(std::move(proxy)) {}

    /// Sets the value of a name, new or not.
    template <class T>
    void set(const std::string& name, const T& value) const {
        using kept = detail::wire::wire_type_t<T>;
        call([](attributes& all, const std::string& which, const kept& one) { all[which] = one; }, name,
             value);
    }
    /// A copy of the value.
    /// @throws std::out_of_range if there is none of this name
    /// @throws std::invalid_argument if it is of another type
    template <class T>
    T get(const std::string& name) const {
        return call(
            [](attributes& all, const std::string& which) -> T {
                const auto at = all.find(which);
                if (at == all.end())
                    throw std::out_of_range("procpool: the namespace has no attribute '" +
                                            detail::valid_utf8(which) + "'");
                if (const T* const value = std::any_cast<T>(&at->second)) return *value;
                throw std::invalid_argument("procpool: the attribute '" + detail::valid_utf8(which) +
                                            "' is a " + detail::type_name(at->second.type()) + ", not a " +
                                            detail::type_name(typeid(T)));
            },
            name);
    }
    /// Whether there is a value of this name.
    template <class = detail::only_if_used>
    bool contains(const std::string& name) const {
        return call([](attributes& all, const std::string& which) { return all.contains(which); }, name);
    }
    /// Takes the value of this name out.
    /// @return whether there was one
    template <class = detail::only_if_used>
    bool erase(const std::string& name) const {
        return call([](attributes& all, const std::string& which) { return all.erase(which) > 0; }, name);
    }
};

}  // namespace procpool::inline v0_1

#endif
