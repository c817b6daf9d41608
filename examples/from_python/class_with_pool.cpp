// SPDX-License-Identifier: MIT
// A class that maps its own method over its data: "can't pickle local object" in Python.
//
//   class Model:
//       def run(self):
//           def square(x): time.sleep(1); return self.scale * x * x
//           with Pool(4) as pool: return pool.map(square, self.data)      # fails
#include <chrono>
#include <iostream>
#include <numeric>
#include <thread>
#include <vector>

#include <cereal/types/vector.hpp>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <procpool/thread_pool.hpp>

#include "start_method.hpp"

namespace mp = procpool;
using namespace std::chrono_literals;

class Model {
public:
    Model() = default;
    explicit Model(int size) : data_(static_cast<std::size_t>(size)) {
        std::iota(data_.begin(), data_.end(), 0);
    }

    /// `PoolType` is Pool or ThreadPool.
    template <class PoolType>
    std::vector<int> run() const {
        PoolType pool(4);
        const int scale = scale_;
        return pool.map(
            [scale](int x) {  // a local function: captures what it needs, by value
                std::this_thread::sleep_for(100ms);
                return scale * x * x;
            },
            data_, {.chunksize = 1});
    }

    /// A method takes the object along, once a call: it needs a serialize function.
    std::vector<int> run_method() const {
        mp::Pool pool(4);
        return pool.map(mp::partial(&Model::square, *this), data_);
    }

    template <class Archive>
    void serialize(Archive& archive) {
        archive(scale_, data_);
    }

private:
    int square(int x) const { return scale_ * x * x; }

    int scale_ = 2;
    std::vector<int> data_;
};

void print(const std::vector<int>& results) {
    for (const int x : results) std::cout << x << " ";
    std::cout << "\n";
}

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    const Model model(10);
    const auto start = std::chrono::steady_clock::now();
    print(model.run<mp::Pool>());
    print(model.run<mp::ThreadPool>());
    print(model.run_method());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::cerr << "it took " << took.count() << " s, with 2 s of sleep\n";
}
