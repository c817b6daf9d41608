#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A library whose program is somebody else's, and the executable of its workers.
# Usage: other_main.sh WORK_DIR COMPILER [COMPILER_OPTION...]
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
work=$1 compiler=$2
shift 2
compile=("$compiler" -std=c++20 -pthread "-I$here/../../include" "-I$here/.." "$@")
rm -rf "$work"
mkdir -p "$work"

for source in "$here/../support/engine.cpp" "$here/extension.cpp"; do
    "${compile[@]}" -fPIC -fvisibility=hidden -c "$source" -o "$work/$(basename "$source" .cpp).o"
done
link_extension() { "$compiler" -pthread -shared "$work/extension.o" "$work/engine.o" "-Wl,--build-id$1" -o "$work/extension.so"; }
link_extension =sha1
"$compiler" -shared -fPIC -DNAME=in_plugin -DFACTOR=2 -Wl,--build-id "$here/library.cpp" -o "$work/plugin.so"
"$compiler" "$here/host.cpp" -Wl,--build-id -ldl -o "$work/host"
printf '#include <procpool/worker_program.hpp>\nint main(int argc, char** argv) { return procpool::worker_program(argc, argv); }\n' \
    >"$work/worker_program.cpp"
"${compile[@]}" "$work/worker_program.cpp" -ldl -o "$work/worker_program"

"$work/host" "$work/extension.so" run "$work/worker_program" "$work/plugin.so"
echo 'both executables: good'

expect_refusal() { # SENTENCE ARGUMENT...
    local sentence=$1 printed
    shift
    printed=$("$work/worker_program" "$@" 2>&1) && { echo "not refused: $*" && exit 1; }
    [[ $printed == *"$sentence"* ]] || { echo "not '$sentence' but: $printed" && exit 1; }
}
expect_refusal 'it takes four arguments'
expect_refusal 'none of theirs' "$work/extension.so" 00 0 nonsense
expect_refusal 'cannot open shared object file' /no/such.so 00 0 --procpool-process=3
expect_refusal 'is another build' "$work/extension.so" 00 0 --procpool-process=3
echo 'refusals: good'

link_extension =none
"$work/host" "$work/extension.so" run "$work/worker_program" "$work/plugin.so" 2>"$work/printed" &&
    { echo 'a library without a build id is not refused' && exit 1; }
grep -q 'has no build id by which a worker could tell it' "$work/printed" || { cat "$work/printed" && exit 1; }
echo 'no build id: good'
