// SPDX-License-Identifier: MIT
// The pool's calls, one after another.
#include <iostream>
#include <ranges>
#include <string>
#include <tuple>
#include <vector>

#include <procpool/partial.hpp>
#include <procpool/pool.hpp>

namespace mp = procpool;

long cube(long x) { return x * x * x; }
int add(int a, int b) { return a + b; }

void print(const std::string& what, const std::vector<long>& cubes) {
    std::cout << what << ": " << cubes.size() << " cubes, " << cubes[0] << " " << cubes[1] << " " << cubes[2]
              << " ... " << cubes.back() << "\n";
}

// [initializer]
std::string greeting;  // each worker has its own

void set_greeting(const std::string& text) { greeting = text; }
std::string greet(const std::string& name) { return greeting + ", " + name; }

void initializer() {
    mp::Pool pool(2, set_greeting, "Hello");  // every worker calls set_greeting("Hello") first
    for (const std::string& line : pool.map(greet, std::vector<std::string>{"Ada", "Grace"}))
        std::cout << line << "\n";
}
// [/initializer]

int main() {
    // [map]
    mp::Pool pool(3);  // three worker processes
    std::vector<long> cubes = pool.map(cube, std::views::iota(1, 1000));
    // [/map]
    print("map", cubes);

    // [apply_async]
    std::vector<mp::AsyncResult<long>> handles;
    for (long x = 1; x < 1000; ++x) handles.push_back(pool.apply_async(cube, x));
    cubes.clear();
    for (auto& handle : handles) cubes.push_back(handle.get());
    // [/apply_async]
    print("apply_async", cubes);

    // [lambda]
    const double scale = 0.5;
    std::vector<double> halves = pool.map([scale](long x) { return scale * static_cast<double>(x); }, cubes);
    // [/lambda]
    std::cout << "lambda: " << halves[0] << " " << halves[1] << " " << halves[2] << "\n";

    // [starmap]
    std::vector<int> sums = pool.starmap(add, std::vector<std::tuple<int, int>>{{1, 2}, {3, 4}});
    // [/starmap]
    std::cout << "starmap: " << sums[0] << " " << sums[1] << "\n";

    // [partial]
    std::vector<int> plus_two = pool.map(mp::partial(add, 2), std::views::iota(0, 3));
    // [/partial]
    std::cout << "partial: " << plus_two[0] << " " << plus_two[1] << " " << plus_two[2] << "\n";

    // [imap]
    long found = 0;
    for (long x : pool.imap(cube, std::views::iota(1))) {  // endless input, pulled only a little ahead
        if (x > 1'000'000) {
            found = x;
            break;
        }
    }
    // [/imap]
    std::cout << "imap: the first cube over a million is " << found << "\n";

    initializer();
}
