"""Configurations of Keras 1 with the names of Keras 2 and 3."""

from __future__ import annotations

_CLASSES = {"Convolution2D": "Conv2D"}
_RENAMED = {
    "nb_filter": "filters",
    "subsample": "strides",
    "border_mode": "padding",
    "bias": "use_bias",
    "output_dim": "units",
    "p": "rate",
    "atrous_rate": "dilation_rate",
}


def modern(kind, config):
    """(class name, config) as Keras 2 has them.

    kind: the name of a class.
    config: a dict of Keras 1, 2 or 3.

    Raises ValueError for Theano's order of weights.
    """
    kind = _CLASSES.get(kind, kind)
    old = {"nb_filter", "subsample", "border_mode", "dim_ordering", "output_dim"} & config.keys()
    if not old and not (kind == "Dropout" and "p" in config):
        return kind, config
    if config.get("dim_ordering", "tf") != "tf":
        raise ValueError("it has Theano's order of weights (dim_ordering='th'): load and save it in Keras 2 first")
    changed = {_RENAMED.get(key, key): value for key, value in config.items()}
    if kind == "Conv2D" and {"nb_row", "nb_col"} <= config.keys():
        changed["kernel_size"] = [config["nb_row"], config["nb_col"]]
    if "dim_ordering" in config:
        changed["data_format"] = "channels_last"
    return kind, changed
