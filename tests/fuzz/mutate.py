"""Mutations of files that a program reads: of bytes, of text, of JSON and TOML, of NumPy's headers and zip archives.

Every function takes a random.Random first and draws nothing elsewhere, so that a seed gives the same input again. A
mutation by KINDS knows the format, and goes past what would refuse most inputs at once: a zip member is changed and its
checksum written anew, the values in a JSON text are changed and it stays JSON.
"""

from __future__ import annotations

import copy
import functools
import gzip
import io
import json
import pickletools
import re
import struct
import tarfile
import tomllib
import warnings
import zipfile
import zlib

INTEGERS = (
    *(0, 1, 2, 7, 8, 16, 127, 128, 255, 256, 1000, 32767, 32768, 65500, 65535, 65536, 10**6, 2**24, 10**9, 2**31 - 1),
    *(2**31, 2**32 - 1, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -1, -2, -128, -(2**31), -(2**63)),
)
# Python objects and NumPy's that no description means, and those that its programs treat in a special way.
ODD_VALUES = (
    *(None, True, False, 0, 1, -1, -5, 3, 1.5, -0.0, 1e300, 5e-324, float("inf"), float("-inf"), float("nan")),
    *(10**9, 2**31, 2**63, 2**64, 10**30, 10**400, -(10**400), "", " ", "x", "0", "10", "1.5", "nan", "null"),
    *("../../x", "/etc/passwd", "~nosuchuser/x", "a\0b", "\x1b[31m", "\ud800", "$x^2$", "é\u202e", "x" * 20_000),
    *([], {}, [[]], [{}], [None], [1, 2], {"x": 1}, {"$array": "weights/none"}, {"$array": None}, {"$array": []}),
    *({"array": 0}, {"array": -1}, {"array": 10**30}, {"tensor": 0}, {"list": 3}, {"dict": [[{}, 1]]}),
)
LINES = (
    *("", " ", "\t", "#", ",", "=", "x", "0", "-1", "10", "99999999999999999999", "9" * 5000, "a b c", "../../x y"),
    *("/etc/passwd 0", "x\x1b[2Jy z", "$x^2$ $", "é ü", "\u202eabc 0", "\ufeff", "x" * 20_000),
    *("²", "١", "1e3", "nan"),
)
DESCRS = (
    *("'|O'", "'>f4'", "'<f8'", "'<f2'", "'<c16'", "'|b1'", "'<i8'", "'|u1'", "'<U9'", "'<U999999999'", "'|S0'"),
    *("'|V10'", "'<M8[ns]'", "'<m8'", "[('a', '<f4')]", "[('a', '|O')]", "('<f4', (3,))", "'<f4,<f4'", "'x'", "None"),
    *("['<f4']", "{'names': ['a'], 'formats': ['<f4']}", "7", "''"),
)
SHAPES = (
    *("()", "(0,)", "(1,)", "(-1,)", "(3, 0)", "(1000000000000000000,)", "(0, 1000000000000000000)", "(4294967296,)"),
    *("(4294967296, 4294967296, 4294967296)", "(True,)", "(1.5,)", "('x',)", "[1]", "1", "None", f"({'1, ' * 70})"),
    "(" + "-" * 9000 + "1,)",  # too deep for the compiler, which says that memory is lacking
    *("(150000000,)", "(600000000,)", "()" + " " * 12_000, "(" * 300 + ")" * 300),
)
NAMES = (
    *("../outside.npy", "/tmp/outside.npy", "..\\outside.npy", "a/../../outside.npy", "x" * 300, "", " ", ".npy"),
    *("checkpoint", "minialex", "0.npy", "é.npy", "a\nb.npy", "weights/", "data.pkl"),
)
# Files of other kinds.
STRANGERS = (
    *(b"", b"\0", b"\n", b"hello\n", b"PK\5\6" + bytes(18), b"PK\3\4" + bytes(26), b"\x7fELF\2\1\1" + bytes(57)),
    *(b"%PDF-1.4\n%\xe2\xe3\n", b"\x1f\x8b\x08" + bytes(20), b"\x89HDF\r\n\x1a\n" + bytes(50), b"\x80\x04N."),
    b"\xff" * 1000,
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(executed) (w) file closefile\n%%EOF\n",
    b"cos\nsystem\n(S'touch executed'\ntR.",
    b"import os; os.system('touch executed')\n",
)
# Pieces of pickles that call something; a reader that runs them is seen by what they call.
PICKLES = (
    b"cos\nsystem\n(S'touch executed'\ntR.",
    b"\x80\x02cposix\nsystem\nq\x00X\x0e\x00\x00\x00touch executedq\x01\x85q\x02Rq\x03.",
    b"\x80\x04\x8c\x08builtins\x94\x8c\x04exec\x94\x93\x94\x8c\x0cimport this\x94\x85\x94R\x94.",
    b"cbuiltins\neval\n(S'1'\ntR.",
    b"ctorch\nload\n(S'x'\ntR.",
    b"cnumpy._core.multiarray\n_reconstruct\n",
    b"\x80\x02]q\x00h\x00h\x00e.",
    b"\x8a\xff" + b"\xff" * 255,
    b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"r\xff\xff\xff\x7f",
)


OPCODES = tuple(bytes([code]) for code in b"N]})(0121tlbdaesuRobQ\x81\x85\x86\x8f\x90\x91\x93\x94") + (
    *(b"K\x01", b"J\xff\xff\xff\xff", b"U\x01x", b"h\x00", b"h\x05", b"q\x00", b"\x8a\x08" + b"\xff" * 7 + b"\x7f"),
    *(
        b"cos\nsystem\n",
        b"ccollections\nOrderedDict\n",
        b"c__builtin__\nset\n",
        b"cnumpy\ndtype\n",
        b"cnumpy\nndarray\n",
    ),
    *(b"cnumpy._core.multiarray\n_reconstruct\n", b"cnumpy._core.multiarray\nscalar\n", b"ctorch\nFloatStorage\n"),
    *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nfloat16\n"),
)


# ------------------------------------------------------------------------------------------------------------- bytes


def place(rng, content, size=0):
    """A place in some bytes, at least `size` before their end: headers are at the beginning, directories at the end."""
    last = max(0, len(content) - size)
    where = rng.random()
    if where < 0.35:
        return rng.randrange(min(last, 128) + 1)
    return rng.randrange(max(0, last - 200), last + 1) if where < 0.55 else rng.randrange(last + 1)


def flip(rng, content):
    at = place(rng, content, 1)
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :] if content else b"\1"


def overwrite(rng, content):
    at, size = place(rng, content, 1), rng.choice((1, 1, 2, 4, 16))
    return content[:at] + rng.randbytes(size) + content[at + size :]


def number(rng, content):
    """Another integer where one may stand."""
    size = rng.choice((1, 2, 2, 4, 4, 4, 8))
    at = place(rng, content, size)
    at -= at % min(size, 2)
    value = rng.choice(INTEGERS) % 256**size
    return content[:at] + value.to_bytes(size, rng.choice(("little", "big"))) + content[at + size :]


def near(rng, content):
    """An integer that is a little larger or smaller than the one that stands there."""
    size, order = rng.choice((1, 2, 4)), rng.choice(("little", "big"))
    at = place(rng, content, size)
    value = int.from_bytes(content[at : at + size], order) + rng.choice((-2, -1, 1, 2, 16))
    return content[:at] + (value % 256**size).to_bytes(size, order) + content[at + size :]


def insert(rng, content):
    at = place(rng, content)
    new = rng.choice((rng.randbytes(rng.choice((1, 2, 8, 100))), bytes(64), b"\xff" * 16))
    return content[:at] + new + content[at:]


def delete(rng, content):
    at = place(rng, content, 1)
    return content[:at] + content[at + rng.choice((1, 2, 4, 8, 64, 500)) :]


def truncate(rng, content):
    return content[: place(rng, content)]


def duplicate(rng, content):
    at, size = place(rng, content), rng.choice((4, 16, 64, 500))
    return content[: at + size] + content[at : at + size] * rng.choice((1, 1, 2, 50)) + content[at + size :]


def erase(rng, content):
    at, size = place(rng, content), rng.choice((2, 8, 32, 200))
    return content[:at] + rng.choice((b"\0", b"\xff")) * size + content[at + size :]


def swap(rng, content):
    """Two blocks in each other's place."""
    size = rng.choice((2, 4, 16, 64))
    a, b = sorted((place(rng, content, size), place(rng, content, size)))
    b = max(b, a + size)
    return content[:a] + content[b : b + size] + content[a + size : b] + content[a : a + size] + content[b + size :]


def append(rng, content):
    return content + rng.choice((rng.randbytes(20), b"\0" * 70_000, content))


BYTES = (flip, flip, overwrite, overwrite, number, number, number, near, near, insert, delete)
BYTES += (truncate, duplicate, erase, swap, append)


def of_bytes(rng, content, others=()):
    """One to four mutations of any bytes.

    others: contents of other files of the kind, to continue with from some place on.
    """
    for _ in range(rng.choice((1, 1, 2, 4))):
        if others and rng.random() < 0.08:
            other = rng.choice(others)
            content = content[: place(rng, content)] + other[place(rng, other) :]
        else:
            content = rng.choice(BYTES)(rng, content)
    return content


# -------------------------------------------------------------------------------------------------------------- text


def of_text(rng, content, others=()):
    """Lines dropped, repeated, swapped, replaced and joined, words in each other's place, other encodings."""
    if rng.random() < 0.2:
        return of_bytes(rng, content, others)
    lines = content.decode(errors="surrogateescape").split("\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        at, what = rng.randrange(len(lines)), rng.randrange(8)
        if what == 0:
            lines[at : at + 1] = []
        elif what == 1:
            lines.insert(rng.randrange(len(lines) + 1), lines[at])
        elif what == 2:
            lines[at] = rng.choice(LINES)
        elif what == 3:
            lines.insert(at, rng.choice(LINES))
        elif what == 4:
            words = lines[at].split(" ")
            words[rng.randrange(len(words))] = rng.choice((*" ".join(lines).split(), *LINES))
            lines[at] = " ".join(words)
        elif what == 5:
            other = lines[at].replace(" ", rng.choice(("", "\t", ",", "=")))
            lines[at] = rng.choice((lines[at] + lines[at - 1], other))
        elif what == 6:
            pairs = (("0", "-1"), ("1", "1e400"), ("a", "\0"), (" ", "\r"), ("e", "é"))
            lines[at] = lines[at].replace(*rng.choice(pairs))
        elif len(lines) < 1000:
            lines *= rng.choice((2, 40))
        lines = lines or [""]
    text = "\n".join(lines)
    encodings = ("utf-8", "utf-8", "utf-8", "utf-8", "utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig")
    errors = "surrogatepass" if (encoding := rng.choice(encodings)).startswith("utf") else "replace"
    return text.encode(encoding, errors)


# ----------------------------------------------------------------------------------------------------- JSON and TOML


def nodes(tree, path=()):
    """(container, key) of every value in a tree of dicts and lists."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        yield tree, key
        yield from nodes(value)


_DEEP = "<deep>"  # in place of the brackets, around which json.dumps would recurse


def of_tree(rng, tree):
    """One to three values of a tree of dicts and lists changed; returns (tree, depth of brackets around _DEEP)."""
    tree, depth = {"": copy.deepcopy(tree)}, 0
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = list(nodes(tree))
        # Leaves, such as the epochs of a long history, are many: as often, a value near the top.
        container, key = rng.choice(found if rng.random() < 0.6 else found[: 2 + len(found) // 4])
        value, what = container[key], rng.randrange(11)
        if what <= 2:
            container[key] = copy.deepcopy(rng.choice(ODD_VALUES))
        elif what == 3 and container is not tree:
            del container[key]
        elif what == 4 and isinstance(container, dict):
            name = rng.choice(("x", "", "$array", f"{key}2", "../x", "format", "é\0", "9" * 20))
            container[name] = copy.deepcopy(value)
        elif what == 4:
            container[key:key] = [copy.deepcopy(value)] * rng.choice((1, 1, 30))
        elif what == 5:
            container[key] = copy.deepcopy(rng.choice([c[k] for c, k in found]))
        elif what == 6:
            other, its = rng.choice(found)
            container[key] = copy.deepcopy(other[its])
        elif what == 7:
            container[key] = rng.choice(([value], {"x": value}, [value, value], str(value)[:1000]))
        elif what == 8 and isinstance(value, (int, float)) and abs(value) < 1e18:
            near = -value, value + 1, value - 1, value * 10**6, value + 0.5
            container[key] = rng.choice((*near, rng.choice(INTEGERS)))
        elif what == 8 and isinstance(value, str) and len(value) < 1000:
            near = value + "x", value[:-1], value.upper(), value * 500, f"../{value}", f" {value}"
            container[key] = rng.choice(near)
        elif what == 9 and isinstance(value, (dict, list)):
            container[key] = {} if isinstance(value, dict) else []
        elif what == 10 and not depth:
            container[key], depth = _DEEP, rng.choice((1, 30, 600, 3000, 100_000))
        else:
            container[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    return tree.get("", {}), depth


def of_json(rng, content, others=()):
    """The values of a JSON text changed, so that it mostly stays JSON."""
    what = rng.random()
    if what < 0.12:
        return of_bytes(rng, content, others)
    if what < 0.15:
        deep = b"[" * 100_000, b'{"x":' * 100_000
        return rng.choice((b"", b"{}", b"[]", b"null", b"3", b'"x"', b"\xff\xfe{\0}\0", *deep))
    try:
        tree, depth = of_tree(rng, json.loads(content))
    except (ValueError, RecursionError):  # changed before
        return of_bytes(rng, content, others)
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.9).encode("utf-8", "surrogatepass")
    if what < 0.2:  # a key twice
        text = text.replace(b", ", b', "format": 1, ', 1)
    opening, closing = rng.choice(((b"[", b"]"), (b'{"x":', b"}"), (b'{"list":[', b"]}")))
    return text.replace(json.dumps(_DEEP).encode(), opening * depth + b"1" + closing * depth)


def of_toml(rng, content, others=()):
    """The values of a TOML text changed."""
    if rng.random() < 0.2:
        return of_text(rng, content, others)
    try:
        tree, depth = of_tree(rng, tomllib.loads(content.decode()))
    except (ValueError, RecursionError):  # changed before
        return of_text(rng, content, others)
    tree = tree if isinstance(tree, dict) else {"x": tree}
    text = "\n".join(f"{_quoted(str(key))} = {to_toml(value)}" for key, value in tree.items())
    opening, closing = rng.choice((("[", "]"), ("{x=", "}")))
    return text.replace(_quoted(_DEEP), opening * depth + "1" + closing * depth).encode("utf-8", "surrogatepass")


def to_toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(str(key))} = {to_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (bool, int)):
        return json.dumps(value)
    return "1979-05-27" if value is None else str(value)  # dates and times


def _quoted(text):
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# --------------------------------------------------------------------------------------------------------------- .npy


def of_npy(rng, content, others=()):
    """Another type or shape in the header of a NumPy file, or other numbers in it; of JSON in one, other values."""
    if len(content) < 20 or content[:6] != b"\x93NUMPY" or rng.random() < 0.15:
        return of_bytes(rng, content, others)
    start = 10 + struct.unpack("<H", content[8:10])[0]
    header, data = content[10:start].decode("latin-1"), content[start:]
    if data[:1] == b"{" and rng.random() < 0.85:
        data = of_json(rng, data)
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(data)},), }}"
    elif rng.random() < 0.3:
        data = of_bytes(rng, data)
    else:
        fields = header.partition("'descr': ")[2].partition(", 'fortran_order': ")
        descr, (order, _, shape) = fields[0], fields[2].partition(", 'shape': ")
        shape = shape.rpartition(", }")[0]
        for _ in range(rng.choice((1, 1, 2))):
            what = rng.randrange(6)
            if what <= 1:
                descr = rng.choice(DESCRS)
            elif what <= 3:
                near = shape.replace("(", "(1, "), shape.replace(",", ", 1,", 1), shape[:-1] + "3)"
                shape = rng.choice((*SHAPES, *near))
            elif what == 4:
                order = rng.choice(("True", "False", "1", "None", "'x'"))
            else:
                data = rng.choice((data[: len(data) // 2], data + data, b"", data[:-1]))
        header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    if rng.random() < 0.05:
        header = rng.choice(("", "{}", "[]", "(" * 3000, "{'x': 1}", "__import__('os').system('touch executed')"))
    version = rng.choice(((1, 0), (1, 0), (1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    header = (header + " " * (-(len(header) + 11) % 64) + "\n").encode("latin-1", "replace")
    size = struct.pack("<H", len(header) % 65536) if version == (1, 0) else struct.pack("<I", len(header))
    return b"\x93NUMPY" + bytes(version) + size + header + data


# ---------------------------------------------------------------------------------------------------------------- zip


def members(content):
    """[(name, bytes)] of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def zipped(files, compression=zipfile.ZIP_STORED, comment=b"", date=(1980, 1, 1, 0, 0, 0)):
    """A zip archive of [(name, bytes)], whose names may occur twice."""
    written = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(written, "w", compression) as archive:
        for name, content in files:
            info = zipfile.ZipInfo("x", date)
            info.filename = name
            info.compress_type = compression
            archive.writestr(info, content)
        archive.comment = comment
    return written.getvalue()


def of_zip(rng, content, others=(), of_member=None):
    """A zip archive with one member changed, renamed, repeated, missing, or described wrongly.

    of_member: the mutation of a member that is no NumPy file.
    """
    if rng.random() < 0.15:
        return of_bytes(rng, content, others)
    try:
        files = members(content)
    except Exception:  # changed before
        return of_bytes(rng, content, others)
    for _ in range(rng.choice((1, 1, 1, 2))):
        at = 0 if rng.random() < 0.4 else rng.randrange(len(files))  # the description is the first member
        name, inner = files[at]
        what = rng.randrange(12)
        if what <= 5:
            change = of_npy if inner[:6] == b"\x93NUMPY" else of_member or of_bytes
            files[at] = name, change(rng, inner)
        elif what == 6 and len(files) > 1:
            del files[at]
        elif what == 7:
            files[at] = rng.choice((*NAMES, name + "x", name.removesuffix(".npy"), f"../{name}")), inner
        elif what == 8:
            files.insert(rng.randrange(len(files) + 1), (name, rng.choice(files)[1]))
        elif what == 9:
            other = rng.randrange(len(files))
            files[at], files[other] = (name, files[other][1]), (files[other][0], inner)
        elif what == 10 and rng.random() < 0.3:
            return _bomb(files, at)
        else:
            return _misdescribed(rng, zipped(files))
    return zipped(files, rng.choice((zipfile.ZIP_STORED,) * 4 + (zipfile.ZIP_DEFLATED,)))


def _places(content, piece):
    """Where a piece is found in some bytes."""
    return [match.start() for match in re.finditer(re.escape(piece), content)]


def _misdescribed(rng, content):
    """Other sizes, checksums, flags or places in the directory of an archive, or before a member."""
    content = bytearray(content)
    headers = (b"PK\1\2", (8, 10, 16, 20, 24, 28, 30, 32, 42)), (b"PK\3\4", (6, 8, 14, 18, 22, 26, 28))
    signature, fields = rng.choice(headers)
    places = _places(content, signature)
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.choice(places) + rng.choice(fields)
        size = rng.choice((2, 4))
        value = rng.choice((*INTEGERS, 12, 14, 99, int.from_bytes(content[at : at + 4], "little") + 1)) % 256**size
        content[at : at + size] = value.to_bytes(size, "little")
    return bytes(content)


@functools.cache
def _zeros():
    """An array of 600 MB of zeros as a NumPy file, deflated, without compressing all of them; its length and CRC-32."""
    block, count = bytes(1 << 20), 600
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({count << 20},), }}"
    header = b"\x93NUMPY\1\0" + struct.pack("<H", 118) + f"{header:117}\n".encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(header) + packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)  # it refers to nothing before it
    crc = zlib.crc32(header)
    for _ in range(count):
        crc = zlib.crc32(block, crc)
    return packed + again * (count - 1) + packer.flush(zlib.Z_FINISH), len(header) + (count << 20), crc


def _bomb(files, at):
    """The archive with a member that is 600 MB long when it is read."""
    packed, size, crc = _zeros()
    files = list(files)
    files[at] = files[at][0], packed
    content = bytearray(zipped(files))
    stored = struct.pack("<III", zlib.crc32(packed), len(packed), len(packed))
    for start in _places(content, stored):  # before the member, and in the directory
        content[start : start + 12] = struct.pack("<III", crc, len(packed), size)
        content[start - 6 : start - 4] = struct.pack("<H", zipfile.ZIP_DEFLATED)
    return bytes(content)


# ------------------------------------------------------------------------------------------------- other kinds of files


def of_opcodes(rng, content):
    """A pickle with some of its opcodes missing, repeated, exchanged, or between others; what is behind it stays."""
    try:
        places = [place for _, _, place in pickletools.genops(content)]
    except Exception:  # changed before
        return of_bytes(rng, content)
    end = places[-1] + 1
    pieces = [content[a:b] for a, b in zip(places, [*places[1:], end])]
    for _ in range(rng.choice((1, 1, 2, 3))):
        at, other = rng.randrange(len(pieces)), rng.randrange(len(pieces))
        what = rng.randrange(5)
        if what == 0 and len(pieces) > 1:
            del pieces[at]
        elif what == 1:
            pieces[at:at] = [pieces[at]] * rng.choice((1, 1, 3, 2000))
        elif what == 2:
            pieces[at], pieces[other] = pieces[other], pieces[at]
        elif what == 3:
            pieces[at:at] = [rng.choice(OPCODES)]
        else:
            pieces[at] = rng.choice(OPCODES)
    return b"".join(pieces) + content[end:]


def of_pickle(rng, content, others=()):
    """A pickle with other opcodes, and with pieces that call something."""
    if rng.random() < 0.4:
        return of_opcodes(rng, content)
    if rng.random() < 0.5:
        at = place(rng, content)
        piece = rng.choice(PICKLES)
        return content[:at] + piece + (content[at:] if rng.random() < 0.7 else b"")
    return of_bytes(rng, content, others)


def of_pickled(rng, content, others=()):
    """A NumPy file of one Python object: mostly its pickle is changed."""
    start = 10 + struct.unpack("<H", content[8:10])[0]
    if rng.random() < 0.15:
        return of_npy(rng, content, others)
    return content[:start] + of_pickle(rng, content[start:], [other[start:] for other in others])


def of_torch(rng, content, others=()):
    """A file of torch.save, in the new format, a zip archive, or in the old one, a few pickles."""
    if content[:2] == b"PK":
        return of_zip(rng, content, others, of_member=of_pickle)
    return of_pickle(rng, content, others)


def of_safetensors(rng, content, others=()):
    """A .safetensors file with another header, whose length mostly fits."""
    if rng.random() < 0.2:
        return of_bytes(rng, content, others)
    size = int.from_bytes(content[:8], "little")
    header, data = of_json(rng, content[8 : 8 + size]), content[8 + size :]
    if rng.random() < 0.1:
        data = of_bytes(rng, data)
    length = len(header) if rng.random() < 0.95 else rng.choice(INTEGERS) % 2**64
    return length.to_bytes(8, "little") + header + data


def of_keras(rng, content, others=()):
    """A .keras archive; or a .h5 file, with another description in the place of one that ends with many spaces."""
    if content[:2] == b"PK":
        return of_zip(rng, content, others, of_member=of_keras)
    if content[:1] == b"{":
        return of_json(rng, content, others)
    start, end = content.find(b'{"class_name"'), content.find(b" " * 2000) + 2000
    if 0 < start < end and rng.random() < 0.6:
        text = of_json(rng, content[start:end].rstrip())
        if len(text) <= end - start:
            return content[:start] + text.ljust(end - start) + content[end:]
    return of_bytes(rng, content, others)


def _varint(number):
    number, found = number % 2**64, b""
    while number > 127:
        number, found = number >> 7, found + bytes([number & 127 | 128])
    return found + bytes([number])


def _read_varint(content, at):
    number = shift = 0
    while True:
        byte = content[at]
        number, shift, at = number | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return number, at


def _fields(content):
    """[[number, wire type, value]] of a protobuf message; of what is none, nothing."""
    found, at = [], 0
    try:
        while at < len(content):
            key, at = _read_varint(content, at)
            kind = key & 7
            if kind == 0:
                value, at = _read_varint(content, at)
            else:
                size = {1: 8, 5: 4}.get(kind)
                if kind == 2:
                    size, at = _read_varint(content, at)
                if size is None or at + size > len(content) or not 1 <= key >> 3 < 2**29:
                    return []
                value, at = content[at : at + size], at + size
            found.append([key >> 3, kind, value])
    except IndexError:
        return []
    return found


def _message(fields):
    """The inverse of `_fields`."""
    parts = []
    for number, kind, value in fields:
        parts.append(_varint(number << 3 | kind))
        parts.append(_varint(value) if kind == 0 else _varint(len(value)) + value if kind == 2 else value)
    return b"".join(parts)


def of_protobuf(rng, content, others=()):
    """A protobuf message with fields changed, missing, repeated, or of another number or kind; lengths mostly fit."""
    if rng.random() < 0.15:
        return of_bytes(rng, content, others)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = _with_other_field(rng, content)
    return content


def _with_other_field(rng, content, depth=0):
    fields = _fields(content)
    if not fields or depth > 8:
        return of_bytes(rng, content) if content else bytes([rng.randrange(256)])
    field, what = rng.choice(fields), rng.random()
    if field[1] == 2 and what < (0.9 if depth < 2 else 0.6):
        field[2] = _with_other_field(rng, field[2], depth + 1)
    elif what < 0.7:
        if field[1] == 0:
            field[2] = rng.choice((*INTEGERS, field[2] + 1, field[2] - 1, field[2] * 2))
        elif field[1] == 2:
            field[2] = rng.choice((b"", rng.choice(fields)[2] if rng.choice(fields)[1] == 2 else b"x", *_TEXTS))
            field[2] = field[2] if isinstance(field[2], bytes) else b"y"
        else:
            numbers = (0.0, -1.0, 1e30, float("nan"), float("inf"), 0.5)
            field[2] = struct.pack("<f" if field[1] == 5 else "<d", rng.choice(numbers))
    elif what < 0.78:
        fields.remove(field)
    elif what < 0.86:
        fields.insert(rng.randrange(len(fields) + 1), list(field))
    elif what < 0.93:
        rng.shuffle(fields)
    else:
        field[0] = rng.randrange(1, 30)
    return _message(fields)


_TEXTS = tuple(name.encode() for name in NAMES) + (
    b"\xff\xfe",
    b"a\0b",
    b"\x1b[31m",
    b"x" * 3000,
    b"SAME_UPPER",
    b"1e400",
    b"-1",
)


def of_picture(rng, content, others=()):
    """A picture; in a PNG, whose chunks have checksums, these are right in most cases."""
    content = of_bytes(rng, content, others)
    if content[:8] == b"\x89PNG\r\n\x1a\n" and rng.random() < 0.8:
        content = with_checksums(content)
    return content


def with_checksums(content):
    """A PNG whose chunks have the checksums of what is in them."""
    written, at = [content[:8]], 8
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        body = content[at + 4 : at + 8 + size]
        if len(content) < at + 12 + size:
            break
        written.append(content[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big"))
        at += 12 + size
    return b"".join(written) + content[at:]


def of_tar(rng, content, others=()):
    """A tar archive with members of odd names, kinds and sizes; compressed if it was."""
    if rng.random() < 0.2:
        return of_bytes(rng, content, others)
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            files = [(info, tar.extractfile(info).read()) for info in tar]
    except Exception:  # changed before
        return of_bytes(rng, content, others)
    for _ in range(rng.choice((1, 1, 2)) if files else 0):
        at = rng.randrange(len(files))
        info, inner = copy.copy(files[at][0]), files[at][1]
        what = rng.randrange(8)
        if what <= 1:
            odd = "../x", "/tmp/outside", "files/../x", "files/..", "files/.", "files", "files/a/b", "other/x"
            info.name = rng.choice(
                (*odd, "", "files/", "files//x", "./files/x", "files/\0x", "files/" + "x" * 300, "files/é", "in")
            )
        elif what == 2:
            info.type = rng.choice((*(bytes([kind]) for kind in b"0123456SxgLZ"),))
            info.linkname = rng.choice(("../..", "/etc/passwd", "files/a.bin", "a.bin", ""))
        elif what == 3:
            info.size = rng.choice((0, len(inner) + 1, 10**6, 2**33, 2**40, 1))
        elif what == 4:
            info.mode = rng.choice((0, 0o7777, 0o4755))
        elif what == 5:
            files = files[:at] + files[at + 1 :]
        elif what == 6:
            keys, values = ("path", "size", "linkpath", "GNU.sparse.map"), ("../x", "-1", "9" * 30, "x")
            info.pax_headers = {rng.choice(keys): rng.choice(values)}
        if what != 5:
            files.insert(at if rng.random() < 0.5 else 0, (info, inner))
        if not files:
            break
    packed = io.BytesIO()
    for info, inner in files:
        packed.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogatepass"))
        packed.write(inner + bytes(-len(inner) % 512))
    raw = packed.getvalue() + bytes(1024)
    return gzip.compress(raw, 1, mtime=0) if content[:2] == b"\x1f\x8b" else raw


KINDS = {
    "bytes": of_bytes,
    "text": of_text,
    "json": of_json,
    "toml": of_toml,
    "npy": of_npy,
    "npz": of_zip,
    "torch": of_torch,
    "pickled": of_pickled,
    "safetensors": of_safetensors,
    "keras": of_keras,
    "protobuf": of_protobuf,
    "picture": of_picture,
    "tar": of_tar,
}


# --------------------------------------------------------------------------------- what must not change what is read


def same_text(rng, content):
    text = content.decode()
    return rng.choice(
        (
            text.replace("\n", "\r\n").encode(),
            b"\xef\xbb\xbf" + content,
            text.encode("utf-16"),
            b"\xfe\xff" + text.encode("utf-16-be"),
            text.replace("\n", "  \n").encode(),
            content + b"\n\n",
        )
    )


def same_json(rng, content):
    tree = json.loads(content)
    return rng.choice(
        (json.dumps(tree, indent=3), json.dumps(tree, separators=(",", ":")), f" \n{json.dumps(tree)}\n\n")
    ).encode()


def same_toml(rng, content):
    return rng.choice((content + b"\n# a remark\n", b"# a remark\r\n" + content, b"\xef\xbb\xbf" + content))


def same_order(rng, content):
    """The members of an archive in another order, with another date and a remark."""
    files = members(content)
    rng.shuffle(files)
    return zipped(files, comment=rng.choice((b"", b"a remark")), date=(2020, 2, 3, 4, 5, 6))


def same_stored(rng, content):
    """As same_order, and some more members."""
    files = members(content)
    more = [("remark.txt", b"a remark"), ("unused.npy", bytes(500)), ("../outside.npy", b"x")]
    return same_order(rng, zipped(files + rng.sample(more, rng.randrange(len(more) + 1))))


def same_npz(rng, content):
    """As same_stored; or the members compressed, or one more that is 600 MB long."""
    what = rng.random()
    if what < 0.3:
        return zipped(members(content), zipfile.ZIP_DEFLATED)
    if what < 0.35:
        return _bomb([*members(content), ("unused.npy", b"")], -1)
    return same_stored(rng, content)


def same_safetensors(rng, content):
    size = int.from_bytes(content[:8], "little")
    pairs = list(json.loads(content[8 : 8 + size]).items())
    rng.shuffle(pairs)
    header = json.dumps(dict(pairs)).encode() + b" " * rng.randrange(20)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


def same_protobuf(rng, content):
    """With a field that no reader knows, at the end of the message, or before it."""
    field = _message([[rng.randrange(1000, 5000), 2, b"unknown" * rng.randrange(9)]])
    return field + content if rng.random() < 0.5 else content + field


def same_picture(rng, content):
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        body = rng.choice((b"tEXtTitle\0a title", b"prIVwhatever"))
        chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
        return content[:33] + chunk + content[33:]
    if content[:3] == b"\xff\xd8\xff":
        return content[:2] + b"\xff\xfe\x00\x08remark" + content[2:]
    return content + rng.randbytes(50)


SAME = {
    "text": same_text,
    "json": same_json,
    "toml": same_toml,
    "npz": same_npz,
    "stored": same_stored,
    "order": same_order,
    "safetensors": same_safetensors,
    "protobuf": same_protobuf,
    "picture": same_picture,
}
