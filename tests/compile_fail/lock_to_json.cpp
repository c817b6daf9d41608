// expect: procpool: this is a handle of memory that lives no longer than its processes
// SPDX-License-Identifier: MIT
#include <cereal/archives/json.hpp>
#include <procpool/lock.hpp>

void write(cereal::JSONOutputArchive& archive, const procpool::Lock& lock) { archive(lock); }
