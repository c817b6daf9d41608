# SPDX-License-Identifier: MIT
# Pages by their paths in the source tree: what guide.awk and layout.awk have in common.

# A path without "..", from the folder that it stands in.
function normal(path) {
    while (match(path, /[^\/.]+\/\.\.\//)) path = substr(path, 1, RSTART - 1) substr(path, RSTART + RLENGTH)
    return path
}

# The name of a page for Doxygen, and of its HTML file.
function label_of(path) {
    if (path == "README.md") return "index"
    if (path == "docs/README.md") return "all_pages"
    sub(/\.md$/, "", path)
    if (path !~ /^docs\//) return tolower(path)
    if (path !~ /^docs\/design\//) sub(/^docs\//, "guide_", path)
    sub(/^docs\//, "", path)
    gsub(/\//, "_", path)
    return path
}

function title_of(path,    line) {
    getline line <path
    close(path)
    sub(/^# /, "", line)
    return line
}
