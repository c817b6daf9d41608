#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Loses nodes of programs over MPI, and ends these in odd ways: each must end in time, with the right status, and
# leave nothing behind.
# Usage: loss.sh openmpi|mpich hosts|slurm|recovery PROGRAM CASE...
#   hosts     by mpiexec, on three virtual hosts;   slurm  there, by srun
#   recovery  by Open MPI's mpiexec --enable-recovery, which lets a job go on without a rank
# A CASE is a function below. Environment: ROUNDS (1), of each case
source "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
mpi=$1 way=$2 program=$(realpath "$3")
shift 3
state=$lab/state
timeout=2 # of nodes, in seconds

add_hosts 3
[[ $way != slurm ]] || start_slurm
[[ $way != recovery ]] || LAUNCHER_OPTIONS='--enable-recovery'
launcher "$mpi" 3

now() { date +%s%2N; } # in hundredths of a second
since() { echo $(($(now) - $1)); }
seconds() { printf %d.%02d $(($1 / 100)) $(($1 % 100)); } # of such hundredths

# ---- a program

start() { # MODE [SECONDS]: within so many
    rm -rf "$state"
    mkdir "$state"
    command=(timeout -k 5 "${2:-40}" "${launcher[@]}" "$program" "$1" "$state" "$timeout")
    "$lab_sources/remote_shell.sh" "${hosts[0]}" "cd $(printf %q "$PWD"); exec ${command[*]@Q}" >"$state/output" 2>&1 &
    job=$!
    began=$(now)
}
is_there() { [[ -e $state/$1 ]]; }
until_ready() { wait_until 20 is_there ready || wrong 'the program does not get ready'; }
until_runs_on() { wait_until 20 is_there "on.$1" || wrong "no element runs on $1"; } # HOST
go_on() { touch "$state/done"; }
# Ends with its status; 124 if it had to be ended.
finish() {
    ended=0
    wait "$job" || ended=$?
    took=$(since "$began")
}
rank_on() { pids_on "$1" "$program" | sed -n 1p; }
strike() { # SIGNAL HOST: its rank
    local pid
    pid=$(rank_on "$2")
    struck=$(now)
    kill -"$1" "$pid"
}

# ---- what is expected

wrong() {
    echo "WRONG: $*"
    good=no
}
ends_with() { # STATUS...: one of these; `bad` is any but 0 and 124
    local one
    for one; do
        [[ $ended != "$one" && ! ($one == bad && $ended != 0 && $ended != 124) ]] || return 0
    done
    wrong "it ended with $ended, not with $*"
}
prints() { # REGEX...
    local one
    for one; do grep -qE -- "$one" "$state/output" || wrong "it did not print '$one'"; done
}
has_printed() { grep -qE -- "$1" "$state/output"; }
does_not_print() { ! grep -qE -- "$1" "$state/output" || wrong "it printed '$1'"; }
# Of a loss: that it is found within the timeout and a second. Rank 0 beats each second, and before it looks who is
# silent, so its beats since the last word of the node tell that however busy the machine is. The times are for a person.
tells_delay() {
    local at silence beats
    read -r at silence beats < <(sed -nE \
        's/^found 1 at ([0-9.]+), silent for ([0-9.]+) s, ([0-9]+) beats$/\1 \2 \3/p' "$state/output") || true
    [[ -n ${beats-} ]] || { wrong 'no node was found lost'; return; }
    note+=", found after $(seconds $((${at/./} - struck))) s and $silence s of silence, $beats beats"
    ((beats <= timeout + 1)) || wrong "the node was found lost after $beats beats"
}
within() { # SECONDS: since the strike, but for the launcher's own time
    local time
    time=$(since "$struck")
    note+=", ended after $(seconds "$time") s"
    ((time <= $1 * 100)) || wrong "it took $(seconds "$time") s to end, not $1"
}
# srun and mpiexec tell that a rank was killed; a job whose ranks don't all end MPI isn't good for them, either.
ends_after_loss() {
    case $way in
        slurm) ends_with 137 143 0 1 ;;
        *) ends_with 0 1 137 255 ;;
    esac
}
source "$(dirname "${BASH_SOURCE[0]}")/loss_cases.sh"

clean_up() { # for the next case
    local host
    cat "$lab/left"
    for host in "${hosts[@]}"; do pids_on "$host" "$program" | xargs -r kill -KILL || true; done
    find "$TMPDIR" /dev/shm -mindepth 1 -delete
}

# Open MPI 4.1 may crash in its own start under srun: a rank gets a message while it still waits for the exchange of
# addresses, which Slurm has told the others is over (open-mpi/ompi#13559 is about the same). Nothing of ours has begun.
mpi_has_crashed_in_its_start() {
    [[ $way == slurm && $mpi == openmpi && ! -e $state/began ]] && has_printed 'Signal: Segmentation fault'
}
run_case() { # NAME
    good=yes note=''
    "case_$1"
    nothing_left >"$lab/left" 2>&1 || { wrong 'something is left'; clean_up; }
    does_not_print '^WRONG'
}

failed=0
for ((round = 0; round < ${ROUNDS:-1}; ++round)); do
    for one; do
        run_case "$one"
        if [[ $good != yes ]] && mpi_has_crashed_in_its_start; then
            printf 'again %-24s %6s s, status %s, Open MPI crashed in its start\n' "$one" "$(seconds "$took")" "$ended"
            run_case "$one"
        fi
        if [[ $good == yes ]]; then
            printf 'good  %-24s %6s s, status %s%s\n' "$one" "$(seconds "$took")" "$ended" "$note"
        else
            failed=$((failed + 1))
            printf 'BAD   %-24s %6s s, status %s%s\n' "$one" "$(seconds "$took")" "$ended" "$note"
            sed 's/^/    /' "$state/output" | tail -n 60
        fi
    done
done
exit $((failed > 0))
