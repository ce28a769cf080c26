// Local response normalisation: a unit is divided by what its neighbours do ("lateral inhibition").
//
//   d  = k + a * (sum of x^2 over the window)                  y = x d^-beta
//   gx = gy d^-beta - 2 a beta x * (sum of gy x d^(-beta - 1) over the mirrored window)
//
// window(c) = c - n/2 ... c - n/2 + n - 1, cut off at the edges; mirrored: all c' whose window holds c. Each window's
// squares are added afresh: a running sum that subtracts what leaves it would keep what a strong unit left behind.
//
// Across channels: x (N, C, L), windows within blocks of `block` channels. One thread a place of a picture, which
// walks through the channels of a block: neighbours in a warp are neighbours in the map, and what the next window
// shares with this one is still in the cache. Within a map: x (maps, H, W), one thread an element. Source: Krizhevsky
// et al. 2012, section 3.3; cuda-convnet's layers rnorm and cmrnorm.

#include "common.cuh"

// The paper's 3/4 by two square roots, many times faster than a power.
__device__ inline REAL minus_power(REAL d, REAL beta) {
    if (beta == (REAL)0.75) return (REAL)1 / sqrt(d * sqrt(d));
    return pow(d, -beta);
}

extern "C" __global__ void lrn_across(global<const REAL> x, global<REAL> y, global<REAL> scale, int save, int size,
                                      REAL a, REAL beta, REAL k, long long channels, long long block, long long places,
                                      long long n) {
    long long blocks = channels / block;
    for (long long e = thread_number(); e < n * blocks * places; e += thread_count()) {
        long long l = e % places, first = e / places * block;  // of all pictures' channels, counted on
        for (long long c = first; c < first + block; ++c) {
            long long low = max(first, c - size / 2), high = min(first + block, c - size / 2 + size);
            REAL sum = 0;
            for (long long j = low; j < high; ++j) {
                REAL value = x[j * places + l];
                sum += value * value;
            }
            REAL d = k + a * sum;
            y[c * places + l] = x[c * places + l] * minus_power(d, beta);
            if (save) scale[c * places + l] = d;
        }
    }
}

extern "C" __global__ void lrn_across_backward(global<const REAL> gy, global<const REAL> x, global<const REAL> scale,
                                               global<REAL> gx, int size, REAL a, REAL beta, long long channels,
                                               long long block, long long places, long long n) {
    long long blocks = channels / block;
    int after = size - 1 - size / 2;
    for (long long e = thread_number(); e < n * blocks * places; e += thread_count()) {
        long long l = e % places, first = e / places * block;
        for (long long c = first; c < first + block; ++c) {
            long long low = max(first, c - after), high = min(first + block, c - after + size);
            REAL sum = 0, direct = 0;
            for (long long j = low; j < high; ++j) {
                REAL d = scale[j * places + l], through = gy[j * places + l] * minus_power(d, beta);
                sum += through * x[j * places + l] / d;
                if (j == c) direct = through;
            }
            gx[c * places + l] = direct - 2 * a * beta * x[c * places + l] * sum;
        }
    }
}

extern "C" __global__ void lrn_within(global<const REAL> x, global<REAL> y, global<REAL> scale, int save, int size,
                                      REAL a, REAL beta, REAL k, int height, int width, long long maps) {
    long long n = maps * height * width;
    for (long long e = thread_number(); e < n; e += thread_count()) {
        int column = (int)(e % width), row = (int)(e / width % height);
        long long map = e - column - (long long)row * width;
        REAL sum = 0;
        for (int i = max(0, row - size / 2); i < min(height, row - size / 2 + size); ++i)
            for (int j = max(0, column - size / 2); j < min(width, column - size / 2 + size); ++j) {
                REAL value = x[map + (long long)i * width + j];
                sum += value * value;
            }
        REAL d = k + a * sum;
        y[e] = x[e] * minus_power(d, beta);
        if (save) scale[e] = d;
    }
}

extern "C" __global__ void lrn_within_backward(global<const REAL> gy, global<const REAL> x, global<const REAL> scale,
                                               global<REAL> gx, int size, REAL a, REAL beta, int height, int width,
                                               long long maps) {
    long long n = maps * height * width;
    int after = size - 1 - size / 2;
    for (long long e = thread_number(); e < n; e += thread_count()) {
        int column = (int)(e % width), row = (int)(e / width % height);
        long long map = e - column - (long long)row * width;
        REAL sum = 0;
        for (int i = max(0, row - after); i < min(height, row - after + size); ++i)
            for (int j = max(0, column - after); j < min(width, column - after + size); ++j) {
                long long q = map + (long long)i * width + j;
                REAL d = scale[q];
                sum += gy[q] * x[q] * minus_power(d, beta) / d;
            }
        gx[e] = gy[e] * minus_power(scale[e], beta) - 2 * a * beta * x[e] * sum;
    }
}
