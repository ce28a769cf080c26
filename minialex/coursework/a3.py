"""A3, convolution as a matrix product: im2col, col2im, and the layer's forward and backward, with groups."""

from __future__ import annotations

from .a3_checks import CHECKS
from .declaration import Assignment, Question
from .targets import TARGETS

HINTS: dict[str, tuple[str, ...]] = {
    "_ConvBuffers.im2col": (
        "Take one position (u, v) of the kernel. Which pixels do all windows have there? They lie on a grid, which a "
        "slice with a step selects.",
        "Copy the images, as many as there are, into the middle of self.padded (window.inside). window.taps() yields "
        "two slices for each (u, v) in C order; self.columns.reshape(self.window_shape) has axes for u, v, i, j.",
        "for place, tap in enumerate(window.taps()): with columns viewed as (block, C, KH KW, OH, OW), the block "
        "[n, c, place] of shape (OH, OW) is padded[:count, :, *tap]. Return self.columns[:count].",
    ),
    "_ConvBuffers.col2im": (
        "im2col copies each pixel to several places. If y = M x has the gradient gx = M^T gy, what is the transpose of "
        "copying?",
        "Start with zeros of the padded size and loop over window.taps() as in im2col, copying in the other direction. "
        "Windows overlap: a pixel gets a contribution from each of them.",
        "pictures[:, :, *tap] += the block of that tap, (n, C, OH, OW), for every tap; return "
        "pictures[:, :, *window.inside]. Use a new array, not self.padded, whose margins must stay 0.",
    ),
    "NumPyBackend.conv2d": (
        "Given the columns, the layer is linear: y = W @ columns + b. Which shape must W have for each group?",
        "W (groups, O / groups, K), columns (n, groups, K, L), y (n, groups, O / groups, L): xp.matmul broadcasts over "
        "the groups. Loop over buffers.blocks, a few images at a time, and reshape y at the end.",
        "buffers = _ConvBuffers(xp, x.shape, x.dtype, window, groups); for some in buffers.blocks: "
        "y[some] = xp.matmul(weights, buffers.im2col(x[some])). Then reshape to (N, O, OH, OW), add b[:, None, None] "
        "unless it is None, and return (y, (x.shape, w.shape, x or None, w or None)).",
    ),
    "NumPyBackend.conv2d_backward": (
        "y = W @ columns is a matrix product: what are the gradients of W and of the columns? The rest is col2im.",
        "Reshape gy to (n, groups, O / groups, L). gW = sum over the images of gy @ columns^T, gcolumns = W^T @ gy. "
        "Every block of images adds to gW and has its own part of gx.",
        "For some in buffers.blocks: gw += matmul(gy[some], columns.swapaxes(2, 3)).sum(axis=0), with "
        "columns = buffers.im2col(x[some]); gx[some] = buffers.col2im(matmul(weights.swapaxes(1, 2), gy[some])). "
        "gb = gy.sum(axis=(0, 2, 3)). Return None where `needs` is false.",
    ),
}

WRITTEN = (
    Question(
        "How many bytes would the columns of AlexNet's conv1 take (96 filters of 3 x 11 x 11, output 55 x 55, float32) "
        "for a batch of 128 images, and how many times as much is that as the images (227 x 227) themselves? How does "
        "this code avoid it?",
        4,
        (
            "1: K = 363 rows, L = 3025 columns, 4.4 MB for an image",
            "1: 562 MB for the batch",
            "1: 363 * 3025 / (3 * 227 * 227) = 7.1 times the images",
            "1: a block of images at a time in one buffer, and columns computed again in backward rather than kept",
        ),
    ),
    Question(
        "Show that col2im is the transpose of im2col: what does that say about the inner products <im2col(x), c> and "
        "<x, col2im(c)>? How would you use it as a test without reference code?",
        3,
        (
            "1: the two are equal for all x and c",
            "1: because im2col is a matrix M of zeros and ones, with one 1 per row, and col2im is M^T",
            "1: draw x and c at random and compare the two numbers; but both could share a mistake (e.g. a flip)",
        ),
    ),
    Question(
        "AlexNet's conv2 has 256 filters and two groups. How many weights and how many multiplications does it have "
        "with and without groups? Why were groups used in 2012, and what can a filter no longer do?",
        3,
        (
            "1: with groups 256 * 48 * 5 * 5 = 307 200 weights, without twice as many; likewise for multiplications, "
            "times 27 * 27 positions (224 million and 448 million)",
            "1: the network did not fit into one GPU of 3 GB: half of the maps are on each of two, with less to "
            "exchange",
            "1: a filter cannot use maps of the other half; only layers without groups mix the halves",
        ),
    ),
)

ASSIGNMENT = Assignment("a3", "Convolution", targets=TARGETS["a3"], checks=CHECKS, hints=HINTS, written=WRITTEN)
