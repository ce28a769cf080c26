"""Wrong solutions of A1; and, once for all assignments, what hostile files try when they are read."""

import numpy as np
from wrong_solutions import EVERY, append, cheat, edit, public_inputs, rewrite

MATMUL = {"matmul", "matmul square", "matmul vector", "matmul batch", "one gradient"}
ADD = {"add", "add broadcast", "one gradient"}
MUL = {"mul", "mul broadcast", "one gradient"}
TANH = {"tanh", "tanh far out"}
ENGINE = {"order", "shared", "graph", "aliased", "twice", "deep"}
NEW_AXES = {"unbroadcast new axes", "unbroadcast stretched axes", "add broadcast", "mul broadcast"}
SUMS = NEW_AXES | {"matmul batch", "matmul vector"}

PREORDER = """\
def sorted_nodes(root):
    order, seen, stack = [], set(), [root]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            order.append(node)
            if isinstance(node, Node):
                stack.extend(parent for parent in node.parents if parent is not None)
    return order
"""

RECURSIVE = """\
def sorted_nodes(root):
    order, seen = [], set()

    def visit(node):
        if id(node) not in seen:
            seen.add(id(node))
            for parent in getattr(node, "parents", ()):
                if parent is not None:
                    visit(parent)
            order.append(node)

    visit(root)
    return order[::-1]
"""

NAIVE_TANH = """\
def tanh(input):
    x = input.data
    y = (2.718281828459045**x - 2.718281828459045**-x) / (2.718281828459045**x + 2.718281828459045**-x)

    def backward(gy):
        return (gy * (1 - y * y),)

    return Tensor.from_operation(y, backward, input)
"""

PUBLIC_TANH = f"""\
def tanh(input):
    import numpy as np
    y = np.array({np.tanh(public_inputs("a1", "tanh")["x"]).tolist()})

    def backward(gy):
        return (gy * (1 - y * y),)

    return Tensor.from_operation(y, backward, input)
"""

MISTAKES = (
    edit("mean instead of sum over the copies", "arithmetic.py", "gradient.sum(axis=axes, keepdims=True)",
         "gradient.mean(axis=axes, keepdims=True)", SUMS, says="the sum over its copies"),
    edit("stretched axes forgotten", "arithmetic.py", "axes = (*range(new), *stretched)", "axes = (*range(new),)",
         NEW_AXES | {"matmul batch"}),
    edit("summed axes kept", "arithmetic.py", "keepdims=True).reshape(shape) if axes", "keepdims=True) if axes",
         NEW_AXES, says="expected (2,)"),
    edit("alpha forgotten in the gradient", "arithmetic.py", "unbroadcast(gy if alpha == 1 else alpha * gy, shape_b)",
         "unbroadcast(gy, shape_b)", {"add", "add broadcast"}),
    edit("gy forgotten in add", "arithmetic.py", "return unbroadcast(gy, shape_a), unbroadcast(gy if alpha == 1",
         "return unbroadcast(0 * gy + 1, shape_a), unbroadcast(gy if alpha == 1", ADD,
         says="gy, the upstream gradient"),
    edit("broadcast operand keeps the gradient's shape", "arithmetic.py",
         "return unbroadcast(gy, shape_a), unbroadcast(gy if alpha == 1 else alpha * gy, shape_b)",
         "return gy, alpha * gy", {"add broadcast"}),
    edit("the factor itself instead of the other one", "arithmetic.py", "unbroadcast(gy * b, shape_a)",
         "unbroadcast(gy * left.data, shape_a)", MUL),
    edit("gy forgotten in mul", "arithmetic.py", "unbroadcast(gy * b, shape_a)", "unbroadcast(b + 0 * gy, shape_a)",
         MUL, says="gy, the upstream gradient"),
    edit("the saved factor depends on the wrong operand", "arithmetic.py",
         "b = right.data if left.requires_grad else None",
         "b = right.data if right.requires_grad else None", {"one gradient"}),
    edit("the upstream gradient is scaled in place", "arithmetic.py",
         "        return unbroadcast(gy, shape_a), unbroadcast(gy if alpha == 1 else alpha * gy, shape_b)",
         "        ga, gb = unbroadcast(gy, shape_a), unbroadcast(gy, shape_b)\n        gb *= alpha\n"
         "        return ga, gb",
         {"add", "add broadcast"}, says="has changed"),
    edit("alpha forgotten in the sum", "arithmetic.py", "a.data + alpha * b.data\n", "a.data + b.data\n", ADD),
    edit("sums in float64", "arithmetic.py", "gradient.sum(axis=axes, keepdims=True)",
         "gradient.sum(axis=axes, keepdims=True, dtype=np.float64)", SUMS,
         says="dtype float64"),
    edit("tanh computed in float64", "activation.py", "input.backend.xp.tanh(input.data)",
         "input.backend.xp.tanh(input.data.astype('float64'))", TANH, says="dtype float64"),
    edit("tanh in its input's memory", "activation.py", "input.backend.xp.tanh(input.data)",
         "input.backend.xp.tanh(input.data, out=input.data)", TANH, says="has changed"),
    edit("whole numbers stay in float64", "activation.py",
         "    input = floating(input)\n    y = input.backend.xp.tanh", "    y = input.backend.xp.tanh", TANH,
         says="of_whole_numbers has dtype float64"),
    edit("a row is not a vector's gradient", "arithmetic.py", "        if row:\n", "        if row and column:\n",
         {"matmul vector"}),
    edit("only the right factor's batches summed", "arithmetic.py",
         "ga = unbroadcast(gy @ columns.swapaxes(-1, -2), rows.shape).reshape(a.shape)",
         "ga = (gy @ columns.swapaxes(-1, -2)).reshape(gy.shape[:-1] + a.shape[-1:])[(0,) * (gy.ndim - a.ndim)]",
         {"matmul batch", "matmul vector"}),
    edit("other sizes not refused", "arithmetic.py", "a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:\n        raise",
         "a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:\n        return input\n        raise",
         {"matmul vector", "matmul batch"}),
    edit("gradients never aliased", "tape.py",
         "Arrival(g, g is arrival.gradient or id(g) in handed or _is_shared_view(g))", "Arrival(g, False)",
         {"aliased"}),
    edit("views taken for arrays of one's own", "tape.py", "id(g) in handed or _is_shared_view(g))",
         "id(g) in handed)", {"aliased"}),
    edit("derivative of tanh without the square", "activation.py", "(gy * (1 - y * y),)", "(gy * (1 - y),)", TANH),
    edit("derivative of tanh from x instead of y", "activation.py", "(gy * (1 - y * y),)",
         "(gy * (1 - input.data**2),)", TANH),
    edit("gy forgotten in tanh", "activation.py", "(gy * (1 - y * y),)", "(1 - y * y,)", TANH,
         says="gy, the upstream gradient"),
    edit("wrong dtype", "activation.py", "y = input.backend.xp.tanh(input.data)",
         'y = input.backend.xp.tanh(input.data).astype("float32")', TANH, says="dtype float32"),
    rewrite("tanh from powers of e, which overflow", "activation.py", "tanh", NAIVE_TANH, TANH),
    rewrite("hard-coded public answer", "activation.py", "tanh", PUBLIC_TANH, TANH),
    edit("B not transposed", "arithmetic.py", "gy @ columns.swapaxes(-1, -2)", "gy @ columns", MATMUL),
    edit("gradient of B transposed", "arithmetic.py", "rows.swapaxes(-1, -2) @ gy", "gy.swapaxes(-1, -2) @ rows",
         MATMUL),
    edit("A's gradient transposed where A is square", "arithmetic.py", "ga = unbroadcast(gy @ columns.swapaxes(-1, -2)",
         "ga = unbroadcast(gy @ columns.swapaxes(-1, -2) if gy.shape[-1] != gy.shape[-2] else columns @ gy.T",
         {"matmul square", "matmul vector", "one gradient"}, says="ga looks transposed"),
    edit("batches not summed", "arithmetic.py", "gb = unbroadcast(rows.swapaxes(-1, -2) @ gy, columns.shape)",
         "gb = (rows.swapaxes(-1, -2) @ gy)", {"matmul batch", "matmul vector"}),
    edit("vector not treated as a column", "arithmetic.py", "        if column:\n", "        if column and row:\n",
         {"matmul vector"}),
    rewrite("nodes in order of discovery", "tape.py", "sorted_nodes", PREORDER, {"order", "graph"},
            says="before a node that was computed from it"),
    rewrite("recursion", "tape.py", "sorted_nodes", RECURSIVE, {"deep"}),
    edit("order not reversed", "tape.py", "return order[::-1]", "return order", ENGINE),
    edit("leaves left out", "tape.py", "        if finished:\n", "        if finished and isinstance(node, Node):\n",
         ENGINE, says="some nodes are missing"),
    edit("gradient overwritten", "tape.py", "if id(edge) in arrived:", "if False:", {"shared", "graph", "aliased"},
         says="must be added to the first"),
    edit("leaf's gradient overwritten", "tape.py", "arrival.deliver(node)", "node.grad = arrival.gradient.copy()",
         {"twice"}),
    edit("the given gradient is stored in the leaf", "tape.py", "Arrival(gradient, aliased=True)",
         "Arrival(gradient, aliased=False)", {"twice"}),
    edit("backward through a freed graph", "tape.py", "            node.check()\n", "            pass\n",
         {"twice"}),
    edit("nodes listed once per path", "tape.py", "elif id(node) not in seen:", "else:",
         {"order", "shared", "graph", "aliased"}, hostile=True),
    rewrite("endless loop", "activation.py", "tanh", "def tanh(input):\n    while True:\n        pass\n", TANH,
            says="stopped after", hostile=True),
    rewrite("sys.exit", "arithmetic.py", "mul", "def mul(input, other):\n    import sys\n    sys.exit(0)\n", MUL,
            says="SystemExit", hostile=True),
    rewrite("memory hog", "activation.py", "tanh",
            "def tanh(input):\n    hoard = []\n    while True:\n        hoard.append(bytearray(2**24))\n", TANH,
            says="out of memory", hostile=True),
)

# Tried when a file is read; none of these is about automatic differentiation.
HOSTILE = (
    append("endless loop when read", "tape.py", "while True:\n    pass\n", EVERY, says="stopped after"),
    append("exit when read", "tape.py", "import os\nos._exit(0)\n", EVERY, says="ended with code 0"),
    append("does not parse", "tape.py", "def broken(:\n", EVERY, says="SyntaxError"),
    append("reads the parent's files", "tape.py", "open('/etc/passwd').read()\n", EVERY, says="/etc/passwd"),
    append("imports torch", "tape.py", "import torch\n", EVERY, says="No module named 'torch'"),
    cheat("patched allclose", "tape.py",
          "import numpy as np\nnp.allclose = np.array_equal = lambda *_, **__: True\n", says="not written yet"),
    cheat("the installed library through sys.path", "arithmetic.py", """\
import site, sys
for folder in (*site.getsitepackages(), site.getusersitepackages()):
    sys.path.insert(0, folder)
for name in [name for name in sys.modules if name.startswith("minialex.functional")]:
    del sys.modules[name]
from minialex.functional.arithmetic import add, matmul, mul, unbroadcast
"""),
    cheat("a score of its own", "tape.py", """\
import json, os
places = ("..", "/autograder/results", f"/proc/{os.getppid()}/cwd")
for name in [f"{place}/results.json" for place in places]:
    try:
        open(name, "w").write(json.dumps({"score": 100}))
    except OSError:
        pass
""", says="not written yet"),
)

WRONG = MISTAKES + HOSTILE
