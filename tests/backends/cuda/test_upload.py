"""Copies beside computation, on a GPU that is made up: what is queued runs as late as the events allow, which is when
a missing wait shows."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from minialex.backends.cuda import upload


class Event:
    def __init__(self, stream):
        self.stream, self.position = stream, len(stream.queue)

    def synchronize(self):
        self.stream.run(self.position)


class Stream:
    """A queue of work that nobody does until somebody waits for it."""

    def __init__(self, non_blocking=False):
        self.queue, self.done, self.non_blocking = [], 0, non_blocking

    def run(self, position):
        while self.done < position:
            work = self.queue[self.done]
            self.done += 1
            work()

    def record(self):
        return Event(self)

    def wait_event(self, event):
        self.queue.append(event.synchronize)

    def synchronize(self):
        self.run(len(self.queue))


class Device:
    """An array on the GPU: written by `set` when its stream comes to that."""

    def __init__(self, cells):
        self.cells = cells

    def __getitem__(self, part):
        return Device(self.cells[part])

    def set(self, source, stream):
        assert source.shape == self.cells.shape
        stream.queue.append(lambda: self.cells.__setitem__(..., source))


@pytest.fixture
def gpu():
    computing = Stream()
    made = []

    def empty(shape, dtype):
        made.append(Device(np.full(shape, np.nan, dtype)))
        return made[-1]

    cuda = SimpleNamespace(Stream=Stream, get_current_stream=lambda: computing)
    return SimpleNamespace(cuda=cuda, empty=empty, computing=computing, made=made)


def batches(*sizes):
    return [(np.full((n, 2), i, np.float32), f"labels {i}") for i, n in enumerate(sizes)]


def train(gpu, given, at_once):
    """What a step on each batch reads: queued like a kernel, and run at once, or only when all is queued."""
    seen = []
    for images, labels in upload.upload(gpu, np.empty, given):
        gpu.computing.queue.append(lambda images=images, labels=labels: seen.append((images.cells.copy(), labels)))
        if at_once:
            gpu.computing.synchronize()
    gpu.computing.synchronize()
    return seen


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("sizes", [(), (3,), (3, 3), (3, 3, 3, 3, 3, 3, 3, 3), (4, 4, 4, 4, 1), (1, 4, 2, 8)])
def test_every_step_reads_its_own_batch(gpu, sizes, at_once):
    given = batches(*sizes)
    seen = train(gpu, given, at_once)
    assert len(seen) == len(given)
    for (images, labels), (expected, its_labels) in zip(seen, given, strict=True):
        np.testing.assert_array_equal(images, expected)
        assert labels == its_labels


@pytest.mark.parametrize("missing", ["the step's", "the copy's", "the host's"])
def test_each_wait_is_needed(gpu, monkeypatch, missing):
    """The test above would not pass without any one of them."""
    if missing == "the host's":
        monkeypatch.setattr(Event, "synchronize", lambda self: None)
        monkeypatch.setattr(
            Stream, "wait_event", lambda self, event: self.queue.append(lambda: event.stream.run(event.position))
        )
    else:
        original, step_waits = Stream.wait_event, missing == "the copy's"

        def wait_event(self, event):
            if (self is gpu.computing) == step_waits:
                original(self, event)

        monkeypatch.setattr(Stream, "wait_event", wait_event)
    given = batches(*[3] * 9)
    seen = train(gpu, given, at_once=missing == "the step's")
    wrong = sum(not np.array_equal(images, expected) for (images, _), (expected, _) in zip(seen, given, strict=True))
    assert wrong > 0


def test_arrays_are_used_again(gpu):
    train(gpu, batches(*[5] * 20, 2), at_once=True)
    assert len(gpu.made) == upload.SLOTS


def test_a_batch_is_sent_before_its_predecessor_is_done(gpu):
    """While a step on batch n is being queued, batch n + 1 is already on its way."""
    asked = []

    def source():
        for number, batch in enumerate(batches(*[2] * 5)):
            asked.append(number)
            yield batch

    stream = upload.upload(gpu, np.empty, source())
    assert [asked[-1] for _ in itertools.islice(stream, 4)] == [1, 2, 3, 4]
