"""The bench: what it counts, in which order it runs, what it writes; never how long anything takes."""

from __future__ import annotations

import json
import math
import re
import sys
import time
import types

import numpy as np
import pytest
from refusals import must_refuse

from minialex import Tensor, cli, nn, no_grad, threads
from minialex.backends import fast_cpu
from minialex.backends.fast_cpu import ways
from minialex.bench import __main__ as bench
from minialex.bench import contenders, floors, host, measure, memory, ours, profile, report, rivals, workloads
from minialex.models.layout import layout

LIMITS = floors.Limits(gemm_peak=1000.0, bandwidth=100.0)
MACHINE = types.SimpleNamespace(title="a processor", date="2026-11-21")


@pytest.fixture(autouse=True)
def thread_count(monkeypatch):
    """The command sets it for the whole process."""
    monkeypatch.setattr(threads, "_count", threads._count)


# Output pixels x filters x weights of a filter, for one picture.
ALEXNET = {
    "conv1": 55 * 55 * 96 * 363,
    "conv2": 27 * 27 * 256 * 1200,
    "conv3": 169 * 384 * 2304,
    "conv4": 169 * 384 * 1728,
    "conv5": 169 * 256 * 1728,
    "fc6": 9216 * 4096,
    "fc7": 4096 * 4096,
    "fc8": 4096 * 1000,
}
TORCHVISION = {
    "conv1": 55 * 55 * 64 * 363,
    "conv2": 27 * 27 * 192 * 1600,
    "conv3": 169 * 384 * 1728,
    "conv4": 169 * 256 * 3456,
    "conv5": 169 * 256 * 2304,
    "fc6": 9216 * 4096,
    "fc7": 4096 * 4096,
    "fc8": 4096 * 1000,
}
CIFAR = {"conv1": 1024 * 32 * 75, "conv2": 256 * 32 * 800, "conv3": 64 * 64 * 800, "fc64": 1024 * 64, "fc10": 640}
CIFAR_13PCT = {"conv1": 576 * 64 * 75, "conv2": 144 * 64 * 1600, "local3": 36 * 32 * 576, "local4": 36 * 32 * 288} | {
    "fc10": 11_520
}


@pytest.mark.parametrize(
    ("name", "parameters", "macs", "by_layer"),
    [
        ("alexnet", 60_965_224, 724_406_816, ALEXNET),
        ("alexnet_torchvision", 61_100_840, 714_188_480, TORCHVISION),
        ("cifar_quick", 145_578, 12_354_176, CIFAR),
        ("cifar_13pct", 1_116_490, 18_517_248, CIFAR_13PCT),
    ],
)
def test_operations_of_the_networks(name, parameters, macs, by_layer):
    workload = workloads.WORKLOADS[name]
    with nn.init.skipped():  # the sizes alone count
        model = workload.build()
    assert floors.parameters(model) == parameters
    layers = workloads.layers(model, workload, 7)
    assert model.training, "left as it was"
    assert [layer.first for layer in layers] == [True, *[False] * (len(layers) - 1)]
    assert layers[0].input == (7, 3, workload.size, workload.size) and layers[-1].output == (7, workload.classes)
    forward = {layer.name: floors.of_layer(layer, training=False).macs for layer in layers}
    assert {layer: count for layer, count in forward.items() if count} == {k: 7 * n for k, n in by_layer.items()}
    assert sum(forward.values()) == 7 * macs
    step = {layer.name: floors.of_layer(layer, training=True).macs for layer in layers}
    assert sum(step.values()) == 7 * (3 * macs - by_layer["conv1"])


def layer_of(module, shape, first=False):
    (row,) = layout(nn.Sequential(module), shape[1:])
    return workloads.Layer("layer", module, shape, (shape[0], *row.output), shape[0] * row.macs, first)


class TestFloors:
    def test_a_convolution_by_hand(self):
        layer = layer_of(nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9, 9))
        x, y, w, macs = 2 * 4 * 81, 2 * 6 * 25, 6 * 2 * 9 + 6, 2 * 6 * 25 * 18
        assert floors.of_layer(layer, training=False) == floors.Cost(macs, 4 * (x + y + w))
        assert floors.of_layer(layer, training=True) == floors.Cost(3 * macs, 4 * 2 * (x + y + w))
        first = layer_of(layer.module, layer.input, first=True)
        assert floors.of_layer(first, training=True) == floors.Cost(2 * macs, 4 * (x + 2 * y + 2 * w))

    def test_winograds_algorithm_by_hand(self, monkeypatch):
        """Tiles of 8 x 8 for 4 x 4 of 13 x 7 outputs: 4 x 2 of them for each of 2 images; 2 groups."""
        monkeypatch.setattr(ways, "choose", lambda *layer: ways.Way(4, 5))
        layer = layer_of(nn.Conv2d(40, 60, 5, padding=2, groups=2), (2, 40, 13, 7))
        v, m, u, macs = 64 * 16 * 40, 64 * 16 * 60, 64 * 60 * 20, 64 * 16 * 60 * 20
        once, step = (floors.of_layer(layer, training).bytes for training in (False, True))
        assert floors.as_computed(layer, training=False) == floors.Cost(macs, once + 4 * 2 * (v + m + u))
        assert floors.as_computed(layer, True) == floors.Cost(3 * macs, step + 4 * 2 * (3 * v + 2 * m + 3 * u))
        first = layer_of(layer.module, layer.input, first=True)
        moved = floors.of_layer(first, True).bytes + 4 * 2 * (2 * v + 2 * m + 2 * u)
        assert floors.as_computed(first, True) == floors.Cost(2 * macs, moved)

    def test_strides_are_channels_of_winograds_tiles(self, monkeypatch):
        """11 x 11 of stride 4 over 3 channels is 3 x 3 over 48; 10 x 6 outputs are 2 x 2 tiles."""
        monkeypatch.setattr(ways, "choose", lambda *layer: ways.Way(5, 3))
        layer = layer_of(nn.Conv2d(3, 20, 11, stride=4), (2, 3, 47, 31))
        v, m, u, macs = 49 * 8 * 48, 49 * 8 * 20, 49 * 20 * 48, 49 * 8 * 20 * 48
        moved = floors.of_layer(layer, training=False).bytes + 4 * 2 * (v + m + u)
        assert floors.as_computed(layer, training=False) == floors.Cost(macs, moved)

    @pytest.mark.heavy
    def test_as_the_numba_backend_chooses(self, monkeypatch):
        asked, choose = [], ways.choose
        monkeypatch.setattr(ways, "choose", lambda *layer: asked.append(layer) or choose(*layer))
        few, some, many = (layer_of(nn.Conv2d(n, 32, 5, padding=2), (2, n, 32, 32)) for n in (3, 5, 32))
        for layer in (some, layer_of(nn.MaxPool2d(3, 2), (1, 2, 5, 5))):
            assert floors.as_computed(layer, True) == floors.of_layer(layer, True)
        for layer in (few, many):
            assert floors.as_computed(layer, True).macs < floors.of_layer(layer, True).macs
        tiles, filters = 64 * 2 * 64, 64 * 32  # 64 places of 64 tiles in two pictures; of 32 filters
        moved = floors.as_computed(few, False).bytes - floors.of_layer(few, False).bytes
        assert moved == 4 * 2 * (tiles * 3 + filters * 3), "few channels store no products"
        moved = floors.as_computed(many, False).bytes - floors.of_layer(many, False).bytes
        assert moved == 4 * 2 * (tiles * 32 + filters * 32 + tiles * 32)
        with no_grad():
            many.module.to("numba")(Tensor(np.zeros(many.input, np.float32), backend="numba"))
        assert asked[-1] == asked[-2], "of the same layer"

    def test_without_numba_direct_convolution_counts(self, monkeypatch):
        layer = layer_of(nn.Conv2d(32, 32, 5, padding=2), (2, 32, 16, 16))
        assert floors.as_computed(layer, True) != floors.of_layer(layer, True)
        monkeypatch.delattr(fast_cpu, "ways")
        monkeypatch.setitem(sys.modules, ways.__name__, None)
        assert floors.as_computed(layer, True) == floors.of_layer(layer, True)

    def test_layers_without_weights_only_move(self):
        assert floors.of_layer(layer_of(nn.MaxPool2d(3, 2), (1, 2, 5, 5)), True) == floors.Cost(0, 4 * 2 * (50 + 8))
        for inverted, moved in ((True, 0), (False, 4 * 20)):  # in evaluation torch's dropout does nothing, ours scales
            dropout = layer_of(nn.Dropout(0.5, inverted=inverted), (1, 10))
            assert floors.of_layer(dropout, training=False) == floors.Cost(0, moved)
            assert floors.of_layer(dropout, training=True) == floors.Cost(0, 4 * 40)

    def test_loss_and_update(self):
        assert floors.of_loss(3, 5) == floors.Cost(0, 4 * 30)
        assert floors.of_update(nn.Linear(4, 2)) == floors.Cost(0, 4 * 5 * 10)

    def test_whichever_takes_longer_added_up(self):
        computes, moves = floors.Cost(macs=1000, bytes=100), floors.Cost(macs=100, bytes=50)
        assert floors.floor([computes, moves], LIMITS) == floors.Floor(seconds=2.0 + 0.5, computing=2.0)


class Diary:
    """Fake contenders, a fake clock and fake sleep, which write down what happens."""

    def __init__(self):
        self.now, self.events = 0.0, []

    def run(self, name, *durations):
        left = list(durations)

        def run():
            self.events.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run

    def sleep(self, seconds):
        self.events.append("sleep")
        self.now += seconds

    def interleave(self, runs, repeat):
        return measure.interleave(runs, repeat, host.Host(1, lambda: self.now, self.sleep).seconds)


def test_contenders_take_turns_and_the_first_run_does_not_count():
    diary = Diary()
    runs = {"a": diary.run("a", 50, 1, 2, 6), "b": diary.run("b", 70, 8, 4, 5)}
    seconds = diary.interleave(runs, 3)
    assert diary.events == ["a", "b", *["sleep", "a", "sleep", "b"] * 3]
    assert seconds == {"a": pytest.approx([1, 2, 6]), "b": pytest.approx([8, 4, 5])}
    assert measure.medians(seconds) == {"a": pytest.approx(2), "b": pytest.approx(5)}


def test_what_is_over_soon_is_repeated_and_divided():
    diary = Diary()
    seconds = diary.interleave({"a": diary.run("a", 9, 0.03)}, 2)
    assert seconds == {"a": pytest.approx([0.03, 0.03])}
    assert diary.events == ["a", *["sleep", *["a"] * math.ceil(host.LONG_ENOUGH / 0.03)] * 2]


class Fake:
    """A contender whose network may fail at its first step."""

    def __init__(self, name, error=None):
        self.name, self.error = name, error

    def network(self, workload, batch_size):
        def step():
            if self.error:
                raise self.error

        return types.SimpleNamespace(step=step, forward=lambda: None)


def test_only_torch_compile_is_left_out_when_it_fails(monkeypatch):
    monkeypatch.setattr(host, "LONG_ENOUGH", 1e-9)
    monkeypatch.setattr(memory, "in_a_child", lambda *arguments: {"peak_mib": 1.0})
    said, device = [], host.Host(1)
    device.machine = LIMITS

    def rows(*fakes):
        bench = measure.Bench(fakes, device, None, 1, said.append, lambda text: None)
        return bench.network(workloads.WORKLOADS["cifar_quick"], 2)["rows"]

    measured = rows(Fake("numpy"), Fake("torch-compile", RuntimeError("no compiler\nat all")))
    assert [(row["pass"], row["contender"]) for row in measured] == [
        ("training step", "numpy"),
        ("forward pass", "numpy"),
    ]
    assert said == ["torch-compile: left out (no compiler)"]
    assert measured[0]["peak_mib"] == 1.0 and "peak_mib" not in measured[1]
    with pytest.raises(ZeroDivisionError):
        rows(Fake("numpy", ZeroDivisionError("a mistake of ours")))


class TestContenders:
    @pytest.fixture(autouse=True)
    def without_torch(self, monkeypatch):
        def make(name, thread_count, device="cpu"):
            if name.startswith("torch"):
                raise ModuleNotFoundError("No module named 'torch'")
            return Fake(name)

        monkeypatch.setattr(contenders, "make", make)

    def test_what_does_not_run_is_left_out(self):
        said = []
        chosen = contenders.choose(host.Host(1), ["numpy", "numpy"], None, said.append)
        assert [c.name for c in chosen] == ["numpy"]
        assert said == [f"{name}: left out (No module named 'torch')" for name in rivals.RIVALS]

    def test_neither_the_emulator_nor_a_gpu_beside_processors(self):
        assert [c.name for c in contenders.choose(host.Host(1), None, [], print)] == ["numpy", "numba"]

    def test_what_was_asked_for_must_run(self):
        with pytest.raises(cli.UserError, match="torch-eager does not run here .No module named 'torch'."):
            contenders.choose(host.Host(1), ["numpy"], ["torch-eager"], print)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "resnet"], "resnet"),
        (["--backend", "fortran"], "fortran"),
        (["--repeat", "0"], "'0' is not a whole number of at least 1"),
        (["--batch-size", "-3"], "'-3' is not a whole number of at least 1"),
        (["--threads", "many"], "'many' is not a whole number of at least 1"),
        (["--rival", "none", "--rival", "torch-eager"], "--rival none cannot be combined with another --rival"),
        (["--matmul-precision", "tf32"], "--matmul-precision is for a GPU: it needs --backend cupy"),
        (["--backend", "numpy", "--backend", "cupy"], "--backend cupy is measured alone, on the GPU"),
        (["--json", "nowhere/b.json"], "there is no folder 'nowhere' for 'b.json'"),
        (["--plot", "."], "'.' is not the name of a file"),
    ],
)
def test_refusals(tmp_path, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert sentence in must_refuse(capsys, *arguments, main=bench.main)


def test_quick_from_end_to_end(tmp_path, monkeypatch, capsys):
    Image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.setattr(host, "LONG_ENOUGH", 1e-9)
    monkeypatch.setattr(host, "PAUSE", 0)
    written, drawn = tmp_path / "bench.json", tmp_path / "bench.png"
    options = ["--quick", "--threads", "1", "--backend", "numpy", "--rival", "none", "--profile"]
    assert cli.run(bench.main, [*options, "--json", str(written), "--plot", str(drawn)]) == 0
    printed = capsys.readouterr().out
    for text in ("GFLOP/s in float32", "cifar_quick, batches of 8, 145,578 parameters", "training step", "Winograd"):
        assert text in printed
    assert not re.search(" ms|pool MiB|of copy", printed.partition("each layer alone")[0]), "a GPU's columns"
    document = json.loads(written.read_text())
    assert document["repeat"] == 1 and document["machine"]["threads"] == 1
    peak = document["machine"]["gemm_peak"]
    (network,) = document["networks"]
    assert (network["network"], network["batch_size"], network["parameters"]) == ("cifar_quick", 8, 145_578)
    step, forward = network["rows"]
    macs = {"training step": 3 * 12_354_176 - CIFAR["conv1"], "forward pass": 12_354_176}
    for row in (step, forward):
        assert row["contender"] == "numpy" and len(row["every_run"]) == 1 and row["times_torch"] is None
        assert row["images_per_second"] * row["seconds"] == pytest.approx(8)
        assert row["gflops"] * row["seconds"] == pytest.approx(8 * 2 * macs[row["pass"]] / 1e9)
        assert 0 <= row["floor_computing"] * row["floor_seconds"] <= (1 + 1e-9) * 8 * 2 * macs[row["pass"]] / peak
    assert 5 < step["start_mib"] < step["peak_mib"]
    workload, limits = workloads.WORKLOADS["cifar_quick"], floors.Limits(peak, document["machine"]["bandwidth"])
    with nn.init.skipped():
        model = workload.build()
    costs = {
        row.name: [floors.as_computed(row, training) for training in (True, False)]
        for row in workloads.layers(model, workload, 8)
    }
    trained, forwarded = zip(*costs.values())
    trained += floors.of_loss(8, 10), floors.of_update(model)
    assert step["floor_seconds"] == pytest.approx(floors.floor(trained, limits).seconds)
    assert forward["floor_seconds"] == pytest.approx(floors.floor(forwarded, limits).seconds)
    for row in network["layers"][:-2]:
        assert row["floor_seconds"] == pytest.approx(floors.floor([costs[row["layer"]][0]], limits).seconds)

    layers = {row["layer"]: row for row in network["layers"]}
    pools = {f"{kind}{n}" for kind in ("conv", "pool") for n in (1, 2, 3)} | {f"relu{n}" for n in (1, 2, 3, 4)}
    assert layers.keys() == pools | {"fc64", "fc10", "loss", "update"}
    assert layers["conv2"]["output"] == [8, 32, 16, 16] and layers["conv2"]["operations"] == 8 * 6 * CIFAR["conv2"]
    assert all(row["seconds"].keys() == {"numpy"} for row in layers.values())
    assert sum(row["share"] for row in network["profile"]["numpy"]) == pytest.approx(1)
    with Image.open(drawn) as image:
        assert image.format == "PNG"
    assert {path.name for path in tmp_path.iterdir()} == {"bench.json", "bench.png"}


def test_what_was_measured_before_ctrl_c_is_kept(tmp_path, monkeypatch, capsys):
    def network(self, workload, batch_size):
        if batch_size == 3:
            raise KeyboardInterrupt
        return {"network": workload.name, "batch_size": batch_size, "parameters": 0, "rows": []}

    monkeypatch.setattr(measure.Bench, "network", network)
    options = ["--quick", "--threads", "1", "--rival", "none", "--no-layers", "--batch-size", "2", "--batch-size", "3"]
    assert cli.run(bench.main, [*options, "--json", str(tmp_path / "b.json")]) == 130
    assert [n["batch_size"] for n in json.loads((tmp_path / "b.json").read_text())["networks"]] == [2]


@pytest.mark.heavy
def test_memory_is_of_the_child_alone():
    ballast = np.ones(400 << 20, np.uint8)  # which a child seems to have, too, if one asks for its ru_maxrss
    figures = memory.in_a_child("numpy", "cifar_quick", 64, 1)
    assert 5 < figures["start_mib"] + 3 < figures["peak_mib"] < 350, len(ballast)


def test_profile_finds_every_operation():
    workload = workloads.WORKLOADS["cifar_quick"]
    network = ours.Minialex("numpy").network(workload, 2)
    weights = network.model.conv1.weight.numpy().copy()
    rows = {row["operation"]: row for row in profile.of_step(network, time.perf_counter)}
    assert {name: row["calls"] for name, row in rows.items()} == {
        "conv2d": 3,
        "max_pool2d": 1,
        "avg_pool2d": 2,
        "relu": 4,
        "linear": 2,
        "reshape": 1,
        "cross_entropy": 1,
        "update": 1,
        "the rest": 1,
    }
    assert all(row["backward"] > 0 for name, row in rows.items() if name not in ("update", "the rest"))
    assert (weights != network.model.conv1.weight.numpy()).any(), "it was a whole step"


def test_tables():
    assert report.table([["name", "s"], ["a", "10.5"]]) == "  name     s\n  a     10.5"
    seconds = {"numpy": 0.004, "torch-eager": 0.002}
    row = {"layer": "conv1", "output": [2, 3], "floor_seconds": 0.001, "floor_bound_by": "bytes", "seconds": seconds}
    layers = [row, row | {"layer": "relu1", "seconds": {"numpy": 0.009, "torch-eager": 0.002}}]
    text = report.layers({"network": "net", "batch_size": 2, "layers": layers}).splitlines()
    assert " ".join(text[1].split()) == "layer output numpy ms torch-eager ms floor ms bound by numpy x torch"
    assert text[2].split() == ["conv1", "2x3", "4.000", "2.000", "1.000", "bytes", "0.50"]
    assert text[-2].split() == ["sum", "13.000", "4.000", "2.000", "0.31"]
    assert text[-1] == "furthest above the floor, numpy: relu1 +8.000 ms, conv1 +3.000 ms"


def test_chart(tmp_path):
    Image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from minialex.bench import chart
    from minialex.plotting import style

    rows = [
        {"pass": kind, "contender": name, "images_per_second": speed}
        for kind in chart.PASSES
        for name, speed in (("numpy", 12.3), ("torch-eager", 1234.5))
    ]
    networks = [{"network": "alexnet", "batch_size": n, "rows": rows} for n in (32, 128)]
    chart.draw(networks, MACHINE, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    for color, least in ((style.BLUE, 20), (style.VERMILION, 4 * 200 * 10)):  # bars of 240 x 16 pixels and 2 x 16
        assert (pixels == [int(color[i : i + 2], 16) for i in (1, 3, 5)]).all(-1).sum() > least


class TestTorch:
    pytestmark = pytest.mark.usefixtures("torch")

    def test_twins_compute_the_same(self, torch, rng):
        model = nn.Sequential(
            {
                "conv1": nn.Conv2d(3, 8, 5, stride=2, padding=((0, 1), (2, 0))),
                "relu1": nn.ReLU(inplace=True),
                "norm1": nn.LocalResponseNorm(5, alpha=0.1, k=2.0, alpha_over="element"),
                "norm2": nn.LocalResponseNorm(3),
                "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
                "conv2": nn.Conv2d(8, 6, 3, padding=1, groups=2),
                "pool2": nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False),
                "local3": nn.Local2d(6, 6, (2, 1), 2, padding=((0, 1), (1, 0))),
                "pool3": nn.AdaptiveAvgPool2d(2),
                "flatten": nn.Flatten(),
                "drop": nn.Dropout(0.9),
                "fc": nn.Linear(24, 5),
            }
        ).eval()
        copy = rivals.twin(model)
        assert not copy.training and [*dict(copy.named_children())] == [*dict(model.named_children())]
        x = rng.standard_normal((2, 3, 21, 18)).astype(np.float32)
        expected = model(Tensor(x)).numpy()
        np.testing.assert_allclose(copy(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("layer", [nn.Tanh(), nn.Conv2d(1, 1, 3, padding="same"), nn.Local2d(2, 2, 1, 2, groups=2)])
    def test_no_counterpart(self, layer):
        with pytest.raises(TypeError, match=f"torch has no counterpart of {type(layer).__name__}"):
            rivals.twin(nn.Sequential(layer))

    @pytest.mark.parametrize("name", rivals.RIVALS[:2])
    def test_both_sides_take_the_same_steps(self, name):
        workload = workloads.WORKLOADS["cifar_quick"]
        model = workload.build()
        same = workloads.Workload("same", lambda: model, workload.size, workload.classes, (4,), 4)
        theirs = rivals.Torch(name, 1).network(same, 4)
        before = [p.numpy().copy() for p in model.parameters()]
        us = ours.Minialex("numpy").network(same, 4)
        for _ in range(2):
            us.step()
            theirs.step()
        for old, a, b in zip(before, us.model.parameters(), theirs.model.parameters(), strict=True):
            moved = np.abs(a.numpy() - old).max()
            assert moved > 0 and np.abs(a.numpy() - b.detach().numpy()).max() < 1e-2 * moved

    def test_layers_of_both_sides(self, torch):
        workload, sides = workloads.WORKLOADS["cifar_quick"], [ours.Minialex("numpy"), rivals.Torch("torch-eager", 1)]
        models = [side.model(workload) for side in sides]
        found = workloads.layers(models[0], workload, 2)
        for layer in found[:3]:
            images, cotangent = workloads.noise(layer.input), workloads.noise(layer.output, seed=1)
            for side, model in zip(sides, models):
                run = side.layer(model, layer, images, cotangent)
                run(), run()  # twice: gradients must not add up
            a, b = (dict(model.named_children())[layer.name] for model in models)
            for p, q in zip(a.parameters(), b.parameters(), strict=True):
                np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-3, atol=1e-3)
