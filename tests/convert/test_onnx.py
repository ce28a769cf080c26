"""Exported networks, run by onnxruntime, against our own arithmetic."""

from __future__ import annotations

import json

import converting
import numpy as np
import pytest

from minialex import Tensor, cli, functional, models, nn, no_grad
from minialex.runs import checkpoint

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
import onnx
import onnxruntime

from minialex.convert import __main__ as command
from minialex.convert.graph import to_onnx
from minialex.models.layout import layout


def difference(model, rows, batches=(1, 3)):
    """The largest difference from onnxruntime's logits, relative to the largest of ours."""
    exported = to_onnx(rows, {})
    onnx.checker.check_model(exported, full_check=True)
    session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=["CPUExecutionProvider"])
    worst = 0.0
    for count in batches:
        images = 100 * np.random.default_rng(count).standard_normal((count, *rows[0].input)).astype(np.float32)
        with no_grad():
            ours = model(Tensor(images)).numpy()
        (theirs,) = session.run(["logits"], {"input": images})
        assert ours.shape == theirs.shape == (count, *rows[-1].output) and np.abs(ours).max() > 0.1
        worst = max(worst, np.abs(ours - theirs).max() / np.abs(ours).max())
    return worst


@pytest.mark.heavy
@pytest.mark.parametrize("name", models.PRESETS)
def test_every_preset_computes_the_same(name):
    model = converting.build(name)
    rows = converting.rows_of(name, model)
    assert difference(model, rows) < 1e-5


LAYERS = {
    "uneven padding": nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=((0, 2), (3, 1)), groups=2, bias=False),
    "same padding": nn.Conv2d(4, 3, 4, stride=3, padding="same"),
    "dilation": nn.Conv2d(4, 3, (2, 3), padding=1, dilation=(2, 1)),
    "local": nn.Local2d(4, 6, (3, 2), (10, 9), stride=(2, 1), padding=((0, 2), (3, 1)), groups=2),
    "local, no bias, same padding": nn.Local2d(4, 3, 4, (10, 9), stride=3, padding="same", bias=False),
    "max pool": nn.MaxPool2d((3, 2), stride=2, padding=(1, 0)),
    "max pool, ceil": nn.MaxPool2d(3, 2, padding=1, dilation=2, ceil_mode=True),
    "max pool that leaves pixels out": nn.MaxPool2d(2, 5),
    "average pool, padding counted": nn.AvgPool2d(3, 2, padding=1, ceil_mode=True),
    "average pool, existing pixels": nn.AvgPool2d(3, 2, padding=1, ceil_mode=True, count_include_pad=False),
    "average pool, a divisor": nn.AvgPool2d((2, 3), 2, padding=(1, 0), divisor_override=-4),
    "adaptive pool": nn.AdaptiveAvgPool2d((3, 7)),
    "adaptive pool, larger maps": nn.AdaptiveAvgPool2d((11, None)),
    "adaptive pool, nothing to do": nn.AdaptiveAvgPool2d((None, 9)),
    "LRN of the paper": nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0, alpha_over="element"),
    "LRN, alpha over the window": nn.LocalResponseNorm(3, 1e-3, 0.6, 1.5),
    "LRN in groups": nn.LocalResponseNorm(3, 1e-3, groups=2),
    "LRN in one map": nn.LocalResponseNorm(3, 1e-3, 0.6, 1.5, within_channel=True),
    "LRN in one map, even": nn.LocalResponseNorm(4, 1e-3, alpha_over="element", within_channel=True),
    "contrast": nn.ContrastNorm(3, 1e-3, 0.6, 1.5),
    "contrast, even": nn.ContrastNorm(4, 1e-3),
    "stochastic pool": nn.StochasticPool2d((3, 2), 2, padding=(1, 0)),
    "stochastic pool, ceil": nn.Sequential(
        nn.Call("sub", other=90.0), nn.StochasticPool2d(2, 3, padding=1, ceil_mode=True)
    ),
    "stochastic pool, the largest": nn.StochasticPool2d(3, 2, ceil_mode=True, evaluation="max"),
    "batch norm": nn.BatchNorm2d(4, eps=0.3),
    "leaky": nn.LeakyReLU(0.3),
    "sigmoid": nn.Sequential(nn.Tanh(), nn.Sigmoid()),
    "nothing": nn.Identity(),
    "dropout of the paper": nn.Dropout(0.3, inverted=False),
    "inverted dropout": nn.Dropout(0.3),
    "dropout of maps": nn.Dropout2d(0.3),
    "exponential": nn.Sequential(nn.ELU(0.6), nn.SiLU(), nn.GELU()),
    "margin": nn.ConstantPad2d((1, 2, 0, 3), 0.5),
    "nearest": nn.Upsample(scale_factor=2),
    "nearest, to a size": nn.Upsample((13, 5)),
    "bilinear": nn.Upsample((14, 21), mode="bilinear"),
    "bilinear, corners": nn.Upsample((14, 21), mode="bilinear", align_corners=True),
    "bicubic": nn.Upsample((15, 11), mode="bicubic"),
    "linear of rows": nn.Linear(9, 5),
    "linear of rows, no bias": nn.Linear(9, 5, bias=False),
    "no bias": nn.Sequential(nn.Flatten(), nn.Linear(4 * 10 * 9, 3, bias=False)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_in_all_their_forms(kind):
    model = converting.filled(nn.Sequential({"layer": LAYERS[kind]}))
    assert difference(model, layout(model, (4, 10, 9))) < 1e-5


class Residual(nn.Module):
    """Two branches that are added and joined, a layer used twice, a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv = nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.norm, self.fc = nn.BatchNorm2d(6), nn.Linear(12, 3)
        self.gain = nn.Parameter(np.ones((6, 1, 1), np.float32))

    def forward(self, x):
        x = functional.relu(self.stem(x)) * self.gain
        y = self.norm(self.conv(self.conv(x)))
        y += x
        y = functional.cat([y, x.clamp(-1, 50)], 1)
        return self.fc(y.mean((2, 3)))


def test_an_average_over_the_map_is_the_operator_that_others_know():
    rows = layout(nn.Sequential(nn.Conv2d(4, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), (4, 10, 9))
    content = to_onnx(rows, {})
    assert [node.op_type for node in content.graph.node][1] == "GlobalAveragePool"


def test_a_residual_network():
    model = converting.filled(Residual())
    rows = layout(model, (4, 10, 9))
    assert difference(model, rows) < 1e-5
    arrays = {tensor.name for tensor in to_onnx(rows, {}).graph.initializer}
    assert (
        set(model.state_dict()) - {"norm.num_batches_tracked"} <= arrays
    )  # under their own names, the shared ones once
    assert not any("conv_2" in name for name in arrays)


FUNCTIONS = {
    "arithmetic": lambda self, x: (1 - x) * 2 / (x * x + 3) - (0.5 * x) ** 2 + -x.abs(),
    "three sums": lambda self, x: (x + x) + (x * x),
    "slices": lambda self, x: x[:, 1:, ::2, -3:],
    "chunks": lambda self, x: functional.cat(x.chunk(2, 1)[::-1], 1),
    "reshape": lambda self, x: x.reshape(len(x), 2, -1).transpose(1, 2),
    "permute": lambda self, x: x.permute(0, 2, 3, -3) @ x.permute(0, 2, 1, 3),
    "mean": lambda self, x: x.mean((2, 3), keepdim=True) + x.mean(1, True) - x.sum((-1,), True),
    "activations": lambda self, x: functional.gelu(x) + functional.silu(x) + functional.elu(x, 0.7) * x.tanh().exp(),
    "softmax": lambda self, x: functional.softmax(0.01 * x, 1) + functional.log_softmax(0.01 * x, -1),
    "bounds": lambda self, x: functional.clamp(x, max=0.5) + functional.maximum(x, 0.1) - functional.minimum(x, 2 * x),
    "pad": lambda self, x: functional.pad(x, (1, 2, 0, 3), value=0.5),
    "pad, reflected": lambda self, x: functional.pad(x, (1, 2, 0, 3), "reflect"),
    "pad, replicated": lambda self, x: functional.pad(x, (1, 2, 0, 3), "replicate"),
    "pixels and channels": lambda self, x: x.flip(3)[:, :, 1::2] * x[:, [2, 0, 0, 3]][:, :, :5] + x.square()[:, :, :5],
    "root": lambda self, x: (x * x + 1).sqrt().log(),
    "more of one operand": lambda self, x: (
        x.sin() + x.cos() + x.floor() * x.ceil() + x.round() + x.sign() + 1 / (x + 999)
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_an_own_forward(name):
    model = type("Own", (nn.Module,), {"forward": FUNCTIONS[name]})()
    assert difference(model, layout(model, (4, 10, 9))) < 1e-5


def test_a_convolution_by_a_value():
    taps = Tensor(np.arange(24, dtype=np.float32).reshape(4, 1, 2, 3))
    bias = Tensor(np.arange(4, dtype=np.float32))
    call = nn.Call("conv2d", stride=(2, 1), padding=((1, 0), (0, 2)), groups=4)
    model = nn.Graph(
        [("first", nn.ReLU(), "x"), ("taps", taps, []), ("bias", bias, []), ("c", call, ["first", "taps", "bias"])]
    )
    rows = layout(model, (4, 10, 9))
    assert difference(model, rows) < 1e-5
    assert rows[-1].output == (4, 5, 9) and (rows[-1].receptive_field, rows[-1].jump) == (2, 2)


def test_a_function_that_onnx_has_not_is_named():
    model = type("Own", (nn.Module,), {"forward": lambda self, x: x.cumsum(1)})()
    with pytest.raises(ValueError, match=r"^layer cumsum \(Call\): the function cumsum cannot be exported"):
        to_onnx(layout(model, (4, 6, 6)), {})


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.LocalResponseNorm(4), "window of 4 channels starts one channel later"),
        (nn.BatchNorm2d(4, track_running_stats=False), "needs running statistics"),
        (nn.BatchNorm2d(4, affine=False), "needs a weight and a bias"),
        (nn.Flatten(2), "all axes but the batch's"),
        (nn.Upsample(scale_factor=1.7), "scale_factor=1.7 of"),
        (nn.Upsample(4, mode="area"), "mode='area' cannot be exported"),
        (nn.Call("pad", pad=(1, 1), mode="circular"), "a margin of mode='circular' cannot"),
        (nn.Call("cumsum", dim=1), "the function cumsum cannot be exported"),
    ],
)
def test_layers_that_onnx_has_not(layer, reason):
    rows = layout(nn.Sequential({"odd": layer}), (4, 6, 6))
    with pytest.raises(ValueError, match=rf"^layer odd \({type(layer).__name__}\): .*{reason}"):
        to_onnx(rows, {})


def test_the_command_writes_what_a_program_needs_to_know(tmp_path, capsys):
    saved = converting.a_checkpoint("cifar_quick")
    checkpoint.save(tmp_path / "c.npz", saved)
    assert cli.run(command.main, [str(tmp_path / "c.npz"), str(tmp_path / "c.onnx"), "--channel-order", "bgr"]) == 0
    assert "cifar_quick for 7 classes" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(tmp_path / "c.onnx", providers=["CPUExecutionProvider"])
    known = session.get_modelmeta().custom_metadata_map
    assert known["model"] == "cifar_quick" and known["channel_order"] == "BGR"
    assert json.loads(known["classes"]) == saved.classes
    normalization = {name: np.array(a, np.float32) for name, a in json.loads(known["normalization"]).items()}
    converting.assert_same(normalization, saved.normalization)
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape, made.name, made.shape) == ("input", ["N", 3, 32, 32], "logits", ["N", 7])
    images = converting.pictures(2, 32)
    with no_grad():
        ours = saved.build_model().eval()(Tensor(images)).numpy()
    (theirs,) = session.run(None, {"input": images[:, ::-1].copy()})
    np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-4 * np.abs(ours).max())


def test_weights_keep_their_names():
    model = converting.build("shapes_net")
    exported = to_onnx(converting.rows_of("shapes_net", model), {})
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in exported.graph.initializer}
    state = model.state_dict()
    converting.assert_same({name: arrays[name] for name in state}, state)
