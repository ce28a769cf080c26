"""Published networks by name: `build("alexnet")`. Each is a table of layers, in a file for its family."""

from __future__ import annotations

import importlib
from typing import Any

from ..nn import Sequential, init
from ..support.types import FileName
from . import alexnet, arguments, cifar, cifar_local, dl4j, graph, keras, own, published, released, shapes, torchvision
from .preset import Preset, Recipe

PRESETS = {
    "shapes_net": shapes.SHAPES_NET,
    "cifar_quick": cifar.CIFAR_QUICK,
    "cifar_18pct": cifar.CIFAR_18PCT,
    "cifar_13pct": cifar_local.CIFAR_13PCT,
    "cifar_11pct": cifar_local.CIFAR_11PCT,
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

__all__ = ["PRESETS", "Preset", "Recipe", "arguments", "build", "get_preset", "published"]


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


def build(
    name: str, *, weights: str | None = None, weights_dir: FileName | None = None, **arguments: Any
) -> Sequential:
    """Build a network with its authors' initial values, or with published weights.

    name: as in get_preset.
    weights: "published" for trained weights, which are downloaded unless they are there already, or one of several by
        their name in published.py, such as "torchvision"; None for initial values.
    weights_dir: folder where the file of weights is, or is put; a folder in the cache by default.
    arguments: of the network's function, such as num_classes.

    Returns a Sequential, of a network of the user's own any Module; its `input_shape` is that of one image, (3, H, W).
    Raises ValueError for an unknown name, or weights that do not fit; OSError where they cannot be downloaded.
    """
    preset = get_preset(name)
    if name in own.REGISTERED:  # a function of the user's own may have such arguments
        given = {"weights": weights, "weights_dir": weights_dir}
        arguments |= {argument: value for argument, value in given.items() if value is not None}
        weights = None
    if weights is None:
        model = preset.build(**arguments)
    else:
        published.of_preset(name, weights)  # raises before anything is built
        with init.skipped():
            model = preset.build(**arguments)
        # by its name, since models know nothing of files and downloads, which are further up
        importlib.import_module("minialex.convert.published").fill(model, name, weights, weights_dir)
    side = arguments.get("input_size") or preset.input_size
    model.input_shape = (3, side, side) if side else None
    return model
