#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the arms of the comparison in interleaved rounds and writes a Markdown table and a plot of the medians.

Each run of an arm is one line of results.jsonl. A library that isn't installed is left out, and noted.
"""
import argparse
import json
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
PYTHON = "/usr/bin/python3"  # the system's own, since that has the distribution's packages
BASE = "cpython"
MPI = ["--oversubscribe", "--mca", "mpi_yield_when_idle", "1", "--mca", "btl_vader_single_copy_mechanism", "none"]

SECTIONS = {
    "start": "Start of a pool, one map, end of the pool",
    "tasks": "Tasks that do nothing",
    "apply": "One call at a time",
    "payload": "Arrays of float64 there and back, in + out",
    "efficiency": "Work done by 2 workers at chunksize 1, as a part of the possible",
    "batching": "joblib's tasks of different lengths with each library's own chunks, as a part of the possible",
    "mpi4py": "mpi4py's demonstrations",
    "mpire": "MPIRE's three benchmarks",
    "tutorial": "Tutorials",
}
SMALL = {"start", "tasks", "apply", "payload", "efficiency", "batching"}
WORKLOADS = {"mpi4py", "mpire", "tutorial"}


class Arm:
    def __init__(self, title, program, sections, language="C++"):
        self.title, self.program, self.sections, self.language = title, program, sections, language


ARMS = {
    "procpool": Arm("**procpool**", "compare_processes", SMALL | WORKLOADS),
    BASE: Arm("CPython's Pool", None, SMALL | WORKLOADS, "Python"),
    "executor": Arm("ProcessPoolExecutor", None, SMALL | WORKLOADS, "Python"),
    "joblib": Arm("joblib", None, SMALL | WORKLOADS, "Python"),
    "pebble": Arm("pebble", None, SMALL, "Python"),
    "billiard": Arm("billiard", None, SMALL - {"start"}, "Python"),  # its end hangs now and then
    "multiprocess": Arm("multiprocess", None, SMALL, "Python"),
    # mpiexec has started its processes before anything can be measured, and they inherit nothing.
    "mpi4py": Arm("mpi4py", None, SMALL - {"start"} | {"mpi4py"}, "Python"),
    "buffers": Arm("procpool, `Buffer`", "compare_processes", {"payload"}),
    "onetbb": Arm("oneTBB (threads)", "compare_threads", SMALL | WORKLOADS),
    "openmp": Arm("OpenMP (threads)", "compare_threads", SMALL - {"start", "apply"}),
    "async": Arm("std::async (threads)", "compare_threads", SMALL - {"start"}),
    "thread_pool": Arm("a plain thread pool", "compare_threads", SMALL),
    "limit": Arm("*the limit: pipes and shared memory by hand*", "compare_limits",
                 {"start", "tasks", "apply", "payload"}),
    "serial C++": Arm("*C++, one after the other*", "compare_threads", WORKLOADS),
    "serial Python": Arm("*Python, one after the other*", None, WORKLOADS, "Python"),
}


def command(name, section, options):
    arm = ARMS[name]
    call = [name.split()[0], section, str(options.workers)] + ["quick"] * options.quick
    if arm.program:
        return [str(options.programs / arm.program)] + call
    script = [str(HERE / "arms.py")] + call
    if name == "mpi4py":
        return ["mpiexec", *MPI, "-n", str(options.workers + 1), PYTHON, "-m", "mpi4py.futures"] + script
    return [PYTHON] + script


def cpu_seconds():
    """What all processes have used, and what the runs have."""
    fields = [int(x) for x in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    runs = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = sum(fields) - fields[3] - fields[4]  # without idle and waiting
    return used / os.sysconf("SC_CLK_TCK"), runs.ru_utime + runs.ru_stime


def run(name, section, options):
    """One run of an arm: its metrics, or why there are none, and how busy the machine was with other things."""
    environment = dict(os.environ, PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1", OMP_NUM_THREADS="1",
                       OPENBLAS_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    if name == "openmp":
        environment["OMP_NUM_THREADS"] = str(options.workers)
    (all_before, own_before), start = cpu_seconds(), time.monotonic()
    record = {"metrics": []}
    try:
        process = subprocess.Popen(command(name, section, options), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=environment, start_new_session=True)
    except FileNotFoundError as error:
        return {"missing": f"there is no {error.filename}"}
    try:
        out, errors = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        return {"failed": "it took more than 120 s"}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for line in out.splitlines():
        line = json.loads(line)
        if "missing" in line:
            return line
        record["metrics"].append(line)
    if process.returncode:
        record["failed"] = (errors.strip().splitlines() or [f"status {process.returncode}"])[-1]
    (all_after, own_after), seconds = cpu_seconds(), time.monotonic() - start
    record["others"] = max(0, (all_after - all_before - own_after + own_before) / seconds)
    return record


class Results:
    def __init__(self, path):
        self.path, self.records = path, {}
        if path.exists():
            for line in path.read_text().splitlines():
                record = json.loads(line)
                self.records[record["round"], record["section"], record["arm"]] = record

    def add(self, turn, section, arm, record):
        record = dict(record, round=turn, section=section, arm=arm)
        self.records[turn, section, arm] = record
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def metrics(self, section):
        """{metric: unit} in the order in which they came."""
        return {line["metric"]: line["unit"] for (_, of, _), record in self.records.items() if of == section
                for line in record.get("metrics", [])}

    def values(self, section, arm, metric):
        """{round: value}"""
        return {turn: line["value"] for (turn, of, who), record in self.records.items() if (of, who) == (section, arm)
                for line in record.get("metrics", []) if line["metric"] == metric}

    def ratio(self, section, arm, metric, base):
        """Median over the rounds of how many times better than the base it was in the same round."""
        own, other = self.values(section, arm, metric), self.values(section, base, metric)
        lower_is_better = self.metrics(section)[metric] in ("s", "ms", "us")
        ratios = [other[turn] / own[turn] if lower_is_better else own[turn] / other[turn] for turn in own if turn in other]
        return statistics.median(ratios) if ratios else None

    def arms(self, section):
        return [name for name in ARMS if any(self.values(section, name, metric) for metric in self.metrics(section))]

    def disagreements(self):
        """Metrics whose arms did not compute the same."""
        found = {}
        for (_, section, arm), record in self.records.items():
            for line in record.get("metrics", []):
                if "check" in line:
                    found.setdefault((section, line["metric"]), []).append((line["check"], arm))
        return [f"{section}, {metric}: {sorted(set(all_checks))}" for (section, metric), all_checks in found.items()
                if max(all_checks)[0] - min(all_checks)[0] > 1e-5 * abs(max(all_checks)[0])]


def short(value):
    for least, divisor, suffix in ((1e6, 1e6, " M"), (1e4, 1e3, " k")):
        if value >= least:
            return short(value / divisor) + suffix
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def table(head, rows):
    return "\n".join(["| " + " | ".join(row) + " |" for row in [head, ["---"] + ["---:"] * (len(head) - 1)] + rows])


def tables(results):
    parts = []
    for section, title in SECTIONS.items():
        metrics = results.metrics(section)
        if not metrics:
            continue
        rows, faster = [], []
        for arm in results.arms(section):
            row, speedups = [ARMS[arm].title], [ARMS[arm].title]
            for metric in metrics:
                values = results.values(section, arm, metric).values()
                ratio = results.ratio(section, arm, metric, BASE)
                cell = short(statistics.median(values)) if values else ""
                row.append(cell + (f" ({short(ratio)})" if ratio and arm != BASE else ""))
                ratio = results.ratio(section, arm, metric, "serial " + ARMS[arm].language)
                speedups.append(f"{ratio:.2f}" if ratio else "")
            rows.append(row)
            if any(speedups[1:]) and not arm.startswith("serial"):
                faster.append(speedups)
        head = [f"{metric}, {unit}" if unit else metric for metric, unit in metrics.items()]
        parts.append(f"### {title}\n\n" + table([""] + head, rows))
        if faster:
            parts.append("Times as fast as the same code of the same language, one after the other:\n\n" +
                         table([""] + list(metrics), faster))
    return "\n\n".join(parts)


def notes(results, options):
    rounds = len({turn for turn, _, _ in results.records})
    others = sorted(record["others"] for record in results.records.values() if "others" in record)
    lines = [f"{options.workers} workers, {os.cpu_count()} CPUs, medians of {rounds} interleaved rounds; in brackets the "
             "median of the ratios to CPython's Pool in the same round: above 1 is better than it."]
    if others:
        lines.append(f"Meanwhile other programs used {others[len(others) // 2]:.2f} CPUs (median of the runs; "
                     f"{others[-1]:.2f} at worst).")
    for kind in ("missing", "failed"):
        found = {(record["arm"], record[kind]): section for (_, section, _), record in results.records.items()
                 if kind in record}
        lines += [f"{arm}, {section}: {kind}: {why}" for (arm, why), section in found.items()]
    lines += ["The arms don't agree on " + line for line in results.disagreements()]
    return "\n\n".join(lines)


def plot(results, path):
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "procpool", "font.size": 8})
    panels = [(section, metric) for section, metric in
              (("tasks", "map c1"), ("tasks", "apply_async + get"), ("apply", "apply p50"),
               ("start", "start + map + stop"), ("payload", "echo 1 MiB"), ("efficiency", "efficiency at 10 us"))
              if results.values(section, BASE, metric)]
    if not panels:
        return
    figure, axes = plt.subplots((len(panels) + 1) // 2, 2, squeeze=False, figsize=(9, 1 + 1.9 * ((len(panels) + 1) // 2)))
    for axis, (section, metric) in zip(axes.flat, panels):
        ratios = {ARMS[arm].title.strip("*"): results.ratio(section, arm, metric, BASE) for arm in results.arms(section)}
        ratios = dict(sorted(((arm, ratio) for arm, ratio in ratios.items() if ratio), key=lambda item: item[1]))
        axis.barh(list(ratios), list(ratios.values()), color=["#c33" if arm == "procpool" else "#89a" for arm in ratios])
        axis.set_xscale("log")
        axis.axvline(1, color="black", linewidth=0.8)
        axis.set_title(f"{metric}: times as good as CPython's Pool")
    for axis in axes.flat[len(panels):]:
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def parse():
    def names(of):
        def parse_names(text):
            for name in text.split(","):
                if name not in of:
                    raise argparse.ArgumentTypeError(f"there is no {name}; there are {', '.join(of)}")
            return text.split(",")
        return parse_names
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="folder of the C++ arms")
    parser.add_argument("--out", type=pathlib.Path, required=True,
                        help="folder for results.jsonl, comparison.md and comparison.svg")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sections", type=names(SECTIONS), default=list(SECTIONS), metavar="A,B", help=", ".join(SECTIONS))
    parser.add_argument("--arms", type=names(ARMS), default=list(ARMS), metavar="A,B", help=", ".join(ARMS))
    parser.add_argument("--continue", dest="go_on", action="store_true", help="keep what --out has, run what it lacks")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no run after so many seconds")
    parser.add_argument("--quick", action="store_true", help="tiny amounts of work: shows that all works, no more")
    return parser.parse_args()


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # not without the run in progress
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "results.jsonl"
    if not options.go_on:
        path.unlink(missing_ok=True)
    results, left_out = Results(path), {}
    end = time.monotonic() + options.seconds
    for turn in range(options.rounds):
        for section in options.sections:
            for arm in options.arms:
                if section not in ARMS[arm].sections or (turn, section, arm) in results.records or arm in left_out:
                    continue
                if time.monotonic() > end:
                    break
                record = run(arm, section, options)
                results.add(turn, section, arm, record)
                if "missing" in record:
                    left_out[arm] = record["missing"]
                print(f"round {turn + 1}, {section}, {arm}" +
                      "".join(f": {record[kind]}" for kind in ("missing", "failed") if kind in record),
                      file=sys.stderr, flush=True)
    text = tables(results) + "\n\n" + notes(results, options) + "\n"
    (options.out / "comparison.md").write_text(text)
    print(text)
    try:
        plot(results, options.out / "comparison.svg")
    except ImportError:
        print("There is no plot, since Python's matplotlib is missing.")
    if time.monotonic() > end:
        print("Not all was run: go on with --continue.")
    failed = any("failed" in record for record in results.records.values())
    return failed or bool(results.disagreements()) or not any(map(results.metrics, SECTIONS))


if __name__ == "__main__":
    sys.exit(main())
