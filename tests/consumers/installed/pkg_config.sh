#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds and runs main.cpp with the flags that pkg-config gives for the packages installed under PREFIX.
# Usage: pkg_config.sh PREFIX COMPILER WORK_DIR
set -euo pipefail
prefix=$1 compiler=$2 work=$3
mkdir -p "$work"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name procpool.pc)")
export PKG_CONFIG_PATH
pkg-config --atleast-version=0.1 procpool
for package in procpool procpool-engine; do
    source=$(pkg-config --variable=source "$package") # of the engine; procpool itself has none
    # shellcheck disable=SC2046,SC2086  # flags are words
    "$compiler" -std=c++20 "$(dirname "$0")/main.cpp" $source $(pkg-config --cflags --libs "$package") -o "$work/consumer"
    "$work/consumer"
done
