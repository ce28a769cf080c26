"""What a network is shown, in training and in evaluation, against plain loops over views and images."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from minialex import data
from minialex.data.pipeline import Pipeline
from minialex.random import philox

MEANS = ("channels", "whole", "crop")
SIZES = [((9, 9), 6), ((8, 11), 7), ((7, 7), 7), ((256, 256), 227)]
WORDS = philox((np.arange(4), 0, 0, 2), (7, 0)).T  # the random numbers of four images


def normalization(kind, sides, size, rng):
    """With a mean of each channel, a mean image of the images' size, or one of the network's."""
    shape = {"channels": (3, 1, 1), "whole": (3, *sides), "crop": (3, size, size)}[kind]
    return data.Normalize(rng.uniform(90, 140, shape), rng.uniform(30, 60, (3, 1, 1)))


def seen(image, norm, kind, top, left, size, order):
    """One view of one image, channel by channel: float64 (3, size, size)."""
    rows, columns = slice(top, top + size), slice(left, left + size)
    view = np.empty((3, size, size))
    for place, channel in enumerate({"RGB": (0, 1, 2), "BGR": (2, 1, 0)}[order]):
        mean = norm.mean[channel].astype(np.float64)
        mean = mean[rows, columns] if kind == "whole" else mean
        view[place] = (image[channel, rows, columns] - mean) / float(norm.std[channel, 0, 0])
    return view


def through(transforms, images):
    for transform in transforms:
        images = transform(images, WORDS[: len(images)])
    return images


# ------------------------------------------------------------------------------ evaluation


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("kind", MEANS)
@pytest.mark.parametrize(("sides", "size"), SIZES)
def test_ten_views_are_corners_and_centre_and_their_mirror_images(rng, sides, size, kind, order):
    images = rng.integers(0, 256, (2, 3, *sides), np.uint8)
    norm = normalization(kind, sides, size, rng)
    bottom, right = sides[0] - size, sides[1] - size
    places = [(0, 0), (0, right), (bottom, 0), (bottom, right), (round(bottom / 2), round(right / 2))]
    views = Pipeline(norm, size, order).views(images, 10)
    assert views.shape == (10, 2, 3, size, size) and views.dtype == np.float32 and views.flags.c_contiguous
    for number, place in enumerate(places):
        for n, image in enumerate(images):
            expected = seen(image, norm, kind, *place, size, order)
            np.testing.assert_allclose(views[number, n], expected, atol=1e-5)
            np.testing.assert_allclose(views[5 + number, n], expected[:, :, ::-1], atol=1e-5)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("kind", MEANS)
@pytest.mark.parametrize(("sides", "size"), SIZES)
def test_nine_views_are_a_grid_from_corner_to_corner(rng, sides, size, kind, order):
    images = rng.integers(0, 256, (2, 3, *sides), np.uint8)
    norm = normalization(kind, sides, size, rng)
    tops, lefts = ((0, round((side - size) / 2), side - size) for side in sides)
    views = Pipeline(norm, size, order).nine_views(images)
    assert views.shape == (9, 2, 3, size, size) and views.dtype == np.float32 and views.flags.c_contiguous
    for number, (top, left) in enumerate(itertools.product(tops, lefts)):
        for n, image in enumerate(images):
            np.testing.assert_allclose(views[number, n], seen(image, norm, kind, top, left, size, order), atol=1e-5)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("kind", MEANS)
@pytest.mark.parametrize(("sides", "size"), SIZES)
def test_one_view_is_the_centre_and_what_a_loader_gives_in_evaluation(rng, sides, size, kind, order):
    images = rng.integers(0, 256, (3, 3, *sides), np.uint8)
    norm = normalization(kind, sides, size, rng)
    pipeline = Pipeline(norm, size, order)
    top, left = (round((side - size) / 2) for side in sides)
    expected = np.stack([seen(image, norm, kind, top, left, size, order) for image in images])
    np.testing.assert_allclose(pipeline.views(images, 1), expected[None], atol=1e-5)
    loader = data.Loader(data.ArrayDataset(images, [0, 1, 0], ["a", "b"]), 2, pipeline.evaluation_transforms())
    loaded = np.concatenate([batch for batch, _ in loader.epoch()])
    np.testing.assert_array_equal(loaded, pipeline.views(images, 1)[0])


def test_the_centre_of_256_for_227_begins_at_14():
    images = np.zeros((1, 3, 256, 256), np.uint8)
    images[:, :, 14, 14] = 200
    views = Pipeline(data.Normalize(np.zeros((3, 1, 1))), 227).views(images, 1)
    assert (views[0, 0, :, 0, 0] == 200).all() and views.sum() == 3 * 200


def test_images_of_any_dtype(rng):
    images = rng.integers(0, 256, (2, 3, 9, 9), np.uint8)
    pipeline = Pipeline(normalization("whole", (9, 9), 6, rng), 6)
    np.testing.assert_array_equal(pipeline.views(images, 10), pipeline.views(images.astype(np.float32), 10))


@pytest.mark.parametrize("count", [0, 2, 5, 11])
def test_other_numbers_of_views(count):
    with pytest.raises(ValueError, match=f"1, the centre crop, or 10, got {count}"):
        Pipeline(data.Normalize(np.zeros((3, 1, 1))), 4).views(np.zeros((1, 3, 8, 8), np.uint8), count)


def test_images_smaller_than_the_network():
    with pytest.raises(ValueError, match="a crop of 9x9 does not fit into pictures of 8x8"):
        Pipeline(data.Normalize(np.zeros((3, 1, 1))), 9).views(np.zeros((1, 3, 8, 8), np.uint8), 10)


# ------------------------------------------------------------------------------ training


@pytest.mark.parametrize("kind", MEANS)
@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_training_crops_and_mirrors_the_normalised_image(rng, kind, order):
    """At the offsets that the random numbers say, of 4 x 4; mirrored where the first is in the lower half."""
    images = rng.integers(0, 256, (4, 3, 9, 9), np.uint8)
    norm = normalization(kind, (9, 9), 6, rng)
    shown = through(Pipeline(norm, 6, order).training_transforms(flip=True), images)
    for image, view, word in zip(images, shown, WORDS.tolist(), strict=True):
        expected = seen(image, norm, kind, word[0] * 4 >> 32, word[1] * 4 >> 32, 6, order)
        np.testing.assert_allclose(view, expected[..., ::-1] if word[0] < 2**31 else expected, atol=1e-5)


def test_a_loader_crops_differently_in_every_epoch(rng):
    """Every crop is a piece of its image, and most of the 3 x 3 pieces and their mirror images occur."""
    images = rng.integers(0, 256, (4, 3, 9, 9), np.uint8)
    norm = normalization("whole", (9, 9), 7, rng)
    transforms = Pipeline(norm, 7).training_transforms(flip=True)
    loader = data.Loader(data.ArrayDataset(images, np.zeros(4, int), ["a"]), 4, transforms)
    shown = np.concatenate([batch for epoch in range(6) for batch, _ in loader.epoch(epoch)])
    found = set()
    for number, top, left, step in np.ndindex(len(shown), 3, 3, 2):
        expected = seen(images[number % 4], norm, "whole", top, left, 7, "RGB")[..., :: 1 - 2 * step]
        if np.allclose(shown[number], expected, atol=1e-5):
            found.add((number, top, left, step))
    assert len(found) == len(shown) and len({place[1:] for place in found}) > 8


@pytest.mark.parametrize("sides", [(1, 1), (6, 6)], ids=["channels", "whole"])
def test_padding_is_with_the_mean(sides):
    """Which normalisation turns into zeros."""
    images = np.full((4, 3, 6, 6), 150, np.uint8)
    pipeline = Pipeline(data.Normalize(np.full((3, *sides), 100), 25), 6)
    shown = through(pipeline.training_transforms(crop_padding=2), images)
    assert shown.shape == (4, 3, 6, 6) and set(np.unique(shown)) == {0.0, 2.0}


def test_colour_noise_sees_normalised_crops_in_rgb(rng):
    """Whatever order of channels the network expects."""
    images, given = rng.integers(0, 256, (4, 3, 9, 9), np.uint8), []

    def redder(crops, words):
        given.append(crops)
        return crops + np.array([1000, 0, 0], np.float32)[:, None, None]

    pipeline = Pipeline(normalization("crop", (9, 9), 6, rng), 6, "BGR")
    quiet = through(pipeline.training_transforms(), images)
    noisy = through(pipeline.training_transforms(noise=[redder]), images)
    assert given[0].dtype == np.float32
    np.testing.assert_array_equal(given[0], quiet[:, ::-1])
    np.testing.assert_allclose(noisy - quiet, np.broadcast_to(np.array([0, 0, 1000])[:, None, None], quiet.shape), 1e-5)
