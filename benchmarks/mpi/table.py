# SPDX-License-Identifier: MIT
"""Prints a Markdown table of medians, and draws them. Usage: table.py FILE PLOT.svg

FILE has lines PROGRAM:MPI MEASURE VALUE."""
import collections
import statistics
import sys

MEASURES = {
    "map_1": "no-op map, chunksize 1, tasks/s",
    "map_64": "numbers in batches of 64, numbers/s",
    "map": "no-op map, tasks/s",
    "apply": "one call, us",
    "apply_bell": "a packet there and back, both ends asleep, us",
    "doze_1000": "1 ms sleeping tasks, part of the possible",
    "doze_10000": "10 ms sleeping tasks, part of the possible",
    "doze_unequal": "1 ms sleeping tasks, of which one in twenty takes 20 ms, part of the possible",
    "echo_64": "echo of 64 KiB, MB/s",
    "echo_1024": "echo of 1 MiB, MB/s",
    "echo_16384": "echo of 16 MiB, MB/s",
}
MEASURES |= {f"{name}_remote": f"{title}; workers on the other host only" for name, title in MEASURES.items()}
MEASURES |= {
    f"{name}_slow_link": f"{title}; one node at 20 Mbit/s"
    for name, title in MEASURES.items()
    if name.startswith("doze") and not name.endswith("remote")
}
MEASURES |= {
    "idle_host": "a host that waits, % of a core",
    "idle_rank_0": "rank 0 that waits, % of a core",
    "bound": "16 MiB bound, to 3 nodes at 200 Mbit/s, s; bare: to one",
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
columns = [f"{program}:{mpi}" for mpi in names for program in ("procpool", "mpi4py", "bare", "local")]
columns = [column for column in columns if any(key[0] == column for key in measured)]
print("| |", " | ".join(f"{column.split(':')[0]}, {names[column.split(':')[1]]}" for column in columns), "|")
print("|---" * (len(columns) + 1) + "|")
for measure, title in MEASURES.items():
    if not any(measured[column, measure] for column in columns):
        continue
    print(f"| {title} |", " | ".join(shown(measured[column, measure]) for column in columns), "|")

try:
    import matplotlib
except ImportError:
    print("There is no plot, since Python's matplotlib is missing.", file=sys.stderr)
    sys.exit()
matplotlib.use("svg")
import matplotlib.pyplot as plt

plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "procpool", "font.size": 7})
drawn = [name for name in MEASURES if sum(bool(measured[column, name]) for column in columns) > 1]
figure, axes = plt.subplots((len(drawn) + 2) // 3, 3, squeeze=False, figsize=(11, 1.5 * ((len(drawn) + 2) // 3)))
for axis in axes.flat:
    axis.set_visible(False)
for axis, name in zip(axes.flat, drawn):
    bars = [column for column in columns if measured[column, name]]
    axis.barh(bars, [statistics.median(measured[column, name]) for column in bars])
    axis.invert_yaxis()
    axis.set_title(MEASURES[name])
    axis.set_visible(True)
figure.tight_layout()
figure.savefig(sys.argv[2], metadata={"Date": None})
