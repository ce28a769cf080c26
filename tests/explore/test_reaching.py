"""Which numbers explain a number: what lies outside the boxes changes nothing."""

from __future__ import annotations

import explored
import numpy as np
import pytest

from minialex.explore import describe, reaching
from minialex.models.layout import layout
from minialex.tensor import Tensor, no_grad


def within(shape, box):
    """Where an array of this shape has the box, as booleans; nowhere, without one."""
    mask = np.zeros(shape, bool)
    if box is not None:
        mask[tuple(slice(*span) for span in box)] = True
    return mask


@pytest.fixture(params=explored.NETWORKS, ids=lambda make: make.__name__)
def steps(request, rng):
    """[(description of a layer, the layer, random inputs (C, H, W))] of a network with random weights."""
    model, shape = request.param()
    rows, layers = layout(explored.filled(model, rng), shape), describe(model, shape)[1:]
    return [
        (described, row.layer, [rng.uniform(0.1, 2, of).astype(np.float32) for of in described["inputs"]])
        for described, row in zip(layers, rows)
    ]


def output(described, layer, inputs):
    """(C, H, W) of a layer for inputs (C, H, W)."""
    flat = described["kind"] == "linear" or type(layer).__name__ == "BatchNorm1d"
    with no_grad():
        y = layer(*(Tensor((x.ravel() if flat else x)[None].copy()) for x in inputs))
    return y.numpy()[0].reshape(described["output"])


def test_a_value_depends_on_what_it_sees_alone(steps, rng):
    for described, layer, inputs in steps:
        at = [int(rng.integers(size)) for size in described["output"]]
        boxes = [reaching.seen(described, k, [[n, n + 1] for n in at]) for k in range(len(inputs))]
        noise = [rng.uniform(0.1, 2, x.shape).astype(np.float32) for x in inputs]
        other = [np.where(within(x.shape, box), x, z) for x, box, z in zip(inputs, boxes, noise)]
        expected = output(described, layer, inputs)[tuple(at)]
        assert output(described, layer, other)[tuple(at)] == pytest.approx(expected, rel=1e-5), described["name"]
        assert any(boxes)


def test_a_place_changes_only_what_uses_it(steps, rng):
    for described, layer, inputs in steps:
        for k, x in enumerate(inputs):
            at = tuple(int(rng.integers(size)) for size in x.shape)
            before = output(described, layer, inputs)
            other = [y.copy() for y in inputs]
            other[k][at] += 2
            changed = output(described, layer, other) != before
            allowed = within(described["output"], reaching.using(described, k, [*at]))
            assert not (changed & ~allowed).any(), described["name"]


def test_no_box_is_larger_than_it_need_be():
    model, shape = explored.convolutions()
    layers = describe(model.eval(), shape)  # conv 3 x 2, stride (2, 1), padding ((1, 2), (0, 1)), 2 groups
    assert reaching.seen(layers[1], 0, [[4, 5], [0, 1], [3, 4]]) == [[2, 4], [0, 2], [3, 5]]
    assert reaching.using(layers[1], 0, [1, 3, 0]) == [[0, 3], [1, 3], [0, 1]]
    of = [(of, n) for of, n, _ in reaching.of_value(layers, 1, [4, 0, 3])]
    assert of == [
        ("values", 1),
        ("gradients", 1),
        ("values", 0),
        ("weight", 1),
        ("gradients", 2),
        ("values", 2),
        ("values", 1),
    ]


def test_the_gradient_of_a_parameter_comes_from_all_layers_that_have_it():
    model, shape = explored.shared()
    layers = describe(model.eval(), shape)
    assert [layers[n]["weight"].get("tied") for n in (1, 3, 5)] == [[1, 3], [1, 3], None]
    for name, at, users in (("weight", [1, 2, 0, 1], [1, 3]), ("bias", [2], [1, 3, 5])):
        for n in users:
            needed = reaching.of_parameter(layers, n, name, at)
            assert [of_layer for of, of_layer, _ in needed if of == "gradients"] == users
