# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Virtual hosts for tests of MPI, and a Slurm of them. A script of root's sources this first: it then runs anew with
# processes, mounts, /run and /dev/shm of its own, so nothing of it is left when it ends, however it ends. Where that
# isn't allowed the script ends with 77, by which ctest knows that it was skipped.
#   add_hosts N             hosts node1 to nodeN, in array `hosts`: a network namespace each, joined by a switch
#   on HOST COMMAND...      runs a command there
#   pids_on HOST PROGRAM    processes of that file there, the oldest first
#   limit HOST RATE [DELAY] slows what goes to the host and comes from it: limit node2 200mbit 1ms. DELAY takes a
#                           kernel with sch_netem
#   unlimit HOST            ends that
#   cut HOST, restore HOST  takes the host off the switch, where its packets get lost, and puts it back; the program
#                           of that name is `command cut`
#   part HOST HOST, rejoin HOST HOST   the same for what goes between these two
#   start_slurm             has Slurm on all hosts; `on node1 srun ...` then works
#   launcher MPI RANKS      sets array `launcher` to what starts so many ranks of openmpi or mpich: on the hosts, by
#                           Slurm if that runs, or just here if there are no hosts; LAUNCHER_OPTIONS are added
#   wait_until SECONDS COMMAND...   tries until it succeeds; fails if the time is over
#   nothing_left            fails, and says what it is, if a process or a file of a program is left

skip() {
    echo "skipped: $*" >&2
    exit 77
}

if [[ ${lab-} != /run/lab ]]; then
    ((EUID == 0)) || skip 'virtual hosts need root'
    own=(unshare --mount --pid --fork --kill-child --mount-proc)
    "${own[@]}" ip link >/dev/null 2>&1 || skip 'this machine lets nobody make namespaces, or has no iproute2'
    lab=/run/lab exec "${own[@]}" bash "$0" "$@"
fi
set -euo pipefail
trap 'exit 143' TERM INT # the first process of a namespace ignores them otherwise
mount -t tmpfs lab /run
mount -t tmpfs lab /dev/shm
mkdir -p "$lab/tmp" /run/netns
lab_sources=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
hosts=() slurm=''

export TMPDIR=$lab/tmp
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

add_hosts() { # N
    local i name
    ip netns add switch || skip 'this machine lets nobody make network namespaces'
    ip -n switch link add br0 type bridge
    ip -n switch link set br0 up
    cp /etc/hosts "$lab/hosts"
    for ((i = 1; i <= $1; ++i)); do
        name=node$i
        hosts+=("$name")
        echo "10.91.0.$i $name" >>"$lab/hosts"
        ip netns add "$name"
        ip -n "$name" link set lo up
        ip -n "$name" link add eth0 type veth peer name "$name" netns switch
        ip -n switch link set "$name" master br0 up
        ip -n "$name" addr add "10.91.0.$i/24" dev eth0
        ip -n "$name" link set eth0 up
    done
    mount --bind "$lab/hosts" /etc/hosts
    # A host is reached by its remote shell, over its only network. UCX sees one machine, and must not use its memory.
    export OMPI_MCA_plm_rsh_agent=$lab_sources/remote_shell.sh
    export OMPI_MCA_oob_tcp_if_include=eth0 OMPI_MCA_btl_tcp_if_include=eth0
    export HYDRA_LAUNCHER=ssh HYDRA_LAUNCHER_EXEC=$lab_sources/remote_shell.sh HYDRA_IFACE=eth0
    export UCX_TLS=tcp,self
}

on() { "$lab_sources/remote_shell.sh" "$1" "${*:2}"; }

pids_on() { # HOST PROGRAM
    local pid
    for pid in $(ip netns pids "$1" | sort -n); do
        [[ $(readlink "/proc/$pid/exe") != "$(realpath "$2")" ]] || echo "$pid"
    done
}

slow() { # NAMESPACE DEVICE RATE [DELAY]
    tc -n "$1" qdisc replace dev "$2" root handle 1: tbf rate "$3" burst 128kb latency 100ms
    [[ -z ${4-} ]] || tc -n "$1" qdisc replace dev "$2" parent 1:1 netem limit 10000 delay "$4"
}
limit() { # HOST RATE [DELAY]
    slow "$1" eth0 "${@:2}"
    slow switch "$1" "${@:2}"
}
unlimit() { # HOST
    tc -n "$1" qdisc del dev eth0 root
    tc -n switch qdisc del dev "$1" root
}
cut() { ip -n switch link set "$1" nomaster; }
restore() { ip -n switch link set "$1" master br0; }
# Packets between the two go to a machine that isn't there.
part() { # HOST HOST
    ip -n "$1" neigh replace "10.91.0.${2#node}" dev eth0 lladdr 02:00:00:00:00:fe nud permanent
    ip -n "$2" neigh replace "10.91.0.${1#node}" dev eth0 lladdr 02:00:00:00:00:fe nud permanent
}
rejoin() { # HOST HOST
    ip -n "$1" neigh del "10.91.0.${2#node}" dev eth0
    ip -n "$2" neigh del "10.91.0.${1#node}" dev eth0
}

wait_until() { # SECONDS COMMAND...: until it succeeds
    local end=$((SECONDS + $1))
    until "${@:2}"; do
        ((SECONDS < end)) || return 1
        sleep .1
    done
}

start_slurm() {
    local host place=$lab/slurm
    slurm=yes
    mkdir -p "$place"/{state,spool,host}
    sed "s|@PLACE@|$place|; s|@FIRST@|${hosts[0]}|; s|@NODES@|node[1-${#hosts[@]}]|; s|@CPUS@|$(nproc)|" \
        "$lab_sources/slurm.conf" >"$place/slurm.conf"
    printf '%s\n' CgroupPlugin=cgroup/v1 CgroupAutomount=no >"$place/cgroup.conf"
    # PMIx has files there that tell hosts apart by their names only: each host has a folder of its own.
    echo "PMIxCliTmpDirBase=$place/host" >"$place/mpi.conf"
    export SLURM_CONF=$place/slurm.conf
    (umask 077 && head -c 64 /dev/urandom >"$place/key")
    munged --force --key-file="$place/key" --socket="$place/munge" --pid-file="$place/munged.pid" \
        --log-file="$place/munged.log" --seed-file="$place/munged.seed"
    "$lab_sources/remote_shell.sh" "${hosts[0]}" 'exec slurmctld -D' >"$place/slurmctld.out" 2>&1 &
    for host in "${hosts[@]}"; do
        "$lab_sources/remote_shell.sh" "$host" "mount -t tmpfs lab $place/host; exec slurmd -D" >"$place/slurmd.$host.out" 2>&1 &
    done
    if ! wait_until 30 all_idle; then
        tail -n 20 "$place"/*.out "$place"/*.log >&2
        echo 'Slurm does not start' >&2
        return 1
    fi
}
all_idle() { [[ $(on "${hosts[0]}" sinfo --noheader --Node --states=idle 2>/dev/null | wc -l) == "${#hosts[@]}" ]]; }

launcher() { # MPI RANKS
    local each=$(($2 / (${#hosts[@]} ? ${#hosts[@]} : 1))) IFS=,
    if [[ $slurm ]]; then
        launcher=(srun --mpi="$([[ $1 == openmpi ]] && echo pmix || echo pmi2)" --ntasks="$2" --overcommit
            --nodes="${#hosts[@]}")
    elif [[ $1 == openmpi ]]; then
        launcher=(mpiexec.openmpi --oversubscribe -n "$2")
        ((${#hosts[@]} == 0)) || launcher+=(--host "${hosts[*]/%/:$each}" --map-by node)
    else
        launcher=(mpiexec.mpich -n "$2")
        ((${#hosts[@]} == 0)) || launcher+=(-hosts "${hosts[*]}" -ppn 1)
    fi
    IFS=' '
    read -ra options <<<"${LAUNCHER_OPTIONS-}"
    launcher+=("${options[@]}")
}

# Writes what runs, but for the lab itself, to a file. Nothing else may run meanwhile, not even a subshell.
list_strangers() {
    ps -e -o pid=,stat=,comm=,args= >"$lab/processes"
    awk '$1 != 1 && $2 !~ /^Z/ && $3 !~ /^(ps|munged|slurmctld|slurmscriptd|slurmd)$/' "$lab/processes" >"$lab/strangers"
}
no_strangers() {
    list_strangers
    [[ ! -s $lab/strangers ]]
}
nothing_left() {
    local left=0
    if ! wait_until 5 no_strangers; then
        echo "processes that are left:"
        cat "$lab/strangers"
        left=1
    fi
    if [[ $(find "$TMPDIR" /dev/shm -mindepth 1) ]]; then
        echo "files that are left:"
        find "$TMPDIR" /dev/shm -mindepth 1
        left=1
    fi
    return "$left"
} >&2
