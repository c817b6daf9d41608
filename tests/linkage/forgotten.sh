#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What becomes of programs that don't call freeze_support as they should: a sentence, and no second run.
# Usage: forgotten.sh WORK_DIR COMPILER [COMPILER_OPTION...]
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
work=$1 compiler=$2
shift 2
compile=("$compiler" -std=c++20 -pthread "-I$here/../../include" "-I$here/.." "$@")
rm -rf "$work"
mkdir -p "$work"
"${compile[@]}" -fPIC -c "$here/../support/engine.cpp" -o "$work/engine.o"

expect() { # WHAT LINE... : what $work/printed must be, each line by a pattern
    local what=$1 got line
    shift
    mapfile -t got <"$work/printed"
    for line in "${got[@]}"; do
        [[ -n ${1-} && $line == $1 ]] || { echo "$what: not '${1-}' but:" && cat "$work/printed" && exit 1; }
        shift
    done
    (($# == 0)) || { echo "$what: '$1' is missing" && cat "$work/printed" && exit 1; }
    echo "$what: good"
}

"${compile[@]}" -DNEVER "$here/forgotten.cpp" "$work/engine.o" -o "$work/never"
"$work/never" >"$work/printed" 2>&1 || true
expect 'never called' 'own work' '*call procpool::freeze_support(argc, argv) first in main*'
"$work/never" --procpool-process=1000 >"$work/printed" 2>&1 || true
expect 'a worker that is not stopped before' 'own work' 'procpool: process * call procpool::freeze_support(argc, argv) first in main*'

"${compile[@]}" "$here/forgotten.cpp" "$work/engine.o" -o "$work/sometimes"
"$work/sometimes" >"$work/printed" 2>&1 || true
expect 'not called in workers' 'own work' '42'

"${compile[@]}" -shared -fPIC "$here/freezing_library.cpp" "$work/engine.o" -o "$work/libfreezing.so"
"${compile[@]}" -DLIBRARY "$here/forgotten.cpp" "$work/libfreezing.so" "-Wl,-rpath,$(realpath "$work")" -o "$work/library"
"$work/library" >"$work/printed" 2>&1 || true
expect 'not called in workers, in a library' 'own work' 'own work' \
    'procpool: process * was started to be a worker and has come to*' '*it ended with exit code 1 before it called*'
