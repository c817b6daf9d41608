#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs a command beside two programs that are busy with the CPU and two that are busy with memory.
# Usage: load.sh COMMAND [ARGUMENT...]
set -euo pipefail
busy=()
trap 'kill "${busy[@]}" 2>/dev/null || true' EXIT
for _ in 1 2; do
    while :; do :; done &
    busy+=($!)
    # Each block is written once and read once, and is larger than a cache.
    dd if=/dev/zero of=/dev/null bs=256M 2>/dev/null &
    busy+=($!)
done
"$@"
