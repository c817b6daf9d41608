#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures what procpool costs a compiler and a program, and prints Markdown tables.

First what each public header takes to include, next to the headers of the standard library, of cereal and so on
that it includes. Then what programs with many task functions take, in seconds and in bytes of the object file.
Seconds are user time, the least of several runs that take turns.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include"
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

    def compile(self, name, source, *flags):
        """User seconds, and the bytes of the object file's parts that end up in memory."""
        file = self.folder / f"{name}.cpp"
        file.write_text(source)
        out = file.with_suffix(".o")
        process = subprocess.Popen([self.command, "-std=c++20", "-pthread", *flags, "-I", INCLUDE, "-c", file, "-o", out])
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{self.command} can't compile {file}")
        sizes = subprocess.run(["size", out], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[1].split()
        return usage.ru_utime, int(sizes[3])

    def foreign_includes(self, header):
        """The #include lines for headers that aren't procpool's, of it and of all that it includes."""
        rule = subprocess.run([self.command, "-std=c++20", "-I", INCLUDE, "-MM", INCLUDE / header],
                              stdout=subprocess.PIPE, text=True, check=True).stdout
        own = {pathlib.Path(word) for word in rule.replace("\\\n", " ").split() if word.startswith(str(INCLUDE))}
        return sorted({line for file in own for line in re.findall(r"^#include <.*>", file.read_text(), re.MULTILINE)})


def table(head, rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] + ["---:"] * (len(head) - 1)] + rows)


def headers(compiler, runs):
    public = [path.relative_to(INCLUDE) for path in sorted((INCLUDE / "procpool").glob("*.hpp"))]
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
    parser.add_argument("--only", choices=("headers", "tasks"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="procpool_compile_cost_") as folder:
        compiler = Compiler(options.compiler, pathlib.Path(folder))
        if options.only != "tasks":
            print(headers(compiler, options.runs), "\n")
        if options.only != "headers":
            print(task_functions(compiler, options.runs))


if __name__ == "__main__":
    main()
