#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the programs of the comparison on virtual hosts, in interleaved rounds, prints a table of the medians, and
# writes it, a plot and what was measured to FOLDER.
# Pools have eight workers, those of procpool four on each host; mpi4py has another rank that waits for them.
# Usage: compare.sh FOLDER_OF_PROGRAMS FOLDER [ROUNDS]
source "$(dirname "${BASH_SOURCE[0]}")/../../tests/mpi/lab.sh"
programs=$(realpath "$1") out=$2 rounds=${3:-5}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

add_hosts 4
two=("${hosts[@]:0:2}") four=("${hosts[@]}")
# NAME MPI RANKS COMMAND...: a line NAME:MPI MEASURE VALUE for each measure
run() {
    local status=0
    [[ ! -x $4 ]] && return
    LAUNCHER_OPTIONS=$([[ $2 == openmpi ]] && echo --bind-to none) launcher "$2" "$3"
    on "${hosts[0]}" timeout -k 5 300 "${launcher[@]}" "${@:4}" >"$lab/output" 2>"$lab/errors" || status=$?
    sed "s/^/$1:$2 /" "$lab/output" >>"$lab/measured"
    ((status == 0)) || { echo "$1 with $2 ended with $status:" && cat "$lab/errors"; } >&2
}
for ((round = 1; round <= rounds; ++round)); do
    echo "round $round of $rounds" >&2
    for mpi in openmpi mpich; do
        hosts=("${two[@]}")
        for what in everywhere remote; do run procpool "$mpi" 2 "$programs/pool.$mpi" "$what" 4; done
        run bare "$mpi" 2 "$programs/bare.$mpi" all
        limit "${hosts[1]}" 20mbit
        run procpool "$mpi" 2 "$programs/pool.$mpi" naps 4
        unlimit "${hosts[1]}"
        hosts=("${four[@]}")
        for host in "${hosts[@]}"; do limit "$host" 200mbit; done
        run procpool "$mpi" 4 "$programs/pool.$mpi" chain 1
        hosts=("${two[@]}")
        run bare "$mpi" 2 "$programs/bare.$mpi" bound
        for host in "${four[@]}"; do unlimit "$host"; done
    done
    hosts=("${two[@]}")
    run mpi4py openmpi 9 /usr/bin/python3 -m mpi4py.futures "$here/futures.py" # Debian's is built for Open MPI
    on "${hosts[0]}" "$programs/pool.openmpi" local 4 | sed "s/^/local:openmpi /" >>"$lab/measured"
done
mkdir -p "$out"
cp "$lab/measured" "$out/mpi.txt"
/usr/bin/python3 "$here/table.py" "$out/mpi.txt" "$out/mpi.svg" | tee "$out/mpi.md"
