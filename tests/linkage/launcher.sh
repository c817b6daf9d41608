#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Boost.Process beside what a program includes: in which order, in which file, in which version.
# Usage: launcher.sh WORK_DIR COMPILER [COMPILER_OPTION...]
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
work=$1 compiler=$2
shift 2
compile=("$compiler" -std=c++20 -pthread -Wall -Wextra -Werror "-I$here/../../include" "-I$here/.." "$@")
rm -rf "$work"
mkdir -p "$work"

cat >"$work/main.cpp" <<'END'
#include <procpool/freeze_support.hpp>

#include "procpool/pool.hpp"
#include "support/engine.hpp"

int main(int argc, char** argv) {
    procpool::freeze_support(argc, argv);
    procpool::Pool pool({.processes = 1, .start_method = procpool::start_method::spawn});
    return pool.apply([](int x) { return x + 1; }, 41) == 42 ? 0 : 1;
}
END
build_and_run() { # NAME OBJECT...
    "$compiler" -pthread "${@:2}" "$work/engine.o" -ldl -o "$work/$1"
    "$work/$1" "$work/once" || { echo "$1: failed" && exit 1; }
    echo "$1: good"
}
"${compile[@]}" -c "$here/../support/engine.cpp" -o "$work/engine.o"

# As <Magick++.h> does.
printf 'namespace other {\nextern "C" {\n#include <assert.h>\n}\n}\n#include "main.cpp"\n' >"$work/wrapped.cpp"
"${compile[@]}" -c "$work/wrapped.cpp" -o "$work/wrapped.o"
build_and_run 'wrapped' "$work/wrapped.o"

"${compile[@]}" -DPROCPOOL_SEPARATE_LAUNCHER -MD -MF "$work/main.d" -c "$work/main.cpp" -o "$work/main.o"
! grep -q boost/process "$work/main.d" || { echo 'main.cpp includes Boost.Process' && exit 1; }
echo '#include <procpool/launcher.hpp>' >"$work/launcher.cpp"
"${compile[@]}" -c "$work/launcher.cpp" -o "$work/launcher.o"
build_and_run 'separate' "$work/main.o" "$work/launcher.o"

"${compile[@]}" -DBOOST_POSIX_HAS_VFORK=0 -c "$here/real_fork.cpp" -o "$work/real_fork.o"
: >"$work/once"
build_and_run 'real_fork' "$work/real_fork.o"

# Where the program has included Boost.Process as it likes: then it links what that needs.
printf '#include <boost/process.hpp>\n#include "main.cpp"\n' | "${compile[@]}" -I"$work" -fsyntax-only -x c++ -
echo 'after Boost.Process: good'

# The folders of Boost 1.86 and later, if this is an older one.
mkdir -p "$work/newer_boost/boost/process/v1"
for header in child error extend posix; do
    printf '#pragma once\n#include <boost/process/%s.hpp>\nnamespace boost::process { namespace v1 = ::boost::process; }\n' \
        $header >"$work/newer_boost/boost/process/v1/$header.hpp"
done
if ! "${compile[@]}" -fsyntax-only -x c++ - <<<'#include <boost/process/v1/child.hpp>' 2>/dev/null; then
    "${compile[@]}" -isystem "$work/newer_boost" -c "$work/main.cpp" -o "$work/newer.o"
    build_and_run 'newer' "$work/newer.o"
fi
