"""A network as a row of boxes: depth from channels, height and width from maps, a colour for each kind of layer."""

from __future__ import annotations

from dataclasses import dataclass, field

from matplotlib.patches import Polygon, Rectangle

from .. import nn
from ..models.layout import ACTIVATIONS, Value
from ..window import pair
from . import branches, lettering
from .style import BLUE, DPI, INK, PURPLE, VERMILION, tint

PICTURE, YELLOW, GREEN, GREY, SKY, SAND = "#BBBBBB", "#E6C619", "#009E73", "#888888", "#56B4E9", "#C9A66B"
INDIGO = "#332288"
POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.StochasticPool2d)
KINDS = (  # what a layer is, its colour, its modules
    ("convolution", BLUE, nn.Conv2d),
    ("locally connected", INDIGO, nn.Local2d),
    ("activation", YELLOW, ACTIVATIONS),
    ("normalisation", PURPLE, (nn.LocalResponseNorm, nn.ContrastNorm, nn.BatchNorm2d)),
    ("pooling", VERMILION, (*POOLS, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)),
    ("flattened", PICTURE, (nn.Flatten, nn.Reshape, nn.Identity)),
    ("fully connected", GREEN, nn.Linear),
    ("dropout", GREY, (nn.Dropout, nn.Dropout2d)),
    ("joined", SKY, (nn.Add, nn.Multiply, nn.Concat)),
    ("function", SAND, (nn.Call, nn.Softmax, nn.Upsample, nn.ConstantPad2d)),
)
# Kinds with a label of their own.
STARTS = ("convolution", "locally connected", "pooling", "flattened", "fully connected", "joined")
LARGEST = 190  # pixels of the drawing, for the height of the largest map and for the longest bar
SLANT = (0.40, -0.28)  # pixels to the right and down for each pixel of a map's width
SLAB, BAR = 6, 12  # pixels: thickness of layers that keep the shape, of flattened layers
GAP, LINE, SMALL = 16, 15, 8  # pixels between cells, pixels between lines of text, font size in points


@dataclass
class Cell:
    """A layer and the shape-preserving layers that follow it.

    shape: of their output, without the batch.
    label: lines of text.
    slabs: (colour, thickness in pixels) for each layer.
    layers: their names.
    """

    shape: tuple[int, ...]
    label: list[str]
    slabs: list[tuple[str, float]] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)


class Scale:
    """Sizes in pixels for shapes, by the square root of a map's side and of its channels, so that all stay visible.

    rows: a models.layout.Row for each layer.
    """

    def __init__(self, rows):
        shapes = [rows[0].input, *(row.output for row in rows)]
        self.side = max((shape[1] for shape in shapes if len(shape) == 3), default=1)
        self.units = max((shape[0] for shape in shapes if len(shape) == 1), default=1)

    def face(self, shape):
        """(height, width) of a layer's map in pixels; a flattened layer is a bar. shape: without the batch."""
        if len(shape) == 3:
            return LARGEST * (shape[1] / self.side) ** 0.5, LARGEST * (shape[2] / self.side) ** 0.5
        return 30 + (LARGEST - 30) * (shape[0] / self.units) ** 0.4, BAR

    def thickness(self, shape):
        """Thickness of a layer's box in pixels, along the network. shape: without the batch."""
        return max(SLAB, 2.2 * shape[0] ** 0.5) if len(shape) == 3 else BAR


def text_width(text, size=SMALL, weight="normal"):
    """The width of a text in pixels; size: in points; weight: Matplotlib's, "normal" or "bold"."""
    return lettering.width_of(text, size, weight) * DPI / 72


def sizes(shape):
    """A shape as text: 96×55×55."""
    return "×".join(f"{n:,}" for n in shape)


def kind_of(layer):
    """(kind, colour) of a layer; raises ValueError for a type that is not in KINDS."""
    for kind, color, modules in KINDS:
        if isinstance(layer, modules):
            return kind, color
    raise ValueError(f"cannot draw a layer of type {type(layer).__name__}: it is not in layers3d.KINDS")


def box(axes, x, y, thickness, face, color):
    """Draw a box whose slanted right side is the layer's map.

    axes: in pixels, y down.
    x: the left edge of the front.
    y: the vertical centre of the outline.
    thickness: of the front, pixels.
    face: (height, width) of the map, pixels.
    color: Matplotlib's.

    Returns x of the right end.
    """
    height, (across, up) = face[0], slanted(face[1])
    top = y - height / 2 - up / 2
    right, bottom = x + thickness, top + height
    style: dict = {"edgecolor": INK, "linewidth": 0.5, "joinstyle": "round"}
    axes.add_patch(Rectangle((x, top), thickness, height, facecolor=tint(color, 0.75), **style))
    corners = [(x, top), (x + across, top + up), (right + across, top + up), (right, top)]
    axes.add_patch(Polygon(corners, facecolor=tint(color, 0.45), **style))
    corners = [(right, top), (right + across, top + up), (right + across, bottom + up), (right, bottom)]
    axes.add_patch(Polygon(corners, facecolor=tint(color, 0.95), **style))
    return right + across


def slanted(width):
    """(pixels right, pixels down) from the front to the back edge of a map `width` pixels wide."""
    return SLANT[0] * width, SLANT[1] * width


def cells_of(rows, scale):
    """The Cells of a network, the input's first. rows: a models.layout.Row for each layer; scale: their Scale."""
    cells = [Cell(rows[0].input, ["input", sizes(rows[0].input)], [(PICTURE, SLAB)])]
    for row in rows:
        if isinstance(row.layer, Value):
            continue
        kind, color = kind_of(row.layer)
        follows = cells[-1].layers[-1:] == list(row.sources) or len(cells) == 1
        if kind in STARTS or row.output != row.input or not follows:
            cells.append(Cell(row.output, [row.name, sizes(row.output), *_window(row.layer)]))
            cells[-1].slabs.append((color, scale.thickness(row.output)))
        else:
            cells[-1].slabs.append((color, SLAB))
        cells[-1].layers.append(row.name)
    return cells


def _window(layer):
    if not hasattr(layer, "kernel_size"):
        return
    (high, wide), stride = pair(layer.kernel_size, "kernel_size"), pair(layer.stride, "stride")
    yield f"{high}×{wide}" + (f", stride {sizes(dict.fromkeys(stride))}" if stride != (1, 1) else "")
    if getattr(layer, "groups", 1) > 1:
        yield f"{layer.groups} groups"


def layers3d(rows):
    """The row of boxes of a network, ready to be drawn. rows: a models.layout.Row for each layer.

    Returns (width, height, draw), in pixels; draw(axes, left, top) draws it there.
    """
    scale = Scale(rows)
    cells = cells_of(rows, scale)
    widths = []
    for cell in cells:
        drawn = sum(thickness for _, thickness in cell.slabs) + slanted(scale.face(cell.shape)[1])[0]
        widths.append(max(drawn, *map(text_width, cell.label[1:]), text_width(cell.label[0], SMALL, "bold")) + GAP)
    extents = [scale.face(cell.shape)[0] - slanted(scale.face(cell.shape)[1])[1] for cell in cells]
    arrows = branches.connections(cells, rows)
    above = max(extents) / 2 + branches.height(arrows)
    below = max(extent / 2 + len(cell.label) * LINE for extent, cell in zip(extents, cells))
    height = above + below + 3 * LINE

    def draw(axes, left, top):
        x, middle, places = left, top + above, []
        for cell, width, extent in zip(cells, widths, extents):
            face = scale.face(cell.shape)
            drawn = sum(thickness for _, thickness in cell.slabs) + slanted(face[1])[0]
            at = x + (width - drawn) / 2
            places.append((at + drawn / 2, middle - extent / 2))
            for color, thickness in cell.slabs:
                box(axes, at, middle, thickness, face, color)
                at += thickness
            line_at = middle + extent / 2 + LINE
            for number, line in enumerate(cell.label):
                weight = "normal" if number else "bold"
                axes.text(
                    x + width / 2,
                    line_at + number * LINE,
                    line,
                    ha="center",
                    va="center",
                    fontsize=SMALL,
                    color=INK,
                    fontweight=weight,
                )
            x += width
        branches.draw(axes, arrows, places, middle - max(extents) / 2)
        _legend(axes, left + GAP / 2, top + height - 10, rows)

    return max(sum(widths), sum(_entry(kind) for kind, _ in _kinds(rows))), height, draw


def _legend(axes, x, y, rows):
    for kind, color in _kinds(rows):
        axes.add_patch(Rectangle((x, y - 5), 10, 10, facecolor=tint(color, 0.75), edgecolor=INK, linewidth=0.5))
        axes.text(x + 15, y, kind, va="center", fontsize=SMALL, color=INK)
        x += _entry(kind)


def _kinds(rows):
    """(kind, colour) of the kinds that occur in a network, in the order of KINDS."""
    present = {kind_of(row.layer) for row in rows if not isinstance(row.layer, Value)}
    return [(kind, color) for kind, color, _ in KINDS if (kind, color) in present]


def _entry(kind):
    """The width of a kind's entry in the legend, with the gap after it."""
    return 15 + text_width(kind) + 20
