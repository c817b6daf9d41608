#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the tests of suite.txt for Windows by MinGW-w64, and runs them under Wine, in a prefix and by a server of its
# own. What is left out of them, and why, is in left_out.txt.
# Usage: run.sh SOURCE_DIR BUILD_DIR [FILTER]
set -euo pipefail
cd "$1"
build=$2 filter=${3-}
[[ $build == /* ]] || build=$PWD/$build
wine=$(command -v wine64 || command -v wine || echo /usr/lib/wine/wine64)
server=$(command -v wineserver || echo /usr/lib/wine/wineserver)

mkdir -p "$build"
make -s -f tests/windows/Makefile "B=$build" -j "${PROCPOOL_JOBS:-$(nproc)}"
mapfile -t programs < <(sed -n 's/^\([^# ]*\).*/\1/p' tests/windows/suite.txt)

export WINEPREFIX=$build/prefix WINEDEBUG=-all WINEARCH=win64 WINEDLLOVERRIDES='mscoree,mshtml='
unset DISPLAY
[[ -d $WINEPREFIX/drive_c ]] || "$wine" wineboot -i >"$build/wineboot.log" 2>&1
"$server" -p >/dev/null 2>&1 </dev/null || true # without it each program waits a second for one
trap '"$server" -k >/dev/null 2>&1 || true' EXIT

failed=()
passed=0
for name in "${programs[@]}"; do
    # Output to a file: what a killed program has in a pipe is lost.
    if timeout -s KILL 300 "$wine" "$build/$name.exe" --gtest_brief=1 --gtest_filter="$(
        excluded=$(sed -n 's/^\([A-Z][^ ]*\) .*/\1/p' tests/windows/left_out.txt | paste -sd:)
        echo "${filter:-*}${excluded:+-$excluded}"
    )" >"$build/$name.log" 2>&1 </dev/null; then
        count=$(sed -n 's/.*\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$build/$name.log" | tail -n 1)
        passed=$((passed + ${count:-0}))
        printf '%-20s %s passed\n' "$name" "${count:-0}"
    else
        failed+=("$name")
        printf '%-20s FAILED\n' "$name"
        tail -n 30 "$build/$name.log"
    fi
done
echo "$passed tests have passed under Wine, $(grep -c '^[A-Z]' tests/windows/left_out.txt || true) of these programs are left out"
((${#failed[@]} == 0)) || { echo "failed: ${failed[*]}" && exit 1; }
