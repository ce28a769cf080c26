"""Caffe's networks: files by an encoder of the tests' own, results by Caffe's rules in loops, and by torch."""

from __future__ import annotations

import sys

import caffe_files as files
import numpy as np
import pytest

from minialex import Tensor, models, nn, no_grad
from minialex.convert import caffe, formats
from minialex.data.pipeline import Pipeline
from minialex.models.layout import layout

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

CHANNELS, HEIGHT, WIDTH = 4, 7, 9
INPUT = {143: {1: {1: files.varint(2) + bytes([CHANNELS, HEIGHT, WIDTH])}}}


@pytest.fixture
def draw(rng):
    return lambda *shape: rng.standard_normal(shape).astype(np.float32)


def read(folder, content, **texts):
    """The Imported of a .caffemodel; texts: of its prototxt; or the path of its mean."""
    (folder / "net.caffemodel").write_bytes(content)
    if "prototxt" in texts:
        (folder / "net.prototxt").write_text(texts["prototxt"], encoding="utf-8")
        texts["prototxt"] = folder / "net.prototxt"
    return formats.read(folder / "net.caffemodel", **texts)


def run(network, images):
    with no_grad():
        return network.eval()(Tensor(images.astype(np.float32))).numpy()


def assert_close(ours, expected, tolerance=1e-5):
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() <= tolerance * max(np.ptp(expected), 1e-3)


def front(*layers):
    """A NetParameter of an Input layer, a convolution that changes nothing, and layers that read its blob `x`."""
    eye = np.eye(CHANNELS, dtype=np.float32).reshape(CHANNELS, CHANNELS, 1, 1)
    same = files.v2("same", "Convolution", "data", "x", {106: {1: CHANNELS, 2: False, 4: 1}}, [eye])
    return files.net("net", files.v2("data", "Input", (), "data", INPUT), same, *layers)


def of_layer(folder, images, kind, settings=None, arrays=(), **options):
    """What one layer computes."""
    layer = files.v2("y", kind, "x", "y", settings, arrays, **options)
    return run(read(folder, front(layer)).network, images)


@pytest.fixture
def images(draw):
    return draw(3, CHANNELS, HEIGHT, WIDTH)


# -------------------------------------------------------------------------------------------- Caffe's rules, in loops


def convolved(x, w, b=0.0, stride=(1, 1), pad=(0, 0), dilation=(1, 1), groups=1):
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (pad[0],) * 2, (pad[1],) * 2))
    (n, c, h, width), (filters, _, kh, kw) = x.shape, w.shape
    out = [(size - d * (k - 1) - 1) // s + 1 for size, d, k, s in zip((h, width), dilation, (kh, kw), stride)]
    y = np.zeros((n, filters, *out))
    for f in range(filters):
        first = f // (filters // groups) * (c // groups)
        for i in range(out[0]):
            for j in range(out[1]):
                rows = i * stride[0] + dilation[0] * np.arange(kh)
                columns = j * stride[1] + dilation[1] * np.arange(kw)
                window = x[:, first : first + c // groups][:, :, rows][:, :, :, columns]
                y[:, f, i, j] = (window * w[f]).sum((1, 2, 3))
    return y + np.reshape(b, (-1, 1, 1))


def pooled(x, mean, kernel, stride, pad, ceil=True):
    """pooling_layer.cpp."""
    sizes = x.shape[2:]
    out = []
    for size, k, s, p in zip(sizes, kernel, stride, pad):
        n = int(np.ceil((size + 2 * p - k) / s) if ceil else np.floor((size + 2 * p - k) / s)) + 1
        out.append(n - 1 if any(pad) and (n - 1) * s >= size + p else n)
    y = np.zeros((*x.shape[:2], *out))
    for i in range(out[0]):
        for j in range(out[1]):
            top, left = i * stride[0] - pad[0], j * stride[1] - pad[1]
            bottom, right = min(top + kernel[0], sizes[0] + pad[0]), min(left + kernel[1], sizes[1] + pad[1])
            count = (bottom - top) * (right - left)
            window = x[:, :, max(top, 0) : min(bottom, sizes[0]), max(left, 0) : min(right, sizes[1])].astype(float)
            y[:, :, i, j] = window.sum((2, 3)) / count if mean else window.max((2, 3))
    return y


def across(x, size, alpha, beta, k):
    """lrn_layer.cpp, CrossChannelForward_cpu."""
    y, squares = np.zeros(x.shape), x.astype(np.float64) ** 2
    for c in range(x.shape[1]):
        near = squares[:, max(c - (size - 1) // 2, 0) : c + (size - 1) // 2 + 1].sum(1)
        y[:, c] = x[:, c] * (k + alpha / size * near) ** -beta
    return y


def within(x, size, alpha, beta):
    """lrn_layer.cpp, WithinChannelForward: the shift is 1, the mean one of padded windows."""
    means = pooled(x.astype(np.float64) ** 2, True, (size, size), (1, 1), ((size - 1) // 2,) * 2)
    return x * (1 + alpha * means) ** -beta


# ----------------------------------------------------------------------------------------------------- single layers

CONVOLUTIONS = {
    "pairs": ({9: 1, 10: 2, 11: 3, 12: 2, 13: 2, 14: 1}, (3, 2), dict(stride=(2, 1), pad=(1, 2))),
    "one number": ({3: 2, 4: 3, 6: 2}, (3, 3), dict(stride=(2, 2), pad=(2, 2))),
    "repeated": (
        {3: [1, 0], 4: [2, 3], 6: [1, 2], 18: [2, 1]},
        (2, 3),
        dict(stride=(1, 2), pad=(1, 0), dilation=(2, 1)),
    ),
    "groups": ({4: 3, 5: 2}, (3, 3), dict(groups=2)),
    "only pad_w": ({4: 3, 10: 2}, (3, 3), dict(pad=(0, 2))),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("bias", (True, False))
def test_convolution(tmp_path, draw, images, name, bias):
    settings, kernel, how = CONVOLUTIONS[name]
    w, b = draw(6, CHANNELS // how.get("groups", 1), *kernel), draw(6)
    settings = {106: {1: 6} | settings | ({} if bias else {2: False})}
    found = of_layer(tmp_path, images, "Convolution", settings, [w, b] if bias else [w])
    assert_close(found, convolved(images, w, b if bias else 0.0, **how))


POOLS = {  # settings of pooling_param; kernel, stride, pad
    "3, 2": ({2: 3, 3: 2}, (3, 3), (2, 2), (0, 0)),
    "larger than the image": ({5: 8, 6: 10, 3: 2}, (8, 10), (2, 2), (0, 0)),
    "rounded up, with padding": ({2: 3, 3: 2, 4: 1}, (3, 3), (2, 2), (1, 1)),
    "last window in the padding": ({2: 2, 3: 3, 4: 1}, (2, 2), (3, 3), (1, 1)),
    "pairs": ({5: 4, 6: 2, 7: 3, 8: 2, 9: 2, 10: 1}, (4, 2), (3, 2), (2, 1)),
    "stride larger than the window": ({5: 2, 6: 3, 7: 3, 8: 4}, (2, 3), (3, 4), (0, 0)),
    "no stride": ({2: 2}, (2, 2), (1, 1), (0, 0)),
    "padded in one direction": ({2: 3, 3: 3, 9: 1, 10: 0}, (3, 3), (3, 3), (1, 0)),
}


@pytest.mark.parametrize(("name", "ceil"), [(n, c) for n in POOLS for c in (True, False) if c or n[:6] != "larger"])
@pytest.mark.parametrize("mean", (False, True))
def test_pooling(tmp_path, images, name, mean, ceil):
    settings, *how = POOLS[name]
    settings = {121: {1: int(mean)} | settings | ({} if ceil else {13: 1})}
    found = of_layer(tmp_path, images, "Pooling", settings)
    assert_close(found, pooled(images, mean, *how, ceil))


@pytest.mark.parametrize("mean", (False, True))
def test_global_pooling(tmp_path, images, mean):
    found = of_layer(tmp_path, images, "Pooling", {121: {1: int(mean), 12: True}})
    x = images.astype(np.float64)
    assert_close(found, x.mean((2, 3), keepdims=True) if mean else x.max((2, 3), keepdims=True))


def test_local_response_normalisation(tmp_path, images):
    x = 3 * images
    found = of_layer(tmp_path, x, "LRN", {118: {1: 3, 2: 0.6, 3: 0.8, 5: 2.5}})
    assert_close(found, across(x, 3, 0.6, 0.8, 2.5))
    assert_close(of_layer(tmp_path, x, "LRN"), across(x, 5, 1.0, 0.75, 1.0))  # Caffe's defaults


def test_local_response_normalisation_within_a_channel_ignores_k(tmp_path, images):
    x = 3 * images
    found = of_layer(tmp_path, x, "LRN", {118: {1: 3, 2: 0.6, 3: 0.8, 4: 1, 5: 2.5}})
    assert_close(found, within(x, 3, 0.6, 0.8))


@pytest.mark.parametrize("legacy", (False, True))
@pytest.mark.parametrize(("axis", "transpose"), ((1, False), (2, False), (-1, False), (1, True), (-2, True)))
def test_inner_product(tmp_path, draw, images, axis, transpose, legacy):
    kept = images.shape[: axis if axis > 0 else 4 + axis]
    x = images.reshape(*kept, -1)
    w, b = draw(5, x.shape[-1]), draw(5)
    settings = {117: {1: 5, 5: axis} | ({6: True} if transpose else {})}
    weights = w.T if transpose else w
    found = of_layer(tmp_path, images, "InnerProduct", settings, [weights, b], legacy=legacy)
    assert_close(found, x.astype(np.float64) @ w.T + b)
    settings[117][2] = False
    assert_close(
        of_layer(tmp_path, images, "InnerProduct", settings, [weights], legacy=legacy), x.astype(np.float64) @ w.T
    )


SIMPLE = {
    "slope": ("ReLU", {123: {1: 0.25}}, lambda x: np.where(x > 0, x, 0.25 * x)),
    "relu": ("ReLU", {}, lambda x: np.maximum(x, 0)),
    "sigmoid": ("Sigmoid", {}, lambda x: 1 / (1 + np.exp(-x))),
    "tanh": ("TanH", {}, np.tanh),
    "abs": ("AbsVal", {}, np.abs),
    "elu": ("ELU", {140: {1: 0.5}}, lambda x: np.where(x > 0, x, 0.5 * (np.exp(np.minimum(x, 0)) - 1))),
    "power": ("Power", {122: {1: 2.0, 2: 0.5, 3: 1.5}}, lambda x: (1.5 + 0.5 * x) ** 2),
    "shift": ("Power", {122: {3: -0.5}}, lambda x: x - 0.5),
    "no power": ("Power", {}, lambda x: x),
    "dropout": ("Dropout", {108: {1: 0.3}}, lambda x: x),
    "dropout scaled in test": ("Dropout", {108: {1: 0.3, 2: False}}, lambda x: 0.7 * x),
    "flatten": ("Flatten", {}, lambda x: x.reshape(len(x), -1)),
    "flatten pixels": ("Flatten", {135: {1: 2}}, lambda x: x.reshape(*x.shape[:2], -1)),
    "flatten maps": ("Flatten", {135: {1: 1, 2: -2}}, lambda x: x.reshape(len(x), -1, x.shape[3])),
    "reshape": ("Reshape", {133: {1: {1: [0, -1, 0, 3]}}}, lambda x: x.reshape(len(x), -1, HEIGHT, 3)),
    "softmax": ("Softmax", {}, lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    "softmax of rows": ("Softmax", {125: {2: -1}}, lambda x: np.exp(x) / np.exp(x).sum(3, keepdims=True)),
}


@pytest.mark.parametrize("name", SIMPLE)
def test_layer_without_weights(tmp_path, images, name):
    kind, settings, function = SIMPLE[name]
    assert_close(of_layer(tmp_path, images, kind, settings), function(images.astype(np.float64)))


def test_dropout_scales_in_training(tmp_path):
    layer = files.v2("y", "Dropout", "x", "y", {108: {1: 0.75}})
    network = read(tmp_path, front(layer)).network.train()
    ones = Tensor(np.ones((2, CHANNELS, HEIGHT, WIDTH), np.float32))
    assert {*np.unique(network(ones).numpy())} == {0.0, 4.0}


JOINS = {
    "sum": ("Eltwise", {}, lambda x, y: x + y),
    "weighted sum": ("Eltwise", {110: {1: 1, 2: [1.0, -2.5]}}, lambda x, y: x - 2.5 * y),
    "product": ("Eltwise", {110: {1: 0}}, lambda x, y: x * y),
    "largest": ("Eltwise", {110: {1: 2}}, np.maximum),
    "channels": ("Concat", {}, lambda x, y: np.concatenate([x, y], 1)),
    "rows": ("Concat", {104: {2: -2}}, lambda x, y: np.concatenate([x, y], 2)),
    "columns, by the old name": ("Concat", {104: {1: 3}}, lambda x, y: np.concatenate([x, y], 3)),
}


@pytest.mark.parametrize("name", JOINS)
def test_joining(tmp_path, images, name):
    kind, settings, function = JOINS[name]
    other = files.v2("other", "Power", "x", "z", {122: {1: 3.0}})
    network = read(tmp_path, front(other, files.v2("y", kind, ("x", "z"), "y", settings))).network
    x = images.astype(np.float64)
    assert_close(run(network, images), function(x, x**3))


def test_largest_of_three(tmp_path, images):
    others = [
        files.v2(name, "Power", "x", name, {122: {2: -1.0, 3: shift}}) for name, shift in (("a", 0.5), ("b", -0.5))
    ]
    network = read(tmp_path, front(*others, files.v2("y", "Eltwise", ("x", "a", "b"), "y", {110: {1: 2}}))).network
    assert_close(run(network, images), np.maximum(np.maximum(images, 0.5 - images), -0.5 - images))


def normalised(x, mean, variance, factor, eps=1e-5):
    scale = 0 if factor == 0 else 1 / factor
    return (x - mean[:, None, None] * scale) / np.sqrt(variance[:, None, None] * scale + eps)


@pytest.mark.parametrize("factor", (7.5, 1.0, 0.0))
def test_batch_normalisation(tmp_path, draw, images, factor):
    mean, variance, one = draw(CHANNELS), np.abs(draw(CHANNELS)) + 0.5, np.array([factor], np.float32)
    found = of_layer(tmp_path, images, "BatchNorm", {139: {3: 0.25}}, [mean, variance, one])
    assert_close(found, normalised(images, mean, variance, factor, 0.25))


def scaled_norm(draw, *more, bottom="n", bias=True):
    """A BatchNorm layer `norm` and a Scale layer, with the numbers of both."""
    mean, variance, one = draw(CHANNELS), np.abs(draw(CHANNELS)) + 0.5, np.array([2.0], np.float32)
    w, b = draw(CHANNELS), draw(CHANNELS)
    norm = files.v2("norm", "BatchNorm", "x", "n", {139: {1: True}}, [mean, variance, one])  # use_global_stats
    scale = files.v2("scale", "Scale", bottom, "y", {142: {4: bias}}, [w, b] if bias else [w])
    return front(norm, *more, scale), mean, variance, w[:, None, None], b[:, None, None]


@pytest.mark.parametrize("bias", (True, False))
def test_scale_becomes_a_part_of_the_batch_normalisation(tmp_path, draw, images, bias):
    content, mean, variance, w, b = scaled_norm(draw, bias=bias)
    network = read(tmp_path, content).network
    assert_close(run(network, images), normalised(images, mean, variance, 2.0) * w + b * bias)
    assert [*network] == ["same", "norm"] and isinstance(network.get_submodule("norm"), nn.BatchNorm2d)
    assert np.array_equal(network.state_dict()["norm.weight"], w.ravel())


def test_scale_of_a_normalisation_that_another_layer_takes_too(tmp_path, draw, images):
    content, mean, variance, w, b = scaled_norm(draw, files.v2("r", "ReLU", "n", "r"))
    both = content + files.v2("sum", "Eltwise", ("y", "r"), "sum")
    plain = normalised(images, mean, variance, 2.0)
    assert_close(run(read(tmp_path, both).network, images), plain * w + b + np.maximum(plain, 0))


@pytest.mark.parametrize("axis", (1, 2, -1))
def test_scale_along_other_axes(tmp_path, draw, images, axis):
    shape = {1: (CHANNELS, HEIGHT), 2: (HEIGHT, WIDTH), -1: (WIDTH,)}[axis]
    w, b = draw(*shape), draw(*shape)
    found = of_layer(tmp_path, images, "Scale", {142: {1: axis, 2: len(shape), 4: True}}, [w, b])
    more = (..., *[None] * (1 if axis == 1 else 0))
    assert_close(found, images * w[more] + b[more])


def test_bias_and_a_scale_of_one_number(tmp_path, draw, images):
    b, w = draw(CHANNELS), draw(1)[0]
    assert_close(of_layer(tmp_path, images, "Bias", {}, [b]), images + b[:, None, None])
    assert_close(of_layer(tmp_path, images, "Scale", {142: {2: 0}}, [np.asarray(w)]), images * w)


# ------------------------------------------------------------------------------------------------------------ numbers


def test_numbers_in_every_encoding(tmp_path, draw, images):
    """float64, in several pieces, one by one, with gradients and unknown fields beside them."""
    w = draw(5, CHANNELS, 1, 1)
    raw, shape = w.ravel(), files.field(7, files.message({1: list(w.shape)}))  # dims that are not packed
    blobs = {
        "double": files.blob(w, double=True),
        "pieces": shape + b"".join(files.field(5, raw[i : i + 7]) for i in range(0, raw.size, 7)),
        "one by one": shape + b"".join(files.field(5, float(x)) for x in raw),
        "gradients": files.blob(w) + files.field(6, 7 * raw) + files.field(9, np.float64(raw)) + files.field(99, 5),
        "old": files.blob(w, legacy=True),
        "float64 before float32": files.blob(w, double=True) + files.field(5, 7 * raw),
    }
    for blob in blobs.values():
        layer = files.v2("y", "Convolution", "x", "y", {106: {1: 5, 2: False, 4: 1}}, [blob])
        assert_close(run(read(tmp_path, front(layer)).network, images), convolved(images, w))


def test_weights_are_copies_with_the_names_of_the_layers(tmp_path, draw):
    w, b = draw(6, CHANNELS, 3, 3), draw(6)
    network = read(tmp_path, front(files.v2("conv/a.1", "Convolution", "x", "y", {106: {1: 6, 4: 3}}, [w, b]))).network
    state = network.state_dict()
    assert [*state] == ["same.weight", "conv/a.1.weight", "conv/a.1.bias"]
    assert np.array_equal(state["conv/a.1.weight"], w) and np.array_equal(state["conv/a.1.bias"], b)
    assert all(array.dtype == np.float32 and array.flags.writeable for array in state.values())


# --------------------------------------------------------------------------------------------------- whole networks

V1 = {"Data": 5, "Convolution": 4, "ReLU": 18, "LRN": 15, "Pooling": 17, "Split": 22, "InnerProduct": 14, "Dropout": 6,
    "SoftmaxWithLoss": 21, "Accuracy": 1, "Concat": 3}  # fmt: skip
CROP = 12


def trained(draw, v1, data=None, rules=True):
    """(the .caffemodel of a small network in training, what it computes)."""
    w1, b1, w2, b2, w3, b3 = draw(6, 3, 3, 3), draw(6), draw(4, 3, 3, 3), draw(4), draw(5, 90), draw(5)
    numbers = {"conv": 10, "pool": 19, "lrn": 18, "ip": 17, "drop": 12, "include": 32, "transform": 36}
    if not v1:
        numbers = {"conv": 106, "pool": 121, "lrn": 118, "ip": 117, "drop": 108, "include": 8, "transform": 100}

    def layer(name, kind, bottom, top, settings=None, arrays=()):
        named = {numbers.get(key, key): value for key, value in (settings or {}).items()}
        if v1:
            return files.v1(name, V1[kind], bottom, top, named, arrays)
        return files.v2(name, kind, bottom, top, named | {10: 0}, arrays)  # phase TRAIN

    train, test = ({"include": {1: phase}} if rules else {} for phase in (0, 1))
    given = {"transform": {2: True, 3: CROP}} if data is None else data
    layers = [
        layer("data", "Data", (), ("data", "label"), given | train),
        layer("conv1", "Convolution", "data", "conv1", {"conv": {1: 6, 3: 1, 4: 3, 6: 2}}, [w1, b1]),
        layer("relu1", "ReLU", "conv1", "conv1"),
        layer("norm1", "LRN", "conv1", "norm1", {"lrn": {1: 3, 2: 0.5, 3: 0.75}}),
        layer("split", "Split", "norm1", ("norm1_0", "norm1_1")),
        layer("pool1", "Pooling", "norm1_0", "pool1", {"pool": {2: 3, 3: 2}}),
        layer("conv2", "Convolution", "norm1_1", "conv2", {"conv": {1: 4, 4: 3, 5: 2, 6: 2, 3: 1}}, [w2, b2]),
        layer("both", "Concat", ("pool1", "conv2"), "both"),
        layer("fc", "InnerProduct", "both", "fc", {"ip": {1: 5}}, [w3, b3]),
        layer("drop", "Dropout", "fc", "fc", {"drop": {1: 0.25}}),
        layer("loss", "SoftmaxWithLoss", ("fc", "label"), "loss"),
        layer("accuracy", "Accuracy", ("fc", "label"), "accuracy", test),
    ]

    def expected(x):
        maps = across(np.maximum(convolved(x, w1, b1, (2, 2), (1, 1)), 0), 3, 0.5, 0.75, 1)
        maps = np.concatenate(
            [pooled(maps, False, (3, 3), (2, 2), (0, 0)), convolved(maps, w2, b2, (2, 2), (1, 1), groups=2)], 1
        )
        return maps.reshape(len(x), -1) @ w3.T.astype(np.float64) + b3

    return files.net("Small", *layers), expected


@pytest.mark.parametrize("rules", (True, False))
@pytest.mark.parametrize("v1", (True, False))
def test_network_of_training(tmp_path, draw, v1, rules):
    content, expected = trained(draw, v1, rules=rules)
    found = read(tmp_path, content)
    x = draw(2, 3, CROP, CROP)
    assert_close(run(found.network, x), expected(x))
    assert found.input_shape == (3, CROP, CROP) and found.channel_order == "BGR"
    assert layout(found.network, found.input_shape)[-1].output == (5,)
    assert found.origin == f"Caffe, V{1 if v1 else 2} layers, Small" and found.classes is None
    layers = {name: type(layer).__name__ for name, layer, _ in found.network.layers}
    assert layers == {"conv1": "Conv2d", "relu1": "ReLU", "norm1": "LocalResponseNorm", "pool1": "MaxPool2d",
        "conv2": "Conv2d", "both": "Concat", "fc.flatten": "Flatten", "fc": "Linear", "drop": "Dropout"}  # fmt: skip


DEPLOY = """
name: "Small"  # for deployment
INPUT
layer { name: "conv1" type: "Convolution" bottom: "data" top: "c" param { lr_mult: 1 } param { lr_mult: 2 }
        convolution_param { num_output: 6 pad: 1 kernel_size: 3 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "c" top: "c" }
layer { name: "norm1" type: "LRN" bottom: "c" top: "norm1" lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 } }
layer { name: "pool1" type: "Pooling" bottom: "norm1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "norm1" top: "conv2"
        convolution_param { num_output: 4 pad: 1 kernel_size: 3 stride: 2 group: 2 } }
layer { name: "both" type: "Concat" bottom: "pool1" bottom: "conv2" top: "both" }
layer { name: "fc" type: "InnerProduct" bottom: "both" top: "fc" inner_product_param { num_output: 5 } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" include { phase: TRAIN } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
INPUTS = {
    "layer": 'layer { name: "d" type: "Input" top: "data" input_param { shape { dim: 10 dim: 3 dim: 12 dim: 12 } } }',
    "input_dim": 'input: "data" input_dim: 10 input_dim: 3 input_dim: 12 input_dim: 12',
    "input_shape": 'input: "data" input_shape { dim: [10, 3, 12, 12] }',
    "no size": 'input: "data"',
    "DummyData": 'layer { name: "d" type: "DummyData" top: "data" dummy_data_param { num: 1 channels: 3 height: 12 '
    "width: 12 } }",
    "MemoryData": 'layer { name: "d" type: "MemoryData" top: "data" top: "l" memory_data_param { batch_size: 1 '
    "channels: 3 height: 12 width: 12 } }",
}


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("v1", (True, False))
def test_prototxt_for_deployment(tmp_path, draw, name, v1):
    content, expected = trained(draw, v1)
    found = read(tmp_path, content, prototxt=DEPLOY.replace("INPUT", INPUTS[name]))
    x = draw(2, 3, CROP, CROP)
    logits = np.exp(expected(x))
    assert_close(run(found.network, x), logits / logits.sum(1, keepdims=True))
    assert found.input_shape == (3, CROP, CROP)  # where the text has no size, that of training
    assert "drop" not in [*found.network] and found.network.output == "prob"
    assert found.origin == "Caffe, V2 layers, Small"


TRAINING = """
name: "Small"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
        transform_param { mirror: true crop_size: 10 mean_file: "mean.binaryproto" }
        data_param { source: "train_lmdb" batch_size: 256 backend: LMDB } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
        transform_param { mirror: false crop_size: 12 mean_value: [104, 117, 123] force_color: true }
        data_param { source: "val_lmdb" batch_size: 50 backend: LEVELDB } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        param { name: "w" lr_mult: 1 decay_mult: 1 share_mode: PERMISSIVE } param { lr_mult: 2 decay_mult: 0 }
        convolution_param { num_output: 6 pad: 1 kernel_size: 3 stride: 2 engine: CAFFE
            weight_filler { type: "msra" variance_norm: AVERAGE } bias_filler { type: "constant" value: 0 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" relu_param { engine: CUDNN } }
layer { name: "norm1" type: "LRN" bottom: "conv1" top: "norm1"
        lrn_param { local_size: 3 alpha: 5e-1 beta: 0.75 norm_region: ACROSS_CHANNELS k: 1 engine: DEFAULT } }
layer { name: "pool1" type: "Pooling" bottom: "norm1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 round_mode: CEIL engine: CAFFE } }
layer { name: "conv2" type: "Convolution" bottom: "norm1" top: "conv2" propagate_down: true
        convolution_param { num_output: 4 pad_h: 1 pad_w: 1 kernel_h: 3 kernel_w: 3 stride: 2 group: 2 } }
layer { name: "both" type: "Concat" bottom: "pool1" bottom: "conv2" top: "both" concat_param { axis: 1 } }
layer { name: "fc" type: "InnerProduct" bottom: "both" top: "fc"
        inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 0.005 } } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" dropout_param { dropout_ratio: 0.5 } }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" include { phase: TEST }
        accuracy_param { top_k: 5 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" loss_weight: 1
        loss_param { ignore_label: 255 normalization: VALID } softmax_param { engine: CAFFE } }
layer { name: "quiet" type: "Silence" bottom: "label" some_param { of: "a fork" list: [1, 2] } }
"""


@pytest.mark.parametrize("v1", (True, False))
def test_prototxt_of_training(tmp_path, draw, v1):
    """With everything that Caffe's own files have; the layers are those of phase TEST, and the logits the output."""
    content, expected = trained(draw, v1)
    found = read(tmp_path, content, prototxt=TRAINING)
    x = draw(2, 3, CROP, CROP)
    assert_close(run(found.network, x), expected(x))
    assert found.input_shape == (3, CROP, CROP) and found.normalization.mean.ravel().tolist() == [123, 117, 104]


def test_v1_before_v2(tmp_path, draw):
    """upgrade_proto.cpp: where there are layers of both versions, those of V2 are ignored."""
    content, expected = trained(draw, True)
    x = draw(2, 3, CROP, CROP)
    assert_close(run(read(tmp_path, content + files.v2("z", "Power", "fc", "z")).network, x), expected(x))


def test_silence_is_no_output(tmp_path, draw, images):
    w = draw(5, CHANNELS, 1, 1)
    aside = files.v2("aside", "Power", "x", "aside") + files.v2("quiet", "Silence", ("aside",))
    network = read(tmp_path, front(aside, conv(w))).network
    assert_close(run(network, images), convolved(images, w))
    assert [*network] == ["same", "y"]


def test_types_of_v1(tmp_path, images):
    """Each type of V1 computes what the same type of V2 does."""
    kinds = {
        ("AbsVal", 35): ({}, {}),
        ("ReLU", 18): ({123: {1: 0.25}}, {30: {1: 0.25}}),
        ("Power", 26): ({122: {1: 2.0, 3: 1.5}}, {21: {1: 2.0, 3: 1.5}}),
        ("Sigmoid", 19): ({}, {}),
        ("TanH", 23): ({}, {}),
        ("Flatten", 8): ({}, {}),
        ("Softmax", 20): ({125: {2: 2}}, {39: {2: 2}}),
        ("LRN", 15): ({118: {4: 1}}, {18: {4: 1}}),
    }
    eye = np.eye(CHANNELS).reshape(CHANNELS, CHANNELS, 1, 1)
    same = files.v1("same", 4, "data", "x", {10: {1: CHANNELS, 2: False, 4: 1}}, [eye])
    joined = files.v1("z", 25, ("x", "x"), "z", {24: {1: 1, 2: [2.0, -0.5]}})
    for (kind, number), (settings, old) in kinds.items():
        for more, bottom, x in ((b"", "x", images), (joined, "z", 1.5 * images)):
            content = files.net("n", same, more, files.v1("y", number, bottom, "y", old), input="data")
            ours = run(read(tmp_path, content).network, images)
            assert np.array_equal(ours, of_layer(tmp_path, x.astype(np.float32), kind, settings))


def test_stages_and_levels_of_the_state_choose_layers(tmp_path, draw):
    """net.cpp, StateMeetsRule: the rule needs all of its stages, and none of those that it excludes."""
    content, expected = trained(draw, False)
    both = {
        'state { level: 3 stage: "a" stage: "b" }': ("both", 6),
        'state { level: 1 stage: "a" }': ("stage", 2),
        "": ("none", 0),
    }
    rules = """
    layer { name: "x1" type: "Power" bottom: "fc" top: "fc" power_param { scale: 2 } include { stage: "a" } }
    layer { name: "x2" type: "Power" bottom: "fc" top: "fc" power_param { scale: 3 }
            include { stage: ["a", "b"] } include { min_level: 4 } }
    layer { name: "x3" type: "Power" bottom: "fc" top: "fc" power_param { scale: 0 }
            exclude { phase: TEST max_level: 3 } }
    layer { name: "x4" type: "Power" bottom: "fc" top: "fc" power_param { scale: 0 }
            include { not_stage: "a" stage: "b" } }
    """
    network = DEPLOY.replace("INPUT", INPUTS["input_dim"]).replace('layer { name: "prob"', f"{rules}#")
    x = draw(2, 3, CROP, CROP)
    for state, (_, factor) in both.items():
        assert_close(run(read(tmp_path, content, prototxt=state + network).network, x), expected(x) * (factor or 1))


# ----------------------------------------------------------------------------------------------- images and their means


def with_transform(text, kind="Data", more=""):
    """DEPLOY whose images come of a data layer with a transform_param."""
    data = f'layer {{ name: "d" type: "{kind}" top: "data" top: "l" include {{ phase: TEST }} {more} transform_param {{'
    return DEPLOY.replace("INPUT", f"{data} {text} }} }}")


def mean_file(folder, array, **options):
    path = folder / "mean.binaryproto"
    path.write_bytes(files.blob(array, **options))
    return path


def prepared(found, pictures):
    """What the network gets of pictures of 0 to 255, RGB."""
    pipeline = Pipeline(found.normalization, found.input_shape[1], found.channel_order)
    return pipeline.views(pictures, 1)[0]


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 256, (2, 3, 16, 16), np.uint8)


def test_mean_values_are_blue_first(tmp_path, draw, pictures):
    text = with_transform("crop_size: 12 mean_value: 10 mean_value: 20 mean_value: 30 scale: 0.0078125")
    found = read(tmp_path, trained(draw, False)[0], prototxt=text)
    blue_first = pictures[:, ::-1, 2:14, 2:14].astype(np.float64)
    assert_close(prepared(found, pictures), (blue_first - np.array([10, 20, 30])[:, None, None]) / 128)
    assert found.resize is None


@pytest.mark.parametrize(
    ("text", "mean", "scale"),
    (
        ("crop_size: 12 mean_value: 100", 100, 1),
        ("crop_size: 12", 0, 1),
        ("crop_size: 12 scale: 0.00390625", 0, 1 / 256),
    ),
)
def test_one_mean_value_or_none(tmp_path, draw, pictures, text, mean, scale):
    found = read(tmp_path, trained(draw, False)[0], prototxt=with_transform(text))
    assert_close(prepared(found, pictures), scale * (pictures[:, ::-1, 2:14, 2:14].astype(np.float64) - mean))


def test_images_of_a_list_are_resized_first(tmp_path, draw):
    more = "image_data_param { new_height: 16 new_width: 16 }"
    found = read(tmp_path, trained(draw, False)[0], prototxt=with_transform("crop_size: 12", "ImageData", more))
    assert (found.input_shape, found.resize) == ((3, 12, 12), 16)
    more = "image_data_param { new_height: 12 new_width: 12 }"
    found = read(tmp_path, trained(draw, False)[0], prototxt=with_transform("", "ImageData", more))
    assert (found.input_shape, found.resize) == ((3, 12, 12), None)


def test_v1_has_the_transform_in_data_param(tmp_path, draw):
    old = {11: {2: 0.5, 3: "means/old.binaryproto", 5: CROP, 4: 256}}  # scale, mean_file, crop_size, batch_size
    found = read(tmp_path, trained(draw, True, data=old)[0])
    assert found.input_shape == (3, CROP, CROP) and found.normalization is None
    assert found.origin == "Caffe, V1 layers, Small; its mean image means/old.binaryproto is not given"
    mean = mean_file(tmp_path, 100 * np.abs(draw(3, CROP, CROP)))
    assert read(tmp_path, trained(draw, True, data=old)[0], mean=mean).normalization.std == 2.0
    ignored = read(tmp_path, trained(draw, False, data={107: {2: 0.5, 5: CROP}})[0])  # V2 has it in transform_param
    assert ignored.input_shape is None and ignored.normalization.std == 1.0


def test_what_was_subtracted_in_training_is_known_for_deployment(tmp_path, draw):
    content = trained(draw, False, data={"transform": {3: CROP, 5: [1.0, 2.0, 3.0]}})[0]
    found = read(tmp_path, content, prototxt=DEPLOY.replace("INPUT", INPUTS["input_dim"]))
    assert found.normalization.mean.ravel().tolist() == [3, 2, 1]


@pytest.mark.parametrize("double", (False, True))
@pytest.mark.parametrize("legacy", (False, True))
def test_mean_image(tmp_path, draw, legacy, double):
    array = 100 + 20 * draw(3, 5, 7)
    found = caffe.read_mean(mean_file(tmp_path, array if legacy else array[None], legacy=legacy, double=double))
    assert found.dtype == np.float64 and np.array_equal(found, array)


@pytest.mark.parametrize("side", (12, 16))
def test_mean_image_of_the_input_or_of_images_before_the_crop(tmp_path, draw, pictures, side):
    mean = 100 + 20 * draw(3, side, side)
    found = read(tmp_path, trained(draw, False)[0], mean=mean_file(tmp_path, mean))
    blue_first = pictures[:, ::-1].astype(np.float64)
    whole = (blue_first - mean)[..., 2:14, 2:14] if side == 16 else blue_first[..., 2:14, 2:14] - mean
    assert_close(prepared(found, pictures), whole)
    assert found.resize == (16 if side == 16 else None)


def test_mean_image_that_is_no_square_is_used_by_its_centre(tmp_path, draw, pictures):
    mean = 100 + 20 * draw(3, 14, 20)
    found = read(tmp_path, trained(draw, False)[0], mean=mean_file(tmp_path, mean))
    assert_close(prepared(found, pictures), pictures[:, ::-1, 2:14, 2:14] - mean[:, 1:13, 4:16].astype(np.float64))


def test_network_of_another_number_of_channels(tmp_path, draw, images):
    found = read(tmp_path, front())
    assert found.input_shape == (CHANNELS, HEIGHT, WIDTH) and found.channel_order is None
    with pytest.raises(ValueError, match="the mean image has 3 channels, but the input has 4"):
        read(tmp_path, front(), mean=mean_file(tmp_path, 100 + draw(3, HEIGHT, WIDTH)))


# -------------------------------------------------------------------------------------------------------------- faults


def conv(w, bottom="x", name="y", kernel=None, more=None):
    settings = {1: len(w), 2: False, 4: kernel or w.shape[2]} | (more or {})
    return files.v2(name, "Convolution", bottom, name, {106: settings}, [w])


W = np.ones((2, CHANNELS, 3, 3), np.float32)
FAULTS = {
    "empty": (b"", "holds no weights"),
    "no weights": (files.net("n", files.v2("r", "ReLU", "a", "b")), "holds no weights"),
    "cut": (front(conv(W))[:-5], r"byte [\d,]+: a field of [\d,]+ bytes, but [\d,]+ are left: the file is cut short"),
    "text": (b"name: 'net'", "damaged, or not a .caffemodel"),
    "endless integer": (b"\x08" + b"\xff" * 12, "byte 1: an integer does not end"),
    "no such field": (b"\x03\x00", "byte 0: there is no field of number 0 and type 3"),
    "V0": (files.net("n", files.field(2, {1: {1: "conv1", 2: "conv"}})), "V0, which is not read"),
    "a shape of more numbers": (
        front(files.v2("y", "Bias", "x", "y", arrays=[files.message({7: {1: b"\x04"}, 5: bytes(12)})])),
        "an array of 4 has 3 numbers",
    ),
    "a huge shape": (
        front(files.v2("y", "Bias", "x", "y", arrays=[files.message({7: {1: files.varint(2**40) * 3}, 5: bytes(12)})])),
        "has 3 numbers",
    ),
    "half a number": (
        front(files.v2("y", "Bias", "x", "y", arrays=[files.message({5: bytes(7)})])),
        "7 bytes are no numbers of 4 bytes each",
    ),
    "too many fields": (files.varint(9 << 3) * 500_000 + b"\0", "more than 200,000 fields"),
    "too many layers": (b"\xa2\x06\x00" * 6000, "more than 5,000 layers"),
    "too many settings": (front(files.v2("y" * 2**21, "ReLU", "x", "y")), "bytes of settings"),
    "settings": (front(files.field(100, b"\x0a\x05ab")), "a field of 5 bytes, but 2 are left"),
    "settings within": (front(files.v2("y", "ReLU", "x", "y", {123: b"\x0d\x00"})), "not a message LayerParameter"),
    "a bottom that nothing writes": (front(conv(W, "z")), r"layer y \(Convolution\) reads z, which no layer before it"),
    "an unknown type": (front(files.v2("y", "Warp", "x", "y")), r"layer y \(Warp\): this type of layer is not known"),
    "two outputs": (front(conv(W), conv(W, name="z")), "one output is needed, but it has 2, y, z"),
    "two inputs": (
        front(files.v2("d", "Input", (), "e", INPUT), files.v2("y", "Eltwise", ("x", "e"), "y")),
        "one input is needed, but it has 2, data, e",
    ),
    "no output": (files.net("n", files.v2("loss", "EuclideanLoss", (), "l", arrays=[W])), "but it has none"),
    "a name twice": (front(conv(W), files.v2("same", "ReLU", "y", "r")), r"layer same \(ReLU\) is there twice"),
    "a blob twice": (front(conv(W), files.v2("r", "ReLU", "y", "x")), "writes x, which another layer writes, too"),
    "no bottom": (front(files.v2("y", "ReLU", (), "y")), "should have bottoms and one top, got 0 and 1"),
    "many bottoms": (front(files.v2("y", "Eltwise", ["x"] * 1001, "y")), "got 1001 and 1"),
    "a part named as a layer": (
        front(
            conv(W, name="z.flatten"),
            files.v2("z", "InnerProduct", "z.flatten", "z", {117: {1: 2, 2: False}}, [np.ones((2, 70))]),
        ),
        r"layer z \(InnerProduct\) becomes several layers, whose names others have",
    ),
    "a split without a bottom": (
        front(files.v2("y", "Split", (), "z")),
        "should have bottoms and one top, got 0 and 1",
    ),
    "two tops": (front(files.v2("y", "ReLU", "x", ("y", "z"))), "should have bottoms and one top, got 1 and 2"),
    "both rules": (front(files.v2("y", "ReLU", "x", "y", {8: {}, 9: {}})), "rules of both kinds"),
    "other channels": (front(conv(W[:, :3])), r"\(2, 3, 3, 3\) are for 3 channels, but its bottom has 4"),
    "other kernel": (front(conv(W, kernel=5)), r"its array 0 is \(2, 4, 3, 3\), expected \(2, \?, 5, 5\)"),
    "no bias": (front(files.v2("y", "Convolution", "x", "y", {106: {1: 2, 4: 3}}, [W])), "2 arrays of weights"),
    "groups": (front(conv(W[:, :1], more={5: 3})), "are for 3 channels, but its bottom has 4"),
    "unequal groups": (front(conv(np.ones((3, 2, 1, 1)), more={5: 2})), "groups=2 must divide both 4 and 3 channels"),
    "no kernel": (front(files.v2("y", "Pooling", "x", "y")), r"kernel_size should be one or two numbers from 1"),
    "too large a stride": (front(files.v2("y", "Pooling", "x", "y", {121: {2: 1, 3: 2**31}})), "stride should be one"),
    "both forms": (
        front(files.v2("y", "Pooling", "x", "y", {121: {2: 1, 5: 2, 6: 2}})),
        "both kernel_size and kernel_h",
    ),
    "global with a kernel": (front(files.v2("y", "Pooling", "x", "y", {121: {2: 2, 12: True}})), "takes no kernel"),
    "much padding": (front(files.v2("y", "Pooling", "x", "y", {121: {2: 3, 4: 2}})), "more than half the window"),
    "windows without pixels": (front(files.v2("y", "Pooling", "x", "y", {121: {2: 2, 3: 7}})), "may have no pixels"),
    "stochastic": (front(files.v2("y", "Pooling", "x", "y", {121: {1: 2, 2: 2}})), "stochastic pooling"),
    "even window": (front(files.v2("y", "LRN", "x", "y", {118: {1: 4}})), "local_size should be an odd number"),
    "infinite": (front(files.v2("y", "LRN", "x", "y", {118: {2: float("inf")}})), "a setting is inf"),
    "axis": (front(files.v2("y", "Softmax", "x", "y", {125: {2: 0}})), "axis 0 of 4 axes"),
    "statistics of batches": (
        front(files.v2("y", "BatchNorm", "x", "y", {139: {1: False}}, [W.ravel()[:4]] * 2 + [W.ravel()[:1]])),
        "set it to true in a prototxt",
    ),
    "unequal": (
        front(conv(W), files.v2("z", "Eltwise", ("x", "y"), "z")),
        r"bottoms do not fit together: \(4, 7, 9\), \(2, 5, 7\)",
    ),
    "coefficients": (front(files.v2("z", "Eltwise", ("x", "x"), "z", {110: {2: 1.0}})), "as many coefficients"),
    "unknown setting": (
        front(files.v2("y", "Pooling", "x", "y", {121: {2: 2, 77: 1}})),
        "pooling_param has the field 77",
    ),
    "large images": (files.net("n", conv(W, "data"), input="data", input_dim=[1, 3, 9999, 2]), "is 1 x 3 x 9999 x 2"),
    "vectors": (files.net("n", conv(W, "data"), input="data", input_shape=[[1, 4]]), "the input data is 1 x 4;"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_one_sentence(tmp_path, name):
    content, sentence = FAULTS[name]
    with pytest.raises(ValueError, match=sentence) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path}/net.caffemodel") and len(str(caught.value)) < 600


TEXTS = {
    "a solver": ('net: "train_val.prototxt"\nbase_lr: 0.01\n', "it describes no layers; a solver's text"),
    "no text": ("\x00", "line 1"),
    "no network": ("layer { name: 'a'\n layer {", "line 2"),
    "an unknown word": (
        "layer { type: 'Pooling'\n pooling_param { kernel_size: 3\n ceil_mode: false } }",
        "line 3.*ceil_mode",
    ),
    "a number": ("layer {\n pooling_param { kernel_size: 3.5 } }", "line 2"),
    "a name of no pool": ("layer { pooling_param { pool: MEAN } }", "line 1.*MEAN"),
    "V0": ("layers { layer { name: 'conv1' type: 'conv' } }", "V0, which is not read"),
    "no weights": (
        DEPLOY.replace("INPUT", INPUTS["layer"]).replace('"fc"', '"fc9"'),
        r"fc9 \(InnerProduct\): .* got 0",
    ),
    "deep": ("layer { unknown {" + "a {\n" * 100_000, "nest too deeply"),
    "long": ("# comment\n" * 2**17, "longer than the 1,048,576 bytes"),
    "a long line": ("\nlayer { x: [" + "1, " * 10_000, "line 2: it is longer than 5,000 characters"),
    "other size": (
        DEPLOY.replace("INPUT", INPUTS["input_dim"].replace("12", "40")),
        r"its array 0 is \(5, 90\), expected",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_fault_in_the_text_is_one_sentence(tmp_path, draw, name):
    text, sentence = TEXTS[name]
    with pytest.raises(ValueError, match=sentence) as caught:
        read(tmp_path, trained(draw, False)[0], prototxt=text)
    assert str(caught.value).startswith(f"{tmp_path}/net.prototxt") and len(str(caught.value)) < 600


def test_faulty_means(tmp_path, draw):
    content = trained(draw, False)[0]
    for array, sentence in (
        (draw(1, 12, 12), r"shape \(1, 12, 12\), but a mean image is \(3, H, W\)"),
        (draw(3, 11, 12), "the mean image, 11 x 12, is smaller than the input, 12 x 12"),
        (np.full((3, 12, 12), np.nan), "NaN or infinite"),
    ):
        with pytest.raises(ValueError, match=sentence):
            read(tmp_path, content, mean=mean_file(tmp_path, array))
    for text, sentence in (
        ("mean_value: 1 mean_value: 2", "there are 2 mean values for 3 channels"),
        ("scale: -1", "the pixels are multiplied by -1.0"),
        ("scale: nan", "the pixels are multiplied by nan"),
    ):
        with pytest.raises(ValueError, match=sentence):
            read(tmp_path, content, prototxt=with_transform(f"crop_size: 12 {text}"))
    (tmp_path / "mean.binaryproto").write_bytes(content)
    with pytest.raises(ValueError, match=r"mean.binaryproto (is damaged, or not|holds an array)"):
        caffe.read_mean(tmp_path / "mean.binaryproto")


def test_protobuf_is_missing(tmp_path, draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(ValueError, match=r"^this format needs google\.protobuf: pip install 'minialex\[convert\]'$"):
        read(tmp_path, trained(draw, True)[0])


def test_files_that_are_not_there_or_not_for_this_format(tmp_path, draw):
    content, text = trained(draw, False)[0], DEPLOY.replace("INPUT", INPUTS["layer"])
    read(tmp_path, content, prototxt=text)
    for name in ("prototxt", "mean"):
        with pytest.raises(FileNotFoundError, match="there is no file .*missing"):
            formats.read(tmp_path / "net.caffemodel", **{name: tmp_path / "missing"})
    with pytest.raises(
        ValueError, match=r"holds no weights: read the \.caffemodel, and this file with prototxt=\.\.\."
    ):
        formats.read(tmp_path / "net.prototxt")
    np.savez(tmp_path / "a.npz", a=1)
    formats.read(tmp_path / "a.npz", prototxt=None, mean=None)
    with pytest.raises(ValueError, match=r"a\.npz is read by itself, without mean=\.\.\.: leave it out"):
        formats.read(tmp_path / "a.npz", mean="x")
    with pytest.raises(ValueError, match=r"without classes=\.\.\."):
        formats.read(tmp_path / "net.caffemodel", classes="x")


# ------------------------------------------------------------------------------------------------------------ AlexNets


PARTS = "weight", "bias"


def alexnet(draw, hidden=4096):
    """Weights of AlexNet's size, of the scale that keeps activations of one size: {name: [weight, bias]}."""
    shapes = {"conv1": (96, 3, 11, 11), "conv2": (256, 48, 5, 5), "conv3": (384, 256, 3, 3), "conv4": (384, 192, 3, 3),
        "conv5": (256, 192, 3, 3), "fc6": (hidden, 9216), "fc7": (hidden, hidden), "fc8": (1000, hidden)}  # fmt: skip
    return {
        name: [draw(*shape) * np.float32((2 / np.prod(shape[1:])) ** 0.5), draw(shape[0]) * np.float32(0.1)]
        for name, shape in shapes.items()
    }


def rows(norm_first, hidden):
    """(name, kind, settings) of the layers of bvlc_alexnet, or with pools before norms of bvlc_reference_caffenet."""
    lrn, pool = {"lrn": {1: 5, 2: 1e-4, 3: 0.75}}, {"pool": {1: 0, 2: 3, 3: 2}}
    found = [("conv1", "Convolution", {"conv": {1: 96, 4: 11, 6: 4}})]
    for number in (1, 2):
        pair = [(f"norm{number}", "LRN", lrn), (f"pool{number}", "Pooling", pool)]
        found += [(f"relu{number}", "ReLU", {}), *(pair if norm_first else pair[::-1])]
        if number == 1:
            found.append(("conv2", "Convolution", {"conv": {1: 256, 3: 2, 4: 5, 5: 2}}))
    for number, (filters, groups) in enumerate(((384, 1), (384, 2), (256, 2)), 3):
        found.append((f"conv{number}", "Convolution", {"conv": {1: filters, 3: 1, 4: 3, 5: groups}}))
        found.append((f"relu{number}", "ReLU", {}))
    found.append(("pool5", "Pooling", pool))
    for number, size in ((6, hidden), (7, hidden), (8, 1000)):
        found.append((f"fc{number}", "InnerProduct", {"ip": {1: size}}))
        if number < 8:
            found += [(f"relu{number}", "ReLU", {}), (f"drop{number}", "Dropout", {"drop": {1: 0.5}})]
    return found


def alexnet_file(weights, v1, norm_first):
    """A .caffemodel as training writes it: activations and dropout in place."""
    numbers = {"conv": 10, "pool": 19, "lrn": 18, "ip": 17, "drop": 12, "transform": 36}
    if not v1:
        numbers = {"conv": 106, "pool": 121, "lrn": 118, "ip": 117, "drop": 108, "transform": 100}
    layers, blob = [], "data"
    data = {numbers["transform"]: {3: 227, 5: [104.0, 117.0, 123.0]}}
    layers.append((files.v1 if v1 else files.v2)("data", V1["Data"] if v1 else "Data", (), ("data", "label"), data))
    for name, kind, settings in rows(norm_first, len(weights["fc6"][0])):
        top = blob if kind in ("ReLU", "Dropout") else name
        own = {numbers[key]: value for key, value in settings.items()}
        write = files.v1 if v1 else files.v2
        layers.append(write(name, V1[kind] if v1 else kind, blob, top, own, weights.get(name, ())))
        blob = top
    loss = (
        files.v1("loss", 21, ("fc8", "label")) if v1 else files.v2("loss", "SoftmaxWithLoss", ("fc8", "label"), "loss")
    )
    return files.net("AlexNet", *layers, loss)


def by_torch(torch, weights, x, norm_first):
    """The logits, by torch.nn.functional and Caffe's rules: pools round up, alpha is divided by the window's size."""
    f, x = torch.nn.functional, torch.from_numpy(x)
    w = {name: [torch.from_numpy(array) for array in pair] for name, pair in weights.items()}
    how = {"conv1": (4, 0, 1), "conv2": (1, 2, 2), "conv3": (1, 1, 1), "conv4": (1, 1, 2), "conv5": (1, 1, 2)}

    def normed(x):
        squares = f.pad(x * x, (0, 0, 0, 0, 2, 2))
        return x / (1 + 1e-4 / 5 * sum(squares[:, i : i + x.shape[1]] for i in range(5))) ** 0.75

    def reduced(x):
        return f.max_pool2d(f.pad(x, (0, 1, 0, 1), value=-np.inf), 3, 2)[..., : -(-(x.shape[2] - 3) // 2) + 1, :]

    for name, (stride, pad, groups) in how.items():
        x = f.relu(f.conv2d(x, *w[name], stride=stride, padding=pad, groups=groups))
        if name in ("conv1", "conv2"):
            x = reduced(normed(x)) if norm_first else normed(reduced(x))
    x = reduced(x).flatten(1)
    x = f.relu(f.linear(x, *w["fc6"]))
    return f.linear(f.relu(f.linear(x, *w["fc7"])), *w["fc8"]).numpy()


def drawn(hidden):
    numbers = np.random.default_rng(12).standard_normal(1_000_003, np.float32)  # a prime: no two rows are alike
    return alexnet(lambda *shape: np.resize(numbers, shape), hidden)


@pytest.fixture(scope="module")
def network_of_2012():
    return drawn(4096)


@pytest.fixture
def bright(rng):
    """Images of pixels from 0 to 255 without their mean, for which normalisation matters."""
    return (rng.integers(0, 256, (1, 3, 227, 227)) - 116).astype(np.float32)


@pytest.mark.heavy
@pytest.mark.parametrize("v1", (True, False))
def test_alexnet_is_the_preset(tmp_path, torch, network_of_2012, bright, v1):
    """Logits equal torch's and the preset's, weights and settings the preset's: from the file, and into one."""
    weights = network_of_2012
    with nn.init.skipped():
        preset = models.build("alexnet_caffe")
    if not v1:
        preset.load_state_dict({f"{name}.{part}": a for name in weights for part, a in zip(PARTS, weights[name])})
        state = preset.state_dict()
        weights = {name: [state[f"{name}.{part}"] for part in PARTS] for name in weights}
    found = read(tmp_path, alexnet_file(weights, v1, norm_first=True))
    (tmp_path / "net.caffemodel").unlink()
    if v1:
        preset.load_state_dict(found.network.state_dict())
    logits = run(found.network, bright)
    assert_close(logits, by_torch(torch, network_of_2012, bright, norm_first=True))
    assert np.array_equal(run(preset, bright), logits)
    assert found.input_shape == (3, 227, 227) and found.normalization.mean.ravel().tolist() == [123, 117, 104]
    layers = {name: repr(layer) for name, layer, _ in found.network.layers}
    assert layers.pop("fc6.flatten") == "Flatten(start_dim=1, end_dim=-1)"
    assert layers == {name: repr(layer) for name, layer in preset.named_children() if name in layers}
    assert len(layers) == len([*preset.named_children()]) - 1


@pytest.mark.heavy
def test_caffenet_has_pools_before_norms(tmp_path, torch, bright):
    narrow = drawn(256)
    found = read(tmp_path, alexnet_file(narrow, True, norm_first=False))
    expected = by_torch(torch, narrow, bright, norm_first=False)
    assert_close(run(found.network, bright), expected)
    other = by_torch(torch, narrow, bright, norm_first=True)
    assert np.abs(other - expected).max() > 1e-2 * np.ptp(expected)
