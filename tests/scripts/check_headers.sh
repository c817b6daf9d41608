#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles headers alone: each must include what it needs.
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

found=()
while read -r header; do
    case $header in
    */interop/opencv.hpp | */interop/eigen.hpp) library=$(basename "$header" .hpp) ;;
    */mpi.hpp | */src_mpi.hpp | */detail/mpi/*) library=mpi ;;
    *) library='' ;;
    esac
    [[ -z $library || ,$libraries, == *,$library,* ]] || continue
    found+=("$header")
done < <(headers)
((${#found[@]})) || exec echo 'no header has changed'
# A package that lies with the system's own headers names their directory, which must keep its place.
compiler=()
while (($#)); do
    if [[ $1 == -isystem && ${2%/} == /usr/include ]]; then shift; else compiler+=("$1"); fi
    shift
done
# shellcheck disable=SC2016  # the inner shell's own variables
printf '%s\0' "${found[@]}" | xargs -0 -r -P "$(nproc)" -I{} bash -c '
    header=${1#include/}
    shift
    # The engine is for programs that ask for it.
    [[ $header != procpool/src*.hpp ]] || set -- "$@" -DPROCPOOL_SEPARATE_COMPILATION
    "$@" -Werror -fsyntax-only -x c++ - <<<"#include <$header>" || { echo "$header does not compile alone" && exit 1; }
' check {} "${compiler[@]}"
echo "${#found[@]} headers compile alone"
