"""Layers as data, beyond those of every classifier: what joins, rearranges, resamples or reduces; and functions (Call).

A layer is described by one of few kinds: what only moves numbers by an index for each output, resampling by its taps in
each direction, reductions by the output to which each input belongs. All of them are found by running the layer.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn
from ..functional.axes import all_axes, one_axis
from ..models.layout import Row
from ..support.types import Array, Shape
from ..tensor import Tensor, no_grad
from .captured import number

Settings = tuple[str, dict[str, Any]] | None
MOVING = ("getitem", "pad", "permute", "transpose", "flip", "reshape", "flatten", "repeat", "expand", "index_select")


def rearranged(layer: nn.Module, row: Row) -> Settings:
    """The settings of a layer that moves numbers: `from`, the index in x of each output, -1 for the constant.

    Two images whose numbers are indices tell: what differs by their distance is from x, what is equal is the constant.
    """
    count = int(np.prod(row.input))
    images = np.arange(2 * count, dtype=np.float64).reshape(2, *row.input)
    with no_grad():
        first, second = layer(Tensor(images)).numpy().reshape(2, -1)
    with np.errstate(invalid="ignore"):  # of an infinite constant
        moved = second - first == count
    margin = first[~moved]
    if not ((second == first) | moved).all() or (margin != margin[:1]).any() or (first[moved] >= count).any():
        return None
    constant = float(margin[0]) if len(margin) else 0.0
    return "rearrange", {"from": _integers(np.where(moved, first, -1)), "constant": number(constant)}


def resampled(layer: nn.Upsample, row: Row) -> Settings:
    """The settings of a layer that resizes maps: for each row and column of the output its taps, [place, weight].

    An image in which one row is 1 shows how much of it each row of the output has; the weights across it add up to 1.
    """
    if len(row.input) != 3:
        return None
    height, width = row.input[1:]
    with no_grad():
        rows = layer(Tensor(_lines(height, width))).numpy()[:, 0, :, 0]
        columns = layer(Tensor(_lines(width, height).swapaxes(2, 3))).numpy()[:, 0, 0, :]
    return "interpolate", {"rows": _taps(rows), "columns": _taps(columns)}


def _lines(count, length):
    """Images (count, 1, count, length), in each of which one row is 1."""
    return np.broadcast_to(np.eye(count, dtype=np.float32)[:, None, :, None], (count, 1, count, length)).copy()


def _taps(weights):
    return [[[int(i), float(column[i])] for i in np.flatnonzero(column)] for column in weights.T]


def reduced(row: Row, dim: Any, keepdim: bool) -> Array | None:
    """The output to which each number of the input belongs, where axes are reduced; None where the batch is one."""
    shape = (1, *row.input)
    axes = all_axes(dim, len(shape), keepdim)
    if 0 in axes:
        return None
    kept = [1 if axis in axes else n for axis, n in enumerate(shape)]
    return np.broadcast_to(np.arange(np.prod(kept)).reshape(kept), shape)


def _integers(numbers: Array) -> str:
    """Whole numbers as base64 of little-endian int32."""
    return base64.b64encode(np.ascontiguousarray(numbers, "<i4").tobytes()).decode()


def contrast(layer: nn.ContrastNorm, row: Row) -> Settings:
    settings = {"size": layer.size, "a": layer.alpha / layer.size**2, "beta": layer.beta, "k": layer.k, "groups": 1}
    return "contrastNorm", settings


def joined(kind: str) -> Callable[[nn.Module, Row], Settings]:
    """The settings of a layer whose inputs broadcast together."""
    return lambda layer, row: (kind, {}) if len(row.sources) > 1 else None


def concatenated(layer: nn.Concat, row: Row) -> Settings:
    axis = one_axis(layer.dim, len(row.output) + 1)
    return ("concat", {"axis": axis - 1}) if axis else None


def softmax(kind: str) -> Callable[[Any, Row], Settings]:
    """The settings of a softmax over the channels."""
    return lambda layer, row: (kind, {}) if over_channels(layer, row.output) else None


def over_channels(layer: Any, shape: Shape) -> bool:
    """Whether a softmax is one over the channels; shape: of its output, without the batch."""
    axes = len(shape) + 1
    return (1 if layer.dim is None and axes != 3 else one_axis(layer.dim or 0, axes)) == 1


def called(layer: nn.Call, row: Row) -> Settings:
    """The settings of a function as a layer; None for one that the page does not know."""
    constants = layer.arguments
    if len(row.sources) == 2 and layer.function in _OF_TWO and constants.get("alpha", 1) == 1:
        return _OF_TWO[layer.function], {}
    if len(row.sources) != 1:
        return None
    if layer.function in MOVING:
        return rearranged(layer, row)
    if layer.function in _REDUCING:
        return _reducing(layer.function, row, **{"dim": None, "keepdim": False, **constants})
    if all(value is None or type(value) in (int, float) for value in constants.values()):
        of_one = _OF_ONE.get(layer.function)
        return of_one and of_one(constants)
    return None


def _reducing(function, row, dim, keepdim, dtype=None):
    to = reduced(row, dim, keepdim)
    if to is None or dtype is not None:
        return None
    kind, sign = _REDUCING[function]
    divisor = to.size // (int(to.max()) + 1) if function == "mean" else 1
    return kind, {"to": _integers(to), "divisor": divisor, "sign": sign}


def _affine(a, b):
    return "affine", {"a": a, "b": b}


def _of_sum(sign):
    def settings(constants):
        alpha = constants.get("alpha", 1)
        if "other" in constants:
            return _affine(1, sign * alpha * constants["other"])
        return _affine(sign * alpha, constants["input"])

    return settings


def _of_quotient(constants):
    return _affine(1 / constants["other"], 0) if constants.get("other") else _over(constants)


def _over(constants):
    return ("over", {"c": constants["input"]}) if "input" in constants else None


def _of_product(constants):
    return _affine(constants.get("other", constants.get("input")), 0)


def _of_power(constants):
    return ("power", {"exponent": constants["exponent"]}) if "exponent" in constants else None


def _of_bounds(constants):
    low, high = constants.get("min"), constants.get("max")
    return "clamp", {"low": None if low == -math.inf else low, "high": None if high == math.inf else high}


_REDUCING = {"mean": ("mean", 1), "sum": ("mean", 1), "amax": ("largest", 1), "amin": ("largest", -1)}
_OF_TWO = {
    **{"add": "add", "mul": "multiply", "sub": "subtract", "div": "divide"},
    **{"maximum": "maximum", "minimum": "minimum"},
}
_OF_ONE: dict[str, Callable[[dict[str, Any]], Settings]] = {
    "add": _of_sum(1),
    "sub": _of_sum(-1),
    "mul": _of_product,
    "div": _of_quotient,
    "neg": lambda constants: _affine(-1, 0),
    "pow": _of_power,
    "clamp": _of_bounds,
    "square": lambda constants: ("power", {"exponent": 2}),
    "sqrt": lambda constants: ("power", {"exponent": 0.5}),
    "rsqrt": lambda constants: ("power", {"exponent": -0.5}),
    "reciprocal": lambda constants: ("over", {"c": 1}),
    "abs": lambda constants: ("absolute", {}),
    "exp": lambda constants: ("exponential", {}),
    "log": lambda constants: ("logarithm", {}),
}
