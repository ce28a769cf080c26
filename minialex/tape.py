"""The tape that operations leave behind, and `backward`, which reads it from its end.

Every operation on tensors makes a `Node`: the function that turns the gradient of its result into the gradients of
its inputs, and edges to where those inputs came from: another Node, or a leaf tensor. `backward` sorts the nodes so
that each comes before what it depends on, and applies the chain rule once to each.
"""

from __future__ import annotations

import contextlib
import threading

_thread = threading.local()  # per thread, so that evaluating in one does not switch off training in another


def is_grad_enabled():
    """Whether operations of this thread record what backward needs."""
    return getattr(_thread, "grad_enabled", True)


class no_grad(contextlib.ContextDecorator):
    """Within `with no_grad():`, or a function decorated `@no_grad()`, nothing is recorded or saved."""

    def __enter__(self):
        # a stack, of each thread's own: a decorated function may recurse, and run in two threads at once
        _thread.before = [*getattr(_thread, "before", ()), is_grad_enabled()]
        _thread.grad_enabled = False

    def __exit__(self, *exception):
        _thread.grad_enabled = _thread.before.pop()


@contextlib.contextmanager
def recording_module(module):
    """Operations made within are marked as this module's."""
    before = getattr(_thread, "module", None)
    _thread.module = module
    try:
        yield
    finally:
        _thread.module = before


class Node:
    """One operation on the tape.

    backward: gy -> a gradient for each parent; parents: where they go (a Node, a leaf Tensor, or None for
    an input that is not there or needs no gradient); watched: versions of all that `backward` holds on to; name: the
    operation, the function that `backward` was defined in; module: the innermost nn.Module at work when it ran.
    """

    __slots__ = ("backward", "dtype", "module", "name", "parents", "shape", "watched")

    def __init__(self, backward, parents, result):
        self.backward = backward
        self.parents = tuple(p.edge if p is not None and p.requires_grad else None for p in parents)
        self.watched = [(t._version, t.version) for t in _held_by(backward, (*parents, result))]
        self.name = backward.__qualname__.split(".")[0]
        self.module = getattr(_thread, "module", None)
        self.shape, self.dtype = result.shape, result.dtype

    def check(self):
        """RuntimeError unless everything that backward needs is still as the forward pass left it."""
        if self.backward is None:
            raise RuntimeError(
                f"a second backward() through {self.name}: the first one freed what it had saved; "
                "run the forward pass again, or add the losses and call backward() once"
            )
        for version, then in self.watched:
            if version.count != then:
                raise RuntimeError(
                    f"backward of {self.name} needs a value that was changed in place after the forward pass "
                    f"(version {then}, now {version.count}): call backward() before the change, or change a copy"
                )

    def run(self, gy):
        """The gradients of the parents, checked; then let go of everything saved."""
        gradients = self.backward(gy)
        assert len(gradients) == len(self.parents), f"backward of {self.name} must answer for each of its inputs"
        for gradient, parent in zip(gradients, self.parents, strict=True):
            if parent is not None:
                assert gradient is not None, f"backward of {self.name} left out a gradient that is needed"
                assert gradient.shape == parent.shape and gradient.dtype == parent.dtype, (
                    f"backward of {self.name} gave {gradient.dtype}{gradient.shape} for an input "
                    f"of {parent.dtype}{parent.shape}"
                )
        edges = self.parents
        self.backward, self.parents, self.watched = None, (), []
        return [(edge, g) for edge, g in zip(edges, gradients, strict=True) if edge is not None]


def _held_by(backward, tensors):
    """Those of the tensors whose arrays the closure `backward` holds on to.

    What an operation saves is found, not declared, so it cannot be forgotten: the engine looks into the
    variables that the function closed over.
    """
    held, stack = set(), [cell.cell_contents for cell in getattr(backward, "__closure__", None) or ()]
    while stack:
        thing = stack.pop()
        if isinstance(thing, (tuple, list)):
            stack.extend(thing)
        else:
            held.add(id(thing))
    return [t for t in tensors if t is not None and (id(t.data) in held or id(t) in held)]


def sorted_nodes(root):
    """Every node below `root`, children before parents: depth first, by a stack of our own, since Python's is short."""
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, finished = stack.pop()
        if finished:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            if isinstance(node, Node):
                stack.extend((parent, False) for parent in node.parents if parent is not None)
    return order[::-1]


class Version:
    """How often an array was changed in place; shared by all tensors that share the array."""

    __slots__ = ("count", "viewed")

    def __init__(self):
        self.count, self.viewed = 0, False


class Arrival:
    """The gradient gathered for one node so far.

    The first to arrive is only borrowed; a second makes a sum that the engine owns; later ones are added
    in place. `aliased` marks an array that somebody else may hold too: gy itself, or a view.
    """

    __slots__ = ("aliased", "gradient", "owned")

    def __init__(self, gradient, aliased):
        self.gradient, self.aliased, self.owned = gradient, aliased, False

    def add(self, gradient):
        if self.owned:
            self.gradient += gradient
        else:
            self.gradient, self.owned, self.aliased = self.gradient + gradient, True, False

    def deliver(self, leaf):
        """Into `leaf.grad`: what is there grows in place; what nobody else holds is handed over as it is."""
        if leaf.grad is None:
            gradient = self.gradient.copy() if self.aliased else self.gradient
            leaf.grad = leaf.backend.xp.asarray(gradient)  # NumPy makes scalars of arrays without axes
        else:
            leaf.grad += self.gradient


def backward(root, gradient):
    """Carry the gradient of `root`, a Node or a leaf, down to every leaf below it, and add it to their `.grad`.

    RuntimeError, before anything is added, where a node was used up already or a saved value has changed.
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
                arrived[id(edge)] = Arrival(g, g is arrival.gradient or g.base is not None or id(g) in handed)
            handed.add(id(g))
