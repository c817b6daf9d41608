#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Counts the instructions of each operation, and compares them with what is committed.
# check.sh PROGRAM BOUNDS WORK_DIR   a line of BOUNDS is: operation instructions
set -euo pipefail
program=$1 bounds=$2 work=$3
tolerance=5 # percent: C libraries differ, and so do processors' ways to copy

rm -rf "$work"
mkdir -p "$work"
# The same environment each time, since it lies on the stack.
if ! pid=$(env -i valgrind --tool=callgrind --callgrind-out-file="$work/%p" "$program" 2>"$work/log"); then
    cat "$work/log"
    exit 1
fi

# Each dump names what triggered it; the second of an operation is the one that counts.
for dump in "$work/$pid".*; do
    awk '/^desc: Trigger: Client Request: / { name = $NF } /^(totals|summary):/ { total = $2 }
         END { if (name) print name, total }' "$dump"
done | awk '{ last[$1] = $2 } END { for (name in last) print name, last[name] }' | sort >"$work/counts"

awk -v tolerance="$tolerance" -v unit=instructions \
    -f "$(dirname "$0")/../scripts/compare_with_bounds.awk" "$bounds" "$work/counts"
