# SPDX-License-Identifier: MIT
"""numpy_view.py PATH DTYPE SIZE...: what numpy_view.cpp runs to work on its array, in place."""

import sys

import numpy as np

path, dtype, *sizes = sys.argv[1:]
array = np.memmap(path, dtype=dtype, mode="r+", shape=tuple(map(int, sizes)))
print("Python sees", array.shape, array.dtype, "with the sum", array.sum())
array[1] *= 10
