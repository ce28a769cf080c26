"""The paper's figure 2: a network with two groups as two rows of boxes, one per GPU."""

from __future__ import annotations

from dataclasses import dataclass, field

from matplotlib.patches import Polygon

from .. import nn
from ..models.layout import has_weights
from .layers3d import BAR, LINE, PICTURE, SMALL, Scale, box, kind_of, sizes, slanted
from .style import INK, tint

CONE = 64  # pixels between two layers
ROOM = 46  # pixels between the two towers
POOLS = {nn.MaxPool2d: "Max\npooling", nn.AvgPool2d: "Mean\npooling", nn.StochasticPool2d: "Stochastic\npooling"}


@dataclass
class Stage:
    """The input or a layer with weights, and how it is connected to the next.

    shape: of each of its parts, without the batch.
    color: of its boxes.
    parts: boxes, 1 or 2.
    kernel: (height, width) of the next layer's window, if that is a convolution.
    over: (height, width) of the map that this window moves over.
    crossing: whether the next layer sees both towers.
    captions: pooling and the like on the way to the next layer.
    x: pixels from the left, once placed.
    """

    shape: tuple[int, ...]
    color: str
    parts: int = 2
    kernel: tuple[int, int] | None = None
    over: tuple[int, ...] = ()
    crossing: bool = True
    captions: list[str] = field(default_factory=list)
    x: float = 0.0


def are_two(rows):
    """Whether a network has two groups, in any of its convolutions. rows: a models.layout.Row for each layer."""
    return any(getattr(row.layer, "groups", 1) == 2 for row in rows)


def towers(rows):
    """The two towers of a network, ready to be drawn. rows: a models.layout.Row for each layer.

    Returns (width, height, draw), in pixels; draw(axes, left, top) draws them there.
    """
    scale, stages = Scale(rows), _stages(rows)
    x = 30.0  # room for the numbers beside the input
    for stage in stages:
        stage.x = x
        x += _thickness(stage) + slanted(scale.face(stage.shape)[1])[0] + CONE
    tallest = max(_extent(stage, scale) for stage in stages if stage.parts == 2)
    edge = 3 * LINE  # for the numbers above and below
    height = 2 * edge + 2 * tallest + ROOM + 2 * LINE

    def draw(axes, left, top):
        upper = top + edge + tallest / 2
        lower = upper + tallest + ROOM
        places = {1: [(upper + lower) / 2], 2: [upper, lower]}
        for number, y in zip((1, 2), places[2]):
            outside = y + (tallest / 2 + LINE) * (1 if number == 2 else -1)
            axes.text(left, outside, f"GPU {number}", va="center", fontsize=9, color=INK, fontweight="bold")
        baseline = lower + tallest / 2 + 1.8 * LINE
        for stage, following in zip(stages, [*stages[1:], None]):
            for y in places[stage.parts]:
                _box(axes, left, y, stage, scale)
            if following:
                _lead_on(axes, left, places, stage, following, scale)
                end = stage.x + _thickness(stage) + slanted(scale.face(stage.shape)[1])[0]
                axes.text(
                    left + (end + following.x) / 2,
                    baseline,
                    "\n".join(stage.captions),
                    ha="center",
                    va="top",
                    fontsize=SMALL,
                    color=INK,
                )
        for stage in stages:
            for y in places[stage.parts]:
                _numbers(axes, left, y, stage, scale, above=y == upper)

    return x - CONE + 60, height, draw


def _stages(rows):
    """The input and the layers with weights; the first and the last are one box, those between two halves."""
    stages, captions = [Stage(rows[0].input, PICTURE, parts=1)], []
    weighted = [row for row in rows if has_weights(row.layer)]
    for row in rows:
        captions += [text for kind, text in POOLS.items() if isinstance(row.layer, kind)]
        if not has_weights(row.layer):
            continue
        before, (kind, color) = stages[-1], kind_of(row.layer)
        if kind in ("convolution", "locally connected"):
            before.kernel, before.over, before.crossing = row.layer.kernel_size, row.input[1:], row.layer.groups == 1
            stride = set(row.layer.stride)
            captions += [f"Stride\nof {sizes(stride)}"] if stride != {1} else []
        before.captions, captions = [*captions, *(["dense"] if kind == "fully connected" else [])], []
        parts = 1 if row is weighted[-1] else 2
        stages.append(Stage((row.output[0] // parts, *row.output[1:]), color, parts))
    return stages


def _thickness(stage):
    return max(7, 3.6 * stage.shape[0] ** 0.5) if len(stage.shape) == 3 else BAR


def _extent(stage, scale):
    """Height of a box, its slanted part included."""
    face = scale.face(stage.shape)
    return face[0] - slanted(face[1])[1]


def _box(axes, left, y, stage, scale):
    box(axes, left + stage.x, y, _thickness(stage), scale.face(stage.shape), stage.color)


def _front(left, y, stage, scale):
    """(left, top, right, bottom) of a box's front, and (right, down) of its slant."""
    height, (across, up) = scale.face(stage.shape)[0], slanted(scale.face(stage.shape)[1])
    x, top = left + stage.x, y - height / 2 - up / 2
    return (x, top, x + _thickness(stage), top + height), (across, up)


def _lead_on(axes, left, places, stage, following, scale):
    """Cones from a window to a neuron of the next layer or, between fully connected layers, bands from edge to edge."""
    for i, y in enumerate(places[stage.parts]):
        (_, top, right, bottom), (across, up) = _front(left, y, stage, scale)
        corners = [(right, top), (right + across, top + up), (right + across, bottom + up), (right, bottom)]
        if stage.kernel:
            corners = _window(corners, stage)
            axes.add_patch(Polygon(corners, facecolor=tint(stage.color, 0.15), edgecolor=INK, linewidth=0.8, zorder=3))
        for j, target in enumerate(places[following.parts]):
            both = stage.parts == following.parts == 2
            if both and i != j and not stage.crossing:
                continue
            (x, high, end, low), _ = _front(left, target, following, scale)
            pale = both and i != j
            if stage.kernel:
                _cone(axes, corners, (x + min(8, (end - x) / 3), (high + low) / 2), pale)
            else:
                band = [corners[1], (x, high), (x, low), corners[2]]
                axes.add_patch(Polygon(band, facecolor=tint(INK, 0.12), alpha=0.5, edgecolor=INK, linewidth=0.4))


def _window(corners, stage):
    """Corners of the part that a kernel covers, in the middle of a slanted face; clipped to a visible size."""
    (right, top), (far, raised), _, (_, bottom) = corners
    high, wide = (min(max(k / n, 0.09), 0.45) for k, n in zip(stage.kernel, stage.over))
    u, v = 0.5 - wide / 2, 0.5 - high / 2

    def at(u, v):
        return right + u * (far - right), top + v * (bottom - top) + u * (raised - top)

    return [at(u, v), at(u + wide, v), at(u + wide, v + high), at(u, v + high)]


def _cone(axes, corners, tip, pale):
    for x, y in corners:
        axes.plot(
            [x, tip[0]],
            [y, tip[1]],
            color=INK,
            linewidth=0.5,
            linestyle=(0, (4, 3)) if pale else "-",
            alpha=0.6 if pale else 0.9,
            zorder=4,
        )
    axes.plot(*tip, marker="o", markersize=2.5, color=INK, zorder=5)


def _numbers(axes, left, y, stage, scale, above):
    """Channels, height and width beside their edges, outside, where no cone passes; the kernel beside its window."""
    (x, top, right, bottom), (across, up) = _front(left, y, stage, scale)

    def write(at, text, ha="center", **options):
        axes.text(*at, text, ha=ha, va="center", fontsize=SMALL, color=INK, **options)

    channels = f"{stage.shape[0]:,}"
    middle = (x + right) / 2
    if above:
        write((middle + across, top + up - 9), channels, fontweight="bold")
    else:
        write((middle, bottom + 10), channels, fontweight="bold")
    if len(stage.shape) == 3:
        write((x - 4, top + 8 if above else bottom - 8), f"{stage.shape[1]}", ha="right")
        if above:
            write((x + across / 2 - 4, top + up / 2 - 4), f"{stage.shape[2]}", ha="right")
        else:
            write((right + across / 2 + 4, bottom + up / 2 + 6), f"{stage.shape[2]}", ha="left")
    if stage.kernel:
        corners = _window(
            [(right, top), (right + across, top + up), (right + across, bottom + up), (right, bottom)], stage
        )
        shade = INK if stage.color == PICTURE else "white"
        at = (corners[0][0] + corners[1][0]) / 2, corners[1][1] - 7
        axes.text(
            *at,
            sizes(dict.fromkeys(stage.kernel)),
            ha="center",
            va="center",
            fontsize=SMALL,
            color=shade,
            fontweight="bold",
            zorder=6,
        )
