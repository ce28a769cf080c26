"""Weights as other programs save them: every type of number, wrapped and nested names, no more memory than needed."""

from __future__ import annotations

import io
import itertools
import json
import re
import tracemalloc
import zipfile
from pathlib import Path

import converting
import numpy as np
import pytest

from minialex import cli, convert, nn
from minialex.convert import __main__ as command
from minialex.convert import safetensors_file
from minialex.convert.description import state_dict
from minialex.runs import checkpoint
from minialex.support import npz

HEAVY = pytest.mark.heavy


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A Checkpoint of shapes_net, in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    return converting.a_checkpoint()


def run(*arguments):
    return cli.run(command.main, list(arguments))


# ---------------------------------------------------------------------------------------------------- types of numbers


def halves(weights, dtype):
    """The weights rounded to a type, and as float32 again."""
    rounded = {name: array.astype(dtype) if array.dtype.kind == "f" else array for name, array in weights.items()}
    return rounded, {name: array.astype(np.float32) for name, array in rounded.items()}


@pytest.mark.parametrize(
    "dtype", ["float16", ">f4", *(pytest.param(kind, marks=HEAVY) for kind in (">f2", ">f8", "float64"))]
)
def test_npz_of_every_type(saved, dtype):
    rounded, expected = halves(saved.weights, dtype)
    np.savez("other.npz", **rounded)
    assert run("other.npz", "new.npz") == 0
    for name, array in checkpoint.load("new.npz").weights.items():
        assert array.dtype == np.float32 and np.array_equal(array, expected[name]), name


TYPES = ("float16", "bfloat16", "float64", "float8_e4m3fn", "float8_e5m2")
QUICK = [("safetensors", "bfloat16"), ("safetensors", "float8_e4m3fn"), ("pth", "float8_e5m2")]


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [
        pytest.param(*pair, marks=() if pair in QUICK else HEAVY)
        for pair in itertools.product(("safetensors", "pth"), TYPES)
    ],
)
def test_torch_s_types(saved, torch, suffix, dtype):
    tensors = {name: torch.from_numpy(array).to(getattr(torch, dtype)) for name, array in saved.weights.items()}
    if suffix == "pth":
        torch.save(tensors, "other.pth")
    else:
        pytest.importorskip("safetensors.torch").save_file(tensors, "other.safetensors", metadata={"format": "pt"})
    assert run(f"other.{suffix}", "new.npz") == 0
    for name, array in checkpoint.load("new.npz").weights.items():
        assert np.array_equal(array, tensors[name].float().numpy(), equal_nan=True), name


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "bfloat16"])
def test_every_code_of_a_small_type(tmp_path, name):
    """All 256 of float8, with NaN, the infinities and the denormal ones; all 65,536 of bfloat16."""
    kind = np.dtype(getattr(pytest.importorskip("ml_dtypes"), name))
    codes = np.arange(256**kind.itemsize, dtype=f"u{kind.itemsize}")
    stored = {"float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "bfloat16": "BF16"}[name]
    write(tmp_path / "a.safetensors", {"w": (stored, [len(codes)], codes.tobytes())})
    found = safetensors_file.read(tmp_path / "a.safetensors")[0]["w"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, codes.view(kind).astype(np.float32))


def test_every_type_of_the_library(tmp_path, rng):
    """The library writes, we read, and both read the same."""
    numpy = pytest.importorskip("safetensors.numpy")
    kinds = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
    arrays = {kind: rng.integers(0, 2, (3, 1, 5)).astype(kind) for kind in kinds}
    arrays |= {"scalar": np.array(1.5), "empty": np.zeros((0, 3), np.float32)}
    numpy.save_file(arrays, tmp_path / "a.safetensors", metadata={"x": "ü"})
    found, metadata = safetensors_file.read(tmp_path / "a.safetensors")
    assert metadata == {"x": "ü"} and found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array), name
        assert found[name].flags.writeable


def write(path, tensors, header=None):
    """A .safetensors file of {name: (dtype, shape, bytes)}, or with another header."""
    described, place = {}, 0
    for name, (dtype, shape, content) in tensors.items():
        offsets = [place, place := place + len(content)]
        described[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
    text = json.dumps(described).encode() if header is None else header
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(content for *_, content in tensors.values()))


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return json.dumps({"w": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"[" * 100_000, "its header is not JSON"),
        (b"\xff", "its header is not JSON"),
        (b"[1]", "its header is not an object"),
        (b'{"w": 3}', "'w' is described by 3"),
        (b'{"w": {"dtype": "F32"}}', "'w': the field shape is missing"),
        (b'{"__metadata__": {"a": 1}}', "its metadata are not texts"),
        (entry("F4"), "'w' has the type 'F4'; F16, F32,"),
        (entry(3), "'w': dtype should be a string"),
        (entry(shape=[2.0]), "'w': shape[0] should be an integer, got 2.0"),
        (entry(shape=[-2, -1]), "'w': shape should be at least 0"),
        (entry(shape=[10**12]), "'w' is not where its shape"),
        (entry(offsets=[0, 9]), "'w' is not where its shape"),
        (entry(offsets=[8, 16]), "'w' is not where its shape"),
        (entry(offsets=[0]), "'w' is not where its shape"),
        (entry(shape=[1], offsets=[0, 4]), "it has 4 bytes behind the last tensor"),
        (b'{"a": ' + entry()[6:-1] + b', "b": ' + entry()[6:], "'b' is not where"),  # the same bytes twice
    ],
)
def test_forged_safetensors(saved, capsys, tmp_path, header, message):
    write(tmp_path / "a.safetensors", {"w": ("F32", [2], bytes(8))}, header)
    assert run("a.safetensors", "new.npz") == 2
    err = capsys.readouterr().err
    assert "a.safetensors is damaged" in err and message in err and err.count("\n") == 1, err


def test_what_a_type_cannot_hold_is_refused():
    linear = nn.Linear(2, 1)
    before = linear.weight.numpy().copy()
    for value in (1e300, -3.5e38):
        with pytest.raises(ValueError, match=r"weight of this state holds .*e\+\d+, which float32 cannot hold"):
            linear.load_state_dict({"weight": np.array([[1, value]]), "bias": [0.0]})
    assert np.array_equal(linear.weight.numpy(), before)
    linear.load_state_dict({"weight": np.array([[np.inf, 3.4e38]]), "bias": np.array([np.nan])})
    assert linear.weight.numpy().tolist() == [[np.inf, np.float32(3.4e38)]] and np.isnan(linear.bias.numpy()).all()
    for wrong in (np.array([[1, "x"]]), np.array([[1j, 2]]), np.array([[None, 1]]), [[1], [1, 2]]):
        with pytest.raises(ValueError, match="weight of this state is not numbers"):
            linear.load_state_dict({"weight": wrong, "bias": [0.0]})


# ------------------------------------------------------------------------------------------------------------- names


PREFIXES = ["module.", "_orig_mod.", "model.", "module._orig_mod.", "net.", "student.backbone.", "module.model."]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_wrapped_names(saved, prefix):
    options = () if prefix in ("module.", "module.model.") else ("--model", "shapes_net")
    np.savez("other.npz", **{prefix + name: array for name, array in saved.weights.items()})
    assert run("other.npz", "new.npz", *options) == 0
    converting.assert_same(checkpoint.load("new.npz").weights, saved.weights)


@pytest.mark.parametrize("word", ["module", "_orig_mod", "_fsdp_wrapped_module"])
def test_a_part_of_a_network_was_wrapped(saved, word):
    """As torch's ImageNet example wraps AlexNet's features, and not its classifier."""
    inside = {name.replace("conv2.", f"conv2.{word}."): array for name, array in saved.weights.items()}
    assert inside.keys() != saved.weights.keys()
    np.savez("other.npz", **prefixed(inside, "model."))
    assert run("other.npz", "new.npz") == 0
    converting.assert_same(checkpoint.load("new.npz").weights, saved.weights)


def test_the_average_of_torch_s_averaged_model(saved):
    np.savez("other.npz", n_averaged=5, **{f"module.{name}": array for name, array in saved.weights.items()})
    assert run("other.npz", "new.npz") == 0
    converting.assert_same(convert.load_weights("other.npz"), saved.weights)


def test_own_names_are_not_taken_for_wrappers():
    """The library's wrappers only: a network of the user's own may well have all its layers in `features`."""
    for names in ({"features.0.weight": 1}, {"module.a": 1, "b": 2}, {}, {"module": 1}):
        assert state_dict(names) == names
    assert state_dict({"module._orig_mod.a": 1, "n_averaged": 2}) == {"a": 1} and state_dict({"n_averaged": 2})


@pytest.mark.parametrize("suffix", [".pth.tar", ".pt", ".ckpt", ".bin", ".PTH"])
def test_suffixes_of_torch(saved, torch, suffix):
    torch.save({name: torch.from_numpy(array) for name, array in saved.weights.items()}, f"other{suffix}")
    assert run(f"other{suffix}", "new.npz") == 0


NESTED = {
    "ImageNet example": lambda state: {
        "epoch": 3,
        "arch": "x",
        "state_dict": prefixed(state, "module."),
        "optimizer": {},
    },
    "Lightning": lambda state: {"state_dict": prefixed(state, "model."), "pytorch-lightning_version": "2", "loops": {}},
    "a tutorial's": lambda state: {
        "epoch": 3,
        "model_state_dict": state,
        "loss": 0.5,
        "optimizer_state_dict": OPTIMIZER,
    },
    "net": lambda state: {"net": state, "acc": 90.5},
    "an unusual name": lambda state: {"alexnet_weights": state, "epoch": 3, "optimizer": OPTIMIZER},
    "among numbers": lambda state: {**state, "epoch": 3, "arch": "alexnet", "best": None},
    "twice": lambda state: {"checkpoint": {"model": state, "ema": prefixed(state, "ema.")}},
}
OPTIMIZER = {"state": {0: {"step": 3}}, "param_groups": [{"lr": 0.1, "params": [0, 1]}]}


def prefixed(state, prefix):
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.mark.parametrize("kind", NESTED)
def test_nested_state_dicts(saved, torch, kind):
    torch.save(NESTED[kind]({name: torch.from_numpy(array) for name, array in saved.weights.items()}), "other.pth")
    assert run("other.pth", "new.npz") == 0
    converting.assert_same(checkpoint.load("new.npz").weights, saved.weights)


def test_two_state_dicts_are_not_chosen_from(saved, torch, capsys):
    torch.save({"generator": {"w": torch.ones(2)}, "discriminator": {"w": torch.ones(2)}}, "gan.pth")
    assert run("gan.pth", "new.npz") == 2
    assert "gan.pth holds several state dicts, generator, discriminator: save one" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------------- memory


def add_zeros(path, name, count):
    """Add, or replace, a member of so many zeros, which takes a thousandth of its size on disk."""
    with zipfile.ZipFile(path) as archive:
        others = {member: archive.read(member) for member in archive.namelist() if member != f"{name}.npy"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for member, content in others.items():
            archive.writestr(member, content)
        with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (count,)}
            np.lib.format.write_array_header_1_0(file, header)
            for _ in range(count // 2**18):
                file.write(bytes(2**20))


def test_a_member_that_nobody_names_is_not_read(saved, monkeypatch):
    checkpoint.save("a.npz", saved)
    add_zeros("a.npz", "extra", 2**22)
    read, original = [], npz.Archive._read
    monkeypatch.setattr(
        npz.Archive, "_read", lambda self, name, whole: (whole and read.append(name)) or original(self, name, whole)
    )
    converting.assert_same(checkpoint.load("a.npz"), saved)
    assert "extra" not in read and "checkpoint" in read and len(read) == len({*read})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("weights/conv1.weight", r"its weights do not fit shapes_net: misshapen: conv1.weight \(is \(20971520,\)"),
        ("checkpoint", "its description is 83,886,080 bytes long, and [0-9,]+ in the file"),
        pytest.param("normalization/mean", r"normalization should be a mean .* got \(20971520,\)", marks=HEAVY),
    ],
)
def test_an_array_far_larger_than_the_file_is_refused(saved, name, message):
    """Before it is read: 80 MiB of zeros in 80 KB."""
    checkpoint.save("a.npz", saved)
    add_zeros("a.npz", name, 20 * 2**20)
    with pytest.raises(ValueError, match=f"a.npz is .*{message}"):
        checkpoint.load("a.npz")


@HEAVY
def test_bare_arrays_far_larger_than_the_file_are_refused(saved, capsys):
    np.savez("bare.npz", **saved.weights)
    add_zeros("bare.npz", "fc9.weight", 20 * 2**20)
    assert run("bare.npz", "new.npz") == 2
    err = capsys.readouterr().err
    assert "fc9.weight would take 83,886,080 bytes of memory, far more than the file is long" in err


@pytest.mark.parametrize("kind", ["compressed", "expanded"])
def test_torch_files_that_take_far_more_memory_than_they_are_long(saved, torch, capsys, kind):
    if kind == "compressed":
        torch.save({"w": torch.zeros(20 * 2**20)}, "stored.pth")
        with zipfile.ZipFile("stored.pth") as old, zipfile.ZipFile("a.pth", "w", zipfile.ZIP_DEFLATED) as new:
            for member in old.infolist():
                new.writestr(member.filename, old.read(member), compresslevel=1)
    else:
        torch.save({"w": torch.ones(1, dtype=torch.bfloat16).expand(10**10)}, "a.pth")
    assert run("a.pth", "new.npz") == 2
    assert "bytes of memory, far more than the file is long" in capsys.readouterr().err


def test_a_length_in_an_old_torch_file_is_not_believed(saved, torch, capsys):
    """No more memory is asked for than the file has."""
    torch.save({"w": torch.zeros(3)}, "a.pth", _use_new_zipfile_serialization=False)
    content = Path("a.pth").read_bytes()
    text = b"X\x01\x00\x00\x00w"
    assert text in content
    Path("a.pth").write_bytes(content.replace(text, b"X\xff\xff\xff\x7fw"))
    tracemalloc.start()
    assert run("a.pth", "new.npz") == 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert re.fullmatch("error: a.pth is cut short or damaged, or .*it is cut short.*\n", capsys.readouterr().err)
    assert peak < 2**20


def test_a_wrong_shape_is_not_converted_first():
    state = {"weight": np.broadcast_to(np.float64(1), (10**7, 10**7)), "bias": [0.0]}
    with pytest.raises(ValueError, match="weight .is .10000000, 10000000., expected .1, 2"):
        nn.Linear(2, 1).load_state_dict(state)


def test_archives(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.arange(6).reshape(2, 3), f=np.asfortranarray(np.ones((2, 3))), s=np.array(2.5))
    with npz.Archive(path) as archive:
        assert [*archive] == ["a", "f", "s"] and "b" not in archive and archive.header("a") == (np.int64, (2, 3))
        assert archive["a"].tolist() == [[0, 1, 2], [3, 4, 5]] and archive["a"] is archive["a"]
        assert archive["f"].shape == (2, 3) and archive["s"] == 2.5 and archive.nbytes("f") == 48
        with pytest.raises(KeyError):
            archive["b"]
    with pytest.raises(OSError):
        npz.Archive(tmp_path / "missing.npz")
    expected = {"a": (np.int64, (2, 3))}
    assert npz.read(path, expected)["a"].sum() == 15
    for wrong in ({"b": (np.int64, ())}, {"a": (np.float64, (2, 3))}, {"a": (np.int64, (3, 2))}):
        with pytest.raises(ValueError, match=r"the array b is missing|a is int64 \(2, 3\), expected"):
            npz.read(path, wrong)


def stored(header, content=b""):
    """An .npz file of one member, x.npy."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", header + content)
    return io.BytesIO(file.getvalue())


class Raw(str):
    """A text that stands in a header as it is."""

    __repr__ = str.__str__


def header(**changes):
    file = io.BytesIO()
    values = {"descr": "<f4", "fortran_order": False, "shape": (2,)} | changes
    text = f"{values}\n".encode()
    file.write(b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (lambda: stored(b"PK"), "x: "),
        (lambda: stored(b""), "x: "),
        (lambda: stored(header(), bytes(7)), "takes 8 bytes, but 7 are stored"),
        (lambda: stored(header(shape=(10**15,)), bytes(8)), "but 8 are stored"),
        (lambda: stored(header(shape=(-1, -2)), bytes(8)), "x: "),
        (lambda: stored(header(descr="|O"), bytes(16)), "it holds Python objects"),
        (lambda: stored(header(descr=[("a", "|O"), ("b", "<f4")]), bytes(24)), "it holds Python objects"),
        (lambda: stored(header(shape=3), bytes(8)), "x: "),
        (lambda: stored(header(descr="nonsense"), bytes(8)), "x: "),
        (lambda: stored(header(shape=Raw(f"({9000 * '-'}2,)")), bytes(8)), "x: its header is no header"),
        (lambda: stored(b"\x93NUMPY\3\0" + header()[8:], bytes(8)), "version .3, 0. of NumPy's format"),
    ],
)
def test_damaged_arrays(file, message):
    with npz.Archive(file()) as archive, pytest.raises(npz.Damaged, match=message):
        archive["x"]
