"""New tensors under torch's names: `minialex.tensor`, `zeros`, `randn`, `arange` and their relatives.

Random numbers are drawn from this library's generator: after `manual_seed` they are the same at every run and on every
backend, but not torch's numbers.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from . import random
from .support.types import DType
from .tensor import Tensor

_TORCHS = {  # arguments of torch's creation functions, and what to write instead
    "layout": "nothing, since arrays are strided",
    "memory_format": "nothing, since images are (N, C, H, W)",
    "names": "nothing, since axes have numbers",
    "out": "x.copy_(result)",
    "pin_memory": "nothing, since uploading pins what it needs",
}


def _creates(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Take torch's `device` as another name of `backend`; refuse its further arguments with a sentence."""

    @functools.wraps(function)
    def checked(*arguments: Any, **options: Any) -> Tensor:
        for name in _TORCHS.keys() & options.keys():
            if options.pop(name) not in (None, False):
                raise TypeError(f"{function.__name__} has no {name}: write {_TORCHS[name]}")
        if (place := options.pop("device", None)) is not None:
            if options.get("backend") is not None:
                raise TypeError(f"{function.__name__} takes device or backend, two names of one thing, not both")
            options["backend"] = place
        return function(*arguments, **options)

    return checked


def _shape(size: tuple[Any, ...]) -> tuple[int, ...]:
    """Of zeros(2, 3), zeros((2, 3)) and zeros([2, 3])."""
    sizes = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    shape = tuple(operator.index(n) for n in sizes)
    if min(shape, default=0) < 0:
        raise ValueError(f"a shape has no negative numbers, got {shape}")
    return shape


@_creates
def tensor(data: Any, *, dtype: DType | None = None, requires_grad: bool = False, backend: Any = None) -> Tensor:
    """A leaf tensor of copied values.

    data: an array, number, nested list or Tensor.
    dtype: of the elements. If None, arrays keep theirs, Python's floats become float32, whole numbers int64.
    requires_grad: whether backward() is to leave a gradient in `.grad`.
    backend: a backend or its name; the default one, or that of a Tensor, if None.
    """
    made = Tensor(data, False, dtype, backend)
    return Tensor(made.data.copy(), requires_grad, backend=made.backend)


@_creates
def as_tensor(data: Any, dtype: DType | None = None, *, backend: Any = None) -> Tensor:
    """A tensor that shares an array's memory where it can; a Tensor as it is.

    data, dtype, backend: as of tensor.
    """
    if isinstance(data, Tensor) and backend is None:
        return data if dtype is None or data.dtype == np.dtype(dtype) else data.to(dtype)
    return Tensor(data, dtype=dtype, backend=backend)


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor that shares an array's memory. ndarray: a NumPy array; TypeError for anything else."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy takes a NumPy array, got {type(ndarray).__name__}: tensor() takes it")
    return Tensor(ndarray)


def is_tensor(obj: Any) -> bool:
    """Whether an object is a Tensor. obj: any."""
    return isinstance(obj, Tensor)


@_creates
def zeros(*size: Any, dtype: DType = np.float32, requires_grad: bool = False, backend: Any = None) -> Tensor:
    """A tensor of zeros.

    size: the shape: ints, or one tuple of them.
    dtype, requires_grad, backend: as of tensor; float32 by default.
    """
    return Tensor(np.zeros(_shape(size), dtype), requires_grad, backend=backend)


@_creates
def ones(*size: Any, dtype: DType = np.float32, requires_grad: bool = False, backend: Any = None) -> Tensor:
    """A tensor of ones.

    size, dtype, requires_grad, backend: as of zeros.
    """
    return Tensor(np.ones(_shape(size), dtype), requires_grad, backend=backend)


@_creates
def empty(*size: Any, dtype: DType = np.float32, requires_grad: bool = False, backend: Any = None) -> Tensor:
    """A tensor of whatever is in memory, to be written to.

    size, dtype, requires_grad, backend: as of zeros.
    """
    return Tensor(np.empty(_shape(size), dtype), requires_grad, backend=backend)


@_creates
def full(
    size: Any, fill_value: Any, *, dtype: DType | None = None, requires_grad: bool = False, backend: Any = None
) -> Tensor:
    """A tensor of one number.

    size: the shape, an int or a tuple.
    fill_value: the number.
    dtype, requires_grad, backend: as of tensor.
    """
    value = Tensor(fill_value, dtype=dtype, backend="numpy")
    return Tensor(np.full(_shape((size,)), value.item(), value.dtype), requires_grad, backend=backend)


@_creates
def eye(
    n: int, m: int | None = None, *, dtype: DType = np.float32, requires_grad: bool = False, backend: Any = None
) -> Tensor:
    """A matrix with ones on its diagonal.

    n, m: rows and columns; m is n if None.
    dtype, requires_grad, backend: as of zeros.
    """
    return Tensor(np.eye(n, m, dtype=dtype), requires_grad, backend=backend)


@_creates
def arange(
    *bounds: float, dtype: DType | None = None, requires_grad: bool = False, backend: Any = None, **named: float
) -> Tensor:
    """The numbers start, start + step, ... below end: arange(end), arange(start, end) or arange(start, end, step).

    bounds: as above; 0 and 1 where start and step are left out.
    dtype: int64 for whole numbers, else float32, if None.
    requires_grad, backend: as of tensor.
    named: start, end and step by their names.

    Raises ValueError for a step of 0 or away from end.
    """
    names = ("end",) if len(bounds) == 1 else ("start", "end", "step")
    given = dict(zip(names, bounds)) | named
    if len(bounds) > 3 or "end" not in given or given.keys() - {"start", "end", "step"}:
        raise TypeError(f"arange takes end, or start and end, or start, end and step, got {bounds} and {named}")
    start, end, step = (_number(given.get(name, default)) for name, default in [("start", 0), ("end", 0), ("step", 1)])
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"arange cannot come from {start} to {end} by steps of {step}")
    if dtype is None:
        dtype = np.int64 if all(isinstance(value, int) for value in (start, end, step)) else np.float32
    values = start + step * np.arange(math.ceil((end - start) / step))
    return Tensor(values.astype(dtype), requires_grad, backend=backend)


def _number(value: Any) -> int | float:
    return value.item() if isinstance(value, (Tensor, np.generic)) else value


@_creates
def linspace(
    start: float, end: float, steps: int, *, dtype: DType = np.float32, requires_grad: bool = False, backend: Any = None
) -> Tensor:
    """Numbers at equal distances, both ends included.

    start, end: the first and the last.
    steps: how many.
    dtype, requires_grad, backend: as of zeros.
    """
    return Tensor(np.linspace(_number(start), _number(end), steps).astype(dtype), requires_grad, backend=backend)


# ------------------------------------------------------------------------------------------ random


def _drawn(generator: random.Generator | None) -> np.random.Generator:
    return (generator or random.default_generator).numpy()


def _fractions(dtype: DType, name: str) -> Any:
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"{name} draws floating-point numbers, not {np.dtype(dtype)}: randint draws whole ones")
    return np.dtype(dtype)


@_creates
def rand(
    *size: Any,
    generator: random.Generator | None = None,
    dtype: DType = np.float32,
    requires_grad: bool = False,
    backend: Any = None,
) -> Tensor:
    """Random numbers, uniform from 0 to 1 (without it). They are not torch's of the same seed.

    size, dtype, requires_grad, backend: as of zeros.
    generator: a random.Generator; the default one, which manual_seed sets, if None.
    """
    values = _drawn(generator).random(_shape(size), _fractions(dtype, "rand"))
    return Tensor(values, requires_grad, backend=backend)


@_creates
def randn(
    *size: Any,
    generator: random.Generator | None = None,
    dtype: DType = np.float32,
    requires_grad: bool = False,
    backend: Any = None,
) -> Tensor:
    """Random numbers of mean 0 and variance 1, normally distributed. They are not torch's of the same seed.

    size, generator, dtype, requires_grad, backend: as of rand.
    """
    values = _drawn(generator).standard_normal(_shape(size), _fractions(dtype, "randn"))
    return Tensor(values, requires_grad, backend=backend)


@_creates
def randint(
    *bounds: Any,
    generator: random.Generator | None = None,
    dtype: DType = np.int64,
    requires_grad: bool = False,
    backend: Any = None,
    **named: Any,
) -> Tensor:
    """Random whole numbers from low to high - 1: randint(high, size) or randint(low, high, size).

    bounds: as above; low is 0 where it is left out; size is a tuple.
    generator, dtype, requires_grad, backend: as of rand; int64 by default.
    named: low, high and size by their names.

    They are not torch's of the same seed. Raises ValueError where there is no such number.
    """
    size = named.pop("size", None)
    numbers = list(bounds)
    if size is None and numbers:
        size = numbers.pop()
    given = dict(zip(("high",) if len(numbers) == 1 and "high" not in named else ("low", "high"), numbers)) | named
    if not isinstance(size, (tuple, list)) or "high" not in given or given.keys() - {"low", "high"} or len(numbers) > 2:
        raise TypeError(f"randint takes high and size, or low, high and size (a tuple), got {bounds} and {named}")
    low, high = int(given.get("low", 0)), int(given["high"])
    if low >= high:
        raise ValueError(f"randint: there is no whole number from {low} to {high} - 1")
    values = _drawn(generator).integers(low, high, _shape((size,)))
    return Tensor(values.astype(dtype), requires_grad, backend=backend)


@_creates
def randperm(
    n: int, *, generator: random.Generator | None = None, dtype: DType = np.int64, backend: Any = None
) -> Tensor:
    """The numbers 0 to n - 1 in random order. It is not torch's of the same seed.

    n: how many.
    generator, dtype, backend: as of randint.
    """
    return Tensor(_drawn(generator).permutation(operator.index(n)).astype(dtype), backend=backend)


# ------------------------------------------------------------------------------------------ like another tensor


def _like(name: str, create: Callable[..., Tensor], what: str) -> Callable[..., Tensor]:
    def like(input: Tensor, *, dtype: DType | None = None, requires_grad: bool = False, backend: Any = None) -> Tensor:
        return create(
            input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad, backend=backend or input.backend
        )

    like.__name__ = like.__qualname__ = name
    like.__doc__ = f"""{what} of another tensor's shape, dtype and backend.

    input: the other one, a Tensor.
    dtype, requires_grad, backend: as of tensor, where they are to be others.
    """
    return _creates(like)


zeros_like = _like("zeros_like", zeros, "Zeros")
ones_like = _like("ones_like", ones, "Ones")
empty_like = _like("empty_like", empty, "Whatever is in memory,")
rand_like = _like("rand_like", rand, "Random numbers from 0 to 1, as of rand,")
randn_like = _like("randn_like", randn, "Normally distributed random numbers, as of randn,")


@_creates
def full_like(
    input: Tensor, fill_value: Any, *, dtype: DType | None = None, requires_grad: bool = False, backend: Any = None
) -> Tensor:
    """One number, in another tensor's shape, dtype and backend.

    input: the other one, a Tensor.
    fill_value: the number.
    dtype, requires_grad, backend: as of tensor, where they are to be others.
    """
    values = np.full(input.shape, fill_value, dtype or input.dtype)
    return Tensor(values, requires_grad, backend=backend or input.backend)


class _TensorModule(types.ModuleType):
    """The module minialex.tensor, which defines the class Tensor, called as torch.tensor is."""

    def __call__(self, data: Any, **options: Any) -> Tensor:
        return tensor(data, **options)


sys.modules[Tensor.__module__].__class__ = _TensorModule
