"""A network as Deeplearning4j prints it: MultiLayerNetwork.summary() of the equivalent network.

In Deeplearning4j, an activation after a convolution or a dense layer is a part of that layer, and so is dropout of its
input; flattening is done between layers; the loss belongs to the last layer. None of these has a row. A layer that it
does not have keeps its own name.
"""

from __future__ import annotations

import itertools
from typing import Any

from .. import nn
from ..models.layout import ACTIVATIONS, WINDOWED, has_weights, window_of
from .keras import padding_word

HEADER = ("LayerName (LayerType)", "nIn,nOut", "TotalParams", "ParamsShape")
ACTIVE = (*ACTIVATIONS, nn.Softmax, nn.LogSoftmax)
KINDS: dict[Any, str] = {
    nn.Conv2d: "ConvolutionLayer",
    nn.Local2d: "LocallyConnected2D",
    nn.Linear: "DenseLayer",
    nn.MaxPool2d: "SubsamplingLayer",
    nn.AvgPool2d: "SubsamplingLayer",
    nn.AdaptiveAvgPool2d: "SubsamplingLayer",
    nn.BatchNorm2d: "BatchNormalization",
    nn.LocalResponseNorm: "LocalResponseNormalization",
    nn.Dropout: "DropoutLayer",
    ACTIVE: "ActivationLayer",
}
BETWEEN = (nn.Flatten, nn.Reshape, nn.Identity)  # preprocessors of the next layer, or nothing


def dl4j_summary(rows):
    """The output of Deeplearning4j's MultiLayerNetwork.summary(), without the empty lines around it.

    rows: the models.layout.layout of the network.

    Returns the text. As there, all parameters count as trainable but those of frozen layers: the running statistics of
    batch normalisation, too.
    """
    lines = [HEADER, *_layers(rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    widths = [width + 3 for width in widths[:-1]] + widths[-1:]
    text = ["".join(cell.ljust(width) for cell, width in zip(line, widths)) for line in lines]
    total, frozen = (sum(row.parameters for row in some) for some in (rows, filter(_is_frozen, rows)))
    double, single = "=" * sum(widths), "-" * sum(widths)
    counts = {"Total": total, "Trainable": total - frozen, "Frozen": frozen}
    totals = [f"{f'{name} Parameters: ':>30} {count:,}" for name, count in counts.items()]
    return "\n".join([double, text[0], double, *text[1:], single, *totals, double])


def _layers(rows):
    """(name and type, nIn,nOut, parameters, their shapes) of each layer in Deeplearning4j."""
    shown = [number for number in range(len(rows)) if not _has_no_row(rows, number)]
    for number in shown:
        row = rows[number]
        layer = row.layer
        kind = next((name for of, name in KINDS.items() if isinstance(layer, of)), type(layer).__name__)
        if isinstance(layer, nn.Linear) and number == shown[-1]:
            kind = "OutputLayer"
        if isinstance(layer, WINDOWED) and _is_uneven(window_of(layer, row.input)):
            yield f"{row.name}_padding (ZeroPaddingLayer)", "-,-", "0", "-"
        kind = f"Frozen {kind}" if _is_frozen(row) else kind
        yield f"{row.name} ({kind})", _ins_and_outs(layer), f"{row.parameters:,}", _shapes(layer) or "-"


def _has_no_row(rows, number):
    """Whether a layer is between others: an activation behind a layer with weights, dropout before one."""
    layer = rows[number].layer
    if isinstance(layer, ACTIVE):
        return number > 0 and has_weights(rows[number - 1].layer)
    if isinstance(layer, nn.Dropout):
        following = (row.layer for row in rows[number + 1 :] if not isinstance(row.layer, BETWEEN))
        return any(has_weights(layer) for layer in itertools.islice(following, 1))
    return isinstance(layer, BETWEEN)


def _is_uneven(window):
    """Whether the padding of a window differs from side to side, and is not TensorFlow's "same"."""
    return any(before != after for before, after in window.padding) and padding_word(window) is None


def _is_frozen(row):
    return bool(row.parameters) and not row.trainable


def _ins_and_outs(layer):
    if isinstance(layer, (nn.Conv2d, nn.Local2d)):
        return f"{layer.in_channels},{layer.out_channels}"
    if isinstance(layer, nn.Linear):
        return f"{layer.in_features},{layer.out_features}"
    return f"{layer.num_features},{layer.num_features}" if isinstance(layer, nn.BatchNorm2d) else "-,-"


def _shapes(layer):
    """The shapes of a layer's parameters, by Deeplearning4j's names and in its order."""
    if isinstance(layer, nn.Conv2d):
        shapes = {"b": layer.bias is not None and (1, layer.out_channels), "W": layer.weight.shape}
    elif isinstance(layer, nn.Linear):  # (in, out) there
        shapes = {"W": (layer.in_features, layer.out_features), "b": layer.bias is not None and (1, layer.out_features)}
    elif isinstance(layer, nn.BatchNorm2d):
        there = {"gamma": layer.weight is not None, "beta": layer.bias is not None}
        there |= dict.fromkeys(("mean", "var"), layer.track_running_stats)
        shapes = {name: has_it and (1, layer.num_features) for name, has_it in there.items()}
    else:
        shapes = {name: parameter.shape for name, parameter in layer.named_parameters()}
    return ", ".join(f"{name}:{{{','.join(map(str, shape))}}}" for name, shape in shapes.items() if shape)
