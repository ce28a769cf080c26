"""Files of torch.save without torch: what torch wrote is read as torch reads it, and torch reads what we wrote."""

from __future__ import annotations

import argparse
import collections
import io
import os
import pathlib
import pickle
import random
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections import OrderedDict

import converting
import numpy as np
import pytest

from minialex import convert
from minialex.convert import formats, state_dicts, torch_file
from minialex.runs import checkpoint

FORMS = pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])


def read(path):
    return torch_file.read(path, "checkpoint")[0]


def saved(torch, tmp_path, obj, new=True, **options):
    path = tmp_path / "theirs.pth"
    torch.save(obj, path, _use_new_zipfile_serialization=new, **options)
    return path


def assert_is(ours, theirs):
    """Bit for bit, in the same type; what NumPy has not is widened."""
    theirs = theirs.detach()
    small = str(theirs.dtype).removeprefix("torch.").startswith(("bfloat", "float8"))
    np.testing.assert_array_equal(ours, (theirs.float() if small else theirs).numpy())
    assert ours.dtype == (np.float32 if small else theirs.numpy().dtype) and ours.dtype.isnative


TYPES = (
    *("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"),
    *("complex64", "complex128", "uint16", "uint32", "uint64"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"),
)


def of_every_type(torch):
    """Any bits, so that NaNs, infinities and denormal numbers are among them."""
    tensors = {}
    for name in TYPES:
        kind = getattr(torch, name)
        bits = torch.randint(0, 2 if name == "bool" else 256, (3, 5, 8 * 16), dtype=torch.uint8)
        tensors[name] = bits.view(kind)
    return tensors


@FORMS
def test_every_type_of_numbers(tmp_path, torch, new):
    tensors = of_every_type(torch)
    found = read(saved(torch, tmp_path, tensors, new))
    assert [*found] == list(TYPES)
    for name in TYPES:
        assert_is(found[name], tensors[name])


def of_every_layout(torch):
    base, image = torch.randn(4, 6, 5), torch.randn(2, 3, 4, 5)
    shared = torch.randn(7)
    return {
        "view": base[1:, ::2, 1:4],
        "the same storage": base.transpose(0, 2),
        "an offset": base.flatten()[17:],
        "channels last": image.to(memory_format=torch.channels_last),
        "expanded": torch.randn(3, 1).expand(3, 50),
        "overlapping": torch.arange(10.0).as_strided((4, 4), (2, 1)),
        "scalar": torch.tensor(-2.5),
        "counter": torch.tensor(2**40),
        "empty": torch.zeros(0, 3),
        "empty at the end": base[4:],
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
        "tied": shared,
        "tied again": shared,
        "tied in part": shared[2:],
        "one of many": torch.randn(5)[3],
        "no axis is long": torch.randn(1, 1, 3).as_strided((1, 1), (99, 99)),
        "six axes": torch.randn(1, 2, 1, 3, 2, 2).permute(5, 4, 3, 2, 1, 0),
        "half of bfloat16": torch.randn(6, 4).bfloat16().t()[1:],
    }


@FORMS
def test_every_layout(tmp_path, torch, new):
    tensors = of_every_layout(torch)
    found = read(saved(torch, tmp_path, tensors, new))
    assert [*found] == [*tensors]
    for name, tensor in tensors.items():
        assert_is(found[name], tensor)
        assert found[name].shape == tensor.shape and found[name].flags.aligned, name
    assert np.shares_memory(found["tied"], found["tied again"])


@FORMS
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_and_what_stands_beside_the_weights(tmp_path, torch, new, protocol):
    """Dicts, numbers of NumPy, sets, options: whatever torch.load(weights_only=False) reads beside them as well."""
    parameter = torch.nn.Parameter(torch.randn(3))
    parameter.note = "an attribute"
    state = OrderedDict(a=torch.randn(2, 3), b=parameter)
    state._metadata = {"": {"version": 1}}
    obj = {
        "state_dict": state,
        "device": torch.device("cuda", 1),
        "cpu": torch.device("cpu"),
        "shape": torch.Size([2, 3]),
        "dtype": torch.float16,
        "layout": torch.strided,
        "best": np.float64(0.5),
        "losses": np.arange(12.0).reshape(3, 4).T,
        "classes": {"cat", "dog"},
        "frozen": frozenset([1]),
        "milestones": collections.Counter([3, 3, 5]),
        "defaults": collections.defaultdict(list, x=[1]),
        "options": argparse.Namespace(lr=0.1, path=pathlib.PurePosixPath("/tmp/x"), seed=None),
        "bytes": b"\xff\0",
        "complex": 1 + 2j,
        "large": -(2**70),
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"betas": (0.9, 0.999)}]},
    }
    found = read(saved(torch, tmp_path, obj, new, pickle_protocol=protocol))
    assert [*found] == ["a", "b"]
    for name in state:
        assert_is(found[name], state[name])


@FORMS
def test_arrays_of_numpy_as_weights(tmp_path, torch, new):
    arrays = {"w": np.arange(6, dtype=">f4").reshape(2, 3).T, "n": np.int64(5), "t": torch.ones(2)}
    found = read(saved(torch, tmp_path, {"model": arrays}, new))
    assert found["w"].tolist() == arrays["w"].tolist() and found["w"].dtype == np.float32 and found["n"] == 5
    assert found["w"].flags.writeable and found["t"].tolist() == [1, 1]


def test_what_an_optimiser_keeps_is_not_read(tmp_path, torch):
    """Only the storages of the state dict: another may even be missing."""
    path = saved(torch, tmp_path, {"state_dict": {"w": torch.ones(3)}, "optimizer": {"state": {0: torch.zeros(5)}}})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "less.pth", "w") as new:
        for info in old.infolist():
            if not info.filename.endswith("data/1"):
                new.writestr(info.filename, old.read(info))
    assert read(tmp_path / "less.pth")["w"].tolist() == [1, 1, 1]


def test_big_endian(tmp_path, torch):
    """As torch writes on such machines: the bytes of every number are reversed, and `byteorder` says so."""
    tensors = {name: t for name, t in of_every_type(torch).items() if not name.startswith("complex")}
    path = saved(torch, tmp_path, tensors)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "big.pth", "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if "/data/" in info.filename:
                size = [*tensors.values()][int(info.filename.rpartition("/")[2])].element_size()
                content = np.frombuffer(content, np.uint8).reshape(-1, size)[:, ::-1].tobytes()
            new.writestr(info.filename, b"big" if info.filename.endswith("byteorder") else content)
    found = read(tmp_path / "big.pth")
    for name, tensor in tensors.items():
        assert_is(found[name], tensor)


def test_a_file_from_before_the_byte_order_was_noted(tmp_path, torch):
    path = saved(torch, tmp_path, {"w": torch.arange(3.0)})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "old.pth", "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            if info.filename.rpartition("/")[2] in ("data.pkl", "0", "version"):
                new.writestr(info.filename, old.read(info))
    assert read(tmp_path / "old.pth")["w"].tolist() == [0, 1, 2]


class Pickled:
    """An object whose pickle is that of a persistent id, or of a name."""

    def __init__(self, key):
        self.key = key


def pickle_of(obj, protocol=2):
    file = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return obj.key if isinstance(obj, Pickled) else None

    Pickler(file, protocol).dump(obj)
    return file.getvalue()


def test_a_view_of_a_storage_of_the_old_form(tmp_path, torch):
    """Until torch 0.4 a storage could be a part of another: (key, offset, size) behind the count."""
    rebuild = b"ctorch._utils\n_rebuild_tensor\n"
    part = ("storage", torch.FloatStorage, "7", "cpu", 6, ("8", 2, 3))
    content = b"".join(pickle_of(value) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    tensor = pickle_of(Pickled(part))[2:-1]
    content += b"\x80\x02}X\1\0\0\0w" + rebuild + b"(" + tensor + b"K\1K\2\x85K\1\x85tRs."
    content += pickle_of(["7"]) + struct.pack("<q6f", 6, *range(6))
    (tmp_path / "part.pth").write_bytes(content)
    theirs = torch.load(tmp_path / "part.pth", weights_only=False)
    assert theirs["w"].tolist() == read(tmp_path / "part.pth")["w"].tolist() == [3, 4]


def a_tar(torch, tmp_path):
    """As torch wrote before 0.1.10; torch.load(weights_only=False) still reads it."""
    numbers = np.arange(24, dtype=np.float32) + 0.5
    storages = pickle_of(2)
    storages += pickle_of((10, "cpu", torch.FloatStorage)) + struct.pack("<q", 24) + numbers.tobytes()
    storages += pickle_of((11, "cpu", torch.LongStorage)) + struct.pack("<qq", 1, 2**40)
    storages += pickle_of([(12, 10, 5, 12)])
    tensors = pickle_of(3)
    tensors += pickle_of((20, 10, torch.FloatTensor)) + struct.pack("<i4x5q", 2, 3, 4, 1, 3, 2)  # axes, sizes, strides
    tensors += pickle_of((21, 12, torch.FloatTensor)) + struct.pack("<i4x3q", 1, 4, 3, 1)
    tensors += pickle_of((22, 11, torch.LongTensor)) + struct.pack("<i4x3q", 1, 1, 1, 0)
    names = {"a": Pickled(20), "part": Pickled(21), "n": Pickled(22), "again": Pickled(20)}
    members = {"sys_info": pickle_of({}), "pickle": pickle_of(names), "tensors": tensors, "storages": storages}
    with tarfile.open(tmp_path / "old.pth", "w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1.5  # a header of its own for the fraction
            archive.addfile(info, io.BytesIO(content))
    return tmp_path / "old.pth"


def test_the_tar_form(tmp_path, torch):
    path = a_tar(torch, tmp_path)
    theirs, ours = torch.load(path, weights_only=False), read(path)
    assert [*ours] == [*theirs] == ["a", "part", "n", "again"]
    for name, tensor in theirs.items():
        assert_is(ours[name], tensor)
    assert ours["a"].shape == (3, 4) and ours["part"].tolist() == [6.5, 9.5, 12.5, 15.5]


def test_damaged_tar_forms(tmp_path, torch):
    content = a_tar(torch, tmp_path).read_bytes()
    for length in range(0, len(content), 97):
        (tmp_path / "cut.pth").write_bytes(content[:length])
        try:
            read(tmp_path / "cut.pth")
        except ValueError as error:
            assert "cut.pth is cut short or damaged, or not a PyTorch file (" in str(error)
    (tmp_path / "other.pth").write_bytes(content.replace(b"storages\0", b"storagesx"))
    with pytest.raises(ValueError, match="it is a tar archive without storages"):
        read(tmp_path / "other.pth")


@FORMS
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "net.module."])
def test_prefixes(tmp_path, torch, new, prefix):
    weights = converting.build("shapes_net").state_dict()
    state = {prefix + name: torch.from_numpy(array) for name, array in weights.items()}
    found = convert.describe(formats.read(saved(torch, tmp_path, state, new)), "shapes_net")
    converting.assert_same(found.weights, weights)


# ---------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_programs_are_named_and_not_run(tmp_path, torch):
    script = torch.jit.script(torch.nn.Linear(2, 2))
    script.save(tmp_path / "script.pt")
    with pytest.raises(ValueError, match=r"script.pt holds a program of TorchScript, which was not run: save model.st"):
        read(tmp_path / "script.pt")
    for new in (True, False):
        path = saved(torch, tmp_path, torch.nn.Sequential(torch.nn.Linear(2, 2)), new)
        with pytest.raises(ValueError, match=r"holds an object of torch\.nn\.modules\.container\.Sequential, whose co"):
            read(path)


@pytest.mark.filterwarnings("ignore:torch.quantize")
def test_tensors_without_an_array(tmp_path, torch):
    sparse = torch.eye(3).to_sparse()
    quantised = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    for tensor, reason in (
        (torch.complex(torch.ones(2), torch.ones(2)).conj(), r"w: it is a conjugated .*resolve_conj\(\)"),
        (torch.complex(torch.ones(2), torch.ones(2)).conj().imag, "w: it is a conjugated or negated view"),
        (sparse, "an object of torch._utils._rebuild_sparse_tensor, whose code was not run"),
        (quantised, "an object of torch._utils._rebuild_qtensor, whose code was not run"),
    ):
        with pytest.raises(ValueError, match=reason):
            read(saved(torch, tmp_path, {"w": tensor}))


def test_files_without_torch_s_layout(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("a/other", b"x")
    (tmp_path / "b.pth").write_bytes(pickle.dumps({"w": [1.0]}))
    (tmp_path / "c.pth").write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C) + pickle.dumps(1002))
    for name, reason in (("a", "it has no data.pkl"), ("b", "does not begin with the number"), ("c", "does not begin")):
        with pytest.raises(ValueError, match=f"{name}.pth is cut short or damaged, or not a PyTorch file .*{reason}"):
            read(tmp_path / f"{name}.pth")


def piece(value):
    """The opcodes that push a value."""
    return pickle.dumps(value, 2)[2:-1]


def a_tensor(*arguments, storage=("storage", "0", "cpu", 4)):
    """The pickle of {"w": tensor} with such arguments; the class of the storage is torch.FloatStorage."""
    kind, *rest = map(piece, storage)
    persistent = b"(" + kind + b"ctorch\nFloatStorage\n" + b"".join(rest) + b"tQ"
    function = b"ctorch._utils\n_rebuild_tensor_v2\n("
    return b"\x80\x02}" + piece("w") + function + persistent + b"".join(map(piece, arguments)) + b"tRs."


def zipped(path, content, **members):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", content)
        archive.writestr("x/data/0", np.arange(4, dtype=np.float32).tobytes())
        for name, content in members.items():
            archive.writestr(f"x/{name}", content)
    return path


RIGHT = 0, (2, 2), (2, 1), False, {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (a_tensor(1, *RIGHT[1:]), "w: its element 4 is beyond its storage of 4"),
        (a_tensor(0, (2, 2), (3, 1), False, {}), "w: its element 4 is beyond"),
        (a_tensor(0, (2**30, 2**20), (0, 0), False, {}), "w would take 4,503,599,627,370,496 bytes of memory, far"),
        (a_tensor(0, (2**30, 2**30), (0, 0), False, {}), "a shape is far too large"),
        (a_tensor(0, (0, 2**60), (0, 0), False, {}), "a shape is far too large"),
        (a_tensor(0, (2,) * 40, (0,) * 40, False, {}), "a shape is not a tuple of sizes"),
        (a_tensor(-1, *RIGHT[1:]), "another number of strides than of sizes, or no offset"),
        (a_tensor(2**70, *RIGHT[1:]), "another number of strides than of sizes, or no offset"),
        (a_tensor(0, (2, -2), (2, 1), False, {}), "a shape is not a tuple of sizes"),
        (a_tensor(0, (2, 2), (-2, 1), False, {}), "another number of strides"),
        (a_tensor(0, (2, 2), (1,), False, {}), "another number of strides"),
        (a_tensor(0, [2, 2], (2, 1), False, {}), "a shape is not a tuple of sizes"),
        (a_tensor(0, (True, 2), (2, 1), False, {}), "a shape is not a tuple of sizes"),
        (a_tensor(), "is not described by its storage, offset, size and strides"),
        (a_tensor(*RIGHT, storage=("storage", "0", "cpu", 5)), "w: its storage of 20 bytes has 16"),
        (a_tensor(*RIGHT, storage=("storage", "0", "cpu", -1)), "a storage has no key, or no length"),
        (a_tensor(*RIGHT, storage=("storage", "0", "cpu", 2**64)), "a storage has no key, or no length"),
        (a_tensor(*RIGHT, storage=("storage", "1", "cpu", 4)), "w: x/data/1 is missing"),
        (a_tensor(*RIGHT, storage=("storage", "../x", "cpu", 4)), "w: x/data/../x is missing"),
        (a_tensor(*RIGHT, storage=("storage", None, "cpu", 4)), "a storage has no key"),
        (a_tensor(*RIGHT, storage=("module", "0", "cpu", 4)), "a persistent id is not that of a storage"),
        (a_tensor(*RIGHT, storage=("storage", "0", "cpu", 4, (1, 2, 3, 4))), "a view of a storage is not described"),
        (b"\x80\x02}" + piece("w") + b"K\1Qs.", "a persistent id is not that of a storage"),
    ],
)
def test_forged_tensors(tmp_path, content, reason):
    with pytest.raises(ValueError) as refused:
        read(zipped(tmp_path / "a.pth", content))
    assert "a.pth is cut short or damaged, or not a PyTorch file (" in str(refused.value)
    assert reason in str(refused.value) and "\n" not in str(refused.value)


def test_the_same_tensor_where_it_is_not_forged(tmp_path):
    assert read(zipped(tmp_path / "a.pth", a_tensor(*RIGHT)))["w"].tolist() == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="its byte order is neither little nor big"):
        read(zipped(tmp_path / "a.pth", a_tensor(*RIGHT), byteorder=b"middle"))


def test_a_storage_far_larger_than_the_file_is_not_read(tmp_path, torch):
    """80 MiB of zeros in 80 KB, of which a tensor is four bytes."""
    path = saved(torch, tmp_path, {"w": torch.zeros(20 * 2**20)[:1]})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member), compresslevel=1)
    with pytest.raises(ValueError, match="data/0 would take 83,886,080 bytes of memory, far more than"):
        read(tmp_path / "a.pth")


def test_tensors_with_attributes_within_each_other(tmp_path):
    """The function that makes one may not be one that calls such functions, however deep they are nested."""
    of_type, kind = b"ctorch._tensor\n_rebuild_from_type_v2\n", b"ctorch\nTensor\n"
    plain = b"ctorch._utils\n_rebuild_tensor_v2\n"
    _, _, arguments = a_tensor(*RIGHT).removesuffix(b"Rs.").partition(plain)
    begin, inner = b"\x80\x02}" + piece("w"), b"(" + plain + kind + arguments + b"}tq\1"
    right = begin + of_type + inner + b"Rs."
    assert read(zipped(tmp_path / "a.pth", right))["w"].tolist() == [[0, 1], [2, 3]]
    deep = begin + inner + (b"0(" + of_type + kind + b"h\1}tq\1") * 3000 + b"0" + of_type + b"h\1Rs."
    with pytest.raises(ValueError, match="with attributes is not made by one of the functions for tensors"):
        read(zipped(tmp_path / "a.pth", deep))


def test_a_dict_that_is_named_often_is_looked_at_once():
    looked = []

    class Counted(dict):
        def values(self):
            looked.append(self)
            return super().values()

    counted = Counted({str(i): 3 for i in range(10)})
    with pytest.raises(ValueError, match="a.pth holds no state dict"):
        state_dicts.find("a.pth", {str(i): counted for i in range(100)})
    assert len(looked) < 10


def test_one_array_that_is_named_often_counts_each_time(tmp_path):
    """A file of 90 KB whose state dict would be 80 MB of float32."""
    content = a_tensor(0, (20_000,), (0,), False, {})
    one = content[content.index(b"ctorch") : -2]
    names = b"".join(piece(f"w{i}") + b"h\xc8" for i in range(1000))
    path = zipped(tmp_path / "a.pth", b"\x80\x02" + one + b"q\xc80}(" + names + b"u.")
    with pytest.raises(ValueError, match=r"w\d+ would take 80,000 bytes of memory, far more than the file is long"):
        read(path)


# ------------------------------------------------------------------------------------------------------------- writing


def test_torch_reads_what_we_write(tmp_path, torch):
    """As tensors of the same types, each its own; also without copying it into memory."""
    rng = np.random.default_rng(3)
    kinds = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8", "c16", ">f4", ">i8")
    arrays = {kind: rng.integers(0, 2, (3, 1, 5)).astype(kind) for kind in kinds}
    arrays |= {"scalar": np.array(2.5), "empty": np.zeros((3, 0, 2), np.float32), "ç.weight": np.ones(300, np.float32)}
    arrays["columns"] = rng.standard_normal((70, 9)).astype(np.float32).T
    with open(tmp_path / "ours.pth", "wb") as file:
        torch_file.write(file, arrays)
    for options in ({}, {"mmap": True}):
        theirs = torch.load(tmp_path / "ours.pth", weights_only=True, **options)
        assert type(theirs) is OrderedDict and [*theirs] == [*arrays]
        for name, array in arrays.items():
            ours = array.astype(array.dtype.newbyteorder("="))
            assert theirs[name].numpy().dtype == ours.dtype and np.array_equal(theirs[name].numpy(), ours), name
            assert theirs[name].stride() == torch.zeros(array.shape).stride()
            assert not options or not array.size or theirs[name].data_ptr() % 64 == 0, "behind the padding"
    converting.assert_same(read(tmp_path / "ours.pth")["columns"], np.ascontiguousarray(arrays["columns"]))
    with pytest.raises(ValueError, match="w is an array of <U1, which torch does not have"):
        torch_file.write(io.BytesIO(), {"w": np.array(["x"])})


def test_many_tensors(tmp_path, torch):
    """More than a byte can count, of sizes that take two, four and five bytes."""
    arrays = {f"layer{i}.weight": np.full((i % 3 + 1, 1), i, np.float32) for i in range(700)}
    arrays["wide"] = np.zeros((1, 70_000), np.uint8)
    with open(tmp_path / "ours.pt", "wb") as file:
        torch_file.write(file, arrays)
    theirs = torch.load(tmp_path / "ours.pt", weights_only=True)
    converting.assert_same({name: tensor.numpy() for name, tensor in theirs.items()}, arrays)
    converting.assert_same(read(tmp_path / "ours.pt"), arrays)


def test_the_description_is_where_load_state_dict_ignores_it(tmp_path, torch):
    ours = converting.a_checkpoint()
    formats.write(tmp_path / "ours.pth", ours)
    theirs = torch.load(tmp_path / "ours.pth", weights_only=True)
    assert theirs._metadata["checkpoint"]["text"].startswith("{") and [*theirs] == [*ours.weights]
    torch.save(theirs, tmp_path / "again.pth")
    converting.assert_same(formats.read(tmp_path / "again.pth"), formats.read(tmp_path / "ours.pth"))
    checkpoint.save(tmp_path / "ours.npz", ours)
    converting.assert_same(formats.read(tmp_path / "ours.pth"), checkpoint.load(tmp_path / "ours.npz"))


def test_torch_is_not_imported(tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import converting\nfrom minialex.convert import formats\n"
        "saved = converting.a_checkpoint()\n"
        f"formats.write({str(tmp_path / 'a.pth')!r}, saved)\n"
        f"converting.assert_same(formats.read({str(tmp_path / 'a.pth')!r}).weights, saved.weights)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


@pytest.mark.heavy
@FORMS
def test_random_tensors(tmp_path, torch, new):
    """Views with any sizes, strides and offsets, of every type."""
    for seed in range(150):
        draw = random.Random(seed)
        tensors = {}
        for number in range(8):
            kind = getattr(torch, draw.choice(TYPES))
            size = [draw.choice((0, 1, 1, 2, 3, 5)) for _ in range(draw.randrange(5))]
            stride = [draw.choice((0, 1, 2, 7, 11)) for _ in size]
            bits = torch.randint(0, 2 if kind == torch.bool else 256, (2000,), dtype=torch.uint8)
            tensors[str(number)] = bits.view(kind).as_strided(size, stride, draw.randrange(4))
        found = read(saved(torch, tmp_path, tensors, new))
        for name, tensor in tensors.items():
            assert_is(found[name], tensor)
