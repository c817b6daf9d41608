#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks the built site: each link of its pages, of the navigation and of the search leads to a file, and each #anchor
# to a place in it; nothing is loaded from elsewhere; the API has no name of procpool::detail.
# Usage: check_site.sh SITE_DIR
set -euo pipefail
cd "$1"
[[ -e index.html ]] || { echo "$1 has no index.html" && exit 1; }

find . -type f -printf '%P\n' | awk '
    function fail(text) {
        print file ": " text
        ++failures
    }

    # Where a link leads, from the folder of the page that it stands in.
    function check(link,    path, anchor, at) {
        if (link ~ /^(https?|mailto|javascript):/ || link == "#" || link == "") return
        ++links
        sub(/\?.*/, "", link)
        gsub(/%20/, " ", link)
        gsub(/&amp;/, "\\&", link)
        at = index(link, "#")
        anchor = at ? substr(link, at + 1) : ""
        path = at ? substr(link, 1, at - 1) : link
        sub(/^\.\//, "", path)
        path = path == "" ? file : path ~ /^\.\.\// ? substr(path, 4) : folder path
        if (!(path in exists)) fail("there is no " link)
        else if (anchor && path ~ /\.html$/) wanted[path "#" anchor] = file
    }

    { exists[$0] = 1 }

    END {
        for (file in exists) {
            folder = file ~ /\// ? substr(file, 1, index(file, "/")) : ""
            if (file ~ /\.html$/) {
                ++pages
                while ((getline line <file) > 0) {
                    if (line ~ /<(script|img|iframe|link)[^>]*(src|href)="(https?:)?\/\//) fail("loads something: " line)
                    if (file ~ /^(class|struct|group|namespace)/ && line ~ /detail::/) fail("shows what is internal: " line)
                    while (match(line, / (href|src|id|name)="[^"]*"/)) {
                        name = substr(line, RSTART + 1, RLENGTH - 2)
                        line = substr(line, RSTART + RLENGTH)
                        value = name
                        sub(/^[a-z]+="/, "", value)
                        if (name ~ /^(id|name)=/) places[file "#" value] = 1
                        else check(value)
                    }
                }
                close(file)
            } else if (file ~ /^(navtreedata\.|search\/(all|classes|functions|pages|groups)_).*\.js$/) {
                while ((getline line <file) > 0)
                    while (match(line, /["\047][^"\047 ]*\.html(#[^"\047]*)?["\047]/)) {
                        value = substr(line, RSTART + 1, RLENGTH - 2)
                        line = substr(line, RSTART + RLENGTH)
                        check(value)
                    }
                close(file)
            }
        }
        for (place in wanted)
            if (!(place in places)) {
                file = wanted[place]
                fail("there is no " place)
            }
        print links + 0 " links in " pages + 0 " pages of the site, " failures + 0 " failures"
        exit failures > 0
    }'
