#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The engine compiled apart: in programs, in libraries, in several of them, and beside files that have all in headers.
# Usage: engine.sh WORK_DIR COMPILER [COMPILER_OPTION...]
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
work=$1 compiler=$2
shift 2
headers=("$compiler" -std=c++20 -pthread -fPIC "-I$here/../../include" "$@")
apart=("${headers[@]}" -DPROCPOOL_SEPARATE_COMPILATION)
rm -rf "$work"
mkdir -p "$work"
work=$(realpath "$work")

compile_all() { # SUFFIX OPTION...
    "${apart[@]}" "${@:2}" -c "$here/../../src/procpool.cpp" -o "$work/engine$1.o"
    "${apart[@]}" "${@:2}" -c "$here/parts.cpp" -o "$work/parts$1.o"
    for name in left right; do "${apart[@]}" "${@:2}" -DNAME=$name -c "$here/part.cpp" -o "$work/$name$1.o"; done
}
link() { (cd "$work" && "$compiler" -pthread "${@:2}" -Wl,-rpath,"$work" -Wl,--build-id -ldl -o "$1"); }
library() { link "$1" -shared "${@:2}"; }
run() { # WHAT PROGRAM ARGUMENT...
    "$work/$2" "${@:3}" || { echo "$1: failed" && exit 1; }
    echo "$1: good"
}
forget() { # NAME OPTION...: nothing comes into the program but what it is linked with
    ! link "$1" "${@:2}" 2>"$work/printed" || { echo "$1: linked without an engine" && exit 1; }
    grep -q 'undefined .*procpool.*make_pool' "$work/printed" || { cat "$work/printed" && exit 1; }
    echo "$1: is an error of the linker"
}

compile_all ''
ar rcs "$work/libengine.a" "$work/engine.o"
link program parts.o left.o right.o libengine.a
run 'a program of three files' program '' 2
link stripped parts.o left.o right.o libengine.a -s
run 'stripped' stripped '' 2
forget forgotten parts.o left.o right.o

# ---- plugins

library plugin.so left.o
link exporting parts.o libengine.a -rdynamic
run 'a plugin without an engine, in a program that has it' exporting '' 1 "$work/plugin.so" left
link hiding parts.o libengine.a
! "$work/hiding" '' 1 "$work/plugin.so" left 2>"$work/printed" || { echo 'found an engine that is not exported' && exit 1; }
grep -q 'undefined symbol: .*procpool' "$work/printed" || { cat "$work/printed" && exit 1; }
echo 'a plugin without an engine, in a program that exports nothing: is not loaded'

library libengine.so engine.o
library with_shared.so left.o libengine.so
link with_shared parts.o libengine.so
run 'a plugin and a program with the engine of one shared library' with_shared '' 1 "$work/with_shared.so" left

library own.so left.o engine.o
run 'a plugin with an engine of its own' exporting '' 1 "$work/own.so" left

# ---- libraries, each with an engine

library libleft.so left.o engine.o
library libright.so right.o engine.o
link two_libraries parts.o engine.o -Wl,--no-as-needed libleft.so libright.so
run 'two libraries and a program, each with an engine' two_libraries '' 2

"${headers[@]}" -x c++ -c - -o "$work/worker_program.o" \
    <<<$'#include <procpool/worker_program.hpp>\nint main(int argc, char** argv) { return procpool::worker_program(argc, argv); }'
link worker_program worker_program.o
compile_all .hidden -DOWN_STATE -fvisibility=hidden -fvisibility-inlines-hidden
library libhidden_left.so left.hidden.o engine.hidden.o
library libhidden_right.so right.hidden.o engine.hidden.o
link two_hidden parts.hidden.o engine.hidden.o -Wl,--no-as-needed libhidden_left.so libhidden_right.so
run 'the same with hidden symbols' two_hidden "$work/worker_program" 2
! "$work/two_hidden" '' 2 2>"$work/printed" || { echo 'freeze_support of the program held for its libraries' && exit 1; }
grep -q 'call procpool::freeze_support(argc, argv) first in main' "$work/printed" || { cat "$work/printed" && exit 1; }

# ---- another version in a library

cp -R "$here/../../include" "$work/other"
find "$work/other" -type f -exec sed -i -E 's/\bv[0-9]+_[0-9]+\b/v9_9/' {} +
other=("$compiler" -std=c++20 -pthread -fPIC "-I$work/other" "$@" -DPROCPOOL_SEPARATE_COMPILATION)
"${other[@]}" -c "$here/../../src/procpool.cpp" -o "$work/engine.other.o"
"${other[@]}" -DNAME=left -DOTHER_VERSION -c "$here/part.cpp" -o "$work/left.other.o"
library libother.so left.other.o engine.other.o
link two_versions parts.o engine.o -Wl,--no-as-needed libother.so
run 'a library of another version' two_versions "$work/worker_program" 1
! nm -CD "$work/libother.so" | grep 'procpool::' | grep -v 'procpool::v9_9::' || { echo 'names without a version' && exit 1; }

# ---- files of both modes

"${headers[@]}" -DNAME=right -c "$here/part.cpp" -o "$work/right.headers.o"
link headers_last parts.o left.o libengine.a right.headers.o
run 'both modes, that with all in headers last' headers_last '' 2
link headers_first right.headers.o parts.o left.o libengine.a
run 'both modes, that with all in headers first' headers_first '' 2
library libheaders.so right.headers.o
link library_of_headers parts.o left.o libengine.a -Wl,--no-as-needed libheaders.so
run 'a program with the engine, a library with all in headers' library_of_headers '' 2

# ---- optimised

compile_all .optimised -O2 -flto
link optimised -O2 -flto parts.optimised.o left.optimised.o right.optimised.o engine.optimised.o
run 'optimised by the linker, too' optimised '' 2
