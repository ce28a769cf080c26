"""The tape that operations leave behind, and `backward`, which reads it from its end.

Every operation on tensors makes a `Node`: the function that turns the gradient of its result into the gradients of its
inputs, and edges to where those inputs came from: another Node, or a leaf tensor. `backward` sorts the nodes so that
    each comes before the nodes of its inputs, and applies the chain rule once to each.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import overload

import numpy as np

from .backends.base import Backend
from .support.reachable import Opaque, reachable
from .support.types import Any, Function, Iterator, Self, Sequence


class _OfThread(threading.local):
    """Per thread, so that evaluating in one does not switch off training in another.

    before: what grad_enabled was outside of each `with no_grad()`.
    module: the innermost nn.Module that is running.
    retain_graph: whether backward() keeps what the operations saved.
    """

    def __init__(self):
        self.grad_enabled, self.before, self.module, self.retain_graph = True, [], None, False


_thread = _OfThread()


def is_grad_enabled() -> bool:
    """Whether operations of this thread are recorded on the tape."""
    return _thread.grad_enabled


class no_grad(contextlib.ContextDecorator):
    """Within `with no_grad():`, or a function decorated with `@no_grad` or `@no_grad()`, nothing is recorded."""

    @overload
    def __new__(cls) -> Self: ...
    @overload
    def __new__(cls, function: Function) -> Function: ...  # type: ignore[misc]
    def __new__(cls, function: Any = None) -> Any:
        context = super().__new__(cls)
        return context if function is None else context(function)

    def __enter__(self) -> None:
        # a stack, of each thread's own: a decorated function may recurse, and run in two threads at once
        _thread.before = [*_thread.before, is_grad_enabled()]
        _thread.grad_enabled = False

    def __exit__(self, *exception: object) -> None:
        _thread.grad_enabled = _thread.before.pop()


class recording_module:
    """Operations recorded within this context are marked with a module; gives the module around it, or None.

    module: the nn.Module that is running.
    """

    def __init__(self, module: Any) -> None:
        self.module = module

    def __enter__(self) -> Any:
        self.before, _thread.module = _thread.module, self.module
        return self.before

    def __exit__(self, *exception: object) -> None:
        _thread.module = self.before


@contextlib.contextmanager
def retaining_graph(retain: bool) -> Iterator[None]:
    """Within this context backward() keeps what the operations saved, so that it can pass through them again.

    retain: whether it does.
    """
    before, _thread.retain_graph = _thread.retain_graph, bool(retain)
    try:
        yield
    finally:
        _thread.retain_graph = before


def after_hooks(target: Any, gradient: Any) -> Any:
    """A gradient as the hooks of what it arrives at leave it; they get a copy, which they may keep.

    target: a Node or a leaf Tensor.
    gradient: an array.
    """
    gradient = gradient.copy()
    for hook in tuple(target._hooks.values()):
        gradient = hook(gradient)
    return gradient


class Node:
    """One operation on the tape.

    name: of the operation.
    backward: gy -> a gradient for each parent.
    parents: the operation's inputs, Tensors; None for an argument that was left out.
    result: its result, a Tensor.
    saves: arrays and tensors that it declares, see Tensor.from_operation.

    `parents` then holds edges: a Node, a leaf Tensor, or None for an input that needs no gradient. `watched` holds the
    versions of all that `backward` keeps, `module` the innermost nn.Module that was running, `_hooks` the functions
    that the gradient of the result passes through first, {number: function} or None.
    """

    __slots__ = ("_hooks", "array_type", "backward", "dtype", "module", "name", "parents", "shape", "watched")

    def __init__(self, name: str, backward: Any, parents: Sequence[Any], result: Any, saves: Any = None) -> None:
        self.name, self.backward, self._hooks = name, backward, None
        self.parents, self.watched, tensors = [], [], []
        for p in parents:
            self.parents.append(p.edge if p is not None and p._requires_grad else None)
            if p is not None:
                tensors.append(p)
        tensors.append(result)
        for t in _saved_by(name, backward, tensors, saves):
            self.watched.append((t._version, t._version.count))
        self.module = _thread.module
        self.shape, self.dtype, self.array_type = result.shape, result.dtype, type(result.data)

    def check(self) -> None:
        """Raise RuntimeError unless everything that backward needs is still as the forward pass left it."""
        if self.backward is None:
            raise RuntimeError(
                f"a second backward() through {self.name}: the first one freed what it had saved; add the losses and "
                "call backward() once, run the forward pass again, or call the first one with retain_graph=True"
            )
        for version, then in self.watched:
            if version.count != then:
                raise RuntimeError(
                    f"backward of {self.name} needs a value that was changed in place after the forward pass "
                    f"(version {then}, now {version.count}): call backward() before the change, or change a copy"
                )

    def run(self, gy: Any) -> list[tuple[Any, Any]]:
        """The gradients of the parents, checked; then everything saved is released, unless the graph is retained."""
        gradients, parents = self.backward(after_hooks(self, gy) if self._hooks else gy), self.parents
        if not isinstance(gradients, (tuple, list)):
            raise TypeError(
                f"backward of {self.name} returned {_kind(gradients)}: return a tuple with a gradient for each input"
            )
        if len(gradients) != len(parents):
            raise ValueError(
                f"backward of {self.name} returned {len(gradients)} gradients for {len(parents)} inputs: "
                "return one for each, None where an input needs none"
            )
        wanted = []
        for number, edge in enumerate(parents):
            if edge is not None:
                self._check_gradient(number + 1, gradients[number], edge)
                wanted.append((edge, gradients[number]))
        retain = _thread.retain_graph
        if not retain:
            self.backward, self.parents, self.watched = None, [], []
        if retain or self._hooks:  # backward, or a hook, may keep the array that a leaf would take for its own
            wanted = [(edge, g if isinstance(edge, Node) else g.copy()) for edge, g in wanted]
        return wanted

    def _check_gradient(self, number, gradient, edge):
        """What a hand-written backward gives is added to other gradients: a wrong shape would broadcast unseen."""
        array_type = edge.array_type if isinstance(edge, Node) else type(edge.data)
        if not isinstance(gradient, (array_type, np.generic)):  # NumPy makes scalars of arrays without axes
            raise TypeError(
                f"backward of {self.name} returned {_kind(gradient)} as the gradient of input {number}: "
                f"return an array, of {edge.dtype} and shape {tuple(edge.shape)}"
            )
        if gradient.shape != edge.shape:
            raise ValueError(
                f"backward of {self.name} returned a gradient of shape {gradient.shape} for input {number}, "
                f"which has shape {tuple(edge.shape)}"
            )
        if gradient.dtype != edge.dtype:
            raise TypeError(
                f"backward of {self.name} returned a gradient of {gradient.dtype} for input {number}, "
                f"which is {edge.dtype}"
            )


def _kind(value):
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _saved_by(name, backward, tensors, saves):
    """The tensors whose values an operation's `backward` holds on to; tensors: the operation's inputs and its result.

    They are found, not declared, so that none can be forgotten: all arrays that the function leads to (see
    `support.reachable`) are compared with the memory of each tensor, so that a view counts as what it is a view of.
    saves: arrays and tensors that the operation declares, for where it keeps an object that cannot be searched.

    Raises TypeError where there is such an object and nothing is declared.
    """
    Tensor, array_type = type(tensors[-1]), type(tensors[-1].data)
    try:
        held = reachable(backward, (Backend, Tensor, array_type), opaque=saves is not None)
    except Opaque as error:
        raise TypeError(
            f"backward of {name} keeps {error}, in which a value could change unseen: keep arrays or tensors instead, "
            "or declare those it keeps, from_operation(..., saves=[...])"
        ) from None
    held += saves or ()
    arrays, saved = [], []
    for thing in held:
        if isinstance(thing, array_type):
            arrays.append(thing)
        elif isinstance(thing, Tensor):
            saved.append(thing)
    overlap = tensors[-1].backend.xp.may_share_memory
    for t in tensors:
        for array in arrays:
            if array is t._data or overlap(array, t._data):
                saved.append(t)
                break
    return saved


def sorted_nodes(root: Any) -> list[Any]:
    """Every node that `root` depends on, each before the nodes of its inputs.

    root: a Node or a leaf.

    Depth first, with a stack of its own: Python's is too short for ten thousand operations in a row. Of an operation's
    inputs the first is searched first: its weights come right behind it, so that their gradients are complete early.
    """
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, finished = stack.pop()
        if finished:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            for parent in reversed(node.parents) if isinstance(node, Node) else ():
                if parent is not None:
                    stack.append((parent, False))
    return order[::-1]


class Version:
    """How often an array was changed in place; shared by all tensors that share the array."""

    __slots__ = ("count", "viewed")

    def __init__(self) -> None:
        self.count, self.viewed = 0, False


class Arrival:
    """The gradient gathered for one node so far.

    gradient: the first to arrive, which is only borrowed; a second makes a sum that the engine owns, and later ones are
        added to it in place.
    aliased: whether somebody else may hold that memory too.
    """

    __slots__ = ("aliased", "gradient", "owned")

    def __init__(self, gradient: Any, aliased: bool) -> None:
        self.gradient, self.aliased, self.owned = gradient, aliased, False

    def add(self, gradient: Any) -> None:
        if self.owned:
            self.gradient += gradient
        else:
            self.gradient, self.owned, self.aliased = self.gradient + gradient, True, False

    def deliver(self, leaf: Any) -> None:
        """Add the gradient to `leaf.grad`: in place where there is one; an array that nobody else holds is handed over.

        leaf: the Tensor.
        """
        if leaf._hooks:
            self.gradient, self.aliased = after_hooks(leaf, self.gradient), True
        if leaf.grad is None:
            gradient = self.gradient.copy() if self.aliased else self.gradient
            leaf._grad_tensor = leaf._holding(gradient, leaf.backend, Version())  # checked already, by Node.run
        else:
            leaf.grad.data += self.gradient
        if leaf._hooks is not None:
            leaf._hooks.call_accumulated(leaf)


def _base_references(view):
    return sys.getrefcount(view.base)


_ALONE = _base_references(np.empty(2).reshape(1, 2))  # references to an array that one view holds, and nobody else


def _is_shared_view(array):
    """Whether an array is a view of memory that somebody else may hold, or of only a part of it.

    A weight's gradient is often a reshaped product: the view is all that is left of it, and need not be copied.
    """
    if array.base is None or _base_references(array) > _ALONE:
        return array.base is not None
    base = array.base
    whole = isinstance(base, type(array)) and base.base is None and base.size == array.size
    return not (whole and array.flags.c_contiguous)


def backward(root: Any, gradient: Any) -> None:
    """Carry a gradient from `root` to every leaf that it depends on, and add it to their `.grad`.

    root: a Node, or a leaf.
    gradient: of root, an array.

    Raises RuntimeError, before anything is added, where a node was used before or a saved value has changed.
    """
    nodes = sorted_nodes(root)
    for node in nodes:
        if isinstance(node, Node):
            node.check()
    arrived = {id(root): Arrival(gradient, aliased=True)}
    for node in nodes:
        arrival = arrived.pop(id(node))
        if not isinstance(node, Node):
            arrival.deliver(node)
            continue
        handed: set[int] = set()
        for edge, g in node.run(arrival.gradient):
            if id(edge) in arrived:
                arrived[id(edge)].add(g)
            else:
                arrived[id(edge)] = Arrival(g, g is arrival.gradient or id(g) in handed or _is_shared_view(g))
            handed.add(id(g))
