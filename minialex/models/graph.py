"""Networks as data: an nn.Graph as a description of plain values, from which it can be built again.

    {"name": "squeezenet", "inputs": ["x"], "output": "pool10", "layers": [
        ["conv1", "Conv2d", {"in_channels": 3, "out_channels": 64, "kernel_size": [3, 3], ...}, ["x"]],
        ["relu1", "ReLU", {"inplace": false}, ["conv1"]], ...]}

So a checkpoint holds a network that came from a file of another framework, with no code. A layer's arguments are its
constructor's; the arrays are in the state dict. The type "Parameter" or "Tensor" is a value of a shape and a dtype, and
"Same" the module of an earlier layer.
"""

from __future__ import annotations

import inspect
import math
from typing import Annotated, Any, TypedDict, get_type_hints

import numpy as np

from .. import nn
from ..support import schema
from ..support.schema import Length
from ..tensor import Tensor
from ..window import Window, pair
from . import own
from .layout import layout
from .preset import Preset

NAME = "graph"  # of these networks, where a preset has its own
MOST_PIXELS = 1024  # of a window, a margin or a side to which maps are pooled
_MOST_LARGER = 4  # times the numbers of a network with another head, for which it is built as described, too
MOST_OUTPUTS = 256  # outputs of a layer for each number in the weights or in an image

_TYPES = (
    *(nn.Conv2d, nn.Local2d, nn.Linear),
    *(nn.BatchNorm2d, nn.BatchNorm1d, nn.LocalResponseNorm, nn.ContrastNorm),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.StochasticPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.ConstantPad2d),
    *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus, nn.Sigmoid, nn.Tanh, nn.Softmax, nn.LogSoftmax),
    *(nn.Dropout, nn.Dropout2d, nn.Flatten, nn.Reshape, nn.Identity, nn.Add, nn.Multiply, nn.Concat, nn.Call),
)
_WEIGHTED = ("Conv2d", "Local2d", "Linear")
_LAYERS = {cls.__name__: cls for cls in _TYPES}
_FUNCTIONS = (  # for Call: their outputs are not much larger than their inputs
    "abs", "add", "amax", "amin", "bmm", "ceil", "clamp", "clip", "clone", "conv2d", "cos", "div", "elu", "exp",
    "flatten", "flip", "floor", "gelu", "getitem", "leaky_relu", "log", "log_softmax", "logsumexp", "matmul",
    "maximum", "mean", "minimum", "mm", "mul", "neg", "norm", "pad", "permute", "pow", "reciprocal", "relu",
    "remainder", "reshape", "round", "rsqrt", "sigmoid", "sign", "silu", "sin", "softmax", "softplus", "sqrt",
    "square", "squeeze", "std", "sub", "sum", "tanh", "transpose", "unsqueeze", "var", "where",
)  # fmt: skip
_VALUES = {"Parameter": nn.Parameter, "Tensor": Tensor}
_LEFT_OUT = ("device", "dtype", "generator", "padding_mode")  # of the machine; padding_mode has one value only
_PIXELS = ("padding", "pad", "output_size", "kernel_size", "stride", "dilation", "input_size")
_SCALARS = (int, float, bool, str, int | None, float | None, bool | None, str | None)  # annotations
_PLAIN = (bool, int, float, str, type(None))


class Description(TypedDict):
    """A Graph as plain values.

    name: of the network, for titles.
    inputs: names of what it takes.
    output: name of the layer whose output it returns.
    layers: [name, type, arguments, names of inputs] of each.
    """

    name: str
    inputs: Annotated[list[str], Length(1, 1)]
    output: str
    layers: Annotated[list[list[Any]], Length(1)]


def described(graph: nn.Graph, name: str) -> dict[str, Any]:
    """The description of a Graph with one input and one output.

    graph: its modules are of minialex.nn, with plain values as arguments.
    name: of the network.

    Returns a Description, of values that JSON has.
    Raises ValueError, with the layer's name, for a layer that is no such module.
    """
    if not isinstance(graph.output, str) or len(graph.inputs) != 1:
        raise ValueError(f"expected a network with one input and one output, got {graph.inputs} and {graph.output}")
    layers: list[list[Any]] = []
    seen: dict[int, str] = {}
    for entry, layer, inputs in graph.layers:
        kind, arguments = type(layer).__name__, dict[str, Any]()
        if id(layer) in seen:
            kind, arguments = "Same", {"layer": seen[id(layer)]}
        elif isinstance(layer, Tensor):
            kind = "Parameter" if isinstance(layer, nn.Parameter) else "Tensor"
            arguments = {"shape": list(layer.shape), "dtype": layer.dtype.name}
        elif _LAYERS.get(kind) is type(layer):
            arguments = _arguments(entry, layer)
        else:
            raise ValueError(f"layer {entry}: a {kind} cannot be described as data")
        seen[id(layer)] = entry
        layers.append([entry, kind, arguments, list(inputs)])
    return {"name": name, "inputs": list(graph.inputs), "output": graph.output, "layers": layers}


def _arguments(name, layer):
    """{argument: value} of a module's constructor."""
    if isinstance(layer, nn.Call):
        return {"function": layer.function} | {key: _plain(name, value) for key, value in layer.arguments.items()}
    if isinstance(layer, nn.Reshape):
        return {"shape": list(layer.shape)}
    arguments = {}
    for parameter in inspect.signature(type(layer)).parameters.values():
        if parameter.name in _LEFT_OUT or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        value = getattr(layer, parameter.name)
        arguments[parameter.name] = value is not None if parameter.name == "bias" else _plain(name, value)
    return arguments


def _plain(name, value):
    """A value as JSON has it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (tuple, list)):
        return [_plain(name, item) for item in value]
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if not isinstance(value, _PLAIN):
        raise ValueError(f"layer {name}: an argument that is a {type(value).__name__} cannot be described as data")
    return value


def build(
    description: Description, num_classes: int | None = None, input_size: int | None = None,
) -> nn.Graph:  # fmt: skip
    """Build a network from its description.

    description: a Description, which may come from a file: only modules of minialex.nn are made of it.
    num_classes: outputs of the last layer with weights; as described if None.
    input_size: pixels per side; if given, the network is checked to take such images.

    Raises ValueError, with the layer's name, for what is not a Description, and for layers that do not fit together.
    """
    entries = _entries(description)
    changed, fault = _with_head(entries, num_classes)
    try:
        graph, outputs = _built(description, changed, input_size)
    except ValueError:
        if changed is entries:
            raise
        graph, outputs = None, ()  # other outputs do not fit to the layers behind it: it is one of several last layers
    if not fault and (changed is entries or outputs in (None, (num_classes,))):
        return graph
    if outputs is not None and _total(entries) <= _MOST_LARGER * _total(changed):
        graph, outputs = _built(description, entries, input_size)
        if outputs == (num_classes,):  # the last layer with weights is no classifier: an average as a product, perhaps
            return graph
    raise ValueError(fault or "the number of classes cannot be changed: the last layer with weights is no classifier")


def _built(description, entries, input_size):
    """(the Graph of checked entries, the shape of its output for one image of a given size or None)."""
    layers: dict[str, Any] = {}
    for name, kind, arguments, _ in entries:
        try:
            layers[name] = layers[arguments["layer"]] if kind == "Same" else layer(kind, arguments)
        except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
            raise ValueError(f"layer {name} ({kind}): {error}") from None
    wired = [(name, layers[name], inputs) for name, _, _, inputs in entries]
    graph = nn.Graph(wired, description["inputs"], description["output"])
    if input_size is None:
        return graph, None
    weights = sum(p.numel() for p in (*graph.parameters(), *graph.buffers()))
    most = MOST_OUTPUTS * max(weights, 3 * input_size**2)
    return graph, layout(graph, (3, input_size, input_size), most)[-1].output


def _entries(description):
    """Copies of the layers' entries, each checked to be of the right form."""
    schema.read(Description, description, ("description",))
    for entry in description["layers"]:
        form = len(entry) == 4 and isinstance(entry[0], str) and isinstance(entry[1], str)
        if not form or not isinstance(entry[2], dict) or not isinstance(entry[3], list):
            raise ValueError(f"a layer is [name, type, arguments, inputs], got {schema.shown(entry)}")
        if entry[1] not in (*_LAYERS, *_VALUES, "Same"):
            raise ValueError(f"layer {schema.shown(entry[0])} is of the unknown type {schema.shown(entry[1])}")
        if not all(isinstance(name, str) for name in entry[3]):
            raise ValueError(
                f"layer {schema.shown(entry[0])}: the inputs should be names, got {schema.shown(entry[3])}"
            )
    return [[name, kind, dict(arguments), list(inputs)] for name, kind, arguments, inputs in description["layers"]]


def layer(kind, arguments):
    """The module, or the value, of an entry of a Description.

    kind: its type.
    arguments: its constructor's, as plain values; of a value shape and dtype.

    Raises ValueError or TypeError where there is none of these arguments.
    """
    if kind in _VALUES:
        shape, dtype = tuple(arguments["shape"]), arguments["dtype"]
        if dtype not in ("float32", "float64", "int64", "bool") or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"a value has a shape and a dtype such as float32, got {schema.shown(arguments)}")
        return _VALUES[kind](np.zeros(shape, dtype))
    values = {key: _tuples(value) for key, value in arguments.items()}
    _check_values(kind, values)
    return nn.Reshape(*values["shape"]) if kind == "Reshape" else _LAYERS[kind](**values)


def _tuples(value):
    """An argument as constructors take it: lists are tuples, and {"slice": [start, stop, step]} is a slice."""
    if isinstance(value, dict) and [*value] == ["slice"]:
        return slice(*schema.read(Annotated[list[int | None], Length(3, 3)], value["slice"], ("slice",)))
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _check_values(kind, values):
    """Raise ValueError for a value of another type than the constructor's own, or one that asks for much memory."""
    if kind == "Call" and values.get("function") not in _FUNCTIONS:
        raise ValueError(f"there is no function {schema.shown(values.get('function'))} for a network from a file")
    hints = {} if kind == "Reshape" else get_type_hints(_LAYERS[kind].__init__)
    for key, value in values.items():
        if (hint := hints.get(key)) in _SCALARS:
            schema.read(hint, value, (key,))
        for item in _leaves(value):
            if not isinstance(item, (*_PLAIN, slice)):
                raise ValueError(f"{key} should be numbers or words, got {schema.shown(value)}")
            is_word = isinstance(item, str) and (key, item) not in (("padding", "same"), ("padding", "valid"))
            if hint not in _SCALARS and kind != "Call" and is_word:
                raise ValueError(f"{key} should be pixels, got {schema.shown(value)}")
            if key in _PIXELS and isinstance(item, (int, float)) and abs(item) > MOST_PIXELS:
                raise ValueError(f"{key} should be at most {MOST_PIXELS:,} pixels, got {schema.shown(item)}")


def _leaves(value):
    if isinstance(value, tuple):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _with_head(entries, num_classes):
    """(entries whose last layer with weights has `num_classes` outputs, ""); or (entries, why there are none)."""
    if num_classes is None:
        return entries, ""
    last = next((n for n in reversed(range(len(entries))) if entries[n][1] in _WEIGHTED), None)
    if last is None:
        return entries, "this network has no layer with weights, so no number of classes"
    name, kind, arguments, inputs = entries[last]
    key = "out_features" if kind == "Linear" else "out_channels"
    if arguments.get(key) == num_classes:
        return entries, ""
    dependent = ("BatchNorm1d", "BatchNorm2d", "Local2d", "Reshape", *_VALUES)
    if stuck := next((entry for entry in entries[last + 1 :] if entry[1] in dependent), None):
        return entries, (
            f"the number of classes cannot be changed: after {name}, the last layer with weights, {stuck[0]} "
            f"({stuck[1]}) depends on it"
        )
    return [*entries[:last], [name, kind, arguments | {key: num_classes}, inputs], *entries[last + 1 :]], ""


def numbers(description: Description, num_classes: int | None = None) -> int:
    """How many numbers the arrays of a described network hold, before any is built.

    description: a Description.
    num_classes: outputs of the last layer with weights, as of `build`.

    Raises ValueError as `build` does.
    """
    return _total(_with_head(_entries(description), num_classes)[0])


def _total(entries):
    total = 0
    for name, kind, arguments, _ in entries:
        try:
            total += _numbers(kind, arguments)
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"layer {name} ({kind}) has no arguments {schema.shown(arguments)} ({error})") from None
    return total


def _numbers(kind, arguments):
    if kind in _VALUES:
        return math.prod(arguments["shape"])
    if kind == "Linear":
        return arguments["out_features"] * (arguments["in_features"] + 1)
    if kind in ("Conv2d", "Local2d"):
        taps = math.prod(pair(arguments["kernel_size"], "kernel_size"))
        filters = arguments["out_channels"] * (_places(arguments) if kind == "Local2d" else 1)
        return filters * (arguments["in_channels"] // arguments.get("groups", 1) * taps + 1)
    if kind in ("BatchNorm1d", "BatchNorm2d"):
        return 4 * arguments["num_features"] + 1
    return 0


def _places(arguments):
    """Output pixels of a Local2d, each of which has filters of its own."""
    size, kernel_size = pair(arguments["input_size"], "input_size"), arguments["kernel_size"]
    return math.prod(Window.over(size, kernel_size, arguments.get("stride", 1), arguments.get("padding", 0)).output)


PRESET = Preset(
    build,  # type: ignore[arg-type]
    input_size=None,  # type: ignore[arg-type]
    num_classes=None,  # type: ignore[arg-type]
    summary="a network from a file of another framework",
    recipe=own.RECIPE,
    recipe_source="minialex's for networks that nobody has tuned",
)
