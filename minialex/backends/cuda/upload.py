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

from collections import deque
from contextlib import closing

import numpy as np

from ...support.prefetch import prefetched


class _Pinned:
    """Page-locked memory, as many bytes as its largest batch, and the event of the last copy out of it."""

    def __init__(self):
        self.memory, self.copied = np.empty(0, np.uint8), None

    def fill(self, images, empty_pinned):
        """Write a batch, once the last one has left; returns it as an array in this memory."""
        if self.copied:
            self.copied.synchronize()
        if self.memory.nbytes < images.nbytes:
            self.memory = empty_pinned(images.nbytes, np.uint8)
        array = self.memory[: images.nbytes].view(images.dtype).reshape(images.shape)
        array[...] = images
        return array


def upload(cupy, empty_pinned, batches):
    """Batches with their images on the GPU.

    cupy: the module.
    empty_pinned: cupyx.empty_pinned.
    batches: an iterable of (images, labels), NumPy arrays.

    Yields (images, labels). The images are to be used in the stream that is current when the batch is requested.
    """
    copying, device = cupy.cuda.Stream(non_blocking=True), cupy.cuda.Device()
    free: deque[_Pinned] = deque()

    def stage(batch):
        """In a thread, so that the copy into pinned memory does not hold up the one that queues work."""
        images, labels = batch
        pinned = free.popleft() if free else _Pinned()
        with device:  # the current device is a matter of each thread
            return pinned, pinned.fill(images, empty_pinned), labels

    def send(pinned, host, labels):
        images = cupy.empty(host.shape, host.dtype)
        copying.wait_event(cupy.cuda.get_current_stream().record())
        images.set(host, stream=copying)
        pinned.copied = copying.record()
        free.append(pinned)
        return images, labels, pinned.copied

    sent: deque = deque()
    with closing(prefetched(stage, batches, name="minialex-upload")) as staged:
        try:
            for batch in staged:
                sent.append(send(*batch))
                if len(sent) > 1:
                    yield _arrived(cupy, *sent.popleft())
            while sent:
                yield _arrived(cupy, *sent.popleft())
        finally:  # a break, an error or an interrupt may find a copy under way
            copying.synchronize()


def _arrived(cupy, images, labels, copied):
    cupy.cuda.get_current_stream().wait_event(copied)
    return images, labels
