"""The bench on a GPU, without one: its clocks, its memory and its tables on an imaginary GPU; its refusals on none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import fake_gpu
import numpy as np
import pytest

from minialex import backends, cli, threads
from minialex.bench import __main__ as bench
from minialex.bench import contenders, floors, gpu, host, measure, report, rivals

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    """The command sets the number of threads, and these tests the backend "cupy", for the whole process."""
    monkeypatch.setattr(threads, "_count", threads._count)
    monkeypatch.setattr(backends, "_made", dict(backends._made))


@pytest.fixture
def device():
    """A Gpu whose clock only moves when something is run."""
    backend = fake_gpu.install()
    made = gpu.Gpu(1, clock=lambda: backend.xp.queue.now)
    peaks = {"float32": fake_gpu.PEAK, "tf32": 8 * fake_gpu.PEAK}
    made.machine = types.SimpleNamespace(gemm_peak=peaks, bandwidth=4e12)
    made.use("float32")
    return made


# ---------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize(("on_host", "on_gpu"), [(1e-3, 4e-3), (4e-3, 1e-3), (0.3, 0.2), (1e-6, 2e-6)])
def test_a_step_takes_as_long_as_the_slower_of_the_two(device, on_host, on_gpu):
    """Neither what was queued before counts, nor may the clock be read while the GPU still works."""
    queue, calls = device.cupy.queue, []

    def run():
        calls.append(queue.now)
        queue.work(on_host, on_gpu)

    queue.work(0, 100)
    seconds = device.seconds(run)
    slower, faster = max(on_host, on_gpu), min(on_host, on_gpu)
    assert slower <= seconds <= slower + faster / gpu.AT_LEAST + 1e-12
    assert calls[0] >= 100 and queue.now - calls[0] >= gpu.LONG_ENOUGH


def test_a_layer_takes_as_long_as_the_gpu_works(device):
    queue = device.cupy.queue
    for precision in gpu.PRECISIONS:
        device.use(precision)
        assert device.seconds_alone(lambda: queue.work(1e-3, 1e-5)) == pytest.approx(1e-5)

    def waits():
        queue.work(1e-3, 1e-5)
        queue.synchronize()

    assert device.seconds_alone(waits) > 8e-4, "a run that waits for the GPU must not look fast"


def test_the_machine(device, monkeypatch):
    copies = []
    monkeypatch.setattr(device.cupy, "copyto", lambda target, source: copies.append((target, source)), raising=False)

    def seconds(run):
        before, copied = device.cupy.queue.through, len(copies)
        run()
        return 0.25 if len(copies) > copied else device.cupy.queue.through - before

    monkeypatch.setattr(device, "seconds", seconds)
    machine = device.measure(quick=True)
    assert machine.gemm_peak == {"float32": pytest.approx(fake_gpu.PEAK), "tf32": pytest.approx(8 * fake_gpu.PEAK)}
    assert machine.bandwidth == 2 * (8 << 20) / 0.25, "read and written"
    target, source = copies[0]
    assert target is not source and target.nbytes == source.nbytes == 8 << 20 and np.unique(source).size > 1e5
    assert (machine.gpu, machine.driver, machine.memory) == ("Imaginary GPU", "driver for CUDA 12.4", 80 << 30)
    assert device.use("tf32") == floors.Limits(machine.gemm_peak["tf32"], machine.bandwidth)
    assert "80 GiB" in machine.place and "480.0 in tf32" in machine.measured and "CuPy 14.2.0" in machine.software


# ---------------------------------------------------------------------------------------------- memory


@pytest.mark.heavy
def test_memory_is_the_most_that_was_in_use(device):
    pool = device.cupy.pool
    pool.change(100 * gpu.MIB)
    pool.change(-100 * gpu.MIB)  # somebody else's, which the pool has kept

    class Contender:
        name = "cupy"

        def network(self, workload, batch_size):
            pool.events.append("network")
            pool.change(3 * gpu.MIB)
            return types.SimpleNamespace(step=self.step)

        def step(self):
            for size in (5, -5, 2, -2):
                pool.change(size * gpu.MIB)

    assert device.memory(Contender(), None, 1) == {"peak_mib": 8, "pool_mib": 8}
    assert pool.events == ["freed", "network", "freed"] and not pool.hooks


def test_memory_of_torch(device, monkeypatch, torch):
    pool, calls = device.cupy.pool, []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append("freed"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: calls.append("reset"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 7 * gpu.MIB)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 9 * gpu.MIB)

    class Contender:
        name = "torch-eager"

        def network(self, workload, batch_size):
            calls.append("network")
            return types.SimpleNamespace(step=lambda: calls.append("step"))

    assert device.memory(Contender(), None, 1) == {"peak_mib": 7, "pool_mib": 9}
    assert calls == ["freed", "reset", "network", "step", "step", "freed"]
    assert pool.events == ["freed", "freed"], "either library's pool is emptied, before and after"


# ---------------------------------------------------------------------------------------------- who and what


def test_torch_without_a_gpu_is_left_out(device, torch, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said = []
    assert [c.name for c in contenders.choose(device, ["cupy"], None, said.append)] == ["cupy"]
    assert said == ["torch-eager: left out (torch finds no GPU)", "torch-channels-last: left out (torch finds no GPU)"]


def test_the_plan_on_a_gpu_and_on_a_processor(device):
    def plan(device, *arguments):
        steps = bench._plan(bench._options(arguments), device)
        return [(workload.name, *rest) for workload, *rest in steps]

    expected = [("alexnet", n == 128, n, p) for n in (128, 256, 1024) for p in ("float32", "tf32")]
    assert plan(device) == expected
    assert plan(device, "--model", "cifar_quick") == [("cifar_quick", True, 128, p) for p in ("float32", "tf32")]
    assert plan(device, "--quick")[0] == ("cifar_quick", True, 8, "float32")
    processor = host.Host(1)
    assert plan(processor) == [
        ("alexnet", False, 1, None),
        ("alexnet", False, 4, None),
        ("alexnet", True, 32, None),
        ("alexnet", False, 128, None),
        ("alexnet_torchvision", True, 32, None),
        ("cifar_quick", True, 128, None),
        ("cifar_13pct", True, 128, None),
    ]
    sizes = ["--model", "alexnet", "--batch-size", "64", "--batch-size", "16"]
    assert plan(processor, *sizes) == [("alexnet", True, 64, None), ("alexnet", False, 16, None)]
    sizes += ["--batch-size", "32"]
    assert [layers for _, layers, *_ in plan(processor, *sizes)] == [False, False, True]
    chosen = bench._device(bench._options(["--backend", "cupy", "--matmul-precision", "tf32"]))
    assert chosen.precisions == ["tf32"]


@pytest.fixture
def switches(torch):
    """torch's two for TF32, left as they were."""
    both = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [switch.allow_tf32 for switch in both]
    yield both
    for switch, value in zip(both, before):
        switch.allow_tf32 = value


def test_both_sides_compute_in_the_precision_of_the_table(monkeypatch, torch, switches, tmp_path, capsys):
    """torch on the processor stands in for torch on the GPU; what counts is which switches were set at its steps."""
    make, step, seen = contenders.make, rivals.Network.step, []
    monkeypatch.setattr(contenders, "make", lambda name, count, device: make(name, count))
    backend = fake_gpu.install()

    def watched(self):
        seen.append((*(switch.allow_tf32 for switch in switches), backend.precisions[-1]))
        step(self)

    monkeypatch.setattr(rivals.Network, "step", watched)
    monkeypatch.setattr(gpu.Gpu, "seconds", lambda self, run: run() or 0.5)
    monkeypatch.setattr(gpu.Gpu, "warm_ups", 1)
    monkeypatch.setattr(gpu.Gpu, "memory", lambda *arguments: {"peak_mib": 1.0, "pool_mib": 2.0})
    written = tmp_path / "b.json"
    options = ["--backend", "cupy", "--quick", "--batch-size", "2", "--no-layers", "--json", str(written)]
    assert cli.run(bench.main, options) == 0
    once = len(seen) // 2
    assert seen == [(False, False, "float32")] * once + [(True, True, "tf32")] * once and once >= 4
    documents = json.loads(written.read_text())["networks"]
    assert [n["precision"] for n in documents] == ["float32", "tf32"]
    for network in documents:
        assert [row["contender"] for row in network["rows"]] == ["cupy", "torch-eager", "torch-channels-last"] * 2
    assert "torch " + torch.__version__ in capsys.readouterr().out


@pytest.mark.heavy
def test_a_batch_too_large_is_left_out(monkeypatch, tmp_path, capsys):
    fake_gpu.install()

    def network(self, workload, batch_size):
        if batch_size == 3:
            raise MemoryError("Out of memory allocating 5 bytes")
        return {
            "network": workload.name,
            "batch_size": batch_size,
            "precision": self.precision,
            "parameters": 0,
            "rows": [],
        }

    monkeypatch.setattr(measure.Bench, "network", network)
    monkeypatch.setattr(gpu.Gpu, "seconds", lambda self, run: run() or 0.5)
    options = ["--backend", "cupy", "--quick", "--rival", "none", "--no-layers", "--matmul-precision", "tf32"]
    sizes = ["--batch-size", "2", "--batch-size", "3", "--batch-size", "4"]
    assert cli.run(bench.main, [*options, *sizes, "--json", str(tmp_path / "b.json")]) == 0
    assert [n["batch_size"] for n in json.loads((tmp_path / "b.json").read_text())["networks"]] == [2, 4]
    assert "cifar_quick, batches of 3: left out (Out of memory allocating 5 bytes)" in capsys.readouterr().out


def test_a_clock_without_time_is_refused(device, monkeypatch):
    """Of a share of no seconds nothing can be said, and a division by zero would say even less."""
    device.limits = floors.Limits(1e12, 1e12)
    monkeypatch.setattr(device.cupy.cuda, "get_elapsed_time", lambda begin, end: 0.0)
    with pytest.raises(cli.UserError, match=r"clock shows 0\.0 s for \d+ runs"):
        device.seconds_alone(lambda: None)


def test_share_of_the_copy_bandwidth(device):
    made = measure.Bench([], device, "float32", 1, print, lambda text: None)
    queue = device.cupy.queue
    runs = {"cupy": lambda: queue.work(0, 2e-5), "torch-eager": lambda: queue.work(0, 1e-4)}
    moves = made._layer("norm1", (2, 3), runs, floors.Cost(macs=0, bytes=int(4e7)))
    assert moves["of_bandwidth"] == {"cupy": pytest.approx(0.5), "torch-eager": pytest.approx(0.1)}
    computes = made._layer("conv1", (2, 3), runs, floors.Cost(macs=10**9, bytes=4))
    assert "of_bandwidth" not in computes
    text = report.layers({"network": "net", "batch_size": 2, "precision": "tf32", "layers": [moves, computes]})
    title, head, first, second, total, *_ = text.splitlines()
    assert title.startswith("net, batches of 2, tf32: ") and head.endswith("cupy of copy  torch-eager of copy")
    assert first.split()[-5:] == ["5.00", "50", "%", "10", "%"]
    assert second.split()[-2:] == ["-", "-"] and total.split()[-2:] == ["-", "-"]


# ---------------------------------------------------------------------------------------------- a plain checkout

BLOCKED = ("PIL", "hypothesis", "matplotlib", "numba", "threadpoolctl", "torch")
START = f"""
import sys
for name in {BLOCKED}:
    sys.modules[name] = None  # as if it were not installed
sys.path += [{str(ROOT)!r}, {str(ROOT / "tests" / "helpers")!r}]
"""
QUICK = """
import time
import fake_gpu
from minialex import cli
from minialex.bench import __main__ as bench, gpu
gpu.LONG_ENOUGH, gpu.AT_LEAST, gpu.QUEUED, gpu.Gpu.warm_ups = 1e-9, 1, 1, 1
fake_gpu.install(time.perf_counter)
sys.exit(cli.run(bench.main, ["--backend", "cupy", "--quick", "--profile", "--json", sys.argv[1]]))
"""
REFUSED = """
sys.modules["cupy"] = None
from minialex import cli
from minialex.bench import __main__ as bench
sys.exit(cli.run(bench.main, ["--backend", "cupy"]))
"""


def run(code, *arguments, cwd):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", START + code, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.heavy
def test_from_end_to_end_with_numpy_and_cupy_alone(tmp_path):
    done = run(QUICK, "b.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in (
        "torch-eager: left out",
        "Imaginary GPU, 80 GiB",
        "cifar_quick, batches of 8, float32, 145,578 parameters",
        "cifar_quick, batches of 8, tf32: forward and backward",
        "floor ms",
        "pool MiB",
        "cupy of copy",
        "one training step of cupy by operation",
    ):
        assert text in done.stdout, text
    document = json.loads((tmp_path / "b.json").read_text())
    assert document["machine"]["gpu"] == "Imaginary GPU" and document["machine"]["torch"] is None
    first, second = document["networks"]
    assert (first["precision"], second["precision"]) == ("float32", "tf32")
    moving = {row["layer"] for row in first["layers"] if "of_bandwidth" in row}
    weighted = {"conv1", "conv2", "conv3", "fc64", "fc10"}
    assert {"pool1", "pool2", "relu1", "loss", "update"} < moving and not moving & weighted
    assert moving | weighted == {row["layer"] for row in first["layers"]}
    floor = {n["precision"]: n["rows"][0]["floor_seconds"] for n in (first, second)}
    assert all(seconds > 0 for seconds in floor.values())


def test_refused_without_cupy_in_the_backends_own_sentence(tmp_path):
    done = run(REFUSED, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the cupy backend cannot be used here (CuPy is not installed: ")
    assert done.stderr.endswith("; choose another backend\n") and done.stderr.count("\n") == 1


def test_refused_in_the_words_of_the_backend(capsys, monkeypatch):
    def refuse(name):
        raise ValueError(f"the {name} backend cannot be used here; no GPU")

    monkeypatch.setattr(backends, "get_backend", refuse)
    assert cli.run(bench.main, ["--backend", "cupy"]) == 2
    assert capsys.readouterr() == ("", "error: the cupy backend cannot be used here; no GPU\n")
