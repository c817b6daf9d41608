#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Reads what headers include, and prints a line for each that breaks a rule of docs/design.md:
# - headers of the system belong into detail/os/linux/ and os/windows/, which others reach through detail/os/,
#   and MPI's into detail/mpi/;
# - what stands in a folder windows/ is included by its own kind, and by the doors of the folder that has it;
# - a folder of detail/ includes only itself and those below it;
# - a header of detail/ has 400 lines at most;
# - all names are in the inline namespace of the version.
# Usage: check_layers.sh SOURCE_DIR
set -euo pipefail
cd "$1/include/procpool"

mapfile -t headers < <(find . -name '*.hpp' | sed 's|^\./||' | sort)
((${#headers[@]} > 0))
awk '
    BEGIN {
        # From the lowest on; those of one line do not include each other.
        count = split("detail os wire shared progress job zygote worker scheduler journal call process,thread,family mpi loader", layers, " ")
        for (i = 1; i <= count; ++i) {
            siblings = split(layers[i], folders, ",")
            for (k = 1; k <= siblings; ++k) height[folders[k]] = i
        }
        most_lines = 400
    }

    # "detail" for a file that lies directly there, and nothing for one that lies elsewhere.
    function folder_of(header, parts) {
        if (header !~ /^detail\//) return ""
        return split(header, parts, "/") > 2 ? parts[2] : "detail"
    }
    function complain(what) {
        print "include/procpool/" FILENAME ":" FNR ": " what
        failed = 1
    }
    function check_length() {
        if (folder == "" || lines <= most_lines) return
        print "include/procpool/" header ": has " lines " lines, and " most_lines " are the most"
        failed = 1
    }

    FNR == 1 {
        check_length()
        header = FILENAME
        folder = folder_of(header)
        if (folder != "" && !(folder in height)) complain("detail/" folder "/ has no place among the layers")
    }
    { lines = FNR }

    /^[ \t]*#[ \t]*include[ \t]*<mpi\.h>/ && folder == "mpi" { next }
    # These are the compiler'"'"'s.
    /^[ \t]*#[ \t]*include[ \t]*<[^>]*\.h>/ && !/<cxxabi\.h>/ && !/<ext\/[a-z_]*\.h>/ && header !~ /^detail\/os\/(linux|windows)\// {
        match($0, /<[^>]*>/)
        complain(substr($0, RSTART, RLENGTH) " is a header of the system, which belongs below detail/os/")
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        match($0, /"[^"]*"/)
        target = substr($0, RSTART + 1, RLENGTH - 2)
        if (target !~ /^procpool\//) {
            complain("\"" target "\" must be named from procpool/ on")
            next
        }
        sub(/^procpool\//, "", target)
        to = folder_of(target)
        if (target ~ /^detail\/os\/(linux|windows)\// && header !~ /^detail\/os\//)
            complain("includes " target "; what it wants is in detail/os/")
        else if (target ~ /\/windows\// && header !~ /\/windows\// && folder != to)
            complain("includes " target ", which is for " to "/ alone")
        else if (folder != "" && to != "" && folder != to && height[to] >= height[folder])
            complain("includes " target ", and " to "/ is not below " folder "/")
    }

    END {
        check_length()
        exit failed
    }
' "${headers[@]}"
number() { sed -n "s/#define PROCPOOL_VERSION_$1 //p" version.hpp; }
version=v$(number MAJOR)_$(number MINOR)
if grep -nE 'namespace procpool|::v[0-9]+_[0-9]+|inline v[0-9]+_[0-9]+' "${headers[@]}" | sed 's|^|include/procpool/|' |
    grep -vE ":(}  // )?namespace procpool::inline $version(::[a-z_]+)*( \{)?$|\"procpool::$version::\""; then
    echo "these must name the namespace of the version: namespace procpool::inline $version"
    exit 1
fi
echo "${#headers[@]} headers keep to their layers"
