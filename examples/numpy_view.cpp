// SPDX-License-Identifier: MIT
// A Python program works on a shared array in place, as a NumPy array, without a copy.
// Usage: numpy_view [PYTHON [SCRIPT]]
#include <cstdlib>
#include <iostream>
#include <string>

#include <procpool/array_output.hpp>
#include <procpool/interop/numpy.hpp>
#include <procpool/shared_array.hpp>

namespace mp = procpool;

int main(int argc, char** argv) {
    const std::string python = argc > 1 ? argv[1] : "python3";
    const std::string script = argc > 2 ? argv[2] : "examples/numpy_view.py";

    // [numpy_view]
    const auto matrix = mp::SharedArray<double, 2>::of({{1, 2, 3}, {4, 5, 6}});

    // The path is good for as long as the array lives here.
    std::string command = python + " " + script + " " + matrix.path();
    command.append(" '").append(mp::interop::numpy_dtype<double>()).append("'");
    for (const std::size_t size : matrix.shape()) command.append(" ").append(std::to_string(size));
    // [/numpy_view]
    if (std::system(command.c_str()) != 0) {
        std::cerr << "can't run " << command << "\n";
        return 1;
    }

    std::cout << "C++ sees\n" << matrix << "\n";
    return matrix == mp::SharedArray<double, 2>::of({{1, 2, 3}, {40, 50, 60}}) ? 0 : 1;
}
