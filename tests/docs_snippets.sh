#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks that no C++ block of README.md, CONTRIBUTING.md and docs/ can rot. The comment above a block says how:
#   <!-- compile -->              compiles; without an `int main` it is taken as a function's body that may
#                                 begin with #include lines
#   <!-- compile: file -->        compiles as it stands, though it has no `int main`
#   <!-- quote: FILE#REGION -->   equals the text between `// [REGION]` and `// [/REGION]` in FILE, but for
#                                 common indentation
#   <!-- sketch -->               not checked
# What compiles is compiled together, each block in a namespace of its own, since headers take most of the time.
# Then a block finds the headers of those before it, so what it includes is checked by name.
# Usage: docs_snippets.sh SOURCE_DIR COMPILER [FLAG...]
set -euo pipefail
cd "$1"
compiler=("${@:2}")
checked=0 failures=0 compiled=() together=''

fail() { # LINE TEXT
    echo "$document:$1: $2"
    failures=$((failures + 1))
}

# Turns a block into a file; #line makes the compiler name the document's line.
source_of() { # DOCUMENT LINE WHOLE_FILE [NAMESPACE]
    awk -v document="$1" -v line="$2" -v whole="$3" -v space="${4-}" '
        !begun && !/^#include|^$/ {
            if (space) print "namespace " space " {"
            if (!whole) print "void snippet() {"
            begun = 1
        }
        NR == 1 || begun == 1 { printf "#line %d \"%s\"\n", line + NR, document; begun *= 2 }
        { print }
        END { if (begun && !whole) print "}"; if (begun && space) print "}" }'
}

words() { grep -oE '[A-Za-z_][A-Za-z_0-9]*' | sort -u; }

# The names of the library's and the standard's that a block uses and its own headers don't have.
declare -A words_of=() # a block's #include lines: the words that they bring
unknown_names() { # BLOCK
    local includes
    includes=$(grep '^#include' <<<"$1" || true)
    [[ ${words_of[$includes]-} ]] || words_of[$includes]=$({ echo mp && "${compiler[@]}" -E -dD -P -x c++ - <<<"$includes"; } | words)
    unknown=$(comm -23 <(grep -oE '\<(procpool|mp|std|cv|Eigen|cereal)(::[A-Za-z_0-9]+)+|PROCPOOL_[A-Z_]+' <<<"$1" | words) \
        - <<<"${words_of[$includes]}")
}

compiles() { "${compiler[@]}" -fsyntax-only -Wno-return-type -x c++ -; }

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
    local line=$1 marker=$2 block=$3 whole='' file region unknown
    checked=$((checked + 1))
    case $marker in
    compile*)
        if [[ $marker == 'compile: file' || $block == *'int main('* ]]; then whole=1; fi
        together+=$(source_of "$document" "$line" "$whole" "snippet_$checked" <<<"$block")$'\n'
        compiled+=("$document" "$line" "$whole" "$block")
        unknown_names "$block"
        [[ -z $unknown ]] || fail "$line" "this block does not include what has: ${unknown//$'\n'/ }"
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

for document in README.md CONTRIBUTING.md docs/*.md docs/*/*.md; do
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

if ! compiles <<<"$together" 2>/dev/null; then
    # One by one they say which it is.
    for ((i = 0; i < ${#compiled[@]}; i += 4)); do
        document=${compiled[i]}
        source_of "${compiled[@]:i:3}" <<<"${compiled[i + 3]}" | compiles ||
            fail "${compiled[i + 1]}" 'this block does not compile'
    done
fi
echo "$checked C++ blocks, $failures not right"
exit $((failures > 0))
