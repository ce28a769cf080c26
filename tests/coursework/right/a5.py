"""Right solutions of A5 in ten styles: for each the bodies of all ten kernels."""

import functools

from right_solutions import right
from wrong_solutions import Wrong

from minialex.coursework import a5_bodies

FILES = {
    "relu.cu": ("relu", "relu_in_place", "relu_backward"),
    "pool.cu": ("max_pool2d", "max_pool2d_backward"),
    "matmul.cu": ("matmul_tiled",),
    "lrn.cu": ("lrn_across", "lrn_across_backward", "lrn_within", "lrn_within_backward"),
}


def _with_body(kernel, body, own, empty):
    (file,) = [file for file, kernels in FILES.items() if kernel in kernels]
    first, last = a5_bodies._extent(own[file], kernel, file)
    return own | {file: own[file][:first] + body + own[file][last:]}


def style(name, **bodies):
    """All ten kernels, each with the body given for its name."""
    assert set(bodies) == {kernel for kernels in FILES.values() for kernel in kernels}, name
    changes = [Wrong(each, functools.partial(_with_body, each, body), frozenset()) for each, body in bodies.items()]
    return right(name, *changes)


RIGHT = (
    style(
        "while loops, and one number for every cell of all maps",
        relu="""
    long long i = thread_number();
    while (i < n) {
        REAL value = x[i];
        if (value <= 0) value = 0;
        y[i] = value;
        i += thread_count();
    }
""",
        relu_in_place="""
    long long i = thread_number();
    while (i < n) {
        REAL value = x[i];
        x[i] = value > 0 || isnan(value) ? value : (REAL)0;
        i += thread_count();
    }
""",
        relu_backward="""
    long long i = thread_number();
    while (i < n) {
        REAL out = y[i];
        if (out > 0 || out != out)
            gx[i] = gy[i];
        else
            gx[i] = 0;
        i += thread_count();
    }
""",
        max_pool2d="""
    long long places = (long long)w.output[0] * w.output[1], pixels = (long long)w.size[0] * w.size[1];
    long long step = (long long)gridDim.x * gridDim.y * blockDim.x;
    long long number = ((long long)blockIdx.y * gridDim.x + blockIdx.x) * blockDim.x + threadIdx.x;
    while (number < maps * places) {
        long long map = number / places;
        int i = number % places / w.output[1], j = number % w.output[1];
        bool found = false;
        REAL best = -1 / (REAL)0;
        int winner = 255, tap = 0;
        while (tap < w.kernel[0] * w.kernel[1]) {
            int row = i * w.stride[0] + tap / w.kernel[1] * w.dilation[0] - w.before[0];
            int column = j * w.stride[1] + tap % w.kernel[1] * w.dilation[1] - w.before[1];
            if (row >= 0 && row < w.size[0] && column >= 0 && column < w.size[1]) {
                REAL value = x[map * pixels + row * w.size[1] + column];
                if (!found || value > best || isnan(value)) {
                    best = value;
                    winner = tap;
                    found = true;
                }
            }
            ++tap;
        }
        y[number] = best;
        if (save != 0) winners[number] = winner;
        number += step;
    }
""",
        max_pool2d_backward="""
    long long places = (long long)w.output[0] * w.output[1], pixels = (long long)w.size[0] * w.size[1];
    long long step = (long long)gridDim.x * gridDim.y * blockDim.x;
    long long number = ((long long)blockIdx.y * gridDim.x + blockIdx.x) * blockDim.x + threadIdx.x;
    while (number < maps * pixels) {
        long long map = number / pixels;
        int row = number % pixels / w.size[1], column = number % w.size[1];
        REAL sum = 0;
        int tap = 0;
        while (tap < w.kernel[0] * w.kernel[1]) {
            int down = row + w.before[0] - tap / w.kernel[1] * w.dilation[0];
            int right = column + w.before[1] - tap % w.kernel[1] * w.dilation[1];
            ++tap;
            if (down < 0 || right < 0 || down % w.stride[0] != 0 || right % w.stride[1] != 0) continue;
            int i = down / w.stride[0], j = right / w.stride[1];
            if (i >= w.output[0] || j >= w.output[1]) continue;
            long long window = map * places + i * w.output[1] + j;
            if (winners[window] == tap - 1) sum += gy[window];
        }
        gx[number] = sum;
        number += step;
    }
""",
        matmul_tiled="""
    SHARED(REAL, left, SIDE * SIDE);
    SHARED(REAL, right, SIDE * SIDE);
    long long across = (columns + SIDE - 1) / SIDE;
    long long i = blockIdx.x / across * SIDE + threadIdx.y;
    long long j = blockIdx.x % across * SIDE + threadIdx.x;
    int cell = threadIdx.y * SIDE + threadIdx.x;
    REAL sum = 0;
    long long first = 0;
    while (first < depth) {
        left[cell] = 0;
        right[cell] = 0;
        if (i < rows && first + threadIdx.x < depth) left[cell] = a[i * depth + first + threadIdx.x];
        if (j < columns && first + threadIdx.y < depth) right[cell] = b[(first + threadIdx.y) * columns + j];
        __syncthreads();
        int k = 0;
        while (k < SIDE) {
            sum += left[threadIdx.y * SIDE + k] * right[k * SIDE + threadIdx.x];
            ++k;
        }
        __syncthreads();
        first += SIDE;
    }
    if (i < rows && j < columns) c[i * columns + j] = sum;
""",
        lrn_across="""
    long long step = (long long)gridDim.x * gridDim.y * blockDim.x;
    long long number = ((long long)blockIdx.y * gridDim.x + blockIdx.x) * blockDim.x + threadIdx.x;
    long long total = (long long)n * channels * places;
    while (number < total) {
        int c = number / places % channels, l = number % places;
        long long image = number / places / channels * channels;
        int begin = c / block * block, first = c - size / 2, last = first + size - 1;
        if (first < begin) first = begin;
        if (last > begin + block - 1) last = begin + block - 1;
        REAL sum = 0;
        int j = first;
        while (j <= last) {
            REAL value = x[(image + j) * places + l];
            sum += value * value;
            ++j;
        }
        REAL d = k + a * sum;
        y[number] = x[number] * minus_power(d, beta);
        if (save) scale[number] = d;
        number += step;
    }
""",
        lrn_across_backward="""
    long long step = (long long)gridDim.x * gridDim.y * blockDim.x;
    long long number = ((long long)blockIdx.y * gridDim.x + blockIdx.x) * blockDim.x + threadIdx.x;
    long long total = (long long)n * channels * places;
    while (number < total) {
        int c = number / places % channels, l = number % places;
        long long image = number / places / channels * channels;
        int begin = c / block * block;
        REAL sum = 0;
        int j = begin;
        while (j < begin + block) {
            if (j - size / 2 <= c && c < j - size / 2 + size) {
                long long there = (image + j) * places + l;
                sum += gy[there] * x[there] * minus_power(scale[there], beta) / scale[there];
            }
            ++j;
        }
        gx[number] = gy[number] * minus_power(scale[number], beta) - 2 * a * beta * x[number] * sum;
        number += step;
    }
""",
        lrn_within="""
    long long step = (long long)gridDim.x * gridDim.y * blockDim.x;
    long long number = ((long long)blockIdx.y * gridDim.x + blockIdx.x) * blockDim.x + threadIdx.x;
    long long total = maps * height * width;
    while (number < total) {
        int row = number / width % height, column = number % width;
        long long map = number / width / height * height;
        REAL sum = 0;
        int i = row - size / 2;
        while (i < row - size / 2 + size) {
            int j = column - size / 2;
            while (j < column - size / 2 + size) {
                if (i >= 0 && i < height && j >= 0 && j < width) {
                    REAL value = x[(map + i) * width + j];
                    sum += value * value;
                }
                ++j;
            }
            ++i;
        }
        REAL d = k + a * sum;
        y[number] = x[number] * minus_power(d, beta);
        if (save) scale[number] = d;
        number += step;
    }
""",
        lrn_within_backward="""
    long long step = (long long)gridDim.x * gridDim.y * blockDim.x;
    long long number = ((long long)blockIdx.y * gridDim.x + blockIdx.x) * blockDim.x + threadIdx.x;
    long long total = maps * height * width;
    while (number < total) {
        int row = number / width % height, column = number % width;
        long long map = number / width / height * height;
        REAL sum = 0;
        int i = 0;
        while (i < height) {
            int j = 0;
            while (j < width) {
                int down = row - i + size / 2, right = column - j + size / 2;
                if (down >= 0 && down < size && right >= 0 && right < size) {
                    long long there = (map + i) * width + j;
                    sum += gy[there] * x[there] * minus_power(scale[there], beta) / scale[there];
                }
                ++j;
            }
            ++i;
        }
        gx[number] = gy[number] * minus_power(scale[number], beta) - 2 * a * beta * x[number] * sum;
        number += step;
    }
""",
    ),
    style(
        "pairs in local arrays, and a loop over the two axes",
        relu="""
    for (long long i = thread_number(); i < n; i += thread_count()) {
        REAL both[2];
        both[0] = x[i];
        both[1] = 0;
        y[i] = both[both[0] <= 0 ? 1 : 0];
    }
""",
        relu_in_place="""
    REAL zero[1] = {0};
    for (long long i = thread_number(); i < n; i += thread_count())
        if (x[i] <= zero[0]) x[i] = zero[0];
""",
        relu_backward="""
    for (long long i = thread_number(); i < n; i += thread_count()) {
        REAL given[2] = {gy[i], (REAL)0};
        int which = y[i] <= 0;
        gx[i] = given[which];
    }
""",
        max_pool2d="""
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(place, places) {
        int at[2] = {place / w.output[1], place % w.output[1]}, start[2], low[2], high[2];
        for (int axis = 0; axis < 2; ++axis) {
            start[axis] = at[axis] * w.stride[axis] - w.before[axis];
            low[axis] = 0;
            while (low[axis] < w.kernel[axis] && start[axis] + low[axis] * w.dilation[axis] < 0) ++low[axis];
            high[axis] = w.kernel[axis];
            while (high[axis] > low[axis] && start[axis] + (high[axis] - 1) * w.dilation[axis] >= w.size[axis])
                --high[axis];
        }
        REAL best = log((REAL)0);
        int winner = -1;
        for (int u = low[0]; u < high[0]; ++u)
            for (int v = low[1]; v < high[1]; ++v) {
                int pixel[2] = {start[0] + u * w.dilation[0], start[1] + v * w.dilation[1]};
                REAL value = x[map * pixels + pixel[0] * w.size[1] + pixel[1]];
                if (winner == -1 || value > best || value != value) {
                    best = value;
                    winner = u * w.kernel[1] + v;
                }
            }
        y[map * places + place] = best;
        if (save) winners[map * places + place] = winner;
    }
""",
        max_pool2d_backward="""
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(pixel, pixels) {
        int at[2] = {pixel / w.size[1], pixel % w.size[1]}, tap[2], window[2];
        REAL sum = 0;
        for (tap[0] = 0; tap[0] < w.kernel[0]; ++tap[0])
            for (tap[1] = 0; tap[1] < w.kernel[1]; ++tap[1]) {
                bool meets = true;
                for (int axis = 0; axis < 2; ++axis) {
                    int away = at[axis] + w.before[axis] - tap[axis] * w.dilation[axis];
                    window[axis] = away / w.stride[axis];
                    meets = meets && away >= 0 && away % w.stride[axis] == 0 && window[axis] < w.output[axis];
                }
                if (!meets) continue;
                long long place = map * places + window[0] * w.output[1] + window[1];
                if (winners[place] == tap[0] * w.kernel[1] + tap[1]) sum += gy[place];
            }
        gx[map * pixels + pixel] = sum;
    }
""",
        matmul_tiled="""
    SHARED2(REAL, tiles, 2 * SIDE, SIDE);
    const int at[2] = {(int)threadIdx.y, (int)threadIdx.x};
    const long long across = (columns + SIDE - 1) / SIDE;
    const long long here[2] = {blockIdx.x / across * SIDE + at[0], blockIdx.x % across * SIDE + at[1]};
    REAL sum = 0;
    for (long long first = 0; first < depth; first += SIDE) {
        tiles[at[0]][at[1]] = here[0] < rows && first + at[1] < depth ? a[here[0] * depth + first + at[1]] : (REAL)0;
        tiles[SIDE + at[0]][at[1]] =
            here[1] < columns && first + at[0] < depth ? b[(first + at[0]) * columns + here[1]] : (REAL)0;
        __syncthreads();
        for (int k = 0; k < SIDE; ++k) sum += tiles[at[0]][k] * tiles[SIDE + k][at[1]];
        __syncthreads();
    }
    if (here[0] < rows && here[1] < columns) c[here[0] * columns + here[1]] = sum;
""",
        lrn_across="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        for (int c = 0; c < block; ++c) {
            int ends[2] = {max(0, c - size / 2), min(block, c - size / 2 + size)};
            REAL of[2] = {0, 0};
            for (int j = ends[0]; j < ends[1]; ++j) {
                of[0] = x[(plane * block + j) * places + l];
                of[1] += of[0] * of[0];
            }
            REAL d = k + a * of[1];
            y[(plane * block + c) * places + l] = x[(plane * block + c) * places + l] * minus_power(d, beta);
            if (save) scale[(plane * block + c) * places + l] = d;
        }
    }
""",
        lrn_across_backward="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        for (int c = 0; c < block; ++c) {
            int ends[2] = {max(0, c + size / 2 - size + 1), min(block, c + size / 2 + 1)};
            REAL terms[2] = {0, 0};
            for (int j = ends[0]; j < ends[1]; ++j) {
                long long there = (plane * block + j) * places + l;
                terms[1] += gy[there] * x[there] * minus_power(scale[there], beta) / scale[there];
            }
            long long here = (plane * block + c) * places + l;
            terms[0] = gy[here] * minus_power(scale[here], beta);
            gx[here] = terms[0] - 2 * a * beta * x[here] * terms[1];
        }
    }
""",
        lrn_within="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        int at[2] = {place / width, place % width}, sides[2] = {height, width}, low[2], high[2];
        for (int axis = 0; axis < 2; ++axis) {
            low[axis] = max(0, at[axis] - size / 2);
            high[axis] = min(sides[axis], at[axis] - size / 2 + size);
        }
        REAL sum = 0;
        for (int i = low[0]; i < high[0]; ++i)
            for (int j = low[1]; j < high[1]; ++j)
                sum += x[(plane * height + i) * width + j] * x[(plane * height + i) * width + j];
        REAL d = k + a * sum;
        y[plane * height * width + place] = x[plane * height * width + place] * minus_power(d, beta);
        if (save) scale[plane * height * width + place] = d;
    }
""",
        lrn_within_backward="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        int at[2] = {place / width, place % width}, sides[2] = {height, width}, low[2], high[2];
        for (int axis = 0; axis < 2; ++axis) {
            high[axis] = min(sides[axis], at[axis] + size / 2 + 1);
            low[axis] = max(0, at[axis] + size / 2 + 1 - size);
        }
        REAL sum = 0;
        for (int j = low[1]; j < high[1]; ++j)
            for (int i = low[0]; i < high[0]; ++i) {
                long long there = (plane * height + i) * width + j;
                sum += gy[there] * x[there] * minus_power(scale[there], beta) / scale[there];
            }
        long long here = plane * height * width + place;
        gx[here] = gy[here] * minus_power(scale[here], beta) - 2 * a * beta * x[here] * sum;
    }
""",
    ),
    style(
        "mathematical functions wherever there is one",
        relu="""
    for (long long i = thread_number(); i < n; i += thread_count()) {
        REAL value = x[i];
        y[i] = isnan(value) ? value : fmax(value, (REAL)0);
    }
""",
        relu_in_place="""
    for (long long i = thread_number(); i < n; i += thread_count()) {
        REAL value = x[i];
        if (!isnan(value)) x[i] = max(value, (REAL)0);
    }
""",
        relu_backward="""
    for (long long i = thread_number(); i < n; i += thread_count()) {
        REAL out = y[i];
        gx[i] = isnan(out) || fmax(out, (REAL)0) > 0 ? gy[i] : (REAL)0;
    }
""",
        max_pool2d="""
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(place, places) {
        int top = place / w.output[1] * w.stride[0] - w.before[0];
        int left = place % w.output[1] * w.stride[1] - w.before[1];
        REAL best = log((REAL)0);
        bool lost = false;
        for (int row = top; row < min(w.size[0], top + w.kernel[0] * w.dilation[0]); row += w.dilation[0])
            for (int column = left; column < min(w.size[1], left + w.kernel[1] * w.dilation[1]);
                 column += w.dilation[1]) {
                if (min(row, column) < 0) continue;
                REAL value = x[map * pixels + row * w.size[1] + column];
                lost = lost || isnan(value);
                best = fmax(best, value);
            }
        if (lost) best = sqrt((REAL)-1);
        y[map * places + place] = best;
        if (!save) continue;
        int winner = -1;
        for (int u = w.kernel[0] - 1; u >= 0; --u)
            for (int v = w.kernel[1] - 1; v >= 0; --v) {
                int row = top + u * w.dilation[0], column = left + v * w.dilation[1];
                if (min(row, column) < 0 || row >= w.size[0] || column >= w.size[1]) continue;
                REAL value = x[map * pixels + row * w.size[1] + column];
                if (lost ? isnan(value) && winner < 0 : value == best) winner = u * w.kernel[1] + v;
            }
        winners[map * places + place] = winner;
    }
""",
        max_pool2d_backward="""
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(pixel, pixels) {
        int row = pixel / w.size[1] + w.before[0], column = pixel % w.size[1] + w.before[1];
        int top = max(0, row - (w.kernel[0] - 1) * w.dilation[0]), bottom = min(row / w.stride[0], w.output[0] - 1);
        int left = max(0, column - (w.kernel[1] - 1) * w.dilation[1]);
        REAL sum = 0;
        for (int i = (top + w.stride[0] - 1) / w.stride[0]; i <= bottom; ++i)
            for (int j = (left + w.stride[1] - 1) / w.stride[1]; j <= min(column / w.stride[1], w.output[1] - 1); ++j) {
                int winner = winners[map * places + i * w.output[1] + j];
                bool here = i * w.stride[0] + winner / w.kernel[1] * w.dilation[0] == row &&
                            j * w.stride[1] + winner % w.kernel[1] * w.dilation[1] == column;
                sum += here ? gy[map * places + i * w.output[1] + j] : (REAL)0;
            }
        gx[map * pixels + pixel] = sum;
    }
""",
        matmul_tiled="""
    SHARED2(REAL, a_tile, SIDE, SIDE + 1);
    SHARED2(REAL, b_tile, SIDE, SIDE + 1);
    long long across = (columns + SIDE - 1) / SIDE;
    long long i = blockIdx.x / across * SIDE + threadIdx.y, j = blockIdx.x % across * SIDE + threadIdx.x;
    REAL sum = 0;
    for (long long first = 0; first < depth; first += SIDE) {
        long long l = first + threadIdx.x, m = first + threadIdx.y;
        a_tile[threadIdx.y][threadIdx.x] = max(i - rows, l - depth) < 0 ? a[i * depth + l] : (REAL)0;
        b_tile[threadIdx.y][threadIdx.x] = max(m - depth, j - columns) < 0 ? b[m * columns + j] : (REAL)0;
        __syncthreads();
        for (int k = 0; k < SIDE; ++k) {
            REAL left = a_tile[threadIdx.y][k], right = b_tile[k][threadIdx.x];
            sum = fma(left, right, sum);
        }
        __syncthreads();
    }
    if (max(i - rows, j - columns) < 0) c[i * columns + j] = sum;
""",
        lrn_across="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        for (int c = 0; c < block; ++c) {
            long long here = (plane * block + c) * places + l;
            REAL d = 0;
            for (int j = max(0, c - size / 2); j <= min(block - 1, c - size / 2 + size - 1); ++j) {
                REAL value = x[(plane * block + j) * places + l];
                d = fma(value, value, d);
            }
            d = fma(a, d, k);
            y[here] = x[here] / pow(d, beta);
            if (save) scale[here] = d;
        }
    }
""",
        lrn_across_backward="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        for (int c = 0; c < block; ++c) {
            long long here = (plane * block + c) * places + l;
            REAL sum = 0;
            for (int j = max(0, c - (size - 1 - size / 2)); j <= min(block - 1, c + size / 2); ++j) {
                long long there = (plane * block + j) * places + l;
                REAL d = scale[there];
                sum += gy[there] * x[there] * pow(d, -beta - 1);
            }
            REAL own = scale[here];
            gx[here] = gy[here] * pow(own, -beta) - 2 * a * beta * x[here] * sum;
        }
    }
""",
        lrn_within="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        long long map = plane * height * width;
        REAL d = 0;
        for (int other = 0; other < height * width; ++other) {
            int down = other / width - place / width + size / 2, right = other % width - place % width + size / 2;
            REAL value = min(down, right) >= 0 && max(down, right) < size ? x[map + other] : (REAL)0;
            d = fma(value, value, d);
        }
        d = k + a * d;
        y[map + place] = x[map + place] * exp(-beta * log(d));
        if (save) scale[map + place] = d;
    }
""",
        lrn_within_backward="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        long long map = plane * height * width;
        REAL sum = 0;
        for (int other = 0; other < height * width; ++other) {
            int down = place / width - other / width + size / 2, right = place % width - other % width + size / 2;
            if (min(down, right) < 0 || max(down, right) >= size) continue;
            REAL d = scale[map + other];
            sum += gy[map + other] * x[map + other] * exp(-(beta + 1) * log(d));
        }
        REAL own = scale[map + place];
        gx[map + place] = gy[map + place] / pow(own, beta) - 2 * a * beta * x[map + place] * sum;
    }
""",
    ),
    style(
        "windows clipped before the loops, tiles in turn with one barrier per step",
        relu="""
    for (long long i = thread_number(), step = thread_count(); i < n; i += step) {
        const REAL value = x[i];
        y[i] = value;
        if (value <= 0) y[i] = 0;
    }
""",
        relu_in_place="""
    for (long long i = thread_number(), step = thread_count(); i < n; i += step) {
        const REAL value = x[i];
        if (!(value <= 0)) continue;
        x[i] = 0;
    }
""",
        relu_backward="""
    for (long long i = thread_number(), step = thread_count(); i < n; i += step) {
        const bool blocked = y[i] <= 0;
        if (blocked) {
            gx[i] = 0;
            continue;
        }
        gx[i] = gy[i];
    }
""",
        max_pool2d="""
    const int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(place, places) {
        const int top = place / w.output[1] * w.stride[0] - w.before[0];
        const int left = place % w.output[1] * w.stride[1] - w.before[1];
        const int u0 = top < 0 ? (w.dilation[0] - 1 - top) / w.dilation[0] : 0;
        const int v0 = left < 0 ? (w.dilation[1] - 1 - left) / w.dilation[1] : 0;
        const int u1 = min(w.kernel[0], (w.size[0] - top + w.dilation[0] - 1) / w.dilation[0]);
        const int v1 = min(w.kernel[1], (w.size[1] - left + w.dilation[1] - 1) / w.dilation[1]);
        int winner = -1;
        REAL best = log((REAL)0);
        if (u0 < u1 && v0 < v1) {
            winner = u0 * w.kernel[1] + v0;
            best = x[map * pixels + (top + u0 * w.dilation[0]) * w.size[1] + left + v0 * w.dilation[1]];
        }
        for (int u = u0; u < u1; ++u) {
            const long long row = map * pixels + (top + u * w.dilation[0]) * w.size[1];
            for (int v = v0; v < v1; ++v) {
                const REAL value = x[row + left + v * w.dilation[1]];
                if (value <= best) continue;
                if (best != best && value == value) continue;
                best = value;
                winner = u * w.kernel[1] + v;
            }
        }
        y[map * places + place] = best;
        if (save) winners[map * places + place] = winner;
    }
""",
        max_pool2d_backward="""
    const int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(pixel, pixels) {
        const int row = pixel / w.size[1], column = pixel % w.size[1];
        const Meeting rows(w, 0, row), columns(w, 1, column);
        REAL sum = 0;
        for (int i = rows.first; i <= rows.last; ++i) {
            const int u = rows.tap(i);
            if (u < 0) continue;
            for (int j = columns.first; j <= columns.last; ++j) {
                const int v = columns.tap(j);
                if (v < 0) continue;
                const long long window = (map * w.output[0] + i) * w.output[1] + j;
                if (winners[window] != u * w.kernel[1] + v) continue;
                sum += gy[window];
            }
        }
        gx[map * pixels + pixel] = sum;
    }
""",
        matmul_tiled="""
    SHARED(REAL, a_tiles, 2 * SIDE * SIDE);
    SHARED(REAL, b_tiles, 2 * SIDE * SIDE);
    const int tx = threadIdx.x, ty = threadIdx.y;
    const long long across = (columns + SIDE - 1) / SIDE;
    const long long i = blockIdx.x / across * SIDE + ty, j = blockIdx.x % across * SIDE + tx;
    REAL sum = 0;
    int from = 0;
    for (long long first = 0; first < depth; first += SIDE, from = SIDE * SIDE - from) {
        REAL left = 0, right = 0;
        if (i < rows && first + tx < depth) left = a[i * depth + first + tx];
        if (j < columns && first + ty < depth) right = b[(first + ty) * columns + j];
        a_tiles[from + ty * SIDE + tx] = left;
        b_tiles[from + ty * SIDE + tx] = right;
        __syncthreads();
        for (int k = 0; k < SIDE; ++k) sum += a_tiles[from + ty * SIDE + k] * b_tiles[from + k * SIDE + tx];
    }
    if (i < rows && j < columns) c[i * columns + j] = sum;
""",
        lrn_across="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        const long long start = plane * block * places + l;
        int low = -(size / 2), high = low + size;
        for (long long here = start; here < start + (long long)block * places; here += places) {
            REAL sum = 0;
            const int last = high < block ? high : block;
            for (int j = low > 0 ? low : 0; j < last; ++j) {
                const long long there = start + j * (long long)places;
                sum += x[there] * x[there];
            }
            const REAL d = k + a * sum;
            if (save) scale[here] = d;
            y[here] = x[here] * minus_power(d, beta);
            ++low;
            ++high;
        }
    }
""",
        lrn_across_backward="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        const long long start = plane * block * places + l;
        int low = size / 2 + 1 - size, high = low + size;
        for (long long here = start; here < start + (long long)block * places; here += places) {
            REAL sum = 0;
            const int last = high < block ? high : block;
            for (int j = low > 0 ? low : 0; j < last; ++j) {
                const long long there = start + j * (long long)places;
                sum += gy[there] * x[there] * minus_power(scale[there], beta) / scale[there];
            }
            gx[here] = gy[here] * minus_power(scale[here], beta) - 2 * a * beta * x[here] * sum;
            ++low;
            ++high;
        }
    }
""",
        lrn_within="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        const int row = place / width, column = place % width;
        const int top = max(row - size / 2, 0), bottom = min(row - size / 2 + size, height);
        const int left = max(column - size / 2, 0), right = min(column - size / 2 + size, width);
        const long long map = plane * height * width;
        REAL sum = 0;
        for (long long line = map + top * width; line < map + bottom * width; line += width)
            for (long long there = line + left; there < line + right; ++there) sum += x[there] * x[there];
        const REAL d = k + a * sum;
        if (save) scale[map + place] = d;
        y[map + place] = x[map + place] * minus_power(d, beta);
    }
""",
        lrn_within_backward="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        const int row = place / width, column = place % width, after = size - size / 2;
        const int top = max(row - after + 1, 0), bottom = min(row - after + 1 + size, height);
        const int left = max(column - after + 1, 0), right = min(column - after + 1 + size, width);
        const long long map = plane * height * width, here = map + place;
        REAL sum = 0;
        for (long long line = map + top * width; line < map + bottom * width; line += width)
            for (long long there = line + left; there < line + right; ++there) {
                const REAL power = minus_power(scale[there], beta);
                sum += power / scale[there] * gy[there] * x[there];
            }
        gx[here] = gy[here] * minus_power(scale[here], beta) - sum * x[here] * beta * a * 2;
    }
""",
    ),
    style(
        "conditional expressions, and tiles half as deep, one loaded by either half of the block",
        relu="""
    for (long long i = thread_number(); i < n; i += thread_count())
        y[i] = x[i] > 0 ? x[i] : x[i] == x[i] ? (REAL)0 : x[i];
""",
        relu_in_place="""
    for (long long i = thread_number(); i < n; i += thread_count()) {
        REAL value = x[i];
        x[i] = value <= 0 ? 0 : value;
    }
""",
        relu_backward="""
    for (long long i = thread_number(); i < n; i += thread_count()) gx[i] = y[i] <= 0 ? 0 : gy[i];
""",
        max_pool2d="""
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(place, places) {
        REAL best = log((REAL)0);
        int winner = -1;
        for (int tap = 0; tap < w.kernel[0] * w.kernel[1]; ++tap) {
            int row = place / w.output[1] * w.stride[0] - w.before[0] + tap / w.kernel[1] * w.dilation[0];
            int column = place % w.output[1] * w.stride[1] - w.before[1] + tap % w.kernel[1] * w.dilation[1];
            bool inside = row >= 0 && row < w.size[0] && column >= 0 && column < w.size[1];
            REAL value = inside ? x[map * pixels + row * w.size[1] + column] : best;
            bool wins = inside && (winner < 0 || !(value <= best)) && (value != value || best == best);
            best = wins ? value : best;
            winner = wins ? tap : winner;
        }
        y[map * places + place] = best;
        if (save) winners[map * places + place] = (unsigned char)winner;
    }
""",
        max_pool2d_backward="""
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(pixel, pixels) {
        REAL sum = 0;
        for (int place = 0; place < places; ++place) {
            int winner = winners[map * places + place];
            int row = place / w.output[1] * w.stride[0] - w.before[0] + winner / w.kernel[1] * w.dilation[0];
            int column = place % w.output[1] * w.stride[1] - w.before[1] + winner % w.kernel[1] * w.dilation[1];
            sum += row == pixel / w.size[1] && column == pixel % w.size[1] ? gy[map * places + place] : 0;
        }
        gx[map * pixels + pixel] = sum;
    }
""",
        matmul_tiled="""
    SHARED2(REAL, a_tile, SIDE, SIDE / 2);
    SHARED2(REAL, b_tile, SIDE / 2, SIDE);
    const int half = SIDE / 2, t = threadIdx.y * SIDE + threadIdx.x;
    long long across = (columns + SIDE - 1) / SIDE;
    long long top = blockIdx.x / across * SIDE, left = blockIdx.x % across * SIDE;
    REAL sum = 0;
    for (long long first = 0; first < depth; first += half) {
        if (t < SIDE * half) {
            long long i = top + t / half, l = first + t % half;
            a_tile[t / half][t % half] = i < rows && l < depth ? a[i * depth + l] : 0;
        } else {
            int u = t - SIDE * half;
            long long l = first + u / SIDE, j = left + u % SIDE;
            b_tile[u / SIDE][u % SIDE] = l < depth && j < columns ? b[l * columns + j] : 0;
        }
        __syncthreads();
        for (int l = 0; l < half; ++l) sum += a_tile[threadIdx.y][l] * b_tile[l][threadIdx.x];
        __syncthreads();
    }
    long long i = top + threadIdx.y, j = left + threadIdx.x;
    if (i < rows && j < columns) c[i * columns + j] = sum;
""",
        lrn_across="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        for (int c = 0; c < block; ++c) {
            REAL sum = 0;
            for (int e = 0; e < size; ++e) {
                int j = c - size / 2 + e;
                REAL value = j < 0 || j >= block ? (REAL)0 : x[(plane * block + j) * places + l];
                sum += value * value;
            }
            long long here = (plane * block + c) * places + l;
            y[here] = x[here] * minus_power(k + a * sum, beta);
            if (save) scale[here] = k + a * sum;
        }
    }
""",
        lrn_across_backward="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        for (int c = 0; c < block; ++c) {
            REAL sum = 0;
            for (int e = 0; e < size; ++e) {
                int j = c + size / 2 - e;
                long long there = (plane * block + (j < 0 || j >= block ? c : j)) * places + l;
                REAL term = gy[there] * x[there] * minus_power(scale[there], beta) / scale[there];
                sum += j < 0 || j >= block ? 0 : term;
            }
            long long here = (plane * block + c) * places + l;
            gx[here] = gy[here] * minus_power(scale[here], beta) - 2 * a * beta * x[here] * sum;
        }
    }
""",
        lrn_within="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        REAL sum = 0;
        for (int e = 0; e < size * size; ++e) {
            int i = place / width - size / 2 + e / size, j = place % width - size / 2 + e % size;
            bool inside = i >= 0 && i < height && j >= 0 && j < width;
            REAL value = inside ? x[(plane * height + i) * width + j] : (REAL)0;
            sum += value * value;
        }
        long long here = plane * height * width + place;
        y[here] = x[here] * minus_power(k + a * sum, beta);
        if (save) scale[here] = k + a * sum;
    }
""",
        lrn_within_backward="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        REAL sum = 0;
        for (int e = 0; e < size * size; ++e) {
            int i = place / width + size / 2 - e / size, j = place % width + size / 2 - e % size;
            bool inside = i >= 0 && i < height && j >= 0 && j < width;
            long long there = inside ? (plane * height + i) * width + j : plane * height * width;
            sum += inside ? gy[there] * x[there] * minus_power(scale[there], beta) / scale[there] : (REAL)0;
        }
        long long here = plane * height * width + place;
        gx[here] = gy[here] * minus_power(scale[here], beta) - 2 * a * beta * x[here] * sum;
    }
""",
    ),
    style(
        "from the end to the beginning",
        relu="""
    for (long long i = n - 1 - thread_number(); i >= 0; i -= thread_count()) {
        REAL value = x[i];
        y[i] = !(value <= 0) ? value : (REAL)0;
    }
""",
        relu_in_place="""
    for (long long i = n - 1 - thread_number(); i >= 0; i -= thread_count()) {
        REAL value = x[i];
        if (value > 0) continue;
        if (value != value) continue;
        x[i] = (REAL)0;
    }
""",
        relu_backward="""
    for (long long i = n - 1 - thread_number(); i >= 0; i -= thread_count()) {
        gx[i] = gy[i];
        if (y[i] <= 0) gx[i] = 0;
    }
""",
        max_pool2d="""
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    for (long long map = maps - 1 - blockIdx.y; map >= 0; map -= gridDim.y)
        for (long long place = places - 1 - thread_number(); place >= 0; place -= thread_count()) {
            int top = place / w.output[1] * w.stride[0] - w.before[0];
            int left = place % w.output[1] * w.stride[1] - w.before[1];
            REAL best = log((REAL)0);
            int winner = -1;
            for (int u = w.kernel[0] - 1; u >= 0; --u)
                for (int v = w.kernel[1] - 1; v >= 0; --v) {
                    int row = top + u * w.dilation[0], column = left + v * w.dilation[1];
                    if (row < 0 || row >= w.size[0] || column < 0 || column >= w.size[1]) continue;
                    REAL value = x[map * pixels + row * w.size[1] + column];
                    if (best != best) continue;
                    if (value < best) continue;
                    best = value;
                    winner = u * w.kernel[1] + v;
                }
            if (save) winners[map * places + place] = winner;
            y[map * places + place] = best;
        }
""",
        max_pool2d_backward="""
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    for (long long map = maps - 1 - blockIdx.y; map >= 0; map -= gridDim.y)
        for (long long pixel = pixels - 1 - thread_number(); pixel >= 0; pixel -= thread_count()) {
            Meeting rows(w, 0, pixel / w.size[1]);
            Meeting columns(w, 1, pixel % w.size[1]);
            REAL sum = 0;
            for (int i = rows.last; i >= rows.first; --i)
                for (int j = columns.last; j >= columns.first; --j) {
                    int u = rows.tap(i), v = columns.tap(j);
                    if (u < 0 || v < 0) continue;
                    long long window = map * places + i * w.output[1] + j;
                    if (winners[window] == u * w.kernel[1] + v) sum = sum + gy[window];
                }
            gx[map * pixels + pixel] = sum;
        }
""",
        matmul_tiled="""
    SHARED2(REAL, b_tile, SIDE, SIDE);
    SHARED2(REAL, a_transposed, SIDE, SIDE);
    int tx = threadIdx.x, ty = threadIdx.y;
    long long across = (columns + SIDE - 1) / SIDE;
    long long i = blockIdx.x / across * SIDE + ty, j = blockIdx.x % across * SIDE + tx;
    REAL sum = 0;
    for (long long tile = (depth + SIDE - 1) / SIDE - 1; tile >= 0; --tile) {
        long long l = tile * SIDE;
        bool a_inside = i < rows && l + tx < depth, b_inside = l + ty < depth && j < columns;
        a_transposed[tx][ty] = a_inside ? a[i * depth + l + tx] : (REAL)0;
        b_tile[ty][tx] = b_inside ? b[(l + ty) * columns + j] : (REAL)0;
        __syncthreads();
        for (int k = SIDE - 1; k >= 0; --k) sum += a_transposed[k][ty] * b_tile[k][tx];
        __syncthreads();
    }
    if (i >= rows || j >= columns) return;
    c[i * columns + j] = sum;
""",
        lrn_across="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        for (int c = block - 1; c >= 0; --c) {
            REAL sum = 0;
            for (int j = c - size / 2 + size - 1; j >= c - size / 2; --j) {
                if (j >= block) continue;
                if (j < 0) break;
                REAL value = x[plane * block * places + (long long)j * places + l];
                sum += value * value;
            }
            REAL d = a * sum + k;
            if (save) scale[(plane * block + c) * places + l] = d;
            y[(plane * block + c) * places + l] = minus_power(d, beta) * x[(plane * block + c) * places + l];
        }
    }
""",
        lrn_across_backward="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        for (int c = block - 1; c >= 0; --c) {
            REAL sum = 0;
            for (int j = c + size / 2; j >= c + size / 2 - size + 1; --j) {
                if (j >= block) continue;
                if (j < 0) break;
                long long there = plane * block * places + (long long)j * places + l;
                sum += minus_power(scale[there], beta) / scale[there] * gy[there] * x[there];
            }
            long long here = (plane * block + c) * places + l;
            gx[here] = -2 * a * beta * x[here] * sum + minus_power(scale[here], beta) * gy[here];
        }
    }
""",
        lrn_within="""
    int places = height * width;
    for (long long plane = maps - 1 - blockIdx.y; plane >= 0; plane -= gridDim.y)
        for (long long place = places - 1 - thread_number(); place >= 0; place -= thread_count()) {
            int row = place / width - size / 2, column = place % width - size / 2;
            REAL sum = 0;
            for (int i = row + size - 1; i >= row; --i) {
                if (i < 0 || i >= height) continue;
                for (int j = column + size - 1; j >= column; --j) {
                    if (j < 0 || j >= width) continue;
                    REAL value = x[plane * places + i * width + j];
                    sum += value * value;
                }
            }
            REAL d = a * sum + k;
            if (save) scale[plane * places + place] = d;
            y[plane * places + place] = minus_power(d, beta) * x[plane * places + place];
        }
""",
        lrn_within_backward="""
    int places = height * width;
    for (long long plane = maps - 1 - blockIdx.y; plane >= 0; plane -= gridDim.y)
        for (long long place = places - 1 - thread_number(); place >= 0; place -= thread_count()) {
            int row = place / width + size / 2, column = place % width + size / 2;
            REAL sum = 0;
            for (int i = row; i > row - size; --i) {
                if (i < 0 || i >= height) continue;
                for (int j = column; j > column - size; --j) {
                    if (j < 0 || j >= width) continue;
                    long long there = plane * places + i * width + j;
                    sum += minus_power(scale[there], beta) / scale[there] * gy[there] * x[there];
                }
            }
            long long here = plane * places + place;
            gx[here] = -2 * a * beta * x[here] * sum + minus_power(scale[here], beta) * gy[here];
        }
""",
    ),
    style(
        "unsigned comparisons, long indices, and tiles twice as deep",
        relu="""
    unsigned long long count = n;
    for (unsigned long long i = thread_number(); i < count; i += thread_count()) {
        REAL value = x[i];
        y[i] = (value <= 0) ? 0 : value;
    }
""",
        relu_in_place="""
    unsigned long long count = n;
    for (unsigned long long i = thread_number(); i < count; i += thread_count()) {
        if (x[i] > 0) continue;
        if (x[i] == x[i]) x[i] = 0;
    }
""",
        relu_backward="""
    unsigned long long count = n;
    for (unsigned long long i = thread_number(); i < count; i += thread_count()) {
        REAL seen = y[i], given = gy[i];
        if (!(seen > 0) && seen == seen) given = 0;
        gx[i] = given;
    }
""",
        max_pool2d="""
    long long height = w.size[0], width = w.size[1], places = (long long)w.output[0] * w.output[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(place, places) {
        REAL best = 0;
        int winner = -1, number = 0;
        for (int u = 0; u < w.kernel[0]; ++u)
            for (int v = 0; v < w.kernel[1]; ++v, ++number) {
                long long i = (long long)(place / w.output[1]) * w.stride[0] - w.before[0] + u * w.dilation[0];
                long long j = (long long)(place % w.output[1]) * w.stride[1] - w.before[1] + v * w.dilation[1];
                if ((unsigned long long)i >= (unsigned long long)height) continue;
                if ((unsigned long long)j >= (unsigned long long)width) continue;
                REAL value = x[(map * height + i) * width + j];
                if (winner >= 0 && value <= best) continue;
                if (winner >= 0 && best != best && value == value) continue;
                best = value;
                winner = number;
            }
        if (winner < 0) best = log((REAL)0);
        y[map * places + place] = best;
        if (save) winners[map * places + place] = (unsigned char)winner;
    }
""",
        max_pool2d_backward="""
    long long places = (long long)w.output[0] * w.output[1], pixels = (long long)w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(pixel, pixels) {
        long long row = pixel / w.size[1] + w.before[0], column = pixel % w.size[1] + w.before[1];
        REAL sum = 0;
        for (long long i = 0; i < w.output[0] && i * w.stride[0] <= row; ++i) {
            long long down = row - i * w.stride[0];
            if (down % w.dilation[0] || down / w.dilation[0] >= w.kernel[0]) continue;
            for (long long j = 0; j < w.output[1] && j * w.stride[1] <= column; ++j) {
                long long right = column - j * w.stride[1];
                if (right % w.dilation[1] || right / w.dilation[1] >= w.kernel[1]) continue;
                long long number = down / w.dilation[0] * w.kernel[1] + right / w.dilation[1];
                if (winners[map * places + i * w.output[1] + j] == number)
                    sum += gy[map * places + i * w.output[1] + j];
            }
        }
        gx[map * pixels + pixel] = sum;
    }
""",
        matmul_tiled="""
    SHARED2(REAL, a_tile, SIDE, 2 * SIDE);
    SHARED2(REAL, b_tile, 2 * SIDE, SIDE);
    unsigned tx = threadIdx.x, ty = threadIdx.y;
    long long across = (columns + SIDE - 1) / SIDE;
    long long i = blockIdx.x / across * SIDE + ty, j = blockIdx.x % across * SIDE + tx;
    REAL sum = 0;
    for (long long first = 0; first < depth; first += 2 * SIDE) {
        for (int half = 0; half < 2 * SIDE; half += SIDE) {
            REAL left = 0, right = 0;
            if (i < rows && first + half + tx < depth) left = a[i * depth + first + half + tx];
            if (j < columns && first + half + ty < depth) right = b[(first + half + ty) * columns + j];
            a_tile[ty][half + tx] = left;
            b_tile[half + ty][tx] = right;
        }
        __syncthreads();
        for (int k = 0; k < 2 * SIDE; ++k) sum += a_tile[ty][k] * b_tile[k][tx];
        __syncthreads();
    }
    if (i < rows && j < columns) c[i * columns + j] = sum;
""",
        lrn_across="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        long long start = plane * block * places + l;
        for (long long c = 0; c < block; ++c) {
            REAL sum = 0;
            for (long long j = c - size / 2; j < c - size / 2 + size; ++j) {
                if ((unsigned long long)j >= (unsigned long long)block) continue;
                REAL value = x[start + j * places];
                sum += value * value;
            }
            y[start + c * places] = x[start + c * places] * minus_power(k + a * sum, beta);
            if (save) scale[start + c * places] = k + a * sum;
        }
    }
""",
        lrn_across_backward="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        long long start = plane * block * places + l, before = (size - 1) / 2;
        for (long long c = 0; c < block; ++c) {
            REAL sum = 0;
            for (long long j = c - before; j < c - before + size; ++j) {
                if ((unsigned long long)j >= (unsigned long long)block) continue;
                long long there = start + j * places;
                REAL d = scale[there];
                sum += gy[there] * x[there] * (minus_power(d, beta) / d);
            }
            long long here = start + c * places;
            gx[here] = gy[here] * minus_power(scale[here], beta) - 2 * a * beta * x[here] * sum;
        }
    }
""",
        lrn_within="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        long long map = plane * height * width, row = place / width, column = place % width;
        REAL sum = 0;
        for (int u = 0; u < size; ++u)
            for (int v = 0; v < size; ++v) {
                unsigned i = row - size / 2 + u, j = column - size / 2 + v;
                if (i >= (unsigned)height || j >= (unsigned)width) continue;
                REAL value = x[map + (long long)i * width + j];
                sum += value * value;
            }
        y[map + place] = x[map + place] * minus_power(k + a * sum, beta);
        if (save) scale[map + place] = k + a * sum;
    }
""",
        lrn_within_backward="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        long long map = plane * height * width, row = place / width, column = place % width;
        REAL sum = 0;
        for (int u = 0; u < size; ++u)
            for (int v = 0; v < size; ++v) {
                unsigned i = row + size / 2 - u, j = column + size / 2 - v;
                if (i >= (unsigned)height || j >= (unsigned)width) continue;
                long long there = map + (long long)i * width + j;
                REAL d = scale[there];
                sum += gy[there] * x[there] * (minus_power(d, beta) / d);
            }
        long long here = map + place;
        gx[here] = gy[here] * minus_power(scale[here], beta) - 2 * a * beta * x[here] * sum;
    }
""",
    ),
    style(
        "do and switch, and threads that load what others store",
        relu="""
    long long i = thread_number();
    if (i >= n) return;
    do {
        REAL value = x[i];
        switch ((int)(value <= 0)) {
            case 1: y[i] = 0; break;
            default: y[i] = value;
        }
        i += thread_count();
    } while (i < n);
""",
        relu_in_place="""
    long long i = thread_number();
    if (i < n) do {
            if (x[i] <= 0) x[i] = 0;
        } while ((i += thread_count()) < n);
""",
        relu_backward="""
    long long i = thread_number();
    for (;;) {
        if (i >= n) break;
        switch (y[i] <= 0 ? 0 : 1) {
            case 0:
                gx[i] = 0;
                break;
            case 1: {
                REAL gradient = gy[i];
                gx[i] = gradient;
            }
        }
        i += thread_count();
    }
""",
        max_pool2d="""
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(place, places) {
        int top = place / w.output[1] * w.stride[0] - w.before[0];
        int left = place % w.output[1] * w.stride[1] - w.before[1];
        REAL best = log((REAL)0);
        int winner = -1, u = 0;
        do {
            int row = top + u * w.dilation[0], v = 0;
            do {
                int column = left + v * w.dilation[1];
                int state = row < 0 || row >= w.size[0] || column < 0 || column >= w.size[1] ? 0 : winner < 0 ? 1 : 2;
                switch (state) {
                    case 0: break;
                    case 1:
                        best = x[map * pixels + row * w.size[1] + column];
                        winner = u * w.kernel[1] + v;
                        break;
                    case 2: {
                        REAL value = x[map * pixels + row * w.size[1] + column];
                        if (isnan(value) || value > best) {
                            best = value;
                            winner = u * w.kernel[1] + v;
                        }
                    }
                }
            } while (++v < w.kernel[1]);
        } while (++u < w.kernel[0]);
        y[map * places + place] = best;
        if (save) winners[map * places + place] = winner;
    }
""",
        max_pool2d_backward="""
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(pixel, pixels) {
        Meeting down(w, 0, pixel / w.size[1]), right(w, 1, pixel % w.size[1]);
        REAL sum = 0;
        int i = down.first;
        if (i <= down.last && right.first <= right.last) do {
                int j = right.first, u = down.tap(i);
                do {
                    int v = right.tap(j);
                    if (u >= 0 && v >= 0 && u * w.kernel[1] + v == winners[map * places + i * w.output[1] + j])
                        sum += gy[map * places + i * w.output[1] + j];
                } while (++j <= right.last);
            } while (++i <= down.last);
        gx[map * pixels + pixel] = sum;
    }
""",
        matmul_tiled="""
    SHARED(REAL, a_cells, 256);
    SHARED2(REAL, b_columns, 16, 16);
    int t = threadIdx.x + 16 * threadIdx.y;
    long long across = (columns + 15) / 16, top = blockIdx.x / across * 16, left = blockIdx.x % across * 16;
    REAL sum = 0;
    long long first = 0;
    if (depth > 0) do {
            long long i = top + t % 16, j = left + t / 16;  // neighbours load cells below each other
            bool a_there = i < rows && first + t / 16 < depth, b_there = j < columns && first + t % 16 < depth;
            a_cells[t % 16 * 16 + t / 16] = a_there ? a[i * depth + first + t / 16] : (REAL)0;
            b_columns[t / 16][t % 16] = b_there ? b[(first + t % 16) * columns + j] : (REAL)0;
            __syncthreads();
            int k = 0;
            do sum += a_cells[16 * threadIdx.y + k] * b_columns[threadIdx.x][k];
            while (++k < 16);
            __syncthreads();
        } while ((first += 16) < depth);
    top += threadIdx.y;
    left += threadIdx.x;
    if (top < rows && left < columns) c[top * columns + left] = sum;
""",
        lrn_across="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        int c = 0;
        do {
            REAL sum = 0;
            int j = c - size / 2, left = size;
            do {
                switch ((j >= 0) + (j >= block)) {
                    case 1: sum += x[(plane * block + j) * places + l] * x[(plane * block + j) * places + l];
                }
                ++j;
            } while (--left > 0);
            REAL d = k + a * sum;
            y[(plane * block + c) * places + l] = x[(plane * block + c) * places + l] * minus_power(d, beta);
            if (save) scale[(plane * block + c) * places + l] = d;
        } while (++c < block);
    }
""",
        lrn_across_backward="""
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        int c = 0;
        do {
            REAL sum = 0;
            int j = c + size / 2, left = size;
            do {
                if (j >= 0 && j < block) {
                    long long there = (plane * block + j) * places + l;
                    sum += gy[there] * x[there] * minus_power(scale[there], beta) / scale[there];
                }
                --j;
            } while (--left > 0);
            long long here = (plane * block + c) * places + l;
            REAL direct = gy[here] * minus_power(scale[here], beta);
            gx[here] = direct - 2 * a * beta * x[here] * sum;
        } while (++c < block);
    }
""",
        lrn_within="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        REAL sum = 0;
        int u = 0;
        do {
            int v = 0, i = place / width - size / 2 + u;
            if (i >= 0 && i < height) do {
                    int j = place % width - size / 2 + v;
                    if (j < 0 || j >= width) continue;
                    REAL value = x[(plane * height + i) * width + j];
                    sum += value * value;
                } while (++v < size);
        } while (++u < size);
        REAL d = k + a * sum;
        long long here = plane * height * width + place;
        switch (save) {
            default: scale[here] = d; break;
            case 0: break;
        }
        y[here] = x[here] * minus_power(d, beta);
    }
""",
        lrn_within_backward="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        REAL sum = 0;
        int u = 0;
        do {
            int v = 0, i = place / width + size / 2 - u;
            if (i < 0 || i >= height) continue;
            do {
                int j = place % width + size / 2 - v;
                if (j < 0 || j >= width) continue;
                long long there = (plane * height + i) * width + j;
                sum += gy[there] * x[there] * minus_power(scale[there], beta) / scale[there];
            } while (++v < size);
        } while (++u < size);
        long long here = plane * height * width + place;
        gx[here] = gy[here] * minus_power(scale[here], beta) - 2 * a * beta * x[here] * sum;
    }
""",
    ),
    style(
        "running sums, remembered places, and no cell of a tile filled in vain",
        relu="""
    const long long step = thread_count();
    for (long long i = thread_number(); i < n; i += step) {
        REAL value = x[i];
        const bool negative = value < 0 || value == 0;
        if (negative)
            y[i] = 0;
        else
            y[i] = value;
    }
""",
        relu_in_place="""
    const long long step = thread_count();
    for (long long i = thread_number(); i < n; i += step) {
        const REAL before = x[i];
        const REAL after = before <= 0 ? (REAL)0 : before;
        x[i] = after;
    }
""",
        relu_backward="""
    const long long step = thread_count();
    for (long long i = thread_number(); i < n; i += step) {
        const REAL value = y[i];
        const bool open = !(value <= 0);
        gx[i] = 0;
        if (open) gx[i] += gy[i];
    }
""",
        max_pool2d="""
    const int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(place, places) {
        const int row = place / w.output[1] * w.stride[0] - w.before[0];
        const int column = place % w.output[1] * w.stride[1] - w.before[1];
        long long best = -1;
        int winner = 0;
        for (int u = 0; u < w.kernel[0]; ++u) {
            const int i = row + u * w.dilation[0];
            if (i < 0) continue;
            if (i >= w.size[0]) break;
            for (int v = 0; v < w.kernel[1]; ++v) {
                const int j = column + v * w.dilation[1];
                if (j < 0) continue;
                if (j >= w.size[1]) break;
                const long long here = map * pixels + i * w.size[1] + j;
                if (best < 0 || x[here] > x[best] || x[here] != x[here]) {
                    best = here;
                    winner = u * w.kernel[1] + v;
                }
            }
        }
        y[map * places + place] = best < 0 ? log((REAL)0) : x[best];
        if (save) winners[map * places + place] = winner;
    }
""",
        max_pool2d_backward="""
    const int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(pixel, pixels) {
        const Meeting rows(w, 0, pixel / w.size[1]);
        const Meeting columns(w, 1, pixel % w.size[1]);
        gx[map * pixels + pixel] = 0;
        for (int j = columns.first; j <= columns.last; ++j) {
            const int v = columns.tap(j);
            if (v < 0) continue;
            for (int i = rows.first; i <= rows.last; ++i) {
                const int u = rows.tap(i);
                if (u < 0) continue;
                const long long window = map * places + i * w.output[1] + j;
                if (winners[window] == u * w.kernel[1] + v) gx[map * pixels + pixel] += gy[window];
            }
        }
    }
""",
        matmul_tiled="""
    SHARED2(REAL, a_tile, SIDE, SIDE);
    SHARED2(REAL, b_tile, SIDE, SIDE);
    const int tx = threadIdx.x, ty = threadIdx.y;
    const long long across = (columns + SIDE - 1) / SIDE;
    const long long i = blockIdx.x / across * SIDE + ty, j = blockIdx.x % across * SIDE + tx;
    const bool mine = i < rows && j < columns;
    REAL sum = 0;
    for (long long first = 0; first < depth; first += SIDE) {
        const int last = (int)min((long long)SIDE, depth - first);
        if (i < rows && tx < last) a_tile[ty][tx] = a[i * depth + first + tx];
        if (ty < last && j < columns) b_tile[ty][tx] = b[(first + ty) * columns + j];
        __syncthreads();
        for (int k = 0; mine && k < last; ++k) sum += a_tile[ty][k] * b_tile[k][tx];
        __syncthreads();
    }
    if (mine) c[i * columns + j] = sum;
""",
        lrn_across="""
    const int after = size - 1 - size / 2;
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        const long long start = plane * block * places + l;
        double sum = 0;
        for (int j = 0; j < min(block, after); ++j) {
            const double value = x[start + (long long)j * places];
            sum += value * value;
        }
        for (int c = 0; c < block; ++c) {
            if (c + after < block) {
                const double entering = x[start + (long long)(c + after) * places];
                sum += entering * entering;
            }
            if (c - size / 2 - 1 >= 0) {
                const double leaving = x[start + (long long)(c - size / 2 - 1) * places];
                sum -= leaving * leaving;
            }
            const REAL d = k + a * (REAL)sum;
            const long long here = start + (long long)c * places;
            y[here] = x[here] * minus_power(d, beta);
            if (save) scale[here] = d;
        }
    }
""",
        lrn_across_backward="""
    const int before = size - 1 - size / 2;
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        const long long start = plane * block * places + l;
        double sum = 0;
        for (int c = -(size / 2); c < block; ++c) {
            if (c + size / 2 < block) {
                const long long entering = start + (long long)(c + size / 2) * places;
                sum += gy[entering] * x[entering] * minus_power(scale[entering], beta) / scale[entering];
            }
            if (c - before - 1 >= 0) {
                const long long leaving = start + (long long)(c - before - 1) * places;
                sum -= gy[leaving] * x[leaving] * minus_power(scale[leaving], beta) / scale[leaving];
            }
            if (c < 0) continue;
            const long long here = start + (long long)c * places;
            gx[here] = gy[here] * minus_power(scale[here], beta) - 2 * a * beta * x[here] * (REAL)sum;
        }
    }
""",
        lrn_within="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        const int row = place / width, column = place % width;
        double sum = 0;
        for (int i = max(0, row - size / 2); i <= min(height - 1, row + (size - 1) / 2); ++i) {
            double line = 0;
            for (int j = max(0, column - size / 2); j <= min(width - 1, column + (size - 1) / 2); ++j) {
                const double value = x[plane * height * width + i * width + j];
                line += value * value;
            }
            sum += line;
        }
        const REAL d = k + a * (REAL)sum;
        const long long here = plane * height * width + place;
        if (save) scale[here] = d;
        y[here] = x[here] * minus_power(d, beta);
    }
""",
        lrn_within_backward="""
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        const int row = place / width, column = place % width;
        const long long map = plane * height * width;
        double sum = 0;
        for (int i = max(0, row - (size - 1) / 2); i <= min(height - 1, row + size / 2); ++i) {
            double line = 0;
            for (int j = max(0, column - (size - 1) / 2); j <= min(width - 1, column + size / 2); ++j) {
                const long long there = map + i * width + j;
                line += gy[there] * x[there] * minus_power(scale[there], beta) / scale[there];
            }
            sum += line;
        }
        const REAL direct = gy[map + place] * minus_power(scale[map + place], beta);
        gx[map + place] = direct - 2 * a * beta * x[map + place] * (REAL)sum;
    }
""",
    ),
    style(
        "grids written out, and gradients passed on by those that they come from",
        relu="""
    for (long long block = blockIdx.x; block * blockDim.x < n; block += gridDim.x) {
        long long i = block * blockDim.x + threadIdx.x;
        if (i >= n) return;
        y[i] = x[i];
        if (x[i] < 0) y[i] = 0;
        if (x[i] == 0) y[i] = 0;
    }
""",
        relu_in_place="""
    for (long long block = blockIdx.x; block * blockDim.x < n; block += gridDim.x) {
        long long i = block * blockDim.x + threadIdx.x;
        if (i < n && x[i] <= 0) x[i] = 0;
    }
""",
        relu_backward="""
    for (long long block = blockIdx.x; block * blockDim.x < n; block += gridDim.x) {
        long long i = block * blockDim.x + threadIdx.x;
        if (i < n && y[i] <= 0)
            gx[i] = 0;
        else if (i < n)
            gx[i] = gy[i];
    }
""",
        max_pool2d="""
    for (long long map = blockIdx.y; map < maps; map += gridDim.y)
        for (int i = 0; i < w.output[0]; ++i)
            for (int j = blockIdx.x * blockDim.x + threadIdx.x; j < w.output[1]; j += gridDim.x * blockDim.x) {
                REAL best = log((REAL)0);
                int winner = -1;
                for (int u = 0; u < w.kernel[0]; ++u)
                    for (int v = 0; v < w.kernel[1]; ++v) {
                        int row = i * w.stride[0] + u * w.dilation[0] - w.before[0];
                        int column = j * w.stride[1] + v * w.dilation[1] - w.before[1];
                        bool outside = row < 0 || column < 0 || row >= w.size[0] || column >= w.size[1];
                        if (outside) continue;
                        REAL value = x[(map * w.size[0] + row) * w.size[1] + column];
                        if (winner >= 0 && value <= best) continue;
                        if (winner >= 0 && isnan(best) && !isnan(value)) continue;
                        winner = u * w.kernel[1] + v;
                        best = value;
                    }
                long long here = (map * w.output[0] + i) * w.output[1] + j;
                y[here] = best;
                if (save) winners[here] = winner;
            }
""",
        max_pool2d_backward="""
    for (long long map = (long long)blockIdx.y * gridDim.x * blockDim.x + blockIdx.x * blockDim.x + threadIdx.x;
         map < maps; map += (long long)gridDim.y * gridDim.x * blockDim.x) {
        long long pixels = map * w.size[0] * w.size[1], places = map * w.output[0] * w.output[1];
        for (int pixel = 0; pixel < w.size[0] * w.size[1]; ++pixel) gx[pixels + pixel] = 0;
        for (int i = 0; i < w.output[0]; ++i)
            for (int j = 0; j < w.output[1]; ++j) {
                int winner = winners[places + i * w.output[1] + j];
                int row = i * w.stride[0] - w.before[0] + winner / w.kernel[1] * w.dilation[0];
                int column = j * w.stride[1] - w.before[1] + winner % w.kernel[1] * w.dilation[1];
                if (row < 0 || row >= w.size[0] || column < 0 || column >= w.size[1]) continue;
                gx[pixels + row * w.size[1] + column] += gy[places + i * w.output[1] + j];
            }
    }
""",
        matmul_tiled="""
    SHARED2(REAL, a_tile, SIDE, SIDE);
    SHARED2(REAL, b_tile, SIDE, SIDE);
    long long across = (columns + SIDE - 1) / SIDE, down = (rows + SIDE - 1) / SIDE;
    for (long long tile = blockIdx.x; tile < across * down; tile += gridDim.x) {
        long long i = tile / across * SIDE + threadIdx.y, j = tile % across * SIDE + threadIdx.x;
        REAL sum = 0;
        for (long long step = 0; step * SIDE < depth; ++step) {
            long long k = step * SIDE + threadIdx.x, l = step * SIDE + threadIdx.y;
            if (i < rows && k < depth)
                a_tile[threadIdx.y][threadIdx.x] = a[i * depth + k];
            else
                a_tile[threadIdx.y][threadIdx.x] = 0;
            if (l < depth && j < columns)
                b_tile[threadIdx.y][threadIdx.x] = b[l * columns + j];
            else
                b_tile[threadIdx.y][threadIdx.x] = 0;
            __syncthreads();
            for (int m = 0; m < SIDE; m += 2) {
                sum += a_tile[threadIdx.y][m] * b_tile[m][threadIdx.x];
                sum += a_tile[threadIdx.y][m + 1] * b_tile[m + 1][threadIdx.x];
            }
            __syncthreads();
        }
        if (i < rows && j < columns) c[i * columns + j] = sum;
    }
""",
        lrn_across="""
    for (int image = 0; image < n; ++image)
        for (int start = blockIdx.y * block; start < channels; start += gridDim.y * block)
            for (int l = blockIdx.x * blockDim.x + threadIdx.x; l < places; l += gridDim.x * blockDim.x)
                for (int c = start; c < start + block; ++c) {
                    REAL sum = 0;
                    for (int j = start; j < start + block; ++j) {
                        if (j < c - size / 2 || j >= c - size / 2 + size) continue;
                        REAL value = x[((long long)image * channels + j) * places + l];
                        sum += value * value;
                    }
                    long long here = ((long long)image * channels + c) * places + l;
                    REAL d = k + a * sum;
                    if (save) scale[here] = d;
                    y[here] = x[here] * minus_power(d, beta);
                }
""",
        lrn_across_backward="""
    for (int image = 0; image < n; ++image)
        for (int start = blockIdx.y * block; start < channels; start += gridDim.y * block)
            for (int l = blockIdx.x * blockDim.x + threadIdx.x; l < places; l += gridDim.x * blockDim.x) {
                long long first = (long long)image * channels * places + l;
                for (int c = start; c < start + block; ++c) gx[first + (long long)c * places] = 0;
                for (int j = start; j < start + block; ++j) {
                    long long there = first + (long long)j * places;
                    REAL through = gy[there] * minus_power(scale[there], beta);
                    REAL factor = 2 * a * beta * through * x[there] / scale[there];
                    gx[there] += through;
                    for (int c = j - size / 2; c < j - size / 2 + size; ++c)
                        if (c >= start && c < start + block)
                            gx[first + (long long)c * places] -= factor * x[first + (long long)c * places];
                }
            }
""",
        lrn_within="""
    for (long long plane = blockIdx.y; plane < maps; plane += gridDim.y)
        for (int row = 0; row < height; ++row)
            for (int column = blockIdx.x * blockDim.x + threadIdx.x; column < width; column += gridDim.x * blockDim.x) {
                REAL sum = 0;
                for (int i = row - size / 2; i < row - size / 2 + size; ++i)
                    for (int j = column - size / 2; j < column - size / 2 + size; ++j) {
                        bool outside = i < 0 || j < 0 || i >= height || j >= width;
                        REAL value = 0;
                        if (!outside) value = x[(plane * height + i) * width + j];
                        sum += value * value;
                    }
                long long here = (plane * height + row) * width + column;
                REAL d = k + a * sum;
                if (save) scale[here] = d;
                y[here] = x[here] * minus_power(d, beta);
            }
""",
        lrn_within_backward="""
    for (long long plane = (long long)blockIdx.y * gridDim.x * blockDim.x + blockIdx.x * blockDim.x + threadIdx.x;
         plane < maps; plane += (long long)gridDim.y * gridDim.x * blockDim.x) {
        long long map = plane * height * width;
        for (int place = 0; place < height * width; ++place) gx[map + place] = 0;
        for (int row = 0; row < height; ++row)
            for (int column = 0; column < width; ++column) {
                long long there = map + row * width + column;
                REAL through = gy[there] * minus_power(scale[there], beta);
                REAL factor = 2 * a * beta * through * x[there] / scale[there];
                gx[there] += through;
                for (int i = max(0, row - size / 2); i < min(height, row - size / 2 + size); ++i)
                    for (int j = max(0, column - size / 2); j < min(width, column - size / 2 + size); ++j)
                        gx[map + i * width + j] -= factor * x[map + i * width + j];
            }
    }
""",
    ),
)
