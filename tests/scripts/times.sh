#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the last build and the last run of the tests have cost: compile seconds of each target, run seconds of each
# program's tests, and the longest single ones.
# Usage: times.sh BUILD_DIR
set -euo pipefail
build=$1

# A line of Ninja's log: start end (ms) time-stamp output hash; the last of an output counts.
echo 'compile seconds   target'
awk -F'\t' '
    NR > 1 { seconds[$4] = ($2 - $1) / 1000 }
    END {
        for (output in seconds) {
            target = output
            if (!sub(/\.dir\/.*/, "", target)) target = "(linked)"
            sub(/.*CMakeFiles\//, "", target)
            sum[target] += seconds[output]
            all += seconds[output]
        }
        for (target in sum) printf "%15.1f   %s\n", sum[target], target
        printf "%15.1f   all\n", all
    }' "$build/.ninja_log" | sort -rn

[[ -e $build/Testing/Temporary/LastTest.log ]] || exit 0
tests=$(awk '
    /^[0-9]+\/[0-9]+ Testing: / { name = $3 }
    /^Test time = / { print $4, name }' "$build/Testing/Temporary/LastTest.log")
printf '\nrun seconds   tests   suite\n'
awk '{ suite = $2; if (suite ~ /\..*\./) sub(/\.[^.]*$/, "", suite); sum[suite] += $1; count[suite]++; all += $1 }
     END { for (suite in sum) printf "%11.2f   %5d   %s\n", sum[suite], count[suite], suite
           printf "%11.2f   %5d   all\n", all, NR }' <<<"$tests" | sort -rn
printf '\nrun seconds   test\n'
sort -rn <<<"$tests" | head -40 | awk '{ printf "%11.2f   %s\n", $1, $2 }'
