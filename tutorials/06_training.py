# %% [markdown]
# # 6. Training
#
# *The program runs, no line of it is wrong as far as you can see, and yet the loss does not fall. Where do you look
# first?*
#
# The layers are there, and their gradients are right: lessons 1 to 5 have seen to that. Now a network shall learn. It
# often does not, and a network that does not learn raises no error. It sits there and is wrong. So this lesson is half
# a course in how training works and half a course in medicine: what the paper did so that AlexNet learned, how to see
# that yours does, and what each common disease looks like.
#
# Our network is `shapes_net`, AlexNet in miniature: three convolutions, two fully connected layers, ReLUs, local
# response normalisation, overlapping pools, dropout. Its pictures are drawn by minialex: ten classes of shapes.

# %%
import math

import numpy as np
from lesson import BLUE, INK, PURPLE, VERMILION, check, compare, hint, panels, pick, pictures, progress, show

import minialex
from minialex import Tensor, data, functional, models, optim, use_backend
from minialex.nn import init
from minialex.training import diagnose, overfit
from minialex.training.trainer import Diverged, Trainer

# %%
use_backend("auto")  # the compiled one where it is installed
splits = data.load("shapes", train_count=pick(smoke=600, quick=1500), validation=pick(smoke=200, quick=1000),
                   test_count=pick(smoke=200, quick=1000))
normalize = data.Normalize.channels(splits.train)
loader = data.Loader(splits.train, 64, [normalize], shuffle=True)
validation = data.Loader(splits.validation, 200, [normalize])
batch, batch_labels = next(data.Loader(splits.train, 200, [normalize]).epoch())  # 200 pictures to look at layers with

# %%
def build(rate=0.02, std=None, bias=None, seed=0):
    """shapes_net and its optimiser; std, bias: initial values in place of the network's own."""
    minialex.manual_seed(seed)
    model = models.build("shapes_net")
    for layer in (layer for layer in model if hasattr(layer, "weight")):
        if std is not None:
            init.normal_(layer.weight, std=std)
            init.constant_(layer.bias, bias)
    return model, optim.SGD(model.parameters(), rate, 0.9, weight_decay=5e-4, velocity="paper")

# %% [markdown]
# ## First, learn ten pictures by heart
#
# Before you train for an hour, train for a few seconds. Take ten pictures, switch dropout off, and let the network
# learn just these. Any network with enough weights can do that. If yours cannot, then something is broken, and it is
# good to know that now: a gradient that is wrong, a rate that is far off, pictures that all arrive as zeros.
#
# It begins at a loss of about $\ln 10$, as in lesson 3: a network that knows nothing gives each of ten classes
# a tenth. From there it should fall to nearly zero.

# %%
def learn_ten(labels):
    """(whether it knows them, how many are right, steps, loss) after learning ten pictures with these labels."""
    model, optimizer = build()
    ten = data.ArrayDataset(splits.train.fetch(np.arange(10))[0], labels, splits.train.classes)
    return overfit.overfit_batch(overfit.without_dropout(model), optimizer, data.Loader(ten, 10, [normalize]))


images, labels = splits.train.fetch(np.arange(10))
knows, right, steps, loss = learn_ten(labels)
print(f"it knows all: {knows}, after {steps} steps, loss {loss:.3f}; it began near ln 10 = {math.log(10):.3f}")

# %% [markdown]
# Healthy. But what does this test *not* show? Suppose that somebody has mixed up the labels, so that every picture
# carries a wrong one, drawn at random: a triangle is called a ring, a star a heart.
#
# **Predict**: of ten pictures with wrong labels, how many does the network get "right" in the end?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
wrong_labels = (labels + np.random.default_rng(6).integers(1, 10, 10)) % 10  # never the true one
knows, right, random_steps, loss = learn_ten(wrong_labels)
compare(prediction, right, " of 10")
print(f"after {random_steps} steps; the true labels took {steps}")
figure, *all_axes = panels(10, height=1.25, width=7.5)
for axes, image, true, wrong in zip(all_axes, images, labels, wrong_labels):
    pictures(axes)
    axes.imshow(image.transpose(1, 2, 0))
    axes.set_title(splits.train.classes[true], fontsize=8, loc="center")
    axes.set_xlabel(splits.train.classes[wrong], fontsize=8, color=VERMILION)
show(figure, "06-ten", "Ten pictures of shapes, above each its class, below it the wrong label that was drawn")

# %% [markdown] tags=["outcome"]
# Learning by heart needs no sense in the labels (below the pictures, in vermilion). So the test finds a broken
# *network*; for broken *data* look at pictures together with their labels, as above. Do both, always, before anything
# else.

# %% [markdown]
# ## The step: momentum and decay
#
# In lesson 1 a step was $w \leftarrow w - \varepsilon\, g$, with the gradient $g$ and the rate $\varepsilon$. The paper
# (section 5) keeps a *velocity* $v$ for each weight:
#
# $$v \leftarrow 0.9\, v - 0.0005\, \varepsilon\, w - \varepsilon\, g \qquad\qquad w \leftarrow w + v$$
#
# The first term is **momentum**: nine tenths of the last step are made again. The second is **weight decay**: each step
# takes a tiny share of every weight away, and only what the gradient renews stays. The picture shows what momentum is
# good for. The loss is a valley, a hundred times as steep across as along, and the same rate is used for both walks.

# %%
def walk(momentum, rate=0.0185, steps=50):
    """The path of so many steps down the valley (x^2 + 100 y^2) / 2, from (-9, 0.9)."""
    w, v = np.array([-9.0, 0.9]), np.zeros(2)
    path = [w]
    for _ in range(steps):
        v = momentum * v - rate * np.array([1, 100]) * w
        w = w + v
        path.append(w)
    return np.array(path)

# %%
figure, *both = panels(2, height=2.3, sharey=True)
x, y = np.meshgrid(np.linspace(-10, 4, 200), np.linspace(-1.1, 1.1, 120))
for axes, momentum, color in zip(both, (0, 0.9), (BLUE, VERMILION)):
    axes.contour(x, y, (x**2 + 100 * y**2) / 2, np.linspace(1, 8, 8) ** 2, colors=[INK], alpha=0.2, linewidths=0.8)
    path = walk(momentum)
    axes.plot(*path.T, "o-", color=color, markersize=3, linewidth=1.2)
    axes.plot(0, 0, "+", color=INK, markersize=10)
    axes.set(title=f"momentum {momentum}: in the end {np.hypot(*path[-1]):.1f} from the goal", xticks=[], yticks=[])
    axes.grid(False)
show(figure, "06-momentum", "Fifty steps down a long valley, without momentum and with it")

# %% [markdown]
# Across the valley the gradient changes its sign again and again, and in the velocity such steps cancel. Along it all
# steps agree, and they add up.
#
# **Predict**: if the gradient is the same in every step, how many times as long as $\varepsilon\, g$ do steps with
# momentum 0.9 become in the end?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
v = 0.0
for _ in range(200):
    v = 0.9 * v - 1.0  # a gradient of 1, at a rate of 1
compare(prediction, round(-v, 6), " times")

# %% [markdown] tags=["outcome"]
# $1 + 0.9 + 0.9^2 + \dots = 1 / (1 - 0.9)$.

# %% [markdown]
# Keep that in mind when you copy a rate from somebody: it belongs to their momentum. In minialex all of this is
# `optim.SGD(..., velocity="paper")`. Torch, and most programs since, leave the rate outside the velocity; the two
# differ only when the rate changes, and exercise 6.1 is about that.
#
# ## Where weights begin
#
# They cannot all begin at zero: all units of a layer would then be equal, get equal gradients, and stay equal. The
# paper draws them from a normal distribution with std 0.01, and sets the biases of some layers to 1.
#
# Why does the std matter? A unit adds up $n$ inputs (its *fan-in*), each times a weight. If inputs have the size
# $s$ and weights the std $\sigma$, the sum has a size of about $\sigma \sqrt{n}\, s$, and the ReLU then throws
# half of it away. Through many layers that is a factor to the power of the depth. It stays one if
#
# $$\sigma = \sqrt{2 / n}$$
#
# which is how the inner layers of `shapes_net` begin. (The last one begins smaller: a new network should be undecided.)
# How large are the outputs of each layer, and how large the gradients that arrive at them? `retain_grad` makes the tape
# keep those for us. Here are three beginnings.

# %%
def sizes(model):
    """[(layer, std of its outputs, std of the gradient that arrives there)], of the layers with weights."""
    outputs, x = {}, Tensor(batch)
    for name, layer in model.named_children():
        x = layer(x)
        if hasattr(layer, "weight"):
            x.retain_grad()
            outputs[name] = x
    functional.cross_entropy(x, batch_labels).backward()
    return [(name, y.numpy().std(), y.grad.numpy().std()) for name, y in outputs.items()]


beginnings = {"the network's own": {}, "0.01, biases 0": {"std": 0.01, "bias": 0},
              "0.01, biases 1": {"std": 0.01, "bias": 1}}
found = {name: sizes(build(**start)[0]) for name, start in beginnings.items()}

# %%
figure, left, right = panels(2, height=2.9)
for (name, rows), color in zip(found.items(), (BLUE, VERMILION, PURPLE)):
    layers, forward, back = zip(*rows)
    left.plot(layers, forward, "o-", color=color, label=name)
    right.plot(layers, back, "o-", color=color)
left.set(title="std of each layer's output", yscale="log")
right.set(title="std of the gradient that arrives there", yscale="log")
left.legend(loc="lower left")
show(figure, "06-initial", "Sizes of outputs and of arriving gradients in five layers, for three ways to begin")

# %% [markdown]
# With 0.01 (vermilion) the signal fades on its way up, from layer to layer, and the gradient, which is multiplied with
# the same weights, fades on its way down: read the right figure from fc5 to conv1. A network whose gradients are a
# thousand times too small is not slow; it does not move.
#
# Why did the paper get away with 0.01? Its layers are wider: conv3 of AlexNet has a fan-in of 2,304, ours of at most
# 576. (What 2,304 would ask for is exercise 6.2.) And it had the biases of 1, in purple: they give every ReLU a
# positive input at first, so that all of them are open, and gradients arrive. "This initialization accelerates the
# early stages of learning", says the paper. Note what such biases cannot do, though: they are the same for every
# picture. We shall meet them again, among the patients.
#
# ## Reading curves
#
# Now train in earnest, with the rate divided by ten towards the end, and once more with dropout switched off. We keep
# a copy of conv1's filters after each epoch.

# %%
def train(model, optimizer, epochs):
    """The rows of all epochs, and conv1's filters before each of them and at the end."""
    schedule = optim.MultiStepLR(optimizer, [3 * epochs // 4])
    trainer, filters = Trainer(model, optimizer, schedule, loader), [model[0].weight.numpy().copy()]
    for _ in progress(range(epochs), "training", "epochs"):
        for _ in trainer.steps():
            pass
        trainer.finish_epoch(validation.epoch())
        filters.append(model[0].weight.numpy().copy())
    return trainer.history, filters


epochs = pick(smoke=2, quick=20)
model, optimizer = build(0.05)
history, filters = train(model, optimizer, epochs)
plain_model, optimizer = build(0.05)
plain_history, _ = train(overfit.without_dropout(plain_model), optimizer, epochs)

# %%
figure, *both = panels(2, height=3, sharey=True)
for axes, rows, title in zip(both, (history, plain_history), ("with dropout", "without")):
    for key, color, label in (("train_loss", BLUE, "training"), ("val_loss", VERMILION, "validation")):
        axes.plot(range(1, epochs + 1), [row[key] for row in rows], "o-", color=color, markersize=4, label=label)
    error = 100 * rows[-1]["val_top1_error"]
    axes.set(title=f"{title}: in the end {error:.1f} % errors in validation", xlabel="epoch", ylim=(0, None),
             xticks=range(0, epochs + 1, max(1, epochs // 5)))
both[0].set(ylabel="loss")
both[0].legend()
show(figure, "06-curves", "Training and validation loss over the epochs, with dropout and without it")

# %% [markdown]
# How to read such curves:
#
# * **Validation** is the loss on pictures that are never learned from. Only this curve tells what the network has
#   understood. Where the training loss goes on falling and it does not, the network has begun to learn by heart.
# * With dropout the training loss lies *above* the other for a while. That is no bug: training is measured with half
#   of the units missing, and as a mean over an epoch in which the network got better; validation comes afterwards, with
#   all units.
# * Without dropout the curves part: the training loss goes towards zero, the other one stays. Whether dropout pays, one
#   run of each cannot tell: the two titles are a few points apart, and another seed, or another processor, may turn
#   them round (lesson 9 is about that). It pays where a network has the weights and the time to learn its pictures by
#   heart, as AlexNet had.
# * The fall after three quarters of the way is the rate divided by ten. A large rate keeps jumping about the bottom of
#   the valley; a small one settles. The paper did it three times, each time when validation had stopped improving.
# * The little hill just behind that? The velocity still carries the old, long steps, and gradients at a tenth of the
#   rate are too weak to brake them. Replace `velocity="paper"` by `"torch"` in `build`, and the hill is gone.
#
# And this is what conv1 did meanwhile:

# %%
moments = sorted({0, epochs // 10, epochs // 4, epochs // 2, epochs})
largest = 0.7 * abs(filters[-1]).max()  # full colour
figure, *all_axes = panels(1, len(moments), height=0.58 * len(moments))
for axes, moment in zip(all_axes, moments):
    tiles = np.pad(filters[moment][:16], ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=largest)
    pictures(axes)
    axes.imshow(np.clip(0.5 + 0.5 * np.concatenate(tiles, axis=2).transpose(1, 2, 0) / largest, 0, 1))
    axes.set_ylabel(f"epoch {moment}", rotation=0, ha="right", va="center")
show(figure, "06-filters", "Sixteen filters of conv1 before training and after some of its epochs")

# %% [markdown]
# In some of them noise becomes an edge, or a blob of one colour against its opposite. Nobody asked for that. Most are
# still noise after so few steps; the paper's figure 3 shows what five or six days of training make of all of them.
#
# ## Dropout, an ensemble for the price of two
#
# Many different networks, asked together, are better than each of them; but to train many is expensive. Dropout sets
# each unit to zero with probability 0.5, drawn anew for each picture and step. Every mask leaves another, thinner
# network; all of them share their weights. To test, we would have to average over $2^{128}$ masks. The paper takes the
# whole network once, and multiplies every output by 0.5, as "a reasonable approximation".
#
# How reasonable? We have a trained network, and can draw masks. This is how many of the test pictures the halved
# network gets wrong:

# %%
test_images, test_labels = next(data.Loader(splits.test, len(splits.test), [normalize]).epoch())
model.eval()
with minialex.no_grad():
    hidden = Tensor(test_images)
    for layer in model[:-2]:  # all but dropout and fc5
        hidden = layer(hidden)
hidden, last = hidden.numpy(), model[-1]


def probabilities(h):
    """Softmax of the last layer's logits for its inputs h (N, 128)."""
    logits = h @ last.weight.numpy().T + last.bias.numpy()
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


halved = 100 * (probabilities(0.5 * hidden).argmax(axis=1) != test_labels).mean()
print(f"the halved network: {halved:.2f} % errors")

# %% [markdown]
# **Predict**: how many percent does *one* thinned network get wrong, half of its last hidden layer gone?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
rng, repeats, most = np.random.default_rng(0), pick(smoke=2, quick=10), 32
errors = np.empty((repeats, most))
for repeat in range(repeats):
    total = 0
    for k in range(most):
        total = total + probabilities(hidden * (rng.random(hidden.shape) < 0.5))
        errors[repeat, k] = 100 * (total.argmax(axis=1) != test_labels).mean()
compare(prediction, round(errors[:, 0].mean(), 2), " %")

# %% tags=["outcome"]
figure, axes = panels(1, height=2.7)
axes.plot(range(1, most + 1), errors.T, color=BLUE, alpha=0.2, linewidth=1)
axes.plot(range(1, most + 1), errors.mean(axis=0), "o-", color=BLUE, markersize=3)
axes.axhline(halved, color=VERMILION)
axes.set(title="test error (%): k thinned networks together (blue), the halved one (vermilion)", xlabel="k")
show(figure, "06-dropout", "Test error of averages over 1 to 32 dropout masks, beside that of the halved network")

# %% [markdown] tags=["outcome"]
# Together they are better than one, and the halved network gives in a single pass what dozens of them give. The price
# is paid in training: with dropout the paper needed about twice as many steps.

# %% [markdown]
# ## The ward
#
# Four networks, 150 steps each. One is healthy. Before you look: what would you expect of a network that begins with
# weights of 0.01 *and* the biases of 1 that open every ReLU?

# %%
def treat(steps, **start):
    """(losses, what diagnose tells at the end) of a network trained for so many steps."""
    model, optimizer = build(**start)
    trainer, losses = Trainer(model, optimizer, None, loader), []
    try:
        while len(losses) < steps:
            for loss in trainer.steps():
                losses.append(loss)
            trainer.finish_epoch()
    except Diverged as error:
        print(error)
    return losses[:steps], diagnose.measure(model, optimizer, batch, batch_labels)

# %%
patients = {
    "healthy": {"rate": 0.05}, "weights too small": {"std": 0.01, "bias": 0},
    "biases of 1": {"std": 0.01, "bias": 1}, "rate too high": {"rate": 0.4},
}
steps = pick(smoke=12, quick=150)
records = {name: treat(steps, **start) for name, start in progress(patients.items(), "the ward", "networks")}

# %%
figure, left, right = panels(2, height=3.2)
for (name, (losses, rows)), color in zip(records.items(), (BLUE, VERMILION, PURPLE, INK)):
    left.plot(np.convolve(losses, np.ones(10) / 10, "valid"), color=color, label=name)
    dead = [(row["layer"], 100 * row["dead"]) for row in rows if row["dead"] is not None]
    right.plot(*zip(*dead), "o-", color=color)
left.axhline(math.log(10), color=INK, linestyle=":", linewidth=1)
left.set(title="mean loss of ten steps; dotted: ln 10", xlabel="step", ylim=(None, 2.8))
right.set(title="dead ReLUs at the end, %", ylim=(-4, 104))
left.legend(loc="lower left")
show(figure, "06-ward", "The loss of four networks over 150 steps, and the share of dead units in each of their layers")

# %%
for name, (_, rows) in records.items():
    print(name)
    print(diagnose.table(rows))

# %% [markdown]
# `diagnose.table` is what `python -m minialex.train --diagnose` prints. Read it as a doctor reads a chart:
#
# * **Weights too small.** The loss stays at $\ln 10$: the signature of a network whose answer does not depend on the
#   picture. The outputs fade from layer to layer, the gradients are tiny, and where so little signal is left, units are
#   dead as well. And the last column is a trap: a relative step of about 1e-4 in *every* layer looks healthy. It is the
#   decay alone, $\varepsilon \cdot 0.0005 / (1 - 0.9)$, and nothing is learned. *Cure*: initial stds of
#   $\sqrt{2/n}$. (Labels that have nothing to do with the pictures look alike in the curve, but their gradients are
#   healthy.)
# * **Biases of 1.** The loss begins a little higher, then lies down at $\ln 10$ for ever: **dead ReLUs**. A unit is
#   dead if its input is negative for every picture. Its output is then zero, its slope is zero, no gradient reaches its
#   weights, and nothing will ever wake it. Here is how they died: the biases gave every picture the same large
#   activities, so the gradients of all pictures agreed, momentum added them up, and a few long steps carried a whole
#   layer below zero. What helped AlexNet kills a smaller network at a larger rate. *Cure*: better weights and smaller
#   biases; a lower rate. Waiting is none.
# * **Rate too high.** The loss leaps *above* $\ln 10$: steps are so long that they fly over the valley and up
#   its other side. Outputs have grown, and the same long steps kill units here as well, in the end whole layers. Still
#   higher rates end in numbers that are none: minialex then stops and names the layer where they began. *Cure*: divide
#   the rate by three until the loss falls.
# * **Rate too low** looks like no illness at all: everything moves in the right direction, a hundred times too slowly.
#   The last column shows it, far below 1e-3.
#
# The cure is often found in a different place than the pain: three of them show themselves by the same flat curve, and
# only the chart tells them apart.

# %%
result = 100 * (probabilities(0.5 * hidden).argmax(axis=1) == test_labels).mean()
use_backend("numpy")
print(f"THE CLOSING NUMBER: {result:.1f} % of the test pictures are right, by the network that began at chance")

# %% [markdown]
# ## Exercises

# %% [markdown]
# ### Exercise 6.1 ★ The paper's step
#
# One step as the paper writes it, with momentum 0.9 and decay 0.0005: from weights `w`, velocity `v`, gradient `g`, and
# the rate, return the new `(w, v)`.

# %% tags=["exercise"]
def paper_step(w, v, g, rate):
    ...


check("6.1", paper_step)

# %% [markdown]
# <details><summary>Solution 6.1</summary>
#
# ```python
# def paper_step(w, v, g, rate):
#     v = 0.9 * v - 0.0005 * rate * w - rate * g
#     return w + v, v
# ```
#
# The rate is inside the velocity. When it is divided by ten, the next steps still carry what was collected at the old
# one. Torch multiplies the whole velocity with the new rate, and slows down at once.
# </details>

# %% [markdown]
# ### Exercise 6.2 ★ Where conv3 begins
#
# conv3 of AlexNet has 384 filters of 3×3 over 256 channels. With which initial std do signals keep their size?

# %% tags=["exercise"]
std = ...

check("6.2", std)

# %% [markdown]
# <details><summary>Solution 6.2</summary>
#
# ```python
# std = (2 / (256 * 3 * 3)) ** 0.5
# ```
#
# The fan-in counts the inputs of one unit; how many filters there are does not matter for it.
# </details>

# %% [markdown]
# ### Exercise 6.3 ★★ The mean of all masks
#
# The last layer computes `w @ x`. Each number of `x` is dropped (set to zero) with probability `p`. What is the mean of
# `w @ x` over all masks?

# %% tags=["exercise"]
def mean_over_masks(x, w, p):
    ...


check("6.3", mean_over_masks)

# %% [markdown]
# <details><summary>Solution 6.3</summary>
#
# ```python
# def mean_over_masks(x, w, p):
#     return (1 - p) * (w @ x)
# ```
#
# A mean of sums is the sum of means, and each term is there with probability $1 - p$. That is why halving is right for
# the logits; the softmax behind them is no sum, and so it is an approximation in the end.
# </details>

# %% [markdown]
# ### Exercise 6.4 ★★ Dead channels
#
# `y` (N, C, H, W) is what a ReLU gave for N pictures. A channel is dead if it is zero for all pictures, everywhere.
# Which share is dead?

# %% tags=["exercise"]
def dead_share(y):
    ...


check("6.4", dead_share)

# %% [markdown]
# <details><summary>Solution 6.4</summary>
#
# ```python
# def dead_share(y):
#     return (y == 0).all(axis=(0, 2, 3)).mean()
# ```
#
# Half of all outputs of a healthy ReLU are zero. Only one that is *never* anything else has stopped learning.
# </details>

# %% [markdown]
# ## Find the bug
#
# A student reports a validation error of 0.0 %. On the test pictures, however, the same network is wrong as often as
# one that guesses. Here is what was done, with pictures of pure noise and labels drawn by lot, so that there
# is nothing to learn but by heart.

# %%
def report(seed=0, count=300):
    draw = np.random.default_rng(seed)
    images = draw.normal(0, 1, (count, 400))                           # A
    classes = draw.integers(0, 10, count)                              # B
    order = draw.permutation(count)                                    # C
    train, validation = order, order[-60:]                             # D
    w = np.linalg.lstsq(images[train], np.eye(10)[classes[train]], rcond=None)[0]   # E
    wrong = (images[validation] @ w).argmax(axis=1) != classes[validation]          # F
    test = draw.normal(0, 1, (60, 400))                                # G
    wrong_in_test = (test @ w).argmax(axis=1) != draw.integers(0, 10, 60)
    return f"validation error {100 * wrong.mean():.1f} %, test error {100 * wrong_in_test.mean():.1f} %"


print(report())

# %% [markdown]
# ### Exercise 6.5 ★★ Too good to be true
#
# Which line is wrong? A letter.

# %% tags=["exercise"]
line = ...

check("6.5", line)

# %% [markdown]
# <details><summary>Solution 6.5</summary>
#
# ```python
# line = "D"
# ```
#
# The last 60 pictures are for validation, and for training as well: it has to be `train, validation = order[:-60],
# order[-60:]`. A validation error far *below* what you expected is no reason to rejoice; look for pictures that are in
# both sets first. Labels drawn by lot are a good test: whoever finds something in them has a leak.
# </details>

# %% [markdown]
# ## What to read next
#
# * `minialex/optim/optimizers.py`, `SGD`: both velocities; its arithmetic is in `minialex/backends/numpy_backend.py`.
# * `minialex/training/trainer.py`, `Trainer.steps`: the loop you ran, with all that an exact restart needs.
# * `minialex/training/diagnose.py`, `measure` and `first_fault`: the chart, and how the first broken layer is found.
# * `minialex/training/overfit.py`, `overfit_batch`, and `minialex/nn/init.py`, with the std for other activations.
#
# Next: [lesson 7](07_relu.ipynb), where ReLU races against the function that everybody used before.
