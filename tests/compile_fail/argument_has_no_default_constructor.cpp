// expect: procpool: an argument can't be serialised
// SPDX-License-Identifier: MIT
#include <procpool/pool.hpp>

#include <string>

class account {
public:
    explicit account(std::string owner) : owner_(std::move(owner)) {}
    template <class Archive>
    void serialize(Archive& archive) {
        archive(owner_);
    }

private:
    std::string owner_;
};
int balance(const account& of);

int run(procpool::Pool& pool, const account& mine) { return pool.apply_async(balance, mine).get(); }
