"""How networks are shown pictures, against plain loops over views and pictures."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import data
from minialex.data.pipeline import Pipeline

MEANS = ("channels", "whole", "crop")
SIZES = [((9, 9), 6), ((8, 11), 7), ((7, 7), 7), ((256, 256), 227)]


def normalization(kind, sides, size, rng):
    """With a mean of each channel, a mean picture of the pictures' size, or one of the network's."""
    shape = {"channels": (3, 1, 1), "whole": (3, *sides), "crop": (3, size, size)}[kind]
    return data.Normalize(rng.uniform(90, 140, shape), rng.uniform(30, 60, (3, 1, 1)))


def seen(picture, norm, kind, top, left, size, order):
    """One view of one picture, channel by channel: float64 (3, size, size)."""
    rows, columns = slice(top, top + size), slice(left, left + size)
    view = np.empty((3, size, size))
    for place, channel in enumerate({"RGB": (0, 1, 2), "BGR": (2, 1, 0)}[order]):
        mean = norm.mean[channel].astype(np.float64)
        mean = mean[rows, columns] if kind == "whole" else mean
        view[place] = (picture[channel, rows, columns] - mean) / float(norm.std[channel, 0, 0])
    return view


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
        for n, picture in enumerate(images):
            expected = seen(picture, norm, kind, *place, size, order)
            np.testing.assert_allclose(views[number, n], expected, atol=1e-5)
            np.testing.assert_allclose(views[5 + number, n], expected[:, :, ::-1], atol=1e-5)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("kind", MEANS)
@pytest.mark.parametrize(("sides", "size"), SIZES)
def test_one_view_is_the_centre_and_what_a_loader_gives_in_evaluation(rng, sides, size, kind, order):
    images = rng.integers(0, 256, (3, 3, *sides), np.uint8)
    norm = normalization(kind, sides, size, rng)
    pipeline = Pipeline(norm, size, order)
    top, left = (round((side - size) / 2) for side in sides)
    expected = np.stack([seen(picture, norm, kind, top, left, size, order) for picture in images])
    np.testing.assert_allclose(pipeline.views(images, 1), expected[None], atol=1e-5)
    loader = data.Loader(data.ArrayDataset(images, [0, 1, 0], ["a", "b"]), 2, pipeline.evaluation_transforms())
    loaded = np.concatenate([batch for batch, _ in loader.epoch()])
    np.testing.assert_array_equal(loaded, pipeline.views(images, 1)[0])


def test_the_centre_of_256_for_227_begins_at_14():
    images = np.zeros((1, 3, 256, 256), np.uint8)
    images[:, :, 14, 14] = 200
    views = Pipeline(data.Normalize(np.zeros((3, 1, 1))), 227).views(images, 1)
    assert (views[0, 0, :, 0, 0] == 200).all() and views.sum() == 3 * 200


def test_pictures_may_be_numbers_of_any_kind(rng):
    images = rng.integers(0, 256, (2, 3, 9, 9), np.uint8)
    pipeline = Pipeline(normalization("whole", (9, 9), 6, rng), 6)
    np.testing.assert_array_equal(pipeline.views(images, 10), pipeline.views(images.astype(np.float32), 10))


@pytest.mark.parametrize("count", [0, 2, 5, 11])
def test_other_numbers_of_views(count):
    with pytest.raises(ValueError, match=f"1, the centre crop, or 10, got {count}"):
        Pipeline(data.Normalize(np.zeros((3, 1, 1))), 4).views(np.zeros((1, 3, 8, 8), np.uint8), count)


def test_pictures_smaller_than_the_network():
    with pytest.raises(ValueError, match="a crop of 9x9 does not fit into pictures of 8x8"):
        Pipeline(data.Normalize(np.zeros((3, 1, 1))), 9).views(np.zeros((1, 3, 8, 8), np.uint8), 10)


class TestTraining:
    @staticmethod
    def epochs(pipeline, images, count=6, **options):
        """Every picture as it looks in several epochs: (count x n, 3, size, size)."""
        dataset = data.ArrayDataset(images, np.zeros(len(images), int), ["a"])
        loader = data.Loader(dataset, 4, pipeline.training_transforms(**options))
        return np.concatenate([batch for epoch in range(count) for batch, _ in loader.epoch(epoch)])

    @pytest.mark.parametrize("kind", MEANS)
    @pytest.mark.parametrize("order", ["RGB", "BGR"])
    def test_crops_are_pieces_of_the_normalised_picture(self, rng, kind, order):
        images = rng.integers(0, 256, (4, 3, 9, 9), np.uint8)
        norm = normalization(kind, (9, 9), 7, rng)
        shown = self.epochs(Pipeline(norm, 7, order), images, flip=True)
        found = set()
        for number, view in enumerate(shown):
            for top in range(3):
                for left in range(3):
                    expected = seen(images[number % 4], norm, kind, top, left, 7, order)
                    for mirrored in (False, True):
                        candidate = expected[:, :, ::-1] if mirrored else expected
                        if np.allclose(view, candidate, atol=1e-5):
                            found.add((number, top, left, mirrored))
        assert len(found) == len(shown), "each is one of the 18 possible ones"
        assert len({place[1:] for place in found}) > 8, "and not always the same"

    def test_padding_is_with_what_the_mean_becomes(self):
        images = np.full((4, 3, 6, 6), 150, np.uint8)
        for norm in (np.full((3, 1, 1), 100), np.full((3, 6, 6), 100)):
            shown = self.epochs(Pipeline(data.Normalize(norm), 6), images, crop_padding=2)
            assert set(np.unique(shown)) == {0.0, 50.0}

    def test_colour_noise_sees_normalised_crops_red_first(self, rng):
        images = rng.integers(0, 256, (4, 3, 6, 6), np.uint8)
        given = []

        def noise(pictures, words):
            given.append(pictures)
            return pictures + np.float32(1000)

        norm = data.Normalize(np.full((3, 6, 6), 100), 10)
        shown = self.epochs(Pipeline(norm, 6, "BGR"), images, 1, noise=[noise])
        expected = (images - 100.0) / 10
        np.testing.assert_allclose(given[0], expected, rtol=1e-6)
        np.testing.assert_allclose(shown, expected[:, ::-1] + 1000, rtol=1e-6)
