"""Adaptive max-pooling, and dropout of whole maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...tensor import Tensor, check_dtypes, common_backend
from ...window import pair
from ..activation import dropout
from ..shaping import reshape
from .shaping import gather


def adaptive_max_pool2d(
    input: Tensor, output_size: int | tuple[int | None, int | None], return_indices: bool = False
) -> Any:
    """Largest value of windows chosen so that the result has a given size.

        y[n, c, i, j] = max of x[n, c] over rows floor(i H / OH) to ceil((i + 1) H / OH), columns likewise
        gx            = each gy added at the place of its window's maximum (the first of equal ones)

    input: (N, C, H, W) or (C, H, W).
    output_size: OH = OW, or (OH, OW), where None keeps the size of the input.
    return_indices: whether to return the places of the maxima as well, numbered within H W.

    Returns (N, C, OH, OW), or that and int64 indices of the same shape. Raises ValueError for other shapes, a negative
    size, and images without pixels.
    """
    common_backend(input)
    check_dtypes("adaptive_max_pool2d", input)
    if input.ndim not in (3, 4):
        raise ValueError(f"pooling needs input (N, C, H, W) or (C, H, W), got {input.shape}")
    old = input.shape[-2:]
    sizes = tuple(output_size) if np.iterable(output_size) else (output_size, output_size)
    out = pair(tuple(m if n is None else n for n, m in zip(sizes, old)) if len(sizes) == 2 else sizes, "output_size")
    if min(out) < 0 or 0 in old:
        raise ValueError(f"adaptive_max_pool2d cannot make images of {out} of {old}")
    maps, xp = input.shape[:-2], input.backend.xp
    places = xp.empty((*maps, *out), np.int64)
    for i, rows in enumerate(_windows(old[0], out[0])):
        for j, columns in enumerate(_windows(old[1], out[1])):
            height, width = rows.stop - rows.start, columns.stop - columns.start
            first = input.data[..., rows, columns].reshape(*maps, height * width).argmax(-1)
            places[..., i, j] = (rows.start + first // width) * old[1] + columns.start + first % width
    flat = reshape(input, (*maps, old[0] * old[1]))
    y = reshape(gather(flat, -1, places.reshape(*maps, -1)), (*maps, *out))
    return (y, Tensor(places, backend=input.backend)) if return_indices else y


def _windows(old, new):
    return [slice(i * old // new, -(-(i + 1) * old // new)) for i in range(new)]


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Any = None
) -> Tensor:
    """Zero each map with probability p, in training, and scale the others by 1 / (1 - p).

        y[n, c] = x[n, c] m[n, c] / (1 - p)      m[n, c] = 1 with probability 1 - p, else 0;   gx likewise

    input: (N, C, H, W) or (N, C, L).
    p: probability from 0 to 1 that a map is dropped.
    training: whether to drop; in evaluation y = x.
    inplace: write the result into the input's array.
    generator: a random.Generator that the mask comes from; random.default_generator if None.

    Returns a Tensor of the input's shape. Raises ValueError where p is not a probability, and for other shapes.
    Tompson et al., "Efficient object localization using convolutional networks", 2015.
    """
    check_dtypes("dropout2d", input)
    if input.ndim not in (3, 4):
        raise ValueError(f"dropout2d needs input (N, C, H, W) or (N, C, L), got {input.shape}")
    backend = common_backend(input)
    ones = Tensor(backend.xp.ones((*input.shape[:2], *[1] * (input.ndim - 2)), input.dtype), backend=backend)
    mask = dropout(ones, p, training, generator=generator)
    if mask is ones:
        return input
    return input.mul_(mask) if inplace else input * mask
