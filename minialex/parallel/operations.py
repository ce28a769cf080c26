"""What ranks exchange in the middle of a network, and the gradients that flow back through it.

Each rank computes a part of the loss, or of what the loss depends on; the loss of all is the sum of the parts. Then
backward is the mirror image of forward:

    all_reduce   y = sum over ranks of x                gx = sum over ranks of gy
    all_gather   y = x of rank 0, x of rank 1, ...      gx = this rank's part of the sum over ranks of gy
    own_part     y = this rank's part of x              gx = gy in this part, 0 elsewhere
    broadcast    y = x of the root                      gx = on the root the sum over ranks of gy, 0 elsewhere

Where all ranks have computed the same loss from the same y, each has the whole gy already:

    gather_same   y as all_gather's                     gx = this rank's part of gy
"""

from __future__ import annotations

from ..support.types import Callable, Sequence
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


def own_part(input: Tensor, group: Group, axis: int, lengths: Sequence[int]) -> Tensor:
    """This rank's part of a tensor that is equal on all ranks.

        y = part r of x      gx = gy in part r, 0 elsewhere

    input: x.
    group: the Group.
    axis: along which it is divided.
    lengths: of every rank's part along that axis.
    """
    xp, shape = input.backend.xp, input.shape

    def backward(gy):
        gx = xp.zeros(shape, gy.dtype)
        pieces(gx, axis, lengths)[group.rank][...] = gy
        return (gx,)

    y = pieces(input.data, axis, lengths)[group.rank].copy()
    return Tensor.from_operation(y, backward, input, name="own_part", saves=())


def start_broadcast(input: Tensor, group: Group, root: int, length: int) -> Callable[[], Tensor]:
    """Begin to send one rank's tensor to all ranks, while this process computes.

        y = x_root      gx = sum_r gy_r on the root, 0 elsewhere

    input: x, this rank's; the axes after the first agree on all ranks.
    group: the Group.
    root: the rank that sends.
    length: of its tensor along the first axis.

    Returns a function that waits for the tensor and returns it; it must be called.
    """
    xp, shape, dtype, is_root = input.backend.xp, input.shape, input.dtype, group.rank == root
    y = input.data.copy() if is_root else xp.empty((length, *shape[1:]), dtype)
    lengths = [length if rank == root else 0 for rank in range(group.size)]
    transfer = group.start_broadcast(y, root)

    def backward(gy):
        total = group.reduce_scatter(gy, 0, lengths)
        return (total if is_root else xp.zeros(shape, dtype),)

    def finish():
        transfer.wait()
        return Tensor.from_operation(y, backward, input, name="broadcast", saves=())

    return finish
