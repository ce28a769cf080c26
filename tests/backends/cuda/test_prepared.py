"""Prepared launches: what reaches CUDA is, bit by bit, what `Launcher.check` makes of the arguments, or nothing."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest

from minialex.backends.cuda import launch as cuda_launch
from minialex.backends.cuda import prepared
from minialex.backends.cuda.prepared import Prepared
from minialex.window import Window


class Flagged:
    """An array of CuPy, as far as a launch looks at it; of a version without the attribute that Array has."""

    def __init__(self, dtype, pointer, contiguous=True):
        self.dtype, self.data = np.dtype(dtype), SimpleNamespace(ptr=pointer)
        self.flags = SimpleNamespace(c_contiguous=contiguous)


class Array(Flagged):
    @property
    def _c_contiguous(self):
        return self.flags.c_contiguous


class Launches(cuda_launch.Launcher):
    """Checks arguments as every launcher does."""

    xp = SimpleNamespace(ndarray=Array, __name__="a stand-in")


@pytest.fixture
def calls():
    """What was launched: (function, grid, block, shared memory, stream, address of the arguments' addresses)."""
    return []


@pytest.fixture
def make(calls):
    """A function of a kernel's name and a dtype that prepares it."""

    def launch_kernel(function, gx, gy, gz, bx, by, bz, shared, stream, addresses, extra):
        assert extra == 0
        calls.append((function, (gx, gy, gz), (bx, by, bz), shared, stream, addresses))

    cuda = SimpleNamespace(
        driver=SimpleNamespace(launchKernel=launch_kernel), get_current_stream=lambda: SimpleNamespace(ptr=77)
    )

    def prepare(name, real=np.float32, ndarray=Array):
        return Prepared(cuda_launch.find(name), np.dtype(real), SimpleNamespace(ndarray=ndarray, cuda=cuda), 1234)

    return prepare


def launched(ready, *arguments, grid=(3, 2, 1)):
    return ready.launch(*grid, 32, 4, 1, arguments)


def arguments_of(kernel, real, draw):
    """Random ones of exactly the declared types."""
    found = []
    for parameter in kernel.parameters:
        dtype = parameter.dtype(real)
        if parameter.array:
            found.append(Array(dtype, int(draw.integers(2**63, 2**64, dtype=np.uint64))))
        elif dtype.names:
            found.append(Window.over(draw.integers(9, 20, 2).tolist(), (3, 2), (2, 1), ((1, 0), (3, 4)), (1, 2)))
        elif dtype.kind in "iu":
            found.append(int(draw.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, dtype=dtype, endpoint=True)))
        else:
            found.append(float(draw.standard_normal()) * 10.0 ** float(draw.integers(-20, 20)))
    return found


def as_bytes(value):
    return value.data.ptr.to_bytes(8, "little") if isinstance(value, Array) else value.tobytes()


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("name", sorted(cuda_launch.kernels()))
def test_every_kernel_gets_what_check_makes_of_its_arguments(make, calls, name, real, rng):
    kernel, ready = cuda_launch.find(name), make(name, real)
    for _ in range(3):
        given = arguments_of(kernel, real, rng)
        _, wanted = Launches().check(kernel, given)
        assert launched(ready, *given)
        function, grid, block, shared, stream, addresses = calls.pop()
        assert (function, grid, block, shared, stream) == (1234, (3, 2, 1), (32, 4, 1), 0, 77) and not calls
        pointers = (ctypes.c_void_p * len(given)).from_address(addresses)
        for parameter, pointer, value in zip(kernel.parameters, pointers, wanted, strict=True):
            expected = as_bytes(value)
            assert ctypes.string_at(pointer, len(expected)) == expected, parameter.name
            aligned = 8 if parameter.array else 4 if parameter.type == "Window" else value.itemsize
            assert pointer % aligned == 0


X, Y = Array(np.float32, 64), Array(np.float32, 128)
DROPOUT = [X, Y, 1, 0.5, 2, 3, 4, 5]  # x, y, unsigned long long below, REAL scale, seed, call, long long n, first


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, Array(np.float64, 64)), (1, Array(np.int32, 64)), (0, Array(np.float32, 64, False)), (0, None), (0, 64),
        (0, np.zeros(4, np.float32)), (2, True), (2, 1.0), (2, np.uint64(1)), (2, -1), (2, 2**64), (3, 1), (3, True),
        (3, "0.5"), (3, 1 + 0j), (3, np.float32(1)), (3, np.float64(1)), (4, X), (6, 2**63), (6, np.array(1)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Array) else str(value),
)  # fmt: skip
def test_an_argument_that_is_not_exactly_as_declared_launches_nothing(make, calls, position, value):
    ready, given = make("dropout"), [*DROPOUT]
    given[position] = value
    assert not launched(ready, *given) and not calls
    assert launched(ready, *DROPOUT) and len(calls) == 1


@pytest.mark.parametrize("count", [0, 7, 9])
def test_another_number_of_arguments_launches_nothing(make, calls, count):
    assert not launched(make("dropout"), *[*DROPOUT, 1][:count]) and not calls


@pytest.mark.parametrize("number", [1e39, -1e39, float("inf"), float("nan"), 1e-46, 0.1, 16777217.0])
def test_a_float_is_rounded_as_numpy_rounds_it(make, calls, number):
    assert launched(make("dropout"), *DROPOUT[:3], number, *DROPOUT[4:])
    place = (ctypes.c_void_p * 8).from_address(calls.pop()[-1])[3]
    with np.errstate(over="ignore"):
        assert ctypes.string_at(place, 4) == np.float32(number).tobytes()


@pytest.mark.parametrize("grid", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_an_empty_grid_launches_nothing_and_is_no_error(make, calls, grid):
    assert launched(make("dropout"), *DROPOUT, grid=grid) and not calls


def test_each_window_is_its_own(make, calls, monkeypatch):
    """Also where many were in use before, and where two are equal."""
    monkeypatch.setattr(prepared, "_windows", {})
    ready = make("avg_pool2d")
    arrays = [Array(np.float32, 64 * k) for k in range(3)]
    windows = [Window.over((height, 9), 3) for height in range(3, 1200)]
    for window in [*windows, Window(**vars(windows[5])), *windows[:3]]:
        assert launched(ready, *arrays, window, 1)
        place = (ctypes.c_void_p * 5).from_address(calls.pop()[-1])[3]
        assert ctypes.string_at(place, cuda_launch.WINDOW.itemsize) == cuda_launch.struct(window).tobytes()
    assert len(prepared._windows) <= 1024


def test_a_cupy_without_the_attribute_is_asked_for_its_flags(make, calls):
    assert (prepared.contiguous(Array), prepared.contiguous(Flagged)) == ("_c_contiguous", "flags.c_contiguous")
    ready = make("relu", ndarray=Flagged)
    x, strided = Flagged(np.float32, 64), Flagged(np.float32, 64, contiguous=False)
    assert not launched(ready, x, strided, 1) and not calls and launched(ready, x, x, 1)
