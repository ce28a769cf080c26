"""Small models of Keras with random weights, for tests/golden/make_keras.py and live tests; forms of Keras 1 and 2."""

from __future__ import annotations

import json

import numpy as np


def randomized(model, seed):
    """The model with random weights; variances are positive."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        values = 0.3 * rng.standard_normal(weight.shape)
        if "variance" in weight.path:
            values = np.abs(values) + 0.5
        if "count" not in weight.path:
            weight.assign(values)
    for layer in model.layers:
        if type(layer).__name__ == "Normalization":
            layer.finalize_state()
    return model


def build(keras):
    """{name: model}; keras: the module."""
    made = {"sequential": _sequential, "functional": _functional, "nested": _nested, "simple": _simple}
    made |= {"channels_first": _channels_first, "double": _double}
    return {name: randomized(make(keras, keras.layers), seed) for seed, (name, make) in enumerate(made.items())}


def pictures(model, seed=0):
    """Three images in Keras's order of axes, on the scale of pixels for the models that rescale them."""
    scale = 100 if any(type(layer).__name__ == "Rescaling" for layer in model.layers) else 1
    images = scale * np.random.default_rng(seed).standard_normal((3, *model.input_shape[1:]))
    return images.astype(np.float32)


def _sequential(keras, L):
    return keras.Sequential(
        [
            keras.Input((13, 11, 3)),
            L.RandomFlip(),
            L.Rescaling(1 / 255, offset=-0.3),
            L.Conv2D(4, 3, padding="same", activation="relu", name="conv"),
            L.MaxPooling2D(2),
            L.BatchNormalization(epsilon=0.01, momentum=0.9),
            L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="tanh"),
            L.SeparableConv2D(6, (3, 2), depth_multiplier=2, activation=L.LeakyReLU(0.2)),
            L.Conv2D(6, 3, groups=3, dilation_rate=2, padding="same", use_bias=False),
            L.BatchNormalization(scale=False),
            L.LeakyReLU(0.3),
            L.BatchNormalization(center=False),
            L.ELU(0.7),
            L.Flatten(),
            L.BatchNormalization(),
            L.Dropout(0.3),
            L.Dense(7, activation="elu"),
            L.Dense(5, activation="softmax", name="predictions"),
        ]
    )


def _functional(keras, L):
    """Branches, a shared convolution, padding that is uneven, and shapes that change the order of axes."""
    x = keras.Input((13, 12, 3))
    a, shared = L.Conv2D(4, 3, padding="same", strides=2)(x), L.Conv2D(4, (2, 3), padding="same", name="shared")
    b = shared(L.Conv2D(4, 1)(L.DepthwiseConv2D(3, padding="same", strides=2)(x)))
    y = L.Add()([shared(a), b])
    y = L.Concatenate()([y, a])
    y = L.MaxPooling2D(2, strides=1, padding="same")(y)
    y = L.MaxPooling2D((4, 2), strides=(1, 3), padding="same")(y)
    y = L.AveragePooling2D(3, strides=1, padding="same")(y)
    y = L.Multiply()([y, L.Permute((1, 2, 3))(y)])
    y = L.Reshape((8, -1, 2))(y)
    y = L.Permute((2, 1, 3))(y)
    y = L.Cropping2D(((1, 0), (0, 1)))(L.ZeroPadding2D(((1, 2), (0, 3)))(y))
    y = L.Subtract()([y, L.UpSampling2D((1, 2))(L.MaxPooling2D((1, 2))(y))])
    y = L.UpSampling2D(2, interpolation="bilinear")(y)
    y = L.Concatenate()([L.GlobalAveragePooling2D()(y), L.GlobalMaxPooling2D()(y), L.Flatten()(y)])
    y = L.Maximum()([y, L.Average()([y, L.Activation("sigmoid")(y)])])
    return keras.Model(x, L.Activation("softmax")(L.Dense(6, name="logits")(y) + L.Dense(6)(y)))


def _nested(keras, L):
    """Models within a model, one of them called twice, one with a layer that is not trained."""
    first = keras.Sequential([keras.Input((9, 8, 3)), L.Conv2D(4, 3), L.BatchNormalization(), L.SpatialDropout2D(0.2)])
    first.layers[0].trainable = False
    inner = keras.Input((7, 6, 4))
    twice = keras.Model(inner, L.Add()([L.Conv2D(4, 1)(inner), L.BatchNormalization()(inner)]), name="twice")
    x = keras.Input((9, 8, 3))
    y = twice(twice(first(x)))
    return keras.Model(x, L.Dense(5)(L.GlobalAveragePooling2D(keepdims=True)(L.ReLU(max_value=6)(y))))


def _simple(keras, L):
    """Normalised by its first layers; Dense on pixels, softmax along an axis of images."""
    statistics = L.Normalization()
    statistics.build((None, 7, 8, 3))
    layers = [statistics, L.Rescaling([0.5, 2, 1.5]), L.Conv2D(4, (3, 2)), L.Rescaling([1.0, 2, 3, 4], offset=0.1)]
    layers += [L.Softmax(axis=-1), L.Dense(3, activation="gelu"), L.Softmax(axis=2), L.Flatten(), L.Reshape((3, -1, 1))]
    return keras.Sequential(
        [keras.Input((7, 8, 3)), *layers, L.AdaptiveAveragePooling2D((2, 4)), L.Flatten(), L.Dense(4)]
    )


def _channels_first(keras, L):
    first = {"data_format": "channels_first"}
    layers = [L.Conv2D(4, 3, padding="same", **first), L.BatchNormalization(axis=1), L.MaxPooling2D(2, **first)]
    layers += [L.Flatten(**first), L.BatchNormalization(), L.Reshape((3, 4, 5)), L.Permute((3, 1, 2)), L.Flatten()]
    return keras.Sequential([keras.Input((3, 7, 10)), *layers, L.Dense(5)])


def _double(keras, L):
    double = {"dtype": "float64"}
    layers = [L.Conv2D(4, 3, padding="same", **double), L.ReLU(**double), L.GlobalMaxPooling2D(**double)]
    return keras.Sequential([keras.Input((7, 8, 3), dtype="float64"), *layers, L.Dense(5, **double)])


# ---------------------------------------------------------------------------------------- Keras 1 and 2, by h5py


def write_old(h5py, path, model, weights, *, whole=True, version="2.3.1", room=0):
    """A .h5 file as Keras 1 and 2 write it; weights: {layer: {name: array}}; room: spaces."""
    with h5py.File(path, "w") as file:
        if model is not None:
            file.attrs["model_config"] = (json.dumps(model) + room * " ").encode()
        group = file.create_group("model_weights") if whole else file
        for place in {file, group}:
            place.attrs["keras_version"], place.attrs["backend"] = version.encode(), b"tensorflow"
        group.attrs["layer_names"] = np.array([name.encode() for name in weights])
        for name, arrays in weights.items():
            inside = group.create_group(name)
            inside.attrs["weight_names"] = np.array([f"{name}/{key}:0".encode() for key in arrays] or np.zeros(0))
            for key, array in arrays.items():
                inside.create_dataset(f"{name}/{key}:0", data=array)
    return path


KERAS_1 = {
    "class_name": "Sequential",
    "config": [
        {
            "class_name": "Convolution2D",
            "config": {
                "name": "conv1",
                "batch_input_shape": [None, 7, 9, 3],
                "nb_filter": 4,
                "nb_row": 3,
                "nb_col": 2,
                "subsample": [2, 2],
                "border_mode": "same",
                "dim_ordering": "tf",
                "bias": True,
                "activation": "relu",
            },
        },
        {"class_name": "Flatten", "config": {"name": "flatten"}},
        {"class_name": "Dropout", "config": {"name": "drop", "p": 0.4}},
        {"class_name": "Dense", "config": {"name": "fc", "output_dim": 6, "bias": True, "activation": "tanh"}},
    ],
}
CONV = {"filters": 4, "kernel_size": [3, 2], "strides": [2, 2], "padding": "same", "activation": "relu"}
KERAS_2 = {
    "class_name": "Sequential",
    "config": {
        "name": "sequential_1",
        "layers": [
            {"class_name": "Conv2D", "config": {"name": "conv1", "batch_input_shape": [None, 7, 9, 3], **CONV}},
            {"class_name": "Flatten", "config": {"name": "flatten", "data_format": "channels_last"}},
            {"class_name": "Dense", "config": {"name": "fc", "units": 6, "use_bias": True, "activation": "tanh"}},
        ],
    },
}
MODEL = {
    "class_name": "Model",
    "config": {
        "name": "model_1",
        "layers": [  # not in their order
            {
                "name": "fc",
                "class_name": "Dense",
                "config": {"name": "fc", "units": 6, "activation": "tanh"},
                "inbound_nodes": [[["flatten", 0, 0, {}]]],
            },
            {
                "name": "in",
                "class_name": "InputLayer",
                "config": {"name": "in", "batch_input_shape": [None, 7, 9, 3]},
                "inbound_nodes": [],
            },
            {
                "name": "conv1",
                "class_name": "Conv2D",
                "config": {"name": "conv1", **CONV},
                "inbound_nodes": [[["in", 0, 0, {}]]],
            },
            {
                "name": "flatten",
                "class_name": "Flatten",
                "config": {"name": "flatten"},
                "inbound_nodes": [[["conv1", 0, 0, {"training": None}]]],
            },
        ],
        "input_layers": [["in", 0, 0]],
        "output_layers": [["fc", 0, 0]],
    },
}
