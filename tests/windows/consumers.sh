#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Gets the library into a program for Windows in three ways, and runs it under Wine: copied headers, a folder of the
# project, a package. Then an example. Called by run.sh, whose prefix of Wine it uses.
# Usage: consumers.sh SOURCE_DIR WORK_DIR WINE
set -euo pipefail
cd "$1"
source=$PWD work=$2 wine=$3
here=$source/tests/windows
rm -rf "$work"
mkdir -p "$work/copied"

# What a package of cereal for this compiler would have. Not /usr/include itself, which has another C library.
cereal=$(dirname "$(find /usr/lib /usr/share -name cerealConfig.cmake -print -quit)")
depth=${cereal#/usr/}
mkdir -p "$work/cereal/$(dirname "$depth")" "$work/cereal/include"
cp -R "$cereal" "$work/cereal/$depth"
ln -s /usr/include/cereal "$work/cereal/include/cereal"
configure=(cmake "-DCMAKE_TOOLCHAIN_FILE=$here/mingw.cmake" "-Dcereal_DIR=$work/cereal/$depth" -DCMAKE_BUILD_TYPE=Debug)
! command -v ccache >/dev/null || configure+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)

must_say() { # TEXT PROGRAM
    timeout -s KILL 120 "$wine" "$2" >"$2.log" 2>&1 </dev/null || { cat "$2.log" && exit 1; }
    tr -d '\r' <"$2.log" | grep -qxF "$1" || { cat "$2.log" && exit 1; }
}
compile=(x86_64-w64-mingw32-g++-posix -std=c++20 -Wall -Wextra -D_WIN32_WINNT=0x0A00 "-Wa,-mbig-obj" -static
    -isystem "$work/cereal/include")

cp -R include "$work/copied/include"
"${compile[@]}" -I "$work/copied/include" "$here/consumer/main.cpp" -o "$work/copied/consumer.exe"
must_say 249500250000 "$work/copied/consumer.exe"

build_and_run() { # NAME OPTION...
    "${configure[@]}" -S "$here/consumer" -B "$work/$1" "${@:2}" >"$work/$1.log"
    cmake --build "$work/$1" >>"$work/$1.log" || { cat "$work/$1.log" && exit 1; }
    must_say 249500250000 "$work/$1/consumer.exe"
}
build_and_run folder "-DPROCPOOL_SOURCE_DIR=$source"
"${configure[@]}" -S "$source" -B "$work/package" "-DCMAKE_INSTALL_PREFIX=$work/prefix" -DPROCPOOL_BUILD_TESTS=OFF \
    -DPROCPOOL_BUILD_EXAMPLES=OFF -DPROCPOOL_BUILD_BENCHMARKS=OFF >"$work/package.log"
cmake --install "$work/package" >>"$work/package.log"
build_and_run installed "-Dprocpool_DIR=$work/prefix/share/cmake/procpool"

"${compile[@]}" -I include examples/picture_batch.cpp -o "$work/picture_batch.exe"
must_say 'picture5.ppm: 18447 bytes, 6144 points of the set' "$work/picture_batch.exe"
echo 'copied headers, a folder of a project, a package and an example: each built and run under Wine'
