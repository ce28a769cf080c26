"""The loader: a pure function of (seed, epoch, batch), with one batch prepared ahead."""

import threading

import numpy as np
import pytest

from minialex import data
from minialex.random import philox


class Recording:
    """Picture i is filled with i; remembers who fetched what."""

    classes, image_shape = ("even", "odd"), (1, 4, 4)

    def __init__(self, count, fails_at=None):
        self.labels = np.arange(count) % 2
        self.fails_at = fails_at
        self.fetched, self.threads = [], []
        self.arrived = threading.Semaphore(0)

    def __len__(self):
        return len(self.labels)

    def fetch(self, indices):
        indices = np.asarray(indices)
        self.fetched.append(indices.tolist())
        self.threads.append(threading.current_thread())
        self.arrived.release()
        if self.fails_at in indices:
            raise OSError("the disk is gone")
        return np.zeros((len(indices), 1, 4, 4), np.uint8) + indices[:, None, None, None].astype(np.uint8), (
            self.labels[indices]
        )


class FirstWord:
    """Not an augmentation: shows the words that a transform is given."""

    def __call__(self, images, words):
        assert words.dtype == np.uint32 and words.shape == (len(images), 4)
        return np.concatenate([images, np.broadcast_to(words[:, :1, None, None], (len(images), 1, 4, 4))], axis=1)


@pytest.fixture
def augmented():
    splits = data.load("shapes", train_count=37, validation=0, test_count=1, size=12)
    steps = [data.Normalize.channels(splits.train), data.RandomCrop(12, 2), data.RandomHorizontalFlip()]
    return lambda batch_size=8, seed=0, **options: data.Loader(
        splits.train, batch_size, steps, shuffle=True, seed=seed, **options
    )


def same(ours, theirs):
    ours, theirs = list(ours), list(theirs)
    return len(ours) == len(theirs) and all(
        np.array_equal(a, c) and np.array_equal(b, d) for (a, b), (c, d) in zip(ours, theirs)
    )


def indices_of(loader, epoch=0):
    return np.concatenate([images[:, 0, 0, 0] for images, _ in loader.epoch(epoch)]).astype(int)


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("minialex-loader")]


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 3]), (True, [4, 4])])
def test_in_order_without_shuffle(drop_last, sizes):
    loader = data.Loader(Recording(11), 4, drop_last=drop_last)
    batches = list(loader.epoch(5))
    assert len(loader) == len(sizes) and [len(labels) for _, labels in batches] == sizes
    for images, labels in batches:
        assert images.dtype == np.float32 and images.flags.c_contiguous and images.shape[1:] == (1, 4, 4)
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(labels, images[:, 0, 0, 0] % 2)
    np.testing.assert_array_equal(indices_of(loader, 5), np.arange(sum(sizes)))


@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1])
def test_order_is_a_sort_by_random_words(seed):
    loader = data.Loader(Recording(50), 8, shuffle=True, seed=seed)

    def number(i):
        low, high, _, _ = philox((i, 3, 0, 1), (seed % 2**32, seed // 2**32)).tolist()
        return high * 2**32 + low

    expected = sorted(range(50), key=number)
    assert indices_of(loader, 3).tolist() == expected
    assert sorted(expected) == list(range(50))


def test_every_order_is_as_likely():
    loader = data.Loader(Recording(3), 1, shuffle=True)
    orders = [tuple(loader.order(epoch)) for epoch in range(1200)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6 and max(abs(count - 200) for count in counts) < 65  # five standard deviations


def test_epochs_and_seeds_differ(augmented):
    loader = augmented()
    assert not same(loader.epoch(0), loader.epoch(1))
    assert not same(loader.epoch(0), augmented(seed=1).epoch(0))
    assert not same(loader.epoch(0), augmented(seed=2**32).epoch(0))
    assert same(loader.epoch(1), augmented().epoch(1))


def test_what_was_consumed_before_does_not_matter(augmented):
    loader, fresh = augmented(), augmented()
    for epoch in (4, 0):
        list(loader.epoch(epoch))
    next(loader.epoch(2))
    interleaved = zip(loader.epoch(1), loader.epoch(3))
    ones, threes = zip(*interleaved)
    assert same(ones, fresh.epoch(1)) and same(threes, fresh.epoch(3))


@pytest.mark.parametrize("start", [0, 1, 3, 4, 5])
def test_resume_in_the_middle_of_an_epoch(augmented, start):
    loader = augmented()
    assert len(loader) == 5
    assert same(loader.epoch(2, start_batch=start), list(loader.epoch(2))[start:])


def test_a_start_beyond_the_epoch_is_refused_at_once(augmented):
    with pytest.raises(ValueError, match="has 5 batches, so it cannot start at batch 6"):
        augmented().epoch(0, start_batch=6)


def test_augmentation_does_not_depend_on_the_batch(augmented):
    def by_order(batch_size):
        return np.concatenate([images for images, _ in augmented(batch_size).epoch(1)])

    np.testing.assert_array_equal(by_order(8), by_order(37))
    np.testing.assert_array_equal(by_order(1), by_order(37))


def test_words_belong_to_seed_epoch_index_and_position():
    def words(epoch=0, seed=0, **options):
        loader = data.Loader(Recording(9), 4, [FirstWord(), FirstWord()], seed=seed, **options)
        images = np.concatenate([images for images, _ in loader.epoch(epoch)])
        return images[np.argsort(images[:, 0, 0, 0])][:, 1:, 0, 0]  # (index, position)

    base = words()
    assert len(np.unique(base)) == 18
    np.testing.assert_array_equal(base, words(shuffle=True))
    for index, position in [(0, 0), (8, 1)]:
        word = philox((index, 0, position, 2), (0, 0))[0]
        assert base[index, position] == np.float32(word)
    assert not np.isin(words(epoch=1), base).any() and not np.isin(words(seed=1), base).any()


def test_one_batch_is_prepared_ahead_in_a_thread():
    dataset = Recording(12)
    batches = data.Loader(dataset, 3).epoch()
    next(batches)
    for _ in range(2):
        assert dataset.arrived.acquire(timeout=10)  # batch 1 comes without being asked for
    assert dataset.fetched == [[0, 1, 2], [3, 4, 5]]  # batch 2 does not
    assert threading.main_thread() not in dataset.threads
    batches.close()


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_several_batches_ahead_are_the_same_batches(augmented, workers):
    for start in (0, 2):
        assert same(augmented(workers=workers).epoch(1, start), augmented().epoch(1, start))


def test_as_many_batches_are_prepared_ahead_as_there_are_workers():
    dataset = Recording(30)
    batches = data.Loader(dataset, 3, workers=2).epoch()
    next(batches)
    for _ in range(3):
        assert dataset.arrived.acquire(timeout=10)
    assert sorted(dataset.fetched) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    batches.close()
    assert len(dataset.fetched) == 3 and not loader_threads()


def test_no_thread_is_left_behind():
    loader = data.Loader(Recording(12), 3)
    assert len(list(loader.epoch())) == 4
    assert not loader_threads()
    early = loader.epoch()
    next(early)
    assert len(loader_threads()) == 1
    early.close()
    assert not loader_threads()
    for _ in loader.epoch():
        break  # the iterator is dropped, not closed
    assert not loader_threads()
    loader.epoch()  # never started
    assert not loader_threads()


def test_an_exception_in_the_thread_arrives_after_the_good_batches():
    batches = data.Loader(Recording(12, fails_at=7), 3).epoch()
    assert len(next(batches)[1]) == len(next(batches)[1]) == 3
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)
    assert not loader_threads()


def test_an_interrupt_in_the_consumer_ends_the_thread():
    with pytest.raises(KeyboardInterrupt):
        for _ in data.Loader(Recording(12), 3).epoch():
            raise KeyboardInterrupt
    assert not loader_threads()


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        data.Loader(Recording(3), 0)
    with pytest.raises(ValueError, match="the data set is empty"):
        data.Loader(Recording(0), 3)
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        data.Loader(Recording(3), 3, workers=0)
    with pytest.raises(ValueError, match="seed must be an integer"):
        data.Loader(Recording(3), 3, seed=-1)


def test_transforms_may_depend_on_the_epoch():
    """Which they are is asked for each epoch anew; the words are those of the same transforms in a list."""
    both = [FirstWord(), FirstWord()]
    loader = data.Loader(Recording(9), 4, lambda epoch: both if epoch < 2 else both[:1], shuffle=True)
    channels = [next(loader.epoch(epoch))[0].shape[1] for epoch in (2, 0, 1, 3, 1)]
    assert channels == [2, 3, 3, 2, 3]
    assert same(loader.epoch(1), data.Loader(Recording(9), 4, both, shuffle=True).epoch(1))
    assert same(loader.epoch(2, start_batch=1), list(data.Loader(Recording(9), 4, both[:1], shuffle=True).epoch(2))[1:])


@pytest.mark.parametrize("workers", [1, 3])
def test_a_function_of_the_epoch_is_called_once_an_epoch(workers):
    calls = []
    loader = data.Loader(Recording(9), 2, lambda epoch: calls.append(epoch) or [FirstWord()], workers=workers)
    for epoch in (0, 4):
        assert len(list(loader.epoch(epoch))) == 5
    assert calls == [0, 4]
