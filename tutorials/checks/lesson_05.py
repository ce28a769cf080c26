"""What the exercises of lesson 5 expect, and what goes wrong in them."""

from __future__ import annotations

import numpy as np
from exercises import Exercise


def _pool_row(x, kernel, stride, padding, around=-np.inf):
    padded = np.pad(x, padding, constant_values=around)
    return np.array([padded[i : i + kernel].max() for i in range(0, len(padded) - kernel + 1, stride)])


def _pool_row_backward(gy, x, kernel, stride):
    gx = np.zeros(len(x))
    for i, g in enumerate(gy):
        gx[i * stride + x[i * stride : i * stride + kernel].argmax()] += g
    return gx


def _assigning(gy, x, kernel, stride):
    gx = np.zeros(len(x))
    for i, g in enumerate(gy):
        gx[i * stride + x[i * stride : i * stride + kernel].argmax()] = g
    return gx


def _to_all(gy, x, kernel, stride):
    gx = np.zeros(len(x))
    for i, g in enumerate(gy):
        here = slice(i * stride, i * stride + kernel)
        gx[here] += g * (x[here] == x[here].max())
    return gx


def _to_the_last(gy, x, kernel, stride):
    gx = np.zeros(len(x))
    for i, g in enumerate(gy):
        gx[i * stride + kernel - 1 - x[i * stride : i * stride + kernel][::-1].argmax()] += g
    return gx


def _without_offset(gy, x, kernel, stride):
    gx = np.zeros(len(x))
    for i, g in enumerate(gy):
        gx[x[i * stride : i * stride + kernel].argmax()] += g
    return gx


def _divisor(x, n, alpha, k):
    return k + alpha / n * _sums(x**2, n, n // 2)


def _sums(values, n, before):
    return np.array([values[max(i - before, 0) : max(i - before + n, 0)].sum() for i in range(len(values))])


def _divisor_of_means(x, n, alpha, k):
    return k + alpha * _sums(x**2, n, n // 2) / _sums(np.ones(len(x)), n, n // 2)


def _divisor_round_the_corner(x, n, alpha, k):
    return k + alpha / n * sum(np.roll(x**2, n // 2 - j) for j in range(n))


def _rms(x):
    return (x**2).mean() ** 0.5


def _scale_backward(gy, x):
    y = x / _rms(x)
    return (gy - y * (gy * y).mean()) / _rms(x)


_X = np.array([3.0, -1.0, 2.0, 0.5, -2.0, 4.0])
_ROWS = ((np.array([-3.0, -1.0, -2.0, -5.0, -4.0]), 3, 2, 1), (np.array([2.0, -1.0, 3.0, 0.0, 1.0, 5.0]), 2, 2, 1))

EXERCISES = {
    "5.1": Exercise(
        _pool_row,
        cases=_ROWS,
        mistakes=(
            (
                lambda x, kernel, stride, padding: _pool_row(x, kernel, stride, padding, 0),
                "You padded with 0, which wins against negative numbers. What never wins is -np.inf.",
            ),
            (
                lambda x, kernel, stride, padding: _pool_row(x, kernel, stride, 0),
                "The padding is forgotten: the first window begins `padding` places before the row.",
            ),
            (
                lambda x, kernel, stride, padding: _pool_row(x, kernel, 1, padding),
                "The windows begin at every place: the stride is not used.",
            ),
            (
                lambda x, kernel, stride, padding: -_pool_row(-x, kernel, stride, padding),
                "These are the smallest numbers of the windows.",
            ),
            (
                lambda x, kernel, stride, padding: _pool_row(x, kernel, kernel, padding),
                "The windows stand side by side: they begin at multiples of the stride, not of their length.",
            ),
        ),
        right="Nothing outside the row can win.",
        hints=(
            "What is the padding to be filled with, so that it never wins, not even against negative numbers?",
            "Pad with -np.inf, then take the maximum of each window that begins at a multiple of the stride.",
            "np.pad(x, padding, constant_values=-np.inf); the windows begin at i * stride, and the last one ends "
            "within the row.",
        ),
    ),
    "5.2": Exercise(
        _pool_row_backward,
        cases=(
            (np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 5.0, 2.0, 4.0, 3.0, 1.0]), 3, 2),
            (np.array([1.0, -2.0, 4.0]), np.array([2.0, 2.0, 0.0, 0.0, 0.0, 1.0, 1.0]), 3, 2),
        ),
        mistakes=(
            (_assigning, "A number that wins twice keeps the last gradient only: add, with `+=`."),
            (_to_all, "You send it to all winners, as in 2012. Here it goes to the first one."),
            (_to_the_last, "Where two tie you send it to the last one; `>=` in a loop does that."),
            (_without_offset, "argmax counts from where the window begins: add i * stride."),
            (
                lambda gy, x, kernel, stride: _pool_row_backward(np.ones(len(gy)), x, kernel, stride),
                "Each winner gets 1 for every win. It gets what arrives: gy[i].",
            ),
        ),
        right="This is what max-pooling sends back.",
        hints=(
            "Each window sends its gradient to one place of the row. Which?",
            "argmax gives the first winner inside the window, counted from where the window begins.",
            "gx[i * stride + winner] += gy[i], for every window i, beginning from zeros.",
        ),
    ),
    "5.3": Exercise(
        _divisor,
        cases=((_X, 5, 1.0, 1.0), (_X, 3, 0.5, 2.0), (_X, 4, 2.0, 1.0)),
        mistakes=(
            (lambda x, n, alpha, k: k + alpha * _sums(x**2, n, n // 2), "As in the paper. Caffe divides alpha by n."),
            (lambda x, n, alpha, k: _divisor(x, n, alpha, 0), "The constant k is missing."),
            (lambda x, n, alpha, k: k + alpha / n * _sums(x, n, n // 2), "The sum is over squares."),
            (_divisor_of_means, "Divide by n, even where an edge cuts the window off."),
            (_divisor_round_the_corner, "The first and the last channel are no neighbours; np.roll joins them."),
            (
                lambda x, n, alpha, k: k + alpha / n * _sums(x**2, n, (n - 1) // 2),
                "For even n the window begins n//2 before the channel and ends n//2 - 1 behind it.",
            ),
            (
                lambda x, n, alpha, k: _divisor(x, n, alpha, k) ** 0.75,
                "That is the divisor to the power beta already; d itself is asked for.",
            ),
        ),
        right="",
        hints=(
            "Caffe's and torch's alpha is divided by something before it is used.",
            "For channel i, add up the squares of the channels from i - n//2 on, n of them, as far as they exist.",
            "k + alpha / n times the sum over x[max(i - n//2, 0) : i - n//2 + n] ** 2.",
        ),
    ),
    "5.4": Exercise(
        _scale_backward,
        cases=((np.array([1.0, 0.0, 0.0, 0.0]), _X[:4]), (np.array([2.0, -1.0, 5.0]), np.array([0.5, -2.0, 1.0]))),
        mistakes=(
            (lambda gy, x: gy / _rms(x), "That is the direct part. Each x is in s as well, which divides every y."),
            (
                lambda gy, x: (gy + x / _rms(x) * (gy * x / _rms(x)).mean()) / _rms(x),
                "A larger x makes all y smaller by way of s: minus.",
            ),
            (
                lambda gy, x: (gy - x / _rms(x) * (gy * x / _rms(x)).sum()) / _rms(x),
                "In the mean of the squares each x counts 1/N: divide the sum by N.",
            ),
            (
                lambda gy, x: gy / _rms(x) * (1 - (x / _rms(x)) ** 2 / len(x)),
                "That is x's way to its own y. Its way to all others is missing.",
            ),
            (
                lambda gy, x: gy - x / _rms(x) * (gy * x / _rms(x)).mean(),
                "Both parts are right but for the 1/s in front of them: y is x divided by s.",
            ),
        ),
        right="Multiply x by any number: y stays, so gx has no part along x.",
        hints=(
            "x_i reaches y_i directly, with the slope 1/s; and it is in s, which divides every y.",
            "s = (mean of x^2)^(1/2), so a larger x_i changes s by x_i / (N s), and every y_c by -x_c / s^2 times "
            "that.",
            "gx = (gy - y times the mean of gy * y) / s, with y = x / s.",
        ),
    ),
    "5.5": Exercise(
        "A",
        mistakes=(
            ("B", "The formula of lesson 4, for the rows."),
            ("C", "The formula of lesson 4, for the columns."),
            ("D", "The window begins at i stride, j stride of the padded map: right."),
            ("E", "The largest of the window: right."),
        ),
        hints=(
            "What does the ReLU keep away from the pooling?",
            "Try it without the ReLU.",
            "Who wins in a window at the edge if all pixels in it are negative?",
        ),
    ),
}
