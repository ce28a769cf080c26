"""A network as Keras 2 prints it: model.summary() of the equivalent Sequential.

In Keras, an activation after a convolution or a fully connected layer is an argument of that layer and has no row;
padding that is neither "valid" nor "same" is a layer of its own; maps are (batch, H, W, C).
"""

from __future__ import annotations

import re

from .. import nn
from ..models.layout import WINDOWED, has_weights, window_of
from ..window import Window

WIDTH, ENDS = 65, (29, 55, 65)  # of a line, and where its columns end, in characters
KINDS = {
    nn.Conv2d: "Conv2D",
    nn.Local2d: "LocallyConnected2D",
    nn.Linear: "Dense",
    nn.MaxPool2d: "MaxPooling2D",
    nn.AvgPool2d: "AveragePooling2D",
    nn.AdaptiveAvgPool2d: "AdaptiveAveragePooling2D",
    nn.BatchNorm2d: "BatchNormalization",
    nn.LocalResponseNorm: "Lambda",  # Keras has no such layer: articles wrap tf.nn.local_response_normalization
    nn.ReLU: "Activation",
    nn.LeakyReLU: "LeakyReLU",
    nn.Tanh: "Activation",
    nn.Sigmoid: "Activation",
    nn.Dropout: "Dropout",
    nn.Flatten: "Flatten",
    nn.Reshape: "Reshape",
    nn.Add: "Add",
    nn.Multiply: "Multiply",
    nn.Concat: "Concatenate",
    nn.Softmax: "Activation",
    nn.Call: "Lambda",
    nn.Identity: "Identity",
}
# How many layers of each kind had been made before: Keras numbers all layers of a session. The published output is
# from a session in which the network had been built four times, and three convolutions besides.
COUNTERS = {
    "published": {
        "Sequential": 4,
        "Conv2D": 23,
        "BatchNormalization": 20,
        "MaxPooling2D": 12,
        "Flatten": 4,
        "Dense": 8,
        "Dropout": 4,
    },
    "fresh": {},
}


def keras_summary(rows, counters):
    """The output of Keras's model.summary().

    rows: the models.layout.layout of the network.
    counters: how layers are numbered, "published" or "fresh", see COUNTERS.

    Returns the text.
    """
    made = dict(COUNTERS[counters])
    total, trainable = sum(row.parameters for row in rows), sum(row.trainable for row in rows)
    lines = [f'Model: "{_name("Sequential", made)}"', "_" * WIDTH]
    lines += [*_lines("Layer (type)", "Output Shape", "Param #"), "=" * WIDTH]
    for kind, shape, parameters in _layers(rows):
        lines += [*_lines(f"{_name(kind, made)} ({kind})", _channels_last(shape), str(parameters)), " " * WIDTH]
    lines += ["=" * WIDTH, f"Total params: {total:,}", f"Trainable params: {trainable:,}"]
    return "\n".join([*lines, f"Non-trainable params: {total - trainable:,}", "_" * WIDTH])


def padding_word(window):
    """The name of a padding in Keras: "valid" (none), "same" (TensorFlow's), or None for any other.

    window: a window.Window. Where ceil mode's last windows reach beyond the edge, that counts as padding, as in "same".
    """
    reached = [
        (before, max(after, padded - before - n))
        for n, (before, after), padded in zip(window.size, window.padding, window.padded)
    ]
    if reached == [(0, 0), (0, 0)]:
        return "valid"
    same = Window.over(window.size, window.kernel, window.stride, "same", window.dilation)
    return "same" if reached == [*same.padding] else None


def _layers(rows):
    """(kind, output shape, parameters) of each layer in Keras."""
    for before, row in zip([None, *rows], rows):
        kind = next((name for layer, name in KINDS.items() if isinstance(row.layer, layer)), type(row.layer).__name__)
        if kind == "Activation" and before is not None and has_weights(before.layer):
            continue
        if isinstance(row.layer, WINDOWED):
            window = window_of(row.layer, row.input)
            if padding_word(window) is None:
                size = (n + sum(sides) for n, sides in zip(window.size, window.padding))
                yield "ZeroPadding2D", (row.input[0], *size), 0
        yield kind, row.output, row.parameters


def _name(kind, made):
    """Keras's name for the next layer of a kind: batch_normalization, batch_normalization_1, ..."""
    snake = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", kind)
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
    number = made.get(kind, 0)
    made[kind] = number + 1
    return f"{snake}_{number}" if number else snake


def _channels_last(shape):
    return str((None, *shape[1:], shape[0]))


def _lines(*texts):
    """A row as lines of WIDTH characters; text that does not fit into its column continues on the next line."""
    cells = [*texts]
    while any(cells):
        line = " "
        for i, (start, end) in enumerate(zip((0, *ENDS), ENDS)):
            fits = end - start - (2 if end != WIDTH else 0)
            line += cells[i][:fits] + ("  " if cells[i][fits:] else "")
            line, cells[i] = line.ljust(end), cells[i][fits:]
        yield line
