"""Two tables of a network: the costs of its layers, and a layer table as in textbooks."""

from __future__ import annotations

import itertools
import math

from .. import nn
from ..models.layout import ACTIVATIONS, Value, has_weights, layout, window_of
from ..support.text import aligned
from .keras import padding_word

FLOAT = 4  # bytes
MEGABYTE = 10**6
JOINING = {nn.Add: "Sum", nn.Multiply: "Product", nn.Concat: "Concatenation"}
POOLS = {nn.MaxPool2d: "Max pooling", nn.AvgPool2d: "Average pooling", nn.StochasticPool2d: "Stochastic pooling"}
NONE = "-"


def by(shape):
    """A shape as text: 96 x 55 x 55."""
    return " x ".join(f"{n:,}" for n in shape)


class Table:
    """The costs of a network's layers; `print` shows them as a table.

    rows: a models.layout.Row for each layer: name, layer, input, output, parameters, trainable, macs, ...
    batch_size: images in the batch that the memory is for.
    """

    def __init__(self, rows, batch_size):
        self.rows, self.batch_size = rows, batch_size

    @property
    def parameters(self):
        """Numbers in all layers, including BatchNorm's running statistics."""
        return sum(row.parameters for row in self.rows)

    @property
    def trainable(self):
        """How many of them are learned."""
        return sum(row.trainable for row in self.rows)

    @property
    def macs(self):
        """Multiply-accumulates of the weights for one image, forward."""
        return sum(row.macs for row in self.rows)

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    def __getitem__(self, name):
        """The Row of a layer, by its name or its number."""
        return self.rows[name] if isinstance(name, (int, slice)) else {row.name: row for row in self.rows}[name]

    def __repr__(self):
        return cost_table(self.rows, self.batch_size)


def table(model, shape, batch_size=128):
    """The layers of a network with their shapes, parameters, MACs, memory and receptive fields.

    model: a Sequential, a Graph, or a Module with a forward of its own, which is traced.
    shape: of one image, (C, H, W).
    batch_size: images in the batch that the memory is for.

    Returns a Table.
    Raises ValueError as models.layout.layout does.
    """
    return Table(layout(model, shape), batch_size)


def cost_table(rows, batch_size):
    """A table of the layers' shapes, parameters, MACs, memory in MB (10^6 bytes) and receptive fields.

    rows: the models.layout.layout of a network.
    batch_size: images in the batch that the memory is for.

    Returns the text.
    """
    branches = has_branches(rows)
    header: tuple[str, ...] = ("layer", "type", "output", "parameters", "MACs", "activations", "columns", "field")
    header += ("inputs",) * branches
    costs = [
        (row.parameters, row.macs, activation_bytes(row) * batch_size, column_bytes(row) * batch_size) for row in rows
    ]
    totals = tuple(map(sum, zip(*costs)))
    lines = [
        (row.name, kind_of(row.layer), by(row.output), *_cost_cells(*cost), str(row.receptive_field or NONE))
        + (", ".join(row.sources),) * branches
        for row, cost in zip(rows, costs)
    ]
    total = ("total", "", "", *_cost_cells(*totals), "") + ("",) * branches
    trainable = sum(row.trainable for row in rows)
    return "\n".join(
        [
            f"input {by(rows[0].input)}, memory in MB for a batch of {batch_size}",
            "",
            aligned([header, *lines, total], left=(0, 1, 2, 8), rules=(0, len(rows))),
            "",
            f"parameters: {totals[0]:,}, {FLOAT * totals[0] / MEGABYTE:,.1f} MB; trainable {trainable:,}, "
            f"non-trainable {totals[0] - trainable:,}",
            "MACs: multiply-accumulates of the weights for one picture, forward",
            "activations: outputs of a forward pass; a layer that works in place, or only reshapes, adds none",
            "columns: memory for an im2col of the whole batch, every window of every picture copied",
            "field: receptive field, pixels of the input that one output sees in each direction",
        ]
    )


def has_branches(rows):
    """Whether any layer takes another input than the output of the layer above it. rows: models.layout.layout's."""
    return any(row.sources != (above.name,) for above, row in itertools.pairwise(rows))


def kind_of(layer):
    """What a layer is called in a table: its class, or the function that it calls. layer: a Module."""
    return layer.function if isinstance(layer, nn.Call) else type(layer).__name__


def _cost_cells(parameters, macs, activations, columns):
    memory = (f"{n / MEGABYTE:,.1f}" if n else NONE for n in (activations, columns))
    return (*(f"{n:,}" if n else NONE for n in (parameters, macs)), *memory)


def activation_bytes(row):
    """Bytes of a layer's output for one image, 0 where it shares the memory of its input; row: of its layout."""
    shared = isinstance(row.layer, (nn.Flatten, nn.Reshape, nn.Identity, Value)) or getattr(row.layer, "inplace", False)
    return 0 if shared else FLOAT * math.prod(row.output)


def column_bytes(row):
    """Bytes of one image's im2col matrix, channels x KH x KW numbers per output pixel; row: of its layout."""
    if not isinstance(row.layer, (nn.Conv2d, nn.Local2d)):
        return 0
    return FLOAT * row.input[0] * math.prod(row.layer.kernel_size) * math.prod(row.output[1:])


def layer_table(rows):
    """A table of Layer, Type, Maps, Size, Kernel size, Stride, Padding, Activation, from Out to In.

    Convolutions are C, locally connected layers L, pools S, fully connected layers F, joined branches J, numbered
    together; normalisation, dropout and other functions have no row.

    rows: the models.layout.layout of a network.

    Returns the text.
    Géron, table 14-2.
    """
    lines = [("In", "Input", *_maps(rows[0].input), NONE, NONE, NONE, NONE)]
    for row in rows:
        layer = row.layer
        kind = next((name for join, name in JOINING.items() if isinstance(layer, join)), None)
        if kind:
            lines.append((f"J{len(lines)}", kind, *_maps(row.output), NONE, NONE, NONE, NONE))
        elif isinstance(layer, ACTIVATIONS):
            lines[-1] = (*lines[-1][:-1], type(layer).__name__)
        elif isinstance(layer, nn.Conv2d):
            lines.append((f"C{len(lines)}", "Convolution", *_maps(row.output), *_window(row), NONE))
        elif isinstance(layer, nn.Local2d):
            lines.append((f"L{len(lines)}", "Locally connected", *_maps(row.output), *_window(row), NONE))
        elif isinstance(layer, tuple(POOLS)):
            kind = next(name for pool, name in POOLS.items() if isinstance(layer, pool))
            lines.append((f"S{len(lines)}", kind, *_maps(row.output), *_window(row), NONE))
        elif isinstance(layer, nn.AdaptiveAvgPool2d):
            lines.append((f"S{len(lines)}", "Average pooling", *_maps(row.output), NONE, NONE, NONE, NONE))
        elif isinstance(layer, nn.Linear):
            size = f"{row.output[-1]:,}"
            lines.append((f"F{len(lines)}", "Fully connected", NONE, size, NONE, NONE, NONE, NONE))
    if has_weights(rows[-1].layer):
        lines[-1] = ("Out", *lines[-1][1:-1], "Softmax")  # which is part of the loss
    header = ("Layer", "Type", "Maps", "Size", "Kernel size", "Stride", "Padding", "Activation")
    return aligned([header, *reversed(lines)], left=range(len(header)), rules=(0,))


def _maps(shape):
    return f"{shape[0]:,}", by(shape[1:])


def _window(row):
    """Kernel size, stride and padding."""
    window = window_of(row.layer, row.input)
    stride = by(dict.fromkeys(window.stride)) if len(set(window.stride)) == 1 else by(window.stride)
    return by(window.kernel), stride, padding_word(window) or _sides(window.padding)


def _sides(padding):
    """ "2" where all four sides are equal, else "(top, bottom), (left, right)"."""
    sides = {side for direction in padding for side in direction}
    return str(sides.pop()) if len(sides) == 1 else f"{padding[0]}, {padding[1]}"
