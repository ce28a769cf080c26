"""The connections of a network that has branches, as arrows above its row of boxes."""

from __future__ import annotations

from .style import INK

STEP, RISE = 9, 16  # pixels between two levels of arrows, and from a box to the lowest level


def connections(cells, rows):
    """Which cells take their input from another one than that before them.

    cells: layers3d.Cells, the input's first.
    rows: a models.layout.Row for each layer.

    Returns a list of (number of a cell, number of a later one, level from 0), in which no two arrows of one level share
    a piece of their way.
    """
    cell_of = {name: number for number, cell in enumerate(cells) for name in cell.layers}
    sources = {row.name: row.sources for row in rows}
    values = {row.name for row in rows if not row.sources}
    found = set()
    for name, number in cell_of.items():
        froms = [cell_of.get(source, 0) for source in sources[name] if source not in values]
        found |= {(start, number) for start in froms if start < number - 1}
    levels: list[int] = []  # the end of the last arrow of each level
    placed = []
    for start, end in sorted(found):
        level = next((i for i, last in enumerate(levels) if last <= start), len(levels))
        levels[level:] = [end, *levels[level + 1 :]]
        placed.append((start, end, level))
    return placed


def height(arrows):
    """Pixels above the boxes that arrows take; arrows: from `connections`."""
    return RISE + STEP * (1 + max(level for *_, level in arrows)) if arrows else 0


def draw(axes, arrows, places, top):
    """Draw the arrows.

    axes: in pixels, y down.
    arrows: from `connections`.
    places: (x, y) of the middle of each cell's upper edge.
    top: y above which there is no box.
    """
    for start, end, level in arrows:
        (x, y), (to, below) = places[start], places[end]
        x, to, over = x + 4, to - 4, top - RISE - STEP * level
        axes.plot([x, x, to], [y, over, over], color=INK, linewidth=0.9)
        axes.annotate(
            "",
            (to, below),
            (to, over),
            arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 1},
        )
