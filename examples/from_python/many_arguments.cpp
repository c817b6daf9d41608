// SPDX-License-Identifier: MIT
// Functions with more than one argument.
//
//   pool.map(g_of_dict, [{"a": 1, "b": 2}, {"a": 3, "b": 4}], chunksize=1)     # 3, 7
//   pool.starmap(g, [(1, 2), (3, 4)])                                          # 3, 7
//   pool.map(partial(g, 2), range(3))                                          # 2, 3, 4
//   pool.map(partial(g, b=3), range(3))                                        # 3, 4, 5
#include <iostream>
#include <map>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include <cereal/types/map.hpp>
#include <cereal/types/string.hpp>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>

#include "start_method.hpp"

namespace mp = procpool;

using Arguments = std::map<std::string, int>;

int g(int a, int b) { return a + b; }
int g_of_dict(const Arguments& arguments) { return g(arguments.at("a"), arguments.at("b")); }

void print(const std::vector<int>& results) {
    for (const int x : results) std::cout << x << " ";
    std::cout << "\n";
}

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    mp::Pool pool(2);
    print(pool.map(g_of_dict, std::vector<Arguments>{{{"a", 1}, {"b", 2}}, {{"a", 3}, {"b", 4}}},
                   {.chunksize = 1}));
    print(pool.starmap(g, std::vector<std::pair<int, int>>{{1, 2}, {3, 4}}));
    print(pool.map(mp::partial(g, 2), std::views::iota(0, 3)));
    print(pool.map([](int a) { return g(a, 3); }, std::views::iota(0, 3)));  // any but the first: a lambda
}
