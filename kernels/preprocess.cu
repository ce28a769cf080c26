// Images as bytes to a network's input: crop, normalisation, colour noise, mirror images, the order of channels.
//
//   y[n, c, i, j] = (z + noise[n, c]) / divisor
//   z = (x[m, c, top + i, left + j] - mean) / std, or 0 beyond the image, where a padded crop shows the mean
//   (m, top, left, mirrored) = views[n];  mirrored: y[n, c, i] is written from right to left
//
// One thread a pixel of y, so that a warp writes one run of memory; what it reads is one run of bytes too, backwards in
// a mirrored view. Bytes: 1 read and 4 written for each pixel, and the mean, which stays in the cache: a quarter of
// what the same pixels as floats take from the host. Every step rounds as the CPU's transforms do.

#include "common.cuh"

// what the mean is of, as in minialex/backends/raw_images.py
enum { MEAN_OF_CHANNELS, MEAN_OF_IMAGES, MEAN_OF_CROPS };

extern "C" __global__ void preprocess(global<const unsigned char> x, global<const int> views, global<const REAL> noise,
                                      global<const REAL> mean, global<const REAL> std, global<REAL> y, REAL divisor,
                                      int channels, int height, int width, int rows, int columns, int mean_of,
                                      int blue_first, int count) {
    FOR_EACH_PLANE(plane, (long long)count * channels) {
        int n = (int)(plane / channels), out = (int)(plane % channels), c = blue_first ? channels - 1 - out : out;
        int top = views[4 * n + 1], left = views[4 * n + 2], mirrored = views[4 * n + 3];
        long long image = (long long)views[4 * n] * channels + c;
        FOR_EACH_PLACE(place, rows * columns) {
            int i = place / columns, j = mirrored ? columns - 1 - place % columns : place % columns;
            int row = top + i, column = left + j;
            REAL z = 0;
            if (row >= 0 && row < height && column >= 0 && column < width) {
                long long m = c;
                if (mean_of == MEAN_OF_IMAGES) m = ((long long)c * height + row) * width + column;
                if (mean_of == MEAN_OF_CROPS) m = ((long long)c * rows + i) * columns + j;
                z = ((REAL)x[(image * height + row) * width + column] - mean[m]) / std[c];
            }
            y[plane * rows * columns + place] = (z + noise[n * channels + c]) / divisor;
        }
    }
}
