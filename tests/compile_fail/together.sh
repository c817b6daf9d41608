#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles all refusals in one go, since most of the time goes into headers: each file must be refused with its
# sentence, `// expect: TEXT` in its first line. What isn't seen to be refused there is compiled alone.
# A second line `// only: GCC` leaves a file to that compiler, `// headers: its own` is for what others' headers hide.
# Usage: together.sh HEADER COMPILER [FLAG...] -- SOURCE...
#   HEADER   is precompiled here, and included first
set -euo pipefail
export LC_ALL=C # the compiler's words in English, whatever the user's language
header=$1
shift
compiler=()
while [[ $1 != -- ]]; do
    compiler+=("$1")
    shift
done
shift

"${compiler[@]}" -x c++-header "$header" -o "$header.gch"
checked=("${compiler[@]}" -fsyntax-only -include "$header")

is_clang=$("${compiler[@]}" --version | grep -c clang || true)
sources=() with_own_headers=()
for source in "$@"; do
    case $(sed -n 2p "$source") in
        '// only: GCC') [[ $is_clang == 0 ]] && sources+=("$source") ;;
        '// headers: its own') with_own_headers+=("$source") ;;
        *) sources+=("$source") ;;
    esac
done

# Each in a namespace of its own, behind the headers of all. #line keeps the names of the files.
together() {
    local source
    sed -n '/^#include </p' "$@" | sort -u
    for source in "$@"; do
        printf 'namespace refusal_%s {\n#line 1 "%s"\n' "$(basename "$source" .cpp)" "$source"
        sed 's/^#include <.*//' "$source"
        echo '}'
    done
}
output=$(together "${sources[@]}" | "${checked[@]}" -fmax-errors=0 -x c++ - 2>&1 || true)

# What is said before an error belongs to it: which file's line it came from. A line each: what was said, and the error.
said=$(awk '{ context = context " " $0 } / error: / { print context; context = "" }' <<<"$output")

failed=0 alone=0
check_alone() { # SOURCE SENTENCE COMPILER...
    local source=$1 expected=$2
    shift 2
    alone=$((alone + 1))
    if output=$("$@" "$source" 2>&1); then
        echo "$source compiles, but should be refused with: $expected"
    elif grep -qF "$expected" <<<"$output"; then
        return
    else
        printf '%s\n%s is refused, but not with: %s\n' "$output" "$source" "$expected"
    fi
    failed=$((failed + 1))
}
expected_of() {
    sed -n '1s,^// expect: ,,p' "$1" | grep . || { echo "$1 must begin with '// expect: TEXT'" >&2 && exit 1; }
}
for source in "${sources[@]}"; do
    expected=$(expected_of "$source")
    grep -F "$source:" <<<"$said" | grep -qF "$expected" || check_alone "$source" "$expected" "${checked[@]}"
done
for source in "${with_own_headers[@]}"; do
    check_alone "$source" "$(expected_of "$source")" "${compiler[@]}" -fsyntax-only
done
echo "$((${#sources[@]} + ${#with_own_headers[@]})) refusals, $alone of them compiled alone, $failed not right"
exit $((failed > 0))
