// The two halves of a convolution by matrix product.
//
//   im2col   columns[(c, u, v), (n, i, j)] = x[n, c, i s + u d - p, j s + v d - p]      0 outside the picture
//   col2im   gx[n, c, y, x] = sum of all columns[(c, u, v), (n, i, j)] that were copied from there: the adjoint
//
// x (N, C, H, W), columns (C KH KW, n OH OW) for `n` pictures from `first` on. With them
//
//   y = W @ columns      gW = gy @ columns^T      gcolumns = W^T @ gy          W (O, C KH KW)
//
// im2col: one thread a place (n, i, j) of the output. It divides once, to learn where its windows begin, and then goes
// through their pixels, channel by channel: entries of a column, `length` apart. Its neighbours do the same beside it:
// a warp writes one run of memory at a time, and reads one where the stride is 1. (With four places a thread, and
// vector stores, a tenth of the instructions would go, but half as many sectors again be touched: such loads lie four
// places apart.)
//
// im2col_naive: one thread an entry, which divides five times to learn which. The first rung of a ladder, see
// tutorials/ladder.py.
//
// col2im: one thread a pixel, which looks up every window that holds it ("gather"). The other way round, a thread an
// entry, several threads would add to one pixel at once: a race, or a queue of atomic additions in an order of their
// own.

#include "common.cuh"

extern "C" __global__ void im2col(global<const REAL> x, global<REAL> columns, int channels, Window w, long long first,
                                  int pictures) {
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1], taps = w.kernel[0] * w.kernel[1];
    long long length = (long long)pictures * places;  // of a row of the columns
    for (long long l = thread_number(); l < length; l += thread_count()) {
        long long picture = first + l / places;
        int place = (int)(l % places);
        int top = place / w.output[1] * w.stride[0] - w.before[0];
        int left = place % w.output[1] * w.stride[1] - w.before[1];
        FOR_EACH_PLANE(c, channels) {
            long long map = (picture * channels + c) * pixels, entry = c * taps * length + l;
            for (int u = 0; u < w.kernel[0]; ++u) {
                int row = top + u * w.dilation[0];
                for (int v = 0; v < w.kernel[1]; ++v) {
                    int column = left + v * w.dilation[1];
                    bool inside = row >= 0 && row < w.size[0] && column >= 0 && column < w.size[1];
                    columns[entry] = inside ? x[map + row * w.size[1] + column] : (REAL)0;
                    entry += length;
                }
            }
        }
    }
}

extern "C" __global__ void im2col_naive(global<const REAL> x, global<REAL> columns, int channels, Window w,
                                        long long first, int pictures) {
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1], taps = w.kernel[0] * w.kernel[1];
    FOR_EACH_PLANE(plane, (long long)channels * taps * pictures) {  // of one tap and one picture
        int picture = (int)(plane % pictures), tap = (int)(plane / pictures), c = tap / taps;
        int above = tap % taps / w.kernel[1] * w.dilation[0] - w.before[0];
        int aside = tap % w.kernel[1] * w.dilation[1] - w.before[1];
        long long map = ((first + picture) * channels + c) * pixels;
        FOR_EACH_PLACE(place, places) {
            int row = place / w.output[1] * w.stride[0] + above, column = place % w.output[1] * w.stride[1] + aside;
            bool inside = row >= 0 && row < w.size[0] && column >= 0 && column < w.size[1];
            columns[plane * places + place] = inside ? x[map + row * w.size[1] + column] : (REAL)0;
        }
    }
}

extern "C" __global__ void col2im(global<const REAL> columns, global<REAL> gx, int channels, Window w, long long first,
                                  int pictures) {
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, (long long)pictures * channels) FOR_EACH_PLACE(pixel, pixels) {
        int picture = (int)(map / channels), c = (int)(map % channels);
        Meeting rows(w, 0, pixel / w.size[1]), across(w, 1, pixel % w.size[1]);
        REAL sum = 0;
        for (int i = rows.first; i <= rows.last; ++i) {
            int u = rows.tap(i);
            for (int j = across.first; u >= 0 && j <= across.last; ++j) {
                int v = across.tap(j);
                if (v < 0) continue;
                long long tap = ((long long)c * w.kernel[0] + u) * w.kernel[1] + v;
                sum += columns[(tap * pictures + picture) * places + i * w.output[1] + j];
            }
        }
        gx[(first * channels + map) * pixels + pixel] = sum;
    }
}

// What a product of those columns gives stands filter by filter: (O, n, OH OW). A batch stands picture by picture.
//
//   to_pictures   y[n, o, l] = product[o, n, l] + b[o]       from_pictures   product[o, n, l] = gy[n, o, l]
extern "C" __global__ void to_pictures(global<const REAL> product, global<const REAL> b, int with_bias, global<REAL> y,
                                       int filters, int places, long long first, int pictures) {
    FOR_EACH_PLANE(map, (long long)pictures * filters) {
        int o = (int)(map % filters), picture = (int)(map / filters);
        REAL bias = with_bias ? b[o] : (REAL)0;
        FOR_EACH_PLACE(l, places)
        y[(first * filters + map) * places + l] = product[((long long)o * pictures + picture) * places + l] + bias;
    }
}

extern "C" __global__ void from_pictures(global<const REAL> gy, global<REAL> product, int filters, int places,
                                         long long first, int pictures) {
    FOR_EACH_PLANE(plane, (long long)pictures * filters) {
        int picture = (int)(plane % pictures), o = (int)(plane / pictures);
        FOR_EACH_PLACE(l, places)
        product[plane * places + l] = gy[((first + picture) * filters + o) * places + l];
    }
}
