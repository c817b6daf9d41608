#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures what procpool costs a compiler and a program, and prints Markdown tables.

First the goals: small programs (tests/compile_cost/programs) with the engine compiled apart, and for comparison with
all in headers. "lean" includes of the standard library and of cereal what they can't do without, and does nothing.
Then what each public header takes to include, next to the headers of the standard library, of cereal and so on
that it includes, and what programs with many task functions take, in seconds and in bytes of the object file.
Seconds are user time: of the goals the median, of the rest the least of several runs that take turns.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include"
PROGRAMS = ROOT / "tests/compile_cost/programs"
MODES = {"engine": ["-DPROCPOOL_SEPARATE_COMPILATION"], "header-only": []}
LEVELS = ("-O0", "-O2")
# Program: what it is measured by, and at most how many times of that it may take at each level.
GOALS = {"include": ("lean", 1.5, 1.5), "map": ("lean", 2.1, 2.3)}
GOALS.update({file.stem: ("map", 1.3, 1.3) for file in sorted(PROGRAMS.glob("*.cpp"))
              if file.stem not in ("lean", *GOALS)})
FILES = 10
COUNTS = (1, 20, 200)

# One task function more, and a call that sends it to workers.
KINDS = {
    "functions of one type": ("long task{i}(long x) {{ return x + {i}; }}",
                              "pool.map(task{i}, numbers);"),
    "lambdas": ("", "pool.map([](long x) {{ return x + {i}; }}, numbers);"),
    "lambdas by apply_async": ("", "pool.apply_async([](long x) {{ return x + {i}; }}, 1L).get();"),
    "functions with types of their own": (
        "struct in{i} {{ long x; }}; struct out{i} {{ std::string text; std::vector<double> values;\n"
        "template <class Archive> void serialize(Archive& archive) {{ archive(text, values); }} }};\n"
        "out{i} task{i}(const in{i}& in) {{ return {{std::to_string(in.x), {{1.0 * in.x}}}}; }}",
        "pool.map(task{i}, std::vector<in{i}>{{{{1}}, {{2}}}});"),
}


class Compiler:
    def __init__(self, command, folder):
        self.command, self.folder = command, folder

    def run(self, *arguments):
        """User seconds, and the MiB that the largest of the compiler's processes had."""
        process = subprocess.Popen([self.command, "-std=c++20", "-pthread", "-I", INCLUDE, *arguments])
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{self.command} fails: {' '.join(map(str, arguments))}")
        return usage.ru_utime, usage.ru_maxrss / 1024

    def compile(self, name, source, *flags):
        """User seconds, and the bytes of the object file's parts that end up in memory."""
        file = self.folder / f"{name}.cpp"
        file.write_text(source)
        out = file.with_suffix(".o")
        seconds, _ = self.run(*flags, "-c", file, "-o", out)
        sizes = subprocess.run(["size", out], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[1].split()
        return seconds, int(sizes[3])

    def foreign_includes(self, header):
        """The #include lines for headers that aren't procpool's, of it and of all that it includes."""
        rule = subprocess.run([self.command, "-std=c++20", "-I", INCLUDE, "-MM", INCLUDE / header],
                              stdout=subprocess.PIPE, text=True, check=True).stdout
        own = {pathlib.Path(word) for word in rule.replace("\\\n", " ").split() if word.startswith(str(INCLUDE))}
        return sorted({line for file in own for line in re.findall(r"^#include <.*>", file.read_text(), re.MULTILINE)})


def table(head, rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] + ["---:"] * (len(head) - 1)] + rows)


def goals(compiler, runs, modes):
    """A table of the programs, and one of all that is made of several files."""
    taken = {}
    for _ in range(runs):
        for level in LEVELS:
            for name in ("lean", *GOALS):
                for mode in modes:
                    one = compiler.run(*MODES[mode], level, "-c", PROGRAMS / f"{name}.cpp", "-o", compiler.folder / "goal.o")
                    taken.setdefault((name, mode, level), []).append(one)
    median = {key: [statistics.median(part) for part in zip(*all_runs)] for key, all_runs in taken.items()}
    rows = []
    for level in LEVELS:
        for name in ("lean", *GOALS):
            base, *limits = GOALS.get(name, ("lean", None, None))
            limit = limits[LEVELS.index(level)]
            row = [f"{name} {level}", f"{limit} {base}" if limit else ""]
            for mode in modes:
                seconds, memory = median[name, mode, level]
                ratio = seconds / median[base, mode, level][0]
                row.append(f"{ratio:.2f}")
                if mode == "engine":
                    row.append("" if not limit else "reached" if ratio <= limit else "**not reached**")
                row += [f"{seconds:.2f} s", f"{memory:.0f} MiB"]
            rows.append(row)
    head = {"engine": ["with the engine", "", "", ""], "header-only": ["header-only", "", ""]}
    print(table(["", "goal"] + sum((head[mode] for mode in modes), []), rows), "\n")
    print(table(["", "engine alone", f"{FILES} files like `map`, and all that the program needs"],
                [row for mode in modes for row in many_files(compiler, mode)]), "\n")


def many_files(compiler, mode):
    source = (PROGRAMS / "map.cpp").read_text()
    for level in LEVELS:
        objects, seconds, engine = [], 0, None
        for i in range(FILES):
            file = compiler.folder / f"file{i}.cpp"
            # Only the first keeps its main.
            file.write_text(re.sub(r"\b(cube|main)\b", rf"\g<1>{i}", source) if i else source)
            objects.append(file.with_suffix(".o"))
            seconds += compiler.run(*MODES[mode], level, "-c", file, "-o", objects[-1])[0]
        if mode == "engine":
            objects.append(compiler.folder / "engine.o")
            engine = compiler.run(*MODES[mode], level, "-c", ROOT / "src/procpool.cpp", "-o", objects[-1])
            seconds += engine[0]
        seconds += compiler.run(*objects, "-ldl", "-o", compiler.folder / "program")[0]
        yield [f"{mode} {level}", f"{engine[0]:.1f} s, {engine[1]:.0f} MiB" if engine else "", f"{seconds:.1f} s"]


def headers(compiler, runs):
    public = [path.relative_to(INCLUDE) for path in sorted((INCLUDE / "procpool").glob("*.hpp")) if path.name != "src.hpp"]
    sources = {header: (f"#include <{header}>\n", "\n".join(compiler.foreign_includes(header)) + "\n") for header in public}
    least = {}
    for _ in range(runs):
        for header, pair in sources.items():
            times = [compiler.compile("include", source)[0] for source in pair]
            least[header] = [min(both) for both in zip(times, least.get(header, times))]
    rows = [[f"`{header}`", f"{own:.2f}", f"{foreign:.2f}", f"{own / max(foreign, 0.01):.2f}"]
            for header, (own, foreign) in sorted(least.items(), key=lambda item: -item[1][0])]
    return table(["", "seconds", "of these, what it includes of others", "ratio"], rows)


def program(kind, count):
    function, call = (part.format for part in KINDS[kind])
    functions = "\n".join(function(i=i) for i in range(count))
    calls = "\n".join(f"void call{i}(procpool::Pool& pool, const std::vector<long>& numbers) {{\n"
                      f"(void)numbers;\n{call(i=i)}\n}}" for i in range(count))
    return f"#include <procpool/pool.hpp>\n#include <string>\n#include <vector>\n{functions}\n{calls}\n"


def task_functions(compiler, runs):
    least = {}
    for _ in range(runs):
        for kind in KINDS:
            for count in COUNTS:
                seconds, size = compiler.compile("tasks", program(kind, count), "-O2")
                least[kind, count] = (min(seconds, least.get((kind, count), (seconds,))[0]), size)
    rows = []
    for kind in KINDS:
        cells = [f"{least[kind, count][0]:.1f} s, {least[kind, count][1] / 1024:.0f} KiB" for count in COUNTS]
        seconds, size = ((most - one) / (COUNTS[-1] - COUNTS[0])
                         for most, one in zip(least[kind, COUNTS[-1]], least[kind, COUNTS[0]]))
        rows.append([kind] + cells + [f"{1e3 * seconds:.0f} ms, {size / 1024:.1f} KiB"])
    return table(["`-O2`"] + [str(count) for count in COUNTS] + ["each one more"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("goals", "headers", "tasks"))
    parser.add_argument("--mode", choices=MODES, help="of the goals, one mode only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="procpool_compile_cost_") as folder:
        compiler = Compiler(options.compiler, pathlib.Path(folder))
        if options.only in (None, "goals"):
            goals(compiler, options.runs, [options.mode] if options.mode else MODES)
        if options.only in (None, "headers"):
            print(headers(compiler, options.runs), "\n")
        if options.only in (None, "tasks"):
            print(task_functions(compiler, options.runs))


if __name__ == "__main__":
    main()
