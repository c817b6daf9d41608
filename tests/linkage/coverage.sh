#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What workers have run is counted for coverage, by gcc and by clang.
# Usage: coverage.sh WORK_DIR COMPILER [COMPILER_OPTION...]
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
work=$1 compiler=$2
shift 2
rm -rf "$work"
mkdir -p "$work"
cd "$work"
"$compiler" -std=c++20 -O0 -pthread "-I$here/../../include" "$@" -c "$here/coverage.cpp" -o main.o

expect() { # WHAT COUNT: 1000 runs of the task
    [[ $2 == 1000 ]] || { echo "$1: the task was counted ${2:-no} times and not 1000" && exit 1; }
    echo "$1: good"
}

if command -v gcov >gcov.path && g++ --coverage -O0 -c "$here/coverage_tasks.cpp" -o tasks.o; then
    "$compiler" --coverage -pthread main.o tasks.o -ldl -lrt -o gcc_program 2>link.log ||
        g++ --coverage -pthread main.o tasks.o -ldl -lrt -o gcc_program
    ./gcc_program
    gcov tasks.gcda >gcov.log
    expect gcov "$(awk -F: '/in workers only/ { print $1 + 0 }' coverage_tasks.cpp.gcov)"
fi
for clang in clang++ "$compiler"; do
    profdata=llvm-profdata${clang#*clang++}
    [[ $clang == *clang++* ]] && command -v "$clang" "$profdata" >found || continue
    "$clang" -fprofile-instr-generate -fcoverage-mapping -O0 -c "$here/coverage_tasks.cpp" -o tasks_clang.o
    "$clang" -fprofile-instr-generate -pthread main.o tasks_clang.o -ldl -lrt -o clang_program 2>link.log || continue
    LLVM_PROFILE_FILE=%p.profraw ./clang_program
    "$profdata" merge -o all.profdata ./*.profraw
    expect "$clang" "$("$profdata" show --all-functions --counts all.profdata |
        awk '/Function count/ { print $3; exit }')"
    rm ./*.profraw
done
