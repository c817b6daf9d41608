# SPDX-License-Identifier: MIT
"""The Python libraries as arms of the comparison, and what is measured of them; see arm.hpp and sections.hpp.

    arms.py ARM SECTION WORKERS [quick]
"""
import functools
import importlib
import json
import multiprocessing
import multiprocessing.sharedctypes
import shutil
import statistics
import sys
import tempfile
import time

import numpy as np
import tasks

QUICK = "quick" in sys.argv[4:]


def amount(full):
    return max(full // 50, 1) if QUICK else full


# ---- the libraries; chunk None is a library's default. What a library lacks, its class lacks.

class Serial:
    def __init__(self, workers, initializer=None):
        if initializer:
            initializer()

    def map(self, f, inputs, chunk):
        return [f(x) for x in inputs]

    def stop(self):
        pass


class Pool:
    module = "multiprocessing"

    def __init__(self, workers, initializer=None):
        self.pool = importlib.import_module(self.module).get_context("fork").Pool(workers, initializer)

    def map(self, f, inputs, chunk):
        return self.pool.map(f, inputs, chunk)

    def imap(self, f, inputs):
        return list(self.pool.imap(f, inputs))

    def imap_unordered(self, f, inputs):
        return list(self.pool.imap_unordered(f, inputs))

    def submit(self, f, x):
        return self.pool.apply_async(f, (x,)).get

    def stop(self):
        self.pool.close()
        self.pool.join()


class Multiprocess(Pool):
    module = "multiprocess"


class Billiard(Pool):
    module = "billiard"

    def stop(self):  # its join() hangs
        self.pool.terminate()


class Executor:
    def __init__(self, workers, initializer=None):
        from concurrent.futures import ProcessPoolExecutor
        self.pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), initializer)

    def map(self, f, inputs, chunk):
        return list(self.pool.map(f, inputs, chunksize=chunk or 1))

    def submit(self, f, x):
        return self.pool.submit(f, x).result

    def stop(self):
        self.pool.shutdown()


class Mpi(Executor):
    def __init__(self, workers, initializer=None):
        from mpi4py.futures import MPIPoolExecutor
        self.pool = MPIPoolExecutor(workers, initializer=initializer)
        self.pool.bootup()


class Pebble:
    def __init__(self, workers, initializer=None):
        from pebble import ProcessPool
        self.pool = ProcessPool(workers, initializer=initializer, context=multiprocessing.get_context("fork"))

    def map(self, f, inputs, chunk):
        return list(self.pool.map(f, inputs, chunksize=chunk or 1).result())

    def submit(self, f, x):
        return self.pool.schedule(f, (x,)).result

    def stop(self):
        self.pool.close()
        self.pool.join()


class Joblib:
    def __init__(self, workers, initializer=None):
        from joblib import Parallel
        self.pool = Parallel(workers).__enter__()

    def map(self, f, inputs, chunk):
        from joblib import delayed
        self.pool.batch_size = chunk or "auto"
        return self.pool(delayed(f)(x) for x in inputs)

    def submit(self, f, x):
        return functools.partial(lambda: self.map(f, [x], 1)[0])

    def stop(self):
        from joblib.externals.loky import get_reusable_executor
        self.pool.__exit__(None, None, None)
        get_reusable_executor().shutdown(wait=True)


ARMS = dict(serial=Serial, cpython=Pool, executor=Executor, joblib=Joblib, pebble=Pebble, billiard=Billiard,
            multiprocess=Multiprocess, mpi4py=Mpi)


# ---- measuring

def report(metric, value, unit, check=None):
    line = dict(metric=metric, value=value, unit=unit)
    if check is not None:
        line["check"] = float(check)
    print(json.dumps(line), flush=True)


def timed(f, *args):
    start = time.perf_counter()
    result = f(*args)
    return time.perf_counter() - start, result


def require(right, what):
    if not right:
        raise RuntimeError(f"{what} gave a wrong result")


def rate(n, most, work):
    """Elements a second; n is raised until `work` takes a while. The first of several touches fresh memory."""
    enough, fewest = (0, 1) if QUICK else (0.15, 5)
    rates, total = [], 0
    while len(rates) < fewest or total < enough:
        took = work(n)
        total += took
        rates.append(n / took)
        if took < enough and n < most:
            n, rates, total = min(4 * n, most), [], 0
    return statistics.median(rates)


class started:
    """An arm that is stopped at the end of a with block."""

    def __init__(self, arm, *args):
        self.arm = arm(*args)

    def __enter__(self):
        return self.arm

    def __exit__(self, *_):
        self.arm.stop()


# ---- the sections

def start(arm, workers):
    def once():
        with started(arm, workers) as p:
            require(len(p.map(tasks.cube, range(workers), 1)) == workers, "start")
    once()
    report("start + map + stop", 1e3 * statistics.median(timed(once)[0] for _ in range(amount(5))), "ms")


def small_tasks(arm, workers):
    with started(arm, workers) as p:
        def measure(metric, most, call):
            def work(n):
                inputs = list(range(n))
                took, cubes = timed(call, inputs)
                require(sorted(cubes) == [x * x * x for x in inputs], metric)
                return took
            report(metric, rate(1000, most, work), "tasks/s")

        def submit_all(inputs):
            handles = [p.submit(tasks.cube, x) for x in inputs]
            return [get() for get in handles]

        many = 2_000_000
        measure("map c1", many, lambda inputs: p.map(tasks.cube, inputs, 1))
        if hasattr(p, "imap"):
            measure("imap c1", many, lambda inputs: p.imap(tasks.cube, inputs))
            measure("imap_unordered c1", many, lambda inputs: p.imap_unordered(tasks.cube, inputs))
        if hasattr(p, "submit") and arm is not Joblib:  # which computes it at once
            measure("apply_async + get", 10_000, submit_all)
        if not isinstance(p, (Executor, Pebble)):  # whose default is 1
            measure("map default", many, lambda inputs: p.map(tasks.cube, inputs, None))
        measure("map c1000", many, lambda inputs: p.map(tasks.cube, inputs, 1000))


def apply(arm, workers):
    with started(arm, workers) as p:
        took = sorted(timed(lambda: p.submit(tasks.cube, 3)())[0] for _ in range(amount(1000)))
        report("apply p50", 1e6 * took[len(took) // 2], "us")
        report("apply p99", 1e6 * took[int(0.99 * (len(took) - 1))], "us")


def payload(arm, workers):
    with started(arm, workers) as p:
        for name, size in (("1 KiB", 1 << 10), ("64 KiB", 64 << 10), ("1 MiB", 1 << 20), ("16 MiB", 16 << 20)):
            def work(n):
                inputs = [np.full(size // 8, 1.5) for _ in range(n)]
                took, back = timed(p.map, tasks.echo, inputs, 1)
                require(len(back) == n and (back[-1] == inputs[-1]).all(), "echo")
                return took
            report("echo " + name, 2e-6 * size * rate(4, (64 << 20) // size, work), "MB/s")


def turns_per_second():
    return max(5000 / timed(tasks.spin, 5000)[0] for _ in range(20))


def efficiency(p, workers, turns, chunk):
    """Seconds that the work took, and the work of one CPU as a part of what the workers could have done."""
    some = turns[::max(1, min(len(turns) // 20, 20))]

    def serial():
        return timed(lambda: [tasks.spin(n) for n in some])[0] / sum(some)
    before = serial()
    took, done = timed(p.map, tasks.spin, turns, chunk)
    require(list(done) == turns, "spin")
    return took, min(before, serial()) * sum(turns) / workers / took


def efficiency_of_small_tasks(arm, workers):
    speed = turns_per_second()
    with started(arm, workers) as p:
        for name, length in (("10 us", 1e-5), ("100 us", 1e-4), ("1 ms", 1e-3)):
            reached = []

            def work(n):
                took, part = efficiency(p, workers, [max(1, int(length * speed))] * n, 1)
                reached.append(part)
                return took
            rate(amount(1000), amount(64_000), work)
            report("efficiency at " + name, reached[-1], "")


def batching(arm, workers):
    speed = turns_per_second()
    with started(arm, workers) as p:
        for name, times in tasks.task_times(amount, QUICK).items():
            report(name, efficiency(p, workers, [int(t * speed) for t in times], None)[1], "")


def mpi4py(arm, workers):
    with started(arm, workers) as p:
        took, found = timed(p.map, tasks.is_prime, [1_000_003] * 4 if QUICK else tasks.PRIMES, 1)
        report("primes", took, "s", sum(found))
        for name, line, lines in (("Julia", tasks.julia_line, 600), ("Mandelbrot", tasks.mandelbrot_line, 500)):
            took, picture = timed(p.map, line, range(amount(lines)), 10)
            report(name, took, "s", sum(map(sum, picture)))


def mpire(arm, workers):
    def whole(f, inputs, initializer=None):
        with started(arm, workers, initializer) as p:
            return p.map(f, inputs, 1)
    took, popular = timed(whole, tasks.newly_popular, tasks.documents(amount(200)))
    require(QUICK or len(set().union(*popular)) > 1000, "word counting")
    report("word counting", took, "s")
    try:
        tasks.opencv()
    except ImportError:
        return
    image, weights = tasks.noise_image(500 if QUICK else 5000), tasks.filters(amount(8))
    if arm is Joblib:  # its workers inherit nothing, but it shares large arrays by itself
        convolve = functools.partial(tasks.convolve, pixels=image)
    else:
        tasks.image, convolve = image, tasks.convolve
    took, filtered = timed(whole, convolve, weights)
    tasks.image = None
    report("convolution", took, "s", sum(map(np.sum, filtered)))
    took, digits = timed(whole, tasks.classify, tasks.batches(amount(60)), tasks.build_network)
    report("inference", took, "s", sum(map(np.sum, digits)))


def tutorial(arm, workers):
    def cubes():
        with started(arm, 3) as p:
            return p.map(tasks.cube, range(1, 1000), None)
    took, all_cubes = timed(cubes)
    report("cube(1..999), 3 workers", 1e3 * took, "ms", sum(all_cubes))
    try:
        tasks.opencv()
    except ImportError:
        return
    if arm is Joblib:  # its workers can't inherit the array
        return
    n, folder = amount(2000), tempfile.mkdtemp(prefix="procpool_compare_")
    tasks.pictures = multiprocessing.sharedctypes.RawArray("B", n * 30000)
    try:
        with started(arm, workers) as p:
            writing, _ = timed(p.map, functools.partial(tasks.write_picture, folder), range(n), None)
            reading, _ = timed(p.map, functools.partial(tasks.read_picture, folder), range(n), None)
    finally:
        shutil.rmtree(folder)
    report("PNG files written", writing, "s")
    report("PNG files read", reading, "s", np.frombuffer(tasks.pictures, np.uint8).sum(dtype=np.float64))


SECTIONS = dict(start=start, tasks=small_tasks, apply=apply, payload=payload, efficiency=efficiency_of_small_tasks,
                batching=batching, mpi4py=mpi4py, mpire=mpire, tutorial=tutorial)

if __name__ == "__main__":
    try:
        SECTIONS[sys.argv[2]](ARMS[sys.argv[1]], int(sys.argv[3]))
    except ImportError as missing:
        print(json.dumps(dict(missing=str(missing))))
