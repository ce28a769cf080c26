"""Drawings that several cells of a lesson need, and whose code teaches nothing about its subject."""

from __future__ import annotations

from lesson import BLUE, INK, VERMILION, pictures, tint
from matplotlib.patches import FancyBboxPatch, Rectangle


def graph(axes, root, names=None, grads=True):
    """A graph of scalars: what each came from to its left, its value above, its gradient below.

    names: id(node) -> how to call it; others are called by the operation that made them.
    """
    names = names or {}
    columns = _columns(root)
    places = {}
    for x, column in enumerate(columns):
        for i, node in enumerate(column):
            places[id(node)] = (1.7 * x, 1.15 * ((len(column) - 1) / 2 - i))
    for column in columns:
        for node in column:
            _arrows(axes, node, places)
    for column in columns:
        for node in column:
            x, y = places[id(node)]
            color = INK if node.parents else BLUE
            box = FancyBboxPatch(
                (x - 0.52, y - 0.36),
                1.04,
                0.72,
                boxstyle="round,pad=0,rounding_size=0.12",
                facecolor=tint(color, 0.1),
                edgecolor=color,
                linewidth=1,
            )
            axes.add_patch(box)
            name = names.get(id(node)) or node.backward.__qualname__.split(".<locals>")[0].split(".")[-1]
            axes.text(x, y + (0.17 if grads else 0), f"{name} = {node.data:.4g}", ha="center", va="center")
            if grads:
                axes.text(x, y - 0.17, f"grad {node.grad:.4g}", ha="center", va="center", color=VERMILION)
    half = 0.58 * max(map(len, columns)) + 0.1
    far = any(_far(node, parent, places) for column in columns for node in column for parent in node.parents)
    axes.set(xlim=(-0.7, 1.7 * (len(columns) - 1) + 0.7), ylim=(-half, half + 0.8 * far))
    pictures(axes)


def _columns(root):
    """The nodes, each in the column left of the first operation that uses it."""
    order, seen, users = [], set(), {}

    def visit(node):
        if id(node) not in seen:
            seen.add(id(node))
            for parent in node.parents:
                users.setdefault(id(parent), []).append(node)
                visit(parent)
            order.append(node)

    visit(root)
    back = {id(root): 0}  # columns to the left of the root
    for node in order[-2::-1]:
        back[id(node)] = max(back[id(user)] for user in users[id(node)]) + 1
    columns: list[list] = [[] for _ in range(max(back.values()) + 1)]
    for node in order:
        columns[len(columns) - 1 - back[id(node)]].append(node)
    return columns


def _far(node, parent, places):
    """Whether something may stand between."""
    return places[id(node)][0] - places[id(parent)][0] > 2


def _arrows(axes, node, places):
    """From each operand into the node: two for one used twice, and over the top of what stands between."""
    x, y = places[id(node)]
    for i, parent in enumerate(node.parents):
        px, py = places[id(parent)]
        start, end, bend = (px + 0.53, py), (x - 0.53, y), 0.0
        if node.parents.count(parent) > 1:
            bend = 0.25 * (i - 0.5)
        elif _far(node, parent, places):
            start, end, bend = (px, py + 0.37), (x, y + 0.37), -0.3
        style = {"arrowstyle": "-|>", "color": INK, "linewidth": 0.8, "connectionstyle": f"arc3,rad={bend}"}
        axes.annotate("", end, start, arrowprops=style)


def matrix(axes, values, title, fill, form="{:.3g}"):
    """A matrix as a table of numbers, its cells filled with a colour."""
    rows, columns = values.shape
    for i in range(rows):
        for j in range(columns):
            axes.add_patch(Rectangle((j, i), 1, 1, facecolor=fill, edgecolor=INK, linewidth=0.8))
            axes.text(j + 0.5, i + 0.5, form.format(values[i, j]), ha="center", va="center")
    axes.set(xlim=(-0.1, columns + 0.1), ylim=(rows + 0.1, -0.1), title=title)
    pictures(axes)
