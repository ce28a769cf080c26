"""Images on their way to the GPU: the next batch is copied while a step computes on this one.

A copy runs beside computation only if it comes from page-locked ("pinned") memory and is queued in another stream.
Streams do not wait for each other by themselves; events order them:

    the step    waits for the copy of its own batch                (on the GPU: the host continues)
    a copy      waits for the step that last used its device array (on the GPU)
    the host    waits for the last copy out of a pinned array before it writes the next batch there
"""

from __future__ import annotations

SLOTS = 3  # a batch in use, one that has arrived, one on its way


class _Slot:
    """A pinned array, the device array that it is copied to, and the events of the last copy and of the last use."""

    def __init__(self, cupy, empty_pinned, images):
        self.pinned = empty_pinned(images.shape, images.dtype)
        self.device = cupy.empty(images.shape, images.dtype)
        self.arrived = self.used = None


def upload(cupy, empty_pinned, batches):
    """Batches with their images on the GPU.

    cupy: the module.
    empty_pinned: cupyx.empty_pinned.
    batches: an iterable of (images, labels), NumPy arrays.

    Yields (images, labels). A batch's images are valid until the next but one is requested: then their memory is used
    again.
    """
    copying = cupy.cuda.Stream(non_blocking=True)
    slots: list = [None] * SLOTS
    waiting = None
    for number, (images, labels) in enumerate(batches):
        slot = slots[number % SLOTS]
        if slot is None or len(slot.pinned) < len(images) or slot.pinned.shape[1:] != images.shape[1:]:
            slot = slots[number % SLOTS] = _Slot(cupy, empty_pinned, images)
        coming = _send(slot, copying, images), labels, slot
        if waiting:
            yield from _use(cupy, *waiting)
        waiting = coming
    if waiting:
        yield from _use(cupy, *waiting)
    copying.synchronize()  # before the arrays go: a copy may be under way still


def _send(slot, copying, images):
    if slot.arrived:
        slot.arrived.synchronize()
    slot.pinned[: len(images)] = images
    if slot.used:
        copying.wait_event(slot.used)
    device = slot.device[: len(images)]
    device.set(slot.pinned[: len(images)], stream=copying)
    slot.arrived = copying.record()
    return device


def _use(cupy, device, labels, slot):
    computing = cupy.cuda.get_current_stream()
    computing.wait_event(slot.arrived)
    yield device, labels
    slot.used = computing.record()  # when the consumer is back, all that reads this batch has been queued
