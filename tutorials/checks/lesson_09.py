"""What the exercises of lesson 9 expect, and what goes wrong in them."""

from __future__ import annotations

import itertools

import numpy as np
from exercises import Exercise


def _colour(alphas, stds, vectors, c):
    return c * vectors @ (alphas * stds**2)


def _paired(without, having):
    d = without - having
    return d.mean(), d.std(ddof=1) / len(d) ** 0.5


def _unpaired(without, having):
    luck = (without.var(ddof=1) + having.var(ddof=1)) / len(without)
    return without.mean() - having.mean(), luck**0.5


def _share_of_flips(differences, holds=lambda flipped, given: abs(flipped) >= abs(given) - 1e-12):
    signs = np.array(list(itertools.product([1, -1], repeat=len(differences))))
    return holds((signs * differences).mean(axis=1), differences.mean()).mean()


def _without_itself(differences):
    count = 2 ** len(differences)
    return (_share_of_flips(differences) * count - 1) / (count - 1)


def _softmax(logits, axis=-1):
    p = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return p / p.sum(axis=axis, keepdims=True)


def _overflowing(logits):
    p = np.exp(logits)
    return (p / p.sum(axis=-1, keepdims=True)).mean(axis=0)


def _votes(logits):
    return np.eye(logits.shape[-1])[logits.argmax(axis=-1)].mean(axis=0)


_AXES = np.array([[0.6, 0.0, 0.8], [-0.8, 0.0, 0.6], [0.0, 1.0, 0.0]])
_ERRORS = (np.array([41.5, 40.0, 43.0, 42.0]), np.array([40.0, 39.0, 42.5, 40.0]))
_LOGITS = np.array([[[4.0, 0, 1], [0, 2, 0]], [[0, 1.0, 0], [3, 1, 0]], [[0, 1.5, 1], [0, 0.5, 0]]])

EXERCISES = {
    "9.1": Exercise(
        _colour,
        cases=((np.array([1.0, -2.0, 0.5]), np.array([0.1, 0.2, 0.5]), _AXES, 0.1),),
        mistakes=(
            (
                lambda alphas, stds, vectors, c: c * vectors @ (alphas * stds),
                "That is what the program did. The paper has the eigenvalue: the std, squared.",
            ),
            (
                lambda alphas, stds, vectors, c: c * (alphas * stds**2) @ vectors,
                "The axes are the columns: vectors @ numbers adds up columns, numbers @ vectors adds up rows.",
            ),
            (lambda alphas, stds, vectors, c: vectors @ (alphas * stds**2), "The coefficient c is missing."),
            (
                lambda alphas, stds, vectors, c: _colour(alphas, stds, vectors, c) / (1 + c),
                "Only the program of 2012 divided by 1 + c, and that the whole picture, not the colour.",
            ),
            (
                lambda alphas, stds, vectors, c: c * vectors * (alphas * stds**2),
                "These are three colours, one for each axis, as columns. Add them up: @ in place of *.",
            ),
            (lambda alphas, stds, vectors, c: c * vectors @ (alphas**2 * stds), "The std is squared, not the alpha."),
        ),
        right="With pixels from 0 to 255 it would have to be divided by 255 once, since it was squared.",
        hints=(
            "The paper multiplies by eigenvalues. What has an eigenvalue of a covariance to do with a std?",
            "lambda is the std squared. Each axis, a column, counts alpha times lambda.",
            "c times vectors @ (alphas * stds**2).",
        ),
    ),
    "9.2": Exercise(
        _paired,
        cases=(_ERRORS, (np.array([3.0, 1.0, 2.5]), np.array([2.0, 1.5, 4.0]))),
        mistakes=(
            (
                lambda without, having: ((without - having).mean(), (without - having).std() / len(having) ** 0.5),
                "The std is divided by n. Of few seeds it must be n - 1: ddof=1.",
            ),
            (
                lambda without, having: ((without - having).mean(), (without - having).std(ddof=1)),
                "That is the std of one pair. The mean of n pairs is surer: divide by the root of n.",
            ),
            (
                lambda without, having: ((without - having).mean(), (without - having).std(ddof=1) / len(having)),
                "Divide by the root of n, not by n: four times the seeds halve the error.",
            ),
            (_unpaired, "The error is that of two unrelated groups: take the std of the differences."),
            (lambda without, having: _paired(having, without), "The sign: it is positive where the trick helps."),
            (
                lambda without, having: (
                    np.median(without - having),
                    (without - having).std(ddof=1) / len(having) ** 0.5,
                ),
                "The error is right. Asked is the mean of the differences, not the median.",
            ),
        ),
        right="A constant offset between seeds would cancel in it.",
        hints=(
            "Make one array of differences first; everything else is about that.",
            "The standard error is the std of the differences, with n - 1, over the root of n.",
            "d.mean() and d.std(ddof=1) / len(d) ** 0.5.",
        ),
    ),
    "9.3": Exercise(
        _share_of_flips,
        cases=((np.array([1.0, 2, 0.5, 1.5, 0.2]),), (np.array([1.0, -2, 0.5, 1.5]),), (np.array([-3.0, -1, 0.5]),)),
        mistakes=(
            (
                lambda d: _share_of_flips(d, lambda flipped, given: flipped >= given - 1e-12),
                "Only means as large on one side are counted. A trick may hurt as well: take abs().",
            ),
            (
                lambda d: _share_of_flips(d, lambda flipped, given: abs(flipped) > abs(given) + 1e-12),
                "The signs as they are belong to the choices: at least as large, >=.",
            ),
            (_without_itself, "The signs as they are belong to the choices: 2^n of them, none left out."),
            (
                lambda d: 1 - _share_of_flips(d),
                "That is the share of choices with a smaller mean. The others are asked for.",
            ),
        ),
        right="Nothing was assumed about the shape of the luck.",
        hints=(
            "There are 2^n ways to choose the signs, and those that you were given are one of them.",
            "Multiply the differences by each choice, take |mean|, and compare it with |mean| of the differences "
            "themselves.",
            "An array of all choices (2^n, n) times differences, .mean(axis=1), abs, >= abs(mean) - 1e-12, and the "
            "mean of that.",
        ),
    ),
    "9.4": Exercise(
        lambda logits: _softmax(logits).mean(axis=0),
        cases=((_LOGITS,), (_LOGITS[:, :1] * 300,)),
        mistakes=(
            (
                lambda logits: _softmax(logits.mean(axis=0)),
                "You averaged logits. The paper averages probabilities: softmax first, for each view.",
            ),
            (_overflowing, "exp(1000) is infinite: take the largest logit off first, as in lesson 3."),
            (lambda logits: _softmax(logits).sum(axis=0), "That is the sum of the views: rows must add up to 1."),
            (_votes, "Each view gives one vote to its favourite. Its doubts should count as well."),
            (
                lambda logits: _softmax(logits, 0).mean(axis=0),
                "The softmax goes over the views. It belongs to the classes, the last axis.",
            ),
            (
                lambda logits: _softmax(logits),
                "These are the probabilities of each view. Average over the views, the first axis.",
            ),
        ),
        right="A jury of ten, and every juror may be in doubt.",
        hints=(
            "A jury averages what its members think is probable. What turns logits into that?",
            "Softmax over the last axis for every view, with its largest logit taken off first; then a mean.",
            "p = exp(logits - largest), divided by its sum over the last axis with keepdims, and the mean over axis 0.",
        ),
    ),
    "9.5": Exercise(
        "E",
        mistakes=(
            ("A", "It is needed for nothing once each run sets its own seed, but it does no harm in itself."),
            ("B", "Each seed gives a pair: right."),
            ("C", "Two variants, here the same ones: right."),
            ("D", "The weights have to be drawn. From which generator, in which state?"),
            ("F", "The order is drawn from the run's own seed: it is the same in a pair."),
            ("G", "It depends on weights and order only: if both are the same, it is."),
            ("H", "Without minus with, in pairs: right."),
        ),
        hints=(
            "Which random numbers do two runs of one seed share, and which not?",
            "Print the first weight of every variant: are they the same in a pair?",
            "What is drawn before the seed is set?",
        ),
    ),
}
