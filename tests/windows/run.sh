#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the tests of suite.txt for Windows by MinGW-w64, and runs them under Wine, in a prefix and by a server of its
# own; then consumers.sh. What is left out of them, and why, is in left_out.txt.
# Usage: run.sh SOURCE_DIR BUILD_DIR [FILTER [PROGRAM...]]
set -euo pipefail
cd "$1"
build=$2 filter=${3:-*}
[[ $build == /* ]] || build=$PWD/$build
programs=("${@:4}")
most=7200 # seconds that all may take, so that nobody waits for ever
wine=$(command -v wine64 || command -v wine || echo /usr/lib/wine/wine64)
server=$(command -v wineserver || echo /usr/lib/wine/wineserver)
all=$((${#programs[@]} == 0))
((!all)) || mapfile -t programs < <(sed -n 's/^\([a-z_]*\):.*/\1/p' tests/windows/suite.txt)

# Each subject of the tests is in a program, or in left_out.txt.
known=$(sed -n 's/^[a-z_]*: *//p' tests/windows/suite.txt | tr ' ' '\n')
for file in tests/*_test.cpp; do
    subject=$(basename "$file" _test.cpp)
    grep -qx "$subject" <<<"$known" || grep -q "^@$subject " tests/windows/left_out.txt ||
        { echo "add $subject to suite.txt or left_out.txt" && exit 1; }
done

files=("${programs[@]/#/$build/}")
files=("${files[@]/%/.exe}")
mkdir -p "$build"
make -s -f tests/windows/Makefile "B=$build" -j "${PROCPOOL_JOBS:-$(nproc)}" "${files[@]}"
began=$SECONDS

export WINEPREFIX=$build/prefix WINEDEBUG=-all WINEARCH=win64 WINEDLLOVERRIDES='mscoree,mshtml='
unset DISPLAY
[[ -d $WINEPREFIX/drive_c ]] || "$wine" wineboot -i >"$build/wineboot.log" 2>&1
"$server" -p >/dev/null 2>&1 </dev/null || true # without it each program waits a second for one
trap '"$server" -k >/dev/null 2>&1 || true' EXIT

# The names of a program's tests, one a line; then of those that a line of its log says this of.
tests_of() {
    "$wine" "$build/$1.exe" "--gtest_filter=$filter" --gtest_list_tests 2>/dev/null </dev/null | tr -d '\r' |
        sed 's/ *#.*//' | awk '/^[^ ]/ {suite = $1} /^  / {print suite $1}'
}
said() { tr -d '\r' <"$build/$2.log" | sed -n "s/^\[ *$1 *\] \([^ ,]*\.[^ ,]*\).*/\1/p" | sort -u; }

sed -n 's/^\([^#@ ][^ ]*\) .*/\1/p' tests/windows/left_out.txt | sort >"$build/left_out"
: >"$build/all"
passed=0
bad=()
for name in "${programs[@]}"; do
    begin=$SECONDS
    tests_of "$name" | sort >"$build/$name.all"
    cat "$build/$name.all" >>"$build/all"
    comm -23 "$build/$name.all" "$build/left_out" >"$build/$name.left"
    : >"$build/$name.log"
    # One that crashes or hangs ends the program; the others are run without it.
    while [[ -s $build/$name.left ]]; do
        ((SECONDS - began < most)) || { echo "not done after $most s" && exit 1; }
        # Output to a file: what a killed program has in a pipe is lost. The command line has room for some names.
        PROCPOOL_TEST_ROUNDS=${PROCPOOL_TEST_ROUNDS:-20} timeout -s KILL 900 "$wine" "$build/$name.exe" \
            "--gtest_filter=$(head -n 250 "$build/$name.left" | paste -sd:)" >>"$build/$name.log" 2>&1 </dev/null || true
        said RUN "$name" >"$build/$name.run"
        left=$(wc -l <"$build/$name.left")
        comm -23 "$build/$name.left" "$build/$name.run" >"$build/$name.rest"
        mv "$build/$name.rest" "$build/$name.left"
        (($(wc -l <"$build/$name.left") < left)) || { echo "$name does not start" && exit 1; }
    done
    said OK "$name" >"$build/$name.ok"
    said RUN "$name" >"$build/$name.run"
    mapfile -t worse < <(said SKIPPED "$name" | sort -u - "$build/$name.ok" | comm -23 "$build/$name.run" -)
    good=$(wc -l <"$build/$name.ok")
    passed=$((passed + good))
    printf '%-12s %4d passed, %d not, in %d s\n' "$name" "$good" "${#worse[@]}" $((SECONDS - begin))
    ((${#worse[@]} == 0)) || printf '    %s\n' "${worse[@]}"
    bad+=("${worse[@]}")
done

subjects=$(sed -n 's/^@\([a-z_]*\) .*/\1/p' tests/windows/left_out.txt)
# shellcheck disable=SC2086  # names without spaces
elsewhere=$(cd tests && grep -hc '^TEST' ${subjects//$'\n'/_test.cpp }_test.cpp | awk '{sum += $1} END {print sum}')
echo "$passed tests have passed under Wine; left out are $(wc -l <"$build/left_out") of the same subjects, and" \
    "$(wc -l <<<"$subjects") subjects with $elsewhere"
((${#bad[@]} == 0)) || { echo "${#bad[@]} have not: see $build/*.log" && exit 1; }
if ((all)) && [[ $filter == '*' ]]; then
    gone=$(sort "$build/all" | comm -13 - "$build/left_out")
    [[ -z $gone ]] || { printf 'there are no such tests as in left_out.txt: %s\n' "$gone" && exit 1; }
    tests/windows/consumers.sh "$PWD" "$build/consumers" "$wine"
fi
