"""What the property tests share: draws that are the same at every run, and the comparison with plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from minialex.tensor import Tensor

hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")
from hypothesis import settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402


def draws(count):
    """The same draws everywhere; shrinking would take longer than it helps with arguments as small as these."""
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    healthy = list(hypothesis.HealthCheck)
    return settings(
        derandomize=True, deadline=None, database=None, max_examples=count, phases=phases, suppress_health_check=healthy
    )


seeds = st.integers(0, 2**32 - 1)
sides = st.integers(0, 3)
shapes = st.lists(sides, max_size=3).map(tuple)


def leaf(data):
    return Tensor(np.asarray(data, np.float64), requires_grad=True)


def normal(seed, shape):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def cotangent(seed):
    """A function of a shape: random numbers, the same at every call."""
    return lambda shape: normal(seed + 1, shape)


def close(actual, expected, rtol=1e-11):
    assert np.shape(actual) == np.shape(expected)
    finite = np.abs(np.where(np.isfinite(expected), expected, 0))
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * np.max(finite, initial=1e-3))


def assert_as_loops(y, leaves, seed, expected_y, gradients):
    """y and what arrives at the leaves; a leaf that nothing reaches has no gradient, which counts as zeros."""
    close(y.data, expected_y)
    y.backward(cotangent(seed)(y.shape))
    for t, g in zip(leaves, gradients, strict=True):
        close(np.zeros(t.shape) if t.grad is None else t.grad, g)
