"""Functions of torch that a reader of the core may skip, by topic under the names of the core's files."""

from .activation import elu, gelu, silu, softplus
from .arithmetic import bitwise_and, bitwise_not, bitwise_or, bitwise_xor, floor_divide, remainder
from .loss import binary_cross_entropy, binary_cross_entropy_with_logits, huber_loss, l1_loss, one_hot, smooth_l1_loss
from .ordering import argsort, sort, topk
from .pooling import adaptive_max_pool2d, dropout2d
from .reduction import cumsum, norm, std
from .resampling import interpolate
from .shaping import chunk, clone, expand, flip, gather, masked_fill, repeat, split, squeeze, unsqueeze

__all__ = [
    "adaptive_max_pool2d", "argsort", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "chunk", "clone", "cumsum", "dropout2d", "elu",
    "expand", "flip", "floor_divide", "gather", "gelu", "huber_loss", "interpolate", "l1_loss", "masked_fill",
    "norm", "one_hot", "remainder", "repeat", "silu", "smooth_l1_loss", "softplus", "sort", "split", "squeeze",
    "std", "topk", "unsqueeze",
]  # fmt: skip
