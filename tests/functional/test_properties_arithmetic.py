"""Arithmetic over shapes that broadcast, matrix products and reductions, drawn by hypothesis, against plain loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
from drawing import assert_as_loops, cotangent, draws, leaf, normal, seeds, shapes, sides, st
from hypothesis import given
from on_request import heavy

from minialex import functional

pytestmark = heavy

# ------------------------------------------------------------------------------ arithmetic that broadcasts


@st.composite
def two_that_broadcast(draw):
    """Two shapes cut from one, some of their axes 1; axes of length 0 included."""
    full = draw(shapes)
    return tuple(
        tuple(1 if draw(st.booleans()) and draw(st.booleans()) else n for n in full[draw(st.integers(0, len(full))) :])
        for _ in range(2)
    )


BINARY = {  # y, dy/da, dy/db of two positive numbers
    "add": (lambda a, b: a + b, lambda a, b: 1, lambda a, b: 1),
    "sub": (lambda a, b: a - b, lambda a, b: 1, lambda a, b: -1),
    "mul": (lambda a, b: a * b, lambda a, b: b, lambda a, b: a),
    "div": (lambda a, b: a / b, lambda a, b: 1 / b, lambda a, b: -a / b**2),
    "pow": (lambda a, b: a**b, lambda a, b: b * a ** (b - 1), lambda a, b: math.log(a) * a**b),
    "maximum": (max, lambda a, b: (a > b) + (a == b) / 2, lambda a, b: (b > a) + (a == b) / 2),
    "minimum": (min, lambda a, b: (a < b) + (a == b) / 2, lambda a, b: (b < a) + (a == b) / 2),
}


def in_operand(index, shape):
    """Which element of an operand of this shape the element `index` of the result comes from."""
    return tuple(i if n != 1 else 0 for i, n in zip(index[len(index) - len(shape) :], shape))


@draws(300)
@given(two_that_broadcast(), st.sampled_from(sorted(BINARY)), seeds)
def test_binary_functions(two, op, seed):
    """Quarters from 0.25 to 1.5, so that some are equal."""
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(1, 7, shape) / 4 for shape in two)
    function, da, db = BINARY[op]
    y, ga, gb = np.zeros(np.broadcast_shapes(*two)), np.zeros(a.shape), np.zeros(b.shape)
    gy = cotangent(seed)(y.shape)
    for index in np.ndindex(y.shape):
        i, j = in_operand(index, a.shape), in_operand(index, b.shape)
        y[index] = function(a[i], b[j])
        ga[i] += gy[index] * da(a[i], b[j])
        gb[j] += gy[index] * db(a[i], b[j])
    leaves = leaf(a), leaf(b)
    assert_as_loops(getattr(functional, op)(*leaves), leaves, seed, y, [ga, gb])


@draws(120)
@given(two_that_broadcast(), seeds)
def test_where_and_clamp(two, seed):
    """The condition, or the bounds, broadcast as well."""
    rng, (first, second) = np.random.default_rng(seed), two
    a, b, c = rng.standard_normal(first), rng.standard_normal(second), np.asarray(rng.random(second) < 0.5)
    y, ga, gb = np.zeros(np.broadcast_shapes(first, second)), np.zeros(first), np.zeros(second)
    gy = cotangent(seed)(y.shape)
    low, high = np.full(first, -0.3), np.full(second, 0.4)
    z, gx, glow, ghigh = y.copy(), ga.copy(), ga.copy(), gb.copy()
    for index in np.ndindex(y.shape):
        i, j = in_operand(index, first), in_operand(index, second)
        y[index] = a[i] if c[j] else b[j]
        (ga if c[j] else gb)[i if c[j] else j] += gy[index]
        z[index] = min(max(a[i], low[i]), high[j])
        into = (glow, i) if a[i] < low[i] else (ghigh, j) if a[i] > high[j] else (gx, i)
        into[0][into[1]] += gy[index]
    leaves = leaf(a), leaf(b)
    assert_as_loops(functional.where(c, *leaves), leaves, seed, y, [ga, gb])
    leaves = leaf(a), leaf(low), leaf(high)
    assert_as_loops(functional.clamp(*leaves), leaves, seed, z, [gx, glow, ghigh])


@draws(120)
@given(two_that_broadcast(), st.tuples(sides, sides, sides), st.sampled_from(["", "row", "column", "both"]), seeds)
def test_matmul(batches, nkm, vector, seed):
    (n, k, m), (first, second) = nkm, batches
    a = normal(seed, (k,) if vector in ("row", "both") else (*first, n, k))
    b = normal(seed + 2, (k,) if vector in ("column", "both") else (*second, k, m))
    wide_a = a[None] if a.ndim == 1 else a
    wide_b = b[:, None] if b.ndim == 1 else b
    batch = np.broadcast_shapes(wide_a.shape[:-2], wide_b.shape[:-2])
    y = np.zeros((*batch, wide_a.shape[-2], wide_b.shape[-1]))
    dropped = [axis for axis, one in ((-2, a.ndim == 1), (-1, b.ndim == 1)) if one]
    gy = cotangent(seed)(np.squeeze(y, tuple(dropped)).shape).reshape(y.shape)
    ga, gb = np.zeros(wide_a.shape), np.zeros(wide_b.shape)
    for *outer, row, column in np.ndindex(y.shape):
        i, j = in_operand(outer, wide_a.shape[:-2]), in_operand(outer, wide_b.shape[:-2])
        for inner in range(k):
            y[*outer, row, column] += wide_a[*i, row, inner] * wide_b[*j, inner, column]
            ga[*i, row, inner] += gy[*outer, row, column] * wide_b[*j, inner, column]
            gb[*j, inner, column] += gy[*outer, row, column] * wide_a[*i, row, inner]
    leaves = leaf(a), leaf(b)
    y = np.squeeze(y, tuple(dropped))
    assert_as_loops(functional.matmul(*leaves), leaves, seed, y, [ga.reshape(a.shape), gb.reshape(b.shape)])


# ------------------------------------------------------------------------------ reductions


def _mean(values):
    return sum(values) / len(values) if values else math.nan


def _variance(values):
    return sum((v - _mean(values)) ** 2 for v in values) / (len(values) - 1) if len(values) > 1 else math.nan


REDUCTIONS = {  # y of the values, dy/dx_i of x_i
    "sum": (lambda xs: sum(xs), lambda x, xs: 1),
    "mean": (_mean, lambda x, xs: 1 / len(xs)),
    "var": (_variance, lambda x, xs: 2 * (x - _mean(xs)) / (len(xs) - 1) if len(xs) > 1 else math.nan),
    "logsumexp": (
        lambda xs: math.log(sum(map(math.exp, xs))) if xs else -math.inf,
        lambda x, xs: math.exp(x) / sum(map(math.exp, xs)),
    ),
}


def grouped(shape, axes, keepdim):
    """(shape of the result, for each element of it the elements of x that it is made of)."""
    full = [1 if i in axes else n for i, n in enumerate(shape)]
    groups = {index: [] for index in np.ndindex(*full)}
    for index in np.ndindex(*shape):
        groups[tuple(0 if i in axes else k for i, k in enumerate(index))].append(index)
    return full if keepdim else [n for i, n in enumerate(full) if i not in axes], groups


@draws(240)
@given(st.data(), shapes, st.sampled_from(sorted(REDUCTIONS)), st.booleans(), seeds)
def test_reductions(data, shape, op, keepdim, seed):
    """All axes, some, one of them, from either end."""
    x, axes = (
        normal(seed, shape),
        data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True) if shape else st.just([])),
    )
    dim = [a - len(shape) if data.draw(st.booleans()) else a for a in axes]
    dim = dim[0] if len(dim) == 1 and data.draw(st.booleans()) else tuple(dim)
    if dim == () and data.draw(st.booleans()) and op != "logsumexp":
        dim = None
    out, groups = grouped(shape, axes or range(len(shape)), keepdim)
    function, slope = REDUCTIONS[op]
    y, gx, gy = [], np.zeros(shape), cotangent(seed)(tuple(out)).reshape(-1)
    for g, places in zip(gy, groups.values(), strict=True):
        values = [float(x[i]) for i in places]
        y.append(function(values))
        for i in places:
            gx[i] = g * slope(float(x[i]), values)
    t = leaf(x)
    assert_as_loops(getattr(functional, op)(t, dim=dim, keepdim=keepdim), [t], seed, np.reshape(y, out), [gx])


@draws(160)
@given(st.data(), st.lists(st.integers(1, 3), min_size=1, max_size=3), seeds)
def test_along_one_axis(data, shape, seed):
    """softmax and log_softmax, and max and min among values of which many are equal."""
    axis = data.draw(st.integers(0, len(shape) - 1))
    dim, keepdim = axis - len(shape) * data.draw(st.booleans()), data.draw(st.booleans())
    x, few = normal(seed, shape), np.random.default_rng(seed).integers(0, 3, shape).astype(float)
    out, groups = grouped(shape, [axis], keepdim)
    wide, narrow = cotangent(seed)(tuple(shape)), cotangent(seed)(tuple(out)).reshape(-1)
    p, gp, logp, glogp, ghigh, glow = (np.zeros(shape) for _ in range(6))
    high, low, first_high, first_low = [], [], [], []
    for g, places in zip(narrow, groups.values(), strict=True):
        for i in places:
            p[i] = 1 / sum(math.exp(x[j] - x[i]) for j in places)
            logp[i] = math.log(p[i])
        for i, j in itertools.product(places, places):
            gp[i] += wide[j] * p[j] * ((i == j) - p[i])
            glogp[i] += wide[j] * ((i == j) - p[i])
        values = [float(few[i]) for i in places]
        high.append(max(values))
        low.append(min(values))
        first_high.append(values.index(max(values)))
        first_low.append(values.index(min(values)))
        ghigh[places[first_high[-1]]] = glow[places[first_low[-1]]] = g
    for op, y, gx in (("softmax", p, gp), ("log_softmax", logp, glogp)):
        t = leaf(x)
        assert_as_loops(getattr(functional, op)(t, dim), [t], seed, y, [gx])
    for op, y, where, gx in (("max", high, first_high, ghigh), ("min", low, first_low, glow)):
        t = leaf(few)
        values, indices = getattr(functional, op)(t, dim, keepdim)
        assert_as_loops(values, [t], seed, np.reshape(y, out), [gx])
        np.testing.assert_array_equal(indices.data, np.reshape(where, out))
