"""`minialex.save` and `minialex.load`: dicts, lists and tensors in one file, as torch.save, but without pickles.

The file is an `.npz`: the arrays are its members "0", "1", ..., and the member "minialex" is JSON that says what is
made of them. JSON's own null, true, numbers and strings stand for themselves; all else is an object of one key:

    {"list": [...]}   {"tuple": [...]}   {"dict": [[key, value], ...]}
    {"array": 0}      {"scalar": 0}      a NumPy array, a NumPy number
    {"tensor": 0}     the entry of that number in "tensors": {"array": 0, "backend": "numpy", "kind": "Tensor", ...}

Nothing in a file is executed. Members are not compressed, so that a file takes no more memory than its size suggests.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import OrderedDict
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from . import backends
from .nn import Module, Parameter
from .support import files, schema
from .support.text import brief
from .support.types import FileName
from .tensor import Tensor

_FORMAT, _VERSION, _MEMBER = "minialex.save", 1, "minialex"
_PLAIN = (type(None), bool, int, float, str)


def save(obj: Any, f: FileName | IO[bytes]) -> None:
    """Write an object to a file, which `load` reads.

    obj: dicts, lists and tuples, nested as you like, of Tensors, arrays, numbers, strings, truth values and None, such
        as {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}. A tensor or array that stands
        in several places is written once. Gradients are not written; an OrderedDict comes back as a dict.
    f: a path, replaced when all is written, or a file that is open for writing bytes.

    Raises TypeError for other objects, and for a Module: save its state_dict(). OSError where writing fails.
    """
    writer = _Writer()
    try:
        tree = writer.pack(obj, "the object")
    except RecursionError:
        raise ValueError("save: the object is nested too deeply, or contains itself") from None
    text = json.dumps({"format": _FORMAT, "version": _VERSION, "tensors": writer.tensors, "object": tree})
    arrays = {str(i): array for i, array in enumerate(writer.arrays)}
    members: dict[str, Any] = {_MEMBER: np.frombuffer(text.encode(), np.uint8), **arrays}
    if hasattr(f, "write"):
        np.savez(f, **members)
        return
    with files.replacing(f) as file:
        np.savez(file, **members)


class _Writer:
    """Collects the arrays of an object; `pack` returns its description."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self.tensors: list[dict[str, Any]] = []
        self._seen: dict[int, tuple[Any, int]] = {}  # id -> the object, which thereby lives, and its number

    def pack(self, value: Any, place: str) -> Any:
        if isinstance(value, Tensor):
            return {"tensor": self._tensor(value)}
        if isinstance(value, np.ndarray) or hasattr(value, "__cuda_array_interface__"):
            return {"array": self._array(value, value, place)}
        if isinstance(value, np.generic):
            return {"scalar": self._array(np.asarray(value), value, place)}
        if type(value) in _PLAIN:
            return value
        if type(value) in (list, tuple):
            return {type(value).__name__: [self.pack(v, f"{place}[{i}]") for i, v in enumerate(value)]}
        if type(value) in (dict, OrderedDict):
            pairs = [[self.pack(k, f"a key of {place}"), self.pack(v, f"{place}[{k!r}]")] for k, v in value.items()]
            return {"dict": pairs}
        if isinstance(value, Module) or hasattr(value, "state_dict"):
            raise TypeError(f"save: {place} is a {type(value).__name__}: save its state_dict(), and load that into one")
        raise TypeError(
            f"save: {place} is a {type(value).__name__}: it takes dicts, lists and tuples of Tensors, arrays, numbers, "
            "strings, truth values and None"
        )

    def _tensor(self, tensor: Tensor) -> int:
        if id(tensor) not in self._seen:
            entry = {
                "array": self._array(tensor.numpy(), tensor.data, "a tensor"),
                "backend": tensor.backend.name,
                "kind": "Parameter" if isinstance(tensor, Parameter) else "Tensor",
                "requires_grad": tensor.requires_grad,
            }
            self._seen[id(tensor)] = tensor, len(self.tensors)
            self.tensors.append(entry)
        return self._seen[id(tensor)][1]

    def _array(self, array: Any, original: Any, place: str) -> int:
        if id(original) not in self._seen:
            array = array.get() if hasattr(array, "get") else array  # from a GPU
            if array.dtype.hasobject:
                raise TypeError(f"save: {place} is an array of Python objects: make it a list")
            self._seen[id(original)] = original, len(self.arrays)
            self.arrays.append(array)
        return self._seen[id(original)][1]


def load(f: FileName | IO[bytes], map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Read what `save` wrote.

    f: a path, or a file that is open for reading bytes and can be searched.
    map_location: the backend of all tensors, or its name; "cpu" for one in the CPU's memory; None for the backend that
        each was on.
    weights_only: True, as nothing in a file is ever executed.

    Returns the object. Raises FileNotFoundError where there is no such file; ValueError where it is not from `save`, is
    damaged, or where a tensor's backend cannot be used here.
    """
    if not weights_only:
        raise ValueError("load never executes what is in a file: leave weights_only=False out")
    name = str(getattr(f, "name", "the file") if hasattr(f, "read") else f)
    with _opened(f, name) as file:
        reader = _Reader(file, name, map_location)
        try:
            return reader.read()
        except (_Damaged, MemoryError) as error:
            raise ValueError(f"{name} is damaged: {error or 'it asks for too much memory'}") from None


class _Damaged(Exception):
    """What is wrong with a file, for the message."""


@contextlib.contextmanager
def _opened(f: Any, name: str) -> Iterator[Any]:
    """The file, after a look at its first bytes."""
    if hasattr(f, "read"):
        start = f.tell()
        _check_beginning(f.read(4), name)
        f.seek(start)
        yield f
        return
    if not os.path.exists(f):
        raise FileNotFoundError(f"there is no file {name}")
    if not os.path.isfile(f) and not os.path.isdir(f):  # a pipe would wait for its writer
        raise ValueError(f"{name} is not a file of minialex.save: it is a pipe or a device")
    with open(f, "rb") as file:
        _check_beginning(file.read(4), name)
        file.seek(0)
        yield file


def _check_beginning(first: bytes, name: str) -> None:
    if first[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise ValueError(f"{name} is a pickle, which can execute anything: read it with what wrote it")
    if first != b"PK\3\4":
        raise ValueError(f"{name} is not a file of minialex.save")


class _Reader:
    """Reads the arrays that the description of a file asks for, each once.

    file: open for reading.
    name: of the file, for messages.
    map_location: as of load.
    """

    def __init__(self, file: Any, name: str, map_location: Any) -> None:
        import zipfile

        try:
            self._left = file.seek(0, os.SEEK_END)  # bytes: no more than the file has are read, whatever it says
            file.seek(0)
            self._members = zipfile.ZipFile(file)
        except Exception as error:  # zipfile raises many kinds of errors for a damaged file
            raise ValueError(f"{name} is cut short or damaged ({brief(error)})") from None
        self._names, self._name, self._location = set(self._members.namelist()), name, map_location
        self._arrays: dict[int, np.ndarray] = {}
        self._tensors: dict[int, Tensor] = {}
        self._entries: list[Any] = []

    def read(self) -> Any:
        if f"{_MEMBER}.npy" not in self._names:
            raise ValueError(f"{self._name} {self._kind()}")
        try:
            tree = self._description()
            if not isinstance(tree, dict) or tree.get("format") != _FORMAT:
                raise _Damaged("its description has another format")
            version = tree.get("version")
            if isinstance(version, bool) or not isinstance(version, int) or version < 1:
                raise _Damaged("its description has no version")
            if version > _VERSION:
                raise ValueError(
                    f"{self._name} has format {version}, this version reads up to {_VERSION}: update minialex"
                )
            if not isinstance(tree.get("tensors"), list) or "object" not in tree:
                raise _Damaged("its description is incomplete")
            self._entries = tree["tensors"]
            return self._unpack(tree["object"])
        except RecursionError:
            raise _Damaged("its description is nested too deeply") from None

    def _description(self) -> Any:
        text = self._member(_MEMBER).tobytes()
        try:
            return schema.from_json(text)
        except ValueError as error:
            raise _Damaged(f"its description {error}") from None

    def _kind(self) -> str:
        if any(name.endswith("/data.pkl") for name in self._names):
            return "was written by torch.save, with pickles: minialex.convert reads a state_dict of it, given torch"
        if "checkpoint.npy" in self._names:
            return "is the checkpoint of a training run: minialex.runs.checkpoint.load reads it"
        return "is not a file of minialex.save: numpy.load reads arrays"

    def _unpack(self, value: Any) -> Any:
        if type(value) in _PLAIN:
            return value
        if not isinstance(value, dict) or len(value) != 1:
            raise _Damaged("its description has something unknown in it")
        ((kind, content),) = value.items()
        if kind in ("list", "tuple", "dict") and isinstance(content, list):
            if kind == "dict":
                return dict(map(self._pair, content))
            members = [self._unpack(member) for member in content]
            return members if kind == "list" else tuple(members)
        if kind in ("array", "scalar", "tensor") and type(content) is int:
            return getattr(self, f"_{kind}")(content)
        raise _Damaged(f"its description has an unknown {schema.shown(kind)}")

    def _pair(self, pair: Any) -> tuple[Any, Any]:
        if not isinstance(pair, list) or len(pair) != 2:
            raise _Damaged("a dict in its description does not consist of pairs")
        key, value = self._unpack(pair[0]), self._unpack(pair[1])
        try:
            hash(key)
        except TypeError:
            raise _Damaged("a key of a dict in it can be none") from None
        return key, value

    def _scalar(self, number: int) -> Any:
        array = self._array(number)
        if array.shape != ():
            raise _Damaged(f"the array {number} of shape {array.shape} is not one number")
        return array[()]

    def _array(self, number: int) -> np.ndarray:
        if number not in self._arrays:
            self._arrays[number] = self._member(str(number))
        return self._arrays[number]

    def _tensor(self, number: int) -> Tensor:
        if number not in self._tensors:
            entry: Any = self._entries[number] if 0 <= number < len(self._entries) else None
            try:
                kinds = {"Tensor": Tensor, "Parameter": Parameter}
                kind, array, requires_grad = kinds[entry["kind"]], entry["array"], entry["requires_grad"]
                backend = self._backend(entry["backend"])
            except (TypeError, KeyError):
                raise _Damaged(f"tensor {number} of its description is incomplete") from None
            if type(array) is not int or type(requires_grad) is not bool:
                raise _Damaged(f"tensor {number} of its description is not one")
            try:
                self._tensors[number] = kind(self._array(array), requires_grad, backend=backend)
            except TypeError as error:
                raise _Damaged(str(error)) from None
        return self._tensors[number]

    def _backend(self, saved: Any) -> Any:
        if self._location == "cpu":
            default = backends.get_backend()
            return default if default.xp is np else backends.get_backend("numpy")
        if self._location is not None:
            return backends.get_backend(self._location)
        if saved not in backends.available():
            raise _Damaged(f"its tensors are on {schema.shown(saved)}, which is no backend")
        try:
            return backends.get_backend(saved)
        except ValueError as error:
            raise ValueError(f'{self._name}: {error}, or load(..., map_location="cpu")') from None

    def _member(self, name: str) -> np.ndarray:
        """An array; its size in the file, which is not compressed, is what its header says."""
        import zipfile

        try:
            info = self._members.getinfo(f"{name}.npy")
        except KeyError:
            raise _Damaged(f"the array {name} is missing") from None
        if info.compress_type != zipfile.ZIP_STORED:
            raise _Damaged(f"the array {name} is compressed, which save does not do")
        try:
            with self._members.open(info) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(member)
                size = int(np.prod(shape, dtype=object)) * dtype.itemsize
                self._left -= size
                if dtype.hasobject or self._left < 0:
                    raise _Damaged(f"the array {name} does not fit into it")
            with self._members.open(info) as member:
                return np.lib.format.read_array(member, allow_pickle=False)
        except _Damaged:
            raise
        except Exception as error:  # zipfile and NumPy raise many kinds of errors for a damaged file
            raise _Damaged(f"the array {name} cannot be read ({brief(error)})") from None
