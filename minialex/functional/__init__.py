"""The differentiable functions: each computes its result and defines its own backward.

In every docstring `gy` is the gradient of the result, and `gx`, `gw`, `gb`, `ga` those of the inputs.

Where is the derivative? An operation whose arithmetic is worth a kernel (linear, conv2d, pooling, both normalisations,
log_softmax, cross_entropy, relu, dropout) calls a pair of backend methods, `f` and `f_backward`: both are in
backends/numpy_backend.py, and faster backends override both. Every other operation is written with the array module
`xp` of its backend (numpy, or cupy), and its derivative stands right below its result.
"""

from .activation import dropout, leaky_relu, relu, sigmoid, tanh
from .arithmetic import add, div, exp, log, matmul, mul, neg, pow, sqrt, sub, to, unbroadcast
from .convolution import conv2d, linear
from .loss import cross_entropy, mse_loss, nll_loss
from .normalization import batch_norm, local_response_norm
from .pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from .reduction import log_softmax, logsumexp, mean, softmax, sum, var
from .selection import abs, clamp, clip, max, maximum, min, minimum, where
from .shaping import cat, concatenate, flatten, getitem, pad, permute, reshape, stack, transpose

__all__ = [
    "abs", "adaptive_avg_pool2d", "add", "avg_pool2d", "batch_norm", "cat", "clamp", "clip", "concatenate",
    "conv2d", "cross_entropy", "div", "dropout", "exp", "flatten", "getitem", "leaky_relu", "linear",
    "local_response_norm", "log", "log_softmax", "logsumexp", "matmul", "max", "max_pool2d", "maximum", "mean",
    "min", "minimum", "mse_loss", "mul", "neg", "nll_loss", "pad", "permute", "pow", "relu", "reshape",
    "sigmoid", "softmax", "sqrt", "stack", "sub", "sum", "tanh", "to", "transpose", "unbroadcast", "var",
    "where",
]  # fmt: skip
