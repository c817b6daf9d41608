#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles headers alone: each must include what it needs. Those that a program reads whose engine is compiled
# apart are compiled for such a program, too.
# Usage: check_headers.sh SOURCE_DIR all|changed with:[LIBRARY,...] COMPILER [FLAG...]
#   changed   those that differ from the branch's upstream, or where that is no help from the commit before
#   LIBRARY   opencv, eigen, mpi: those whose headers can be compiled
set -euo pipefail
cd "$1"
which=$2 libraries=${3#with:}
shift 3

headers() {
    if [[ $which == all ]]; then
        find include/procpool -name '*.hpp' | sort
    elif git rev-parse --verify -q HEAD~1 >/dev/null 2>&1; then
        local base
        base=$(git merge-base HEAD '@{upstream}' 2>/dev/null) || base=''
        [[ -n $base && $base != "$(git rev-parse HEAD)" ]] || base=HEAD~1
        git diff --name-only --diff-filter=d "$base" -- 'include/procpool/*.hpp'
        git ls-files --others --exclude-standard -- 'include/procpool/*.hpp'
    fi
}

# Of the headers that it reads, those that can be compiled here.
compilable() {
    local header library
    while read -r header; do
        case $header in
        */interop/opencv.hpp | */interop/buffer_mat.hpp) library=opencv ;;
        */interop/eigen.hpp | */interop/buffer_matrix.hpp) library=eigen ;;
        # tests/windows/check_headers.sh has those.
        */detail/*/windows/*) continue ;;
        */mpi.hpp | */src_mpi.hpp | */procpool/mpi/* | */detail/mpi/*) library=mpi ;;
        *) library='' ;;
        esac
        [[ -z $library || ,$libraries, == *,$library,* ]] && echo "$header"
    done
    true
}
mapfile -t found < <(headers | compilable)
((${#found[@]})) || exec echo 'no header has changed'
# A package that lies with the system's own headers names their directory, which must keep its place.
compiler=()
while (($#)); do
    if [[ $1 == -isystem && ${2%/} == /usr/include ]]; then shift; else compiler+=("$1"); fi
    shift
done
# The public ones and what they include where the engine isn't included.
apart=$(find include/procpool -name '*.hpp' ! -path '*/detail/*' ! -name 'src*.hpp' | compilable |
    sed 's|^include/\(.*\)|#include <\1>|' |
    "${compiler[@]}" -DPROCPOOL_SEPARATE_COMPILATION -MM -x c++ - | grep -o 'include/procpool/[^ ]*\.hpp')
apart=$(printf '%s\n' "${found[@]}" | grep -Fx -e "$apart" || true)

# shellcheck disable=SC2016  # the inner shell's own variables
{
    printf '%s\n' "${found[@]}"
    for header in $apart; do echo "$header -DPROCPOOL_SEPARATE_COMPILATION"; done
} | tr '\n' '\0' | xargs -0 -r -P "$(nproc)" -I{} bash -c '
    read -r header apart <<<"${1#include/}"
    shift
    set -- "$@" $apart
    # The engine is for programs that ask for it.
    [[ $header != procpool/src*.hpp ]] || set -- "$@" -DPROCPOOL_SEPARATE_COMPILATION
    "$@" -Werror -fsyntax-only -x c++ - <<<"#include <$header>" || { echo "$header does not compile alone${apart:+ with the engine apart}" && exit 1; }
' check {} "${compiler[@]}"
echo "${#found[@]} headers compile alone"
