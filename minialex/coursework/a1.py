"""A1, automatic differentiation: the gradients of four operations, and the engine that chains them."""

from __future__ import annotations

import numpy as np

from .declaration import Assignment, Check, Question
from .targets import TARGETS


def _normal(rng, *shape):
    return rng.standard_normal(shape)


# ------------------------------------------------------------------------------------------ operations


def _rule(lib, function, *arrays, gy, **options):
    """y, and the gradients from the operation's own backward, without the engine; also of float32 arrays.

    `backward` is called twice: what the first call returns must stay as it is, and the second one differs by a factor.
    """
    answers = {}
    for suffix, dtype in (("", gy.dtype), ("_in_float32", np.float32)):
        given = [array.astype(dtype) if suffix else array for array in arrays]
        tensors = [lib.Tensor(array, requires_grad=True) for array in given]
        y = getattr(lib.functional, function)(*tensors, **options)
        if (node := y.node) is None:
            raise TypeError(f"the result of {function} has no graph: make it by Tensor.from_operation")
        first = node.backward(gy.astype(dtype) if suffix else gy)
        second = node.backward(-3 * gy.astype(dtype))
        answers[f"y{suffix}"] = y.numpy()
        answers |= {f"g{name}{suffix}": g for name, g in zip("abc", first, strict=False)}
        if not suffix:
            answers |= {f"g{name}_of_the_second_call": g for name, g in zip("abc", second, strict=False)}
    return answers


def binary(function, *shapes, **options):
    """(draw, run) for a binary operation with broadcasting.

    shapes: (shape of a, shape of b), the result's follows.
    options: {name: bounds} of arguments to draw; for the shapes in turn positive, negative and 0.
    """

    def draw(rng):
        drawn = {}
        for number, (shape_a, shape_b) in enumerate(shapes):
            a, b = _normal(rng, *shape_a), _normal(rng, *shape_b)
            shape = np.shape(np.matmul(a, b) if function == "matmul" else a + b)
            drawn |= {f"a{number}": a, f"b{number}": b, f"gy{number}": _normal(rng, *shape)}
        return drawn | {name: float(rng.uniform(*bounds)) for name, bounds in options.items()}

    def run(lib, **inputs):
        answers = {}
        for number in range(len(shapes)):
            given = {name: (1, -1, 0)[number % 3] * inputs[name] for name in options}
            arrays = [inputs[f"{name}{number}"] for name in ("a", "b")]
            made = _rule(lib, function, *arrays, gy=inputs[f"gy{number}"], **given)
            answers |= {f"{name}_{number}" if number else name: array for name, array in made.items()}
        return answers

    return draw, run


def refusing(draw_and_run, *shapes):
    """(draw, run) of a product; besides, each pair of factors of these shapes must be refused."""
    draw, run = draw_and_run

    def refused(lib, **inputs):
        answers = run(lib, **inputs)
        for number, pair in enumerate(shapes):
            names = lib.refused(lib.functional.matmul, *(lib.Tensor(np.ones(shape)) for shape in pair))
            answers[f"refuses_{number}"] = "ValueError" in names
        return answers

    return draw, refused


def tanh(scales, *shape):
    """(draw, run): x of several magnitudes, and whole numbers."""

    def draw(rng):
        return {
            "x": np.array(scales) * _normal(rng, *shape),
            "gy": _normal(rng, *shape),
            "whole": rng.integers(-3, 4, 9),
        }

    def run(lib, x, gy, whole):
        answers = {name.replace("ga", "gx"): value for name, value in _rule(lib, "tanh", x, gy=gy).items()}
        return answers | {"of_whole_numbers": lib.functional.tanh(lib.Tensor(whole)).numpy()}

    return draw, run


def unbroadcast(full, *shapes):
    """(draw, run): a gradient of shape `full` summed to each of the other shapes, in float64 and float32."""

    def run(lib, gradient):
        answers = {}
        for shape in shapes:
            name = f"to_{'_'.join(map(str, shape))}"
            answers[name] = lib.functional.unbroadcast(gradient, shape)
            answers[f"{name}_in_float32"] = lib.functional.unbroadcast(gradient.astype(np.float32), shape)
        for shape in (full[1:], (1, *full[1:])):
            empty = lib.functional.unbroadcast(np.zeros((0, *full[1:])), shape)
            answers[f"from_an_empty_batch_to_{'_'.join(map(str, shape))}"] = empty
        return answers

    return lambda rng: {"gradient": _normal(rng, *full)}, run


# ------------------------------------------------------------------------------------------ the engine


class Point:
    """A tensor of a Graph.

    value: its array.
    number: in order of creation.
    parents: the numbers of its inputs.
    """

    def __init__(self, tensor, value, number, parents):
        self.tensor, self.value, self.number, self.parents = tensor, value, number, parents
        self.node = tensor.edge


class Graph:
    """Operations independent of the student's. Their backward runs in the grader.

    lib: the library.
    """

    def __init__(self, lib):
        self.lib = lib
        self.points: list[Point] = []
        self.needs: list[bool] = []  # whether a point has a gradient

    def constant(self, x):
        """A tensor that requires none."""
        return self._add(self.lib.Tensor(x), x, (), False)

    def leaf(self, x):
        """A tensor that requires a gradient."""
        return self._add(self.lib.Tensor(x, requires_grad=True), x, ())

    def scale(self, point, factor):
        """y = factor x."""
        return self._operation(factor * point.value, lambda gy: (factor * gy,), point)

    def join(self, *points):
        """y = the sum of the inputs; its backward returns copies."""
        return self._operation(sum(p.value for p in points), lambda gy: tuple(gy.copy() for _ in points), *points)

    def hand_on(self, *points):
        """As join, but its backward returns the upstream gradient itself for every input."""
        return self._operation(sum(p.value for p in points), lambda gy: (gy,) * len(points), *points)

    def grow(self, leaf, links):
        """A random graph: each row names two earlier points, whose sum is scaled; returns the sum of all."""
        made = [leaf]
        for row in links:
            made.append(self.scale(self.join(*(made[i] for i in row)), 0.6))
        return self.join(*made)

    def _operation(self, value, backward, *points):
        tensors = [point.tensor for point in points]
        made = self.lib.Tensor.from_operation(value, backward, *tensors)
        return self._add(made, value, tuple(point.number for point in points))

    def _add(self, tensor, value, parents, needs=True):
        self.needs.append(needs)
        self.points.append(Point(tensor, value, len(self.points), parents))
        return self.points[-1]


def links(rng, count):
    """Rows of two earlier points."""
    return {"links": np.array([rng.integers(max(0, i - 5), i + 1, 2) for i in range(count)])}


def pair(rng):
    """Values and an upstream gradient."""
    return {"x": _normal(rng, 3, 2), "gy": _normal(rng, 3, 2)}


def order_run(lib, links):
    """Whether every node of the graph is listed once, and before the nodes it was computed from."""
    graph = Graph(lib)
    leaf = graph.leaf(np.ones(1))
    root = graph.join(graph.grow(leaf, links), graph.constant(np.ones(1)))
    below_root = [*graph.points]
    graph.scale(graph.scale(leaf, 2.0), 3.0)
    listed = lib.listed(lib.tape.sorted_nodes(root.node))
    place: dict = {}
    for point in below_root:
        places = [i for i, node in enumerate(listed) if lib.same(node, point.node)]
        place[point.number] = places[0] if places else -1
    below = [(point.number, parent) for point in below_root for parent in point.parents if graph.needs[parent]]
    alone = lib.listed(lib.tape.sorted_nodes(leaf.node))
    return {
        "in_order": all(-1 < place[point] < place[parent] for point, parent in below),
        "nodes": len(listed),
        "different": sum(number >= 0 for number in place.values()),
        "of_a_leaf": [lib.same(node, leaf.node) for node in alone],
    }


def shared_run(lib, x, gy, factor):
    """b = x + x, c = b + factor b: several paths to the same node."""
    graph = Graph(lib)
    leaf = graph.leaf(x)
    b = graph.join(leaf, leaf)
    graph.join(b, graph.scale(b, factor)).tensor.backward(gy)
    return {"gx": leaf.tensor._grad}


def graph_run(lib, links, x, gy):
    """The gradient through a random graph."""
    graph = Graph(lib)
    leaf = graph.leaf(x)
    graph.grow(leaf, links).tensor.backward(gy)
    return {"gx": leaf.tensor._grad}


def aliased_run(lib, x, gy):
    """One array arrives at three nodes, two of which get another gradient later: none may change the others'."""
    graph = Graph(lib)
    left, right = graph.leaf(x), graph.leaf(-x)
    a, b = graph.scale(left, 2.0), graph.scale(right, 3.0)
    c = graph.join(graph.scale(a, 5.0), graph.scale(b, 7.0))
    graph.hand_on(a, b, c).tensor.backward(gy)
    one, other = graph.leaf(x), graph.leaf(x)
    given = lib.array(gy)
    graph.hand_on(one, other).tensor.backward(given)
    seen = lib.Tensor(x, requires_grad=True)  # its gradient is a view of what was given
    rows = [lib.Tensor(row, requires_grad=True) for row in (x[:1], x[1:])]
    lib.functional.reshape(seen, x.shape[::-1]).backward(lib.array(gy.T.copy()))
    lib.functional.concatenate(rows).backward(given)
    held = [lib.reference(tensor, "_grad") for tensor in (one.tensor, other.tensor, *rows)]
    twice = graph.leaf(x)
    graph.hand_on(twice, twice, twice).tensor.backward(given)
    return {
        "gleft": left.tensor._grad,
        "gright": right.tensor._grad,
        "gone": one.tensor._grad,
        "gother": other.tensor._grad,
        "gseen": seen._grad,
        "grow": rows[1]._grad,
        "gtwice": twice.tensor._grad,
        "leaves_share": lib.sharing(*held[:2]),
        "leaf_shares_what_was_given": any(lib.sharing(array, given) for array in held),
    }


def twice_run(lib, x, gy):
    """Gradients of two losses accumulate; the given gradient is the caller's; a freed graph is refused unharmed."""
    x, gy = x.astype(np.float32), gy.astype(np.float32)
    graph = Graph(lib)
    leaf = graph.leaf(x)
    graph.scale(leaf, 3.0).tensor.backward(gy)
    first = lib.value(leaf.tensor._grad)
    y = graph.scale(leaf, 5.0)
    y.tensor.backward(gy)
    both = lib.value(leaf.tensor._grad)
    alone, given = lib.Tensor(x, requires_grad=True), lib.array(gy)
    alone.backward(given)
    nothing = graph.leaf(x)
    graph.scale(nothing, 0.0).tensor.backward(gy)
    before, after = graph.leaf(x), graph.leaf(x)  # one of them comes before y in any order
    refused = "RuntimeError" in lib.refused(graph.join(before, y, graph.scale(leaf, 2.0), after).tensor.backward, gy)
    return {
        "first": first,
        "both": both,
        "of_a_leaf": alone._grad,
        "leaf_shares_what_was_given": lib.sharing(lib.reference(alone, "_grad"), given),
        "refused": refused,
        "after_the_refusal": leaf.tensor._grad,
        "nothing_added": before.tensor._grad is None and after.tensor._grad is None,
        "of_a_factor_of_0": nothing.tensor._grad,
    }


def deep_run(lib, x):
    """Fifteen hundred operations in a row: beyond Python's recursion limit."""
    leaf = y = lib.Tensor(x, requires_grad=True)
    for _ in range(1500):
        y = lib.functional.relu(y)
    y.backward(np.ones_like(x))
    return {"gx": leaf._grad}


def one_gradient_run(lib, a, b, gy, number):
    """An operand that requires no gradient, an array or a number: the gradient of the other one is still correct."""
    made = {}
    for function in ("mul", "add", "matmul"):
        call = getattr(lib.functional, function)
        y = call(lib.Tensor(a, requires_grad=True), lib.Tensor(b))
        made[f"{function}_ga"] = y.node.backward(gy)[0]
        y = call(lib.Tensor(a), lib.Tensor(b, requires_grad=True))
        made[f"{function}_gb"] = y.node.backward(gy)[1]
        y = call(lib.Tensor(a, requires_grad=True), b)
        made |= {f"{function}_with_an_array": y.numpy(), f"{function}_ga_with_an_array": y.node.backward(gy)[0]}
        if function != "matmul":
            y = call(number, lib.Tensor(b.astype(np.float32), requires_grad=True))
            made[f"{function}_with_a_number"] = y.numpy()
            made[f"{function}_gb_with_a_number"] = y.node.backward(gy.astype(np.float32))[1]
        x = lib.Tensor(a, requires_grad=True)
        ga, gb = call(x, x).node.backward(gy)
        made[f"{function}_of_itself"] = ga + gb
    whole = [lib.Tensor(np.round(array).astype(np.int64)) for array in (a, b)]
    made["add_of_whole_numbers"] = lib.functional.add(*whole, alpha=2).numpy()
    return made


# ------------------------------------------------------------------------------------------ what was wrong


def _transposed(inputs, got, expected):
    """A gradient that is correct except for a transposition."""
    for name in ("ga", "gb"):
        if np.allclose(got[name].T, expected[name]):
            return f"{name} looks transposed: which axis of gy comes from which factor?"
    return None


def _overwritten(inputs, got, expected):
    """Only some of the four paths from c to x, two of which count twice."""
    factor = inputs["factor"]
    some = 1, 2, factor, 1 + factor, 2 * factor
    if any(np.allclose(got["gx"] * (2 + 2 * factor) / paths, expected["gx"]) for paths in some):
        return "the gradients of some paths are missing: a second gradient for the same node must be added to the first"
    return None


def _forgot_gy(inputs, got, expected):
    gradient = "gx" if "gx" in got else "ga"
    if np.allclose(got[gradient] * inputs.get("gy", inputs.get("gy0")), expected[gradient]):
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


def check(name, points, draw_and_run, **options):
    """A Check of a (draw, run)."""
    draw, run = draw_and_run
    return Check(name, points, draw, run, rtol=1e-5, **options)  # there are float32 arrays among the answers


CHECKS = (
    check("unbroadcast new axes", 6, unbroadcast((4, 3, 2), (2,), (3, 2), ()), teach=_averaged),
    check("add", 6, binary("add", ((3, 4), (3, 4)), ((1, 5), (1, 5)), ((2,), (2,)), alpha=(2, 3)), teach=_forgot_gy),
    check("mul", 8, binary("mul", ((3, 4), (3, 4))), teach=_forgot_gy),
    check("tanh", 6, tanh((1,), 2, 5), teach=_forgot_gy),
    check("matmul", 8, binary("matmul", ((3, 4), (4, 5)))),
    check("matmul square", 4, binary("matmul", ((4, 4), (4, 4))), teach=_transposed),
    Check("order", 6, lambda rng: links(rng, 30), order_run, teach=_unsorted),
    Check("shared", 6, lambda rng: pair(rng) | {"factor": rng.uniform(2, 3)}, shared_run, teach=_overwritten),
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
    "a1", "Automatic differentiation", targets=TARGETS["a1"], checks=CHECKS, hints=HINTS, written=WRITTEN
)
