#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Does what README says of installing the library and of using it by CMake: its blocks under `<!-- run: NAME -->`.
# Usage: readme.sh SOURCE_DIR COMPILER WORK_DIR
set -euo pipefail
source_dir=$1 work=$3
export CXX=$2
rm -rf "$work"
mkdir -p "$work"
work=$(realpath "$work")

block() { # NAME
    awk -v mark="<!-- run: $1 -->" '$0 == mark { found = 1; next } found && /^```/ { if (inside) exit; inside = 1; next } inside' \
        "$source_dir/README.md" | sed "s|\bPREFIX\b|$work/prefix|; s|\bADDRESS\b|$work/source|" | grep .
}
project() { # NAME BLOCK...: a program that uses the library as those blocks say
    mkdir "$work/$1"
    cp "$source_dir/tests/consumers/installed/main.cpp" "$work/$1"
    {
        printf 'cmake_minimum_required(VERSION 3.24)\nproject(consumer LANGUAGES CXX)\nadd_executable(your_program main.cpp)\n'
        for name in "${@:2}"; do block "$name"; done
    } >"$work/$1/CMakeLists.txt"
    cd "$work/$1"
    source <(block build)
    build/your_program
}

# What git would bring, and what isn't committed yet.
mkdir "$work/source"
git -C "$source_dir" ls-files -z --cached --others --exclude-standard |
    tar -C "$source_dir" --null --ignore-failed-read -cf - -T - | tar -C "$work/source" -xf -
cd "$work/source"
git init -q -b main && git add -A && git -c user.name=test -c user.email=test@localhost commit -q -m test
source <(block install)
[[ -f $work/prefix/share/pkgconfig/procpool.pc ]]
project installed project
project installed_engine project engine
project fetched fetch
