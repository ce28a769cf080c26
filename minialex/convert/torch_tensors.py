"""Tensors in the pickles of torch.save: what the pickle says of each, and its numbers as an array.

    _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)         also _rebuild_tensor
    _rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype)  for types without a storage class
    _rebuild_parameter(tensor, requires_grad, hooks)                                also ..._with_state

A storage is a persistent id: ("storage", class, key, location, count), to which the old form adds a view of another.
offset and stride count elements. A tensor is read when its array is asked for: an optimiser's state never is.

torch/_utils.py, torch/serialization.py and torch/storage.py of pytorch
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import floats
from .pickled import NAMES, Name, checked_shape, joined
from .pickles import Call, Damaged

UNTYPED = "uint8"  # as which an UntypedStorage is counted
_NUMPY = {
    **{f"{kind}{size}": f"{kind[0]}{size // 8}" for kind in ("int", "uint") for size in (8, 16, 32, 64)},
    **{f"float{size}": f"f{size // 8}" for size in (16, 32, 64)},
    **{f"complex{size}": f"c{size // 8}" for size in (64, 128)},
    "bool": "b1",
}
TYPES: dict[str, np.dtype] = {name: np.dtype(code) for name, code in _NUMPY.items()} | floats.STORED  # as stored
STORAGES = {  # {name before Storage, and before Tensor: torch's name of the type}
    **{"Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16", "Bool": "bool"},
    **{"Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8"},
    **{"ComplexFloat": "complex64", "ComplexDouble": "complex128"},
}


@dataclass(frozen=True)
class Type:
    """A type of numbers: torch.float32, or what names one, such as torch.FloatStorage."""

    name: str


@dataclass(frozen=True)
class Storage:
    """The numbers that tensors are views of.

    type: torch's name of their type.
    key: of their bytes in the file.
    count: of elements.
    offset: where they begin among the elements of the key, where they are a view themselves.
    """

    type: str
    key: Any
    count: int
    offset: int = 0


@dataclass(frozen=True)
class Tensor:
    """What a pickle says of a tensor; `problem` is why it has no array, if it has none."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    type: str
    problem: str = ""

    @property
    def nbytes(self):
        """The bytes of memory that all its elements take, also where they are the same ones."""
        return math.prod(self.size) * (4 if self.type in floats.STORED else TYPES[self.type].itemsize)


def array(tensor, content, order="<"):
    """A tensor's numbers.

    tensor: a Tensor.
    content: the bytes of its storage's key, a one-dimensional array of uint8.
    order: of the bytes, "<" or ">".

    Returns an array of the tensor's size, a view of `content` where its type is NumPy's and it is not reversed.
    Raises Damaged where the tensor reaches beyond its storage.
    """
    if tensor.problem:
        raise Damaged(tensor.problem)
    kind, storage = TYPES[tensor.type].newbyteorder(order), TYPES[tensor.storage.type]
    begin = tensor.storage.offset * storage.itemsize
    flat = content[begin : begin + tensor.storage.count * storage.itemsize]
    if len(flat) != tensor.storage.count * storage.itemsize:
        raise Damaged(f"its storage of {tensor.storage.count * storage.itemsize:,} bytes has {len(flat):,}")
    flat = flat[: len(flat) // kind.itemsize * kind.itemsize].view(kind)
    if 0 in tensor.size:
        return np.empty(tensor.size, np.float32 if tensor.type in floats.STORED else kind.newbyteorder("="))
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.size, tensor.stride))
    if last >= len(flat):
        raise Damaged(f"its element {last:,} is beyond its storage of {len(flat):,}")
    steps = [step * kind.itemsize if n > 1 else 0 for n, step in zip(tensor.size, tensor.stride)]
    found = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.size, steps)
    found = found.astype(kind.newbyteorder("="), copy=False)
    return floats.widened(found, tensor.type) if tensor.type in floats.STORED else found


def storage(key):
    """The Storage of a persistent id; raises Damaged where it is none."""
    if not isinstance(key, tuple) or len(key) not in (5, 6) or not isinstance(key[1], Type):
        raise Damaged("a persistent id is not that of a storage")
    what, kind, name, _, count, *view = key
    if not isinstance(what, str) or what != "storage":
        raise Damaged("a persistent id is not that of a storage")
    if not isinstance(name, str | int) or not _is_size(count):
        raise Damaged("a storage has no key, or no length")
    if not view or view[0] is None:
        return Storage(kind.name, name, count)
    if not isinstance(view[0], tuple) or len(view[0]) != 3 or not all(map(_is_size, view[0][1:])):
        raise Damaged("a view of a storage is not described by its key, its offset and its length")
    return Storage(kind.name, name, view[0][2], view[0][1])


def _is_size(value):
    return type(value) is int and 0 <= value < 2**62


def checked(storage, offset, size, stride, kind, problem=""):
    """A Tensor; raises Damaged unless these can describe one."""
    if not isinstance(storage, Storage):
        raise Damaged("a tensor has no storage")
    strides = isinstance(stride, tuple) and all(map(_is_size, stride)) and len(stride) == len(checked_shape(size))
    if not strides or not _is_size(offset):
        raise Damaged("a tensor has another number of strides than of sizes, or no offset")
    return Tensor(storage, offset, size, stride, kind, problem)


def _rebuild(arguments):
    if len(arguments) not in (4, 6, 7) or not isinstance(arguments[0], Storage):
        raise Damaged("a tensor is not described by its storage, offset, size and strides")
    storage, offset, size, stride = arguments[:4]
    return checked(storage, offset, size, stride, storage.type, _problem(arguments[6:]))


def _rebuild_v3(arguments):
    if len(arguments) not in (7, 8) or not isinstance(arguments[6], Type):
        raise Damaged("a tensor is not described by its storage, offset, size, strides and type")
    storage, offset, size, stride = arguments[:4]
    return checked(storage, offset, size, stride, arguments[6].name, _problem(arguments[7:]))


def _problem(metadata):
    """Why a tensor with this metadata has no array: conj() and imag mark tensors, whose numbers stay as they are."""
    marks = metadata[0] if metadata and isinstance(metadata[0], dict) else {}
    marked = any(mark is True for mark in marks.values())
    return "it is a conjugated or negated view: save tensor.resolve_conj().resolve_neg()" if marked else ""


def _parameter(arguments):
    if len(arguments) not in (3, 4) or not isinstance(arguments[0], Tensor):
        raise Damaged("a Parameter is not made of a tensor")
    return arguments[0]


def _of_type(arguments):
    """_rebuild_from_type_v2(function, class, arguments, state): a Tensor or Parameter with attributes of its own."""
    function, values = (arguments[0], arguments[2]) if len(arguments) == 4 else (None, None)
    if not isinstance(function, Call) or function.make not in (_rebuild, _rebuild_v3) or not isinstance(values, tuple):
        raise Damaged("a tensor with attributes is not made by one of the functions for tensors")
    return function.make(values)


def _size(arguments):
    if len(arguments) != 1:
        raise Damaged("a Size is not made of a tuple")
    return checked_shape(arguments[0])


_TEXT = Call(lambda arguments: joined(arguments, ":"))
TORCH_NAMES: dict[str, Any] = NAMES | {
    **{f"torch.{name}": Type(name) for name in TYPES},
    **{f"{module}.{name}Storage": Type(kind) for name, kind in STORAGES.items() for module in ("torch", "torch.cuda")},
    **{f"{module}.{name}Tensor": Type(kind) for name, kind in STORAGES.items() for module in ("torch", "torch.cuda")},
    **{f"torch.storage.{name}": Type(UNTYPED) for name in ("UntypedStorage", "_UntypedStorage")},
    "torch.UntypedStorage": Type(UNTYPED),
    "torch._utils._rebuild_tensor": Call(_rebuild),
    "torch._utils._rebuild_tensor_v2": Call(_rebuild),
    "torch._utils._rebuild_tensor_v3": Call(_rebuild_v3),
    "torch._utils._rebuild_parameter": Call(_parameter),
    "torch._utils._rebuild_parameter_with_state": Call(_parameter),
    "torch._tensor._rebuild_from_type_v2": Call(_of_type),
    **{f"torch.{name}": Name(name) for name in ("Tensor", "nn.parameter.Parameter", "nn.parameter.Buffer")},
    "torch.Size": Call(_size),
    "torch.device": _TEXT,
    "torch.serialization._get_layout": _TEXT,
}
