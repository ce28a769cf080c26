"""An explanation of a network: its differences from the paper's, and the calculation of each of its sizes."""

from __future__ import annotations

import math

from .. import nn
from ..models.layout import WINDOWED, has_weights, of_one_output, window_of
from .tables import by, kind_of

FORMULA = """\
  output = floor((input + before + after - dilation * (kernel - 1) - 1) / stride) + 1
  (before, after: padding; a pool in ceil mode rounds up instead)
  parameters = filters * channels a filter sees * kernel height * kernel width + biases
  MACs = outputs * inputs of one output"""


def explain(name, preset, rows):
    """Explain a network: its differences from the paper's, then the calculation of every layer's sizes.

    name: of the network.
    preset: its models.Preset.
    rows: its models.layout.layout.

    Returns the text.
    """
    lines = [f"{name}: {preset.summary}", ""]
    if preset.differs:
        lines += ["Compared with the paper's network:", *(f"  * {text}" for text in preset.differs), ""]
    lines += ["How sizes are calculated:", FORMULA, ""]
    for row in rows:
        kind = kind_of(row.layer)
        if row.output == row.input and not has_weights(row.layer):
            lines.append(f"{row.name}, {kind}: {by(row.output)}, unchanged")
        else:
            lines.append(f"{row.name}, {kind}: {by(row.input)} -> {by(row.output)}")
        lines += [f"  {step}" for step in steps(row)]
    return "\n".join(lines)


def steps(row):
    """The equations of a layer's sizes, one per line; row: of models.layout.layout."""
    if isinstance(row.layer, WINDOWED):
        yield from _sizes(row)
    elif isinstance(row.layer, nn.AdaptiveAvgPool2d):
        yield f"output size {by(row.output[1:])} is given: each output is the mean of its share of {by(row.input[1:])}"
    elif isinstance(row.layer, nn.Flatten):
        yield f"outputs = {_times(row.input)} = {row.output[-1]:,}"
    if has_weights(row.layer):
        yield from _weights(row)
    elif row.parameters:
        each, channels = row.parameters // row.output[0], row.output[0]
        yield f"parameters = {each} per channel * {channels} = {row.parameters:,}, of which {row.trainable:,} trainable"


def _sizes(row):
    """Height and width, in one line where they are equal."""
    window = window_of(row.layer, row.input)
    is_same, ceil = row.layer.__dict__.get("padding") == "same", getattr(row.layer, "ceil_mode", False)
    directions = [*zip(window.size, window.kernel, window.stride, window.padding, window.dilation, window.output)]
    labels = ["height and width"] if directions[0] == directions[1] else ["height", "width"]
    for label, (n, k, s, (before, after), d, out) in zip(labels, directions):
        if is_same:
            wanted = f"max((ceil({n} / {s}) - 1) * {s} + {d} * ({k} - 1) + 1 - {n}, 0)"
            yield f'padding "same" = {wanted} = {before + after}, {before} before and {after} after'
        span = n + before + after - d * (k - 1) - 1
        rounding, quotient = ("ceil", -(-span // s)) if ceil else ("floor", span // s)
        written = f"({n} + {before} + {after} - {d} * ({k} - 1) - 1)"
        yield (
            f"{label} = {rounding}({written} / {s}) + 1 = {rounding}({span} / {s}) + 1 "
            f"= {quotient} + 1 = {quotient + 1}"
        )
        if out != quotient + 1:
            yield f"{label} = {quotient + 1} - 1 = {out}: the last window would start outside the input"


def _weights(row):
    layer, weight, inputs = row.layer, row.layer.weight.shape, of_one_output(row.layer)
    if getattr(layer, "groups", 1) > 1:
        yield f"channels a filter sees = {layer.in_channels} / {layer.groups} = {inputs[0]}"
    if isinstance(layer, nn.Local2d):
        yield f"filters = {_times(weight[:2])} places * {layer.out_channels} = {math.prod(weight[:3]):,}"
        weight = (math.prod(weight[:3]), *inputs)
    biases = f" + {weight[0]}" if layer.bias is not None else ""
    yield f"parameters = {_times(weight)}{biases} = {row.parameters:,}"
    yield f"MACs = {_times(row.output)} * {_times(inputs)} = {row.macs:,}"


def _times(numbers):
    return " * ".join(map(str, numbers))
