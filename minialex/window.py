"""Window: the one place that knows which input pixels an output pixel sees, and how large outputs are."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from .support.types import Any, Array, Iterator, Padding, Shape, Size


def pair(value: Any, name: str) -> tuple[int, int]:
    """(vertical, horizontal) of a number or a pair.

    value: an int, in a tuple or alone, or two.
    name: of the argument, for the message.

    Raises TypeError for anything else.
    """
    if type(value) is int:
        return value, value
    if type(value) is tuple and len(value) == 2 and type(value[0]) is type(value[1]) is int:
        return value
    values = (value, value) if isinstance(value, (int, np.integer)) else tuple(value) if np.iterable(value) else ()
    values = 2 * values if len(values) == 1 else values
    if len(values) != 2 or not all(isinstance(v, (int, np.integer)) for v in values):
        raise TypeError(f"{name} is a whole number or a pair (vertical, horizontal), got {value!r}")
    return int(values[0]), int(values[1])


@dataclass(frozen=True)
class Window:
    """A window that slides over images.

        output = floor or ceil((input + before + after - dilation (kernel - 1) - 1) / stride) + 1      in each direction

    size, kernel, stride, dilation, output: pixels, (vertical, horizontal).
    padding: pixels, ((top, bottom), (left, right)).

    `padded` is the size of the array that all windows fit into, with the image at `inside`: padding, and what the last
    windows of ceil mode reach beyond it.
    """

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    dilation: tuple[int, int]
    output: tuple[int, int]

    @classmethod
    def over(
        cls, shape: Shape, kernel_size: Size | Shape, stride: Size = 1, padding: Padding = 0, dilation: Size = 1,
        ceil_mode: bool = False,
    ) -> Window:  # fmt: skip
        """The window over images of a shape.

        shape: (..., H, W).
        kernel_size, stride, dilation: pixels, an int or a pair.
        padding: in any form of check_padding.
        ceil_mode: whether the output size is rounded up.

        Raises ValueError where not one window fits, and for impossible numbers.
        """
        size = tuple(shape[-2:])
        kernel, stride, dilation = pair(kernel_size, "kernel_size"), pair(stride, "stride"), pair(dilation, "dilation")
        if min(kernel) < 1 or min(stride) < 1 or min(dilation) < 1:
            raise ValueError(f"kernel_size {kernel}, stride {stride} and dilation {dilation} must all be at least 1")
        return _window(size, kernel, stride, check_padding(padding), dilation, bool(ceil_mode))

    @classmethod
    def over_pool(
        cls, shape: Shape, kernel_size: Size | Shape, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
        ceil_mode: bool = False,
    ) -> Window:  # fmt: skip
        """The window of a pooling layer.

        shape: (N, C, H, W).
        kernel_size, padding, dilation: pixels, an int or a pair; padding is at most half the window.
        stride: likewise, kernel_size if None or ().
        ceil_mode: whether the output size is rounded up.

        Raises ValueError for other shapes, too much padding, and as Window.over.
        """
        if len(shape) != 4:
            raise ValueError(f"pooling needs input (N, C, H, W), got {shape}")
        kernel, padding = pair(kernel_size, "kernel_size"), pair(padding, "padding")
        (kh, kw), (dh, dw) = kernel, pair(dilation, "dilation")
        if 2 * padding[0] > dh * (kh - 1) + 1 or 2 * padding[1] > dw * (kw - 1) + 1:
            raise ValueError(f"pooling needs padding of at most half the window, got {padding} for kernel {kernel}")
        stride = kernel if stride is None or (isinstance(stride, (tuple, list)) and not stride) else stride
        return cls.over(shape, kernel, stride, padding, dilation, ceil_mode)

    @property
    def padded(self) -> Shape:
        """(height, width) of an image with its margins, large enough for every window."""
        return tuple(
            max(before + n, s * (out - 1) + d * (k - 1) + 1)
            for n, k, s, (before, _), d, out in zip(
                self.size, self.kernel, self.stride, self.padding, self.dilation, self.output, strict=True
            )
        )

    @property
    def inside(self) -> tuple[slice, ...]:
        """The place of the image in the padded one: two slices."""
        return tuple(slice(before, before + n) for (before, _), n in zip(self.padding, self.size, strict=True))

    def taps(self) -> Iterator[tuple[slice, slice]]:
        """For each place of the kernel, in C order, the slices of the padded image under it: one pixel per output."""
        (kh, kw), (sh, sw), (dh, dw), (oh, ow) = self.kernel, self.stride, self.dilation, self.output
        for u in range(kh):
            for v in range(kw):
                rows = slice(u * dh, u * dh + sh * (oh - 1) + 1, sh)
                columns = slice(v * dw, v * dw + sw * (ow - 1) + 1, sw)
                yield rows, columns

    def first_inside(self) -> Array:
        """For each output pixel the number of the first kernel place that lies on the image, (OH, OW)."""
        skipped = [
            np.maximum(-((s * np.arange(out) - before) // d), 0)
            for s, (before, _), d, out in zip(self.stride, self.padding, self.dilation, self.output, strict=True)
        ]
        return skipped[0][:, None] * self.kernel[1] + skipped[1]

    def counts(self, include_padding: bool) -> Array:
        """Pixels in each window, (OH, OW).

        include_padding: whether padding counts, as in torch, or the image only.
        """
        each = []
        for n, k, s, (before, after), d, out in zip(
            self.size, self.kernel, self.stride, self.padding, self.dilation, self.output, strict=True
        ):
            places = np.arange(out)[:, None] * s + np.arange(k) * d - before
            low, high = (-before, n + after) if include_padding else (0, n)
            each.append(((places >= low) & (places < high)).sum(axis=1))
        return np.outer(each[0], each[1])


@functools.lru_cache(maxsize=1024)  # every step of training asks for the same ones
def _window(size, kernel, stride, padding, dilation, ceil_mode):
    extent = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    padding = _padding(padding, size, extent, stride)
    output = tuple(map(_output_size, size, extent, stride, padding, (ceil_mode, ceil_mode)))
    if min(output) < 1:
        raise ValueError(
            f"a window of {extent[0]}x{extent[1]} does not fit into pictures of {size[0]}x{size[1]} padded "
            f"by {padding[0]} and {padding[1]}: use larger pictures, more padding or a smaller kernel"
        )
    return Window(size, kernel, stride, padding, dilation, output)


def check_padding(padding: Any) -> Any:
    """Padding in one of its forms, checked.

    padding: "valid", "same", an int, a pair, or ((top, bottom), (left, right)), in pixels.

    Returns a word as it is, an int or a pair as a pair, four sides as they are. Raises ValueError or TypeError for
    other values.
    """
    if isinstance(padding, str):
        if padding not in ("valid", "same"):
            raise ValueError(f'padding as a word is "valid" or "same", got {padding!r}')
        return padding
    sides = () if isinstance(padding, int) or not np.iterable(padding) else tuple(padding)
    if len(sides) == 2 and not isinstance(sides[0], int) and all(np.iterable(p) for p in sides):
        checked: Any = tuple(pair(p, "each side's padding") for p in sides)
        least = min(map(min, checked))
    else:
        checked = pair(padding, "padding")
        least = min(checked)
    if least < 0:
        raise ValueError(f"padding must not be negative, got {padding}")
    return checked


def _padding(padding, size, extent, stride):
    """((top, bottom), (left, right)) of every form that check_padding returns."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        totals = [max((-(-n // s) - 1) * s + e - n, 0) for n, e, s in zip(size, extent, stride, strict=True)]
        return tuple((t // 2, t - t // 2) for t in totals)
    return tuple(p if np.iterable(p) else (p, p) for p in padding)


def _output_size(n, extent, stride, padding, ceil_mode):
    span = n + sum(padding) - extent
    if not ceil_mode:
        return span // stride + 1
    out = -(-span // stride) + 1
    # torch's rule: the last window must start inside the picture or the padding before it
    return out - 1 if (out - 1) * stride >= n + padding[0] else out
