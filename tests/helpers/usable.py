"""The backends that tests are run on: all of them, skipped with the reason where one cannot be used."""

from __future__ import annotations

import ctypes
import importlib.util

import pytest

from minialex import backends
from minialex.backends.cuda import gpu

EVERY = [pytest.param(name, marks=pytest.mark.gpu) if name == "cupy" else name for name in backends.available()]


def or_skip(name):
    """The backend, or a skipped test: without a compiler; without CuPy, driver or device.

    Where there is a GPU and CuPy, the cupy backend has to work: then its error is the test's.
    """
    try:
        return backends.get_backend(name)
    except ValueError as error:
        if name == "cupy" and importlib.util.find_spec("cupy") and sees_gpu():
            raise
        pytest.skip(str(error))


def sees_gpu():
    """Whether the NVIDIA driver, asked without CuPy, shows this process a GPU."""
    try:
        driver = ctypes.CDLL(gpu.DRIVER)
    except OSError:
        return False
    count = ctypes.c_int()
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
