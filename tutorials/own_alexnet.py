"""A learner's AlexNet beside section 3.5 of the paper, layer by layer: exercise 8.1.

The layers that it is compared with are those of the preset `alexnet`; what is said about a wrong one is what the paper
says about that layer, and which number of it to look at.
"""

from __future__ import annotations

from typing import NamedTuple

from minialex import models, nn
from minialex.models.layout import layout, window_of
from minialex.nn import init
from minialex.window import pair

PICTURE = 3, 227, 227

_RELU = "The ReLU is applied to the output of every convolutional and fully connected layer."
_LRN = "Response normalisation follows the first and the second convolutional layer, behind their ReLUs (section 3.3)."
_POOL = "Max-pooling follows both normalisations and the fifth convolutional layer; it overlaps (section 3.4)."
_DROP = "Dropout is used in the first two fully connected layers (section 4.2), on what their ReLUs give."
PAPER = {  # layer: what the paper says about it
    "conv1": "The first convolutional layer filters the picture with 96 kernels of 11 x 11 x 3, 4 pixels apart.",
    "norm1": _LRN,
    "norm2": _LRN,
    "pool1": _POOL,
    "pool2": _POOL,
    "pool5": _POOL,
    "conv2": "The second takes the normalised and pooled output of the first; it has 256 kernels of 5 x 5 x 48.",
    "conv3": "The third has 384 kernels of 3 x 3 x 256, connected to all maps of the second; no pool stands between 3, "
    "4 and 5.",
    "conv4": "The fourth has 384 kernels of 3 x 3 x 192.",
    "conv5": "The fifth has 256 kernels of 3 x 3 x 192.",
    "flatten": "A fully connected layer takes vectors: the maps of the last pool are laid out as one.",
    "fc6": "The fully connected layers have 4096 neurons each.",
    "fc7": "The fully connected layers have 4096 neurons each.",
    "fc8": "The last one feeds a 1000-way softmax, which the loss contains.",
    "drop6": _DROP,
    "drop7": _DROP,
}
QUESTIONS = {  # attribute: what to ask oneself about it
    "in_channels": "how many maps does the layer before it give?",
    "out_channels": "how many kernels are there?",
    "kernel_size": "how many pixels does its window cover?",
    "stride": "how far apart are its windows?",
    "padding": "the paper leaves it out; which one gives the maps the size that they have in its figure 2, {output}?",
    "groups": "the depth of a kernel is in_channels / groups; which depth does the paper print?",
    "dilation": "the pixels of a window lie side by side.",
    "in_features": "how many numbers does the layer before it give?",
    "out_features": "how many neurons are there?",
    "bias": "every kernel and every neuron has one.",
    "size": "over how many maps does the sum go? (n)",
    "a": "does alpha multiply the sum of squares, as in the paper's formula, or their mean? (alpha_over)",
    "beta": "which exponent does the denominator have?",
    "k": "which constant stands in the denominator?",
    "within_channel": "the sum goes over neighbouring maps, not over places.",
    "ceil_mode": "sizes are rounded down here.",
    "p": "which share of the neurons is silent?",
}
_ATTRIBUTES = {
    nn.Conv2d: ("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups", "padding", "bias"),
    nn.Linear: ("in_features", "out_features", "bias"),
    nn.LocalResponseNorm: ("size", "a", "beta", "k", "within_channel"),
    nn.MaxPool2d: ("kernel_size", "stride", "padding", "ceil_mode"),
    nn.Dropout: ("p",),
}


class Verified(NamedTuple):
    """right: True, False, or None while layers are missing and none is wrong; text: what the learner is told."""

    right: bool | None
    text: str


def verify(layers):
    """The Verified of a list of layers, of which the first wrong one counts; `...` at its end stands for the rest."""
    if not isinstance(layers, (list, tuple, nn.Sequential)):
        return Verified(False, f"a list of layers is asked for, this is a {type(layers).__name__}.")
    given = [layer for layer in layers if layer is not ...]
    lines = [""]
    with init.skipped():
        paper = list(models.build("alexnet").named_children())
    rows = layout(nn.Sequential(*(layer for _, layer in paper)), PICTURE)
    for number, ((name, wanted), row, layer) in enumerate(zip(paper, rows, given), 1):
        problem = _problem(layer, wanted, row)
        if problem:
            lines.append(f"{number:3} {name:8} not yet: {problem}\n             {PAPER.get(name, _RELU)}")
            return Verified(False, "\n".join(lines))
        lines.append(f"{number:3} {name:8} {' x '.join(map(str, row.output))}")
    if len(given) > len(paper):
        return Verified(False, "\n".join([*lines, f"The paper's network ends with {paper[-1][0]}: you have more."]))
    if len(given) < len(paper):
        name = paper[len(given)][0]
        lines[0] = f"not answered yet, but for {len(given)} of the {len(paper)} layers:"
        return Verified(None, "\n".join([*lines, f"{len(given) + 1:3} next: {PAPER.get(name, _RELU)}"]))
    return Verified(True, "\n".join(["right. That is AlexNet:", *lines[1:]]))


def _problem(layer, wanted, row):
    """What is wrong with a layer, in a sentence; None if nothing is."""
    if type(layer) is not type(wanted):
        what = f"a {type(layer).__name__}" if isinstance(layer, nn.Module) else f"{layer!r}, which is no layer"
        return f"this is {what}."
    for name in _ATTRIBUTES.get(type(wanted), ()):
        value = _value(layer, name, row)
        if value != _value(wanted, name, row):
            question = QUESTIONS[name].format(output=" x ".join(map(str, row.output[1:])))
            said = {"a": "alpha", "bias": "bias"}.get(name, f"{name} is {getattr(layer, name, value)}")
            return f"{said}: {question}"
    return None


def _value(layer, name, row):
    """An attribute, so that two layers which compute the same have the same."""
    if name == "a":  # what multiplies the sum of squares
        return layer.alpha / (1 if layer.alpha_over == "element" else layer.size)
    if name == "bias":
        return layer.bias is not None
    if name == "padding":
        return window_of(layer, row.input).padding
    value = getattr(layer, name)
    return pair(value, name) if name in ("kernel_size", "stride", "dilation") else value
