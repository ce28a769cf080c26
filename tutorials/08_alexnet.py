# %% [markdown]
# # 8. AlexNet, line by line
#
# *Sixty million numbers, eight layers that learn, five to six days on two graphics cards. Where do the numbers sit,
# what does each layer cost, and why do two people who both say "AlexNet" hold weights that do not fit each other?*
#
# You need lesson 4 (windows, stride, padding, groups), lesson 5 (pooling and normalisation), and of lesson 6 what a
# training step is.

# %%
import math
import time

import numpy as np
from first_filters import to_see
from lesson import BLUE, INK, PURPLE, VERMILION, check, compare, hint, panels, pick, show, tint
from matplotlib.patches import Rectangle

from minialex import Tensor, functional, models, nn, plotting
from minialex.bench.ours import Minialex
from minialex.bench.workloads import WORKLOADS
from minialex.models.layout import has_weights, layout
from minialex.nn import init
from minialex.plotting.layers3d import layers3d
from minialex.plotting.style import sheet_of
from minialex.summary.tables import activation_bytes

# %% [markdown]
# ## The network
#
# minialex builds it by name. `layout` then walks through the layers with the size of a picture and notes what each
# would do, without doing it; so nobody has to wait for sixty million random numbers either.

# %%
def rows_of(name):
    """The rows of a published network, for one picture of its usual size."""
    preset = models.get_preset(name)
    with init.skipped():
        model = preset.build()
    return layout(model, (3, preset.input_size, preset.input_size))


rows = rows_of("alexnet")
width, height, draw = layers3d(rows)
figure, axes = sheet_of(width + 20, height + 20)
draw(axes, 10, 10)
show(figure, "08-layers", "The layers of AlexNet as boxes, from a picture of 3 by 227 by 227 to 1,000 numbers")

# %% [markdown]
# Read it from left to right. The maps become smaller and more numerous: less and less *where*, more and more *what*.
# Five **convolutions** look for patterns, each in what the one before has found. A **ReLU** follows each (yellow).
# Twice the loud silence their neighbours (the **LRN** of lesson 5, pink), three times a **pool** keeps the largest of
# nine. Then the 256 maps are laid out as one vector of 9,216 numbers, and three **fully connected** layers draw their
# conclusion: one number, a *logit*, for each of a thousand classes. **Dropout** (grey) acts in training only.
#
# ## All of it in one formula
#
# From lesson 4: a window of $K$ that moves by $s$ over a map of $H$, with $p$ zeros on both sides, has
# $\lfloor (H + 2p - K)/s \rfloor + 1$ places. Each of $O$ filters sees $C/g$ channels through $K \times K$ weights, and
# has a bias. So a layer holds
#
# $$\text{parameters} = O \left( \tfrac{C}{g} K^2 + 1 \right), \qquad
#   \text{MACs} = O \cdot h\, w \cdot \tfrac{C}{g} K^2 .$$
#
# A **MAC** is a multiplication with the addition that follows it, two FLOPs; $h$ and $w$ are the output's sides. And
# a fully connected layer? It is a convolution whose window covers the whole map, and fits on it once. So this table
# is the whole network:

# %%
TABLE = [  # filters (0: a pool), kernel, stride, padding, groups
    ("conv1", 96, 11, 4, 0, 1), ("pool1", 0, 3, 2, 0, 1),
    ("conv2", 256, 5, 1, 2, 2), ("pool2", 0, 3, 2, 0, 1),
    ("conv3", 384, 3, 1, 1, 1),
    ("conv4", 384, 3, 1, 1, 2),
    ("conv5", 256, 3, 1, 1, 2), ("pool5", 0, 3, 2, 0, 1),
    ("fc6", 4096, 6, 1, 0, 1),
    ("fc7", 4096, 1, 1, 0, 1),
    ("fc8", 1000, 1, 1, 0, 1),
]

# %%
def walk(table, size, channels=3):
    """(name, output's channels, its side, parameters, MACs) of every layer."""
    found = []
    for name, filters, kernel, stride, padding, groups in table:
        size = (size + 2 * padding - kernel) // stride + 1
        each = channels // groups * kernel**2  # the weights of a filter
        channels = filters or channels
        found.append((name, channels, size, filters * (each + 1), filters * size**2 * each))
    return found

# %%
walked = walk(TABLE, 227)
for name, channels, size, parameters, macs in walked:
    print(f"{name:6} {channels:5} x {size:2} x {size:2} {parameters:12,} {macs:13,}".replace(" 0", " -"))
derived, macs = sum(row[3] for row in walked), sum(row[4] for row in walked)
print(f"{derived:35,} {macs:13,}")
theirs = [(r.name, r.output[0], r.parameters, r.macs) for r in rows if has_weights(r.layer)]
print("as layout() counts:", theirs == [(n, c, p, m) for n, c, _, p, m in walked if p])

# %% [markdown]
# That is where **60,965,224** comes from. The paper says "60 million parameters" and leaves the rest to its reader.
#
# ## By your own hand
#
# Now write it down yourself: the 23 layers, one by one, as the paper's section 3.5 describes them. (A picture has 227
# pixels here; the next section says why.)

# %% [markdown]
# ### Exercise 8.1 ★★ AlexNet
#
# `check` reads your list as far as it is right. Then it says what is wrong with the next layer, or what the next one
# has to be; `...` stands for what you have not written yet.

# %% tags=["exercise"]
own = [
    nn.Conv2d(3, 96, 11, stride=4),
    ...
]

check("8.1", own)

# %% [markdown]
# <details><summary>Solution 8.1</summary>
#
# ```python
# def lrn():
#     return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0, alpha_over="element")
#
# own = [
#     nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(), lrn(), nn.MaxPool2d(3, 2),
#     nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), lrn(), nn.MaxPool2d(3, 2),
#     nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
#     nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(),
#     nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2),
#     nn.Flatten(),
#     nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(0.5),
#     nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5),
#     nn.Linear(4096, 1000),
# ]
# ```
#
# The kernels of conv2, conv4 and conv5 see half of the maps below them, those of their own GPU: hence `groups=2`. The
# paper prints their depths, 48 and 192, and leaves it to us to see the groups in them. It leaves out all padding, too:
# only one makes the maps 27 and 13 pixels wide.
# </details>
#
# ## Why 224 and 227 are both right
#
# The paper says that pictures have 224 pixels a side. Put that into the formula: $(224 - 11)/4 = 53.25$, so 54 places,
# and the last pixel is seen by none. The paper's maps have 55. Articles therefore say that 224 must be a slip for 227.
# The program that ran in 2012, which was published later, says otherwise. Look at both ends of one row of pixels:

# %%
def row_of_windows(axes, size, before, after, title):
    """Both ends of a row of pixels (zeros are white) and conv1's windows there, vermilion where on zeros."""
    starts = np.arange(-before, size + after - 10, 4)
    for first, last, left in ((-before, 18 - before, 0), (size + after - 22, size + after, 27)):
        for p in range(first, last):
            shade = tint(INK, 0.3) if 0 <= p < size else "white"
            axes.add_patch(Rectangle((p - first + left, 0), 0.9, 0.9, fc=shade, ec=tint(INK, 0.5), lw=0.6))
        for line, start in enumerate(s for s in starts if first <= s <= last - 11):
            color = BLUE if 0 <= start <= size - 11 else VERMILION
            axes.add_patch(Rectangle((start - first + left, 1.4 + 0.9 * line), 10.9, 0.6, fc=color))
    axes.text(22.5, 0.5, "· · ·", ha="center", va="center")
    axes.set(xlim=(-0.5, 49.5), ylim=(4.2, -0.4), xticks=[], yticks=[], title=f"{title}: {len(starts)} places")
    axes.grid(False)

# %%
figure, *four = panels(2, 2, height=2.5)
cases = (227, 0, 0, "227"), (224, 0, 0, "224"), (224, 0, 3, "224 and 3 zeros behind"), (224, 2, 2, "224, padding 2")
for axes, case in zip(four, cases):
    row_of_windows(axes, *case)
show(figure, "08-windows", "The first and the last places of a window of 11, stride 4, on rows of 224 and 227 pixels")

# %% [markdown]
# The program of 2012 rounds *up*: its last window hangs over the edge by three pixels, which count as zeros. A picture
# of 224 whose right and lower edges get three zeros *is* a picture of 227. So weights of the one network work in the
# other, and 224 was no slip. Is it true? Take one set of filters and one picture:

# %%
rng = np.random.default_rng(8)
filters = Tensor(rng.normal(0, 0.01, (96, 3, 11, 11)).astype(np.float32))
picture = rng.normal(0, 60, (1, 3, 224, 224)).astype(np.float32)
wider = np.pad(picture, ((0, 0), (0, 0), (0, 3), (0, 3)))
hanging = functional.conv2d(Tensor(picture), filters, None, 4, ((0, 3), (0, 3))).numpy()
plain = functional.conv2d(Tensor(wider), filters, None, 4).numpy()
print("shapes", hanging.shape, plain.shape, " equal to the last bit:", np.array_equal(hanging, plain))

# %% [markdown]
# The third way, padding 2, also makes 55 (and never sees the last column of its 228). It shifts every window by two
# pixels: harmless when a network is trained so, wrong for weights that were not.
#
# ## Where the numbers sit, and where the work is
#
# **Predict**: how many percent of the 60,965,224 parameters sit in the five convolutions together?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
learning = [r for r in rows if has_weights(r.layer)]
names = [r.name for r in learning]
amounts = {
    "parameters": [r.parameters for r in learning],
    "multiply-accumulates, one picture": [r.macs for r in learning],
    "outputs (“neurons”)": [math.prod(r.output) for r in learning],
}
compare(prediction, round(100 * sum(amounts["parameters"][:5]) / derived, 1), " %")

# %% tags=["outcome"]
figure, *three = panels(3, height=2.9, sharey=True)
for axes, (title, values) in zip(three, amounts.items()):
    bars = axes.barh(names, np.array(values) / sum(values), color=[BLUE] * 5 + [VERMILION] * 3, height=0.7)
    axes.bar_label(bars, [f"{v:,}" for v in values], padding=3, fontsize=8)
    axes.set(title=title, xlim=(0, 0.95), xticks=[])
    axes.grid(False)
three[0].invert_yaxis()
show(figure, "08-shares", "Parameters, operations and outputs of each layer: fc6 holds most, conv2 works most")

# %% [markdown] tags=["outcome"]
# Two networks in one. The **convolutions** (blue) hold almost nothing and do almost all the work, since each weight is
# used at every place of a map. The **fully connected** layers (vermilion) hold almost everything, and each weight
# is used once. (The paper prints 253,440 neurons for conv1. Its other layers agree with ours; that one does not follow
# from any 55×55 map.)

# %% [markdown]
# Where numbers and work sit decides how one trains it on many machines, why later networks have no fc6, and what memory
# is needed for. A weight needs room three times: for itself, its gradient, and its velocity (lesson 6). A layer's
# output must be kept until backward comes by, once for *every picture* of a batch.

# %%
weights = 3 * 4 * derived  # bytes
kept = sum(map(activation_bytes, rows))
batches = np.arange(0, 257, 8)
figure, axes = panels(1, height=2.9)
axes.fill_between(batches, 0, weights / 1e9, color=tint(VERMILION, 0.7), label="weights, gradients, velocities", lw=0)
axes.fill_between(batches, weights / 1e9, (weights + kept * batches) / 1e9, color=tint(BLUE, 0.7), lw=0,
                  label="outputs kept for backward")
axes.axvline(128, color=INK, linewidth=1, linestyle=":")
axes.text(130, 0.06, "the paper's batch", va="bottom")
title = f"weights cost {weights / 1e9:.2f} GB once, outputs {kept / 1e6:.1f} MB a picture"
axes.set(title=title, xlabel="pictures in a batch", ylabel="GB", xlim=(0, 256), ylim=(0, None))
axes.legend(loc="upper left")
show(figure, "08-memory", "Memory for training: a constant part for the weights, and one that grows with the batch")

# %% [markdown]
# That is the least: gradients on their way, and the workspace of the convolutions, come on top. A card of 2012 had 3 GB
# for all of it. The paper gave each of two cards half of the filters; that is why conv2, conv4 and conv5
# have two groups.
#
# ## Where the time goes
#
# Now let it run: one training step, every operation timed. Forward is simple. For backward we use that each result on
# the tape carries its own `backward` function (lesson 1), and put a clock around it.

# %%
def timed_step(network):
    """{layer: [seconds forward, seconds backward]} of one training step."""
    x, seconds = network.images, {}
    for name, layer in [*network.model.named_children(), ("loss", network.loss)]:
        start = time.perf_counter()
        x = layer(x)
        seconds[name] = [time.perf_counter() - start, 0.0]
        x.node.backward = clocked(x.node.backward, seconds[name])
    x.backward()
    start = time.perf_counter()
    network.optimizer.step()
    seconds["update"] = [0.0, time.perf_counter() - start]
    network.optimizer.zero_grad()
    return seconds

# %%
def clocked(backward, row):
    def run(gy):
        start = time.perf_counter()
        gradients = backward(gy)
        row[1] += time.perf_counter() - start
        return gradients

    return run

# %%
batch = pick(smoke=2, quick=16)
network = Minialex("numba").network(WORKLOADS["alexnet"], batch)
network.loss = lambda logits: functional.cross_entropy(logits, network.labels)
network.step()  # the first one compiles, and touches the memory
steps = [timed_step(network) for _ in range(pick(smoke=1, quick=3))]
seconds = {name: np.min([step[name] for step in steps], axis=0) for name in steps[0]}  # the least disturbed

# %%
bars = {name: seconds[name] for name in names}
for title, start in (("ReLUs", "relu"), ("LRNs", "norm"), ("pools", "pool"), ("dropout", "drop"), ("update", "update")):
    bars[title] = sum(seconds[name] for name in seconds if name.startswith(start))
step_time = sum(map(sum, seconds.values()))
forward, backward = 1000 * np.array(list(bars.values())).T
speeds = [2 * batch * r.macs / bars[r.name][0] / 1e9 for r in learning]

# %%
figure, left, right = panels(2, height=3.6, width_ratios=(1.5, 1))
left.barh(list(bars), forward, color=tint(BLUE, 0.45), height=0.7, label="forward")
both = left.barh(list(bars), backward, left=forward, color=BLUE, height=0.7, label="backward (update: itself)")
left.bar_label(both, [f"{100 * t / 1000 / step_time:.0f} %" for t in forward + backward], padding=3)
left.set(title=f"a step with {batch} pictures, milliseconds", xlim=(0, 1.15 * (forward + backward).max()))
left.legend(loc="lower right")
right.barh(names, speeds, color=[BLUE] * 5 + [VERMILION] * 3, height=0.7)
right.set(title="forward, GFLOP/s")
for axes in (left, right):
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
show(figure, "08-time", "Milliseconds of each layer in a training step, and the speed of the layers with weights")

# %% [markdown]
# Numbers differ from machine to machine; three things hardly do. Backward costs about twice as much as forward, since
# it makes two products (for the input, for the weights) where forward makes one. Convolutions take most of the time,
# as they have most of the work. And the fully connected layers are slow *for their work*: each of their weights must
# come from memory to be multiplied once for each picture, so they wait for memory. A larger batch helps them,
# and the update, whose cost is the same for any batch.
#
# ## What the program did and the paper does not say
#
# `alexnet` follows the paper, `alexnet_2012` the program. minialex knows how they differ:

# %%
for difference in models.get_preset("alexnet_2012").differs:
    print("*", difference)

# %% [markdown]
# The training differs as well. Crops and mirroring were drawn once for every 32 pictures in a row. Colour noise was
# scaled by standard deviations, not by eigenvalues, and switched off in epoch 67 of 91; conv1 stopped learning in epoch
# 72. The rates fell at set epochs, and those of the biases mostly did not. You have to know each of these to get the
# numbers again. Two can be seen at once:

# %%
norm = functional.local_response_norm
loud = np.linspace(0, 400, 81)
alike = Tensor(np.repeat(loud[:, None, None, None], 5, axis=1))  # five neighbours, equally loud
curves = {
    "paper: k = 2, 1e-4 × sum": norm(alike, 5, 1e-4, 0.75, 2.0, alpha_over="element"),
    "2012: k = 2, 1e-4 × mean": norm(alike, 5, 1e-4, 0.75, 2.0),
    "Caffe: k = 1, 1e-4 × mean": norm(alike, 5, 1e-4, 0.75, 1.0),
}
signed = Tensor(np.array([30, -250, 90, 280, -120, 60, -300, 150.0])[None, :, None, None])
orders = {
    "paper: ReLU, then LRN": norm(signed.relu(), 5, 1e-4, 0.75, 2.0, alpha_over="element"),
    "2012: LRN, then ReLU": norm(signed, 5, 1e-4, 0.75, 2.0).relu(),
}

# %%
figure, left, right = panels(2, height=3.0)
for (label, y), color in zip(curves.items(), (BLUE, VERMILION, PURPLE)):
    left.plot(loud, y.numpy()[:, 2, 0, 0], color=color, label=label)
left.set(title="five equally loud neighbours", xlabel="before LRN", ylabel="after", ylim=(0, None))
left.legend()
for side, ((label, y), color) in enumerate(zip(orders.items(), (BLUE, VERMILION))):
    right.bar(np.arange(8) + 0.4 * side - 0.2, y.numpy().ravel(), 0.38, color=color, label=label)
labels = [f"{value:.0f}" for value in signed.numpy().ravel()]
right.set(title="layer 1: eight channels of one pixel", xticks=range(8), xticklabels=labels)
right.set(xlabel="before both", ylim=(0, 110))
right.grid(axis="x", visible=False)
right.legend(loc="upper left")
show(figure, "08-lrn", "LRN by the paper, the program of 2012 and Caffe, and the order of LRN and ReLU in layer 1")

# %% [markdown]
# Left: past a certain loudness, louder comes out as less, and in the paper's formula that begins much sooner. Whoever
# types its `1e-4` into torch gets the program's alpha, not the paper's. Right: to the program, a strongly *negative*
# neighbour is loud as well. The 30 beside such a one comes out smaller than in the paper, although the program's alpha
# is five times smaller.
#
# ## The networks called AlexNet
#
# Everybody who rewrote AlexNet changed something. **Predict**: ten of minialex's presets bear its name. If we save the
# weights of `alexnet`, how many of the *other nine* could load them, because every array has the same shape?

# %% tags=["prediction"]
prediction = ...

# %%
def facts(name):
    """(parameters and MACs, of convolutions and of the rest; a line of text) of a network."""
    rows = rows_of(name)
    dense = [isinstance(r.layer, nn.Linear) for r in rows]
    kinds = [[r for r, d in zip(rows, dense) if d == flag] for flag in (False, True)]
    amounts = [[sum(getattr(r, what) for r in kind) for kind in kinds] for what in ("parameters", "macs")]
    layers = [r.layer for r in rows]
    groups = max(layer.groups for layer in layers if isinstance(layer, nn.Conv2d))
    norms = {nn.LocalResponseNorm: "LRN", nn.BatchNorm2d: "batch"}
    norm = next((norms[type(layer)] for layer in layers if type(layer) in norms), "-")
    return np.array(amounts), (rows[0].input[1], rows[0].output[1], groups, norm, rows[-1].output[-1])

# %% tags=["outcome"]
shapes = {name: [r.layer.weight.shape for r in rows_of(name) if has_weights(r.layer)] for name in models.PRESETS}
fit = [name for name in shapes if shapes[name] == shapes["alexnet"] and name != "alexnet"]
compare(prediction, len(fit))
print(fit)

# %%
everything = {name: facts(name) for name in models.PRESETS}
figure, left, middle, right = panels(3, height=4.0, sharey=True, width_ratios=(1, 1, 1.1))
for axes, part, unit, title in ((left, 0, 1e6, "parameters, millions"), (middle, 1, 1e9, "MACs a picture, billions")):
    convolutions, dense = np.array([amounts[part] / unit for amounts, _ in everything.values()]).T
    axes.barh(list(everything), convolutions, color=BLUE, height=0.7, label="convolutions (and norms)")
    top = axes.barh(list(everything), dense, left=convolutions, color=VERMILION, height=0.7, label="fully connected")
    axes.bar_label(top, [f"{value:.3g}" for value in convolutions + dense], padding=3, fontsize=8)
    axes.set(title=title, xlim=(0, 1.22 * (convolutions + dense).max()), xticks=[])
    axes.grid(False)

# %%
for x, head in enumerate(("input", "map 1", "groups", "norm", "classes")):
    right.text(x, -1, head, ha="center", va="center", fontweight="bold", fontsize=8)
    for y, (_, words) in enumerate(everything.values()):
        right.text(x, y, words[x], ha="center", va="center", fontsize=8)
middle.legend(loc="upper right", fontsize=8)
right.set(xlim=(-0.5, 4.5), ylim=(len(everything) - 0.5, -1.6), xticks=[])
right.grid(False)
show(figure, "08-family", "All presets: parameters, operations, input, first map, groups, normalisation, classes")

# %% [markdown] tags=["outcome"]
# Two of them fit, and that is worse than not fitting at all. `alexnet_caffe` expects blue before red and divides LRN's
# alpha by five; `alexnet_2012` has its ReLU behind its norm. Weights from the wrong one load without a murmur, and the
# network is merely worse. A number such as 62,378,344, on the other hand, says at once what one has before one: the
# two groups were merged, and conv2, conv4 and conv5 have twice the weights. 61,100,840 is torchvision's, a later
# network by the same author, and 41.5 million belongs to articles that drop a layer. The five at
# the top are for small pictures, drawn to the same scale: you need good eyes.

# %% [markdown]
# ## What conv1 looks for
#
# The paper's figure 3 shows what the 96 filters of conv1 had become. The cell below draws those of published weights,
# if the folder `MINIALEX_WEIGHTS_DIR` or the cache holds a file of them (`python -m minialex.predict --weights
# torchvision` downloads one into the cache). Otherwise it trains a small network, for some seconds, and draws its
# filters.

# %%
weight, whose = to_see(pictures=pick(smoke=64, quick=4000), epochs=pick(smoke=1, quick=8))
print(f"{len(weight)} filters of {weight.shape[2]} x {weight.shape[3]}: {whose}")
show(plotting.filters(weight), "08-filters", "The filters of a first convolution, in colour; grey is zero")

# %% [markdown]
# Nobody told them what to look for. Those of the small network have become edges of many directions, light on one side
# and dark on the other, and hardly any has a colour: our shapes differ in their outlines. Some have stayed grey. On
# photographs there are blots of colour as well. In AlexNet, whose GPUs each had 48 of the filters and told each other
# nothing in layer 1, one GPU came out with the edges and the other with the colours: in every run, says the paper.
#
# ## The bill
#
# How far have we come since 2012? The paper's training was 90 times 1.2 million pictures, in five to six days.

# %%
days = 90 * 1.2e6 / (batch / step_time) / 86400
print(f"{derived:,} parameters, {batch / step_time:.1f} pictures a second")
print(f"THE CLOSING NUMBER: at this pace the training of 2012 would take this machine {days:,.0f} days")

# %% [markdown]
# ## Exercises

# %% [markdown]
# ### Exercise 8.2 ★★ Larger pictures
#
# Feed pictures of 259×259, 32 pixels more, through the same convolutions and pools. How many *weights*, biases not
# counted, does fc6 need now?

# %% tags=["exercise"]
fc6_weights = ...

check("8.2", fc6_weights)

# %% [markdown]
# <details><summary>Solution 8.2</summary>
#
# ```python
# conv1 = (259 - 11) // 4 + 1
# pool1 = (conv1 - 3) // 2 + 1
# pool2 = (pool1 - 3) // 2 + 1
# pool5 = (pool2 - 3) // 2 + 1
# fc6_weights = 256 * pool5**2 * 4096
# ```
#
# 63, 31, 15, 7: one row and one column more in the last map, and 13.6 million weights more. A convolution
# would not have noticed.
# </details>

# %% [markdown]
# ### Exercise 8.3 ★ Ten classes
#
# Cut off fc8 and put a new one for 10 classes in its place. How many parameters has the whole network?

# %% tags=["exercise"]
ten_classes = ...

check("8.3", ten_classes)

# %% [markdown]
# <details><summary>Solution 8.3</summary>
#
# ```python
# ten_classes = 60_965_224 - 1000 * (4096 + 1) + 10 * (4096 + 1)
# ```
#
# All other layers stay. This is how a trained network is taught something new.
# </details>

# %% [markdown]
# ### Exercise 8.4 ★★★ What an output sees
#
# How many pixels of the picture can one output see, in each direction: how wide is its *receptive field*? `layers` is a
# list of (kernel, stride), from the picture on. One pixel sees itself; a window of K on top sees K − 1 neighbours more,
# and these are as many pixels apart as the strides below, multiplied.

# %% tags=["exercise"]
def receptive_field(layers):
    ...


check("8.4", receptive_field)

# %% [markdown]
# <details><summary>Solution 8.4</summary>
#
# ```python
# def receptive_field(layers):
#     field, jump = 1, 1
#     for kernel, stride in layers:
#         field += (kernel - 1) * jump
#         jump *= stride
#     return field
# ```
#
# For all of AlexNet up to pool5 it is 195: no number before fc6 sees the whole picture.
# </details>

# %% [markdown]
# ### Exercise 8.5 ★★ The work of a step
#
# How many MACs does a *training* step make for one picture? Forward needs 724,406,816. Backward makes, for every layer,
# a product as large for the weights' gradient and another for the input's. One of them nobody needs.

# %% tags=["exercise"]
training_macs = ...

check("8.5", training_macs)

# %% [markdown]
# <details><summary>Solution 8.5</summary>
#
# ```python
# conv1 = 96 * 55 * 55 * 3 * 11 * 11
# training_macs = 3 * 724_406_816 - conv1
# ```
#
# Nobody changes the picture, so nobody asks for its gradient. minialex does not compute it.
# </details>

# %% [markdown]
# ## Find the bug
#
# Somebody's AlexNet learns, and is a little slow. Its author swears that it follows the paper layer by layer; the
# number of its parameters says something else.

# %%
others_total = 61_628_776
print(f"{others_total:,} parameters; the paper's network has {derived:,}; that is {others_total - derived:,} more")

# %% [markdown]
# ### Exercise 8.6 ★★ A layer without groups
#
# One layer has lost its groups. Which? A name, such as `"conv1"`.

# %% tags=["exercise"]
layer = ...

check("8.6", layer)

# %% [markdown]
# <details><summary>Solution 8.6</summary>
#
# ```python
# layer = "conv4"
# ```
#
# A layer with two groups holds half of the weights that it would hold without. So the surplus is as large as what the
# layer has: 307,200 for conv2, 663,552 for conv4, 442,368 for conv5 (weights only: biases do not double). Every wrong
# number of parameters is a trace; the table above tells to which layer it leads.
# </details>

# %% [markdown]
# ## What to read next
#
# * `minialex/models/alexnet.py`, `alexnet`: the table above, with layers in place of numbers and initial values beside
#   each. `minialex/models/released.py`, `_released`: the same for the program of 2012. Lay them side by side.
# * `minialex/models/layout.py`, `layout`: what `walk` does, for any layer.
# * `minialex/summary/explain.py`, or `python -m minialex.summary alexnet --explain`: every size worked out in figures.
# * `minialex/bench/profile.py`, `of_step`: the clock on the tape.
#
# Next: [lesson 9](09_tricks.ipynb), where the paper's tricks are switched off one at a time.
