"""A4, pooling and local response normalisation: windows that overlap, forward and backward."""

from __future__ import annotations

from .a4_checks import CHECKS
from .declaration import Assignment, Question, Target

HINTS: dict[str, tuple[str, ...]] = {
    "NumPyBackend.max_pool2d": (
        "You need no loop over the output. For one place of the kernel, say its top left corner, what are the pixels "
        "that all windows meet there? window.taps() has them, as slices of the padded picture.",
        "Begin with y full of -inf and take the larger of y and padded[..., *tap] for each tap; _pad(xp, x, window, "
        "value) makes the margins, with a value that must never win. A second walk finds where y stood.",
        "winners[padded[..., *tap] == y] = place, walking through the places from the last to the first: of equals "
        "the first is then written last, and stays. winners is of y's shape and begins with zeros.",
    ),
    "NumPyBackend.max_pool2d_backward": (
        "Which pixel does the gradient of an output place belong to? And what if two windows have the same winner?",
        "Make zeros of the padded size (window.padded) and walk through window.taps(): at place number `place` those "
        "windows give their gradient to padded[..., *tap] whose winner is `place`.",
        "padded[..., *tap] += where(winners == place, gy, 0) for every place; then give back the picture without its "
        "margins, padded[..., *window.inside].",
    ),
    "NumPyBackend.avg_pool2d": (
        "As the maximum, with a sum in its place. What should the margins hold, that they change no sum?",
        "Begin with zeros and add padded[..., *tap] for each tap of window.taps(). scale is a number, or an array that "
        "has one for each place of the output (OH, OW).",
        "After the loop, return y * scale: broadcasting puts (OH, OW) over pictures and channels.",
    ),
    "NumPyBackend.avg_pool2d_backward": (
        "Every pixel of a window had the same part in its sum. What does each get back?",
        "All taps get gy * scale. A pixel of several windows gets a share from each of them.",
        "share = gy * scale; zeros of window.padded; padded[..., *tap] += share for each tap; without the margins at "
        "the end.",
    ),
    "NumPyBackend.local_response_norm": (
        "Write the formula for one picture x[n] of shape (C, H, W); _neighbours makes the sum of all windows at once.",
        "d = k + a * _neighbours(xp, x[n] * x[n], size, within_channel, groups), y = x * _power(xp, d, beta): _power "
        "is d^-beta already. `a` has been divided by the size where that is wanted: do not do it again.",
        "Fill y[n] and d[n] picture by picture and return y, (x, d). With save=False nobody will ask for d: return "
        "y, (x, None), so that training alone pays for it.",
    ),
    "NumPyBackend.local_response_norm_backward": (
        "x_i stands above the line of y_i, and below the line of every y_c whose window holds i. Two terms.",
        "The second term sums gy_c x_c d_c^(-beta-1) over the c whose window holds i. If i is in window(c) = c - n//2 "
        "... c - n//2 + n - 1, from where to where does c go? That is what mirrored=True is for.",
        "direct = gy d^-beta; cross = _neighbours(xp, direct * x / d, size, within_channel, groups, mirrored=True); "
        "gx = direct - 2 a beta x cross, picture by picture.",
    ),
    "_neighbours": (
        "How many neighbours come before place i, how many after? n = 5 has two and two; for n = 4 read the formula of "
        "window(i) again. _slide then does the adding.",
        "before = n // 2, after = n - 1 - n // 2; mirrored exchanges the two. Across channels it is one _slide along "
        "axis 0; within a channel the window is a square: a sum of sums, along two axes.",
        "groups: reshape to (groups, C // groups, H, W), slide along axis 1, reshape back: then no window leaves its "
        "block. within_channel: _slide along axis 1, and of its result along axis 2.",
    ),
}

WRITTEN = (
    Question(
        "AlexNet pools 3 x 3 windows with stride 2. A pixel may be in how many windows? Say for a row of 7 pixels how "
        "often each one is, and what an implementation of backward that assigns instead of adding would lose there.",
        4,
        (
            "1: up to 4 windows (2 x 2)",
            "2: in one direction 1 1 2 1 2 1 1, so that a pixel of the picture has the product of two such counts",
            "1: where a pixel wins two windows or more all gradients but the last are lost; no error is raised",
        ),
    ),
    Question(
        "What goes wrong if max pooling pads with 0? Why does nobody notice in AlexNet?",
        3,
        (
            "1: a window whose pixels are all negative gets 0, which is not among them",
            "1: and its gradient goes into the margin, that is nowhere",
            "1: AlexNet pools behind a ReLU, where no number is below 0 (or: its pools have no padding)",
        ),
    ),
    Question(
        "With the paper's alpha of 0.0001 somebody leaves out the cross term of the normalisation's backward. Does "
        "the network still learn? How would you find the mistake?",
        3,
        (
            "1: it learns almost as well: the term has the factor 2 alpha beta = 0.00015",
            "1: finite differences in float64 against the gradient",
            "1: with alpha near 1 (or large activities), since at the paper's the term is below the error",
        ),
    ),
)

ASSIGNMENT = Assignment(
    "a4",
    "Pooling and local response normalisation",
    targets=(
        Target(
            "backends/numpy_backend.py",
            (
                "NumPyBackend.max_pool2d",
                "NumPyBackend.max_pool2d_backward",
                "NumPyBackend.avg_pool2d",
                "NumPyBackend.avg_pool2d_backward",
                "NumPyBackend.local_response_norm",
                "NumPyBackend.local_response_norm_backward",
                "_neighbours",
            ),
        ),
    ),
    checks=CHECKS,
    hints=HINTS,
    written=WRITTEN,
)
