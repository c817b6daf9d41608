# SPDX-License-Identifier: MIT
"""Prints a Markdown table of medians. Usage: table.py FILE, which has lines PROGRAM:MPI MEASURE VALUE"""
import collections
import statistics
import sys

MEASURES = {
    "map_1": "no-op map, chunksize 1, tasks/s",
    "map": "no-op map, tasks/s",
    "apply": "one call, us",
    "doze_1000": "1 ms sleeping tasks, part of the possible",
    "doze_10000": "10 ms sleeping tasks, part of the possible",
    "echo_64": "echo of 64 KiB, MB/s",
    "echo_1024": "echo of 1 MiB, MB/s",
    "echo_16384": "echo of 16 MiB, MB/s",
}


def shown(values):
    if not values:
        return "-"
    median = statistics.median(values)
    return f"{median:,.0f}" if median >= 1000 else f"{median:.3g}"


measured = collections.defaultdict(list)
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        words = line.split()
        if len(words) == 3 and words[1] in MEASURES:  # what else is printed is no measure
            measured[words[0], words[1]].append(float(words[2]))

names = {"openmpi": "Open MPI", "mpich": "MPICH"}
columns = [f"{program}:{mpi}" for mpi in names for program in ("procpool", "mpi4py", "bare")]
columns = [column for column in columns if any(key[0] == column for key in measured)]
print("| |", " | ".join(f"{column.split(':')[0]}, {names[column.split(':')[1]]}" for column in columns), "|")
print("|---" * (len(columns) + 1) + "|")
for measure, title in MEASURES.items():
    print(f"| {title} |", " | ".join(shown(measured[column, measure]) for column in columns), "|")
