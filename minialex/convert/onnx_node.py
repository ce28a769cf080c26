"""A node of an ONNX file, and what the function that turns it into layers may ask of it."""

from __future__ import annotations

import math
import re
from collections import defaultdict

import numpy as np

from .onnx_graph import BATCH, Constant, Value
from .onnx_tensors import Fault, shown

_OF_A_LAYER = re.compile(
    r"(.+?)[./_](weight|weights|kernel|bias|gamma|beta|scale|running_mean|running_var|[wWbB])(_\d+|:\d+)?"
)
LARGEST_RESULT = 2**28  # numbers in a layer's result for one image: a hundred times that of any classifier
_KINDS = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints"}  # AttributeProto.AttributeType: the field
_WORDS = {"f": "a number", "i": "an integer", "s": "a text", "t": "a tensor", "floats": "numbers", "ints": "integers"}


class Node:
    """A node of the file: an operator with its inputs and attributes.

    proto: the NodeProto.
    opset: number of the operator set.
    inputs: a Value, a Constant, or None for one that is left out, each.
    network: the Network.
    users: a function of the name of an output that returns the NodeProtos that take it, or None if it is the network's.
    constants: a function of the name of a tensor that returns its Constant, or None.

    What a handler has not read, an input or an attribute, it does not know: `check_all_is_read` says so.
    """

    def __init__(self, proto, opset, inputs, network, users, constants):
        self.proto, self.op, self.opset, self.network = proto, shown(proto.op_type), opset, network
        self.inputs, self._users, self._constants = inputs, users, constants
        self._attributes = {shown(a.name): a for a in proto.attribute}
        self._read: set = set()
        self.done: list = []  # NodeProtos of later nodes, whose work a layer of this one does as well
        self.name = self._name()

    def _name(self):
        """A readable name: that of its weights, else of the node, else of its output."""
        for value in self.inputs[1:]:
            if isinstance(value, Constant) and value.learned and (match := _OF_A_LAYER.fullmatch(value.name)):
                return match[1]
        if self.proto.name:
            return readable(shown(self.proto.name), self.op)
        output = shown(self.proto.output[0]) if self.proto.output else ""
        return f"{self.op.lower()}_{output}" if output.isdecimal() else readable(output, self.op)

    # ------------------------------------------------------------------------------------------- attributes, inputs

    def _attribute(self, name, field, default):
        self._read.add(name)
        attribute = self._attributes.get(name)
        if attribute is None:
            return default
        if _KINDS.get(attribute.type) != field or attribute.ref_attr_name:
            raise Fault(f"the attribute {name} is not {_WORDS[field]}")
        return getattr(attribute, field)

    def has(self, name):
        """Whether there is an attribute of this name."""
        return name in self._attributes

    def int(self, name, default):
        """An attribute that is an integer."""
        return self._attribute(name, "i", default)

    def flag(self, name, default=False):
        """An attribute that is 0 or 1."""
        number = self._attribute(name, "i", int(default))
        if number not in (0, 1):
            raise Fault(f"{name}={number}, expected 0 or 1")
        return bool(number)

    def float(self, name, default):
        """An attribute that is a float32, as the decimal that its author wrote: 0.0001 rather than 9.9999997e-05."""
        number = self._attribute(name, "f", None)
        return default if number is None else decimal(number)

    def ints(self, name, default, length=None):
        """An attribute that is a list of integers. length: how many there should be."""
        numbers = self._attribute(name, "ints", None)
        if numbers is None:
            return default
        if length is not None and len(numbers) != length:
            raise Fault(f"{name} has {len(numbers)} numbers, expected {length}")
        return list(numbers)

    def floats(self, name):
        """An attribute that is a list of numbers, or None."""
        return self._attribute(name, "floats", None)

    def text(self, name, default):
        """An attribute that is a text."""
        value = self._attribute(name, "s", None)
        return default if value is None else shown(value)

    def tensor(self, name):
        """An attribute that is a tensor, as an array, or None."""
        proto = self._attribute(name, "t", None)
        return None if proto is None else self.network.tensors.read(proto)

    def input(self, number):
        """The input, a Value or a Constant; None where it is left out."""
        self._read.add(number)
        return self.inputs[number] if number < len(self.inputs) else None

    def any(self, number=0):
        """The input, a Value or a Constant; raises Fault where it is left out."""
        if (value := self.input(number)) is None:
            raise Fault(f"its input {number + 1} is missing")
        return value

    def value(self, number=0):
        """The input as a Value: a Constant becomes one."""
        value = self.any(number)
        if isinstance(value, Value):
            return value
        return self.constant_value(value, "constant")

    def constant_value(self, constant, name):
        """A Constant as a Value. name: what to add to the node's name, if it has none."""
        name = self.network.value(constant, f"{self.name}.{name}")
        return Value(name, constant.shape, str(constant.array.dtype))

    def constant(self, number, what, like=None):
        """The input as a Constant, or None where it is left out.

        what: for the message.
        like: a Value whose dtype it should have, or None for any.
        """
        constant = self.input(number)
        if isinstance(constant, Value):
            raise Fault(f"{what} must be constant, but it is computed from the image; only fixed {what} can be read")
        if constant is not None and like is not None and constant.array.dtype != like.dtype:
            raise Fault(f"{what} is {constant.array.dtype} where the input is {like.dtype}")
        return constant

    def integers(self, number, what):
        """A constant input of integers as a list, in which BATCH and None may stand; None where it is left out."""
        constant = self.constant(number, what)
        if constant is None:
            return None
        if constant.array.dtype.kind not in "iuO" or constant.array.ndim > 1 or constant.array.size > 64:
            raise Fault(f"{what} should be a short list of integers, got {constant.array.dtype} {constant.shape}")
        return [n if n is None or n is BATCH else int(n) for n in constant.array.reshape(-1)]

    def either(self, name, number, since):
        """Integers that are an attribute before opset `since`, and from then on a constant input; None if left out."""
        numbers = self.integers(number, name) if self.opset >= since else self.ints(name, None)
        if numbers is not None and not all(isinstance(n, int) for n in numbers):
            raise Fault(f"{name} depends on the size of the images")
        return numbers

    def check_all_is_read(self):
        """Raise Fault for an input or an attribute that its handler does not know."""
        for name in self._attributes:
            if name not in self._read:
                raise Fault(f"the attribute {name} is not known of opset {self.opset}'s {self.op}")
        for number, value in enumerate(self.inputs):
            if value is not None and number not in self._read:
                raise Fault(f"it has {len(self.inputs)} inputs, more than opset {self.opset}'s {self.op}")

    def sole_user(self, output=None):
        """The NodeProto that takes its first output, or that of another node, if it is the only one; else None."""
        users = self._users(self.proto.output[0] if output is None else output)
        return users[0] if users is not None and len(users) == 1 else None

    def constant_named(self, name):
        """The Constant of a tensor's name, None if it is none."""
        return self._constants(name)

    # -------------------------------------------------------------------------------------------------------- layers

    def layer(self, layer, *sources, shape, dtype=None, name=None):
        """Add a layer; returns its Value.

        sources: Values and Constants, its inputs.
        shape, dtype: of its output; the dtype of the first source by default.
        name: what to add to the node's name, for another layer than the one that gives its result.
        """
        name = self.name if name is None else f"{self.name}.{name}"
        values = [s if isinstance(s, Value) else self.constant_value(s, "constant") for s in sources]
        if len({value.dtype for value in values}) > 1:
            raise Fault(f"its inputs are {' and '.join(value.dtype for value in values)}, expected one type")
        image = math.prod(n for n in (shape or ())[1:] if isinstance(n, int))
        if image > LARGEST_RESULT:
            raise Fault(f"its result {shape} has more than {LARGEST_RESULT:,} numbers for an image")
        name = self.network.add(name, layer, [value.name for value in values])
        return Value(name, shape, dtype or values[0].dtype)

    def broadcast(self, *shapes):
        """The shape of values of these shapes together, by NumPy's rule; None where one is unknown."""
        if any(shape is None for shape in shapes):
            return None
        size, result = max(map(len, shapes)), []
        for axis in range(size):
            lengths = [s[axis - size] for s in shapes if len(s) >= size - axis]
            lengths = [n for n in lengths if n != 1] or [1]
            known = {n for n in lengths if isinstance(n, int) and not (BATCH in lengths and n == self.network.batch)}
            if len(known) > 1 or (known and BATCH in lengths):
                raise Fault(f"shapes {' and '.join(map(str, shapes))} do not fit together")
            result.append(BATCH if BATCH in lengths else next(iter(known), None))
        return tuple(result)


def readable(name, op):
    """A name without the path's slashes: torch's "/features/features.0/Conv" is "features.0"."""
    parts = [part for part in name.split("/") if part]
    if len(parts) > 1 and re.fullmatch(rf"{re.escape(op)}(_\d+)?", parts[-1]):
        parts.pop()
    joined: list[str] = []
    for part in parts:
        if joined and part.startswith(f"{joined[-1]}."):
            joined.pop()
        joined.append(part)
    return ".".join(joined) or op.lower()


def decimal(number):
    """A float32 as the shortest decimal that it stands for."""
    return float(str(np.float32(number)))


def decimal_of(constant):
    """The only number of a Constant, as a plain one."""
    number = constant.array.reshape(-1)[0]
    return float(str(number)) if constant.array.dtype.kind == "f" else int(number)


def uses(graph):
    """{name of a tensor: the NodeProtos that take it} of a GraphProto."""
    users = defaultdict(list)
    for node in graph.node:
        for name in {*node.input}:
            users[name].append(node)
    return users
