# %% [markdown]
# # 4. Convolution four ways
#
# *AlexNet's second layer makes 224 million multiplications for a single picture. Seven nested loops say all there is
# to say about it, and in Python they take minutes. minialex takes milliseconds and returns the same numbers. What does
# it do differently, and what does that cost?*
#
# You need lessons 1 and 2: what a gradient is, and that a linear function's backward is the product with a transpose.

# %%
import time
import tracemalloc

import numba
import numpy as np
from lesson import BLUE, GRID, INK, PURPLE, VERMILION, check, compare, hint, panels, pick, pictures, show, tint
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from squares import grid, sheet

import minialex
from minialex import Tensor, data, functional, use_backend
from minialex.backends.fast_cpu import transforms

rng = np.random.default_rng(4)

# %% [markdown]
# ## A window slides
#
# A fully connected layer has a weight for every pixel, so an edge on the left and the same edge on the right are two
# things to learn. A **convolution** learns one small *filter* (or *kernel*) and slides it over the whole picture.
# Lay it over a corner, multiply every weight with the pixel beneath, add up: one number of the output. Then move on
# by one pixel. For a picture $x$ and a filter $w$ of $K \times K$ weights,
#
# $$y_{ij} = \sum_{u=0}^{K-1} \sum_{v=0}^{K-1} w_{uv}\, x_{i+u,\; j+v}$$
#
# (Mathematicians turn the filter by 180° first and call this form *cross-correlation*. A filter that is learned can
# as well be learned turned round, so here nobody turns it, and everybody says convolution.)

# %%
bar = np.array([[0, 0, 9, 9, 9, 0]] * 4 + [[0] * 6] * 2)
edge = np.array([[-1, 0, 1]] * 3)
answer = np.array([[(edge * bar[i : i + 3, j : j + 3]).sum() for j in range(4)] for i in range(4)])

seen, made = tint(BLUE, 0.3), tint(VERMILION, 0.4)
figure, axes = sheet(20, 7.2)
grid(axes, bar, "a picture x", 1, fill=lambda i, j: seen if 1 <= i < 4 and j < 3 else "white")
grid(axes, edge, "a filter w", 9, fill=lambda i, j: seen)
grid(axes, answer, "the output y", 15, fill=lambda i, j: made if (i, j) == (1, 0) else "white")
axes.text(8, 2.6, "×", ha="center", fontsize=14)
axes.text(13.5, 2.6, "→", ha="center", fontsize=14)
description = "A 6 by 6 picture, a 3 by 3 filter on nine of its pixels, and the number of the output they make"
show(figure, "04-window", description)

# %% [markdown]
# The blue pixels and the blue weights make the vermilion number. This filter asks "is it brighter on the right than on
# the left?": it answers with a large number at one edge of the bright bar, with a negative one at the other.
#
# ## First way: seven loops
#
# A layer does this for every picture $n$ of a batch, with many filters $o$, and each filter sees all channels $c$
# of its input: red, green and blue, or the outputs of the layer before. Three settings complete it. The **stride**
# $s$ moves the window by more than a pixel. The **padding** $p$ surrounds the picture with zeros, so that the window
# can hang over the edge. (**Groups** come further down.)
#
# $$y_{noij} = \sum_{c,u,v} w_{ocuv}\, x_{n,\; c,\; is+u-p,\; js+v-p}$$

# %%
def conv2d_loops(x, w, y, stride, padding, groups):
    """Fill y (N, O, OH, OW) with the convolution of pictures x (N, C, H, W) and filters w (O, C / groups, K, K)."""
    filters, channels, height, width = w.shape
    for n, o, i, j in np.ndindex(y.shape):
        first, total = o // (filters // groups) * channels, 0.0
        for c in range(channels):
            for u in range(height):
                for v in range(width):
                    row, column = i * stride + u - padding, j * stride + v - padding
                    if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                        total += w[o, c, u, v] * x[n, first + c, row, column]
        y[n, o, i, j] = total

# %% [markdown]
# Here it is on a picture of minialex's own data set, with filters for edges, to the right and downwards.

# %%
scene = data.load("shapes", train_count=40, seed=1).train.fetch([14])[0].mean(axis=1, keepdims=True) / 255
edges = np.stack([edge, edge.T])[:, None] / 3.0
found = np.empty((1, 2, 32, 32))
conv2d_loops(scene, edges, found, 1, 1, 1)
signs = LinearSegmentedColormap.from_list("signs", [BLUE, "white", VERMILION])

figure, left, middle, right = panels(3, height=3.1)
left.imshow(scene[0, 0])
middle.imshow(found[0, 0], cmap=signs, vmin=-0.6, vmax=0.6)
right.imshow(found[0, 1], cmap=signs, vmin=-0.6, vmax=0.6)
for axes, title in zip((left, middle, right), ("the picture", "brighter to the right", "brighter below")):
    pictures(axes)
    axes.set_title(title)
show(figure, "04-edges", "A picture of a shape, and where it gets brighter to the right and downwards")

# %% [markdown]
# How large is the output? The first window starts at $-p$, the last one must end within the padding, and between
# them lie steps of $s$:
#
# $$\text{output} = \left\lfloor \frac{H + 2p - K}{s} \right\rfloor + 1$$

# %%
def output_size(size, kernel, stride=1, padding=0):
    return (size + 2 * padding - kernel) // stride + 1

# %%
def windows(axes, size, kernel, stride, padding):
    """Draw one row of pixels, and below it each place of the window."""
    count = output_size(size, kernel, stride, padding)
    for p in range(-padding, size + padding):
        shade = tint(INK, 0.25) if 0 <= p < size else "white"
        axes.add_patch(Rectangle((p + 0.05, 0), 0.9, 0.8, facecolor=shade, edgecolor=tint(INK, 0.25)))
    for i in range(count):
        axes.add_patch(Rectangle((i * stride - padding + 0.08, 1.2 + i * 0.55), kernel - 0.16, 0.35, facecolor=BLUE))
    pictures(axes)
    axes.set(xlim=(-1.2, size + 1.2), ylim=(5.6, -0.2), title=f"stride {stride}, padding {padding}:\n{count} outputs")

# %%
figure, *four = panels(4, height=2.0)
for axes, setting in zip(four, ((1, 0), (1, 1), (2, 0), (2, 1))):
    windows(axes, 8, 3, *setting)
show(figure, "04-stride", "A row of eight pixels and all windows of three on it, for four pairs of stride and padding")

# %% [markdown]
# The zeros that padding adds are pixels like others: the frame around the two pictures above is an edge that nobody
# drew. Padding 1 keeps a picture's size under 3×3 filters. Stride 2 halves it; without padding the last grey pixel of
# the third drawing is never seen. And the package? It must find what our loops find, settings and all.

# %%
x, w = rng.standard_normal((2, 4, 9, 8)), rng.standard_normal((6, 2, 3, 3))
y = np.empty((2, 6, output_size(9, 3, 2, 1), output_size(8, 3, 2, 1)))
conv2d_loops(x, w, y, stride=2, padding=1, groups=2)
theirs = functional.conv2d(Tensor(x), Tensor(w), None, stride=2, padding=1, groups=2).numpy()
print("shape", theirs.shape, " largest difference", abs(theirs - y).max())

# %% [markdown]
# ## Groups
#
# AlexNet was trained on two graphics cards, each with half of the filters, and in three layers a filter sees only the
# channels that lie on its own card. Written today, that is a convolution with `groups=2`.

# %%
figure, *three = panels(3, height=2.6)
for axes, groups in zip(three, (1, 2, 4)):
    sees = np.kron(np.eye(groups, dtype=int), np.ones((8 // groups, 8 // groups), int))
    pictures(axes)
    axes.imshow(sees, cmap=LinearSegmentedColormap.from_list("sees", ["white", BLUE]), vmin=0, alpha=0.8)
    axes.set(xlabel="channel of the input", ylabel="filter", title=f"groups={groups}: {sees.sum()} kernels")
    axes.hlines(np.arange(9) - 0.5, -0.5, 7.5, GRID, linewidth=0.7)
    axes.vlines(np.arange(9) - 0.5, -0.5, 7.5, GRID, linewidth=0.7)
show(figure, "04-groups", "Which of eight filters sees which of eight channels, for one, two and four groups")

# %% [markdown]
# Twice the groups, half the weights and half the work: a filter's array is $(C/\text{groups}, K, K)$.
#
# ## Second way: one matrix product
#
# In a Python loop the multiplication itself takes next to no time: nearly all of it goes into finding out, at every
# step anew, what is to be multiplied. NumPy is fast where it gets large pieces of work, and nothing is tuned better
# than its matrix product. So *copy* the pixels until the convolution is one. Write the pixels of each window below
# each other, as a column; write each filter as a row. Row times column is the sum above. Making the columns is
# called **im2col**.

# %%
def im2col(x, kernel, stride=1, padding=0):
    """Pictures (N, C, H, W) -> columns (N, C K K, OH OW): a row for each weight, a column for each window."""
    n, c, h, w = x.shape
    rows, cols = output_size(h, kernel, stride, padding), output_size(w, kernel, stride, padding)
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    columns = np.empty((n, c, kernel, kernel, rows, cols), x.dtype)
    for u in range(kernel):
        for v in range(kernel):
            columns[:, :, u, v] = padded[:, :, u : u + stride * rows : stride, v : v + stride * cols : stride]
    return columns.reshape(n, c * kernel * kernel, rows * cols)

# %% [markdown]
# Two loops are left, over the places of the filter; each step copies one pixel for *all* windows at once. To see which
# pixel goes to which column, let the picture hold the pixels' own numbers. Four pixels wear a colour.

# %%
numbers = np.arange(16).reshape(4, 4)
columns = im2col(numbers[None, None], 3)[0]
wears = {5: tint(BLUE, 0.5), 6: tint(VERMILION, 0.5), 9: tint(PURPLE, 0.5), 0: tint(INK, 0.25)}
figure, axes = sheet(23, 10.8)
grid(axes, numbers, "a picture", 1, fill=lambda i, j: wears.get(numbers[i, j], "white"))
for n, (left, top) in enumerate(((7, 1), (11, 1), (7, 6), (11, 6))):
    seen = columns[:, n].reshape(3, 3)
    grid(axes, seen, f"window {n}", left, top, lambda i, j, seen=seen: wears.get(seen[i, j], "white"))
    axes.text(17.5 + n, 10.5, n, ha="center")
grid(axes, columns, "the windows as columns", 17, fill=lambda i, j: wears.get(columns[i, j], "white"))
show(figure, "04-im2col", "The numbered pixels of a picture, its four windows, and these as the columns of a matrix")

# %% [markdown]
# Read a window line by line, and you read its column from top to bottom. Pixel 5 lies in all four windows, so it
# stands in all four columns, each time in another row. Pixel 0 lies in one.
# The convolution itself is now one line, `weights @ columns`, for each group.

# %%
def conv2d_columns(x, w, stride=1, padding=0, groups=1):
    """The same convolution: filters (G, O/G, D) @ columns (N, G, D, L), D = weights of a filter, L = windows."""
    weights = w.reshape(groups, len(w) // groups, -1)
    columns = im2col(x, w.shape[-1], stride, padding).reshape(len(x), groups, weights.shape[2], -1)
    rows = output_size(x.shape[2], w.shape[-1], stride, padding)
    return (weights @ columns).reshape(len(x), len(w), rows, -1)


print("largest difference from the loops", abs(conv2d_columns(x, w, 2, 1, 2) - y).max())

# %% [markdown]
# What does it cost? Memory. **Predict:** conv1 of AlexNet sees pictures of 3×227×227 through windows of 11×11, with
# stride 4. The columns of one picture hold how many times as many numbers as the picture itself?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
before = np.zeros((1, 3, 227, 227), np.float32)
after = im2col(before, 11, 4)
compare(prediction, after.size / before.size, " times")
megabytes = after.nbytes / 1e6
print(f"columns {after.shape[1:]}: {megabytes:.1f} MB for a picture, {128 * megabytes:.0f} MB for a batch of 128")

# %% [markdown] tags=["outcome"]
# A window begins at every fourth pixel in both directions, so a pixel lies in about $(11/4)^2$ of them. With stride 1
# it would be $11^2$.

# %% [markdown]
# ## The way back: col2im
#
# Training needs gradients. im2col only copies, so it is linear: a matrix with a single 1 in each row, which nobody
# writes down. From lesson 2 we know what backward does then: it multiplies with the transpose. Forward
# copies one pixel to many places; so backward **adds**, for each pixel, what arrives from all the places that it was
# copied to. That is **col2im**: the same loops, `=` turned round and made `+=`.

# %%
def col2im(columns, shape, kernel, stride=1, padding=0):
    """Columns (N, C K K, OH OW) -> pictures (N, C, H, W): each entry is added to the pixel it was copied from."""
    n, c, h, w = shape
    rows, cols = output_size(h, kernel, stride, padding), output_size(w, kernel, stride, padding)
    padded = np.zeros((n, c, h + 2 * padding, w + 2 * padding), columns.dtype)
    taps = columns.reshape(n, c, kernel, kernel, rows, cols)
    for u in range(kernel):
        for v in range(kernel):
            padded[:, :, u : u + stride * rows : stride, v : v + stride * cols : stride] += taps[:, :, u, v]
    return padded[:, :, padding : padding + h, padding : padding + w]

# %% [markdown]
# Is it really the transpose? A matrix $A$ and its transpose are tied by
# $\langle A x, y \rangle = \langle x, A^{\mathsf T} y \rangle$ for all $x$ and $y$, where $\langle a, b \rangle$ is
# the sum of products of their entries. So draw $x$ and $y$ at random and look.

# %%
a = im2col(x, 3, 2, 1)
b = rng.standard_normal(a.shape)
print(f"<im2col(x), y> = {(a * b).sum():.12f}")
print(f"<x, col2im(y)> = {(x * col2im(b, x.shape, 3, 2, 1)).sum():.12f}")

# %% [markdown]
# Transposed is not the same as inverted. **Predict:** on a picture of 7×7 ones, with windows of 3×3 and stride 2,
# what is the largest number in `col2im(im2col(ones))`?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
ones = np.ones((1, 1, 7, 7))
figure, axes = sheet(25, 8.2)
for n, (kernel, stride) in enumerate(((3, 1), (3, 2), (2, 2))):
    overlap = col2im(im2col(ones, kernel, stride), ones.shape, kernel, stride)[0, 0]
    title = f"windows {kernel}×{kernel}, stride {stride}"
    grid(axes, overlap, title, 1 + 8 * n, fill=lambda i, j, overlap=overlap: tint(BLUE, 0.08 * overlap[i, j]))
    if (kernel, stride) == (3, 2):
        compare(prediction, overlap.max())
show(figure, "04-col2im", "In how many windows each pixel of a 7 by 7 picture lies, for three kinds of windows")

# %% [markdown] tags=["outcome"]
# Each number says in how many windows its pixel lies, and therefore how many gradients are added there. Only windows
# that do not overlap give the picture back; at 2×2 the last row and column belong to no window at all.

# %% [markdown]
# With col2im, the backward pass is two more matrix products. Forward is $Y = W X$, with the columns $X$. If $G$ arrives
# as the gradient of $Y$, then $G X^{\mathsf T}$ is that of $W$ and $W^{\mathsf T} G$ that of $X$; col2im takes it home.

# %%
def conv2d_columns_backward(gy, x, w, stride=1, padding=0):
    """(gx, gw) from the gradient gy of the output."""
    gy, weights = gy.reshape(*gy.shape[:2], -1), w.reshape(len(w), -1)
    columns = im2col(x, w.shape[-1], stride, padding)
    gw = (gy @ columns.swapaxes(1, 2)).sum(axis=0).reshape(w.shape)
    return col2im(weights.T @ gy, x.shape, w.shape[-1], stride, padding), gw


x, w = Tensor(rng.standard_normal((2, 4, 9, 8)), True), Tensor(rng.standard_normal((6, 4, 3, 3)), True)
y = functional.conv2d(x, w, None, 2, 1)
gy = rng.standard_normal(y.shape)
y.backward(gy)
gx, gw = conv2d_columns_backward(gy, x.numpy(), w.numpy(), 2, 1)
print("largest differences from minialex: gx", abs(gx - x.grad.numpy()).max(), " gw", abs(gw - w.grad.numpy()).max())

# %% [markdown]
# ## Third way: the loops, compiled
#
# **Numba** turns a Python function into machine code when it is first called. It likes just what Python is slow at:
# plain loops over arrays. Here is the first way again, not a character changed.

# %%
conv2d_compiled = numba.njit(conv2d_loops)
start = time.perf_counter()
small = np.ones((1, 2, 4, 4), np.float32), np.ones((2, 1, 3, 3), np.float32), np.ones((1, 2, 2, 2), np.float32)
conv2d_compiled(*small, 1, 0, 2)
print(f"the first call, compiling: {time.perf_counter() - start:.1f} s")

# %% [markdown]
# ## Fourth way: fewer multiplications
#
# So far every way makes the same products. A filter of three weights on a row of four pixels has two outputs, of six
# products. **Winograd's algorithm** makes four:

# %%
g, d = np.array([1, 2, 3]), np.array([2, 7, 1, 8])
a = (d[2] - d[0]) * -g[0]
b = (d[1] + d[2]) * (g[0] + g[1] + g[2]) / 2
c = (d[2] - d[1]) * (g[0] - g[1] + g[2]) / 2
e = (d[3] - d[1]) * g[2]
print(f"four products: {a:g}, {b:g}, {c:g}, {e:g}; the outputs a + b + c = {a + b + c:g}, b - c + e = {b - c + e:g}")
print("six products:  1·2 + 2·7 + 3·1 =", g @ d[:3], " and 1·7 + 2·1 + 3·8 =", g @ d[1:])

# %% [markdown]
# The sums of weights are made once for all places, those of pixels once for all filters. Four products remain for each
# filter and place.
#
# How does one find such formulas? The transpose again. From the gradient $y$ of the outputs, `col2im` gives pixel $k$
# the sum of $g_v\,y_{k-v}$: a coefficient of the product of polynomials $g(x)\,y(x)$. With $r$ weights and $m$ outputs
# it has $n=m+r-1$ coefficients, so its values at $n$ points determine it. Evaluate both factors there, multiply the
# values, interpolate: $B\,[(Gg)\odot(Ay)]$, with $n$ products in place of $mr$. (One point may be infinity: the value
# there is the leading coefficient.) The transpose of that is the convolution itself, called $F(m,r)$:
#
# $$y = A^{\mathsf T} \left[ (G g) \odot (B^{\mathsf T} d) \right]$$
#
# A point $p$ is a row of $A$ and of $G$, its powers; and a column of $B$, the coefficients of $\prod(x-q)$ over the
# other finite points $q$ (Lagrange's formula). $G$ has been divided by the value of that product at $p$.

# %%
def winograd_matrices(outputs, points):
    """A^T (m, n), G (n, r) and B^T (n, n) of F(m, r), for any n = m + r - 1 points."""
    n, taps = len(points), len(points) - outputs + 1
    at, g, bt = np.zeros((outputs, n)), np.zeros((n, taps)), np.zeros((n, n))
    for j, p in enumerate(points):
        others = [q for q in points if q not in (p, np.inf)]
        bt[j, : len(others) + 1] = np.poly(others)[::-1]
        if p == np.inf:
            at[-1, j] = g[j, -1] = 1
        else:
            at[:, j] = p ** np.arange(outputs)
            g[j] = p ** np.arange(taps) / np.prod([p - q for q in others])
    return at, g, bt

# %%
at, spread, bt = (matrix + 0.0 for matrix in winograd_matrices(2, (0, 1, -1, np.inf)))  # -0 becomes 0
u, v = spread @ g, bt @ d
y = at @ (u * v)
print("the outputs:", y)

# %%
hues = [tint(color, 0.4) for color in (BLUE, VERMILION, PURPLE, INK)]
parts = (spread, "G", 2), (g, "g", 5.7), (u, "G g", 8), (bt, "Bᵀ", 11), (d, "d", 15.7), (v, "Bᵀ d", 18)
parts += (u * v, "product", 21), (at, "Aᵀ", 24), (y, "y", 29.4)
figure, axes = sheet(31, 5.4)
for values, title, left in parts:
    hue = {"Aᵀ": lambda i, j: hues[j]}.get(title, lambda i, j: hues[i])
    fill = hue if title not in "gdy" else lambda i, j: "white"
    grid(axes, values.reshape(len(values), -1), title, left, fill=fill)
for row, name in enumerate(("p = 0", "p = 1", "p = −1", "p = ∞")):
    axes.text(1.8, 1.53 + row, name, ha="right", va="center")
for left in (7.35, 17.35, 28.7):
    axes.text(left, 1.53, "=", ha="center", va="center", fontsize=12)
show(figure, "04-winograd", "F(2, 3) on four pixels: its matrices, a colour for each point, and its four products")

# %% [markdown]
# A colour is a point: a row of $G$ and $B^{\mathsf T}$, a product, a column of $A^{\mathsf T}$. In two dimensions each
# matrix works from both sides, on tiles of $n \times n$ pixels that overlap by $r-1$:
#
# $$Y = A^{\mathsf T} \left[ \sum_c (G g_c G^{\mathsf T}) \odot (B^{\mathsf T} d_c B) \right] A$$
#
# `im2col` cuts the tiles: windows of $n$ with stride $m$. With a tile as a column, $G$ from both sides is one product
# with `np.kron(G, G)`. And in each of the $n^2$ places of a tile, the sum over channels is a matrix product.
#
# **Predict:** an output of a 5×5 filter takes 25 multiplications for each channel. How many with $F(4,5)$?

# %% tags=["prediction"]
prediction = ...

# %%
def conv2d_winograd(x, w, points, padding=0, groups=1):
    """The same convolution of stride 1 by F(m, r); r is the filters' size, m = n - r + 1 for n points."""
    n, r = len(points), w.shape[-1]
    m, high, wide = n - r + 1, *(output_size(size, r, 1, padding) for size in x.shape[2:])
    at, g, bt = (np.kron(matrix, matrix).astype(x.dtype) for matrix in winograd_matrices(m, points))
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding + -high % m), (padding, padding + -wide % m)))  # whole tiles
    v = bt @ im2col(x, n, m).reshape(len(x), groups, w.shape[1], n * n, -1)
    u = g @ w.reshape(groups, -1, r * r).swapaxes(1, 2)
    products = u.reshape(groups, n * n, -1, w.shape[1]) @ v.swapaxes(2, 3)  # (O/G, C/G) @ (C/G, tiles), n n times
    y = (at @ products.swapaxes(2, 3)).reshape(len(x), len(w), m, m, -(-high // m), -(-wide // m))
    y = y.transpose(0, 1, 4, 2, 5, 3)
    return y.reshape(len(x), len(w), m * y.shape[2], m * y.shape[4])[:, :, :high, :wide]

# %%
def usual(n):
    """The n points that most programs take."""
    return (*(0, 1, -1, 2, -2, 1 / 2, -1 / 2, 4, -4)[: n - 1], np.inf)


# %% tags=["outcome"]
# n n products make m m outputs
compare(prediction, 8**2 / 4**2)
print(f"edges of the shape: {abs(conv2d_winograd(scene, edges, usual(6), 1) - found).max():.1e} from the loops")
x = rng.standard_normal((2, 6, 13, 11))
for m, r in ((4, 3), (5, 3), (4, 5)):
    n, w = m + r - 1, rng.standard_normal((4, 3, r, r))
    apart = abs(conv2d_winograd(x, w, transforms.POINTS[n], 1, 2) - conv2d_columns(x, w, 1, 1, 2)).max()
    same = map(np.array_equal, winograd_matrices(m, transforms.POINTS[n]), transforms.matrices(m, r))
    print(f"F({m}, {r}): {n * n}/{m * m} = {n * n / m / m:.2f} multiplications for {r * r},", end=" ")
    print(f"{apart:.1e} from im2col; minialex's matrices: {all(same)}")

# %% [markdown]
# Larger tiles, fewer products for each output: $F(8,3)$, by the points 0, ±1, ±2, ±½, ±4 and ∞, makes 1.56 for an
# output. But float32 keeps seven digits. **Predict:** its largest error is how many times that of the direct sum?

# %% tags=["prediction"]
prediction = ...

# %%
def largest_errors(taps, *choices):
    """Of a float32 convolution over 256 channels, by F(m, taps) for choices of points; () for the direct sum."""
    x = rng.standard_normal((2, 256, 26, 26), np.float32)
    w = rng.standard_normal((32, 256, taps, taps), np.float32)
    exact = conv2d_columns(x.astype(float), w.astype(float), 1, 1)
    ys = (conv2d_winograd(x, w, points, 1) if points else conv2d_columns(x, w, 1, 1) for points in choices)
    return [abs(y - exact).max() / exact.std() for y in ys]

# %% tags=["outcome"]
best = transforms.POINTS
rows = [(3, p) for p in ((), usual(4), usual(6), best[6], usual(7), best[7], usual(8), usual(10))]
rows += [(5, p) for p in ((), usual(7), best[7], usual(8))]
errors = np.array([e for size in (3, 5) for e in largest_errors(size, *(p for taps, p in rows if taps == size))])
compare(prediction, round(errors[7] / errors[0]), " times")
names, counts, most = [], [], [taps**2 for taps, _ in rows]
for taps, points in rows:
    m = len(points) - taps + 1
    own = ", minialex's points" if points in (best[6], best[7]) else ""
    names.append(f"F({m}, {taps}){own}" if points else f"{taps}×{taps}, direct")
    counts.append((len(points) / m) ** 2 if points else taps**2)
colors = [VERMILION if "minialex" in name else BLUE if "F" in name else INK for name in names]

# %% tags=["outcome"]
figure, left, right = panels(2, height=3.6, sharey=True, width_ratios=(2, 3))
places = np.arange(len(rows)) + 0.6 * (np.array(most) > 9)
left.barh(places, np.divide(counts, most), color=colors, height=0.6)
left.bar_label(left.containers[0], [f"{count:.3g} of {total}" for count, total in zip(counts, most)], padding=3)
right.axvline(5e-5, color=INK, linestyle=":", linewidth=1)
right.scatter(errors, places, color=colors, zorder=3)
for error, place in zip(errors, places):
    label = right.text(error * 1.25, place, f"{error:.1e}", va="center")
    label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
left.set(title="multiplications for an output", yticks=places, yticklabels=names, xlim=(0, 1.4), xticks=[])
right.set(title="largest float32 error over the output's std", xscale="log", xlim=(1e-6, 1e-1))
left.grid(False)
right.grid(axis="y", visible=False)
left.invert_yaxis()
show(figure, "04-digits", "Multiplications and float32 errors of direct convolutions and of several F(m, r)")

# %% [markdown] tags=["outcome"]
# High powers make large numbers, which must cancel, and each digit that cancels is lost. Points near ±1 have small
# powers; but points near each other are hard to tell apart. Of seven, 0, ±1, ±2, ½ and ∞ are usual; minialex's 0, ±⅝,
# ±9/8, ±3 lose about half as much: $F(5,3)$ stays below the dotted line, the most that minialex accepts. Errors grow
# with the channels, so every $F(m,r)$ is taken up to a certain number of them.

# %% [markdown]
# And strides? conv1 moves 11×11 weights, with zeros 12×12, by 4 pixels. Let the 16 pixels of every 4×4 block be
# channels, and it is a convolution of stride 1: 3×3 over 48 channels in place of 3.
#
# ## Which is the fastest?
#
# All of them now on AlexNet's second layer: 96 channels of 27×27, 256 filters of 5×5, padding 2, two groups. A
# **FLOP** is one multiplication or addition of floats; speed is counted in billions of them a second, GFLOP/s.
# Python's loops would take too long: they get four filters on four channels, and the compiled ones a single picture.
# The time of the whole batch is then reckoned from that.
#
# **Predict** which is faster on one batch: the compiled loops, or the columns, with all that copying.

# %% tags=["prediction"] choices=["the loops, compiled", "the columns"]
prediction = ...

# %%
def measure(run, operations):
    """(GFLOP/s in the best of three runs after a first, MB of memory in use beside the result)."""
    result, seconds = run(), []
    for _ in range(3):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    run()
    memory = tracemalloc.get_traced_memory()[1] - result.nbytes
    tracemalloc.stop()
    return operations / min(seconds) / 1e9, memory / 1e6

# %%
def ours(convolve, x, w):
    y = np.empty((len(x), len(w), *x.shape[2:]), x.dtype)
    convolve(x, w, y, 1, 2, 2)
    return y


def package(backend):
    use_backend(backend)
    with minialex.no_grad():
        return functional.conv2d(Tensor(x), Tensor(w), None, 1, 2, groups=2).numpy()

# %%
batch = pick(smoke=2, quick=16)
x = rng.standard_normal((batch, 96, 27, 27), np.float32)
w = rng.standard_normal((256, 48, 5, 5), np.float32) / 35
one, few = 2 * 256 * 27 * 27 * 48 * 25, 2 * 4 * 27 * 27 * 2 * 25  # operations: a picture; four of its channels
operations = batch * one
results = {
    "loops in Python": measure(lambda: ours(conv2d_loops, x[:1, :4], w[:4, :2]), few),
    "loops, compiled": measure(lambda: ours(conv2d_compiled, x[:1], w), one),
    "im2col, NumPy": measure(lambda: conv2d_columns(x, w, 1, 2, 2), operations),
    "Winograd, NumPy": measure(lambda: conv2d_winograd(x, w, usual(8), 2, 2), operations),
    "minialex, numpy": measure(lambda: package("numpy"), operations),
    "minialex, numba": measure(lambda: package("numba"), operations),
}

# %% tags=["outcome"]
speeds, memory = np.array(list(results.values())).T
compare(prediction, "the loops, compiled" if speeds[1] > speeds[2] else "the columns")
seconds = operations / speeds / 1e9
names = [f"{name}\n{s:,.{0 if s > 10 else 2}f} s" for name, s in zip(results, seconds)]
figure, left, right = panels(2, height=3.2, sharey=True)
sides = (left, speeds, BLUE, 0, "speed, GFLOP/s"), (right, memory, VERMILION, 0.002, "memory in use, MB")
for axes, values, colour, least, title in sides:
    axes.barh(names, values, color=colour, height=0.6)
    axes.bar_label(axes.containers[0], [f"{v:,.3g}" if v > least else "none" for v in values], padding=3)
    axes.set(title=title)
    axes.grid(axis="y", visible=False)
left.set(xscale="log", xlim=(speeds.min() / 3, speeds.max() * 5))
right.set(xlim=(0, memory.max() * 1.2))
left.invert_yaxis()
show(figure, "04-speed", "Speed and memory of six ways to compute one convolution")

# %% [markdown] tags=["outcome"]
# The columns are 25 times as large as the pictures, and yet the copying pays. The compiled loops fetch both factors of
# every product anew, add one product at a time, and use one core. A matrix product takes small blocks of both
# matrices, keeps them in the registers, next to the arithmetic, and uses each number many times, eight or sixteen at
# once.

# %% [markdown]
# minialex's `numpy` backend is your second way, with one difference that you see on the right: it makes the columns of
# one picture at a time, and they stay in the processor's cache. Its `numba` backend makes them for a few rows at a
# time, in compiled loops on all cores; or, as here, it takes $F(4,5)$, with less than a fifth of the multiplications.
# (GFLOP/s are counted as if all were made.) Your own saves as many, but spends time on copying and transforming;
# compiled, both happen in the cache.

# %%
again = np.empty((1, 256, 27, 27), np.float32)
conv2d_compiled(x[:1], w, again, 1, 2, 2)
apart = abs(package("numba")[:1] - again).max()
use_backend("numpy")
print(f"minialex and the seven loops are at most {apart:.1e} apart, in numbers up to {abs(again).max():.1f}")
print(f"THE CLOSING NUMBER: the same convolution, {speeds.max() / speeds[0]:,.0f} times as fast as the loops in Python")

# %% [markdown]
# ## Exercises

# %% [markdown]
# ### Exercise 4.1 ★ What a layer learns
#
# AlexNet's second layer has 256 filters of 5×5 over 96 channels, in two groups, and a bias for each filter. How many
# numbers does it learn?

# %% tags=["exercise"]
parameters = ...

check("4.1", parameters)

# %% [markdown]
# <details><summary>Solution 4.1</summary>
#
# ```python
# parameters = 256 * (96 // 2 * 5 * 5) + 256
# ```
#
# Each filter has a kernel for the 48 channels of its own group only.
# </details>

# %% [markdown]
# ### Exercise 4.2 ★ A convolution
#
# Convolve a picture (H, W) with a filter (K, K): stride 1, no padding. Two loops are enough.

# %% tags=["exercise"]
def convolve(picture, kernel):
    ...


check("4.2", convolve)

# %% [markdown]
# <details><summary>Solution 4.2</summary>
#
# ```python
# def convolve(picture, kernel):
#     k = len(kernel)
#     y = np.empty((picture.shape[0] - k + 1, picture.shape[1] - k + 1))
#     for i, j in np.ndindex(y.shape):
#         y[i, j] = (kernel * picture[i : i + k, j : j + k]).sum()
#     return y
# ```
#
# A window can begin at $H - K + 1$ rows: the last one ends with the picture.
# </details>

# %% [markdown]
# ### Exercise 4.3 ★★ col2im in one dimension
#
# `columns[v, j]` arrives for place `v` of window `j`, which begins at pixel `j * stride`. Return the gradient of the
# row of `size` pixels.

# %% tags=["exercise"]
def fold(columns, size, stride):
    ...


check("4.3", fold)

# %% [markdown]
# <details><summary>Solution 4.3</summary>
#
# ```python
# def fold(columns, size, stride):
#     pixels = np.zeros(size)
#     for (v, j), value in np.ndenumerate(columns):
#         pixels[j * stride + v] += value
#     return pixels
# ```
#
# With `=` in place of `+=`, a pixel that several windows see would hear from the last one only.
# </details>

# %% [markdown]
# ### Exercise 4.4 ★★★ A filter's gradient
#
# Without im2col. In the lesson's first formula $w_{uv}$ meets $x_{i+u,\, j+v}$ for every output $y_{ij}$. From the
# picture `x` and `gy`, the gradient of the output, compute that of the filter.

# %% tags=["exercise"]
def filter_gradient(x, gy):
    ...


check("4.4", filter_gradient)

# %% [markdown]
# <details><summary>Solution 4.4</summary>
#
# ```python
# def filter_gradient(x, gy):
#     h, w = gy.shape
#     gw = np.empty((x.shape[0] - h + 1, x.shape[1] - w + 1))
#     for u, v in np.ndindex(gw.shape):
#         gw[u, v] = (gy * x[u : u + h, v : v + w]).sum()
#     return gw
# ```
#
# It is 4.2 once more: the picture is convolved, and the gradient of the output is the filter.
# </details>

# %% [markdown]
# ### Exercise 4.5 ★★ Whole tiles
#
# $F(m, r)$ computes a map of `size` × `size` outputs in tiles of `m` × `m`; what hangs over the edge is thrown away.
# How many multiplications does it make, for one channel and one filter?

# %% tags=["exercise"]
def multiplications(size, m, r):
    ...


check("4.5", multiplications)

# %% [markdown]
# <details><summary>Solution 4.5</summary>
#
# ```python
# def multiplications(size, m, r):
#     return (-(-size // m) * (m + r - 1)) ** 2
# ```
#
# For conv3's maps of 13×13, $F(4,3)$ makes 576, $F(5,3)$ 441, and $F(6,3)$ again 576: 13 is three tiles of 5, and
# three of 6 as well.
# </details>

# %% [markdown]
# ## Find the bug
#
# A convolution as a sum of $K^2$ products, one for each place in the window. It has passed its tests, with strides,
# with padding, with three channels.

# %%
def conv_by_places(x, w, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))    # A
    kernel = w.shape[2]                                                        # B
    rows = (x.shape[2] - kernel) // stride + 1                                 # C
    columns = (x.shape[2] - kernel) // stride + 1                              # D
    y = np.zeros((len(x), len(w), rows, columns))
    for u in range(kernel):
        for v in range(kernel):
            seen = x[:, :, u : u + stride * rows : stride, v : v + stride * columns : stride]   # E
            y += np.einsum("nchw,oc->nohw", seen, w[:, :, u, v])               # F
    return y

# %%
generator = np.random.default_rng(4)
for side, kernel, stride, padding in ((7, 3, 1, 0), (8, 3, 2, 1), (9, 5, 2, 2), (6, 1, 1, 0)):
    x, w = generator.normal(0, 1, (2, 3, side, side)), generator.normal(0, 1, (4, 3, kernel, kernel))
    theirs = functional.conv2d(Tensor(x), Tensor(w), None, stride, padding).numpy()
    print(side, kernel, stride, padding, np.allclose(conv_by_places(x, w, stride, padding), theirs))

# %% [markdown]
# ### Exercise 4.6 ★★ A line of the convolution
#
# Which line is wrong? A letter.

# %% tags=["exercise"]
line = ...

check("4.6", line)

# %% [markdown]
# <details><summary>Solution 4.6</summary>
#
# ```python
# line = "D"
# ```
#
# The number of columns is computed from the height, `x.shape[2]`, and all pictures in the tests were square. With $7
# \times 9$ pixels the last two columns are not computed at all, and with $9 \times 7$ it stops with an error.
# </details>

# %% [markdown]
# ## What to read next
#
# * `minialex/functional/convolution.py`, `conv2d`: the formulas, forward and backward in one function.
# * `minialex/backends/numpy_backend.py`, `_ConvBuffers.im2col` and `col2im`: yours, with `Window.taps` of
#   `minialex/window.py` in place of the slices, and one copy over six axes in place of the two loops.
# * `minialex/backends/fast_cpu/im2col.py`, `conv2d`: the columns of a few rows at a time, compiled.
# * `minialex/backends/fast_cpu/transforms.py`, `matrices`: yours; then how they become lines of code without zeros.
# * `minialex/backends/fast_cpu/winograd.py`: the formulas, and backward; `tiles.py` beside it cuts and joins tiles,
#   and `blocks.py` turns strides into channels.
# * `minialex/backends/fast_cpu/ways.py`: which layer takes which $F(m,r)$, by what a product and a transform cost.
#
# Next: [lesson 5](05_pooling.ipynb), about two layers that learn nothing and still have gradients.
