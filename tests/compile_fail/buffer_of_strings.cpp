// expect: procpool: the elements of a Buffer are plain data
// SPDX-License-Identifier: MIT
#include <procpool/buffer.hpp>
#include <string>

procpool::Buffer<std::string> names(3);
