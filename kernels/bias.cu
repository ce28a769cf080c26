// A number for each channel, added to all its places: y = x + b[c]. Its gradient is the sum of the channel.
//
//   gb[c] = sum over n, l of gy[n, c, l]        gy (N, C, L)
//
// One block a channel, each thread its share, then a tree in shared memory: the same order, and bits, at every run.
// Where bias is added, see to_pictures in im2col.cu: in the pass that writes y anyway.

#include "common.cuh"

const int THREADS = 256;

extern "C" __global__ void channel_sums(global<const REAL> gy, global<REAL> gb, long long pictures, long long channels,
                                        long long places) {
    SHARED(REAL, scratch, THREADS);
    long long c = blockIdx.x;
    REAL sum = 0;
    for (long long q = threadIdx.x; q < pictures * places; q += THREADS)
        sum += gy[(q / places * channels + c) * places + q % places];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) gb[c] = sum;
}

extern "C" __global__ void add_bias(global<REAL> y, global<const REAL> b, long long channels, long long places,
                                    long long n) {
    for (long long i = thread_number(); i < n; i += thread_count()) y[i] += b[i / places % channels];
}
