# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# The cases of loss.sh.

# ---- a node is lost, and the job lives: by srun, and --enable-recovery

case_killed() {
    start map
    until_runs_on node2
    strike KILL node2
    wait_until 20 has_printed '^mapped$' || wrong 'the map does not end'
    go_on
    finish
    ends_after_loss
    tells_delay
    prints '^nodes: 0=alive 1=lost 2=alive$' '^nodes: 0=alive 2=alive$'
}
case_killed_own_mpi() { OWN_MPI=yes case_killed; }
case_own_mpi() { OWN_MPI=yes ends_itself return7 7; }
case_killed_fail() {
    start fail
    until_runs_on node2
    strike KILL node2
    go_on
    finish
    ends_after_loss
    prints '^nodes: 0=alive 1=lost 2=alive$' '^failed: '
    note+=", $(grep ^failed "$state/output")"
}
case_stopped() { # and goes on, when it is lost
    start map
    until_runs_on node2
    strike STOP node2
    wait_until 20 has_printed '^found 1' || wrong 'node2 was not found lost'
    strike_again CONT
    wait_until 20 only_its_rank_is_on node2 || wrong "$(pids_on node2 "$program" | wc -l) processes are on node2"
    go_on
    finish
    ends_after_loss
    tells_delay
    prints '^nodes: 0=alive 1=lost 2=alive$' '^nodes: 0=alive 2=alive$'
}
only_its_rank_is_on() { (($(pids_on "$1" "$program" | wc -l) == 1)); }
strike_again() { kill -"$1" "$(rank_on node2)" 2>/dev/null; }
case_stopped_for_good() { # until the others have ended
    start map
    until_runs_on node2
    strike STOP node2
    wait_until 20 has_printed '^found 1' || wrong 'node2 was not found lost'
    go_on
    sleep 3
    strike_again CONT || true
    finish
    ends_after_loss
    tells_delay
}
case_cut() { # longer than is borne; launchers don't like that either, and may end the job when it is over
    start map
    until_runs_on node2
    struck=$(now)
    cut node2
    wait_until 20 has_printed '^mapped$' || wrong 'the map does not end'
    restore node2
    sleep 2
    go_on
    finish
    ends_after_loss
    tells_delay
}
# A link between hosts of the chain by which definitions come: rank 0 hears of both.
case_link_cut() {
    timeout=5 start definitions 100 # which is not about that
    until_ready
    part node2 node3
    touch "$state/go"
    wait_until 60 is_there mapped || wrong 'the map does not end'
    node2_rests
    go_on
    finish
    rejoin node2 node3
    ends_after_loss
    prints '^mapped$' '^nodes: 0=alive 1=alive 2=alive$'
}
# What it can't pass on isn't looked after ten thousand times a second for ever.
node2_rests() {
    local rank naps
    sleep "$timeout"
    rank=$(rank_on node2)
    naps=$(naps_of "$rank")
    sleep 2
    naps=$(($(naps_of "$rank") - naps))
    note+=", $naps naps in 2 s"
    ((naps < 4000)) || wrong "node2 woke $naps times in 2 s"
}
naps_of() { awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status" 2>/dev/null || echo 0; } # 0 if it has ended
case_link_cut_midway() {
    limit node3 20mbit
    timeout=5 start definitions 60
    until_ready
    touch "$state/go" "$state/done"
    sleep 2
    part node2 node3
    unlimit node3
    finish
    rejoin node2 node3
    ends_after_loss
    prints '^mapped$' '^nodes: 0=alive 1=alive 2=alive$'
}
case_definitions() { # no loss
    timeout=5 start definitions 100 # which is not about that
    until_ready
    touch "$state/go" "$state/done"
    finish
    ends_with 0
    prints '^mapped$' '^nodes: 0=alive 1=alive 2=alive$'
}
# No loss. Elements come to node3 directly, and before their definitions, which come by way of node2.
case_small_definitions() {
    timeout=5 start small_definitions 100
    until_ready
    limit node2 40mbit
    touch "$state/go"
    finish
    unlimit node2
    ends_with 0
    prints '^nodes: 0=alive 1=alive 2=alive$'
}
case_cut_briefly() { # no loss; on a busy machine a second may be several
    timeout=5 start map
    until_runs_on node2
    cut node2
    sleep 1
    restore node2
    go_on
    finish
    ends_with 0
    does_not_print '^found'
}
case_slow_link() { # no loss
    limit node2 200mbit
    start map
    until_runs_on node2
    wait_until 20 has_printed '^mapped$' || wrong 'the map does not end'
    go_on
    finish
    unlimit node2
    ends_with 0
    does_not_print '^found'
}
case_lose_all() {
    start lose_all
    until_runs_on node2
    strike KILL node2
    wait_until 20 is_on_both || wrong 'node3 does not run what node2 had'
    strike KILL node3
    wait_until 20 has_printed '^found 2' || wrong 'node3 was not found lost'
    go_on
    finish
    ends_after_loss
    prints '^failed: [1-9]' '^nodes: 0=alive 1=lost 2=lost$'
}
is_on_both() { compgen -G "$state/second.*" >/dev/null; }
case_construct() {
    start construct
    until_runs_on node2
    strike KILL node2
    go_on
    finish
    ends_after_loss
    prints '^nodes: 0=alive 2=alive$'
}
case_two_pools() {
    start two_pools
    until_runs_on node2
    strike KILL node2
    finish
    ends_after_loss
    (($(grep -c '^nodes: 0=alive 1=lost 2=alive$' "$state/output") == 2)) || wrong 'not both have lost node2'
}
case_cancel_during_a_loss() {
    start cancel_during_a_loss
    until_runs_on node2
    strike KILL node2
    touch "$state/struck"
    finish
    ends_after_loss
    prints '^cancelled: '
    note+=", $(grep ^cancelled "$state/output")"
}
case_chain() { # half way, and node3 gets from rank 0 what it lacks
    timeout=5 start chain 200 # on a busy machine its elements take a while
    until_ready
    limit node2 20mbit
    touch "$state/go"
    sleep 2
    strike KILL node2
    unlimit node2
    wait_until 150 has_printed '^mapped 33554432$' || wrong 'node3 does not get what is bound'
    note+=", after $(seconds "$(since "$struck")") s the call was done"
    finish
    ends_after_loss
    prints '^mapped 33554432$' '^mapped 2097152$' '^nodes: 0=alive 1=lost 2=alive$'
}
case_killed_between_pools() {
    start pool_after_a_death
    until_ready
    strike KILL node2
    go_on
    finish
    ends_after_loss
    prints '^nodes: 0=alive'
}
case_killed_at_the_end() { # nobody has noticed it yet
    start silent_end
    until_ready
    strike KILL node2
    go_on
    finish
    ends_with 0 5 137 255 # Open MPI's mpiexec may say 0 with --enable-recovery; MPICH's mpiexec ends all
    within $((2 * timeout + 10))
}
case_stopped_at_the_end() {
    start silent_end
    until_ready
    strike STOP node2
    go_on
    sleep $((2 * timeout + 5))
    strike_again CONT || true
    finish
    ends_with 0 5 1 143 137
    prints '^ends$'
}

# ---- mpiexec ends the job

case_aborted() {
    start map
    until_runs_on node2
    strike KILL node2
    finish
    ends_with bad
    within 12
}

# ---- rank 0 is lost

case_rank_0_killed() {
    start for_ever
    until_runs_on node2
    strike KILL node1
    finish
    ends_with bad
    within $((2 * timeout + 6))
}
case_rank_0_stopped() { # by srun: the hosts end, and rank 0 when it goes on
    start for_ever
    until_runs_on node2
    strike STOP node1
    wait_until $((2 * timeout + 3)) no_programs_on node2 node3 || wrong 'the hosts did not end'
    within $((2 * timeout + 3))
    kill -KILL "$(rank_on node1)" 2>/dev/null || true
    finish
    ends_with bad
}
no_programs_on() {
    local host
    for host; do [[ -z $(pids_on "$host" "$program") ]] || return 1; done
}
case_rank_0_terminated() {
    start for_ever
    until_runs_on node2
    strike TERM node1
    finish
    ends_with bad
    within $((2 * timeout + 6))
}
case_rank_0_interrupted() {
    start for_ever
    until_runs_on node2
    strike INT node1
    finish
    ends_with bad
    within $((2 * timeout + 6))
}

# ---- ends of main

ends_itself() { # MODE STATUS...
    start "$1"
    struck=$began
    finish
    ends_with "${@:2}"
}
case_throw() {
    ends_itself throw bad
    prints 'thrown by main'
}
case_exit3() { ends_itself exit3 3; }
case_exit0() { ends_itself exit0 0; }
case_exit_in_callback() { ends_itself exit_in_callback 6; }
case__exit4() { ends_itself _exit4 bad; }
case_abort() { ends_itself abort bad; }
case_quick_exit5() { ends_itself quick_exit5 bad; }
case_return7() { ends_itself return7 7; }
case_global_pool() { ends_itself global_pool 8; }
case_global_pool_exit() { ends_itself global_pool_exit 9; }
case_forks() {
    ends_itself forks 6
    prints '^child ended with 4$' '^child ended with 5$' '^nodes: 0=alive 1=alive 2=alive$'
}
case_own_share_hangs() { # nobody waits for that without end
    ends_itself own_share_hangs 5
    within 25
    prints '^ends$' "workers don't end"
}
case_prints_by_cout() { # after a loss, too
    start prints_by_cout
    until_runs_on node2
    strike KILL node2
    finish
    ends_with 0 1 7 137 143 255 # launchers may have their own opinion after a loss
    prints 'printed by cout'
}
case_result_outlives_pool() {
    ends_itself result_outlives_pool 3
    prints '^terminated$'
}

# ---- tasks and nodes that misbehave

case_task_exits() {
    ends_itself task_exits 0
    prints '^failed: 1$'
}
case_task_kills() {
    ends_itself task_kills 0
    prints '^failed: [1-9]'
}
case_restarts() {
    ends_itself restarts 0
    prints '^pool failed: '
}
case_initializer_throws() {
    ends_itself initializer_throws 0
    prints 'failed: no licence on node'
}
case_initializer_hangs() {
    ends_itself initializer_hangs 0
    prints '^pool failed: '
}
case_mpi_in_a_task() { ends_itself mpi_in_a_task 0; }

# ---- more than MPI counts with an int, twice; the three machines of it are one

case_big() {
    local available
    available=$(awk '$1 == "MemAvailable:" { print int($2 / 1048576) }' /proc/meminfo)
    if ((available < 15)); then
        ended=skipped took=0 note=", there are $available GiB of memory"
        mkdir -p "$state"
        : >"$state/output"
        return
    fi
    start big 300
    finish
    ends_with 0
    prints '^argument of 2147495993$' '^result of 2147495993$'
}
