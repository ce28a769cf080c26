"""Host code of four ladders of kernels: each rung computes the same with fewer loads, or with fewer instructions.

`launch` is a `minialex.backends.cuda.launch.Launcher`, on a GPU or in the emulator; arrays are those of its `xp`, in
float32 or float64. The kernels are in kernels/matmul.cu, conv2d.cu, im2col.cu, lrn.cu and lrn_registers.cu.
The backend uses the top rungs of im2col and of LRN. It does not climb the other two: its convolution is im2col and
cuBLAS, which that ladder is measured against.
"""

from __future__ import annotations

import math

from minialex.backends.cuda.backend import CudaBackend

# ---------------------------------------------------------------------------------------------------- matrix product

MATMUL = {  # rung: (side of the tile of C that a block makes, the block's threads)
    "naive": (16, (16, 16)),
    "tiled": (16, (16, 16)),
    "blocked": (64, 256),
}


def matmul(launch, rung, a, b):
    """C = A @ B for (M, K) and (K, N), by the kernel `matmul_<rung>`.

    ValueError for a rung that there is not, and for other shapes.
    """
    side, block = _of(MATMUL, rung, "matmul")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ValueError(f"matmul needs shapes (M, K) and (K, N), got {a.shape} and {b.shape}")
    (rows, depth), columns = a.shape, b.shape[1]
    c = launch.empty((rows, columns), a.dtype)
    launch(f"matmul_{rung}", _pieces(rows, side) * _pieces(columns, side), block, a, b, c, rows, columns, depth)
    return c


# ---------------------------------------------------------------------------------------------------- convolution

_TILE, _THREADS = 64, 256  # kernels/tile.cuh
_PATCH, _FILTERS, _PIXELS, _TAPS = 8, 4, 4096, 256  # kernels/conv2d.cu, conv2d_tiled
_ENOUGH = 132 * 4  # blocks of 256 threads: they fill the largest GPU


def _direct(launch, x, w, b, with_bias, y, *sizes):
    launch.elements("conv2d_direct", y.size, x, w, b, with_bias, y, *sizes)


def _tiled(launch, x, w, b, with_bias, y, *sizes):
    groups, _, filters, window, pictures = sizes
    patches = pictures * math.prod(_pieces(n, _PATCH) for n in window.output)
    grid, block = (patches, _pieces(filters, _FILTERS), groups), (_PATCH, _PATCH, _FILTERS)
    launch("conv2d_tiled", grid, block, x, w, b, with_bias, y, *sizes[:-1], *_patch(window))


def _patch(window):
    """(rows, width) of the pixels under 8 x 8 windows, the pitch of their rows in shared memory, and how many channels
    at a time fit into it. ValueError where not one does."""
    sides = zip(window.stride, window.dilation, window.kernel, strict=True)
    rows, width = [(_PATCH - 1) * s + d * (k - 1) + 1 for s, d, k in sides]
    pitch = _pieces(width, 8) * 8 | 8
    together = min(_PIXELS // (rows * pitch), _TAPS // math.prod(window.kernel))
    if not together:
        raise ValueError(
            f"conv2d_tiled has shared memory for {_TAPS} weights of a filter and {_PIXELS} pixels; kernel_size "
            f"{window.kernel}, stride {window.stride} and dilation {window.dilation} need {math.prod(window.kernel)} "
            f"and {rows * pitch}: take another rung"
        )
    return rows, width, pitch, together


def _implicit_gemm(launch, x, w, b, with_bias, y, *sizes):
    groups, _, filters, window, pictures = sizes
    grid = _pieces(pictures * math.prod(window.output), _TILE), _pieces(filters, _TILE), groups
    launch("conv2d_implicit_gemm", grid, _THREADS, x, w, b, with_bias, y, *sizes)


def _direct_backward(launch, gy, x, w, gx, gw, *sizes):
    launch.elements("conv2d_direct_backward_x", gx.size, gy, w, gx, *sizes)
    launch("conv2d_direct_backward_w", gw.size, _THREADS, gy, x, gw, *sizes)


def _implicit_gemm_backward(launch, gy, x, w, gx, gw, *sizes):
    groups, channels, filters, window, pictures = sizes
    grid = _pieces(pictures * math.prod(window.size), _TILE), _pieces(channels, _TILE), groups
    launch("conv2d_implicit_gemm_backward_x", grid, _THREADS, gy, w, gx, *sizes)
    across, down = _pieces(math.prod(w.shape[1:]), _TILE), _pieces(filters, _TILE)
    share = max(1, pictures * groups * across * down // _ENOUGH)  # pictures that a block adds up
    parts = launch.empty((_pieces(pictures, share), *w.shape), gy.dtype)
    grid = across, down, len(parts) * groups
    launch("conv2d_implicit_gemm_backward_w", grid, _THREADS, gy, x, parts, *sizes, share)
    launch.xp.sum(parts, axis=0, out=gw)


CONV2D = {  # rung: (forward, backward)
    "direct": (_direct, _direct_backward),
    "tiled": (_tiled, None),
    "implicit_gemm": (_implicit_gemm, _implicit_gemm_backward),
}


def conv2d(launch, rung, x, w, b, window, groups=1):
    """y = x * w + b: x (N, C, H, W), w (O, C / groups, KH, KW), b (O,) or None, y (N, O, OH, OW).

    By the kernel `conv2d_<rung>`. ValueError for a rung that there is not, for shapes that do not belong together, and
    for a window that "tiled" has no room for: another rung in its place would be measured under its name.
    """
    forward, _ = _of(CONV2D, rung, "conv2d")
    shape = *x.shape[:1], *w.shape[:1], *window.output
    _check(x.shape, w.shape, shape, window, groups)
    if b is not None and b.shape != w.shape[:1]:
        raise ValueError(f"conv2d needs a bias for each of {len(w)} filters, got shape {b.shape}")
    y = launch.empty(shape, x.dtype)
    bias = (w, 0) if b is None else (b, 1)  # a kernel takes no missing argument
    forward(launch, x, w, *bias, y, groups, w.shape[1], len(w) // groups, window, len(x))
    return y


def conv2d_backward(launch, rung, gy, x, w, window, groups=1):
    """(gx, gw) of gy (N, O, OH, OW), by the kernels `conv2d_<rung>_backward_x` and `_w`; gb is `channel_sums`'s.

    ValueError for a rung that has no backward, and for shapes that do not belong together.
    """
    backwards = {name: backward for name, (_, backward) in CONV2D.items() if backward}
    backward = _of(backwards, rung, "conv2d_backward")
    _check(x.shape, w.shape, gy.shape, window, groups)
    gx, gw = launch.empty(x.shape, gy.dtype), launch.empty(w.shape, gy.dtype)
    backward(launch, gy, x, w, gx, gw, groups, w.shape[1], len(w) // groups, window, len(x))
    return gx, gw


# ---------------------------------------------------------------------------------------------------- columns


def _im2col_naive(launch, x, window):
    """One thread an entry of the columns."""
    (pictures, channels), places = x.shape[:2], math.prod(window.output)
    rows = channels * math.prod(window.kernel)
    columns = launch.empty((rows, pictures * places), x.dtype)
    launch.planes("im2col_naive", places, rows * pictures, x, columns, channels, window, 0, pictures)
    return columns


def _im2col_windows(launch, x, window):
    """One thread a place of the output, for all pixels of its windows."""
    rows, places = x.shape[1] * math.prod(window.kernel), len(x) * math.prod(window.output)
    columns = launch.empty((rows, places), x.dtype)
    CudaBackend(launch.xp, launch)._im2col(x, columns, window, 0, len(x))
    return columns


IM2COL = {"naive": _im2col_naive, "windows": _im2col_windows}


def im2col(launch, rung, x, window):
    """columns (C KH KW, N OH OW) of x (N, C, H, W): columns[(c, u, v), (n, i, j)] = x[n, c, i s + u d - p, ...].

    ValueError for a rung that there is not, and for a window over pictures of another size.
    """
    run = _of(IM2COL, rung, "im2col")
    if x.ndim != 4 or x.shape[2:] != window.size:
        raise ValueError(f"im2col: x {x.shape} and {window} do not belong together")
    return run(launch, x, window)


# ---------------------------------------------------------------------------------------------------- LRN

LRN = {"anew": (), "registers": CudaBackend.in_registers}  # rung: window sizes that it keeps in registers


def local_response_norm_backward(launch, rung, gy, x, size, a, beta, k):
    """gx of local response normalisation across channels; gy, x, gx (N, C, H, W).

    By `lrn_across_backward`, which computes what a channel gives anew for each window that holds it, or by
    `lrn_registers_backward`. The last launch is that of backward. ValueError for a rung that there is not, and for a
    window that "registers" has no kernel for.
    """
    in_registers = _of(LRN, rung, "local_response_norm_backward")
    if in_registers and size not in in_registers:
        raise ValueError(f"lrn_registers has windows of {in_registers[0]} to {in_registers[-1]} channels, not {size}")
    backend = CudaBackend(launch.xp, launch)
    backend.in_registers = in_registers
    options = size, a, beta, k, False, 1
    _, saved = backend.local_response_norm(x, *options, True)
    return backend.local_response_norm_backward(gy, saved, *options)


# ---------------------------------------------------------------------------------------------------- refusals


def _check(x, w, y, window, groups):
    """ValueError unless these are the shapes of one convolution."""
    if (
        groups < 1
        or len(w) != 4
        or w[0] % groups
        or w[2:] != window.kernel
        or x != (*x[:1], groups * w[1], *window.size)
        or y != (*x[:1], w[0], *window.output)
    ):
        raise ValueError(f"conv2d: x {x}, w {w} and y {y} do not belong together, with groups {groups} and {window}")


def _of(table, rung, name):
    if rung not in table:
        raise ValueError(f"{name} has the rungs {', '.join(table)}, not {rung!r}")
    return table[rung]


def _pieces(n, size):
    return -(-n // size)
