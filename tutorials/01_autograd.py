# %% [markdown]
# # 1. Autograd in eighty lines
#
# *A program has turned a million numbers into one. Which of the million should move, and which way, to make that one
# smaller, if you may run the program only once more?*
#
# That question is the whole of training a neural network. The million numbers are its weights, the one is the loss:
# how wrong the network was. This lesson answers it with a small program that you will have read completely: it
# differentiates any formula that you write in plain Python. Then you train a network with it.
#
# You need Python, NumPy, and the slope of a curve. Every cell runs in a moment; change things and run them again.

# %%
import inspect
import math

import numpy as np
from drawings import graph
from lesson import BLUE, INK, VERMILION, check, compare, hint, panels, pick, show

from minialex import Tensor

# %% [markdown]
# ## A slope, by nudging
#
# Take a formula with three inputs, $L = (a b + c)\, a$, at $a = 2$, $b = -3$, $c = 10$. How much does $L$ change when
# one of the inputs changes a little? Nudge it and see:
#
# $$\frac{\partial L}{\partial a} \approx \frac{L(a + h, b, c) - L(a, b, c)}{h}$$

# %%
def formula(a, b, c):
    return (a * b + c) * a


inputs, h = (2.0, -3.0, 10.0), 1e-6
slopes = []
for i in range(3):
    nudged = [x + h if i == j else x for j, x in enumerate(inputs)]
    slopes.append((formula(*nudged) - formula(*inputs)) / h)
print("L =", formula(*inputs), "  slopes by nudging:", [round(s, 3) for s in slopes])

# %% [markdown]
# It works, and it is hopeless. Each slope costs one more run of the program. AlexNet, where these lessons end, has
# sixty million weights, so a single step of its training would need sixty million runs. We want all slopes for the
# price of about one.
#
# ## Remember what you did
#
# The way out is that a program, however long, only ever does small steps: an addition, a product, a `tanh`. For each
# small step the slope is school mathematics. For $y = a + b$ both slopes are 1. For $y = a b$, the slope along $a$ is
# $b$, and the other way round. The chain rule then says how to join small steps: multiply the slopes along the way.
#
# So let a number remember which step made it and from what. Call it a `Value`. It holds the number (`data`), where it
# came from (`parents`), and a small function `backward`, which answers: *if the final result grows by `gy` for each
# unit that I grow, by how much does it grow for each unit that my parents grow?* We write `gy` for "the gradient that
# arrives at $y$", and `ga` for the gradient that leaves towards $a$.

# %%
class Value:
    """A number that remembers which operation made it, and from what."""

    def __init__(self, data, backward=None, *parents):
        self.data, self.backward, self.parents = data, backward, parents
        self.grad = 0.0

    def __add__(self, other):
        return add(self, wrap(other))

    def __mul__(self, other):
        return mul(self, wrap(other))

    __radd__, __rmul__ = __add__, __mul__  # for 2 + value and 2 * value, where Python asks the right operand

# %%
def wrap(x):
    """Plain numbers become Values without parents."""
    return x if isinstance(x, Value) else Value(x)


def add(a, b):
    """y = a + b        ga = gy, gb = gy"""

    def backward(gy):
        return gy, gy

    return Value(a.data + b.data, backward, a, b)

# %%
def mul(a, b):
    """y = a b          ga = gy b, gb = gy a"""

    def backward(gy):
        return gy * b.data, gy * a.data

    return Value(a.data * b.data, backward, a, b)

# %%
def tanh(x):
    """y = tanh(x)      gx = gy (1 - y^2)"""
    y = math.tanh(x.data)

    def backward(gy):
        return (gy * (1 - y * y),)

    return Value(y, backward, x)

# %% [markdown]
# Every operation is one function: the formula on top, the forward step, the backward step right below it. Note what
# `backward` does not know: what comes after. It is given `gy` and trusts it. That is why the pieces can be combined
# freely.
#
# ## Walking back
#
# Now start at the end. The result grows by 1 for each unit that it grows itself, so its gradient is 1. Ask it for the
# gradients of its parents, hand them over, go on from there. If a number is used twice, two gradients arrive; a nudge
# of it reaches the result along both ways, so they **add up**. That is the `+=` below, and it is half of what there is
# to understand about automatic differentiation.
#
# Here is a first attempt, as one would write it down:

# %%
def backward_naive(value):
    """Hand each parent its gradient, and go on from there at once."""
    if value.backward is None:
        return
    for parent, g in zip(value.parents, value.backward(value.grad)):
        parent.grad += g
        backward_naive(parent)

# %% [markdown]
# Take $b = a + a$ and $c = b + b$. Then $c = 4a$, and the slope is 4.
#
# **Predict** what `backward_naive` says about `a`: follow it with a pencil. It visits `b` once for each time `b` is
# used. Put your number in place of the three dots, before you run the cell behind it.

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
a = Value(3.0)
b = a + a
c = b + b
c.grad = 1.0
backward_naive(c)
compare(prediction, a.grad)

# %% [markdown] tags=["outcome"]
# Not 4. The gradient of `b` is right: 1 arrived, and then 1 again, which makes 2. But the naive walk went on to `a`
# after the *first* arrival, with 1, and after the second once more, with the full 2. What `b` had already passed on was
# passed on again.

# %% [markdown]
# The cure is patience: **a number may pass its gradient on only when all of its own has arrived**. All the numbers that
# use `b` must come before `b`. An order in which everything comes after whatever uses it is called a *topological
# order*, and there is a classic way to get one: walk down to the parents first, write a number down when you leave it,
# and read the list from its end.

# %%
def topological_order(root):
    """Every Value below root, each before the Values that it was computed from."""
    order, seen = [], set()

    def visit(value):
        if id(value) not in seen:
            seen.add(id(value))
            for parent in value.parents:
                visit(parent)
            order.append(value)

    visit(root)
    return order[::-1]

# %%
def backward(root):
    """Add d(root)/d(value) to the grad of every Value below root."""
    root.grad = 1.0
    for value in topological_order(root):
        if value.backward is not None:
            for parent, g in zip(value.parents, value.backward(value.grad)):
                parent.grad += g

# %% tags=["outcome"]
figure, left, right = panels(2, height=1.5)
walks = (left, backward_naive, "at once: wrong"), (right, backward, "in topological order: right")
for axes, walk, title in walks:
    a = Value(3.0)
    b = a + a
    c = b + b
    c.grad = 1.0
    walk(c)
    graph(axes, c, {id(a): "a", id(b): "b", id(c): "c"})
    axes.set_title(title)
show(figure, "01-order", "c = b + b, b = a + a: the naive walk gives a the gradient 6, the ordered one 4")

# %% [markdown] tags=["outcome"]
# Each box shows a value, and below it the gradient; the two arrows say that an operand is used twice.

# %% [markdown]
# Now the formula of the beginning. `formula` was written for plain floats; it does not know that it is being watched.

# %%
a, b, c = (Value(x) for x in inputs)
loss = formula(a, b, c)
backward(loss)
print("backward:  ", [v.grad for v in (a, b, c)])
print("by nudging:", [round(s, 3) for s in slopes])

figure, axes = panels(1, height=2.6)
graph(axes, loss, {id(a): "a", id(b): "b", id(c): "c", id(loss): "L"})
show(figure, "01-graph", "The graph of L = (a b + c) a, with the value and the gradient of every number in it")

# %% [markdown]
# Each box shows a value, and below it its gradient. One walk gave all three slopes, and those of everything in between.
# Trace one of them: `a` is reached along two ways, once directly and once through the product. This is the graph that
# every deep-learning framework builds behind your back; there it is called the *tape*.

# %% [markdown]
# ### Exercise 1.1 ★ One of two ways
#
# (Put your answer in place of `...`, and run the cell. `check` says at once whether it is right; a wrong answer gets a
# hint, and `hint("1.1")` gives the next of three. The stars say how hard an exercise is.)
#
# In $L = (a b + c)\, a$ the number $a$ reaches $L$ along two ways: directly, and through the product $a b$. Which
# gradient arrives at `a` through the product alone, at $a = 2$, $b = -3$, $c = 10$? One number.

# %% tags=["exercise"]
through_product = ...

check("1.1", through_product)

# %% [markdown]
# <details><summary>Solution 1.1</summary>
#
# ```python
# through_product = 2.0 * -3.0
# ```
#
# The last multiplication sends its other operand, $a = 2$, to the sum. The sum passes it on unchanged. The product
# multiplies it by its other operand, $b = -3$. The direct way brings $ab + c = 4$, and the two add up to $-2$.
# </details>

# %% [markdown]
# ### Exercise 1.2 ★ Division
#
# For $y = a / b$ return `(ga, gb)`: the gradients that leave, given `gy`, the one that arrives.

# %% tags=["exercise"]
def div_backward(a, b, gy):
    ...


check("1.2", div_backward)

# %% [markdown]
# <details><summary>Solution 1.2</summary>
#
# ```python
# def div_backward(a, b, gy):
#     return gy / b, -gy * a / b**2
# ```
#
# Along $a$ the quotient is a straight line of slope $1/b$. Along $b$ it is $a b^{-1}$, whose slope is $-a b^{-2}$.
# </details>

# %% [markdown]
# ### Exercise 1.3 ★ The larger one
#
# For $y = \max(a, b)$ return `(ga, gb)`. Which of the two can change $y$ by changing a little?

# %% tags=["exercise"]
def max_backward(a, b, gy):
    ...


check("1.3", max_backward)

# %% [markdown]
# <details><summary>Solution 1.3</summary>
#
# ```python
# def max_backward(a, b, gy):
#     return (gy, 0.0) if a > b else (0.0, gy)
# ```
#
# The larger one gets everything, the smaller one nothing: nudging it changes nothing. A ReLU is `max(x, 0)`, and
# max-pooling is this with more than two numbers, so you have just written a good part of AlexNet.
# </details>

# %% [markdown]
# ### Exercise 1.4 ★★ Counting
#
# How many different Values are there in a graph, root included? Each has `.parents`.

# %% tags=["exercise"]
def count(root):
    ...


check("1.4", count)

# %% [markdown]
# <details><summary>Solution 1.4</summary>
#
# ```python
# def count(root):
#     seen, waiting = set(), [root]
#     while waiting:
#         value = waiting.pop()
#         if id(value) not in seen:
#             seen.add(id(value))
#             waiting.extend(value.parents)
#     return len(seen)
# ```
#
# Without `seen` you count ways, not Values; in a chain of doublings there are $2^n$ of them. The naive walk did not
# only give a wrong answer, it would also have taken for ever.
# </details>

# %% [markdown]
# ## Two moons
#
# Now let it learn something. The points below lie on two interleaved half circles. A straight line cannot separate
# them. We want a function of a point's place $(x, y)$ that is near $+1$ on one moon and near $-1$ on the other.

# %%
rng = np.random.default_rng(0)
angle = rng.uniform(0, np.pi, 100)
upper = np.stack([np.cos(angle[:50]), np.sin(angle[:50])], 1)
lower = np.stack([1 - np.cos(angle[50:]), 0.5 - np.sin(angle[50:])], 1)
points = np.concatenate([upper, lower]) + rng.normal(0, 0.1, (100, 2))
target = np.repeat([1.0, -1.0], 50)

# %% [markdown]
# Our function is a small neural network. Each of eight *units* computes a weighted sum of the two coordinates, adds a
# number of its own (the *bias*), and bends the result with `tanh`, which squeezes any number between $-1$ and $1$:
#
# $$h_i = \tanh(u_i x + v_i y + b_i), \qquad s = \tanh\Big(\sum_{i=1}^{8} w_i h_i + d\Big)$$
#
# Without the bend, a sum of sums would be one more sum, and the boundary one more straight line. There are
# $8 \cdot 4 + 1 = 33$ weights. The *loss* is the mean of $(s - t)^2$ over some points, where $t$ is the target.

# %%
def score(x, y, w, tanh):
    """From a point to a number between -1 and 1. Works on whatever has +, * and the tanh that is handed in."""
    hidden = [tanh(w[4 * i] * x + w[4 * i + 1] * y + w[4 * i + 2]) for i in range(8)]
    return tanh(sum(w[4 * i + 3] * h for i, h in enumerate(hidden)) + w[32])


def loss_of(w, chosen, tanh):
    """Mean squared distance from the targets, over the points whose numbers are given."""
    errors = [score(points[i, 0], points[i, 1], w, tanh) + -target[i] for i in chosen]  # a Value has no minus
    return sum(e * e for e in errors) * (1 / len(chosen))

# %% [markdown]
# Training is three lines: compute the loss, walk back, and move every weight a little against its slope. The size of
# that step is the *learning rate*. Each step looks at ten points only, drawn at random: a rough slope now is worth more
# than an exact one later. That is *stochastic gradient descent*, and nothing in this series is trained otherwise.

# %%
steps, rate = pick(smoke=30, quick=600), 0.2
weights = [Value(float(x)) for x in rng.normal(0, 1, 33)]
first = [w.data for w in weights]
losses = []
for _ in range(steps):
    loss = loss_of(weights, rng.choice(100, 10, replace=False), tanh)
    for w in weights:
        w.grad = 0.0
    backward(loss)
    for w in weights:
        w.data -= rate * w.grad
    losses.append(loss.data)
print(f"one step: {len(topological_order(loss)):,} Values; the last 50 losses: {np.mean(losses[-50:]):.3f}")

# %% [markdown]
# The gradients are set to zero before each walk, because `+=` would otherwise add to those of the step before.
# Forgetting that is a classic bug in every framework, and now you know why it exists.
#
# `score` works on arrays as well, so the picture of its boundary costs one call for all pixels.

# %%
figure, before, after = panels(2, height=3.6)
grid_x, grid_y = np.meshgrid(np.linspace(-1.5, 2.5, 160), np.linspace(-1.1, 1.6, 108))
for axes, w, title in ((before, first, "before"), (after, [w.data for w in weights], f"after {steps} steps")):
    s = score(grid_x, grid_y, w, np.tanh)
    axes.contourf(grid_x, grid_y, s, np.linspace(-1, 1, 21), cmap="RdBu", vmin=-1.6, vmax=1.6)
    axes.contour(grid_x, grid_y, s, [0], colors=INK, linewidths=1.5)
    for t, color in ((1, BLUE), (-1, VERMILION)):
        axes.scatter(*points[target == t].T, s=16, color=color, edgecolor="white", linewidth=0.6)
    right = np.sign(score(points[:, 0], points[:, 1], w, np.tanh)) == target
    axes.set(title=f"{title}: {right.sum()} of 100 right", xticks=[], yticks=[], aspect="equal")
show(figure, "01-moons", "Two moons, and where the network's output is zero, before and after training")

# %%
figure, axes = panels(1, height=2.4)
smooth = np.convolve(losses, np.ones(20) / 20, "valid")
axes.plot(losses, color=BLUE, alpha=0.3, linewidth=1)
axes.plot(np.arange(len(smooth)) + 19, smooth, color=BLUE)
axes.set(title="the loss falls: each step's (pale), and the mean of the last 20", xlabel="step", ylim=(0, None))
show(figure, "01-loss", "The loss of each step, falling from above 1 towards zero")

# %% [markdown]
# Nobody told the network what a moon is. Thirty-three numbers moved, six hundred times, each against its own slope.
#
# ## The same thing, for real
#
# minialex has the same engine, with arrays in place of numbers. Its `Tensor` is our `Value`; its operations have the
# same form: the forward step, and `backward(gy)` defined right below. We hand *the very same functions* `score` and
# `loss_of` to it, and compare the gradient of each of the 33 weights.
#
# **Predict**: how far apart will the two be? Exactly equal, equal to a few digits, or to nearly all sixteen that a
# 64-bit number has?

# %% tags=["prediction"] choices=["exactly equal", "equal to a few digits", "equal to nearly all digits"]
prediction = ...

# %% tags=["outcome"]
for w in weights:
    w.grad = 0.0
chosen = range(20)
backward(loss_of(weights, chosen, tanh))

tensors = [Tensor(np.array(w.data), requires_grad=True) for w in weights]
loss_of(tensors, chosen, Tensor.tanh).backward()
apart = max(abs(w.grad - t.grad.item()) for w, t in zip(weights, tensors))
largest = max(abs(w.grad) for w in weights)

ours = [Value.__init__, Value.__add__, Value.__mul__, wrap, add, mul, tanh, topological_order, backward]
lines = 3 + sum(len(inspect.getsource(f).splitlines()) for f in [*ours, score, loss_of])  # 3: the rest of class Value
compare(prediction, f"{apart:.1e} apart, in gradients as large as {largest:.3g}")
print(f"{lines} lines")

# %% [markdown] tags=["outcome"]
# That number is what to take home: a difference in the sixteenth digit, left by rounding (two libraries need not round
# a `tanh` in the same way).

# %% [markdown]
# Engine, network and loss together stay under eighty lines. The engine of a framework
# is really this small. What the rest of minialex adds is not another idea but arrays, speed, and care: its sort keeps
# a stack of its own, because ours would exceed Python's limit on recursion in a graph a thousand steps deep; it frees
# what it no longer needs; it notices when a saved number was overwritten.

# %% [markdown]
# ## Find the bug
#
# Five more operations for the engine, each with its forward and its backward step. Whoever wrote them tried every one
# of them by nudging, at $a = 3$, $b = 1$, and saw no difference. One is wrong all the same.

# %%
five = {
    "A": (lambda a, b: a - b, lambda a, b, gy: (gy, -gy)),
    "B": (lambda a, b: a * a * b, lambda a, b, gy: (2 * gy * a * b, gy * a * a)),
    "C": (lambda a, b: a / b, lambda a, b, gy: (gy / b, -gy * a / b)),
    "D": (lambda a, b: a / (a + b), lambda a, b, gy: (gy * b / (a + b) ** 2, -gy * a / (a + b) ** 2)),
    "E": (lambda a, b: max(a, 2 * b), lambda a, b, gy: (gy * (a > 2 * b), 2 * gy * (a <= 2 * b))),
}


def nudged(f, a, b, h=1e-6):
    """Both slopes of f at (a, b), by nudging."""
    return (f(a + h, b) - f(a, b)) / h, (f(a, b + h) - f(a, b)) / h


for letter, (f, slopes) in five.items():
    print(letter, np.allclose(nudged(f, 3.0, 1.0), slopes(3.0, 1.0, 1.0), atol=1e-4))

# %% [markdown]
# ### Exercise 1.5 ★★ One of five operations
#
# Which one is wrong? A letter, such as `"A"`.

# %% tags=["exercise"]
wrong_one = ...

check("1.5", wrong_one)

# %% [markdown]
# <details><summary>Solution 1.5</summary>
#
# ```python
# wrong_one = "C"
# ```
#
# At $b = 1$ the numbers $a / b$ and $a / b^2$ are the same, so no check there can tell them apart. Zeros and ones hide
# mistakes: check at numbers that have nothing special, and at several of them.
# </details>

# %% [markdown]
# ## What to read next
#
# * `minialex/tape.py`: `sorted_nodes` is our `topological_order` without recursion, `backward` our `backward`, and
#   `Arrival` our `+=`, written so that few arrays are copied.
# * `minialex/functional/activation.py`, `tanh`: line for line the function above.
# * `minialex/tensor.py`, `Tensor.from_operation`: where an operation joins the tape.
#
# Next: [lesson 2](02_arrays.ipynb), where numbers become arrays, and gradients have to find their shape again.
