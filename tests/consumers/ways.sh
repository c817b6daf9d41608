#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Does what the table in docs/install.md says: builds and runs a program by the lines of one row.
# Usage: ways.sh SOURCE_DIR COMPILER WORK_DIR rows | prepare | WAY
#   rows     checks that each row of the table has its function here, and each function its row
#   prepare  makes what the ways share: a git clone to get procpool from, and a prefix where it is installed
#   WAY      the first cell of a row, in lower case and with _ between words
# Exits with 77 if a program that the way needs isn't there.
set -euo pipefail
source_dir=$1 compiler=$2 work=$3 way=$4
page=$source_dir/docs/install.md
main=$source_dir/tests/consumers/installed/main.cpp
skipped=77
export CXX=$compiler
# Git doesn't clone folders as submodules unless it is told to.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=protocol.file.allow GIT_CONFIG_VALUE_0=always

need() { # PROGRAM
    command -v "$1" >/dev/null && return
    echo "skipped: there is no $1"
    exit $skipped
}

# ---- the page

placed() { sed "s|\bPREFIX\b|$work/prefix|g; s|\bADDRESS\b|$work/source|g; s|\bPROCPOOL\b|$work/source|g"; }
rows() { awk -F' *[|] *' '/^[|] you build with / { table = 1; getline; next } table && !/^[|]/ { exit } table { print $2 }' "$page"; }
name_of() { tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9]+/_/g'; }
cell() { # NUMBER: the code in that cell of this way's row, a line for each piece
    local row
    while IFS= read -r row; do
        [[ $(name_of <<<"$row") == "$way" ]] || continue
        awk -F' *[|] *' -v row="$row" -v cell="$1" '$2 == row { print $(cell + 1) }' "$page" |
            grep -oE '[`][^`]+[`]' | tr -d '`' | placed
        return
    done < <(rows)
    echo "docs/install.md has no row for $way" >&2
    exit 1
}
to_get() { cell 2; }
to_write() { cell 3; }
block() { # NAME: the block of code below <!-- run: NAME -->
    awk -v mark="<!-- run: $1 -->" '$0 == mark { found = 1; next } found && /^```/ { if (inside) exit; inside = 1; next } inside' \
        "$page" | placed | grep .
}

# ---- the program

begin() {
    rm -rf "${work:?}/$way"
    mkdir -p "$work/$way"
    cd "$work/$way"
    cp "$main" .
}
get() {
    local commands
    commands=$(to_get)
    echo "+ $commands"
    eval "$commands"
}
write_cmake() {
    {
        printf 'cmake_minimum_required(VERSION 3.24)\nproject(consumer LANGUAGES CXX)\nadd_executable(your_program main.cpp)\n'
        to_write
        block link
    } >CMakeLists.txt
}
build_cmake() { # [OPTION...]
    cmake -G Ninja -B build -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG= "$@"
    cmake --build build
    build/your_program
}
build_meson() { # LINES: those of another program, with_engine, which has the engine
    need meson
    printf "project('consumer', 'cpp', default_options: ['cpp_std=c++20', 'debug=false'])\n" >meson.build
    to_write >>meson.build
    echo "$1" >>meson.build
    meson setup build
    meson compile -C build
    build/your_program
    build/with_engine
}
compile() {
    local command
    command=$(to_write)
    echo "+ $command"
    eval "${command/#c++/\$CXX}"
    ./your_program
}

# ---- the ways

way_cmake_installed() {
    write_cmake
    build_cmake "-DCMAKE_PREFIX_PATH=$work/prefix"
}
way_cmake_submodule() {
    git init -q
    get
    write_cmake
    build_cmake
}
way_cmake_fetchcontent() {
    write_cmake
    build_cmake
}
way_cmake_cpm() {
    if [[ ! -e ${CPM_FILE-} ]]; then
        echo "skipped: CPM_FILE names no CPM.cmake"
        exit $skipped
    fi
    mkdir cmake
    cp "$CPM_FILE" cmake/CPM.cmake
    write_cmake
    build_cmake
}
way_meson_installed() {
    export PKG_CONFIG_PATH=$work/prefix/share/pkgconfig
    build_meson "$(block meson_engine | sed 's/your_program/with_engine/')"
}
way_meson_wrap() {
    mkdir subprojects
    block wrap >subprojects/procpool.wrap
    build_meson "executable('with_engine', 'main.cpp', dependencies: dependency('procpool-engine'))"
}
way_pkg_config() {
    need pkg-config
    export PKG_CONFIG_PATH=$work/prefix/share/pkgconfig
    compile
}
way_a_compiler() {
    get
    compile
}
way_debian() {
    local root=$work/$way/root dependency
    need dpkg
    # Whatever the umask is, all may read what is installed; lintian sees to it below.
    (umask 077 && cd "$work/source" && ./dev package)
    mkdir -p root/var/lib/dpkg/{info,updates,triggers} root/var/log
    # In a root of its own, which has of the machine's packages those that are needed.
    for dependency in libboost-dev libcereal-dev; do
        if ! dpkg-query -s "$dependency" >>root/var/lib/dpkg/status 2>/dev/null; then
            echo "skipped: $dependency isn't installed"
            exit $skipped
        fi
        echo >>root/var/lib/dpkg/status
        : >"root/var/lib/dpkg/info/$dependency.list"
    done
    dpkg --root="$root" --force-not-root --install "$work"/source/build/package/*.deb
    write_cmake
    build_cmake "-DCMAKE_PREFIX_PATH=$root/usr"
    dpkg --root="$root" --force-not-root --purge libprocpool-dev
    if [[ -e root/usr && $(find root/usr -type f) ]]; then
        echo 'the package leaves files'
        exit 1
    fi
    if command -v lintian >/dev/null; then
        lintian --pedantic --fail-on error,warning,info,pedantic "$work"/source/build/package/*.deb
    fi
    # What apt itself would do with the line of the page.
    if command -v apt-get >/dev/null; then
        cd "$work/source"
        eval "$(to_get | sed -n 's/^apt-get install/& --simulate/p')"
    fi
}
way_conan() {
    local part
    need conan
    export CONAN_HOME=$work/$way/home
    conan profile detect
    # The headers of the machine are its packages, so no network is needed.
    conan remote disable '*'
    sed -i 's/^build_type=.*/build_type=Debug/' "$CONAN_HOME/profiles/default"
    for part in boost/1.74.0 cereal/1.3.2; do
        conan export-pkg "$source_dir/tests/consumers/conan" --name="${part%/*}" --version="${part#*/}" \
            --output-folder=headers
    done
    get
    block conan >conanfile.txt
    conan install . --output-folder=build -s compiler.cppstd=20
    write_cmake
    build_cmake -DCMAKE_TOOLCHAIN_FILE=build/conan_toolchain.cmake
}
way_vcpkg() {
    need vcpkg
    if [[ ! -e ${VCPKG_ROOT-}/scripts/buildsystems/vcpkg.cmake ]]; then
        echo 'skipped: VCPKG_ROOT names no vcpkg'
        exit $skipped
    fi
    # Nothing is written below the root of vcpkg, and the headers of the machine are its ports.
    # shellcheck disable=SC2034  # the line below has them
    local folders=(--x-install-root="$PWD/installed" --x-buildtrees-root="$PWD/buildtrees"
        --x-packages-root="$PWD/packages" --downloads-root="$PWD/downloads"
        --overlay-ports="$source_dir/tests/consumers/vcpkg" --binarysource=clear)
    mkdir downloads
    export VCPKG_FORCE_SYSTEM_BINARIES=1 VCPKG_DISABLE_METRICS=1
    eval "$(to_get) \"\${folders[@]}\""
    vcpkg format-manifest "$work/source/packaging/vcpkg/procpool/vcpkg.json"
    cmp "$work/source/packaging/vcpkg/procpool/vcpkg.json" "$source_dir/packaging/vcpkg/procpool/vcpkg.json"
    write_cmake
    build_cmake "-DCMAKE_TOOLCHAIN_FILE=$VCPKG_ROOT/scripts/buildsystems/vcpkg.cmake" \
        "-DVCPKG_INSTALLED_DIR=$PWD/installed" -DVCPKG_MANIFEST_MODE=OFF
    # What moves the package's files must not lose the engine's.
    PKG_CONFIG_PATH=$(dirname installed/*/share/pkgconfig/procpool.pc)
    export PKG_CONFIG_PATH
    [[ -f $(pkg-config --variable=source procpool-engine) ]]
}

# ----

mkdir -p "$work"
work=$(realpath "$work")
case $way in
rows)
    diff <(rows | while IFS= read -r row; do name_of <<<"$row"; done | sort) \
        <(compgen -A function way_ | sed 's/^way_//' | sort) && rows
    ;;
prepare)
    rm -rf "$work"
    mkdir -p "$work/source"
    # What git would bring, and what isn't committed yet.
    git -C "$source_dir" ls-files -z --cached --others --exclude-standard |
        tar -C "$source_dir" --null --ignore-failed-read -cf - -T - | tar -C "$work/source" -xf -
    cd "$work/source"
    git init -q -b main && git add -A && git -c user.name=test -c user.email=test@localhost commit -q -m test
    cmake -G Ninja -B "$work/installed" -DPROCPOOL_BUILD_TESTS=OFF -DPROCPOOL_BUILD_EXAMPLES=OFF -DPROCPOOL_BUILD_BENCHMARKS=OFF
    cmake --install "$work/installed" --prefix "$work/prefix" >/dev/null
    ;;
*)
    begin
    "way_$way"
    ;;
esac
