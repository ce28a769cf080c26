"""The fake GPU itself: it accuses each planted fault, whatever Python does about it, and no right program."""

from __future__ import annotations

import json

import pytest
from on_request import heavy_but

import fake_cuda

PLANTED = """
import cupy, cupyx, numpy as np
from cupy.cuda import cublas, device, runtime
write = cupy.RawKernel('extern "C" __global__ void write(float* x, long long i) { x[i] = 1; }', "write")
read = cupy.RawKernel('extern "C" __global__ void read(const float* x, float* y, long long i) { y[0] = x[i]; }', "read")
x, host, one = cupy.zeros(1 << 20, np.float32), np.zeros(16, np.float32), np.ones(1, np.float32)
there, here = x.data.ptr, host.ctypes.data
write((1,), (1,), (x, np.int64(0)))
try:
    ACT
except Exception as error:
    print("raised", type(error).__name__)
"""
FAULTS = {  # name: (what is done, what the fake says)
    "too many threads": ("write((1,), (2048,), (x, np.int64(0)))", "block (2048, 1, 1)"),
    "too large a block": ("write((1,), (32, 33, 1), (x, np.int64(0)))", "block (32, 33, 1)"),
    "too deep a block": ("write((1,), (1, 1, 65), (x, np.int64(0)))", "block (1, 1, 65)"),
    "too many rows of blocks": ("write((1, 65536), (1,), (x, np.int64(0)))", "grid (1, 65536, 1)"),
    "too much shared memory": ("write((1,), (1,), (x, np.int64(0)), shared_mem=49153)", "49153 bytes of shared"),
    "a copy in the wrong direction": ("runtime.memcpy(here, there, 64, 1)", "a copy H2D of 64 bytes"),
    "a copy from the host to the host": ("runtime.memcpy(here, here, 64, 2)", "a copy D2H of 64 bytes"),
    "a copy beyond the end": ("runtime.memcpy(there, there + 64, 4 << 20, 3)", "a copy D2D of 4194304 bytes"),
    "a memset beyond the end": ("runtime.memset(there + 4, 0, 4 << 20)", "a memset of 4194304 bytes"),
    "a product beyond the end": (
        "cublas.sgemm(device.get_cublas_handle(), 0, 0, 1024, 1025, 1, 1.0, there, 1024, there, 1, 0.0, there, 1024)",
        "Sgemm: the result reaches outside",
    ),
    "a factor on the host": (
        "cublas.sgemm(device.get_cublas_handle(), 0, 0, 2, 2, 2, 1.0, here, 2, there, 2, 0.0, there, 2)",
        "Sgemm: a factor reaches outside",
    ),
    "a leading dimension too small": (
        "cublas.sgemm(device.get_cublas_handle(), 0, 0, 4, 4, 4, 1.0, there, 3, there, 4, 0.0, there, 4)",
        "Sgemm: m 4, n 4, k 4 with leading dimensions 3, 4, 4 is not permitted",
    ),
    "freed twice": ("p = runtime.malloc(512); runtime.free(p); runtime.free(p)", "cudaFree of memory that was not"),
    "a function that is not simulated": ("runtime.mallocManaged(16)", "cudaMallocManaged is not simulated"),
}
DEADLY = {  # what no Python code can survive: (what is done, the variables, what the fake says)
    "a write to freed memory": (
        "cupy.cuda.set_allocator(None); p = (x + 1).data.ptr; write((1,), (1,), (np.uint64(p), np.int64(0)))",
        {},
        "write touched freed device memory",
    ),
    "a write far outside": ("write((1,), (1,), (x, np.int64(1 << 22)))", {}, "write touched memory outside"),
    "a read one beyond the end": (
        "y = cupy.zeros(12, 'f'); read((1,), (1,), (y, x, np.int64(12)))",
        {"FAKE_GUARD": 1},
        "read touched memory outside",
    ),
    "a write one beyond an end that 16 does not divide": (
        "y = cupy.zeros(11, 'f'); write((1,), (1,), (y, np.int64(11)))",
        {"FAKE_GUARD": 1},
        "behind the end of an array of 44 bytes",
    ),
    "a write before the beginning": (
        "y = cupy.zeros(12, 'f'); write((1,), (1,), (y, np.int64(-1))); del y",
        {"FAKE_GUARD": 1},
        "before the beginning of an array of 48 bytes",
    ),
}


@pytest.mark.parametrize("name", heavy_but(["too many threads"], FAULTS))
def test_a_fault_is_an_error_and_the_process_fails_though_python_goes_on(name):
    act, message = FAULTS[name]
    done = fake_cuda.run("-c", PLANTED.replace("ACT", act), check=False)
    assert done.returncode == fake_cuda.FAILED, done.stderr
    assert done.stdout.startswith("raised ") and message in done.stderr


@pytest.mark.parametrize("name", heavy_but(["a write to freed memory"], DEADLY))
def test_memory_that_is_none_ends_the_process(name):
    act, variables, message = DEADLY[name]
    done = fake_cuda.run("-c", PLANTED.replace("ACT", act), check=False, **variables)
    assert done.returncode == fake_cuda.FAILED and message in done.stderr, done.stderr


@pytest.mark.parametrize("guard", heavy_but([0], [0, 1]))
def test_a_right_program_is_not_accused(guard):
    """In every order of the streams it computes the same."""
    done = fake_cuda.run(fake_cuda.PROGRAMS / "right.py", FAKE_GUARD=guard)
    assert "FAKE CUDA" not in done.stderr
    counted = json.loads(done.stdout)
    assert counted["kernel:reversed"] == counted["sync:event"] == len(fake_cuda.ORDERS)
    assert counted["bytes:H2D"] == len(fake_cuda.ORDERS) * (3 * 1000 * 4 + 2 * 8)


RACE = """
import cupy, numpy as np, sys
other = cupy.cuda.Stream(non_blocking=True)
first = cupy.ones(100, np.float32)
if sys.argv[1] == "event":
    other.wait_event(cupy.cuda.get_current_stream().record())
with other:
    second = first + 1
    print(bool((second.get() == 2).all()))
"""


@pytest.mark.parametrize("way", heavy_but(["race"], ["race", "event"]))
@pytest.mark.parametrize("order", heavy_but([2], fake_cuda.ORDERS))
def test_a_race_shows_where_the_order_lets_it(order, way):
    """A stream reads what the null stream is still to write: without an event that is as CUDA pleases."""
    done = fake_cuda.run("-c", RACE, way, FAKE_LAZY=order)
    assert done.stdout.strip() == str(way == "event" or order in (0, 3))


@pytest.mark.heavy
def test_a_dry_run_counts_and_computes_nothing():
    text = "import cupy, sitecustomize as f; x = cupy.ones((9, 9)); (x @ x).sum(); print(x.get().sum(), f.counters())"
    wet, dry = (fake_cuda.run("-c", text, FAKE_DRY=d).stdout.split(" ", 1) for d in (0, 1))
    assert (wet[0], dry[0]) == ("81.0", "0.0") and wet[1] == dry[1]


@pytest.mark.heavy
def test_devices_have_arrays_of_their_own():
    text = """
import cupy
for device in range(cupy.cuda.runtime.getDeviceCount()):
    with cupy.cuda.Device(device):
        x = cupy.ones(3) + device
        print(x.device.id, cupy.cuda.runtime.pointerGetAttributes(x.data.ptr).device, x.get()[0], end="; ")
"""
    assert fake_cuda.run("-c", text, FAKE_DEVICES=3).stdout == "0 0 1.0; 1 1 2.0; 2 2 3.0; "
    assert fake_cuda.run("-c", text).stdout == "0 0 1.0; "


def test_what_it_needs_is_named(monkeypatch):
    """Where it cannot be built, tests skip with the reason; with MINIALEX_FAKE_CUDA=required they fail."""
    monkeypatch.setattr(fake_cuda, "missing", lambda: "the fake GPU needs this and that")
    monkeypatch.delenv("MINIALEX_FAKE_CUDA", raising=False)
    with pytest.raises(pytest.skip.Exception, match="this and that"):
        fake_cuda.require()
    monkeypatch.setenv("MINIALEX_FAKE_CUDA", "required")
    with pytest.raises(pytest.fail.Exception, match="this and that"):
        fake_cuda.require()


@pytest.mark.parametrize(
    ("name", "found", "reason"),
    [
        ("cupy-cuda13x", "15.0.0", "cupy-cuda13x 14.2.0, and 15.0.0 is installed"),
        ("cupy-cuda13x", None, "cupy-cuda13x, which is not installed"),
        ("pyelftools", None, "pyelftools, which is not installed"),
    ],
)
def test_other_versions_are_refused_by_name(monkeypatch, name, found, reason):
    monkeypatch.setattr(fake_cuda.build, "_other_platform", lambda: None)
    metadata = fake_cuda.build.importlib.metadata
    right = {"cupy-cuda13x": "14.2.0", "pyelftools": "1"}

    def version(asked):
        if (answer := found if asked == name else right.get(asked, "13.0")) is None:
            raise metadata.PackageNotFoundError(asked)
        return answer

    monkeypatch.setattr(metadata, "version", version)
    assert reason in fake_cuda.build.missing()
