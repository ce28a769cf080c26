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

// Every place of channel c in all pictures, shared out to the threads of a block.
#define FOR_EACH_OF_CHANNEL(i, c)                                                                                      \
    for (long long picture = 0; picture < pictures; ++picture)                                                         \
        for (long long i = (picture * channels + c) * places + threadIdx.x; i < (picture * channels + c + 1) * places; \
             i += THREADS)

extern "C" __global__ void channel_statistics(global<const REAL> x, global<REAL> mean, global<REAL> variance,
                                              long long pictures, int channels, int places) {
    SHARED(REAL, scratch, THREADS);
    int c = blockIdx.x;
    REAL count = (REAL)pictures * (REAL)places, sum = 0;
    FOR_EACH_OF_CHANNEL(i, c) sum += x[i];
    REAL centre = block_sum(sum, scratch) / count;
    sum = 0;
    FOR_EACH_OF_CHANNEL(i, c) {
        REAL away = x[i] - centre;
        sum += away * away;
    }
    REAL spread = block_sum(sum, scratch) / count;
    if (threadIdx.x == 0) {
        mean[c] = centre;
        variance[c] = spread;
    }
}

// w and b may be missing (has_w, has_b = 0): 1 and 0.
extern "C" __global__ void batch_norm(global<const REAL> x, global<const REAL> mean, global<const REAL> sigma,
                                      global<const REAL> w, int has_w, global<const REAL> b, int has_b, global<REAL> y,
                                      long long pictures, int channels, int places) {
    FOR_EACH_PLANE(map, pictures * channels) {
        int c = (int)(map % channels);
        REAL centre = mean[c], spread = sigma[c], factor = has_w ? w[c] : (REAL)1, shift = has_b ? b[c] : (REAL)0;
        FOR_EACH_PLACE(l, places) y[map * places + l] = (x[map * places + l] - centre) / spread * factor + shift;
    }
}

extern "C" __global__ void batch_norm_sums(global<const REAL> gy, global<const REAL> x, global<const REAL> mean,
                                           global<const REAL> sigma, global<REAL> gw, global<REAL> gb,
                                           long long pictures, int channels, int places) {
    SHARED(REAL, scratch, THREADS);
    int c = blockIdx.x;
    REAL centre = mean[c], spread = sigma[c], sum = 0, product = 0;
    FOR_EACH_OF_CHANNEL(i, c) {
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
                                               global<const REAL> sigma, global<const REAL> w, int has_w,
                                               global<const REAL> gw, global<const REAL> gb, int training,
                                               global<REAL> gx, long long pictures, int channels, int places) {
    REAL count = (REAL)pictures * (REAL)places;
    FOR_EACH_PLANE(map, pictures * channels) {
        int c = (int)(map % channels);
        REAL centre = mean[c], spread = sigma[c], factor = has_w ? w[c] : (REAL)1;
        REAL mean_gradient = training ? gb[c] / count : (REAL)0, mean_product = training ? gw[c] / count : (REAL)0;
        FOR_EACH_PLACE(l, places) {
            REAL z = (x[map * places + l] - centre) / spread;
            gx[map * places + l] = factor * (gy[map * places + l] - mean_gradient - z * mean_product) / spread;
        }
    }
}
