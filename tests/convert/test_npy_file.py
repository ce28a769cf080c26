"""bvlc_alexnet.npy and its like: a dict of layers in a pickled array, with TensorFlow's order of axes."""

from __future__ import annotations

import io
import pickle
import pickletools

import converting
import numpy as np
import pytest

from minialex import Tensor, nn, no_grad
from minialex.convert import formats, npy_file

# ------------------------------------------------------------------------------------------------------- making files


class OfPython2:
    """An array as Python 2 pickles it: its bytes are a text."""

    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        function, _, (version, shape, dtype, fortran, content) = self.array.__reduce__()
        if self.array.dtype == object:
            content = [as_python_2(one) for one in content]
        else:
            content = content.decode("latin-1")
        return function, (np.ndarray, (0,), "b"), (version, shape, dtype, fortran, content)


def as_python_2(value):
    if isinstance(value, dict):
        return {name: as_python_2(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(as_python_2, value))
    return OfPython2(value) if isinstance(value, np.ndarray) else value


def python_2_s_pickle(obj):
    """Protocol 2, with str for every text, and the modules' names of then."""
    content, out = pickle.dumps(as_python_2(obj), 2), io.BytesIO()
    operations = [*pickletools.genops(content)]
    ends = [position for _, _, position in operations[1:]] + [len(content)]
    for (opcode, value, position), end in zip(operations, ends):
        if opcode.name == "BINUNICODE":
            raw = value.encode("latin-1")
            out.write((b"U" + bytes([len(raw)]) if len(raw) < 256 else b"T" + len(raw).to_bytes(4, "little")) + raw)
        elif opcode.name == "GLOBAL":
            out.write(b"c" + value.replace(" ", "\n").replace("numpy._core", "numpy.core").encode() + b"\n")
        else:
            out.write(content[position:end])
    return out.getvalue()


def save_by_python_2(path, obj):
    array = np.empty((), object)
    array[()] = obj
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O8", "fortran_order": False, "shape": ()})
        file.write(python_2_s_pickle(array))


def save(path, obj):
    np.save(path, np.array(obj, object), allow_pickle=True)


WRITERS = pytest.mark.parametrize("write", [save, save_by_python_2])
LISTS = {
    "lists": lambda w, b: [w, b],
    "tuples": lambda w, b: (w, b),
    "dicts": lambda w, b: {"weights": w, "biases": b},
    "flat biases": lambda w, b: [w, b.reshape(1, 1, 1, -1)],
}


def a_network():
    """conv10 comes after conv2, so the order of the names is not that of the alphabet; fc6 has maps of 6 x 3 x 3."""
    layers = {
        "conv2": nn.Conv2d(3, 4, (3, 2)),
        "relu2": nn.ReLU(),
        "conv10": nn.Conv2d(4, 6, 2, groups=2, stride=2),
        "flat": nn.Flatten(),
        "fc11": nn.Linear(6 * 3 * 3, 9),
        "fc12": nn.Linear(9, 5),
    }
    return converting.filled(nn.Sequential(layers))


def in_tensorflow(state, maps):
    """{layer: (weights, biases)} of a state dict, by loops."""
    channels, height, width = maps
    layers = {}
    for name in {key.partition(".")[0]: None for key in state}:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        if weight.ndim == 4:
            moved = np.empty((*weight.shape[2:], weight.shape[1], weight.shape[0]), np.float32)
            for o, i, h, w in np.ndindex(weight.shape):
                moved[h, w, i, o] = weight[o, i, h, w]
        else:
            moved = np.empty(weight.shape[::-1], np.float32)
            for i in range(weight.shape[1]):
                row = i
                if i < channels * height * width == weight.shape[1]:
                    c, h, w = np.unravel_index(i, maps)
                    row = (h * width + w) * channels + c
                moved[row] = weight[:, i]
        layers[name] = moved, bias
    return layers


def forward(layers, x):
    """The network in TensorFlow's order: x (N, H, W, C), maps flattened as they lie, groups split along channels."""

    def convolution(x, kernel, stride):
        height, width = kernel.shape[:2]
        rows, columns = range(0, x.shape[1] - height + 1, stride), range(0, x.shape[2] - width + 1, stride)
        return np.array(
            [[[np.tensordot(im[i : i + height, j : j + width], kernel, 3) for j in columns] for i in rows] for im in x]
        )

    x = np.maximum(convolution(x, layers["conv2"][0], 1) + layers["conv2"][1], 0)
    kernels = np.split(layers["conv10"][0], 2, 3)
    x = (
        np.concatenate([convolution(part, k, 2) for part, k in zip(np.split(x, 2, 3), kernels)], 3)
        + layers["conv10"][1]
    )
    x = x.reshape(len(x), -1) @ layers["fc11"][0] + layers["fc11"][1]
    return x @ layers["fc12"][0] + layers["fc12"][1]


# ------------------------------------------------------------------------------------------------------------- reading


@WRITERS
@pytest.mark.parametrize("kind", LISTS)
def test_a_network_computes_the_same(tmp_path, rng, write, kind):
    model = a_network()
    layers = in_tensorflow(model.state_dict(), (6, 3, 3))
    shuffled = dict(reversed([(name, LISTS[kind](*arrays)) for name, arrays in layers.items()]))
    write(tmp_path / "a.npy", shuffled)
    found = formats.read(tmp_path / "a.npy")
    converting.assert_same({name: found[name] for name in model.state_dict()}, model.state_dict())
    assert [*found] == [*model.state_dict()]
    x = rng.standard_normal((2, 3, 8, 7)).astype(np.float32)
    model.load_state_dict(found)
    with no_grad():
        ours = model(Tensor(x)).numpy()
    theirs = forward(layers, x.transpose(0, 2, 3, 1).astype(np.float64))
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max())


@WRITERS
def test_python_reads_the_same(tmp_path, write):
    """The file that is made here is one that np.load reads with allow_pickle."""
    layers = in_tensorflow(a_network().state_dict(), (6, 3, 3))
    write(tmp_path / "a.npy", {name: [*arrays] for name, arrays in layers.items()})
    theirs = np.load(tmp_path / "a.npy", allow_pickle=True, encoding="latin1").item()
    assert theirs.keys() == layers.keys()
    for name, arrays in theirs.items():
        for one, other in zip(arrays, layers[name], strict=True):
            np.testing.assert_array_equal(one, other)


def test_batch_normalisation_and_other_types(tmp_path):
    layers = {
        "conv1": {"weights": np.ones((1, 1, 3, 2), ">f4")},
        "bn1": {name: np.full(2, i, np.float64) for i, name in enumerate(("mean", "variance", "scale", "offset"))},
    }
    save(tmp_path / "a.npy", layers)
    found = formats.read(tmp_path / "a.npy")
    assert {name: array.ravel()[0] for name, array in found.items()} == {
        "bn1.running_mean": 0,
        "bn1.running_var": 1,
        "bn1.weight": 2,
        "bn1.bias": 3,
        "conv1.weight": 1,
    }
    assert found["conv1.weight"].shape == (2, 3, 1, 1) and found["conv1.weight"].dtype == np.dtype("f4")


def nested(value):
    array = np.empty((), object)
    array[()] = value
    return array


W, B = np.ones((2, 3), np.float32), np.ones(3, np.float32)
WRONG = {
    "one array": (
        np.ones((2, 3), np.float32),
        r"it holds an array \(2, 3\) of float32, and not a dict of layers: np.savez",
    ),
    "a list": (nested([W, B]), "Python objects that are not a dict of layers"),
    "a text": (nested("weights"), "Python objects that are not a dict of layers"),
    "two dicts": (np.array([{"a": 1}, {"b": 2}], object), "Python objects that are not a dict of layers"),
    "an empty dict": (nested({}), "its dict is empty"),
    "a number": (nested({"fc6": [W, B], "step": 3}), "step is not a list of weights and biases, nor a dict of weights"),
    "three arrays": (nested({"fc6": [W, B, B]}), "fc6 is not a list of weights and biases"),
    "unknown parts": (nested({"fc6": {"weights": W, "gain": B}}), "fc6 is not a list of weights and biases"),
    "two of one": (nested({"fc6": {"weights": W, "scale": B}}), "fc6 has two arrays of one kind"),
    "nothing": (nested({"fc6": {}}), "fc6 is not a list of weights and biases"),
    "texts": (nested({"fc6": ["x", B]}), "the weights of fc6 are not an array of numbers"),
    "complex": (nested({"fc6": [W + 1j, B]}), "the weights of fc6 are not an array of numbers"),
    "three axes": (nested({"fc6": [W[None], B]}), r"the weights of fc6 have the shape \(1, 2, 3\)"),
    "wide biases": (nested({"fc6": [W, W]}), r"the biases of fc6 have the shape \(2, 3\)"),
    "no square maps": (
        nested({"conv1": [np.ones((1, 1, 3, 2)), B], "fc6": [np.ones((2 * 5, 3)), B]}),
        "fc6 has 10 inputs, which are no square maps of 2 channels",
    ),
    "no channels": (
        nested({"conv1": [np.ones((1, 1, 3, 0)), B], "fc6": [W, B]}),
        "fc6 has 2 inputs, which are no square maps of 0 channels",
    ),
    "a long name": (nested({"x\n" * 500: 3}), r"x\\nx\\n.* is not a list of weights"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_other_files_are_refused_in_a_sentence(tmp_path, kind):
    array, reason = WRONG[kind]
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=rf"a\.npy is cut short or damaged, or does not .*{reason}") as refused:
        formats.read(tmp_path / "a.npy")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 500


def test_damaged_files(tmp_path):
    save(tmp_path / "whole.npy", {"fc6": [W, B]})
    whole = (tmp_path / "whole.npy").read_bytes()
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        (tmp_path / "cut.npy").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.npy is cut short or damaged"):
            formats.read(tmp_path / "cut.npy")
    for version in (b"\3\0", b"\x09\x09"):
        (tmp_path / "odd.npy").write_bytes(whole[:6] + version + whole[8:])
        with pytest.raises(ValueError, match=r"odd\.npy is cut short or damaged.*its header is not that of an array"):
            formats.read(tmp_path / "odd.npy")


def test_npz_files_of_objects(tmp_path):
    """np.savez with a dict of layers, or with the layers by their names."""
    state = a_network().state_dict()
    layers = in_tensorflow(state, (6, 3, 3))
    lists = {}
    for name, arrays in layers.items():
        lists[name] = np.empty(2, object)
        lists[name][:] = arrays
    dicts = {name: np.array(dict(zip(("weights", "biases"), arrays)), object) for name, arrays in layers.items()}
    np.savez(tmp_path / "a.npz", np.array(layers, object))
    np.savez_compressed(tmp_path / "b.npz", **lists)
    np.savez(tmp_path / "c.npz", **dicts)
    for name in ("a.npz", "b.npz", "c.npz"):
        converting.assert_same(formats.read(tmp_path / name), {key: state[key] for key in state})
    np.savez(tmp_path / "d.npz", fc6=lists["fc11"], epoch=np.array(3))
    with pytest.raises(
        ValueError, match=r"d\.npz is cut short .*\(it holds an array \(\) of int64, and not a dict of layers"
    ):
        formats.read(tmp_path / "d.npz")
    zeros = np.array({"fc6": [np.zeros((2**10, 2**14), np.float32), np.zeros(2**14, np.float32)]}, object)
    np.savez_compressed(tmp_path / "e.npz", zeros)
    with pytest.raises(
        ValueError, match=r"arr_0.npy would take [\d,]+ bytes of memory, far more than the file is long"
    ):
        formats.read(tmp_path / "e.npz")


@pytest.mark.heavy
def test_the_published_file(tmp_path):
    """As large as it is, by Python 2, its layers in another order: it is known for Caffe's network."""
    model = converting.build("alexnet_caffe", num_classes=1000, input_size=227)
    state, layers = model.state_dict(), {}
    for name in ("fc8", "fc6", "conv5", "conv1", "fc7", "conv3", "conv2", "conv4"):
        weight = state[f"{name}.weight"]
        if name == "fc6":
            weight = weight.reshape(4096, 256, 6, 6)  # caffe-tensorflow's own way: by the maps, as a convolution
        moved = np.ascontiguousarray(weight.transpose((2, 3, 1, 0) if weight.ndim == 4 else (1, 0)))
        layers[name] = [moved.reshape(-1, 4096) if name == "fc6" else moved, state[f"{name}.bias"]]
    save_by_python_2(tmp_path / "bvlc_alexnet.npy", layers)
    found = formats.read(tmp_path / "bvlc_alexnet.npy")
    assert sum(array.size for array in found.weights.values()) == 60_965_224 and len(found.classes) == 1000
    assert (found.model, found.channel_order, found.input_size, found.resize) == ("alexnet_caffe", "BGR", 227, 256)
    converting.assert_same(found.weights, state)
    converting.assert_same(found.normalization, npy_file.caffe_normalization().to_arrays())
    assert found.normalization["mean"].ravel().tolist() == [124, 117, 104], "red, green, blue"
