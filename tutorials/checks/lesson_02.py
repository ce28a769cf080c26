"""What the exercises of lesson 2 expect, and what goes wrong in them."""

from __future__ import annotations

import numpy as np
from exercises import Exercise

_rng = np.random.default_rng(2)


def _integers(*shape):
    return _rng.integers(-5, 6, shape).astype(float)


def _copied(gy, axis, x):
    return np.broadcast_to(np.expand_dims(gy, axis), x.shape)


EXERCISES = {
    "2.1": Exercise(
        lambda x, w, gy: (gy @ w.T, x.T @ gy),
        cases=((_integers(3, 3), _integers(3, 3), _integers(3, 3)),),
        mistakes=(
            (lambda x, w, gy: (gy @ w, x.T @ gy), "gX wants the transpose of W: rows and columns change their roles."),
            (lambda x, w, gy: (gy @ w.T, x @ gy), "gW wants the transpose of X."),
            (lambda x, w, gy: (x.T @ gy, gy @ w.T), "Swapped: gX comes first."),
            (lambda x, w, gy: (gy @ w.T, gy.T @ x), "gW came out transposed: X goes in front of gY."),
            (lambda x, w, gy: (w.T @ gy, gy @ x.T), "The order of a matrix product matters: gY stands where Y stood."),
        ),
    ),
    "2.2": Exercise(
        lambda x, axis, gy: _copied(gy, axis, x) / x.shape[axis],
        cases=((_integers(4, 3), 0, _integers(3)), (_integers(4, 3), 1, _integers(4))),
        mistakes=(
            (lambda x, axis, gy: _copied(gy, axis, x), "That is a sum's gradient: divide by the number of entries."),
            (lambda x, axis, gy: _copied(gy, axis, x) / x.size, "Divide by the length of the axis, not by all of x."),
            (lambda x, axis, gy: gy / x.shape[axis], "Copy it along the axis that was averaged: gx is as large as x."),
            (lambda x, axis, gy: _copied(gy, axis, x) * x / x.shape[axis], "A mean's slopes do not depend on x."),
        ),
        right="Summing forward is copying backward.",
    ),
    "2.3": Exercise(
        lambda a, b, gy: (gy * b, (gy * a).sum(axis=1, keepdims=True)),
        cases=((_integers(4, 3), _integers(4, 1), _integers(4, 3)),),
        mistakes=(
            (lambda a, b, gy: (gy * b, gy * a), "b was stretched along its second axis: sum gb over it."),
            (lambda a, b, gy: (gy * b, (gy * a).sum(axis=1)), "Keep the summed axis, with length 1: keepdims=True."),
            (lambda a, b, gy: (gy * b, (gy * a).mean(axis=1, keepdims=True)), "Gradients of copies add up: no mean."),
            (lambda a, b, gy: (gy * b, gy.sum(axis=1, keepdims=True)), "The slope along b is a: multiply, then sum."),
        ),
        right="The same as unbroadcast(gy * a, b.shape).",
    ),
    "2.4": Exercise(
        np.array([2 / 3, -1 / 3, -1 / 3]),
        mistakes=(
            ([0.0, 0.0, 0.0], "That is right for g = [1, 1, 1] only: y1 alone does move when x1 moves."),
            ([1.0, 0.0, 0.0], "x also reaches y1 through the mean: each x by 1/3, with a minus."),
            ([2 / 3, 1 / 3, 1 / 3], "A larger x2 makes the mean larger and y1 smaller."),
            ([2 / 3, 2 / 3, 2 / 3], "That is the slope of each y along its own x. Here only y1 counts, along each x."),
            ([-1 / 3, -1 / 3, -1 / 3], "That is what comes through the mean. x1 reaches y1 directly as well."),
        ),
        right="In general gx = g - mean(g).",
    ),
}
