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
from .loss import cross_entropy, mse_loss, nll_loss
from .more import (
    adaptive_max_pool2d,
    argsort,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    chunk,
    clone,
    cumsum,
    dropout2d,
    elu,
    expand,
    flip,
    floor_divide,
    gather,
    gelu,
    huber_loss,
    interpolate,
    l1_loss,
    masked_fill,
    norm,
    one_hot,
    remainder,
    repeat,
    silu,
    smooth_l1_loss,
    softplus,
    sort,
    split,
    squeeze,
    std,
    topk,
    unsqueeze,
)  # fmt: skip
from .normalization import batch_norm, local_response_norm
from .pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from .reduction import log_softmax, logsumexp, mean, softmax, sum, var
from .selection import abs, clamp, clip, max, maximum, min, minimum, where
from .shaping import cat, concatenate, flatten, getitem, pad, permute, reshape, stack, transpose

__all__ = [
    "abs", "adaptive_avg_pool2d", "adaptive_max_pool2d", "add", "argsort", "avg_pool2d", "batch_norm",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "bitwise_and", "bitwise_not", "bitwise_or",
    "bitwise_xor", "cat", "chunk", "clamp", "clip", "clone", "concatenate", "conv2d", "cross_entropy",
    "cumsum", "div", "dropout", "dropout2d", "elu", "exp", "expand", "flatten", "flip", "floor_divide",
    "gather", "gelu", "getitem", "huber_loss", "interpolate", "l1_loss", "leaky_relu", "linear",
    "local_response_norm", "log", "log_softmax", "logsumexp", "masked_fill", "matmul", "max", "max_pool2d",
    "maximum", "mean", "min", "minimum", "mse_loss", "mul", "neg", "nll_loss", "norm", "one_hot", "pad",
    "permute", "pow", "relu", "remainder", "repeat", "reshape", "sigmoid", "silu", "smooth_l1_loss", "softmax",
    "softplus", "sort", "split", "sqrt", "squeeze", "stack", "std", "sub", "sum", "tanh", "to", "topk",
    "transpose", "unbroadcast", "unsqueeze", "var", "where",
]  # fmt: skip

if not TYPE_CHECKING:  # to a type checker every name would be there
    __getattr__ = partial(absent.refuse, "functional")
