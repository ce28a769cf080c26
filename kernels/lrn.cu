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
// shares with this one is still in the cache. Windows of up to five channels have faster kernels, in lrn_registers.cu.
// Within a map: x (maps, H, W), one thread an element. Source: Krizhevsky et al. 2012, section 3.3; cuda-convnet's
// layers rnorm and cmrnorm.

#include "common.cuh"

extern "C" __global__ void lrn_across(global<const REAL> x, global<REAL> y, global<REAL> scale, int save, int size,
                                      REAL a, REAL beta, REAL k, int channels, int block, int places, int n) {
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        long long start = plane * block * places + l;  // of this place in the first channel of the block
        for (int c = 0; c < block; ++c) {
            REAL sum = 0;
            for (int j = max(0, c - size / 2); j < min(block, c - size / 2 + size); ++j) {
                REAL value = x[start + (long long)j * places];
                sum += value * value;
            }
            long long here = start + (long long)c * places;
            REAL d = k + a * sum;
            y[here] = x[here] * minus_power(d, beta);
            if (save) scale[here] = d;
        }
    }
}

extern "C" __global__ void lrn_across_backward(global<const REAL> gy, global<const REAL> x, global<const REAL> scale,
                                               global<REAL> gx, int size, REAL a, REAL beta, int channels, int block,
                                               int places, int n) {
    int after = size - 1 - size / 2;
    FOR_EACH_PLANE(plane, (long long)n * (channels / block)) FOR_EACH_PLACE(l, places) {
        long long start = plane * block * places + l;
        for (int c = 0; c < block; ++c) {
            REAL sum = 0, direct = 0;
            for (int j = max(0, c - after); j < min(block, c - after + size); ++j) {
                long long there = start + (long long)j * places;
                REAL d = scale[there], through = gy[there] * minus_power(d, beta);
                sum += through * x[there] / d;
                if (j == c) direct = through;
            }
            long long here = start + (long long)c * places;
            gx[here] = direct - 2 * a * beta * x[here] * sum;
        }
    }
}

extern "C" __global__ void lrn_within(global<const REAL> x, global<REAL> y, global<REAL> scale, int save, int size,
                                      REAL a, REAL beta, REAL k, int height, int width, long long maps) {
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        int row = place / width, column = place % width;
        long long map = plane * height * width, here = map + place;
        REAL sum = 0;
        for (int i = max(0, row - size / 2); i < min(height, row - size / 2 + size); ++i)
            for (int j = max(0, column - size / 2); j < min(width, column - size / 2 + size); ++j) {
                REAL value = x[map + i * width + j];
                sum += value * value;
            }
        REAL d = k + a * sum;
        y[here] = x[here] * minus_power(d, beta);
        if (save) scale[here] = d;
    }
}

extern "C" __global__ void lrn_within_backward(global<const REAL> gy, global<const REAL> x, global<const REAL> scale,
                                               global<REAL> gx, int size, REAL a, REAL beta, int height, int width,
                                               long long maps) {
    int after = size - 1 - size / 2;
    FOR_EACH_PLANE(plane, maps) FOR_EACH_PLACE(place, height * width) {
        int row = place / width, column = place % width;
        long long map = plane * height * width, here = map + place;
        REAL sum = 0;
        for (int i = max(0, row - after); i < min(height, row - after + size); ++i)
            for (int j = max(0, column - after); j < min(width, column - after + size); ++j) {
                long long there = map + i * width + j;
                REAL d = scale[there];
                sum += gy[there] * x[there] * minus_power(d, beta) / d;
            }
        gx[here] = gy[here] * minus_power(scale[here], beta) - 2 * a * beta * x[here] * sum;
    }
}
