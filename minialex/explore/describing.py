"""A network as data for a page that computes it: layers in the order in which they run, each with all it needs."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from .. import functional, nn
from ..backends.numpy_backend import NumPyBackend
from ..models.layout import Row, layout, window_of
from ..runs.kept import LARGEST
from ..summary.explain import steps
from ..support.text import printable
from ..support.types import Shape
from . import kinds
from .encoding import encoded, summary_of

CARRIED = 65_536  # numbers of a weight of a larger network that a page has nevertheless, to show and to explain
PARAMETERS = ("weight", "bias")
WEIGHTS = (2, 4, 6)  # axes of a Linear's, a Conv2d's and a Local2d's weight


def describe(model: nn.Module, input_shape: Shape) -> list[dict[str, Any]]:
    """The layers of a network as data, with the picture before them and softmax behind them.

    model: a Module in evaluation mode; its output are logits.
    input_shape: of one image, (C, H, W).

    Returns a list of dicts: name, kind (of web/engine/kinds.js), title, output (C, H, W), inputs and sources (their
    shapes and numbers in the list), what is to be read about the layer, its settings, and its arrays as base64. Of a
    network of more than LARGEST bytes of weights, which a page does not compute, weights of more than CARRIED numbers
    have their shape and a summary only; see `computes`.
    Raises ValueError for a layer that the page does not know, and as models.layout.layout does.
    """
    rows = layers_of(model, input_shape)
    most = math.inf if 4 * sum(row.parameters for row in rows) <= LARGEST else CARRIED
    first = next(source for row in rows for source in row.sources)
    layers: list[dict[str, Any]] = [
        {"name": "picture", "kind": "picture", "title": "the picture, normalised", "inputs": [], "sources": []}
    ]
    layers[0]["output"] = _three(input_shape)
    known, axes = {first: 0}, {first: len(input_shape)} | {row.name: len(row.output) for row in rows}
    for row in rows:
        if len({axes[source] for source in row.sources}) > 1:
            raise ValueError(f"layer {row.name} joins maps with vectors, which a page cannot show: reshape them first")
        known[row.name] = len(layers)
        layers.append(_layer(row, [known[source] for source in row.sources], layers, most))
    _tie(rows, layers)
    classes = layers[-1]["output"]
    if classes[1:] != [1, 1]:
        raise ValueError(f"a page shows classifiers, whose output are logits (N, C), but this one's is {classes}")
    end = {"name": "softmax", "kind": "softmax", "title": "the probabilities of the classes", "output": classes}
    layers.append({**end, "inputs": [classes], "sources": [len(layers) - 1], **_to_read("softmax", "log_softmax")})
    return layers


def _tie(rows, layers):
    """Give a parameter that several layers have the numbers of all of them, `tied`: its gradient is of all."""
    users: dict[tuple[str, int], list[int]] = {}
    for n, row in enumerate(rows, 1):
        for name in PARAMETERS:
            if name in layers[n]:
                users.setdefault((name, id(getattr(row.layer, name))), []).append(n)
    for (name, _), numbers in users.items():
        for n in numbers if len(numbers) > 1 else ():
            layers[n][name]["tied"] = numbers


def layers_of(model: nn.Module, input_shape: Shape) -> list[Row]:
    """The rows of models.layout.layout without a softmax at the end, which is the page's own; arguments as of it."""
    rows = layout(model, input_shape)
    last = rows[-1]
    return rows[:-1] if len(rows) > 1 and type(last.layer) is nn.Softmax and _is_end(last) else rows


def _is_end(row):
    return kinds.over_channels(row.layer, row.output)


def computes(layers: list[dict[str, Any]]) -> bool:
    """Whether a page has all that it needs to compute the network of `describe` itself."""
    return all("data" in layer[name] for layer in layers for name in PARAMETERS if name in layer)


def _layer(row, sources, before, most):
    kind, settings = _known(row)
    return {
        "name": printable(row.name),
        "kind": kind,
        "title": printable(f"{type(row.layer).__name__}({row.layer.extra_repr()})"),
        "inputs": [before[source]["output"] for source in sources],
        "output": _three(row.output),
        "sources": sources,
        "sizes": list(steps(row)),
        "receptiveField": row.receptive_field,
        "jump": row.jump,
        **settings,
        **{name: _array(tensor, most) for name in PARAMETERS if (tensor := getattr(row.layer, name, None)) is not None},
        **_to_read(*_FUNCTIONS.get(type(row.layer), _own_function(row.layer))),
    }


def _own_function(layer):
    return (layer.function,) if isinstance(layer, nn.Call) else ()


def _known(row: Row) -> tuple[str, dict[str, Any]]:
    """(kind, settings) of a layer; raises ValueError for one that the page cannot compute."""
    settings_of: Callable[[Any, Row], Any] | None = _SETTINGS.get(type(row.layer))
    settings = settings_of(row.layer, row) if settings_of else None
    if settings is None:
        raise ValueError(
            f"layer {row.name}, {type(row.layer).__name__}({row.layer.extra_repr()}), cannot be computed in a page; "
            f"these can: {', '.join(kind.__name__ for kind in _SETTINGS)}"
        )
    for name, value in settings[1].items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"layer {row.name} cannot be shown in a page: its {name} is {value}, not a finite number")
    return settings


def _windowed(kind, *names):
    """The settings of a layer with a Window, and attributes of the layer by the page's names."""

    def settings(layer, row):
        window = window_of(layer, row.input)
        fields = ("size", "kernel", "stride", "padding", "dilation", "output")
        own = {name: getattr(layer, attribute) for name, attribute in names}
        return kind, {"window": {name: getattr(window, name) for name in fields}, **own}

    return settings


def _plain(kind, **names):
    return lambda layer, row: (kind, {name: getattr(layer, attribute) for name, attribute in names.items()})


def _adaptive(layer, row):
    return "avgPool2d", {"window": {"adaptive": True, "size": row.input[1:], "output": row.output[1:]}}


def _lrn(layer, row):
    divisor = 1 if layer.alpha_over == "element" else layer.size**2 if layer.within_channel else layer.size
    settings = {"size": layer.size, "a": layer.alpha / divisor, "beta": layer.beta, "k": layer.k}
    return "localResponseNorm", {**settings, "withinChannel": layer.within_channel, "groups": layer.groups}


def _batch_norm(layer, row):
    if not layer.track_running_stats:
        return None  # evaluation uses the batch's statistics, and a page has no batch
    mean, variance = (encoded(t.numpy()) for t in (layer.running_mean, layer.running_var))
    return "batchNorm", {"mean": mean, "variance": variance, "eps": layer.eps}


def _dropout(layer, row):
    return "dropout", {"keep": 1.0 if getattr(layer, "inverted", True) else 1 - layer.p}


def _flatten(layer, row):
    return ("flatten", {}) if len(row.output) == 1 else None


def _linear(layer, row):
    return ("linear", {}) if len(row.output) == 1 else None


def _max_pool(layer, row):
    return None if layer.return_indices else _windowed("maxPool2d")(layer, row)


def _adaptive_max(layer, row):
    return None if layer.return_indices else ("maxPool2d", _adaptive(layer, row)[1])


def _stochastic(layer, row):
    return _windowed("stochasticMax" if layer.evaluation == "max" else "stochasticPool2d")(layer, row)


_AVERAGE = (("countPadding", "count_include_pad"), ("divisor", "divisor_override"))
_SETTINGS = {  # a layer of exactly this class -> its (kind, settings), or None where they are not the page's
    nn.Conv2d: _windowed("conv2d", ("groups", "groups")),
    nn.Local2d: _windowed("local2d", ("groups", "groups")),
    nn.Linear: _linear,
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _windowed("avgPool2d", *_AVERAGE),
    nn.AdaptiveAvgPool2d: _adaptive,
    nn.LocalResponseNorm: _lrn,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm1d: _batch_norm,
    nn.ReLU: _plain("relu"),
    nn.LeakyReLU: _plain("leakyRelu", negativeSlope="negative_slope"),
    nn.Sigmoid: _plain("sigmoid"),
    nn.Tanh: _plain("tanh"),
    nn.GELU: _plain("gelu", approximate="approximate"),
    nn.ELU: _plain("elu", alpha="alpha"),
    nn.SiLU: _plain("silu"),
    nn.Softplus: _plain("softplus", beta="beta", threshold="threshold"),
    nn.Dropout: _dropout,
    nn.Dropout2d: _dropout,
    nn.Identity: _plain("identity"),
    nn.Flatten: _flatten,
    nn.Add: kinds.joined("add"),
    nn.Concat: kinds.concatenated,
    nn.ContrastNorm: kinds.contrast,
    nn.StochasticPool2d: _stochastic,
    nn.AdaptiveMaxPool2d: _adaptive_max,
    nn.ConstantPad2d: kinds.rearranged,
    nn.ZeroPad2d: kinds.rearranged,
    nn.Reshape: kinds.rearranged,
    nn.Upsample: kinds.resampled,
    nn.Multiply: kinds.joined("multiply"),
    nn.Softmax: kinds.softmax("channelSoftmax"),
    nn.LogSoftmax: kinds.softmax("logSoftmax"),
    nn.Call: kinds.called,
}
_FUNCTIONS = {  # the function of minialex.functional that a layer calls, and the pair of the backend's methods
    nn.Conv2d: ("conv2d", "conv2d"),
    nn.Local2d: ("local2d", "local2d"),
    nn.Linear: ("linear", "linear"),
    nn.MaxPool2d: ("max_pool2d", "max_pool2d"),
    nn.AvgPool2d: ("avg_pool2d", "avg_pool2d"),
    nn.AdaptiveAvgPool2d: ("adaptive_avg_pool2d",),
    nn.LocalResponseNorm: ("local_response_norm", "local_response_norm"),
    nn.BatchNorm2d: ("batch_norm", "batch_norm"),
    nn.BatchNorm1d: ("batch_norm", "batch_norm"),
    nn.ReLU: ("relu", "relu"),
    nn.LeakyReLU: ("leaky_relu",),
    nn.Sigmoid: ("sigmoid",),
    nn.Tanh: ("tanh",),
    nn.GELU: ("gelu",),
    nn.ELU: ("elu",),
    nn.SiLU: ("silu",),
    nn.Softplus: ("softplus",),
    nn.Dropout: ("dropout",),
    nn.Dropout2d: ("dropout2d",),
    nn.Flatten: ("flatten",),
    nn.Add: ("add",),
    nn.Concat: ("concatenate",),
    nn.ContrastNorm: ("contrast_norm", "contrast_norm"),
    nn.StochasticPool2d: ("stochastic_pool2d",),
    nn.AdaptiveMaxPool2d: ("adaptive_max_pool2d",),
    nn.ConstantPad2d: ("pad",),
    nn.ZeroPad2d: ("pad",),
    nn.Reshape: ("reshape",),
    nn.Upsample: ("interpolate",),
    nn.Multiply: ("mul",),
    nn.Softmax: ("softmax",),
    nn.LogSoftmax: ("log_softmax",),
}


def _three(shape: Shape) -> list[int]:
    """(C, H, W) of maps or of a vector; raises ValueError for other shapes."""
    if len(shape) not in (1, 3):
        raise ValueError(f"a page shows maps (C, H, W) and vectors (D,), but a layer's output is {tuple(shape)}")
    return [int(n) for n in (*shape, 1, 1)[:3]]


def _array(tensor, most):
    """A parameter; only filters and matrices, which are large, may be left out."""
    shape, array = list(tensor.shape), tensor.numpy()
    whole = array.size <= most or array.ndim not in WEIGHTS
    return {"shape": shape} | ({"data": encoded(array)} if whole else {"summary": summary_of(array)})


def _to_read(function=None, method=None):
    """What there is to read about a layer: a sentence, formulas, and the lines that compute it."""
    if function is None:
        return {}
    code = getattr(functional, function)
    sentence, formulas = of_docstring(inspect.getdoc(code))
    lines = [_source(code)]
    lines += [_source(getattr(NumPyBackend, name)) for name in (method, f"{method}_backward") if method]
    return {"sentence": sentence, "formulas": formulas, "code": lines}


def of_docstring(text):
    """The first sentence of a docstring, and the indented lines below it."""
    sentence, *lines = text.split("\n")
    formulas = []
    for line in lines:
        if line and not line.startswith("    "):
            break
        formulas.append(line.removeprefix("    "))
    return sentence, "\n".join(formulas).strip("\n")


def _source(function):
    """{file, line, code} of a function, without its docstring."""
    code, line = inspect.getsourcelines(function)
    text = inspect.cleandoc("\n" + "".join(code))
    if function.__doc__:
        before, _, behind = text.partition('"""')
        text = before.rstrip() + "\n" + behind.partition('"""')[2].lstrip("\n")
    parts = function.__module__.split(".")
    return {"file": "/".join(parts) + ".py", "line": line, "code": text.rstrip()}
