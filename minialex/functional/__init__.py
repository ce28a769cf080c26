"""The differentiable functions: each does its forward through the backend and defines its backward right below.

In every docstring `gy` is the gradient arriving from above, and `gx`, `gw`, `gb` those leaving.
"""

from .activation import dropout, relu, tanh
from .arithmetic import add, div, exp, log, matmul, mul, neg, pow, sqrt, sub, to, unbroadcast
from .convolution import conv2d, linear
from .loss import cross_entropy
from .normalization import local_response_norm
from .pooling import avg_pool2d, max_pool2d
from .reduction import log_softmax, mean, sum
from .shaping import flatten, permute, reshape, transpose

__all__ = [
    "add",
    "avg_pool2d",
    "conv2d",
    "cross_entropy",
    "div",
    "dropout",
    "exp",
    "flatten",
    "linear",
    "local_response_norm",
    "log",
    "log_softmax",
    "matmul",
    "max_pool2d",
    "mean",
    "mul",
    "neg",
    "permute",
    "pow",
    "relu",
    "reshape",
    "sqrt",
    "sub",
    "sum",
    "tanh",
    "to",
    "transpose",
    "unbroadcast",
]
