"""Data sets of samples and their loader: what a script for torch.utils.data uses, and what torch's gives."""

from __future__ import annotations

import collections
import threading

import numpy as np
import pytest
import usable

from minialex import Tensor, backends, data, functional, nn, random
from minialex.random import Generator


class Squares:
    """Samples (i, i^2), of nothing but `len()` and `[index]`; remembers who asked."""

    def __init__(self, count):
        self.count, self.threads = count, set()

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        self.threads.add(threading.current_thread())
        return np.array([index, index**2], np.float32), index % 3


def first(batches):
    """The numbers of the samples, batch by batch."""
    return [x.numpy()[:, 0].astype(int).tolist() for x, _ in batches]


def flat(batches):
    return [number for batch in first(batches) for number in batch]


# ------------------------------------------------------------------------------------------------------------- loader


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 3]), (True, [4, 4])])
def test_in_order_without_shuffle(drop_last, sizes):
    loader = data.DataLoader(Squares(11), batch_size=4, drop_last=drop_last)
    for _ in range(2):
        batches = list(loader)
        assert len(loader) == len(batches) == len(sizes)
        assert first(batches) == [list(range(4)), list(range(4, 8)), [8, 9, 10]][: len(sizes)]
        for x, y in batches:
            assert isinstance(x, Tensor) and x.dtype == np.float32 and isinstance(y, Tensor) and y.dtype == np.int64
            np.testing.assert_array_equal(x.numpy()[:, 1], x.numpy()[:, 0] ** 2)
            np.testing.assert_array_equal(y.numpy(), x.numpy()[:, 0] % 3)


def orders(epochs=3, **options):
    loader = data.DataLoader(Squares(40), 7, shuffle=True, **options)
    return [flat(loader) for _ in range(epochs)]


def test_every_iteration_has_a_new_order_of_seed_and_epoch_alone():
    found = orders(generator=Generator(3))
    assert all(sorted(order) == list(range(40)) for order in found)
    assert len({tuple(order) for order in [*found, list(range(40))]}) == 4
    assert found == orders(generator=Generator(3)) == orders(generator=Generator(3), num_workers=3)
    assert found != orders(generator=Generator(4))
    advanced = Generator(3)
    advanced.numpy()  # a draw for something else
    assert orders(generator=advanced) == found


def test_the_default_generator_gives_the_seed_and_is_not_advanced():
    random.manual_seed(3)
    found, calls = orders(), random.default_generator.call
    assert found == orders(generator=Generator(3)) and calls == 0
    random.manual_seed(4)
    assert orders() == orders(generator=Generator(4)) != found


def test_the_epoch_can_be_set_to_resume():
    loader = data.DataLoader(Squares(40), 7, shuffle=True, generator=Generator(3))
    loader.epoch = 2
    assert flat(loader) == orders(generator=Generator(3))[2] and loader.epoch == 3


def test_two_iterations_at_once_do_not_disturb_each_other():
    loader = data.DataLoader(Squares(20), 5, shuffle=True)
    a, b = iter(loader), iter(loader)
    mixed = [batch for pair in zip(a, b, strict=True) for batch in pair]
    loader.epoch = 0
    assert first(mixed[::2]) == first(loader) and first(mixed[1::2]) == first(loader)


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_workers_change_nothing_but_who_fetches(workers):
    squares = Squares(30)
    options = {"num_workers": workers, "pin_memory": True, "persistent_workers": workers > 0, "prefetch_factor": 2}
    assert first(data.DataLoader(squares, 4, **options)) == first(data.DataLoader(Squares(30), 4))
    assert (threading.main_thread() in squares.threads) == (workers == 0)


def test_an_error_of_the_data_set_arrives_and_leaves_no_thread():
    class Broken(Squares):
        def __getitem__(self, index):
            if index == 9:
                raise OSError("the disk is gone")
            return super().__getitem__(index)

    for workers in (0, 2):
        seen = []
        with pytest.raises(OSError, match="disk is gone"):
            seen.extend(data.DataLoader(Broken(20), 4, num_workers=workers))
        iterator = iter(data.DataLoader(Squares(2000), 1, num_workers=workers))
        next(iterator)
        del iterator
    assert not [t for t in threading.enumerate() if t.name.startswith("minialex-loader")]


def test_a_collate_fn_makes_the_batches():
    loader = data.DataLoader(Squares(5), 2, collate_fn=lambda samples: [int(y) for _, y in samples])
    assert list(loader) == [[0, 1], [2, 0], [1]]
    tensors = data.TensorDataset(np.arange(5))
    assert list(data.DataLoader(tensors, 2, collate_fn=len)) == [2, 2, 1]


@pytest.mark.parametrize(
    "options, message",
    [({"batch_size": 0}, "batch_size"), ({"batch_size": None}, "batch_size"), ({"num_workers": -1}, "num_workers")],
)
def test_impossible_options(options, message):
    with pytest.raises(ValueError, match=message):
        data.DataLoader(Squares(3), **options)


def test_empty_data_sets():
    assert list(data.DataLoader(Squares(0), 3)) == [] and len(data.DataLoader(Squares(0), 3)) == 0
    with pytest.raises(ValueError, match="empty"):
        data.DataLoader(Squares(0), 3, shuffle=True)


@pytest.mark.parametrize("name", usable.EVERY)
def test_batches_are_on_the_default_backend(name, shapes):
    default = usable.or_skip(name)
    elsewhere = data.TensorDataset(Tensor(np.ones((4, 2), np.float32)), np.arange(4))
    backends.use_backend(name)
    here = data.TensorDataset(Tensor(np.ones((4, 2), np.float32)), np.arange(4))
    part = data.Subset(here, [3, 1])
    for dataset in (elsewhere, here, part, Squares(4), [elsewhere[i] for i in range(4)], shapes):
        labels = []
        for x, y in data.DataLoader(dataset, 3, num_workers=2):
            assert x.backend is default and y.backend is default
            labels += y.numpy().tolist()
        assert labels == [float(dataset[i][1]) for i in range(len(dataset))]
    x, y = next(iter(data.Loader(shapes, 4, [data.Normalize(np.full((3, 1, 1), 120.0), 60.0)])))
    assert x.backend is default and y.backend is default
    np.testing.assert_allclose(x.numpy(), (shapes.images[:4] - 120.0) / 60, rtol=1e-5)


def test_a_network_learns_from_it():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 5)).astype(np.float32)
    dataset = data.TensorDataset(Tensor(x), Tensor((x[:, 0] > 0).astype(np.int64)))
    net, losses = nn.Linear(5, 2), []
    for _ in range(5):
        for inputs, targets in data.DataLoader(dataset, 16, shuffle=True):
            loss = functional.cross_entropy(net(inputs), targets)
            net.zero_grad()
            loss.backward()
            for p in net.parameters():
                p.data = p.data - 0.5 * p.grad
            losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


# ------------------------------------------------------------------------------------------------------------ samples

Point = collections.namedtuple("Point", "x y")
SAMPLES = {
    "arrays": lambda i: np.full((2, 3), i, np.float32),
    "integers": lambda i: i,
    "truth": lambda i: i % 2 == 0,
    "numpy numbers": lambda i: np.float64(i / 2),
    "tuples": lambda i: (np.full(2, i, np.float64), i, (i + 1, "text")),
    "lists": lambda i: [np.full((1, 2), i, np.int32), [i, i]],
    "dicts": lambda i: {"image": np.full(3, i, np.uint8), "label": i, "name": f"picture {i}"},
    "named": lambda i: Point(i, np.full(2, i, np.float32)),
}


def plain(batch):
    """Tensors of either library as (dtype, values), within their structure."""
    if isinstance(batch, dict):
        return {key: plain(value) for key, value in batch.items()}
    if isinstance(batch, (tuple, list)):
        return type(batch).__name__, [plain(value) for value in batch]
    if isinstance(batch, str):
        return batch
    array = batch.numpy()
    return array.dtype, array.tolist()


@pytest.mark.parametrize("kind", SAMPLES)
def test_batches_of_every_kind_of_sample_equal_torch(torch, kind):
    samples = [SAMPLES[kind](i) for i in range(5)]
    ours = [plain(batch) for batch in data.DataLoader(samples, 2)]
    theirs = [plain(batch) for batch in torch.utils.data.DataLoader(samples, 2)]
    assert ours == theirs and len(ours) == 3


def test_floats_become_float32():
    (batch,) = data.DataLoader([0.5, 1, 2.5], 3)
    assert batch.dtype == np.float32 and batch.numpy().tolist() == [0.5, 1, 2.5]


@pytest.mark.parametrize(
    "samples, error, message",
    [
        ([np.zeros(2), np.zeros(3)], ValueError, r"differ, \(2,\) and \(3,\)"),
        ([Tensor([1.0]), Tensor([1.0, 2.0])], ValueError, r"differ, \(1,\) and \(2,\)"),
        ([(1, 2), (1,)], ValueError, "differ, 2 and 1"),
        ([{"a": 1}, {"b": 1}], ValueError, r"differ, \['a'\] and \['b'\]"),
        ([None, None], TypeError, "not of NoneType: convert it"),
        ([object()], TypeError, "not of object"),
    ],
)
def test_samples_that_make_no_batch(samples, error, message):
    with pytest.raises(error, match=message):
        list(data.DataLoader(samples, 2))


# ---------------------------------------------------------------------------------------------------------- data sets


def test_a_tensor_data_set(rng):
    x, y = rng.standard_normal((7, 2, 3)).astype(np.float32), np.arange(7)
    dataset = data.TensorDataset(Tensor(x), y)
    assert len(dataset) == 7 and len(dataset.tensors) == 2
    image, label = dataset[-2]
    np.testing.assert_array_equal(image.numpy(), x[5])
    assert label.item() == 5 and label.shape == ()
    np.testing.assert_array_equal(dataset[2:4][0].numpy(), x[2:4])
    assert [label.item() for _, label in dataset] == list(range(7))  # it ends
    images, labels = next(iter(data.DataLoader(dataset, 4)))
    np.testing.assert_array_equal(images.numpy(), x[:4])
    assert labels.numpy().tolist() == [0, 1, 2, 3]
    for tensors in ((x, y[:3]), (), (x, np.array(3))):
        with pytest.raises(ValueError, match="equally long along axis 0"):
            data.TensorDataset(*tensors)


def test_an_own_getitem_of_a_tensor_data_set_is_used():
    class Negated(data.TensorDataset):
        def __getitem__(self, index):
            return tuple(-t for t in super().__getitem__(index))

    for dataset in (Negated(np.arange(4.0)), data.Subset(Negated(np.arange(4.0)), [0, 1, 2, 3])):
        ((batch,),) = data.DataLoader(dataset, 4)
        assert batch.numpy().tolist() == [0, -1, -2, -3]


@pytest.mark.parametrize("make", [lambda: Squares(9), lambda: data.TensorDataset(np.arange(9), np.arange(9) % 3)])
def test_a_subset_of_a_subset(make):
    dataset = data.Subset(data.Subset(make(), np.array([8, 3, 5, 0])), [2, 0, 0])
    assert len(dataset) == 3 and [float(dataset[i][1]) for i in (0, 1, 2, -1)] == [2, 2, 2, 2]
    x, y = next(iter(data.DataLoader(dataset, 3)))
    assert x.numpy().reshape(3, -1)[:, 0].tolist() == [5, 8, 8] and y.numpy().tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "lengths, expected",
    [([3, 7], [3, 7]), ([10], [10]), ([0, 10], [0, 10]), ([0.5, 0.5], [5, 5]), ([0.33, 0.33, 0.34], [4, 3, 3])],
)
def test_random_split(torch, lengths, expected):
    parts = data.random_split(range(10), lengths, generator=Generator(1))
    assert [len(part) for part in parts] == expected
    assert [len(part) for part in torch.utils.data.random_split(range(10), lengths)] == expected
    assert sorted(i for part in parts for i in part) == list(range(10))


def test_a_split_is_drawn_from_its_generator():
    def split(generator):
        return [list(part) for part in data.random_split(range(50), [20, 30], generator=generator)]

    generator = Generator(1)
    once, again = split(generator), split(generator)
    assert once == split(Generator(1)) and once != again and once != split(Generator(2))
    assert once != [list(range(20)), list(range(20, 50))]
    random.manual_seed(1)
    assert split(None) == once


def test_lengths_that_do_not_fit_are_refused():
    for lengths in ([3, 8], [3, 6], [-1, 11], [0.5, 0.6], [0.5, 0.4]):
        with pytest.raises(ValueError, match="do not add up to the 10 samples"):
            data.random_split(range(10), lengths)
    with pytest.raises(ValueError, match="share is from 0 to 1"):
        data.random_split(range(10), [1.5, -0.5])
    with pytest.warns(UserWarning, match="part 1 is empty"):
        data.random_split(range(10), [1.0, 0.0])


# --------------------------------------------------------------------------------------- the library's own data sets


@pytest.fixture(scope="module")
def shapes():
    return data.load("shapes", train_count=23, validation=0, test_count=1, size=12).train


def test_samples_of_images(shapes):
    images, labels = shapes.fetch(np.arange(23))
    for index in (0, 7, -1, np.int64(3)):
        image, label = shapes[index]
        np.testing.assert_array_equal(image, images[index])
        assert image.dtype == np.uint8 and type(label) is int and label == labels[index]
    assert len(list(shapes)) == 23
    for index in (23, -24):
        with pytest.raises(IndexError, match="has 23 images"):
            shapes[index]
    with pytest.raises(TypeError):
        shapes[1.0]


def test_every_data_set_of_images_has_samples():
    from minialex.data import folder, packed
    from minialex.data import shapes as drawn
    from minialex.data.dataset import ImageDataset

    for kind in (data.ArrayDataset, folder.FolderDataset, packed.PackedDataset, drawn.DrawnShapes):
        assert kind.__getitem__ is ImageDataset.__getitem__
    dataset = drawn.DrawnShapes("train", 5, 12)
    np.testing.assert_array_equal(dataset[-1][0], dataset.fetch([4])[0][0])
    assert len(list(dataset)) == 5


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_of_images(shapes, workers):
    part = data.Subset(shapes, [4, 2, 9, 9, 0])
    for dataset, indices in ((shapes, np.arange(23)), (part, np.array([4, 2, 9, 9, 0]))):
        batches = list(data.DataLoader(dataset, 3, num_workers=workers))
        images, labels = shapes.fetch(indices)
        np.testing.assert_array_equal(np.concatenate([x.numpy() for x, _ in batches]), images)
        np.testing.assert_array_equal(np.concatenate([y.numpy() for _, y in batches]), labels)
        assert all(x.dtype == np.uint8 and y.dtype == np.int64 for x, y in batches)


def test_parts_of_images_are_taken_by_the_loader_of_training(shapes):
    train, validation = data.random_split(shapes, [0.8, 0.2])
    assert train.classes == shapes.classes and train.image_shape == (3, 12, 12)
    np.testing.assert_array_equal(train.labels, [shapes.labels[i] for i in train.indices])
    normalize = data.Normalize.channels(train)
    count = 0
    for images, labels in data.Loader(validation, 2, [normalize]).epoch():
        rows = validation.indices[count : count + len(labels)]
        np.testing.assert_array_equal(labels, shapes.labels[rows])
        np.testing.assert_array_equal(images, normalize(shapes.fetch(rows)[0], None))
        count += len(labels)
    assert count == len(validation) == 4


def test_iterating_over_a_loader_of_training_counts_epochs(shapes):
    def make():
        steps = [data.Normalize.channels(shapes), data.RandomHorizontalFlip()]
        return data.Loader(shapes, 5, steps, shuffle=True, seed=6)

    loader, reference = make(), make()
    for epoch in range(3):
        if epoch == 1:
            list(loader.epoch(7))  # does not count
        batches = list(loader)
        assert len(batches) == len(loader) == 5
        for (x, y), (images, labels) in zip(batches, reference.epoch(epoch), strict=True):
            assert isinstance(x, Tensor) and isinstance(y, Tensor)
            np.testing.assert_array_equal(x.numpy(), images)
            np.testing.assert_array_equal(y.numpy(), labels)
    backends.use_backend("numba")
    x, y = next(iter(loader))
    assert x.backend.name == y.backend.name == "numba"
