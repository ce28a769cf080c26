"""What a launch refuses: a kernel itself would check nothing and compute something."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from minialex.backends.cuda import launch as cuda_launch
from minialex.backends.cuda.launch import Launcher, Parameter, parse
from minialex.window import Window


class Recorder(Launcher):
    """Launches nothing, and remembers what it would have."""

    def __init__(self):
        self.launched = []

    def launch(self, kernel, real, grid, block, values):
        self.launched.append((kernel.name, real, grid, block, values))


@pytest.fixture
def launcher():
    return Recorder()


def arrays(*shapes, dtype=np.float32):
    return [np.zeros(shape, dtype) for shape in shapes]


def test_what_passes_arrives_in_the_declared_types(launcher):
    x, y = arrays(7, 7)
    launcher("relu", 3, (32, 2), x, y, 7)
    [(name, real, grid, block, values)] = launcher.launched
    assert (name, real, grid, block) == ("relu", np.float32, (3, 1, 1), (32, 2, 1))
    assert values[0] is x and values[1] is y
    assert type(values[2]) is np.int64 and values[2] == 7


@pytest.mark.parametrize(
    ("dtype", "wanted"), [(np.float32, np.float32), (np.float64, np.float64)], ids=["float32", "float64"]
)
def test_numbers_take_the_type_of_the_arrays(launcher, dtype, wanted):
    x, y = arrays(4, 4, dtype=dtype)
    launcher("dropout", 1, 32, x, y, 2**32, 0.5, 2**64 - 1, 3, np.int64(4), 5)
    values = launcher.launched[0][4]
    assert [type(v) for v in values[2:]] == [np.uint64, wanted, np.uint64, np.uint64, np.int64, np.uint64]
    assert values[2] == 2**32 and values[4] == 2**64 - 1


def test_a_window_becomes_the_struct(launcher):
    window = Window.over((1, 1, 9, 8), (3, 2), (2, 1), ((1, 0), (3, 4)), (1, 2))
    launcher("avg_pool2d", 1, 32, *arrays((1, 9, 8), window.output, (1, *window.output)), window, 1)
    struct = launcher.launched[0][4][3]
    assert isinstance(struct, np.void) and struct.nbytes == 12 * 4
    [fields] = np.frombuffer(struct.tobytes(), cuda_launch.WINDOW)
    assert {name: tuple(fields[name]) for name in fields.dtype.names} == {
        "size": (9, 8),
        "kernel": (3, 2),
        "stride": (2, 1),
        "before": (1, 3),
        "dilation": (1, 2),
        "output": window.output,
    }


def good():
    return [*arrays(4, 4), 4]


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda a: a[:2], TypeError, "relu takes 3 arguments (x, y, n), got 2"),
        (lambda a: [*a, 1], TypeError, "relu takes 3 arguments (x, y, n), got 4"),
        (lambda a: [a[0].astype(np.float64), *a[1:]], TypeError, "relu: y must be of float64, got float32"),
        (lambda a: [a[0].astype(np.int32), *a[1:]], TypeError, "relu computes in float32 or float64, got an array"),
        (lambda a: [np.zeros((4, 4), np.float32).T[::2], *a[1:]], ValueError, "relu: x must be contiguous, got"),
        (lambda a: [[1.0], *a[1:]], TypeError, "relu: x must be an array of numpy, got list"),
        (lambda a: [None, *a[1:]], TypeError, "relu: x must be an array of numpy, got NoneType"),
        (lambda a: [*a[:2], 4.0], TypeError, "relu: n must be a number of int64, got 4.0"),
        (lambda a: [*a[:2], a[0]], TypeError, "relu: n must be a number of int64"),
        (lambda a: [*a[:2], 2**63], ValueError, "relu: n does not fit into int64: 9223372036854775808"),
    ],
    ids=["too few", "too many", "doubles", "integers", "strided", "list", "none", "float", "array", "too large"],
)
@pytest.mark.parametrize("before", [0, 1, 3])
def test_refused(launcher, before, spoil, error, message):
    """Whether or not the kernel was launched before, with arguments that pass."""
    for _ in range(before):
        launcher("relu", 1, 32, *good())
    with pytest.raises(error) as raised:
        launcher("relu", 1, 32, *spoil(good()))
    assert message in str(raised.value) and "\n" not in str(raised.value)
    assert len(launcher.launched) == before


def test_more_refusals(launcher):
    x, y = arrays(4, 4)
    with pytest.raises(ValueError, match="there is no kernel 'rely'; there are adam,.*relu"):
        launcher("rely", 1, 32, x, y, 4)
    with pytest.raises(ValueError, match="grid is one to three whole numbers"):
        launcher("relu", (1, 1, 1, 1), 32, x, y, 4)
    with pytest.raises(TypeError, match="dropout: scale must be a number of float32, got True"):
        launcher("dropout", 1, 32, x, y, 1, True, 1, 1, 4, 0)
    with pytest.raises(ValueError, match="dropout: seed does not fit into uint64: -1"):
        launcher("dropout", 1, 32, x, y, 1, 1.0, -1, 1, 4, 0)
    with pytest.raises(TypeError, match="avg_pool2d: w must be a Window, got tuple"):
        launcher("avg_pool2d", 1, 32, *arrays((1, 2, 2), (1, 1), (1, 1, 1)), (2, 2), 1)


@pytest.mark.parametrize(
    ("position", "first", "then", "message"),
    [
        (3, 1.0, True, "dropout: scale must be a number of float32, got True"),
        (3, 1, True, "dropout: scale must be a number of float32, got True"),
        (3, 1.0, "1.0", "dropout: scale must be a number of float32, got '1.0'"),
        (3, 1.0, 1 + 0j, r"dropout: scale must be a number of float32, got \(1\+0j\)"),
        (4, 1, 1.0, "dropout: seed must be a number of uint64, got 1.0"),
        (4, 1, np.float32(1), "dropout: seed must be a number of uint64, got np.float32"),
        (4, 1, np.array(1), "dropout: seed must be a number of uint64, got array"),
        (4, 1, None, "dropout: seed must be a number of uint64, got None"),
        (4, 2**64 - 1, -1, "dropout: seed does not fit into uint64: -1"),
        (4, 2**64 - 1, 2**64, "dropout: seed does not fit into uint64: 18446744073709551616"),
    ],
)
def test_an_equal_number_of_another_type_is_not_taken_for_one_that_passed(launcher, position, first, then, message):
    arguments = [*arrays(4, 4), 1, 1.0, 1, 1, 4, 0]
    arguments[position] = first
    launcher("dropout", 1, 32, *arguments)
    arguments[position] = then
    with pytest.raises((TypeError, ValueError), match=message):
        launcher("dropout", 1, 32, *arguments)


def test_both_types_of_arrays_in_turn(launcher):
    """What is prepared for one is not taken for the other."""
    for dtype in (np.float32, np.float64, np.float32):
        launcher("dropout", 1, 32, *arrays(4, 4, dtype=dtype), 1, 0.5, 1, 1, 4, 0)
        assert type(launcher.launched[-1][4][3]) is dtype
    with pytest.raises(TypeError, match="dropout: y must be of float64, got float32"):
        launcher("dropout", 1, 32, *arrays(4, dtype=np.float64), *arrays(4), 1, 0.5, 1, 1, 4, 0)


def test_a_later_launch_prepares_nothing(launcher, monkeypatch):
    """No ranges of types, no structs; and the current device is asked for once, whatever the number of arrays."""
    window = Window.over((1, 1, 9, 8), 3)
    given = [*arrays((1, 9, 8), window.output, (1, *window.output)), window, 1]
    launcher("avg_pool2d", 1, 32, *given)
    monkeypatch.setattr(cuda_launch.np, "iinfo", None)
    monkeypatch.setattr(cuda_launch.np, "array", None)
    asked = []
    monkeypatch.setattr(launcher, "device", lambda array=None: asked.append(array is None) or 0)
    again = dataclasses.replace(window)
    assert again is not window
    launcher("avg_pool2d", 1, 32, *given[:3], again, 1)
    (*_, first), (*_, second) = launcher.launched
    assert first[3] is second[3] and first[4] is second[4]
    assert asked == [True, False, False, False]


def test_an_array_of_another_device(launcher, monkeypatch):
    x, y = arrays(4, 4)
    launcher("relu", 1, 32, x, y, 4)
    monkeypatch.setattr(launcher, "device", lambda array=None: 1 if array is y else 0)
    with pytest.raises(ValueError, match="relu: y is on device 1, the launch would be on 0"):
        launcher("relu", 1, 32, x, y, 4)


def test_an_empty_grid_launches_nothing(launcher):
    launcher.elements("relu", 0, *arrays(0, 0), 0)
    assert not launcher.launched


@pytest.mark.parametrize(("count", "blocks"), [(1, 1), (256, 1), (257, 2), (10**9, cuda_launch.MOST_BLOCKS)])
def test_a_grid_for_elements(launcher, count, blocks):
    launcher.elements("relu", count, *arrays(1, 1), 1)
    assert launcher.launched[0][2] == (blocks, 1, 1)


def test_signatures_are_read_from_the_source():
    text = """
    // extern "C" __global__ void commented_out(int a) {}
    __device__ inline int helper(int a) { __syncthreads(); return a; }
    __device__ inline int caller(int a) { if (a) { return helper(a); } return 0; }
    extern "C" __global__ void quiet(global<const REAL> x, /* global<int> no, */ int n) { x[n]; }
    extern "C" __global__ void __launch_bounds__(256) waits(global<unsigned long long> counts, const REAL a,
                                                            Window w) { caller(1); }
    """
    quiet, waits = parse(text, "some.cu")
    assert quiet.parameters == (Parameter("x", "REAL", True, False), Parameter("n", "int", False, False))
    assert [p.type for p in waits.parameters] == ["unsigned long long", "REAL", "Window"]
    assert [p.written for p in waits.parameters] == [True, False, False]
    assert (quiet.barriers, waits.barriers) == (False, True)
    assert waits.parameters[0].dtype(np.float32) == np.uint64 and quiet.parameters[0].dtype(np.float64) == np.float64


@pytest.mark.parametrize("parameter", ["float* x", "global<half> x", "std::string s", "global<REAL>"])
def test_a_parameter_that_no_launch_could_check(parameter):
    with pytest.raises(ValueError, match="parameter|known are"):
        parse(f'extern "C" __global__ void k({parameter}) {{}}', "k.cu")


def test_headers_are_part_of_the_text():
    """What is compiled is cached by its text: an edited header must change it."""
    text = cuda_launch.source("relu.cu")
    assert '#include "common.cuh"' not in text and "thread_number()" in text
    assert text.count('#line 1 "common.cuh"') == 1
    after = text.split('#line 1 "common.cuh"')[1].split("#line ")[1].splitlines()
    number = int(after[0].split()[0])
    original = (cuda_launch.resources.folder("kernels") / "relu.cu").read_text().splitlines()
    assert after[1:] == original[number - 1 :]
