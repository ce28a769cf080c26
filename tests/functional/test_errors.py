"""What a user hears who gives an operation the wrong thing: a sentence with what was wrong and what was expected."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from minialex import functional
from minialex.cases import CASES
from minialex.tensor import Tensor


def zeros(*shape, dtype=np.float64):
    return Tensor(np.zeros(shape, dtype), requires_grad=np.dtype(dtype).kind == "f")


MAPS, FILTERS, LOCAL = zeros(2, 3, 5, 4), zeros(4, 3, 3, 2), zeros(3, 3, 4, 3, 3, 2)

WRONG = [
    ("conv2d", (zeros(5, 4), FILTERS), {}, ValueError, r"needs input \(N, C, H, W\) and weight .*got \(5, 4\)"),
    ("conv2d", (zeros(1, 2, 3, 5, 4), FILTERS), {}, ValueError, r"needs input .*got \(1, 2, 3, 5, 4\)"),
    ("conv2d", (zeros(3, 5, 4), zeros(4, 3)), {}, ValueError, r"weight .*got \(3, 5, 4\) and \(4, 3\)"),
    ("conv2d", (MAPS, zeros(4, 3)), {}, ValueError, r"got \(2, 3, 5, 4\) and \(4, 3\)"),
    ("conv2d", (MAPS, zeros(4, 2, 3, 3)), {}, ValueError, r"has 3 channels.* \(4, 2, 3, 3\) needs 2"),
    ("conv2d", (zeros(2, 6, 5, 4), FILTERS), {"groups": 3}, ValueError, "has 6 channels, .* needs 9 with groups=3"),
    ("conv2d", (zeros(2, 6, 5, 4), zeros(4, 2, 3, 3)), {"groups": 3}, ValueError, "groups=3 must divide the 4 filters"),
    ("conv2d", (MAPS, FILTERS), {"groups": 0}, ValueError, "groups=0"),
    ("conv2d", (MAPS, FILTERS, zeros(3)), {}, ValueError, r"bias of shape \(3,\) for 4 filters, expected \(4,\)"),
    ("conv2d", (MAPS, FILTERS, zeros(4, 1)), {}, ValueError, r"bias of shape \(4, 1\)"),
    ("conv2d", (MAPS, zeros(4, 3, 6, 2)), {}, ValueError, "6x2 does not fit into pictures of 5x4"),
    ("conv2d", (MAPS, FILTERS), {"dilation": 3}, ValueError, "7x4 does not fit into pictures of 5x4"),
    ("conv2d", (MAPS, FILTERS), {"stride": 0}, ValueError, r"stride \(0, 0\).*at least 1"),
    ("conv2d", (MAPS, FILTERS), {"stride": (1, 2, 3)}, TypeError, r"stride is .* a pair.*got \(1, 2, 3\)"),
    ("conv2d", (MAPS, FILTERS), {"stride": 1.5}, TypeError, "stride is a whole number .*got 1.5"),
    ("conv2d", (MAPS, FILTERS), {"dilation": 0}, ValueError, r"dilation \(0, 0\).*at least 1"),
    ("conv2d", (MAPS, FILTERS), {"padding": -1}, ValueError, "padding must not be negative"),
    ("conv2d", (MAPS, FILTERS), {"padding": "full"}, ValueError, '"valid" or "same", got \'full\''),
    ("conv2d", (MAPS, FILTERS), {"padding": ((1, 2), (0, 1, 2))}, TypeError, "side's padding .*pair"),
    ("conv2d", (MAPS, zeros(4, 3, 3, 2, dtype=np.float32)), {}, (TypeError, ValueError), "float64.*float32"),
    ("conv2d", (zeros(2, 3, 5, 4, dtype=np.uint8), FILTERS), {}, (TypeError, ValueError), "uint8"),
    ("local2d", (zeros(3, 5, 4), LOCAL), {}, ValueError, r"needs input \(N, C, H, W\) and weight .*got \(3, 5, 4\)"),
    ("local2d", (MAPS, FILTERS), {}, ValueError, r"weight \(OH, OW, O, C/groups, KH, KW\), got .* \(4, 3, 3, 2\)"),
    ("local2d", (MAPS, zeros(3, 3, 4, 2, 3, 2)), {}, ValueError, r"has 3 channels.* \(3, 3, 4, 2, 3, 2\) needs 2"),
    ("local2d", (zeros(2, 6, 5, 4), LOCAL), {"groups": 4}, ValueError, "has 6 channels, .* needs 12 with groups=4"),
    ("local2d", (MAPS, LOCAL), {"groups": 3}, ValueError, "groups=3 must divide the 4 filters"),
    ("local2d", (MAPS, LOCAL), {"groups": 0}, ValueError, "groups=0"),
    ("local2d", (MAPS, LOCAL, zeros(4)), {}, ValueError, r"bias of shape \(4,\) .*, expected \(4, 3, 3\)"),
    (
        "local2d",
        (zeros(2, 3, 5, 5), LOCAL),
        {},
        ValueError,
        r"images of \(5, 5\) give outputs of \(3, 4\), .* \(3, 3\)",
    ),
    (
        "local2d",
        (MAPS, LOCAL),
        {"padding": 1},
        ValueError,
        r"outputs of \(5, 5\), but weight .* \(3, 3\): give images of",
    ),
    ("local2d", (zeros(2, 3, 2, 4), LOCAL), {}, ValueError, "3x2 does not fit into pictures of 2x4"),
    ("local2d", (MAPS, zeros(3, 3, 4, 3, 3, 2, dtype=np.float32)), {}, (TypeError, ValueError), "float64.*float32"),
    ("local2d", (zeros(2, 3, 5, 4, dtype=np.uint8), LOCAL), {}, (TypeError, ValueError), "uint8"),
    ("linear", (zeros(2, 3), zeros(4, 5)), {}, ValueError, r"\(4, 5\) means 5 inputs, but .*\(2, 3\)"),
    ("linear", (zeros(2, 3), zeros(3)), {}, ValueError, r"\(3,\)"),
    ("linear", (zeros(2, 3), zeros(4, 3), zeros(3)), {}, ValueError, r"bias.*\(3,\)"),
    ("linear", (zeros(2, 3), zeros(4, 3), zeros(1)), {}, ValueError, r"bias.*\(1,\)"),
    ("linear", (zeros(2, 3), zeros(4, 3), zeros(2, 4)), {}, ValueError, r"bias.*\(2, 4\)"),
    ("linear", (zeros(2, 3), zeros(4, 3, dtype=np.float32)), {}, (TypeError, ValueError), "float64.*float32"),
    ("max_pool2d", (zeros(5, 4), 2), {}, ValueError, r"needs input \(N, C, H, W\), got \(5, 4\)"),
    ("max_pool2d", (zeros(1, 2, 3, 5, 4), 2, None, 0, 1, False, True), {}, ValueError, "needs input .*got"),
    ("adaptive_avg_pool2d", (zeros(5, 4), 2), {}, ValueError, r"needs input \(N, C, H, W\), got \(5, 4\)"),
    ("adaptive_avg_pool2d", (MAPS, (2,)), {}, TypeError, r"a number or a pair, got \(2,\)"),
    ("max_pool2d", (MAPS, 6), {}, ValueError, "6x6 does not fit into pictures of 5x4"),
    ("max_pool2d", (MAPS, 2), {"padding": 2}, ValueError, "padding of at most half the window"),
    ("max_pool2d", (MAPS, 0), {}, ValueError, r"kernel_size \(0, 0\)"),
    ("max_pool2d", (MAPS, 2), {"stride": 0}, ValueError, r"stride \(0, 0\)"),
    ("avg_pool2d", (zeros(5, 4), 2), {}, ValueError, r"needs input \(N, C, H, W\), got \(5, 4\)"),
    ("avg_pool2d", (MAPS, (2, 2, 2)), {}, TypeError, "kernel_size is a whole number or a pair"),
    ("avg_pool2d", (MAPS, 2), {"padding": 2}, ValueError, "padding of at most half the window"),
    ("avg_pool2d", (MAPS, 2), {"divisor_override": 0}, ValueError, "divisor_override must not be 0"),
    ("local_response_norm", (zeros(3, 5), 3), {}, ValueError, r"\(N, C, ...\), .*got \(3, 5\)"),
    ("local_response_norm", (zeros(3, 5, 4), 3), {"within_channel": True}, ValueError, r"W\) within a channel, got"),
    ("local_response_norm", (MAPS, 0), {}, ValueError, "size=0"),
    ("local_response_norm", (MAPS, 3), {"groups": 2}, ValueError, "groups=2 .*3 channels"),
    ("local_response_norm", (MAPS, 3), {"alpha_over": "sum"}, ValueError, '"window" or "element", got \'sum\''),
    ("contrast_norm", (zeros(3, 5, 4), 3), {}, ValueError, r"needs input \(N, C, H, W\) .*got \(3, 5, 4\) and 3"),
    ("contrast_norm", (MAPS, 0), {}, ValueError, r"a size of at least 1, got \(2, 3, 5, 4\) and 0"),
    ("contrast_norm", (zeros(2, 3, 5, 4, dtype=np.int64), 3), {}, TypeError, "int64"),
    ("stochastic_pool2d", (zeros(3, 5, 4), 2), {}, ValueError, r"needs input \(N, C, H, W\), got \(3, 5, 4\)"),
    ("stochastic_pool2d", (MAPS, 6), {}, ValueError, "6x6 does not fit into pictures of 5x4"),
    ("stochastic_pool2d", (MAPS, 2), {"evaluation": "median"}, ValueError, '"mean" or "max", got \'median\''),
    ("stochastic_pool2d", (zeros(2, 3, 5, 4, dtype=np.int64), 3), {}, TypeError, "int64"),
    ("matmul", (zeros(2, 3), zeros(4, 5)), {}, ValueError, r"\(2, 3\) and \(4, 5\): the last axis"),
    ("matmul", (zeros(2, 3), zeros(2)), {}, ValueError, r"\(2, 3\) and \(2,\)"),
    ("matmul", (zeros(2, 3), 2.0), {}, ValueError, r"\(2, 3\) and \(\)"),
    ("matmul", (zeros(2, 3, 4), zeros(3, 4, 5)), {}, ValueError, r"\(2, ?3, ?4\).*\(3, ?4, ?5\)"),
    ("add", (zeros(2, 3), zeros(2, 4)), {}, ValueError, r"\(2, ?3\).*\(2, ?4\)"),
    ("reshape", (zeros(2, 3), (4, 2)), {}, ValueError, r"cannot reshape \(2, 3\), 6 elements, into \(4, 2\)"),
    ("reshape", (zeros(2, 3), (-1, 4)), {}, ValueError, r"into \(-1, 4\)"),
    ("reshape", (zeros(2, 3), (-1, -1)), {}, ValueError, r"into \(-1, -1\)"),
    ("reshape", (zeros(2, 3), 5), {}, ValueError, r"cannot reshape \(2, 3\).*5"),
    ("flatten", (zeros(2, 3, 4),), {"start_dim": 2, "end_dim": 1}, ValueError, "start_dim <= end_dim, got 2 and 1"),
    ("flatten", (zeros(2, 3, 4),), {"start_dim": 5}, (ValueError, IndexError), "5.*3"),
    ("transpose", (zeros(2, 3, 4), 0, 3), {}, (ValueError, IndexError), "3"),
    ("permute", (zeros(2, 3, 4), (0, 1)), {}, ValueError, r"each of the 3 axes once, got \(0, 1\)"),
    ("permute", (zeros(2, 3, 4), (0, 1, 1)), {}, ValueError, "each of the 3 axes once"),
    ("permute", (zeros(2, 3), (0, 3)), {}, IndexError, "dim 3 is out of range"),
    ("sum", (zeros(2, 3),), {"dim": 2}, IndexError, "dim 2 is out of range for a tensor with 2 axes"),
    ("sum", (zeros(2, 3),), {"dim": (0, -2)}, ValueError, "names an axis twice"),
    ("mean", (zeros(2, 3),), {"dim": -3}, IndexError, "dim -3 is out of range"),
    ("log_softmax", (zeros(2, 3), 2), {}, IndexError, "dim 2 is out of range"),
    ("dropout", (MAPS, 1.5), {}, ValueError, "probability from 0 to 1, got 1.5"),
    ("dropout", (MAPS, -0.1), {}, ValueError, "probability from 0 to 1"),
    ("dropout", (MAPS, float("nan")), {}, ValueError, "probability from 0 to 1"),
]


@pytest.mark.parametrize("op,arguments,options,error,message", WRONG)
def test_wrong_arguments(op, arguments, options, error, message):
    with pytest.raises(error, match=message):
        getattr(functional, op)(*arguments, **options)


@pytest.mark.parametrize("op", sorted({case.op for case in CASES}))
def test_an_argument_we_lack_raises(op):
    """None is ignored: torch's `out` and `memory_format` as little as a typing mistake."""
    needed = [p for p in inspect.signature(getattr(functional, op)).parameters.values() if p.default is p.empty]
    here = inspect.signature(getattr(functional, op)).parameters
    for name in {"out", "memory_format", "kernal_size"} - set(here):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            getattr(functional, op)(*[zeros(1)] * len(needed), **{name: None})


@pytest.mark.parametrize("op,first", [("local_response_norm", 5), ("dropout", 4), ("add", 2), ("sub", 2)])
def test_what_is_ours_is_keyword_only(op, first):
    with pytest.raises(TypeError, match="positional argument"):
        getattr(functional, op)(*[zeros(1)] * (first + 1))


SIGNATURES = {  # as torch 2.13 documents them
    "conv2d": "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1",
    "linear": "input, weight, bias=None",
    "max_pool2d": "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False",
    "avg_pool2d": "input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, "
    "divisor_override=None",
    "local_response_norm": "input, size, alpha=0.0001, beta=0.75, k=1.0",
    "dropout": "input, p=0.5, training=True, inplace=False",
    "relu": "input, inplace=False",
    "cross_entropy": "input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', "
    "label_smoothing=0.0",
    "flatten": "input, start_dim=0, end_dim=-1",
    "sum": "input, dim=None, keepdim=False",
    "add": "input, other",
}


@pytest.mark.parametrize("op", SIGNATURES)
def test_positional_arguments_are_torchs_in_torchs_order(op):
    ours = inspect.signature(getattr(functional, op)).parameters.values()
    ours = (p.replace(annotation=p.empty) for p in ours if p.kind is p.POSITIONAL_OR_KEYWORD)
    assert ", ".join(map(str, ours)) == SIGNATURES[op]
