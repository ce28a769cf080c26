"""Keras's files: what Keras 3 wrote computes the same here; Keras 1's and 2's forms; what is refused; what we write."""

from __future__ import annotations

import io
import itertools
import json
import math
import os
import zipfile
from pathlib import Path

import converting
import keras_models
import numpy as np
import pytest
from keras_models import KERAS_1, KERAS_2, MODEL, write_old

from minialex import Tensor, convert, nn, no_grad
from minialex.convert import formats, hdf5, keras_export, keras_file, keras_weights
from minialex.convert.keras import from_keras, to_keras
from minialex.models.layout import layout

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras on torch
HEAVY = pytest.mark.heavy
NAMES = ("sequential", "functional", "nested", "simple", "channels_first", "double")
SUFFIXES = ("h5", "keras", "weights.h5")


@pytest.fixture(scope="module")
def stored():
    """What tests/golden/make_keras.py stored."""
    with np.load(Path(__file__).parents[1] / "golden/keras.npz") as archive:
        return dict(archive)


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py", reason="h5py, pip install 'minialex[convert]', is not installed")


@pytest.fixture
def written(tmp_path, stored):
    """A function that puts a stored file into a folder, and returns its path."""

    def put(name):
        (tmp_path / name).write_bytes(stored[name].tobytes())
        return tmp_path / name

    return put


def answers(network, images, channels_first=False):
    """What a network says to images in Keras's order of axes."""
    images = images if channels_first else images.transpose(0, 3, 1, 2)
    with no_grad():
        return network(Tensor(images)).numpy()


def assert_near(found, expected):
    """Equal to 1e-5 of the expected values' spread."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5 * np.ptp(expected)


def assert_same_network(imported, images, expected, channels_first=False):
    images = images if channels_first else images.transpose(0, 3, 1, 2)
    assert imported.input_shape == images.shape[1:]
    if imported.normalization is not None:
        images = imported.normalization(images)
    double = imported.network.state_dict().popitem()[1].dtype == np.float64
    with no_grad():
        found = imported.network(Tensor(images.astype(np.float64) if double else images)).numpy()
    assert_near(found.transpose(0, 2, 3, 1) if found.ndim == 4 else found, expected)


# -------------------------------------------------------------------------------------- files that Keras has written


@pytest.mark.parametrize(("name", "suffix"), [*itertools.product(NAMES, SUFFIXES[:2])])
def test_models_of_keras_3(written, stored, name, suffix):
    imported = formats.read(written(f"{name}.{suffix}"))
    images, output = stored[f"{name}.images"], stored[f"{name}.output"]
    assert_same_network(imported, images, output, name == "channels_first")
    assert math.prod(layout(imported.network, imported.input_shape)[-1].output) == math.prod(output.shape[1:])
    assert imported.origin == ("Keras 3.15.1" if suffix == "keras" else "Keras 3.15.1, torch")
    assert imported.normalization is not None if name in ("sequential", "simple") else imported.normalization is None


def test_what_is_read_is_a_graph_of_plain_layers(written):
    network = formats.read(written("sequential.keras")).network
    assert isinstance(network, nn.Graph) and not network.training
    assert [type(layer).__name__ for _, layer, _ in network.layers] == [
        *("Conv2d", "ReLU", "MaxPool2d", "BatchNorm2d", "Conv2d", "Tanh", "Conv2d", "Conv2d", "LeakyReLU", "Conv2d"),
        *("BatchNorm2d", "LeakyReLU", "BatchNorm2d", "ELU", "Flatten", "Reshape", "Call", "Flatten", "BatchNorm1d"),
        *("Dropout", "Linear", "ELU", "Linear", "Softmax"),
    ]
    assert [name for name, _, _ in network.layers][-2:] == ["predictions", "predictions_softmax"]
    norm = network.get_submodule("batch_normalization")
    assert norm.eps == 0.01 and norm.momentum == pytest.approx(0.1)


def test_float64_stays_float64(written, stored):
    """To NumPy's last digits; Keras on torch computes a part of it in float32."""
    network = formats.read(written("double.keras")).network
    assert {t.dtype for t in network.parameters()} == {np.dtype(np.float64)}
    kernel, bias, fc, fc_bias = (stored[f"double.weights.{number}"] for number in range(4))
    images = stored["double.images"].astype(np.float64)
    maps = np.maximum(convolved(images, kernel, bias, 1, "same"), 0)
    expected = maps.max((1, 2)) @ fc + fc_bias
    np.testing.assert_allclose(answers(network, images), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["sequential", "functional"])
def test_weights_alone_of_keras_3(written, stored, name):
    found = formats.read(written(f"{name}.weights.h5"))
    assert [*found] == [f"arr_{number}" for number in range(len(found))]
    expected = [stored[key] for key in stored if key.startswith(f"{name}.weights.") and not key.endswith("h5")]
    for array, other in zip(found.values(), expected, strict=True):
        converting.assert_same(array, other)


@pytest.fixture(scope="module")
def keras():
    os.environ["KERAS_BACKEND"] = "torch"
    module = pytest.importorskip("keras", reason="Keras is not installed")
    if module.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend than torch")
    return module


@pytest.fixture(scope="module")
def models(keras):
    return keras_models.build(keras)


@HEAVY
@pytest.mark.parametrize(("name", "suffix"), [*itertools.product(NAMES, SUFFIXES[:2])])
def test_models_of_the_installed_keras(models, tmp_path, name, suffix):
    model = keras_models.randomized(models[name], 77)
    images = keras_models.pictures(model, 3)
    model.save(tmp_path / f"m.{suffix}")
    expected = np.asarray(model(images, training=False).detach())
    assert_same_network(formats.read(tmp_path / f"m.{suffix}"), images, expected, name == "channels_first")


@HEAVY
@pytest.mark.parametrize("policy", ["float16", "mixed_float16", "bfloat16"])
def test_halves(keras, tmp_path, policy):
    """They are widened to float32; Keras computes with halves, which have 11 or 8 bits."""
    L, layer = keras.layers, {"dtype": policy}
    layers = [L.Conv2D(4, 3, **layer), L.BatchNormalization(**layer), L.Flatten(**layer), L.Dense(5, **layer)]
    model = keras_models.randomized(keras.Sequential([keras.Input((7, 8, 3)), *layers]), 5)
    images = keras_models.pictures(model).astype(np.float32)
    expected = np.asarray(model(images, training=False).detach().float())
    for suffix in SUFFIXES[:2]:
        model.save(tmp_path / f"m.{suffix}")
        imported = formats.read(tmp_path / f"m.{suffix}")
        assert np.abs(answers(imported.network, images) - expected).max() < 2e-2 * np.ptp(expected)
        weight = imported.network.get_submodule(model.layers[0].name).weight
        kernel = np.asarray(model.layers[0].kernel.value.detach().float())
        assert weight.dtype == np.float32 and np.array_equal(weight.numpy().transpose(2, 3, 1, 0), kernel)


# ---------------------------------------------------------------------------------------- Keras 1 and 2, by h5py


def convolved(images, kernel, bias, stride=1, padding="valid", groups=1):
    """Keras's convolution of images (N, H, W, C) with a kernel (H, W, C / groups, O), by its definition."""
    if padding == "same":
        sides = [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip(images.shape[1:3], kernel.shape)]
        images = np.pad(images, [(0, 0), *((s // 2, s - s // 2) for s in sides), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(images, kernel.shape[:2], (1, 2))[:, ::stride, ::stride]
    parts = zip(np.split(windows, groups, 3), np.split(kernel, groups, 3))
    return np.concatenate([np.einsum("nhwcyx,yxco->nhwo", window, part) for window, part in parts], 3) + bias


@pytest.fixture
def draw(rng):
    return lambda *shape: rng.standard_normal(shape).astype(np.float32)


def conv_and_dense(draw):
    """(weights of a convolution and a Dense after it, images, what Keras computes from them)."""
    weights = {
        "conv1": {"kernel": draw(3, 2, 3, 4), "bias": draw(4)},
        "flatten": {},
        "fc": {"kernel": draw(4 * 5 * 4, 6), "bias": draw(6)},
    }
    images = draw(3, 7, 9, 3)
    maps = np.maximum(convolved(images, *weights["conv1"].values(), 2, "same"), 0)
    assert maps.shape == (3, 4, 5, 4)
    return weights, images, np.tanh(maps.reshape(3, -1) @ weights["fc"]["kernel"] + weights["fc"]["bias"])


@pytest.mark.parametrize("model", [KERAS_1, KERAS_2, MODEL], ids=["Keras 1", "Sequential", "Model"])
def test_models_of_keras_1_and_2(h5py, tmp_path, draw, model):
    weights, images, expected = conv_and_dense(draw)
    version = "1.2.2" if model is KERAS_1 else "2.3.1"
    imported = formats.read(write_old(h5py, tmp_path / "m.hdf5", model, weights, version=version))
    assert_near(answers(imported.network, images), expected)
    assert imported.origin == f"Keras {version}, tensorflow" and imported.input_shape == (3, 7, 9)
    assert {"conv1.weight", "conv1.bias", "fc.weight", "fc.bias"} == imported.network.state_dict().keys()
    assert imported.normalization is imported.classes is imported.channel_order is None


@pytest.mark.parametrize("first", [0, 1])
def test_a_model_within_a_model_of_keras_2(h5py, tmp_path, draw, first):
    """Its calls count from 1 in Keras 2; of its weights, all that are trained come first; another is frozen."""

    def entry(kind, name, *sources, **config):
        nodes = [[[source, number, 0, {}]] for source, number in sources]
        return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}

    def model(name, layers, start, end, *sources, **config):
        ends = {"input_layers": [[start, 0, 0]], "output_layers": [[end, 0, 0]]}
        return entry("Model", name, *sources, layers=layers, **ends, **config)

    start = entry("InputLayer", "in", batch_input_shape=[None, 4, 5, 3])
    norms = [
        entry("BatchNormalization", "b1", ("in", 0), axis=[3], epsilon=0.1),
        entry("BatchNormalization", "b2", ("b1", 0), axis=3, epsilon=0.2),
    ]
    twice = model("twice", [start, *norms], "in", "b2", ("in", 0), ("twice", first))
    frozen = model("frozen", [start, *norms], "in", "b2", ("twice", first + 1), trainable=False)
    whole = model("whole", [start, twice, frozen], "in", "frozen")
    whole["config"]["output_layers"] = [["frozen", first, 0]]
    numbers = {name: np.abs(draw(2, 4, 3)) + 0.5 for name in ("twice", "frozen")}
    parts = "gamma", "beta", "mean", "var"
    orders = {"twice": [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (0, 3), (1, 2), (1, 3)], "frozen": [*np.ndindex(2, 4)]}
    weights = {
        name: {f"b{layer + 1}/{parts[part]}": numbers[name][layer, part] for layer, part in order}
        for name, order in orders.items()
    }
    images = draw(2, 4, 5, 3)
    expected = images
    for name in ("twice", "twice", "frozen"):
        for (gamma, beta, mean, var), eps in zip(numbers[name], (0.1, 0.2)):
            expected = (expected - mean) / np.sqrt(var + np.float32(eps)) * gamma + beta
    imported = formats.read(write_old(h5py, tmp_path / "m.h5", whole, weights))
    assert_near(answers(imported.network, images).transpose(0, 2, 3, 1), expected)
    assert "twice.b1.weight" in imported.network.state_dict()


def test_compressed_chunks_and_float16(h5py, tmp_path, draw):
    weights, _, _ = conv_and_dense(draw)
    weights["fc"]["kernel"] = weights["fc"]["kernel"].astype(np.float16)
    plain = formats.read(write_old(h5py, tmp_path / "m.h5", KERAS_2, weights))
    with h5py.File(tmp_path / "m.h5", "a") as file:
        for name in ("conv1/conv1/kernel:0", "fc/fc/kernel:0"):
            array = file[f"model_weights/{name}"][()]
            del file[f"model_weights/{name}"]
            options = {"compression": "gzip", "shuffle": True, "chunks": (2,) * array.ndim}
            file.create_dataset(f"model_weights/{name}", data=array, **options)
    packed = formats.read(tmp_path / "m.h5")
    converting.assert_same(packed.network.state_dict(), plain.network.state_dict())
    assert packed.network.get_submodule("fc").weight.dtype == np.float32


@pytest.mark.parametrize("groups", [1, 2])
def test_even_windows_and_groups(h5py, tmp_path, draw, groups):
    """Padding that is uneven; a mean that leaves it out, which Keras's torch backend gets wrong."""
    weights = {"conv1": {"kernel": draw(2, 4, 4 // groups, 6), "bias": draw(6)}}
    images = draw(2, 5, 8, 4)
    layers = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 5, 8, 4]}},
        conv := {"class_name": "Conv2D", "config": {"name": "conv1", "filters": 6, "kernel_size": [2, 4]}},
        {"class_name": "AveragePooling2D", "config": {"name": "pool", "pool_size": [2, 4], "strides": [1, 1]}},
    ]
    for layer in layers[1:]:
        layer["config"]["padding"] = "same"
    conv["config"]["groups"] = groups
    model = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    network = formats.read(write_old(h5py, tmp_path / "m.h5", model, weights)).network
    maps = convolved(images, *weights["conv1"].values(), 1, "same", groups)
    ones = np.ones((2, 4, 1, 1))
    sums = convolved(maps.reshape(2, 5, 8, 6).transpose(0, 3, 1, 2).reshape(-1, 5, 8, 1), ones, 0, 1, "same")
    counts = convolved(np.ones((1, 5, 8, 1)), ones, 0, 1, "same")
    assert_near(answers(network, images), (sums / counts).reshape(2, 6, 5, 8))


def test_weights_alone_of_keras_2(h5py, tmp_path, draw):
    weights, _, _ = conv_and_dense(draw)
    found = formats.read(write_old(h5py, tmp_path / "w.h5", None, weights, whole=False))
    expected = [array for arrays in weights.values() for array in arrays.values()]
    converting.assert_same(found, {f"arr_{number}": array for number, array in enumerate(expected)})


def test_names_in_several_attributes(h5py, tmp_path):
    """HDF5's attributes have 64 KiB at most: Keras splits longer lists, and so do we."""
    names = [f"layer_{number:05d}" + 80 * "x" for number in range(1500)]
    with h5py.File(tmp_path / "w.h5", "w") as file:
        keras_export._names(file, "layer_names", names)
        assert [*file.attrs] == ["layer_names0", "layer_names1", "layer_names2"]
        assert sum(len(values) for values in file.attrs.values()) == 1500
    with open(tmp_path / "w.h5", "rb") as file:
        assert keras_weights.texts(hdf5.File(file).root, "layer_names") == names


def test_order_of_layers_that_is_not_known(h5py, tmp_path):
    """A file of weights alone has no list of its layers; they were written in their order."""
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        for number, name in enumerate(("dense", "conv2d", "dense_2", "dense_10")):
            file[f"layers/{name}/vars/0"] = np.full(2, number)
    assert [*map(int, np.stack([*formats.read(tmp_path / "w.weights.h5").values()])[:, 0])] == [0, 1, 2, 3]
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        for name in ("dense_1", "dense"):
            file[f"layers/{name}/vars/0"] = np.zeros(2)
    with pytest.raises(ValueError, match=r"order of its layers is not known: /layers/dense stands behind"):
        formats.read(tmp_path / "x.weights.h5")


# ------------------------------------------------------------------------------------------------------ what is refused


def changed(model, *path, **values):
    """A copy of a description with other values in one of its dicts."""
    model = json.loads(json.dumps(model))
    place = model
    for key in path:
        place = place[key]
    place |= values
    return model


LAYERS = ("config", "layers")
REFUSED = {
    "custom": (changed(KERAS_2, *LAYERS, 1, class_name="Lambda"), r"layer flatten \(Lambda\): this class of layers"),
    "LRN": (changed(KERAS_2, *LAYERS, 1, class_name="LRN"), r"layer flatten \(LRN\): this class of layers is not read"),
    "subclass": (changed(KERAS_2, class_name="os.system"), "its class is os.system; Sequential and Functional"),
    "no size": (changed(KERAS_2, *LAYERS, 0, "config", batch_input_shape=[None, None, 9, 3]), "of a known size"),
    "filters": (changed(KERAS_2, *LAYERS, 0, "config", filters=10**9), "filters should be a whole number from 1 to"),
    "shape": (changed(KERAS_2, *LAYERS, 2, "config", units=7), r"fc \(Dense\): its weights have the shape \(80, 6\)"),
    "activation": (changed(KERAS_2, *LAYERS, 2, "config", activation="eval"), "the activation 'eval' is not read"),
    "module": (changed(KERAS_2, *LAYERS, 2, module="evil.layers"), r"fc \(evil\.layers\.Dense\): this class"),
    "registered": (
        changed(KERAS_2, *LAYERS, 2, module=None, registered_name="mine>Dense"),
        r"fc \(mine>Dense\): this class of layers is not read",
    ),
    "operation": (
        changed(KERAS_2, *LAYERS, 1, module="keras.src.ops.nn", class_name="Softmax"),
        r"flatten \(keras\.src\.ops\.nn\.Softmax\): this class of layers",
    ),
    "no order": (changed(KERAS_1, "config", 0, "config", dim_ordering=[1]), "Theano's order of weights"),
    "theano": (changed(KERAS_1, "config", 0, "config", dim_ordering="th"), "Theano's order of weights"),
    "output": (
        changed(MODEL, "config", output_layers=[["fc", 3, 0]]),
        r"the output of model_1, \('fc', 3, 0\), cannot",
    ),
    "two inputs": (changed(MODEL, "config", input_layers=[["in", 0, 0], ["a", 0, 0]]), "a network with one input is"),
    "two outputs": (changed(MODEL, "config", output_layers=2 * [["fc", 0, 0]]), "should have one input and one output"),
    "named": (
        changed(MODEL, *LAYERS, 3, inbound_nodes=[[["conv1", 0, 0, {"y": ["in", 0, 0]}]]]),
        r"layer flatten \(Flatten\): it is called with y, which is not read",
    ),
    "twice": (changed(KERAS_2, *LAYERS, 1, "config", name="fc"), "two layers of the same name"),
    "order": (changed(KERAS_2, *LAYERS, 0, "config", data_format=["x"]), "some of its layers have channels_last"),
    "dilated": (changed(KERAS_2, *LAYERS, 0, "config", dilation_rate=[9, 9], padding="valid"), "does not fit into"),
    "text": ([1], "its model_config is not a JSON object"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(h5py, tmp_path, draw, case):
    model, message = REFUSED[case]
    weights, _, _ = conv_and_dense(draw)
    with pytest.raises(ValueError, match=rf"m\.h5: .*{message}") as found:
        formats.read(write_old(h5py, tmp_path / "m.h5", model, weights))
    assert "\n" not in str(found.value)


def test_models_within_models_do_not_multiply(h5py, tmp_path):
    """Ten calls of ten calls of ... would be a hundred million layers."""
    inner = {"class_name": "Activation", "config": {"name": "a", "activation": "relu"}, "name": "a"}
    first = {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [None, 4, 4, 1]}}
    for depth in range(7):
        inner["inbound_nodes"] = [[["in", 0, 0, {}]], *([[inner["name"], call, 0, {}]] for call in range(9))]
        ends = {"input_layers": [["in", 0, 0]], "output_layers": [[inner["name"], 9, 0]]}
        config = {"name": f"m{depth}", "layers": [first, inner], **ends}
        inner = {"class_name": "Functional", "name": f"m{depth}", "config": config}
    with pytest.raises(ValueError, match=r"it calls more than 20,000 layers|more than 1,000 layers have the name"):
        formats.read(write_old(h5py, tmp_path / "m.h5", inner, {}))


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_damaged_archives(tmp_path, stored):
    with zipfile.ZipFile(io.BytesIO(stored["double.keras"].tobytes())) as archive:
        good = {name: archive.read(name) for name in archive.namelist()}
    assert good.keys() == {"metadata.json", "config.json", "model.weights.h5"}
    path = tmp_path / "m.keras"
    assert formats.read(zipped(path, good | {"../evil.py": "x"})).network
    for changes, message in (
        ({"config.json": b"[" * 100_000}, "its model_config is not JSON that can be read"),
        ({"config.json": bytes(2**23 + 1)}, "config.json in it would take far more memory"),
        ({"model.weights.h5": bytes(2**26 + 1)}, "model.weights.h5 in it would take far more memory"),
        ({"model.weights.h5": good["model.weights.h5"][:9000]}, "it is cut short"),
        ({"metadata.json": b"3"}, "metadata.json is not a JSON object"),
    ):
        with pytest.raises(ValueError, match=message):
            formats.read(zipped(path, good | changes))
    with pytest.raises(ValueError, match=r"there is no config\.json in it"):
        formats.read(zipped(path, {"model.weights.h5": b""}))
    path.write_bytes(b"PK\3\4 and nothing more")
    with pytest.raises(ValueError, match=r"m\.keras: it is damaged"):
        formats.read(path)


def test_hdf5_of_others(h5py, tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"x\.h5: it is an HDF5 file, but not one of Keras"):
        keras_file.read(tmp_path / "x.h5")


# -------------------------------------------------------------------------------------------------------- what we write


class Saved:
    """What keras_export.write needs of a Checkpoint."""

    def __init__(self, network, size):
        self.network, self.input_size, self.weights = network.eval(), size, network.state_dict()

    def build_model(self):
        return self.network


def every_layer(rng):
    """A network with every layer that can be written, and random weights, as a Saved."""
    network = nn.Sequential(
        {
            "conv1": nn.Conv2d(3, 4, 3, stride=2, padding="same"),
            "relu1": nn.ReLU(),
            "norm1": nn.BatchNorm2d(4, eps=0.01, momentum=0.3),
            "conv2": nn.Conv2d(4, 6, (3, 2), padding=2, groups=2, bias=False),
            "leaky": nn.LeakyReLU(0.3),
            "pool1": nn.MaxPool2d((3, 2), 2, ceil_mode=True),
            "elu": nn.ELU(0.5),
            "pool2": nn.AvgPool2d(3, 1, padding=1, count_include_pad=False),
            "pad": nn.ZeroPad2d((1, 0, 2, 1)),
            "maps": nn.Dropout2d(0.1),
            "flatten": nn.Flatten(),
            "norm2": nn.BatchNorm1d(6 * 8 * 7, bias=False),
            "drop": nn.Dropout(0.4),
            "fc1": nn.Linear(6 * 8 * 7, 5),
            "tanh": nn.Tanh(),
            "fc2": nn.Linear(5, 4, bias=False),
            "softmax": nn.Softmax(1),
        }
    )
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        if tensor.ndim:
            tensor.data[...] = 0.3 * rng.standard_normal(tensor.shape)
            if name.endswith("var"):
                tensor.data[...] = np.abs(tensor.data) + 0.5
    return Saved(network, 15)


def test_what_is_written_is_read_again(h5py, tmp_path, rng):
    saved, images = every_layer(rng), rng.standard_normal((2, 3, 15, 15)).astype(np.float32)
    for name in ("m.h5", "m.keras"):
        keras_export.write(tmp_path / name, saved)
        imported = formats.read(tmp_path / name)
        with no_grad():
            assert_near(imported.network(Tensor(images)).numpy(), saved.network(Tensor(images)).numpy())
    with h5py.File(tmp_path / "m.h5") as file:
        assert file.attrs["keras_version"] == "2.15.0" and "layer_names" in file["model_weights"].attrs
        assert file["model_weights/conv2/conv2/kernel:0"].shape == (3, 2, 2, 6)


@pytest.mark.parametrize("name", ["m.h5", "m.weights.h5"])
def test_weights_alone_are_written(h5py, tmp_path, rng, name):
    saved = every_layer(rng)
    keras_export.write(tmp_path / name, saved, True)
    listed = to_keras(saved.weights, layout(saved.network, (3, 15, 15)))
    converting.assert_same(formats.read(tmp_path / name), {f"arr_{n}": array for n, array in enumerate(listed)})


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.LocalResponseNorm(5), "Keras has no such layer"),
        (nn.Dropout(0.5, inverted=False), "Keras's dropout scales in training"),
        (nn.MaxPool2d(2, 1, padding=1), "Keras has no padding like this pool's"),
        (nn.AvgPool2d(3, 1, padding=1), "Keras has no padding like this pool's"),
        (nn.MaxPool2d(3, dilation=2), "neither a dilation"),
        (nn.BatchNorm2d(3, track_running_stats=False), "needs running statistics"),
        (nn.Linear(9, 2), "Flatten before it"),
    ],
)
def test_layers_that_keras_does_not_have(layer, message):
    network = nn.Sequential({"odd": layer})
    with pytest.raises(ValueError, match=rf"layer odd \({type(layer).__name__}\): .*{message}"):
        keras_export.to_layers(layout(network, (3, 9, 9)), network.state_dict())


@HEAVY
def test_keras_reads_every_layer_that_we_write(h5py, keras, tmp_path, rng):
    saved, images = every_layer(rng), rng.standard_normal((2, 3, 15, 15)).astype(np.float32)
    with no_grad():
        expected = saved.network(Tensor(images)).numpy()
    for name in ("m.keras", "m.h5"):
        keras_export.write(tmp_path / name, saved)
        model = keras.models.load_model(tmp_path / name, compile=False)
        assert_near(np.asarray(model(images.transpose(0, 2, 3, 1), training=False).detach()), expected)
    listed = to_keras(saved.weights, layout(saved.network, (3, 15, 15)))
    for array, other in zip(model.get_weights(), listed, strict=True):
        converting.assert_same(np.asarray(array), other)
    converting.assert_same(from_keras(listed, layout(saved.network, (3, 15, 15))), saved.weights)
    keras_export.write(tmp_path / "m.weights.h5", saved)
    keras_models.randomized(model, 5)
    model.load_weights(tmp_path / "m.weights.h5")
    assert_near(np.asarray(model(images.transpose(0, 2, 3, 1), training=False).detach()), expected)


@HEAVY
@pytest.mark.parametrize("name", ["alexnet_keras_bn", "alexnet_keras_bn10", "alexnet_merged"])
def test_presets_to_keras_and_back(h5py, keras, tmp_path, name):
    """Bit for bit; Keras predicts the same, and has its list of weights in the order of convert/keras.py."""
    saved = converting.a_checkpoint(name)
    size, network = saved.input_size, saved.build_model().eval()
    formats.write(tmp_path / "m.h5", saved)
    model = keras.models.load_model(tmp_path / "m.h5", compile=False)
    images = converting.pictures(2, size)
    with no_grad():
        expected = network(Tensor(images)).numpy()
    assert_near(np.asarray(model(images.transpose(0, 2, 3, 1), training=False).detach()), expected)
    for array, other in zip(
        model.get_weights(), to_keras(saved.weights, converting.rows_of(name, network)), strict=True
    ):
        converting.assert_same(np.asarray(array), other)
    converting.assert_same(formats.read(tmp_path / "m.h5").network.state_dict(), saved.weights)
    if name != "alexnet_keras_bn10":  # the smallest
        return
    model.save(tmp_path / "m.keras")
    converting.assert_same(formats.read(tmp_path / "m.keras").network.state_dict(), saved.weights)
    model.save_weights(tmp_path / "m.weights.h5")
    arguments = {key: value for key, value in saved.arguments.items() if key not in ("num_classes", "input_size")}
    described = convert.describe(formats.read(tmp_path / "m.weights.h5"), name, input_size=size, arguments=arguments)
    converting.assert_same(described.weights, saved.weights)
