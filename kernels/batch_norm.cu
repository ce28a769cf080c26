// Batch normalisation: every channel is brought to mean 0 and variance 1.
//
//   m = mean of the channel, s = sqrt(variance + eps)       z = (x - m) / s       y = w z + b
//   gb = sum gy      gw = sum gy z      gx = w (gy - gb / count - z gw / count) / s  in training, w gy / s otherwise
//
// x (N, C, L). Sums: one block a channel, each thread its share, then a tree in shared memory: the same order at every
// run. The variance is taken around the mean in a second pass; sum x^2 - m^2 would lose all digits where the mean is
// large. Source: Ioffe and Szegedy, "Batch normalization", 2015.

#include "common.cuh"

const int THREADS = 256;  // of the kernels that sum: a power of two

extern "C" __global__ void channel_statistics(global<const REAL> x, global<REAL> mean, global<REAL> variance,
                                              long long pictures, long long channels, long long places) {
    SHARED(REAL, scratch, THREADS);
    long long c = blockIdx.x, count = pictures * places;
    REAL sum = 0;
    for (long long q = threadIdx.x; q < count; q += THREADS)
        sum += x[(q / places * channels + c) * places + q % places];
    REAL centre = block_sum(sum, scratch) / (REAL)count;
    sum = 0;
    for (long long q = threadIdx.x; q < count; q += THREADS) {
        REAL away = x[(q / places * channels + c) * places + q % places] - centre;
        sum += away * away;
    }
    REAL spread = block_sum(sum, scratch) / (REAL)count;
    if (threadIdx.x == 0) {
        mean[c] = centre;
        variance[c] = spread;
    }
}

// w and b may be missing (has_w, has_b = 0): 1 and 0.
extern "C" __global__ void batch_norm(global<const REAL> x, global<const REAL> mean, global<const REAL> deviation,
                                      global<const REAL> w, int has_w, global<const REAL> b, int has_b, global<REAL> y,
                                      long long channels, long long places, long long n) {
    for (long long i = thread_number(); i < n; i += thread_count()) {
        long long c = i / places % channels;
        REAL z = (x[i] - mean[c]) / deviation[c];
        if (has_w) z *= w[c];
        if (has_b) z += b[c];
        y[i] = z;
    }
}

extern "C" __global__ void batch_norm_sums(global<const REAL> gy, global<const REAL> x, global<const REAL> mean,
                                           global<const REAL> deviation, global<REAL> gw, global<REAL> gb,
                                           long long pictures, long long channels, long long places) {
    SHARED(REAL, scratch, THREADS);
    long long c = blockIdx.x, count = pictures * places;
    REAL centre = mean[c], spread = deviation[c], sum = 0, product = 0;
    for (long long q = threadIdx.x; q < count; q += THREADS) {
        long long i = (q / places * channels + c) * places + q % places;
        REAL gradient = gy[i];
        sum += gradient;
        product += gradient * ((x[i] - centre) / spread);
    }
    sum = block_sum(sum, scratch);
    product = block_sum(product, scratch);
    if (threadIdx.x == 0) {
        gb[c] = sum;
        gw[c] = product;
    }
}

extern "C" __global__ void batch_norm_backward(global<const REAL> gy, global<const REAL> x, global<const REAL> mean,
                                               global<const REAL> deviation, global<const REAL> w, int has_w,
                                               global<const REAL> gw, global<const REAL> gb, int training,
                                               global<REAL> gx, long long channels, long long places, long long n) {
    REAL count = (REAL)(n / channels);
    for (long long i = thread_number(); i < n; i += thread_count()) {
        long long c = i / places % channels;
        REAL gradient = gy[i];
        if (training) gradient -= gb[c] / count + (x[i] - mean[c]) / deviation[c] * (gw[c] / count);
        if (has_w) gradient *= w[c];
        gx[i] = gradient / deviation[c];
    }
}
