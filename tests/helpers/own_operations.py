"""Operations as users write them: every way to keep a part of an input, and every wrong thing to return."""

from __future__ import annotations

import dataclasses
import functools
import types
import weakref
from collections import deque
from enum import Enum

import numpy as np

from minialex import Tensor, nn

KEPT = None  # the global variable of two ways below


@dataclasses.dataclass
class Record:
    values: object


class Slots:
    __slots__ = ("values",)

    def __init__(self, values):
        self.values = values

    def backward(self, gy):
        return (gy * np.asarray(self.values),)


class Callable:
    def __init__(self, values):
        self.values = values

    def __call__(self, gy):
        return (gy * self.values,)


def _closure(kept, values=lambda kept: kept):
    """A backward that closes over `kept` and gets the array out of it by `values`."""

    def backward(gy):
        return (gy * values(kept),)

    return backward


def _default(x):
    def backward(gy, kept=x[:, 1:]):
        return (gy * kept.sum(),)

    return backward


def _keyword(x):
    def backward(gy, *, kept=x[:, 1:]):
        return (gy * kept.sum(),)

    return backward


def _inner(x):
    kept = x.T

    def backward(gy):
        def inner():
            return kept

        return (gy * inner().T,)

    return backward


def _global(x):
    global KEPT
    KEPT = x.T

    def backward(gy):
        return (gy * KEPT.T,)

    return backward


def _read_global():
    return KEPT


def _global_of_a_helper(x):
    global KEPT
    KEPT = x[:, ::-1]

    def backward(gy):
        return (gy * _read_global(),)

    return backward


def _attribute(x):
    def backward(gy):
        return (gy * backward.kept,)

    backward.kept = x.reshape(-1).reshape(x.shape)
    return backward


def _generator(x):
    def pieces():
        yield from (x[1:], x)

    made = pieces()
    next(made)  # begun: its frame holds x
    return _closure(made, lambda kept: next(kept))


def _nested(x):
    return _closure([{"a": (1, "text", None, [x[1:]])}], lambda kept: kept[0]["a"][3][0].sum())


def _module(x):
    module = nn.Identity()
    module.kept = {"x": x[:1]}
    return _closure(module, lambda module: module.kept["x"])


def _object_array(x):
    boxes = np.empty(1, object)
    boxes[0] = x[1:]
    return _closure(boxes, lambda kept: kept[0].sum())


WAYS = {  # how a backward keeps something of the array x: x -> backward
    "the array": _closure,
    "a view": lambda x: _closure(x[1:], np.sum),
    "a transpose": lambda x: _closure(x.T, np.transpose),
    "a broadcast view": lambda x: _closure(np.broadcast_to(x, (3, *x.shape)), lambda kept: kept[0]),
    "a view of other bits": lambda x: _closure(x.view(np.int64), lambda kept: kept.view(np.float64)),
    "a strided view": lambda x: _closure(np.lib.stride_tricks.as_strided(x, (2,), (16,)), np.sum),
    "a masked view": lambda x: _closure(np.ma.masked_array(x), np.asarray),
    "a list": lambda x: _closure([x[1:]], lambda kept: kept[0].sum()),
    "a dict": lambda x: _closure({"x": x}, lambda kept: kept["x"]),
    "a deque": lambda x: _closure(deque([x]), lambda kept: kept[0]),
    "all of these": _nested,
    "an array of objects": _object_array,
    "an object": lambda x: _closure(Record(x[1:]), lambda kept: kept.values.sum()),
    "an object with slots": lambda x: _closure(Slots(x), lambda kept: kept.values),
    "a namespace": lambda x: _closure(types.SimpleNamespace(values=x), lambda kept: kept.values),
    "a module": _module,
    "a bound method": lambda x: Slots(x).backward,
    "a callable object": lambda x: Callable(x.T.T),
    "a method of the array": lambda x: _closure(x[:, ::-1].sum, lambda kept: kept()),
    "an operator of the array": lambda x: _closure(x.__mul__, lambda kept: kept(1)),
    "a partial function": lambda x: functools.partial(lambda kept, gy: (gy * kept,), x[:, :]),
    "a cached function": lambda x: _closure(functools.cache(lambda: x), lambda kept: kept()),
    "a default argument": _default,
    "a keyword default": _keyword,
    "an inner function": _inner,
    "a global variable": _global,
    "a global variable of a helper": _global_of_a_helper,
    "an attribute of the function": _attribute,
    "a generator": _generator,
    "an iterator": lambda x: _closure(iter([x]), next),
    "zipped rows": lambda x: _closure(zip(x, x), lambda kept: next(kept)[0].sum()),
    "a flat iterator": lambda x: _closure(x.flat, lambda kept: np.asarray(kept).sum()),
    "a memory view": lambda x: _closure(memoryview(x), np.asarray),
    "a weak reference": lambda x: _closure((record := Record(x), weakref.ref(record)), lambda kept: kept[1]().values),
    "the tensor": lambda x: None,  # see `keeps`
}


def keeps(way):
    """A tensor h, and the result of an operation on it whose backward keeps something of h.data in that way."""
    leaf = Tensor(np.arange(1.0, 7.0).reshape(2, 3), requires_grad=True)
    h = leaf * 2.0
    backward = _closure(h, lambda kept: kept.data) if way == "the tensor" else WAYS[way](h.data)
    return h, Tensor.from_operation(h.data.copy(), backward, h, name="own")


class Colour(Enum):
    RED = 1


HARMLESS = {  # kept beside a copy, these must not make the operation fear for its input
    "a copy": lambda x: x.copy(),
    "its shape": lambda x: x.shape,
    "another array": lambda x: np.ones(3),
    "numbers and texts": lambda x: (1, 2.0, 3j, "four", b"5", True, None, ..., range(6), slice(7), {8}, frozenset({9})),
    "NumPy's own": lambda x: (np.float64(1), np.dtype(float), np.add, np, np.random.default_rng(0)),
    "classes, functions and members": lambda x: (Record, len, np.sum, keeps, Colour.RED, x.__class__),
}

WRONG = {  # what backward of two inputs of float64 (3,) returns -> the error and what it says
    "another shape": (lambda gy: (gy, gy[:1]), ValueError, r"shape \(1,\) for input 2, which has shape \(3,\)"),
    "an axis more": (lambda gy: (gy[None], gy), ValueError, r"shape \(1, 3\) for input 1, which has shape \(3,\)"),
    "a number": (lambda gy: (gy, gy.sum()), ValueError, r"shape \(\) for input 2, which has shape \(3,\)"),
    "another dtype": (lambda gy: (gy, gy.astype(np.float32)), TypeError, "float32 for input 2, which is float64"),
    "whole numbers": (lambda gy: (gy.astype(int), gy), TypeError, "int64 for input 1, which is float64"),
    "None": (lambda gy: (gy, None), TypeError, "None as the gradient of input 2: return an array, of float64"),
    "a list": (lambda gy: (gy, [1.0, 2.0, 3.0]), TypeError, "a value of type list as the gradient of input 2"),
    "a float": (lambda gy: (1.0, gy), TypeError, "a value of type float as the gradient of input 1"),
    "a tensor": (lambda gy: (gy, Tensor(gy)), TypeError, "a value of type Tensor as the gradient of input 2"),
    "too few": (lambda gy: (gy,), ValueError, "1 gradients for 2 inputs"),
    "too many": (lambda gy: (gy, gy, gy), ValueError, "3 gradients for 2 inputs"),
    "an array": (lambda gy: gy, TypeError, "a value of type ndarray: return a tuple"),
    "nothing": (lambda gy: None, TypeError, "None: return a tuple"),
}


def returns(answer):
    """The sum of two leaves (3,), by an operation whose backward gives answer(gy)."""
    a, b = (Tensor(np.arange(3.0) + i, requires_grad=True) for i in range(2))
    return a, b, Tensor.from_operation(a.data + b.data, lambda gy: answer(gy), a, b, name="own")
