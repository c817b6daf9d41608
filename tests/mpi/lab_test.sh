#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The virtual hosts themselves: they have names and a network that can be slowed and lost, and what is left is seen.
source "$(dirname "${BASH_SOURCE[0]}")/lab.sh"

is() { # TEXT COMMAND...: the command succeeds
    "${@:2}" || { echo "not so: $1" && exit 1; }
}
isnt() { # TEXT COMMAND...: it fails
    ! "${@:2}" || { echo "not so: $1" && exit 1; }
}
# Nobody listens there, so node2 refuses, if it is reached.
reached() {
    local status=0
    on node1 "timeout 1 bash -c '</dev/tcp/node2/7'" 2>/dev/null || status=$?
    ((status == 1))
}
speed_is() { tc -n node2 qdisc show dev eth0 | grep -q "$1"; }
nothing_seen() { nothing_left 2>/dev/null; }

add_hosts 2
is 'a host has a name' test "$(on node2 hostname)" = node2
is 'hosts reach each other' reached
cut node2
isnt 'a host that is cut off is not reached' reached
restore node2
is 'a host that is restored is reached' wait_until 10 reached
part node1 node2
isnt 'a host that is parted from another is not reached by that' reached
rejoin node1 node2
is 'a host is reached by one that it was joined with again' wait_until 10 reached
limit node2 200mbit
is 'a slow host is slow' speed_is 'tbf.*200Mbit'
is 'a slow host is reached' reached
unlimit node2
isnt 'a host is not slow for ever' speed_is tbf

is 'nothing is left' nothing_seen
touch /dev/shm/left
isnt 'a file that is left is seen' nothing_seen
rm /dev/shm/left
"$lab_sources/remote_shell.sh" node2 'exec sleep 60' &
isnt 'a process that is left is seen' nothing_seen
is 'processes of a host are found' test "$(pids_on node2 "$(command -v sleep)")" = $!
kill $!
wait $! || true
is 'nothing is left then' nothing_seen
