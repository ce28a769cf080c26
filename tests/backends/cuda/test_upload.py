"""Copies beside computation, on a GPU that is made up: what is queued runs as late as the events allow, and memory that
Python lets go of is handed out again at once, which is when a missing wait shows."""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from minialex.backends.cuda import upload
from minialex.backends.raw_images import RawImages

LOCK = threading.RLock()  # of the GPU: batches are staged in a thread of their own


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
        with LOCK:
            while self.done < position:
                work = self.queue[self.done]
                self.done += 1
                work()

    def record(self):
        with LOCK:
            return Event(self)

    def wait_event(self, event):
        self.queue.append(lambda: event.stream.run(event.position))

    def synchronize(self):
        self.run(len(self.queue))


class Array:
    """An array on the GPU: written by `set` when its stream comes to that.

    base: whose memory it shares.
    """

    def __init__(self, cells, base=None):
        self.cells, self.base = cells, base

    def __getitem__(self, part):
        return Array(self.cells[part], self)

    def view(self, dtype):
        return Array(self.cells.view(dtype), self)

    def reshape(self, shape):
        return Array(self.cells.reshape(shape), self)

    def set(self, source, stream):
        assert source.shape == self.cells.shape and source.dtype == self.cells.dtype
        cells = self.cells
        stream.queue.append(lambda: cells.__setitem__(..., source))


class GPU:
    """What upload uses of CuPy: one stream that computes, and a pool of memory that knows only of that stream."""

    def __init__(self):
        self.computing, self.pool, self.pinned, self.threads = Stream(), [], [], set()
        self.cuda = SimpleNamespace(Stream=Stream, get_current_stream=lambda: self.computing, Device=Device)

    def empty(self, shape, dtype):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        rounded = -(-size // 512) * 512
        memory = next((m for m in self.pool if len(m) == rounded), None)
        if memory is None:
            memory = np.full(rounded, 255, np.uint8)
        else:
            self.pool = [m for m in self.pool if m is not memory]
        array = Array(memory[:size].view(dtype).reshape(shape))
        weakref.finalize(array, lambda: self.pool.append(memory))
        return array

    def empty_pinned(self, shape, dtype):
        self.threads.add(threading.current_thread().name.partition("_")[0])
        self.pinned.append(np.zeros(shape, dtype))
        return self.pinned[-1]

    def upload(self, batches):
        return upload.upload(self, self.empty_pinned, batches, self.preprocess)

    def preprocess(self, raw):
        """Queue a kernel that adds up all bytes of RawImages."""
        arrays, y = [array.cells for array in raw.arrays()], self.empty((1,), np.float64)
        cells = y.cells
        self.computing.queue.append(lambda: cells.__setitem__(0, sum(a.sum(dtype=np.float64) for a in arrays)))
        return y

    def read(self, array):
        """Queue a kernel that reads an array; returns a list that will hold what it read."""
        cells, seen = array.cells, []
        self.computing.queue.append(lambda: seen.append(cells.copy()))
        return seen


class Device:
    """The current one: there are no others."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


@pytest.fixture
def gpu():
    return GPU()


def batches(*sizes):
    return [(np.full((n, 2), i, np.float32), f"labels {i}") for i, n in enumerate(sizes)]


def train(gpu, given, at_once):
    """What a step on each batch reads: queued like a kernel, and run at once, or only when all is queued."""
    seen = []
    for images, labels in gpu.upload(given):
        seen.append((gpu.read(images), labels))
        del images  # a real step lets go of it, too, before the next batch is requested
        if at_once:
            gpu.computing.synchronize()
    gpu.computing.synchronize()
    return seen


SIZES = [(), (3,), (3, 3), (3,) * 8, (4, 4, 4, 4, 1), (1, 4, 2, 8), (8, 8, 1, 8, 9, 1, 1, 9), (2, 0, 2)]


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_every_step_reads_its_own_batch(gpu, sizes, at_once):
    given = batches(*sizes)
    seen = train(gpu, given, at_once)
    assert len(seen) == len(given)
    for ([images], labels), (expected, its_labels) in zip(seen, given, strict=True):
        np.testing.assert_array_equal(images, expected)
        assert labels == its_labels


@pytest.mark.parametrize("missing", ["the step's", "the copy's", "the thread's"])
def test_each_wait_is_needed(gpu, monkeypatch, missing):
    """The test above would not pass without any one of them."""
    original, step_waits = Stream.wait_event, missing == "the copy's"

    def wait_event(self, event):
        if (self is gpu.computing) == step_waits:
            original(self, event)

    if missing == "the thread's":
        monkeypatch.setattr(Event, "synchronize", lambda self: None)
    else:
        monkeypatch.setattr(Stream, "wait_event", wait_event)
    given = batches(*[3] * 9)
    seen = train(gpu, given, at_once=missing == "the step's")
    wrong = sum(not np.array_equal(images, expected) for ([images], _), (expected, _) in zip(seen, given, strict=True))
    assert wrong > 0


def test_memory_that_earlier_work_still_reads(gpu):
    """Queued before the first batch, on an array that Python has let go of since."""
    before = gpu.empty((3, 2), np.float32)
    before.cells[...] = 7
    seen = gpu.read(before)
    del before
    stream = gpu.upload(batches(3, 3, 3))
    next(stream)
    for later in stream:
        del later
    gpu.computing.synchronize()
    np.testing.assert_array_equal(seen[0], 7)


def test_a_batch_that_is_kept_stays_as_it_was(gpu):
    given = batches(3, 3, 3, 3, 3, 3)
    kept = [images for images, _ in gpu.upload(given)]
    gpu.computing.synchronize()
    for images, (expected, _) in zip(kept, given, strict=True):
        np.testing.assert_array_equal(images.cells, expected)


@pytest.mark.parametrize("at_once", [False, True])
def test_images_as_bytes(gpu, at_once):
    """Three arrays in one copy, each where its dtype may begin; of batches that grow and shrink."""
    draw, given, sums = np.random.default_rng(4), [], []
    for count in (3, 7, 1, 7, 5, 2, 8, 8, 1):
        pixels, views = draw.integers(0, 256, (count, 3, 5, 5), np.uint8), draw.integers(-9, 9, (count, 4), np.int32)
        given.append((RawImages(pixels, views, draw.random((count, 3), np.float32), (3, 3), None), count))
    for images, count in gpu.upload(given):
        sums.append((gpu.read(images), count))
        del images
        if at_once:
            gpu.computing.synchronize()
    gpu.computing.synchronize()
    assert len(sums) == len(given)
    for ([ours], count), (raw, expected) in zip(sums, given, strict=True):
        assert count == expected and ours[0] == sum(array.sum(dtype=np.float64) for array in raw.arrays())


class Stop(BaseException):
    """Such as a KeyboardInterrupt."""


def leave_by_break(gpu, given):
    for images, _ in gpu.upload(given):
        assert images
        break


def leave_by_an_error(gpu, given):
    with pytest.raises(Stop):
        for images, _ in gpu.upload(given):
            raise Stop(images)


def leave_by_closing(gpu, given):
    stream = gpu.upload(given)
    next(stream)
    next(stream)
    stream.close()


def leave_by_an_error_in_the_source(gpu, given):
    def source():
        yield from given[:3]
        raise Stop

    with pytest.raises(Stop):
        for images, _ in gpu.upload(source()):
            del images


WAYS = [leave_by_break, leave_by_an_error, leave_by_closing, leave_by_an_error_in_the_source]


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("waits", [True, False])
def test_leaving_early_leaves_no_copy_behind(gpu, monkeypatch, leave, waits):
    """What takes over the memory afterwards is not written to; without the last wait, it would be."""
    synchronize, pending = Stream.synchronize, []

    def noticed(self):
        pending.append(self)
        if waits:
            synchronize(self)

    monkeypatch.setattr(Stream, "synchronize", noticed)
    leave(gpu, batches(*[3] * 6))
    gc.collect()
    arrays = [gpu.empty((3, 2), np.float32) for _ in range(6)]
    for number, array in enumerate(arrays):
        array.cells[...] = 100 + number
    for stream in (gpu.computing, *pending):
        synchronize(stream)
    right = all((array.cells == 100 + number).all() for number, array in enumerate(arrays))
    assert right == waits and pending


@pytest.mark.parametrize("done", [1, 2, 3])
def test_another_stream_in_the_middle_is_refused(gpu, done):
    """The memory would return to the pool of the first, and be handed out while the second still reads it."""
    stream = gpu.upload(batches(3, 3, 3, 3))
    for _ in range(done):
        next(stream)
    gpu.computing = Stream()
    with pytest.raises(RuntimeError, match="the current stream changed between two batches"):
        next(stream)


def test_pinned_memory_is_used_again_and_grows(gpu):
    train(gpu, batches(*[80] * 20, 2), at_once=True)
    assert 1 <= len(gpu.pinned) <= 3 and {memory.nbytes for memory in gpu.pinned} == {768}  # of 640: 3 times 256
    train(gpu, batches(*[80] * 20, 97), at_once=True)
    assert max(memory.nbytes for memory in gpu.pinned) == 1024


def test_another_thread_fills_pinned_memory(gpu):
    train(gpu, batches(2, 2, 2, 2), at_once=False)
    assert gpu.threads == {"minialex-upload"}
    assert not any(t.name.startswith("minialex-upload") for t in threading.enumerate())


def test_a_batch_is_sent_before_its_predecessor_is_done(gpu):
    """While a step on batch n is being queued, batch n + 1 is already on its way, and n + 2 being staged."""
    asked = []

    def source():
        for number, batch in enumerate(batches(*[2] * 6)):
            asked.append(number)
            yield batch

    stream = gpu.upload(source())
    assert [asked[-1] for _ in itertools.islice(stream, 4)] == [2, 3, 4, 5]
