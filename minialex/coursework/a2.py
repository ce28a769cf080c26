"""A2, loss and learning: the linear layer, dropout, softmax with cross-entropy, and SGD in two forms."""

from __future__ import annotations

from .a2_checks import CHECKS
from .declaration import Assignment, Question
from .targets import TARGETS

HINTS: dict[str, tuple[str, ...]] = {
    "NumPyBackend.linear": (
        "Row n of y comes from row n of x. Which row of W and which element of b give y[n, o]?",
        "y[n, o] = sum over i of x[n, i] W[o, i], + b[o]: a matrix product with one of the two transposed.",
        "x @ w.T, plus b unless b is None: broadcasting adds b to every row, however many leading axes there are.",
    ),
    "NumPyBackend.linear_backward": (
        "Write down the shapes: gx has x's, gW has W's, gb has b's. For each of the first two only one product fits.",
        "gx = gy W. gW sums over the rows, gy^T x, and so does gb. All axes but the last count as rows, so reshape gy "
        "and x to two axes for these two.",
        "rows = gy.reshape(-1, gy.shape[-1]); gw = rows.T @ x.reshape(-1, x.shape[-1]); gb = rows.sum(axis=0). Compute "
        "each of the three only where `needs` is true, and return None otherwise: x or w may be None then.",
    ),
    "NumPyBackend.dropout": (
        "random.words gives an integer below 2^32 for each element. How do you get True with probability keep from it?",
        "An element is kept where its word is below keep 2^32. words returns one row of x.size numbers: reshape it to "
        "x's shape. Kept elements are multiplied by scale.",
        "words = random.words(x.size, seed, call, self.xp); mask = (words < keep * 2**32).reshape(x.shape); "
        "x * mask * x.dtype.type(scale), so that float32 stays float32.",
    ),
    "NumPyBackend.log_softmax": (
        "What is e^x for x = 1000? How does the softmax change when the same number is subtracted from all x?",
        "With m = max x: y = (x - m) - log(sum e^(x - m)). No exponential is above 1, and the sum is at least 1.",
        "keepdims=True in max and in sum keeps the axis, so that both broadcast; return (y, y), since backward needs "
        "y.",
    ),
    "NumPyBackend.log_softmax_backward": (
        "Every y_i depends on every x_j, through the sum. Which part of gx comes directly from gy, and which through "
        "the sum?",
        "dy_i / dx_j = [i = j] - softmax_j. Multiply by gy_i and sum over i.",
        "gx = gy - exp(y) * gy.sum(axis=axis, keepdims=True): y is the log-softmax, the softmax is exp(y).",
    ),
    "NumPyBackend.cross_entropy": (
        "Each row needs one of its C log-probabilities: the label's. How do you pick one element of every row?",
        "logp[rows, labels] with rows = arange(N), times -w[labels]. Smoothing s scales this by 1 - s and spreads s / "
        "C over all classes, each with its own weight. Start with self.log_softmax(x, 1).",
        "losses = -(1 - s) * w[labels] * logp[rows, labels] - s / C * (logp @ w), 0 where valid is false; return "
        "(losses, logp).",
    ),
    "NumPyBackend.cross_entropy_backward": (
        "With w = 1 and no smoothing, the gradient of a row is p - onehot(label), times gy of the row. What changes "
        "when q takes the place of the one-hot row?",
        "gx = gy (p sum q - q), q_c = w_c ((1 - s) [c = label] + s / C). p = exp(logp); the sum of q over the classes "
        "is (1 - s) w[label] + s / C * w.sum().",
        "gx = exp(logp) * (that sum)[:, None]; gx[rows, labels] -= (1 - s) * w[labels]; gx -= s / C * w; finally "
        "multiply by gy, set to 0 where valid is false, as a column [:, None].",
    ),
    "NumPyBackend.sgd": (
        "p and v must be changed in place, not replaced: the caller keeps these arrays. g must not be changed.",
        "First step = g + weight_decay p. If rate_inside, multiply the step by lr before it enters the velocity, "
        "otherwise multiply the move by lr afterwards. Without momentum v is None and the step is the move.",
        "v *= momentum; v += (1 - dampening) * step; the move is v, or step + momentum * v with nesterov; then "
        "p -= move if rate_inside else lr * move.",
    ),
    "dropout": (
        "There are four cases: training or not, inverted or not. In one of them, and for p = 0, nothing happens at "
        "all. Which of them draw random numbers?",
        "Take the seed and generator.next_call() once, in forward. backward calls backend.dropout on gy with the same "
        "two numbers: a new call would give another mask.",
        "backend.dropout(x, 1 - p, scale, seed, call) with scale = 1 / (1 - p) if inverted (and p < 1), else 1; in "
        "evaluation, not inverted: x * x.dtype.type(1 - p). backward does to gy what forward did to x; _result makes "
        "the Tensor.",
    ),
}

WRITTEN = (
    Question(
        "A network with 1000 classes has just been initialised and gives every class about the same logit. What is its "
        "loss, as a formula and as a number? Suppose the first loss is 69: name two mistakes that could cause it.",
        3,
        (
            "1: -log(1 / 1000) = log 1000 = 6.9",
            "1: a sum over rows instead of the mean (here of 10 rows)",
            "1: initial weights or inputs ten times too large (pixels of 0 to 255), so that logits are far apart",
        ),
    ),
    Question(
        "The learning rate is divided by ten while the velocity is large. How far do the weights move in the next "
        "step with the paper's velocity, and how far with torch's? Assume momentum 0.9 and a gradient of 0 from then "
        "on, and compare the sums of all later moves as well.",
        4,
        (
            "1: paper's: v already contains lr, so the next move is 0.9 v, as if nothing had changed",
            "1: torch's: the next move is 0.9 lr v with the new lr, immediately a tenth",
            "1: the sums are geometric: 9 times the last move before the change for the paper's",
            "1: and 0.9 times that move, a tenth of it, for torch's",
        ),
    ),
    Question(
        "Dropout stores no mask here. How does backward know it, how much memory does that save for AlexNet's fc6 with "
        "batch size 128 (in float32), and what does it cost?",
        3,
        (
            "1: the mask is a function of (seed, call), and only these two are kept",
            "1: 128 x 4096 numbers of 4 bytes, 2 MiB (half a MiB as bytes, 64 KiB as bits)",
            "1: the random words are computed twice",
        ),
    ),
)

ASSIGNMENT = Assignment("a2", "Loss and learning", targets=TARGETS["a2"], checks=CHECKS, hints=HINTS, written=WRITTEN)
