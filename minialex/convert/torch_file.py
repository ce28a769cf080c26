"""Reading and writing the files of torch.save, without torch and without running what is in them.

torch_forms.py describes the files. What is written is the zip archive of torch >= 1.6: its pickle, of protocol 2, calls
nothing but OrderedDict and the functions that make tensors, so that torch.load(weights_only=True) reads it.
"""

from __future__ import annotations

import contextlib
import math
import os
import struct
import zipfile

import numpy as np

from ..support import npz
from . import floats, state_dicts
from .pickles import Damaged, NotRun
from .torch_forms import Legacy, Tar, Zip
from .torch_tensors import STORAGES, TYPES, Tensor


def read(path, description):
    """Read the state dict in a file of torch.save.

    path: of the file.
    description: the key in the state dict's _metadata of {"text": JSON, "arrays": {name: tensor}}.

    Returns {name: array}, the description's {name: array}, and its text, or None where there is none; bfloat16 and
    float8 become float32, which holds them exactly.
    Raises OSError where the file cannot be read, ValueError where it is damaged, needs code to be run, or holds no
    state dict.
    """
    try:
        with contextlib.closing(_opened(path)) as source:
            state = state_dicts.find(path, source.found)
            metadata = getattr(state, "attributes", {}).get("_metadata", {})
            if not isinstance(metadata, dict):
                raise Damaged("the _metadata of its state dict is not a dict")
            described = metadata.get(description)
            if described is None:
                return source.arrays(state), {}, None
            text, rest = _described(described)
            return source.arrays(state), source.arrays(rest), text
    except NotRun as error:
        raise ValueError(f"{path} holds {error}: save model.state_dict(), not the model") from None
    except Damaged as error:
        raise ValueError(f"{path} is cut short or damaged, or not a PyTorch file ({error})") from None


def _described(described):
    """The text and the tensors of a description; raises Damaged where it is none."""
    text, rest = (described.get("text"), described.get("arrays")) if isinstance(described, dict) else (None, None)
    if not isinstance(text, str) or not isinstance(rest, dict):
        raise Damaged("its description is not a text with arrays")
    if not all(isinstance(tensor, Tensor | np.ndarray) for tensor in rest.values()):
        raise Damaged("the arrays of its description are not tensors")
    return text, rest


def _opened(path):
    with open(path, "rb") as file:
        start = file.read(512)
        length = os.fstat(file.fileno()).st_size
        if start.startswith(b"PK\3\4"):
            return Zip(path, npz.allowance(length))
        content = bytearray(length)
        file.seek(0)
        del content[file.readinto(content) :]
    return (Tar if start[257:262] == b"ustar" else Legacy)(content, npz.allowance(length))


def write(file, state, metadata=None):
    """Write a state dict.

    file: open for writing bytes.
    state: {name: array}.
    metadata: of the state dict, {key: {"text": text, "arrays": {name: array}}}; none if None.

    Raises ValueError for an array whose type torch does not have.
    """
    storages: list[np.ndarray] = []
    content = _ordered({name: _tensor(name, array, storages) for name, array in state.items()})
    if metadata is not None:
        content += (
            _dict({"_metadata": _dict({key: _description(one, storages) for key, one in metadata.items()})}) + b"b"
        )
    with zipfile.ZipFile(file, "w") as archive:
        _add(archive, "data.pkl", b"\x80\x02" + content + b".")
        _add(archive, "byteorder", b"little")
        for key, array in enumerate(storages):
            _add(archive, f"data/{key}", array.reshape(-1).view(np.uint8))
        _add(archive, "version", b"3\n")


def _add(archive, name, content):
    """Add a member whose bytes begin at a multiple of 64, as torch writes them, behind an extra field of zeros."""
    info = zipfile.ZipInfo(f"archive/{name}")
    padding = -(archive.fp.tell() + 30 + len(info.filename) + 4) % 64
    info.extra = b"FB" + struct.pack("<H", padding) + bytes(padding)
    archive.writestr(info, content)


# ---- opcodes of protocol 2; pickles.py reads them


def _text(text):
    content = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(content)) + content


def _integer(number):
    return b"K" + bytes([number]) if number < 256 else b"\x8a\x09" + number.to_bytes(9, "little")


def _tuple(*parts):
    return b"(" + b"".join(parts) + b"t"


def _dict(pairs):
    return b"}(" + b"".join(_text(key) + value for key, value in pairs.items()) + b"u"


def _name(module, name):
    return f"c{module}\n{name}\n".encode()


def _ordered(pairs):
    return _name("collections", "OrderedDict") + b")R" + _dict(pairs)[1:]


def _description(description, storages):
    arrays = {name: _tensor(name, array, storages) for name, array in description["arrays"].items()}
    return _dict({"text": _text(description["text"]), "arrays": _dict(arrays)})


def _tensor(name, array, storages):
    """The call that makes a tensor; adds its numbers to `storages`."""
    own = array.dtype.newbyteorder("=")
    kinds = [kind for kind, stored in TYPES.items() if stored == own and kind not in floats.STORED]
    if not kinds:
        raise ValueError(f"{name} is an array of {array.dtype}, which torch does not have")
    kind = kinds[0]
    array = np.asarray(array, TYPES[kind].newbyteorder("<"), order="C")
    of_class = next((f"{storage}Storage" for storage, other in STORAGES.items() if other == kind), None)
    key = _text(str(len(storages)))
    storages.append(array)
    strides = [math.prod(max(1, n) for n in array.shape[axis + 1 :]) for axis in range(array.ndim)]
    if of_class:
        storage, count, function, of_type = _name("torch", of_class), array.size, "_rebuild_tensor_v2", b""
    else:  # unsigned integers of more than 8 bits
        storage, count, function = _name("torch.storage", "UntypedStorage"), array.nbytes, "_rebuild_tensor_v3"
        of_type = _name("torch", kind)
    persistent = _tuple(_text("storage"), storage, key, _text("cpu"), _integer(count)) + b"Q"
    size, stride = (_tuple(*map(_integer, numbers)) for numbers in (array.shape, strides))
    hooks = _name("collections", "OrderedDict") + b")R"
    return _name("torch._utils", function) + _tuple(persistent, b"K\0", size, stride, b"\x89", hooks, of_type) + b"R"
