#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Links program.cpp in each way that is asked for, and runs it.
# Usage: run.sh WORK_DIR COMPILER WAYS [COMPILER_OPTION...]
#   WAYS  some of: pie no-pie static static-pie stripped hidden lto, separated by commas
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
work=$1 compiler=$2 ways=$3
shift 3
compile=("$compiler" -std=c++20 -pthread "-I$here/../../include" "-I$here/.." "$@")
rm -rf "$work"
mkdir -p "$work"

plugin() { "$compiler" -shared -fPIC -DNAME=in_plugin "-DFACTOR=$2" "${@:3}" "$here/library.cpp" -o "$work/$1.so"; }
engine=$here/../support/engine.cpp
if [[ " $* " == *' -DPROCPOOL_SEPARATE_COMPILATION '* ]]; then engine=$here/../../src/procpool.cpp; fi
"${compile[@]}" -fPIC -c "$engine" -o "$work/engine.o"
"$compiler" -fPIC -c "$here/library.cpp" -o "$work/library.o"
"$compiler" -shared -Wl,--build-id "$work/library.o" -o "$work/liblinked.so"

for way in ${ways//,/ }; do
    flags=() link=("$work/liblinked.so" "-Wl,-rpath,$(realpath "$work")") arguments=("$work")
    case $way in
    pie) flags=(-fPIE) link+=(-pie) ;;
    no-pie) flags=(-fno-pie) link+=(-no-pie) ;;
    static) flags=(-fno-pie) link=("$work/library.o" -static) arguments+=(no-plugins) ;;
    static-pie) flags=(-fPIE) link=("$work/library.o" -static-pie) arguments+=(no-plugins) ;;
    stripped) flags=(-fPIE) link+=(-pie -s) ;;
    hidden) flags=(-fvisibility=hidden -fvisibility-inlines-hidden) ;;
    lto) flags=(-flto -O1) ;;
    *) echo "run.sh: no way '$way'" >&2 && exit 2 ;;
    esac
    for name in before=2 after=3 replaced=4 replacement=5; do plugin "${name%=*}" "${name#*=}" -Wl,--build-id; done
    plugin without_id 6 -Wl,--build-id=none
    # Ways that only link differently share what is compiled.
    object=$work/program${flags[*]// /_}.o
    [[ -e $object ]] || "${compile[@]}" "${flags[@]}" -c "$here/program.cpp" -o "$object"
    "$compiler" -pthread "${flags[@]}" "$object" "$work/engine.o" "${link[@]}" -Wl,--build-id -ldl \
        -o "$work/program" 2>"$work/warnings" || { cat "$work/warnings" >&2 && exit 1; }
    "$work/program" "${arguments[@]}"
    echo "$way: good"
done
