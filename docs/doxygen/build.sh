#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the site of the guides and the API into build/docs/html, and checks its links.
# Usage: build.sh, with Doxygen 1.9.4
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/../.."
here=docs/doxygen out=build/docs

rm -rf "$out"
mkdir -p "$out"

doxygen -l "$out/default.xml"
awk -f $here/pages.awk -f $here/layout.awk "$out/default.xml" >"$out/layout.xml"

# Doxygen's own header, where the name of the project leads to the first page.
doxygen -w html "$out/header.html" "$out/footer.html" "$out/default.css"
# shellcheck disable=SC2016 # these are names of Doxygen's
sed -i 's|\$projectname<!--BEGIN PROJECT_NUMBER|<a href="$relpath^index.html">$projectname</a><!--BEGIN PROJECT_NUMBER|
    s|>\$projectbrief<|>$projectbrief <a id="contents-link" href="$relpath^all_pages.html">All pages</a><|' "$out/header.html"

# What no file of the source tree is a page for: topics of the API, the examples, the license.
{
    echo '/** @namespace procpool'
    echo '@brief All names of the library; the [topics](modules.html) sort them. */'
    sed -nE 's/^([a-z]+): (.*) \| (.*)/\/** @defgroup \1 \2\n@brief \3 *\//p' $here/topics.txt
    find examples -name '*.cpp' -printf '%f\n' | sort | sed 's|.*|/** @example & */|'
    printf '/** @page license License\n@verbatim\n'
    cat LICENSE
    printf '@endverbatim\n*/\n'
} >"$out/pages.dox"

# Each public header belongs to a topic.
for header in include/procpool/{,interop/}*.hpp; do
    name=${header#include/procpool/} name=${name%.hpp}
    case $name in
    basic_pool | imap_calls | pool_control | launcher | src | src_mpi | procpool | sync) continue ;;
    esac
    grep -qE "^  (.* )?$name( |$)" $here/topics.txt || {
        echo "$here/topics.txt: $name is in no topic" >&2
        exit 1
    }
done

number() { sed -n "s/#define PROCPOOL_VERSION_$1 //p" include/procpool/version.hpp; }
PROCPOOL_VERSION=$(number MAJOR).$(number MINOR).$(number PATCH)
export PROCPOOL_VERSION
doxygen $here/Doxyfile
# The list of what a search finds is a page in a frame, which has this style alone.
sed -i '1i @import "../style.css";' "$out/html/search/search.css"
$here/check_site.sh "$out/html"
