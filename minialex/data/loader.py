"""Batches in a seeded order, the next ones prepared while the network works on this one.

The loader has no state. Which pictures make up batch b of epoch e, and how each is changed, is a pure function of
(seed, e, b): a run can resume in the middle of an epoch, and what was drawn before never matters.
"""

from __future__ import annotations

import numpy as np

from ..random import philox
from .prefetch import prefetched

# The last word of the Philox counter: two streams apart from each other, and from dropout's (call number < 2^32).
_ORDER, _AUGMENTATION = 1, 2


class Loader:
    """Batches of `dataset`, passed through `transforms`: a list, or a function of the epoch that returns one.

    shuffle: a new order each epoch; drop_last: leave out a last batch that is not full.
    seed: a whole number below 2^64. workers: threads, each of which prepares a batch ahead; the batches are the same.
    ValueError for a batch_size or workers below 1, or an empty data set.
    """

    def __init__(self, dataset, batch_size, transforms=(), *, shuffle=False, seed=0, drop_last=False, workers=1):
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if not len(dataset):
            raise ValueError("there are no pictures to load: the data set is empty")
        if not 0 <= seed < 2**64:
            raise ValueError(f"a seed is a whole number from 0 to 2^64 - 1, got {seed}")
        self.dataset, self.batch_size, self.transforms = dataset, batch_size, transforms
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self.shuffle, self.seed, self.drop_last, self.workers = shuffle, seed, drop_last, workers

    def __len__(self):
        """Batches in an epoch."""
        count = len(self.dataset)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def epoch(self, epoch=0, start_batch=0):
        """Iterate over (float32 images (n, C, H, W), int64 labels (n,)), from batch `start_batch` on.

        What goes wrong in the thread is raised here; the thread ends with the iterator.
        """
        if not 0 <= start_batch <= len(self):
            raise ValueError(f"an epoch has {len(self)} batches, so it cannot start at batch {start_batch}")
        order = self.order(epoch)

        def batch(number):
            return self._batch(order[number * self.batch_size : (number + 1) * self.batch_size], epoch)

        return prefetched(batch, range(start_batch, len(self)), self.workers)

    def order(self, epoch):
        """The indices of an epoch in order: sorted by a 64-bit random number of (seed, epoch, index)."""
        indices = np.arange(len(self.dataset))
        if not self.shuffle:
            return indices
        low, high, _, _ = self._words(indices, epoch, 0, _ORDER).astype(np.uint64)
        return np.argsort(high << np.uint64(32) | low, kind="stable")

    def _batch(self, indices, epoch):
        images, labels = self.dataset.fetch(indices)
        transforms = self.transforms(epoch) if callable(self.transforms) else self.transforms
        for position, transform in enumerate(transforms):
            images = transform(images, self._words(indices, epoch, position, _AUGMENTATION).T)
        return np.ascontiguousarray(images, np.float32), labels

    def _words(self, indices, epoch, position, stream):
        """Four random words for every index: uint32 (4, n)."""
        return philox((indices, epoch, position, stream), (self.seed & 0xFFFFFFFF, self.seed >> 32))
