"""A1, automatic differentiation: the gradients of four operations, and the engine that chains them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import functional, tape
from ..tensor import Tensor
from .declaration import Assignment, Check, Question, Target


def _normal(rng, *shape):
    return rng.standard_normal(shape)


def _rule(function, *arrays, gy):
    """y, and the gradients from the operation's own backward, without the engine."""
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    y = function(*tensors)
    gradients = y.node.backward(gy)
    return {"y": y.numpy()} | {f"g{name}": g for name, g in zip("abc", gradients)}


def _binary(function, shape_a, shape_b):
    """(draw, run) for a binary operation with broadcasting."""

    def draw(rng):
        a, b = _normal(rng, *shape_a), _normal(rng, *shape_b)
        return {"a": a, "b": b, "gy": _normal(rng, *np.broadcast_shapes(shape_a, shape_b))}

    def run(a, b, gy):
        return _rule(lambda *tensors: getattr(functional, function)(*tensors), a, b, gy=gy)

    return draw, run


def _add_scaled(shape_a, shape_b):
    """(draw, run) for a + alpha b."""
    draw, _ = _binary("add", shape_a, shape_b)

    def run(a, b, gy, alpha):
        return _rule(lambda *tensors: functional.add(*tensors, alpha=alpha), a, b, gy=gy)

    return lambda rng: draw(rng) | {"alpha": float(rng.uniform(2, 3))}, run


def _matmul(shape_a, shape_b):
    def draw(rng):
        a, b = _normal(rng, *shape_a), _normal(rng, *shape_b)
        return {"a": a, "b": b, "gy": _normal(rng, *np.shape(np.matmul(a, b)))}

    def run(a, b, gy):
        return _rule(lambda *tensors: functional.matmul(*tensors), a, b, gy=gy)

    return draw, run


def _tanh_run(x, gy):
    return _rule(lambda tensor: functional.tanh(tensor), x, gy=gy)


def _tanh(scales, *shape):
    return lambda rng: {"x": np.array(scales) * _normal(rng, *shape), "gy": _normal(rng, *shape)}, _tanh_run


def _unbroadcast(full, *shapes):
    def draw(rng):
        return {"gradient": _normal(rng, *full)}

    def run(gradient):
        return {f"to_{'_'.join(map(str, shape))}": functional.unbroadcast(gradient, shape) for shape in shapes}

    return draw, run


def _scale(tensor, factor):
    """y = factor x, independent of the student's operations, for checking the engine."""

    def backward(gy):
        return (factor * gy,)

    return Tensor.from_operation(factor * tensor.data, backward, tensor)


def _join(*tensors):
    """y = the sum of the tensors."""

    def backward(gy):
        return tuple(gy.copy() for _ in tensors)

    return Tensor.from_operation(sum(t.data for t in tensors), backward, *tensors)


def _grown(x, links):
    """A random graph on the leaf x: each row names two earlier tensors, whose sum is scaled; returns the sum of all."""
    made = [x]
    for row in links:
        made.append(_scale(_join(*(made[i] for i in row)), 0.6))
    return _join(*made)


def _links(rng, count):
    return {"links": np.array([rng.integers(max(0, i - 5), i + 1, 2) for i in range(count)])}


def _order_run(links):
    """Whether every node of the graph is listed once, and before the nodes it was computed from."""
    order = tape.sorted_nodes(_grown(Tensor(np.ones(1), requires_grad=True), links).node)
    place = {id(node): number for number, node in enumerate(order)}
    nodes = [node for node in order if isinstance(node, tape.Node)]
    before = [place[id(node)] < place.get(id(p), -1) for node in nodes for p in node.parents if p is not None]
    return {"in_order": all(before), "nodes": len(order), "different": len(place)}


def _shared_run(x, gy):
    """b = x + x, c = b + 2 b: several paths to the same node."""
    x = Tensor(x, requires_grad=True)
    b = _join(x, x)
    c = _join(b, _scale(b, 2.0))
    c.backward(gy)
    return {"gx": x._grad}


def _graph_run(links, x, gy):
    leaf = Tensor(x, requires_grad=True)
    _grown(leaf, links).backward(gy)
    return {"gx": leaf._grad}


def _twice_run(x, gy):
    """Gradients of two losses accumulate; the given gradient stays unchanged; a freed graph is refused."""
    x, given = Tensor(x, requires_grad=True), gy.copy()
    _scale(x, 3.0).backward(given)
    first = x._grad.copy()
    y = _scale(x, 5.0)
    y.backward(given)
    leaf = Tensor(np.array(x.data), requires_grad=True)
    leaf.backward(given)
    handed_over: Any = leaf._grad
    handed_over += 1
    refused = False
    try:
        y.backward(given)
    except RuntimeError:
        refused = True
    return {"first": first, "both": x._grad, "given": given, "refused": refused}


def _deep_run(x):
    """Three thousand operations in a row: beyond Python's recursion limit."""
    leaf = Tensor(x, requires_grad=True)
    y = leaf
    for _ in range(3000):
        y = _scale(y, 1.0)
    y.backward(np.ones_like(x))
    return {"gx": leaf._grad}


def _kept_run(a, b, gy):
    """A factor that requires no gradient: the gradient of the other one must still be correct."""
    left, right = Tensor(a, requires_grad=True), Tensor(b)
    y = functional.mul(left, right)
    return {"ga": y.node.backward(gy)[0]}


def _transposed(inputs, got, expected):
    """A gradient that is correct except for a transposition."""
    for name in ("ga", "gb"):
        if np.allclose(got[name].T, expected[name]):
            return f"{name} looks transposed: which axis of gy comes from which factor?"
    return None


def _overwritten(inputs, got, expected):
    """Only some of the four paths from c to x, two of which count twice."""
    if any(np.allclose(got["gx"] * ratio, expected["gx"]) for ratio in (6, 3, 2, 1.5)):
        return "the gradients of some paths are missing: a second gradient for the same node must be added to the first"
    return None


def _forgot_gy(inputs, got, expected):
    gradient = "gx" if "gx" in got else "ga"
    if np.allclose(got[gradient] * inputs["gy"], expected[gradient]):
        return "this is the local derivative: multiply it by gy, the upstream gradient"
    return None


def _averaged(inputs, got, expected):
    """Means instead of sums: the ratio is the number of copies."""
    name = next(name for name in expected if not np.allclose(got[name], expected[name]))
    copies = inputs["gradient"].size / expected[name].size
    if np.allclose(got[name] * copies, expected[name]):
        return "this looks like the mean over the copies: the gradient of a copied value is the sum over its copies"
    return None


def _unsorted(inputs, got, expected):
    if got["nodes"] > got["different"]:
        return "some nodes are listed more than once: a node that several others use must be listed once"
    if got["nodes"] < expected["nodes"]:
        return "some nodes are missing: leaves, which are tensors without parents, belong in the list too"
    return "a node comes before a node that was computed from it: its gradient would not be complete yet"


def _pair(rng):
    return {"x": _normal(rng, 3, 2), "gy": _normal(rng, 3, 2)}


def _check(name, points, draw_and_run, **options):
    draw, run = draw_and_run
    return Check(name, points, draw, run, **options)


CHECKS = (
    _check("unbroadcast new axes", 6, _unbroadcast((4, 3, 2), (2,), (3, 2), ()), teach=_averaged),
    _check("add", 6, _binary("add", (3, 4), (3, 4)), teach=_forgot_gy),
    _check("mul", 8, _binary("mul", (3, 4), (3, 4)), teach=_forgot_gy),
    _check("tanh", 6, _tanh((1,), 2, 5), teach=_forgot_gy),
    _check("matmul", 8, _matmul((3, 4), (4, 5))),
    _check("matmul square", 4, _matmul((4, 4), (4, 4)), teach=_transposed),
    Check("order", 6, lambda rng: _links(rng, 30), _order_run, teach=_unsorted),
    Check("shared", 6, _pair, _shared_run, teach=_overwritten),
    _check(
        "unbroadcast stretched axes", 5, _unbroadcast((4, 3, 2), (4, 1, 2), (1, 1, 2), (3, 1), (1, 1, 1)), public=False
    ),
    _check("add broadcast", 4, _add_scaled((4, 3, 2), (3, 1)), public=False),
    _check("mul broadcast", 4, _binary("mul", (4, 3, 2), (1, 2)), public=False),
    _check("tanh far out", 3, _tanh((1, 1000), 3, 2, 2), public=False),
    _check("matmul vector", 4, _matmul((3, 4), (4,)), public=False),
    _check("matmul batch", 5, _matmul((2, 3, 4), (4, 5)), public=False),
    Check("graph", 5, lambda rng: _links(rng, 60) | _pair(rng), _graph_run, public=False),
    Check("twice", 4, _pair, _twice_run, public=False),
    Check("deep", 4, lambda rng: {"x": _normal(rng, 2)}, _deep_run, public=False),
    Check(
        "one gradient",
        2,
        lambda rng: {"a": _normal(rng, 3), "b": _normal(rng, 3), "gy": _normal(rng, 3)},
        _kept_run,
        public=False,
    ),
)

HINTS: dict[str, tuple[str, ...]] = {
    "unbroadcast": (
        "Which axes did broadcasting add, and which did it stretch? Compare the two shapes from their ends.",
        "New axes are at the front: as many as the gradient has more than `shape`. A stretched axis has length 1 in "
        "`shape` and more in the gradient. Sum the gradient over both kinds.",
        "gradient.sum(axis=all those axes, keepdims=True), then .reshape(shape); without such axes, the gradient "
        "itself.",
    ),
    "add": (
        "y = a + alpha b: by how much does y change when a changes a little? And when b does?",
        "The gradient has y's shape, and a may have been broadcast to it: unbroadcast sums it to a's shape.",
        "backward returns unbroadcast(gy, a's shape) and unbroadcast(alpha * gy, b's shape), in this order.",
    ),
    "mul": (
        "The gradient of each factor needs the other factor: keep it until backward.",
        "dy/da = b. Multiply by gy, the upstream gradient, then undo the broadcasting.",
        "ga = unbroadcast(gy * b, a's shape), gb = unbroadcast(gy * a, b's shape); None is allowed for an operand that "
        "requires no gradient.",
    ),
    "matmul": (
        "Write down the shapes: gy has Y's, gA must have A's. Only one product of gy and B, one of them transposed, "
        "has this shape.",
        "gA = gy B^T and gB = A^T gy. Transpose only the last two axes, .swapaxes(-1, -2), and sum over leading axes "
        "that were broadcast.",
        "A vector on the right is a column: give gy and b a last axis of length 1, compute as for matrices, and "
        "reshape to b's shape at the end. Likewise, a vector on the left is a row.",
    ),
    "tanh": (
        "The derivative of tanh can be expressed by tanh itself.",
        "d tanh(x) / dx = 1 - tanh(x)^2: keep y, not x.",
        "y = input.backend.xp.tanh(input.data), and backward returns the tuple (gy * (1 - y * y),).",
    ),
    "sorted_nodes": (
        "List a node as soon as everything below it has been listed. In which order does that put nodes and their "
        "parents, and which end do you need first?",
        "Depth first: mark a node as seen, list its parents' graphs, then the node; reverse the list. A recursive "
        "function fails at a thousand operations: use a list as a stack instead.",
        "Push (root, False). When (node, False) is popped and not seen yet, push (node, True), then (parent, False) "
        "for each parent that is not None. When (node, True) is popped, append the node to the list. Leaves are "
        "Tensors and have no parents.",
    ),
    "backward": (
        "Iterate over sorted_nodes(root), with a dictionary of the gradients accumulated so far for each node.",
        "node.run(gradient) yields pairs (edge, gradient). The first gradient for an edge makes an Arrival, every "
        "later one is added with .add; a leaf (not a Node) receives its gradient by .deliver(leaf).",
        "aliased says whether the array may be in use elsewhere: the gradient passed to backward, a view (.base is not "
        "None), or an array that the same node returned twice. Check every node (node.check()) before running any.",
    ),
}

WRITTEN = (
    Question(
        "AlexNet has 60 million weights and one loss. How many passes through the network do forward mode and reverse "
        "mode of automatic differentiation need for all derivatives, and why? What is the cost of reverse mode?",
        4,
        (
            "1: forward mode needs one pass per weight, 60 million: a pass computes derivatives with respect to one "
            "input",
            "1: reverse mode needs one backward pass, which computes the derivatives of one output by everything",
            "1: names the sizes that decide: many inputs and one output",
            "1: the cost is memory: results of the forward pass are kept until backward has used them",
        ),
    ),
    Question(
        "Draw the smallest graph in which visiting the nodes in an order that is not topological gives a wrong "
        "gradient, and compute that gradient.",
        3,
        (
            "1: a graph in which two paths of different length meet, as b = 2 a, c = a + b",
            "1: names an order that fails (a's node before b's)",
            "1: the numbers: correct 1 + 2 = 3, wrong 1",
        ),
    ),
    Question(
        "The backward of tanh uses its result y rather than x. What does that save in a network? Name an operation of "
        "AlexNet for which this works too, and one for which it does not.",
        3,
        (
            "1: x need not be kept, since y is kept by the next layer anyway; or x may be overwritten",
            "1: ReLU (y > 0 exactly where x > 0), softmax or dropout",
            "1: convolution, linear (the weights' gradient needs x), or LRN",
        ),
    ),
)

ASSIGNMENT = Assignment(
    "a1",
    "Automatic differentiation",
    targets=(
        Target("functional/arithmetic.py", ("unbroadcast", "add", "mul", "matmul")),
        Target("functional/activation.py", ("tanh",)),
        Target("tape.py", ("sorted_nodes", "backward")),
    ),
    checks=CHECKS,
    hints=HINTS,
    written=WRITTEN,
)
