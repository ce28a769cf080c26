"""What the exercises of lesson 12 expect, and what goes wrong in them."""

from __future__ import annotations

import numpy as np
from exercises import Exercise

from minialex import Tensor, tape


def add(arrival, gradient):
    """Solution of 12.4."""
    if arrival.owned:
        arrival.gradient += gradient
    else:
        arrival.gradient, arrival.owned = arrival.gradient + gradient, True


def _in_place(arrival, gradient):
    arrival.gradient += gradient


def _replaced(arrival, gradient):
    arrival.gradient, arrival.owned = gradient, True


def _always_new(arrival, gradient):
    arrival.gradient = arrival.gradient + gradient


def _inverted(arrival, gradient):
    if arrival.owned:
        arrival.gradient = arrival.gradient + gradient
    else:
        arrival.gradient += gradient
        arrival.owned = True


def _walked(function, uses):
    """(gradients of u and v with this `add`, number of arrays that it made), of a sum in which u has more uses.

    None where it changes nothing.
    """
    made, changed = [], []

    class Arrival(tape.Arrival):
        def add(self, gradient):
            before, numbers = self.gradient, self.gradient.copy()
            function(self, gradient)
            made.append(self.gradient is not before)
            changed.append((self.gradient != numbers).any())

    u, v = (Tensor(np.array([1.0, 2.0]), requires_grad=True) for _ in range(2))
    y = (u + v) * 3
    for _ in range(uses):
        y = u.tanh() + y
    original, tape.Arrival = tape.Arrival, Arrival
    try:
        (v * 2 + y).sum().backward()
    finally:
        tape.Arrival = original
    return (u.grad.numpy(), v.grad.numpy(), sum(made)) if any(changed) else None


EXERCISES = {
    "12.1": Exercise(
        ["add", "tanh", "mul", "v", "w"],
        (
            (["add", "tanh", "mul", "w", "v"], "w is searched first, so it is written down first: read from the end."),
            (["add", "tanh", "w", "mul", "v"], "w must come after mul, which also uses it."),
            (["w", "v", "mul", "tanh", "add"], "Read the list from its end: `order[::-1]`."),
            (
                ["v", "w", "mul", "tanh", "add"],
                "That is the order in which they were computed. Backward begins at add.",
            ),
            (["add", "w", "tanh", "mul", "v"], "The first input of add is the tanh: it is searched before w."),
        ),
        right="Every node comes before what it was computed from.",
        hints=(
            "Backward begins at the loss. What must have had its turn before a node may have its own?",
            "A node is appended to `order` when everything below it is there; the list is then reversed. Which leaf is "
            "appended first?",
            "From add the walk goes to tanh, then mul, then mul's first input. So w is appended, v, mul, tanh, add.",
        ),
    ),
    "12.2": Exercise(
        128 * (784 + 100 + 10),
        (
            (
                128 * (784 + 100 + 100 + 10),
                "ReLU's result is kept by ReLU and by the second layer: one array, not two.",
            ),
            (128 * (100 + 10), "The first layer keeps the pictures: its weights' gradient needs them."),
            (128 * (784 + 100), "Cross-entropy keeps something too: log-probabilities, of the shape of its input."),
            (784 + 100 + 10, "That is for one picture. The batch has 128."),
            (
                128 * (784 + 100 + 100 + 10 + 10),
                "Results of layers are kept by nobody: only what a backward needs counts.",
            ),
            (128 * (784 + 100 + 10) + 784 * 100 + 1000, "Leave the parameters out: they are there without a tape."),
        ),
        right="ReLU's result serves two nodes, and is stored once.",
        hints=(
            "Go through the four operations, and ask of each which arrays its backward uses.",
            "A layer needs its input, for gW. ReLU needs its result. Cross-entropy needs log-probabilities. Which of "
            "these are the same array?",
            "The pictures, 128 x 784; ReLU's result, 128 x 100, once; the log-probabilities, 128 x 10.",
        ),
    ),
    "12.3": Exercise(
        (0.881, 0.8),
        (
            ((0.8, 0.881), "Swapped: torch's comes first."),
            ((0.881, 0.881), "With the paper's, the rate is multiplied in when the gradient enters the velocity."),
            ((0.8, 0.8), "Torch's velocity knows no rate: the rate of the step multiplies all of it."),
            ((0.89, 0.89), "You have left the momentum out: the second velocity keeps 0.9 of the first."),
            ((0.8819, 0.8019), "dampening is 0: the gradient enters the velocity whole."),
        ),
        tolerance=1e-9,
        right="After a change of the rate the two part; before it they take the same path.",
        hints=(
            "Two steps, by hand: write down v and w after each. torch's first velocity is the gradient, the paper's is "
            "lr times it.",
            "torch: v is 1, then 0.9 + 1, and the step is lr times v. paper: v is 0.1, then 0.9 of that and 0.01, and "
            "the step is v.",
            "torch: 1 - 0.1 - 0.01 times 1.9. paper: 1 - 0.1 - (0.09 + 0.01).",
        ),
    ),
    "12.4": Exercise(
        add,
        (
            (_in_place, "The first gradient is borrowed: with += you write into an array that somebody else holds."),
            (_replaced, "What arrived before is lost. All gradients are added."),
            (_always_new, "Right numbers, but a new array every time: note that the sum is yours, in arrival.owned."),
            (_inverted, "The other way round: += is for an array that is the engine's own."),
        ),
        cases=((1,), (3,)),
        tried=_walked,
        right="The third result is the number of arrays that were made: one for u, one for v.",
        hints=(
            "Print the gradients of `Thrifty` and of the engine: it is v that is wrong, though nothing was added to v.",
            "An addition hands the same array to both inputs. An array may be written into only when it is the "
            "engine's own.",
            "If arrival.owned, += is right. If not, make the sum a new array, and set owned.",
        ),
    ),
}
