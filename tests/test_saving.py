"""minialex.save and load: what comes back, what is refused, and files that are broken or hostile."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import usable

import minialex
from minialex import Tensor, nn, optim


def round_trip(obj, **options):
    file = io.BytesIO()
    minialex.save(obj, file)
    file.seek(0)
    return minialex.load(file, **options)


def same(a, b):
    """Equal in type and value, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, Tensor):
        return a.requires_grad is b.requires_grad and a.backend is b.backend and same(a.numpy(), b.numpy())
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


OBJECTS = {
    "None": None,
    "truth value": True,
    "whole number": -(10**30),
    "number": 0.1,
    "NaN": math.nan,
    "infinity": [math.inf, -math.inf],
    "text": 'ä"\n\0{"array": 0}',
    "nothing": [{}, [], ()],
    "nested": {"a": [1, (2.5, None, {"b": [True]})], 3: {"c": ()}, (1, "x"): "tuple key", None: 0, True: False},
    "a dict like a description": {"array": 0, "tensor": {"list": [1]}, "$array": "x", "format": "minialex.save"},
    "arrays": [np.arange(6.0).reshape(2, 3), np.array([1, 2], np.uint8), np.zeros((0, 3)), np.array(5), np.array("ä")],
    "not in C order": [np.arange(6.0).reshape(2, 3).T, np.arange(8)[::-3]],
    "NumPy's numbers": [np.float32(1.5), np.int64(-3), np.bool_(True), np.float64(math.nan)],
    "tensors": {"x": Tensor(np.arange(3.0)), "g": Tensor([[1.0, 2.0]], requires_grad=True), "i": Tensor([1, 2])},
    "parameter": nn.Parameter(np.ones((2, 1), np.float32)),
    "frozen parameter": nn.Parameter(np.ones(2, np.float32), requires_grad=False),
}


@pytest.mark.parametrize("obj", OBJECTS.values(), ids=OBJECTS.keys())
def test_what_is_saved_comes_back(obj, tmp_path):
    assert same(round_trip(obj), obj)
    path = tmp_path / "object.pt"
    minialex.save(obj, path)
    assert same(minialex.load(str(path)), obj) and [p.name for p in tmp_path.iterdir()] == ["object.pt"]


def test_what_stands_in_several_places_is_written_once():
    x, array, row = Tensor(np.arange(1000.0)), np.arange(1000.0), [1]
    view = Tensor(x.data)
    file = io.BytesIO()
    minialex.save([x, {"again": x}, view, array, array, row, row], file)
    assert len(file.getvalue()) < 2.5 * 8000
    file.seek(0)
    a, b, c, d, e, f, g = minialex.load(file)
    assert a is b["again"] and c is not a and np.shares_memory(a.data, c.data) and d is e and f == g
    a.zero_()
    assert c.tolist() == [0.0] * 1000 and d[5] == 5.0


def test_a_computed_tensor_is_saved_as_a_leaf():
    x = Tensor([1.0, 2.0], requires_grad=True)
    x.grad = np.ones(2, np.float32)
    y, z = round_trip([x * 2, x])
    assert y.is_leaf and y.requires_grad and y.tolist() == [2.0, 4.0] and z.grad is None
    assert round_trip(OrderedDict(b=1, a=2)) == {"b": 1, "a": 2} and type(round_trip(OrderedDict())) is dict


def trained(steps, state=None):
    """A network that is trained, from a state or from the start."""
    minialex.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 1))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    if state is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
    x = Tensor(np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32))
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        optimizer.step()
        schedule.step()
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "epoch": steps,
    }


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_training_goes_on_from_a_file(tmp_path, monkeypatch, kind):
    if kind == "Adam":
        monkeypatch.setattr(optim, "SGD", lambda parameters, lr, momentum: optim.Adam(parameters, lr=lr))
    minialex.save(trained(3), tmp_path / "state.npz")
    loaded = minialex.load(tmp_path / "state.npz")
    assert loaded["epoch"] == 3 and list(loaded["model"]) == list(trained(0)["model"])
    resumed, whole = trained(4, loaded), trained(7)
    for name, array in whole["model"].items():
        assert np.array_equal(resumed["model"][name], array), name
    assert same(round_trip(whole["optimizer"]), whole["optimizer"])


@pytest.mark.parametrize("backend", usable.EVERY)
def test_tensors_come_back_to_their_backend(backend):
    backend = usable.or_skip(backend)
    x = Tensor(np.arange(3.0, dtype=np.float32), requires_grad=True, backend=backend)
    y, array = round_trip([x, x.data])
    assert y.backend is backend and same(x, y) and isinstance(array, np.ndarray) and array.tolist() == [0.0, 1.0, 2.0]
    assert round_trip(x, map_location="numpy").backend.name == "numpy"
    assert round_trip(x, map_location="cpu").backend.name == "numpy"
    assert round_trip(Tensor([1.0]), map_location=backend).backend is backend


def test_map_location_is_the_default_of_the_cpu():
    minialex.use_backend("numba")
    assert round_trip(Tensor([1.0], backend="numpy"), map_location="cpu").backend.name == "numba"
    with pytest.raises(ValueError, match="nowhere"):
        round_trip(Tensor([1.0]), map_location="nowhere")


# ------------------------------------------------------------------------------------------ what is not saved


def recursive():
    loop = []
    loop.append(loop)
    return loop


def deep():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    return nested


REFUSED = {
    "a module": (
        lambda: {"net": [nn.Linear(2, 2)]},
        TypeError,
        r"the object\['net'\]\[0\] is a Linear: save its state_dict",
    ),
    "an optimiser": (
        lambda: optim.SGD([nn.Parameter(np.ones(1))], 0.1),
        TypeError,
        "the object is a SGD: save its state",
    ),
    "a function": (lambda: (1, print), TypeError, r"the object\[1\] is a builtin_function_or_method: it takes dicts"),
    "a set": (lambda: {1, 2}, TypeError, "is a set"),
    "bytes": (lambda: b"x", TypeError, "is a bytes"),
    "a complex number": (lambda: 1j, TypeError, "is a complex"),
    "objects": (lambda: [np.array([None])], TypeError, r"the object\[0\] is an array of Python objects"),
    "a key": (lambda: {"a": {frozenset(): 1}}, TypeError, r"a key of the object\['a'\] is a frozenset"),
    "a named tuple": (lambda: Tensor([1.0, 2.0]).max(0), TypeError, "is a ValuesAndIndices"),
    "a loop": (recursive, ValueError, "contains itself"),
    "too deep": (deep, ValueError, "nested too deeply"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_saved(case, tmp_path):
    make, error, text = case
    path = tmp_path / "kept.pt"
    minialex.save("before", path)
    with pytest.raises(error, match=text):
        minialex.save(make(), path)
    assert minialex.load(path) == "before" and len(list(tmp_path.iterdir())) == 1


# ------------------------------------------------------------------------------------------ files that are no such file


def written(description, compress=False, **arrays):
    file = io.BytesIO()
    text = description if isinstance(description, bytes) else json.dumps(description).encode()
    (np.savez_compressed if compress else np.savez)(file, minialex=np.frombuffer(text, np.uint8), **arrays)
    return file.getvalue()


def described(obj, tensors=(), version=1, **arrays):
    text = {"format": "minialex.save", "version": version, "tensors": list(tensors), "object": obj}
    return written(text, **arrays)


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def with_header(shape, dtype="<f8", content=b""):
    """A file whose array says that it is larger than it is."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    text = json.dumps({"format": "minialex.save", "version": 1, "tensors": [], "object": {"array": 0}}).encode()
    member = io.BytesIO()
    np.save(member, np.frombuffer(text, np.uint8))
    return zipped(**{"minialex.npy": member.getvalue(), "0.npy": header.getvalue() + content})


def changed(position, value):
    data = bytearray(described({"array": 0}, **{"0": np.arange(100.0)}))
    data[position] = value
    return bytes(data)


class Runs:
    def __reduce__(self):
        return (print, ("executed",))


def pickled_inside():
    member = io.BytesIO()
    np.lib.format.write_array(member, np.array([Runs()], dtype=object))
    text = json.dumps({"format": "minialex.save", "version": 1, "tensors": [], "object": {"array": 0}}).encode()
    description = io.BytesIO()
    np.save(description, np.frombuffer(text, np.uint8))
    return zipped(**{"minialex.npy": description.getvalue(), "0.npy": member.getvalue()})


def overlapping():
    """Many names for the bytes of one array."""
    return described({"list": [{"array": 0}] * 3 + [{"array": 1}]}, **{"0": np.zeros(3)})


def of_a_later_zip():
    data = bytearray(described(1))
    data[data.index(b"PK\1\2") + 6] = 99  # the version of zip that it needs
    return bytes(data)


TENSOR = {"array": 0, "backend": "numpy", "kind": "Tensor", "requires_grad": True}
GOOD = described({"list": [{"array": 0}, {"tensor": 0}]}, [TENSOR], **{"0": np.zeros(3)})
X = {"0": np.zeros(2)}
BROKEN = {
    "nothing": (b"", "is not a file of minialex.save"),
    "text": (b"hello world", "is not a file of minialex.save"),
    "a pickle": (pickle.dumps(Runs(), 4), "is a pickle, which can execute anything"),
    "torch's": (zipped(**{"archive/data.pkl": b"\x80\x02."}), "was written by torch.save, with pickles"),
    "arrays": (zipped(**{"x.npy": b""}), "is not a file of minialex.save: numpy.load"),
    "a checkpoint": (zipped(**{"checkpoint.npy": b""}), "is the checkpoint of a training run"),
    "cut short": (GOOD[:-30], "is cut short or damaged"),
    "cut in the middle": (GOOD[: len(GOOD) // 2], "is cut short or damaged"),
    "a bit of the array": (changed(700, 255), "the array 0 cannot be read"),
    "not JSON": (written(b"{"), "its description is not JSON"),
    "not text": (written(b"\xff\xfe\xff"), "its description is not"),
    "another format": (written({"format": "x"}), "another format"),
    "a list": (written([1]), "another format"),
    "no version": (described(1, version="1"), "no version"),
    "newer": (described(1, version=2), "has format 2, this version reads up to 1: update minialex"),
    "incomplete": (written({"format": "minialex.save", "version": 1}), "incomplete"),
    "an unknown kind": (described({"module": "os"}), "unknown 'module'"),
    "two kinds": (described({"list": [], "dict": []}), "something unknown"),
    "a bare list": (described([1]), "something unknown"),
    "an array by name": (described({"array": "0"}, **X), "unknown 'array'"),
    "a number that is none": (described({"array": True}, **X), "unknown 'array'"),
    "a missing array": (described({"array": 1}, **X), "the array 1 is missing"),
    "a negative array": (described({"array": -1}, **X), "the array -1 is missing"),
    "a missing tensor": (described({"tensor": 0}, **X), "tensor 0 of its description is incomplete"),
    "a negative tensor": (described({"tensor": -1}, [TENSOR], **X), "tensor -1 of its description is incomplete"),
    "half a tensor": (described({"tensor": 0}, [{"array": 0}], **X), "incomplete"),
    "another class": (described({"tensor": 0}, [TENSOR | {"kind": "Module"}], **X), "incomplete"),
    "no truth value": (described({"tensor": 0}, [TENSOR | {"requires_grad": 1}], **X), "is not one"),
    "another backend": (described({"tensor": 0}, [TENSOR | {"backend": "os"}], **X), "which is no backend"),
    "a list as a backend": (described({"tensor": 0}, [TENSOR | {"backend": []}], **X), "which is no backend"),
    "a gradient of integers": (described({"tensor": 0}, [TENSOR], **{"0": np.zeros(2, int)}), "is damaged"),
    "words": (described({"tensor": 0}, [TENSOR | {"requires_grad": False}], **{"0": np.array(["a"])}), "is damaged"),
    "half a pair": (described({"dict": [[1]]}), "does not consist of pairs"),
    "a key that is a list": (described({"dict": [[{"list": []}, 1]]}), "can be none"),
    "nested": (written(b'{"format": "minialex.save", "version": 1, "tensors": [], "object": ' + b'{"list": [' * 9999
               + b"]}" * 9999 + b"}"), "nested too deeply"),
    "larger than it is": (with_header((10**12,)), "the array 0 does not fit"),
    "much larger than it is": (with_header((10**30, 10**30)), "the array 0"),
    "negative": (with_header((-3,)), "the array 0 cannot be read"),
    "a little larger": (with_header((3,), content=bytes(16)), "the array 0"),
    "objects": (pickled_inside(), "the array 0 does not fit"),
    "compressed": (written({"format": "minialex.save"}, compress=True), "is compressed"),
    "a member too few": (overlapping(), "the array 1 is missing"),
    "of a later zip": (of_a_later_zip(), "cut short or damaged"),
}  # fmt: skip


@pytest.mark.parametrize("content, text", BROKEN.values(), ids=BROKEN.keys())
def test_broken_files_are_refused_with_one_sentence(content, text, tmp_path, capsys):
    path = tmp_path / "broken.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=text) as error:
        minialex.load(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is not a file of minialex.save: it is a pipe or a device"):
        minialex.load(tmp_path / "pipe")


def test_every_byte_counts():
    """A file with one byte changed is refused with a ValueError, or what comes back is what was saved."""
    expected, refused = round_trip_bytes(GOOD), 0
    for position in range(0, len(GOOD), 7):
        data = bytearray(GOOD)
        data[position] ^= 0x15
        try:
            loaded = round_trip_bytes(bytes(data))
        except ValueError:
            refused += 1
        else:
            assert same(loaded, expected), position
    assert refused > len(GOOD) / 7 / 3


def round_trip_bytes(data):
    return minialex.load(io.BytesIO(data))


def test_no_more_memory_than_the_file_has():
    """A thousand names for the same bytes are not a thousand arrays."""
    member = io.BytesIO()
    np.save(member, np.zeros(50_000))
    text = {
        "format": "minialex.save",
        "version": 1,
        "tensors": [],
        "object": {"list": [{"array": i} for i in range(9)]},
    }
    description = io.BytesIO()
    np.save(description, np.frombuffer(json.dumps(text).encode(), np.uint8))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("minialex.npy", description.getvalue())
        archive.writestr("0.npy", member.getvalue())
        first = archive.getinfo("0.npy")
        for i in range(1, 9):
            twin = zipfile.ZipInfo(f"{i}.npy")
            for field in ("CRC", "file_size", "compress_size", "header_offset"):
                setattr(twin, field, getattr(first, field))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
    with pytest.raises(ValueError, match="is damaged: the array"):
        round_trip_bytes(file.getvalue())


def test_other_arguments_and_places(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        minialex.load(tmp_path / "none.pt")
    minialex.save([1], tmp_path / "a.pt")
    with pytest.raises(ValueError, match="never executes"):
        minialex.load(tmp_path / "a.pt", weights_only=False)
    assert minialex.load(tmp_path / "a.pt", "cpu", weights_only=True) == [1]
    with open(tmp_path / "a.pt", "rb") as file:
        assert minialex.load(file) == [1]
    with pytest.raises(OSError, match="cannot write"):
        minialex.save([1], tmp_path / "missing" / "a.pt")


def test_a_backend_that_is_not_here(monkeypatch):
    data = described({"tensor": 0}, [TENSOR | {"backend": "cupy"}], **X)
    real = minialex.get_backend

    def without(name=None):
        if name == "cupy":
            raise ValueError("the cupy backend cannot be used here")
        return real(name)

    monkeypatch.setattr(minialex.backends, "get_backend", without)
    with pytest.raises(ValueError, match=r'cannot be used here, or load\(..., map_location="cpu"\)'):
        round_trip_bytes(data)
    assert minialex.load(io.BytesIO(data), map_location="numpy").tolist() == [0.0, 0.0]
