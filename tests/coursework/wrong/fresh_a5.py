"""Plausible mistakes in A5, written without looking at its checks; see wrong_solutions.py."""

from wrong_solutions import edit

FRESH = (
    # ------------------------------------------------------------------------------------------ relu.cu
    edit(
        "relu by fmax, which turns NaN into 0",
        "relu.cu",
        "y[i] = value <= 0 ? (REAL)0 : value;",
        "y[i] = fmax(value, (REAL)0);",
        {"relu of NaN"},
    ),
    edit(
        "relu in place: one element per thread",
        "relu.cu",
        "relu_in_place(global<REAL> x, long long n) {\n"
        "    for (long long i = thread_number(); i < n; i += thread_count()) {",
        "relu_in_place(global<REAL> x, long long n) {\n    long long i = thread_number();\n    if (i < n) {",
        {"relu, more elements than threads"},
    ),
    edit(
        "relu backward: a NaN of y lets no gradient through",
        "relu.cu",
        "gx[i] = y[i] <= 0 ? (REAL)0 : gradient;",
        "gx[i] = y[i] > 0 ? gradient : (REAL)0;",
        {"relu of NaN"},
    ),
    edit(
        "relu backward: the number of blocks for the number of threads in one",
        "relu.cu",
        "global<REAL> gx, long long n) {\n    for (long long i = thread_number(); i < n; i += thread_count()) {",
        "global<REAL> gx, long long n) {\n"
        "    for (long long i = blockIdx.x * gridDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {",
        {"relu backward", "relu, more elements than threads", "relu of NaN", "in float"},
    ),
    # ------------------------------------------------------------------------------------------ pool.cu
    edit(
        "max pool: the first of several NaNs wins",
        "pool.cu",
        "if (winner < 0 || value > best || value != value) {",
        "if (winner < 0 || value > best || (value != value && best == best)) {",
        {"max pool of NaN"},
    ),
    edit(
        "max pool: winners counted with the height of the kernel as the length of its rows",
        "pool.cu",
        "winner = u * w.kernel[1] + v;",
        "winner = u * w.kernel[0] + v;",
        {
            "max pool", "max pool with padding", "max pool of equals", "max pool of NaN", "max pool, many maps",
            "max pool, dilated", "max pool, unusual windows", "in float",
        },
    ),
    edit(
        "max pool: -1e30 for minus infinity",
        "pool.cu",
        """        REAL best = log((REAL)0);  // minus infinity: a window may meet no pixel
        int winner = -1;
        for (int u = 0; u < w.kernel[0]; ++u) {
            int row = top + u * w.dilation[0];
            if (row < 0 || row >= w.size[0]) continue;
            for (int v = 0; v < w.kernel[1]; ++v) {
                int column = left + v * w.dilation[1];
                if (column < 0 || column >= w.size[1]) continue;
                REAL value = x[map * pixels + row * w.size[1] + column];
                if (winner < 0 || value > best || value != value) {""",
        """        REAL best = (REAL)-1e30;
        int winner = 0;
        for (int u = 0; u < w.kernel[0]; ++u) {
            int row = top + u * w.dilation[0];
            if (row < 0 || row >= w.size[0]) continue;
            for (int v = 0; v < w.kernel[1]; ++v) {
                int column = left + v * w.dilation[1];
                if (column < 0 || column >= w.size[1]) continue;
                REAL value = x[map * pixels + row * w.size[1] + column];
                if (value > best || value != value) {""",
        {"max pool, unusual windows"},
    ),
    edit(
        "max pool: winners always written",
        "pool.cu",
        "if (save) winners[map * places + place] = (unsigned char)winner;",
        "winners[map * places + place] = (unsigned char)winner;",
        {"without saving"},
    ),
    edit(
        "max pool: the vertical dilation for the columns too",
        "pool.cu",
        """                int column = left + v * w.dilation[1];
                if (column < 0 || column >= w.size[1]) continue;
""",
        """                int column = left + v * w.dilation[0];
                if (column < 0 || column >= w.size[1]) continue;
""",
        {"max pool, dilated"},
    ),
    edit(
        "max pool: one column too many at the right edge",
        "pool.cu",
        "if (column < 0 || column >= w.size[1]) continue;",
        "if (column < 0 || column > w.size[1]) continue;",
        {"max pool with padding", "max pool, dilated", "max pool, unusual windows"},
    ),
    edit(
        "max pool backward: the last window of a row is left out",
        "pool.cu",
        "for (int j = columns.first; u >= 0 && j <= columns.last; ++j) {",
        "for (int j = columns.first; u >= 0 && j < columns.last; ++j) {",
        {
            "max pool backward", "max pool with padding", "max pool of NaN", "max pool, many maps",
            "max pool, dilated", "max pool, unusual windows", "in float",
        },
    ),
    edit(
        "max pool backward: a pixel that won several windows keeps the gradient of the last",
        "pool.cu",
        "if (v >= 0 && winners[window] == u * w.kernel[1] + v) sum += gy[window];",
        "if (v >= 0 && winners[window] == u * w.kernel[1] + v) sum = gy[window];",
        {
            "max pool backward", "max pool with padding", "max pool of NaN", "max pool, many maps",
            "max pool, dilated", "max pool, unusual windows", "in float",
        },
    ),
    edit(
        "max pool backward: rows of windows as long as a column of them",
        "pool.cu",
        "long long window = map * places + i * w.output[1] + j;",
        "long long window = map * places + i * w.output[0] + j;",
        {
            "max pool backward", "max pool with padding", "max pool of NaN", "max pool, many maps",
            "max pool, dilated", "max pool, unusual windows", "in float",
        },
    ),
    edit(
        "max pool backward: a pixel between two columns of a dilated kernel counts as the end of the row before",
        "pool.cu",
        "if (v >= 0 && winners[window] == u * w.kernel[1] + v) sum += gy[window];",
        "if (winners[window] == u * w.kernel[1] + v) sum += gy[window];",
        {"max pool, dilated"},
    ),
    # ------------------------------------------------------------------------------------------ matmul.cu
    edit(
        "matmul: threads outside the matrix return before the barriers",
        "matmul.cu",
        """    REAL sum = 0;
    for (long long first = 0; first < depth; first += SIDE) {
        a_tile""",
        """    if (i >= rows || j >= columns) return;
    REAL sum = 0;
    for (long long first = 0; first < depth; first += SIDE) {
        a_tile""",
        {"matmul, ragged"},
    ),
    edit(
        "matmul: blocks numbered by the tiles of a column",
        "matmul.cu",
        """    int tx = threadIdx.x, ty = threadIdx.y;
    long long across = (columns + SIDE - 1) / SIDE;""",
        """    int tx = threadIdx.x, ty = threadIdx.y;
    long long across = (rows + SIDE - 1) / SIDE;""",
        {"matmul, several tiles", "matmul, loads", "matmul, ragged", "in float"},
    ),
    edit(
        "matmul: b read from global memory for every multiplication",
        "matmul.cu",
        "for (int k = 0; k < SIDE; ++k) sum += a_tile[ty][k] * b_tile[k][tx];",
        "for (int k = 0; k < SIDE; ++k)\n"
        "            if (first + k < depth && j < columns) sum += a_tile[ty][k] * b[(first + k) * columns + j];",
        {"matmul, loads"},
    ),
    edit(
        "matmul: the sum is a float",
        "matmul.cu",
        """    REAL sum = 0;
    for (long long first = 0; first < depth; first += SIDE) {
        a_tile""",
        """    float sum = 0;
    for (long long first = 0; first < depth; first += SIDE) {
        a_tile""",
        {"matmul, one tile", "matmul, several tiles", "matmul, loads", "matmul, ragged"},
    ),
    # ------------------------------------------------------------------------------------------ lrn.cu
    edit(
        "lrn across: n/2 neighbours on either side, for even n too",
        "lrn.cu",
        """            for (int j = max(0, c - size / 2); j < min(block, c - size / 2 + size); ++j) {
                REAL value = x[start""",
        """            for (int j = max(0, c - size / 2); j <= min(block - 1, c + size / 2); ++j) {
                REAL value = x[start""",
        {"lrn, even window"},
    ),
    edit(
        "lrn across: windows end at the last channel of the image, not of the block",
        "lrn.cu",
        """            for (int j = max(0, c - size / 2); j < min(block, c - size / 2 + size); ++j) {
                REAL value = x[start""",
        """            int begin = plane % (channels / block) * block;
            for (int j = max(0, c - size / 2); j < min(channels - begin, c - size / 2 + size); ++j) {
                REAL value = x[start""",
        {"lrn across, in groups"},
    ),
    edit(
        "lrn across backward: the window of the forward pass, not its mirror image",
        "lrn.cu",
        """    int after = size - 1 - size / 2;
    FOR_EACH_PLANE(plane, (long long)n""",
        """    int after = size / 2;
    FOR_EACH_PLANE(plane, (long long)n""",
        {"lrn, even window"},
    ),
    edit(
        "lrn across backward: the scale of the unit for those of its neighbours",
        "lrn.cu",
        "REAL d = scale[there], through = gy[there] * minus_power(d, beta);",
        "REAL d = scale[start + (long long)c * places], through = gy[there] * minus_power(d, beta);",
        {"lrn across backward", "lrn across, in groups", "lrn, even window", "lrn, many places", "in float"},
    ),
    edit(
        "lrn within: scale is the sum of squares, without k and a",
        "lrn.cu",
        """            }
        REAL d = k + a * sum;
        y[here] = x[here] * minus_power(d, beta);
        if (save) scale[here] = d;""",
        """            }
        REAL d = k + a * sum;
        y[here] = x[here] * minus_power(d, beta);
        if (save) scale[here] = sum;""",
        {"lrn within", "lrn, even window", "lrn, many places", "in float"},
    ),
    edit(
        "lrn within: the height of the map clips its columns",
        "lrn.cu",
        """            for (int j = max(0, column - size / 2); j < min(width, column - size / 2 + size); ++j) {
                REAL value""",
        """            for (int j = max(0, column - size / 2); j < min(height, column - size / 2 + size); ++j) {
                REAL value""",
        {"lrn within", "lrn, even window", "lrn, many places", "in float", "without saving"},
    ),
    edit(
        "lrn within backward: d^(1 - beta) for d^(-beta - 1)",
        "lrn.cu",
        "sum += gy[there] * x[there] * minus_power(d, beta) / d;",
        "sum += gy[there] * x[there] * minus_power(d, beta - 1);",
        {"lrn within", "lrn, even window", "lrn, many places", "in float"},
    ),
)
