"""Two tables of a network: the costs of its layers, and a layer table as in textbooks."""

from __future__ import annotations

import math

from .. import nn
from ..models.layout import has_weights, window_of
from ..support.text import aligned
from .keras import padding_word

FLOAT = 4  # bytes
MEGABYTE = 10**6
ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid)
NONE = "-"


def by(shape):
    """A shape as text: 96 x 55 x 55."""
    return " x ".join(f"{n:,}" for n in shape)


def cost_table(rows, batch_size):
    """A table of the layers' shapes, parameters, MACs, memory in MB (10^6 bytes) and receptive fields.

    rows: the models.layout.layout of a network.
    batch_size: images in the batch that the memory is for.

    Returns the text.
    """
    header = ("layer", "type", "output", "parameters", "MACs", "activations", "columns", "field")
    costs = [
        (row.parameters, row.macs, activation_bytes(row) * batch_size, column_bytes(row) * batch_size) for row in rows
    ]
    totals = tuple(map(sum, zip(*costs)))
    lines = [
        (row.name, type(row.layer).__name__, by(row.output), *_cost_cells(*cost), str(row.receptive_field or NONE))
        for row, cost in zip(rows, costs)
    ]
    total = ("total", "", "", *_cost_cells(*totals), "")
    trainable = sum(row.trainable for row in rows)
    return "\n".join(
        [
            f"input {by(rows[0].input)}, memory in MB for a batch of {batch_size}",
            "",
            aligned([header, *lines, total], left=range(3), rules=(0, len(rows))),
            "",
            f"parameters: {totals[0]:,}, {FLOAT * totals[0] / MEGABYTE:,.1f} MB; trainable {trainable:,}, "
            f"non-trainable {totals[0] - trainable:,}",
            "MACs: multiply-accumulates of the weights for one picture, forward",
            "activations: outputs of a forward pass; a layer that works in place, or only reshapes, adds none",
            "columns: memory for an im2col of the whole batch, every window of every picture copied",
            "field: receptive field, pixels of the input that one output sees in each direction",
        ]
    )


def _cost_cells(parameters, macs, activations, columns):
    memory = (f"{n / MEGABYTE:,.1f}" if n else NONE for n in (activations, columns))
    return (*(f"{n:,}" if n else NONE for n in (parameters, macs)), *memory)


def activation_bytes(row):
    """Bytes of a layer's output for one image, 0 where it shares the memory of its input; row: of its layout."""
    shared = isinstance(row.layer, (nn.Flatten, nn.Identity)) or getattr(row.layer, "inplace", False)
    return 0 if shared else FLOAT * math.prod(row.output)


def column_bytes(row):
    """Bytes of one image's im2col matrix, channels x KH x KW numbers per output pixel; row: of its layout."""
    if not isinstance(row.layer, nn.Conv2d):
        return 0
    return FLOAT * row.input[0] * math.prod(row.layer.kernel_size) * math.prod(row.output[1:])


def layer_table(rows):
    """A table of Layer, Type, Maps, Size, Kernel size, Stride, Padding, Activation, from Out to In.

    Convolutions are C, pools S, fully connected layers F, numbered together; normalisation and dropout have no row.

    rows: the models.layout.layout of a network.

    Returns the text.
    Géron, table 14-2.
    """
    lines = [("In", "Input", *_maps(rows[0].input), NONE, NONE, NONE, NONE)]
    for row in rows:
        layer = row.layer
        if isinstance(layer, ACTIVATIONS):
            lines[-1] = (*lines[-1][:-1], type(layer).__name__)
        elif isinstance(layer, nn.Conv2d):
            lines.append((f"C{len(lines)}", "Convolution", *_maps(row.output), *_window(row), NONE))
        elif isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)):
            kind = "Max pooling" if isinstance(layer, nn.MaxPool2d) else "Average pooling"
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
