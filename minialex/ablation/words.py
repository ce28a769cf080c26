"""The words of `--without` and `--adding`: what exactly each one changes, and what the same change did in 2012.

Measured is the difference in error on ImageNet, in percentage points, as the notes at the end of the released source's
layer-params-*.cfg give it: with several views, on the validation pictures of ILSVRC-2012, minus configuration 145's
40.664 % (top 1) and 18.210 % (top 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .. import models


@dataclass(frozen=True)
class Published:
    """What was measured in 2012: differences in top-1 and top-5 error in percentage points, and where they are from."""

    top1: float
    top5: float
    source: str


@dataclass(frozen=True)
class Word:
    """One change.

    meaning: what it changes, exactly.
    set: {argument of the network's function: value}.
    train: {field of the training's Recipe: value}.
    model: {network: the one that takes its place}.
    part: what a network must have, for the sentence on one that has not.
    networks: those that may have it; () for all that have the arguments.
    published: Published, or None where nobody has said.
    adds: whether it is for `--adding`, not for `--without`.
    """

    meaning: str
    part: str
    set: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)
    published: Published | None = None
    adds: bool = False
    networks: tuple[str, ...] = ()


_RELEASED = ("alexnet_2012", "alexnet_2012_one_gpu")
_OTHERWISE = "trained by another schedule than 145"

WORDS = {
    "lrn": Word(
        "no normalisation at all; configuration 148, without the two across channels and the one over pixels",
        "normalisation",
        set={"norm": "none"},
        published=Published(1.370, 1.152, "layer-params-148.cfg; the paper, section 3.3: 1.4 and 1.2"),
    ),
    "lrn2": Word(
        "no normalisation in layer 2, neither across channels nor over pixels; configuration 167",
        "two normalisations in layer 2",
        set={"norm": "layer1"},
        networks=_RELEASED,
        published=Published(
            -0.176, -0.092, f"layer-params-167.cfg, {_OTHERWISE}; minus 169, trained more alike: -0.11 and +0.01"
        ),
    ),
    "rectified-lrn2": Word(
        "the ReLU of layer 2 behind its normalisations and its pool, not before them; configuration 166",
        "normalisation behind a ReLU in layer 2",
        set={"norm": "signed"},
        networks=_RELEASED,
        published=Published(0.432, 0.464, f"layer-params-166.cfg, {_OTHERWISE}"),
    ),
    "overlap": Word(
        "pools of 2 x 2, not 3 x 3, in steps of 2; in configuration 147, so in alexnet_2012, padding changes, too: of "
        "conv2 from 2 to 1, of conv5 from 1 to 0",
        "overlapping pools",
        set={"overlap": False},
        published=Published(0.394, 0.300, "layer-params-147.cfg; the paper, section 3.4: 0.4 and 0.3"),
    ),
    "groups": Word(
        "conv2, conv4, conv5 and windows of normalisation see the maps of both GPUs, with 1.4 million more weights; "
        "ours: nobody measured it",
        "groups",
        set={"columns": "merged"},
    ),
    "communication": Word(
        "conv3 sees the maps of its own GPU alone, and conv2 has 160 maps on each, as in configuration 150; there fc6 "
        "and fc7, too, are apart, with 4096 and 2048 units on each GPU, here they are as in 145",
        "two columns",
        set={"columns": "apart"},
        published=Published(1.164, 1.120, "layer-params-150.cfg, fully connected layers apart, too"),
    ),
    "second-gpu": Word(
        "the network for one GPU, configuration 145-half: half the kernels in conv1 to conv4",
        "second GPU",
        model={"alexnet_2012": "alexnet_2012_one_gpu"},
        published=Published(
            1.695, 1.230, "layer-params-145-half.cfg minus 145-2010, test of ILSVRC-2010; the paper, 3.2: 1.7 and 1.2"
        ),
    ),
    "dropout": Word(
        "no dropout; the paper, section 4.2, says without a number that the network overfits",
        "dropout",
        set={"dropout": "none"},
    ),
    "color": Word(
        "no noise along the principal axes of colour; the paper, section 4.1: it is worth over 1 point of top-1 error",
        "colour noise",
        train={"color_noise": 0.0},
    ),
    "flip": Word("pictures are not mirrored", "mirroring", train={"flip": False}),
    "relu": Word(
        "tanh in the place of every ReLU; the learning rate and initial values as they are",
        "ReLUs",
        set={"nonlinearity": "tanh"},
    ),
    "decay": Word(
        "no weight decay; the paper, section 5, says without a number that it lowers the training error, too",
        "weight decay",
        train={"weight_decay": 0.0},
    ),
    "momentum": Word("no momentum, at the same learning rate", "momentum", train={"momentum": 0.0}),
    "ones": Word(
        "all biases start at 0; in the paper, section 5, some at 1, so that ReLUs have positive inputs at first",
        "biases at 1",
        train={"init_bias": {"all": 0.0}},
        networks=("alexnet", *_RELEASED),
    ),
    "conv4-dropout": Word(
        "dropout behind conv4, which keeps 0.8 of its outputs; configuration 177",
        "place for dropout behind conv4",
        set={"conv_dropout": 0.2},
        published=Published(0.026, 0.090, f"layer-params-177.cfg, {_OTHERWISE}"),
        adds=True,
    ),
}


def missing(word: str, model: str, arguments: dict[str, Any], recipe: models.Recipe) -> str:
    """Why a word means nothing for a network: one sentence, or "" where it does mean something.

    word: a key of WORDS.
    model: a key of models.PRESETS.
    arguments: those that the network is built with, where they are not its defaults.
    recipe: by which it is trained.
    """
    change = WORDS[word]
    able = [name for name in models.PRESETS if _can_change(name, change)]
    if model not in able:
        sentence = f"{model} has no {change.part} that can be changed: leave {word} out"
        return f"{sentence}, or choose base=... of {', '.join(able)}"
    has = models.arguments.defaults(models.get_preset(model)) | arguments
    if any(has[name] == value for name, value in change.set.items()):
        return (
            f"{model} is so already, with {', '.join(f'{name}={has[name]}' for name in change.set)}: leave {word} out"
        )
    if any(getattr(recipe, name) == value for name, value in change.train.items()):
        return f"{model} is trained without {change.part}: leave {word} out"
    return ""


def _can_change(model, change):
    """Whether a network has the arguments of a Word, and is one of those that it is for."""
    known = models.arguments.defaults(models.get_preset(model))
    networks = change.networks or change.model or models.PRESETS
    return model in networks and all(name in known for name in change.set)
