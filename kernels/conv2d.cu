// Convolution without columns in global memory, three times; im2col.cu and a library's matrix product are the fourth.
//
//   y[n, o, i, j]  = b[o] + sum over c, u, v of w[o, c, u, v] x[n, c, i s + u d - p, j s + v d - p]
//   gx[n, c, y, x] = sum over o, u, v of w[o, c, u, v] gy[n, o, i, j]      for i s + u d - p = y, j s + v d - p = x
//   gw[o, c, u, v] = sum over n, i, j of gy[n, o, i, j] x[n, c, i s + u d - p, j s + v d - p]
//
// x (N, groups channels, H, W), w (groups filters, channels, KH, KW), y (N, groups filters, OH, OW): `channels` and
// `filters` are those of one group, whose filters see its channels alone. Outside the picture x is 0, and not loaded.
//
//   kernel                 a thread makes   a block makes                 loads from global memory per multiplication
//   conv2d_direct          1 output         any                           2: of x and of w
//   conv2d_tiled           1 output         8 x 8 places of 4 filters     PATCH / (8 8 4 KH KW) + 1 / (8 8)
//   conv2d_implicit_gemm   4 x 4 outputs    64 places of 64 filters       (64 + 64) / 64^2 = 1/32
//
// PATCH: how many pixels 8 x 8 windows cover; 3 x 3 windows 1 apart 10 x 10, and conv2d_tiled loads 1/17 a
// multiplication. Of shared memory the second reads 2 entries per multiplication, the third 1/2.

#include "common.cuh"
#include "tile.cuh"

// ---------------------------------------------------------------------------------------------------- direct

// One thread an output, j fastest: a warp loads one w, which all its threads share, and a run of x (stride 1).
extern "C" __global__ void conv2d_direct(global<const REAL> x, global<const REAL> weights, global<const REAL> bias,
                                         int with_bias, global<REAL> y, int groups, int channels, int filters, Window w,
                                         long long pictures) {
    long long places = (long long)w.output[0] * w.output[1], n = pictures * groups * filters * places;
    for (long long e = thread_number(); e < n; e += thread_count()) {
        int j = (int)(e % w.output[1]), i = (int)(e / w.output[1] % w.output[0]);
        long long o = e / places % (groups * filters), picture = e / places / (groups * filters);
        REAL sum = with_bias ? bias[o] : (REAL)0;
        for (int c = 0; c < channels; ++c) {
            long long map = (picture * groups + o / filters) * channels + c;
            for (int u = 0; u < w.kernel[0]; ++u) {
                int row = i * w.stride[0] + u * w.dilation[0] - w.before[0];
                if (row < 0 || row >= w.size[0]) continue;
                for (int v = 0; v < w.kernel[1]; ++v) {
                    int column = j * w.stride[1] + v * w.dilation[1] - w.before[1];
                    if (column < 0 || column >= w.size[1]) continue;
                    sum += weights[((o * channels + c) * w.kernel[0] + u) * w.kernel[1] + v] *
                           x[(map * w.size[0] + row) * w.size[1] + column];
                }
            }
        }
        y[e] = sum;
    }
}

// One thread a pixel, which asks every window that holds it, as in pool.cu.
extern "C" __global__ void conv2d_direct_backward_x(global<const REAL> gy, global<const REAL> weights, global<REAL> gx,
                                                    int groups, int channels, int filters, Window w,
                                                    long long pictures) {
    long long pixels = (long long)w.size[0] * w.size[1], n = pictures * groups * channels * pixels;
    for (long long e = thread_number(); e < n; e += thread_count()) {
        int column = (int)(e % w.size[1]), row = (int)(e / w.size[1] % w.size[0]);
        int c = (int)(e / pixels % channels);
        long long group = e / pixels / channels;  // of all pictures' groups, counted on
        REAL sum = 0;
        for (int u = 0; u < w.kernel[0]; ++u) {
            int i = row + w.before[0] - u * w.dilation[0];
            if (i < 0 || i % w.stride[0] || i / w.stride[0] >= w.output[0]) continue;
            for (int v = 0; v < w.kernel[1]; ++v) {
                int j = column + w.before[1] - v * w.dilation[1];
                if (j < 0 || j % w.stride[1] || j / w.stride[1] >= w.output[1]) continue;
                for (int o = 0; o < filters; ++o) {
                    long long filter = group % groups * filters + o, map = group * filters + o;
                    sum += weights[((filter * channels + c) * w.kernel[0] + u) * w.kernel[1] + v] *
                           gy[(map * w.output[0] + i / w.stride[0]) * w.output[1] + j / w.stride[1]];
                }
            }
        }
        gx[e] = sum;
    }
}

// One block a weight, each thread its share of the places, then a tree in shared memory: the same order at every run.
extern "C" __global__ void conv2d_direct_backward_w(global<const REAL> gy, global<const REAL> x, global<REAL> gw,
                                                    int groups, int channels, int filters, Window w,
                                                    long long pictures) {
    SHARED(REAL, scratch, THREADS);
    int v = blockIdx.x % w.kernel[1], u = blockIdx.x / w.kernel[1] % w.kernel[0];
    long long c = blockIdx.x / (w.kernel[0] * w.kernel[1]) % channels;
    long long o = blockIdx.x / (w.kernel[0] * w.kernel[1]) / channels;
    long long places = (long long)w.output[0] * w.output[1];
    REAL sum = 0;
    for (long long q = threadIdx.x; q < pictures * places; q += THREADS) {
        int j = (int)(q % w.output[1]), i = (int)(q / w.output[1] % w.output[0]);
        int row = i * w.stride[0] + u * w.dilation[0] - w.before[0];
        int column = j * w.stride[1] + v * w.dilation[1] - w.before[1];
        if (row < 0 || row >= w.size[0] || column < 0 || column >= w.size[1]) continue;
        long long picture = q / places, map = (picture * groups + o / filters) * channels + c;
        sum += gy[(picture * groups * filters + o) * places + q % places] *
               x[(map * w.size[0] + row) * w.size[1] + column];
    }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) gw[blockIdx.x] = sum;
}

// ---------------------------------------------------------------------------------------------------- tiled

const int PATCH = 8, FILTERS = 4;     // a block is PATCH x PATCH x FILTERS threads
const int PIXELS = 4096, TAPS = 256;  // that shared memory has room for: of x, and of each filter's kernel

// Thread (tx, ty, tz): place (ty, tx) of the block's patch and the block's filter tz. blockIdx: x the patch, y the
// filters, z the group. Pixels and weights of `together` channels at a time go through shared memory.
//
// The host (tutorials/ladder.py) measures: 8 x 8 windows cover `rows` x `width` pixels of a channel, a row of which takes
// `pitch` cells, and `together` such channels fit into PIXELS, and into TAPS. The pitch is an odd multiple of 8: a warp
// is four rows of eight places, which at stride 1 read four runs of 8 banks, and these are then 32 different banks.
extern "C" __global__ void conv2d_tiled(global<const REAL> x, global<const REAL> weights, global<const REAL> bias,
                                        int with_bias, global<REAL> y, int groups, int channels, int filters, Window w,
                                        int rows, int width, int pitch, int together) {
    SHARED(REAL, pixel, PIXELS);
    SHARED2(REAL, tap, FILTERS, TAPS);
    int tx = threadIdx.x, ty = threadIdx.y, tz = threadIdx.z, t = (tz * PATCH + ty) * PATCH + tx;
    int down = (w.output[0] + PATCH - 1) / PATCH, across = (w.output[1] + PATCH - 1) / PATCH;
    int i = blockIdx.x / across % down * PATCH, j = blockIdx.x % across * PATCH;
    int top = i * w.stride[0] - w.before[0], left = j * w.stride[1] - w.before[1];
    int taps = w.kernel[0] * w.kernel[1], first = blockIdx.y * FILTERS;
    long long picture = blockIdx.x / across / down, group = blockIdx.z;
    REAL sum = 0;
    for (int c = 0; c < channels; c += together) {
        int some = min(together, channels - c);
        for (int e = t; e < some * rows * width; e += THREADS) {
            int column = left + e % width, row = top + e / width % rows;
            long long map = (picture * groups + group) * channels + c + e / width / rows;
            bool inside = row >= 0 && row < w.size[0] && column >= 0 && column < w.size[1];
            pixel[e / width * pitch + e % width] = inside ? x[(map * w.size[0] + row) * w.size[1] + column] : (REAL)0;
        }
        for (int e = t; e < FILTERS * some * taps; e += THREADS) {
            int o = e / (some * taps), q = e % (some * taps);
            bool inside = first + o < filters;
            tap[o][q] = inside ? weights[((group * filters + first + o) * channels + c) * taps + q] : (REAL)0;
        }
        __syncthreads();
        for (int k = 0; k < some; ++k)
            for (int u = 0; u < w.kernel[0]; ++u)
                for (int v = 0; v < w.kernel[1]; ++v) {
                    int row = k * rows + ty * w.stride[0] + u * w.dilation[0];
                    int column = tx * w.stride[1] + v * w.dilation[1];
                    sum += tap[tz][(k * w.kernel[0] + u) * w.kernel[1] + v] * pixel[row * pitch + column];
                }
        __syncthreads();  // before somebody loads the next channels
    }
    if (i + ty >= w.output[0] || j + tx >= w.output[1] || first + tz >= filters) return;
    long long o = group * filters + first + tz, map = picture * groups * filters + o;
    y[(map * w.output[0] + i + ty) * w.output[1] + j + tx] = with_bias ? sum + bias[o] : sum;
}

// ---------------------------------------------------------------------------------------------------- implicit GEMM

// The products of im2col.cu, group by group, in tiles of 64 x 64 (tile.cuh). Columns are made in shared memory, a tile
// at a time: entry ((c, u, v), (n, i, j)) of im2col's matrix is looked up in x when its tile is due.
//
//   y = W @ columns        gw = gy @ columns^T        gx = W^T @ (columns of gy)
//
// A block makes the tile of 64 filters (or channels) `blockIdx.y` and 64 places (taps, pixels) `blockIdx.x`.

// The three numbers that one counts: (c, u, v) of a tap, (n, i, j) of a place. Divides once; then only steps on.
struct Counter {
    int first, second, third, seconds, thirds;

    __device__ Counter(long long number, const int* sizes)
        : first((int)(number / sizes[1] / sizes[0])),
          second((int)(number / sizes[1] % sizes[0])),
          third((int)(number % sizes[1])),
          seconds(sizes[0]),
          thirds(sizes[1]) {}
    __device__ void walk(int steps) {
        for (third += steps; third >= thirds; third -= thirds) ++second;
        for (; second >= seconds; second -= seconds) ++first;
    }
};

// An entry of im2col's matrix; `x` begins at the group's channels of the first picture, `next` further is the second.
struct Entry {
    global<const REAL> x;
    Window w;
    int channels;
    long long pictures, next;
    Counter tap, place;

    __device__ REAL entry() const {
        int row = place.second * w.stride[0] + tap.second * w.dilation[0] - w.before[0];
        int column = place.third * w.stride[1] + tap.third * w.dilation[1] - w.before[1];
        if (tap.first >= channels || place.first >= pictures) return 0;
        if (row < 0 || row >= w.size[0] || column < 0 || column >= w.size[1]) return 0;
        return x[place.first * next + ((long long)tap.first * w.size[0] + row) * w.size[1] + column];
    }
};

struct EntryAlongTaps : Entry {
    __device__ void walk(int steps) { tap.walk(steps); }
};

struct EntryAlongPlaces : Entry {
    __device__ void walk(int steps) { place.walk(steps); }
};

extern "C" __global__ void conv2d_implicit_gemm(global<const REAL> x, global<const REAL> weights,
                                                global<const REAL> bias, int with_bias, global<REAL> y, int groups,
                                                int channels, int filters, Window w, long long pictures) {
    int t = threadIdx.x;
    long long places = (long long)w.output[0] * w.output[1], pixels = (long long)w.size[0] * w.size[1];
    long long taps = (long long)channels * w.kernel[0] * w.kernel[1], group = blockIdx.z;
    long long top = (long long)blockIdx.y * TILE, left = (long long)blockIdx.x * TILE;
    Rows a = {weights + group * filters * taps, top, filters, taps, t % DEPTH};
    EntryAlongTaps b = {{x + group * channels * pixels, w, channels, pictures, groups * channels * pixels,
                         Counter(t / TILE, w.kernel), Counter(left + t % TILE, w.output)}};
    Sums sums = tile_product(a, b, taps);
    for (int s = 0; s < 4; ++s) {
        long long place = left + sums.column + s, picture = place / places;
        for (int r = 0; r < 4; ++r) {
            long long o = top + sums.row + r, map = picture * groups * filters + group * filters + o;
            if (o >= filters || picture >= pictures) continue;
            y[map * places + place % places] = with_bias ? sums.of[r][s] + bias[group * filters + o] : sums.of[r][s];
        }
    }
}

// gy as a matrix (filters, places of pictures); its rows begin at the group's filters.
struct GradientRows {
    global<const REAL> gy;
    long long first, filters, pictures, next;
    Counter place;

    __device__ REAL entry(int i) const {
        if (first + i >= filters || place.first >= pictures) return 0;
        return gy[place.first * next + ((first + i) * place.seconds + place.second) * place.thirds + place.third];
    }
    __device__ void walk(int steps) { place.walk(steps); }
};

// The sum over the places is long and gw small: a block takes `share` pictures, and the host adds up the blocks'
// parts (N / share, groups filters, channels KH KW); blockIdx.z counts them and, within one, the groups.
extern "C" __global__ void conv2d_implicit_gemm_backward_w(global<const REAL> gy, global<const REAL> x,
                                                           global<REAL> parts, int groups, int channels, int filters,
                                                           Window w, long long pictures, long long share) {
    int t = threadIdx.x;
    long long places = (long long)w.output[0] * w.output[1], pixels = (long long)w.size[0] * w.size[1];
    long long taps = (long long)channels * w.kernel[0] * w.kernel[1];
    long long top = (long long)blockIdx.y * TILE, left = (long long)blockIdx.x * TILE;
    long long begin = blockIdx.z / groups * share, mine = min(share, pictures - begin);
    long long group = begin * groups + blockIdx.z % groups;  // of all pictures' groups, counted on
    GradientRows a = {gy + group * filters * places, top, filters, mine, groups * filters * places,
                      Counter(t % DEPTH, w.output)};
    EntryAlongPlaces b = {{x + group * channels * pixels, w, channels, mine, groups * channels * pixels,
                           Counter(left + t % TILE, w.kernel), Counter(t / TILE, w.output)}};
    Sums sums = tile_product(a, b, mine * places);
    for (int r = 0; r < 4; ++r)
        for (int s = 0; s < 4; ++s) {
            long long o = top + sums.row + r, tap = left + sums.column + s;
            if (o < filters && tap < taps) parts[(blockIdx.z * filters + o) * taps + tap] = sums.of[r][s];
        }
}

// W^T: a row for each channel c, a column for each (o, u, v).
struct WeightColumns {
    global<const REAL> weights;
    long long first, channels, filters;
    Counter tap;

    __device__ REAL entry(int i) const {
        if (first + i >= channels || tap.first >= filters) return 0;
        return weights[((tap.first * channels + first + i) * tap.seconds + tap.second) * tap.thirds + tap.third];
    }
    __device__ void walk(int steps) { tap.walk(steps); }
};

// The gy that reached a pixel (n, y, x) through weight (o, u, v): that of the window which begins as far before it.
struct GradientAtPixel {
    global<const REAL> gy;
    Window w;
    long long filters, pictures, next;
    Counter tap, pixel;

    __device__ REAL entry() const {
        int i = pixel.second + w.before[0] - tap.second * w.dilation[0];
        int j = pixel.third + w.before[1] - tap.third * w.dilation[1];
        if (tap.first >= filters || pixel.first >= pictures) return 0;
        if (i < 0 || i % w.stride[0] || i / w.stride[0] >= w.output[0]) return 0;
        if (j < 0 || j % w.stride[1] || j / w.stride[1] >= w.output[1]) return 0;
        return gy[pixel.first * next + ((long long)tap.first * w.output[0] + i / w.stride[0]) * w.output[1] +
                  j / w.stride[1]];
    }
    __device__ void walk(int steps) { tap.walk(steps); }
};

extern "C" __global__ void conv2d_implicit_gemm_backward_x(global<const REAL> gy, global<const REAL> weights,
                                                           global<REAL> gx, int groups, int channels, int filters,
                                                           Window w, long long pictures) {
    int t = threadIdx.x;
    long long places = (long long)w.output[0] * w.output[1], pixels = (long long)w.size[0] * w.size[1];
    long long taps = (long long)w.kernel[0] * w.kernel[1], group = blockIdx.z;
    long long top = (long long)blockIdx.y * TILE, left = (long long)blockIdx.x * TILE;
    WeightColumns a = {weights + group * filters * channels * taps, top, channels, filters,
                       Counter(t % DEPTH, w.kernel)};
    GradientAtPixel b = {
        gy + group * filters * places,   w, filters, pictures, groups * filters * places, Counter(t / TILE, w.kernel),
        Counter(left + t % TILE, w.size)};
    Sums sums = tile_product(a, b, filters * taps);
    for (int s = 0; s < 4; ++s) {
        long long pixel = left + sums.column + s, picture = pixel / pixels;
        for (int r = 0; r < 4; ++r) {
            long long c = top + sums.row + r, map = (picture * groups + group) * channels + c;
            if (c < channels && picture < pictures) gx[map * pixels + pixel % pixels] = sums.of[r][s];
        }
    }
}
