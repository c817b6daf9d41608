#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles all refusals in one go, since most of the time goes into headers: each file must be refused with its
# sentence, `// expect: TEXT` in its first line. What isn't seen to be refused there is compiled alone.
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
output=$(together "$@" | "${checked[@]}" -fmax-errors=0 -x c++ - 2>&1 || true)

# What is said before an error belongs to it: which file's line it came from. A line each: what was said, and the error.
said=$(awk '{ context = context " " $0 } / error: / { print context; context = "" }' <<<"$output")

failed=0 alone=0
for source in "$@"; do
    expected=$(sed -n '1s,^// expect: ,,p' "$source")
    [[ $expected ]] || { echo "$source must begin with '// expect: TEXT'" && exit 1; }
    grep -F "$source:" <<<"$said" | grep -qF "$expected" && continue
    alone=$((alone + 1))
    if output=$("${checked[@]}" "$source" 2>&1); then
        echo "$source compiles, but should be refused with: $expected"
    elif grep -qF "$expected" <<<"$output"; then
        continue
    else
        printf '%s\n%s is refused, but not with: %s\n' "$output" "$source" "$expected"
    fi
    failed=$((failed + 1))
done
echo "$# refusals, $alone of them compiled alone, $failed not right"
exit $((failed > 0))
