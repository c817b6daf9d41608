// expect: procpool: this is a handle of memory that lives no longer than its processes
// SPDX-License-Identifier: MIT
#include <cereal/archives/json.hpp>
#include <procpool/shared_array.hpp>

void write(cereal::JSONOutputArchive& archive, const procpool::SharedArray<int, 1>& array) { archive(array); }
