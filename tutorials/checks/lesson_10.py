"""What the puzzles of lesson 10 expect, and the hints; the kernels themselves are in kernels_10.py."""

from __future__ import annotations

from functools import partial

import puzzles
from exercises import Exercise

from . import kernels_10 as kernels


def _asked(name, right, mistakes, *hints):
    return Exercise(right, mistakes, judged=partial(puzzles.grade, name), hints=hints)


EXERCISES = {
    "10.1": _asked(
        "map",
        kernels.MAP,
        kernels.MAPS,
        "192 threads, and a thousand elements: each thread has to do several. Which is the first of thread t of "
        "block b, and how far away is its next?",
        "Number the threads of all blocks, block by block. A thread begins at its own number, and steps by the "
        "number of threads that there are: then neighbours are always beside each other.",
        "A for loop with a long long i, from blockIdx.x * blockDim.x + threadIdx.x, in steps of gridDim.x * "
        "blockDim.x, while i < n; convert to long long before you multiply, and read x[i] once.",
    ),
    "10.2": _asked(
        "im2col",
        kernels.IM2COL,
        kernels.IM2COLS,
        "One thread makes one entry: first find out which. Five numbers tell it: c, u, v, i, j.",
        "Take the thread's number apart by / and %, as the digits of a number. The digit that changes fastest "
        "should be the one that is last in memory: the place, i * OW + j.",
        "place = entry % places, tap = entry / places % taps, c the rest; i, j are place / and % the output's "
        "width, u, v are tap / and % the kernel's. Then row = i * stride + u - before, and 0 unless row and column "
        "are inside.",
    ),
    "10.3": _asked(
        "stencil",
        kernels.STENCIL,
        kernels.STENCILS,
        "Which elements of x do the 64 threads of a block need, all together? How many are they?",
        "70 elements, beginning 3 before the block's own. 64 threads fill 70 cells of a shared tile: some fill "
        "two. Then a barrier; then everybody sums.",
        "for (int k = t; k < 70; k += 64) puts x at blockIdx.x * 64 - 3 + k into tile[k], or 0 outside x. After "
        "the barrier, a thread below n adds (4 - abs(d)) * tile[t + 3 + d].",
    ),
    "10.4": _asked(
        "sum",
        kernels.SUM,
        kernels.SUMS,
        "Put the numbers of the block into shared memory first. Who could add which two of them, all at the same time?",
        "A tournament: in the first round each even thread adds its right neighbour's cell to its own, in the next "
        "those divisible by 4 add the cell 2 to the right, and so on. What must lie between two rounds?",
        "for (int apart = 1; apart < 128; apart *= 2): if t % (2 * apart) is 0, tile[t] += tile[t + apart]; and "
        "after the if, for all threads, a barrier. Threads at or past n put 0 into their cell.",
    ),
    "10.5": _asked(
        "softmax",
        kernels.SOFTMAX,
        kernels.SOFTMAXES,
        "Run the kernel as it is: the verdict names two lines and two threads. What do both do with the same cell?",
        "The array `scratch` is used twice: for the largest, and then for the sum. One thread may already be at "
        "its second use while another has not finished the first.",
        "Everyone must have read scratch[0], the largest, before anyone writes a sum there: one barrier, between "
        "the two.",
    ),
    "10.6": _asked(
        "pooling",
        kernels.POOLING,
        kernels.POOLINGS,
        "Which pixels do the 8 x 8 windows of a block cover? They are 3 wide and 2 apart.",
        "17 x 17 pixels, from (16 blockIdx.y, 16 blockIdx.x) on. 64 threads put those that exist into shared "
        "memory, each several; after a barrier every thread looks at its nine.",
        "for (k = threadIdx.y * 8 + threadIdx.x; k < 289; k += 64) fills patch[k / 17][k % 17], if that pixel is "
        "inside. Then the largest of patch[2 ty + u][2 tx + v], of those inside, begun with the first one and not "
        "with 0.",
    ),
    "10.7": _asked(
        "sum without waiting",
        kernels.SPARING_SUM,
        kernels.SPARING_SUMS,
        "In 10.4's first round every second thread works: all 8 warps take part, with half of their lanes. Which "
        "threads could do that work so that 4 warps do?",
        "Let the first half of the threads add, not every second one. Which cells they add is free as well: lanes "
        "beside each other should read cells beside each other.",
        "Thread t < half adds tile[t + half] to tile[t]; half goes from 128 down to 1, with a barrier for all in "
        "each round.",
    ),
    "10.8": _asked(
        "lrn",
        kernels.LRN,
        kernels.LRNS,
        "A thread walks through the channels of its place. Which of the five numbers of the next window has it not "
        "seen?",
        "Keep the five in five variables. For the next channel each takes over its neighbour's number, and the "
        "last one loads x of two channels ahead, or takes 0 past the end. Add the five squares afresh.",
        "Before the loop d = x[l] and e = x of channel 1; in it a = b, b = c, c = d, d = e and e is loaded for "
        "channel + 2; the scale is k + alpha (a a + b b + c c + d d + e e), and the power is two square roots.",
    ),
    "10.9": _asked(
        "product",
        kernels.PRODUCT,
        kernels.PRODUCTS,
        "16 rows of a and 16 columns of b serve 16 x 16 threads. They do not fit into shared memory at once: go "
        "along k in steps of 16.",
        "In each step thread (tx, ty) loads one number for a's tile and one for b's, 0 outside the matrices; then "
        "a barrier, 16 products, and a second barrier. Why the second?",
        "a_tile[ty][tx] is a[i, first + tx], b_tile[ty][tx] is b[first + ty, j]; sum += a_tile[ty][k] * "
        "b_tile[k][tx]. Nobody returns before the loop ends: only the last line asks whether i and j are inside.",
    ),
}
