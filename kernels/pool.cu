// Pooling: one number for every window of a map.
//
//   max_pool2d   y[m, i, j] = max over u, v of x[m, i s + u d - p, j s + v d - p]
//                gx         = each gy added where its window's maximum stood (the first of several; NaN over all)
//   avg_pool2d   y = scale[i, j] * sum over the window       gx = scale * gy added at every place of the window
//
// x (maps, H, W), y (maps, OH, OW); winner: the number of the place in the kernel, u KW + v. Pixels outside never win
// and add nothing. Forward: one thread an output. Backward: one thread a pixel, which asks every window that holds it:
// windows overlap (AlexNet: 3 wide, 2 apart), and a thread an output would have several add to one pixel at once.

#include "common.cuh"

extern "C" __global__ void max_pool2d(global<const REAL> x, global<REAL> y, global<unsigned char> winners, int save,
                                      Window w, long long maps) {
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(place, places) {
        int top = place / w.output[1] * w.stride[0] - w.before[0],
            left = place % w.output[1] * w.stride[1] - w.before[1];
        REAL best = log((REAL)0);  // minus infinity: a window may meet no pixel
        int winner = -1;
        for (int u = 0; u < w.kernel[0]; ++u) {
            int row = top + u * w.dilation[0];
            if (row < 0 || row >= w.size[0]) continue;
            for (int v = 0; v < w.kernel[1]; ++v) {
                int column = left + v * w.dilation[1];
                if (column < 0 || column >= w.size[1]) continue;
                REAL value = x[map * pixels + row * w.size[1] + column];
                if (winner < 0 || value > best || value != value) {
                    best = value;
                    winner = u * w.kernel[1] + v;
                }
            }
        }
        y[map * places + place] = best;
        if (save) winners[map * places + place] = (unsigned char)winner;
    }
}

extern "C" __global__ void max_pool2d_backward(global<const REAL> gy, global<const unsigned char> winners,
                                               global<REAL> gx, Window w, long long maps) {
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(pixel, pixels) {
        Meeting rows(w, 0, pixel / w.size[1]), columns(w, 1, pixel % w.size[1]);
        REAL sum = 0;
        for (int i = rows.first; i <= rows.last; ++i) {
            int u = rows.tap(i);
            for (int j = columns.first; u >= 0 && j <= columns.last; ++j) {
                long long window = map * places + i * w.output[1] + j;
                int v = columns.tap(j);
                if (v >= 0 && winners[window] == u * w.kernel[1] + v) sum += gy[window];
            }
        }
        gx[map * pixels + pixel] = sum;
    }
}

extern "C" __global__ void avg_pool2d(global<const REAL> x, global<const REAL> scale, global<REAL> y, Window w,
                                      long long maps) {
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(place, places) {
        int top = place / w.output[1] * w.stride[0] - w.before[0],
            left = place % w.output[1] * w.stride[1] - w.before[1];
        REAL sum = 0;
        for (int u = 0; u < w.kernel[0]; ++u) {
            int row = top + u * w.dilation[0];
            if (row < 0 || row >= w.size[0]) continue;
            for (int v = 0; v < w.kernel[1]; ++v) {
                int column = left + v * w.dilation[1];
                if (column >= 0 && column < w.size[1]) sum += x[map * pixels + row * w.size[1] + column];
            }
        }
        y[map * places + place] = sum * scale[place];
    }
}

extern "C" __global__ void avg_pool2d_backward(global<const REAL> gy, global<const REAL> scale, global<REAL> gx,
                                               Window w, long long maps) {
    int places = w.output[0] * w.output[1], pixels = w.size[0] * w.size[1];
    FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(pixel, pixels) {
        Meeting rows(w, 0, pixel / w.size[1]), columns(w, 1, pixel % w.size[1]);
        REAL sum = 0;
        for (int i = rows.first; i <= rows.last; ++i)
            for (int j = columns.first; rows.tap(i) >= 0 && j <= columns.last; ++j) {
                int window = i * w.output[1] + j;
                if (columns.tap(j) >= 0) sum += gy[map * places + window] * scale[window];
            }
        gx[map * pixels + pixel] = sum;
    }
}
