"""Reading .onnx files, the networks that nearly every framework can export, without running anything in them.

    ModelProto      ir_version, producer_name, opset_import [domain, version], metadata_props, graph
    GraphProto      input, initializer [TensorProto], node [NodeProto], output: nodes stand in the order of execution
    NodeProto       op_type and domain, names of inputs and outputs, attributes

Each node becomes layers of minialex.nn. https://github.com/onnx/onnx/blob/main/docs/IR.md
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from .. import nn
from ..data import Normalize
from . import onnx_arithmetic, onnx_messages, onnx_nodes, onnx_parts, onnx_patterns, onnx_shaping  # noqa: F401  # they fill OPERATORS
from .imported import Imported
from .onnx_constants import FOLDED, fold
from .onnx_graph import BATCH, OPERATORS, Constant, Network, Value
from .onnx_node import Node, uses
from .onnx_tensors import TYPES, Fault, Tensors, shown

OPSETS = 7, 28  # the first and the last whose operators are known
_OURS = "", "ai.onnx"  # names of the domain of ONNX's own operators
_FLOATS = ("float32", "float16", "bfloat16", "float64")


def read(path):
    """Read a network from an .onnx file.

    path: of the file; external data is looked for in its folder, and nowhere else.

    Returns an Imported. Initializers of floating-point numbers are Parameters, other constants are not trained; both
    are float32 where the file has float16 or bfloat16. The batch size is free. What minialex.convert has written about
    the classes and the normalisation is there again.
    Raises OSError where the file cannot be read; ValueError, naming the node or the tensor, where it is damaged or
    holds what is not known, such as several inputs, loops, or operators of other domains.
    """
    try:
        content = Path(path).read_bytes()
        tensors, model = Tensors(os.path.dirname(os.path.abspath(path)), len(content)), _parsed(content)
        del content  # which may be large
        network, shape, output = network_of(model, tensors)
        if shape is not None and len(shape) != 4:
            raise Fault(f"its input has the shape {shape}, expected images (N, C, H, W)")
        if output is not None and output[:1] != (BATCH,):
            raise Fault(f"its output has the shape {output}, which does not begin with the batch")
        known = shape is not None and all(isinstance(n, int) for n in shape[1:])
        number = output[1] if output is not None and len(output) == 2 else None
        producer = " ".join(shown(text) for text in (model.producer_name, model.producer_version) if text)
        return Imported(
            network,
            input_shape=shape[1:] if known else None,
            **_described(model, number),
            origin=f"ONNX, opset {_opset(model)}" + (f", by {producer}" if producer else ""),
        )
    except Fault as fault:
        raise ValueError(f"{path}: {fault}") from fault


def _parsed(content):
    onnx_messages.check(content)
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        raise Fault("it is cut short or damaged, or not an ONNX file") from None
    if not model.graph.node:
        raise Fault("it holds no nodes; it is damaged, or not an ONNX file")
    return model


def _opset(model):
    """The version of ONNX's own operators; raises Fault where it is not known."""
    versions = {entry.version for entry in model.opset_import if entry.domain in _OURS}
    if len(versions) != 1:
        raise Fault("it does not give the version of its operators; it is damaged, or not an ONNX file")
    version = versions.pop()
    if not OPSETS[0] <= version <= OPSETS[1]:
        raise Fault(f"it has opset {version}; {OPSETS[0]} to {OPSETS[1]} are read, so export it with another one")
    return version


def network_of(model, tensors):
    """Make the Graph of a ModelProto.

    model: the ModelProto.
    tensors: a Tensors.

    Returns the Graph, the shape of its input and that of its output: tuples of ints, of BATCH and, for what the file
    does not say, None; or None.
    Raises Fault.
    """
    graph, opset = model.graph, _opset(model)
    if graph.sparse_initializer:
        raise Fault("it has sparse initializers, which are not read; make them dense")
    if model.functions:
        raise Fault(f"it defines functions, such as {shown(model.functions[0].name)}; export it with functions inlined")
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initializers]
    if len(inputs) != 1 or len(graph.output) != 1:
        ends = [f"{len(values)} {what}{'s' * (len(values) != 1)} ({', '.join(shown(v.name) for v in values[:5])})"
            for what, values in (("input", inputs), ("output", graph.output))]  # fmt: skip
        raise Fault(f"it has {' and '.join(ends)}; networks of one input and one output are read")
    shape, dtype = _input(inputs[0])
    batch = shape[0] if shape and isinstance(shape[0], int) else None
    network = Network(tensors, batch)
    name = network.unique(shown(inputs[0].name))
    x = Value(name, None if shape is None else (BATCH, *shape[1:]) if shape else (), dtype)
    known = _Known(initializers, tensors, {inputs[0].name: _channels_first(graph, network, x)})
    given = x.shape if known[inputs[0].name].name == name else _moved(x.shape)
    _add_layers(graph, opset, network, known)
    result = known[graph.output[0].name]
    if not isinstance(result, Value):
        raise Fault(f"its output {shown(graph.output[0].name)} is constant, or given by no node")
    return network.graph(name, result.name), given, result.shape


class _Known(dict):
    """{name of a tensor: Value or Constant, or a text that says why there is none}; initializers are read on demand."""

    def __init__(self, initializers, tensors, values):
        super().__init__(values)
        self._initializers, self._tensors = initializers, tensors

    def __missing__(self, name):
        if name not in self._initializers:
            raise Fault(f"it takes {shown(name)}, which no node above gives")
        self[name] = Constant(self._tensors.read(self._initializers[name]), shown(name), True)
        return self[name]

    def has(self, name):
        """Whether there is something of this name."""
        return name in self or name in self._initializers

    def constant(self, name):
        """The Constant of this name; None where it is none."""
        found = self[name] if self.has(name) else None
        return found if isinstance(found, Constant) else None


def _input(value):
    """(shape, dtype) of the graph's input, a ValueInfoProto; the shape has None for what the file does not say."""
    kind, _, _ = TYPES.get(value.type.tensor_type.elem_type, ("", "", ""))
    if kind not in _FLOATS:
        name = shown(value.name)
        raise Fault(f"its input {name} is {kind or 'no tensor that is read'}, expected floating-point numbers")
    dtype = "float64" if kind == "float64" else "float32"
    if not value.type.tensor_type.HasField("shape"):
        return None, dtype
    lengths = [d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim]
    if any(n is not None and not 1 <= n <= 2**31 for n in lengths[1:]) or len(lengths) > 8:
        raise Fault(f"its input has the shape {lengths[:8]}, expected positive lengths")
    return (lengths[0] if lengths and (lengths[0] or 0) > 0 else None, *lengths[1:]) if lengths else (), dtype


def _channels_first(graph, network, x):
    """The input as the file's nodes take it: an image (N, H, W, C) is moved from (N, C, H, W).

    TensorFlow's images are of that form, and its exporter moves them to the other one with a Transpose.
    """
    images = x.shape is not None and len(x.shape) == 4 and all(n is None or n >= 16 for n in x.shape[1:3])
    transposes = (node for node in graph.node if node.op_type == "Transpose" and node.attribute)
    moves = any([*node.attribute[0].ints] == [0, 3, 1, 2] for node in transposes)
    if not images or not moves or x.shape[3] not in (1, 3):
        return x
    dims = (0, 2, 3, 1)
    return Value(network.add("channels_last", nn.Call("permute", dims=dims), [x.name]), x.shape, x.dtype)


def _moved(shape):
    return (shape[0], shape[3], shape[1], shape[2])


def _add_layers(graph, opset, network, known):
    """Add the layers of all nodes to the network, and their outputs to `known`."""
    users, ends, done = uses(graph), {value.name for value in graph.output}, set()
    for proto, function in onnx_patterns.nodes(graph):
        if id(proto) in done:
            continue
        kind = shown(proto.op_type)
        where = f"node {shown(proto.name or (proto.output[0] if proto.output else ''))} ({kind})"
        try:
            if proto.domain not in _OURS:
                raise Fault(f"its domain is {shown(proto.domain)}, of which no operators are read; export it without")
            if kind not in OPERATORS and kind not in FOLDED:
                raise Fault("this operator is not known; export the network without it")
            inputs = [_taken(known, name) for name in proto.input]
            node = Node(proto, opset, inputs, network, lambda name: None if name in ends else users[name],
                known.constant)  # fmt: skip
            results = _results(node, function)
            names = [name for name in proto.output if name]
            if len(results) < len(proto.output):
                results += [f"takes output {n + 1} of {where}, which is not computed here"
                    for n in range(len(results), len(proto.output))]  # fmt: skip
            if not names or any(map(known.has, names)):
                raise Fault("its output is missing, or has the name of another tensor")
            known.update({name: result for name, result in zip(proto.output, results) if name})
            for later in node.done:
                known[later.output[0]] = results[0]
                done.add(id(later))
        except Fault as fault:
            raise Fault(f"{where}: {fault}") from None


def _taken(known, name):
    """An input of a node, None where it is left out."""
    found = known[name] if name else None
    if isinstance(found, str):
        raise Fault(f"it {found}")
    return found


def _results(node, function):
    """What a node gives: a list of Values, or Constants where it can be computed now.

    function: in the place of that of its operator, or None.
    """
    if function is not None:
        result = function(node)
        node.check_all_is_read()
        return [result]
    constants = node.inputs and all(x is None or isinstance(x, Constant) for x in node.inputs)
    result = fold(node) if constants and node.inputs[0] is not None else None
    if result is None:
        if node.op not in OPERATORS:
            raise Fault("this operator is only known of shapes and other constants; export the network without it")
        result = OPERATORS[node.op](node)
    node.check_all_is_read()
    return result if isinstance(result, list) else [result]


# ------------------------------------------------------------------------------------------------------------ metadata


def _described(model, number):
    """What minialex.convert has written into the metadata: classes, channel order and normalisation, for Imported.

    number: of outputs, None if unknown.
    """
    if model.producer_name != "minialex":
        return {}
    texts = {shown(entry.key): entry.value for entry in model.metadata_props}
    found: dict = {}
    if "channel_order" in texts:
        found["channel_order"] = texts["channel_order"]
        if found["channel_order"] not in ("RGB", "BGR"):
            raise Fault(f"its metadata channel_order is {shown(texts['channel_order'])}, expected RGB or BGR")
    if "classes" in texts:
        found["classes"] = _json("classes", texts)
        names = found["classes"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise Fault("its metadata classes are no list of names")
        if len(names) != number or len(set(names)) != number:
            raise Fault(f"its metadata have {len(names)} names of classes for {number} outputs")
    if "normalization" in texts:
        try:
            arrays = {key: np.array(value, np.float32) for key, value in _json("normalization", texts).items()}
            found["normalization"] = Normalize(**arrays)
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise Fault(f"its metadata normalization is no mean and std of images ({shown(str(error))})") from None
    return found


def _json(key, texts):
    try:
        return json.loads(texts[key])
    except (ValueError, RecursionError):
        raise Fault(f"its metadata {key} are not JSON") from None
