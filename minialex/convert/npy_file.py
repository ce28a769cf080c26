"""Reading .npy files of a dict of layers, such as bvlc_alexnet.npy, which caffe-tensorflow makes of Caffe's weights.

    np.save(path, {layer: [weights, biases]})               or {layer: {"weights": array, "biases": array}}
    np.savez(path, {layer: ...}), np.savez(path, **{layer: ...})

The file is NumPy's header of an array of one Python object, and the pickle of that array. A convolution's weights are
(H, W, I / groups, O), a fully connected layer's (in, out); the rows of the first one are in the order of TensorFlow's
maps: row, column, channel. Images are in Caffe's order, BGR, from 0 to 255 less (104, 117, 124).

https://github.com/ethereon/caffe-tensorflow, kaffe/transformers.py, DataReshaper; examples/imagenet/models/helper.py
http://www.cs.toronto.edu/~guerzhoy/tf_alexnet/ publishes bvlc_alexnet.npy: Caffe's weights, by caffe-tensorflow. Its
myalexnet_forward.py changes images to BGR, too, but subtracts their own mean, and pads conv1, which Caffe does not.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re

import numpy as np

from ..data import Normalize
from ..support import npz
from ..support.text import brief, printable
from .layouts import dense_from_keras, kernel_from_keras
from .members import Members
from .pickled import NAMES, Objects
from .pickles import Damaged, NotRun, load

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_HEADER = 2**16  # bytes, of which a header has less
_PARTS = {  # {name in the file: name in a state dict}
    **{"weights": "weight", "biases": "bias", "scale": "weight", "offset": "bias"},
    **{"mean": "running_mean", "variance": "running_var"},
}


def caffe_normalization():
    """The Normalize with which caffe-tensorflow's examples classify: means of red, green and blue."""
    return Normalize(np.array([124.0, 117.0, 104.0])[:, None, None])


def read(path):
    """Read the weights in a .npy file of a dict of layers.

    path: of the file.

    Returns {name: array} in torch's layout, under names such as conv1.weight; the channels of the input are as in the
    file.
    Raises OSError where the file cannot be read, ValueError where it is damaged, or holds something else.
    """
    return _read(path, _layers_of_npy)


def read_npz(path):
    """Read the weights in a .npz file of Python objects: np.savez(path, layers), or np.savez(path, **layers).

    path: of the file.

    Returns {name: array}, and raises errors, as `read` does.
    """
    return _read(path, _layers_of_npz)


def _read(path, layers):
    try:
        return _state_dict(layers(path))
    except NotRun as error:
        raise ValueError(f"{path} holds {error}: save a dict of arrays") from None
    except Damaged as error:
        raise ValueError(f"{path} is cut short or damaged, or does not hold a dict of layers ({error})") from None


def _layers_of_npy(path):
    with open(path, "rb") as file:
        content = file.read(_HEADER)
        start = _start(content)
        content += file.read()
    found = _object(content, start, npz.allowance(len(content)))
    if not isinstance(found, dict):
        raise Damaged("it holds Python objects that are not a dict of layers")
    return found


def _layers_of_npz(path):
    memory = npz.allowance(os.path.getsize(path))
    layers = {}
    with contextlib.closing(Members(path, memory)) as members:
        for name in members.names:
            content = members.read(name)
            share = memory // len(members.names) + 4 * len(content)
            layers[name.removesuffix(".npy")] = _object(content, _start(content), share)
    values = [*layers.values()]
    return values[0] if len(values) == 1 and isinstance(values[0], dict) else layers


def _start(content):
    """Where the pickle begins in the bytes of a NumPy file, behind the header of an array of objects."""
    file = io.BytesIO(content[:_HEADER])
    try:
        version = np.lib.format.read_magic(file)
        shape, _, dtype = _HEADERS[version](file)
    except MemoryError:  # raised by the compiler for a text that nests too deeply
        raise Damaged("its header is not that of an array") from None
    except Exception as error:  # NumPy raises many kinds of errors for a damaged header
        raise Damaged(f"its header is not that of an array: {brief(error)}") from None
    if not dtype.hasobject:
        raise Damaged(f"it holds an array {shape} of {dtype}, and not a dict of layers: np.savez writes several arrays")
    return file.tell()


def _object(content, start, memory):
    """The object that is pickled from there on; Objects where it is an array of several."""
    found, _ = load(content, NAMES, start=start, memory=memory)
    if not isinstance(found, Objects):
        raise Damaged("the pickle behind its header is not of an array")
    return found.items[0] if len(found.items) == 1 else found


def _state_dict(layers):
    """{name: array} of {layer: arrays}."""
    if not layers:
        raise Damaged("its dict is empty")
    named = {str(name): _parts(str(name), layers[name]) for name in sorted(layers, key=_natural)}
    weights = {name: parts["weight"] for name, parts in named.items() if "weight" in parts}
    convolutions = [weight for weight in weights.values() if weight.ndim == 4]
    first = next((name for name, weight in weights.items() if weight.ndim == 2), None)
    arrays = {}
    for name, parts in named.items():
        for part, array in parts.items():
            if part == "weight" and array.ndim == 4:
                array = kernel_from_keras(array)
            elif part == "weight" and array.ndim == 2:
                maps = _maps(name, len(array), convolutions[-1].shape[3]) if convolutions and name == first else None
                array = dense_from_keras(array, maps)
            arrays[f"{name}.{part}"] = array
    return arrays


def _natural(name):
    """Names in the order of the numbers in them: conv2 before conv10."""
    return [int(part[-18:]) if part.isdecimal() else part for part in re.split(r"(\d+)", str(name))]


def _parts(name, value):
    """{name in a state dict: array} of a layer."""
    shown = printable(name[:100])
    if isinstance(value, Objects):
        value = value.items
    if isinstance(value, (list, tuple)):
        value = dict(zip(("weights", "biases"), value)) if len(value) <= 2 else None
    if not isinstance(value, dict) or not value or not {*value} <= {*_PARTS}:
        raise Damaged(f"{shown} is not a list of weights and biases, nor a dict of {', '.join(_PARTS)}")
    parts = {}
    for key, array in value.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            raise Damaged(f"the {key} of {shown} are not an array of numbers")
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if array.ndim not in (1, 2, 4) or (key != "weights" and array.size != max(array.shape, default=0)):
            raise Damaged(f"the {key} of {shown} have the shape {array.shape}")
        parts[_PARTS[key]] = array if key == "weights" else array.reshape(-1).copy()
    if len(parts) != len(value):
        raise Damaged(f"{shown} has two arrays of one kind")
    return parts


def _maps(name, inputs, channels):
    """(C, H, W) of the square maps that were flattened before the first fully connected layer."""
    side = math.isqrt(inputs // channels) if channels else 0
    if not side or side * side * channels != inputs:
        raise Damaged(
            f"{printable(name[:100])} has {inputs:,} inputs, which are no square maps of {channels:,} channels"
        )
    return channels, side, side
