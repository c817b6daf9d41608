#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles headers for Windows by MinGW-w64, without code: all public ones that Windows has, together,
# and each of a folder windows/ alone.
# Usage: check_headers.sh SOURCE_DIR BUILD_DIR [COMPILER]
set -euo pipefail
cd "$1"
build=$2
compiler=${3:-x86_64-w64-mingw32-g++-posix}
# Not /usr/include itself, which has the headers of another C library.
mkdir -p "$build/include"
for library in boost cereal; do ln -sfn "/usr/include/$library" "$build/include/$library"; done
flags=(-std=c++20 -D_WIN32_WINNT=0x0A00 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -Iinclude
    -isystem "$build/include" -fsyntax-only -x c++ -)

# These need what Windows has not yet: docs/windows.md.
missing='/(managed|managed_set|manager|pipe|proxy|launcher|set_executable|worker_program|mpi|src_mpi|src)\.hpp$'
mapfile -t public < <(find include/procpool -maxdepth 1 -name '*.hpp' | grep -vE "$missing" | sort)
mapfile -t own < <(find include/procpool -path '*/windows/*.hpp' | sort)
as_includes() { printf '%s\n' "$@" | sed 's|^include/\(.*\)|#include <\1>|'; }

# The system's own header declares the same functions, and has macros such as near: who includes it first must not fail.
printf '#include <windows.h>\n%s\n' "$(as_includes "${public[@]}" include/procpool/interop/numpy.hpp)" |
    "$compiler" -DNOMINMAX "${flags[@]}"
# shellcheck disable=SC2016  # the inner shell's own variables
printf '%s\0' "${own[@]}" | xargs -0 -P "$(nproc)" -I{} bash -c '
    header=${1#include/}
    shift
    "$@" <<<"#include <$header>" || { echo "$header does not compile alone" && exit 1; }
' check {} "$compiler" "${flags[@]}"
echo "${#public[@]} public headers compile for Windows, and ${#own[@]} of its own alone"
