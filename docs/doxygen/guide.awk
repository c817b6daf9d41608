# SPDX-License-Identifier: MIT
# A Markdown page as Doxygen needs it: headings get the anchors that they have on GitHub, links among pages become
# references, and remarks for the tests are left out. Line by line, so that warnings name the right ones.
# Usage: awk -f pages.awk -f guide.awk PAGE, in the root of the source tree.

function anchor_of(heading) {
    while (match(heading, /\]\([^)]*\)/)) heading = substr(heading, 1, RSTART - 1) substr(heading, RSTART + RLENGTH)
    gsub(/[^A-Za-z0-9 _-]/, "", heading)
    gsub(/ /, "-", heading)
    return tolower(heading)
}

# [TEXT](TARGET) for the site. What is in the source tree only is named, and not linked to.
function link(text, target,    hash, path, anchor, opening) {
    if (target ~ /^https?:/) return "[" text "](" target ")"
    hash = index(target, "#")
    anchor = hash ? substr(target, hash + 1) : ""
    path = hash ? substr(target, 1, hash - 1) : target
    path = path == "" ? file : normal(folder path)
    if (path ~ /\.md$/) {
        if (text ~ /^[A-Za-z_]+\.md$/ || (in_table && index(path, "/" text ".md"))) text = title_of(path)
        if (text !~ /`/) return "[" text "](@ref " label_of(path) (anchor ? "-" anchor : "") ")"
        # Doxygen takes backquotes in references as they are.
        while (sub(/`/, opening ? "</code>" : "<code>", text)) opening = !opening
        return "<a href=\"" label_of(path) ".html" (anchor ? "#" label_of(path) "-" anchor : "") "\">" text "</a>"
    }
    if (path == "LICENSE") return "[" text "](@ref license)"
    if (path ~ /^examples\/.*\.cpp$/) {
        sub(/.*\//, "", path)
        sub(/\.cpp$/, "_8cpp-example.html", path)
        return "[" text "](" path ")"
    }
    return text
}

# A line of text: code in backquotes stays as it is, links are translated.
function translated(line,    out, at, ticks, end, open, code) {
    while (match(line, /`+|\]\([^)]*\)/)) {
        out = out substr(line, 1, RSTART - 1)
        if (substr(line, RSTART, 1) == "`") {
            ticks = substr(line, RSTART, RLENGTH)
            line = substr(line, RSTART + RLENGTH)
            end = index(line, ticks)
            if (!end) return out ticks line
            code = substr(line, 1, end - 1)
            line = substr(line, end + length(ticks))
            # Doxygen takes a single backquote before a quote for an opening quotation mark.
            if (code ~ /['"]/) ticks = "``"
            out = out ticks code ticks
        } else {
            code = substr(line, RSTART + 2, RLENGTH - 3)
            line = substr(line, RSTART + RLENGTH)
            for (open = length(out); open > 0 && substr(out, open, 1) != "["; --open) ;
            out = substr(out, 1, open - 1) link(substr(out, open + 1), code)
        }
    }
    return out line
}

FNR == 1 {
    file = FILENAME
    root = ENVIRON["PWD"] "/"
    if (index(file, root) == 1) file = substr(file, length(root) + 1)
    folder = file
    sub(/[^\/]*$/, "", folder)
    while ((getline line <FILENAME) > 0) sections += line ~ /^## /
    close(FILENAME)
}

/^ *```/ {
    # Of the languages here Doxygen knows C++. What has none is a diagram, whose lines must touch.
    if (in_code) sub(/```/, in_diagram ? "@endverbatim" : "```")
    else if (in_diagram = /```$/) sub(/```/, "@verbatim")
    else sub(/```(sh|cmake)$/, "```{.unparsed}")
    in_code = !in_code
    print
    next
}
in_code { print; next }
/^<!-- .* -->$/ { print ""; next }
/^# / {
    print translated($0) " {#" (file == "README.md" ? "mainpage" : label_of(file)) "}"
    next
}
/^##+ / {
    heading = $0
    sub(/^#+ +/, "", heading)
    anchor = anchor_of(heading)
    if (seen[anchor]++) anchor = anchor "-" seen[anchor] - 1
    # Sections of the first page would precede the guides in the navigation.
    if (file == "README.md") print "@anchor " label_of(file) "-" anchor " <h2>" translated(heading) "</h2>"
    else print translated($0) " {#" label_of(file) "-" anchor "}"
    next
}
FNR == 2 && sections > 2 && file != "README.md" { print "[TOC]"; next }
{
    in_table = /^\|/
    print translated($0)
}
