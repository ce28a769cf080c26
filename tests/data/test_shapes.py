"""The embedded data set: a pure function of (seed, split, index), fair, and out of a linear classifier's reach."""

import zlib

import numpy as np
import pytest

from minialex import data
from minialex.data import shapes


def test_a_picture_depends_on_seed_split_and_index_alone(monkeypatch):
    images, labels = shapes.draw(np.arange(30), "train", 12)
    some, some_labels = shapes.draw([17, 3, 29], "train", 12)
    np.testing.assert_array_equal(some, images[[17, 3, 29]])
    assert some_labels.tolist() == labels[[17, 3, 29]].tolist()
    monkeypatch.setattr(shapes, "_CHUNK_PIXELS", 7 * 12 * 12)  # chunks of 7 and a rest of 2
    np.testing.assert_array_equal(shapes.draw(np.arange(30), "train", 12)[0], images)


def test_every_machine_draws_the_same_bytes():
    """Pins the default data set: a change here changes every figure that was ever measured on it."""
    images, _ = shapes.draw(np.arange(100))
    assert images.dtype == np.uint8 and images.shape == (100, 3, 32, 32)
    assert zlib.crc32(images.tobytes()) == 1225437783
    assert zlib.crc32(shapes.draw(np.arange(20), "test", 21, seed=2**63 + 1)[0].tobytes()) == 907302150


def test_no_picture_appears_twice():
    pictures = [shapes.draw(np.arange(50), split, 16)[0] for split in shapes.SPLITS]
    pictures += [shapes.draw(np.arange(50), "train", 16, seed)[0] for seed in (1, 2**32)]
    assert len({image.tobytes() for image in np.concatenate(pictures)}) == 250


def test_a_larger_picture_shows_the_same_scene():
    small, large = shapes.draw(np.arange(40), size=32)[0], shapes.draw(np.arange(40), size=64)[0]
    shrunk = large.reshape(40, 3, 32, 2, 32, 2).mean(axis=(3, 5))
    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(small, shrunk)]
    other = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(small, shrunk[::-1])]
    assert min(alike) > 0.75 and np.median(alike) > 0.95 and np.median(other) < 0.7


def test_noise_is_each_pixel_and_channel_s_own():
    noise = shapes._noise(np.arange(200), 0, 5, (0, 0))  # 25 pixels: the last block of four is not full
    assert noise.shape == (200, 3, 5, 5) and noise.dtype == np.float32
    assert noise.min() == -127.5 and noise.max() == 127.5
    assert abs(noise.mean()) < 3 and abs(noise.std() - 73.9) < 2  # uniform: 256 / sqrt(12)
    correlation = np.corrcoef(noise.reshape(200, 75).T) - np.eye(75)
    assert np.abs(correlation).max() < 0.4


def _segment(radius, distance):
    """Area of a disc beyond a line `distance` away from its centre."""
    return radius**2 * np.arccos(distance / radius) - distance * np.sqrt(radius**2 - distance**2)


_LINE = (0.92**2 - 0.72**2 + 0.5**2) / (2 * 0.5)  # where the crescent's two circles meet
AREAS = {
    "circle": np.pi * 0.88**2,
    "square": 1.52**2,
    "triangle": 3 * np.sqrt(3) * 0.52**2,
    "star": 5 * 0.36**2 * (np.tan(np.pi / 5) + np.tan(np.pi / 5) ** 2 * np.tan(2 * np.pi / 5)),
    "cross": 2 * 1.9 * 0.56 - 0.56**2,
    "ring": np.pi * (0.91**2 - 0.45**2),
    "crescent": np.pi * 0.92**2 - _segment(0.92, _LINE) - _segment(0.72, 0.5 - _LINE),
    "heart": 2 * 1.16 - 1 + np.pi * 0.5**2,
    "arrow": 0.9**2 + 0.95 * 0.4,
    "hourglass": 2 * (2 * 0.125 * 0.85 + 0.75 * 0.85**2),
}


@pytest.mark.parametrize("label", range(10), ids=shapes.CLASSES)
def test_outlines_have_the_areas_of_their_formulas(label):
    grid = (np.arange(1200) + 0.5) / 500 - 1.2
    distance = shapes._OUTLINES[label](grid[None, :], grid[:, None])
    assert np.mean(distance < 0) * 2.4**2 == pytest.approx(AREAS[shapes.CLASSES[label]], rel=3e-3)


def test_edges_are_smooth_and_half_way_at_the_outline():
    distance = np.array([-1, -0.05, 0, 0.025, 1], np.float32)
    np.testing.assert_allclose(shapes._coverage(distance, 20), [1, 1, 0.5, 0.25, 0], atol=1e-6)


@pytest.mark.heavy
def test_a_linear_classifier_learns_something_but_not_much():
    splits = data.load("shapes", train_count=2000, test_count=1000, validation=0)
    normalize = data.Normalize.channels(splits.train)
    x, t = (normalize(split.images).reshape(len(split), -1) for split in (splits.train, splits.test))
    one_hot = np.eye(10, dtype=np.float32)[splits.train.labels]
    # ridge regression, in its dual form: w = x' (x x' + lambda)^-1 y
    w = x.T @ np.linalg.solve(x @ x.T + 30_000 * np.eye(len(x), dtype=np.float32), one_hot)
    accuracy = np.mean(np.argmax(t @ w, axis=1) == splits.test.labels)
    assert 0.13 < accuracy < 0.6  # chance is 0.1, with a standard error of 0.01


def test_default_counts_and_balanced_classes(monkeypatch):
    monkeypatch.setattr(shapes, "_HELD_IN_MEMORY", 0)
    splits = data.load("shapes")
    assert [len(split) for split in splits] == [10_000, 1000, 2000]
    for split in splits:
        assert np.bincount(split.labels).tolist() == [len(split) // 10] * 10
        assert split.image_shape == (3, 32, 32) and split.classes == shapes.CLASSES and len(split.classes) == 10


def test_what_does_not_fit_in_memory_is_drawn_as_it_is_fetched(monkeypatch):
    options = dict(size=10, train_count=15, validation=0, test_count=11, seed=3)
    held = data.load("shapes", **options)
    monkeypatch.setattr(shapes, "_HELD_IN_MEMORY", 11 * 3 * 10 * 10)
    drawn = data.load("shapes", **options)
    assert isinstance(drawn.train, shapes.DrawnShapes) and isinstance(drawn.test, data.ArrayDataset)
    for ours, theirs in zip(drawn.train.fetch([14, 2]), held.train.fetch([14, 2])):
        np.testing.assert_array_equal(ours, theirs)
    assert drawn.train.labels.dtype == np.int64 and drawn.train.labels.tolist() == held.train.labels.tolist()
    assert len(drawn.train) == 15 and drawn.train.image_shape == held.train.image_shape
    assert drawn.validation is None and held.validation is None


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"size": 4}, "at least 8 pixels wide, got 4"),
        ({"train_count": 0}, "at least 1 training and 1 test picture"),
        ({"validation": -1}, "got 10000, 2000 and -1"),
        ({"seed": -1}, "from 0 to 2\\^64 - 1, got -1"),
    ],
)
def test_bad_options_are_named(option, message):
    with pytest.raises(ValueError, match=message):
        data.load("shapes", **option)
