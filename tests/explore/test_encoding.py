"""Arrays as data of a page: how exact 8 bits are, and what is said about the numbers of an array."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from minialex.explore.encoding import BINS, eight_bits, summary_of


def decoded(packed):
    """As data.js decodes them."""
    q = np.frombuffer(zlib.decompress(base64.b64decode(packed["bytes"])), np.uint8)
    low, high = packed["range"]
    return np.where(q == 0, np.nan, low + (q.astype(np.float64) - 1) / 254 * (high - low))


def test_values_are_known_to_a_508th_of_their_range(rng):
    x = rng.normal(3, 2, (3, 5, 4)).astype(np.float32)
    off = np.abs(decoded(eight_bits(x)) - x.ravel()).max()
    assert off <= (x.max() - x.min()) / 508 * 1.001


def test_a_gradient_of_0_stays_0_and_no_sign_changes(rng):
    g = rng.normal(0, 1, (7, 6, 1)).astype(np.float32)
    g[::2] = 0
    found = decoded(eight_bits(g, signed=True)).reshape(g.shape)
    assert (found[::2] == 0).all() and (found * g >= 0).all()
    assert np.abs(found - g).max() <= np.abs(g).max() / 254 * 1.001


@pytest.mark.parametrize("signed", [False, True])
def test_numbers_that_are_none_are_told_apart(signed):
    x = np.array([1, np.nan, 2, np.inf, -np.inf, 0], np.float32)
    found = decoded(eight_bits(x, signed))
    assert np.array_equal(np.isnan(found), ~np.isfinite(x)) and abs(found[2] - 2) < 1e-6
    assert np.isnan(decoded(eight_bits(x[1:2], signed))).all()
    constant = decoded(eight_bits(np.full(3, 7, np.float32), signed))
    assert np.abs(constant - 7).max() < 1e-6


@pytest.mark.parametrize("count", [1, 999, 5000])
def test_a_summary_is_numpy_s(count, rng, monkeypatch):
    monkeypatch.setattr("minialex.explore.encoding._AT_ONCE", 700)
    x = np.maximum(rng.normal(1, 2, count), 0).astype(np.float32)
    found = summary_of(x)
    assert found["count"] == count and found["zeros"] == (x == 0).sum()
    assert found["smallest"] == x.min() and found["largest"] == x.max()
    assert found["mean"] == pytest.approx(x.mean(dtype=np.float64)) and found["std"] == pytest.approx(
        x.std(dtype=float)
    )
    if count > 1:
        assert found["bins"] == np.histogram(x.astype(float), BINS, (float(x.min()), float(x.max())))[0].tolist()


def test_a_summary_of_numbers_that_are_none_is_json():
    found = summary_of(np.array([np.nan, 1, 3], np.float32))
    assert found["mean"] is None and found["std"] is None and sum(found["bins"]) == 2
    assert (found["smallest"], found["largest"]) == (1, 3)
