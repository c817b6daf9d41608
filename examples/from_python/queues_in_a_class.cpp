// SPDX-License-Identifier: MIT
// A worker loop between two queues: the loop is the initializer of a pool, so that its workers never do
// anything else.
//
//   for x in data: in_queue.put(x)
//   pool = Pool(4, worker_loop, (in_queue, out_queue))
//   while len(results) < len(data): results.append(out_queue.get())
//   pool.terminate()
#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>
#include <vector>

#include <procpool/pool.hpp>
#include <procpool/queue.hpp>

#include "start_method.hpp"

namespace mp = procpool;
using namespace std::chrono_literals;

class Squares {
public:
    std::vector<int> run(const std::vector<int>& data) const {
        for (const int x : data) in_.put(x);
        mp::Pool pool(4, worker_loop, in_, out_);
        std::vector<int> results;
        while (results.size() < data.size()) results.push_back(out_.get());
        pool.terminate();
        return results;
    }

private:
    using Queue = mp::Queue<int>;

    static void worker_loop(const Queue& in, const Queue& out) {
        for (;;) {
            const int x = in.get();
            std::this_thread::sleep_for(50ms);
            out.put(x * x);
        }
    }

    Queue in_;
    Queue out_;
};

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    std::vector<int> results = Squares().run({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    std::ranges::sort(results);  // they come as they are ready
    for (const int x : results) std::cout << x << " ";
    std::cout << "\n";
}
