// expect: procpool: this type can't be sent through a Connection
// SPDX-License-Identifier: MIT
#include <procpool/pipe.hpp>

#include <thread>

void run(procpool::Connection connection) { connection.send(std::thread()); }
