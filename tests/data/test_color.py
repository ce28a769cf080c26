"""Colour noise: its covariance, its distribution, and that the words decide it."""

from types import SimpleNamespace

import numpy as np
import pytest

from minialex.data.color import ColorNoise, normals
from minialex.random import philox

# What the authors measured on ImageNet: stds on the scale 0-255, ascending, and axes as columns.
STDS = np.array([19.7208, 37.0939, 121.7801])
AXES = np.array([[0.41796, -0.71258, -0.56351], [-0.81698, -0.02354, -0.57618], [0.39731, 0.70120, -0.59200]])
IMAGENET = SimpleNamespace(stds=STDS, vectors=AXES)


def some_words(count, seed=3):
    return philox((np.arange(count), 0, 2, 2), (seed, 0)).T


def colors(noise, count=60000):
    """The offsets of so many pictures (count, 3): black pictures of 2 x 1 pixels, made noisy."""
    noisy = noise(np.zeros((count, 3, 2, 1), np.float32), some_words(count))
    assert noisy.dtype == np.float32
    np.testing.assert_array_equal(noisy[:, :, 0, 0], noisy[:, :, 1, 0])
    return noisy[:, :, 0, 0].astype(np.float64)


def test_the_normals_are_normal_and_independent():
    z = normals(some_words(60000))
    assert np.abs(z.mean(0)).max() < 0.02 and np.abs(np.cov(z.T) - np.eye(4)).max() < 0.03
    for edge, share in ((-2, 0.02275), (-1, 0.15866), (0, 0.5), (1, 0.84134), (2, 0.97725)):
        np.testing.assert_allclose((z < edge).mean(0), share, atol=0.008)


def test_the_normals_by_hand():
    words = np.array([[0, 0, 2**32 - 1, 0], [2**31 - 1, 2**30, 2**31 - 1, 2**31]], np.uint32)
    z = normals(words)
    assert np.isfinite(z).all()
    largest, half = (2 * 32 * np.log(2)) ** 0.5, (2 * np.log(2)) ** 0.5
    np.testing.assert_allclose(z[0], [largest, 0, 0, 0], atol=1e-12)  # u = 2^-32, v = 0; u = 1
    np.testing.assert_allclose(z[1], [0, -half, half, 0], atol=1e-12)  # u = 1/2: angles of a quarter and a half turn


def covariance(variances):
    """sum_i variance_i p_i p_i^T, as a loop."""
    return sum(variance * np.outer(AXES[:, i], AXES[:, i]) for i, variance in enumerate(variances))


def test_by_eigenvalue_of_pixels_from_0_to_1():
    """The paper: alpha ~ N(0, 0.1) times the eigenvalue; of the main axis 0.1 (121.78 / 255)^2 255 = 5.816."""
    offsets = colors(ColorNoise(0.1, IMAGENET))
    eigenvalues = (STDS / 255) ** 2
    expected = covariance((0.1 * eigenvalues * 255) ** 2)
    assert np.sqrt(np.trace(expected)) == pytest.approx(5.845, abs=0.01)
    np.testing.assert_allclose(np.cov(offsets.T), expected, atol=0.03 * expected.max())
    assert np.abs(offsets.mean(0)).max() < 0.05
    along = offsets @ AXES / (0.1 * eigenvalues * 255)  # of unit std along every axis, however small
    np.testing.assert_allclose(along.std(0), 1, atol=0.02)


def test_by_std_everything_is_divided():
    """2012: alpha times the std; of the main axis 12.18, and all of it divided by 1.1."""
    noise = ColorNoise(0.1, IMAGENET, by="std")
    expected = covariance((0.1 * STDS / 1.1) ** 2)
    np.testing.assert_allclose(np.cov(colors(noise).T), expected, atol=0.03 * expected.max())
    words = some_words(5)
    pictures = np.random.default_rng(0).normal(0, 60, (5, 3, 4, 6)).astype(np.float32)
    black = np.zeros_like(pictures)
    np.testing.assert_allclose(noise(pictures, words) - noise(black, words), pictures / 1.1, atol=1e-4)


def test_normalised_pictures_get_normalised_noise():
    """y / std + noise / std: the same as noise before the normalisation."""
    std, words = np.array([60.0, 50.0, 40.0]).reshape(3, 1, 1), some_words(7)
    pixels = np.random.default_rng(1).uniform(0, 255, (7, 3, 4, 5)).astype(np.float32)
    for by in ("eigenvalue", "std"):
        before = ColorNoise(0.1, IMAGENET, by)(pixels - 100, words) / std
        after = ColorNoise(0.1, IMAGENET, by, std)(((pixels - 100) / std).astype(np.float32), words)
        np.testing.assert_allclose(after, before, atol=1e-5)


def test_equal_words_give_equal_noise_and_the_input_is_left_alone():
    noise, words = ColorNoise(0.1, IMAGENET), some_words(6)
    pictures = np.random.default_rng(2).normal(0, 60, (6, 3, 3, 3)).astype(np.float32)
    kept = pictures.copy()
    first = noise(pictures, words)
    np.testing.assert_array_equal(pictures, kept)
    np.testing.assert_array_equal(noise(pictures[2:4], words[2:4]), first[2:4])
    assert len(np.unique(first - pictures, axis=0)) == 6, "every picture has a colour of its own"
    assert (noise(pictures, some_words(6, seed=4)) != first).all()
