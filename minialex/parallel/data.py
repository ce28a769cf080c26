"""Data parallelism: every rank has the whole network and a part of each batch.

With B pictures in a batch, of which rank r has those in the set S_r,

    gradient = 1/B sum over all pictures = sum over ranks of (1/B sum over S_r)

Each rank computes the logits of its own pictures. These few numbers are gathered, so that every rank computes the same
loss of the whole batch, and 1/B is in the gradient that comes back. What is left to do is a sum: parts of unequal
sizes, also empty ones, need no further weight.

Source: Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, section 3.
"""

from __future__ import annotations

import numpy as np

from .. import random
from ..nn import BatchNorm2d, Module
from ..support.types import Any
from ..tensor import Tensor
from .batch_norm import synchronise
from .group import Group
from .operations import gather_same
from .reducer import BUCKET, Reducer


class Numbered:
    """Numbers what a network draws in its own part of a batch as it would be numbered in the whole batch.

    model: the Module; every forward pass is preceded by an exchange of how many pictures each rank has.
    group: the ranks that share each batch.

    `lengths` are the pictures of each rank in the last forward pass.
    """

    def __init__(self, model: Module, group: Group) -> None:
        self.group, self.lengths = group, [0] * group.size
        own = (getattr(module, "generator", None) for module in model.modules())
        self._generators = [random.default_generator, *(g for g in own if isinstance(g, random.Generator))]
        self._handles = [model.register_forward_pre_hook(self._before), model.register_forward_hook(self._after)]

    def _before(self, model, inputs):
        self.lengths = self.group.all_gather(np.array([len(inputs[0])])).tolist()
        self._number(sum(self.lengths[: self.group.rank]))

    def _after(self, model, inputs, output):
        self._number(0)

    def _number(self, first):
        for generator in self._generators:
            generator.first_picture = first

    def remove(self) -> None:
        """Take the hooks off the network."""
        self._number(0)
        for handle in self._handles:
            handle.remove()


class DataParallel:
    """Makes a network, on every rank, one that sees a part of each batch and has the logits of all of it.

        parallel = DataParallel(model, group)
        logits = model(own_images)                     # (B, classes), of the pictures of all ranks, in their order
        cross_entropy(logits, labels).backward()       # of all ranks' pictures
        parallel.reduce()                              # every .grad is that of the whole batch
        optimizer.step()

    model: the Module, built alike on all ranks; it takes rank 0's weights.
    group: the Group.
    local_batch_norm: whether batch normalisation uses the statistics of the rank's own pictures, and not of the batch.
    bucket_bytes, overlap: as of Reducer.

    The run is that of one process, up to the rounding of sums: the same pictures, the same dropout masks, and, unless
    local_batch_norm, the same statistics.
    """

    def __init__(
        self, model: Module, group: Group, *, local_batch_norm: bool = False, bucket_bytes: int = BUCKET,
        overlap: bool = True,
    ) -> None:  # fmt: skip
        self.model, self.group = model, group
        equalise(model, group)
        self.reducer = Reducer(list(model.parameters()), group, bucket_bytes, overlap)
        self._numbered = Numbered(model, group)
        self._handles: list[Any] = [model.register_forward_hook(self._gather)]
        self._own: Tensor | None = None  # logits of this rank's pictures
        if not local_batch_norm:
            self._handles += [synchronise(m, group) for m in model.modules() if isinstance(m, BatchNorm2d)]

    def _gather(self, model, inputs, output):
        self._own = output.detach()
        return gather_same(output, self.group, 0, self._numbered.lengths)

    def reduce(self) -> None:
        """Replace every gradient by the sum over all ranks."""
        self.reducer.finish()

    def first_at_fault(self) -> int:
        """The lowest rank on whose own pictures the last logits were NaN or infinite; 0 where there is none."""
        finite = self._own is None or bool(self._own.backend.xp.isfinite(self._own.data).all())
        return int(self.group.all_gather(np.array([int(finite)])).argmin())

    def remove(self) -> None:
        """Make the network an ordinary one again."""
        self.reducer.remove()
        self._numbered.remove()
        for handle in self._handles:
            handle.remove()


def equalise(model: Module, group: Group) -> None:
    """Give every rank the weights and buffers of rank 0.

    model: the Module, of the same form on all ranks.
    group: the Group.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        flat = tensor.data.reshape(-1).copy()  # a single number has no axis
        tensor.data = group.broadcast(flat).reshape(tensor.shape)
