# SPDX-License-Identifier: MIT
# The layout of the site from Doxygen's own, with another navigation: the pages as docs/README.md lists them in
# tables, those on the design as docs/design.md does, and the API.
# Usage: awk -f pages.awk -f layout.awk LAYOUT, in the root of the source tree.

function quoted(text) {
    gsub(/`/, "", text)
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    return "\"" text "\""
}

function tab(path, title) {
    return "<tab type=\"user\" url=\"@ref " label_of(path) "\" title=" quoted(title) "/>\n"
}

function group(title, tabs) {
    return tabs ? "<tab type=\"usergroup\" title=" quoted(title) ">\n" tabs "</tab>\n" : ""
}

# A tab for each page that the page's tables link to, in groups by its headings.
function tabs_of(page,    line, path, tabs, heading, all, target, title) {
    while ((getline line <page) > 0) {
        if (line ~ /^## /) {
            all = all group(heading, tabs)
            heading = line == "## The pages" ? "The parts of the design" : substr(line, 4)
            tabs = ""
        }
        if (line !~ /^\|/) continue
        while (match(line, /\[[^\]]*\]\([^)#]*\.md/)) {
            target = substr(line, RSTART + 1, RLENGTH - 1)
            line = substr(line, RSTART + RLENGTH)
            title = substr(target, 1, index(target, "](") - 1)
            target = substr(target, index(target, "](") + 2)
            path = page
            sub(/[^\/]*$/, "", path)
            path = normal(path target)
            if (listed[path]++ || path == "README.md") continue
            # Those on the design are linked to by the names of their files.
            title = path ~ /^docs\/design\// ? title_of(path) : toupper(substr(title, 1, 1)) substr(title, 2)
            tabs = tabs tab(path, title)
            if (path == "docs/design.md") tabs = tabs tabs_of(path)
        }
    }
    close(page)
    return all group(heading, tabs)
}

/<navindex>/ {
    print
    print "<tab type=\"mainpage\" title=\"procpool\"/>"
    print tab("docs/README.md", "All pages") tabs_of("docs/README.md")
    print "<tab type=\"modules\" title=\"API by topic\" intro=\"The classes and functions of procpool, by what they are for.\"/>"
    print "<tab type=\"classlist\" title=\"All classes\" intro=\"All classes and structs.\"/>"
    print "<tab type=\"namespacemembers\" title=\"All functions\" intro=\"Functions, constants, enumerations and names of types.\"/>"
    print "<tab type=\"examples\" title=\"Examples\" intro=\"The programs of the guides.\"/>"
    in_navigation = 1
}
/<\/navindex>/ { in_navigation = 0 }
!in_navigation { print }
