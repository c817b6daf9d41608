#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds and runs main.cpp against a copy of the headers, without any build system.
# Usage: run.sh INCLUDE_DIR COMPILER WORK_DIR
set -euo pipefail
include_dir=$1 compiler=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
cp -R "$include_dir" "$work/include"
"$compiler" -std=c++20 -I "$work/include" "$(dirname "$0")/main.cpp" -pthread -o "$work/consumer"
"$work/consumer"

# With the engine in a file of its own.
echo '#include <procpool/src.hpp>' >"$work/engine.cpp"
"$compiler" -std=c++20 -I "$work/include" -DPROCPOOL_SEPARATE_COMPILATION "$(dirname "$0")/main.cpp" "$work/engine.cpp" \
    -pthread -o "$work/consumer"
"$work/consumer"
if "$compiler" -std=c++20 -I "$work/include" -fsyntax-only "$work/engine.cpp" 2>"$work/printed"; then exit 1; fi
grep -q 'define PROCPOOL_SEPARATE_COMPILATION for all their files' "$work/printed"
