"""What a network is shown, in training and in evaluation, against plain indexing."""

import numpy as np
import pytest

from minialex import data
from minialex.data.pipeline import Pipeline
from minialex.random import philox

SIZE, LARGE = 6, 9


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 256, (4, 3, LARGE, LARGE), dtype=np.uint8)


def mean_of(kind, rng):
    """The normalisation, and a function (picture, y, x) -> its window at (y, x) as the network should see it."""
    size = {"channels": 1, "whole": LARGE, "centre": SIZE}[kind]
    mean = rng.uniform(90, 140, (3, size, size)).astype(np.float32)

    def window(picture, y, x):
        place = (slice(None), slice(y, y + SIZE), slice(x, x + SIZE))
        return (picture[place] - (mean[place] if kind == "whole" else mean)) / 50

    return data.Normalize(mean, 50.0), window


def through(transforms, images, words):
    for transform in transforms:
        images = transform(images, words)
    return images


def centre(picture, window):
    return window(picture, 2, 2)  # (9 - 6) / 2 = 1.5, rounded to the even 2


@pytest.mark.parametrize("kind", ["channels", "whole", "centre"])
@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_evaluation_and_training(pictures, rng, kind, order):
    normalization, window = mean_of(kind, rng)
    pipeline, channels = Pipeline(normalization, SIZE, order), slice(None, None, -1 if order == "BGR" else 1)
    shown = through(pipeline.evaluation_transforms(), pictures, None)
    np.testing.assert_allclose(shown, [centre(picture, window)[channels] for picture in pictures], atol=1e-5)

    words = philox((np.arange(4), 0, 0, 2), (7, 0)).T
    shown = through(pipeline.training_transforms(flip=True), pictures, words)
    for picture, image, word in zip(pictures, shown, words.tolist()):
        y, x = word[0] * 4 >> 32, word[1] * 4 >> 32
        expected = window(picture, y, x)[channels]
        np.testing.assert_allclose(image, expected[..., ::-1] if word[0] < 2**31 else expected, atol=1e-5)


def test_noise_comes_before_the_order_of_channels(pictures, rng):
    """Its colours are red, green, blue, whatever the network expects; and it follows the normalisation."""

    def redder(images, words):
        assert images.dtype == np.float32 and images.shape[2] == SIZE
        return images + np.array([1, 0, 0], np.float32)[:, None, None]

    pipeline = Pipeline(mean_of("channels", rng)[0], SIZE, "BGR")
    words = philox((np.arange(4), 0, 0, 2), (7, 0)).T
    noisy, plain = pipeline.training_transforms(noise=[redder]), pipeline.training_transforms()
    change = through(noisy, pictures, words) - through(plain, pictures, words)
    np.testing.assert_allclose(change, np.broadcast_to(np.array([0, 0, 1])[:, None, None], change.shape), atol=1e-5)


def test_padding_is_with_mean_pixels(rng):
    """A network of the pictures' size: a black picture's crops hold its own values and zeros, nothing else."""
    black = np.zeros((20, 3, SIZE, SIZE), np.uint8)
    pipeline = Pipeline(data.Normalize(np.full((3, 1, 1), 100.0), 50.0), SIZE)
    words = philox((np.arange(20), 0, 0, 2), (7, 0)).T
    shown = through(pipeline.training_transforms(crop_padding=2), black, words)
    assert shown.shape == (20, 3, SIZE, SIZE) and set(np.unique(shown)) == {-2.0, 0.0}
