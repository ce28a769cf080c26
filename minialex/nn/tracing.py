"""Tracing: the Graph of a Module with a `forward` of its own, from one run of it."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .. import functional
from ..tensor import Tensor, no_grad
from . import init, layers, more, more_layers, operations
from .graph import Graph
from .module import Module, Sequential
from .more import evaluating

PACKAGE = str(Path(__file__).resolve().parents[1])
CONTAINERS = (Sequential, Graph, more.ModuleList, more.ModuleDict)  # whose layers become the graph's
# Functions made of others, which become the layers in their place.
COMPOSED = {"squeeze", "unsqueeze", "split", "chunk", "gather", "sort", "topk", "argsort", "one_hot", "unbroadcast"}
# Methods of Tensor that take values out of it: what is computed with them goes unseen.
READING = ("numpy", "item", "tolist", "detach", "_compared", "_written", "__bool__", "__getstate__")
IN_PLACE = ("add", "sub", "mul", "div", "pow", "clamp")  # x.add_(y) and x += y become the layers of x + y


class Untraceable(ValueError):
    """A forward that cannot become a Graph; the message names the line of it."""


def trace(module: Module, *examples: Any) -> Graph:
    """The Graph of what a Module computes, found by running its forward once, in evaluation mode.

    module: a Module. Layers of minialex.nn become layers of the graph, which share their parameters and keep their
        names ("block1.conv1"); functions of minialex.functional, operators and methods of tensors in a forward become
        small layers ("block1.add").
    examples: its inputs, Tensors or arrays (N, ...).

    One run shows one way through forward: an `if` or a loop that depends on Python values is followed as it went, and
    code that runs in training mode only is not seen. An `if` on a tensor's values is refused, as are values taken out
    with .data, .numpy() or .item(), and operations of the user's own. The graph is then compared with the module on
    another input, with another batch size.

    Returns a Graph, in the module's mode.
    Raises ValueError, with the line of forward, for what cannot be traced.
    """
    for x in examples:
        if isinstance(x, (tuple, list)) and x and all(isinstance(n, int) for n in x):
            raise TypeError(f"trace needs an input, a Tensor or an array (N, ...), not its shape: write zeros({x})")
    inputs = [x if isinstance(x, Tensor) else Tensor(x) for x in examples]
    tracer = _Tracer(module, inputs)
    with no_grad(), evaluating(module), np.errstate(all="ignore"), tracer.watching():
        output = module(*inputs)
    if tracer.trouble:
        raise Untraceable(tracer.trouble)
    graph = tracer.graph(output)
    _compare(module, graph, inputs)
    for layer in {*graph.modules()} - {*module.modules()}:
        layer.training = module.training
    return graph


def _compare(module, graph, examples):
    """Raise Untraceable unless both have the same output for another batch."""
    rng = np.random.default_rng(0)
    again = []
    for x in examples:
        noise = rng.standard_normal((x.shape[0] + 1, *x.shape[1:])) if x.dtype.kind == "f" else x.numpy()
        again.append(Tensor(noise, dtype=x.dtype, backend=x.backend))
    name = type(module).__name__
    with no_grad(), evaluating(module), np.errstate(all="ignore"):
        try:
            expected, found = module(*again), graph.eval()(*again)
        except ValueError as error:
            raise Untraceable(f"{name} cannot be traced: it fails for another batch size ({error})") from error
    for a, b in zip(*(y if isinstance(y, (tuple, list)) else [y] for y in (expected, found)), strict=True):
        a, b = a.numpy(), b.numpy()
        scale = np.nan_to_num(np.abs(a)).max(initial=0)
        if a.shape != b.shape or not np.allclose(a, b, rtol=1e-4, atol=1e-5 * scale, equal_nan=True):
            raise Untraceable(
                f"{name} cannot be traced: for another input its forward gives another output than the graph, "
                "so it depends on something that one run does not show, such as the values, the batch size or chance"
            )


class _Tracer:
    """What happens in a forward, as layers of a graph, seen by a function that Python calls at every call and return.

    module: the Module.
    examples: its inputs, Tensors.
    """

    def __init__(self, module, examples):
        self.layers, self.trouble = [], None
        self.inputs, self.alive = [], []
        self.names = {}  # id of a tensor -> name of the layer that made it
        self.modules = {id(m): name for name, m in reversed(list(module.named_modules()))}
        self.values = {
            id(t): name for named in (module.named_buffers(), module.named_parameters()) for name, t in named
        }
        self.owners = dict(module.named_modules())
        self.taken = {name.split(".")[0] for name in self.owners} | set(self.owners) | set(self.values.values())
        self.running = []  # modules that run others, the innermost last
        self.call, self.made = None, {}  # the frame of the layer or function that is running, and its arguments
        self.own = {}  # layers made for functions that take parameters of a module
        self.unclear = {}  # id of a tensor that a dropout returned unchanged -> its line, and whether it was used since
        known = [*inspect.signature(module.forward).parameters]
        for number, x in enumerate(examples):
            self.inputs.append(self._free(known[number] if number < len(known) else "x"))
            self._keep(x, self.inputs[-1])
        functions = [getattr(functional, name) for name in functional.__all__ if name not in COMPOSED]
        self.functions = {f.__code__: f.__name__ for f in functions}  # cat is a second name of concatenate
        self.functions |= {getattr(Tensor, f"{name}_").__code__: name for name in IN_PLACE}
        self.reading = {getattr(Tensor, name).__code__: name for name in READING}
        self.reading[Tensor.__dict__["data"].fget.__code__] = "data"

    @contextlib.contextmanager
    def watching(self):
        """Within it, calls are seen."""
        with contextlib.ExitStack() as stack:
            for module in self.owners.values():
                if is_layer(module):
                    stack.enter_context(module.register_forward_hook(_distinct))
            before = sys.getprofile()
            sys.setprofile(self._seen)
            try:
                yield
            finally:
                sys.setprofile(before)

    def _seen(self, frame, event, argument):
        """Called by Python; argument: what is returned."""
        if self.trouble:
            return
        code = frame.f_code
        if event == "call" and self.call is None:
            if code is Module.__call__.__code__:
                self._entered(frame, frame.f_locals["self"])
            elif code in self.functions:
                self.call, self.made = frame, self._arguments(frame)
            elif code in self.reading and self._is_known(frame.f_locals["self"]):
                self._refuse(frame, self.reading[code])
            elif code is Tensor.from_operation.__code__:
                self._refuse(frame, frame.f_locals.get("name", "operation"))
        elif event == "return" and frame is self.call:
            self.call = None
            if argument is not None:
                self._returned(frame, argument)
        elif event == "return" and code is Module.__call__.__code__ and self.call is None and self.running:
            self.running.pop()

    def _entered(self, frame, module):
        if is_layer(module):
            self.call = frame
        else:
            self.running.append(module)

    def _arguments(self, frame):
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        return {"input" if name == "self" else name: frame.f_locals[name] for name in names}

    def _returned(self, frame, output):
        """A layer, or a function, has returned."""
        try:
            if frame.f_code is Module.__call__.__code__:
                self._add_module(frame, frame.f_locals["self"], output)
            else:
                self._add_function(frame, self.functions[frame.f_code], self.made, output)
        except Untraceable as error:
            self.trouble = str(error)

    def _add_module(self, frame, module, output):
        kind, inputs = type(module).__name__, frame.f_locals["inputs"]
        if frame.f_locals["options"]:
            raise Untraceable(f"{_line(frame)}: {kind} takes its input without a keyword in a graph")
        name = self.modules.get(id(module))
        if name is None and (any(True for _ in module.parameters()) or any(True for _ in module.named_buffers())):
            raise Untraceable(
                f"{_line(frame)}: this {kind} is not a part of the network: make it an attribute in __init__, "
                "or keep it in a nn.ModuleList"
            )
        if not isinstance(output, Tensor):
            raise Untraceable(f"{_line(frame)}: {kind} returns {type(output).__name__}, not one tensor")
        if name is None:
            name = self._free(self._here(kind.lower()))
        elif any(name == other for other, _, _ in self.layers):
            name = self._free(name)
        self._add(name or kind.lower(), module, [self._source(x, frame) for x in inputs], output)

    def _add_function(self, frame, function, arguments, output):
        tensors = [x for v in arguments.values() for x in (v if isinstance(v, (tuple, list)) else [v])]
        if not any(isinstance(x, Tensor) and self._is_known(x) for x in tensors):
            return  # of constants alone: a constant
        if not isinstance(output, Tensor):
            raise Untraceable(f"{_line(frame)}: {function} returns several tensors, which is not a layer")
        if function == "to":
            if not any(output is x for x in tensors):
                raise Untraceable(f"{_line(frame)}: a conversion to {output.dtype} is not a layer")
            return
        if function in ("dropout", "dropout2d") and arguments["training"]:
            raise Untraceable(
                f"{_line(frame)}: {function} with training=True drops in evaluation, too: write training=self.training"
            )
        layer, inputs, name = self._layer(frame, function, arguments, output)
        if function in ("dropout", "dropout2d") and output is arguments["input"]:
            self.unclear[id(output)] = _line(frame), False
        self._add(name or self._free(self._here(function)), layer, inputs, output)

    def _add(self, name, layer, inputs, output):
        self.layers.append((name, layer, inputs))
        self._keep(output, name)

    def _layer(self, frame, function, arguments, output):
        """(module, names of its inputs, its name if that is given by its parameters) for a call of a function."""
        x = arguments.get("input", arguments.get("tensors"))
        options = {name: value for name, value in arguments.items() if name != "input"}
        if function in ("linear", "conv2d") and (owner := self._owner(arguments)):
            name = self._free(owner) if any(owner == other for other, _, _ in self.layers) else owner
            return self._with_parameters(function, owner, options), [self._source(x, frame)], name
        if function == "concatenate":
            if not all(isinstance(t, Tensor) and self._is_known(t) for t in x):
                raise Untraceable(f"{_line(frame)}: concatenation with a constant is not a layer")
            return operations.Concat(options["dim"]), [self._source(t, frame) for t in x], None
        if function == "batch_norm":
            raise Untraceable(
                f"{_line(frame)}: batch_norm updates statistics, which needs a module: use nn.BatchNorm2d"
            )
        if function == "stack":
            raise Untraceable(f"{_line(frame)}: stack is not a layer: write cat of x.unsqueeze(dim)")
        if function in ("add", "mul") and arguments.get("alpha", 1) == 1:
            pair = [arguments["input"], arguments["other"]]
            if all(isinstance(t, Tensor) and self._is_known(t) for t in pair):
                kind = operations.Add if function == "add" else operations.Multiply
                return kind(), [self._source(t, frame) for t in pair], None
        if isinstance(x, Tensor) and function in SIMPLE:
            return SIMPLE[function](options), [self._source(x, frame)], None
        if function in ("flatten", "reshape") and output.shape[:1] == x.shape[:1] and x.ndim > 1 and output.ndim > 1:
            layer = _reshaping(function, options, output)
            return layer, [self._source(x, frame)], self._free(self._here(type(layer).__name__.lower()))
        return self._any_call(frame, function, arguments)

    def _any_call(self, frame, function, arguments):
        parameters = inspect.signature(getattr(functional, function)).parameters
        taken = [name for name, value in arguments.items() if isinstance(value, Tensor) and self._is_known(value)]
        constants, last = {}, max(map(list(arguments).index, taken))
        for place, (name, value) in enumerate(arguments.items()):
            if name in taken or (place > last and _is_default(value, parameters[name].default)):
                continue
            if isinstance(value, (tuple, list)) and any(isinstance(v, Tensor) for v in value):
                raise Untraceable(f"{_line(frame)}: {function} of several tensors is not a layer")
            constants[name] = value if not isinstance(value, Tensor) else value.numpy() if value.ndim else value.item()
        return operations.Call(function, **constants), [self._source(arguments[name], frame) for name in taken], None

    def _owner(self, arguments):
        """The module whose weight and bias are a function's, by name; None where they are not of one module."""
        name, _, kind = self.values.get(id(arguments["weight"]), "").rpartition(".")
        bias = arguments["bias"]
        fits = name and kind == "weight" and (bias is None or self.values.get(id(bias)) == f"{name}.bias")
        return name if fits else None

    def _with_parameters(self, function, name, options):
        """A Linear or Conv2d that shares the weight and bias of the module `name`, whose own forward uses them."""
        weight, bias = options["weight"], options["bias"]
        outputs, inputs, *kernel = weight.shape
        key = name, str({option: value for option, value in options.items() if option not in ("weight", "bias")})
        if key not in self.own:
            rest = {name: options[name] for name in ("stride", "padding", "dilation", "groups") if name in options}
            with init.skipped():
                if function == "linear":
                    layer: Module = layers.Linear(inputs, outputs, bias is not None)
                else:
                    inputs *= options["groups"]
                    layer = layers.Conv2d(inputs, outputs, tuple(kernel), bias=bias is not None, **rest)
            layer.weight, layer.bias = weight, bias
            self.own[key] = layer
        return self.own[key]

    def _here(self, name):
        """A name for a layer in the module that is running."""
        running = self.modules.get(id(self.running[-1])) if self.running else ""
        return f"{running}.{name}" if running else name

    def _free(self, name):
        """The name, or name_2, name_3, ... where it is taken."""
        free, number = name, 1
        while free in self.taken:
            number += 1
            free = f"{name}_{number}"
        self.taken.add(free)
        return free

    def _keep(self, tensor, name):
        self.names[id(tensor)] = name
        self.alive.append(tensor)  # or another tensor could have its id

    def _is_known(self, tensor):
        return id(tensor) in self.names or id(tensor) in self.values

    def _source(self, tensor, frame=None):
        """The name of a tensor; a parameter or buffer becomes a value of the graph."""
        if id(tensor) in self.unclear:
            line, seen = self.unclear[id(tensor)]
            if seen:
                raise Untraceable(
                    f"{line}: in evaluation this dropout returns its input itself, so that later uses of one cannot be "
                    "told from the other's: use the layer nn.Dropout"
                )
            self.unclear[id(tensor)] = line, True
        if id(tensor) not in self.names:
            if id(tensor) not in self.values:
                raise Untraceable(f"{_line(frame)}: the input of this layer was not computed from the network's input")
            name = self.values[id(tensor)]
            self.layers.append((name, tensor, ()))
            self._keep(tensor, name)
        return self.names[id(tensor)]

    def _refuse(self, frame, name):
        name = {"_compared": "a comparison", "__bool__": "an if", "_written": "an assignment in place"}.get(name, name)
        self.trouble = (
            f"{_line(frame)}: {name} cannot become a layer: a trace follows layers, and functions from tensors to "
            "tensors, but no values that are taken out of them"
        )

    def graph(self, output):
        """The Graph; output: what forward returned."""
        if isinstance(output, Tensor):
            outputs = self._output(output)
        elif isinstance(output, (tuple, list)) and all(isinstance(y, Tensor) for y in output):
            outputs = [self._output(y) for y in output]
        else:
            raise Untraceable(
                f"forward returns {type(output).__name__}: a graph returns a tensor, or a tuple of tensors"
            )
        return Graph(self.layers, self.inputs, outputs)

    def _output(self, tensor):
        if not self._is_known(tensor):
            raise Untraceable("the output of forward does not depend on its input")
        return self._source(tensor)


# Functions that have a layer: the layer for their options.
SIMPLE = {
    "relu": lambda o: layers.ReLU(o["inplace"]),
    "leaky_relu": lambda o: layers.LeakyReLU(o["negative_slope"], o["inplace"]),
    "sigmoid": lambda o: layers.Sigmoid(),
    "tanh": lambda o: layers.Tanh(),
    "softmax": lambda o: more.Softmax(o["dim"]),
    "log_softmax": lambda o: more.LogSoftmax(o["dim"]),
    "max_pool2d": lambda o: layers.MaxPool2d(
        o["kernel_size"], o["stride"], o["padding"], o["dilation"], ceil_mode=o["ceil_mode"]
    ),
    "avg_pool2d": lambda o: layers.AvgPool2d(**o),
    "adaptive_avg_pool2d": lambda o: layers.AdaptiveAvgPool2d(o["output_size"]),
    "local_response_norm": lambda o: layers.LocalResponseNorm(**o),
    "interpolate": lambda o: more_layers.Upsample(**{name: o[name] for name in o if name != "antialias"}),
    "gelu": lambda o: more_layers.GELU(**o),
    "elu": lambda o: more_layers.ELU(**o),
    "silu": lambda o: more_layers.SiLU(**o),
    "softplus": lambda o: more_layers.Softplus(**o),
    "dropout2d": lambda o: more_layers.Dropout2d(o["p"], o["inplace"], generator=o["generator"]),
    "dropout": lambda o: layers.Dropout(o["p"], inverted=o["inverted"], generator=o["generator"]),
}


def _reshaping(function, options, output):
    """Flatten or Reshape, which leave the batch alone."""
    if function == "flatten":
        return layers.Flatten(options["start_dim"], options["end_dim"])
    shape = options["shape"]
    if output.ndim == 2:
        return layers.Flatten()
    free = isinstance(shape, (tuple, list)) and len(shape) == output.ndim and -1 in shape[1:]
    return operations.Reshape(*(shape[1:] if free else output.shape[1:]))


def is_layer(module: Any) -> bool:
    """Whether a module is one layer of a graph: its forward is minialex's own, and it does not just run other modules.

    module: any Module.
    """
    forward = getattr(type(module).forward, "__module__", "") or ""
    return forward.startswith(__name__.partition(".")[0] + ".") and not isinstance(module, CONTAINERS)


def _distinct(module, inputs, output):
    """A forward hook: where a layer returns its input, as dropout does in evaluation, another tensor of the same array.

    An activation in place returns it as well, but there both names mean the new values.
    """
    is_same = any(output is x for x in inputs)
    return output.detach() if is_same and not getattr(module, "inplace", False) else None


def _is_default(value, default):
    return type(value) is type(default) and value == default


def _line(frame):
    """Where the user's code called what runs in a frame: "net.py:12"."""
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    if frame is None:
        return "forward"
    path = os.path.relpath(frame.f_code.co_filename)
    return f"{frame.f_code.co_filename if path.startswith('..') else path}:{frame.f_lineno}"
