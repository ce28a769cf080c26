"""Our reader of HDF5 files against the HDF5 library, by h5py: every type and layout, and forged files."""

from __future__ import annotations

import io
import random
import struct

import numpy as np
import pytest
from fuzz import mutate

from minialex.convert import hdf5

h5py = pytest.importorskip("h5py", reason="h5py, pip install 'minialex[convert]', is not installed")

TYPES = ["f2", "f4", "f8", ">f4", ">f8", "i1", "u1", "<i2", ">i2", "i4", ">u4", "i8", "u8"]


def opened(content):
    return hdf5.File(io.BytesIO(content)).root


def made(fill, **options):
    """The bytes of a file that `fill` has written into."""
    content = io.BytesIO()
    with h5py.File(content, "w", **options) as file:
        fill(file)
    return content.getvalue()


def assert_same(content):
    """All that h5py reads of a file is read here, and alike; returns the number of datasets."""
    root, count = opened(content), 0
    with h5py.File(io.BytesIO(content)) as file:

        def visit(name, item):
            nonlocal count
            node = root[name]
            for key, value in item.attrs.items():
                assert_same_attribute(node.attribute(key), value)
            assert node.attribute("absent") is None
            if isinstance(item, h5py.Dataset):
                found, expected = node.array(), item[()]
                assert node.is_dataset and found.dtype == expected.dtype.newbyteorder("="), name
                assert found.shape == expected.shape and found.flags.writeable
                np.testing.assert_array_equal(found, expected)
                count += 1
            else:
                assert [*node.children] == sorted(item) and not node.is_dataset

        visit("/", file)
        file.visititems(visit)
    return count


def assert_same_attribute(found, value):
    if isinstance(value, np.ndarray) and value.dtype.kind in "OS":
        assert found == [text.decode() if isinstance(text, bytes) else text for text in value.tolist()]
    elif isinstance(value, (str, bytes)):
        assert found == (value.decode() if isinstance(value, bytes) else value)
    else:
        np.testing.assert_array_equal(found, value)


def fill_types(file):
    rng = np.random.default_rng(1)
    for dtype in TYPES:
        file[f"types/{dtype}"] = (40 * rng.standard_normal((3, 1, 5))).astype(dtype)
    file["scalar"], file["empty"] = np.float64(2.5), np.zeros((0, 3), np.float32)
    file["types"].attrs["texts"] = ["a", "", "longer", "é\u4e2d"]
    file["types"].attrs["fixed"] = np.array([b"a", b"bcd", b""])
    for name, value in {"text": "é" * 300, "bytes": b"x" * 5000, "number": np.float16(3), "none": np.zeros(0)}.items():
        file.attrs[name] = value


def fill_chunks(file):
    rng = np.random.default_rng(2)
    array = rng.standard_normal((50, 21, 3)).astype(np.float32)
    options = [{}, {"compression": "gzip"}, {"shuffle": True}, {"fletcher32": True}]
    options.append({"compression": "gzip", "shuffle": True, "fletcher32": True, "compression_opts": 9})
    for number, option in enumerate(options):
        file.create_dataset(f"chunked/{number}", data=array, chunks=(16, 9, 2), **option)
    file.create_dataset("growing", data=array[0], maxshape=(None, None))
    file.create_dataset("larger", data=array[:2, :3, 0], chunks=(4, 5), maxshape=(9, 9), dtype=">f8")
    file.create_dataset("many", data=np.arange(3000), chunks=(2,))
    file.create_dataset("no chunk", data=np.zeros((0, 3)), maxshape=(None, 3))


def fill_groups(file):
    """More names than one node of a tree holds, one of them long, and a name with a space."""
    for number in range(200):
        file[f"a/{'n' * (number % 50)}{number}/d"] = np.arange(number % 3)
    file.create_group("a group/empty")
    file["a/hard"] = file["a/n1"]


@pytest.mark.parametrize(("fill", "count"), [(fill_types, 15), (fill_chunks, 9), (fill_groups, 200)])
def test_as_the_library_reads_it(fill, count):
    assert assert_same(made(fill)) == count


def test_a_user_block_and_newer_forms():
    """MATLAB's files begin with 512 bytes of their own; format 1.8 has other object headers, and links as messages."""
    assert assert_same(made(fill_types, userblock_size=1024)) == 15

    def small(file):
        file["group/x"], file["y"] = np.arange(5), np.float32([1, 2])
        file.attrs["a"], file["y"].attrs["b"] = "text", [1.5]
        file.create_dataset("z", data=np.arange(12.0).reshape(3, 4), chunks=(2, 3), compression="gzip")

    assert assert_same(made(small, libver=("v108", "v108"))) == 3
    root = opened(made(small, libver="latest"))
    assert np.array_equal(root["group/x"].array(), np.arange(5))
    with pytest.raises(ValueError, match="/z: its numbers are stored in a form that is not read"):
        root["z"].array()
    with pytest.raises(ValueError, match=r"/a: it was written with libver='latest'"):
        opened(made(fill_groups, libver="latest"))["a"].children  # noqa: B018


def test_what_leads_elsewhere_is_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret.." * 10)
    other = tmp_path / "other.h5"
    other.write_bytes(made(lambda file: file.create_dataset("x", data=np.ones(3))))

    def fill(file):
        file["real"] = np.arange(3)
        file["soft"], file["links/outside"] = h5py.SoftLink("/real"), h5py.ExternalLink(str(other), "/x")
        file["links/soft"], file["links/hard"] = h5py.SoftLink("/real"), file["real"]
        file.create_dataset("raw", (10,), "f8", external=[(str(tmp_path / "secret"), 0, 80)])
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(str(other), "x", (3,))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("references", data=file["real"].ref, dtype=h5py.ref_dtype)
        file.create_dataset("compound", data=np.zeros(2, [("a", "f4"), ("b", "i4")]))
        file.create_dataset("text", data="x")
        file.create_dataset("lzf", data=np.zeros(100), compression="lzf")
        file.create_dataset("unwritten", (1000, 1000), "f4")
        file.create_dataset("some chunks", (100,), "f4", chunks=(10,))[:50] = 1
        file["committed"] = np.dtype("f8")
        file.create_dataset("shared", data=np.zeros(3), dtype=file["committed"])

    root = opened(made(fill))
    assert np.array_equal(root["links/hard"].array(), np.arange(3))
    for name, message in {
        "soft": "soft in / is a link, which is not followed",
        "links/outside": "outside in /links is a link, which is not followed",
        "links/soft": "soft in /links is a link, which is not followed",
        "raw": "/raw: its numbers are in another file, which is not read",
        "virtual": "/virtual: its numbers are stored in a form that is not read",
        "references": "/references has values of a type that is not read",
        "compound": "/compound has values of a type that is not read",
        "text": "/text holds text, where numbers are expected",
        "lzf": "/lzf is compressed by the filter lzf",
        "unwritten": "/unwritten: it is damaged, or its numbers were never written",
        "some chunks": "/some chunks: it is damaged, or some of its chunks were never written",
        "shared": "/shared: types that several objects share are not read",
        "absent": "absent in / is missing",
        "links/hard/x": "x in /links/hard is missing",
        "": "/ is a group, where numbers are expected",
    }.items():
        with pytest.raises(ValueError, match=message):
            root[name].array()


def test_bfloat16():
    kind = np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
    values = np.arange(-3, 4, 0.25).astype(kind)
    found = opened(made(lambda file: file.create_dataset("x", data=values)))["x"].array()
    assert found.dtype == np.float32 and np.array_equal(found, values.astype(np.float32))


# ------------------------------------------------------------------------------------------------------------- forged


def forged(content, old, new):
    assert content.count(old) == 1 and len(old) == len(new)
    return content.replace(old, new)


def test_sizes_are_not_believed():
    """A shape of 2^40 numbers, at once or in chunks, and a compressed chunk that is far larger than the file."""
    plain = made(lambda file: file.create_dataset("x", data=np.arange(77771.0)))
    size, larger = struct.pack("<Q", 77771), struct.pack("<Q", 2**40)
    with pytest.raises(ValueError, match="it takes far more memory"):
        opened(plain.replace(size, larger))["x"].array()
    chunked = made(lambda file: file.create_dataset("x", data=np.arange(77771.0), chunks=(1000,)))
    with pytest.raises(ValueError, match="it takes far more memory"):
        opened(chunked.replace(size, larger))["x"].array()
    zeros = made(lambda file: file.create_dataset("x", data=np.zeros(2**23), compression="gzip", chunks=(2**20,)))
    assert len(zeros) < 2**20
    with pytest.raises(ValueError, match="it takes far more memory"):
        opened(zeros)["x"].array()


def test_what_refers_to_itself_ends():
    """A tree whose node is its own child, and an object header that goes on at its own beginning."""
    content = made(lambda file: file.create_group("a/b"))
    tree = content.index(b"TREE")
    looped = bytearray(content)
    looped[tree + 5] = 200  # its level
    looped[tree + 32 : tree + 40] = struct.pack("<Q", tree)
    with pytest.raises(ValueError, match="a B-tree has a node of another kind"):
        opened(bytes(looped)).children  # noqa: B018
    header = bytes([1, 0, 1, 0, 1, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0]) + struct.pack("<HHBxxx", 16, 16, 0)
    at = len(content)
    looped = content + header + struct.pack("<QQ", at + 16, 24)
    root = struct.unpack("<Q", content[64:72])[0]
    with pytest.raises(ValueError, match="refers to itself more often"):
        opened(forged(looped[:96], struct.pack("<Q", root), struct.pack("<Q", at)) + looped[96:])


@pytest.mark.parametrize("count", [150, pytest.param(3000, marks=pytest.mark.heavy)])
def test_damaged_files_are_read_or_refused(count):
    """Without an error of another kind than ValueError; the time is bounded by what may be read."""
    samples = [made(fill_types)]
    small = made(lambda file: file.create_dataset("z", data=np.ones((9, 9)), chunks=(2, 3), compression="gzip"))
    samples.append(small)
    outcomes = {"read": 0, "refused": 0}
    for seed in range(count):
        rng = random.Random(seed)
        content = mutate.of_bytes(rng, rng.choice(samples), ())
        try:
            walk(opened(content), 0)
            outcomes["read"] += 1
        except ValueError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > count // 10


def walk(node, depth):
    for name in ("texts", "fixed", "text", "bytes", "number", "none"):
        node.attribute(name)
    if node.is_dataset:
        node.array()
        return
    for name in node.children if depth < 5 else ():
        walk(node[name], depth + 1)
