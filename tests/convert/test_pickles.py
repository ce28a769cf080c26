"""Pickles: what Python writes is read, what others have planted is not run, and nothing takes more than it should."""

from __future__ import annotations

import collections
import io
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from fuzz import mutate

from minialex.convert import formats, pickles
from minialex.convert.pickled import NAMES, Objects


def load(content, **options):
    return pickles.load(content, NAMES, **options)[0]


# ------------------------------------------------------------------------------------------------------------- reading

VALUES = {
    "constants": [None, True, False],
    "integers": [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), 2**63, -(2**63), 2**200, -(2**200)],
    "floats": [0.0, -1.5, 1e300, float("inf"), 5e-324],
    "texts": ["", "a", "ü\n'\\x", "\U0001f600", "x" * 300, "y" * 70_000, "\ud800"],
    "bytes": [b"", b"\xff\0'\n", b"x" * 300, b"y" * 70_000],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((), ((),))],
    "lists": [[], [1], [[2], [3, [4]]], list(range(2000))],
    "dicts": [{}, {"a": 1}, {i: str(i) for i in range(2000)}, {(1, "x"): {None: 1.5}}],
    "complex": [1 - 2j],
    "ordered": [collections.OrderedDict(b=1, a=2)],
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", VALUES)
def test_what_python_writes(kind, protocol):
    """With the C pickler and with Python's own, which writes no frames in the same places."""
    for dump in (pickle.dumps, pickle._dumps):
        content = b"before" + dump(VALUES[kind], protocol) + b"behind"
        found, end = pickles.load(content, NAMES, start=6)
        assert content[end:] == b"behind" and found == VALUES[kind]
        assert [type(one) for one in found] == [type(one) for one in VALUES[kind]] or kind == "ordered"


@pytest.mark.parametrize("protocol", range(6))
def test_what_is_shared_stays_shared(protocol):
    shared, circle = [1], []
    circle.append(circle)
    found = load(pickle.dumps([shared, shared, circle], protocol))
    assert found[0] is found[1] and found[2][0] is found[2]


@pytest.mark.parametrize("protocol", range(6))
def test_sets(protocol):
    found = load(pickle.dumps([{3, "a"}, frozenset({(1, 2)})], protocol))
    assert [set(one) for one in found] == [{3, "a"}, {(1, 2)}]


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_numpy(protocol, rng):
    array = rng.standard_normal((2, 3, 4))
    arrays = [array, array.T, array[:, ::2], array.astype(">f4"), np.zeros((0, 3), "?"), np.array(2.5, np.float16)]
    arrays += [rng.integers(-100, 100, 5).astype(f"{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8)]
    arrays += [array.transpose(1, 2, 0), array.astype("c8"), np.asfortranarray(array), np.arange(3).astype(">i2")]
    for found, original in zip(load(pickle.dumps(arrays, protocol)), arrays, strict=True):
        assert found.dtype == original.dtype and np.array_equal(found, original)
    scalars = [np.float32(1.5), np.int64(-3), np.bool_(True), np.float64(0.1)]
    assert [found[()] for found in load(pickle.dumps(scalars, protocol))] == scalars
    twice = load(pickle.dumps([array, {"again": array}], protocol))
    assert twice[0] is twice[1]["again"]
    objects = np.empty((2, 1), object)
    objects[:, 0] = [{"a": array}, None]
    found = load(pickle.dumps(objects, protocol))
    assert isinstance(found, Objects) and found.shape == (2, 1) and np.array_equal(found.items[0]["a"], array)
    assert found.items[1] is None


def test_what_python_2_writes():
    """Texts and the bytes of arrays are both str there; modules have other names."""
    array = np.array([1.5, -2], "<f4")
    raw = array.tobytes()
    content = (
        b"\x80\x02}q\0(U\x05conv1q\1]q\2(cnumpy.core.multiarray\n_reconstruct\nq\3cnumpy\nndarray\nq\4K\0\x85U\1b\x87R"
        b"(K\1K\2\x85cnumpy\ndtype\nU\2f4K\0K\1\x87R(K\3U\1<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"
        + (b"T" + struct.pack("<I", len(raw)) + raw)
        + b"tbc__builtin__\nset\n]K\1a\x85ReU\5other(I01\nL12L\nF1.5\nS'it\\'s\\x41\\101\\n'\nV\\u00fc\nlu."
    )
    found, theirs = load(content), pickle.loads(content, encoding="latin1")
    assert [*found] == [*theirs] == ["conv1", "other"] and found["other"] == theirs["other"]
    assert found["other"] == [True, 12, 1.5, "it'sAA\n", "ü"] and found["conv1"][1] == [1]
    np.testing.assert_array_equal(found["conv1"][0], array)


# -------------------------------------------------------------------------------------------------- what is not to run


def short(text):
    return b"\x8c" + bytes([len(text)]) + text


ATTACKS = {  # {what: pickle that touches the file NAME}
    "GLOBAL, REDUCE": b"cos\nsystem\n(S'touch NAME'\ntR.",
    "protocol 2": b"\x80\x02cposix\nsystem\nq\0X\x0a\0\0\0touch NAMEq\1\x85q\2Rq\3.",
    "STACK_GLOBAL": b"\x80\x04" + short(b"os") + short(b"system") + b"\x93" + short(b"touch NAME") + b"\x85R.",
    "STACK_GLOBAL from the memo": (
        b"\x80\x04" + short(b"os") + b"\x94" + short(b"system") + b"\x94h\0h\1\x93" + short(b"touch NAME") + b"\x85R."
    ),
    "a dotted name": b"\x80\x04" + short(b"pathlib") + short(b"os.system") + b"\x93" + short(b"touch NAME") + b"\x85R.",
    "INST": b"(S'touch NAME'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'touch NAME'\no.",
    "DUP": b"cos\nsystem\n2(S'touch NAME'\ntR.",
    "framed": b"\x80\x04\x95" + struct.pack("<Q", 26) + b"cos\nsystem\n" + short(b"touch NAME") + b"\x85R.",
    "eval": b'c__builtin__\neval\n(S\'__import__("os").system("touch NAME")\'\ntR.',
    "exec": b"cbuiltins\nexec\n(S'import os; os.system(\"touch NAME\")'\ntR.",
    "getattr": (b"cbuiltins\ngetattr\n(cbuiltins\ngetattr\n(cos\npath\nS'os'\ntRS'system'\ntR(S'touch NAME'\ntR."),
    "import": b"c__builtin__\n__import__\n(S'os'\ntR0cos\nsystem\n(S'touch NAME'\ntR.",
    "partial": b"cfunctools\npartial\n(cos\nsystem\nS'touch NAME'\ntR)R.",
    "map": b"cbuiltins\nlist\n(cbuiltins\nmap\n(cos\nsystem\n(S'touch NAME'\nltRtR.",
    "subprocess": b"csubprocess\ncheck_output\n((S'touch'\nS'NAME'\nltR.",
    "a shell": b"csubprocess\ngetoutput\n(S'touch NAME'\ntR.",
    "a state": (b"\x80\x02ctypes\nSimpleNamespace\n)R}X\x0c\0\0\0__setstate__cos\nsystem\nsbX\x0a\0\0\0touch NAMEb."),
    "in a dict": b"\x80\x02}X\1\0\0\0wcos\nsystem\nX\x0a\0\0\0touch NAME\x85Rs.",
    "in a list": b"\x80\x02]cos\nsystem\nX\x0a\0\0\0touch NAME\x85Ra.",
    "in a tuple": b"\x80\x02K\1cos\nsystem\nX\x0a\0\0\0touch NAME\x85R\x86.",
    "in a set": b"\x80\x04\x8f(cos\nsystem\nX\x0a\0\0\0touch NAME\x85R\x90.",
    "as a key": b"\x80\x02}cos\nsystem\nX\x0a\0\0\0touch NAME\x85RNs.",
    "as a state": b"\x80\x02ccollections\nOrderedDict\n)R}X\1\0\0\0xcos\nsystem\nX\x0a\0\0\0touch NAME\x85Rsb.",
    "popped": b"cos\nsystem\n(S'touch NAME'\ntR0N.",
    "behind a mark": b"(cos\nsystem\n(S'touch NAME'\ntR1N.",
    "in the arguments of what is known": b"ccollections\nOrderedDict\n(cos\nsystem\n(S'touch NAME'\ntRtR.",
    "a reconstructor": b"ccopyreg\n_reconstructor\n(cbuiltins\nobject\n00cos\nsystem\n(S'touch NAME'\ntR.",
    "a file": b"cbuiltins\nopen\n(S'NAME'\nS'w'\ntR.",
    "a path, dotted": (
        b"\x80\x04" + short(b"pathlib") + short(b"Path.touch") + b"\x93cpathlib\nPosixPath\n(S'NAME'\ntR\x85R."
    ),
    "timeit": (
        b"ctimeit\ntimeit\n(S'__import__(\"os\").system(\"touch NAME\")'\nS'pass'\nctime\nperf_counter\nI1\ntR."
    ),
}
NOT_RUNNING_THERE = {  # forms that Python refuses, or that need a package, but that a careless reader might run
    "an extension code": b"\x80\x02\x82\x01)R.",
    "an extension code of two bytes": b"\x80\x02\x83\x01\x01)R.",
    "an extension code of four bytes": b"\x80\x02\x84\x01\0\0\0)R.",
    "NEWOBJ": b"\x80\x02cos\nsystem\nX\x0a\0\0\0touch NAME\x85\x81.",
    "NEWOBJ_EX": b"\x80\x04cos\nsystem\n)}\x92.",
    "NEWOBJ_EX of what is known": b"\x80\x04ccollections\nOrderedDict\n)}\x92.",
    "a buffer from outside": b"\x80\x05\x97.",
    "a read-only buffer": b"\x80\x05N\x98.",
    "torch.load": b"ctorch\nload\n(S'NAME'\ntR.",
    "torch.hub": b"ctorch.hub\nload\n(S'a/b'\nS'c'\ntR.",
    "numpy.load": b"cnumpy\nload\n(S'NAME'\ntR.",
    "numpy.memmap": b"cnumpy\nmemmap\n(S'NAME'\nS'f4'\nS'w+'\nI0\nI4\ntR.",
    "numpy's runstring": b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n(dtR.",
    "a class of the script": b"c__main__\nAlexNet\n)R.",
    "what is known, called wrongly": b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.",
    "an array of a class": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntS'b'\ntR.",
    "a type of anything": b"cnumpy\ndtype\n(S'O'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI63\ntb(S'V8'\ntR.",
    "a text called": b"S'x'\n)R.",
    "a dict called": b"})R.",
    "called with a list": b"ccollections\nOrderedDict\n]R.",
    "a state for a text": b"S'x'\n}b.",
    "a state for a plain dict": b"}}b.",
    "a state for a function": b"ccollections\nOrderedDict\n}b.",
    "a name that is no text": b"\x80\x04K\1K\2\x93.",
    "a persistent id": b"Pos.system\n.",
    "a binary persistent id": b"\x80\x02X\1\0\0\0xQ.",
    "a later protocol": b"\x80\x06N.",
}


def test_the_attacks_are_attacks(tmp_path):
    """Python's Unpickler runs every one of them, some of which then end in an error."""
    for number, content in enumerate(ATTACKS.values()):
        (tmp_path / f"{number}.pkl").write_bytes(content.replace(b"NAME", b"F%03d" % number))
    code = (
        "import pickle, glob, os, signal\n"
        "for path in glob.glob('*.pkl'):\n"
        "    try: pickle.loads(open(path, 'rb').read())\n"
        "    except Exception: pass\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    missing = [name for number, name in enumerate(ATTACKS) if not (tmp_path / f"F{number:03}").exists()]
    assert not missing


@pytest.mark.parametrize("kind", [*ATTACKS, *NOT_RUNNING_THERE])
def test_nothing_is_run(kind, tmp_path, monkeypatch):
    """In every kind of file that holds a pickle: one sentence."""
    monkeypatch.chdir(tmp_path)
    content = (ATTACKS | NOT_RUNNING_THERE)[kind].replace(b"NAME", b"F000")
    before = {*sys.modules}
    for name, file in in_files(content).items():
        (tmp_path / name).write_bytes(file)
        with pytest.raises(ValueError) as refused:
            formats.read(name)
        said = str(refused.value)
        assert said.startswith(f"{name} ") and "\n" not in said and len(said) < 400, said
        if kind in ATTACKS:
            assert "holds an object of " in said and ", whose code was not run: save " in said
    assert not os.path.exists("F000") and not {"torch.hub", "timeit", "__main__.x"} & (sys.modules.keys() - before)


def in_files(content):
    """{name: bytes} of a pickle in all kinds of files."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a/data.pkl", content)
    magic, protocol, system = (pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {}))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    return {
        "zip.pth": zipped.getvalue(),
        "legacy.pth": magic + protocol + system + content,
        "plain.pt": content,
        "system.bin": magic + protocol + content,
        "objects.npy": header.getvalue() + content,
        "objects.npz": mutate.zipped([("arr_0.npy", header.getvalue() + content)]),
    }


# ---------------------------------------------------------------------------------------------------- memory and time

LENGTHS = {
    "BINUNICODE": b"X\xff\xff\xff\x7f",
    "BINUNICODE8": b"\x8d" + b"\xff" * 7 + b"\x7f",
    "BINBYTES": b"B\xff\xff\xff\xff",
    "BINBYTES8": b"\x8e\0\0\0\0\0\1\0\0",
    "BYTEARRAY8": b"\x96\0\0\0\0\0\1\0\0",
    "LONG4": b"\x8b\xff\xff\xff\x7f",
    "LONG4, negative": b"\x8b\xff\xff\xff\xff",
    "LONG4, long": b"\x8b\0\2\0\0" + bytes(512),
    "LONG1": b"\x8a\xff",
    "FRAME": b"\x95\xff\xff\xff\xff\xff\xff\xff\xff",
    "BINSTRING": b"T\xff\xff\xff\xff",
    "INT": b"I" + b"9" * 5000 + b"\n",
    "LONG": b"L" + b"9" * 5000 + b"L\n",
    "FLOAT": b"F" + b"9" * 5000 + b"\n",
    "GLOBAL": b"c" + b"x" * 5000 + b"\ny\n",
    "a number that is none": b"Iten\n",
    "a line without an end": b"S'x",
    "a text without quotes": b"Sx\n",
    "no text": b"X\1\0\0\0\xff",
    "nothing to memorise": b"q\0",
    "a negative place": b"Np-1\n",
    "nothing in the memo": b"h\0",
    "nothing on the stack": b"\x86",
    "no mark": b"NNt",
    "a value below the mark": b"N(0a",
    "an odd dict": b"(NNNd",
    "nothing to append to": b"(NNe",
    "appending to a tuple": b")Na",
    "setting in a list": b"]NNs",
    "adding to a list": b"\x80\x04](N\x90",
    "an empty class": b"(o",
    "an unknown opcode": b"\xfe",
    "no end": b"N",
    "nothing at all": b"",
}


@pytest.mark.parametrize("kind", LENGTHS)
def test_damaged_pickles(kind):
    """One sentence with the place, and no memory for what a pickle only claims."""
    tracemalloc.start()
    try:
        with pytest.raises(pickles.Damaged, match=r"^at byte [\d,]+ of the pickle [a-z']"):
            load(LENGTHS[kind] + (b"" if kind in ("no end", "nothing at all", "FRAME") else b"."))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


MEMORY = 2**19
BOMBS = {
    "sets": b"\x80\x04" + b"\x8f" * 5000 + b".",
    "lists": b"]" * 10_000 + b".",
    "marks": b"(" * 10_000 + b"N.",
    "tuples": b")" + b"\x85" * 12_000 + b".",
    "memo": b"\x80\x04N" + b"\x94" * 6000 + b".",
    "opcodes that make nothing": b"\x80\x02Nq\0" + b"h\x000" * 9000 + b".",
    "wide texts": b"X\0\0\3\0" + "\U0001f600".encode() + b"x" * (0x30000 - 4) + b".",
    "the same text as bytes": (
        b"X\0\0\1\0" + b"x" * 0x10000 + b"q\0" + b"c_codecs\nencode\n(h\0U\6latin1tR" * 40 + b"."
    ),
    "dicts of a dict": b"}(" + b"".join(b"M" + struct.pack("<H", i) + b"N" for i in range(500)) + b"uq\0"
    b"" + b"ccollections\nOrderedDict\n(h\0tR" * 30 + b".",
    "an array named often": (
        b"T\0\0\1\0" + b"x" * 0x10000 + b"q\0cnumpy\ndtype\n(U\2u1K\0K\1tR(K\3U\1|NNNI-1\nI-1\nK\0tbq\1"
        b""
        + b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tU\1btR(K\1(J\0\0\1\0th\1\x89h\0tb" * 40
        + b"."
    ),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_many_small_objects_are_counted(kind):
    content = BOMBS[kind]
    tracemalloc.start()
    try:
        with pytest.raises(pickles.Damaged, match="take far more bytes of memory than the file is long"):
            load(content, memory=MEMORY)
        assert tracemalloc.get_traced_memory()[1] < 2 * MEMORY + 4 * len(content)
    finally:
        tracemalloc.stop()
    load(content, memory=2**26)  # not refused for anything else


def test_a_place_in_the_memo_takes_no_room():
    assert load(b"\x80\x02]r\xff\xff\xff\xff0j\xff\xff\xff\xff.") == []


def test_a_path_of_many_paths_stays_short():
    content = b"V" + b"x" * 10_000 + b"\np0\n0" + b"cpathlib\nPosixPath\n(g0\ng0\ntRp0\n0" * 60 + b"g0\n."
    assert len(load(content)) < 300
    with pytest.raises(pickles.Damaged, match="a path or a device is not made of texts"):
        load(b"cpathlib\nPosixPath\n(" + b"S'x'\n" * 101 + b"tR.")


@pytest.mark.parametrize(
    "key", [b"]", b"}", b"\x8f", b")" + b"\x85" * 20_000, b"(" + b"K\1" * 9 + b"t", b"\x8a\x20" + b"\x7f" * 32]
)
def test_keys_are_texts_and_numbers(key):
    """Hashing a deep tuple would take more of the C stack than there is, and integers can be chosen to collide."""
    for content in (b"}" + key + b"Ns.", b"\x8f(" + key + b"\x90.", b"(" + key + b"\x91.", b"(" + key + b"Nd."):
        with pytest.raises(pickles.Damaged, match="the key of a dict is not a text or a number"):
            load(b"\x80\x04" + content)
    assert load(b"\x80\x04]" + key + b"a.") is not None  # as a value it does no harm


def test_deep_nesting_is_no_recursion():
    found = load(b"]" + b"q\0(h\0t" * 20_000 + b".")
    del found
    doubled = load(b"\x80\x02]q\0" + b"h\0h\0\x86q\0" * 100 + b".")
    assert len(doubled) == 2


AN_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tU\1btR(K\1(K\1tDTYPE\x89U\4abcdtb"


@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy.core.multiarray\n_reconstruct\n(ARRAYNNtR",
        b"cnumpy.core.numeric\n_frombuffer\n(U\4abcdDTYPE(K\1tARRAYtR",
        b"cnumpy.core.numeric\n_frombuffer\n(U\4abcdDTYPE(K\1tU\1K(K\0K\0ttR",
        b"cnumpy.core.numeric\n_frombuffer\n(U\4abcdDTYPE(K\1tU\1K(]ttR",
        b"cnumpy.core.numeric\n_frombuffer\n(U\4abcdDTYPE(K\1tU\1KARRAYtR",
        b"cnumpy.core.numeric\n_frombuffer\n(U\4abcdDTYPEARRAYU\1CtR",
        b"cnumpy.core.multiarray\nscalar\n(DTYPEARRAYtR",
        b"cnumpy.core.multiarray\nscalar\n(ARRAYU\4abcdtR",
        b"cnumpy\ndtype\n(ARRAYtR",
        b"cnumpy\ndtype\n(U\2f4tR(K\3ARRAYtb",
        b"c_codecs\nencode\n(U\1xARRAYtR",
        b"cbuiltins\nbytes\n(ARRAYtR",
        b"ccollections\nOrderedDict\n(ARRAYtR",
        b"ccollections\nOrderedDict\n((ARRAYARRAYtttR",
        b"cbuiltins\ncomplex\n(ARRAYF1\ntR",
        b"cpathlib\nPath\n(ARRAYtR",
        b"\x80\2}ARRAYNs",
        b"ARRAYARRAYb",
        b"ARRAYARRAYR",
        b"ARRAYARRAY\x93",
    ],
)
def test_arrays_where_they_do_not_belong(content):
    """Comparing one with a text gives another array, which is neither true nor false."""
    array = AN_ARRAY.replace(b"K\1(K\1t", b"K\1(K\2t").replace(b"abcd", b"abcdefgh").replace(b"U\4", b"U\x08")
    with pytest.raises(pickles.Damaged, match=r"^at byte \d+ of the pickle [a-z]"):
        load(content.replace(b"ARRAY", array).replace(b"DTYPE", DTYPE) + b".")


STATES = {
    "no tuple": b"N",
    "short": b"(K\1t",
    "a negative size": b"(K\1(J\xff\xff\xff\xfftDTYPE\x89U\0t",
    "too few bytes": b"(K\1(K\3tDTYPE\x89U\x04abcdt",
    "too many bytes": b"(K\1(tDTYPE\x89U\x08abcdefght",
    "far too large": b"(K\1(\x8a\x08\0\0\0\0\0\0\0\x7ftDTYPE\x89U\0t",
    "too many axes": b"(K\1(" + b"K\1" * 40 + b"tDTYPE\x89U\4abcdt",
    "no type": b"(K\1(tN\x89U\4abcdt",
    "no bytes": b"(K\1(tDTYPE\x89Nt",
    "texts as bytes": b"(K\1(tDTYPE\x89X\4\0\0\0\xc4\x80\xc4\x80t",
    "a list of numbers": b"(K\1(K\1tDTYPE\x89]K\1at",
    "bytes as objects": b"(K\1(K\1tOBJECT\x89U\4abcdt",
    "another number of objects": b"(K\1(K\2tOBJECT\x89]K\1at",
}
DTYPE = b"cnumpy\ndtype\n(U\2f4K\0K\1tR(K\3U\1<NNNI-1\nI-1\nK\0tb"


@pytest.mark.parametrize("kind", STATES)
def test_forged_arrays(kind):
    state = STATES[kind].replace(b"DTYPE", DTYPE).replace(b"OBJECT", DTYPE.replace(b"U\2f4", b"U\2O8"))
    with pytest.raises(
        pickles.Damaged, match="at byte .* of the pickle (the state|a shape|the type|the bytes|an array)"
    ):
        load(b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tU\1btR" + state + b"b.")


@pytest.mark.parametrize("code", ["V8", "f3", "U5", "M8[ns]", "f4,f4", "", "(2,)f4", "g", "e"])
def test_types_of_other_than_numbers(code):
    with pytest.raises(pickles.Damaged, match="the type of an array is not one of numbers"):
        load(DTYPE.replace(b"U\2f4", b"U" + bytes([len(code)]) + code.encode()) + b".")
    with pytest.raises(pickles.Damaged, match="the type of an array has no byte order"):
        load(DTYPE.replace(b"U\1<", b"U\1x") + b".")
