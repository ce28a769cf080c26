# %% [markdown]
# # 7. ReLU against tanh
#
# *Two networks differ in one small function, applied to one number at a time. Can that make one of them learn several
# times as fast as the other?*
#
# Before 2012 nearly everybody bent the outputs of their units with $\tanh$, as you did in lesson 1. AlexNet took
# $\max(x, 0)$ instead, the **ReLU** (rectified linear unit). The paper's very first figure says why: a network of four
# layers reaches 25 % training error on CIFAR-10 *six times faster* with ReLUs than with tanh. Without that, it goes on,
# "we would not have been able to experiment with such large neural networks".
#
# In this lesson you repeat that experiment, as fairly as its caption asks for. Where `MINIALEX_DATA` names a folder
# with CIFAR-10 in it, on CIFAR-10; elsewhere on minialex's drawn shapes. The size is small, so that you need not wait
# for an hour; `MINIALEX_SIZE=paper` runs it with all 50,000 photographs and the full network.

# %%
import contextlib
import csv
import itertools
import math
import os
from pathlib import Path

import lesson
import numpy as np
from lesson import BLUE, INK, VERMILION, check, compare, hint, panels, pick, progress, show

# %%
import minialex
from minialex import Tensor, data, nn, optim, plotting, use_backend
from minialex.ablation.race import as_text, read_results
from minialex.nn import init
from minialex.plotting.curves import name_ends
from minialex.support import files
from minialex.training.trainer import Diverged, Trainer

# %% [markdown]
# ## Two functions and their slopes
#
# $$f(x) = \tanh x, \qquad \frac{df}{dx} = 1 - \tanh^2 x$$
#
# $$f(x) = \max(x, 0), \qquad \frac{df}{dx} = 1 \text{ where } x > 0, \text{ else } 0$$
#
# Tanh **saturates**: for large $x$ of either sign it lies flat. Backward, the gradient that arrives at a unit is
# multiplied with the slope. Where the slope is nearly zero, nearly nothing goes on from there.
#
# **Predict**: how large is the slope of tanh at $x = 3$?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
# df/dx at 3
compare(prediction, round(1 - math.tanh(3) ** 2, 5))
figure, left, right = panels(2, height=2.6)
x = np.linspace(-4, 4, 401)
left.plot(x, np.tanh(x), color=VERMILION, label="tanh")
left.plot(x, np.maximum(x, 0), color=BLUE, label="ReLU")
right.plot(x, 1 - np.tanh(x) ** 2, color=VERMILION)
right.plot(x, np.where(x > 0, 1.0, np.where(x < 0, 0.0, np.nan)), color=BLUE)
left.set(title="the functions", ylim=(-1.3, 3), xlabel="x")
right.set(title="their slopes", ylim=(-0.05, 1.1), xlabel="x")
left.legend(loc="upper left")
show(figure, "07-functions", "tanh and ReLU from -4 to 4, and their slopes; that of tanh falls to zero on both sides")

# %% [markdown] tags=["outcome"]
# A hundredth. Three such units in a row leave a millionth of the gradient. The ReLU has a flat side as well, but on its
# other side the slope is one, however large $x$ grows: a unit cannot lose its gradient by being *too sure*.

# %% [markdown]
# One might answer: then keep the numbers small, where tanh has a slope of one. True, and initial values try. But
# weights grow while they learn.
#
# ## The networks
#
# Four layers with weights: three convolutions and a fully connected one, like the networks with which the paper's first
# author worked on CIFAR-10 (`cifar_18pct` in `minialex/models/cifar.py`, without its normalisation). The activation is
# the only thing in which the two differ: layers, initial weights, pictures and their order are the same, number for
# number.

# %%
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def build(activation, channels):
    """Three convolutions and a linear layer for pictures of 32 x 32, with cuda-convnet's initial stds."""
    minialex.manual_seed(0)
    bend, (a, b, c) = ACTIVATIONS[activation], channels
    layers = {
        "conv1": nn.Conv2d(3, a, 5, padding=2), "pool1": nn.MaxPool2d(3, 2, ceil_mode=True), "act1": bend(),
        "conv2": nn.Conv2d(a, b, 5, padding=2), "act2": bend(), "pool2": average(),
        "conv3": nn.Conv2d(b, c, 5, padding=2), "act3": bend(), "pool3": average(),
        "flatten": nn.Flatten(), "fc4": nn.Linear(16 * c, 10),
    }
    for name, std in (("conv1", 0.0001), ("conv2", 0.01), ("conv3", 0.01), ("fc4", 0.01)):
        init.normal_(layers[name].weight, std=std)
        init.constant_(layers[name].bias, 0)
    return nn.Sequential(layers)

# %%
def average():
    """A pool of means; at the edge of those pixels that there are."""
    return nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False)


narrow, full = (16, 16, 32), (32, 32, 64)
print(build("relu", narrow))

# %% [markdown]
# (The first layer pools before it applies its function. Neither function ever falls, so the largest of their values is
# the value of the largest, and a quarter of them is cheaper to compute.)
#
# The pictures are prepared as in the paper: the mean picture is subtracted, and values stay on the scale of 0 to 255.

# %%
def load(dataset, pictures):
    """A data set's first pictures, to be trained on."""
    if dataset == "cifar10":
        return data.load("cifar10", data_dir=os.environ["MINIALEX_DATA"], validation=0, limit=pictures).train
    return data.load("shapes", train_count=pictures, validation=0, test_count=1).train


use_backend("auto")  # the compiled one where it is installed
folder = os.environ.get("MINIALEX_DATA")
dataset = "cifar10" if folder and data.cifar10.find(folder).is_dir() else "shapes"

# %% [markdown]
# ## A fair race
#
# Now the rules. The caption of the figure says: "The learning rates for each network were chosen independently to make
# training as fast as possible. No regularization of any kind was employed." So there is no dropout, no decay, no
# flipping of pictures, and the rate stays constant. And we need a number that says who is faster: **the epoch in which
# the training error falls below 25 %**, with a fraction from a straight line between two epochs.

# %%
def race(activation, rate, pictures, most, channels=narrow):
    """(training error in % of each epoch, up to the one that reaches 25 % or `most`; the network)."""
    training = load(dataset, pictures)
    model = build(activation, channels)
    optimizer = optim.SGD(model.parameters(), rate, momentum=0.9, velocity="paper")
    loader = data.Loader(training, 16, [data.Normalize.mean_image(training)], shuffle=True)
    trainer, errors = Trainer(model, optimizer, None, loader), []
    with contextlib.suppress(Diverged):  # this rate is too high
        for _ in progress(range(most), activation, "epochs"):
            for _ in trainer.steps():
                pass
            errors.append(100 * trainer.finish_epoch()["train_error"])
            if errors[-1] <= 25:
                break
    return errors, model

# %%
def epochs_to(errors, target=25.0):
    """When the errors, of epochs 1, 2 ..., first fall to the target; infinity if they never do."""
    for epoch, (before, after) in enumerate(itertools.pairwise(errors), 1):
        if after <= target:
            return epoch + (before - target) / (before - after)
    return math.inf

# %% [markdown]
# Why count epochs and not seconds? An epoch shows each picture once to either network, on any machine. (Seconds would
# give the ReLU a little more: a comparison is cheaper than a tanh.) And why 25 %, and not the error after some fixed
# time? At the start both are equally ignorant, in the end both know all pictures by heart; in between it shows who
# learns.
#
# Rates first. If both networks ran with the same rate, we would only learn whom this rate suits. So each of them was
# trained with a number of rates beforehand, for at most 25 epochs of 2,000 pictures, and each of those runs is a line
# of `tutorials/07_rates.csv`. The function that wrote it is this one; it runs again at the size `paper`.

# %%
LOG = Path(lesson.__file__).with_name("07_rates.csv")
RATES = {"relu": (0.0005, 0.001, 0.002, 0.005), "tanh": (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)}


def sweep():
    """Try all rates of both networks, on this data set, and write its lines of the log anew."""
    lines = [line for line in LOG.read_text(encoding="utf-8").splitlines() if not line.startswith(dataset)]
    for activation, rates in RATES.items():
        for rate in rates:
            errors, _ = race(activation, rate, pictures=2000, most=25)
            lines.append(f"{dataset},{activation},{rate:g},{' '.join(f'{error:.1f}' for error in errors)}")
    files.write_text(LOG, "\n".join(lines) + "\n")


if pick(smoke=False, quick=False, paper=True):
    sweep()

# %%
def read_log():
    """{activation: {rate: errors}} for our data set."""
    runs = {"relu": {}, "tanh": {}}
    with LOG.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["data"] == dataset:
                runs[row["activation"]][float(row["rate"])] = [float(error) for error in row["errors"].split()]
    return runs


def best_rate(runs):
    """The rate that reaches 25 % first; if none does, the one with the lowest error in the end."""
    return min(runs, key=lambda rate: (epochs_to(runs[rate]), runs[rate][-1]))


runs = read_log()
rates = {activation: best_rate(runs[activation]) for activation in ACTIVATIONS}

# %%
figure, *both = panels(2, height=3, sharey=True, sharex=True)
both[0].set(ylabel=f"training error, % ({dataset})", ylim=(0, 95), xlim=(0, 28))
for axes, (activation, of_rates), color in zip(both, runs.items(), (BLUE, VERMILION)):
    ends = []
    for rate, errors in of_rates.items():
        chosen = rate == rates[activation]
        axes.plot(range(1, len(errors) + 1), errors, color=color if chosen else INK, alpha=1 if chosen else 0.3)
        ends.append((f"{rate:g}", color if chosen else INK, len(errors), errors[-1]))
    name_ends(axes, ends)
    axes.axhline(25, color=INK, linestyle=":", linewidth=1)
    axes.set(title=f"{activation} with several rates: the best is {rates[activation]:g}", xlabel="epoch")
show(figure, "07-sweep", "Training errors of both networks with several rates; the dotted line is 25 %")

# %% [markdown]
# Each network has its own best rate: with too low a one it crawls, with too high a one it jumps about or goes silent,
# as in the ward of lesson 6. And note how far apart the two best rates are: at the ReLU's rate tanh hardly moves, at
# tanh's the ReLU would be lost. Whoever compares two things at the settings of one of them compares settings.
#
# Now the race, each with its best rate. For tanh it ends, reached or not, when it has had six times as many epochs as
# the ReLU: that is the paper's number.
#
# **Predict**: how many times as many epochs as the ReLU does tanh need?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
pictures = pick(smoke=100, quick=2000, paper=50_000)
channels = pick(smoke=narrow, quick=narrow, paper=full)
results = {"relu": race("relu", rates["relu"], pictures, pick(smoke=2, quick=40), channels)}
patience = pick(smoke=2, quick=6 * len(results["relu"][0]))
results["tanh"] = race("tanh", rates["tanh"], pictures, patience, channels)
needed = {activation: epochs_to(errors) for activation, (errors, _) in results.items()}
epochs = {activation: min(needed[activation], len(errors)) for activation, (errors, _) in results.items()}
times = epochs["tanh"] / epochs["relu"]
at_least = "at least " if needed["tanh"] == math.inf else ""
compare(prediction, f"{at_least}{times:.1f} times")

# %% tags=["outcome"]
figure, axes = panels(1, height=3.4)
for (activation, (errors, _)), color, line in zip(results.items(), (BLUE, VERMILION), ("-", "--")):
    axes.plot(range(1, len(errors) + 1), errors, line, color=color, label=activation)
    if needed[activation] < math.inf:
        axes.plot([needed[activation]] * 2, [0, 25], color=color, linewidth=1, linestyle=":")
        axes.annotate(f" {needed[activation]:.1f}", (needed[activation], 2), color=color)
untuned = runs["tanh"][rates["relu"]]
axes.plot(range(1, len(untuned) + 1), untuned, "--", color=VERMILION, alpha=0.35, label="tanh, at the ReLU's rate")
axes.axhline(25, color=INK, linestyle=":", linewidth=1)
axes.set(title=f"training error on {pictures:,} pictures of {dataset}", xlabel="epoch", ylabel="%", ylim=(0, 95))
axes.legend(loc="upper right")
show(figure, "07-race", "The training error of both networks over the epochs, down to 25 %: the paper's figure 1")

# %% [markdown] tags=["outcome"]
# Look at the shape of the curves. Tanh does not start later; it may even take off first, for its slope at zero is
# one on both sides. It loses on the way, where the ReLU's curve goes on falling steeply. The pale line is tanh at the
# *ReLU's* best rate, from the log: without a sweep of its own, that is what we would have published as "tanh".

# %% [markdown]
# ## Where the gradient is lost
#
# Let us ask the two trained networks. For 200 pictures, take what comes out of each activation, and from it the slope
# with which the gradient of that unit is multiplied: $1 - y^2$ for tanh, one or zero for ReLU.

# %%
def slopes(model, images):
    """The slope of every unit, for each of the three activations."""
    found, x = [], Tensor(images)
    with minialex.no_grad():
        for layer in model:
            x = layer(x)
            if isinstance(layer, nn.Tanh):
                found.append(1 - x.numpy() ** 2)
            elif isinstance(layer, nn.ReLU):
                found.append((x.numpy() > 0).astype(float))
    return found


training = load(dataset, pictures)
images, _ = next(data.Loader(training, 200, [data.Normalize.mean_image(training)]).epoch())
found = {activation: slopes(model, images) for activation, (_, model) in results.items()}

# %%
figure, *three = panels(3, height=2.8, sharey=True)
edges = np.linspace(0, 1, 11)
for i, axes in enumerate(three):
    for shift, (activation, color) in enumerate((("relu", BLUE), ("tanh", VERMILION))):
        share = 100 * np.histogram(found[activation][i], edges)[0] / found[activation][i].size
        axes.bar(edges[:-1] + 0.03 + 0.04 * shift, share, 0.04, color=color, label=activation)
    axes.set(title=f"behind conv{i + 1}", xlabel="slope")
    axes.grid(axis="x", visible=False)
three[0].set(ylabel="% of the units")
three[0].legend()
show(figure, "07-slopes", "Histograms of the slopes of all units after training, for three layers of both networks")

# %%
flat = {act: [float((part < 0.1).mean()) for part in parts] for act, parts in found.items()}
for activation, shares in flat.items():
    print(f"{activation}: slope below 0.1 in", ", ".join(f"{100 * s:.0f} % (conv{i})" for i, s in enumerate(shares, 1)))

# %% [markdown]
# Look at conv1. Nearly all of its tanh units sit on the flat parts: its inputs are on the scale of 0 to 255, its
# weights have grown, and so each unit answers $-1$ or $+1$. The signal gets through, and nearly no gradient does. A
# high rate makes up for some of that, since what little arrives then counts for more. But it also drives the weights
# up, and units of the other layers out to the flat parts as well.
#
# The ReLU network loses gradients too: in the upper layers most of the units are off, and there nothing passes. But
# those that are on pass everything. For each picture others are on, and along the ways that are open no activation
# shrinks a gradient; only the weights do, and those are learned. For each picture the network is linear, and for
# different pictures it is a different one.
#
# ## The whole race
#
# That was a small race, so that you need not wait. The whole one is a command: the network is `cifar_18pct` itself, in
# its full width, the pictures are all of CIFAR-10, and after a search of rates for either network three seeds run.
# Ctrl-C stops it, the same command goes on, and `--limit 10000 --epochs 40` makes half an hour of it.
#
# ```
# python -m minialex.ablate --recipe figure1
# ```
#
# What it leaves, `figure1.json`, was put beside this lesson. The next cell shows it, and says which race it was.

# %%
FIGURE1 = LOG.with_name("07_figure1.json")
if FIGURE1.exists():
    told = read_results(FIGURE1)
    print(as_text(told, width=100))
    show(plotting.race(told), "07-figure1", "The training errors of ReLU and tanh on the axes of the paper's figure 1")
else:
    print(f"The race has not been run: there is no {FIGURE1.name}")

# %% [markdown]
# ## And the six times?
#
# The paper says six; your number is smaller, and so is that of the race with the full network. Nobody cheated. "The
# magnitude of the effect demonstrated here varies with network architecture", says the caption, "but networks with
# ReLUs consistently learn several times faster than equivalents with saturating neurons". The paper does not say which
# network it was, and this one is our guess. And how far each side was tuned decides as much as the activation: stop
# the search of tanh two rates earlier, and the ratio grows by itself. Keep that in mind when you read that something
# is several times better than a *baseline*, and ask who tuned the baseline, and for how long.
#
# It also varies with what comes *before* the first step. Tanh's trouble in conv1 begins with inputs of the size of 100
# and with initial weights that were chosen for ReLUs. So the same command runs the race again with one thing changed at
# a time, each with a search of rates of its own: initial stds of $\sqrt{1/n}$ for tanh and $\sqrt{2/n}$ for the ReLU,
# where $n$ is the fan-in (lesson 6), or pixels with a std of one.
#
# ```
# python -m minialex.ablate --recipe figure1-why
# ```

# %%
WHY = LOG.with_name("07_why.json")
if WHY.exists():
    print(as_text(read_results(WHY), width=100))
else:
    print(f"They have not been run: there is no {WHY.name}")

# %% [markdown]
# In the table that is here, other initial values change little, and other pixels a lot: with a std of one in each
# channel, tanh is nearly as fast as the ReLU, and faster than the ReLU on the same pixels. Tanh was not as bad as it
# looked; it had to be handled with care, and the ReLU needs less of it.
#
# Note also what was measured: *training* error, how fast a network fits. Which of the two is better on new pictures is
# another question.

# %%
use_backend("numpy")
print(f"THE CLOSING NUMBER: ReLU was at 25 % training error {at_least}{times:.1f} times as soon as tanh")

# %% [markdown]
# ## Exercises

# %% [markdown]
# ### Exercise 7.1 ★ Backward from the output
#
# The backward step of $y = \tanh x$, when only $y$ was kept: from `gy`, the gradient that arrives, return `gx`.

# %% tags=["exercise"]
def tanh_backward(gy, y):
    ...


check("7.1", tanh_backward)

# %% [markdown]
# <details><summary>Solution 7.1</summary>
#
# ```python
# def tanh_backward(gy, y):
#     return gy * (1 - y**2)
# ```
#
# Forward must keep one array, and $y$ is there anyway: the next layer needs it. ReLU's backward needs even less, one
# bit for each unit.
# </details>

# %% [markdown]
# ### Exercise 7.2 ★ Three layers of tanh
#
# In three layers of tanh every unit's input is 2 or −2. Which share of a gradient is left behind the three activations,
# if the weights between them neither enlarge nor shrink it?

# %% tags=["exercise"]
share = ...

check("7.2", share)

# %% [markdown]
# <details><summary>Solution 7.2</summary>
#
# ```python
# share = (1 - np.tanh(2.0) ** 2) ** 3
# ```
#
# With eight layers, AlexNet's number, less than one part in a billion would be left.
# </details>

# %% [markdown]
# ### Exercise 7.3 ★★ Saturated units
#
# Which share of the units is saturated: has a tanh whose slope is below `limit`? `x` holds the inputs of the
# activations.

# %% tags=["exercise"]
def saturated(x, limit):
    ...


check("7.3", saturated)

# %% [markdown]
# <details><summary>Solution 7.3</summary>
#
# ```python
# def saturated(x, limit):
#     return (1 - np.tanh(x) ** 2 < limit).mean()
# ```
#
# Both ends count. A unit that answers $-1$ to everything is as deaf as one that answers $+1$.
# </details>

# %% [markdown]
# ### Exercise 7.4 ★★ When it is reached
#
# `errors[i]` is the training error of epoch `i + 1`. When does it first fall to the target, on the straight line
# between two epochs? Infinity if never; `errors[0]` is above the target.

# %% tags=["exercise"]
def first_at(errors, target):
    ...


check("7.4", first_at)

# %% [markdown]
# <details><summary>Solution 7.4</summary>
#
# ```python
# def first_at(errors, target):
#     for i in range(1, len(errors)):
#         before, after = errors[i - 1], errors[i]
#         if after <= target:
#             return i + (before - target) / (before - after)
#     return math.inf
# ```
#
# Between `errors[i - 1]` and `errors[i]` lies the way from epoch $i$ to epoch $i + 1$. A later rise does not matter.
# </details>

# %% [markdown]
# ## Find the bug
#
# Six activations. Each keeps its output $y$, and computes the slope from it. Look at what the slopes can be, and find
# the one that does not belong.

# %%
ACTIVATIONS_TO_CHECK = {  # letter: (forward, slope from the output)
    "A": (np.tanh, lambda y: 1 - y**2),
    "B": (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y)),
    "C": (lambda x: np.log1p(np.exp(x)), lambda y: 1 - np.exp(-y)),
    "D": (lambda x: np.clip(x, -1, 1), lambda y: (np.abs(y) < 1) * 1.0),
    "E": (lambda x: np.where(x > 0, x, 0.1 * x), lambda y: np.where(y > 0, 1.0, 0.1)),
    "F": (lambda x: np.where(x > 0, x, np.exp(x) - 1), lambda y: np.where(y > 0, 1.0, y)),
}

# %% [markdown]
# ### Exercise 7.5 ★★ One of six slopes
#
# Whose slope is wrong? A letter.

# %% tags=["exercise"]
letter = ...

check("7.5", letter)

# %% [markdown]
# <details><summary>Solution 7.5</summary>
#
# ```python
# letter = "F"
# ```
#
# The function is the ELU. For $x < 0$ its slope is $e^x$, which is $y + 1$ and not $y$. A function that rises
# everywhere cannot have a negative slope, so the smallest slope of each over a few numbers tells it:
# `slope(f(x)).min()`.
# </details>

# %% [markdown]
# ## What to read next
#
# * `minialex/functional/activation.py`, `relu` and `tanh`: forward and backward, and what each of them keeps.
# * `minialex/models/cifar.py`, `cifar_18pct`: the network of which ours is the core, as its author published it.
# * `minialex/nn/init.py`, `calculate_gain`: by how much weights must be larger behind each activation.
# * `minialex/training/trainer.py`, `Trainer.finish_epoch`: how the training error of an epoch is counted.
#
# Next: [lesson 8](08_alexnet.ipynb), AlexNet itself, line by line.
