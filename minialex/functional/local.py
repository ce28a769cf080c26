"""The locally connected layer: a convolution whose filters differ from place to place."""

from __future__ import annotations

from ..support import mistakes
from ..support.types import Padding, Size
from ..tensor import Tensor, check_dtypes, common_backend, records_grad
from ..window import Window


def local2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = 1, padding: Padding = 0, groups: int = 1
) -> Tensor:
    """Locally connected layer: every output pixel has filters, and biases, of its own.

        y[n, o, i, j] = b[o, i, j] + sum over c, u, v of  w[i, j, o, c, u, v] x[n, c, i s + u - p, j s + v - p]
        (u, v: a place in the kernel; s: stride, p: padding before the first pixel)

        gx[n, c]             = each gy[n, o, i, j] w[i, j, o, c, u, v] added where its factor of x came from
        gw[i, j, o, c, u, v] = sum over n of  gy[n, o, i, j] x[n, c, i s + u - p, j s + v - p]
        gb[o, i, j]          = sum over n of  gy[n, o, i, j]

    input: (N, C, H, W).
    weight: (OH, OW, O, C / groups, KH, KW): weight[i, j] is conv2d's weight for the output pixel (i, j).
    bias: (O, OH, OW), or None.
    stride: pixels, an int or (vertical, horizontal).
    padding: pixels of zeros, in all forms of conv2d's.
    groups: equal blocks of channels; the filters of a group see its channels only.

    Returns (N, O, OH, OW). Raises ValueError where shapes and groups do not fit, or the images are of another size than
    the weight is for; TypeError where dtypes differ.
    cuda-convnet's type=local: LocalLayer of its layer.cu.
    """
    backend = common_backend(input, weight, bias)
    window = _window(input, weight, bias, stride, padding, groups)
    check_dtypes("local2d", input, weight, bias)
    x, w, b = input.data, weight.data, bias.data if bias is not None else None
    needs = records_grad(input, weight, bias)
    y, saved = backend.local2d(x, w, b, window, groups, needs)

    def backward(gy):
        return backend.local2d_backward(gy, saved, window, groups, needs)

    return Tensor.from_operation(y, backward, input, weight, bias, name="local2d")


def _window(input, weight, bias, stride, padding, groups):
    """The window over the input; ValueError where the arguments do not fit together."""
    if input.ndim != 4 or weight.ndim != 6:
        raise ValueError(
            "local2d needs input (N, C, H, W) and weight (OH, OW, O, C/groups, KH, KW), got "
            f"{input.shape} and {weight.shape}"
        )
    channels, (*places, filters, seen, _, _) = input.shape[1], weight.shape
    if groups < 1 or not filters or filters % groups:
        raise ValueError(f"local2d: groups={groups} must divide the {filters} filters of weight {weight.shape}")
    if channels != groups * seen:
        needed = f"{groups * seen}" + (f" with groups={groups}" if groups > 1 else "")
        raise ValueError(
            f"local2d: input {input.shape} has {channels} channels, but weight {weight.shape} needs {needed}"
            + mistakes.about_channels(input.shape, groups * seen)
        )
    if bias is not None and bias.shape != (filters, *places):
        raise ValueError(f"local2d: bias of shape {bias.shape} for weight {weight.shape}, expected {filters, *places}")
    window = Window.over(input.shape, weight.shape[4:], stride, padding)
    if window.output != tuple(places):
        raise ValueError(
            f"local2d: images of {window.size} give outputs of {window.output}, but weight {weight.shape} has filters "
            f"for {tuple(places)}: give images of the size that the layer was made for"
        )
    return window
