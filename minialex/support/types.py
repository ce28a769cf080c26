"""What annotations name, in one place: the types that have a long spelling, and those of the standard library."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

__all__ = [
    "TYPE_CHECKING", "Any", "Array", "ArrayLike", "Callable", "DType", "Dims", "FileName", "Function", "Indices",
    "Iterable", "Iterator", "Mapping", "Padding", "Self", "Sequence", "Shape", "Size", "Transform", "TypeAlias",
]  # fmt: skip

Function = TypeVar("Function", bound=Callable[..., Any])  # what a decorator takes and returns
Array: TypeAlias = np.ndarray[Any, Any]  # NumPy's; to a type checker CuPy's as well
Shape: TypeAlias = tuple[int, ...]
Indices: TypeAlias = Sequence[int] | Array
DType: TypeAlias = DTypeLike  # np.float32, "float64", ...
Size: TypeAlias = int | tuple[int, int]  # pixels: of both directions, or (vertical, horizontal)
Padding: TypeAlias = Size | tuple[tuple[int, int], tuple[int, int]] | str  # of a convolution, see functional.conv2d
Dims: TypeAlias = int | Sequence[int]  # an axis or several
Transform: TypeAlias = Callable[..., Array]  # of images (n, C, H, W) and words, see data/transforms.py
FileName: TypeAlias = str | os.PathLike[str]
