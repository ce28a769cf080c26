"""Normalisation, crops and flips against plain loops."""

import numpy as np
import pytest

from minialex import data
from minialex.data import RandomCrop, moments

EDGE_WORDS = [0, 1, 2**31 - 1, 2**31, 2**32 - 1]


@pytest.fixture
def dataset(rng):
    images = rng.integers(0, 256, (23, 3, 5, 6), dtype=np.uint8)
    images[:, 1] //= 4
    return data.ArrayDataset(images, rng.integers(0, 2, 23), ["a", "b"])


def words_for(rng, n):
    words = rng.integers(0, 2**32, (n, 4), dtype=np.uint32)
    words[: len(EDGE_WORDS), 0] = EDGE_WORDS
    words[: len(EDGE_WORDS), 1] = EDGE_WORDS[::-1]
    return words


def test_channel_statistics(dataset, monkeypatch):
    monkeypatch.setattr(moments, "_CHUNK", 4 * 90)  # chunks of 4 pictures and a rest of 3
    normalize = data.Normalize.channels(dataset)
    images = dataset.images.astype(np.float64)
    np.testing.assert_allclose(normalize.mean.ravel(), images.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(normalize.std.ravel(), images.std(axis=(0, 2, 3)), rtol=1e-6)
    assert normalize.mean.shape == normalize.std.shape == (3, 1, 1)
    normalized = normalize(dataset.images)
    assert normalized.dtype == np.float32
    expected = (images - images.mean(axis=(0, 2, 3), keepdims=True)) / images.std(axis=(0, 2, 3), keepdims=True)
    np.testing.assert_allclose(normalized, expected, atol=1e-5)


def test_mean_image(dataset, monkeypatch):
    monkeypatch.setattr(moments, "_CHUNK", 4 * 90)
    normalize = data.Normalize.mean_image(dataset)
    images = dataset.images.astype(np.float64)
    np.testing.assert_allclose(normalize.mean, images.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(normalize(dataset.images), images - images.mean(axis=0), atol=1e-4)


def test_a_channel_that_never_changes_stays_finite():
    images = np.full((4, 2, 3, 3), 7, np.uint8)
    images[0, 1] = 9
    normalize = data.Normalize.channels(data.ArrayDataset(images, [0] * 4, ["a"]))
    assert normalize.std[0] == 1 and normalize.std[1] == pytest.approx(np.sqrt(0.75))
    assert (normalize(images)[:, 0] == 0).all()


@pytest.mark.parametrize("kind", ["channels", "mean_image"])
def test_normalization_survives_a_checkpoint(dataset, kind, tmp_path):
    normalize = getattr(data.Normalize, kind)(dataset)
    np.savez(tmp_path / "checkpoint.npz", **normalize.to_arrays())
    with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as arrays:
        restored = data.Normalize.from_arrays(arrays)
    np.testing.assert_array_equal(restored(dataset.images), normalize(dataset.images))


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        (np.zeros(3), 1, r"mean must be \(C, 1, 1\) or \(C, H, W\)"),
        (np.zeros((3, 1, 1)), np.ones(3), r"got \(3, 1, 1\) and \(3,\)"),
        (np.zeros((3, 1, 1)), np.ones((2, 1, 1)), "std a number"),
        (np.zeros((3, 1, 1)), 0, "greater than 0"),
        (np.full((3, 1, 1), np.nan), 1, "finite"),
    ],
)
def test_bad_statistics_are_refused(mean, std, message):
    with pytest.raises(ValueError, match=message):
        data.Normalize(mean, std)


def test_a_mean_image_of_another_size_is_refused(dataset):
    normalize = data.Normalize.mean_image(dataset)
    with pytest.raises(ValueError, match=r"\(3, 5, 6\) does not fit images of shape \(3, 4, 4\)"):
        normalize(dataset.images[:, :, :4, :4])
    with pytest.raises(ValueError, match="an empty data set has no mean"):
        data.Normalize.mean_image(data.ArrayDataset(dataset.images[:0], dataset.labels[:0], ["a"]))


@pytest.mark.parametrize(("size", "padding"), [(3, 0), (5, 0), (4, 1), (5, 3), (1, 0)])
def test_random_crop_against_a_loop(rng, size, padding):
    images, words = rng.standard_normal((40, 2, 5, 7), dtype=np.float32), words_for(rng, 40)
    cropped = data.RandomCrop(size, padding)(images, words)
    assert cropped.shape == (40, 2, size, size) and cropped.dtype == np.float32
    for image, result, word in zip(images, cropped, words.tolist()):
        top = word[0] * (5 + 2 * padding - size + 1) // 2**32 - padding
        left = word[1] * (7 + 2 * padding - size + 1) // 2**32 - padding
        for i in range(size):
            for j in range(size):
                y, x = top + i, left + j
                inside = 0 <= y < 5 and 0 <= x < 7
                np.testing.assert_array_equal(result[:, i, j], image[:, y, x] if inside else 0)


def test_random_crops_reach_every_place_alike(rng):
    place = np.arange(20, dtype=np.float32).reshape(1, 1, 4, 5).repeat(6000, axis=0)
    corners = data.RandomCrop(3)(place, rng.integers(0, 2**32, (6000, 4), dtype=np.uint32))[:, 0, 0, 0]
    found, counts = np.unique(corners, return_counts=True)
    assert found.tolist() == [0, 1, 2, 5, 6, 7]
    assert np.abs(counts - 1000).max() < 150  # five standard deviations


@pytest.mark.parametrize(("height", "width", "top", "left"), [(33, 35, 0, 2), (32, 37, 0, 2), (34, 39, 1, 4)])
def test_center_crop_rounds_as_torchvision(rng, height, width, top, left):
    """int(round((height - size) / 2.0)): halves go to the even side."""
    images = rng.standard_normal((2, 3, height, width))
    expected = images[:, :, top : top + 32, left : left + 32]
    np.testing.assert_array_equal(data.CenterCrop(32)(images), expected)


@pytest.mark.parametrize("crop", [data.RandomCrop(6), data.RandomCrop(8, 1), data.CenterCrop(6), data.CenterCrop(0)])
def test_a_crop_that_does_not_fit_is_refused(crop, rng):
    with pytest.raises(ValueError, match=r"does not fit into pictures of \dx\d"):
        crop(np.zeros((2, 3, 5, 7), np.float32), words_for(rng, 5)[:2])


@pytest.mark.parametrize("p", [0, 0.25, 0.5, 1])
def test_flip_against_a_loop(rng, p):
    images, words = rng.standard_normal((30, 2, 3, 4), dtype=np.float32), words_for(rng, 30)
    flipped = data.RandomHorizontalFlip(p)(images, words)
    assert flipped.dtype == np.float32
    for image, result, word in zip(images, flipped, words.tolist()):
        np.testing.assert_array_equal(result, image[:, :, ::-1] if word[0] / 2**32 < p else image)


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_flip_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="probability from 0 to 1"):
        data.RandomHorizontalFlip(p)


@pytest.mark.parametrize(
    "transform",
    [
        data.Normalize(np.ones((3, 1, 1)), 2.0),
        data.Normalize(np.ones((3, 8, 9))),
        data.RandomCrop(5),
        data.RandomCrop(8, 2),
        data.CenterCrop(4),
        data.RandomHorizontalFlip(),
    ],
    ids=repr,
)
def test_transforms_are_pure(transform, rng):
    images, words = rng.integers(0, 256, (6, 3, 8, 9)).astype(np.float32), words_for(rng, 6)
    before, words_before = images.copy(), words.copy()
    first = transform(images, words).copy()
    np.testing.assert_array_equal(transform(images, words), first)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(words, words_before)
    np.testing.assert_array_equal(transform(images[2:4], words[2:4]), first[2:4])


def test_a_padded_image_may_be_the_crop():
    """A crop as large as the padded image is the padded image; it once was the image without its padding."""
    images = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)
    crops = RandomCrop(8, padding=2)(images, np.zeros((2, 4), np.uint32))
    np.testing.assert_array_equal(crops, np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2))))
    assert RandomCrop(4)(images, np.zeros((2, 4), np.uint32)) is images
