"""Right solutions of A1, in ten styles."""

from right_solutions import imports, right
from wrong_solutions import rewrite


def _written(file, function, source):
    return rewrite(function, file, function, source, set())


def _arithmetic(function, source):
    return _written("arithmetic.py", function, source)


def _tanh(source):
    return _written("activation.py", "tanh", source)


def _tape(function, source):
    return _written("tape.py", function, source)


RIGHT = (
    right(
        "einsum throughout",
        _arithmetic("unbroadcast", '''\
def unbroadcast(gradient, shape):
    """Sum a gradient down to a shape, naming the axes that stay."""
    if gradient.shape == tuple(shape):
        return gradient
    new = gradient.ndim - len(shape)
    axes = list(range(gradient.ndim))
    stay = [axis for axis in axes[new:] if shape[axis - new] == gradient.shape[axis]]
    return np.einsum(gradient, axes, stay).reshape(shape)
'''),
        _arithmetic("add", '''\
def add(input, other, *, alpha=1):
    a, b = _operands(input, other, name="add")
    factor = b.dtype.type(_alpha(alpha, b.dtype)) if alpha != 1 else None
    scaled = b.data if factor is None else np.einsum(",...->...", factor, b.data)

    def backward(gy):
        ga = unbroadcast(gy, a.shape)
        gb = unbroadcast(gy, b.shape)
        return ga, gb if factor is None else np.einsum(",...->...", factor, gb)

    return Tensor.from_operation(a.data + scaled, backward, a, b, name="add")
'''),
        _arithmetic("mul", '''\
def mul(input, other):
    a, b = _operands(input, other, name="mul")
    x, y = a.data, b.data

    def summed(gy, factor, shape):
        return unbroadcast(np.einsum("...,...->...", gy, factor), shape)

    def backward(gy):
        return summed(gy, y, x.shape), summed(gy, x, y.shape)

    return Tensor.from_operation(np.multiply(x, y), backward, a, b, name="mul")
'''),
        _arithmetic("matmul", '''\
def matmul(input, other):
    left, right = _operands(input, other)
    a, b = left.data, right.data
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul needs axes, got shapes {a.shape} and {b.shape}")
    i = "i" if a.ndim > 1 else ""
    k = "k" if b.ndim > 1 else ""
    if a.shape[-1] != (b.shape[-2] if k else b.shape[0]):  # einsum would stretch an axis of length 1
        raise ValueError(f"matmul of {a.shape} and {b.shape}: the inner axes differ")
    y = np.einsum(f"...{i}j,...j{k}->...{i}{k}", a, b)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])

    def full(array, letters):
        kept = array.shape[array.ndim - len(letters):]
        return np.broadcast_to(array, (*batch, *kept))

    def backward(gy):
        ga = np.einsum(f"...{i}{k},...j{k}->...{i}j", gy, full(b, "j" + k))
        gb = np.einsum(f"...{i}j,...{i}{k}->...j{k}", full(a, i + "j"), gy)
        return unbroadcast(ga, a.shape), unbroadcast(gb, b.shape)

    return Tensor.from_operation(y, backward, left, right, name="matmul")
'''),
        _tanh('''\
def tanh(input):
    input = floating(input)
    y = input.backend.xp.tanh(input.data)

    def backward(gy):
        return (gy - input.backend.xp.einsum("...,...,...->...", gy, y, y),)

    return Tensor.from_operation(y, backward, input, name="tanh")
'''),
    ),
    right(
        "loops and plain Python",
        imports("activation.py", "import math\n\nimport numpy as np\n"),
        _arithmetic("unbroadcast", '''\
def unbroadcast(gradient, shape):
    while len(gradient.shape) > len(shape):
        gradient = gradient.sum(0)
    for axis in range(len(shape)):
        if shape[axis] == 1:
            if gradient.shape[axis] != 1:
                gradient = gradient.sum(axis, keepdims=True)
    return np.asarray(gradient)
'''),
        _arithmetic("add", '''\
def add(input, other, *, alpha=1):
    a, b = _operands(input, other, name="add")
    if alpha == 1:
        y = a.data + b.data
    else:
        alpha = _alpha(alpha, b.dtype)
        y = a.data + b.data * alpha

    def backward(gy):
        ga = unbroadcast(gy, a.shape)
        if alpha == 1:
            gb = unbroadcast(gy, b.shape)
        else:
            gb = unbroadcast(gy * alpha, b.shape)
        return [ga, gb]

    return Tensor.from_operation(y, backward, a, b, name="add")
'''),
        _arithmetic("matmul", '''\
def matmul(input, other):
    left, right = _operands(input, other)
    a, b = left.data, right.data
    if a.ndim < 1 or b.ndim < 1:
        raise ValueError("a number has no rows and no columns: use * instead")
    A = a.reshape(1, -1) if a.ndim == 1 else a
    B = b.reshape(-1, 1) if b.ndim == 1 else b
    if A.shape[-1] != B.shape[-2]:
        raise ValueError(f"cannot multiply {a.shape} by {b.shape}")
    batch = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    n, k, m = A.shape[-2], A.shape[-1], B.shape[-1]
    manyA = np.broadcast_to(A, batch + (n, k))
    manyB = np.broadcast_to(B, batch + (k, m))
    Y = np.zeros(batch + (n, m), dtype=a.dtype)
    for place in np.ndindex(*batch):
        Y[place] = np.dot(manyA[place], manyB[place])
    shape = Y.shape

    def backward(gy):
        G = gy.reshape(shape)
        GA = np.zeros(batch + (n, k), dtype=a.dtype)
        GB = np.zeros(batch + (k, m), dtype=a.dtype)
        for place in np.ndindex(*batch):
            GA[place] = np.dot(G[place], manyB[place].T)
            GB[place] = np.dot(manyA[place].T, G[place])
        return unbroadcast(GA, A.shape).reshape(a.shape), unbroadcast(GB, B.shape).reshape(b.shape)

    if a.ndim == 1 and b.ndim == 1:
        Y = Y.reshape(())
    elif a.ndim == 1:
        Y = Y.reshape(batch + (m,))
    elif b.ndim == 1:
        Y = Y.reshape(batch + (n,))
    return Tensor.from_operation(Y, backward, left, right, name="matmul")
'''),
        _tanh('''\
def tanh(input):
    input = floating(input)
    y = np.empty_like(input.data)
    for place in np.ndindex(*y.shape):
        y[place] = math.tanh(input.data[place])

    def backward(gy):
        gx = np.empty_like(y)
        for place in np.ndindex(*y.shape):
            gx[place] = gy[place] * (1 - y[place] ** 2)
        return [gx]

    return Tensor.from_operation(y, backward, input, name="tanh")
'''),
        _tape("sorted_nodes", '''\
def sorted_nodes(root):
    done = {}
    path = [root]
    while len(path) > 0:
        node = path[-1]
        waits = False
        if isinstance(node, Node):
            for parent in node.parents:
                if parent is not None and id(parent) not in done:
                    path.append(parent)
                    waits = True
                    break
        if not waits:
            path.pop()
            done[id(node)] = node
    order = list(done.values())
    order.reverse()
    return order
'''),
        _tape("backward", '''\
def backward(root, gradient):
    order = sorted_nodes(root)
    for node in order:
        if isinstance(node, Node):
            node.check()
    sums = {}
    sums[id(root)] = gradient
    for node in order:
        g = sums[id(node)]
        del sums[id(node)]
        if isinstance(node, Node):
            for edge, part in node.run(g):
                if id(edge) in sums:
                    sums[id(edge)] = sums[id(edge)] + part
                else:
                    sums[id(edge)] = part
        elif node.grad is None:
            node.grad = g.copy()
        else:
            node.grad = node.grad.data + g
'''),
    ),
    right(
        "classes, partial functions and closures",
        imports("arithmetic.py", "import functools\n"),
        imports("activation.py", "import functools\nimport operator\n"),
        imports("tape.py", "import collections\nimport functools\n"),
        _arithmetic("unbroadcast", '''\
class Broadcast:
    """How a shape was stretched to another."""

    def __init__(self, large, small):
        self.small = tuple(small)
        padded = (1,) * (len(large) - len(small)) + self.small
        self.axes = tuple(i for i, (m, n) in enumerate(zip(large, padded)) if i < len(large) - len(small) or m != n)

    def __call__(self, gradient):
        if not self.axes:
            return gradient
        summed = functools.reduce(lambda g, axis: g.sum(axis=axis, keepdims=True), self.axes, gradient)
        return summed.reshape(self.small)


def unbroadcast(gradient, shape):
    return Broadcast(gradient.shape, shape)(gradient)
'''),
        _arithmetic("add", '''\
class Plus:
    def __init__(self, shapes, alpha):
        self.shapes, self.alpha = shapes, alpha

    def forward(self, a, b):
        return a + (b if self.alpha == 1 else self.alpha * b)

    def __call__(self, gy):
        first, second = self.shapes
        scaled = gy if self.alpha == 1 else self.alpha * gy
        return unbroadcast(gy, first), unbroadcast(scaled, second)


def add(input, other, *, alpha=1):
    a, b = _operands(input, other, name="add")
    plus = Plus((a.shape, b.shape), 1 if alpha == 1 else _alpha(alpha, b.dtype))
    return Tensor.from_operation(plus.forward(a.data, b.data), plus, a, b, name="add")
'''),
        _arithmetic("mul", '''\
def _times(x, y, needed, gy):
    gradients = (lambda: unbroadcast(gy * y, x.shape)), (lambda: unbroadcast(gy * x, y.shape))
    return tuple(gradient() if wanted else None for gradient, wanted in zip(gradients, needed))


def mul(input, other):
    a, b = _operands(input, other, name="mul")
    backward = functools.partial(_times, a.data, b.data, (a.requires_grad, b.requires_grad))
    return Tensor.from_operation(a.data * b.data, backward, a, b, name="mul")
'''),
        _arithmetic("matmul", '''\
class Product:
    """Both operands as stacks of matrices, and the way back."""

    def __init__(self, left, right):
        self.left, self.right = left, right
        self.a = left if left.ndim > 1 else left[np.newaxis, :]
        self.b = right if right.ndim > 1 else right[:, np.newaxis]

    @functools.cached_property
    def result(self):
        if self.a.shape[-1] != self.b.shape[-2]:
            raise ValueError(f"matmul: {self.left.shape} does not go with {self.right.shape}")
        return np.matmul(self.a, self.b)

    @property
    def y(self):
        y = self.result
        y = y.squeeze(-1) if self.right.ndim == 1 else y
        return y.squeeze(-2 if self.right.ndim > 1 else -1) if self.left.ndim == 1 else y

    def backward(self, gy):
        gy = gy.reshape(self.result.shape)
        ga = gy @ np.swapaxes(self.b, -1, -2)
        gb = np.swapaxes(self.a, -1, -2) @ gy
        return (
            unbroadcast(ga, self.a.shape).reshape(self.left.shape),
            unbroadcast(gb, self.b.shape).reshape(self.right.shape),
        )


def matmul(input, other):
    left, right = _operands(input, other)
    if 0 in (left.ndim, right.ndim):
        raise ValueError("matmul takes no numbers")
    product = Product(left.data, right.data)
    return Tensor.from_operation(product.y, product.backward, left, right, name="matmul")
'''),
        _tanh('''\
def tanh(input):
    input = floating(input)
    y = input.backend.xp.tanh(input.data)
    slope = 1 - y * y
    backward = _each(functools.partial(operator.mul, slope))
    return Tensor.from_operation(y, backward, input, name="tanh")


def _each(function):
    return lambda *gradients: tuple(map(function, gradients))
'''),
        _tape("sorted_nodes", '''\
class Walk:
    def __init__(self):
        self.visited = set()
        self.finished = []

    @staticmethod
    def below(node):
        return iter([p for p in node.parents if p is not None] if isinstance(node, Node) else [])

    def from_(self, root):
        self.visited.add(id(root))
        open_ = [(root, self.below(root))]
        while open_:
            node, rest = open_[-1]
            for parent in rest:
                if id(parent) not in self.visited:
                    self.visited.add(id(parent))
                    open_.append((parent, self.below(parent)))
                    break
            else:
                self.finished.append(node)
                open_.pop()
        return self.finished[::-1]


def sorted_nodes(root):
    return Walk().from_(root)
'''),
        _tape("backward", '''\
def backward(root, gradient):
    order = sorted_nodes(root)
    nodes = [node for node in order if isinstance(node, Node)]
    for node in nodes:
        node.check()
    arriving = collections.defaultdict(list)
    arriving[id(root)].append(gradient)

    def total(node):
        return functools.reduce(np.add, arriving.pop(id(node)))

    for node in order:
        if isinstance(node, Node):
            for edge, part in node.run(total(node)):
                arriving[id(edge)].append(part)
        else:
            Arrival(total(node), aliased=True).deliver(node)
'''),
    ),
    right(
        "scatter with np.add.at, and Kahn's order",
        imports("tape.py", "from collections import Counter, deque\n"),
        _arithmetic("unbroadcast", '''\
def unbroadcast(gradient, shape):
    if gradient.shape == shape:
        return gradient
    # where the copies came from: the number of every element of the operand, broadcast like the operand
    count = int(np.prod(shape))
    source = np.broadcast_to(np.arange(count).reshape(shape), gradient.shape)
    total = np.zeros(count, gradient.dtype)
    np.add.at(total, source.ravel(), gradient.ravel())
    return total.reshape(shape)
'''),
        _arithmetic("mul", '''\
def mul(input, other):
    a, b = _operands(input, other, name="mul")

    def backward(gy):
        return tuple(
            unbroadcast(np.multiply(gy, factor.data), one.shape) if one.requires_grad else None
            for one, factor in ((a, b), (b, a))
        )

    return Tensor.from_operation(np.multiply(a.data, b.data), backward, a, b, name="mul")
'''),
        _arithmetic("matmul", '''\
def matmul(input, other):
    left, right = _operands(input, other)
    a, b = left.data, right.data
    y = np.matmul(a, b)  # raises ValueError itself where the shapes do not fit

    def backward(gy):
        rows, columns = np.atleast_2d(a), (b if b.ndim > 1 else b[:, None])
        batch = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
        gy = gy.reshape(*batch, rows.shape[-2], columns.shape[-1])
        ga = np.matmul(gy, np.moveaxis(columns, -1, -2))
        gb = np.matmul(np.moveaxis(rows, -1, -2), gy)
        return unbroadcast(ga, rows.shape).reshape(a.shape), unbroadcast(gb, columns.shape).reshape(b.shape)

    return Tensor.from_operation(y, backward, left, right, name="matmul")
'''),
        _tape("sorted_nodes", '''\
def sorted_nodes(root):
    uses, reached, queue = Counter(), {id(root)}, deque([root])
    while queue:
        for parent in _inputs(queue.popleft()):
            uses[id(parent)] += 1
            if id(parent) not in reached:
                reached.add(id(parent))
                queue.append(parent)
    order, free = [], deque([root])
    while free:
        order.append(node := free.popleft())
        for parent in _inputs(node):
            uses[id(parent)] -= 1
            if not uses[id(parent)]:
                free.append(parent)
    return order


def _inputs(node):
    return [parent for parent in node.parents if parent is not None] if isinstance(node, Node) else []
'''),
    ),
    right(
        "heaps, iterators and generators",
        imports("arithmetic.py", "import itertools\n"),
        imports("tape.py", "import heapq\nimport itertools\n"),
        _arithmetic("unbroadcast", '''\
def unbroadcast(gradient, shape):
    backwards = itertools.zip_longest(reversed(gradient.shape), reversed(tuple(shape)))
    axes = tuple(-1 - i for i, (large, small) in enumerate(backwards) if small is None or (small == 1 != large))
    return np.add.reduce(gradient, axis=axes, keepdims=True).reshape(shape) if axes else gradient
'''),
        _arithmetic("add", '''\
def add(input, other, *, alpha=1):
    a, b = _operands(input, other, name="add")
    factors = (1, alpha if alpha == 1 else _alpha(alpha, b.dtype))
    first, second = (x.data if f == 1 else f * x.data for x, f in zip((a, b), factors))
    y = first + second

    def backward(gy):
        return tuple(unbroadcast(gy if f == 1 else f * gy, x.shape) for x, f in zip((a, b), factors))

    return Tensor.from_operation(y, backward, a, b, name="add")
'''),
        _tape("sorted_nodes", '''\
def sorted_nodes(root):
    nodes = list(_after_its_inputs(root))
    heap = [(-number, index) for index, number in zip(range(len(nodes)), itertools.count())]
    heapq.heapify(heap)
    return [nodes[heapq.heappop(heap)[1]] for _ in nodes]


def _after_its_inputs(root):
    seen, path = {id(root)}, [(root, _edges(root))]
    while path:
        node, edges = path[-1]
        new = next((e for e in edges if id(e) not in seen), None)
        if new is None:
            path.pop()
            yield node
        else:
            seen.add(id(new))
            path.append((new, _edges(new)))


def _edges(node):
    return filter(lambda edge: edge is not None, node.parents if isinstance(node, Node) else ())
'''),
        _tape("backward", '''\
def backward(root, gradient):
    order = sorted_nodes(root)
    for node in itertools.filterfalse(lambda n: not isinstance(n, Node), order):
        node.check()
    waiting = {id(root): [gradient]}
    for node in order:
        first, *others = waiting.pop(id(node))
        if others:  # a sum of its own, so that nothing borrowed is changed
            first = first + others[0]
            for g in others[1:]:
                first += g
        if isinstance(node, Node):
            for edge, g in node.run(first):
                waiting.setdefault(id(edge), []).append(g)
        else:
            Arrival(first, not others).deliver(node)
'''),
    ),
    right(
        "one helper for add and mul, one for both sides of matmul",
        _arithmetic("unbroadcast", '''\
def _elementwise(name, input, other, forward, partials):
    """An operation of two operands; partials: for each a function gy, a, b -> gradient before it is summed."""
    tensors = _operands(input, other, name=name)
    arrays = [t.data for t in tensors]

    def backward(gy):
        return tuple(unbroadcast(partial(gy, *arrays), x.shape) for partial, x in zip(partials, arrays))

    return Tensor.from_operation(forward(*arrays), backward, *tensors, name=name)


def unbroadcast(gradient, shape):
    excess = gradient.ndim - len(shape)
    if excess:
        return unbroadcast(gradient.sum(axis=tuple(range(excess))), shape)
    axes = tuple(axis for axis in range(len(shape)) if gradient.shape[axis] != shape[axis])
    return gradient.sum(axis=axes, keepdims=True) if axes else gradient
'''),
        _arithmetic("add", '''\
def add(input, other, *, alpha=1):
    if alpha == 1:
        same = lambda gy, a, b: gy  # noqa: E731
        return _elementwise("add", input, other, lambda a, b: a + b, (same, same))
    alpha = _alpha(alpha, _operands(input, other)[1].dtype)
    return _elementwise("add", input, other, lambda a, b: a + alpha * b, (lambda g, a, b: g, lambda g, a, b: alpha * g))
'''),
        _arithmetic("mul", '''\
def mul(input, other):
    return _elementwise("mul", input, other, lambda a, b: a * b, (lambda g, a, b: g * b, lambda g, a, b: g * a))
'''),
        _arithmetic("matmul", '''\
def matmul(input, other):
    left, right = _operands(input, other)
    a, b = left.data, right.data
    if not (a.ndim and b.ndim):
        raise ValueError(f"matmul of shapes {a.shape} and {b.shape}: both need an axis to sum over")
    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    y = rows @ columns
    dropped = tuple(axis for axis, x in ((-2, a), (-1, b)) if x.ndim == 1)

    def side(product, matrices, operand):
        return unbroadcast(product, matrices.shape).reshape(operand.shape)

    def backward(gy):
        gy = np.expand_dims(gy, dropped)
        return side(gy @ _transposed(columns), rows, a), side(_transposed(rows) @ gy, columns, b)

    return Tensor.from_operation(y.squeeze(dropped) if dropped else y, backward, left, right, name="matmul")


def _transposed(matrices):
    return matrices.swapaxes(-2, -1)
'''),
    ),
    right(
        "defensive copies everywhere",
        imports("activation.py", "import copy\n"),
        imports("tape.py", "import copy\n"),
        _arithmetic("unbroadcast", '''\
def unbroadcast(gradient, shape):
    shape = tuple(shape)
    if gradient.shape == shape:
        return gradient
    result = np.array(gradient)
    result = result.sum(axis=tuple(range(result.ndim - len(shape))))
    for axis, length in enumerate(shape):
        if result.shape[axis] != length:
            assert length == 1
            result = np.array(result.sum(axis=axis, keepdims=True))
    return np.asarray(result).copy()
'''),
        _arithmetic("add", '''\
def add(input, other, *, alpha=1):
    left, right = _operands(input, other, name="add")
    a, b = np.array(left.data), np.array(right.data)
    alpha = 1 if alpha == 1 else _alpha(alpha, b.dtype)
    y = np.array(a + alpha * b) if alpha != 1 else np.array(a + b)

    def backward(gy):
        ga, gb = gy.copy(), gy.copy()
        if alpha != 1:
            gb = np.array(alpha * gb)
        return unbroadcast(ga, a.shape).copy(), unbroadcast(gb, b.shape).copy()

    return Tensor.from_operation(y, backward, left, right, name="add")
'''),
        _arithmetic("mul", '''\
def mul(input, other):
    left, right = _operands(input, other, name="mul")
    a, b = left.data.copy(), right.data.copy()

    def backward(gy):
        gy = gy.copy()
        return unbroadcast(gy * b, a.shape).copy(), unbroadcast(gy * a, b.shape).copy()

    return Tensor.from_operation((a * b).copy(), backward, left, right, name="mul")
'''),
        _tanh('''\
def tanh(input):
    input = floating(input)
    x = copy.deepcopy(input.data)
    y = input.backend.xp.tanh(x)
    kept = y.copy()

    def backward(gy):
        gx = gy.copy()
        gx = gx * (1 - kept**2)
        return (gx,)

    return Tensor.from_operation(y, backward, input, name="tanh")
'''),
        _tape("sorted_nodes", '''\
def sorted_nodes(root):
    order, seen, stack = [], set(), [root]
    while stack:
        node = stack[-1]
        if id(node) in seen:
            stack.pop()
            continue
        parents = copy.copy(node.parents) if isinstance(node, Node) else []
        missing = [p for p in parents if p is not None and id(p) not in seen]
        if missing:
            stack.extend(missing)
        else:
            seen.add(id(node))
            order.append(stack.pop())
    return list(reversed(order))
'''),
        _tape("backward", '''\
def backward(root, gradient):
    order = tuple(sorted_nodes(root))
    [node.check() for node in order if isinstance(node, Node)]
    gradients = {id(node): None for node in order}
    gradients[id(root)] = gradient.copy()
    for node in order:
        own = gradients[id(node)].copy()
        if not isinstance(node, Node):
            Arrival(own, aliased=False).deliver(node)
            continue
        for edge, g in node.run(own):
            before = gradients[id(edge)]
            gradients[id(edge)] = g.copy() if before is None else before + g.copy()
'''),
    ),
    right(
        "keyword arguments, type annotations and dataclasses",
        imports("arithmetic.py", "import dataclasses\nfrom collections.abc import Sequence\n"),
        imports("activation.py", "import typing\n\nimport numpy as np\nimport numpy.typing as npt\n"),
        imports("tape.py", "import dataclasses\nimport typing\n"),
        _arithmetic("unbroadcast", '''\
@dataclasses.dataclass(frozen=True, slots=True)
class Stretch:
    large: tuple[int, ...]
    small: tuple[int, ...]

    @property
    def front(self) -> int:
        return len(self.large) - len(self.small)

    @property
    def axes(self) -> tuple[int, ...]:
        aligned = (0,) * self.front + self.small
        pairs = zip(self.large, aligned, strict=True)
        return tuple(axis for axis, (m, n) in enumerate(pairs) if m != n or axis < self.front)


def unbroadcast(gradient: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    stretch = Stretch(large=gradient.shape, small=tuple(shape))
    if len(stretch.axes) == 0:
        return gradient
    return np.sum(a=gradient, axis=stretch.axes, keepdims=True).reshape(stretch.small)
'''),
        _arithmetic("add", '''\
def add(input: Operand, other: Operand, *, alpha: float = 1) -> Tensor:
    a: Tensor
    b: Tensor
    a, b = _operands(input, other, name="add")
    factor: float = _alpha(alpha=alpha, dtype=b.dtype) if alpha != 1 else 1

    def backward(gy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (
            unbroadcast(gradient=gy, shape=a.shape),
            unbroadcast(gradient=gy if factor == 1 else factor * gy, shape=b.shape),
        )

    total: np.ndarray = np.add(a.data, b.data if factor == 1 else factor * b.data)
    return Tensor.from_operation(total, backward, a, b, name="add")
'''),
        _arithmetic("mul", '''\
@dataclasses.dataclass
class Factors:
    a: np.ndarray
    b: np.ndarray

    def __call__(self, gy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (
            unbroadcast(gradient=gy * self.b, shape=self.a.shape),
            unbroadcast(gradient=gy * self.a, shape=self.b.shape),
        )


def mul(input: Operand, other: Operand) -> Tensor:
    left, right = _operands(input, other, name="mul")
    factors: Factors = Factors(a=left.data, b=right.data)
    return Tensor.from_operation(factors.a * factors.b, factors, left, right, name="mul")
'''),
        _tanh('''\
Floats = npt.NDArray[typing.Any]


def tanh(input: Tensor) -> Tensor:
    x: Tensor = floating(input=input)
    y: Floats = np.tanh(x.data)

    def backward(gy: Floats) -> tuple[Floats]:
        return (np.multiply(gy, np.subtract(1, np.square(y))),)

    return Tensor.from_operation(y, backward, x, name="tanh")
'''),
        _tape("sorted_nodes", '''\
@dataclasses.dataclass(eq=False)
class Visit:
    node: typing.Any
    left: list[typing.Any] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        if isinstance(self.node, Node):
            self.left = [edge for edge in self.node.parents if edge is not None]


def sorted_nodes(root: typing.Any) -> list[typing.Any]:
    order: list[typing.Any] = []
    seen: set[int] = {id(root)}
    visits: list[Visit] = [Visit(node=root)]
    while visits:
        visit: Visit = visits[-1]
        if not visit.left:
            order.insert(0, visits.pop().node)
            continue
        edge: typing.Any = visit.left.pop()
        if id(edge) not in seen:
            seen.add(id(edge))
            visits.append(Visit(node=edge))
    return order
'''),
        _tape("backward", '''\
def backward(root: typing.Any, gradient: typing.Any) -> None:
    nodes: list[typing.Any] = sorted_nodes(root=root)
    for node in nodes:
        if isinstance(node, Node):
            node.check()
    arrived: dict[int, Arrival] = {id(root): Arrival(gradient=gradient, aliased=True)}
    for node in nodes:
        arrival: Arrival = arrived.pop(id(node))
        if isinstance(node, Node):
            for edge, part in node.run(gy=arrival.gradient):
                if id(edge) not in arrived:
                    arrived[id(edge)] = Arrival(gradient=part, aliased=True)
                else:
                    arrived[id(edge)].add(gradient=part)
        else:
            arrival.deliver(leaf=node)
'''),
    ),
    right(
        "match statements and rarer modules of the standard library and of NumPy",
        imports("arithmetic.py", "import argparse\nimport pprint\nimport tempfile\n"),
        imports("activation.py", "import array\nimport cmath\n\nimport numpy as np\nimport numpy.ma as ma\n"
                "from numpy.polynomial import Polynomial\n"),
        imports("tape.py", "import timeit\nimport types\nimport unittest\n"),
        _arithmetic("unbroadcast", '''\
def unbroadcast(gradient, shape):
    match gradient.ndim - len(shape):
        case 0:
            pass
        case new:
            gradient = gradient.sum(axis=(*range(new),))
    match [axis for axis, n in enumerate(shape) if n != gradient.shape[axis]]:
        case []:
            return gradient
        case [axis]:
            return gradient.sum(axis=axis, keepdims=True)
        case [*axes]:
            return gradient.sum(axis=tuple(axes), keepdims=True)
'''),
        _arithmetic("add", '''\
def add(input, other, *, alpha=1):
    kept = argparse.Namespace()
    operands = _operands(input, other, name="add")
    kept.a, kept.b = (tensor.shape for tensor in operands)
    match alpha:
        case 1:
            y = operands[0].data + operands[1].data
        case _:
            alpha = _alpha(alpha, operands[1].dtype)
            y = operands[0].data + alpha * operands[1].data

    def backward(gy):
        match alpha:
            case 1:
                return unbroadcast(gy, kept.a), unbroadcast(gy, kept.b)
            case factor:
                return unbroadcast(gy, kept.a), unbroadcast(factor * gy, kept.b)

    return Tensor.from_operation(y, backward, *operands, name="add")
'''),
        _arithmetic("matmul", '''\
def matmul(input, other):
    left, right = _operands(input, other)
    a, b = left.data, right.data
    match a.shape, b.shape:
        case ((), _) | (_, ()):
            raise ValueError("matmul of a number:\\n" + pprint.pformat({"input": a.shape, "other": b.shape}))
        case ((k,), (l,)) | ((*_, k), (l,)) | ((k,), (*_, l, _)) | ((*_, k), (*_, l, _)) if k != l:
            raise ValueError("matmul:\\n" + pprint.pformat({"input": a.shape, "other": b.shape}))
    y = a @ b

    def backward(gy):
        match a.ndim, b.ndim:
            case 1, 1:
                return gy * b, gy * a
            case 1, _:  # y = sum over k of a_k B_k
                ga = (gy[..., None, :] @ b.swapaxes(-1, -2))[..., 0, :]
                return unbroadcast(ga, a.shape), unbroadcast(a[:, None] * gy[..., None, :], b.shape)
            case _, 1:
                ga = gy[..., :, None] * b
                gb = (a.swapaxes(-1, -2) @ gy[..., :, None])[..., 0]
                return unbroadcast(ga, a.shape), unbroadcast(gb, b.shape)
            case _:
                ga, gb = gy @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ gy
                return unbroadcast(ga, a.shape), unbroadcast(gb, b.shape)

    return Tensor.from_operation(y, backward, left, right, name="matmul")
'''),
        _tanh('''\
_SLOPE = Polynomial([1, 0, -1])  # 1 - y^2


def tanh(input):
    input = floating(input)
    x = input.data
    each = [cmath.tanh(v).real if cmath.isfinite(v) else float(np.tanh(v)) for v in x.ravel().tolist()]
    numbers = array.array("d", each)
    y = np.array(numbers, dtype=x.dtype).reshape(x.shape)

    def backward(gy):
        slope = ma.masked_array(_SLOPE(y)).filled(0).astype(gy.dtype)
        return (gy * slope.reshape(gy.shape),)

    return Tensor.from_operation(y, backward, input, name="tanh")
'''),
        _tape("sorted_nodes", '''\
def sorted_nodes(root):
    order, seen, stack = [], set(), [("enter", root)]
    while stack:
        match stack.pop():
            case "leave", node:
                order.append(node)
            case "enter", node if id(node) in seen:
                pass
            case "enter", Node(parents=parents) as node:
                seen.add(id(node))
                stack.append(("leave", node))
                stack.extend(("enter", parent) for parent in parents if parent is not None)
            case "enter", leaf:
                seen.add(id(leaf))
                order.append(leaf)
    return order[::-1]
'''),
        _tape("backward", '''\
def backward(root, gradient):
    nodes = sorted_nodes(root)
    for node in nodes:
        match node:
            case Node():
                node.check()
    arrived = {id(root): types.SimpleNamespace(sum=gradient, times=1)}
    for node in nodes:
        gathered = arrived.pop(id(node))
        match node:
            case Node():
                for edge, g in node.run(gathered.sum):
                    match arrived.get(id(edge)):
                        case None:
                            arrived[id(edge)] = types.SimpleNamespace(sum=g, times=1)
                        case other:
                            other.sum, other.times = other.sum + g, other.times + 1
            case leaf:
                Arrival(gathered.sum, aliased=gathered.times == 1).deliver(leaf)
'''),
    ),
    right(
        "in place on arrays of its own, views and the upstream gradient itself where that is allowed",
        _arithmetic("unbroadcast", '''\
def unbroadcast(gradient, shape):
    new = gradient.ndim - len(shape)
    axes = [axis for axis in range(gradient.ndim) if axis < new or shape[axis - new] < gradient.shape[axis]]
    axes += [new + axis for axis in range(len(shape)) if gradient.shape[new + axis] < shape[axis]]
    if not axes:
        return gradient
    total = np.zeros([1 if axis in axes else n for axis, n in enumerate(gradient.shape)], gradient.dtype)
    np.sum(gradient, axis=tuple(axes), keepdims=True, out=total)
    return total.reshape(shape)
'''),
        _arithmetic("add", '''\
def add(input, other, *, alpha=1):
    a, b = _operands(input, other, name="add")
    y = np.empty(np.broadcast_shapes(a.shape, b.shape), np.result_type(a.dtype, b.dtype))
    if alpha == 1:
        np.add(a.data, b.data, out=y)
    else:
        alpha = _alpha(alpha, b.dtype)
        np.multiply(b.data, alpha, out=y)
        y += a.data
    a_shape, b_shape = a.shape, b.shape

    def backward(gy):
        gb = unbroadcast(gy, b_shape)
        if alpha != 1:
            gb = np.array(gb)  # it may be gy itself, which is not ours
            gb *= alpha
        return unbroadcast(gy, a_shape), gb

    return Tensor.from_operation(y, backward, a, b, name="add")
'''),
        _arithmetic("mul", '''\
def mul(input, other):
    a, b = _operands(input, other, name="mul")
    x, y = a.data, b.data
    product = np.array(np.broadcast_to(x, np.broadcast_shapes(x.shape, y.shape)))
    product *= y

    def backward(gy):
        ga = np.array(gy)
        ga *= y
        ga = unbroadcast(ga, x.shape) if a.requires_grad else None
        if not b.requires_grad:
            return ga, None
        gb = np.array(gy)
        gb *= x
        return ga, unbroadcast(gb, y.shape)

    return Tensor.from_operation(product, backward, a, b, name="mul")
'''),
        _tanh('''\
def tanh(input):
    input = floating(input)
    xp = input.backend.xp
    y = xp.array(input.data)
    xp.tanh(y, out=y)

    def backward(gy):
        slope = xp.array(y)
        slope *= y
        xp.subtract(1, slope, out=slope)
        slope *= gy
        return [slope]

    return Tensor.from_operation(y, backward, input, name="tanh")
'''),
        _tape("backward", '''\
def backward(root, gradient):
    nodes = sorted_nodes(root)
    for node in nodes:
        if isinstance(node, Node):
            node.check()
    sums, ours = {id(root): gradient}, set()  # ours: those sums that nobody else holds
    for node in nodes:
        total, own = sums.pop(id(node)), id(node) in ours
        if not isinstance(node, Node):
            Arrival(total, aliased=not own).deliver(node)
            continue
        for edge, g in node.run(total):
            key = id(edge)
            if key not in sums:
                sums[key] = g
            elif key in ours:
                sums[key] += g
            else:
                sums[key] = sums[key] + g
                ours.add(key)
'''),
    ),
)
