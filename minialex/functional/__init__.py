"""The differentiable functions: each computes its result and defines its own backward.

In every docstring `gy` is the gradient of the result, and `gx`, `gw`, `gb`, `ga` those of the inputs.

Where is the derivative? An operation whose arithmetic is worth a kernel (linear, conv2d, pooling, both normalisations,
log_softmax, cross_entropy, relu, dropout) calls a pair of backend methods, `f` and `f_backward`: both are in
backends/numpy_backend.py, and faster backends override both. Every other operation is written with the array module
`xp` of its backend (numpy, or cupy), and its derivative stands right below its result. more/ holds those of
torch's functions that a first reading may skip.
"""

from functools import partial
from typing import TYPE_CHECKING

from ..support import absent
from .activation import dropout, leaky_relu, relu, sigmoid, tanh
from .arithmetic import add, div, exp, log, matmul, mul, neg, pow, sqrt, sub, to, unbroadcast
from .convolution import conv2d, linear
from .local import local2d
from .loss import cross_entropy, mse_loss, nll_loss
from .more import (
    adaptive_max_pool2d,
    all,
    allclose,
    amax,
    amin,
    any,
    argmax,
    argmin,
    argsort,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    bincount,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    bmm,
    ceil,
    chunk,
    clone,
    contrast_norm,
    cos,
    cumsum,
    dot,
    dropout2d,
    elu,
    eq,
    equal,
    expand,
    flip,
    floor,
    floor_divide,
    gather,
    ge,
    gelu,
    gt,
    hstack,
    huber_loss,
    index_select,
    interpolate,
    isfinite,
    isinf,
    isnan,
    l1_loss,
    le,
    lt,
    masked_fill,
    masked_select,
    mm,
    ne,
    norm,
    normalize,
    one_hot,
    outer,
    reciprocal,
    remainder,
    repeat,
    round,
    rsqrt,
    sign,
    silu,
    sin,
    smooth_l1_loss,
    softplus,
    sort,
    split,
    square,
    squeeze,
    std,
    stochastic_pool2d,
    t,
    topk,
    unbind,
    unsqueeze,
    vstack,
)  # fmt: skip
from .normalization import batch_norm, local_response_norm
from .pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from .reduction import log_softmax, logsumexp, mean, softmax, sum, var
from .selection import abs, clamp, clip, max, maximum, min, minimum, where
from .shaping import cat, concatenate, flatten, getitem, pad, permute, reshape, stack, transpose

__all__ = [
    "abs", "adaptive_avg_pool2d", "adaptive_max_pool2d", "add", "all", "allclose", "amax", "amin", "any", "argmax",
    "argmin", "argsort", "avg_pool2d", "batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "bincount", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "bmm", "cat", "ceil", "chunk", "clamp",
    "clip", "clone", "concatenate", "contrast_norm", "conv2d", "cos", "cross_entropy", "cumsum", "div", "dot",
    "dropout", "dropout2d", "elu", "eq", "equal", "exp", "expand", "flatten", "flip", "floor", "floor_divide", "gather",
    "ge", "gelu", "getitem", "gt", "hstack", "huber_loss", "index_select", "interpolate", "isfinite", "isinf", "isnan",
    "l1_loss", "le", "leaky_relu", "linear", "local2d", "local_response_norm", "log", "log_softmax", "logsumexp", "lt",
    "masked_fill", "masked_select", "matmul", "max", "max_pool2d", "maximum", "mean", "min", "minimum", "mm",
    "mse_loss", "mul", "ne", "neg", "nll_loss", "norm", "normalize", "one_hot", "outer", "pad", "permute", "pow",
    "reciprocal", "relu", "remainder", "repeat", "reshape", "round", "rsqrt", "sigmoid", "sign", "silu", "sin",
    "smooth_l1_loss", "softmax", "softplus", "sort", "split", "sqrt", "square", "squeeze", "stack", "std",
    "stochastic_pool2d", "sub", "sum", "t", "tanh", "to", "topk", "transpose", "unbind", "unbroadcast", "unsqueeze",
    "var", "vstack", "where",
]  # fmt: skip

if not TYPE_CHECKING:  # to a type checker every name would be there
    __getattr__ = partial(absent.refuse, "functional")
