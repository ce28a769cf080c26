"""A1, automatic differentiation: rules for four operations, and the engine that chains them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import functional, tape
from ..tensor import Tensor
from .declaration import Assignment, Check, Question, Target


def _normal(rng, *shape):
    return rng.standard_normal(shape)


def _rule(function, *arrays, gy):
    """y, and what the function's own backward makes of gy: the engine has no part in it."""
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    y = function(*tensors)
    gradients = y.node.backward(gy)
    return {"y": y.numpy()} | {f"g{name}": g for name, g in zip("abc", gradients)}


def _binary(function, shape_a, shape_b):
    """draw and run of an operation of two operands that broadcast together."""

    def draw(rng):
        a, b = _normal(rng, *shape_a), _normal(rng, *shape_b)
        return {"a": a, "b": b, "gy": _normal(rng, *np.broadcast_shapes(shape_a, shape_b))}

    def run(a, b, gy):
        return _rule(lambda *tensors: getattr(functional, function)(*tensors), a, b, gy=gy)

    return draw, run


def _add_scaled(shape_a, shape_b):
    """The same for a + alpha b."""
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
    """y = factor x: an operation of its own, so that the engine is judged without the student's rules."""

    def backward(gy):
        return (factor * gy,)

    return Tensor.from_operation(factor * tensor.data, backward, tensor)


def _join(*tensors):
    """y = the sum of the tensors."""

    def backward(gy):
        return tuple(gy.copy() for _ in tensors)

    return Tensor.from_operation(sum(t.data for t in tensors), backward, *tensors)


def _grown(x, links):
    """A random graph on the leaf x: every row names two earlier tensors whose sum is scaled; the last is all's sum."""
    made = [x]
    for row in links:
        made.append(_scale(_join(*(made[i] for i in row)), 0.6))
    return _join(*made)


def _links(rng, count):
    return {"links": np.array([rng.integers(max(0, i - 5), i + 1, 2) for i in range(count)])}


def _order_run(links):
    """Whether every node, of all that there are, comes once and before those it was made of."""
    order = tape.sorted_nodes(_grown(Tensor(np.ones(1), requires_grad=True), links).node)
    place = {id(node): number for number, node in enumerate(order)}
    nodes = [node for node in order if isinstance(node, tape.Node)]
    before = [place[id(node)] < place.get(id(p), -1) for node in nodes for p in node.parents if p is not None]
    return {"in_order": all(before), "nodes": len(order), "different": len(place)}


def _shared_run(x, gy):
    """b = x + x, c = b + 2 b: paths that meet again."""
    x = Tensor(x, requires_grad=True)
    b = _join(x, x)
    c = _join(b, _scale(b, 2.0))
    c.backward(gy)
    return {"gx": x.grad}


def _graph_run(links, x, gy):
    leaf = Tensor(x, requires_grad=True)
    _grown(leaf, links).backward(gy)
    return {"gx": leaf.grad}


def _twice_run(x, gy):
    """Two losses add up in the leaf; what was handed in stays as it is; a graph that was used up is refused."""
    x, given = Tensor(x, requires_grad=True), gy.copy()
    _scale(x, 3.0).backward(given)
    first = x.grad.copy()
    y = _scale(x, 5.0)
    y.backward(given)
    leaf = Tensor(np.array(x.data), requires_grad=True)
    leaf.backward(given)
    handed_over: Any = leaf.grad
    handed_over += 1
    refused = False
    try:
        y.backward(given)
    except RuntimeError:
        refused = True
    return {"first": first, "both": x.grad, "given": given, "refused": refused}


def _deep_run(x):
    """Three thousand operations in a row: more than Python's stack holds."""
    leaf = Tensor(x, requires_grad=True)
    y = leaf
    for _ in range(3000):
        y = _scale(y, 1.0)
    y.backward(np.ones_like(x))
    return {"gx": leaf.grad}


def _kept_run(a, b, gy):
    """A factor whose gradient nobody wants: None, or a right one, but the other one must be right."""
    left, right = Tensor(a, requires_grad=True), Tensor(b)
    y = functional.mul(left, right)
    return {"ga": y.node.backward(gy)[0]}


def _transposed(inputs, got, expected):
    """A gradient that is right but for a transposition."""
    for name in ("ga", "gb"):
        if np.allclose(got[name].T, expected[name]):
            return f"{name} looks transposed: which axis of gy belongs to which factor?"
    return None


def _overwritten(inputs, got, expected):
    """One of the paths alone, of four that lead from c to x, two of them twice as strong."""
    if any(np.allclose(got["gx"] * ratio, expected["gx"]) for ratio in (6, 3, 2, 1.5)):
        return "only some of the paths arrived: a second gradient for the same node must be added to the first"
    return None


def _forgot_gy(inputs, got, expected):
    gradient = "gx" if "gx" in got else "ga"
    if np.allclose(got[gradient] * inputs["gy"], expected[gradient]):
        return "this is the local derivative: gy, which arrives from above, is missing"
    return None


def _averaged(inputs, got, expected):
    """Means where sums are right: the ratio is the number of copies."""
    name = next(name for name in expected if not np.allclose(got[name], expected[name]))
    copies = inputs["gradient"].size / expected[name].size
    if np.allclose(got[name] * copies, expected[name]):
        return "this looks like the mean over the copies: the gradient of a copied value is their sum"
    return None


def _unsorted(inputs, got, expected):
    if got["nodes"] > got["different"]:
        return "some nodes come more than once: a node that several others were made of must be listed once"
    if got["nodes"] < expected["nodes"]:
        return "some nodes are missing: leaves, which are tensors and have no parents, belong into the list as well"
    return "some node comes before a node that was computed from it: its gradient would leave before all of it is there"


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
        "New axes stand at the front: as many as the gradient has more. A stretched axis has length 1 in `shape` and "
        "more in the gradient. Over both kinds the copies' gradients are summed.",
        "gradient.sum(axis=all those axes, keepdims=True), then .reshape(shape); where there is no such axis, the "
        "gradient itself.",
    ),
    "add": (
        "y = a + alpha b: by how much does y change when a changes a little? And when b does?",
        "The gradient has y's shape, and a may have been broadcast to it: unbroadcast brings it to a's own.",
        "backward returns unbroadcast(gy, a's shape) and unbroadcast(alpha * gy, b's shape), in this order.",
    ),
    "mul": (
        "Each factor's gradient needs the other factor: it has to be kept until backward.",
        "dy/da = b. Multiply with gy, which arrives from above, then undo the broadcasting.",
        "ga = unbroadcast(gy * b, a's shape), gb = unbroadcast(gy * a, b's shape); None is allowed for an operand that "
        "requires no gradient.",
    ),
    "matmul": (
        "Write down the shapes: gy has Y's, gA must have A's. Only one product of gy and B, one of them transposed, "
        "fits.",
        "gA = gy B^T and gB = A^T gy. Transpose the last two axes only, .swapaxes(-1, -2), and leading axes that were "
        "broadcast are summed out again.",
        "A vector on the right is a column: give gy and b a last axis of length 1, compute as for matrices, reshape to "
        "b's shape at the end; a vector on the left is a row, in the same way.",
    ),
    "tanh": (
        "The derivative of tanh can be written with tanh itself.",
        "d tanh(x) / dx = 1 - tanh(x)^2: keep y, not x.",
        "y = input.backend.xp.tanh(input.data), and backward returns the tuple (gy * (1 - y * y),).",
    ),
    "sorted_nodes": (
        "A node may be listed once everything below it has been listed. In which order does that put children and "
        "parents, and which end do you need first?",
        "Depth first: mark a node as seen, list its parents' graphs, then the node; turn the list round. A recursive "
        "function fails at a thousand operations: keep a stack (a list) of your own.",
        "Push (root, False). A popped (node, False) that is not seen yet is pushed again as (node, True), then its "
        "parents that are not None as (parent, False); a popped (node, True) goes into the list. Leaves are Tensors "
        "and have no parents.",
    ),
    "backward": (
        "Walk through sorted_nodes(root), with a dictionary of the gradients gathered so far for each node.",
        "node.run(gradient) gives pairs of (edge, gradient). The first to arrive for an edge makes an Arrival, every "
        "later one is added with .add; a leaf (no Node) gets its own by .deliver(leaf).",
        "aliased says whether somebody else may hold the array: the gradient that came in, a view (.base is not None), "
        "one that the same node handed out twice. Check every node (node.check()) before the first one runs.",
    ),
}

WRITTEN = (
    Question(
        "AlexNet has 60 million weights and one loss. How many passes through the network do forward mode and reverse "
        "mode of automatic differentiation need for all derivatives, and why? What is the price of reverse mode?",
        4,
        (
            "1: forward mode needs a pass for every weight, 60 million: a pass carries derivatives by one input",
            "1: reverse mode needs one pass back: it carries the derivatives of one output by everything",
            "1: says which sizes decide: many inputs and one output",
            "1: the price is memory: what the forward pass computed is kept until backward has used it",
        ),
    ),
    Question(
        "Draw the smallest graph in which going through the nodes in an order that is not topological gives a wrong "
        "gradient, and compute what would arrive.",
        3,
        (
            "1: a graph in which two paths of different length meet, as b = 2 a, c = a + b",
            "1: names an order that goes wrong (a's node before b's)",
            "1: the numbers: right 1 + 2 = 3, wrong 1",
        ),
    ),
    Question(
        "tanh's rule uses its result y and not x. What does that save in a network? Name an operation of AlexNet for "
        "which it works as well, and one for which it does not.",
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
