"""The mean picture and the principal components of colours, against NumPy's own and whole numbers."""

import numpy as np
import pytest
from photographs import damage
from photographs import folder as photographs

from minialex import data
from minialex.data import folder
from minialex.data.moments import Sums, statistics


def dataset(images):
    return data.ArrayDataset(images, np.zeros(len(images), np.int64), ["one"])


@pytest.mark.parametrize("shape", [(7, 3, 5, 4), (1, 3, 9, 1), (400, 3, 13, 11), (3, 1, 4, 4), (2, 3, 300, 300)])
def test_against_numpy(rng, shape):
    images = rng.integers(0, 256, shape, np.uint8)
    if shape[1] == 3:
        images[:, 1] = images[:, 0] // 2 + images[:, 1] // 4  # so that the axes are not those of the channels
    found = data.statistics(dataset(images))
    pixels = images.transpose(1, 0, 2, 3).reshape(shape[1], -1).astype(float)
    covariance = np.atleast_2d(np.cov(pixels, bias=True))
    np.testing.assert_allclose(found.mean_image, images.astype(float).mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(found.channel_means, pixels.mean(axis=1), rtol=1e-13)
    np.testing.assert_allclose(found.channel_stds, pixels.std(axis=1), rtol=1e-12)
    assert (np.diff(found.stds) > 0).all(), "ascending"
    np.testing.assert_allclose(covariance @ found.vectors, found.vectors * found.stds**2, atol=1e-8)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(shape[1]), atol=1e-12)


def test_no_order_of_adding_changes_anything(rng):
    images = rng.integers(0, 256, (50, 3, 8, 9), np.uint8)
    whole = Sums.of(images).statistics()
    for order in (rng.permutation(50), np.arange(50)[::-1]):
        sums = Sums()
        for part in np.split(images[order], [1, 1, 20, 33]):  # one of them is empty
            sums.add(Sums.of(part))
        for name, value in vars(sums.statistics()).items():
            assert np.array_equal(value, getattr(whole, name)), name


def test_whole_numbers_as_many_as_imagenet_has():
    """A variance that float64 sums of 10^11 squares would lose: all pixels 255, but for one of 254 in each picture."""
    count, side = 1_281_167, 256
    image = np.full((3, side, side), 255, np.int64)
    image[:, 0, 0] = 254
    flat = image.reshape(3, -1)
    found = Sums(count, count * image, count * (flat @ flat.T)).statistics()
    share = 1 / side**2
    np.testing.assert_allclose(found.channel_stds**2, share * (1 - share), rtol=1e-12)
    np.testing.assert_allclose(found.mean_image, image, rtol=0)


def test_a_colour_that_never_changes_has_no_std():
    images = np.full((4, 3, 6, 6), 200, np.uint8)
    images[:2, 0] = 100
    found = statistics(dataset(images))
    np.testing.assert_array_equal(found.channel_stds, [50, 0, 0])
    np.testing.assert_allclose(found.stds, [0, 0, 50], atol=1e-12)
    assert data.Normalize.channels(dataset(images)).std.ravel().tolist() == [50, 1, 1]


def test_nothing_has_no_mean():
    with pytest.raises(ValueError, match="an empty data set has no mean"):
        statistics(dataset(np.zeros((0, 3, 2, 2), np.uint8)))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_of_a_folder_with_any_number_of_threads(tmp_path, monkeypatch, workers):
    """The pass that finds damaged files sums up what the others decode to, and is the only one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    photographs(tmp_path, {"a": 40, "b": 37})
    damage(tmp_path / "train" / "a" / "33.jpg")
    seen, original = [], folder.decode
    monkeypatch.setattr(folder, "decode", lambda path, size: [seen.append(path), original(path, size)][1])
    splits = data.load("folder", data_dir=tmp_path, size=12, validation=1, workers=workers)
    found = splits.train.statistics()
    normalization = data.Normalize.mean_image(splits.train)
    data.Normalize.channels(splits.train)
    assert len(seen) == 76, "each file once"
    images, labels = splits.train.fetch(range(len(splits.train)))
    held = data.statistics(data.ArrayDataset(images, labels, splits.train.classes))
    for name, value in vars(held).items():
        assert np.array_equal(value, getattr(found, name)), name
    np.testing.assert_array_equal(normalization.mean, found.mean_image.astype(np.float32))


def test_forged_sums_without_a_variance_warn_of_nothing(recwarn):
    found = Sums(3, np.full((3, 2, 2), 100), np.zeros((3, 3), np.int64)).statistics()
    assert (found.channel_stds == 0).all() and not recwarn.list
