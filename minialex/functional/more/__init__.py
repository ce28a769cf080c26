"""Functions of torch that a reader of the core may skip, by topic under the names of the core's files."""

from .activation import elu, gelu, silu, softplus
from .arithmetic import bitwise_and, bitwise_not, bitwise_or, bitwise_xor, floor_divide, remainder
from .loss import binary_cross_entropy, binary_cross_entropy_with_logits, huber_loss, l1_loss, one_hot, smooth_l1_loss
from .names import (
    all,
    allclose,
    amax,
    amin,
    any,
    argmax,
    argmin,
    bincount,
    bmm,
    ceil,
    cos,
    dot,
    eq,
    equal,
    floor,
    ge,
    gt,
    hstack,
    index_select,
    isfinite,
    isinf,
    isnan,
    le,
    lt,
    masked_select,
    mm,
    ne,
    normalize,
    outer,
    reciprocal,
    round,
    rsqrt,
    sign,
    sin,
    square,
    t,
    unbind,
    vstack,
)  # fmt: skip
from .normalization import contrast_norm
from .ordering import argsort, sort, topk
from .pooling import adaptive_max_pool2d, dropout2d, stochastic_pool2d
from .reduction import cumsum, norm, std
from .resampling import interpolate
from .shaping import chunk, clone, expand, flip, gather, masked_fill, repeat, split, squeeze, unsqueeze

__all__ = [
    "adaptive_max_pool2d", "all", "allclose", "amax", "amin", "any", "argmax", "argmin", "argsort",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "bincount", "bitwise_and", "bitwise_not", "bitwise_or",
    "bitwise_xor", "bmm", "ceil", "chunk", "clone", "contrast_norm", "cos", "cumsum", "dot", "dropout2d", "elu", "eq",
    "equal", "expand", "flip", "floor", "floor_divide", "gather", "ge", "gelu", "gt", "hstack", "huber_loss",
    "index_select", "interpolate", "isfinite", "isinf", "isnan", "l1_loss", "le", "lt", "masked_fill", "masked_select",
    "mm", "ne", "norm", "normalize", "one_hot", "outer", "reciprocal", "remainder", "repeat", "round", "rsqrt", "sign",
    "silu", "sin", "smooth_l1_loss", "softplus", "sort", "split", "square", "squeeze", "std", "stochastic_pool2d", "t",
    "topk", "unbind", "unsqueeze", "vstack",
]  # fmt: skip
