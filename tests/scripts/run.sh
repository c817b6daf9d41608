#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the tests of a preset. What fails is run again, alone: a test that then passes each time is flaky, which is
# told and written to build/flaky.txt, but doesn't fail the run.
# Usage: run.sh PRESET [CTEST_OPTION...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
preset=$1
shift
logs=build/$preset/Testing/Temporary
again=20        # times that a failed test runs again
most_by_chance=5 # so many failures in one run are no accident

# gcc's TSan can't start on kernels that randomise addresses by more than 28 bits.
ctest=(ctest)
if [[ $preset == tsan ]] && setarch --addr-no-randomize true 2>/dev/null; then
    ctest=(setarch --addr-no-randomize ctest)
fi

rm -f "$logs/LastTestsFailed.log"
status=0
"${ctest[@]}" --preset "$preset" "$@" || status=$?
((status)) || exit 0
[[ -s $logs/LastTestsFailed.log ]] || exit "$status" # nothing ran
mapfile -t failed < <(cut -d: -f2- "$logs/LastTestsFailed.log")
mkdir -p build/flaky
cp "$logs/LastTest.log" "build/flaky/$preset.log"
if ((${#failed[@]} > most_by_chance)); then
    printf '\n%d tests have failed: too many to be chance\n' "${#failed[@]}"
    exit "$status"
fi

for name in "${failed[@]}"; do
    printf '\n==> %s has failed; it runs %d times more, alone\n' "$name" "$again"
    pattern=$(sed 's/[][().*+?^$|\\]/\\&/g' <<<"$name")
    log=build/flaky/${name//[^A-Za-z0-9._-]/_}.log
    if ! "${ctest[@]}" --preset "$preset" -j1 -R "^$pattern\$" --repeat "until-fail:$again" >"$log" 2>&1
    then
        cat "$log"
        printf '\nfailed again: %s\n' "$name"
        exit "$status"
    fi
    told="$name, 1 of $((again + 1))"
    [[ $preset == release ]] || told+=" ($preset)"
    echo "$told" >>build/flaky.txt
done
echo "What failed once has printed what is in build/flaky/$preset.log; ./dev test --flaky NAME looks for more."
