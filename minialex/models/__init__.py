"""Published networks by name: `build("alexnet")`. Each is a table of layers, in a file for its family."""

from __future__ import annotations

from typing import Any

from ..nn import Sequential
from . import alexnet, arguments, cifar, dl4j, graph, keras, own, released, shapes, torchvision
from .preset import Preset, Recipe

PRESETS = {
    "shapes_net": shapes.SHAPES_NET,
    "cifar_quick": cifar.CIFAR_QUICK,
    "cifar_18pct": cifar.CIFAR_18PCT,
    "alexnet": alexnet.ALEXNET,
    "alexnet_2012": released.ALEXNET_2012,
    "alexnet_2012_one_gpu": released.ALEXNET_2012_ONE_GPU,
    "alexnet_caffe": alexnet.ALEXNET_CAFFE,
    "alexnet_merged": keras.ALEXNET_MERGED,
    "alexnet_pad2": torchvision.ALEXNET_PAD2,
    "alexnet_torchvision": torchvision.ALEXNET_TORCHVISION,
    "alexnet_keras_bn": keras.ALEXNET_KERAS_BN,
    "alexnet_keras_bn10": keras.ALEXNET_KERAS_BN10,
    "alexnet_dl4j": dl4j.ALEXNET_DL4J,
}

__all__ = ["PRESETS", "Preset", "Recipe", "arguments", "build", "get_preset"]


def get_preset(name: str) -> Preset:
    """The Preset of a network.

    name: a key of PRESETS, or that of a registered network of the user's own, see own.py.

    Raises ValueError for another name.
    """
    if name in own.REGISTERED:
        return own.REGISTERED[name]
    if own.is_reference(name):
        raise own.missing(name)
    if name == graph.NAME:
        return graph.PRESET
    if name not in PRESETS:
        raise ValueError(f"unknown model {name!r}; choose one of {', '.join(PRESETS)}, or FILE.py:FUNCTION")
    return PRESETS[name]


def build(name: str, **arguments: Any) -> Sequential:
    """Build a network with its authors' initial values.

    name: as in get_preset.
    arguments: of the network's function, such as num_classes.

    Returns a Sequential, of a network of the user's own any Module; its `input_shape` is that of one image, (3, H, W).
    Raises ValueError for an unknown name.
    """
    preset = get_preset(name)
    model = preset.build(**arguments)
    side = arguments.get("input_size") or preset.input_size
    model.input_shape = (3, side, side) if side else None
    return model
