# %% [markdown]
# # 10. CUDA without a GPU
#
# *A graphics card makes thirty trillion multiplications a second, by having tens of thousands of threads do the same
# thing at once. What does a program for that look like, why is the obvious one slow, and how can you find out on a
# computer that has no such card?*
#
# You need lesson 4: the convolution, and im2col. Not needed: C++, beyond reading `for` and `if`, or a graphics card.

# %%
import ladder
import numpy as np
from lesson import BLUE, GRID, PALE, VERMILION, check, compare, hint, panels, pick, pictures, show, stop, tint
from matplotlib.patches import Rectangle
from squares import sheet

import minialex
from minialex import Tensor, data, functional, models, use_backend
from minialex.backends.cuda import emulator, instructions
from minialex.backends.cuda import launch as cuda_launch
from minialex.support import resources
from minialex.window import Window

# %%
rng = np.random.default_rng(10)
try:
    emulator.compiler()
except OSError as error:
    stop(f"This lesson needs a compiler: {error}")

# %% [markdown]
# minialex's kernels for graphics cards (**GPUs**) are the files in `kernels/`, written in CUDA, NVIDIA's C++. Its
# *emulator* hands the very same files to an ordinary compiler and runs them on your processor: slowly, but it can
# watch. It sees every access to memory. A GPU by itself says nothing of what follows.
#
# ## One function, a thousand threads
#
# A **kernel** describes what *one* thread does. Here is a ReLU. All that stands before its name says: a kernel.
# `global<const REAL> x` is an array that it reads, `global<REAL> y` one that it writes; `REAL` stands for `float`, and
# `(REAL)0` is a zero of that kind. `c ? a : b` is Python's `a if c else b`.

# %%
RELU = """
extern "C" __global__ void my_relu(global<const REAL> x, global<REAL> y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    REAL value = x[i];
    y[i] = value > 0 ? value : (REAL)0;
}
"""
n = 90
x = rng.standard_normal(n).astype(np.float32)
y = np.empty_like(x)
report = emulator.check("my_relu", 3, 32, x, y, n, text=RELU)  # 3 blocks of 32 threads
print("right:", np.array_equal(y, np.maximum(x, 0)), f" {report.loads} loads, {report.stores} stores")

# %% [markdown]
# There is no loop. Whoever starts the kernel says how many threads there are, and each works out from its own number
# which element is its own. Threads come in **blocks** of equal size (`blockDim`); a thread knows its block
# (`blockIdx`) and its place in it (`threadIdx`). In NumPy's world this would be
#
# ```python
# for block in range(3):          # in any order, or at once
#     for thread in range(32):    # likewise
#         my_relu(...)
# ```
#
# Let the threads write down who they are, and draw it.

# %%
WHERE = """
extern "C" __global__ void sign_here(global<int> block, global<int> thread, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) { block[i] = blockIdx.x; thread[i] = threadIdx.x; }
}
"""
block, thread = np.empty(n, np.int32), np.empty(n, np.int32)
report = emulator.check("sign_here", 3, 32, block, thread, n, text=WHERE)

# %%
figure, axes = sheet(36, 5.4)
for b in range(3):
    axes.text(2.6, 1.5 + 1.4 * b, f"block {b}", ha="right", va="center", fontweight="bold")
    for t in range(32):
        axes.add_patch(Rectangle((3 + t, 1 + 1.4 * b), 0.92, 1, facecolor="white", edgecolor=GRID))
for i in range(n):
    left, top = 3 + thread[i], 1 + 1.4 * block[i]
    axes.add_patch(Rectangle((left, top), 0.92, 1, facecolor=tint(BLUE, 0.25 + 0.2 * block[i]), edgecolor="white"))
    axes.text(left + 0.46, top + 0.53, i, ha="center", va="center", fontsize=7.5)
for t in (0, 8, 16, 24, 31):
    axes.text(3.46 + t, 0.6, t, ha="center", va="center", fontsize=8)
axes.text(2.6, 0.6, "thread", ha="right", va="center")
show(
    figure, "10-threads", "Ninety elements and the threads of three blocks that have written them; six threads are idle"
)

# %% [markdown]
# Ninety elements, 96 threads. The last six have nothing to do, and `if (i >= n) return;` keeps them from doing it.
# **Predict**: without that line, how many forbidden accesses will the emulator report?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
careless = RELU.replace("if (i >= n) return;", "")
report = emulator.check("my_relu", 3, 32, x, np.empty_like(x), n, text=careless)
compare(prediction, report.count)
print(report.problems[0])

# %% [markdown] tags=["outcome"]
# Each idle thread reads `x` and writes `y`. A real GPU might have said nothing, and changed six numbers of somebody
# else's. This is why one learns CUDA better on something that watches.

# %% [markdown]
# ## Memory comes in sectors
#
# 32 neighbouring threads of a block, a **warp**, go in step: when one loads, all load. Memory does not deliver single
# numbers but **sectors** of 32 bytes, eight floats. If the 32 loads lie side by side, they are four sectors, every
# byte of them wanted. That is called *coalescing*. So what if each thread skips some?

# %%
STRIDED = """
extern "C" __global__ void strided(global<const REAL> x, global<REAL> y, int stride) {
    y[threadIdx.x] = x[threadIdx.x * stride];
}
"""
room = np.zeros(1024, np.float32)
x = room[-room.ctypes.data % 32 // 4 :][: 32 * 16]  # begins with a sector
stored = np.zeros(16 + 32, np.float32)
y = stored[-stored.ctypes.data % 32 // 4 :][:32]
strides = range(1, 17)
counts = [emulator.check("strided", 1, 32, x, y, s, text=STRIDED).sectors - 4 for s in strides]  # 4: of y

# %% [markdown]
# **Predict**: with stride 1 a warp fetches 4 sectors. How many with stride 8?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
compare(prediction, counts[strides.index(8)], " sectors")

# %% tags=["outcome"]
figure, left, right = panels(2, height=2.6, width_ratios=(2, 1))
for row, stride in enumerate((1, 2, 8)):
    for cell in range(80):
        wanted, fetched = cell % stride == 0 and cell < 32 * stride, cell // 8 * 8 < 32 * stride
        color = BLUE if wanted else tint(BLUE, 0.25) if fetched else "white"
        left.add_patch(Rectangle((cell + cell // 8 * 0.7, 2.2 * row), 0.9, 1.2, fc=color, ec=GRID, lw=0.5))
left.set(xlim=(-0.5, 88), ylim=(5.9, -0.6), xticks=[], yticks=[0.6, 2.8, 5], yticklabels=["stride 1", "2", "8"])
left.set(title="the first 80 floats (dark: wanted; pale: fetched with them)")
left.grid(False)
right.bar(strides, counts, color=BLUE, width=0.7)
right.set(title="sectors for 32 floats", xlabel="stride", ylim=(0, 36), xticks=[1, 4, 8, 12, 16])
right.grid(axis="x", visible=False)
show(figure, "10-sectors", "Which floats a warp wants and which it fetches at strides 1, 2, 8; sectors for each stride")

# %% [markdown] tags=["outcome"]
# At stride 8 every thread pays for eight floats and uses one: seven eighths of the memory's speed are gone. It never
# gets worse than that. In NumPy terms: let neighbouring threads take neighbouring elements of the *last* axis.

# %% [markdown]
# ## Memory that a block shares
#
# Each block has a few dozen kilobytes of **shared memory**, close to the arithmetic, many times faster than global
# memory. One thread writes to it, another reads. But threads of different warps do not go in step, and nobody promises
# who comes first. Here a block turns 64 numbers round, through an array `tile` that its threads share:

# %%
REVERSE = """
extern "C" __global__ void reverse(global<const REAL> x, global<REAL> y) {
    SHARED(REAL, tile, 64);
    int t = threadIdx.x;
    tile[t] = x[t];
    y[t] = tile[63 - t];
}
"""
x, y = rng.uniform(1, 9, 64).astype(np.float32), np.zeros(64, np.float32)
report = emulator.check("reverse", 1, 64, x, y, text=REVERSE)
print(next(problem for problem in report.problems if "race: reads" in problem))

# %% [markdown]
# A **race**: thread 32 reads what thread 31 wrote, and nothing says that it has been written already. The cure is
# `__syncthreads()`, a **barrier**: no thread of the block goes on before all have come. **Predict**: the emulator runs
# threads one after the other, from 0 to 63. How many of the 64 results above are wrong?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
cured = REVERSE.replace("= x[t];", "= x[t];\n    __syncthreads();")
right_y = np.zeros(64, np.float32)
report = emulator.check("reverse", 1, 64, x, right_y, text=cured)
compare(prediction, (y != x[::-1]).sum())
print(f"with a barrier: {report.count} problems, {(right_y != x[::-1]).sum()} wrong")

# %% tags=["outcome"]
figure, *both = panels(2, height=2.4, sharey=True)
for axes, values, title in zip(both, (y, right_y), ("without a barrier", "with one")):
    good = values == x[::-1]
    axes.bar(np.arange(64)[good], values[good], color=BLUE, width=0.8)
    axes.bar(np.arange(64)[~good], x[::-1][~good], color=tint(VERMILION, 0.25), edgecolor=VERMILION, lw=0.6, width=0.8)
    axes.set(title=f"{title}: {(~good).sum()} wrong", xlabel="thread")
show(figure, "10-race", "The reversed numbers without and with a barrier: without, the first half is missing")

# %% [markdown] tags=["outcome"]
# Vermilion is what should have been there: threads 0 to 31 read cells that nobody had written yet. On a GPU another
# half may be wrong, or on a quiet day none: a race is a bug that passes its tests. The emulator does not wait for bad
# luck. Its checked build remembers for every shared cell who touched it since which barrier, and names both threads.

# %% [markdown]
# ## A matrix product, rung by rung
#
# Now the kernel that matters most: $C = AB$, $c_{ij} = \sum_k a_{ik} b_{kj}$. The obvious way is one thread for each
# entry of $C$, which runs along a row of $A$ and a column of $B$. For each multiplication it loads two
# numbers. But the thread beside it loads the same row again, and the one below the same column.

# %%
def operands(axes, side, title):
    """What is loaded for a tile of C of so many entries a side, in products of 16 x 16."""
    for name, left, top in (("A", 0, 19), ("B", 19, 0), ("C", 19, 19)):
        axes.add_patch(Rectangle((left, top), 16, 16, facecolor=PALE, edgecolor=GRID))
        axes.text(left + 0.8, top + 1.2, name, fontweight="bold", va="center")
    for left, top, wide, high, color in (
        (0, 23, 16, side, BLUE),
        (23, 0, side, 16, BLUE),
        (23, 23, side, side, VERMILION),
    ):
        axes.add_patch(Rectangle((left, top), wide, high, facecolor=tint(color, 0.7), edgecolor="white", lw=0.5))
    pictures(axes)
    loads, products = 2 * 16 * side, 16 * side**2
    axes.set(xlim=(-1.5, 38.5), ylim=(35.5, -0.5), title=f"{title}:\n{loads} loads, {products:,} products")

# %%
figure, *three = panels(3, height=3.5)
for axes, side, title in zip(three, (1, 4, 8), ("a thread alone", "a block of 4×4 entries", "a block of 8×8 entries")):
    operands(axes, side, title)
show(figure, "10-tiles", "The strips of A and B that one entry, a tile of 4 by 4, and one of 8 by 8 entries of C need")

# %% [markdown]
# A tile of $s \times s$ entries needs strips of $s$ rows and $s$ columns: with twice the side, four times the products
# for twice the loads. So the block loads its strips *once*, into shared memory, and all its threads use them:
#
# $$\frac{\text{loads}}{\text{products}} = \frac{2sK}{s^2 K} = \frac{2}{s}$$
#
# Strips do not fit at once, so it goes along $K$ in steps of 16. Here is the package's kernel. (`SIDE` is 16,
# `long long` a whole number of 64 bits, `SHARED2` a shared array with two indices, and `&&` is `and`.)

# %%
def kernel_text(file, name):
    lines = (resources.folder("kernels") / file).read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if f"void {name}(" in line)
    return "\n".join(lines[start : lines.index("}", start) + 1])


print(kernel_text("matmul.cu", "matmul_tiled"))

# %% [markdown]
# Two barriers: one before reading what others have loaded, one before overwriting what others may still read. The third
# rung, `matmul_blocked`, has tiles of 64, and each thread keeps 4×4 sums in its registers, so that
# it reads shared memory less often, too. To count, we run the package's own host code in the checked build:

# %%
class Counting(emulator.EmulatorLauncher):
    """Runs kernels in the checked build, and keeps the report of the last launch, and the launch."""

    def launch(self, kernel, real, grid, block, values):
        self.last = kernel, cuda_launch.source(kernel.file), real, grid, block, values
        self.report = emulator.run_checked(*self.last)

# %%
launch = Counting()
size = pick(smoke=64, quick=128)
a, b = rng.standard_normal((2, size, size), np.float32)
matrix_loads = {}
for rung in ladder.MATMUL:
    c = ladder.matmul(launch, rung, a, b)
    matrix_loads[rung] = launch.report.loads
    print(f"{rung:8} {launch.report.loads:9,} loads  right: {np.allclose(c, a @ b, atol=1e-3)}")

# %% [markdown]
# ## Convolution without columns
#
# Lesson 4 turned a convolution into a matrix product by writing out the columns: im2col. For a batch of 128, those of
# conv1 take half a gigabyte, written and read again. But a tiled product only ever needs a *tile* of the columns. So
# do not write them: when a thread has to fill cell (row, column) of the tile, it works out which pixel stands there,
# and fetches that. The big matrix exists only as arithmetic on indices; hence **implicit** matrix product, or *implicit
# GEMM*. Its row says which weight $(c, u, v)$, its column which place $(n, i, j)$:
#
# $$\text{columns}[(c, u, v), (n, i, j)] = x[n,\; c,\; is + u - p,\; js + v - p]$$
#
# Three rungs again: a thread for each output; a patch of pixels in shared memory; and the implicit product, in tiles of
# 64 by 64. The layer is conv3 of AlexNet with fewer channels. **Predict**: by what factor does the last rung load
# less than the first?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
x, w = rng.standard_normal((2, 16, 13, 13), np.float32), rng.standard_normal((64, 16, 3, 3), np.float32)
expected = functional.conv2d(Tensor(x), Tensor(w), None, padding=1).numpy()
conv_loads = {}
for rung in ladder.CONV2D:
    y = ladder.conv2d(launch, rung, x, w, None, Window.over(x.shape, (3, 3), padding=1))
    conv_loads[rung] = launch.report.loads
    print(f"{rung:13} {launch.report.loads:9,} loads  right: {np.allclose(y, expected, atol=1e-3)}")
compare(prediction, round(conv_loads["direct"] / conv_loads["implicit_gemm"], 1), " times")

# %% [markdown]
# How few loads are few enough? The data sheet of an H200, a large GPU, says 67 trillion float32 operations a second,
# and 4.8 terabytes. Divide.

# %% tags=["outcome"]
enough = (67e12 / 2) / (4.8e12 / 4)  # products in the time of one float
print(f"while one float arrives, {enough:.0f} products could be made")
figure, left, right = panels(2, height=2.8)
sides = (left, matrix_loads, c.size, size, "matrix product"), (right, conv_loads, y.size, 16 * 9, "convolution")
for axes, loads, outputs, depth, title in sides:
    labels = [f"{rung}\n{count / outputs:.1f} loads an output" for rung, count in loads.items()]
    per_load = [outputs * depth / count for count in loads.values()]
    bars = axes.barh(labels, per_load, color=[tint(BLUE, strength) for strength in (0.4, 0.7, 1)], height=0.6)
    axes.bar_label(bars, [f"{value:.1f}" for value in per_load], padding=4)
    axes.axvline(enough, color=VERMILION, linestyle=":")
    axes.set(title=f"{title}: products for each load", xlim=(0, 38))
    axes.grid(axis="y", visible=False)
left.invert_yaxis()
right.invert_yaxis()
show(figure, "10-ladder", "Products for each load on the rungs of both ladders, beside what keeps a GPU busy")

# %% [markdown]
# Left of the dotted line a kernel waits for memory, right of it for arithmetic. The highest rungs pass it, just.
# A GPU's caches soften this: a sector that two warps load soon after each other comes from far away only once, so do
# not expect seconds to differ by as much as the counts. Counts are the same on every machine; seconds are not,
# and there are none here: whether a GPU has timed these kernels yet is said in `kernels/README.md`, under "A GPU", and
# `python -m minialex.bench --backend cupy` times yours.
#
# ## Instructions
#
# Loads are one bill, instructions the other. im2col multiplies nothing, it only copies pixels. The obvious kernel gives
# every entry of the columns a thread of its own, which has to find out from two numbers, `plane` and `place`, where it
# stands: which picture, which channel, which $u$ and $v$, which $i$ and $j$.

# %%
print(kernel_text("im2col.cu", "im2col_naive"))

# %% [markdown]
# What does that cost? NVRTC, NVIDIA's compiler, translates a kernel into PTX, the GPU's assembler, on any computer.
# `instructions.count` takes the threads of a launch through it one by one, and counts each instruction every time that
# a thread comes by. **Predict**: how many instructions are executed for one entry, one copied number?

# %% tags=["prediction"]
prediction = ...

# %%
def executed():
    """The Instructions of the last launch; NaN where NVRTC is not installed."""
    try:
        return instructions.count(*launch.last)
    except OSError as error:
        print(f"Instructions are not counted: {error}")
        return instructions.Instructions({"div.s32": np.nan, "sqrt.f32": np.nan}, 0)

# %% tags=["outcome"]
x, window = rng.standard_normal((1, 4, 13, 13), np.float32), Window.over((13, 13), 3, padding=1)
views = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
expected = views.transpose(1, 4, 5, 0, 2, 3).reshape(4 * 9, 13 * 13)
copying = {}
for rung in ladder.IM2COL:
    columns = ladder.im2col(launch, rung, x, window)
    done = executed()
    copying[rung] = done.total / columns.size
    print(
        f"{rung:9} {copying[rung]:5.1f} instructions, {done.whole_divisions / columns.size:.2f} of them divisions  "
        f"right: {np.array_equal(columns, expected)}"
    )
compare(prediction, round(copying["naive"], 1), " instructions")

# %% [markdown] tags=["outcome"]
# More than a hundred, for a number that memory takes in the time of 28.

# %% [markdown]
# In PTX a division is one instruction; the GPU
# has none, and makes it of twenty others. The second rung gives a thread not an entry but a place $(n, i, j)$ of the
# output: it divides once, and then goes through the pixels of its windows, with additions. Neighbouring threads still
# have neighbouring places, so that nothing changes for the sectors.
#
# Local response normalisation has the other disease: it computes, and then computes the same again. Its gradient is
#
# $$g_c = \gamma_c\, d_c^{-\beta} - 2a\beta\, x_c \sum_{j} \gamma_j\, x_j\, d_j^{-\beta - 1}$$
#
# where $\gamma$ is the gradient that arrives, $d$ the scale, whose power the forward pass multiplied by, and the sum is
# over the five channels whose windows hold $c$. With $\beta = 3/4$ a power is two square roots and a division. The
# first rung computes all terms of the sum **anew** for every $c$, although the next sum shares four of the five.
# **Predict**: how many square roots for each of 32 channels, on average? (The outermost have shorter windows.)

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
x, gy = rng.standard_normal((2, 1, 32, 13, 13), np.float32)
settings = 5, 0.02, 0.75, 1.0
use_backend("numpy")
t = Tensor(x, requires_grad=True)
functional.local_response_norm(t, 5, alpha=0.1, beta=0.75, k=1.0).backward(gy)
roots, normalising = {}, {}
for rung in ladder.LRN:
    gx = ladder.local_response_norm_backward(launch, rung, gy, x, *settings)
    done = executed()
    roots[rung], normalising[rung] = done.square_roots / x.size, done.total / x.size
    print(
        f"{rung:9} {launch.report.loads / x.size:4.1f} loads, {normalising[rung]:5.1f} instructions, "
        f"{roots[rung]:.1f} of them square roots  right: {np.allclose(gx, t.grad.numpy(), atol=1e-5)}"
    )
compare(prediction, round(roots["anew"], 1), " square roots")

# %% [markdown]
# The second rung walks through the channels as well, but remembers: the last five $x$, and the last five terms of the
# sum, in **registers**, the few dozen numbers that each thread has at hand. Nothing is faster. But a register has no
# index: `v[k]` is one only if `k` is known when the kernel is compiled, so another size of the window needs other code
# (`template <int SIZE>` in `kernels/lrn_registers.cu`). And since this rung reads every $x$ anyway, it computes $d$
# again: five squares are cheaper than an array that the forward pass writes to memory and the backward pass reads.

# %% tags=["outcome"]
figure, left, right = panels(2, height=2.4)
bars = (left, copying, (1, 1), "im2col, for an entry"), (right, normalising, (4, 3), "LRN backward, for an element")
for axes, counts, moved, title in bars:
    drawn = axes.barh(list(counts), list(counts.values()), color=[tint(BLUE, 0.5), BLUE], height=0.6)
    axes.bar_label(drawn, [f"{value:.0f}" for value in counts.values()], label_type="center", color="white")
    for row, floats in enumerate(moved):  # that go to or come from memory for each
        axes.plot([enough * floats] * 2, [row - 0.45, row + 0.45], color=VERMILION, linestyle=":")
    axes.set(title=f"{title}: instructions", xlim=(0, 190))
    axes.grid(axis="y", visible=False)
left.invert_yaxis()
right.invert_yaxis()
show(figure, "10-instructions", "Instructions for an entry of im2col and an element of LRN, beside the time of memory")

# %% [markdown]
# The dotted lines say how many instructions fit into the time that memory needs: for a float that is written in im2col,
# for four floats that are read or written in LRN, for three without $d$. A bar that ends to the left of its line is a
# kernel that waits for memory, which is all that one can ask of it. (Not quite: a square root counts as one here, and
# takes about ten.)
#
# ## All of it together
#
# The emulator is also a backend, like `numpy` and `numba`: one training step, with every layer computed by the
# kernels of a GPU.

# %%
images, labels = data.load("shapes", train_count=40, seed=1).train.fetch(range(pick(smoke=4, quick=16)))
results = {}
for backend in ("numpy", "emulator"):
    use_backend(backend)
    minialex.manual_seed(10)  # the same initial weights, the same dropout
    model = models.build("shapes_net")
    loss = functional.cross_entropy(model(Tensor(images.astype(np.float32) / 255)), labels)
    loss.backward()
    results[backend] = loss.item(), model.conv1.weight.grad.numpy()
    print(f"{backend:9} loss {loss.item():.6f}")
use_backend("numpy")
apart = abs(results["numpy"][1] - results["emulator"][1]).max() / abs(results["numpy"][1]).max()
print(f"gradients of conv1's weights: {apart:.0e} apart, as a part of the largest")

# %%
fewer = matrix_loads["naive"] / matrix_loads["blocked"]
print(f"THE CLOSING NUMBER: the same product, with {fewer:.0f} times fewer loads")

# %% [markdown]
# ## Exercises

# %% [markdown]
# ### Exercise 10.1 ★ Blocks
#
# For `n` elements, blocks of `size` threads and a thread for each element: how many blocks must be started?

# %% tags=["exercise"]
def blocks(n, size):
    ...


check("10.1", blocks)

# %% [markdown]
# <details><summary>Solution 10.1</summary>
#
# ```python
# def blocks(n, size):
#     return (n + size - 1) // size
# ```
#
# The quotient, rounded up: you find this line in every CUDA program. Python knows a shorter one, `-(-n // size)`.
# </details>

# %% [markdown]
# ### Exercise 10.2 ★★ Sectors
#
# Thread $t$ of a warp loads the float `x[first + t * stride]`, for $t$ from 0 to 31; `x` itself begins with a sector.
# How many sectors of eight floats are fetched?

# %% tags=["exercise"]
def sectors(first, stride):
    ...


check("10.2", sectors)

# %% [markdown]
# <details><summary>Solution 10.2</summary>
#
# ```python
# def sectors(first, stride):
#     return len({(first + t * stride) // 8 for t in range(32)})
# ```
#
# Even at stride 1 a run that does not begin with a sector costs five of them instead of four. And at stride 0, where
# all threads want the same number, one is enough.
# </details>

# %% [markdown]
# ### Exercise 10.3 ★★ Loads of a product
#
# C (rows, columns) = A (rows, depth) @ B (depth, columns), in tiles of side × side entries of C; all sizes are
# multiples of `side`. How many numbers are loaded from global memory in all?

# %% tags=["exercise"]
def loads(rows, columns, depth, side):
    ...


check("10.3", loads)

# %% [markdown]
# <details><summary>Solution 10.3</summary>
#
# ```python
# def loads(rows, columns, depth, side):
#     tiles = (rows // side) * (columns // side)
#     return tiles * 2 * side * depth
# ```
#
# Each tile loads its two strips, whatever the others do.
# </details>

# %% [markdown]
# ### Exercise 10.4 ★★ Barriers
#
# A block of 64 threads runs these lines. Before which of them does it need a barrier? Give a list of numbers.
#
# ```
# 1   tile[t] = x[t];
# 2   REAL left = tile[(t + 63) % 64];
# 3   tile[t] = left;
# 4   tile[t] += 1;
# 5   y[t] = tile[63 - t];
# ```

# %% tags=["exercise"]
barriers = ...

check("10.4", barriers)

# %% [markdown]
# <details><summary>Solution 10.4</summary>
#
# ```python
# barriers = [2, 3, 5]
# ```
#
# Line 2 reads what a neighbour wrote in 1. Line 3 overwrites what a neighbour reads in 2. Line 4 meets only the
# thread's own cell. Line 5 reads another's again. Try it: put the lines into `REVERSE`, and ask the emulator.
# </details>

# %% [markdown]
# ### Exercise 10.5 ★★★ Which pixel
#
# The implicit product, for one picture and a square map: which pixel stands in the columns at `[k, place]`? Return
# (channel, row, column). `k = (c * kernel + u) * kernel + v` counts the weights, `place = i * out + j` the outputs.

# %% tags=["exercise"]
def pixel(k, place, kernel, out, stride, padding):
    ...


check("10.5", pixel)

# %% [markdown]
# <details><summary>Solution 10.5</summary>
#
# ```python
# def pixel(k, place, kernel, out, stride, padding):
#     c, u, v = k // kernel**2, k // kernel % kernel, k % kernel
#     i, j = place // out, place % out
#     return c, i * stride + u - padding, j * stride + v - padding
# ```
#
# A pixel outside the picture counts as zero and is not fetched. The package's kernel divides only once, for the
# first, and then steps on: on a GPU a division takes longer than a multiplication by far.
# </details>

# %% [markdown]
# ## What to read next
#
# * `kernels/common.cuh`, one page: all that the kernels take for granted. Then `kernels/relu.cu` and `pool.cu`.
# * `kernels/matmul.cu` and `tile.cuh`, `tile_product`: the third rung, and why one row of its tile is 68 wide, not 64.
# * `kernels/conv2d.cu`, `conv2d_implicit_gemm` and `Counter`: exercise 10.5 without divisions.
# * `kernels/lrn_registers.cu`, `Last` and `backward`: two windows, one behind the other, in thirteen registers.
# * `tutorials/ladder.py`; `minialex/backends/cuda/launch.py`, `Launcher.check`: what can go wrong.
# * `kernels/checked.h`, `Shared`: how a race is caught, in forty lines.
#
# From one scalar with a gradient you have come to the kernels that a GPU trains AlexNet with; nothing lies between the
# two that you have not seen. `python -m minialex.train` is yours.
#
# Next: [lesson 11](11_two_gpus.ipynb), where one GPU is not enough.
