# SPDX-License-Identifier: MIT
"""The measures of mpi4py.futures. Usage: mpiexec -n 1+WORKERS python3 -m mpi4py.futures futures.py"""
import statistics
import time

import numpy as np
from mpi4py import MPI
from mpi4py.futures import MPIPoolExecutor


def cube(x):
    return x * x * x


def doze(us):
    time.sleep(us * 1e-6)
    return us


def identity(values):
    return values


def seconds(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def tell(what, value):
    print(what, f"{value:.6g}", flush=True)


def measure_all(executor, workers):
    def run(*args, **options):
        return seconds(lambda: list(executor.map(*args, **options)))

    executor.bootup()
    run(cube, range(100))
    tell("map_1", 5000 / run(cube, range(5000)))
    tell("map", 500_000 / run(cube, range(500_000), chunksize=5000))
    tell("apply", statistics.median(seconds(executor.submit(cube, 3).result) for _ in range(300)) * 1e6)
    for us, each in ((1000, 250), (10_000, 50)):
        tell(f"doze_{us}", us * 1e-6 * each / run(doze, [us] * (each * workers)))
    for kib, count in ((64, 200), (1024, 40), (16_384, 6)):
        arrays = [np.ones(kib * 128) for _ in range(count)]
        tell(f"echo_{kib}", 2 * 1024 * kib * count / 1e6 / run(identity, arrays))


if __name__ == "__main__":
    with MPIPoolExecutor() as pool:
        measure_all(pool, MPI.COMM_WORLD.size - 1)
