#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles what takes locks with Clang's analysis: data is used, and functions are called, with the lock held
# that they name (include/procpool/detail/mutex.hpp).
# Usage: check_locks.sh [COMPILER]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
compiler=${1-clang++-19}

# Of templates only what is instantiated is looked at: the engine, and each kind of call and process.
sources=(tests/support/engine.cpp
    tests/{executor,future,imap,manager,pipe,pool,pool_status,process,thread_pool}_test.cpp)
printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -n 1 "$compiler" -std=c++20 -fsyntax-only -Iinclude -Itests \
    -Wthread-safety -Werror=thread-safety
echo "locks are held where ${#sources[@]} files need them"
