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
# What is compiled is the same for all programs; they differ in how it is linked.
for source in "$here/../support/engine.cpp" "$here/freezing_library.cpp" "$here/forgotten.cpp"; do
    "${compile[@]}" -fPIC -c "$source" -o "$work/$(basename "$source" .cpp).o"
done
echo 'void call_freeze_support(int, char**) {}' | "$compiler" -x c++ -c - -o "$work/never.o"

link() { # PROGRAM OBJECT...
    "$compiler" -pthread "$work/forgotten.o" "${@:2}" "-Wl,-rpath,$(realpath "$work")" -ldl -o "$work/$1"
}

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

link never "$work/never.o" "$work/engine.o"
"$work/never" >"$work/printed" 2>&1 || true
expect 'never called' 'own work' '*call procpool::freeze_support(argc, argv) first in main*'
"$work/never" --procpool-process=1000 >"$work/printed" 2>&1 || true
expect 'a worker that is not stopped before' 'own work' 'procpool: process * call procpool::freeze_support(argc, argv) first in main*'

link sometimes "$work/freezing_library.o" "$work/engine.o"
"$work/sometimes" >"$work/printed" 2>&1 || true
expect 'not called in workers' 'own work' '42'

"$compiler" -pthread -shared "$work/freezing_library.o" "$work/engine.o" -o "$work/libfreezing.so"
link library "$work/libfreezing.so"
"$work/library" >"$work/printed" 2>&1 || true
expect 'not called in workers, in a library' 'own work' 'own work' \
    'procpool: process * was started to be a worker and has come to*' '*ended with exit code 1 before it called*'
