"""Pooling: one value for every window of every channel."""

from __future__ import annotations

import numpy as np

from ..support.types import Size
from ..tensor import Tensor, check_dtypes, common_backend
from ..window import Window, pair
from . import unusual


def max_pool2d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor:  # fmt: skip
    """Largest value in every window.

        y[n, c, i, j] = max over u, v of  x[n, c, i s + u d - p, j s + v d - p]
        gx            = each gy added at the place of its window's maximum (the first of equal ones)

    input: (N, C, H, W), or one image (C, H, W).
    kernel_size: pixels, an int or (vertical, horizontal), as are the next three.
    stride: pixels s between windows, kernel_size if None. A smaller stride makes windows overlap (AlexNet: 3 and 2).
    padding: pixels p around the image, at most half the window; they are never the maximum.
    dilation: pixels d between neighbouring places of the window.
    ceil_mode: round the output size up, so that the last windows may reach over the edge.
    return_indices: also return where each maximum stood: int64 (N, C, OH, OW), pixels in a map of H W.

    Returns (N, C, OH, OW). Raises ValueError where the window does not fit.
    Krizhevsky et al. 2012, section 3.4: overlapping pooling.
    """
    backend = common_backend(input)
    if return_indices or input.ndim != 4 or input.dtype.kind != "f":
        return unusual.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    window = Window.over_pool(input.shape, kernel_size, stride, padding, dilation, ceil_mode)
    y, winners = backend.max_pool2d(input.data, window, input.records_grad)

    def backward(gy):
        return (backend.max_pool2d_backward(gy, winners, window),)

    return Tensor.from_operation(y, backward, input, name="max_pool2d")


def avg_pool2d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """Mean of every window.

        y[n, c, i, j] = 1/D sum over u, v of  x[n, c, i s + u - p, j s + v - p]
        gx            = gy / D added at every place of its window

    input: (N, C, H, W), or one image (C, H, W).
    kernel_size, stride, padding, ceil_mode: as of max_pool2d.
    count_include_pad: whether D counts the padding; what ceil_mode adds beyond it never counts.
    divisor_override: a number to divide by instead of D.

    Returns (N, C, OH, OW). cuda-convnet's average pooling is ceil_mode=True, count_include_pad=False. Raises ValueError
    where the window does not fit.
    """
    backend = common_backend(input)
    if divisor_override is not None and divisor_override == 0:
        raise ValueError("avg_pool2d: divisor_override must not be 0")
    if input.ndim != 4 or input.dtype.kind != "f":
        settings = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        return unusual.avg_pool2d(input, *settings)
    window = Window.over_pool(input.shape, kernel_size, stride, padding, 1, ceil_mode)
    scale = 1 / backend.asarray(divisor_override or window.counts(count_include_pad), input.dtype)

    def backward(gy):
        return (backend.avg_pool2d_backward(gy, scale, window),)

    return Tensor.from_operation(backend.avg_pool2d(input.data, scale, window), backward, input, name="avg_pool2d")


def adaptive_avg_pool2d(input: Tensor, output_size: int | tuple[int | None, int | None]) -> Tensor:
    """Means of windows chosen so that the result has a given size.

        y[n, c, i, j] = mean of x[n, c] over rows floor(i H / OH) to ceil((i + 1) H / OH), columns likewise    = R x C^T
        gx            = R^T gy C

    R (OH, H) and C (OW, W) hold 1 / length at the places of each window: averaging is a linear map.

    input: (N, C, H, W), or one image (C, H, W).
    output_size: OH = OW, or (OH, OW), where None keeps the size of the input.

    Returns (N, C, OH, OW). Raises ValueError for a negative size and for images without pixels.
    """
    backend = common_backend(input)
    check_dtypes("adaptive_avg_pool2d", input)
    if input.ndim == 3:
        return unusual.adaptive_avg_pool2d(input, output_size)
    if input.ndim != 4:
        raise ValueError(f"pooling needs input (N, C, H, W), got {input.shape}")
    if 0 in input.shape[2:]:
        raise ValueError(f"adaptive_avg_pool2d: pictures of {input.shape[2:]} have no pixels to average")
    sizes = tuple(output_size) if np.iterable(output_size) else (output_size, output_size)
    if len(sizes) != 2:
        raise TypeError(f"adaptive_avg_pool2d: output_size is a number or a pair, got {output_size!r}")
    out = pair([old if n is None else n for n, old in zip(sizes, input.shape[2:], strict=True)], "output_size")
    if min(out) < 0:
        raise ValueError(f"adaptive_avg_pool2d: output_size must not be negative, got {out}")
    rows, columns = (
        backend.asarray(_averaging(old, new), input.dtype) for old, new in zip(input.shape[2:], out, strict=True)
    )

    def backward(gy):
        return (rows.T @ gy @ columns,)

    return Tensor.from_operation(rows @ input.data @ columns.T, backward, input, name="adaptive_avg_pool2d")


def _averaging(old, new):
    """The matrix (new, old) that averages `old` places into `new` windows."""
    places, i = np.arange(old), np.arange(new)[:, None]
    inside = (places >= i * old // max(new, 1)) & (places < -(-(i + 1) * old // max(new, 1)))
    return inside / np.maximum(inside.sum(axis=1, keepdims=True), 1)
