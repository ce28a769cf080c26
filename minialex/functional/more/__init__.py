"""Functions of torch that a reader of the core may skip, by topic under the names of the core's files."""

from .activation import elu, gelu, silu, softplus
from .arithmetic import bitwise_and, bitwise_not, bitwise_or, bitwise_xor, floor_divide, remainder
from .loss import binary_cross_entropy_with_logits, one_hot
from .ordering import argsort, sort, topk
from .reduction import cumsum, norm, std
from .shaping import chunk, clone, expand, flip, gather, masked_fill, repeat, split, squeeze, unsqueeze

__all__ = [
    "argsort", "binary_cross_entropy_with_logits", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "chunk",
    "clone", "cumsum", "elu", "expand", "flip", "floor_divide", "gather", "gelu", "masked_fill", "norm", "one_hot",
    "remainder", "repeat", "silu", "softplus", "sort", "split", "squeeze", "std", "topk", "unsqueeze",
]  # fmt: skip
