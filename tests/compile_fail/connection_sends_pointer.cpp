// expect: procpool: a raw pointer can't be sent
// SPDX-License-Identifier: MIT
#include <procpool/pipe.hpp>

void run(procpool::Connection connection, int* number) { connection.send(number); }
