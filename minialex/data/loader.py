"""The data loader: shuffled, augmented batches, prepared ahead of the network by threads.

Which images make up batch b of epoch e, and how each is augmented, is a pure function of (seed, e, b): a run can resume
in the middle of an epoch, whatever was loaded before. `loader.epoch(e)` has no state; `for images, labels in loader`
counts epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..backends import get_backend
from ..parallel.group import part
from ..random import philox
from ..support.prefetch import prefetched
from ..support.types import Array, Transform
from ..tensor import Tensor
from .device_plan import device_plan
from .resized_crop import RandomResizedCrop

# The last word of the Philox counter: two streams, separate from each other and from dropout's (call number < 2^32).
_ORDER, _AUGMENTATION = 1, 2


class Loader:
    """Batches of a data set, passed through transforms.

    dataset: see dataset.py.
    batch_size: images in a batch.
    transforms: a list of transforms, see transforms.py, or a function of the epoch that returns one.
    shuffle: whether each epoch has a new random order.
    seed: of the order and the transforms, an integer from 0 to 2^64 - 1.
    drop_last: whether to leave out a last batch that is not full.
    workers: threads, each of which prepares one batch ahead; the batches do not depend on it.
    ranks: (r, P) where P processes share each batch: this one, r, gets its part of the images, and all labels.
    as_bytes: whether the images of a batch are RawImages, which the `upload` of a backend that `takes_bytes` turns into
        the same input, where the transforms are such as device_plan.py knows.

    Raises ValueError for a batch_size or workers below 1, a seed out of range, or an empty data set.
    """

    def __init__(
        self, dataset: Any, batch_size: int,
        transforms: Sequence[Transform] | Callable[[int], Sequence[Transform]] = (), *, shuffle: bool = False,
        seed: int = 0, drop_last: bool = False, workers: int = 1, as_bytes: bool = False,
        ranks: tuple[int, int] = (0, 1),
    ) -> None:  # fmt: skip
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if not len(dataset):
            raise ValueError("there are no pictures to load: the data set is empty")
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed must be an integer from 0 to 2^64 - 1, got {seed}")
        self.dataset, self.batch_size, self.transforms = dataset, batch_size, transforms
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self.shuffle, self.seed, self.drop_last, self.workers = shuffle, seed, drop_last, workers
        self.as_bytes, self.ranks = as_bytes, ranks
        self._iterations = 0

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        count = len(self.dataset)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over the batches of epoch 0, the next time of epoch 1 and so on: Tensors on the default backend."""
        batches, self._iterations = self.epoch(self._iterations), self._iterations + 1
        return ((Tensor(images), Tensor(labels)) for images, labels in get_backend().upload(batches))

    def epoch(self, epoch: int = 0, start_batch: int = 0) -> Iterator[tuple[Any, Array]]:
        """Iterate over the batches of an epoch: float32 images (n, C, H, W), or RawImages, and int64 labels (n,).

        epoch: its number, from 0.
        start_batch: the number of the first batch, from 0 to len(self).

        Returns an iterator. An error in a thread is raised by it, in the place of the batch.
        Raises ValueError for a start_batch beyond the epoch.
        """
        if not 0 <= start_batch <= len(self):
            raise ValueError(f"an epoch has {len(self)} batches, so it cannot start at batch {start_batch}")
        order = self.order(epoch)
        transforms = self.transforms(epoch) if callable(self.transforms) else self.transforms
        plan = device_plan(transforms) if self.as_bytes else None

        def batch(number):
            indices = order[number * self.batch_size : (number + 1) * self.batch_size]
            images, labels = self._batch(indices[part(len(indices), *self.ranks)], epoch, transforms, plan)
            return images, labels if self.ranks[1] == 1 else np.asarray(self.dataset.labels)[indices]

        return prefetched(batch, range(start_batch, len(self)), self.workers)

    def order(self, epoch: int) -> Array:
        """The order of an epoch's images, integers (N,): indices sorted by a 64-bit hash of (seed, epoch, index)."""
        count = len(self.dataset)
        return shuffled(count, self.seed, epoch) if self.shuffle else np.arange(count)

    def _batch(self, indices, epoch, transforms, plan):
        def words(position):
            return _words(indices, epoch, position, _AUGMENTATION, self.seed).T

        first = type(transforms[0]) if transforms else None
        if first is RandomResizedCrop and hasattr(self.dataset, "fetch_cropped"):  # of whole images, not of squares
            (images, labels), done = self.dataset.fetch_cropped(indices, transforms[0], words(0)), 1
        else:
            (images, labels), done = self.dataset.fetch(indices), 0
        if plan and images.dtype == np.uint8:
            return plan(images, words), labels
        for position in range(done, len(transforms)):
            images = transforms[position](images, words(position))
        return np.ascontiguousarray(images, np.float32), labels


def shuffled(count: int, seed: int, epoch: int) -> Array:
    """The random order of an epoch: a permutation, integers (count,), the indices sorted by a 64-bit hash.

    count: samples.
    seed: an integer from 0 to 2^64 - 1.
    epoch: an integer from 0 to 2^32 - 1.
    """
    low, high, _, _ = _words(np.arange(count), epoch, 0, _ORDER, seed).astype(np.uint64)
    return np.argsort(high << np.uint64(32) | low, kind="stable")


def _words(indices, epoch, position, stream, seed):
    """Four random words for each index: uint32 (4, n)."""
    return philox((indices, epoch, position, stream), (seed & 0xFFFFFFFF, seed >> 32))
