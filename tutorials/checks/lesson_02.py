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
            (
                lambda x, w, gy: (w @ gy, x.T @ gy),
                "gY stands where Y stood, to the left of W's transpose: gY W^T, not W gY.",
            ),
            (lambda x, w, gy: (gy * w, x * gy), "* works entry by entry. The matrix product is @."),
        ),
        hints=(
            "A gradient has the shape of what it is the gradient of: gX that of X, gW that of W.",
            "With X (N, D), W (D, M) and gY (N, M): which product of gY and W, one of them transposed, has the shape "
            "(N, D)?",
            "gX (N, D) is gY (N, M) times W^T (M, D), and gW (D, M) is X^T (D, N) times gY (N, M).",
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
            (
                lambda x, axis, gy: _copied(gy, axis, x) / x.shape[1 - axis],
                "Divided by the length of the other axis. How many numbers were averaged into one?",
            ),
        ),
        right="Summing forward is copying backward.",
        hints=(
            "A sum's gradient is copied to everything that was added up. What does the mean change?",
            "Give gy its lost axis back, copy it along that axis to the shape of x, and divide by the number of "
            "entries averaged.",
            "np.expand_dims(gy, axis), divided by x.shape[axis], then np.broadcast_to the shape of x.",
        ),
    ),
    "2.3": Exercise(
        lambda a, b, gy: (gy * b, (gy * a).sum(axis=1, keepdims=True)),
        cases=((_integers(4, 3), _integers(4, 1), _integers(4, 3)),),
        mistakes=(
            (lambda a, b, gy: (gy * b, gy * a), "b was stretched along its second axis: sum gb over it."),
            (lambda a, b, gy: (gy * b, (gy * a).sum(axis=1)), "Keep the summed axis, with length 1: keepdims=True."),
            (lambda a, b, gy: (gy * b, (gy * a).mean(axis=1, keepdims=True)), "Gradients of copies add up: no mean."),
            (lambda a, b, gy: (gy * b, gy.sum(axis=1, keepdims=True)), "The slope along b is a: multiply, then sum."),
            (lambda a, b, gy: ((gy * a).sum(axis=1, keepdims=True), gy * b), "Swapped: ga comes first."),
        ),
        right="The same as unbroadcast(gy * a, b.shape).",
        hints=(
            "First write both as if nothing had been stretched. What are the slopes of a product?",
            "ga = gy b is as large as a. gy a is as large as a too, but b is smaller: what was copied is to be added "
            "up.",
            "gb is the sum of gy * a over axis 1, with that axis kept: keepdims=True.",
        ),
    ),
    "2.4": Exercise(
        np.array([2 / 3, -1 / 3, -1 / 3]),
        mistakes=(
            ([0.0, 0.0, 0.0], "That is right for g = [1, 1, 1] only: y1 alone does move when x1 moves."),
            ([1.0, 0.0, 0.0], "x also reaches y1 through the mean: each x by 1/3, with a minus."),
            ([2 / 3, 1 / 3, 1 / 3], "A larger x2 makes the mean larger and y1 smaller."),
            ([2 / 3, 2 / 3, 2 / 3], "That is the slope of each y along its own x. Here only y1 counts, along each x."),
            ([-1 / 3, -1 / 3, -1 / 3], "That is what comes through the mean. x1 reaches y1 directly as well."),
            ([1 / 3, -1 / 3, -1 / 3], "Along x1 both ways count: 1 directly, less 1/3 through the mean."),
        ),
        right="In general gx = g - mean(g).",
        hints=(
            "Only y1 counts, since g is 0 elsewhere. How does y1 depend on x1, and how on x2?",
            "y1 = x1 - (x1 + x2 + x3) / 3. Take its slope along each of the three.",
            "Along x1 it is 1 - 1/3; along x2 and along x3 only the mean moves, by 1/3, with a minus.",
        ),
    ),
    "2.5": Exercise(
        "C",
        mistakes=(
            ("A", "gscale agrees with nudging: look at what errors prints."),
            ("B", "gp has only to be multiplied with what forward multiplied with: scale. That is right."),
            ("D", "It would be right if gz were. Look one line up."),
            ("E", "It would be right if gz were."),
            ("F", "It would be right if gz were."),
        ),
        hints=(
            "Which of the four gradients are right, and from which line on can they no longer be?",
            "gscale is right, so A is. All that is wrong comes from gz. Try errors(rows=4).",
            "A sum over a row has to stand beside that row: which shape has it?",
        ),
    ),
}
