"""A2, loss and learning: the linear layer, dropout, softmax with cross entropy, and the paper's SGD."""

from __future__ import annotations

from .a2_checks import CHECKS
from .declaration import Assignment, Question, Target

HINTS: dict[str, tuple[str, ...]] = {
    "NumPyBackend.linear": (
        "Row n of y belongs to row n of x. Which row of W, and which number of b, make y[n, o]?",
        "y[n, o] = sum over i of x[n, i] W[o, i], + b[o]: a matrix product with one of the two transposed.",
        "x @ w.T, and + b unless b is None: broadcasting adds b to every row, however many axes come before.",
    ),
    "NumPyBackend.linear_backward": (
        "Write the shapes down: gx has x's, gW has W's, gb has b's. One product for each of the first two fits.",
        "gx = gy W. gW sums over the rows, gy^T x, and so does gb; all axes but the last count as rows, so bring gy "
        "and x to two axes for these two.",
        "rows = gy.reshape(-1, gy.shape[-1]); gw = rows.T @ x.reshape(-1, x.shape[-1]); gb = rows.sum(axis=0). Each "
        "of the three only where its place in `needs` is true, else None: x or w may be None then.",
    ),
    "NumPyBackend.dropout": (
        "random.words gives a whole number below 2^32 for each element. How does one make a yes with probability keep?",
        "An element stays where its word is below keep 2^32. words gives one row of x.size numbers: bring it to x's "
        "shape. What stays is multiplied by scale.",
        "words = random.words(x.size, seed, call, self.xp); mask = (words < keep * 2**32).reshape(x.shape); "
        "x * mask * x.dtype.type(scale), so that float32 stays float32.",
    ),
    "NumPyBackend.log_softmax": (
        "What does e^x give for x = 1000? And what changes in the softmax when the same number is taken from all x?",
        "With m = max x: y = (x - m) - log(sum e^(x - m)). No exponential is above 1, and the sum is at least 1.",
        "keepdims=True in max and in sum keeps the axis, so that both broadcast; return (y, y): backward asks for y.",
    ),
    "NumPyBackend.log_softmax_backward": (
        "Every y_i depends on every x_j, through the sum. How much of gy comes back through y_i itself, how much "
        "through the sum?",
        "dy_i / dx_j = [i = j] - softmax_j. Multiply by gy_i and add up over i.",
        "gx = gy - exp(y) * gy.sum(axis=axis, keepdims=True): y is the logarithm, the softmax is exp(y).",
    ),
    "NumPyBackend.cross_entropy": (
        "Each row needs one logarithm out of its C: the label's. How do you pick one element of every row?",
        "logp[rows, labels] with rows = arange(N), times -w[labels]. Smoothing s leaves 1 - s of it and spreads s / C "
        "over all classes, each with its own weight. Begin with self.log_softmax(x, 1).",
        "losses = -(1 - s) * w[labels] * logp[rows, labels] - s / C * (logp @ w), 0 where valid is false; return "
        "(losses, logp).",
    ),
    "NumPyBackend.cross_entropy_backward": (
        "With w = 1 and no smoothing the gradient of a row is p - onehot(label), times gy of the row. What of this "
        "changes when the one-hot row becomes q?",
        "gx = gy (p sum q - q), q_c = w_c ((1 - s) [c = label] + s / C). Make p of logp; the sum of q over the classes "
        "is (1 - s) w[label] + s / C * w.sum().",
        "gx = exp(logp) * (that sum)[:, None]; gx[rows, labels] -= (1 - s) * w[labels]; gx -= s / C * w; and at the "
        "end times gy, which is 0 where valid is false, as a column [:, None].",
    ),
    "NumPyBackend.sgd": (
        "p and v are arrays that somebody else holds: they must be changed, not replaced. g must stay as it is.",
        "First step = g + weight_decay p. Then rate_inside decides whether step becomes lr step before the velocity, "
        "or the move becomes lr v after it. Without momentum v is None and the step is the move.",
        "v *= momentum; v += (1 - dampening) * step; the move is v, or step + momentum * v with nesterov; then "
        "p -= move if rate_inside else lr * move.",
    ),
    "dropout": (
        "Four cases: training or not, inverted or not. In one of them, and for p = 0, nothing happens at all. And "
        "which of them draws random numbers?",
        "Take the seed and generator.next_call() once, in forward. backward calls backend.dropout on gy with "
        "the same two numbers: a new call would be another mask.",
        "backend.dropout(x, 1 - p, scale, seed, call) with scale = 1 / (1 - p) if inverted (and p < 1), else 1; in "
        "evaluation, not inverted: x * x.dtype.type(1 - p). backward does to gy what forward did to x.",
    ),
}

WRITTEN = (
    Question(
        "A network of 1000 classes has just been initialised and gives every class about the same logit. What is its "
        "loss, by formula and as a number? Someone's first loss is 69. Name two mistakes that could be behind it.",
        3,
        (
            "1: -log(1 / 1000) = log 1000 = 6.9",
            "1: a sum over rows in place of the mean (here of 10 rows)",
            "1: initial weights or inputs ten times too large (pixels of 0 to 255), so that logits are far apart",
        ),
    ),
    Question(
        "The learning rate is divided by ten while the velocity is large. How far do the weights move in the next "
        "step with the paper's velocity, and how far with torch's? Take momentum 0.9, a gradient of 0 from then on, "
        "and compare the sums of all later moves as well.",
        4,
        (
            "1: paper's: v holds lr already, the next move is 0.9 v, as if nothing had changed",
            "1: torch's: the next move is 0.9 lr v with the new lr, a tenth at once",
            "1: the sums are geometric: 9 times the last move before the change for the paper's",
            "1: and 0.9 times that move, a tenth of it, for torch's",
        ),
    ),
    Question(
        "Dropout here stores no mask. How does backward know it, what does that save for AlexNet's fc6 at batch 128 "
        "(as float32), and what does it cost?",
        3,
        (
            "1: the mask is a function of (seed, call), and those two are kept",
            "1: 128 x 4096 numbers of 4 bytes, 2 MiB (half a MiB as bytes, 64 KiB as bits)",
            "1: the random words are computed a second time",
        ),
    ),
)

ASSIGNMENT = Assignment(
    "a2",
    "Loss and learning",
    targets=(
        Target(
            "backends/numpy_backend.py",
            (
                "NumPyBackend.linear",
                "NumPyBackend.linear_backward",
                "NumPyBackend.dropout",
                "NumPyBackend.log_softmax",
                "NumPyBackend.log_softmax_backward",
                "NumPyBackend.cross_entropy",
                "NumPyBackend.cross_entropy_backward",
                "NumPyBackend.sgd",
            ),
        ),
        Target("functional/activation.py", ("dropout",)),
    ),
    checks=CHECKS,
    hints=HINTS,
    written=WRITTEN,
)
