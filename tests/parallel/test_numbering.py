"""Random draws of a part of a batch: those that one process would make for the same pictures of the whole batch."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import Tensor, backends, functional, random

SHAPES = [(7, 3, 5, 3), (6, 8), (5, 2, 3, 1), (4, 1)]  # elements of a picture: odd, a multiple of 4, even, one


@pytest.fixture(params=["numpy", "numba", "emulator"])
def backend(request):
    before = backends.get_backend()
    yield backends.use_backend(request.param)
    backends.use_backend(before)


def pools(x, generator):
    return functional.stochastic_pool2d(x, 2, 1, generator=generator)


def drops(x, generator):
    return functional.dropout(x, 0.4, generator=generator)


@pytest.mark.parametrize("draw", [drops, pools])
@pytest.mark.parametrize("shape", SHAPES)
def test_parts_draw_what_the_whole_draws(backend, draw, shape):
    if draw is pools and (len(shape) < 4 or shape[-1] < 2):
        shape = (5, 3, 4, 6)
    rng = np.random.default_rng(0)
    whole = rng.random(shape).astype(np.float32) + 0.1
    generator = random.Generator(5)
    generator.call = 9
    x = Tensor(whole, requires_grad=True)
    y = draw(x, generator)
    gradient = rng.standard_normal(y.shape).astype(np.float32)
    y.backward(gradient)
    for start in range(shape[0]):
        mine = random.Generator(5)
        mine.call, mine.first_picture = 9, start
        part = Tensor(whole[start:], requires_grad=True)
        own = draw(part, mine)
        own.backward(gradient[start:])
        np.testing.assert_array_equal(own.numpy(), y.numpy()[start:])
        np.testing.assert_array_equal(part.grad.numpy(), x.grad.numpy()[start:])
    assert len(np.unique(y.numpy() == 0)) == 2 or draw is pools


@pytest.mark.parametrize("first", [0, 1, 2, 3, 4, 5, 2**34 + 3])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_words_from_the_middle(first, count):
    counter = np.array([(i // 4 % 2**32, i // 4 >> 32, 7, 0) for i in range(first, first + count)], np.uint64)
    wanted = [int(random.philox(row, (3, 0))[i % 4]) for i, row in zip(range(first, first + count), counter)]
    assert random.words(count, 3, 7, first=first).tolist() == wanted
