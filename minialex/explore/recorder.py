"""Notes what a tape does as data of a page: nodes, steps, arrays, and lines of source."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import numpy as np

from .. import tape
from ..nn import Module
from ..support.text import printable
from ..support.types import Array
from ..tensor import Tensor
from . import sources
from .captured import captured
from .describing import of_docstring

OPERATIONS = 300  # that a trace holds
STEPS = 1_000  # forwards, backwards, sums and updates together


@dataclass
class _Place:
    """Where an operation stands in the source.

    user: (file, line) of the user's code.
    code: of the function of minialex that computes it.
    doc: that function's docstring.
    backward: the code of its backward.
    """

    user: tuple[str, int] | None = None
    code: CodeType | None = None
    doc: str | None = None
    backward: CodeType | None = None

    def lit(self, phase: str) -> tuple[CodeType, list[int]] | None:
        """(the function to show, the numbers of its lit lines) in a phase, None where nothing is known."""
        if phase != "backward":
            return self.code and (self.code, sources.forward_lines(self.code))
        if self.backward is None:
            return None
        around = self.code if self.code is not None and self.backward in self.code.co_consts else self.backward
        return around, sources.backward_lines(around, self.backward)


@dataclass
class _Scratch:
    """What is needed while a trace lasts; it holds on to everything that has a number, so that no id comes twice.

    numbers: id of an edge, or of a tensor that has none -> number of its node.
    objects: number of a node -> the object of that id.
    tensors: number of a node -> its Tensor, where one was seen.
    names: number of a node -> the name by which the user's code knows it.
    places: number of a node -> its _Place.
    results: number of an operation -> number of its result's array.
    digests: digest of an array -> its number.
    waiting: the edges whose gradients the tape is about to take.
    hooked: what had a gradient passed through its hooks last, and the numbers of the arrays before and after.
    """

    numbers: dict[int, int] = field(default_factory=dict)
    objects: list[Any] = field(default_factory=list)
    tensors: dict[int, Tensor] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    places: dict[int, _Place] = field(default_factory=dict)
    results: dict[int, int] = field(default_factory=dict)
    digests: dict[bytes, int] = field(default_factory=dict)
    waiting: list[Any] = field(default_factory=list)
    hooked: tuple[Any, int, int] = (None, 0, 0)


class Recorder:
    """Notes what the tape tells it; see tracing.py.

    frame: the user's, whose variables give tensors and modules their names.

    data: {nodes, steps, arrays, sources, stopped}, all of it complete after `finish`. A node is an operation, a leaf or
        a constant; a step has a phase (forward, backward, sum, leaf, update), a node, and values [label, array, node].
    """

    def __init__(self, frame: FrameType) -> None:
        self.frame: FrameType | None = frame
        self.data: dict[str, Any] = {"nodes": [], "steps": [], "arrays": [], "sources": [], "stopped": None}
        self.scratch = _Scratch()

    # ------------------------------------------------------------------------------------- what the tape tells

    def recorded(self, node: Any, parents: Any, result: Tensor, frame: FrameType) -> None:
        """An operation was recorded; frame: of what made its Node."""
        if sum(step["phase"] == "forward" for step in self.data["steps"]) >= OPERATIONS:
            self._stop(f"{OPERATIONS} operations")
        if self.data["stopped"]:
            return
        user = sources.user_frame(frame)
        numbers = [None if p is None else self._input(p, edge, user) for p, edge in zip(parents, node.parents)]
        values = [
            [f"input {k}", self._value(number, p), number]
            for k, (number, p) in enumerate(zip(numbers, parents), 1)
            if p is not None
        ]
        inputs = [number for number, p in zip(numbers, parents) if p is not None]
        number = self._new(node, "operation", node.name, result.shape, inputs)
        self.scratch.tensors[number] = result
        self.scratch.places[number] = _place(frame, user, node.backward)
        self.scratch.results[number] = self.array(result.data)
        self._step("forward", number, [*values, ["y", self.scratch.results[number], number]])

    def ran(self, node: Any, gy: Array, wanted: Any, parents: Any, code: CodeType | None) -> None:
        """A backward has run.

        gy: the gradient that arrived.
        wanted: (edge, gradient) of what it hands on.
        parents: the edges of all its inputs, before they were released.
        code: of the backward.
        """
        self.scratch.waiting = [edge for edge, _ in wanted]
        number = self._number(node, parents)
        self.scratch.places.setdefault(number, _Place(backward=code))
        places = [k for k, edge in enumerate(parents, 1) if edge is not None]
        handed = [[f"gradient of input {k}", self.array(g), self._number(edge)] for k, (edge, g) in zip(places, wanted)]
        hooked = self._after_hooks(node)
        after = [["gy after its hooks", hooked[1], number]] if hooked else []
        self._step("backward", number, [["gy", self.array(gy), number], *after, *handed])

    def hooked(self, target: Any, gradient: Array, passed: Array) -> None:
        """The hooks of an operation or a leaf were given a gradient and passed one on, before it runs, or takes it."""
        self.scratch.hooked = (target, self.array(gradient), self.array(passed))

    def _after_hooks(self, target):
        """(the number of what arrived, and of what its hooks made of it); None where they changed nothing."""
        of, gradient, passed = self.scratch.hooked
        self.scratch.hooked = (None, 0, 0)
        return (gradient, passed) if of is target and gradient != passed else None

    def began(self) -> None:
        """The first gradient has arrived at an edge."""
        if self.scratch.waiting:
            self.scratch.waiting.pop(0)

    def added(self, before: int | None, gradient: Array, total: Array) -> None:
        """A further gradient was added to those that had arrived at an edge; before: the number of their array."""
        number = self._number(self.scratch.waiting.pop(0))
        values: list[list[Any]] = [["so far", before], ["arriving", self.array(gradient)], ["sum", self.array(total)]]
        self._step("sum", number, [[*value, number] for value in values])

    def delivered(self, leaf: Tensor, before: int | None, gradient: Array) -> None:
        """A gradient was added to a leaf's .grad; before: the number of the array that was there."""
        number, grad = self._number(leaf), leaf.grad
        values = [] if before is None else [[".grad before", before]]
        arrived, passed = self._after_hooks(leaf) or (self.array(gradient), None)
        values.append(["arriving", arrived])
        if passed is not None:
            values.append(["arriving, after its hooks", passed])
        values += [[".grad", self.array(grad.data) if grad is not None else None]]
        self._step("leaf", number, [[*value, number] for value in values])

    def parameters_of(self, optimizer: Any) -> dict[int, Any]:
        """{index: values before a step} of the parameters that have a gradient: itself, its gradient, its state."""
        return {
            index: [
                ["before", self.array(p.data)],
                ["gradient", self.array(p.grad.data)],
                *self._state(optimizer, index, " before"),
            ]
            for index, p in enumerate(optimizer._parameters)
            if p.grad is not None
        }

    def updated(self, optimizer: Any, before: dict[int, Any], frame: FrameType) -> None:
        """An optimiser has changed its parameters; before: of parameters_of; frame: of what called step."""
        place = _Place(_line(sources.user_frame(frame)), type(optimizer).update.__code__)
        settings = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        for index, values in before.items():
            p = optimizer._parameters[index]
            number = self._number(p)
            values = [*values, *self._state(optimizer, index), ["after", self.array(p.data)]]
            about = f"{type(optimizer).__name__}: {_numbers(settings[id(p)])}"
            self._step("update", number, [[*value, number] for value in values], place, about)

    def _state(self, optimizer, index, when=""):
        state = optimizer.state.get(index, {})
        return [[f"{name}{when}", self.array(x)] for name, x in state.items() if hasattr(x, "shape")]

    # ------------------------------------------------------------------------------------- how it is kept

    def array(self, array: Array) -> int:
        """The number of an array; equal ones have the same.

        array: of NumPy or of CuPy.
        """
        found = array.get() if hasattr(array, "get") else np.asarray(array)
        about = repr((found.shape, found.dtype)).encode()
        digest = hashlib.blake2b(about + found.tobytes(), digest_size=16).digest()
        if digest not in self.scratch.digests:
            self.scratch.digests[digest] = len(self.data["arrays"])
            self.data["arrays"].append(captured(found))
        return self.scratch.digests[digest]

    def _stop(self, what):
        self.data["stopped"] = (
            f"A trace holds at most {what}: what came after them is not in it. "
            "Trace a smaller network, or a part of one."
        )

    def _step(self, phase, number, values, place=None, about=""):
        if len(self.data["steps"]) >= STEPS:
            self._stop(f"{STEPS:,} steps")
        if not self.data["stopped"]:
            step = {"phase": phase, "node": number, "values": values, "about": about}
            self.data["steps"].append({**step, "place": place or self.scratch.places.get(number, _Place())})

    def _new(self, key, kind, name, shape, inputs):
        number = len(self.data["nodes"])
        self.scratch.numbers[id(key)] = number
        self.scratch.objects.append(key)
        self.data["nodes"].append({"kind": kind, "name": name, "shape": list(shape), "inputs": inputs})
        return number

    def _input(self, parent, edge, user):
        """The number of an operation's input."""
        key = parent if edge is None else edge
        if id(key) in self.scratch.numbers:
            number = self.scratch.numbers[id(key)]
        elif edge is None:
            number = self._new(parent, "constant", "", parent.shape, [])
        else:
            number = self._number(edge, ())
        self.scratch.tensors.setdefault(number, parent)
        self._name(number, parent, user)
        return number

    def _name(self, number, tensor, user):
        """By the user's variable, or by the layer's parameter."""
        module = tape._thread.module
        known = {} if user is None else {name: x for name, x in user.f_locals.items() if not name.startswith("_")}
        for name, value in [*known.items(), *({} if module is None else module._parameters).items()]:
            if value is tensor:
                self.scratch.names.setdefault(number, name)

    def _number(self, edge, parents=()):
        """The number of an edge; of one that was recorded before the trace and only now runs, a new one."""
        if id(edge) in self.scratch.numbers:
            return self.scratch.numbers[id(edge)]
        if isinstance(edge, tape.Node):
            inputs = [self._number(parent) for parent in parents if parent is not None]
            return self._new(edge, "operation", edge.name, edge.shape, inputs)
        number = self._new(edge, "leaf", "", edge.shape, [])
        self.scratch.tensors[number] = edge
        return number

    def _value(self, number, tensor):
        """The array of an input: of an operation its result, which may since have been overwritten."""
        return self.scratch.results.get(number) if number in self.scratch.results else self.array(tensor.data)

    # ------------------------------------------------------------------------------------- the end

    def finish(self) -> None:
        """Name everything, look up the lines, and let go of all that was needed for this."""
        self._name_all()
        for number, node in enumerate(self.data["nodes"]):
            doc = self.scratch.places.get(number, _Place()).doc
            node["sentence"], node["formulas"] = of_docstring(inspect.cleandoc(doc)) if doc else ("", "")
        self._light()
        self.scratch, self.frame = _Scratch(), None

    def _name_all(self):
        """By the variables of the code in which the trace was asked for."""
        frame: Any = self.frame
        variables = {name: value for name, value in frame.f_locals.items() if not name.startswith("_")}
        networks = {name: value for name, value in variables.items() if isinstance(value, Module)}
        names, modules = {}, {}
        for name, network in networks.items():
            before = f"{name}." if len(networks) > 1 else ""
            names.update({id(p): before + path for path, p in network.named_parameters()})
            modules.update({id(m): (before + path).rstrip(".") for path, m in network.named_modules()})
        tensors = [(name, value) for name, value in variables.items() if isinstance(value, Tensor)]
        names.update({id(value): name for name, value in reversed(tensors)})  # of two names the first
        for number, node in enumerate(self.data["nodes"]):
            tensor = self.scratch.tensors.get(number)
            name = names.get(id(tensor)) or self.scratch.names.get(number, "")
            node["variable"] = printable(name)
            module = getattr(self.scratch.objects[number], "module", None)
            path, kind = modules.get(id(module), ""), "" if module is None else type(module).__name__
            node["module"] = printable(f"{path} ({kind})" if path else kind)

    def _light(self):
        """Give every step its lit lines: [number of the source, lines], the user's first."""
        steps, lit = self.data["steps"], {}
        for step in steps:
            if (user := step["place"].user) is not None:
                lit.setdefault(user[0], set()).add(user[1])
        numbers: dict[Any, int | None] = {}
        for file, lines in lit.items():
            self._source(file, sources.own(file, lines), numbers)
        for step in steps:
            place: _Place = step.pop("place")
            step["lit"] = [] if place.user is None else [[numbers[place.user[0]], [place.user[1]]]]
            found = place.lit(step["phase"]) if step["phase"] in ("forward", "backward", "update") else None
            if found is not None:
                if found[0] not in numbers:
                    self._source(found[0], sources.function(found[0]), numbers)
                step["lit"].append([numbers[found[0]], found[1]])
            step["lit"] = [lines for lines in step["lit"] if lines[0] is not None]

    def _source(self, key, source, numbers):
        numbers[key] = len(self.data["sources"]) if source and source["lines"] else None
        if source and source["lines"]:
            self.data["sources"].append(source)


def _place(frame, user, backward):
    """The _Place of an operation; frame: of what made its Node, within Tensor."""
    while frame is not None and frame.f_code.co_name in ("from_operation", "rewritten_by"):
        frame = frame.f_back
    backward = getattr(backward, "__code__", None)
    if frame is None or not sources.is_ours(frame):
        return _Place(_line(user), backward=backward)
    function = frame.f_globals.get(frame.f_code.co_name)
    return _Place(_line(user), frame.f_code, getattr(function, "__doc__", None), backward)


def _numbers(settings):
    """ "lr 0.1, momentum 0.9": the numbers among an optimiser's settings that are not 0."""
    numbers = {k: v for k, v in settings.items() if isinstance(v, (int, float)) and v and k != "initial_lr"}
    return ", ".join(f"{name} {value:g}" for name, value in numbers.items())


def _line(frame):
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)
