"""Learning curves of several runs in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.lines import Line2D

from ..support.types import FileName
from .curves import draw_lines, name_ends
from .style import BLUE, DPI, INK, PURPLE, VERMILION, Figure, short, write

COLORS = (BLUE, VERMILION, "#009E73", PURPLE, "#E69F00", "#56B4E9", INK)  # Okabe and Ito's


def compare(histories: Mapping[str, Sequence[dict[str, Any]]], path: FileName | None = None) -> Figure:
    """Draw the loss (left) and top-1 error (right) of several runs, one colour per run.

    Solid lines are validation, dashed lines training; a run without validation has dashed lines only.

    histories: {name: rows}, with the rows of Trainer.history or of metrics.csv.
    path: the file to write, PNG or SVG by its suffix; None to write none.

    Returns the Figure.
    Raises ValueError for no runs, for more runs than there are colours, and for a run without a finished epoch.
    """
    if not 1 <= len(histories) <= len(COLORS):
        raise ValueError(f"one figure can compare 1 to {len(COLORS)} runs, got {len(histories)}")
    if empty := [name for name, rows in histories.items() if not rows]:
        raise ValueError(f"the run {empty[0]} has not finished an epoch")
    figure = Figure(figsize=(10, 4.2), dpi=DPI, layout="constrained")
    last = max(rows[-1]["epoch"] for rows in histories.values())
    panels = [
        ("loss", "train_loss", "val_loss", 1, "{:.3f}"),
        ("error (%)", "train_error", "val_top1_error", 100, "{:.1f} %"),
    ]
    for axes, (title, training, validation, factor, form) in zip(figure.subplots(1, 2), panels):
        lines, names = [], []
        for (name, rows), color in zip(histories.items(), COLORS):
            for key, style in ((training, "--"), (validation, "-")):
                if points := [(row["epoch"], factor * row[key]) for row in rows if key in row]:
                    lines.append((color, style, *zip(*points)))
            names.append((f"{short(name, 22)} {form.format(lines[-1][3][-1])}", color, last, lines[-1][3][-1]))
        draw_lines(axes, title, lines, last)
        name_ends(axes, names)
    meaning = [Line2D([], [], color=INK, linestyle=style, linewidth=1.5) for style in ("--", "-")]
    figure.legend(meaning, ["training", "validation"], loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return write(figure, path)
