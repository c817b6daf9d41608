#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds and runs main.cpp against a copy of the headers, without any build system.
# Usage: run.sh INCLUDE_DIR COMPILER WORK_DIR
set -euo pipefail
include_dir=$1 compiler=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
cp -R "$include_dir" "$work/include"
"$compiler" -std=c++20 -I "$work/include" "$(dirname "$0")/main.cpp" -pthread -o "$work/consumer"
"$work/consumer"
