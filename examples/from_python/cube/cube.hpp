// SPDX-License-Identifier: MIT
#ifndef PROCPOOL_EXAMPLES_FROM_PYTHON_CUBE_HPP
#define PROCPOOL_EXAMPLES_FROM_PYTHON_CUBE_HPP

long cube(long x);

#endif
