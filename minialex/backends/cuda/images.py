"""A network's input from images as bytes, on a GPU or the emulator: see kernels/preprocess.cu."""

from __future__ import annotations

import math
import weakref

import numpy as np


class Preprocessor:
    """Makes the input of a network of RawImages whose arrays are where the backend computes.

    backend: a CudaBackend.
    """

    def __init__(self, backend):
        self.backend = backend
        self._constants = weakref.WeakKeyDictionary()  # Preprocessing: its (mean, std) where the backend computes

    def __call__(self, raw):
        """float32 (N, C, rows, columns). raw: RawImages."""
        (_, channels, height, width), how = raw.pixels.shape, raw.preprocessing
        if how not in self._constants:
            self._constants[how] = self.backend.asarray(how.mean), self.backend.asarray(how.std)
        y = self.backend.empty((len(raw), channels, *raw.size), np.float32)
        arrays = raw.pixels, raw.views, raw.noise, *self._constants[how], y
        numbers = float(how.divisor), channels, height, width, *raw.size, how.mean_of, int(how.blue_first), len(raw)
        self.backend.launch.planes("preprocess", math.prod(raw.size), len(raw) * channels, *arrays, *numbers)
        return y
