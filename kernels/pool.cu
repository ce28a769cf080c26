// Pooling: one number for every window of a map.
//
//   max_pool2d   y[n, c, i, j] = max over u, v of x[n, c, i s + u d - p, j s + v d - p]
//                gx            = each gy added at the place of its window's maximum (the first of several; NaN over all)
//   avg_pool2d   y = scale[i, j] * sum over the window       gx = scale * gy added at every place of the window
//
// x (maps, H, W), y (maps, OH, OW); winner: the number of the place in the kernel, u KW + v. Pixels outside never win
// and add nothing. Forward: one thread an output. Backward: one thread a pixel, which asks every window that holds it:
// windows overlap (AlexNet: 3 wide, 2 apart), and a thread an output would have several add to one pixel at once.

#include "common.cuh"

extern "C" __global__ void max_pool2d(global<const REAL> x, global<REAL> y, global<unsigned char> winners, int save,
                                      Window w, long long maps) {
    long long places = (long long)w.output[0] * w.output[1], n = maps * places;
    for (long long e = thread_number(); e < n; e += thread_count()) {
        int j = (int)(e % w.output[1]), i = (int)(e / w.output[1] % w.output[0]);
        long long map = e / places * w.size[0] * w.size[1];
        REAL best = log((REAL)0);  // minus infinity: a window may meet no pixel
        int winner = -1;
        for (int u = 0; u < w.kernel[0]; ++u) {
            int row = i * w.stride[0] + u * w.dilation[0] - w.before[0];
            if (row < 0 || row >= w.size[0]) continue;
            for (int v = 0; v < w.kernel[1]; ++v) {
                int column = j * w.stride[1] + v * w.dilation[1] - w.before[1];
                if (column < 0 || column >= w.size[1]) continue;
                REAL value = x[map + (long long)row * w.size[1] + column];
                if (winner < 0 || value > best || value != value) {
                    best = value;
                    winner = u * w.kernel[1] + v;
                }
            }
        }
        y[e] = best;
        if (save) winners[e] = (unsigned char)winner;
    }
}

extern "C" __global__ void max_pool2d_backward(global<const REAL> gy, global<const unsigned char> winners,
                                               global<REAL> gx, Window w, long long maps) {
    long long pixels = (long long)w.size[0] * w.size[1], n = maps * pixels;
    for (long long e = thread_number(); e < n; e += thread_count()) {
        int column = (int)(e % w.size[1]), row = (int)(e / w.size[1] % w.size[0]);
        long long map = e / pixels * w.output[0] * w.output[1];
        REAL sum = 0;
        for (int u = 0; u < w.kernel[0]; ++u) {
            int i = row + w.before[0] - u * w.dilation[0];
            if (i < 0 || i % w.stride[0] || i / w.stride[0] >= w.output[0]) continue;
            for (int v = 0; v < w.kernel[1]; ++v) {
                int j = column + w.before[1] - v * w.dilation[1];
                if (j < 0 || j % w.stride[1] || j / w.stride[1] >= w.output[1]) continue;
                long long window = map + (long long)(i / w.stride[0]) * w.output[1] + j / w.stride[1];
                if (winners[window] == u * w.kernel[1] + v) sum += gy[window];
            }
        }
        gx[e] = sum;
    }
}

extern "C" __global__ void avg_pool2d(global<const REAL> x, global<const REAL> scale, global<REAL> y, Window w,
                                      long long maps) {
    long long places = (long long)w.output[0] * w.output[1], n = maps * places;
    for (long long e = thread_number(); e < n; e += thread_count()) {
        int j = (int)(e % w.output[1]), i = (int)(e / w.output[1] % w.output[0]);
        long long map = e / places * w.size[0] * w.size[1];
        REAL sum = 0;
        for (int u = 0; u < w.kernel[0]; ++u) {
            int row = i * w.stride[0] + u * w.dilation[0] - w.before[0];
            if (row < 0 || row >= w.size[0]) continue;
            for (int v = 0; v < w.kernel[1]; ++v) {
                int column = j * w.stride[1] + v * w.dilation[1] - w.before[1];
                if (column >= 0 && column < w.size[1]) sum += x[map + (long long)row * w.size[1] + column];
            }
        }
        y[e] = sum * scale[e % places];
    }
}

extern "C" __global__ void avg_pool2d_backward(global<const REAL> gy, global<const REAL> scale, global<REAL> gx,
                                               Window w, long long maps) {
    long long pixels = (long long)w.size[0] * w.size[1], n = maps * pixels;
    long long places = (long long)w.output[0] * w.output[1];
    for (long long e = thread_number(); e < n; e += thread_count()) {
        int column = (int)(e % w.size[1]), row = (int)(e / w.size[1] % w.size[0]);
        REAL sum = 0;
        for (int u = 0; u < w.kernel[0]; ++u) {
            int i = row + w.before[0] - u * w.dilation[0];
            if (i < 0 || i % w.stride[0] || i / w.stride[0] >= w.output[0]) continue;
            for (int v = 0; v < w.kernel[1]; ++v) {
                int j = column + w.before[1] - v * w.dilation[1];
                if (j < 0 || j % w.stride[1] || j / w.stride[1] >= w.output[1]) continue;
                long long window = (long long)(i / w.stride[0]) * w.output[1] + j / w.stride[1];
                sum += gy[e / pixels * places + window] * scale[window];
            }
        }
        gx[e] = sum;
    }
}
