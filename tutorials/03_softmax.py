# %% [markdown]
# # 3. Softmax on pixels
#
# *A network looks at a star and says "circle, I am quite sure". How wrong is that, as one number, and which way should
# each of its weights move to make it less wrong?*
#
# A loss turns opinions into a number that can be made smaller. The one for choosing among classes is nearly always the
# same, from the smallest classifier to the largest language model: *softmax* and *cross-entropy*. This lesson builds
# both, breaks them with large numbers, mends them, and trains the simplest classifier of pictures there is with them,
# one that you can look at.

# %%
import numpy as np
from lesson import BLUE, VERMILION, check, compare, hint, panels, pick, pictures, show

from minialex import Tensor, data, functional, optim

# %% [markdown]
# ## Ten classes of pictures
#
# `shapes` is a data set that minialex draws itself: ten classes, 32 by 32 pixels, three colours. Colour and texture say
# nothing about the class; only the outline does.

# %%
splits = data.load("shapes", train_count=pick(smoke=300, quick=4000), validation=0, test_count=1000)
classes = splits.train.classes
images, labels = splits.train.fetch(np.arange(len(splits.train)))
test_images, test_labels = splits.test.fetch(np.arange(len(splits.test)))
print(images.shape, images.dtype, "labels of the first five:", labels[:5])

figure, *ten = panels(10, height=1.4)
for axes, label in zip(ten, range(10)):
    axes.imshow(images[labels == label][0].transpose(1, 2, 0))
    axes.set_title(classes[label], fontsize=9, fontweight="normal")
    pictures(axes)
show(figure, "03-shapes", "One picture of each class: circle, square, triangle, star, cross, ring, ...")

# %% [markdown]
# To the computer a picture is $3 \cdot 32 \cdot 32 = 3072$ numbers in a row. We bring them to a range around zero, and
# subtract the mean picture of the training set, so that what is left is what makes a picture special.

# %%
def flatten(pictures):
    return (pictures.reshape(len(pictures), -1) / 127.5 - 1).astype(np.float32)


mean = flatten(images).mean(axis=0)
X, X_test = flatten(images) - mean, flatten(test_images) - mean

# %% [markdown]
# ## Scores, and what to make of them
#
# The simplest classifier gives each class a *template* of 3072 weights. It multiplies picture and template pixel by
# pixel, adds everything up, and adds a bias:
#
# $$z_k = \sum_j x_j W_{jk} + b_k \qquad\text{or, for all pictures at once,}\qquad Z = X W + b$$
#
# The ten numbers $z_k$ are called *logits*. They are scores: any number, positive or negative, the largest wins. We
# want probabilities instead: positive, and with the sum 1. The exponential makes anything positive, and dividing by the
# sum does the rest:
#
# $$p_k = \frac{e^{z_k}}{\sum_c e^{z_c}}$$
#
# Why the exponential? Because *differences* of logits become *ratios* of probabilities: a lead of 1 makes a class
# $e \approx 2.7$ times as probable as the next, wherever the two stand. Adding the same number to all logits changes
# nothing.

# %%
def naive_softmax(z):
    e = np.exp(z)
    return e / e.sum(axis=-1, keepdims=True)


z = np.array([2.0, 1.0, 0.0, -1.0, 0.5])
figure, *three = panels(3, height=2.4, sharey=True)
for axes, factor in zip(three, (0.3, 1, 4)):
    axes.bar(range(5), naive_softmax(factor * z), color=BLUE)
    axes.set(title=f"logits times {factor}", xticks=range(5), xticklabels=[f"{factor * v:.2g}" for v in z], ylim=(0, 1))
    axes.set_xlabel("logit")
three[0].set_ylabel("probability")
show(figure, "03-softmax", "The same five logits, times 0.3, 1 and 4: nearly even, a clear favourite, all but certain")

# %% [markdown]
# ### Exercise 3.1 ★ By hand
#
# The logits are $0$, $\ln 2$ and $\ln 5$. What does softmax make of them? Work it out by hand: three numbers.

# %% tags=["exercise"]
probabilities = ...

check("3.1", probabilities)

# %% [markdown]
# <details><summary>Solution 3.1</summary>
#
# ```python
# probabilities = [1 / 8, 2 / 8, 5 / 8]
# ```
#
# The exponentials are 1, 2 and 5, and their sum is 8.
# </details>

# %% [markdown]
# ## At ten thousand
#
# Logits are unbounded, and in a network that goes astray they do grow. **Predict** what `naive_softmax` says about the
# logits 10,000, 0 and −10,000. The honest answer is 1, 0, 0. What will the first number be?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
with np.errstate(all="ignore"):  # NumPy would warn; the numbers say it as well
    extreme = naive_softmax(np.array([1e4, 0.0, -1e4]))
compare(prediction, extreme[0])
print("all three:", extreme)

# %% [markdown] tags=["outcome"]
# $e^{10000}$ does not fit into any floating-point number; it becomes infinite, and infinity divided by infinity is
# *not a number*. One NaN in a loss makes every gradient NaN, one step later every weight, and the training is over.

# %% [markdown]
# The cure uses what we noticed: adding the same to all logits changes nothing. So subtract the largest one first. The
# largest exponent is then 0, nothing can overflow, and what underflows to zero was negligible anyway.

# %%
def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


print("softmax:", softmax(np.array([1e4, 0.0, -1e4])))

# %% [markdown]
# ## How wrong?
#
# Let $t$ be the right class. The network gave it the probability $p_t$, and the loss should fall as that grows.
# *Cross-entropy* takes
#
# $$\text{loss} = -\ln p_t$$
#
# It is 0 for certainty, and it grows without bound as the right class was thought impossible: the confident mistake is
# what costs most. Several pictures in a row multiply their probabilities, so their logarithms add up, and the mean over
# a batch says how well all of them were explained.
#
# **Predict** the loss of a network that knows nothing, whose ten logits are all equal.

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
# Of ten equal logits
knows_nothing = -np.log(softmax(np.zeros(10))[0])
compare(prediction, knows_nothing)
print(f"ln(10) = {np.log(10):.6f}")

figure, axes = panels(1, height=2.8)
p = np.linspace(0.003, 1, 400)
axes.plot(p, -np.log(p), color=BLUE)
places = (1 / 10, "ten classes, no idea: ln 10"), (1 / 2, "heads or tails: ln 2"), (0.01, "sure, and wrong")
for value, text in places:
    axes.plot(value, -np.log(value), "o", color=VERMILION)
    axes.annotate(f"{text} = {-np.log(value):.2f}", (value, -np.log(value)), (9, 3), textcoords="offset points")
axes.set(title="the price of a probability", xlabel="probability of the right class", ylabel="loss", ylim=(0, 6))
show(figure, "03-loss", "The loss -ln p over p: 0 at certainty, ln 2 at one half, steep towards zero")

# %% [markdown] tags=["outcome"]
# Remember $\ln(\text{classes})$. It is the first number to look at in any training. If the first loss is much larger,
# the initial weights are too large; the network is sure before it has seen anything. And if a loss stays there, nothing
# is being learned.

# %% [markdown]
# There is one trap left. Even with the safe softmax, a hopeless class gets a probability of exactly 0 (it underflowed),
# $-\ln 0$ is infinite, and the most important gradient of all is lost. So never compute the logarithm *of* a softmax.
# Put the two formulas together, on paper, first:
#
# $$-\ln p_t = \ln \sum_c e^{z_c} - z_t$$
#
# No division, no logarithm of zero. This is what *fused* means; the first term is called *log-sum-exp*.

# %% [markdown]
# ### Exercise 3.2 ★★ Log-sum-exp
#
# Write $\ln \sum_c e^{z_c}$ for a vector `z` of logits, so that it survives 10,000. The maximum $m$ of all $z_c$ is
# your friend.

# %% tags=["exercise"]
def log_sum_exp(z):
    ...


check("3.2", log_sum_exp)

# %% [markdown]
# <details><summary>Solution 3.2</summary>
#
# ```python
# def log_sum_exp(z):
#     m = z.max()
#     return m + np.log(np.exp(z - m).sum())
# ```
#
# Taking $e^m$ out of every term of the sum takes $m$ out of the logarithm.
# </details>

# %%
def cross_entropy(z, t):
    """The loss of each row of logits (N, C), given its class (N,)."""
    m = z.max(axis=1, keepdims=True)
    log_sum_exp = m[:, 0] + np.log(np.exp(z - m).sum(axis=1))
    return log_sum_exp - z[np.arange(len(z)), t]


def cross_entropy_backward(z, t):
    """The gradient of the mean loss: probabilities, less 1 at the right class, over N."""
    gz = softmax(z)
    gz[np.arange(len(z)), t] -= 1
    return gz / len(z)

# %% [markdown]
# Where does that gradient come from? Differentiate the two terms of the fused formula along the logit $z_k$. The first
# is a logarithm of a sum, of which only one term moves; the second moves only where $k$ is $t$:
#
# $$\frac{\partial}{\partial z_k} \ln \sum_c e^{z_c} = \frac{e^{z_k}}{\sum_c e^{z_c}} = p_k
# \qquad\qquad \frac{\partial}{\partial z_k} (-z_t) = -[k = t]$$
#
# where $[\ldots]$ is 1 if what it holds is true, and 0 otherwise. Together they are the most beautiful formula of these
# lessons:
#
# $$\text{gz}_k = p_k - [k = t]$$
#
# *What you said, minus what was true.* Every logit is pushed down by the probability it claimed, and the right one is
# pushed up by what it lacked. A perfect answer pushes nothing. Note that no exponential is left that could explode, and
# that the entries of each row add up to zero. Lesson 2's nudges agree:

# %%
z, t, h = np.array([[2.0, 1.0, 0.0, -1.0, 0.5]]), np.array([2]), 1e-5
nudged = [(cross_entropy(z + h * e, t) - cross_entropy(z - h * e, t)) / (2 * h) for e in np.eye(5)[:, None]]
print("said minus true:", cross_entropy_backward(z, t)[0].round(6))
print("by nudging:     ", np.ravel(nudged).round(6))

# %% [markdown]
# ### Exercise 3.3 ★★ A softer truth
#
# Now for one picture, and with *label smoothing*: the truth is not 1 for class $t$ and 0 for the others, but 0.9 for
# class $t$, plus $0.1 / C$ for every class. Return `gz`, for logits `z` (C,) and class `t`.

# %% tags=["exercise"]
def smoothed_backward(z, t):
    ...


check("3.3", smoothed_backward)

# %% [markdown]
# <details><summary>Solution 3.3</summary>
#
# ```python
# def smoothed_backward(z, t):
#     truth = np.full(len(z), 0.1 / len(z))
#     truth[t] += 0.9
#     return softmax(z) - truth
# ```
#
# What you said, minus what was (held to be) true. Nothing else changes.
# </details>

# %% [markdown]
# ### Exercise 3.4 ★ A thousand classes
#
# AlexNet chooses among 1,000 classes. Which loss must its first training step show, about?

# %% tags=["exercise"]
first_loss = ...

check("3.4", first_loss)

# %% [markdown]
# <details><summary>Solution 3.4</summary>
#
# ```python
# first_loss = np.log(1000)
# ```
#
# 6.908. If your training of AlexNet starts at 9, stop it and look at the initial weights.
# </details>

# %% [markdown]
# ## Training the templates
#
# Lesson 2 told the backward pass of $Z = XW + b$: $\text{gW} = X^{\mathsf T}\,\text{gZ}$, and the bias sums over the
# pictures. So here is everything. Note that the weights may start from zero: there is only one layer.

# %%
epochs, rate, batch = pick(smoke=2, quick=15), 0.003, 100
W, b = np.zeros((3072, 10), np.float32), np.zeros(10, np.float32)
losses = []
for epoch in range(epochs):
    order = np.random.default_rng(epoch).permutation(len(X))
    for start in range(0, len(X), batch):
        chosen = order[start : start + batch]
        z = X[chosen] @ W + b
        losses.append(cross_entropy(z, labels[chosen]).mean())
        gz = cross_entropy_backward(z, labels[chosen])
        W -= rate * (X[chosen].T @ gz)
        b -= rate * gz.sum(axis=0)
print(f"first loss {losses[0]:.4f}, last {losses[-1]:.4f}")

# %% [markdown]
# The first loss is $\ln 10$, as it must be. Guessing gets one picture in ten right. **Predict**: how many percent of
# the 1,000 test pictures does a classifier of templates get right?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
accuracy = {
    "training": 100 * np.mean((X @ W + b).argmax(axis=1) == labels),
    "test": 100 * np.mean((X_test @ W + b).argmax(axis=1) == test_labels),
}
compare(prediction, accuracy["test"], " %")
print({name: f"{value:.1f} %" for name, value in accuracy.items()})

# %%
figure, axes = panels(1, height=2.6)
per_epoch = np.array(losses).reshape(epochs, -1).mean(axis=1)
axes.plot(np.arange(len(losses)) / (len(losses) / epochs), losses, color=BLUE, alpha=0.3, linewidth=1)
axes.plot(np.arange(epochs) + 0.5, per_epoch, "o-", color=BLUE, markersize=3)
axes.axhline(np.log(10), color=VERMILION, linewidth=1)
axes.text(epochs, np.log(10), "ln 10: no idea ", color=VERMILION, ha="right", va="bottom")
axes.set(title="loss of each batch, and its mean over each epoch", xlabel="epoch (once through all pictures)")
show(figure, "03-curve", "The training loss starts at ln 10 and falls slowly")

# %% [markdown]
# It has learned something, and not much. We can see why. A template is as large as a picture, so look at it as one:
# bright where light pixels speak for the class, dark where they speak against it.

# %%
figure, *ten = panels(10, height=1.4)
templates = W.T.reshape(10, 3, 32, 32).transpose(0, 2, 3, 1).mean(axis=3)
for axes, template, name in zip(ten, templates, classes):
    most = np.abs(template).max()
    axes.imshow(template, vmin=-most, vmax=most)
    axes.set_title(name, fontsize=9, fontweight="normal")
    pictures(axes)
show(figure, "03-templates", "The ten templates: noisy; ring and crescent have a dark centre, the star has rays")

# %% [markdown]
# Something is there: ring and crescent are dark where the hole is, the star has rays. The rest is fog. In the pictures
# the shapes stand in other places, at other sizes, turned. A template has exactly one picture to say all that, and the
# average of many turned squares is a blurred disc. What is missing is a way to say "a corner here *or* there": parts
# that are looked for everywhere, and combined. Parts that are looked for everywhere are lesson 4.
#
# Which class is mistaken for which says the same. The ring, whose hole stays where it is however it is turned, does
# best; pointed shapes run together, and so do round ones with square ones:

# %%
said = (X_test @ W + b).argmax(axis=1)
table = np.zeros((10, 10))
np.add.at(table, (test_labels, said), 1)
figure, axes = panels(1, height=3.8, width=5)
axes.imshow(100 * table / table.sum(axis=1, keepdims=True), cmap="Blues", vmin=0, vmax=60)
pictures(axes)
axes.set(xticks=range(10), yticks=range(10), yticklabels=classes, xlabel="was taken for", ylabel="is")
axes.set_xticklabels(classes, rotation=60, ha="right")
axes.set_title("rows add up to 100 %: darker is more")
show(figure, "03-confusion", "Confusion of the classes: rings are found; stars and arrows are taken for triangles")

# %% [markdown]
# ## The same, for real
#
# minialex's `functional.cross_entropy` is the fused function above, with its backward inside. Train the same templates
# with it, from the same start, in the same order.

# %%
weight, bias = (Tensor(np.zeros(shape, np.float32), requires_grad=True) for shape in ((3072, 10), (10,)))
optimizer = optim.SGD([weight, bias], lr=rate)
for epoch in range(epochs):
    order = np.random.default_rng(epoch).permutation(len(X))
    for start in range(0, len(X), batch):
        chosen = order[start : start + batch]
        loss = functional.cross_entropy(Tensor(X[chosen]) @ weight + bias, labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(f"largest template weight {np.abs(W).max():.3f}; the two sets are {np.abs(weight.data - W).max():.0e} apart")
theirs = functional.cross_entropy(Tensor(np.array([[1e4, -1e4]])), np.array([1])).item()
print(f"loss at logits of +-10,000: minialex {theirs:.0f}, ours {cross_entropy(np.array([[1e4, -1e4]]), [1])[0]:.0f}")
print(f"test accuracy of templates: {accuracy['test']:.1f} %")

# %% [markdown]
# After all those steps the two agree to rounding in 32 bits. Note what the second version no longer contains: no
# gradient formula, neither of the loss nor of the product. Lesson 1's walk finds them, and lesson 2's checker has made
# sure of each. And at logits of ten thousand, which the naive version does not survive, both name the same finite
# price for being sure of the wrong class. Keep the last number: it is what the rest of the lessons
# has to beat. The small convolutional network that `python -m minialex.train` trains on these same pictures in under a
# minute gets more than nine in ten right.

# %% [markdown]
# ## Find the bug
#
# The same templates, trained by somebody else. The loss goes down at first, but the network answers hardly better than
# by guessing, on the very pictures that it was trained with. Every gradient has been checked against nudging.

# %%
def train_again(count, epochs):
    W, b = np.zeros((3072, 10), np.float32), np.zeros(10, np.float32)
    images, right, losses = X[:count].copy(), labels[:count].copy(), []
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(count)                # A
        images = images[order]                                                 # B
        for start in range(0, count, 50):
            some = slice(start, start + 50)                                    # C
            p = softmax(images[some] @ W + b)                                  # D
            gz = (p - np.eye(10)[right[some]]) / len(p)                        # E
            W, b = W - rate * images[some].T @ gz, b - rate * gz.sum(axis=0)   # F
            losses.append(-np.log(p[range(len(p)), right[some]]).mean())
    return losses, 100 * ((X[:count] @ W + b).argmax(axis=1) == labels[:count]).mean()

# %%
for count in (50, min(1000, len(X))):
    losses, accuracy_there = train_again(count, epochs=5)
    print(f"{count} pictures: loss {losses[0]:.2f}, then {losses[-1]:.2f}; {accuracy_there:.0f} % right")

# %% [markdown]
# ### Exercise 3.5 ★★ A line of the loop
#
# Which line is wrong? A letter.

# %% tags=["exercise"]
line = ...

check("3.5", line)

# %% [markdown]
# <details><summary>Solution 3.5</summary>
#
# ```python
# line = "B"
# ```
#
# The pictures are put into another order and the labels are not, so that from the second epoch on nearly every picture
# has another's label. No gradient can tell: each is right, for the wrong question. What tells is the oldest check of
# all. Can the network learn fifty pictures by heart? With right labels it can, with these it cannot.
# </details>

# %% [markdown]
# ## What to read next
#
# * `minialex/functional/loss.py`, `cross_entropy`: with class weights, label smoothing (exercise 3.3), rows to skip.
# * `minialex/backends/numpy_backend.py`, `cross_entropy` and `cross_entropy_backward`: the formulas above.
# * `minialex/data/shapes.py`: how the pictures are drawn, every one from its number alone.
#
# Next: [lesson 4](04_convolution.ipynb), where one small template is looked for everywhere.
