"""Images per second as a bar chart."""

from __future__ import annotations

from ..plotting.style import BLUE, DPI, INK, STYLE, VERMILION, Figure, write
from . import report

PASSES = ("training step", "forward pass")


def draw(networks, machine, path):
    """Draw the images per second of every contender, one row of panels per network and batch size.

    On the left the training step, on the right the forward pass, each panel with its own scale. minialex is blue,
    torch vermilion.

    networks: a list of what Bench.network returns.
    machine: a machine.Machine or gpu.Machine, for the heading.
    path: the file to write, PNG or SVG by its suffix.
    """
    margin, head, line, gap, names, bars, numbers = 12, 50, 22, 44, 140, 250, 70  # pixels
    panel = margin + names + bars + numbers
    counts = [len({row["contender"] for row in result["rows"]}) for result in networks]
    width, height = 2 * panel, head + sum(gap + line * count for count in counts) + margin
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)

    def label(x, y, text, size):
        figure.text(x / width, 1 - y / height, text, va="center", fontsize=size, color=INK, fontweight="bold")

    label(margin, 20, "Images per second (more is better)", 11)
    label(margin, 40, f"{machine.title}, {machine.date}", 9)
    y = head
    for result, count in zip(networks, counts):
        y += gap
        for column, kind in enumerate(PASSES):
            x = column * panel + margin
            label(x, y - 12, f"{report.title(result)}: {kind}", 10)
            place = ((x + names) / width, 1 - (y + line * count) / height, bars / width, line * count / height)
            rows = [(row["contender"], row["images_per_second"]) for row in result["rows"] if row["pass"] == kind]
            _bars(figure.add_axes(place), rows)
        y += line * count
    return write(figure, path)


def _bars(axes, rows):
    """One panel: a bar for each contender with its value at the end."""
    names, values = zip(*rows)
    colors = [VERMILION if name.startswith("torch") else BLUE for name in names]
    axes.barh(range(len(rows)), values, color=colors, height=0.72)
    for place, value in enumerate(values):
        axes.text(value, place, f" {value:,.0f}" if value >= 100 else f" {value:.1f}", va="center", **STYLE)
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, max(values))
    axes.set_xticks([])
    axes.tick_params(labelsize=9, colors=INK, length=0)
    axes.spines[:].set_visible(False)
