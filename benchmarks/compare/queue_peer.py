#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Items a second through Python's multiprocessing.Queue, measured as queue_bench.cpp measures procpool's.

Usage: queue_peer.py [QUEUE_BENCH]. With the program, both are measured in turns, and the ratio is told.
"""
import json
import multiprocessing as mp
import subprocess
import sys
import time

try:
    import numpy
except ImportError:
    numpy = None

ROUNDS = 2


def put_many(queue, item, number, barrier):
    barrier.wait()
    for _ in range(number):
        queue.put(item)


def get_many(queue, item, number, barrier):
    barrier.wait()
    for _ in range(number):
        queue.get()


def items_a_second(each, item, number, maxsize):
    queue = mp.Queue(maxsize)
    barrier = mp.Barrier(2 * each + 1)
    processes = [mp.Process(target=target, args=(queue, item, number, barrier))
                 for target in (put_many, get_many) for _ in range(each)]
    for process in processes:
        process.start()
    barrier.wait()
    begin = time.perf_counter()
    for process in processes:
        process.join()
    return each * number / (time.perf_counter() - begin)


def of_procpool(program, name):
    output = subprocess.run([program, f"--benchmark_filter=^{name}/real_time$", "--benchmark_format=json",
                             "--benchmark_min_time=0.2"], check=True, capture_output=True, text=True).stdout
    return json.loads(output)["benchmarks"][0]["items_per_second"]


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else None
    large = {"bytes": bytes(1 << 20)}
    if numpy is not None:
        large["numpy array"] = numpy.full((1 << 20) // 8, 1.5)
    cases = [(each, f"small_items/{each}/8", "int", 1, 30_000, 0) for each in (1, 2)]
    cases += [(each, f"large_items/{each}/{1 << 20}", kind, item, 100, 8)
              for each in (1, 2) for kind, item in large.items()]
    for each, name, kind, item, number, maxsize in cases:
        python, procpool = 0, 0
        for _ in range(ROUNDS):
            python = max(python, items_a_second(each, item, number, maxsize))
            if program:
                procpool = max(procpool, of_procpool(program, name))
        line = f"{each}:{each} {kind}: Python {python:,.0f}/s"
        if program:
            line += f", procpool {procpool:,.0f}/s, ratio {procpool / python:.1f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
