"""A diagram of the autograd graph: each operation that backward visits, and the leaves where gradients accumulate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Curve

from .. import tape
from ..nn import Module
from ..support.types import FileName
from ..tensor import Tensor
from . import layered, lettering
from .style import BLUE, DPI, INK, VERMILION, Figure, sheet_of, tint, write

MOST = 400  # boxes in a figure that is still readable
MARGIN, PADDING, LINE = 14, 8, 15  # pixels: around the figure, within a box, from line to line
WIDEST = 1000  # pixels: a wider graph is drawn from top to bottom


@dataclass
class Box:
    """An operation or a leaf of the graph.

    title, text: its two lines.
    kind: "leaf", "operation" or "result".
    """

    title: str
    text: str
    kind: str


def graph(
    tensor: Tensor, path: FileName | None = None, *, names: Mapping[str, Tensor] | None = None,
    model: Module | None = None, title: str = "",
) -> Figure:  # fmt: skip
    """Draw the autograd graph of `tensor`; the graph itself is left as it is, ready for backward.

    Where every tensor holds a single number, the boxes show gradients and, for leaves and named tensors, values;
    otherwise they show shapes. Tensors that need no gradient are not part of the graph.

    tensor: the result to start from, e.g. a loss.
    path: the file to write, PNG or SVG by its suffix; None to write none.
    names: {"w": w, ...}, names for tensors.
    model: a Module whose parameters and modules are labelled by their names.
    title: the heading.

    Returns the Figure.
    Raises ValueError for a tensor without a graph, after backward() has freed it, or for more than MOST boxes.
    """
    boxes, edges = boxes_and_edges(tensor, names=names, model=model)
    sizes = [_size(box) for box in boxes]
    placed, rightwards = _placed(boxes, edges, sizes)
    head = 26 if title else 0
    corner = np.array([MARGIN, MARGIN + head])
    width, height = placed.size + 2 * corner - [0, head]
    figure, axes = sheet_of(max(width, _extent(title, 10, bold=True) + 2 * MARGIN), height)
    axes.text(MARGIN, MARGIN + 6, title, va="center", fontsize=10, color=INK, fontweight="bold")
    for line in placed.lines:
        axes.add_patch(_arrow(line + corner, rightwards))
    for box, size, centre in zip(boxes, sizes, placed.centres):
        _draw(axes, box, size, centre + corner)
    return write(figure, path)


def _placed(boxes, edges, sizes):
    """The layout in (x, y), and whether the graph runs to the right: it does unless that is too wide, else down."""
    leaves = [number for number, box in enumerate(boxes) if box.kind == "leaf"]
    turned = layered.place([size[::-1] for size in sizes], edges, leaves)
    if turned.size[1] > WIDEST:
        return layered.place(sizes, edges, leaves), False
    lines = [line[:, ::-1] for line in turned.lines]
    return layered.Placed(turned.centres[:, ::-1], lines, turned.size[::-1]), True


def boxes_and_edges(
    tensor: Tensor, *, names: Mapping[str, Tensor] | None = None, model: Module | None = None
) -> tuple[list[Box], list[tuple[int, int]]]:
    """The autograd graph of `tensor` as boxes and edges.

    tensor, names, model: as for `graph`.

    Returns a list of Box, the result first, and edges [(from, to), ...] by index in that list. An operation that uses
    a tensor twice has two edges from it.
    Raises ValueError as `graph` does.
    """
    if not tensor.requires_grad:
        raise ValueError("this tensor has no graph: none of its inputs requires a gradient, or no_grad was in effect")
    things = tape.sorted_nodes(tensor.edge)
    used_up = next((t for t in things if isinstance(t, tape.Node) and t.backward is None), None)
    if used_up is not None:
        raise ValueError(f"backward() has already freed the graph at {used_up.name}: draw it before calling backward()")
    if len(things) > MOST:
        raise ValueError(f"a graph of {len(things):,} boxes is unreadable, at most {MOST} are drawn: draw part of it")
    number = {id(thing): n for n, thing in enumerate(things)}
    edges = [
        (number[id(parent)], number[id(thing)])
        for thing in things
        if isinstance(thing, tape.Node)
        for parent in thing.parents
        if parent is not None
    ]
    called = _names(names or {}, model)
    modules = {id(module): name for name, module in model.named_modules()} if model is not None else {}
    gradients = _gradients(things, tensor.backend.xp) if all(np.prod(t.shape) == 1 for t in things) else {}
    values = {id(t.edge): t.data.item() for t in (tensor, *(names or {}).values()) if t.numel() == 1}
    values |= {id(t): t.data.item() for t in things if isinstance(t, Tensor) and t.numel() == 1}
    boxes = []
    for thing in things:
        leaf = isinstance(thing, Tensor)
        name = called.get(id(thing)) or ("" if leaf else modules.get(id(thing.module), ""))
        operation = "" if leaf else thing.name
        kind = "leaf" if leaf else "result" if thing is things[0] else "operation"
        text = " × ".join(map(str, thing.shape)) or "scalar"
        if gradients:
            text = _numbers(values.get(id(thing)), gradients[id(thing)])
        boxes.append(Box(": ".join(filter(None, [name, operation])) or "leaf", text, kind))
    return boxes, edges


def _names(names, model):
    """id of a leaf or Node -> its name."""
    called = {id(p): name for name, p in model.named_parameters()} if model is not None else {}
    return called | {id(t.edge): name for name, t in names.items()}


def _gradients(things, xp):
    """id of a leaf or Node -> d(things[0]) / d(it), by the chain rule; frees nothing and changes no leaf's grad."""
    arrived = {id(thing): 0.0 for thing in things} | {id(things[0]): 1.0}
    for thing in things:
        if isinstance(thing, tape.Node):
            gy = xp.full(thing.shape, arrived[id(thing)], thing.dtype)
            for parent, gradient in zip(thing.parents, thing.backward(gy)):
                if parent is not None:
                    arrived[id(parent)] += gradient.item()
    return arrived


def _numbers(value, gradient):
    text = f"gradient {gradient + 0.0:.4g}" if value is None else f"value {value:.4g}, gradient {gradient + 0.0:.4g}"
    return text.replace("-", "−")


def _extent(text, size, *, bold=False):
    """The width of a text in pixels."""
    return lettering.width_of(text, size, "bold" if bold else "normal") * DPI / 72


def _size(box):
    width = max(_extent(box.title, 8.5, bold=True), _extent(box.text, 8))
    return width + 2 * PADDING, 2 * LINE + PADDING


def _draw(axes, box, size, centre):
    hue = {"leaf": BLUE, "operation": "#999999", "result": VERMILION}[box.kind]
    (width, height), (x, y) = size, centre
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle=f"round,pad=0,rounding_size={height / 4}",
            facecolor=tint(hue, 0.16),
            edgecolor=tint(hue, 0.8),
            linewidth=1,
        )
    )
    axes.text(x, y - LINE / 2, box.title, ha="center", va="center", fontsize=8.5, color=INK, fontweight="bold")
    axes.text(x, y + LINE / 2, box.text, ha="center", va="center", fontsize=8, color=INK)


def _arrow(points, rightwards):
    """A smooth arrow through the points that starts and ends in the direction of the graph."""
    vertices, codes = [points[0]], [Curve.MOVETO]
    for a, b in pairwise(points):
        pull = (b - a) * ([0.5, 0] if rightwards else [0, 0.5])
        vertices += [a + pull, b - pull, b]
        codes += [Curve.CURVE4] * 3
    return FancyArrowPatch(
        path=Curve(vertices, codes),
        arrowstyle="-|>,head_length=4,head_width=2.2",
        color="#777777",
        linewidth=1,
        shrinkA=0,
        shrinkB=0,
    )
