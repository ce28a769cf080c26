"""Mistakes of A1 that were written from the handout alone, without a look at the checks."""

from wrong_solutions import edit, rewrite

FRESH = (
    # ------------------------------------------------------------------------------ unbroadcast
    rewrite("new axes summed by their old numbers after the first is gone", "arithmetic.py", "unbroadcast", '''\
def unbroadcast(gradient, shape):
    for axis in range(gradient.ndim - len(shape)):
        gradient = gradient.sum(axis=axis)
    for axis, n in enumerate(shape):
        if n == 1:
            gradient = gradient.sum(axis=axis, keepdims=True)
    return gradient
''', {"add broadcast", "mul broadcast", "one gradient", "unbroadcast new axes"}),
    rewrite("only the first stretched axis summed", "arithmetic.py", "unbroadcast", '''\
def unbroadcast(gradient, shape):
    while gradient.ndim > len(shape):
        gradient = gradient.sum(axis=0)
    for axis, n in enumerate(shape):
        if n == 1 and gradient.shape[axis] != 1:
            return gradient.sum(axis=axis, keepdims=True)
    return gradient
''', {"unbroadcast stretched axes"}),
    rewrite("an axis of length 1 stretched to none is not summed", "arithmetic.py", "unbroadcast", '''\
def unbroadcast(gradient, shape):
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape)))) if gradient.ndim > len(shape) else gradient
    longer = tuple(i for i in range(len(shape)) if gradient.shape[i] > shape[i])
    return gradient.sum(axis=longer, keepdims=True) if longer else gradient
''', {"unbroadcast new axes", "unbroadcast stretched axes"}),
    rewrite("sums in double precision and stays there", "arithmetic.py", "unbroadcast", '''\
def unbroadcast(gradient, shape):
    if gradient.shape == shape:
        return gradient
    new = gradient.ndim - len(shape)
    axes = tuple(range(new)) + tuple(new + i for i, n in enumerate(shape) if n == 1)
    return gradient.sum(axis=axes, dtype=np.float64).reshape(shape)  # float32 would lose digits in long sums
''', {"add broadcast", "mul broadcast", "matmul batch", "matmul vector", "unbroadcast new axes",
        "unbroadcast stretched axes"}),
    # ------------------------------------------------------------------------------ add
    edit("alpha=0 taken for no alpha", "arithmetic.py",
         "    alpha = alpha if alpha == 1 else _alpha(alpha, b.dtype)\n    y = a.data + b.data if",
         "    alpha = _alpha(alpha or 1, b.dtype)\n    y = a.data + b.data if", {"add", "add broadcast"}),
    rewrite("alpha made an array of float64", "arithmetic.py", "add", '''\
def add(input, other, *, alpha=1):
    a, b = _operands(input, other, name="add")
    alpha = np.asarray(alpha, dtype=float)
    y = a.data + alpha * b.data

    def backward(gy):
        return unbroadcast(gy, a.shape), unbroadcast(alpha * gy, b.shape)

    return Tensor.from_operation(y, backward, a, b, name="add")
''', {"add", "add broadcast", "one gradient"}),
    rewrite("the sum written into the product, which may be smaller", "arithmetic.py", "add", '''\
def add(input, other, *, alpha=1):
    a, b = _operands(input, other, name="add")
    y = np.array(b.data)  # a copy: b itself must stay as it is
    y *= alpha
    y += a.data

    def backward(gy):
        return unbroadcast(gy, a.shape), unbroadcast(alpha * gy, b.shape)

    return Tensor.from_operation(y, backward, a, b, name="add")
''', {"add broadcast"}),
    # ------------------------------------------------------------------------------ mul
    rewrite("the square counted twice", "arithmetic.py", "mul", '''\
def mul(input, other):
    a, b = _operands(input, other, name="mul")

    def backward(gy):
        if a is b:  # the derivative of x^2 is 2 x
            g = 2 * gy * a.data
            return g, g
        return unbroadcast(gy * b.data, a.shape), unbroadcast(gy * a.data, b.shape)

    return Tensor.from_operation(a.data * b.data, backward, a, b, name="mul")
''', {"one gradient"}),
    rewrite("the second gradient written over the upstream one", "arithmetic.py", "mul", '''\
def mul(input, other):
    a, b = _operands(input, other, name="mul")

    def backward(gy):
        ga = unbroadcast(gy * b.data, a.shape)
        if gy.ndim:
            gy *= a.data  # gy is not needed any more
        else:
            gy = gy * a.data
        return ga, unbroadcast(gy, b.shape)

    return Tensor.from_operation(a.data * b.data, backward, a, b, name="mul")
''', {"mul", "mul broadcast", "one gradient"}),
    rewrite("the upstream gradient summed before it is multiplied", "arithmetic.py", "mul", '''\
def mul(input, other):
    a, b = _operands(input, other, name="mul")

    def backward(gy):
        ga = unbroadcast(unbroadcast(gy, a.shape) * b.data, a.shape)
        gb = unbroadcast(unbroadcast(gy, b.shape) * a.data, b.shape)
        return ga, gb

    return Tensor.from_operation(a.data * b.data, backward, a, b, name="mul")
''', {"mul broadcast"}),
    # ------------------------------------------------------------------------------ matmul
    edit("a row's axis put before the batch", "arithmetic.py", "gy = gy[..., None, :]", "gy = gy[None]",
         {"matmul vector"}),
    rewrite("a product and a sum, which stretch an axis of length 1", "arithmetic.py", "matmul", '''\
def matmul(input, other):
    left, right = _operands(input, other)
    rows = left.data[None] if left.ndim == 1 else left.data
    columns = right.data[:, None] if right.ndim == 1 else right.data

    def product(a, b):
        return (a[..., :, :, None] * b[..., None, :, :]).sum(axis=-2)

    y = product(rows, columns)
    shape = y.shape

    def backward(gy):
        gy = gy.reshape(shape)
        ga = unbroadcast(product(gy, columns.swapaxes(-1, -2)), rows.shape).reshape(left.shape)
        gb = unbroadcast(product(rows.swapaxes(-1, -2), gy), columns.shape).reshape(right.shape)
        return ga, gb

    y = y[..., 0] if right.ndim == 1 else y
    y = y.squeeze(-2 if right.ndim > 1 else -1) if left.ndim == 1 else y
    return Tensor.from_operation(y, backward, left, right, name="matmul")
''', {"matmul batch", "matmul vector"}),
    edit("np.dot for stacks of matrices", "arithmetic.py", "Tensor.from_operation(a @ b,",
         "Tensor.from_operation(np.dot(a, b),", {"matmul batch"}),
    edit("a loop over the first axis of the batch alone", "arithmetic.py",
         "gb = unbroadcast(rows.swapaxes(-1, -2) @ gy, columns.shape).reshape(b.shape)",
         "repeated = np.broadcast_to(rows, (*gy.shape[:-2], *rows.shape[-2:]))\n"
         "            gb = repeated.T @ gy if gy.ndim == 2 else np.stack([r.T @ g for r, g in zip(repeated, gy)])\n"
         "            gb = unbroadcast(gb, columns.shape).reshape(b.shape)", {"matmul batch"}),
    # ------------------------------------------------------------------------------ tanh
    rewrite("an overflow's NaN replaced by 0", "activation.py", "tanh", '''\
def tanh(input):
    input = floating(input)
    xp = input.backend.xp
    e = xp.exp(2 * input.data)
    y = xp.nan_to_num((e - 1) / (e + 1))

    def backward(gy):
        return (gy * (1 - y**2),)

    return Tensor.from_operation(y, backward, input, name="tanh")
''', {"tanh far out"}),
    edit("integers become float64", "activation.py", "    input = floating(input)\n    y = input.backend.xp.tanh(",
         "    common_backend(input)\n    y = input.backend.xp.tanh(", {"tanh", "tanh far out"}),
    rewrite("backward squares the result where it stands", "activation.py", "tanh", '''\
def tanh(input):
    input = floating(input)
    y = input.backend.xp.tanh(input.data)

    def backward(gy):
        slope = y
        slope *= slope
        return (gy * (1 - slope),)

    return Tensor.from_operation(y, backward, input, name="tanh")
''', {"tanh", "tanh far out"}),
    # ------------------------------------------------------------------------------ sorted_nodes
    rewrite("what was seen is remembered from one call to the next", "tape.py", "sorted_nodes", '''\
def sorted_nodes(root, seen=set()):
    order, stack = [], [(root, False)]
    while stack:
        node, finished = stack.pop()
        if finished:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if isinstance(node, Node):
                stack += [(parent, False) for parent in node.parents if parent is not None]
    return order[::-1]
''', {"order", "twice"}),
    rewrite("a longer path that is found late is not carried on", "tape.py", "sorted_nodes", '''\
def sorted_nodes(root):
    queue, depth = [root], {id(root): 0}
    for node in queue:  # the queue grows meanwhile
        for parent in node.parents if isinstance(node, Node) else ():
            if parent is not None:
                if id(parent) not in depth:
                    queue.append(parent)
                depth[id(parent)] = max(depth.get(id(parent), 0), depth[id(node)] + 1)
    return sorted(queue, key=lambda node: depth[id(node)])
''', {"aliased", "graph", "order"}),
    rewrite("a node that one operation uses twice is never free", "tape.py", "sorted_nodes", '''\
def sorted_nodes(root):
    waiting, reached, stack = {}, {id(root)}, [root]
    while stack:  # how often is each node used?
        node = stack.pop()
        for parent in node.parents if isinstance(node, Node) else ():
            if parent is not None:
                waiting[id(parent)] = waiting.get(id(parent), 0) + 1
                if id(parent) not in reached:
                    reached.add(id(parent))
                    stack.append(parent)
    order, free = [], [root]
    while free:
        node = free.pop()
        order.append(node)
        for parent in {id(p): p for p in node.parents if p is not None}.values() if isinstance(node, Node) else ():
            waiting[id(parent)] -= 1
            if waiting[id(parent)] == 0:
                free.append(parent)
    return order
''', {"aliased", "graph", "order", "shared"}),
    # ------------------------------------------------------------------------------ backward
    edit("each node checked only when its turn has come", "tape.py",
         "    for node in nodes:\n        if isinstance(node, Node):\n            node.check()\n"
         "    arrived = {id(root): Arrival(gradient, aliased=True)}\n    for node in nodes:\n",
         "    arrived = {id(root): Arrival(gradient, aliased=True)}\n    for node in nodes:\n"
         "        if isinstance(node, Node):\n            node.check()\n", {"twice"}),
    rewrite("further gradients added into the first, which was only borrowed", "tape.py", "backward", '''\
def backward(root, gradient):
    nodes = sorted_nodes(root)
    for node in nodes:
        if isinstance(node, Node):
            node.check()
    gradients = {id(root): gradient}
    for node in nodes:
        g = gradients.pop(id(node))
        if not isinstance(node, Node):
            Arrival(g, aliased=True).deliver(node)
            continue
        for edge, part in node.run(g):
            if id(edge) in gradients:
                gradients[id(edge)] += part
            else:
                gradients[id(edge)] = part
''', {"aliased"}),
    edit("gradients of zeros are not carried on", "tape.py",
         "        arrival = arrived.pop(id(node))\n",
         "        arrival = arrived.pop(id(node), None)\n"
         "        if arrival is None or not arrival.gradient.any():\n"
         "            continue  # nothing to add\n", {"twice"}),
    edit("of two gradients that one operation has for one input only the last", "tape.py",
         "        for edge, g in node.run(arrival.gradient):\n",
         "        for edge, g in dict(node.run(arrival.gradient)).items():\n", {"aliased", "graph", "shared"}),
    edit("the operation's function called past its checks, and never released", "tape.py",
         "        for edge, g in node.run(arrival.gradient):\n",
         "        for edge, g in zip(node.parents, node.backward(arrival.gradient)):\n"
         "            if edge is None:\n"
         "                continue\n", {"twice"}),
)
