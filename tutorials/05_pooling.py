# %% [markdown]
# # 5. Pooling and normalisation
#
# *Two kinds of layers in AlexNet have no weights. One keeps the largest of nine numbers and forgets the rest; one lets
# the loud silence the quiet. Neither learns anything, so what is there to send back through them, and to whom?*
#
# You need lesson 2 (gradients as vector-Jacobian products) and from lesson 4 the window that slides, with its stride.

# %%
import numpy as np
from lesson import BLUE, INK, PURPLE, VERMILION, check, compare, hint, panels, pick, pictures, show, tint
from matplotlib.patches import Rectangle
from squares import grid, sheet

from minialex import Tensor, data, functional
from minialex.gradcheck import gradcheck

rng = np.random.default_rng(5)

# %% [markdown]
# ## Keep the largest
#
# A convolution's output says *how strongly* a filter found its pattern at each place. For recognising a cat it hardly
# matters whether an ear stands two pixels further left. **Max-pooling** lays a window over each channel and keeps
# the largest number, and with a stride of 2 it leaves a quarter of the numbers:
#
# $$y_{ij} = \max \,\{\; x_{is+u,\; js+v} \;:\; 0 \le u, v < K \;\}$$

# %%
def max_pool(x, kernel, stride):
    """One channel (H, W): the largest number of every window."""
    rows, columns = (x.shape[0] - kernel) // stride + 1, (x.shape[1] - kernel) // stride + 1
    y = np.empty((rows, columns))
    for i, j in np.ndindex(y.shape):
        y[i, j] = x[i * stride : i * stride + kernel, j * stride : j * stride + kernel].max()
    return y


picture = data.load("shapes", train_count=40, seed=1).train.fetch([14])[0].mean(axis=1) / 255
edge = np.array([[[[-1.0, 0, 1]] * 3]])
found = np.maximum(functional.conv2d(Tensor(picture[None]), Tensor(edge)).numpy()[0, 0], 0)

# %%
figure, *three = panels(3, height=3.2)
shown = (found, "edges to the right"), (max_pool(found, 2, 2), "windows 2×2"), (max_pool(found, 3, 2), "windows 3×3")
for axes, (values, title) in zip(three, shown):
    axes.imshow(values, vmin=0, vmax=found.max())
    pictures(axes)
    axes.set_title(f"{title}: {values.shape[0]}×{values.shape[1]}")
show(figure, "05-pooled", "What an edge filter finds in a picture, and the same after two kinds of pooling")

# %% [markdown]
# Both have stride 2. The windows of 2×2 stand side by side; those of 3×3 **overlap** by a row and a column, so a strong
# answer may win twice. AlexNet pools with 3 and 2: the paper found 0.4 points fewer errors that way. (What such a
# number can tell, and what it cannot, is a matter for lesson 9.)
#
# ## Where gradients go
#
# Nudge a number that is not the largest of its window: nothing happens. Nudge the largest: the output follows it, one
# to one. So the slope is 1 for the winner and 0 for the others. Backward sends each gradient to the place where its
# window's winner stood, and where windows overlap, it **adds**:
#
# $$\frac{\partial L}{\partial x_{ab}}
# = \sum_{\text{windows } ij \text{ that } x_{ab} \text{ won}} \frac{\partial L}{\partial y_{ij}}$$

# %%
def max_pool_backward(gy, x, kernel, stride):
    """Each gradient goes to the first largest number of its window."""
    gx = np.zeros(x.shape)
    for i, j in np.ndindex(gy.shape):
        window = x[i * stride : i * stride + kernel, j * stride : j * stride + kernel]
        u, v = np.unravel_index(window.argmax(), window.shape)
        gx[i * stride + u, j * stride + v] += gy[i, j]
    return gx

# %% [markdown]
# **Predict:** below is a picture of 5×5, pooled with windows of 3×3 and stride 2. Four gradients of 1 arrive, one for
# each window. How large is the gradient in the middle, at the 9?
#
# ```text
# 1 0 2 3 1
# 0 4 1 0 2
# 2 1 9 5 0
# 3 0 6 1 8
# 7 2 0 1 3
# ```

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
x = np.array([[1, 0, 2, 3, 1], [0, 4, 1, 0, 2], [2, 1, 9, 5, 0], [3, 0, 6, 1, 8], [7, 2, 0, 1, 3]], float)
gx = max_pool_backward(np.ones((2, 2)), x, 3, 2)
compare(prediction, gx[2, 2])

# %%
def outlines(axes, left, top):
    """The four windows of 3x3 with stride 2, each a little smaller than it is, so that all can be seen."""
    for n, color in enumerate((BLUE, VERMILION, PURPLE, INK)):
        place = left + n % 2 * 2 + 0.08, top + n // 2 * 2 + 0.08
        axes.add_patch(Rectangle(place, 2.84, 2.84, facecolor="none", edgecolor=color, linewidth=1.6, alpha=0.8))


gy, own = np.array([[1.0, 2], [3, 4]]), ((BLUE, VERMILION), (PURPLE, INK))
lower = x.copy()
lower[2, 2] = 1
figure, axes = sheet(24, 13.2)
for top, values in ((1, x), (7.8, lower)):
    grid(axes, values, "pixels, and four windows", 1, top)
    outlines(axes, 1, top)

# %% tags=["outcome"]
for top, values in ((1, x), (7.8, lower)):
    sent = max_pool_backward(gy, values, 3, 2)
    grid(axes, max_pool(values, 3, 2), "largest", 7.6, top, lambda i, j: tint(own[i][j], 0.3))
    grid(axes, gy, "gradients arrive", 12, top, lambda i, j: tint(own[i][j], 0.3))
    grid(axes, sent, "and go to the winners", 17.6, top, lambda i, j, g=sent: tint(VERMILION, 0.06 * g[i, j]))
show(figure, "05-winners", "Four overlapping windows, their winners, and where the gradients 1, 2, 3 and 4 go")

# %% [markdown] tags=["outcome"]
# Above, the 9 wins in all four windows and collects all four gradients. Below, it was replaced by a 1, and now each
# window has a winner of its own. All other pixels hear nothing: max-pooling teaches only those who won. An
# *average* over the window would tell everyone, each a ninth.

# %% [markdown]
# Now against the package, on numbers drawn at random.

# %%
values = rng.standard_normal((13, 13))
t = Tensor(values[None, None], requires_grad=True)
y = functional.max_pool2d(t, 3, 2)
gy = rng.standard_normal(y.shape)
y.backward(gy)
print("forward: ", abs(max_pool(values, 3, 2) - y.numpy()[0, 0]).max())
print("backward:", abs(max_pool_backward(gy[0, 0], values, 3, 2) - t.grad.numpy()[0, 0]).max())

# %% [markdown]
# ## Ties
#
# What if two are equally large? At a tie the maximum has a kink: nudge one of the two upwards and the output follows;
# nudge it downwards and the output stays, because the other one holds it. The slope is 1 on one side and 0 on the
# other, and no gradient is *the* right one. Someone has to choose. torch and minialex send it to the first winner. The
# program that trained AlexNet in 2012 sent it to *every* one, undivided.
#
# A freak case? Behind a ReLU, which turns all negative numbers into zeros, it is not rare at all.

# %%
def max_pool_backward_all(gy, x, kernel, stride):
    """As in 2012: every number that equals the largest of its window gets the whole gradient."""
    gx = np.zeros(x.shape)
    for i, j in np.ndindex(gy.shape):
        here = np.s_[i * stride : i * stride + kernel, j * stride : j * stride + kernel]
        gx[here] += gy[i, j] * (x[here] == x[here].max())
    return gx


before = [[-1, -2, -1, 1, -3], [-2, -1, -4, -1, -1], [-1, -3, -2, -1, 2], [3, -1, -1, -2, -1], [-2, -4, 1, -1, -3]]
flat = np.maximum(np.array(before), 0)
ones = np.ones((2, 2))

# %%
figure, axes = sheet(22, 6.3)
ways = (max_pool_backward, "to the first"), (max_pool_backward_all, "to every one")
grid(axes, flat, "behind a ReLU", 1)
outlines(axes, 1, 1)
for n, (way, title) in enumerate(ways):
    g = way(ones, flat, 3, 2)
    grid(axes, g, f"{title}: {g.sum():g} in all", 8.5 + 7 * n, 1, lambda i, j, g=g: tint(VERMILION, 0.12 * g[i, j]))
show(figure, "05-ties", "A picture with ties, and four gradients sent to the first winners or to all of them")

# %% [markdown]
# Four gradients of 1 came in. The first window holds nothing but zeros, so each of its nine pixels won, and the old
# rule hands out more than it got. It did no great harm: where a ReLU made the zero, it also blocks the gradient. But
# whoever compares two programs number by number should know of it, and whoever checks a gradient by finite differences
# should keep away from the kink.
#
# ## The loud silence the quiet
#
# In the retina, a strongly excited cell damps its neighbours. AlexNet imitates that with **local response
# normalisation** (LRN). Each number is divided by what its neighbours do: those at the same place in the $n = 5$
# adjoining *channels*, itself among them.
#
# $$y_i = x_i\, d_i^{-\beta}, \qquad d_i = k + a \sum_{j \,\in\, \text{window}(i)} x_j^2$$
#
# The window runs from $i - \lfloor n/2 \rfloor$, over $n$ channels; those that do not exist are left out. $k$ keeps the
# divisor away from zero, and $\beta = 3/4$. Take $a = 0.2$ and $k = 1$ for now, to see it at work.

# %%
def neighbours(values, n=5):
    """(C,) -> the sum over each channel's window."""
    total = np.zeros(len(values))
    for i in range(len(values)):
        total[i] = values[max(i - n // 2, 0) : i - n // 2 + n].sum()
    return total


def lrn(x, a=0.2, k=1.0, beta=0.75):
    return x * (k + a * neighbours(x**2)) ** -beta

# %%
quiet = np.array([1.0, 0.8, 1.1, 0.9, 1.0, 1.2, 0.9, 1.0, 0.8, 1.1, 1.0, 0.9])
loud = quiet.copy()
loud[5] = 5
figure, left, right = panels(2, height=2.8)
for axes, values, title in ((left, quiet, "all alike"), (right, loud, "channel 5 is loud")):
    places = np.arange(len(values))
    axes.bar(places - 0.2, values, 0.4, color=tint(INK, 0.3), label="x")
    axes.bar(places + 0.2, lrn(values), 0.4, color=BLUE, label="y")
    axes.set(title=title, xlabel="channel", xticks=places, ylim=(0, 5.3))
    axes.grid(axis="x", visible=False)
    axes.legend()
show(figure, "05-inhibition", "Twelve channels before and after normalisation, without and with a loud one")

# %% [markdown]
# On the right, channels 3, 4, 6 and 7 lose more than half of what they had: they live next to channel 5. Channels
# compete for the right to speak.
#
# ## Its gradient, by hand
#
# $x_i$ appears in several outputs: in its own, on top and in the divisor, and in its neighbours' divisors. So derive
# $y_c = x_c d_c^{-\beta}$ along $x_i$, with the product rule. The first part exists only for $c = i$; the second
# wherever window $c$ holds $i$, because there $\partial d_c / \partial x_i = 2 a x_i$:
#
# $$\frac{\partial y_c}{\partial x_i} = [c = i]\; d_c^{-\beta}
# - [\,i \in \text{window}(c)\,]\; 2 a \beta\, x_i\, x_c\, d_c^{-\beta - 1}$$
#
# where $[\ldots]$ is 1 if what it holds is true, and 0 otherwise.
#
# Backward multiplies with what arrives, $g_c$, and sums over all $c$:
#
# $$\frac{\partial L}{\partial x_i} = g_i\, d_i^{-\beta}
# - 2 a \beta\, x_i \sum_{c \,:\; i \in \text{window}(c)} g_c\, x_c\, d_c^{-\beta-1}$$
#
# The first term is what one writes down at once. The second, the **cross term**, is the neighbours' complaint: had
# $x_i$ been quieter, they would have been louder. For odd $n$ the windows that hold $i$ are just those of the channels
# in the window of $i$, so the same `neighbours` adds them up.

# %%
def lrn_backward(g, x, a=0.2, k=1.0, beta=0.75):
    d = k + a * neighbours(x**2)
    return g * d**-beta - 2 * a * beta * x * neighbours(g * x * d ** (-beta - 1))


jacobian = np.stack([lrn_backward(row, loud) for row in np.eye(12)])
only_own = np.diag((1 + 0.2 * neighbours(loud**2)) ** -0.75)
figure, left, right = panels(2, height=3.3)
for axes, matrix, title in ((left, jacobian, "the whole gradient"), (right, only_own, "without the cross term")):
    image = axes.imshow(matrix, cmap="RdBu", vmin=-0.3, vmax=0.3)
    axes.set(title=title, xlabel="input channel i", ylabel="output channel c", xticks=range(12), yticks=range(12))
    axes.grid(False)
figure.colorbar(image, ax=[left, right], label="slope", shrink=0.9, extend="both")
show(figure, "05-jacobian", "The slope of every output along every input, with and without the cross term")

# %% [markdown]
# One row for each output: blue, it grows with that input; red, it shrinks. The column of channel 5 is the inhibition.
# Even its own square is reddish: it is so loud that growing louder makes its own output *smaller*, because for large
# $x$ the divisor $(x^2)^{3/4}$ grows faster than $x$. The diagonal on the right knows nothing of that.
#
# Is it right? Ask the package, and finite differences, which know nothing of our algebra.

# %%
shape = (1, 12, 1, 1)
g = rng.standard_normal(12)
t = Tensor(loud.reshape(shape), requires_grad=True)


def normalize(t):
    return functional.local_response_norm(t, 5, 0.2, 0.75, 1.0, alpha_over="element")


normalize(t).backward(g.reshape(shape))
ours = lrn_backward(g, loud)
missing = abs(g @ only_own - ours).max()
print(f"minialex's gradient is {abs(ours - t.grad.numpy().ravel()).max():.1e} away from ours")
print(f"the cross term is up to {missing:.2g}, in gradients up to {abs(ours).max():.2g}: no detail")
print(f"minialex against finite differences: {gradcheck(normalize, loud.reshape(shape)).error:.1e}")

# %% [markdown]
# ## Which alpha do you mean?
#
# The paper prints $\alpha = 10^{-4}$ in front of the plain sum, and $k = 2$. The program behind the paper
# reads $10^{-4}$ from its settings too, and divides it by $n = 5$ before use. torch and Caffe divide as well, and both
# start from $k = 1$. One word, one number, three functions:
#
# | who | $k$ | $a$ for "alpha = 1e-4", n = 5 | in minialex |
# |---|---|---|---|
# | the paper, section 3.3 | 2 | 1e-4 | `alpha_over="element", k=2` |
# | its program, 2012 | 2 | 1e-4 / 5 = 2e-5 | `alpha_over="window", k=2` |
# | Caffe's AlexNet, torch's default | 1 | 2e-5 | `alpha_over="window", k=1` |
#
# **Predict:** all five channels of a window respond with 1, as in a network whose activities are kept near 1. By what
# factor does Caffe's output exceed the paper's: about 1, 1.2, 1.7 or 5?

# %% tags=["prediction"] choices=["about 1", "about 1.2", "about 1.7", "about 5"]
prediction = ...

# %%
conventions = {
    "the paper": ("element", 2.0),
    "its program, 2012": ("window", 2.0),
    "Caffe, torch": ("window", 1.0),
}


def response(strength, alpha_over, k):
    """What remains of five channels that all respond with `strength`; the middle one's y / x."""
    x = np.tile(np.asarray(strength, float), (1, 5, 1, 1))
    y = functional.local_response_norm(Tensor(x), 5, 1e-4, 0.75, k, alpha_over=alpha_over).numpy()
    return y[0, 2, 0] / strength

# %% tags=["outcome"]
one = {name: response(np.ones(1), *convention)[0] for name, convention in conventions.items()}
compare(prediction, f"about {one['Caffe, torch'] / one['the paper']:.2g}")

strengths = np.geomspace(1, 1000, pick(smoke=50, quick=200))
figure, axes = panels(height=3.3)
for (name, (over, k)), color in zip(conventions.items(), (VERMILION, PURPLE, BLUE)):
    axes.plot(strengths, response(strengths, over, k), color=color, label=name)
    half = np.sqrt(k / (5 * (1e-4 if over == "element" else 2e-5)))
    axes.plot(half, response(np.array([half]), over, k), "o", color=color)
    print(f"{name:<18} y = {one[name]:.3f} x for quiet channels; the divisor d doubles at {half:.0f}")
axes.set(xscale="log", ylim=(0, 1.05), xlabel="response of all five channels", ylabel="what remains, y / x",
         title="three layers with alpha = 1e-4")
axes.legend()
show(figure, "05-alpha", "What remains of a response under three conventions; dots: where the divisor has doubled")

# %% [markdown] tags=["outcome"]
# Two surprises. With activities around 1, *nothing* is inhibited: $d$ is $k$ to three digits, and the whole layer is a
# multiplication with $2^{-3/4}$, or with 1. These constants go with pixels from 0 to 255 and responses in the tens and
# hundreds. Feed the same network pictures scaled to std 1, and the layer is asleep. And the choice of $k$, which
# looks harmless, changes every quiet response; that of $a$ only the loud ones.

# %% [markdown]
# A network trained under one convention and run under another still answers, with other numbers, and no error message
# tells. So minialex has a word for it, `alpha_over`, and each of its networks called AlexNet says which one it means.

# %%
strong = np.array([100.0])
paper, program = (response(strong, *conventions[name])[0] for name in ("the paper", "its program, 2012"))
share = 100 * paper / program
print(f"THE CLOSING NUMBER: at responses of 100 the paper's formula gives {share:.0f} % of what its program computed")

# %% [markdown]
# ## Exercises

# %% [markdown]
# ### Exercise 5.1 ★ A padded row
#
# Max-pooling in one dimension, padded by `padding` places on both sides. Padding must never win. `x` is a row of
# numbers.

# %% tags=["exercise"]
def pool_row(x, kernel, stride, padding):
    ...


check("5.1", pool_row)

# %% [markdown]
# <details><summary>Solution 5.1</summary>
#
# ```python
# def pool_row(x, kernel, stride, padding):
#     padded = np.pad(x, padding, constant_values=-np.inf)
#     count = (len(padded) - kernel) // stride + 1
#     return np.array([padded[i * stride : i * stride + kernel].max() for i in range(count)])
# ```
#
# A convolution is padded with 0, which adds nothing to a sum. What adds nothing to a maximum is $-\infty$.
# </details>

# %% [markdown]
# ### Exercise 5.2 ★★ Its gradient
#
# Without padding: `gy[i]` goes to the first winner of window `i`.

# %% tags=["exercise"]
def pool_row_backward(gy, x, kernel, stride):
    ...


check("5.2", pool_row_backward)

# %% [markdown]
# <details><summary>Solution 5.2</summary>
#
# ```python
# def pool_row_backward(gy, x, kernel, stride):
#     gx = np.zeros(len(x))
#     for i, g in enumerate(gy):
#         gx[i * stride + x[i * stride : i * stride + kernel].argmax()] += g
#     return gx
# ```
#
# `argmax` returns the first of equals, and `+=` lets a number win twice.
# </details>

# %% [markdown]
# ### Exercise 5.3 ★★ The divisor
#
# Return the divisor $d$ of all channels `x` (C,) as Caffe and torch mean it: `alpha`, `n` and `k` as they are given to
# those.

# %% tags=["exercise"]
def divisor(x, n, alpha, k):
    ...


check("5.3", divisor)

# %% [markdown]
# <details><summary>Solution 5.3</summary>
#
# ```python
# def divisor(x, n, alpha, k):
#     sums = [(x[max(i - n // 2, 0) : i - n // 2 + n] ** 2).sum() for i in range(len(x))]
#     return k + alpha / n * np.array(sums)
# ```
#
# The sum is divided by $n$ at the edges as well, where fewer channels are in it.
# </details>

# %% [markdown]
# ### Exercise 5.4 ★★★ Another cross term
#
# Batch normalisation, which took LRN's place after 2015, subtracts the mean and divides by the std. Take the second
# half alone, for a row $x$: $y = x / s$ with $s = \sqrt{\text{mean}(x^2)}$. Return `gx`, given `gy` and `x`. (Every $x$
# is in the $s$ of every $y$.)

# %% tags=["exercise"]
def scale_backward(gy, x):
    ...


check("5.4", scale_backward)

# %% [markdown]
# <details><summary>Solution 5.4</summary>
#
# ```python
# def scale_backward(gy, x):
#     s = (x**2).mean() ** 0.5
#     y = x / s
#     return (gy - y * (gy * y).mean()) / s
# ```
#
# $\partial s / \partial x_i = x_i / (N s)$, so $\partial y_c / \partial x_i = [c = i] / s - x_c x_i / (N s^3)$. The
# second part is a cross term, as in LRN: a louder $x_i$ makes all others quieter. That of the first half, the mean, you
# met in exercise 2.4: $\text{gx} = \text{gy} - \text{mean}(\text{gy})$.
# </details>

# %% [markdown]
# ## Find the bug
#
# A max-pooling with padding. In somebody's network it stands behind a ReLU, and works.

# %%
def max_pool(x, kernel, stride, padding):
    height, width = x.shape
    padded = np.pad(x, padding)                                                # A
    rows = (height + 2 * padding - kernel) // stride + 1                       # B
    columns = (width + 2 * padding - kernel) // stride + 1                     # C
    y = np.empty((rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = padded[i * stride : i * stride + kernel, j * stride : j * stride + kernel]   # D
            y[i, j] = window.max()                                             # E
    return y


x = np.maximum(np.random.default_rng(5).normal(0, 1, (7, 9)), 0)
theirs = functional.max_pool2d(Tensor(x[None, None]), 3, 2, 1).numpy()[0, 0]
print("as minialex's:", np.array_equal(max_pool(x, 3, 2, 1), theirs))

# %% [markdown]
# ### Exercise 5.5 ★★ A line of the pooling
#
# Which line is wrong? A letter.

# %% tags=["exercise"]
line = ...

check("5.5", line)

# %% [markdown]
# <details><summary>Solution 5.5</summary>
#
# ```python
# line = "A"
# ```
#
# `np.pad` pads with zeros, and a zero wins against negative numbers: padding has to be $-\infty$, which never wins.
# Behind a ReLU there are no negative numbers, so nobody notices, until the layers are swapped.
# </details>

# %% [markdown]
# ## What to read next
#
# * `minialex/functional/pooling.py`, `max_pool2d`, and `minialex/backends/numpy_backend.py`, `max_pool2d_backward`: no
#   loop over windows, but one over the nine places of the window, for all windows at once.
# * `minialex/functional/normalization.py`, `local_response_norm`, with both alphas; below it `batch_norm`, whose cross
#   terms are those of 2.4 and 5.4.
# * `minialex/models/table.py`, `paper_lrn`, and `minialex/models/released.py`: the paper's norm and its program's.
#
# Next: [lesson 6](06_training.ipynb), where all these layers finally learn something.
