# %% [markdown]
# # 12. One training step, read
#
# *Between `loss.backward()` and the new weights lie a few dozen lines. Which are they, in what order do they run, and
# what is in memory while they do?*
#
# You need lessons 1, 2 and 6. Here nothing new is built: you read the library itself, from the call to the update, and
# stop wherever there is something to see. Open the files beside this page; every stop names one, with a line.

# %%
import numpy as np
from lesson import BLUE, check, compare, hint, panels, pick, show
from reading import called, draw_matrix, draw_tape, kept, read, where

import minialex
from minialex import Tensor, data, functional, models, nn, optim, tape
from minialex.backends.numpy_backend import NumPyBackend

# %% [markdown]
# The smallest network in which something happens twice: one layer, used two times.
#
# $$h = \max(xW^\top + b,\ 0), \qquad y = hW^\top + b, \qquad L = \text{cross-entropy}(y, t)$$


# %%
class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, x):
        return self.fc(functional.relu(self.fc(x)))


minialex.use_backend("numpy")
minialex.manual_seed(12)
model = Twice()
W, b = model.fc.weight, model.fc.bias
names = {id(W): "W", id(b): "b"}
x = Tensor(np.random.default_rng(12).standard_normal((5, 2)).astype(np.float32))
labels = np.array([0, 1, 1, 0, 1])
loss = functional.cross_entropy(model(x), labels)
print(loss)

# %% [markdown]
# ## Stop 1: an operation leaves a node
#
# Every operation ends in the same call. Here is ReLU, whole, and what it calls:

# %%
read(functional.relu)
read(Tensor.from_operation)

# %% [markdown]
# Forward and backward stand beside each other, and `backward` is an ordinary function that remembers `y`, as Python's
# inner functions do. A `Node` is made *only* where some parent requires a gradient: under `no_grad()` there is no tape
# at all. A node's `parents` are edges: to the node that made the input, to a leaf, or `None` where no gradient is
# wanted. `x` requires none.
#
# `tape.sorted_nodes` lists all that a loss depends on, leaves included, each before what it was computed from.
# **Predict**: how many entries has the list for this loss? Count operations and leaves.

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
nodes = tape.sorted_nodes(loss.edge)
compare(prediction, len(nodes))
for node in nodes:
    edges = [called(edge, names) for edge in getattr(node, "parents", ())]
    print(f"{called(node, names):14} shape {node.shape!s:7} edges to {edges}")

# %% tags=["outcome"]
figure, axes = panels(height=2.4)
draw_tape(axes, nodes, names)
show(figure, "12-tape", "The tape of the loss: four operations in a row, arrows from both layers to the same weight")

# %% [markdown] tags=["outcome"]
# Two layers, but one `W` and one `b`: both `linear` nodes have edges to the same leaf. And `None` is `x`.

# %% [markdown]
# How does the list come about? Lesson 1 used a function that calls itself; a network of ten thousand operations in a
# row would exhaust Python's stack. Here is the same walk with a stack of its own. Find the line that decides which of
# several inputs is searched first.

# %%
read(tape.sorted_nodes)

# %% [markdown]
# ### Exercise 12.1 ★ An order
#
# For `loss = (w * v).tanh() + w`, with two leaves `w` and `v`: in which order does `sorted_nodes` list operations
# and leaves? Five texts, of `"add"`, `"tanh"`, `"mul"`, `"w"`, `"v"`. Read, do not run; then run it.

# %% tags=["exercise"]
order = ...

check("12.1", order)

# %% [markdown]
# <details><summary>Solution 12.1</summary>
#
# ```python
# order = ["add", "tanh", "mul", "v", "w"]
# ```
#
# A node is written down when all below it is done, and the list is read from its end. `w` is found first, below `mul`,
# so it is written first and comes last, although `add` leads to it as well.
# </details>

# %% [markdown]
# ## Stop 2: what is kept
#
# Between forward and backward memory holds what the inner functions remember. `linear` says it openly: `saved` is $x$,
# if a gradient of $W$ is wanted, and $W$, if one of $x$ is. Nothing else is kept; the inputs of ReLU are not.

# %%
for node in nodes:
    if isinstance(node, tape.Node):
        print(f"{node.name:14} keeps arrays of {[array.shape for array in kept(node)]}")

# %% [markdown]
# The first `linear` (last in the list) keeps $x$ alone, since nobody wants the gradient of $x$. Is it safe to keep an
# array that somebody may change? Each tensor counts its changes, and the node remembers the count. **Predict**: we now
# add to `W` in place, under `no_grad`, as an optimiser does. Will `loss.backward()`
# be accepted or refused?

# %% tags=["prediction"] choices=["accepted", "refused"]
prediction = ...  # "accepted" or "refused"

# %% tags=["outcome"]
changed = functional.cross_entropy(model(x), labels)
with minialex.no_grad():
    W += 0
try:
    changed.backward()
    compare(prediction, "accepted")
except RuntimeError as error:
    compare(prediction, "refused")
    print(error)

# %% [markdown] tags=["outcome"]
# The second layer needs $W$ as it was. Adding 0 is a change, too: counts are compared, not numbers. The check runs
# before any gradient is added:

# %%
read(tape.Node.check)

# %% [markdown]
# What does a real network keep? This is the default network with one batch of pictures, node by node. Arrays that
# two nodes share (ReLU's result is the next layer's input) are counted with the first.

# %%
images, targets = data.load("shapes", train_count=40, seed=1).train.fetch(range(pick(smoke=4, quick=16)))
network = models.build("shapes_net")
its_loss = functional.cross_entropy(network(Tensor(images.astype(np.float32) / 255)), targets)
parameters, seen, bars = [p.data for p in network.parameters()], set(), []
for node in reversed([n for n in tape.sorted_nodes(its_loss.edge) if isinstance(n, tape.Node)]):
    new = [a for a in kept(node) if id(a) not in seen and not any(np.may_share_memory(a, p) for p in parameters)]
    seen |= {id(a) for a in new}
    bars.append((node.name, sum(a.nbytes for a in new) / 1024))

# %%
figure, axes = panels(height=3.2)
axes.barh(range(len(bars)), [size for _, size in bars], color=BLUE, height=0.7)
axes.set(title="kilobytes that each operation keeps, from the first to the last", ylim=(len(bars) - 0.5, -0.5))
axes.set_yticks(range(len(bars)), [name for name, _ in bars])
axes.grid(axis="y", visible=False)
show(figure, "12-kept", "Kilobytes that each operation of the default network keeps for backward, from first to last")

# %% [markdown]
# The first layers keep most of it, where the maps are largest. This, not the weights, is what fills a GPU in
# training, and it is gone after backward: `Node.run` lets go of it.

# %% [markdown]
# ### Exercise 12.2 ★★ What a step holds
#
# `Linear(784, 100)`, ReLU, `Linear(100, 10)`, cross-entropy, a batch of 128. How many floats do the nodes keep, apart
# from parameters, labels and the weights of classes? Cross-entropy keeps the logarithms of its probabilities.

# %% tags=["exercise"]
floats = ...

check("12.2", floats)

# %% [markdown]
# <details><summary>Solution 12.2</summary>
#
# ```python
# floats = 128 * (784 + 100 + 10)
# ```
#
# The pictures, for the first layer's weights; ReLU's result, which ReLU and the second layer keep together; and the
# log-probabilities. What the layers themselves give is kept by nobody.
# </details>

# %% [markdown]
# ## Stop 3: the walk
#
# `loss.backward()` checks what it can, makes the first gradient, a 1, and calls `tape.backward`. This is the engine:

# %%
read(tape.backward, most=30)

# %% [markdown]
# `arrived` holds what has come for nodes that have not had their turn. Nothing keeps us from running these lines by
# hand, with the real objects, and writing down what happens:


# %%
def walk(root, arrival_type=tape.Arrival):
    """The lines of tape.backward for a graph whose gradients need no copy, with a line printed for each step."""
    arrived = {id(root): arrival_type(np.ones(root.shape, np.float32), aliased=True)}
    for node in tape.sorted_nodes(root):
        arrival = arrived.pop(id(node))
        print(f"{called(node, names):14} gradient {arrival.gradient.shape!s:7} a sum: {arrival.owned}")
        if not isinstance(node, tape.Node):
            arrival.deliver(node)
            continue
        for edge, g in node.run(arrival.gradient):
            if id(edge) in arrived:
                arrived[id(edge)].add(g)
            else:
                arrived[id(edge)] = arrival_type(g, aliased=True)


# %%
loss = functional.cross_entropy(model(x), labels)
walk(loss.edge)
print(f"W.grad:\n{W.grad.numpy()}")

# %% [markdown]
# `b` and `W` come last, although the second layer's part was there early: a node has its turn when all that use it had
# theirs. Two gradients arrived at each, and the second made a *sum*:

# %%
read(tape.Arrival.add)

# %% [markdown]
# The first to arrive is only borrowed: it may be somebody else's array, such as the very `gy` that an addition
# hands to both of its inputs. So the second arrival makes a new array, the third adds into that. Remember this for the
# exercise at the end.
#
# ## Stop 4: one backward function
#
# `node.run` calls the operation's own `backward`, and checks number, shape and kind of what it returns. That of
# `linear` belongs to the backend, where forward and backward stand together:

# %%
read(NumPyBackend.linear_backward)

# %% [markdown]
# Formulas of lesson 2: $g_x = g_y W$, $g_W = g_y^\top x$, $g_b = \sum g_y$. `needs` says which of them anybody wants.
# Is it true? By hand, with lesson 3's $p - [k = t]$ for the loss:

# %%
h = np.maximum(x.data @ W.data.T + b.data, 0)
y = h @ W.data.T + b.data
p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
gy = (p - np.eye(2)[labels]) / len(labels)
gh = (gy @ W.data) * (h > 0)
by_hand = gy.T @ h + gh.T @ x.data
print("apart by", f"{abs(by_hand - W.grad.data).max():.0e}")

# %% [markdown]
# Two terms, one for each use of `W`; the sum that we saw being made.
#
# ## Stop 5: the leaf, and the update
#
# At a leaf the gradient is added to `.grad`. That is why every loop begins with `zero_grad()`: without it, the gradient
# of the last batch is still there, and no error says so. On the way a gradient can be watched, or changed: a **hook**
# is a function that the engine calls with a gradient when it arrives. Whoever clips gradients, looks for NaNs, or draws
# which pixels mattered, may do it with a hook.

# %%
read(tape.Arrival.deliver)

# %% [markdown]
# **Predict**: `W` gets two gradients in one backward, one from each layer. How often is a hook of `W` called?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
model.zero_grad()
came = []
handle = W.register_hook(lambda gradient: came.append(gradient.numpy().copy()))
functional.cross_entropy(model(x), labels).backward()
handle.remove()
compare(prediction, len(came))
print("with the whole sum:", np.array_equal(came[0], W.grad.numpy()))

# %% [markdown] tags=["outcome"]
# `deliver` runs when the leaf has its turn, and by then all has arrived. A hook sees the sum, as `.grad` will have it.

# %% [markdown]
# The last stop is the optimiser. `step` visits every parameter that has a gradient, calls `update`, and counts a change
# of its value; that count is what made the backward above refuse:

# %%
read(optim.SGD.update)
read(NumPyBackend.sgd, most=20)

# %% [markdown]
# A step with momentum, and again with the same gradient. **Predict**: with momentum 0.9, by what factor does the
# second step move a weight further than the first?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
path = [W.data.copy()]
for _ in range(2):
    optimizer.step()
    path.append(W.data.copy())
first, second = path[1] - path[0], path[2] - path[1]
compare(prediction, round(float((second / first).mean()), 4), " times")

# %% tags=["outcome"]
figure, *four = panels(4, height=2.3)
pictures_of = path[0], W.grad.data, optimizer.state[0]["momentum_buffer"], path[2]
for axes, values, title in zip(four, pictures_of, ("W before", "gradient", "velocity after two", "W after two steps")):
    draw_matrix(axes, values, title, float(abs(path[0]).max()))
show(figure, "12-update", "The weights before, their gradient, the velocity after two steps, and the weights then")

# %% [markdown] tags=["outcome"]
# The velocity was the gradient, and is now 0.9 of it and the gradient again.

# %% [markdown]
# ### Exercise 12.3 ★★ Two velocities
#
# `SGD(..., velocity="paper")` keeps the learning rate inside the velocity, as the paper does. A weight begins at 1, its
# gradient is always 1, momentum is 0.9. The first step has `lr` 0.1, the second 0.01. Where is the weight after both,
# with `"torch"` and with `"paper"`?

# %% tags=["exercise"]
weights = ...  # (with torch's velocity, with the paper's)

check("12.3", weights)

# %% [markdown]
# <details><summary>Solution 12.3</summary>
#
# ```python
# weights = (1 - 0.1 * 1 - 0.01 * (0.9 * 1 + 1), 1 - 0.1 - (0.9 * 0.1 + 0.01))
# ```
#
# The paper's velocity still carries the old rate: the second step is as long as the first.
# </details>

# %% [markdown]
# Somebody wants to save an array, and changes one method of the engine. The network above gets the same gradients as
# before. Here something is not as before:

# %%
class Thrifty(tape.Arrival):
    def add(self, gradient):
        self.gradient += gradient


for kind in (tape.Arrival, Thrifty):
    u, v = (Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    names |= {id(u): "u", id(v): "v"}
    walk((v * 2 + (u.tanh() + (u + v) * 3)).sum().edge, kind)
    print(f"{kind.__name__}: u.grad {u.grad.numpy()}, v.grad {v.grad.numpy()}\n")

# %% [markdown]
# ### Exercise 12.4 ★★★ Find the bug
#
# Which array did `Thrifty` write into, and who else held it? Write `add` so that it saves what can be saved: a new
# array at the second arrival, none at the third. `arrival` has `gradient` and `owned`, which says whether the array
# is the engine's own.

# %% tags=["exercise"]
def add(arrival, gradient):
    ...


check("12.4", add)

# %% [markdown]
# <details><summary>Solution 12.4</summary>
#
# ```python
# def add(arrival, gradient):
#     if arrival.owned:
#         arrival.gradient += gradient
#     else:
#         arrival.gradient, arrival.owned = arrival.gradient + gradient, True
# ```
#
# The addition hands one array, its `gy`, to both inputs. With `+=` the part that is meant for `u` alone lands in `v`'s
# gradient, and in whatever still holds the array. `tape.Arrival.add` does this, and notes that nobody else has the sum.
# </details>

# %% [markdown]
# ## The whole way
#
# From the call to the update, as line numbers of your copy:

# %%
stops = {
    "the call": Tensor.backward,
    "the order": tape.sorted_nodes,
    "nothing has changed": tape.Node.check,
    "the walk": tape.backward,
    "one node": tape.Node.run,
    "its operation": NumPyBackend.linear_backward,
    "sums": tape.Arrival.add,
    "the leaf": tape.Arrival.deliver,
    "every parameter": optim.Optimizer.step,
    "one parameter": optim.SGD.update,
    "the arithmetic": NumPyBackend.sgd,
}
for what, thing in stops.items():
    print(f"{what:20} {where(thing)}")

# %% [markdown]
# ## What to read next
#
# The reading path of the README goes on in this order:
#
# * `minialex/tape.py` and `minialex/tensor.py`, from the first line to the last: you know most of it now.
# * `minialex/functional/arithmetic.py`: `unbroadcast`, and where broadcasting is undone.
# * `minialex/functional/convolution.py`, then `minialex/backends/numpy_backend.py`: lesson 4 in the library's words.
# * `minialex/nn/module.py`: how a layer's parameters are found, and how a node learns which layer it belongs to.
# * `minialex/training/trainer.py`: the loop around the step that you have read.
#
# That was the last lesson: from one scalar with a gradient to every line that moves sixty million of them.
