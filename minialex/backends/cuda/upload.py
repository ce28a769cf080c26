"""Images on their way to the GPU: the next batch is copied while a step computes on this one.

A copy runs beside computation only if it comes from page-locked ("pinned") memory and is queued in a stream of its own.
Streams do not wait for each other by themselves; events order them:

    a copy      waits for all that was queued before its device array was allocated: CuPy's pool hands out memory again
                as soon as Python has let go of it, although the GPU may still be computing there    (on the GPU)
    the step    waits for the copy of its own batch                (on the GPU: the host continues)
    a thread    waits for the last copy out of a pinned array before it writes another batch there   (on the host)
    leaving     waits for all copies, before any of their memory goes back to a pool                 (on the host)

A batch's device array is its own. It may be kept for as long as wanted, and goes back to the pool of the stream that
computes, in which all its uses are queued.
"""

from __future__ import annotations

import itertools
from collections import deque
from contextlib import closing

import numpy as np

from ...support.prefetch import prefetched
from ..raw_images import RawImages

_ALIGNED = 256  # bytes: where an array may begin among others


class _Pinned:
    """Page-locked memory, as many bytes as its largest batch, and the event of the last copy out of it."""

    def __init__(self):
        self.memory, self.copied = np.empty(0, np.uint8), None

    def fill(self, arrays, empty_pinned):
        """Write arrays one behind the other, once the last ones have left; returns (those bytes, where each begins)."""
        if self.copied:
            self.copied.synchronize()
        *starts, total = itertools.accumulate((-(-a.nbytes // _ALIGNED) * _ALIGNED for a in arrays), initial=0)
        if self.memory.nbytes < total:
            self.memory = empty_pinned(total, np.uint8)
        for array, start in zip(arrays, starts, strict=True):
            _part(self.memory, start, array)[...] = array
        return self.memory[:total], starts


def _part(memory, start, like):
    """The array in memory, from byte `start`, that has the shape and dtype of `like`."""
    return memory[start : start + like.nbytes].view(like.dtype).reshape(like.shape)


def upload(cupy, empty_pinned, batches, preprocess=None):
    """Batches with their images on the GPU.

    cupy: the module.
    empty_pinned: cupyx.empty_pinned.
    batches: an iterable of (images, labels), NumPy arrays; images may be RawImages.
    preprocess: a function of RawImages on the GPU that returns the images.

    Yields (images, labels). The images are for the stream that is current when the first batch is requested: to its
    pool their memory returns. Raises RuntimeError where a later batch is requested in another one.
    """
    copying, device = cupy.cuda.Stream(non_blocking=True), cupy.cuda.Device()
    computing = cupy.cuda.get_current_stream()
    free: deque[_Pinned] = deque()

    def check_stream():
        if cupy.cuda.get_current_stream() != computing:
            raise RuntimeError("the current stream changed between two batches: use one stream for the whole loop")

    def stage(batch):
        """In a thread, so that the copy into pinned memory does not hold up the one that queues work."""
        images, labels = batch
        pinned = free.popleft() if free else _Pinned()
        arrays = images.arrays() if isinstance(images, RawImages) else (images,)
        with device:  # the current device is a matter of each thread
            return pinned, *pinned.fill(arrays, empty_pinned), images, labels

    def send(pinned, host, starts, images, labels):
        check_stream()
        memory = cupy.empty(host.shape, host.dtype)
        copying.wait_event(cupy.cuda.get_current_stream().record())
        memory.set(host, stream=copying)
        pinned.copied = copying.record()
        free.append(pinned)
        return pinned.copied, memory, starts, images, labels

    def arrived(copied, memory, starts, images, labels):
        check_stream()
        cupy.cuda.get_current_stream().wait_event(copied)
        if not isinstance(images, RawImages):
            return _part(memory, 0, images), labels
        return preprocess(images.of(*map(_part, itertools.repeat(memory), starts, images.arrays()))), labels

    sent: deque = deque()
    with closing(prefetched(stage, batches, name="minialex-upload")) as staged:
        try:
            for batch in staged:
                sent.append(send(*batch))
                if len(sent) > 1:
                    yield arrived(*sent.popleft())
            while sent:
                yield arrived(*sent.popleft())
        finally:  # a break, an error or an interrupt may find a copy under way
            copying.synchronize()
