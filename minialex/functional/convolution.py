"""Layers with weights: convolution and the fully connected layer."""

from __future__ import annotations

from ..support import mistakes
from ..support.types import Padding, Size
from ..tensor import Tensor, check_dtypes, common_backend, records_grad
from ..window import Window
from . import unusual


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Fully connected layer.

        y = x W^T + b
        gx = gy W      gW = sum gy^T x      gb = sum gy    (sums over all leading axes)

    input: (..., in).
    weight: (out, in).
    bias: (out,), or None.

    Returns (..., out). Raises ValueError where the shapes do not fit, TypeError where dtypes differ.
    """
    backend = common_backend(input, weight, bias)
    if weight.ndim != 2 or not input.ndim or input.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"linear: weight {weight.shape} means {weight.shape[-1]} inputs, but the input has shape {input.shape}"
            + mistakes.about_features(input.shape, weight.shape)
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"linear: bias of shape {bias.shape} for weight {weight.shape}, expected {weight.shape[:1]}")
    if input.dtype.kind != "f":
        return unusual.linear(input, weight, bias)
    check_dtypes("linear", input, weight, bias)
    x, w, b = input.data, weight.data, bias.data if bias is not None else None
    needs = records_grad(input, weight, bias)
    saved = (x if needs[1] else None, w if needs[0] else None)

    def backward(gy):
        return backend.linear_backward(gy, *saved, needs)

    return Tensor.from_operation(backend.linear(x, w, b), backward, input, weight, bias, name="linear")


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = 1, padding: Padding = 0,
    dilation: Size = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Convolution, which as everywhere in deep learning is cross-correlation.

        y[n, o, i, j] = b[o] + sum over c, u, v of  w[o, c, u, v] x[n, c, i s + u d - p, j s + v d - p]
        (u, v: a place in the kernel; s: stride, d: dilation, p: padding before the first pixel)

        gx[n, c]       = each gy[n, o, i, j] w[o, c, u, v] added where its factor of x came from
        gw[o, c, u, v] = sum over n, i, j of  gy[n, o, i, j] x[n, c, i s + u d - p, j s + v d - p]
        gb[o]          = sum over n, i, j of  gy[n, o, i, j]

        OH = floor((H + p_top + p_bottom - d (KH - 1) - 1) / s) + 1

    input: (N, C, H, W), or one image (C, H, W).
    weight: (O, C / groups, KH, KW).
    bias: (O,), or None.
    stride, dilation: pixels, an int or (vertical, horizontal).
    padding: pixels of zeros: an int, a pair, ((top, bottom), (left, right)), "valid" (none) or "same" (TensorFlow's
        rule: OH = ceil(H / s), the odd pixel at the bottom and right).
    groups: equal blocks of channels; the filters of a group see its channels only.

    Returns (N, O, OH, OW). Raises ValueError where shapes, groups and window do not fit, TypeError where dtypes differ.
    """
    backend = common_backend(input, weight, bias)
    if input.ndim == 3 and weight.ndim == 4 and input.shape[0] == groups * weight.shape[1]:
        return unusual.conv2d(input, weight, bias, stride, padding, dilation, groups)
    if input.ndim != 4 or weight.ndim != 4:
        raise ValueError(
            f"conv2d needs input (N, C, H, W) and weight (O, C/groups, KH, KW), got {input.shape} and {weight.shape}"
            + (mistakes.about_channels(input.shape, groups * weight.shape[1]) if weight.ndim == 4 else "")
        )
    channels, filters = input.shape[1], weight.shape[0]
    if groups >= 1 and channels != groups * weight.shape[1]:
        needed = f"{groups * weight.shape[1]}" + (f" with groups={groups}" if groups > 1 else "")
        raise ValueError(
            f"conv2d: input {input.shape} has {channels} channels, but weight {weight.shape} needs {needed}"
            + mistakes.about_channels(input.shape, groups * weight.shape[1])
        )
    if groups < 1 or not filters or filters % groups:
        raise ValueError(f"conv2d: groups={groups} must divide the {filters} filters of weight {weight.shape}")
    if bias is not None and bias.shape != (filters,):
        raise ValueError(f"conv2d: bias of shape {bias.shape} for {filters} filters, expected ({filters},)")
    if input.dtype.kind != "f":
        return unusual.conv2d(input, weight, bias, stride, padding, dilation, groups)
    check_dtypes("conv2d", input, weight, bias)
    window = Window.over(input.shape, weight.shape[2:], stride, padding, dilation)
    x, w, b = input.data, weight.data, bias.data if bias is not None else None
    needs = records_grad(input, weight, bias)
    y, saved = backend.conv2d(x, w, b, window, groups, needs)

    def backward(gy):
        return backend.conv2d_backward(gy, saved, window, groups, needs)

    return Tensor.from_operation(y, backward, input, weight, bias, name="conv2d")
