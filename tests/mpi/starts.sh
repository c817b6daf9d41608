#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Right starts give each node all of its processors, and wrong ones are refused in a sentence.
# Usage: starts.sh MPI FOLDER_OF_PROGRAMS
source "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
mpi=$1 programs=$2
processors=$(nproc)
case $mpi in
openmpi)
    other=mpich only_core=(--bind-to core) option=pmix wrong_option=pmi2
    refusal="OMPI was not built with SLURM's PMI support" # Open MPI's own
    ;;
mpich)
    other=openmpi only_core=(-bind-to core) option=pmi2 wrong_option=pmix
    refusal='srun has started this program 2 times'
    ;;
esac
failures=0

# TEXT STATUS COMMAND...: the command ends with the status, be it 0 or not, and prints a line with the text.
expect() {
    local status=0
    timeout -k 5 60 "${@:3}" >"$lab/output" 2>&1 || status=$?
    if ((status == 124 || ($2 == 0) != (status == 0))) || ! grep -qF -- "$1" "$lab/output"; then
        printf '%s\nended with %d and did not say: %s\n' "${*:3}" "$status" "$1"
        cat "$lab/output"
        failures=$((failures + 1))
    fi
}

expect "has $processors" 0 "$programs/start.$mpi"
expect "has $processors" 0 "mpiexec.$mpi" -n 1 "${only_core[@]}" "$programs/start.$mpi"
expect "has $processors" 0 "mpiexec.$mpi" -n 1 "${only_core[@]}" bash -c "$programs/start.$mpi; exit"
expect 'has started this program 2 times' 1 "mpiexec.$other" -n 2 "$programs/start.$mpi"
expect 'all nodes need the same build' 1 "mpiexec.$mpi" -n 1 "$programs/start.$mpi" : -n 1 "$programs/start_other.$mpi"
expect 'has no build id' 1 "mpiexec.$mpi" -n 2 "$programs/start_nameless.$mpi"

add_hosts 2
start_slurm
step=("$lab_sources/remote_shell.sh" node1 srun -N 2 -n 2)
expect "node2 has $processors" 0 "${step[@]}" "--mpi=$option" "$programs/start.$mpi"
expect "$refusal" 1 "${step[@]}" "$programs/start.$mpi"
expect "$refusal" 1 "${step[@]}" "--mpi=$wrong_option" "$programs/start.$mpi"
nothing_left || failures=$((failures + 1))
exit $((failures > 0))
