"""The same elements, arranged otherwise, drawn by hypothesis, against the numbers of the elements in C order."""

from __future__ import annotations

import math

import numpy as np
from drawing import assert_as_loops, cotangent, draws, hypothesis, leaf, normal, seeds, shapes, sides, st
from hypothesis import given
from on_request import heavy

from minialex import functional
from minialex.tensor import Tensor

pytestmark = heavy


def assert_arrangement(y, inputs, seed, places, fill=0.0):
    """places: for each element of y (which input, its number in C order), or None where y holds `fill`."""
    assert y.shape == places.shape
    gy, gradients = cotangent(seed)(y.shape), [np.zeros(t.numel()) for t in inputs]
    expected = np.full(y.shape, fill)
    for index in np.ndindex(y.shape):
        if places[index] is not None:
            which, number = places[index]
            expected[index] = inputs[which].data.reshape(-1)[number]
            gradients[which][number] += gy[index]
    assert_as_loops(y, inputs, seed, expected, [g.reshape(t.shape) for g, t in zip(gradients, inputs)])


def numbered(which, shape):
    """An array of (which, number in C order), one for each element."""
    places = np.empty(shape, object)
    for number, index in enumerate(np.ndindex(*shape)):
        places[index] = which, number
    return places


@st.composite
def indices(draw, shape):
    """Anything that NumPy takes between [ and ]: slices with any step, numbers, None, ..., arrays, truth values.

    Arrays come as NumPy's, as lists and as Tensors; all of one index broadcast together.
    """
    if draw(st.integers(0, 9)) == 0:  # truth values for the whole of it
        return np.array(
            draw(st.lists(st.booleans(), min_size=math.prod(shape), max_size=math.prod(shape))), bool
        ).reshape(shape)
    parts, length = [], draw(st.integers(0, 4))
    for n in shape[: draw(st.integers(0, len(shape)))]:
        kind = draw(st.sampled_from(["slice", "slice", "number", "array", "truth"]))
        bound = st.none() | st.integers(-n - 2, n + 2)
        if kind == "slice" or not n:
            parts.append(slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, 3, -1, -2]))))
        elif kind == "number":
            parts.append(draw(st.sampled_from([int, np.int64]))(draw(st.integers(-n, n - 1))))
        elif kind == "truth" and length <= n:
            chosen = draw(st.permutations(range(n)))[:length]
            parts.append(np.isin(np.arange(n), chosen))
        else:
            size = draw(st.sampled_from([(length,), (1,), (2, length), ()]))
            values = st.lists(st.integers(-n, n - 1), min_size=math.prod(size), max_size=math.prod(size))
            array = np.array(draw(values), draw(st.sampled_from([np.int64, np.int32]))).reshape(size)
            parts.append(
                draw(st.sampled_from([array, Tensor(array)]))
                if not (array.size and array.ndim)
                else draw(st.sampled_from([array, array.tolist(), Tensor(array)]))
            )
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()) and len([p for p in parts if p is not None]) <= len(shape):
        parts.insert(len(parts), ...)
    return tuple(parts) if len(parts) != 1 or draw(st.booleans()) else parts[0]


def raw(index):
    return index.data if isinstance(index, Tensor) else index


@draws(600)
@given(st.data(), st.lists(st.integers(0, 4), max_size=3).map(tuple), st.booleans(), seeds)
def test_getitem(data, shape, turned, seed):
    """Forward as NumPy, backward by putting every gradient back where its element came from; of a view as well."""
    index = data.draw(indices(shape))
    plain = tuple(map(raw, index)) if isinstance(index, tuple) else raw(index)
    x = leaf(normal(seed, shape[::-1] if turned else shape))
    places = numbered(0, x.shape)
    chosen = (places.T if turned else places)[plain]
    if not isinstance(chosen, np.ndarray):  # one element
        chosen = np.array([chosen, None], object)[:1].reshape(())
    y = (x.permute(tuple(range(len(shape)))[::-1]) if turned else x)[index]
    assert_arrangement(y, [x], seed, chosen)


@draws(160)
@given(st.data(), shapes, seeds)
def test_reshape_flatten_permute_transpose(data, shape, seed):
    places = numbered(0, shape)
    order = data.draw(st.permutations(range(len(shape))))
    x = leaf(normal(seed, shape))
    negative = [a - len(shape) if data.draw(st.booleans()) else a for a in order]
    assert_arrangement(functional.permute(x, negative), [x], seed, places.transpose(order))
    rest = [n for n in shape if n != 1]
    if rest and 0 not in shape:
        new = data.draw(st.permutations(rest))
        hidden = [*new[:-1], -1] if data.draw(st.booleans()) else new
        x = leaf(normal(seed, shape))
        assert_arrangement(
            functional.permute(x, order).reshape(hidden), [x], seed, places.transpose(order).reshape(new)
        )
    if shape:
        first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(shape) - 1)] * 2)))
        joined = (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
        x = leaf(normal(seed, shape))
        assert_arrangement(functional.flatten(x, first, last - len(shape)), [x], seed, places.reshape(joined))
        x = leaf(normal(seed, shape))
        assert_arrangement(functional.transpose(x, first, last - len(shape)), [x], seed, places.swapaxes(first, last))


@draws(160)
@given(st.data(), shapes, st.sampled_from([None, 0.0, -1.5]), seeds)
def test_pad(data, shape, value, seed):
    """Margins of any sign, of as many of the last axes as are named; what is cut off first comes back as fill."""
    count = data.draw(st.integers(0, len(shape)))
    widths = [data.draw(st.tuples(st.integers(-1, 2), st.integers(-1, 2))) for _ in range(count)]
    named = shape[len(shape) - count :]
    hypothesis.assume(all(n + min(b, 0) + min(a, 0) >= 0 for n, (b, a) in zip(named, widths[::-1])))
    margins = [(0, 0)] * (len(shape) - count) + widths[::-1]
    places = np.full([n + b + a for n, (b, a) in zip(shape, margins)], None)
    before = numbered(0, shape)
    for index in np.ndindex(*places.shape):
        source = tuple(i - b for i, (b, _) in zip(index, margins))
        if all(0 <= i < n for i, n in zip(source, shape)):
            places[index] = before[source]
    x = leaf(normal(seed, shape))
    y = functional.pad(x, [n for pair in widths for n in pair], value=value)
    assert_arrangement(y, [x], seed, places, value or 0.0)


@draws(160)
@given(st.data(), st.lists(sides, min_size=1, max_size=3).map(tuple), st.integers(1, 3), seeds)
def test_concatenate_and_stack(data, shape, count, seed):
    axis = data.draw(st.integers(0, len(shape) - 1))
    lengths = [data.draw(sides) for _ in range(count)]
    all_shapes = [(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths]
    inputs = [leaf(normal(seed + i, s)) for i, s in enumerate(all_shapes)]
    places = np.empty((*shape[:axis], sum(lengths), *shape[axis + 1 :]), object)
    for index in np.ndindex(*places.shape):
        which, k = 0, index[axis]
        while k >= lengths[which]:
            which, k = which + 1, k - lengths[which]
        places[index] = numbered(which, all_shapes[which])[(*index[:axis], k, *index[axis + 1 :])]
    dim = axis - len(shape) if data.draw(st.booleans()) else axis
    assert_arrangement(functional.concatenate(inputs, dim), inputs, seed, places)

    axis = data.draw(st.integers(0, len(shape)))
    inputs = [leaf(normal(seed + i, shape)) for i in range(count)]
    places = np.empty((*shape[:axis], count, *shape[axis:]), object)
    for index in np.ndindex(*places.shape):
        places[index] = numbered(index[axis], shape)[index[:axis] + index[axis + 1 :]]
    dim = axis - len(shape) - 1 if data.draw(st.booleans()) else axis
    assert_arrangement(functional.stack(inputs, dim), inputs, seed, places)
