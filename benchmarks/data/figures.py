#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures the figures of docs/data_figures.md and prints them as tables: medians of interleaved rounds, 2 workers.

figures.py [--build build/release] [--rounds 9] [--keep-heap] [SECTION...]
sections: echo fill readers images. Python's numbers need python3-numpy, for the images python3-opencv.
"""
import argparse
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

MIB = 1 << 20
TUNABLES = "GLIBC_TUNABLES"
KEPT_HEAP = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=134217728"
IMAGES = 2000


def same(array):
    return array


# ---- memory of a process and its descendants

def family(pid):
    """The process and all that come from it."""
    found = [pid]
    for one in found:
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                found += map(int, pathlib.Path(f"/proc/{one}/task/{task}/children").read_text().split())
        except OSError:
            pass  # it has ended
    return found


def memory(pid):
    """What they take together, and the sum of their proportional set sizes.

    The latter is wrong while shared pages are being mapped, since one process is looked at after the other. So the
    former counts the files of shared memory instead, where there are any.
    """
    own = shared = 0
    files = {}
    for one in family(pid):
        try:
            for line in pathlib.Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in ("Pss_Anon", "Pss_File"):
                    own += int(value.split()[0]) * 1024
                elif name == "Pss_Shmem":
                    shared += int(value.split()[0]) * 1024
            for descriptor in os.scandir(f"/proc/{one}/fd"):
                if os.readlink(descriptor.path).startswith(("/memfd:", "/dev/shm/")):
                    status = os.stat(descriptor.path)
                    files[status.st_ino] = status.st_blocks * 512
        except OSError:
            pass
    return own + (sum(files.values()) or shared), own + shared


class Peak:
    """Looks at the memory of a process again and again."""

    def __init__(self, pid, pause=0.002):
        self.pid, self.pause, self.bytes, self.ended = pid, pause, 0, False
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.ended:
            self.bytes = max(self.bytes, memory(self.pid)[0])
            time.sleep(self.pause)

    def end(self):
        self.ended = True
        self.thread.join()
        return self.bytes


def timed_and_watched(command):
    """Seconds that a program prints, the most memory until then, and the proportional set size then.

    It goes on with a line of input.
    """
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        peak = Peak(process.pid, pause=0.1)
        seconds = float(process.stdout.readline())
        peak.end()
        now, proportional = memory(process.pid)
        process.communicate("\n")
    return seconds, max(peak.bytes, now), proportional


def table(*rows):
    print("\n" + "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (rows[0], ["---"] * len(rows[0]), *rows[1:])))


# ---- echo

def echo(options):
    arms = {name: subprocess.Popen([options.arms, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for name in ("echo_by_pool", "echo_by_hand")}

    def by_program(name, size, count):
        print(size, count, file=arms[name].stdin, flush=True)
        return float(arms[name].stdout.readline())

    def by_python(size, count):
        inputs = [np.ones(size // 8)] * count
        pool.map(same, inputs, 1)  # as the other does
        start = time.perf_counter()
        results = pool.map(same, inputs, 1)
        seconds = time.perf_counter() - start
        assert len(results) == count and (results[-1] == inputs[-1]).all()
        return seconds

    rows = [("array", "procpool, MB/s", "CPython's Pool", "times", "four copies by hand", "times")]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for size, count in (64 << 10, 400), (MIB, 40), (16 * MIB, 4):
            rounds = [[2 * size * count / seconds / 1e6 for seconds in
                       (by_program("echo_by_pool", size, count), by_python(size, count),
                        by_program("echo_by_hand", size, count))] for _ in range(options.rounds)]
            ours, python, hand = map(statistics.median, zip(*rounds))
            rows.append((f"{size >> 10} KiB", f"{ours:.0f}", f"{python:.0f}",
                         f"{statistics.median(r[0] / r[1] for r in rounds):.1f}", f"{hand:.0f}",
                         f"{statistics.median(r[0] / r[2] for r in rounds):.2f}"))
    for arm in arms.values():
        arm.communicate()
    table(*rows)


# ---- shared arrays

def fill(options):
    rounds = [[timed_and_watched([options.arms, name]) for name in ("fill_by_pool", "fill_by_hand")]
              for _ in range(min(options.rounds, 5))]
    ours, hand = zip(*rounds)
    ratio = statistics.median(b[0] / a[0] for a, b in rounds)
    table(("filling 1 GiB from 2 workers", "s", "speed", "peak memory, MiB"),
          ("procpool", f"{statistics.median(s for s, _, _ in ours):.2f}", f"{ratio:.2f} of by hand",
           f"{max(m for _, m, _ in ours) / MIB:.0f}"),
          ("fork + mmap by hand", f"{statistics.median(s for s, _, _ in hand):.2f}", "1",
           f"{max(m for _, m, _ in hand) / MIB:.0f}"))


def readers(options):
    seconds, most, proportional = timed_and_watched([options.arms, "read_by_eight"])
    table(("8 workers that all read an array of 2 GiB", "s", "peak memory, MiB", "proportional set size, MiB"),
          ("procpool, `mp::share`", f"{seconds:.2f}", f"{most / MIB:.0f}", f"{proportional / MIB:.0f}"))


# ---- images

def images_by_python(way, prefix):
    """What examples/image_array.cpp does; prints the seconds."""
    import multiprocessing.sharedctypes
    global read_image, put_image
    import cv2
    cv2.setNumThreads(1)

    def read_image(i):
        return cv2.imread(f"{prefix}_{i}.png")

    def put_image(i):
        array[i] = read_image(i)

    shape = (IMAGES, 100, 100, 3)
    started = time.perf_counter()
    if way == "in_place":  # the array must be there before the workers are
        raw = multiprocessing.sharedctypes.RawArray("B", int(np.prod(shape)))
        array = np.frombuffer(raw, dtype=np.uint8).reshape(shape)
    else:
        array = np.empty(shape, dtype=np.uint8)
    seconds = time.perf_counter() - started
    if way == "serial":
        start = time.perf_counter()
        for i in range(IMAGES):
            put_image(i)
        seconds += time.perf_counter() - start
    else:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(same, range(2), 1)
            start = time.perf_counter()
            if way == "in_place":
                pool.map(globals()["put_image"], range(IMAGES))
            else:
                for i, image in enumerate(pool.map(globals()["read_image"], range(IMAGES))):
                    array[i] = image
            seconds += time.perf_counter() - start
    print(f"{seconds:.6f}")


def images(options):
    examples = options.build / "examples"
    rows = [("2000 images of 100x100x3", "procpool, s", "memory, MiB", "CPython, s", "memory, MiB")]
    with tempfile.TemporaryDirectory() as folder:
        prefix = f"{folder}/image"
        subprocess.run([examples / "make_noise_images", prefix, str(IMAGES)], check=True, stdout=subprocess.DEVNULL)

        def run(command):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                peak = Peak(process.pid)
                line = process.communicate()[0]
                return float(line.removesuffix(" s\n").split()[-1]), peak.end()

        ways = ("serial", "in_place", "returned")
        commands = [command for way in ways for command in
                    ([examples / "image_array", prefix, str(IMAGES), way],
                     [sys.executable, __file__, "--python-images", way, prefix])]
        rounds = [[run(command) for command in commands] for _ in range(options.rounds)]
        for i, way in enumerate(ways):
            cells = []
            for arm in (2 * i, 2 * i + 1):
                cells += [f"{statistics.median(r[arm][0] for r in rounds):.3f}",
                          f"{max(r[arm][1] for r in rounds) / MIB:.0f}"]
            rows.append((way.replace("_", " "), *cells))
    table(*rows)


def main():
    sections = {"echo": echo, "fill": fill, "readers": readers, "images": images}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--keep-heap", action="store_true", help="all programs' C libraries keep what is freed")
    parser.add_argument("--python-images", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    options = parser.parse_args()
    if options.keep_heap and os.environ.get(TUNABLES) != KEPT_HEAP:
        os.environ[TUNABLES] = KEPT_HEAP
        os.execv(sys.executable, [sys.executable, *sys.argv])
    if options.python_images:
        images_by_python(*options.python_images)
        return
    options.arms = options.build / "benchmarks/data_arms"
    for name in options.sections or sections:
        sections[name](options)


if __name__ == "__main__":
    main()
