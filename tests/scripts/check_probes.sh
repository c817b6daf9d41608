#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A program has the probes that docs/observing.md names if there is a <sys/sdt.h>, and none if it says so.
# Usage: check_probes.sh COMPILER [FLAG...]   exits with 77 where there is no such header
set -euo pipefail
compiler=("$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! echo '#include <sys/sdt.h>' | "${compiler[@]}" -x c++ -fsyntax-only - 2>/dev/null; then
    echo "there is no <sys/sdt.h> here (Debian: apt-get install systemtap-sdt-dev)"
    exit 77
fi
cat >"$work/program.cpp" <<'END'
#include "procpool/detail/os/probes.hpp"
namespace probes = procpool::detail::os::probes;
int main(int count, char**) {
    probes::call_begin(1);
    probes::worker_start(0, count);
    probes::elements_end(1, count, 1);
    probes::worker_end(0, count);
    probes::call_end(1);
}
END
found() { # FLAG...
    "${compiler[@]}" "$@" "$work/program.cpp" -o "$work/program"
    "$work/program"
    readelf -n "$work/program" | awk '$1 == "Provider:" { provider = $2 } $1 == "Name:" && provider == "procpool" { print $2 }' | sort
}
expected=$(printf '%s\n' call__begin call__end elements__end worker__end worker__start)
for optimised in -O0 -O2; do
    got=$(found $optimised)
    if [[ $got != "$expected" ]]; then
        printf 'with %s there are these probes:\n%s\n' "$optimised" "$got"
        exit 1
    fi
done
if [[ -n $(found -DPROCPOOL_NO_PROBES) ]]; then
    echo "PROCPOOL_NO_PROBES leaves some"
    exit 1
fi
echo "5 probes"
