"""A table of edge cases for every operation.

The gradient check, the comparison with torch, the comparison between backends and the dtype check all use this table,
so a new case is checked in every way. All sizes differ, strides do not divide, windows overlap, groups have several
channels: swapped axes and off-by-one errors show up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from . import functional, random
from .tensor import Tensor


@dataclass(frozen=True)
class Case:
    """A call of an operation.

    op: its name in minialex.functional.
    label: what is special about this case.
    inputs: the differentiable arguments, each a shape (for normally distributed values) or a function of a NumPy
        generator that returns an array.
    options: the other arguments.
    """

    op: str
    label: str
    inputs: tuple
    options: dict = field(default_factory=dict)

    @property
    def name(self):
        """Operation and label."""
        return f"{self.op}: {self.label}"

    def arrays(self, dtype=np.float64, seed=0):
        """The inputs of this case as NumPy arrays of a dtype, the same at every call with the same seed."""
        draw = np.random.default_rng([seed, *self.name.encode()])
        made = [x(draw) if callable(x) else draw.standard_normal(x) for x in self.inputs]
        return [np.asarray(x, dtype) for x in made]

    def run(self, *tensors):
        """Apply the operation to tensors, one for each input; random operations always draw the same numbers."""
        function, options = getattr(functional, self.op), dict(self.options)
        if self.op in ("concatenate", "cat", "stack"):
            return function(tensors, **options)
        if self.op == "where":
            return function(options["condition"], *tensors)
        if self.op == "batch_norm":
            running = [options.pop(name, None) for name in ("running_mean", "running_var")]
            like = tensors[0]
            running = [None if r is None else Tensor(r, dtype=like.dtype, backend=like.backend) for r in running]
            return function(like, *running, *tensors[1:], **options)
        if self.op in ("dropout", "dropout2d", "stochastic_pool2d"):
            options["generator"] = random.Generator(7)
        y = function(*tensors, **options)
        return getattr(y, "values", y)  # max and min along an axis return (values, indices)

    def gradients(self, arrays, backend="numpy", seed=1):
        """Forward and backward with a random cotangent.

        arrays: the inputs.
        backend: where to compute.
        seed: of the cotangent.

        Returns (y, [gradient of each input]), NumPy arrays.
        """
        tensors = [Tensor(x.copy(), requires_grad=True, backend=backend) for x in arrays]
        y = self.run(*tensors)
        y.backward(self.cotangent(y.shape, y.dtype, seed))
        return y.numpy(), [t.grad.numpy() for t in tensors]  # type: ignore[union-attr]

    def cotangent(self, shape, dtype=np.float64, seed=1):
        """A random gradient for the result, since with ones a softmax whose backward returns zeros would pass.

        shape, dtype: of the result.
        seed: of the random numbers.
        """
        return np.random.default_rng([seed, *self.name.encode()]).standard_normal(shape).astype(dtype)


def away_from_zero(*shape):
    """An input of this shape with values of both signs, none within 0.1 of the kink at 0."""

    def make(draw):
        x = draw.standard_normal(shape)
        return x + 0.1 * np.sign(x)

    return make


def positive(*shape, low=0.3):
    """An input of this shape with values from `low` to low + 1."""
    return lambda draw: low + draw.random(shape)


def probabilities(*shape):
    """An input of this shape with values from 0.05 to 0.95."""
    return lambda draw: 0.05 + 0.9 * draw.random(shape)


def distinct(*shape, shift=0.0):
    """An input of this shape, values at least 0.01 apart in random order, so that no maximum is tied, plus shift."""
    return lambda draw: shift + 0.01 * (draw.permutation(int(np.prod(shape))).reshape(shape) - np.prod(shape) / 2)


def strong_channel(n, c, h, w):
    """An input (n, c, h, w) with one channel ten thousand times larger than its neighbours."""

    def make(draw):
        x = draw.standard_normal((n, c, h, w))
        x[:, c // 2] *= 1e4
        return x

    return make


def extreme_logits(n, c, size=1e4):
    """Logits (n, c) of about -size, 0 or +size, most of a row close together."""

    def make(draw):
        x = draw.standard_normal((n, c)) + size * draw.choice([-1, 0, 1], size=(n, 1))
        x[0, 0] += size
        return x

    return make


MAPS = (2, 5, 7, 6)  # N, C, H, W all different

# fmt: off
CASES = [
    Case("add", "same shape", ((3, 4), (3, 4))),
    Case("add", "broadcast both ways", ((3, 1, 4), (2, 1))),
    Case("add", "alpha", ((3, 4), (4,)), {"alpha": -2.5}),
    Case("add", "a scalar", ((3, 4), ())),
    Case("sub", "broadcast both ways", ((1, 4), (3, 1))),
    Case("sub", "alpha", ((3, 4), (3, 1)), {"alpha": 0.5}),
    Case("mul", "broadcast both ways", ((3, 1, 4), (2, 1))),
    Case("mul", "a scalar", ((), (2, 3))),
    Case("div", "broadcast both ways", ((3, 1, 4), positive(2, 1))),
    Case("div", "negative divisor", ((4,), lambda draw: -0.5 - draw.random((3, 4)))),
    Case("abs", "both signs", (away_from_zero(3, 4),)),
    Case("neg", "plain", ((3, 4),)),
    Case("pow", "tensor exponent", (positive(3, 4), (4,))),
    Case("pow", "square of either sign", ((3, 4),), {"exponent": 2}),
    Case("pow", "negative fraction", (positive(3, 4),), {"exponent": -0.75}),
    Case("exp", "plain", ((3, 4),)),
    Case("log", "plain", (positive(3, 4),)),
    Case("sqrt", "plain", (positive(3, 4),)),
    Case("maximum", "broadcast", (distinct(3, 1, 4), distinct(2, 1, shift=0.003))),
    Case("minimum", "broadcast", (distinct(3, 1, 4), distinct(2, 1, shift=0.003))),
    Case("where", "broadcast both ways", ((3, 1, 4), (2, 1)), {"condition": np.arange(8).reshape(2, 4) % 3 == 0}),
    Case("clamp", "two numbers", (distinct(5, 7),), {"min": -0.083, "max": 0.064}),
    Case("clamp", "below only", (distinct(5, 7),), {"min": 0.013}),
    Case("clamp", "tensors that cross", (distinct(3, 7), distinct(7, shift=0.003), distinct(3, 1, shift=0.006))),
    Case("clamp", "above only", (distinct(5, 7),), {"max": 0.013}),
    Case("max", "all", (distinct(3, 4),)),
    Case("max", "an axis", (distinct(3, 4, 5),), {"dim": 1}),
    Case("max", "an axis kept", (distinct(3, 4, 5),), {"dim": -1, "keepdim": True}),
    Case("min", "all", (distinct(3, 4),)),
    Case("min", "an axis", (distinct(3, 4, 5),), {"dim": 0}),
    Case("min", "an axis kept", (distinct(3, 4, 5),), {"dim": -2, "keepdim": True}),
    Case("masked_fill", "broadcast", ((3, 1, 4),), {"mask": np.arange(8).reshape(2, 4) % 3 == 0, "value": -1.5}),
    Case("remainder", "broadcast both ways", ((3, 1, 4), positive(2, 1))),
    Case("remainder", "negative divisor", ((4,), lambda draw: -0.5 - draw.random((3, 4)))),
    Case("matmul", "matrices", ((3, 4), (4, 5))),
    Case("matmul", "batches that broadcast", ((2, 1, 3, 4), (5, 4, 2))),
    Case("matmul", "vector and matrix", ((4,), (4, 3))),
    Case("matmul", "matrices and vector", ((2, 3, 4), (4,))),
    Case("matmul", "two vectors", ((4,), (4,))),
    Case("sum", "all", ((2, 3, 4),)),
    Case("sum", "two axes", ((2, 3, 4),), {"dim": (0, -1)}),
    Case("sum", "one axis kept", ((2, 3, 4),), {"dim": 1, "keepdim": True}),
    Case("mean", "all", ((2, 3, 4),)),
    Case("mean", "one axis", ((2, 3, 4),), {"dim": -2}),
    Case("mean", "two axes kept", ((2, 3, 4),), {"dim": (0, 2), "keepdim": True}),
    Case("var", "all", ((2, 3, 4),)),
    Case("var", "two axes kept, biased", ((2, 3, 4),), {"dim": (0, 2), "correction": 0, "keepdim": True}),
    Case("var", "one axis", ((2, 3, 4),), {"dim": -1}),
    Case("std", "all", ((2, 3, 4),)),
    Case("std", "two axes kept, biased", ((2, 3, 4),), {"dim": (0, 2), "unbiased": False, "keepdim": True}),
    Case("std", "one axis, another correction", ((2, 3, 4),), {"dim": -1, "correction": 2}),
    Case("norm", "all", ((2, 3, 4),)),
    Case("norm", "1, an axis kept", (away_from_zero(2, 3, 4),), {"p": 1, "dim": 1, "keepdim": True}),
    Case("norm", "3, two axes", ((2, 3, 4),), {"p": 3, "dim": (0, -1)}),
    Case("norm", "a fraction", (away_from_zero(2, 3, 4),), {"p": 0.5, "dim": -1}),
    Case("norm", "largest", (distinct(3, 4, 5, shift=0.003),), {"p": math.inf, "dim": 1}),
    Case("norm", "smallest", (distinct(3, 4, 5, shift=0.003),), {"p": -math.inf, "dim": 2}),
    Case("cumsum", "middle axis", ((2, 3, 4),), {"dim": 1}),
    Case("logsumexp", "one axis", ((2, 3, 4),), {"dim": 1}),
    Case("logsumexp", "two axes kept", ((2, 3, 4),), {"dim": (0, -1), "keepdim": True}),
    Case("logsumexp", "logits of 1e3", (extreme_logits(5, 4, 1e3),), {"dim": 1}),
    Case("softmax", "last axis", ((3, 4),), {"dim": -1}),
    Case("softmax", "middle axis", ((2, 4, 3),), {"dim": 1}),
    Case("reshape", "with -1", ((2, 3, 4),), {"shape": (4, -1)}),
    Case("flatten", "from axis 1", ((2, 3, 4, 5),), {"start_dim": 1}),
    Case("flatten", "in the middle", ((2, 3, 4, 5),), {"start_dim": 1, "end_dim": -2}),
    Case("transpose", "first and last", ((2, 3, 4),), {"dim0": 0, "dim1": -1}),
    Case("permute", "a cycle", ((2, 3, 4),), {"dims": (2, 0, 1)}),
    Case("squeeze", "all of length 1", ((3, 1, 4, 1),)),
    Case("squeeze", "two axes, one of them longer", ((1, 3, 1, 4),), {"dim": (0, 1)}),
    Case("unsqueeze", "last but one", ((2, 3, 4),), {"dim": -2}),
    Case("clone", "plain", ((2, 3, 4),)),
    Case("expand", "new and stretched axes", ((3, 1, 4),), {"sizes": (2, -1, 5, 4)}),
    Case("repeat", "a new axis", ((3, 4),), {"repeats": (2, 1, 3)}),
    Case("flip", "two axes", ((2, 3, 4),), {"dims": (0, -1)}),
    Case("gather", "repeated, a corner", ((3, 4, 5),), {"dim": 1, "index": np.arange(36).reshape(2, 6, 3) * 7 % 4}),
    Case("getitem", "slices and a step", ((5, 7, 4),), {"index": np.s_[1:4, ::3]}),
    Case("getitem", "backwards, an axis dropped, one added", ((5, 7, 4),), {"index": np.s_[::-2, None, 3, ...]}),
    Case("getitem", "an array, repeated", ((5, 7),), {"index": np.array([[3, 0, 3], [1, 3, -1]])}),
    Case("getitem", "arrays and a slice", ((5, 7, 4),),
         {"index": np.s_[np.array([0, 2, 2]), 1:6:2, np.array([3, 1, 1])]}),
    Case("getitem", "truth values", ((5, 7),), {"index": np.arange(35).reshape(5, 7) % 3 == 1}),
    Case("getitem", "one element", ((5, 7),), {"index": (4, -2)}),
    Case("pad", "two axes, uneven", ((2, 3, 4),), {"pad": (1, 2, 0, 3), "value": 1.5}),
    Case("pad", "cutting off", ((2, 5, 6),), {"pad": (-1, 2, 3, -2)}),
    Case("concatenate", "three, middle axis", ((2, 3, 4), (2, 1, 4), (2, 5, 4)), {"dim": 1}),
    Case("concatenate", "last axis", ((2, 3), (2, 2)), {"dim": -1}),
    Case("stack", "new last axis", ((2, 3), (2, 3), (2, 3)), {"dim": -1}),
    Case("stack", "new first axis", ((2, 3), (2, 3))),
    Case("relu", "both signs", (away_from_zero(3, 4, 5),)),
    Case("tanh", "plain", ((3, 4),)),
    Case("sigmoid", "far out", (lambda draw: 12 * draw.standard_normal((3, 4)),)),
    Case("leaky_relu", "both signs", (away_from_zero(3, 4, 5),), {"negative_slope": 0.2}),
    Case("gelu", "far out", (lambda draw: 4 * draw.standard_normal((5, 7)),)),
    Case("gelu", "tanh", (lambda draw: 4 * draw.standard_normal((5, 7)),), {"approximate": "tanh"}),
    Case("elu", "both signs", (away_from_zero(3, 4, 5),), {"alpha": 1.7}),
    Case("silu", "far out", (lambda draw: 12 * draw.standard_normal((3, 4)),)),
    Case("softplus", "on both sides of the threshold", (lambda draw: 12 * draw.standard_normal((5, 7)),),
         {"beta": 1.5, "threshold": 10.0}),
    Case("dropout", "inverted", ((5, 7),), {"p": 0.3}),
    Case("dropout", "the paper's, training", ((5, 7),), {"p": 0.5, "inverted": False}),
    Case("dropout", "the paper's, evaluation", ((5, 7),), {"p": 0.3, "training": False, "inverted": False}),
    Case("dropout", "everything", ((5, 7),), {"p": 1.0}),
    Case("dropout2d", "maps", ((4, 5, 3, 2),), {"p": 0.4}),
    Case("dropout2d", "one direction", ((4, 5, 3),), {"p": 0.7, "training": True}),
    Case("linear", "matrix", ((3, 4), (5, 4), (5,))),
    Case("linear", "more axes, no bias", ((2, 3, 4), (5, 4))),
    Case("linear", "one row", ((4,), (5, 4), (5,))),
    Case("conv2d", "plain", ((2, 3, 7, 6), (4, 3, 3, 2), (4,))),
    Case("conv2d", "no bias, one picture", ((1, 2, 4, 5), (3, 2, 2, 3))),
    Case("conv2d", "stride that does not divide", ((2, 3, 8, 7), (4, 3, 3, 2), (4,)), {"stride": (2, 3)}),
    Case("conv2d", "padding", ((2, 3, 5, 4), (4, 3, 3, 3), (4,)), {"padding": 1}),
    Case("conv2d", "padding, a pair", ((2, 3, 5, 4), (4, 3, 3, 3), (4,)), {"padding": (2, 1), "stride": 2}),
    Case("conv2d", "padding, each side", ((2, 3, 5, 4), (4, 3, 3, 3), (4,)),
         {"padding": ((0, 3), (2, 1)), "stride": 2}),
    Case("conv2d", "padding valid", ((2, 3, 5, 4), (4, 3, 3, 2), (4,)), {"padding": "valid"}),
    Case("conv2d", "padding same, even kernel", ((2, 3, 5, 4), (4, 3, 4, 2), (4,)), {"padding": "same"}),
    Case("conv2d", "padding same, strided", ((2, 3, 8, 7), (4, 3, 5, 3), (4,)), {"padding": "same", "stride": (3, 2)}),
    Case("conv2d", "dilation", ((2, 3, 8, 7), (4, 3, 3, 2), (4,)), {"dilation": (2, 3), "padding": 1}),
    Case("conv2d", "groups", ((2, 6, 5, 4), (9, 2, 3, 2), (9,)), {"groups": 3, "padding": 1}),
    Case("conv2d", "depthwise", ((2, 4, 5, 6), (8, 1, 3, 3), (8,)), {"groups": 4, "stride": 2, "padding": 1}),
    Case("conv2d", "1x1", ((2, 3, 5, 4), (4, 3, 1, 1), (4,))),
    Case("conv2d", "stride beyond the kernel", ((2, 3, 9, 8), (4, 3, 2, 2), (4,)), {"stride": 3}),
    Case("conv2d", "kernel of the padded size", ((2, 3, 3, 4), (4, 3, 5, 6), (4,)), {"padding": 1}),
    Case("conv2d", "all at once", ((2, 4, 9, 8), (6, 2, 3, 2), (6,)),
         {"stride": 2, "padding": ((1, 2), (0, 3)), "dilation": (1, 2), "groups": 2}),
    Case("local2d", "plain", ((2, 3, 5, 4), (3, 3, 4, 3, 3, 2), (4, 3, 3))),
    Case("local2d", "no bias, one picture", ((1, 2, 4, 5), (3, 3, 3, 2, 2, 3))),
    Case("local2d", "stride that does not divide", ((3, 2, 8, 7), (3, 2, 4, 2, 3, 2), (4, 3, 2)), {"stride": (2, 3)}),
    Case("local2d", "padding, a pair", ((2, 3, 5, 4), (4, 2, 4, 3, 3, 3), (4, 4, 2)), {"padding": (2, 1), "stride": 2}),
    Case("local2d", "padding same, strided", ((2, 3, 5, 4), (2, 2, 4, 3, 4, 2), (4, 2, 2)),
         {"padding": "same", "stride": (3, 2)}),
    Case("local2d", "groups, padding of each side", ((2, 6, 5, 4), (3, 5, 9, 2, 4, 2), (9, 3, 5)),
         {"groups": 3, "padding": ((0, 1), (2, 0))}),
    Case("local2d", "stride beyond the kernel", ((2, 3, 9, 8), (3, 3, 4, 3, 2, 2), (4, 3, 3)), {"stride": 3}),
    Case("local2d", "one place", ((3, 2, 4, 5), (1, 1, 4, 2, 4, 5), (4, 1, 1))),
    Case("max_pool2d", "overlapping", (distinct(*MAPS),), {"kernel_size": 3, "stride": 2}),
    Case("max_pool2d", "stride 1", (distinct(*MAPS),), {"kernel_size": (2, 3), "stride": 1}),
    Case("max_pool2d", "default stride", (distinct(*MAPS),), {"kernel_size": 2}),
    Case("max_pool2d", "all negative, padded", (distinct(*MAPS, shift=-10.0),),
         {"kernel_size": 3, "stride": 2, "padding": 1}),
    Case("max_pool2d", "ceil mode", (distinct(2, 3, 6, 8),), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    Case("max_pool2d", "ceil mode, last window outside", (distinct(2, 3, 5, 6),),
         {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True}),
    Case("max_pool2d", "dilation", (distinct(*MAPS),), {"kernel_size": (3, 2), "stride": 2, "dilation": (2, 3)}),
    Case("avg_pool2d", "overlapping", (MAPS,), {"kernel_size": 3, "stride": 2}),
    Case("avg_pool2d", "padding counted", (MAPS,), {"kernel_size": 3, "stride": 2, "padding": 1}),
    Case("avg_pool2d", "padding not counted", (MAPS,),
         {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    Case("avg_pool2d", "ceil mode", ((2, 3, 6, 8),), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    Case("avg_pool2d", "ceil mode, padding counted", ((2, 3, 6, 8),),
         {"kernel_size": (3, 4), "stride": 3, "padding": (1, 2), "ceil_mode": True}),
    Case("avg_pool2d", "divisor", (MAPS,), {"kernel_size": (2, 3), "divisor_override": 5}),
    Case("stochastic_pool2d", "overlapping", (away_from_zero(*MAPS),), {"kernel_size": 3, "stride": 2}),
    Case("stochastic_pool2d", "mostly negative, padded", (lambda draw: away_from_zero(*MAPS)(draw) - 1.0,),
         {"kernel_size": (2, 3), "stride": 1, "padding": 1}),
    Case("stochastic_pool2d", "ceil mode", (positive(2, 3, 6, 8),), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    Case("stochastic_pool2d", "evaluation", (away_from_zero(*MAPS),), {"kernel_size": 2, "training": False}),
    Case("stochastic_pool2d", "evaluation, the largest, ceil mode", (distinct(2, 3, 6, 8, shift=0.003),),
         {"kernel_size": 3, "stride": 2, "ceil_mode": True, "training": False, "evaluation": "max"}),
    Case("adaptive_avg_pool2d", "windows that overlap", ((2, 3, 7, 5),), {"output_size": (3, 4)}),
    Case("adaptive_avg_pool2d", "to one", ((2, 3, 7, 5),), {"output_size": 1}),
    Case("adaptive_avg_pool2d", "larger, one kept", ((2, 3, 4, 5),), {"output_size": (7, None)}),
    Case("adaptive_max_pool2d", "windows that overlap", (distinct(2, 3, 7, 5),), {"output_size": (3, 4)}),
    Case("adaptive_max_pool2d", "to one, all negative", (distinct(2, 3, 7, 5, shift=-10.0),), {"output_size": 1}),
    Case("adaptive_max_pool2d", "larger, one kept, one image", (distinct(3, 4, 5),), {"output_size": (7, None)}),
    Case("interpolate", "nearest, up and down", ((2, 3, 5, 7),), {"size": (8, 3)}),
    Case("interpolate", "nearest, a factor", ((2, 3, 5, 4),), {"scale_factor": (2.3, 0.6)}),
    Case("interpolate", "nearest, one direction", ((2, 3, 5),), {"size": 12, "mode": "nearest"}),
    Case("interpolate", "nearest-exact", ((2, 3, 5, 7),), {"size": (8, 3), "mode": "nearest-exact"}),
    Case("interpolate", "bilinear, up and down", ((2, 3, 5, 7),), {"size": (8, 3), "mode": "bilinear"}),
    Case("interpolate", "bilinear, a factor", ((2, 3, 5, 4),), {"scale_factor": 2.3, "mode": "bilinear"}),
    Case("interpolate", "bilinear, the factor of the sizes", ((2, 3, 5, 4),),
         {"scale_factor": 2.3, "mode": "bilinear", "recompute_scale_factor": True}),
    Case("interpolate", "bilinear, corners", ((2, 3, 5, 7),),
         {"size": (8, 3), "mode": "bilinear", "align_corners": True}),
    Case("interpolate", "bilinear, corners of one pixel", ((2, 3, 5, 1),),
         {"size": (1, 4), "mode": "bilinear", "align_corners": True}),
    Case("interpolate", "bicubic", ((2, 3, 5, 7),), {"size": (8, 3), "mode": "bicubic"}),
    Case("interpolate", "area", ((2, 3, 5, 7),), {"size": (8, 3), "mode": "area"}),
    Case("batch_norm", "training", ((4, 3, 5, 2), (3,), (3,)), {"training": True, "eps": 1e-3}),
    Case("batch_norm", "training, no weights", ((6, 3),), {"training": True}),
    Case("batch_norm", "evaluation", ((4, 3, 5), (3,), (3,)),
         {"running_mean": np.array([0.3, -1.0, 0.1]), "running_var": np.array([0.5, 2.0, 1.1]), "momentum": 0.2}),
    Case("local_response_norm", "torch's", (MAPS,), {"size": 3, "alpha": 0.9, "k": 1.5}),
    Case("local_response_norm", "the paper's", ((2, 7, 3, 4),),
         {"size": 5, "alpha": 1.1, "k": 2.0, "alpha_over": "element"}),
    Case("local_response_norm", "even window", (MAPS,), {"size": 4, "alpha": 1.0}),
    Case("local_response_norm", "more than all channels", ((2, 3, 4, 5),), {"size": 9, "alpha": 1.0}),
    Case("local_response_norm", "size 1, beta 1/2", (MAPS,), {"size": 1, "alpha": 1.0, "beta": 0.5}),
    Case("local_response_norm", "groups", ((2, 6, 3, 4),), {"size": 3, "alpha": 1.0, "groups": 2}),
    Case("local_response_norm", "one strong channel", (strong_channel(2, 7, 3, 4),), {"size": 3, "alpha": 1.0}),
    Case("local_response_norm", "same map", (MAPS,), {"size": 3, "alpha": 1.0, "within_channel": True}),
    Case("local_response_norm", "same map, even, element", (MAPS,),
         {"size": 4, "alpha": 0.3, "within_channel": True, "alpha_over": "element"}),
    Case("contrast_norm", "plain", (MAPS,), {"size": 3, "alpha": 1.0}),
    Case("contrast_norm", "even window, another exponent", (MAPS,), {"size": 4, "alpha": 3.0, "beta": 0.6, "k": 2.0}),
    Case("contrast_norm", "larger than the images", ((2, 3, 4, 5),), {"size": 9, "alpha": 10.0}),
    Case("contrast_norm", "far from 0", (lambda draw: 5 + draw.standard_normal(MAPS),), {"size": 5, "alpha": 2.0}),
    Case("log_softmax", "last axis", ((3, 4),), {"dim": -1}),
    Case("log_softmax", "middle axis", ((2, 4, 3),), {"dim": 1}),
    Case("log_softmax", "logits of 1e4", (extreme_logits(5, 4),), {"dim": 1}),
    Case("nll_loss", "mean", ((5, 4),), {"target": np.array([1, 3, 0, 3, 2])}),
    Case("nll_loss", "weights, some ignored, maps", ((2, 4, 3),),
         {"target": np.array([[1, 3, 0], [3, -1, 2]]), "weight": np.array([0.5, 1.0, 2.0, 0.2]), "ignore_index": -1}),
    Case("nll_loss", "none", ((5, 4),), {"target": np.array([1, 3, 0, 3, 2]), "reduction": "none"}),
    Case("mse_loss", "mean", ((3, 4), (3, 4))),
    Case("mse_loss", "sum", ((3, 4), (3, 4)), {"reduction": "sum"}),
    Case("mse_loss", "none", ((3, 4), (3, 4)), {"reduction": "none"}),
    Case("l1_loss", "mean", (distinct(3, 4), distinct(3, 4, shift=0.003))),
    Case("l1_loss", "sum", (distinct(3, 4), distinct(3, 4, shift=0.003)), {"reduction": "sum"}),
    Case("l1_loss", "mean, weights", (distinct(3, 4), distinct(3, 4, shift=0.003)),
         {"weight": np.arange(12.0).reshape(3, 4)}),
    Case("smooth_l1_loss", "mean", ((5, 7), (5, 7))),
    Case("smooth_l1_loss", "sum, beta", ((5, 7), (5, 7)), {"beta": 0.3, "reduction": "sum"}),
    Case("smooth_l1_loss", "none, beta 0", (distinct(3, 4), distinct(3, 4, shift=0.003)),
         {"beta": 0.0, "reduction": "none"}),
    Case("huber_loss", "mean", ((5, 7), (5, 7))),
    Case("huber_loss", "sum, delta, weights", ((5, 7), (5, 7)),
         {"delta": 0.3, "reduction": "sum", "weight": np.arange(35.0).reshape(5, 7)}),
    Case("binary_cross_entropy", "mean", (probabilities(5, 4), positive(5, 4, low=0))),
    Case("binary_cross_entropy", "sum, weights", (probabilities(5, 4), positive(5, 4, low=0)),
         {"weight": np.array([[0.5], [1.0], [2.0], [0.2], [3.0]]), "reduction": "sum"}),
    Case("binary_cross_entropy_with_logits", "mean", ((5, 4), positive(5, 4, low=0))),
    Case("binary_cross_entropy_with_logits", "sum, weights", ((5, 4), positive(5, 4, low=0)),
         {"weight": np.array([[0.5], [1.0], [2.0], [0.2], [3.0]]), "pos_weight": np.array([3.0, 1.0, 0.1, 2.0]),
          "reduction": "sum"}),
    Case("binary_cross_entropy_with_logits", "logits of 1e4", (extreme_logits(6, 4), positive(6, 4, low=0)),
         {"reduction": "none"}),
    Case("cross_entropy", "mean", ((5, 4),), {"target": np.array([1, 3, 0, 3, 2])}),
    Case("cross_entropy", "logits of 1e4", (extreme_logits(6, 4),),
         {"target": np.array([1, 3, 0, 3, 2, 0]), "reduction": "none"}),
    Case("cross_entropy", "none", ((5, 4),), {"target": np.array([1, 3, 0, 3, 2]), "reduction": "none"}),
    Case("cross_entropy", "sum, some ignored", ((5, 4),),
         {"target": np.array([1, -100, 0, 3, -100]), "reduction": "sum"}),
    Case("cross_entropy", "weights, smoothing", ((5, 4),),
         {"target": np.array([1, 3, 0, -1, 2]), "weight": np.array([0.5, 1.0, 2.0, 0.2]), "ignore_index": -1,
          "label_smoothing": 0.1}),
    Case("cross_entropy", "maps", ((2, 4, 3, 2),),
         {"target": np.array([1, 3, 0, 3, 2, 0, 0, 1, 2, 3, 3, 1]).reshape(2, 3, 2)}),
]
# fmt: on
