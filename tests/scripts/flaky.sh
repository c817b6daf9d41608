#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs one test many times beside busy programs. What a run that failed has printed is kept, and of one that hangs
# the stacks of all its processes, if there is gdb.
# Usage: flaky.sh BUILD_DIR NAME [TIMES]
set -euo pipefail
build=$1 name=$2 times=${3:-100}
limit=120 # seconds after which a run hangs
here=$(dirname "${BASH_SOURCE[0]}")
kept=build/flaky/$name

pattern=$(sed 's/[][().*+?^$|\\]/\\&/g' <<<"$name")
listed=$(ctest --test-dir "$build" -N -V -R "^$pattern\$")
command=$(sed -n 's/^[0-9]*: Test command: //p' <<<"$listed" | tail -n 1)
[[ -n $command ]] || {
    echo "flaky.sh: no test '$name' in $build; ctest --test-dir $build -N lists them" >&2
    exit 2
}

rm -rf "$kept"
mkdir -p "$kept"
bash "$here/load.sh" sleep infinity &
load=$!
trap 'pkill -P "$load"; wait "$load" 2>/dev/null || true' EXIT

# A test program makes itself the leader of a process group, in which all of its processes are.
stacks() { # GROUP
    local pid
    for pid in $(pgrep -g "$1"); do
        printf '\n==> process %d: %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline")"
        gdb -p "$pid" -batch -ex 'thread apply all backtrace' 2>&1 || true
    done
}

failed=0
for ((run = 1; run <= times; ++run)); do
    log=$kept/$run.log status=0
    # exec: so that the test's number is known, which is its group's
    bash -c "exec $command" >"$log" 2>&1 &
    test=$!
    for ((waited = 0; waited < limit * 10; ++waited)); do
        kill -0 "$test" 2>/dev/null || break
        sleep 0.1
    done
    if kill -0 "$test" 2>/dev/null; then
        echo "run $run hangs"
        if command -v gdb >/dev/null; then stacks "$test" >>"$log"; fi
        kill -KILL -- "-$test" 2>/dev/null || kill -KILL "$test"
    fi
    wait "$test" || status=$?
    if ((status)); then
        failed=$((failed + 1))
        echo "run $run: status $status, see $log"
    else
        rm "$log"
    fi
done
rmdir "$kept" 2>/dev/null || true
echo "$name: $failed of $times runs have failed"
exit $((failed > 0))
