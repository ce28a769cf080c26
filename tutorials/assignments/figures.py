"""The figures of the handouts: python tutorials/assignments/figures.py [a2 a3 ...] writes aN/aN.png.

A function for each assignment, of its name: it draws with the library itself and returns the figure.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minialex import backends, data
from minialex.data.pipeline import Pipeline
from minialex.plotting.style import BLUE, DPI, GRID, INK, PURPLE, VERMILION, sheet_of, tint, write
from minialex.window import Window

HERE = Path(__file__).parent


def panels(count, widths=None, height=2.9):
    """A figure with so many axes in a row, and its axes."""
    figure = Figure(figsize=(8.4, height), dpi=DPI, layout="constrained")
    axes = figure.subplots(1, count, width_ratios=widths)
    for one in np.atleast_1d(axes):
        one.tick_params(colors=INK, labelsize=8)
        one.spines[["top", "right"]].set_visible(False)
        one.spines[["left", "bottom"]].set_color(GRID)
    return figure, axes


def a1():
    """c = b + s with s = 2 b and b = x + x: two paths meet twice; the order in which backward must go."""
    figure, axes = panels(1, height=2.3)
    places = {"c": (0, 0.0), "s": (1, 0.55), "b": (2, 0.0), "x": (3, 0.0)}
    texts = {"c": "c = b + s", "s": "s = 2 b", "b": "b = x + x", "x": "x, a leaf"}
    arrows = [("c", "s", 0.0), ("c", "b", 0.0), ("s", "b", 0.0), ("b", "x", 0.25), ("b", "x", -0.25)]
    for start, end, bend in arrows:
        arrow = {
            "arrowstyle": "->",
            "color": VERMILION,
            "shrinkA": 30,
            "shrinkB": 30,
            "connectionstyle": f"arc3,rad={bend}",
        }
        axes.annotate("", places[end], places[start], arrowprops=arrow)
    labels = ((0.4, 0.36, "gc"), (1, 0.06, "gc"), (1.6, 0.36, "2 gc"), (2.5, 0.2, "3 gc"), (2.5, -0.28, "3 gc"))
    for x, y, text in labels:
        axes.text(x, y, text, color=VERMILION, fontsize=8.5, ha="center")
    for number, name in enumerate(("c", "s", "b", "x"), 1):
        x, y = places[name]
        box = {"boxstyle": "round,pad=0.4", "facecolor": tint(BLUE, 0.2), "edgecolor": BLUE}
        axes.text(x, y, texts[name], ha="center", va="center", fontsize=9, color=INK, bbox=box)
        axes.text(x, y - 0.24, f"{number}.", ha="center", va="top", fontsize=8, color=PURPLE)
    axes.set_xlim(-0.4, 3.4)
    axes.set_ylim(-0.45, 0.8)
    axes.axis("off")
    title = "backward from c, in this order: b must wait for both of its gradients, and x gets 3 gc twice"
    axes.set_title(title, fontsize=9, color=INK)
    return figure


def a2():
    """One row's loss: what the network says, what is right, what goes back; and a rate that falls, both ways."""
    backend = backends.get_backend("numpy")
    figure, (row, path) = panels(2)
    logits, label, smoothing = np.array([[2.0, 0.5, 1.2, -1.0]]), np.array([2]), 0.2
    w, valid = np.ones(4), np.array([True])
    logp = backend.log_softmax(logits, 1)[0]
    gradient = backend.cross_entropy_backward(np.ones(1), logp.copy(), label, w, valid, smoothing)[0]
    right = np.full(4, smoothing / 4)
    right[label] += 1 - smoothing
    places = np.arange(4)
    for shift, values, color, name in (
        (-0.27, np.exp(logp[0]), BLUE, "p, softmax of the logits"),
        (0.0, right, PURPLE, "q, the label smoothed by 0.2"),
        (0.27, gradient, VERMILION, "gradient p − q"),
    ):
        row.bar(places + shift, values, 0.25, color=color, label=name)
    row.axhline(0, color=INK, linewidth=0.8)
    row.set_xticks(places, [f"class {c}" for c in places])
    row.set_title("one row of the loss, label 2", fontsize=9, color=INK)
    row.legend(fontsize=7.5, frameon=False, loc="upper left", bbox_to_anchor=(0.0, 1.0))
    row.set_ylim(-0.62, 1.35)
    for inside, color, style, name in (
        (True, VERMILION, "-", "paper: rate inside"),
        (False, BLUE, "--", "torch: rate outside"),
    ):
        p, v, moved = np.zeros(1), np.zeros(1), [0.0]
        for step in range(40):
            backend.sgd(p, np.full(1, -1.0), v, 0.01 if step < 20 else 0.001, 0.9, 0, 0, False, inside)
            moved.append(float(p[0]))
        path.plot(moved, color=color, linestyle=style, linewidth=1.6, label=name)
    path.axvline(20, color=GRID, zorder=0)
    path.text(20.5, 0.08, "rate / 10", fontsize=8, color=INK)
    path.set_title("a weight under a constant gradient, momentum 0.9", fontsize=9, color=INK)
    path.set_xlabel("step", fontsize=8, color=INK)
    path.legend(fontsize=7.5, frameon=False, loc="upper left")
    return figure


def a3():
    """im2col of a picture of 3 x 4 and a window of 2 x 2; and in how many windows each pixel is."""
    window = Window.over((3, 4), (2, 2))
    picture = np.arange(12.0).reshape(3, 4)
    taps = list(window.taps())
    columns = np.stack([picture[tap].ravel() for tap in taps])
    counts = np.zeros((3, 4))
    for tap in taps:
        counts[tap] += 1
    figure, (left, middle, right) = panels(3, (4, 6, 4), height=2.6)
    colors = (BLUE, VERMILION)  # of the first and the fifth window, which share a pixel
    marked = (0, 4)
    _cells(left, picture, lambda i, j: "white", "x: a picture of 3 × 4")
    for number, color in zip(marked, colors, strict=True):
        i, j = divmod(number, 3)
        inset = 0.04 if color == BLUE else -0.04
        left.add_patch(_frame(j + inset, i + inset, 2 - 2 * inset, 2 - 2 * inset, color))
    _cells(
        middle,
        columns,
        lambda i, j: tint(colors[marked.index(j)], 0.3) if j in marked else "white",
        "im2col: a column for each place of the window",
    )
    for row, name in enumerate(("(0,0)", "(0,1)", "(1,0)", "(1,1)")):
        middle.text(-0.15, row + 0.5, name, ha="right", va="center", fontsize=8, color=INK)
    middle.set_xlim(-1.1, 6.05)
    _cells(right, counts, lambda i, j: tint(PURPLE, 0.15 * counts[i, j]), "col2im of columns of ones")
    return figure


def _cells(axes, values, color, title):
    rows, columns = values.shape
    for i in range(rows):
        for j in range(columns):
            axes.add_patch(Rectangle((j, i), 1, 1, facecolor=color(i, j), edgecolor=GRID))
            axes.text(j + 0.5, i + 0.5, f"{values[i, j]:g}", ha="center", va="center", fontsize=9, color=INK)
    axes.set(xlim=(-0.05, columns + 0.05), ylim=(rows + 0.05, -0.05), aspect="equal")
    axes.set_axis_off()
    axes.set_title(title, fontsize=9, color=INK)


def _frame(x, y, width, height, color):
    return Rectangle((x, y), width, height, fill=False, edgecolor=color, linewidth=2.2, clip_on=False)


def a4():
    """Left, a row that is pooled, there and back; right, the window of a channel and the mirrored one."""
    figure, axes = sheet_of(860, 250)
    axes.text(20, 18, "max pooling along one row, windows of 3, stride 2", va="center", fontsize=9, color=INK)
    for place, text in ((58, "x"), (122, "y"), (166, "gy"), (211, "gx")):
        axes.text(20, place, text, va="center", fontsize=9, color=INK)
    _row(axes, 60, 41, list("1323942"), {1: BLUE, 4: BLUE})
    for i, (value, gradient) in enumerate((("3", "0.5"), ("9", "1"), ("9", "2"))):
        left, y = 60 + 2 * i * SIDE, 81 + 5 * (i % 2)
        axes.plot([left + 3, left + 3 * SIDE - 3], [y, y], color=INK, linewidth=2, solid_capstyle="butt")
        _row(axes, left + SIDE, 105, [value], {0: BLUE})
        _row(axes, left + SIDE, 149, [gradient], {0: VERMILION})
    _row(axes, 60, 194, ["0", "0.5", "0", "0", "1+2", "0", "0"], {1: VERMILION, 4: VERMILION})
    axes.text(420, 18, "normalisation across 7 channels, n = 4", va="center", fontsize=9, color=INK)
    for y, first, color, text in (
        (58, 1, BLUE, "window(3): the channels whose squares are in d of channel 3"),
        (148, 2, VERMILION, "mirrored: the channels c whose window(c) holds 3"),
    ):
        axes.text(420, y, text, va="center", fontsize=9, color=INK)
        _row(axes, 420, y + 15, [str(i) for i in range(7)], dict.fromkeys(range(first, first + 4), color))
        axes.add_patch(_frame(420 + 3 * SIDE, y + 15, SIDE, SIDE, INK))
    return figure


SIDE = 36  # pixels of a cell in a row


def _row(axes, x, y, texts, colors):
    """A row of cells on a sheet, some of them coloured."""
    from matplotlib.patches import Rectangle

    for i, text in enumerate(texts):
        face = tint(colors[i], 0.35) if i in colors else "white"
        axes.add_patch(Rectangle((x + i * SIDE, y), SIDE, SIDE, facecolor=face, edgecolor=GRID))
        axes.text(x + (i + 0.5) * SIDE, y + SIDE / 2, text, ha="center", va="center", fontsize=9, color=INK)


def a5():
    """Left, one step of a tiled product, tiles of 4; right, what one thread of the block loads and reads in it."""
    figure, axes = sheet_of(860, 330)
    cell, side, step, tx, ty = 13, 4, 1, 1, 2
    left, top = 195, 175  # of C; A stands left of it, B above
    matrices = (("A", 20, top, 8, 12), ("B", left, 12, 12, 8), ("C", left, top, 8, 8))
    for name, x, y, rows, columns in matrices:
        for i in range(rows):
            for j in range(columns):
                axes.add_patch(Rectangle((x + j * cell, y + i * cell), cell, cell, facecolor="white", edgecolor=GRID))
        axes.text(x + columns * cell + 6, y + rows * cell - 6, name, va="center", fontsize=9, color=INK)
    extent = side * cell
    for x, y, color in (
        (20 + step * extent, top, BLUE),
        (left + extent, 12 + step * extent, VERMILION),
        (left + extent, top, INK),
    ):
        axes.add_patch(Rectangle((x, y), extent, extent, facecolor=tint(color, 0.3), edgecolor=color, linewidth=1.5))
    axes.text(
        20,
        90,
        "block (0, 1) makes the\ngrey tile of C; step 2\nof 3 along k adds the\nblue one times the red",
        va="center",
        fontsize=9,
        color=INK,
    )
    axes.add_patch(Rectangle((left + extent + tx * cell, top + ty * cell), cell, cell, facecolor=INK))
    axes.text(370, 24, f"thread tx = {tx}, ty = {ty}: the black cell of C", va="center", fontsize=9, color=INK)
    for x, color, name, place in ((370, BLUE, "a_tile", (0, ty, 4, 1)), (600, VERMILION, "b_tile", (tx, 0, 1, 4))):
        for i in range(side):
            _row(axes, x, 50 + i * SIDE, [f"{i}{j}" for j in range(side)], {tx: color} if i == ty else {})
        j, i, width, height = place
        axes.add_patch(_frame(x + j * SIDE, 50 + i * SIDE, width * SIDE, height * SIDE, color))
        axes.text(x + 2 * SIDE, 50 + 4 * SIDE + 14, name, ha="center", va="center", fontsize=9, color=INK)
    steps = (
        f"1. loads one cell of either tile: the coloured ones, [{ty}][{tx}]",
        "2. waits: __syncthreads()",
        "3. reads what is framed, loaded by seven threads: 4 products",
        "4. waits again",
    )
    for i, text in enumerate(steps):
        axes.text(370, 236 + 22 * i, text, va="center", fontsize=9, color=INK)
    return figure


def a6():
    """A picture with the places of five crops, and the ten views that come of it."""
    size, scale = 22, 6
    image, _ = data.load("shapes", limit=10).train.fetch(np.array([3]))
    views = Pipeline(data.Normalize(np.zeros((3, 1, 1)), 255.0), size).views(image, 10)[:, 0]
    side, corner = 32 * scale, 32 - size
    figure, axes = sheet_of(870, 270)
    axes.imshow(image[0].transpose(1, 2, 0), extent=(20, 20 + side, 40 + side, 40), interpolation="nearest")
    places = {
        "top left": (0, 0),
        "top right": (0, corner),
        "bottom left": (corner, 0),
        "bottom right": (corner, corner),
        "centre": (corner // 2, corner // 2),
    }
    for top, left in places.values():
        axes.add_patch(_frame(20 + left * scale, 40 + top * scale, size * scale, size * scale, "white"))
    axes.text(20, 20, "32 × 32 pixels, crops of 22 × 22", va="center", fontsize=9, color=INK)
    for i, view in enumerate(views):
        x, y = 260 + (i % 5) * 118, 40 + (i // 5) * 114
        axes.imshow(view.transpose(1, 2, 0), extent=(x, x + 100, y + 100, y), interpolation="nearest")
    for i, name in enumerate(places):
        axes.text(260 + i * 118, 20, name, va="center", fontsize=9, color=INK)
    for y, name in ((90, "five crops"), (204, "mirrored")):
        axes.text(852, y, name, rotation=90, ha="center", va="center", fontsize=9, color=INK)
    axes.set(xlim=(0, 870), ylim=(270, 0), aspect="auto")
    return figure


def main(names):
    for name in names:
        target = HERE / name / f"{name}.png"
        target.parent.mkdir(exist_ok=True)
        write(globals()[name](), target)
        print(target)


if __name__ == "__main__":
    main(sys.argv[1:] or [name for name in ("a1", "a2", "a3", "a4", "a5", "a6") if name in globals()])
