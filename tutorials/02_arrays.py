# %% [markdown]
# # 2. From scalars to arrays
#
# *Somebody hands you a gradient of a million numbers. How do you find out whether it is right, without trusting anyone,
# in a few lines?*
#
# Lesson 1 kept one object for every number. Multiplying two matrices of $64 \times 64$ would take half a million of
# them. Frameworks keep one object for a whole array instead. That changes the arithmetic of the backward pass from
# numbers to arrays, and it opens the door to a kind of bug that runs, trains, and is wrong. So this lesson is about two
# things: how gradients look when they are arrays, and how to catch a wrong one.

# %%
import numpy as np
from drawings import matrix
from lesson import BLUE, INK, PURPLE, VERMILION, check, compare, hint, panels, pick, pictures, show, tint

from minialex import Tensor, functional
from minialex.functional.arithmetic import unbroadcast as package_unbroadcast
from minialex.gradcheck import gradcheck

rng = np.random.default_rng(0)

# %% [markdown]
# ## The matrix that nobody builds
#
# Let $y = f(x)$ turn $n$ numbers into $m$ numbers. Each output may depend on each input, so there are $m \cdot n$
# slopes. Put them into a table, one row an output, one column an input. That is the *Jacobian*:
#
# $$J_{ij} = \frac{\partial y_i}{\partial x_j}$$
#
# Nudging finds it, a column for each input. Here it is for four functions of eight numbers.

# %%
def jacobian(f, x, h=1e-6):
    """All slopes, by nudging one input at a time in both directions."""
    columns = [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))]
    return np.stack(columns, axis=1)


def softmax(x):
    """From any numbers to positive ones that add up to 1."""
    e = np.exp(x - x.max())  # the same shares as exp(x) gives, but nothing overflows: lesson 3
    return e / e.sum()


x = rng.normal(0, 1, 8)
functions = {"tanh": np.tanh, "running sum": np.cumsum, "reversed": lambda x: x[::-1].copy(), "softmax": softmax}

# %%
figure, *four = panels(4, height=2.6)
for axes, (name, f) in zip(four, functions.items()):
    J = jacobian(f, x)
    most = np.abs(J).max()
    axes.imshow(J, cmap="PuOr", vmin=-most, vmax=most)
    axes.set(title=name, xlabel="input")
    pictures(axes)
four[0].set_ylabel("output")
show(figure, "02-jacobians", "Jacobians: a diagonal, a triangle, the other diagonal, and, for softmax, a full table")

# %% [markdown]
# (Brown is negative, purple positive, white zero.) `tanh` works on each number alone, so its table is empty off the
# diagonal. A running sum depends on all that came before. In `softmax` everything depends on everything: if one share
# grows, all the others shrink.
#
# Nobody builds this table. Behind AlexNet's first convolution, a ReLU bends 290,400 numbers of a single picture. Its
# Jacobian has 84 billion entries, and all but those of the diagonal are zero. But look at what the walk of lesson 1
# needs. It arrives with one gradient for each output, $g_i$, how much the loss grows when $y_i$ grows. It
# leaves with one for each input. The loss feels $x_j$ through all the outputs, and ways add up:
#
# $$\text{gx}_j = \sum_i g_i\, J_{ij}$$
#
# That is a product of a vector with the Jacobian, *vector-Jacobian product* in the books, and it can always be computed
# directly, by a line of code that never sees the table. Such a line is what every `backward` in a framework is. The
# vector $g$ is called the *cotangent*.
#
# Where the Jacobian is the same at every $x$, as for the running sum and for the reversal, the function is *linear*: it
# is the product $y = J x$ with one matrix, written down or not. Backward is then the product with the transpose,
# $\text{gx} = J^{\mathsf T} g$. Lesson 4 makes much of that.

# %%
def tanh_backward(x, g):
    return g * (1 - np.tanh(x) ** 2)


def cumsum_backward(x, g):
    return g[::-1].cumsum()[::-1]  # x_j is in all sums from the j-th on


def reversed_backward(x, g):
    return g[::-1].copy()


def softmax_backward(x, g):
    p = softmax(x)
    return p * (g - (g * p).sum())

# %%
g = rng.normal(0, 1, 8)
backwards = [tanh_backward, cumsum_backward, reversed_backward, softmax_backward]
for (name, f), backward in zip(functions.items(), backwards):
    print(f"{name:12} largest difference from g J: {np.abs(backward(x, g) - g @ jacobian(f, x)).max():.1e}")

# %% [markdown]
# For the matrix product, the workhorse, the two lines are worth knowing by heart. With $Y = X W$:
#
# $$\text{gX} = \text{gY}\; W^{\mathsf T} \qquad\qquad \text{gW} = X^{\mathsf T}\; \text{gY}$$
#
# You need not remember where the transposes go. A gradient has the shape of what it is the gradient of, and there is
# only one way to make the shapes fit.

# %% [markdown]
# ### Exercise 2.1 ★ The matrix product
#
# For $Y = X W$ return `(gX, gW)`, given `gY`. Let the shapes guide you.

# %% tags=["exercise"]
def matmul_backward(x, w, gy):
    ...


check("2.1", matmul_backward)

# %% [markdown]
# <details><summary>Solution 2.1</summary>
#
# ```python
# def matmul_backward(x, w, gy):
#     return gy @ w.T, x.T @ gy
# ```
#
# In the tried cases all matrices are square, so a transpose in the wrong place runs without complaint, and only its
# numbers are wrong. It is the most expensive kind of bug: silent.
# </details>

# %% [markdown]
# ## When shapes stretch
#
# NumPy lets you add a row of three numbers, a *bias*, to a matrix of four rows. It behaves as if the row had been
# copied four times. This is *broadcasting*.
#
# **Predict** the gradient of the bias `b` when every entry of the result has the gradient 1, except for the first row,
# whose entries have 10. What is the shape of `gb`, and what is its first number?

# %% tags=["prediction"]
prediction = ...  # the first number of gb

# %% tags=["outcome"]
X, b = rng.integers(0, 9, (4, 3)).astype(float), np.array([100.0, 200.0, 300.0])
gY = np.ones((4, 3))
gY[0] = 10
gb = gY.sum(axis=0)
compare(prediction, gb[0])

# %% tags=["outcome"]
figure, first, second, third, fourth = panels(4, height=2.2, width_ratios=(3, 3, 3, 3))
warm, cool = tint(VERMILION, 0.25), tint(BLUE, 0.25)
matrix(first, b[None], "b, three numbers", cool)
matrix(second, X + b, "Y = X + b: four copies", cool)
matrix(third, gY, "gY arrives", warm)
matrix(fourth, gb[None], "gb: the copies add up", warm)
show(figure, "02-broadcast", "Forward, b is copied into four rows; backward, the four rows of gY are added into one")

# %% [markdown] tags=["outcome"]
# One number went four ways, so four gradients come back, and they add up: 13, in the shape of `b`. There is nothing new
# in it; it is the `+=` of lesson 1.

# %% [markdown]
# **Copying forward is summing backward**, and summing forward is copying backward. So after every operation that
# broadcasts, a gradient has to be summed over whatever was stretched. NumPy lines shapes up from the right; it puts new
# axes in front, and it stretches axes of length 1.

# %%
def unbroadcast(gradient, shape):
    """Sum over all that broadcasting had copied, so that the gradient has its operand's shape again."""
    while gradient.ndim > len(shape):
        gradient = gradient.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            gradient = gradient.sum(axis=axis, keepdims=True)
    return gradient


gradient = rng.integers(-9, 10, (5, 4, 3)).astype(float)
for shape in ((3,), (4, 1), (1, 4, 3), (5, 1, 1), (), (5, 4, 3)):
    same = np.array_equal(unbroadcast(gradient, shape), package_unbroadcast(gradient, shape))
    print(f"{shape!s:10} same as minialex's: {same}")

# %% [markdown]
# ### Exercise 2.2 ★★ A mean
#
# For a matrix `x` and `y = x.mean(axis)` return `gx`, in the shape of `x`.

# %% tags=["exercise"]
def mean_backward(x, axis, gy):
    ...


check("2.2", mean_backward)

# %% [markdown]
# <details><summary>Solution 2.2</summary>
#
# ```python
# def mean_backward(x, axis, gy):
#     return np.broadcast_to(np.expand_dims(gy, axis) / x.shape[axis], x.shape)
# ```
#
# Summing forward is copying backward; the division by the number of entries stays where it is.
# </details>

# %% [markdown]
# ### Exercise 2.3 ★★ A column, stretched
#
# For `y = a * b`, where `a` has shape (4, 3) and `b` shape (4, 1), return `(ga, gb)`, each in its operand's shape.

# %% tags=["exercise"]
def scale_backward(a, b, gy):
    ...


check("2.3", scale_backward)

# %% [markdown]
# <details><summary>Solution 2.3</summary>
#
# ```python
# def scale_backward(a, b, gy):
#     return gy * b, (gy * a).sum(axis=1, keepdims=True)
# ```
#
# First the slope, as if nothing had been stretched, then the sum over what was: `unbroadcast(gy * a, b.shape)`.
# </details>

# %% [markdown]
# ## How small is a small nudge?
#
# To check a gradient we compare it with nudging, which knows no calculus and so cannot make the same mistake. But
# nudging is not exact. There are two ways to do it, from one side and from both:
#
# $$\frac{f(x + h) - f(x)}{h} \qquad\qquad \frac{f(x + h) - f(x - h)}{2h}$$
#
# A curve bends, so a large $h$ is wrong by about $h$, or, from both sides, by about $h^2$, because the bend to the left
# and the bend to the right cancel. A smaller $h$ is better, then.
#
# **Predict**: from both sides, with 64-bit numbers, which $h$ gives the smallest error: `1e-15`, `1e-10` or `1e-5`?

# %% tags=["prediction"] choices=["1e-15", "1e-10", "1e-5"]
prediction = ...

# %% tags=["outcome"]
curves = {}
for name, real, low in (("64 bits", np.float64, -15), ("32 bits", np.float32, -7)):
    at, hs = real(1), np.logspace(low, 0, 16 * -low + 1)
    one = [(np.sin(at + real(h)) - np.sin(at)) / real(h) for h in hs]
    both = [(np.sin(at + real(h)) - np.sin(at - real(h))) / (2 * real(h)) for h in hs]
    for side, slopes in (("one side", one), ("both sides", both)):
        curves[f"{side}, {name}"] = hs, np.abs(np.array(slopes, float) / np.cos(1.0) - 1)
hs, errors = curves["both sides, 64 bits"]
errors = np.array([errors[np.argmin(np.abs(np.log10(hs / h)))] for h in (1e-15, 1e-10, 1e-5)])
compare(prediction, ("1e-15", "1e-10", "1e-5")[errors.argmin()])

# %% tags=["outcome"]
figure, axes = panels(1, height=3.6)
looks = {
    "one side, 64 bits": ("--", PURPLE, (1.5e-8, 3e-6)), "both sides, 64 bits": ("-", BLUE, (2e-5, 8e-13)),
    "one side, 32 bits": ("--", INK, (1e-4, 5e-2)), "both sides, 32 bits": ("-", VERMILION, (1e-2, 2e-7)),
}
for name, (hs, errors) in curves.items():
    dash, color, place = looks[name]
    errors, best = np.maximum(errors, 1e-13), errors.argmin()
    axes.loglog(hs, errors, dash, color=color, linewidth=1.4)
    axes.plot(hs[best], errors[best], "o", color=color)
    axes.text(*place, name, color=color)
axes.set(title="error of a slope found by nudging: sin at 1", xlabel="size h of the nudge", ylabel="relative error")
show(figure, "02-v", "Four V-shaped curves: errors fall as h shrinks, then rise again from rounding")

# %% [markdown] tags=["outcome"]
# Each curve is a V. On the right, the bend: one side falls with slope 1, both sides with slope 2. On the left,
# *rounding*: $f(x + h)$ and $f(x - h)$ agree in nearly all of their digits, their difference keeps only what is left,
# and dividing by a tiny $h$ blows that up. With 64-bit numbers, of relative precision $\varepsilon \approx 10^{-16}$,
# the rounding error is about $\varepsilon / h$, the bend about $h^2$, and the two are equal near
# $h = \sqrt[3]{\varepsilon} \approx 10^{-5}$. With 32 bits even the best nudge leaves only a few digits. Hence the
# rules for every checker: **64-bit numbers, both sides, $h$ near $10^{-5}$.**

# %% [markdown]
# ## Many outputs
#
# One problem is left. Nudging checks one number, and `softmax` returns many. The obvious idea is to add them up, check
# the gradient of the sum, and be done: start with $g = (1, 1, \ldots, 1)$. Many tutorials do exactly that.

# %%
def error_of(f, backward, x, g):
    """The largest difference between backward and nudging, relative to the largest slope."""
    numeric = g @ jacobian(f, x)
    return np.abs(backward(x, g) - numeric).max() / max(np.abs(numeric).max(), 1e-6)


def zeros(x, g):
    return np.zeros_like(x)

# %% [markdown]
# Let us try that on a `softmax_backward` that returns nothing but zeros. **Predict**: what error does a check through
# the sum report for it? About 1, that is, completely wrong? Or about 0?

# %% tags=["prediction"] choices=["about 1", "about 0"]
prediction = ...

# %% tags=["outcome"]
compare(prediction, f"about {error_of(softmax, zeros, x, np.ones(8)):.0f}")

# %% [markdown] tags=["outcome"]
# The probabilities always add up to 1. Their sum does not move however you nudge, so its gradient *is* zero, and a
# backward pass that computes nothing is perfectly right about it. A network with it would never learn, and the check
# would be green.

# %% [markdown]
# It costs one line to weight the outputs with random numbers before adding them up. With a random $g$, outputs that
# cancel each other no longer do, and ones that got swapped are told apart. Seven suspects, checked in both ways:

# %%
suspects = {
    "softmax: zeros": (softmax, zeros),
    "softmax: without its second term": (softmax, lambda x, g: softmax(x) * g),
    "x - mean: zeros": (lambda x: x - x.mean(), zeros),
    "reversed: not turned back": (functions["reversed"], lambda x, g: g.copy()),
    "running sum: the wrong way": (np.cumsum, lambda x, g: g.cumsum()),
    "tanh: right": (np.tanh, tanh_backward),
    "softmax: right": (softmax, softmax_backward),
}
found = {"sum": np.ones(8), "random": rng.normal(0, 1, 8)}
errors = {way: [error_of(*s, x, g) for s in suspects.values()] for way, g in found.items()}

# %% tags=["outcome"]
figure, axes = panels(1, height=3.2)
rows = np.arange(len(suspects))[::-1]
for (way, values), color, marker in zip(errors.items(), (VERMILION, BLUE), "so"):
    axes.plot(np.clip(values, 1e-12, 4), rows, marker, color=color, markersize=8, label=f"checked through: {way}")
axes.axvspan(1e-4, 10, color=tint(INK, 0.06), zorder=0)
axes.text(10, -0.95, "caught ", ha="right", va="bottom")
axes.set(xscale="log", yticks=rows, yticklabels=suspects, xlim=(5e-13, 10), ylim=(-1, len(suspects) - 0.4))
axes.set(title="seven backward passes, five of them wrong", xlabel="reported error")
axes.legend(loc="upper left", bbox_to_anchor=(0.22, 1), fontsize=8)
show(figure, "02-sum", "A check through the sum passes wrong gradients; through random numbers all five are caught")

# %% [markdown] tags=["outcome"]
# Squares in the white area on wrong rows are bugs that the sum has let pass. The random cotangent catches every one.
# (A square with a middling error is rounding, divided by a true slope of zero: it does not even tell right from wrong.)
# Note the row "not turned back": permutations, reshapes and transposes are where real code goes wrong, and a vector of
# ones looks the same after any of them.

# %% [markdown]
# ### Exercise 2.4 ★★ What zeros would miss
#
# For three numbers, $y = x - \text{mean}(x)$. What is `gx` for the cotangent $g = (1, 0, 0)$? Three numbers.

# %% tags=["exercise"]
centred = ...

check("2.4", centred)

# %% [markdown]
# <details><summary>Solution 2.4</summary>
#
# ```python
# centred = [2 / 3, -1 / 3, -1 / 3]
# ```
#
# $y_1 = x_1 - (x_1 + x_2 + x_3)/3$. In general $\text{gx} = g - \text{mean}(g)$: the operation is its own backward.
# </details>

# %% [markdown]
# ## The checker of the house
#
# You now have all parts of a gradient checker: 64 bits, both sides, the right $h$, a random cotangent. minialex's is
# `gradcheck`; it adds the care for *kinks*, such as ReLU's at 0, where there is no slope to compare with. Let it judge
# a layer you know, a function written right here, and the same with a bug in it.

# %%
def softplus(input, slip=0.0):
    """A smooth ReLU.   y = log(1 + e^x)      gx = gy / (1 + e^-x)"""
    x = input.data

    def backward(gy):
        return (gy / (1 + np.exp(-x)) * (1 + slip),)

    return Tensor.from_operation(np.logaddexp(0, x), backward, input)


x = rng.normal(0, 1, pick(smoke=(3, 4), quick=(8, 25)))
results = {
    "softmax": gradcheck(lambda x: functional.softmax(x, 1), x),
    "softplus": gradcheck(softplus, x),
    "softplus, off by three millionths": gradcheck(lambda x: softplus(x, slip=3e-6), x),
}
for name, result in results.items():
    print(f"{name:33} error {result.error:.0e} over {result.entries} entries: {'fine' if result.ok else 'WRONG'}")

# %% [markdown]
# A slip of three millionths in a formula, which no training would ever show, is seen at once.
#
# Last, do the two checkers agree, ours of four lines and the package's? Both judge the gradient of the softmax at the
# same point, ours by `softmax_backward`, the package's by its own backward pass. The closing number of this lesson is
# how far apart nudging and calculus are when both are right.

# %%
point, g = rng.normal(0, 1, 8), rng.normal(0, 1, 8)
tensor = Tensor(point, requires_grad=True)
functional.softmax(tensor, 0).backward(g)
by_hand = softmax_backward(point, g)
print(f"ours and minialex's softmax gradient: {np.abs(tensor.grad.numpy() - by_hand).max():.1e} apart")
theirs = gradcheck(lambda x: functional.softmax(x, 0), point)
print(f"calculus and nudging, relatively: {error_of(softmax, softmax_backward, point, g):.1e} apart, says our checker,")
print(f"and minialex's, whose measure is stricter, {theirs.error:.1e}")

# %% [markdown]
# Nine or ten digits, from a method that knows nothing but how to evaluate the function. Whenever you write a backward
# pass, for the rest of your life, you can have this for the price of four lines.

# %% [markdown]
# ## Find the bug
#
# A layer of three inputs and three outputs, with a softmax over each row and a factor for each column of what comes
# out. Every shape is right, nothing fails, and the gradient of the sum is nearly right as well.

# %%
def layer(x, w, b, scale):
    z = x @ w + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p * scale, p


def layer_backward(x, w, scale, p, gy):
    gscale = (gy * p).sum(axis=0)               # A
    gp = gy * scale                             # B
    gz = p * (gp - (gp * p).sum(axis=1))        # C
    gw = x.T @ gz                               # D
    gb = gz.sum(axis=0)                         # E
    return gz @ w.T, gw, gb, gscale             # F

# %%
def errors(rows):
    """How far each gradient of the layer is from nudging, for a batch of so many rows."""
    x, w, b, scale = (rng.normal(0, 1, shape) for shape in ((rows, 3), (3, 3), (3,), (3,)))
    gy = rng.normal(0, 1, (rows, 3))
    found = layer_backward(x, w, scale, layer(x, w, b, scale)[1], gy)
    given, apart = [x, w, b, scale], {}
    for i, name in enumerate(("gx", "gw", "gb", "gscale")):
        def f(flat, i=i):
            return layer(*given[:i], flat.reshape(given[i].shape), *given[i + 1 :])[0].ravel()
        numeric = gy.ravel() @ jacobian(f, given[i].ravel())
        apart[name] = round(float(np.abs(found[i].ravel() - numeric).max()), 6)
    return apart


print(errors(rows=3))

# %% [markdown]
# ### Exercise 2.5 ★★ A line of backward
#
# Which line is wrong? A letter.

# %% tags=["exercise"]
line = ...

check("2.5", line)

# %% [markdown]
# <details><summary>Solution 2.5</summary>
#
# ```python
# line = "C"
# ```
#
# `(gp * p).sum(axis=1)` has a number for each *row*, in the shape $(3,)$, and NumPy lines it up with the *columns*.
# With three rows and three columns nobody complains: `keepdims=True` is missing. `errors(rows=4)` stops with an error
# in this line. Square shapes hide mistakes; that is why minialex's tests have N, C, H and W that all differ.
# </details>

# %% [markdown]
# ## What to read next
#
# * `minialex/functional/arithmetic.py`: `unbroadcast`, and `add`, `mul`, `matmul`, which call it where you can see it.
# * `minialex/gradcheck.py`, `gradcheck`: the loop above, the kinks, and the sentence that says where it is wrong.
#   `python -m minialex.gradcheck` checks every operation of the package.
# * `tests/helpers/mutants.py`: backward passes broken on purpose; the checker must reject each of them.
#
# Next: [lesson 3](03_softmax.ipynb), where arrays become pictures, and numbers become an opinion about them.
