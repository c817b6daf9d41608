#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks the documents: each relative link leads to a file and each #anchor to a heading, each page below docs/ can
# be reached from README.md, has one title, no HTML, and is no longer than one reads at a time.
# Usage: check_links.sh SOURCE_DIR
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$1"

most_words=1500 # of README.md and of each page below docs/
declare -A most_words_of=([CONTRIBUTING.md]=900)
# Pages that are looked up and not read from end to end: tables of figures and of ideas.
reference_pages=(docs/performance_figures.md docs/design/measurements.md docs/design/rejected.md)

pages=(README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md docs/*.md docs/*/*.md)
links=0 failures=0

fail() { # PAGE[:LINE] TEXT
    echo "$1: $2"
    failures=$((failures + 1))
}

# The lines of a page with their numbers, without blocks of code.
text_of() { awk '/^ *```/ { code = !code; next } !code { print NR ":" $0 }' "$1"; }

# Headings as anchors: in lower case, without punctuation, a hyphen for each space; the second one with -1 and so on.
anchors_of() {
    text_of "$1" | sed -nE 's/^[0-9]+:#+ +(.*)$/\1/p' |
        sed -E 's/\[([^]]*)\]\([^)]*\)/\1/g; s/[^[:alnum:] _-]//g; s/ /-/g' | tr '[:upper:]' '[:lower:]' |
        awk '{ print $0 (seen[$0]++ ? "-" seen[$0] - 1 : "") }'
}

# LINE:TARGET for each link; what stands in backquotes is no link.
links_of() {
    text_of "$1" | sed -E 's/`[^`]*`/x/g' |
        awk '{
            line = $0
            sub(/:.*/, "", line)
            rest = $0
            while (match(rest, /\]\([^)]*\)/)) {
                print line ":" substr(rest, RSTART + 2, RLENGTH - 3)
                rest = substr(rest, RSTART + RLENGTH)
            }
        }'
}

declare -A anchors=() reached=([README.md]=1) links_to=()
for page in "${pages[@]}"; do
    while IFS=: read -r line target; do
        case $target in
        '') continue ;; # a page without links
        http://* | https://*) continue ;;
        esac
        links=$((links + 1))
        file=${target%%#*} anchor=''
        [[ $target != *'#'* ]] || anchor=${target#*#}
        if [[ $file ]]; then
            file=$(realpath -m --relative-to=. "$(dirname "$page")/$file")
        else
            file=$page
        fi
        if [[ ! -e $file ]]; then
            fail "$page:$line" "there is no $target"
            continue
        fi
        links_to[$page]+="$file "
        [[ $anchor ]] || continue
        [[ ${anchors[$file]-} ]] || anchors[$file]=$(anchors_of "$file")
        grep -qxF -- "$anchor" <<<"${anchors[$file]}" || fail "$page:$line" "$file has no heading for #$anchor"
    done < <(links_of "$page")
done

# Which pages can be reached by links, from README.md on.
waiting=(README.md)
while ((${#waiting[@]})); do
    page=${waiting[0]}
    waiting=("${waiting[@]:1}")
    for file in ${links_to[$page]-}; do
        [[ $file == *.md && ! ${reached[$file]-} ]] || continue
        reached[$file]=1
        waiting+=("$file")
    done
done

for page in "${pages[@]}"; do
    [[ ${reached[$page]-} ]] || fail "$page" 'no link leads here from README.md'
    titles=$(text_of "$page" | grep -cE '^[0-9]+:# ' || true)
    ((titles == 1)) || fail "$page" "a page has one title, not $titles"
    html=$(text_of "$page" | sed -E 's/`[^`]*`//g; s/<!-- .* -->//' | grep -E '</?[A-Za-z][^>]*>' || true)
    [[ -z $html ]] || fail "$page" "HTML is for no page: $html"
    case " ${reference_pages[*]} SECURITY.md CHANGELOG.md " in
    *" $page "*) continue ;;
    esac
    most=${most_words_of[$page]-$most_words} words=$(wc -w <"$page")
    ((words <= most)) || fail "$page" "$words words, $((words - most)) too many"
done
for page in "${reference_pages[@]}"; do
    [[ -e $page ]] || fail "$page" 'this page is gone; take it from the list of reference pages'
done

echo "$links links in ${#pages[@]} pages, $failures failures"
exit $((failures > 0))
