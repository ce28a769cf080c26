"""Adaptive max-pooling, stochastic pooling, and dropout of whole maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import random
from ...support.types import Size
from ...tensor import Tensor, check_dtypes, common_backend
from ...window import Window, pair
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


def stochastic_pool2d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
    training: bool = True, *, evaluation: str = "mean", generator: Any = None,
) -> Tensor:  # fmt: skip
    """In training one element of every window, drawn with a probability in proportion to its value.

        a = max(x, 0)       p_i = a_i / sum over the window of a
        in training         y = a_i, i drawn with probability p_i            gx = gy at i
        in evaluation       y = sum over the window of p_i a_i               evaluation="mean", as in the paper
                            y = the largest a_i                              evaluation="max", cuda-convnet's doMax

    Where no element of a window is positive, y = 0 and gx = 0.

    input: (N, C, H, W).
    kernel_size, stride, padding, ceil_mode: as of max_pool2d.
    training: whether to draw.
    evaluation: what is computed where it is not: "mean" or "max".
    generator: a random.Generator that is drawn from; random.default_generator if None.

    Output q (C order) is drawn by word q of the generator's next call, as dropout's element q is: the first place of
    its window, in C order, up to which the sum of the p_i is above word / 2^32. What is drawn depends on (seed, call)
    and x alone.

    Returns (N, C, OH, OW). Raises ValueError for other shapes and where the window does not fit.
    Zeiler and Fergus, "Stochastic pooling for regularization of deep convolutional neural networks", 2013.
    cuda-convnet's pool=rand; its kernels were not released, so that negative elements and empty windows are our choice.
    """
    check_dtypes("stochastic_pool2d", input)
    if evaluation not in ("mean", "max"):
        raise ValueError(f'stochastic_pool2d: evaluation is "mean" or "max", got {evaluation!r}')
    window = Window.over_pool(input.shape, kernel_size, stride, padding, 1, ceil_mode)
    backend, a = common_backend(input), input.backend.xp.maximum(input.data, 0)
    if training:
        generator = generator or random.default_generator
        first = generator.elements_before((*input.shape[:2], *window.output))
        y, backward = _drawn(backend, a, window, generator.seed, generator.next_call(), *first)
    elif evaluation == "max":
        y, backward = _largest(backend, a, window, input.records_grad)
    else:
        y, backward = _weighted_mean(backend, a, window)
    return Tensor.from_operation(y, backward, input, name="stochastic_pool2d")


def _drawn(backend, a, window, *draw):
    """An element of every window, drawn by (seed, call) of the generator, and the first number; and backward."""
    y, drawn, places = backend.stochastic_pool2d(a, window, *draw)

    def backward(gy):
        return (backend.max_pool2d_backward(gy * drawn, places, window),)

    return y, backward


def _largest(backend, a, window, save):
    """The largest element of every window, and backward."""
    y, winners = backend.max_pool2d(a, window, save)

    def backward(gy):
        return (backend.max_pool2d_backward(gy * (y > 0), winners, window),)

    return y, backward


def _weighted_mean(backend, a, window):
    """y = (sum of a^2) / (sum of a) of every window; backward: gx = (2 a - y) gy / (sum of a) where a > 0, added up."""
    one = backend.asarray(1, a.dtype)
    total = backend.avg_pool2d(a, one, window)
    total += total == 0
    y = backend.avg_pool2d(a * a, one, window) / total

    def backward(gy):
        shares = gy / total, gy * y / total
        upper, lower = (backend.avg_pool2d_backward(share, one, window) for share in shares)
        return ((2 * a * upper - lower) * (a > 0),)

    return y, backward


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
