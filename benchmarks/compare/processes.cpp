// SPDX-License-Identifier: MIT
// procpool as an arm of the comparison.
#include <span>

#include "procpool/buffer.hpp"
#include "procpool/pool.hpp"
#include "sections.hpp"

namespace {

namespace mp = procpool;

class procpool_arm {
public:
    explicit procpool_arm(int workers) : pool_(workers) {}
    procpool_arm(int workers, void (*initializer)()) : pool_(workers, initializer) {}
    procpool_arm(const procpool_arm&) = delete;
    procpool_arm& operator=(const procpool_arm&) = delete;
    ~procpool_arm() {
        pool_.close();
        pool_.join();
    }

    template <class F, class Inputs>
    auto map(const F& function, const Inputs& inputs, std::ptrdiff_t chunk) {
        return pool_.map(function, inputs, {.chunksize = chunk ? std::optional(chunk) : std::nullopt});
    }
    template <class F, class Inputs>
    auto imap(const F& function, const Inputs& inputs) {
        return collect(pool_.imap(function, inputs));
    }
    template <class F, class Inputs>
    auto imap_unordered(const F& function, const Inputs& inputs) {
        return collect(pool_.imap_unordered(function, inputs));
    }
    template <class F, class Input>
    auto submit(const F& function, const Input& input) {
        return pool_.apply_async(function, input);
    }

private:
    template <class Results>
    static auto collect(Results results) {
        std::vector<std::ranges::range_value_t<Results>> all;
        for (auto&& result : results) all.push_back(std::move(result));
        return all;
    }

    mp::Pool pool_;
};

/// Results that are never copied.
class buffers_arm : public procpool_arm {
public:
    using procpool_arm::procpool_arm;

    auto echo(const std::vector<std::vector<double>>& inputs) {
        return map([](std::span<const double> values) { return mp::Buffer<double>(values); }, inputs, 1);
    }
};

}  // namespace

int main(int argc, char** argv) {
    return compare::run(argc, argv, [](std::string_view arm, std::string_view section, const auto& how) {
        if (arm == "buffers") return compare::payload<buffers_arm>(how);
        compare::run_section<procpool_arm>(section, how);
    });
}
