"""What ranks exchange in the middle of a network, and the gradients that flow back through it.

Each rank computes a part of the loss, or of what the loss depends on; the loss of all is the sum of the parts. Then
backward is the mirror image of forward:

    all_reduce   y = sum over ranks of x                gx = sum over ranks of gy
    all_gather   y = x of rank 0, x of rank 1, ...      gx = this rank's part of the sum over ranks of gy

Where all ranks have computed the same loss from the same y, each has the whole gy already:

    gather_same   y as all_gather's                     gx = this rank's part of gy
"""

from __future__ import annotations

from ..support.types import Sequence
from ..tensor import Tensor
from .group import Group, equal_lengths, pieces


def all_reduce(input: Tensor, group: Group) -> Tensor:
    """The sum over ranks, on every rank.

        y = sum_r x_r      gx = sum_r gy_r

    input: x, of the same shape on all ranks.
    group: the Group.
    """

    def backward(gy):
        return (group.all_reduce(gy.copy()),)

    return Tensor.from_operation(group.all_reduce(input.data.copy()), backward, input, name="all_reduce", saves=())


def all_gather(input: Tensor, group: Group, axis: int = 0, lengths: Sequence[int] | None = None) -> Tensor:
    """The tensors of all ranks, joined in the order of the ranks, from which each computes something of its own.

        y = [x_0, x_1, ...]      gx = part r of sum_r gy_r

    input: x, this rank's.
    group: the Group.
    axis: along which they are joined.
    lengths: of every rank's along that axis; None where all are as long as this one.
    """

    def backward(gy):
        return (group.reduce_scatter(gy, axis, lengths),)

    y = group.all_gather(input.data, axis, lengths)
    return Tensor.from_operation(y, backward, input, name="all_gather", saves=())


def gather_same(input: Tensor, group: Group, axis: int = 0, lengths: Sequence[int] | None = None) -> Tensor:
    """The tensors of all ranks, joined in the order of the ranks, from which all compute the same.

        y = [x_0, x_1, ...]      gx = part r of gy, which is equal on all ranks

    input, group, axis, lengths: as of all_gather.
    """
    y = group.all_gather(input.data, axis, lengths)
    parts = equal_lengths(y, axis, group.size) if lengths is None else lengths

    def backward(gy):
        return (pieces(gy, axis, parts)[group.rank].copy(),)

    return Tensor.from_operation(y, backward, input, name="gather_same", saves=())
