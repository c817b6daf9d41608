# SPDX-License-Identifier: MIT
"""The task functions of the Python arms: the same work as in tasks.hpp and pictures.hpp."""
import math
import os

import numpy as np


def cube(x):
    return x * x * x


def echo(values):
    return values


def spin(turns):
    x = 0
    for i in range(turns):
        x += i
    return turns


class Lcg:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 33

    def uniform(self):
        return self.next() / 2**31


def task_times(amount, quick):
    n = amount(3000)
    numbers, order = Lcg(1), Lcg(2)
    cosine = ((1e-4 if quick else 1e-2) * np.cos(np.linspace(1, 4 * np.pi, 300)) ** 8).tolist()
    shuffled = list(cosine)
    for i in range(len(shuffled), 1, -1):
        j = order.next() % i
        shuffled[i - 1], shuffled[j] = shuffled[j], shuffled[i - 1]
    return {"constant": [2e-4] * n, "uniform": [4e-4 * numbers.uniform() for _ in range(n)],
            "cosine": cosine, "cosine, shuffled": shuffled}


# ---- mpi4py's demonstrations

PRIMES = [112272535095293, 112582705942171, 112272535095293, 115280095190773, 115797848077099, 117450548693743,
          993960000099397]


def is_prime(n):
    if n % 2 == 0:
        return False
    for i in range(3, int(math.floor(math.sqrt(n))) + 1, 2):
        if n % i == 0:
            return False
    return True


def julia_line(line):
    c = complex(0, 0.65)
    y = 1.5 - line * 3 / 600
    left = bytearray(800)
    for column in range(800):
        z, n = complex(-2 + column * 4 / 800, y), 255
        while abs(z) < 3 and n > 1:
            z = z * z + c
            n -= 1
        left[column] = n
    return left


def mandelbrot_line(line):
    y = 1 - line * 2 / 500
    left = bytearray(750)
    for column in range(750):
        z, c, n = 0j, complex(-2 + column * 3 / 750, y), 255
        while abs(z) < 2 and n > 1:
            z = z * z + c
            n -= 1
        left[column] = n
    return left


# ---- stateful word counting

def documents(n):
    numbers = Lcg(3)
    return [["".join(chr(97 + numbers.next() % 26) for _ in range(3 + numbers.next() % 6)) for _ in range(2000)]
            for _ in range(n)]


seen = {}


def newly_popular(document):
    popular = []
    for word in document:
        for length in range(1, len(word)):
            beginning = word[:length]
            count = seen[beginning] = seen.get(beginning, 0) + 1
            if count == 4:
                popular.append(beginning)
    return popular


# ---- what OpenCV does the work of

def opencv():
    import cv2
    cv2.setNumThreads(1)
    return cv2


def write_picture(folder, i):
    cv2 = opencv()
    cv2.setRNGSeed(i + 1)
    noise = np.empty((100, 100, 3), np.uint8)
    cv2.randu(noise, (0, 0, 0), (256, 256, 256))
    cv2.imwrite(f"{folder}/image_{i}.png", noise)
    return i


pictures = None  # memory that the workers inherit


def read_picture(folder, i):
    np.frombuffer(pictures, np.uint8).reshape(-1, 100, 100, 3)[i] = opencv().imread(f"{folder}/image_{i}.png")
    return i


def noise_image(side):
    cv2 = opencv()
    pixels = np.empty((side, side))
    cv2.setRNGSeed(4)
    cv2.randu(pixels, 0.0, 1.0)
    return pixels


def filters(n):
    numbers = Lcg(5)
    return [np.array([numbers.uniform() - 0.5 for _ in range(16)]).reshape(4, 4) for _ in range(n)]


image = None  # which the workers inherit


def convolve(weights, pixels=None):
    return opencv().filter2D(image if pixels is None else pixels, cv_64f, weights)[::5, ::5]


cv_64f = 6
network = None


def build_network():
    global network
    cv2 = opencv()
    sizes = [28 * 28, 2048, 2048, 10]
    cv2.setRNGSeed(6)
    network = []
    for rows, columns in zip(sizes, sizes[1:]):
        layer = np.empty((rows, columns), np.float32)
        cv2.randn(layer, 0.0, 0.03)
        network.append(layer)


def batches(n):
    cv2 = opencv()
    cv2.setRNGSeed(7)
    all_batches = np.empty((n, 10, 28 * 28), np.float32)
    for batch in all_batches:
        cv2.randu(batch, 0.0, 1.0)
    return list(all_batches)


def classify(activity):
    if network is None:  # for libraries without initializers
        build_network()
    for layer in network:
        activity = np.maximum(opencv().gemm(activity, layer, 1, None, 0), 0)
    return activity.argmax(axis=1)
