"""Every figure, drawn with one palette. Figures are objects: no pyplot, no window, no global state."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from . import files
from .diagnose import DEAD_LIMIT, HEALTHY_UPDATE
from .trainer import best_row

# Okabe and Ito's colours, which people with any kind of colour vision can tell apart.
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
TRAIN, VALIDATION, VALIDATION_TOP5 = BLUE, VERMILION, PURPLE
RIGHT, WRONG = BLUE, VERMILION
INK, GRID, PALE = "#333333", "#DDDDDD", "#EEEEEE"

DPI = 110
STYLE: dict = {"fontsize": 9, "color": INK}


def curves(history, path):
    """Draw loss (left) and error (right) of the rows of a run's `history` into the PNG file `path`.

    history: the rows of Trainer.history; those without validation show the training alone. The circle marks
    the epoch that `best.npz` is of.
    """
    figure = Figure(figsize=(9, 3.6), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    validated = all("val_loss" in row for row in history)

    lines = [("training", TRAIN, [row["train_loss"] for row in history])]
    if validated:
        lines += [("validation", VALIDATION, [row["val_loss"] for row in history])]
    _lines(left, "loss", epochs, lines, "{:.3f}")

    lines = [("training", TRAIN, [100 * row["train_error"] for row in history])]
    if validated:
        lines += [
            ("validation top-1", VALIDATION, [100 * row["val_top1_error"] for row in history]),
            ("validation top-5", VALIDATION_TOP5, [100 * row["val_top5_error"] for row in history]),
        ]
    _lines(right, "error (%)", epochs, lines, "{:.1f} %")
    if validated:
        best = best_row(history)
        x, y = best["epoch"], 100 * best["val_top1_error"]
        right.plot([x], [y], "o", markersize=8, markerfacecolor="none", markeredgecolor=INK, clip_on=False, zorder=3)
        right.set_xlabel(f"epoch  (circle: the best, {x}, with {y:.1f} %)", **STYLE)
    _write(figure, path)


def _lines(axes, title, epochs, lines, form):
    for _, color, values in lines:
        axes.plot(
            epochs,
            values,
            color=color,
            linewidth=1.8,
            marker="o",
            clip_on=False,
            markersize=3 if len(epochs) < 40 else 0,
        )
    axes.set_title(title, loc="left", fontsize=10, color=INK, fontweight="bold")
    axes.set_xlabel("epoch", **STYLE)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0.5, max(epochs[-1], 1.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    axes.tick_params(labelsize=8, colors=INK, length=0)
    axes.grid(color=GRID, linewidth=0.7)
    axes.spines[:].set_visible(False)
    _label_ends(axes, epochs[-1], lines, form)


def _label_ends(axes, x, lines, form):
    """Write each line's name at its right end, pushed apart where the ends lie close together."""
    top = axes.get_ylim()[1]
    gap, lowest = 0.075 * top, 0.0
    for label, color, values in sorted(lines, key=lambda line: line[2][-1]):
        y = max(values[-1], lowest)
        axes.annotate(
            f"{label} {form.format(values[-1])}",
            (x, y),
            xytext=(7, 0),
            textcoords="offset points",
            color=color,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )
        lowest = y + gap


def filters(weight, path, *, title="filters of the first convolution"):
    """Draw the weights of a convolution (O, C, h, w) as tiles into the PNG file `path`.

    Three channels are shown as red, green and blue; of any other number each channel is a grey tile of its
    own. Zero is mid-grey, and one scale holds for all, as in cuda-convnet's figures: a filter that has
    learned nothing stays grey.
    """
    weight = np.asarray(weight, dtype=np.float64)
    if weight.ndim != 4:
        raise ValueError(f"filters are drawn from weights (O, C, h, w), got shape {weight.shape}")
    if weight.shape[1] != 3:
        weight = weight.reshape(-1, 1, *weight.shape[2:])
    count, channels, height, width = weight.shape
    columns = min(16, count)
    rows = -(-count // columns)
    pixel = max(1, 48 // max(height, width))  # of the screen, for one weight
    gap = 4

    tiles = 0.5 + 0.5 * weight / max(np.abs(weight).max(), 1e-12)
    tiles = tiles.repeat(pixel, axis=2).repeat(pixel, axis=3).transpose(0, 2, 3, 1)
    step_y, step_x = height * pixel + gap, width * pixel + gap
    sheet = np.ones((rows * step_y - gap, columns * step_x - gap, channels))
    for index, tile in enumerate(tiles):
        y, x = index // columns * step_y, index % columns * step_x
        sheet[y : y + height * pixel, x : x + width * pixel] = tile
    if channels == 1:
        sheet = sheet.repeat(3, axis=2)

    margin, head = 12, 30  # pixels
    sheet_height, sheet_width = sheet.shape[:2]
    full_width = max(sheet_width + 2 * margin, 520)
    full_height = sheet_height + margin + head
    figure = Figure(figsize=(full_width / DPI, full_height / DPI), dpi=DPI)
    figure.figimage(sheet, margin, margin)
    largest = np.abs(weight).max()
    figure.text(
        margin / full_width,
        1 - head / 2 / full_height,
        f"{title}: {count} of {height}x{width}, grey is 0, full colour {largest:.2g}",
        va="center",
        **STYLE,
    )
    _write(figure, path)


def predictions(dataset, logits, path, *, columns=4, rows=3, bars=4):
    """Draw pictures of `dataset` with what the network says to them into the PNG file `path`.

    logits (N, C): of picture 0, 1, ... of the data set. Mistakes come first, in half of the cells or more where there
    are not enough pictures that are right: the surest of every kind (this class taken for that), then the next of
    each. Then the first pictures that are right. Each has a bar for its likeliest classes and the true one.
    """
    probabilities = _softmax(logits)
    labels = np.asarray(dataset.labels)[: len(logits)]
    said = probabilities.argmax(1)
    mistakes, correct = _surest_of_each_kind(probabilities, said, labels), np.flatnonzero(said == labels)
    cells = columns * rows
    shown_mistakes = min(len(mistakes), max(cells // 2, cells - len(correct)))
    chosen = [*mistakes[:shown_mistakes], *correct[: cells - shown_mistakes]]
    images, _ = dataset.fetch(chosen)

    cell_width, cell_height, margin, head = 242, 130, 12, 34  # pixels
    width = 2 * margin + columns * cell_width
    height = margin + head + -(-len(chosen) // columns) * cell_height
    figure, axes = _sheet(width, height)
    title = f"Test pictures: {shown_mistakes} of {len(mistakes):,} mistakes, the surest of each kind first"
    title += f"; {len(chosen) - shown_mistakes} of {len(correct):,} that are right"
    axes.text(margin, margin + 8, title, va="center", fontsize=10, color=INK, fontweight="bold")
    for position, (index, image) in enumerate(zip(chosen, images)):
        x = margin + position % columns * cell_width
        y = margin + head + position // columns * cell_height
        _prediction(axes, x, y, image, probabilities[index], labels[index], dataset.classes, bars)
    _write(figure, path)


def _surest_of_each_kind(probabilities, said, labels):
    """The indices of the mistakes: first the surest of every (class, taken for), then the second of every one ..."""
    seen, ranked = Counter(), []
    for index in np.argsort(-probabilities.max(1), kind="stable"):
        if said[index] != labels[index]:
            kind = labels[index], said[index]
            ranked.append((seen[kind], len(ranked), index))
            seen[kind] += 1
    return [index for *_, index in sorted(ranked)]


def _prediction(axes, x, y, image, probabilities, label, classes, bars, size=96, width=122, height=20):
    """One cell: a line above, the picture, and a bar for each of the likeliest classes beside it."""
    said = probabilities.argmax()
    if said == label:
        color, line = RIGHT, f"\N{CHECK MARK} {_short(classes[label], 28)}"
    else:
        color, line = WRONG, f"\N{BALLOT X} {_short(classes[label], 11)}, not {_short(classes[said], 11)}"
    axes.text(x, y + 6, line, va="center", fontsize=9, color=color, fontweight="bold")
    top = y + 17
    picture = image.transpose(1, 2, 0) if len(image) == 3 else image[0, ..., None].repeat(3, axis=-1)
    axes.imshow(picture, extent=(x, x + size, top + size, top), aspect="auto")
    axes.add_patch(Rectangle((x, top), size, size, fill=False, edgecolor=color, linewidth=2))
    likely = list(np.argsort(-probabilities, kind="stable")[:bars])
    if label not in likely:
        likely[-1] = label
    left = x + size + 8
    for row, c in enumerate(likely):
        bar = top + 1 + row * (size - 2) / max(bars, 1)
        tint = RIGHT if c == label else WRONG if c == said else "#999999"
        axes.add_patch(Rectangle((left, bar), width, height, color=PALE, linewidth=0))
        axes.add_patch(Rectangle((left, bar), width * probabilities[c], height, color=_tint(tint, 0.45), linewidth=0))
        weight = "bold" if c in (label, said) else "normal"
        middle = bar + height / 2
        axes.text(left + 4, middle, _short(classes[c], 11), va="center", fontsize=8, color=INK, fontweight=weight)
        percent = f"{100 * probabilities[c]:.0f} %"
        axes.text(left + width - 3, middle, percent, va="center", ha="right", fontsize=8, color=INK)


def confusion(labels, predicted, classes, path):
    """Draw which class (row) was taken for which (column) into the PNG file `path`; labels, predicted: (N,).

    A cell's colour is its share of the row, blue where right, orange where wrong. Up to 20 classes have
    their counts written in the cells, and the share that is right at the end of each row.
    """
    count = len(classes)
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (labels, predicted), 1)
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    strength = np.sqrt(share)[..., None]  # so that a mistake in a hundred is seen
    hue = np.where(np.eye(count, dtype=bool)[..., None], to_rgb(RIGHT), to_rgb(WRONG))
    colors = 1 - strength * (1 - hue)

    detailed = count <= 20
    cell = 46 if detailed else max(1, min(24, 720 // count))  # pixels
    side = count * cell
    left, top, right, bottom = 140, 48, 66 if detailed else 16, 110
    width, height = max(left + side + right, 460), top + side + bottom
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    axes.imshow(colors, interpolation="nearest")
    for row, column in zip(*np.nonzero(table)) if detailed else ():
        ink = "white" if strength[row, column, 0] > 0.6 else INK
        axes.text(column, row, f"{table[row, column]}", ha="center", va="center", fontsize=8, color=ink)
    for row in range(count) if detailed else ():
        right_share = f"{100 * share[row, row]:.0f} %" if table[row].any() else "none"
        axes.text(count - 0.3, row, right_share, va="center", fontsize=9, color=RIGHT, fontweight="bold")
    if detailed:
        axes.text(count - 0.3, -0.75, "right", va="center", color=RIGHT, fontsize=9)
    ticks = range(0, count, max(1, -(-14 // cell)))  # a name needs 14 pixels
    names = [_short(classes[tick], 14) for tick in ticks]
    axes.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, names)
    axes.tick_params(labelsize=9, colors=INK, length=0)
    axes.spines[:].set_color(GRID)
    if detailed:
        axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="minor", length=0)
    axes.set_xlabel("predicted class", **STYLE)
    figure.text(14 / width, (bottom + side / 2) / height, "true class", va="center", rotation=90, **STYLE)
    accuracy = 100 * np.trace(table) / max(len(labels), 1)
    figure.text(12 / width, 1 - 18 / height, f"Test: {accuracy:.1f} % of {len(labels):,} right", va="center",
                fontsize=10, color=INK, fontweight="bold")  # fmt: skip
    _write(figure, path)


def diagnosis(history, path):
    """Draw the figures that diagnose.measure took, layers down and epochs across, into the PNG file `path`.

    history: rows of Trainer.history, of which those with `layers` are drawn. The last value of each layer stands behind
    its row. Where there is a healthy range it is pale: blue is below it, orange above; white: no such figure.
    """
    rows = [row for row in history if "layers" in row]
    names = [layer["layer"] for layer in rows[-1]["layers"]]
    first, end = rows[0]["epoch"] - 0.5, rows[-1]["epoch"] + 0.5
    low, high = HEALTHY_UPDATE
    update, dead = LogNorm(low / 30, high * 30), Normalize(0, 1)
    small, large = _tint(BLUE, 0.4), _tint(WRONG, 0.4)
    amount = _colors((0, PALE), (1, INK))
    too_many = _colors((0, PALE), (DEAD_LIMIT, PALE), (DEAD_LIMIT, large), (1, WRONG))
    too_far = _colors(
        (0, BLUE), (update(low), small), (update(low), PALE), (update(high), PALE), (update(high), large), (1, WRONG)
    )
    panels = [
        ("activation", "deviation of activations", "{:.2g}", amount, None),
        ("dead", "dead ReLUs", "{:.0%}", too_many, dead),
        ("gradient", "deviation of gradients", "{:.0e}", amount, None),
        ("update", "update / weight", "{:.0e}", too_far, update),
    ]
    left, panel, gap, top, line, bottom = 70, 172, 56, 34, 24, 82  # pixels
    width, height = left + 4 * (panel + gap), top + line * len(names) + bottom
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    for number, (key, title, form, colors, norm) in enumerate(panels):
        values = np.array([[layer[key] for layer in row["layers"]] for row in rows], np.float64).T  # None is NaN
        x = left + number * (panel + gap)
        axes = figure.add_axes((x / width, bottom / height, panel / width, line * len(names) / height))
        scale = norm or _decades(values)
        image = axes.imshow(values, cmap=colors, norm=scale, aspect="auto", interpolation="nearest",
                            extent=(first, end, len(names) + 0.5, 0.5))  # fmt: skip
        axes.set_title(title, loc="left", fontsize=10, color=INK, fontweight="bold")
        axes.set_yticks(range(1, len(names) + 1), names if number == 0 else [])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
        axes.tick_params(labelsize=8, colors=INK, length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("epoch", **STYLE)
        for row, value in enumerate(values[:, -1]):
            if np.isfinite(value):
                axes.text(end, row + 1, " " + form.format(value), va="center", fontsize=8, color=INK)
        below = figure.add_axes((x / width, 22 / height, panel / width, 13 / height))
        bar = figure.colorbar(image, cax=below, orientation="horizontal")
        bar.outline.set_visible(False)
        marks = {"dead": (0, DEAD_LIMIT, 1), "update": HEALTHY_UPDATE}.get(key) or (scale.vmin or 0, scale.vmax or 1)
        if healthy := {"dead": DEAD_LIMIT / 2, "update": math.sqrt(low * high)}.get(key):
            below.text(healthy, 0.45, "healthy", ha="center", va="center", fontsize=7, color=INK)
        bar.set_ticks(marks, labels=[form.format(mark) for mark in marks])
        bar.minorticks_off()
        below.tick_params(labelsize=8, colors=INK, length=2)
    _write(figure, path)


def _decades(values):
    """A logarithmic scale over the values, a decade long at least."""
    positive = values[np.isfinite(values) & (values > 0)]
    top = positive.max(initial=1e-9)
    return LogNorm(min(positive.min(initial=top), top / 10), top, clip=True)


def _colors(*stops):
    return LinearSegmentedColormap.from_list("", stops).with_extremes(bad="white")


def _tint(color, strength):
    """A mixture of a colour with white."""
    return tuple(1 - strength * (1 - channel) for channel in to_rgb(color))


def _short(text, most):
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _softmax(logits):
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def _sheet(width, height):
    """A figure to draw on in pixels, y down."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_autoscale_on(False)
    return figure, axes


def _write(figure, path):
    with files.replacing(path) as file:
        FigureCanvasAgg(figure).print_png(file)
