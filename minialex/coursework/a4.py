"""A4, pooling and local response normalisation: overlapping windows, forward and backward."""

from __future__ import annotations

from .a4_checks import CHECKS
from .declaration import Assignment, Question
from .targets import TARGETS

HINTS: dict[str, tuple[str, ...]] = {
    "NumPyBackend.max_pool2d": (
        "You need no loop over the output. For one position in the kernel, say its top left corner, which pixels do "
        "all windows have there? window.taps() yields them, as slices of the padded image.",
        "Start with y full of -inf and take the maximum of y and padded[..., *tap] for each tap; _pad(xp, x, window, "
        "value) adds the margins, with a value that must never win. A second loop finds the position of each maximum.",
        "winners[padded[..., *tap] == y] = place, looping over the places from the last to the first, so that of equal "
        "values the first one is written last. winners has y's shape and starts with zeros.",
    ),
    "NumPyBackend.max_pool2d_backward": (
        "Which pixel does the gradient of an output element belong to? What if two windows have the same winner?",
        "Make zeros of the padded size (window.padded) and loop over window.taps(): for tap number `place`, windows "
        "whose winner is `place` add their gradient to padded[..., *tap].",
        "padded[..., *tap] += where(winners == place, gy, 0) for every place; then return the image without its "
        "margins, padded[..., *window.inside].",
    ),
    "NumPyBackend.avg_pool2d": (
        "As for the maximum, with a sum in its place. What must the margins contain so that they change no sum?",
        "Start with zeros and add padded[..., *tap] for each tap of window.taps(). scale is a number, or an array "
        "(OH, OW) with one number for each output position.",
        "After the loop, return y * scale: (OH, OW) broadcasts over images and channels.",
    ),
    "NumPyBackend.avg_pool2d_backward": (
        "Every pixel of a window contributes equally to its sum. Which gradient does each get?",
        "All taps get gy * scale. A pixel in several windows gets a share from each of them.",
        "share = gy * scale; zeros of window.padded; padded[..., *tap] += share for each tap; return it without the "
        "margins.",
    ),
    "NumPyBackend.local_response_norm": (
        "Write the formula for one image x[n] of shape (C, H, W); _neighbours computes the sums of all windows at "
        "once.",
        "d = k + a * _neighbours(xp, x[n] * x[n], size, within_channel, groups), y = x * _power(xp, d, beta): _power "
        "already computes d^-beta. `a` has been divided by the size where necessary: do not divide again.",
        "Fill y[n] and d[n] image by image and return y, (x, d). With save=False d is not needed: return y, (x, None), "
        "so that only training keeps it.",
    ),
    "NumPyBackend.local_response_norm_backward": (
        "x_i is in the numerator of y_i, and in the denominator of every y_c whose window contains i: two terms.",
        "The second term sums gy_c x_c d_c^(-beta-1) over all c whose window contains i. If i is in window(c) = c - "
        "n//2 ... c - n//2 + n - 1, what is the range of c? That is what mirrored=True is for.",
        "direct = gy d^-beta; cross = _neighbours(xp, direct * x / d, size, within_channel, groups, mirrored=True); "
        "gx = direct - 2 a beta x cross, image by image.",
    ),
    "_neighbours": (
        "How many neighbours come before position i, how many after it? For n = 5 two and two; for n = 4 read the "
        "formula of window(i) again. _slide then sums them.",
        "before = n // 2, after = n - 1 - n // 2; mirrored exchanges the two. Across channels this is one _slide along "
        "axis 0; within a channel the window is a square: slide along two axes.",
        "groups: reshape to (groups, C // groups, H, W), _slide along axis 1, reshape back, so that no window crosses "
        "groups. within_channel: _slide along axis 1, then _slide the result along axis 2.",
    ),
}

WRITTEN = (
    Question(
        "AlexNet pools 3 x 3 windows with stride 2. In how many windows can a pixel be? Give the number for each pixel "
        "in a row of 7, and say what a backward that assigns instead of adding would lose.",
        4,
        (
            "1: up to 4 windows (2 x 2)",
            "2: in one direction 1 1 2 1 2 1 1, so that a pixel of the image has the product of two such counts",
            "1: where a pixel wins in several windows, all gradients but the last are lost; no error is raised",
        ),
    ),
    Question(
        "What goes wrong if max pooling pads with 0? Why does it not matter in AlexNet?",
        3,
        (
            "1: a window whose pixels are all negative gets 0, which is not among them",
            "1: and its gradient goes to the margin, so it is lost",
            "1: AlexNet pools after a ReLU, where no value is below 0 (or: its pools have no padding)",
        ),
    ),
    Question(
        "Suppose the cross term is missing in the normalisation's backward, with the paper's alpha of 0.0001. Does the "
        "network still learn? How would you find the mistake?",
        3,
        (
            "1: it learns almost as well: the term has the factor 2 alpha beta = 0.00015",
            "1: compare the gradient with finite differences in float64",
            "1: with alpha near 1 (or large activations), since with the paper's alpha the term is below the error",
        ),
    ),
)

ASSIGNMENT = Assignment(
    "a4", "Pooling and local response normalisation", targets=TARGETS["a4"], checks=CHECKS, hints=HINTS, written=WRITTEN
)
