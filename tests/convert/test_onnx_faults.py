"""ONNX files that are damaged, or hold what is not read: one sentence each, which names the place."""

from __future__ import annotations

import os

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
import converting
import onnx
from onnx import helper
from onnx_graphs import Graph, saved

from minialex import Tensor
from minialex.convert import formats, onnx_messages


def refused(path, model):
    """The sentence in which a ModelProto, or bytes, are refused, without the path that it begins with."""
    if isinstance(model, bytes):
        path.write_bytes(model)
    else:
        saved(path, model)
    with pytest.raises(ValueError) as caught:
        formats.read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text and len(text) < 500
    return text.removeprefix(f"{path}: ")


def made(build, opset=13, shape=(4, 9, 8), **options):
    g = Graph(opset, shape, **options)
    return g.model(build(g))


def ints(*numbers):
    return np.array(numbers, np.int64)


def changed(change, opset=13):
    """The file of a convolution and a relu, after a change to its ModelProto."""
    model = made(lambda g: g("Relu", g("Conv", "x", g.random(3, 4, 2, 2), g.random(3), name="conv1")), opset)
    change(model)
    return model


def conv(g, **attributes):
    return g("Conv", "x", g.random(3, 4, 2, 2), name="conv1", **attributes)


FAULTS = {  # what the sentence says: how the file is made
    "it is cut short or damaged, or not an ONNX file": lambda: made(conv).SerializeToString()[:-40],
    "it holds no nodes": lambda: b"",
    "it does not give the version of its operators": lambda: changed(lambda m: m.ClearField("opset_import")),
    "it has opset 6; 7 to 28 are read": lambda: changed(lambda m: setattr(m.opset_import[0], "version", 6)),
    "it has opset 99; 7 to 28 are read": lambda: changed(lambda m: setattr(m.opset_import[0], "version", 99)),
    "it has sparse initializers": lambda: changed(lambda m: m.graph.sparse_initializer.add()),
    "it defines functions, such as twice": lambda: changed(lambda m: m.functions.add(name="twice")),
    "it has 2 inputs (x, y)": lambda: changed(lambda m: m.graph.input.add(name="y")),
    "and 2 outputs (t2, t1)": lambda: changed(lambda m: m.graph.output.add(name="t1")),
    "its input x is int64, expected floating-point": lambda: made(lambda g: g("Relu", "x"), dtype=np.int64),
    "its input has the shape (N, 4), expected images": lambda: made(lambda g: g("Relu", "x"), shape=(4,)),
    "its output has the shape (9, N, 4, 8)": lambda: made(lambda g: g("Transpose", "x", perm=[2, 0, 1, 3])),
    "its output t1_1 is constant, or": lambda: made(lambda g: g("Dropout", "x", outputs=2)[1]),
    "size=5000 of an input": lambda: made(lambda g: g("LRN", "x", size=5000)),
    "has more than 268,435,456 numbers": lambda: made(lambda g: g("Pad", "x", ints(*[0] * 6, 2**20, 2**19))),
    "it needs 2 inputs": lambda: made(lambda g: g("Reshape", "x", g("Gather", g("Shape", "x")))),
    "its output t1 is constant": lambda: made(lambda g: g("Shape", "x")),
    "takes t9, which no node above gives": lambda: changed(lambda m: m.graph.node[1].input.__setitem__(0, "t9")),
    "node n2 (Relu): it takes t2, which no node": lambda: changed(lambda m: m.graph.node[1].input.__setitem__(0, "t2")),
    "node n2 (Relu): its domain is com.microsoft": lambda: changed(
        lambda m: setattr(m.graph.node[1], "domain", "com.microsoft")
    ),
    "node loop (Loop): this operator is not known": lambda: made(lambda g: g("Loop", "x", name="loop")),
    "node n1 (Range): this operator is not known": lambda: made(lambda g: g("Range", "x")),
    "this operator is only known of shapes": lambda: made(lambda g: g("ConstantOfShape", "x")),
    "node n2 (Relu): its output is missing, or has the name of another": lambda: changed(
        lambda m: m.graph.node[1].output.__setitem__(0, "x") or m.graph.output[0].__setattr__("name", "x")
    ),
    "node n2 (Relu): its output is missing, or has": lambda: changed(
        lambda m: m.graph.node[1].output.__setitem__(0, "w0") or m.graph.output[0].__setattr__("name", "w0")
    ),
    "node n1 (Relu): the attribute speed is not known": lambda: made(lambda g: g("Relu", "x", speed=1)),
    "node n1 (Relu): it has 2 inputs, more than": lambda: made(lambda g: g("Relu", "x", g.random(1))),
    "node n1 (Relu): its input 1 is missing": lambda: made(lambda g: g("Relu")),
    "conv1 (Conv): the attribute group is not an integer": lambda: made(lambda g: conv(g, group=1.0)),
    "conv1 (Conv): group=2 must divide": lambda: made(lambda g: conv(g, group=2)),
    "its input (N, 5, 9, 8) should have 4 channels": lambda: made(conv, shape=(5, 9, 8)),
    "strides has 3 numbers, expected 2": lambda: made(lambda g: conv(g, strides=[1, 1, 1])),
    "must be between 1 and": lambda: made(lambda g: conv(g, strides=[0, 1])),
    "pads [-1, 0, 0, 0] must be between 0": lambda: made(lambda g: conv(g, pads=[-1, 0, 0, 0])),
    "auto_pad=MOST, expected": lambda: made(lambda g: conv(g, auto_pad="MOST")),
    "kernel_shape does not fit": lambda: made(lambda g: conv(g, kernel_shape=[3, 2])),
    "a window of [2, 2] pixels does not fit into": lambda: made(conv, shape=(4, 1, 1)),
    "the weight must be constant": lambda: made(lambda g: g("Conv", "x", g("Relu", "x"))),
    "the weight is float64 where the input is float32": lambda: made(lambda g: g("Conv", "x", np.ones((1, 4, 1, 1)))),
    "convolutions of one and two spatial axes": lambda: made(lambda g: g("Conv", "x", g.random(3, 4, 1, 1, 1))),
    "its bias is (2,) for 3 filters": lambda: made(lambda g: g("Conv", "x", g.random(3, 4, 2, 2), g.random(2))),
    "should have 7 features": lambda: made(lambda g: g("MatMul", "x", g.random(7, 5))),
    "should be matrices": lambda: made(lambda g: g("Gemm", "x", g.random(8, 5))),
    "its second matrix must be constant": lambda: made(lambda g: g("Gemm", g("Flatten", "x"), g("Flatten", "x"))),
    "as in training; export after model.eval()": lambda: made(
        lambda g: g("BatchNormalization", "x", *[g.random(4)] * 4, training_mode=1), 15
    ),
    "spatial=0": lambda: made(lambda g: g("BatchNormalization", "x", *[g.random(4)] * 4, spatial=0), 7),
    "expected four vectors": lambda: made(lambda g: g("BatchNormalization", "x", *[g.random(4)] * 3, g.random(3))),
    "do not fit together": lambda: made(lambda g: g("Add", "x", g.random(7))),
    "count_include_pad=3, expected 0 or 1": lambda: made(
        lambda g: g("AveragePool", "x", kernel_shape=[2, 2], count_include_pad=3)
    ),
    "AvgPool2d's windows have no holes": lambda: made(
        lambda g: g("AveragePool", "x", kernel_shape=[2, 2], dilations=[2, 2]), 19
    ),
    "kernel_shape is missing": lambda: made(lambda g: g("MaxPool", "x")),
    "auto_pad=SAME_UPPER needs to know the size": lambda: made(
        lambda g: g("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"), shape=(4, None, None)
    ),
    "size=0 of an input": lambda: made(lambda g: g("LRN", "x", size=0)),
    "its ratio is 1.5, expected a probability": lambda: made(lambda g: g("Dropout", "x", ratio=1.5), 9),
    "its shape [2, 144] joins the images of a batch": lambda: made(lambda g: g("Reshape", "x", ints(2, 144))),
    "does not fit its input (N, 4, 9, 8)": lambda: made(lambda g: g("Reshape", "x", ints(0, 100))),
    "depends on the size of the images": lambda: made(lambda g: g("Reshape", "x", ints(0, 0, 0)), shape=(4, None, 8)),
    "copies axis 4 of its input": lambda: made(lambda g: g("Reshape", "x", ints(0, -1, 1, 1, 0))),
    "computes with the batch size": lambda: made(
        lambda g: g("Reshape", "x", g("Mul", g("Shape", "x"), ints(2, 1, 1, 1)))
    ),
    "its perm": None,
    "perm=[0, 1, 1, 2] does not name each axis once": lambda: made(lambda g: g("Transpose", "x", perm=[0, 1, 1, 2])),
    "axis 4 of 4 axes": lambda: made(lambda g: g("Concat", "x", "x", axis=4)),
    "do not agree in all axes but 1": lambda: made(
        lambda g: g("Concat", "x", g("GlobalMaxPool", "x"), axis=1)
    ),
    "its indices lead out of axis 1": lambda: made(lambda g: g("Gather", "x", ints(4), axis=1)),
    "cannot be split": lambda: made(lambda g: g("Split", "x", axis=0, outputs=2)[0]),
    "its parts [1, 2] are not axis 1": lambda: made(lambda g: g("Split", "x", ints(1, 2), axis=1, outputs=2)[0]),
    "takes output 2 of node n1 (Dropout), which is not": lambda: made(
        lambda g: g("Relu", g("Dropout", "x", outputs=2)[1])
    ),
    "its mode is mirror": lambda: made(lambda g: g("Pad", "x", ints(*[0] * 8), mode="mirror")),
    "pad the batch": lambda: made(lambda g: g("Pad", "x", ints(1, *[0] * 7))),
    "axis 1 of its input (N, 4, 9, 8) is not of length 1": lambda: made(lambda g: g("Squeeze", "x", ints(1))),
    "it converts to int64": lambda: made(lambda g: g("Cast", "x", to=7)),
    "by an AveragePool of kernel [3, 3] and pads [0, 0, 2, 2] is not read": lambda: made(
        lambda g: g(
            "Div", "x", g("Pow", g("Add", g("Mul", g("AveragePool", g("Mul", "x", "x"), kernel_shape=[3, 3],
            pads=[0, 0, 2, 2], count_include_pad=1), np.float32(1)), np.float32(1)), np.float32(0.5)),
        )
    ),
}  # fmt: skip
del FAULTS["its perm"]


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault(tmp_path, text):
    assert text in refused(tmp_path / "a.onnx", FAULTS[text]())


# ------------------------------------------------------------------------------------------------------------- tensors


def tensor(change):
    """A file with a change to the tensor of its weight."""
    return changed(lambda m: change(m.graph.initializer[0]))


TENSORS = {
    "needs 192 bytes, but 191 are stored": lambda t: setattr(t, "raw_data", t.raw_data[:-1]),
    "needs 48 numbers, but float_data has 2": lambda t: (t.ClearField("raw_data"), t.float_data.extend([1, 2])),
    "its data type has the number 17": lambda t: setattr(t, "data_type", 17),
    "its shape (3, -4, 2, 2) is impossible": lambda t: t.dims.__setitem__(1, -4),
    "is impossible; up to 8 axes": lambda t: t.dims.extend([1] * 5),
    "has no elements": lambda t: (t.dims.__setitem__(1, 0), setattr(t, "raw_data", b"")),
    "would take far more memory than the file is long": lambda t: t.dims.__setitem__(1, 2**30),
    "it is stored in segments": lambda t: setattr(t.segment, "begin", 3),
}


@pytest.mark.parametrize("text", TENSORS)
def test_a_damaged_tensor(tmp_path, text):
    found = refused(tmp_path / "a.onnx", tensor(TENSORS[text]))
    assert found.startswith("node conv1 (Conv): the tensor w0: ") and text in found


def external(t, **entries):
    """Move the numbers of a TensorProto out of it; returns them."""
    content = t.raw_data
    t.ClearField("raw_data")
    t.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries.items():
        t.external_data.add(key=key, value=value)
    return content


def test_numbers_in_a_file_beside_the_model(tmp_path):
    model = changed(lambda m: None)
    saved(tmp_path / "a.onnx", model)
    expected = formats.read(tmp_path / "a.onnx").network.state_dict()
    content = [
        external(t, location="more/w.bin", offset=str(n), length=str(len(t.raw_data)))
        for t, n in zip(model.graph.initializer, (5, 200))
    ]
    (tmp_path / "more").mkdir()
    (tmp_path / "more/w.bin").write_bytes(b"12345" + content[0].ljust(195) + content[1])
    saved(tmp_path / "a.onnx", model)
    here = os.getcwd()
    os.chdir(tmp_path)  # a relative path
    try:
        found = formats.read("a.onnx").network.state_dict()
    finally:
        os.chdir(here)
    converting.assert_same(dict(found), dict(expected))


OUTSIDE = {
    "w.bin": ("which is missing", {}),
    "../w.bin": ("in the model's own folder", {}),
    "a/../../w.bin": ("in the model's own folder", {}),
    "..\\w.bin": ("in the model's own folder", {}),
    "C:w.bin": ("in the model's own folder", {}),
    "/etc/hostname": ("in the model's own folder", {}),
    "": ("in the model's own folder", {}),
    "nul\0": ("in the model's own folder", {}),
    "link": ("a link that leads out", {}),
    "folder/w.bin": ("a link that leads out", {}),
    "pipe": ("which is missing", {}),
    "here": ("has 192 bytes, but its length is given as 95", {"length": "95"}),
    "there": ("it needs 192 bytes from byte 1", {"offset": "1"}),
    "where": ("offset of its external data is no whole number", {"offset": "-1"}),
}


@pytest.mark.parametrize("location", OUTSIDE)
def test_numbers_that_are_elsewhere(tmp_path, location):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(192))
    (folder / "link").symlink_to(tmp_path / "w.bin")
    (folder / "folder").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    for name in ("here", "there", "where"):
        (folder / name).write_bytes(bytes(192))
    text, entries = OUTSIDE[location]
    found = refused(folder / "a.onnx", tensor(lambda t: external(t, location=location, **entries)))
    assert "the tensor w0" in found and text in found


def test_one_file_is_not_read_again_and_again(tmp_path):
    """A thousand tensors at the same place would take a thousand times its memory."""
    (tmp_path / "w.bin").write_bytes(bytes(2**20))
    g = Graph(13, (1, 1, 1))
    y = "x"
    for number in range(200):
        t = g.array(np.zeros((1, 1, 1), np.float32), f"w{number}"), g.initializers[-1]
        t[1].ClearField("dims")
        t[1].dims.extend([2**18, 1, 1])
        external(t[1], location="w.bin", offset="0", length=str(2**20))
        y = g("Add", y, t[0])
    assert "far more memory than the file is long" in refused(tmp_path / "a.onnx", g.model(y))


def test_empty_messages_do_not_take_memory(tmp_path, monkeypatch):
    """Nodes of two bytes each take a hundred times as much memory as they are long."""
    monkeypatch.setattr(onnx_messages, "MOST", 1000)
    model = changed(lambda m: None)
    nodes = model.graph.SerializeToString() + b"\x0a\x00" * 1000
    model.ClearField("graph")
    content = model.SerializeToString() + b"\x3a" + varint(len(nodes)) + nodes
    assert "it has more than 1,000 nodes" in refused(tmp_path / "a.onnx", content)


def varint(number):
    return bytes([number & 127 | 128]) + varint(number >> 7) if number > 127 else bytes([number])


# ------------------------------------------------------------------------------------------------------------ the rest


def with_metadata(**texts):
    model = changed(lambda m: setattr(m, "producer_name", "minialex"))
    helper.set_model_props(model, texts)
    return model


METADATA = {
    "its metadata classes are not JSON": {"classes": "[" * 100_000},
    "its metadata classes are no list of names": {"classes": "[1]"},
    "have 2 names of classes for": {"classes": '["a", "b"]'},
    "channel_order is GBR": {"channel_order": "GBR"},
    "its metadata normalization is no mean and std": {"normalization": '{"mean": [[1, 2], 3]}'},
    "normalization is no mean and std of images (mean must be": {"normalization": '{"mean": [1]}'},
}


@pytest.mark.parametrize("text", METADATA)
def test_damaged_metadata(tmp_path, text):
    assert text in refused(tmp_path / "a.onnx", with_metadata(**METADATA[text]))


def test_metadata_of_others_are_theirs(tmp_path):
    model = with_metadata(classes="[1]", channel_order="GBR")
    model.producer_name = "theirs\n\x1b[2J"
    read = formats.read(saved(tmp_path / "a.onnx", model))
    assert read.classes is None and read.origin == "ONNX, opset 13, by theirs\\n\\x1b[2J"


def test_names_of_any_bytes(tmp_path):
    """Names that are no UTF-8, or would move the cursor, end up printable, distinct, and without dots at the ends."""
    model = made(lambda g: g("Relu", g("Relu", g("Relu", "x", name="a\n"), name="..a\\n."), name="YYYY"))
    content = model.SerializeToString().replace(b"YYYY", b"\xff\xfe\x1bY").replace(b"\x0a\x01x", b"\x0a\x01\xe9")
    content = content.replace(b"\x0a\x01\xe9", b"\x0a\x01x")
    (tmp_path / "a.onnx").write_bytes(content)
    network = formats.read(tmp_path / "a.onnx").network
    assert [*network] == ["a\\n", "a\\n_2", "\\xff\\xfe\\x1bY"]
    assert network(Tensor(np.ones((1, 4, 9, 8), np.float32))).shape == (1, 4, 9, 8)


def test_without_the_library(tmp_path, monkeypatch):
    saved(tmp_path / "a.onnx", changed(lambda m: None))
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ValueError, match=r"this format needs onnx: pip install 'minialex\[convert\]'"):
        formats.read(tmp_path / "a.onnx")
