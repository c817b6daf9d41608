#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What ssh is for real hosts: runs a command on a virtual one, in the same folder.
# Usage: remote_shell.sh [OPTION...] HOST COMMAND...
set -euo pipefail
while [[ $1 == -* ]]; do shift; done
exec ip netns exec "$1" unshare --uts bash -c "hostname $1; ${*:2}"
