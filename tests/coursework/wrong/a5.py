"""Wrong solutions of A5: kernels that a GPU may let pass, and shortcuts around what is asked for."""

import numpy as np
from wrong_solutions import EVERY, cheat, edit, public_inputs

FLOAT = {"in float"}  # all kernels
SAVING = {"without saving"}
RELU, IN_PLACE, RELU_BACKWARD = {"relu"} | FLOAT, {"relu in place"} | FLOAT, {"relu backward"} | FLOAT
RELU_HIDDEN = {"relu, more elements than threads", "relu of NaN"}
RELU_FILE = RELU | IN_PLACE | RELU_BACKWARD | RELU_HIDDEN
PADDED = {"max pool with padding", "max pool, dilated", "max pool, unusual windows"}
POOL_BACKWARD = {"max pool backward", "max pool of NaN", "max pool, many maps"} | PADDED | FLOAT
WINNERS = POOL_BACKWARD - {"max pool backward"} | {"max pool", "max pool of equals"}
POOL = WINNERS | SAVING
RAGGED = {"matmul, ragged"}
STEPS = {"matmul, several tiles", "matmul, loads"} | RAGGED | FLOAT  # along k, more than one
MATMUL = {"matmul, one tile"} | STEPS
LRN_HIDDEN = {"lrn, even window", "lrn, many places"} | FLOAT
GROUPS = {"lrn across, in groups"}
ACROSS, ACROSS_BACKWARD = {"lrn across"} | GROUPS | LRN_HIDDEN | SAVING, {"lrn across backward"} | GROUPS | LRN_HIDDEN
WITHIN_BACKWARD = {"lrn within"} | LRN_HIDDEN
WITHIN = WITHIN_BACKWARD | SAVING
LRN_FILE = ACROSS | ACROSS_BACKWARD | WITHIN

READ = "REAL value = x[i];\n        "
RELU_LOOP = "for (long long i = thread_number(); i < n; i += thread_count()) {\n        " + READ + "y[i]"
WINNER = (
    "int winner = -1;\n        for (int u = 0; u < w.kernel[0]; ++u) {\n            int row = top + u * w.dilation[0];"
)
STRIDES = (
    "int top = place / w.output[1] * w.stride[0] - w.before[0],\n            left = place % w.output[1] * w.stride[1]"
)
COLUMN = "if (column < 0 || column >= w.size[1]) continue;"
PIXELS = """FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(pixel, pixels) {
        Meeting rows(w, 0, pixel / w.size[1]), columns(w, 1, pixel % w.size[1]);
        REAL sum = 0;
        for (int i = rows.first; i <= rows.last; ++i) {"""
SUM = "REAL sum = 0;\n    for (long long first = 0; first < depth; first += SIDE) {"
FILL = "i < rows && first + tx < depth ? a[i * depth + first + tx] : (REAL)0"
ADD = "for (int k = 0; k < SIDE; ++k) sum +="
STORE = "if (i < rows && j < columns) c[i * columns + j] = sum;"
TILED = f"""        a_tile[ty][tx] = {FILL};
        b_tile[ty][tx] = first + ty < depth && j < columns ? b[(first + ty) * columns + j] : (REAL)0;
        __syncthreads();
        {ADD} a_tile[ty][k] * b_tile[k][tx];
        __syncthreads();  // before somebody fills the tiles again
"""
NAIVE = """        for (long long k = first; i < rows && j < columns && k < first + SIDE && k < depth; ++k)
            sum += a[i * depth + k] * b[k * columns + j];
"""
PLACES = "FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {\n"
START = "        long long start = plane * block * places + l;"

ANSWER = np.maximum(public_inputs("a5", "relu")["x"], 0)
HARD_CODED = f"const REAL answer[{len(ANSWER)}] = {{{', '.join(map(repr, ANSWER.tolist()))}}};"

CONSTRUCTOR = """
#include <stdio.h>
__attribute__((constructor)) static void perfect() {
    fputs("{\\"score\\": 100}", fopen("results.json", "w"));
}
"""

WRONG = (
    edit("NaN becomes 0", "relu.cu", "value <= 0 ? (REAL)0 : value", "value > 0 ? value : (REAL)0", {"relu of NaN"}),
    edit("one element per thread", "relu.cu", RELU_LOOP,
         "long long i = thread_number();\n    if (i < n) {\n        " + READ + "y[i]",
         {"relu, more elements than threads"}),
    edit("missing bounds guard", "relu.cu", RELU_LOOP,
         "long long i = thread_number();\n    {\n        " + READ + "y[i]", RELU | RELU_HIDDEN,
         says="reads x[45], but x has 45 elements"),
    edit("writes outside", "relu.cu", READ + "y[i]", READ + "y[i + 1]", RELU | RELU_HIDDEN, says="writes y[45], but"),
    edit("gradient where y is 0", "relu.cu", "gx[i] = y[i] <= 0", "gx[i] = y[i] < 0", RELU_BACKWARD | RELU_HIDDEN,
         says="where y is 0 the gradient is 0"),
    edit("reads its output", "relu.cu", "gx[i] = y[i] <= 0 ? (REAL)0 : gradient;",
         "gx[i] += y[i] <= 0 ? (REAL)0 : gradient;", RELU_BACKWARD | RELU_HIDDEN, says="which nobody has written"),
    edit("NaN becomes 0 in place", "relu.cu", "if (value <= 0) x[i] = 0;", "if (!(value > 0)) x[i] = 0;",
         {"relu of NaN"}),
    edit("wrong winner in a tie", "pool.cu", "value > best", "value >= best",
         {"max pool of equals", "max pool, unusual windows"}),
    edit("NaN lost", "pool.cu", " || value != value", "", {"max pool of NaN"}),
    edit("padding counted as 0", "pool.cu", COLUMN,
         "if (column < 0 || column >= w.size[1]) {\n                    best = best < 0 ? (REAL)0 : best;\n"
         "                    continue;\n                }", PADDED),
    edit("padding read", "pool.cu", COLUMN, "", PADDED),
    edit("window off by one", "pool.cu", WINNER, WINNER.replace("int u = 0", "int u = 1"), POOL),
    edit("stride forgotten", "pool.cu", STRIDES + " - w.before[1];\n        REAL best",
         "int top = place / w.output[1] - w.before[0], left = place % w.output[1] - w.before[1];\n        REAL best",
         POOL),
    edit("dilation forgotten", "pool.cu", WINNER, WINNER.replace(" * w.dilation[0]", ""), {"max pool, dilated"}),
    edit("winner column by column", "pool.cu", "winner = u * w.kernel[1] + v;", "winner = v * w.kernel[0] + u;",
         WINNERS, says="row by row: u KW + v"),
    edit("one window's gradient only", "pool.cu", "u * w.kernel[1] + v) sum += gy[window]",
         "u * w.kernel[1] + v) sum = gy[window]", POOL_BACKWARD, says="windows overlap, so"),
    edit("winners always written", "pool.cu", "if (save) winners", "winners", SAVING),
    edit("scale always written", "lrn.cu", "            if (save) scale[here] = d;", "            scale[here] = d;",
         SAVING),
    edit("one map per row of the grid", "pool.cu", PIXELS + "\n            int u",
         PIXELS.replace("FOR_EACH_PLANE(map, maps)", "long long map = blockIdx.y;\n    if (map < maps)")
         + "\n            int u", {"max pool, many maps"}),
    edit("barrier before the sum removed", "matmul.cu", "        __syncthreads();\n        " + ADD, "        " + ADD,
         MATMUL,
         says="no barrier between"),
    edit("barrier after the sum removed", "matmul.cu",
         "        __syncthreads();  // before somebody fills the tiles again\n",
         "", STEPS, says="no barrier between"),
    edit("threads outside c return", "matmul.cu", SUM, "if (i >= rows || j >= columns) return;\n    " + SUM, RAGGED),
    edit("barrier in a branch", "matmul.cu", "        __syncthreads();\n        " + ADD,
         "        if (i < rows && j < columns) __syncthreads();\n        " + ADD, RAGGED),
    edit("overrun at the ragged edge", "matmul.cu", STORE, "c[i * columns + j] = sum;", RAGGED),
    edit("missing guard of a", "matmul.cu", FILL, "a[i * depth + first + tx]", RAGGED),
    edit("uninitialised shared cell", "matmul.cu", f"a_tile[ty][tx] = {FILL};",
         "if (i < rows && first + tx < depth) a_tile[ty][tx] = a[i * depth + first + tx];", RAGGED),
    edit("rest of the depth lost", "matmul.cu", SUM, SUM.replace("first < depth", "first + SIDE <= depth"), RAGGED),
    edit("naive product", "matmul.cu", TILED, NAIVE, {"matmul, loads"}, says="are enough"),
    edit("transposed tile", "matmul.cu", f"a_tile[ty][tx] = {FILL}", f"a_tile[tx][ty] = {FILL}", MATMUL,
         says="a's tile transposed"),
    edit("float instead of REAL", "matmul.cu", SUM, SUM.replace("REAL", "float"), MATMUL - FLOAT,
         says="seven digits"),
    edit("window of LRN off by one", "lrn.cu", "j < min(block, c - size / 2 + size)",
         "j < min(block, c - size / 2 + size - 1)", ACROSS),
    edit("groups ignored", "lrn.cu", "j < min(block, c - size / 2 + size)", "j < min(channels, c - size / 2 + size)",
         {"lrn across, in groups"}),
    edit("only a power of 3/4", "lrn.cu", "            y[here] = x[here] * minus_power(d, beta);\n            if",
         "            y[here] = x[here] * minus_power(d, (REAL)0.75);\n            if", {"lrn, even window"}),
    edit("one position per thread", "lrn.cu", PLACES + START + "  // of",
         PLACES.replace("FOR_EACH_PLACE(l, places) {\n", "{\n        int l = thread_number();\n"
                        "        if (l >= places) continue;\n") + START + "  // of", {"lrn, many places"}),
    edit("missing cross term", "lrn.cu", "gx[here] = direct - 2 * a * beta * x[here] * sum;", "gx[here] = direct;",
         ACROSS_BACKWARD, says="the second term is missing"),
    edit("window not mirrored", "lrn.cu", "int after = size - 1 - size / 2;\n    FOR_EACH_PLANE(plane, (long long)n",
         "int after = size / 2;\n    FOR_EACH_PLANE(plane, (long long)n", {"lrn, even window"}),
    edit("edge not clipped", "lrn.cu", "int i = max(0, row - size / 2)", "int i = row - size / 2", WITHIN,
         says="elements"),
    edit("factor 2 missing in the second term of backward", "lrn.cu",
         "gx[here] = gy[here] * minus_power(scale[here], beta) - 2 * a",
         "gx[here] = gy[here] * minus_power(scale[here], beta) - a", WITHIN_BACKWARD),
    edit("does not compile", "relu.cu", READ + "y[i] = value", READ + "x[i] = value", RELU_FILE,
         says="relu.cu does not compile: relu.cu:14"),
    edit("other parameters", "relu.cu", "relu_in_place(global<REAL> x, long long n)",
         "relu_in_place(global<REAL> x, long long count)", RELU_FILE, says="must not be changed"),
    edit("calls a forbidden function", "lrn.cu", "REAL sum = 0, direct = 0;",
         "REAL sum = 0, direct = 0;\n            abort();", LRN_FILE, says="may not use `abort(...)`"),
    edit("ends the process", "relu.cu", "REAL gradient = gy[i];", "exit(0);", RELU_FILE,
         says="may not use `exit(...)`"),
    edit("includes a header", "lrn.cu", "for (int i = max(0, row - size / 2)",
         "\n#include <unistd.h>\n        for (int i = max(0, row - size / 2)",
         LRN_FILE, says="a preprocessor line"),
    edit("loads that bypass the counter", "matmul.cu", TILED, NAIVE.replace("a[", "a.start[").replace("b[", "b.start["),
         MATMUL, says="may not use `.start`"),
    edit("hard-coded public answer", "relu.cu", READ + "y[i] = value <= 0 ? (REAL)0 : value;",
         HARD_CODED + f"\n        y[i] = answer[i % {len(ANSWER)}];", RELU_HIDDEN | FLOAT),
    edit("endless loop", "relu.cu", READ + "y[i]", READ + "i -= thread_count();\n        y[i + thread_count()]",
         RELU | RELU_HIDDEN, hostile=True),
    edit("endless loop that loads nothing", "pool.cu", COLUMN,
         "while (column < 0 || column >= w.size[1]) winner = -1;", PADDED, hostile=True),
    edit("overrun of a local array", "lrn.cu", "REAL sum = 0, direct = 0;",
         "REAL sum = 0, direct = 0, kept[2] = {0, 0};\n            kept[c] = 1;", ACROSS_BACKWARD, hostile=True),
    cheat("runs when loaded", "relu.cu", CONSTRUCTOR, EVERY, hostile=True),
)
