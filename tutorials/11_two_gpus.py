# %% [markdown]
# # 11. Two GPUs
#
# *AlexNet was trained on two graphics cards. They spoke to each other before four of its eight layers, and not before
# the others. Why two cards, why there, and what does a step have to send if the work is divided in another way?*
#
# You need lesson 8 (where AlexNet's numbers sit), and of lesson 6 what a training step is. Not needed: a graphics card,
# or a second computer.

# %%
import inspect
import json
import math
import subprocess
import sys
from pathlib import Path

import lesson
import numpy as np
from lesson import BLUE, INK, PURPLE, VERMILION, check, compare, hint, panels, pick, show, tint
from matplotlib.patches import Rectangle
from squares import sheet
from toy_group import CountingGroup, split_network

# %%
from minialex import Tensor, models, summary, threads
from minialex.nn import init
from minialex.parallel import operations
from minialex.parallel.group import part
from minialex.parallel.threads import run
from minialex.plotting.style import sheet_of
from minialex.plotting.towers import towers
from minialex.summary.tables import activation_bytes

# %% [markdown]
# ## Does it fit?
#
# The paper trains on two GTX 580, with 3 GB of memory each, "which limits the maximum size of the networks that can be
# trained on it" (section 3.2). Does AlexNet really not fit into one? **Predict**: how many GB do two training steps of
# minialex take, with the paper's 128 pictures in a batch? A process of its own makes them, and tells its peak.

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
MEASURE = """
import json
from minialex.bench import memory
print(json.dumps(memory.in_a_child("numba", "alexnet", {}, {})))
"""
command = [sys.executable, "-c", MEASURE.format(pick(smoke=2, quick=128), threads.count())]
root = Path(lesson.__file__).parents[1]
told = json.loads(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout)
measured = (told["peak_mib"] - told["start_mib"]) * 2**20 / 1e9 if told["peak_mib"] else math.nan
compare(prediction, round(measured, 2), " GB")

# %% [markdown]
# Now count. `summary` knows every layer's output, for the paper's network and for the program that ran in 2012
# (`alexnet_2012`). That program kept more than minialex does: beside every layer's output an array for its gradient,
# and for each normalisation the scale of every number. Only the gradients of the fully connected weights had no array:
# they were added to the velocities at once.

# %%
BATCH = 128


def table_of(name):
    """The costs of a network's layers, without sixty million random numbers."""
    preset = models.get_preset(name)
    with init.skipped():
        model = preset.build()
    return summary.table(model, (3, preset.input_size, preset.input_size), BATCH)


def outputs(table, kind=""):
    """GB of the outputs of a batch, of the layers with `kind` in their names."""
    return BATCH * sum(activation_bytes(row) for row in table if kind in row.name) / 1e9


def parameters(table, kind=""):
    return sum(row.parameters for row in table if row.name.startswith(kind))

# %%
net, old = table_of("alexnet"), table_of("alexnet_2012")
inputs = {name: BATCH * math.prod(net[name].input) for name in ("conv3", "fc6", "fc7", "fc8")}  # in floats
pictures = 4 * BATCH * 3 * 227**2 / 1e9
ours = [4 * 3 * net.parameters / 1e9, outputs(net), 0, 0]
theirs = [4 * (2 * old.parameters + parameters(old, "conv")) / 1e9, outputs(old), outputs(old), outputs(old, "norm")]
exchanged = 4 * sum(inputs.values()) / 2 / 1e9  # what comes from the other tower
tower = [value / 2 for value in theirs]
tower[1], tower[2] = tower[1] + exchanged, tower[2] + exchanged

kinds = ("weights, velocities, gradients", "outputs", "gradients of outputs", "scales of the norms", "pictures")
colors = (VERMILION, BLUE, tint(BLUE, 0.55), PURPLE, tint(INK, 0.4))
rows = {"minialex, counted": ours, "the program of 2012": theirs, "one of its two towers": tower}
print(", ".join(f"{name}: {sum(bars) + pictures:.2f} GB" for name, bars in rows.items()))

# %% tags=["outcome"]
figure, axes = panels(height=2.4)
starts = np.zeros(3)
for i, (kind, color) in enumerate(zip(kinds, colors)):
    values = np.array([(*bars, pictures)[i] for bars in rows.values()])
    axes.barh(list(rows), values, left=starts, color=color, height=0.6, label=kind)
    starts += values
axes.plot([measured] * 2, [-0.4, 0.4], color=INK, linestyle=":")
axes.text(measured, -0.45, "measured", ha="center", va="bottom", fontsize=8)
axes.axvline(3 * 2**30 / 1e9, color=INK, linewidth=1)
axes.text(3.24, 0.05, "a GTX 580")
axes.set(xlim=(0, 3.7), ylim=(2.5, -0.8), xlabel="GB")
axes.grid(axis="y", visible=False)
figure.legend(loc="outside lower center", ncols=5, fontsize=8)
show(figure, "11-memory", "Memory of a step with 128 pictures: minialex, the program of 2012, and one of its towers")

# %% [markdown] tags=["outcome"]
# Measured is less than counted: the output of a convolution is dropped as soon as its ReLU has been computed. Today one
# such card would do.

# %% [markdown]
# The program of 2012 filled nearly nine tenths of it, and that without the workspace of its
# convolutions and the driver's own memory, which we cannot count: on the edge at best. In two towers there is room. The
# network with half the filters, which fits on one card, had 1.7 points more of top-1 error (lesson 9).
#
# ## Ranks
#
# The processes that compute together are called **ranks**: rank 0, rank 1, up to rank $P - 1$. Usually each has a
# GPU or a machine of its own. Ours are threads of one process: nothing gets faster, but what they send is the same.
# `run(P, function)` calls a function once on every rank, with a **Group** that knows its `rank` and the `size` $P$,
# and through which the ranks exchange arrays. All ranks must make the same calls in the same order; else they wait for
# each other.

# %%
def greet(group):
    ahead, behind = (group.rank + 1) % group.size, (group.rank - 1) % group.size
    came = group.send_recv(np.array([group.rank]), ahead, behind)
    total = group.all_reduce(np.array([10.0**group.rank]))
    return f"rank {group.rank} of {group.size} was sent {came[0]}; the sum of all is {total[0]:.0f}"


print("\n".join(run(3, greet)))

# %% [markdown]
# ## The ring
#
# `all_reduce` gives every rank the sum of all their arrays. How? If each sent its array to each, a rank would send
# $(P-1)\,n$ numbers. If all sent theirs to rank 0, rank 0 would be the bottleneck. The trick is a **ring**, in which
# each rank only sends to the next one. Cut the array into $P$ equal parts. In step $s = 0, 1, \dots$ rank $r$ sends
# part $(r - s) \bmod P$:
#
# * In the first $P - 1$ steps, *reduce-scatter*, the receiver **adds** what comes. Then each rank has one part of the
#   sum, complete.
# * In the next $P - 1$ steps, *all-gather*, it **replaces** its own by what comes.
#
# Each rank sends $2\,\frac{P-1}{P}\,n$ numbers, and all of them send at the same time. Below, the numbers say how many
# ranks have been added up; framed is what is sent next, in vermilion to be added, in purple to replace.

# %%
size = 4
held, states = np.ones((size, size), int), []
for step in range(2 * size - 1):
    sent = (np.arange(size) - step) % size
    states.append((held.copy(), sent))
    for r in range(size):
        ahead, p = (r + 1) % size, sent[r]
        held[ahead, p] = states[-1][0][r, p] + (held[ahead, p] if step < size - 1 else 0)

# %%
figure, axes = sheet(34.5, 6)
for step, (counts, sent) in enumerate(states):
    left = 2.2 + 4.7 * step
    for (r, p), count in np.ndenumerate(counts):
        color = "white" if count == size else INK
        axes.add_patch(Rectangle((left + p, 1.2 + 1.15 * r), 0.94, 0.94, facecolor=tint(BLUE, count / size)))
        axes.text(left + p + 0.47, 1.7 + 1.15 * r, count, ha="center", va="center", color=color)
    for r, p in enumerate(sent if step < len(states) - 1 else ()):
        color = VERMILION if step < size - 1 else PURPLE
        axes.add_patch(Rectangle((left + p, 1.2 + 1.15 * r), 0.94, 0.94, fill=False, edgecolor=color, lw=2))
    axes.text(left, 0.7, f"after {step}" if step else "at first", fontweight="bold")
for r in range(size):
    axes.text(1.9, 1.7 + 1.15 * r, f"rank {r}", ha="right", va="center")
show(figure, "11-ring", "Four parts of an array on four ranks, after each step of the ring: first added, then replaced")

# %% [markdown]
# Write it, for ranks that can do nothing else, and that count:

# %%
print(inspect.getsource(CountingGroup))

# %% [markdown]
# ### Exercise 11.1 ★★★ The ring
#
# Return the sum over all ranks of their arrays (n,), by a ring. Whatever n is: let zeros fill the last part, since all
# parts must be equal. The check tries cases (P, n); result 1 is the sum on every rank, result 2 how many numbers each
# has sent.

# %% tags=["exercise"]
def ring_all_reduce(array, group):
    ...


check("11.1", ring_all_reduce)

# %% [markdown]
# <details><summary>Solution 11.1</summary>
#
# ```python
# def ring_all_reduce(array, group):
#     r, size = group.rank, group.size
#     parts = np.pad(array, (0, -len(array) % size)).reshape(size, -1)
#     for step in range(2 * (size - 1)):
#         came = group.send_recv(parts[(r - step) % size], (r + 1) % size, (r - 1) % size)
#         p = (r - 1 - step) % size
#         parts[p] = came + parts[p] if step < size - 1 else came
#     return parts.reshape(-1)[: len(array)]
# ```
#
# The rank behind is $r - 1$, so its part is yours with $r - 1$ in place of $r$. Libraries for GPUs do this in many
# small pieces at once, so that no cable ever waits.
# </details>

# %% [markdown]
# ## Data parallel
#
# The first way to divide the work: every rank has the whole network, and a slice of the batch. Each computes the
# gradient of its pictures; the gradients are averaged; all take the same step. Since every loss so far was a mean over
# pictures, it seems natural to take the mean of the ranks' means. **Predict**: with a batch of 10, for which numbers
# of ranks from 1 to 6 is that the gradient of one process? (`part` deals out the pictures as evenly as it can.)

# %% tags=["prediction"]
prediction = ...

# %%
def gradient(w, x, t):
    """Of the mean cross-entropy of the pictures x (N, D), by the weights of a softmax layer: lesson 3."""
    z = x @ w
    p = np.exp(z - z.max(1, keepdims=True))
    return x.T @ (p / p.sum(1, keepdims=True) - np.eye(w.shape[1])[t]) / len(x)


def mean_of_means(group):
    own = part(len(x), group.rank, group.size)
    return group.all_reduce(gradient(w, x[own], t[own])) / group.size

# %% tags=["outcome"]
rng = np.random.default_rng(11)
w, x, t = rng.standard_normal((20, 3)), rng.standard_normal((10, 20)), rng.integers(0, 3, 10)
whole = gradient(w, x, t)
error = {size: np.linalg.norm(run(size, mean_of_means)[0] - whole) / np.linalg.norm(whole) for size in range(1, 7)}
compare(prediction, [size for size in error if error[size] < 1e-9])
print("wrong by, in %, for each number of ranks:", {size: round(100 * float(e), 1) for size, e in error.items()})

# %% [markdown] tags=["outcome"]
# Nothing warns you. Four ranks get 2, 3, 2 and 3 pictures. In the mean of means, a picture among two counts $1/8$ and
# one among three $1/12$, where each should count $1/10$. The last batch of an epoch is often such a one.

# %% [markdown]
# ### Exercise 11.2 ★★ The gradient of the whole batch
#
# Return the gradient of the mean loss of the whole batch `x` (N, D), `t` (N,), from `gradient` on this rank's own
# slice, `part` and `group.all_reduce`. The check tries cases (P, N), with another gradient than ours, and looks at all
# ranks.

# %% tags=["exercise"]
def parallel_gradient(gradient, w, x, t, group):
    ...


check("11.2", parallel_gradient)

# %% [markdown]
# <details><summary>Solution 11.2</summary>
#
# ```python
# def parallel_gradient(gradient, w, x, t, group):
#     own = part(len(x), group.rank, group.size)
#     share = (own.stop - own.start) / len(x)
#     return group.all_reduce(share * gradient(w, x[own], t[own]))
# ```
#
# Each rank weights its mean with its share of the batch. Then the sum over ranks is the mean over pictures.
# </details>

# %% [markdown]
# With MPI installed, `mpiexec -n 2 python -m minialex.train --parallel data` trains so, in as many processes as you
# say. It is the run of one process, to rounding, and that takes more than the right gradient: all ranks begin with the
# same weights, and dropout must draw for each picture what one process would have drawn for it. Ranks that drop the
# same units for different pictures are another bug that nothing reports.
#
# ## Towers
#
# The paper divides the *network*, and each card sees all pictures. Each has half of every layer's filters. Conv2, 4 and
# 5 look only at the maps of their own card (lesson 8's two groups). Conv3 and the fully connected layers look at all,
# so before them the cards **exchange** halves. (Section 3.5 and figure 2 of the paper; this is minialex's drawing.)

# %%
wide, high, draw = towers(net.rows)
figure, axes = sheet_of(wide + 20, high + 20)
draw(axes, 10, 10)
show(figure, "11-towers", "AlexNet as two towers, one on each GPU; dashed lines and crossing bands are exchanges")

# %% [markdown]
# Dashed cones and crossing bands change cards. What goes *back* through an exchange? Here is the smallest network of
# this kind, two fully connected layers. Rank $r$ has columns $W_r$ of the second one's weights:

# %%
print(inspect.getsource(split_network))

# %% [markdown]
# With $a$ the whole of what was exchanged, $y_r = a W_r$, and the loss is the sum of what the ranks' outputs add to it:
#
# $$\text{ga} = \sum_r \text{gy}_r\, W_r^{\mathsf T}$$
#
# A rank knows only its own term. Suppose that somebody forgets the sum. **Predict**: of the gradients of $w_1$ and
# $w_2$, which are wrong?

# %% tags=["prediction"] choices=["w1", "w2", "w1 and w2", "neither"]
prediction = ...

# %%
def forgetful(a, group):
    """An exchange whose backward hands each rank its columns of its own gradient."""
    mine = part(a.shape[1] * group.size, group.rank, group.size)
    return group.all_gather(a, axis=1), lambda gy: gy[:, mine]

# %%
x, w1, w2, t = (rng.standard_normal(shape) for shape in ((8, 5), (5, 6), (6, 4), (8, 4)))


def gradients(exchange, size):
    """Those of w1 and w2, the columns of all ranks side by side."""
    found = run(size, lambda group: split_network(exchange, x, w1, w2, t, group))
    return [np.concatenate(columns, axis=1) for columns in zip(*found)]


def wrong(exchange):
    """How far two ranks are from one process, for w1 and w2, as parts of the largest entry."""
    return [abs(two - one).max() / abs(one).max() for two, one in zip(gradients(exchange, 2), gradients(forgetful, 1))]

# %% tags=["outcome"]
errors = wrong(forgetful)
compare(prediction, " and ".join(name for name, e in zip(("w1", "w2"), errors) if e > 1e-9))
print(f"the sum forgotten:  w1 {100 * errors[0]:.0f} % wrong, w2 {100 * errors[1]:.0f} %")

# %% [markdown] tags=["outcome"]
# The layer above the exchange gets its gradient, and those below are misled. On one rank the bug does not exist.

# %% [markdown]
# ### Exercise 11.3 ★★★ The exchange
#
# `a` (N, C) are this rank's columns. Return the columns of all ranks (N, C · size), and the function `backward(gy)`
# that makes the gradient of `a`, (N, C), of this rank's gradient of the whole. You have `group.all_gather(array,
# axis=1)` and `group.all_reduce(array)`. The check tries it in `split_network`, in cases (P,): result 1 is the gradient
# of `w1`, result 2 that of `w2`.

# %% tags=["exercise"]
def exchange(a, group):
    ...


check("11.3", exchange)

# %% [markdown]
# <details><summary>Solution 11.3</summary>
#
# ```python
# def exchange(a, group):
#     mine = part(a.shape[1] * group.size, group.rank, group.size)
#
#     def backward(gy):
#         return group.all_reduce(gy)[:, mine]
#
#     return group.all_gather(a, axis=1), backward
# ```
#
# Each rank needs only its own columns of the sum, and the ring has those half-way: `reduce_scatter`. So an exchange
# of $n$ numbers, forward and backward, sends what an all_reduce of $n$ numbers sends. In general: the backward of
# all_gather is reduce_scatter.
# </details>

# %%
def packaged(a, group):
    """The package's exchange, an operation on the tape."""
    leaf = Tensor(a, requires_grad=True)
    result = operations.all_gather(leaf, group, axis=1)

    def backward(gy):
        result.backward(gy)
        return leaf.grad.numpy()

    return result.numpy(), backward


print("minialex.parallel.operations: w1 and w2", ["right" if e < 1e-12 else "wrong" for e in wrong(packaged)])

# %%
def loss_after(steps, exchange):
    """Of two ranks, by gradient descent from w1 and w2."""
    a, b = w1.copy(), w2.copy()
    for _ in range(steps):
        found = run(2, lambda group: split_network(exchange, x, a, b, t, group))
        for weights, columns in zip((a, b), zip(*found)):
            weights -= 0.002 * np.concatenate(columns, axis=1)
    return ((np.maximum(x @ a, 0) @ b - t) ** 2).sum() / 2


for steps in pick(smoke=(0, 5), quick=(0, 50, 500)):
    right_one, wrong_one = loss_after(steps, packaged), loss_after(steps, forgetful)
    print(f"{steps:3} steps: loss {right_one:6.2f}, with the sum forgotten {wrong_one:6.2f}")

# %% [markdown]
# The loss falls with the bug as well, only less far. Such a bug can live for months.
#
# `mpiexec -n 2 python -m minialex.train --parallel towers` trains the paper's towers. Their last exchange, that of the
# logits, is of another kind: behind it both compute the *same* loss. There each has all of the gradient already, and
# adding would count it twice (`gather_same`). Whether to add is not a question of the exchange, but of what follows it.
#
# ## One weird trick
#
# In 2014 Krizhevsky wrote "One weird trick for parallelizing convolutional neural networks". Lesson 8 saw it already:
# AlexNet is two networks in one. The convolutions have 4 % of the parameters and large outputs. So divide the
# *pictures*, and all-reduce their gradients, which are small. The fully connected layers have 96 % of the parameters
# and small outputs. So divide their *outputs*, and exchange those, of all pictures: `--parallel hybrid`.
#
# By the ring's formula, each scheme costs $2\,\frac{P-1}{P}\,n$ numbers a rank and step, with
#
# * data parallel: $n$ all parameters;
# * towers: $n$ what goes into conv3, fc6, fc7 and fc8, for all pictures, and half the logits (they only go forward);
# * one weird trick: $n$ the convolutions' parameters, what goes into fc6, fc7 and fc8, and half the logits.
#
# **Predict**: how many times as much as one weird trick does data parallel send, for 128 pictures?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
half_logits = BATCH * 1000 / 2
activations = sum(inputs[name] for name in ("fc6", "fc7", "fc8")) + half_logits
numbers = {  # n, and how many all-reduces its transfers come to
    "data parallel": (net.parameters, 1),
    "towers": (inputs["conv3"] + activations, 4.5),
    "one weird trick": (parameters(net, "conv") + activations, 4.5),
}


def megabytes(scheme, ranks):
    """What a rank sends in a step."""
    return 4 * 2 * (ranks - 1) / ranks * numbers[scheme][0] / 1e6


times = numbers["data parallel"][0] / numbers["one weird trick"][0]
compare(prediction, round(times, 1), " times")
print(", ".join(f"{scheme}: {n / 1e6:.1f} M" for scheme, (n, _) in numbers.items()))

# %% [markdown]
# How long does that take? A message needs its **latency**, however short it is, and then its bytes over the bandwidth.
# For an office network, a good one in a computing centre, and the link of a modern GPU, say:

# %%
LINKS = {"1 Gbit/s": (50e-6, 1e9 / 8), "25 Gbit/s": (10e-6, 25e9 / 8), "400 Gbit/s": (3e-6, 400e9 / 8)}


def seconds(scheme, ranks, link):
    """Of all transfers of a step, one after the other; an all-reduce is 2 (P - 1) messages."""
    latency, bandwidth = LINKS[link]
    return 2 * (ranks - 1) * numbers[scheme][1] * latency + megabytes(scheme, ranks) * 1e6 / bandwidth


paper = 5.5 * 86400 / (90 * 1.2e6 / BATCH)  # a step of 2012: 90 epochs of 1.2 million pictures took 5 to 6 days
today = 6 * net.macs * BATCH / 67e12  # forward and twice as much backward, at the peak of lesson 10's GPU

# %% tags=["outcome"]
figure, left, right = panels(2, height=3.1)
ranks, styles = np.arange(2, 17), dict(zip(numbers, (VERMILION, PURPLE, BLUE)))
for i, (scheme, color) in enumerate(styles.items()):
    many = ranks[:1] if scheme == "towers" else ranks
    left.plot(many, megabytes(scheme, many), "o-", color=color, markersize=8 if scheme == "towers" else 4, label=scheme)
    heights = [1000 * seconds(scheme, 2, link) for link in LINKS]
    bars = right.bar(np.arange(3) + 0.27 * (i - 1), heights, 0.25, color=color)
    words = [f"{height:,.0f}" if height > 10 else f"{height:.1f}" for height in heights]
    right.bar_label(bars, words, padding=2, fontsize=8, bbox={"fc": "white", "ec": "none", "pad": 0.4})
for value, words in ((paper, "a step of 2012"), (today, "a step at an\nH200's peak")):
    right.plot([-0.5, 2.5], [1000 * value] * 2, color=INK, linestyle=":", linewidth=1)
    right.text(2.55, 1000 * value, words, va="center", fontsize=8)

# %% tags=["outcome"]
left.set(title="MB that each rank sends in a step", xlabel="ranks", ylim=(0, 500), xticks=[2, 4, 8, 12, 16])
left.legend(loc="center right")
right.set(title="milliseconds that this takes two ranks", yscale="log", ylim=(0.2, 6000))
right.set(xlim=(-0.5, 3.4), xticks=range(3), xticklabels=list(LINKS))
right.grid(axis="x", visible=False)
show(figure, "11-bytes", "What each scheme sends in a step of AlexNet, by ranks; and its time over three links")
for link in LINKS:
    shown = (f"{scheme} {1000 * seconds(scheme, 8, link):8.2f} ms" for scheme in numbers if scheme != "towers")
    print(f"8 ranks, {link:>10}:", ", ".join(shown))

# %% [markdown]
# Over the office network, data parallel takes more than three times as long to *send* a step as the cards of 2012 took
# to make one. Over the fastest link nobody would have minded; at today's pace one minds again. The curves on the left
# soon run flat: that is the ring's merit. (Towers are a single point, as the network has two groups.)
#
# Two things are not in the figure. Gradients can travel **while** backward goes on: those of fc8 are ready first, and
# the convolutions, which take most of the time, come last. An exchange cannot: the next layer waits for it. (Krizhevsky
# lets the ranks take turns: while the fully connected layers compute one rank's pictures, those of the next are on
# their way.) And we held the batch at 128. Who adds ranks usually adds pictures, and then activations grow, while
# gradients do not: exercise 11.5.
#
# ## Find the bug
#
# Somebody trains in data parallel with momentum and weight decay. On one rank all is well. (The decay is larger than
# the paper's, so that one sees it soon.)

# %%
rng = np.random.default_rng(12)
x, t = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)


def train(group):
    w, v = np.zeros((20, 3)), np.zeros((20, 3))
    for _ in range(200):
        own = part(len(x), group.rank, group.size)  # A
        g = gradient(w, x[own], t[own])             # B
        g *= (own.stop - own.start) / len(x)        # C
        g += 0.05 * w                               # D
        g = group.all_reduce(g)                     # E
        v = 0.9 * v - 0.1 * g                       # F
        w = w + v                                   # G
    return w


print({size: round(float(np.linalg.norm(run(size, train)[0])), 4) for size in (1, 2, 4)}, "is the norm of w, by ranks")

# %% [markdown]
# ### Exercise 11.4 ★★ The bug
#
# Which line is wrong? A letter, such as `"A"`.

# %% tags=["exercise"]
line = ...

check("11.4", line)

# %% [markdown]
# <details><summary>Solution 11.4</summary>
#
# ```python
# line = "D"
# ```
#
# The decay is the same on all ranks, and the sum counts it $P$ times. Behind line E it is right. Whatever is no mean
# over pictures belongs there, clipping by the norm as well.
# </details>

# %% [markdown]
# ### Exercise 11.5 ★★★ When both send the same
#
# In one weird trick activations grow with the batch, in data parallel nothing does. For how many pictures, of all ranks
# together, do both send the same? Leave out the logits; a fraction is fine.

# %% tags=["exercise"]
pictures_in_all = ...

check("11.5", pictures_in_all)

# %% [markdown]
# <details><summary>Solution 11.5</summary>
#
# ```python
# fully_connected = net.parameters - parameters(net, "conv")
# pictures_in_all = fully_connected / (9216 + 4096 + 4096)
# ```
#
# The convolutions' gradients are sent in both. With 128 pictures a rank, that is 26 ranks.
# </details>

# %%
print(f"THE CLOSING NUMBER: data parallel sends {times:.0f} times as much as one weird trick")

# %% [markdown]
# ## What to read next
#
# * `minialex/parallel/group.py`, `Group`: all that ranks can ask of each other; alone, a rank has its answers at once.
# * `minialex/parallel/operations.py`: exchanges with backward beside forward, on one page.
# * `minialex/parallel/data.py`, `minialex/parallel/towers.py`, `minialex/parallel/hybrid.py`: the three schemes.
# * `minialex/parallel/threads.py`, `ThreadGroup`, and `minialex/parallel/mpi.py`, `MPIGroup`: two engines, one meaning.
# * `minialex/bench/memory.py`: how a peak is measured without the memory of the parent.
#
# Next: [lesson 12](12_reading.ipynb), where you read the library itself.
