"""The sum of all ranks' gradients, taken while backward goes on.

The gradient of the last layer is complete first, and nobody needs it before the optimiser's step: it is on its way
while those of earlier layers are still computed. Many small messages would take longer than one large one, so that
gradients travel in buckets of about 4 MB.

Source: Li et al., "PyTorch distributed: experiences on accelerating data parallel training", VLDB 2020, section 3.2.
"""

from __future__ import annotations

import time

from ..support.types import Any, Sequence
from ..tensor import Tensor
from .group import Done, Group

BUCKET = 4 << 20  # bytes


class _Bucket:
    """Gradients that travel together.

    parameters: whose gradients they are.
    """

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters, self.missing = parameters, len(parameters)
        self._shared: Any = None  # what travels
        self._transfer = Done()

    def send(self, group: Group) -> None:
        arrays = [p.grad.data for p in self.parameters if p.grad is not None]
        if len(arrays) == 1 and arrays[0].flags.c_contiguous:
            self._shared = arrays[0]
        elif arrays:
            self._shared = self.parameters[0].backend.xp.concatenate([array.reshape(-1) for array in arrays])
        if arrays:
            self._transfer = group.start_all_reduce(self._shared)

    def poke(self) -> None:
        self._transfer.poke()

    def receive(self) -> None:
        self._transfer.wait()
        arrays = [p.grad.data for p in self.parameters if p.grad is not None]
        if not arrays or self._shared is arrays[0]:
            return
        start = 0
        for array in arrays:
            array[...] = self._shared[start : start + array.size].reshape(array.shape)
            start += array.size


class Reducer:
    """Replaces the gradients of parameters by their sums over all ranks.

        loss.backward()      # sums are under way
        reducer.finish()     # and done
        optimizer.step()

    parameters: Tensors, the same ones in the same order on all ranks.
    group: the Group.
    bucket_bytes: of gradients that travel together; a larger gradient travels alone.
    overlap: whether to begin in backward; False where several calls of backward add up to one gradient.

    A parameter without a gradient is left without one; then it must be so on all ranks. The sums do not depend on when
    gradients arrive: buckets are made, and sent, in a fixed order, from the last parameter to the first.
    `bytes` counts what was sent, `seconds` the time that `finish` has waited.
    """

    def __init__(
        self, parameters: Sequence[Tensor], group: Group, bucket_bytes: int = BUCKET, overlap: bool = True
    ) -> None:
        self.parameters, self.group, self.overlap, self.bucket_bytes = list(parameters), group, overlap, bucket_bytes
        self.bytes, self.seconds = 0, 0.0
        self._handles = [
            p.register_post_accumulate_grad_hook(self._arrived) for p in self.parameters if p.requires_grad
        ]
        self._buckets: list[_Bucket] = []
        self._of: dict[int, _Bucket] = {}  # id of a parameter -> its bucket
        self._sent = 0

    def _begin(self):
        """Make the buckets of this step: parameters that were frozen since the last one are left out."""
        self._buckets, self._sent, size = [], 0, 0
        for p in reversed(self.parameters):
            if not p.requires_grad:
                continue
            last = self._buckets[-1].parameters if self._buckets else []
            if not last or size + p.data.nbytes > self.bucket_bytes or last[0].dtype != p.dtype:
                last, size = [], 0
                self._buckets.append(_Bucket(last))
            last.append(p)
            size += p.data.nbytes
        for bucket in self._buckets:
            bucket.missing = len(bucket.parameters)
        self._of = {id(p): bucket for bucket in self._buckets for p in bucket.parameters}

    def _arrived(self, parameter):
        """A gradient is complete: send the buckets that now are, in their order."""
        if not self.overlap:
            return
        if not self._buckets:
            self._begin()
        self._of[id(parameter)].missing -= 1
        while self._sent < len(self._buckets) and not self._buckets[self._sent].missing:
            self._send()
        for bucket in self._buckets[: self._sent]:
            bucket.poke()

    def _send(self):
        self._buckets[self._sent].send(self.group)
        self._sent += 1

    def finish(self) -> None:
        """Wait until every `.grad` is the sum over all ranks."""
        if not self._buckets:
            self._begin()
        start = time.perf_counter()
        while self._sent < len(self._buckets):
            self._send()
        for bucket in self._buckets:
            bucket.receive()
            self.bytes += sum(p.grad.data.nbytes for p in bucket.parameters if p.grad is not None)
        self._buckets = []
        self.seconds += time.perf_counter() - start

    def remove(self) -> None:
        """Take the hooks off the parameters."""
        for handle in self._handles:
            handle.remove()
