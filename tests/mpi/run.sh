#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs a program over MPI within a time limit, and fails if it leaves something behind.
# Usage: run.sh openmpi|mpich machine|hosts:N|slurm:N RANKS PROGRAM [ARGUMENT...]
#   machine  on this machine;   hosts:N  on N virtual hosts;   slurm:N  there, by Slurm
# Environment: LIMIT, seconds (60); LAUNCHER_OPTIONS, for mpiexec or srun
source "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
mpi=$1 way=$2 ranks=$3
shift 3

[[ $way != *:* ]] || add_hosts "${way#*:}"
[[ $way != slurm:* ]] || start_slurm
launcher "$mpi" "$ranks"
command=(timeout -k 5 "${LIMIT:-60}" "${launcher[@]}" "$@")
[[ $way == machine ]] || command=("$lab_sources/remote_shell.sh" "${hosts[0]}" "cd $(printf %q "$PWD"); exec ${command[*]@Q}")
status=0
"${command[@]}" || status=$?
((status != 124)) || echo "not done within ${LIMIT:-60} s" >&2
nothing_left || ((status)) || status=1
exit "$status"
