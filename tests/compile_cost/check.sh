#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compares the memory that the compiler allocates for each program with what is committed. It is the same in
# each run, and goes with the time that the compiler takes.
# check.sh [--write | --only NAMES] COMPILER [FLAG...]
#   --write makes what is measured the bounds;   --only measures some, separated by commas
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tolerance=3 # percent
bounds=$here/bounds.txt
measured=$(mktemp)
trap 'rm -f "$measured"' EXIT
write='' programs=("$here"/programs/*.cpp)
if [[ $1 == --write ]]; then
    write=1
    shift
elif [[ $1 == --only ]]; then
    IFS=, read -ra programs <<<"$2"
    programs=("${programs[@]/#/$here/programs/}")
    programs=("${programs[@]/%/.cpp}")
    shift 2
fi

# The line TOTAL ends with the megabytes.
for program in "${programs[@]}"; do
    name=$(basename "$program" .cpp)
    report=$(LC_ALL=C "$@" -std=c++20 -pthread -O0 -DPROCPOOL_SEPARATE_COMPILATION -I "$here/../../include" \
        -ftime-report -S -o /dev/null "$program" 2>&1) || { echo "$report" && exit 1; }
    awk -v name="$name" '$1 == "TOTAL" && $NF ~ /^[0-9]+M$/ { print name, $NF + 0; found = 1 } END { exit !found }' \
        <<<"$report" >>"$measured" || { echo "$name: the compiler doesn't tell its memory" && exit 1; }
done

if [[ $write ]]; then
    {
        echo '# program MB: with g++ 12, see check.sh; written by: bash tests/compile_cost/check.sh --write g++'
        cat "$measured"
    } >"$bounds"
fi
awk -v tolerance="$tolerance" -v unit=MB -f "$here/../scripts/compare_with_bounds.awk" \
    <(grep -E "^($(IFS='|' && names=("${programs[@]##*/}") && echo "${names[*]%.cpp}")) " "$bounds" || true) "$measured" || {
    echo 'If that is as it must be: bash tests/compile_cost/check.sh --write g++' && exit 1
}
