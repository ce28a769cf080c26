"""What the exercises of lesson 11 expect, and what goes wrong in them."""

from __future__ import annotations

import numpy as np
from exercises import Exercise
from toy_group import CountingGroup, on_ranks, split_network

from minialex.parallel.group import part


class _Unanswered(Exception):
    pass


# ------------------------------------------------------------------------------ 11.1


def ring_all_reduce(array, group, add=True, replace=True, gather=True):
    """Solution of 11.1, and with other settings than these its mistakes."""
    rank, size = group.rank, group.size
    parts = np.pad(array, (0, -len(array) % size)).reshape(size, -1)
    for step in range(2 * (size - 1) if gather else size - 1):
        came = group.send_recv(parts[(rank - step) % size], (rank + 1) % size, (rank - 1) % size)
        p = (rank - step - 1) % size
        parts[p] = came + parts[p] if (add if step < size - 1 else not replace) else came
    return parts.reshape(-1)[: len(array)]


def _whole_arrays(array, group):
    total, came = array.copy(), array
    for _ in range(group.size - 1):
        came = group.send_recv(came, (group.rank + 1) % group.size, (group.rank - 1) % group.size)
        total += came
    return total


def _summed(answer, size, n):
    """What an answer to 11.1 makes of arrays (n,) on so many ranks, and how many numbers each sends."""
    arrays = np.random.default_rng(n).standard_normal((size, n))

    def each(group):
        counting = CountingGroup(group)
        return answer(arrays[group.rank].copy(), counting), counting.sent

    sums, sent = zip(*on_ranks(size, each))
    return None if any(total is None for total in sums) else (list(sums), list(sent))


# ------------------------------------------------------------------------------ 11.2


def parallel_gradient(gradient, w, x, t, group):
    """Solution of 11.2."""
    own = part(len(x), group.rank, group.size)
    return group.all_reduce((own.stop - own.start) / len(x) * gradient(w, x[own], t[own]))


def _mean_of_means(gradient, w, x, t, group):
    own = part(len(x), group.rank, group.size)
    return group.all_reduce(gradient(w, x[own], t[own])) / group.size


def _sum_of_means(gradient, w, x, t, group):
    return _mean_of_means(gradient, w, x, t, group) * group.size


def _own_share(gradient, w, x, t, group):
    own = part(len(x), group.rank, group.size)
    return (own.stop - own.start) / len(x) * gradient(w, x[own], t[own])


def _whole_batch(gradient, w, x, t, group):
    return group.all_reduce(gradient(w, x, t))


def _sum_over_pictures(gradient, w, x, t, group):
    return parallel_gradient(gradient, w, x, t, group) * len(x)


def _shared_out(answer, size, n):
    """What an answer to 11.2 gives on every one of so many ranks, for n pictures: a linear layer's squared error."""
    rng = np.random.default_rng(n)
    w, x, t = (rng.standard_normal(shape) for shape in ((4, 2), (n, 4), (n, 2)))

    def gradient(w, x, t):
        return x.T @ (x @ w - t) / len(x)

    found = on_ranks(size, lambda group: answer(gradient, w, x, t, group))
    return None if any(one is None for one in found) else found


# ------------------------------------------------------------------------------ 11.3


def exchange(a, group):
    """Solution of 11.3."""
    return _exchange(a, group, lambda gy, mine: group.all_reduce(gy)[:, mine])


def _exchange(a, group, backward):
    mine = part(a.shape[1] * group.size, group.rank, group.size)
    return group.all_gather(a, axis=1), lambda gy: backward(gy, mine)


def _of_rank_0(a, group):
    return _exchange(a, group, lambda gy, mine: group.all_reduce(gy)[:, : a.shape[1]])


def _backwards(a, group):
    whole, backward = exchange(a, group)
    columns = np.split(whole, group.size, axis=1)
    return np.concatenate(columns[::-1], axis=1), backward


def _divided(answer, size):
    """The gradients of w1 and w2 that an answer to 11.3 leads to, the columns of all ranks side by side."""
    rng = np.random.default_rng(size)
    arrays = [rng.standard_normal(shape) for shape in ((7, 5), (5, 6), (6, 6), (7, 6))]

    def answered(a, group):
        given = answer(a, group)
        if given is None:
            raise _Unanswered
        return given

    try:
        found = on_ranks(size, lambda group: split_network(answered, *arrays, group))
    except _Unanswered:
        return None
    return tuple(np.concatenate(columns, axis=1) for columns in zip(*found))


EXERCISES = {
    "11.1": Exercise(
        ring_all_reduce,
        (
            (
                _whole_arrays,
                "The sum is right, but whole arrays went round: (P - 1) n numbers. Send one part in each step.",
            ),
            (
                lambda array, group: ring_all_reduce(array, group, gather=False),
                "Only half of the way: each rank has one part of the sum. The second half hands the parts round.",
            ),
            (
                lambda array, group: ring_all_reduce(array, group, add=False),
                "Every part is one rank's alone. Was nothing added in the first half? Or does the second begin with "
                "part r, where part (r + 1) mod P is the complete one?",
            ),
            (
                lambda array, group: ring_all_reduce(array, group, replace=False),
                "In the second half what comes is complete: it replaces the receiver's part.",
            ),
            (
                lambda array, group: ring_all_reduce(array, group) / group.size,
                "That is the mean. all_reduce gives the sum.",
            ),
        ),
        cases=((1, 5), (2, 6), (3, 10), (4, 3), (5, 40)),
        right="2 (P - 1) n / P numbers from each, where P divides n.",
        tried=_summed,
        hints=(
            "Two rounds of P - 1 steps: in the first what comes is added, in the second it replaces.",
            "In step s rank r sends part (r - s) mod P, and gets the one that rank r - 1 sends: (r - 1 - s) mod P.",
            "Pad to a multiple of P, reshape to (P, -1), loop over 2 (P - 1) steps with group.send_recv, and cut the "
            "padding off.",
        ),
    ),
    "11.2": Exercise(
        parallel_gradient,
        (
            (
                _mean_of_means,
                "The mean of means is right for equal slices only. Weight each with its share of the batch.",
            ),
            (_sum_of_means, "Each mean counts in full. Weight it with the rank's share of the batch, then add."),
            (_own_share, "Each rank has only its own share of the sum. What adds up over ranks?"),
            (_whole_batch, "Every rank computes everything, and the sum counts it P times. Take the own slice."),
            (_sum_over_pictures, "That is the gradient of the sum over pictures. The loss is the mean."),
            (
                lambda gradient, w, x, t, group: parallel_gradient(gradient, w, x, t, group) / group.size,
                "The shares add up to 1 already: the sum over ranks must not be divided again.",
            ),
        ),
        cases=((1, 3), (2, 6), (3, 10), (4, 5)),
        right="A short slice counts for as much as it has pictures.",
        tried=_shared_out,
        hints=(
            "The mean over all pictures is not the mean of the ranks' means. How much should each of those count?",
            "A rank with n of the N pictures counts n / N; then the sum over ranks is right.",
            "group.all_reduce of (own.stop - own.start) / len(x) times gradient(w, x[own], t[own]).",
        ),
    ),
    "11.3": Exercise(
        exchange,
        (
            (
                lambda a, group: _exchange(a, group, lambda gy, mine: gy[:, mine]),
                "The other ranks' outputs depend on these columns, too: add the gradients of all ranks.",
            ),
            (
                lambda a, group: _exchange(a, group, lambda gy, mine: group.all_reduce(gy)[:, mine] / group.size),
                "The sum, not the mean: each rank's outputs add their own part to the loss.",
            ),
            (_of_rank_0, "Every rank gets back the columns of rank 0. Which are its own?"),
            (_backwards, "The columns stand in the order of the ranks: rank 0 first."),
            (
                lambda a, group: _exchange(a, group, lambda gy, mine: group.size * gy[:, mine]),
                "The ranks' gradients of the whole differ: add them up; a multiple of the own one is no sum.",
            ),
        ),
        cases=((1,), (2,), (3,)),
        right="Forward all_gather, backward reduce_scatter.",
        tried=_divided,
        hints=(
            "Forward gathers columns. Backward: whose outputs depend on this rank's columns?",
            "All ranks' do, so their gradients of the whole are added up, and each rank takes its own columns of the "
            "sum.",
            "backward(gy) is group.all_reduce(gy)[:, mine], with mine = part(a.shape[1] * group.size, group.rank, "
            "group.size).",
        ),
    ),
    "11.4": Exercise(
        "D",
        (
            ("A", "The slice is right: `part` gives every picture to one rank."),
            ("B", "That is right, as long as line C follows: the mean over the own slice."),
            ("C", "That is the weight of a short slice, exercise 11.2."),
            ("E", "The sum must be there. Look at what is in g when it comes to it."),
            ("F", "Momentum is right: g is the same on all ranks here, so v is, too."),
            ("G", "The step is right: v is the same on all ranks."),
        ),
        right="Behind line E it would be right.",
        hints=(
            "One line adds something that is the same on all ranks. What does line E do with it?",
            "The sum over ranks is right for what is a share of the whole. What is in g that is no share?",
            "Weight decay is added before the sum, and so counted once for each rank.",
        ),
    ),
    "11.5": Exercise(
        58_631_144 / (9216 + 4096 + 4096),
        (
            (60_965_224 / 17_408, "The convolutions' gradients are sent in both schemes: they cancel."),
            (58_631_144 / 9216, "Three layers are divided: what goes into fc7 and fc8 is exchanged as well."),
            (58_631_144 / 34_816, "Forward and backward are in both: the ring's two halves. The 2 cancels."),
            (58_631_144 / (17_408 + 43_264), "conv3 exchanges in the towers only."),
            (58_631_144 / (17_408 + 500), "Without the logits, says the exercise."),
            (
                2_334_080 / 17_408,
                "These are the convolutions' gradients, which both schemes send. What does only one of them send?",
            ),
        ),
        tolerance=1e-3,
        hints=(
            "Write down n for both schemes and set them equal; what stands on both sides cancels.",
            "The fully connected parameters against what goes into fc6, fc7 and fc8, for each picture.",
            "All parameters but the convolutions', divided by 9216 + 4096 + 4096.",
        ),
    ),
}
