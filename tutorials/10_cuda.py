# %% [markdown]
# # 10. CUDA puzzles
#
# *A graphics card makes thirty trillion multiplications a second, by having tens of thousands of threads do the same
# thing at once. What does a program for that look like, why is the obvious one slow, and how can you find out on a
# computer that has no such card?*
#
# You need lesson 4: the convolution, and im2col. You write kernels here, in the part of C that looks like Python with
# braces; a graphics card is not needed.

# %%
import ladder
import numpy as np
import puzzles
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
# watch. It sees every access to memory, and says what a GPU would keep to itself.
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
# which element is its own. Threads come in **blocks** of equal size (`blockDim`), and the blocks of a launch are its
# **grid** (`gridDim`); a thread knows its block (`blockIdx`) and its place in it (`threadIdx`). In NumPy's world this
# would be
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
x = rng.standard_normal(n).astype(np.float32)
report = emulator.check("my_relu", 3, 32, x, np.empty_like(x), n, text=careless)
compare(prediction, report.count)
print(report.problems[0])

# %% [markdown] tags=["outcome"]
# Each idle thread reads `x` and writes `y`. A real GPU might have said nothing, and changed six numbers of somebody
# else's. This is why one learns CUDA better on something that watches.

# %% [markdown]
# ## Memory comes in sectors
#
# 32 neighbouring threads of a block are a **warp**, its threads the *lanes*. A warp executes one instruction at a time
# for all lanes that have come to it. Memory does not deliver single numbers but **sectors** of 32 bytes, eight floats.
# If the 32 loads of a warp lie side by side, they are four sectors, every byte of them wanted. That is called
# *coalescing*. So what if each thread skips some?

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
# From stride 8 on every lane fetches a sector of its own, 32 of them, and uses an eighth of each. More sectors than
# lanes there cannot be. *Sectors* are not *time*: caches keep some for the next load, and no GPU has timed any of this
# here. But a sector that nobody asks for costs nothing anywhere, so the puzzles count them.

# %% [markdown]
# In NumPy terms: let neighbouring threads take neighbouring elements of the *last* axis.
#
# ## How a puzzle is judged
#
# You write a kernel; `check` compiles it for the emulator, runs it on sizes that are awkward on purpose, and compares
# with NumPy. The verdict is about the first thing that is wrong: it names the line, block and thread, the index, and
# the rule. (Lines are counted from that of the opening `"""`.) Where the numbers are right, what the kernel *asked for*
# is compared with a budget; the emulator counts what the source says, while a compiler may save a load here and there.
# The arguments, the grid and the block are given; the first line stays as it is.
#
# What you write is run, as C++ of your own is. A slip is harmless: it runs in a process of its own, which ends after a
# million accesses, ten seconds or two gigabytes. And `puzzles.step("map", leaky_relu)`, as the last line of a cell,
# shows the block that went wrong, step by step: what each thread reads and writes, and where they wait.

# %% [markdown]
# ### Exercise 10.1 ★ A map
#
# `y[i]` is `x[i]` where that is positive, otherwise `slope * x[i]`, for *every* `i` below `n`. There are 3 blocks of 64
# threads, and `n` may be a thousand; once it is more than two thousand million, with as many threads. Budget for 1,000
# elements: as many loads, and 400 sectors.

# %% tags=["exercise"]
leaky_relu = """
extern "C" __global__ void leaky_relu(global<const REAL> x, global<REAL> y, REAL slope, long long n) {
    // `long long` is a whole number of 64 bits; `for (long long i = 0; i < n; i += 2) { ... }` is a loop
}
"""
check("10.1", leaky_relu)

# %% [markdown]
# <details><summary>Solution 10.1</summary>
#
# ```python
# leaky_relu = """
# extern "C" __global__ void leaky_relu(global<const REAL> x, global<REAL> y, REAL slope, long long n) {
#     long long step = (long long)gridDim.x * blockDim.x;
#     for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
#         REAL value = x[i];
#         y[i] = value > 0 ? value : slope * value;
#     }
# }
# """
# ```
#
# The "grid-stride loop": right for any number of threads, and in every round a warp touches 32 floats in a row. The
# product of two `unsigned` would wrap round, so one factor becomes a `long long` before.
# </details>

# %% [markdown]
# ### Exercise 10.2 ★★ im2col
#
# Lesson 4's columns, for one picture: `columns[(c, u, v), (i, j)]` is `x[c, i stride + u - before, j stride + v -
# before]`, and 0 outside the picture. There is a thread for each *entry* of the columns, in blocks of 128. `w` is a
# `Window`: `w.size`, `w.kernel`, `w.stride`, `w.before` (the padding above and on the left) and `w.output` hold two
# numbers each, vertical `[0]` and horizontal `[1]`. Budget: sectors. Which of the five indices should change fastest
# from one thread to the next?

# %% tags=["exercise"]
im2col = """
extern "C" __global__ void im2col(global<const REAL> x, global<REAL> columns, int channels, Window w) {
}
"""
check("10.2", im2col)

# %% [markdown]
# <details><summary>Solution 10.2</summary>
#
# ```python
# im2col = """
# extern "C" __global__ void im2col(global<const REAL> x, global<REAL> columns, int channels, Window w) {
#     int places = w.output[0] * w.output[1], taps = w.kernel[0] * w.kernel[1];
#     int entry = blockIdx.x * blockDim.x + threadIdx.x;
#     if (entry >= channels * taps * places) return;
#     int place = entry % places, tap = entry / places % taps, c = entry / places / taps;
#     int row = place / w.output[1] * w.stride[0] + tap / w.kernel[1] - w.before[0];
#     int column = place % w.output[1] * w.stride[1] + tap % w.kernel[1] - w.before[1];
#     bool inside = row >= 0 && row < w.size[0] && column >= 0 && column < w.size[1];
#     columns[entry] = inside ? x[(c * w.size[0] + row) * w.size[1] + column] : (REAL)0;
# }
# """
# ```
#
# Entry number and thread number are the same, so that stores are coalesced. With the tap changing fastest the numbers
# would be right, and the sectors three quarters more.
# </details>

# %% [markdown]
# ## Memory that a block shares
#
# Each block has a few dozen kilobytes of **shared memory**, close to the arithmetic, many times faster than global
# memory. One thread writes to it, another reads. But warps do not wait for each other, and nobody promises who comes
# first. Here a block turns 64 numbers round, through an array `tile` that its threads share. (A second index:
# `SHARED2(REAL, tile, 16, 16)` and `tile[i][j]`.)

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
# luck. Its checked build remembers for every cell who touched it since which barrier, and names both threads.

# %% [markdown]
# ### Exercise 10.3 ★★ A stencil
#
# `y[i]` is the sum of `(4 - |d|) x[i + d]` over `d` from -3 to 3, where `x` is 0 outside. Blocks of 64 threads, one for
# each `i`. Seven loads for each result are the obvious way; the budget is 70 for each block, and 280 bytes of shared
# memory.

# %% tags=["exercise"]
stencil = """
extern "C" __global__ void stencil(global<const REAL> x, global<REAL> y, int n) {
}
"""
check("10.3", stencil)

# %% [markdown]
# <details><summary>Solution 10.3</summary>
#
# ```python
# stencil = """
# extern "C" __global__ void stencil(global<const REAL> x, global<REAL> y, int n) {
#     SHARED(REAL, tile, 70);
#     int t = threadIdx.x, first = blockIdx.x * 64 - 3;
#     for (int k = t; k < 70; k += 64) {
#         int i = first + k;
#         tile[k] = i >= 0 && i < n ? x[i] : (REAL)0;
#     }
#     __syncthreads();
#     int i = blockIdx.x * 64 + t;
#     if (i >= n) return;
#     REAL sum = 0;
#     for (int d = -3; d <= 3; ++d) sum += (4 - abs(d)) * tile[t + 3 + d];
#     y[i] = sum;
# }
# """
# ```
#
# The three at either side, which belong to the neighbouring blocks, are the *halo*. `return` comes after the barrier:
# before it, the block would wait for threads that have left.
# </details>

# %% [markdown]
# ### Exercise 10.4 ★★ A sum
#
# `sums[b]` is the sum of the 128 elements of block `b`; the last block may have fewer. 128 threads add at once, as in
# a tournament: neighbours first, then winners with winners. Budget: 40 accesses for the busiest thread, and each
# element loaded once.

# %% tags=["exercise"]
block_sums = """
extern "C" __global__ void block_sums(global<const REAL> x, global<REAL> sums, int n) {
}
"""
check("10.4", block_sums)

# %% [markdown]
# <details><summary>Solution 10.4</summary>
#
# ```python
# block_sums = """
# extern "C" __global__ void block_sums(global<const REAL> x, global<REAL> sums, int n) {
#     SHARED(REAL, tile, 128);
#     int t = threadIdx.x, i = blockIdx.x * 128 + t;
#     tile[t] = i < n ? x[i] : (REAL)0;
#     __syncthreads();
#     for (int apart = 1; apart < 128; apart *= 2) {
#         if (t % (2 * apart) == 0) tile[t] += tile[t + apart];
#         __syncthreads();
#     }
#     if (t == 0) sums[blockIdx.x] = tile[0];
# }
# """
# ```
#
# Seven rounds, since $2^7 = 128$. The barrier stands outside the `if`: all threads must come to it.
# </details>

# %% [markdown]
# Here is a kernel of somebody else's, a softmax. A block of 64 threads for each row finds the largest
# number, then the sum of the powers, both by trees in the same 64 cells.

# %%
for number, line in enumerate(puzzles.SOFTMAX.splitlines(), 1):
    print(f"{number:2}  {line}")

# %% [markdown]
# ### Exercise 10.5 ★★ Find the bug
#
# On a GPU this softmax has passed its tests, on most days. `check("10.5", puzzles.SOFTMAX)` tells you what the checked
# build sees, and `puzzles.step("softmax", puzzles.SOFTMAX)` lets you watch. Find the reason, and mend it by *one* line.

# %% tags=["exercise"]
mended = ...  # puzzles.SOFTMAX.replace("...", "...")

check("10.5", mended)

# %% [markdown]
# <details><summary>Solution 10.5</summary>
#
# ```python
# mended = puzzles.SOFTMAX.replace("most = scratch[0];", "most = scratch[0]; __syncthreads();")
# ```
#
# Thread 0 goes on to its sum, and overwrites `scratch[0]` while others have not read the largest yet. With one warp it
# would nearly always go well. `block_sum` in `kernels/common.cuh` ends with the very same barrier.
# </details>

# %% [markdown]
# ### Exercise 10.6 ★★ Pooling
#
# `y[m, i, j]` is the largest `x[m, 2 i + u, 2 j + v]` with `u` and `v` from 0 to 2, of those inside the picture:
# AlexNet's windows, which overlap. Blocks of 8 x 8 threads; `blockIdx.x` counts them to the right, `.y` downwards, `.z`
# is the map. Budget: 289 loads for each block of 64 results, where the obvious kernel has 576.

# %% tags=["exercise"]
max_pool = """
extern "C" __global__ void max_pool(global<const REAL> x, global<REAL> y, int height, int width, int out_height,
                                    int out_width) {
}
"""
check("10.6", max_pool)

# %% [markdown]
# <details><summary>Solution 10.6</summary>
#
# ```python
# max_pool = """
# extern "C" __global__ void max_pool(global<const REAL> x, global<REAL> y, int height, int width, int out_height,
#                                     int out_width) {
#     SHARED2(REAL, patch, 17, 17);
#     int map = blockIdx.z, top = blockIdx.y * 16, left = blockIdx.x * 16;
#     for (int k = threadIdx.y * 8 + threadIdx.x; k < 17 * 17; k += 64) {
#         int row = top + k / 17, column = left + k % 17;
#         if (row < height && column < width) patch[k / 17][k % 17] = x[(map * height + row) * width + column];
#     }
#     __syncthreads();
#     int i = blockIdx.y * 8 + threadIdx.y, j = blockIdx.x * 8 + threadIdx.x;
#     if (i >= out_height || j >= out_width) return;
#     REAL best = patch[2 * threadIdx.y][2 * threadIdx.x];
#     for (int u = 0; u < 3; ++u)
#         for (int v = 0; v < 3; ++v)
#             if (2 * i + u < height && 2 * j + v < width)
#                 best = max(best, patch[2 * threadIdx.y + u][2 * threadIdx.x + v]);
#     y[(map * out_height + i) * out_width + j] = best;
# }
# """
# ```
#
# The maximum begins with a pixel, not with 0: where all pixels are negative, 0 would win.
# </details>

# %% [markdown]
# ## Divergence and banks
#
# What if the lanes of a warp disagree at an `if`? The warp has **diverged**: it goes one way with the lanes that belong
# there, while the others wait, and then the other way. A *step* is one access of a warp, with however many of its
# lanes. In this kernel half of 128 threads go one way, alternating in groups:

# %%
EITHER = """
extern "C" __global__ void either(global<const REAL> x, global<REAL> y, int group) {
    int t = threadIdx.x;
    if (t / group % 2 == 0)
        y[t] = 2 * x[t];
    else
        y[t] = -x[t];
}
"""
x, y = rng.standard_normal((2, 128), np.float32)
groups = 1, 4, 16, 32, 64
steps = [puzzles.count("either", 1, 128, x, y, group, text=EITHER).steps for group in groups]

# %% [markdown]
# In groups of 64, the four warps take 8 steps: a load and a store each. **Predict**: how many in groups of 4?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
compare(prediction, steps[groups.index(4)], " steps")

# %% tags=["outcome"]
figure, left, right = panels(2, height=2.4, width_ratios=(2, 1))
for row, group in enumerate((4, 32)):
    for way in range(2):
        for lane in range(32):
            works = lane // group % 2 == way
            color = (BLUE, VERMILION)[way] if works else "white"
            left.add_patch(Rectangle((lane, 2.6 * row + 1.1 * way), 0.9, 0.9, fc=color, ec=GRID, lw=0.5))
left.set(xlim=(-0.5, 32.5), ylim=(4.9, -0.4), xticks=[], yticks=[1, 3.6], yticklabels=["groups of 4", "of 32"])
left.set(title="the first warp: who works when it goes either way")
left.grid(False)
right.bar([str(group) for group in groups], steps, color=BLUE, width=0.7)
right.set(title="steps of four warps", xlabel="threads in a group", ylim=(0, 18))
right.grid(axis="x", visible=False)
show(figure, "10-divergence", "Lanes of a warp that work on either way of an if; the steps for five sizes of groups")

# %% [markdown] tags=["outcome"]
# From 32 on a whole warp agrees, and goes only one way. (The emulator sees lanes only at their accesses to memory:
# divergence in mere arithmetic it does not see.)

# %% [markdown]
# Shared memory has a rule of its own. It lies in 32 **banks**: word $i$ in bank $i \bmod 32$. In one turn each bank
# delivers one word, to all lanes that want it. Two *different* words of one bank are a **conflict**, and take two
# turns. 32 neighbours are free; one column of a 16 x 16 tile is eight words in each of two banks.

# %% [markdown]
# ### Exercise 10.7 ★★★ A sum without waiting
#
# 10.4 again, with 256 threads for 256 elements. The tournament of neighbours leaves warps with few working lanes in
# every round: 159 steps for each block. Budget: 64, and no bank conflict.

# %% tags=["exercise"]
sparing_sums = """
extern "C" __global__ void block_sums(global<const REAL> x, global<REAL> sums, int n) {
}
"""
check("10.7", sparing_sums)

# %% [markdown]
# <details><summary>Solution 10.7</summary>
#
# ```python
# sparing_sums = """
# extern "C" __global__ void block_sums(global<const REAL> x, global<REAL> sums, int n) {
#     SHARED(REAL, tile, 256);
#     int t = threadIdx.x, i = blockIdx.x * 256 + t;
#     tile[t] = i < n ? x[i] : (REAL)0;
#     __syncthreads();
#     for (int half = 128; half > 0; half /= 2) {
#         if (t < half) tile[t] += tile[t + half];
#         __syncthreads();
#     }
#     if (t == 0) sums[blockIdx.x] = tile[0];
# }
# """
# ```
#
# The threads that work are the first ones, so whole warps stop; and the cells that they read are neighbours.
# </details>

# %% [markdown]
# ### Exercise 10.8 ★★★ Local response normalisation
#
# Lesson 5's: `y[c, l] = x[c, l] (k + alpha * sum)^(-3/4)`, where the sum is that of `x[j, l]^2` for `j` from `c - 2` to
# `c + 2`, over the channels that there are. A thread for each place `l`, in blocks of 64, walks through the channels.
# Budget: each number is loaded *once*. One channel may be 10,000 times as strong as the others. (`sqrt` is there; two
# of them make $d^{3/4}$.)

# %% tags=["exercise"]
lrn = """
extern "C" __global__ void lrn(global<const REAL> x, global<REAL> y, int channels, int places, REAL alpha, REAL k) {
}
"""
check("10.8", lrn)

# %% [markdown]
# <details><summary>Solution 10.8</summary>
#
# ```python
# lrn = """
# extern "C" __global__ void lrn(global<const REAL> x, global<REAL> y, int channels, int places, REAL alpha, REAL k) {
#     int l = blockIdx.x * 64 + threadIdx.x;
#     if (l >= places) return;
#     REAL a = 0, b = 0, c = 0, d = x[l], e = channels > 1 ? x[places + l] : (REAL)0;  // x of five channels, c in front
#     for (int channel = 0; channel < channels; ++channel) {
#         a = b, b = c, c = d, d = e;
#         e = channel + 2 < channels ? x[(channel + 2) * places + l] : (REAL)0;
#         REAL scale = k + alpha * (a * a + b * b + c * c + d * d + e * e);
#         y[channel * places + l] = c / sqrt(scale * sqrt(scale));
#     }
# }
# """
# ```
#
# Variables of a thread are **registers**, the fastest memory there is. A running sum would be shorter, and wrong: when
# a square of $10^8$ is subtracted again, what was added beside it is lost.
# </details>

# %% [markdown]
# ## A matrix product
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
# for twice the loads. So a block loads its strips *once*, into shared memory, and all its threads use them:
#
# $$\frac{\text{loads}}{\text{products}} = \frac{2sK}{s^2 K} = \frac{2}{s}$$

# %% [markdown]
# ### Exercise 10.9 ★★★ The tiled product
#
# `c[i, j] = sum of a[i, k] b[k, j]`. Blocks of 16 x 16 threads, one for each entry of `c`: `blockIdx.y` counts tiles
# downwards, `blockIdx.x` to the right. Strips do not fit into shared memory: go along $k$ in steps of 16. Budget: an
# eighth of a load for a product, no bank conflict, two tiles of shared memory (2,048 bytes).

# %% tags=["exercise"]
product = """
extern "C" __global__ void product(global<const REAL> a, global<const REAL> b, global<REAL> c, int rows, int columns,
                                   int depth) {
}
"""
check("10.9", product)

# %% [markdown]
# <details><summary>Solution 10.9</summary>
#
# ```python
# product = """
# extern "C" __global__ void product(global<const REAL> a, global<const REAL> b, global<REAL> c, int rows, int columns,
#                                    int depth) {
#     SHARED2(REAL, a_tile, 16, 16);
#     SHARED2(REAL, b_tile, 16, 16);
#     int tx = threadIdx.x, ty = threadIdx.y;
#     int i = blockIdx.y * 16 + ty, j = blockIdx.x * 16 + tx;
#     REAL sum = 0;
#     for (int first = 0; first < depth; first += 16) {
#         a_tile[ty][tx] = i < rows && first + tx < depth ? a[i * depth + first + tx] : (REAL)0;
#         b_tile[ty][tx] = first + ty < depth && j < columns ? b[(first + ty) * columns + j] : (REAL)0;
#         __syncthreads();
#         for (int k = 0; k < 16; ++k) sum += a_tile[ty][k] * b_tile[k][tx];
#         __syncthreads();
#     }
#     if (i < rows && j < columns) c[i * columns + j] = sum;
# }
# """
# ```
#
# Two barriers: one before reading what others have loaded, one before overwriting what others may still read.
# </details>

# %% [markdown]
# ## Beside minialex's own
#
# Your product, counted beside the package's. `matmul_blocked` has tiles of 64, and each thread keeps 4×4 sums in
# registers.

# %%
a, b = rng.standard_normal((2, 48, 48), np.float32)
sizes = {"matmul_naive": (9, (16, 16)), "matmul_tiled": (9, (16, 16)), "matmul_blocked": (1, 256)}
counted = {name: puzzles.count(name, *shape, a, b, np.empty_like(a), 48, 48, 48) for name, shape in sizes.items()}
counted["your product"] = puzzles.counts("product", product)
for name, its in counted.items():
    told = its and f"{its.loads:7,} loads  {its.steps:6,} steps  {its.conflicts:6,} conflicts"
    print(f"{name:15} {told or 'not solved yet'}")

# %% [markdown]
# (To share `row[i]` and `column[j]` among 16 products, the largest reads shared memory in fours, which GPUs do in one
# access and the emulator counts as four.) Here is the second, to compare line by line with yours:


# %%
def kernel_text(file, name):
    lines = (resources.folder("kernels") / file).read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if f"void {name}(" in line)
    return "\n".join(lines[start : lines.index("}", start) + 1])


print(kernel_text("matmul.cu", "matmul_tiled"))

# %% [markdown]
# A tiled product needs only a *tile* of the columns at a time. So a convolution need not write them at all: a thread
# that has to fill cell (row, column) of the tile works out which pixel stands there. The matrix exists only as
# arithmetic on indices; hence *implicit* matrix product, or **implicit GEMM**. The rungs of both ladders, on a larger
# product and on AlexNet's conv3 with fewer channels:

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
x, w = rng.standard_normal((2, 16, 13, 13), np.float32), rng.standard_normal((64, 16, 3, 3), np.float32)
expected = functional.conv2d(Tensor(x), Tensor(w), None, padding=1).numpy()
matrix_loads, conv_loads = {}, {}
for rung in ladder.MATMUL:
    c = ladder.matmul(launch, rung, a, b)
    matrix_loads[rung] = launch.report.loads
    print(f"{rung:13} {launch.report.loads:9,} loads  right: {np.allclose(c, a @ b, atol=1e-3)}")
for rung in ladder.CONV2D:
    y = ladder.conv2d(launch, rung, x, w, None, Window.over(x.shape, (3, 3), padding=1))
    conv_loads[rung] = launch.report.loads
    print(f"{rung:13} {launch.report.loads:9,} loads  right: {np.allclose(y, expected, atol=1e-3)}")

# %% [markdown]
# How few loads are few enough? The data sheet of an H200, a large GPU, says 67 trillion float32 operations a second,
# and 4.8 terabytes. Divide.

# %%
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
# Left of the dotted line a kernel has less to compute than to fetch, by the data sheet; right of it, the reverse.
# Caches soften this: what two warps load soon after each other comes from far away only once. Counts are the same
# on every machine; seconds are not, and *no GPU has timed these kernels yet*. `python -m minialex.bench --backend cupy`
# times yours.
#
# Loads are one bill, **instructions** the other. NVRTC, NVIDIA's compiler, translates a kernel into PTX, the GPU's
# assembler, on any computer, and `instructions.count` counts each instruction every time that a thread comes by.
# **Predict**: how many does the thread of `im2col_naive`, made like your 10.2, execute to copy one number?

# %% tags=["prediction"]
prediction = ...

# %%
def executed(launched):
    """The Instructions of a launch; NaN where NVRTC is not installed."""
    try:
        return instructions.count(*launched)
    except OSError as error:
        print(f"Instructions are not counted: {error}")
        return instructions.Instructions({"div.s32": np.nan}, 0)


# %% tags=["outcome"]
x, window = rng.standard_normal((1, 4, 13, 13), np.float32), Window.over((13, 13), 3, padding=1)
launches = {}
for rung in ladder.IM2COL:
    ladder.im2col(launch, rung, x, window)
    launches[rung] = launch.last
launches["yours"] = puzzles.launch("im2col", im2col)
copying = {}
for name, launched in launches.items():
    if launched:
        done, entries = executed(launched), 4 * 9 * 13 * 13
        copying[name] = done.total / entries
        print(f"{name:8} {copying[name]:5.1f} instructions, {done.whole_divisions / entries:.2f} of them divisions")
compare(prediction, round(copying["naive"], 1), " instructions")

# %% [markdown] tags=["outcome"]
# That many, for a number that memory takes in the time of 28. And a division is one instruction only in PTX; the GPU
# makes it of twenty others. The second rung gives a thread not an entry but a place, and divides once for all pixels of
# its windows.

# %% [markdown]
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
# ## What to read next
#
# * `kernels/common.cuh`, one page: all that the kernels take for granted. Then `kernels/relu.cu` and `pool.cu`.
# * `kernels/matmul.cu` and `tile.cuh`, `tile_product`: the third rung, and why one row of its tile is 68 wide, not 64.
# * `kernels/conv2d.cu`, `conv2d_implicit_gemm` and `Counter`: the pixel of a cell, without divisions.
# * `kernels/lrn_registers.cu`, `Last` and `backward`: two windows, one behind the other, in thirteen registers.
# * `kernels/checked.h`, `Shared`: how a race is caught, in forty lines. `kernels/warps.h`: steps, banks, and races in
#   global memory. `tutorials/puzzles/grader.py`: from your text to a verdict.
#
# From one scalar with a gradient you have come to the kernels that a GPU trains AlexNet with; nothing lies between the
# two that you have not seen. `python -m minialex.train` is yours.
#
# Next: [lesson 11](11_two_gpus.ipynb), where one GPU is not enough.
