"""Reading a library from within: where a thing is defined, its lines, and what its tape holds."""

from __future__ import annotations

import inspect
from pathlib import Path

from lesson import BLUE, INK, VERMILION, pictures, tint
from matplotlib.patches import FancyBboxPatch, Rectangle

import minialex
from minialex import Tensor
from minialex.backends.base import Backend
from minialex.support.reachable import reachable

ROOT = Path(minialex.__file__).resolve().parents[1]


def where(thing):
    """`minialex/tape.py:300`, of a class, a function or a method."""
    thing = inspect.unwrap(thing)
    return f"{Path(inspect.getsourcefile(thing)).relative_to(ROOT).as_posix()}:{inspect.getsourcelines(thing)[1]}"


def read(thing, most=24):
    """Print where a function stands and its lines, numbered as in the file; the docstring is left out."""
    lines, first = inspect.getsourcelines(inspect.unwrap(thing))
    body = list(enumerate(lines, first))
    quotes = [i for i, line in enumerate(lines) if line.strip().startswith('"""') or line.rstrip().endswith('"""')]
    if quotes:
        body = body[: quotes[0]] + body[quotes[min(1, len(quotes) - 1)] + 1 :]
    indent = len(lines[0]) - len(lines[0].lstrip())
    print(where(thing))
    for number, line in body[:most]:
        print(f"{number:4}  {line[indent:].rstrip()}")


def kept(node):
    """The arrays that a node's backward keeps for itself."""
    return [x for x in reachable(node.backward, (Backend, Tensor), opaque=True) if hasattr(x, "nbytes") and x.size > 1]


def called(edge, names):
    """What an edge of the tape is called: an operation, or the leaf that it leads to; None where it leads nowhere."""
    return None if edge is None else getattr(edge, "name", None) or names.get(id(edge), "leaf")


def draw_tape(axes, nodes, names):
    """Nodes of a tape in the order in which backward visits them, with an arrow for each gradient."""
    places = {id(node): (1.9 * i, 0.0) for i, node in enumerate(nodes)}
    for node in nodes:
        color = BLUE if id(node) in names else INK
        x, y = places[id(node)]
        axes.add_patch(
            FancyBboxPatch((x - 0.75, y - 0.3), 1.5, 0.6, boxstyle="round,pad=0,rounding_size=0.1",
                           facecolor=tint(color, 0.1), edgecolor=color)
        )  # fmt: skip
        axes.text(x, y + 0.09, called(node, names), ha="center", va="center")
        axes.text(x, y - 0.15, " x ".join(map(str, node.shape)) or "a number", ha="center", va="center", fontsize=7)
    for node in nodes:
        for edge in getattr(node, "parents", ()):
            if edge is not None:
                (x0, _), (x1, _) = places[id(node)], places[id(edge)]
                style = f"arc3,rad={-0.3 if x1 - x0 > 2 else 0}"
                start, end = ((x0, 0.3), (x1, 0.3)) if x1 - x0 > 2 else ((x0 + 0.75, 0), (x1 - 0.75, 0))
                arrow = {"arrowstyle": "-|>", "color": VERMILION, "connectionstyle": style}
                axes.annotate("", end, start, arrowprops=arrow)
    axes.set(xlim=(-0.9, 1.9 * (len(nodes) - 1) + 0.9), ylim=(-0.45, 0.4 + 0.25 * len(nodes)))
    pictures(axes)


def draw_matrix(axes, values, title, largest):
    """A small matrix as coloured squares with their numbers."""
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            color = tint(BLUE if value > 0 else VERMILION, min(0.75, 0.75 * abs(value) / largest))
            axes.add_patch(Rectangle((j, i), 0.95, 0.95, facecolor=color))
            axes.text(j + 0.47, i + 0.5, f"{value:+.4f}", ha="center", va="center", fontsize=8)
    axes.set(xlim=(-0.1, len(values[0]) + 0.1), ylim=(len(values) + 0.1, -0.1), title=title)
    pictures(axes)
