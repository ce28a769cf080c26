"""Writing files that Keras reads: keras.models.load_model(".h5" or ".keras"), model.load_weights(".weights.h5").

The network is a Sequential model, for images (H, W, C) that are normalised already; its output are logits. Its layers
have the same names, with underscores for dots. The layout of the files is in keras_weights.py; a .h5 has the form of
Keras 2, which Keras 3 reads too.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from .. import nn
from ..models.layout import layout, window_of
from ..support import files
from ..window import Window
from . import layouts
from .keras_weights import snake_case

_VERSION, _BACKEND = "2.15.0", "tensorflow"  # whose form of model_config and model_weights this is
_LARGEST_ATTRIBUTE = 64_512  # bytes; HDF5's limit is 64 KiB with everything around them
_SAME_NAME = {nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh", nn.SiLU: "silu", nn.Softplus: "softplus"}


def write(path, saved, weights_only=False):
    """Write a .h5 or .keras file, the network with its weights; or a .weights.h5 file, the weights for Keras 3.

    path: of the file.
    saved: a Checkpoint.
    weights_only: whether to leave the network out of a .h5 file: for load_weights.

    Raises ValueError, with the layer's name, for a layer without an exact equivalent in Keras.
    """
    name, rows = Path(path).name, layout(saved.build_model(), (3, saved.input_size, saved.input_size))
    layers, shape = to_layers(rows, saved.weights), rows[0].input
    if name.endswith((".weights.h5", ".keras")):
        content = _hdf5(_write_new, layers)
    else:
        content = _hdf5(_write_old, layers, None if weights_only else shape)
    with files.replacing(path) as file:
        if name.endswith(".keras"):
            _write_archive(file, _model(layers, shape, "keras.layers"), content)
        else:
            file.write(content)


def _hdf5(fill, *arguments):
    """The bytes of an HDF5 file that a function fills."""
    import h5py  # optional

    content = io.BytesIO()
    with h5py.File(content, "w") as root:
        fill(root, *arguments)
    return content.getbuffer()


def _model(layers, shape, module=None):
    """The JSON of a Sequential model; shape: of one image, (C, H, W); module: where Keras 3 has its layers."""
    inputs = {"batch_input_shape": [None, *shape[1:], shape[0]], "dtype": "float32"}
    described = [("input", "InputLayer", inputs, {}), *layers]
    where = {} if module is None else {"module": module, "registered_name": None}
    entries = [where | {"class_name": kind, "config": {"name": name} | config} for name, kind, config, _ in described]
    where = {} if module is None else where | {"module": "keras"}
    return json.dumps(where | {"class_name": "Sequential", "config": {"name": "minialex", "layers": entries}})


def _write_archive(file, model, weights):
    """A .keras file."""
    with zipfile.ZipFile(file, "w") as archive:
        metadata = json.dumps({"keras_version": "3.0.0"})
        members = {"metadata.json": metadata, "config.json": model, "model.weights.h5": weights}
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def _write_old(root, layers, shape):
    """Keras 2's form; shape: of one image, (C, H, W), or None for weights alone."""
    if shape is not None:
        root.attrs["model_config"] = _model(layers, shape)
        _version(root)
    group = root if shape is None else root.create_group("model_weights")
    _version(group)
    _names(group, "layer_names", [name for name, _, _, _ in layers])
    for name, _, _, arrays in layers:
        inside = group.create_group(name)
        _names(inside, "weight_names", [f"{name}/{part}:0" for part in arrays])
        for part, array in arrays.items():
            inside.create_dataset(f"{name}/{part}:0", data=array)


def _write_new(root, layers):
    """Keras 3's form of weights."""
    used = {}
    root.create_group("vars").attrs["name"] = "minialex"
    for name, kind, _, arrays in layers:
        kind = snake_case(kind)
        used[kind] = used.get(kind, -1) + 1
        group = root.create_group(f"layers/{kind}" + (f"_{used[kind]}" if used[kind] else "") + "/vars")
        group.attrs["name"] = name
        for number, array in enumerate(arrays.values()):
            group.create_dataset(str(number), data=array)


def _version(group):
    group.attrs["keras_version"], group.attrs["backend"] = _VERSION, _BACKEND


def _names(group, name, texts):
    """An attribute that is a list of texts, in parts where it is too long."""
    array = np.array([text.encode() for text in texts], f"S{max((len(t.encode()) for t in texts), default=1)}")
    parts = np.array_split(array, -(-len(array) // (_LARGEST_ATTRIBUTE // array.itemsize)) or 1)
    for number, part in enumerate(parts):
        group.attrs[name if len(parts) == 1 else f"{name}{number}"] = part


def to_layers(rows, weights):
    """[(name, class, config, {name: array})], Keras's layers that compute the same.

    rows: the models.layout.layout of a network.
    weights: its state dict.

    Raises ValueError as `write` does.
    """
    layers, maps, before = [], None, None
    for row in rows:
        try:
            if row.sources and before is not None and row.sources != (before,):
                raise ValueError("a network with branches cannot be written; .onnx can hold it")
            state = {
                name: weights[f"{row.name}.{name}"] for name in _STATE if getattr(row.layer, name, None) is not None
            }
            made = _layer(row, state, maps)
        except ValueError as error:
            raise ValueError(f"layer {row.name} ({type(row.layer).__name__}): {error}") from error
        if isinstance(row.layer, nn.Flatten):
            maps = row.input if len(row.input) == 3 else maps
        elif isinstance(row.layer, nn.Linear):
            maps = None
        layers += [(name.replace(".", "_"), *rest) for name, *rest in made]  # torch's backend of Keras has no dots
        before = row.name
    if len({name for name, *_ in layers}) < len(layers):
        raise ValueError("two of its layers have the same name, once dots are underscores")
    return layers


_STATE = ("weight", "bias", "running_mean", "running_var")


def _layer(row, state, maps):
    """Keras's layers for one of ours; state: {name: array}; maps: the image that was flattened before it, or None."""
    layer, name = row.layer, row.name
    if isinstance(layer, nn.Conv2d):
        return _convolution(row, layer, state)
    if isinstance(layer, nn.Linear):
        if len(row.input) != 1:
            raise ValueError("a fully connected layer of images cannot be written: Flatten before it")
        arrays = {"kernel": layouts.dense_to_keras(state["weight"], maps)}
        return [(name, "Dense", {"units": layer.out_features} | _bias(state, arrays), arrays)]
    if isinstance(layer, nn.BatchNorm2d):
        if not layer.track_running_stats or layer.momentum is None:
            raise ValueError("Keras's batch normalisation needs running statistics and a momentum")
        names = dict(zip(("weight", "bias", "running_mean", "running_var"), _BATCH_NORM))
        arrays = {names[key]: layouts.features_to_keras(array, maps) for key, array in state.items()}
        config = {"axis": -1, "momentum": 1 - layer.momentum, "epsilon": layer.eps}
        return [(name, "BatchNormalization", config | {"scale": "gamma" in arrays, "center": "beta" in arrays}, arrays)]
    if isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)):
        return [_pool(row, layer)]
    return [(name, kind, config, {}) for kind, config in _plain(row, layer)]


_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def _plain(row, layer):
    """(class, config) of a layer without weights; none for one that changes nothing."""
    kind = type(layer)
    if kind in _SAME_NAME:
        return [("Activation", {"activation": _SAME_NAME[kind]})]
    if kind is nn.LeakyReLU:
        return [("LeakyReLU", {"alpha": layer.negative_slope})]
    if kind is nn.ELU:
        return [("ELU", {"alpha": layer.alpha})]
    if kind is nn.Softmax and layer.dim in (1, -1) and len(row.input) == 1:
        return [("Softmax", {"axis": -1})]
    if kind is nn.Dropout:
        if not layer.inverted:
            raise ValueError("Keras's dropout scales in training; the paper's, with inverted=False, cannot be written")
        return [("Dropout", {"rate": layer.p})]
    if kind is nn.Dropout2d:
        return [("SpatialDropout2D", {"rate": layer.p})]
    if kind is nn.Flatten and len(row.output) == 1:
        return [("Flatten", {})]
    if kind is nn.Identity or (kind is nn.AdaptiveAvgPool2d and row.input == row.output):
        return []
    if kind is nn.AdaptiveAvgPool2d and row.output[1:] == (1, 1):
        return [("GlobalAveragePooling2D", {"keepdims": True})]
    if kind is nn.ZeroPad2d and min(layer.padding) >= 0:
        left, right, top, bottom = layer.padding
        return [("ZeroPadding2D", {"padding": [[top, bottom], [left, right]]})]
    raise ValueError("Keras has no such layer; .onnx can hold it")


def _convolution(row, layer, state):
    """A convolution, with a layer of zeros before it where its padding is neither "valid" nor "same"."""
    padding, made = window_of(layer, row.input).padding, []
    same = Window.over(row.input, layer.kernel_size, layer.stride, "same", layer.dilation).padding
    word = "same" if padding == same and (layer.padding == "same" or np.any(padding)) else "valid"
    if word == "valid" and np.any(padding):
        made = [(f"{row.name}_pad", "ZeroPadding2D", {"padding": padding}, {})]
    config = {"filters": layer.out_channels, "kernel_size": layer.kernel_size, "strides": layer.stride}
    config |= {"padding": word, "dilation_rate": layer.dilation, "groups": layer.groups}
    arrays = {"kernel": layouts.kernel_to_keras(state["weight"])}
    return [*made, (row.name, "Conv2D", config | _bias(state, arrays), arrays)]


def _bias(state, arrays):
    """{"use_bias": ...}; the bias, if there is one, is added to the arrays."""
    if "bias" in state:
        arrays["bias"] = state["bias"]
    return {"use_bias": "bias" in state}


def _pool(row, layer):
    """A pool whose windows are those of "valid" or "same"; a margin of "same" does not count in a mean."""
    window, largest = window_of(layer, row.input), isinstance(layer, nn.MaxPool2d)
    if window.dilation != (1, 1) or getattr(layer, "divisor_override", None) is not None:
        raise ValueError("Keras's pools have neither a dilation nor a divisor of their own")
    padded = np.any(window.padding)
    for word in ("valid", "same") if not padded else ("same",):
        keras = Window.over(row.input, window.kernel, window.stride, word)
        starts = [[before for before, _ in one.padding] for one in (window, keras)]
        counted = not largest and padded and layer.count_include_pad
        if keras.output == window.output and starts[0] == starts[1] and not counted:
            kind = "MaxPooling2D" if largest else "AveragePooling2D"
            return row.name, kind, {"pool_size": window.kernel, "strides": window.stride, "padding": word}, {}
    raise ValueError(f"Keras has no padding like this pool's: {window.padding} pixels, {window.output} windows")
