"""What the exercises of lesson 8 expect, and what goes wrong in them."""

from __future__ import annotations

import math

import own_alexnet
from exercises import Exercise

from minialex import models, nn
from minialex.nn import init


def receptive_field(layers):
    """Solution of 8.4."""
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field


def _own_stride_first(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        jump *= stride
        field += (kernel - 1) * jump
    return field


def _from_the_top(layers):
    return receptive_field(layers[::-1])


_POOL = (3, 2)
_TO_POOL5 = [(11, 4), _POOL, (5, 1), _POOL, (3, 1), (3, 1), (3, 1), _POOL]


def _alexnet(number=0, layer=None):
    """The paper's layers, which are given no values; or with another one in place of a layer."""
    with init.skipped():
        layers = list(models.build("alexnet"))
        return [*layers[:number], layer(), *layers[number + 1 :]] if layer else layers


EXERCISES = {
    "8.1": Exercise(
        _alexnet(),
        judged=own_alexnet.verify,
        mistakes=(
            (_alexnet(0, lambda: nn.Conv2d(3, 64, 11, stride=4)), "how many kernels"),
            (_alexnet(2, lambda: nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0)), "or their mean"),
            (_alexnet(3, lambda: nn.MaxPool2d(2, 2)), "how many pixels does its window cover"),
            (_alexnet(4, lambda: nn.Conv2d(96, 256, 5, padding=2)), "which depth does the paper print"),
            (_alexnet(4, lambda: nn.Conv2d(96, 256, 5, groups=2)), "27 x 27"),
        ),
        hints=(
            "Convolution, ReLU, normalisation, pooling, twice; then three convolutions in a row, each with its ReLU; "
            "then the last pooling, and the layers of neurons.",
            "A kernel's depth, such as 48, is the number of maps below it divided by groups.",
            "All five paddings are 0, 2, 1, 1, 1; only conv1 has a stride; conv2, conv4 and conv5 have two groups.",
        ),
    ),
    "8.2": Exercise(
        51_380_224,
        (
            (37_748_736, "That is fc6 of the usual network. The larger picture makes the last map larger than 6 x 6."),
            (51_384_320, "The weights are right; the 4,096 biases were not asked for."),
            (67_108_864, "A last map of 8 x 8 has been rounded up. Every size is rounded down."),
            (12_544, "These are the inputs of fc6. Each of its 4,096 outputs has a weight for each of them."),
            (200_704, "fc6 sees all 256 maps of pool5, not one of them."),
            (43_264 * 4096, "A last map of 13 x 13 stands before pool5. fc6 sees what pool5 makes of it."),
        ),
        right="13.6 million more, for 32 pixels more.",
        tolerance=1e-9,
        hints=(
            "fc6 has a weight for each number that it sees, for each of its outputs. How large is the last map now?",
            "Walk with the formula of the lesson: conv1 and the three pools change the size, each rounded down.",
            "63, 31, 15, 7: 256 maps of 7 x 7, and 4,096 outputs.",
        ),
    ),
    "8.3": Exercise(
        56_909_194,
        (
            (56_909_184, "The ten new outputs have biases, too."),
            (60_964_234, "Only the biases have gone: each of the thousand outputs had 4,096 weights as well."),
            (56_868_224, "The old layer is off. The new one, of ten outputs, is still to be added."),
            (56_910_184, "fc8 had a thousand biases, which go with it."),
            (61_006_194, "The new layer stands beside the old one: take that off first."),
            (56_910_194, "The new layer is right. fc8's thousand biases are still counted."),
        ),
        right="The preset alexnet with num_classes=10 counts the same.",
        tolerance=1e-9,
        hints=(
            "Which numbers go with fc8, and which come with the new layer?",
            "A fully connected layer of O outputs has O (4096 + 1) numbers.",
            "From 60,965,224 take off 1000 * 4097, and add 10 * 4097.",
        ),
    ),
    "8.4": Exercise(
        receptive_field,
        (
            (_own_stride_first, "A layer's stride moves its outputs apart, not the inputs it sees: multiply after."),
            (lambda layers: 1 + sum(k - 1 for k, _ in layers), "The strides below widen what is above: use them."),
            (lambda layers: sum(k for k, _ in layers), "A window of K adds K - 1 neighbours, times the strides below."),
            (_from_the_top, "The strides *below* a layer count: walk from the picture up."),
            (lambda layers: receptive_field(layers) - 1, "The pixel itself counts: begin with 1."),
            (
                lambda layers: math.prod(s for _, s in layers),
                "That is how far apart two neighbouring outputs are, in pixels. How wide is what one of them sees?",
            ),
        ),
        cases=(([(11, 4), (3, 2)],), ([(3, 1), (3, 1)],), ([(5, 2), (3, 3), (4, 1)],), (_TO_POOL5,)),
        right="An output of pool5 sees 195 of the 227 pixels, if none of it lies in the padding.",
        hints=(
            "Keep two numbers while you walk up: how wide the field is, and how far apart neighbours are, in pixels.",
            "A window of K widens the field by K - 1 steps of the present distance; its stride then multiplies the "
            "distance.",
            "field, jump = 1, 1; for each layer: field += (kernel - 1) * jump, and after that jump *= stride.",
        ),
    ),
    "8.5": Exercise(
        2_067_805_248,
        (
            (2_173_220_448, "Three times forward. One layer's input needs no gradient: which one is nobody's output?"),
            (1_343_398_432, "That is backward alone. The step goes forward first."),
            (1_448_813_632, "Forward and one product backward. There are two: for the weights and for the input."),
            (1_962_390_048, "conv1's weights do need their gradient; only its input, the picture, does not."),
            (2_169_124_448, "fc8's input is the output of fc7, which wants its gradient. Look at the other end."),
        ),
        right="2.9 times forward: that is why backward's bars were longer.",
        tolerance=1e-9,
        hints=(
            "Forward, and two products backward. Whose gradient does nobody ask for?",
            "Three times forward, less one product of the first layer: the picture is not going to be changed.",
            "3 * 724_406_816 less conv1's MACs, which the table of the lesson has.",
        ),
    ),
    "8.6": Exercise(
        "conv4",
        mistakes=(
            ("conv1", "conv1 has no groups in the paper either."),
            ("conv2", "conv2 without groups would have 307,200 more."),
            ("conv3", "conv3 has no groups in the paper either."),
            ("conv5", "conv5 without groups would have 442,368 more."),
            ("fc6", "A fully connected layer has no groups."),
        ),
        hints=(
            "How many weights does a layer with two groups have, beside the same one without?",
            "Twice as many without. So which layer has as many weights as there are too many in all?",
            "Weights without biases: the difference has to be O times C/2 times K times K of one layer.",
        ),
    ),
}
