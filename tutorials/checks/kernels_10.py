"""Kernels for the puzzles of lesson 10: right ones, and for each several that are wrong in a known way.

A wrong kernel is a right one with a few lines changed; the line that its verdict has to name ends in `// here`.
"""

from __future__ import annotations

import puzzles

MAP = """
extern "C" __global__ void leaky_relu(global<const REAL> x, global<REAL> y, REAL slope, long long n) {
    long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
        REAL value = x[i];
        y[i] = value > 0 ? value : slope * value;
    }
}
"""

STENCIL = """
extern "C" __global__ void stencil(global<const REAL> x, global<REAL> y, int n) {
    SHARED(REAL, tile, 70);
    int t = threadIdx.x, first = blockIdx.x * 64 - 3;
    for (int k = t; k < 70; k += 64) {
        int i = first + k;
        tile[k] = i >= 0 && i < n ? x[i] : (REAL)0;
    }
    __syncthreads();
    int i = blockIdx.x * 64 + t;
    if (i >= n) return;
    REAL sum = 0;
    for (int d = -3; d <= 3; ++d) sum += (4 - abs(d)) * tile[t + 3 + d];
    y[i] = sum;
}
"""

IM2COL = """
extern "C" __global__ void im2col(global<const REAL> x, global<REAL> columns, int channels, Window w) {
    int places = w.output[0] * w.output[1], taps = w.kernel[0] * w.kernel[1];
    int entry = blockIdx.x * blockDim.x + threadIdx.x;
    if (entry >= channels * taps * places) return;
    int place = entry % places, tap = entry / places % taps, c = entry / places / taps;
    int row = place / w.output[1] * w.stride[0] + tap / w.kernel[1] - w.before[0];
    int column = place % w.output[1] * w.stride[1] + tap % w.kernel[1] - w.before[1];
    bool inside = row >= 0 && row < w.size[0] && column >= 0 && column < w.size[1];
    columns[entry] = inside ? x[(c * w.size[0] + row) * w.size[1] + column] : (REAL)0;
}
"""

POOLING = """
extern "C" __global__ void max_pool(global<const REAL> x, global<REAL> y, int height, int width, int out_height,
                                    int out_width) {
    SHARED2(REAL, patch, 17, 17);
    int map = blockIdx.z, top = blockIdx.y * 16, left = blockIdx.x * 16;
    for (int k = threadIdx.y * 8 + threadIdx.x; k < 17 * 17; k += 64) {
        int row = top + k / 17, column = left + k % 17;
        if (row < height && column < width) patch[k / 17][k % 17] = x[(map * height + row) * width + column];
    }
    __syncthreads();
    int i = blockIdx.y * 8 + threadIdx.y, j = blockIdx.x * 8 + threadIdx.x;
    if (i >= out_height || j >= out_width) return;
    REAL best = patch[2 * threadIdx.y][2 * threadIdx.x];
    for (int u = 0; u < 3; ++u)
        for (int v = 0; v < 3; ++v)
            if (2 * i + u < height && 2 * j + v < width)
                best = max(best, patch[2 * threadIdx.y + u][2 * threadIdx.x + v]);
    y[(map * out_height + i) * out_width + j] = best;
}
"""

SUM = """
extern "C" __global__ void block_sums(global<const REAL> x, global<REAL> sums, int n) {
    SHARED(REAL, tile, 128);
    int t = threadIdx.x, i = blockIdx.x * 128 + t;
    tile[t] = i < n ? x[i] : (REAL)0;
    __syncthreads();
    for (int apart = 1; apart < 128; apart *= 2) {
        if (t % (2 * apart) == 0) tile[t] += tile[t + apart];
        __syncthreads();
    }
    if (t == 0) sums[blockIdx.x] = tile[0];
}
"""

SPARING_SUM = """
extern "C" __global__ void block_sums(global<const REAL> x, global<REAL> sums, int n) {
    SHARED(REAL, tile, 256);
    int t = threadIdx.x, i = blockIdx.x * 256 + t;
    tile[t] = i < n ? x[i] : (REAL)0;
    __syncthreads();
    for (int half = 128; half > 0; half /= 2) {
        if (t < half) tile[t] += tile[t + half];
        __syncthreads();
    }
    if (t == 0) sums[blockIdx.x] = tile[0];
}
"""


PRODUCT = """
extern "C" __global__ void product(global<const REAL> a, global<const REAL> b, global<REAL> c, int rows, int columns,
                                   int depth) {
    SHARED2(REAL, a_tile, 16, 16);
    SHARED2(REAL, b_tile, 16, 16);
    int tx = threadIdx.x, ty = threadIdx.y;
    int i = blockIdx.y * 16 + ty, j = blockIdx.x * 16 + tx;
    REAL sum = 0;
    for (int first = 0; first < depth; first += 16) {
        a_tile[ty][tx] = i < rows && first + tx < depth ? a[i * depth + first + tx] : (REAL)0;
        b_tile[ty][tx] = first + ty < depth && j < columns ? b[(first + ty) * columns + j] : (REAL)0;
        __syncthreads();
        for (int k = 0; k < 16; ++k) sum += a_tile[ty][k] * b_tile[k][tx];
        __syncthreads();
    }
    if (i < rows && j < columns) c[i * columns + j] = sum;
}
"""

LRN = """
extern "C" __global__ void lrn(global<const REAL> x, global<REAL> y, int channels, int places, REAL alpha, REAL k) {
    int l = blockIdx.x * 64 + threadIdx.x;
    if (l >= places) return;
    REAL a = 0, b = 0, c = 0, d = x[l], e = channels > 1 ? x[places + l] : (REAL)0;  // x of five channels, c in front
    for (int channel = 0; channel < channels; ++channel) {
        a = b, b = c, c = d, d = e;
        e = channel + 2 < channels ? x[(channel + 2) * places + l] : (REAL)0;
        REAL scale = k + alpha * (a * a + b * b + c * c + d * d + e * e);
        y[channel * places + l] = c / sqrt(scale * sqrt(scale));
    }
}
"""


def changed(text, *edits):
    """A kernel with pieces of its text replaced, each (old, new) once."""
    for old, new in edits:
        assert text.count(old) == 1, f"{text.count(old)} times: {old}"
        text = text.replace(old, new)
    return text


# ---------------------------------------------------------------------------------------------- map

_MAP_LOOP = "for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {"
_MAP_BODY = """        REAL value = x[i];
        y[i] = value > 0 ? value : slope * value;
"""
_NO_LOOP = changed(MAP, (_MAP_LOOP, "long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; {"))
MAPS = (  # (text, a part of its verdict)
    (changed(_NO_LOOP, ("= x[i];", "= x[i];  // here")), "reads x[1], but x has 1 elements"),
    (changed(MAP, ("i < n", "i <= n"), ("= x[i];", "= x[i];  // here")), "An index is at least 0 and below the size"),
    (changed(_NO_LOOP, ("REAL value = x[i];", "if (i >= n) return; REAL value = x[i];")), "nobody writes y[192]"),
    (
        changed(MAP, ("long long i = (long long)", "int i = "), ("= x[i];", "= x[i];  // here")),
        "reads x[-2147483584], but x has 2147483725 elements",
    ),
    (
        changed(
            MAP,
            (
                _MAP_LOOP,
                "long long each = (n + step - 1) / step, first = (blockIdx.x * blockDim.x + threadIdx.x) * each;\n"
                "    for (long long i = first; i < first + each && i < n; ++i) {",
            ),
            ("= x[i];", "= x[i];  // here"),
        ),
        "sectors of 32 bytes; the budget is 400",
    ),
    (
        changed(MAP, (_MAP_BODY, "        y[i] = x[i] > 0 ? x[i] : slope * x[i];  // here\n")),
        "2,000 loads from global memory; the budget is 1,000",
    ),
    (changed(MAP, ("> 0 ? value", "> 0 ? slope"), ("slope * value;", "slope * value;  // here")), "in NumPy"),
    (changed(MAP, ("i += step", "i += 0"), ("= x[i];", "= x[i];  // here")), "it does not end"),
)

# ---------------------------------------------------------------------------------------------- stencil

_FILL = """    for (int k = t; k < 70; k += 64) {
        int i = first + k;
        tile[k] = i >= 0 && i < n ? x[i] : (REAL)0;
    }
"""
_SUM = "for (int d = -3; d <= 3; ++d) sum += (4 - abs(d)) * tile[t + 3 + d];"
STENCILS = (  # (text, a part of its verdict)
    (
        changed(STENCIL, ("    __syncthreads();\n", ""), ("x[i] : (REAL)0;", "x[i] : (REAL)0;  // here")),
        "race: writes tile[1], which thread 0 read, with no barrier between (line 12)",
    ),
    (
        changed(STENCIL, ("k < 70;", "k < 64;"), (_SUM, _SUM + "  // here")),
        "reads tile[64], which no thread of this block",
    ),
    (
        changed(STENCIL, ("tile, 70", "tile, 64"), ("x[i] : (REAL)0;", "x[i] : (REAL)0;  // here")),
        "writes tile[64], but tile has 64 elements",
    ),
    (changed(STENCIL, ("i >= 0 && i < n ? x[i] : (REAL)0;", "x[i];  // here")), "reads x[-3], but x has 1 elements"),
    (
        changed(
            STENCIL,
            ("    int t =", "    if (blockIdx.x * 64 + threadIdx.x >= n) return;\n    int t ="),
            ("__syncthreads();", "__syncthreads();  // here"),
        ),
        "waits at a barrier, but thread 63 has left the kernel",
    ),
    (
        changed(
            STENCIL, ("i >= 0 && i < n ? x[i] : (REAL)0", "x[min(max(i, 0), n - 1)]"), ("] = sum;", "] = sum;  // here")
        ),
        "y[0] is",
    ),
    (
        changed(
            STENCIL,
            (_FILL, ""),
            ("    __syncthreads();\n", ""),
            (
                _SUM,
                "for (int d = -3; d <= 3; ++d)\n        if (i + d >= 0 && i + d < n) sum += (4 - abs(d)) * x[i + d];"
                "  // here",
            ),
        ),
        "loads from global memory; the budget is 700",
    ),
    (changed(STENCIL, ("tile, 70", "tile, 128")), "512 bytes of shared memory; the budget is 280"),
    (
        changed(STENCIL, ("first = blockIdx.x * 64 - 3", "first = blockIdx.x * 64"), ("] = sum;", "] = sum;  // here")),
        "Rule: y[i] = sum of (4 - |d|)",
    ),
)

# ---------------------------------------------------------------------------------------------- im2col

_PICK = "inside ? x[(c * w.size[0] + row) * w.size[1] + column] : (REAL)0;"
_INSIDE = "row >= 0 && row < w.size[0] && column >= 0 && column < w.size[1]"
_WHERE = "int place = entry % places, tap = entry / places % taps, c = entry / places / taps;"
IM2COLS = (  # (text, a part of its verdict)
    (
        changed(IM2COL, ("    if (entry >= channels * taps * places) return;\n", ""), (_PICK, _PICK + "  // here")),
        "An index is at least 0 and below the size",
    ),
    (changed(IM2COL, (_INSIDE, "true"), (_PICK, _PICK + "  // here")), "reads x[-5]"),
    (
        changed(IM2COL, (_INSIDE, "row >= 0 && row < w.size[0]"), (_PICK, _PICK + "  // here")),
        "reads x[-2], but x has 108 elements",
    ),
    (
        changed(
            IM2COL,
            ("tap / w.kernel[1] -", "tap % w.kernel[0] -"),
            ("tap % w.kernel[1]", "tap / w.kernel[0]"),
            (_PICK, _PICK + "  // here"),
        ),
        "Rule: columns[(c, u, v), (i, j)]",
    ),
    (
        changed(
            IM2COL, ("- w.before[0]", "+ w.before[0]"), ("- w.before[1]", "+ w.before[1]"), (_PICK, _PICK + "  // here")
        ),
        "columns[0, 0] is",
    ),
    (
        changed(
            IM2COL,
            (_WHERE, "int tap = entry % taps, place = entry / taps % places, c = entry / places / taps;"),
            ("columns[entry] = " + _PICK, "columns[(c * taps + tap) * places + place] = " + _PICK + "  // here"),
        ),
        "Neighbouring threads touch neighbouring numbers",
    ),
    (
        changed(IM2COL, ("place / w.output[1] * w.stride[0]", "place / w.output[1]"), (_PICK, _PICK + "  // here")),
        "Rule: columns[(c, u, v), (i, j)]",
    ),
)

# ---------------------------------------------------------------------------------------------- pooling

_BEST = "best = max(best, patch[2 * threadIdx.y + u][2 * threadIdx.x + v]);"
_LOADED = "patch[k / 17][k % 17] = x[(map * height + row) * width + column];"
_CUT = "if (2 * i + u < height && 2 * j + v < width)"
_OUT = "out_width + j] = best;"
POOLINGS = (  # (text, a part of its verdict)
    (
        changed(
            POOLING,
            ("REAL best = patch[2 * threadIdx.y][2 * threadIdx.x];", "REAL best = 0;"),
            (_OUT, _OUT + "  // here"),
        ),
        "y[0, 0, 0] is 0, in NumPy -",
    ),
    (
        changed(POOLING, ("row < height && column < width", "true"), (_LOADED, _LOADED + "  // here")),
        "reads x[22], but x has 9 elements",
    ),
    (changed(POOLING, (_CUT, "if (true)"), (_BEST, _BEST + "  // here")), "which no thread of this block has written"),
    (
        changed(POOLING, ("    __syncthreads();\n", ""), (_LOADED, _LOADED + "  // here")),
        "race: writes patch[0][1], which thread 0 read, with no barrier between",
    ),
    (
        changed(
            POOLING,
            ("    int map =", "    if (blockIdx.x * 8 + threadIdx.x >= out_width) return;\n    int map ="),
            ("__syncthreads();", "__syncthreads();  // here"),
        ),
        "All threads of a block come to the same __syncthreads()",
    ),
    (
        changed(POOLING, ("patch, 17, 17", "patch, 16, 16"), (_LOADED, _LOADED + "  // here")),
        "but patch has 16 rows of 16",
    ),
    (
        changed(
            POOLING,
            (_BEST, "best = max(best, x[(map * height + 2 * i + u) * width + 2 * j + v]);  // here"),
            ("REAL best = patch[2 * threadIdx.y][2 * threadIdx.x];", "REAL best = log((REAL)0);"),
        ),
        "loads from global memory; the budget is 4,624",
    ),
    (changed(POOLING, ("patch, 17, 17", "patch, 18, 20")), "bytes of shared memory; the budget is 1,156"),
)

# ---------------------------------------------------------------------------------------------- sums

_ADD = "if (t % (2 * apart) == 0) tile[t] += tile[t + apart];"
_TREE = """    for (int apart = 1; apart < 128; apart *= 2) {
        if (t % (2 * apart) == 0) tile[t] += tile[t + apart];
        __syncthreads();
    }
    if (t == 0) sums[blockIdx.x] = tile[0];
"""
SUMS = (  # (text, a part of its verdict)
    (
        changed(
            SUM,
            (
                _TREE,
                "    if (t == 0) sums[blockIdx.x] = 0;\n    __syncthreads();\n"
                "    sums[blockIdx.x] += tile[t];  // here\n",
            ),
        ),
        "race: reads sums[0], which thread 0 wrote",
    ),
    (changed(SUM, (_TREE, "    sums[blockIdx.x] = tile[0];  // here\n")), "race: writes sums[0], which thread 0 wrote"),
    (
        changed(SUM, (_ADD + "\n        __syncthreads();", _ADD + "  // here")),
        "race: writes tile[2], which thread 0 read, with no barrier between (line 8)",
    ),
    (
        changed(
            SUM,
            (
                _ADD + "\n        __syncthreads();",
                "if (t % (2 * apart) == 0) {\n            tile[t] += tile[t + apart];\n"
                "            __syncthreads();  // here\n        }",
            ),
        ),
        "waits at a barrier, but thread 127 has left the kernel",
    ),
    (changed(SUM, ("i < n ? x[i] : (REAL)0;", "x[i];  // here")), "reads x[1], but x has 1 elements"),
    (
        changed(SUM, ("tile[t] = i < n ? x[i] : (REAL)0;", "if (i < n) tile[t] = x[i];"), (_ADD, _ADD + "  // here")),
        "which no thread of this block has written",
    ),
    (
        changed(
            SUM,
            (
                _TREE,
                "    if (t != 0) return;\n    REAL sum = 0;\n"
                "    for (int k = 0; k < 128; ++k) sum += tile[k];  // here\n    sums[blockIdx.x] = sum;\n",
            ),
        ),
        "131 accesses by one thread; the budget is 40",
    ),
    (
        changed(SUM, ("apart < 128", "apart < 64"), ("= tile[0];", "= tile[0];  // here")),
        "Rule: sums[b] = the sum of the 128",
    ),
)

_SPARE_ADD = "if (t < half) tile[t] += tile[t + half];"
_FOR = "for (int half = 128; half > 0; half /= 2)"
SPARING_SUMS = (  # (text, a part of its verdict)
    (
        changed(
            SPARING_SUM,
            (_FOR, "for (int apart = 1; apart < 256; apart *= 2)"),
            (_SPARE_ADD, "if (t % (2 * apart) == 0) tile[t] += tile[t + apart];  // here"),
        ),
        "steps of warps; the budget is 256",
    ),
    (
        changed(
            SPARING_SUM,
            (_FOR, "for (int apart = 1; apart < 256; apart *= 2)"),
            (_SPARE_ADD, "if (2 * apart * t < 256) tile[2 * apart * t] += tile[2 * apart * t + apart];  // here"),
        ),
        "bank conflicts; the budget is 0",
    ),
    (
        changed(
            SPARING_SUM,
            ("tile[t] = i < n", "tile[2 * t] = i < n"),
            ("tile, 256", "tile, 512"),
            (_SPARE_ADD, "if (t < half) tile[2 * t] += tile[2 * (t + half)];  // here"),
        ),
        "bank conflicts; the budget is 0",
    ),
    (
        changed(SPARING_SUM, (_SPARE_ADD + "\n        __syncthreads();", _SPARE_ADD + "  // here")),
        "race: writes tile[1], which thread 0 read",
    ),
    (
        changed(
            SPARING_SUM,
            ("half > 0", "half > 16"),
            (
                "if (t == 0) sums[blockIdx.x] = tile[0];",
                "if (t >= 16) return;\n"
                "    for (int half = 16; half > 0; half /= 2) tile[t] += tile[t + half];  // here\n"
                "    if (t == 0) sums[blockIdx.x] = tile[0];",
            ),
        ),
        "What one thread writes, another may read or overwrite only after a barrier",
    ),
    (
        changed(
            SPARING_SUM,
            (
                _SPARE_ADD + "\n        __syncthreads();",
                "if (t >= half) break;\n        tile[t] += tile[t + half];\n        __syncthreads();  // here",
            ),
        ),
        "All threads of a block come to the same __syncthreads()",
    ),
)

# ---------------------------------------------------------------------------------------------- matrix product

_A = "a_tile[ty][tx] = i < rows && first + tx < depth ? a[i * depth + first + tx] : (REAL)0;"
_B = "b_tile[ty][tx] = first + ty < depth && j < columns ? b[(first + ty) * columns + j] : (REAL)0;"
_DOT = "for (int k = 0; k < 16; ++k) sum += a_tile[ty][k] * b_tile[k][tx];"
_STEP = f"        {_A}\n        {_B}\n        __syncthreads();\n        {_DOT}\n        __syncthreads();\n"
PRODUCTS = (  # (text, a part of its verdict)
    (
        changed(PRODUCT, (_DOT + "\n        __syncthreads();", _DOT + "  // here")),
        "race: reads a_tile[0][0], which thread 0 wrote, with no barrier between (line 10)",
    ),
    (
        changed(PRODUCT, (_B + "\n        __syncthreads();", _B), (_A, _A + "  // here")),
        "race: writes a_tile[0][1], which thread 0 read, with no barrier between (line 12)",
    ),
    (
        changed(PRODUCT, (_A, "a_tile[ty][tx] = a[i * depth + first + tx];  // here")),
        "reads a[1], but a has 1 elements",
    ),
    (
        changed(
            PRODUCT,
            (_A, "if (i < rows && first + tx < depth) a_tile[ty][tx] = a[i * depth + first + tx];"),
            (_DOT, _DOT + "  // here"),
        ),
        "which no thread of this block has written",
    ),
    (
        changed(
            PRODUCT,
            ("    REAL sum = 0;\n", "    REAL sum = 0;\n    if (i >= rows || j >= columns) return;\n"),
            (_B + "\n        __syncthreads();", _B + "\n        __syncthreads();  // here"),
        ),
        "waits at a barrier, but thread 255 has left the kernel",
    ),
    (
        changed(
            PRODUCT,
            (
                _STEP,
                "        for (int k = first; k < first + 16 && k < depth; ++k)\n"
                "            if (i < rows && j < columns) sum += a[i * depth + k] * b[k * columns + j];  // here\n",
            ),
        ),
        "221,184 loads from global memory; the budget is 13,824",
    ),
    (
        changed(
            PRODUCT,
            (_B, _B.replace("b_tile[ty][tx]", "b_tile[tx][ty]")),
            (_DOT, _DOT.replace("b_tile[k][tx]", "b_tile[tx][k]") + "  // here"),
        ),
        "bank conflicts; the budget is 0",
    ),
    (
        changed(PRODUCT, ("first < depth; first", "first + 16 <= depth; first"), ("j] = sum;", "j] = sum;  // here")),
        "c[0, 0] is 0",
    ),
    (
        changed(PRODUCT, ("if (i < rows && j < columns) c", "c"), ("j] = sum;", "j] = sum;  // here")),
        "writes c[1], but c has 1 elements",
    ),
)

# ---------------------------------------------------------------------------------------------- LRN

_SCALE = "REAL scale = k + alpha * (a * a + b * b + c * c + d * d + e * e);"
_Y = "y[channel * places + l] = c / sqrt(scale * sqrt(scale));"
_E = "e = channel + 2 < channels ? x[(channel + 2) * places + l] : (REAL)0;"
LRNS = (  # (text, a part of its verdict)
    (
        changed(
            LRN,
            (
                _SCALE,
                "REAL sum = 0;\n        for (int j = max(0, channel - 2); j <= min(channels - 1, channel + 2); ++j) {\n"
                "            REAL value = x[j * places + l];  // here\n            sum += value * value;\n        }\n"
                "        REAL scale = k + alpha * sum;",
            ),
        ),
        "Keep them",
    ),
    (
        changed(
            LRN,
            ("REAL a = 0, b", "REAL sum = 0, a = 0, b"),
            ("        a = b,", "        sum -= a * a;\n        a = b,"),
            (_E, _E + "\n        sum += channel == 0 ? c * c + d * d + e * e : e * e;"),
            (_SCALE, "REAL scale = k + alpha * sum;"),
            (_Y, _Y + "  // here"),
        ),
        "keeps its rounding error",
    ),
    (changed(LRN, (_E, "e = x[(channel + 2) * places + l];  // here")), "reads x[2], but x has 1 elements"),
    (
        changed(
            LRN, ("    if (l >= places) return;\n", ""), ("d = x[l]", "d = x[l]"), ("c in front", "c in front // here")
        ),
        "reads x[1], but x has 1 elements",
    ),
    (
        changed(
            LRN,
            (_SCALE, "REAL scale = k + alpha / 5 * (a * a + b * b + c * c + d * d + e * e);"),
            (_Y, _Y + "  // here"),
        ),
        "y[0, 0] is",
    ),
    (changed(LRN, (_Y, _Y.replace("sqrt(scale * sqrt(scale))", "sqrt(scale)") + "  // here")), "y[0, 0] is"),
    (changed(LRN, ("channel = 0; channel < channels", "channel = 1; channel < channels")), "nobody writes y[0, 0]"),
    (changed(LRN, (_SCALE, _SCALE.replace("a * a + ", "")), (_Y, _Y + "  // here")), "y[5, 0] is"),
)

# ---------------------------------------------------------------------------------------------- find the bug

_AGAIN = "    most = scratch[0];\n    __syncthreads();\n"
BUGGY = puzzles.SOFTMAX
SOFTMAX = changed(BUGGY, ("    most = scratch[0];\n", _AGAIN))
_POWERS = "for (int j = t; j < columns; j += 64) sum += exp(x[row + j] - most);"
SOFTMAXES = (  # (text, a part of its verdict)
    (
        changed(BUGGY, ("    most = scratch[0];", "    most = scratch[0];  // here")),
        "race: reads scratch[0], which thread 0 wrote",
    ),
    (
        changed(BUGGY, ("    most = scratch[0];", "    __syncthreads();\n    most = scratch[0];  // here")),
        "race: reads scratch[0], which thread 0 wrote",
    ),
    (
        changed(
            BUGGY,
            (
                _POWERS,
                "for (int j = t; j < columns; j += 64) {\n        sum += exp(x[row + j] - most);\n"
                "        __syncthreads();  // here\n    }",
            ),
        ),
        "waits at a barrier",
    ),
    (changed(SOFTMAX, (_AGAIN, "    most = 0;\n"), ("/ scratch[0];", "/ scratch[0];  // here")), "up to 9,000"),
    (
        changed(
            BUGGY,
            ("    most = scratch[0];", "    if (t == 0) most = scratch[0];"),
            ("/ scratch[0];", "/ scratch[0];  // here"),
        ),
        "in NumPy",
    ),
)
