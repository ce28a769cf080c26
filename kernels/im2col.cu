// The two halves of a convolution by matrix product.
//
//   im2col   columns[(c, u, v), (n, i, j)] = x[n, c, i s + u d - p, j s + v d - p]      0 outside the picture
//   col2im   gx[n, c, y, x] = sum of all columns[(c, u, v), (n, i, j)] that were copied from there: the adjoint
//
// x (N, C, H, W), columns (C KH KW, n OH OW) for `n` pictures from `first` on. With them
//
//   y = W @ columns      gW = gy @ columns^T      gcolumns = W^T @ gy          W (O, C KH KW)
//
// im2col: one thread an entry of the columns, j fastest: a warp writes one run, and reads one where the stride is 1.
// col2im: one thread a pixel, which looks up every window that holds it ("gather"). The other way round, a thread an
// entry, several threads would add to one pixel at once: a race, or a queue of atomic additions in an order of their
// own.

#include "common.cuh"

extern "C" __global__ void im2col(global<const REAL> x, global<REAL> columns, int channels, Window w, long long first,
                                  long long pictures) {
    long long places = (long long)w.output[0] * w.output[1], length = pictures * places;
    long long n = (long long)channels * w.kernel[0] * w.kernel[1] * length;
    for (long long e = thread_number(); e < n; e += thread_count()) {
        long long place = e % length, tap = e / length;
        int j = (int)(place % w.output[1]), i = (int)(place / w.output[1] % w.output[0]);
        int v = (int)(tap % w.kernel[1]), u = (int)(tap / w.kernel[1] % w.kernel[0]);
        long long picture = first + place / places, c = tap / (w.kernel[0] * w.kernel[1]);
        int row = i * w.stride[0] + u * w.dilation[0] - w.before[0];
        int column = j * w.stride[1] + v * w.dilation[1] - w.before[1];
        bool inside = row >= 0 && row < w.size[0] && column >= 0 && column < w.size[1];
        columns[e] = inside ? x[((picture * channels + c) * w.size[0] + row) * w.size[1] + column] : (REAL)0;
    }
}

extern "C" __global__ void col2im(global<const REAL> columns, global<REAL> gx, int channels, Window w, long long first,
                                  long long pictures) {
    long long places = (long long)w.output[0] * w.output[1], length = pictures * places;
    long long pixels = (long long)w.size[0] * w.size[1], n = pictures * channels * pixels;
    for (long long e = thread_number(); e < n; e += thread_count()) {
        int column = (int)(e % w.size[1]), row = (int)(e / w.size[1] % w.size[0]);
        long long c = e / pixels % channels, picture = e / (pixels * channels);
        REAL sum = 0;
        for (int u = 0; u < w.kernel[0]; ++u) {
            int i = row + w.before[0] - u * w.dilation[0];
            if (i < 0 || i % w.stride[0] || i / w.stride[0] >= w.output[0]) continue;
            for (int v = 0; v < w.kernel[1]; ++v) {
                int j = column + w.before[1] - v * w.dilation[1];
                if (j < 0 || j % w.stride[1] || j / w.stride[1] >= w.output[1]) continue;
                long long tap = (c * w.kernel[0] + u) * w.kernel[1] + v;
                sum += columns[tap * length + picture * places + (long long)(i / w.stride[0]) * w.output[1] +
                               j / w.stride[1]];
            }
        }
        gx[first * channels * pixels + e] = sum;
    }
}

// What a product of those columns gives stands filter by filter: (O, n OH OW). A batch stands picture by picture.
//
//   to_pictures   y[n, o, l] = product[o, n, l] + b[o]       from_pictures   product[o, n, l] = gy[n, o, l]
extern "C" __global__ void to_pictures(global<const REAL> product, global<const REAL> b, int with_bias, global<REAL> y,
                                       long long filters, long long places, long long first, long long pictures) {
    long long n = pictures * filters * places;
    for (long long e = thread_number(); e < n; e += thread_count()) {
        long long l = e % places, o = e / places % filters, picture = e / (places * filters);
        REAL value = product[(o * pictures + picture) * places + l];
        y[first * filters * places + e] = with_bias ? value + b[o] : value;
    }
}

extern "C" __global__ void from_pictures(global<const REAL> gy, global<REAL> product, long long filters,
                                         long long places, long long first, long long pictures) {
    long long n = pictures * filters * places;
    for (long long e = thread_number(); e < n; e += thread_count()) {
        long long l = e % places, picture = e / places % pictures, o = e / (places * pictures);
        product[e] = gy[((first + picture) * filters + o) * places + l];
    }
}
