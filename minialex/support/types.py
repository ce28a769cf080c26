"""Names for the types in annotations that have a long spelling."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

Array: TypeAlias = np.ndarray[Any, Any]  # NumPy's; to a type checker CuPy's as well
Shape: TypeAlias = tuple[int, ...]
Indices: TypeAlias = Sequence[int] | Array
DType: TypeAlias = DTypeLike  # np.float32, "float64", ...
Size: TypeAlias = int | tuple[int, int]  # pixels: of both directions, or (vertical, horizontal)
Padding: TypeAlias = Size | tuple[tuple[int, int], tuple[int, int]] | str  # of a convolution, see functional.conv2d
Dims: TypeAlias = int | Sequence[int]  # an axis or several
Transform: TypeAlias = Callable[..., Array]  # of images (n, C, H, W) and words, see data/transforms.py
FileName: TypeAlias = str | os.PathLike[str]
