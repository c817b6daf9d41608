#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks that no C++ block of README.md and docs/*.md can rot. The comment above a block says how:
#   <!-- compile -->              compiles; without an `int main` it is taken as a function's body that may
#                                 begin with #include lines
#   <!-- compile: file -->        compiles as it stands, though it has no `int main`
#   <!-- quote: FILE#REGION -->   equals the text between `// [REGION]` and `// [/REGION]` in FILE, but for
#                                 common indentation
#   <!-- sketch -->               not checked
# Usage: docs_snippets.sh SOURCE_DIR COMPILER [FLAG...]
set -euo pipefail
cd "$1"
compiler=("${@:2}")
checked=0 failures=0

fail() { # LINE TEXT
    echo "$document:$1: $2"
    failures=$((failures + 1))
}

# Turns a block into a file; #line makes the compiler name the document's line.
source_of() { # LINE WHOLE_FILE
    awk -v document="$document" -v line="$1" -v whole="$2" '
        !whole && !body && !/^#include|^$/ { print "void snippet() {"; body = 1 }
        NR == 1 || body == 1 { printf "#line %d \"%s\"\n", line + NR, document; body *= 2 }
        { print }
        END { if (body) print "}" }'
}

unindented() {
    awk '{ lines[NR] = $0 }
         /[^ ]/ { match($0, /^ */); if (!seen++ || RLENGTH < least) least = RLENGTH }
         END { for (i = 1; i <= NR; ++i) print substr(lines[i], least + 1) }'
}

region_of() { # FILE REGION
    awk -v begin="// [$2]" -v end="// [/$2]" '
        { text = $0; gsub(/^ +| +$/, "", text) }
        text == end { found = 2; exit }
        found && text !~ /^\/\/ \[\/?[a-z0-9_]+\]$/ { print }
        text == begin { found = 1 }
        END { exit found != 2 }' "$1"
}

check() { # LINE MARKER BLOCK
    local line=$1 marker=$2 block=$3 whole='' file region
    checked=$((checked + 1))
    case $marker in
    compile*)
        if [[ $marker == 'compile: file' || $block == *'int main('* ]]; then whole=1; fi
        source_of "$line" "$whole" <<<"$block" | "${compiler[@]}" -fsyntax-only -x c++ - ||
            fail "$line" 'this block does not compile'
        ;;
    quote:*)
        file=${marker#quote: } region=${file#*#} file=${file%%#*}
        if ! quoted=$(region_of "$file" "$region"); then
            fail "$line" "no region [$region] in $file"
        else
            diff -u --label "$document" --label "$file" <(unindented <<<"$block") <(unindented <<<"$quoted") ||
                fail "$line" "this block differs from region [$region] of $file"
        fi
        ;;
    sketch) ;;
    *) fail "$line" 'a C++ block needs <!-- compile -->, <!-- quote: FILE#REGION --> or <!-- sketch --> above' ;;
    esac
}

for document in README.md docs/*.md; do
    [[ -e $document ]] || continue
    number=0 start='' marker=''
    while IFS= read -r line; do
        number=$((number + 1))
        if [[ $start && $line =~ ^\ *'```'$ ]]; then
            check "$start" "$marker" "${block%$'\n'}"
            start='' marker=''
        elif [[ $start ]]; then
            block+=$line$'\n'
        elif [[ $line =~ ^\ *'```'(cpp|c\+\+|cc|cxx)$ ]]; then
            start=$number block=''
        elif [[ $line =~ ^\ *'<!-- '(.*)' -->'$ ]]; then
            marker=${BASH_REMATCH[1]}
        elif [[ $line ]]; then
            marker='' # a marker belongs to the block right below it
        fi
    done <"$document"
    [[ -z $start ]] || fail "$start" 'this block is never closed'
done
echo "$checked C++ blocks, $failures not right"
exit $((failures > 0))
