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
        """Begin the sum; gradients that this rank lacks travel as zeros, since another one may have them."""
        xp = self.parameters[0].backend.xp
        arrays = [xp.zeros(p.shape, p.dtype) if p.grad is None else p.grad.data for p in self.parameters]
        alone = len(arrays) == 1 and arrays[0].flags.c_contiguous
        self._shared = arrays[0] if alone else xp.concatenate([array.reshape(-1) for array in arrays])
        self._transfer = group.start_all_reduce(self._shared)

    def poke(self) -> None:
        self._transfer.poke()

    def receive(self, somewhere: dict[int, bool]) -> None:
        """Wait for the sums. somewhere: of the id of each parameter, whether any rank has a gradient."""
        self._transfer.wait()
        start = 0
        for p in self.parameters:
            total = self._shared.reshape(-1)[start : start + p.data.size].reshape(p.shape)
            if p.grad is None and somewhere[id(p)]:
                p.grad = Tensor(total.copy(), backend=p.backend)
            elif p.grad is not None and p.grad.data is not self._shared:
                p.grad.data[...] = total
            start += p.data.size


class Reducer:
    """Replaces the gradients of parameters by their sums over all ranks.

        loss.backward()      # sums are under way
        reducer.finish()     # and done
        optimizer.step()

    parameters: Tensors, the same ones in the same order on all ranks.
    group: the Group.
    bucket_bytes: of gradients that travel together; a larger gradient travels alone.
    overlap: whether to begin in backward; False where several calls of backward add up to one gradient.

    A parameter without a gradient on any rank is left without one; where only some ranks have used it, all get the sum.
    The sums do not depend on when gradients arrive: buckets are made, and sent, in a fixed order, from the last
    parameter to the first.
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
        bucket = self._of[id(parameter)]
        if not bucket.missing:
            raise RuntimeError(
                "a second backward has changed gradients that are being sent: call reduce() after each, or add up "
                "those of several with overlap=False"
            )
        bucket.missing -= 1
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
        wanted = [p for bucket in self._buckets for p in bucket.parameters]
        somewhere = dict(zip(map(id, wanted), self.group.agree(*(p.grad is not None for p in wanted)), strict=True))
        for bucket in self._buckets:
            bucket.receive(somewhere)
            self.bytes += sum(p.grad.data.nbytes for p in bucket.parameters if p.grad is not None)
        self._buckets = []
        self.seconds += time.perf_counter() - start

    def remove(self) -> None:
        """Take the hooks off the parameters."""
        for handle in self._handles:
            handle.remove()
