// A number for each channel, added to all its places: y = x + b[c]. Its gradient is the sum of the channel.
//
//   gb[c] = sum over n, l of gy[n, c, l]        gy (N, C, L)
//
// channel_sums: a channel's pictures are shared out to `parts` blocks, so that a few channels keep a whole GPU busy;
// the threads of a block add up theirs and then each other's in shared memory, and what the parts give, partial
// (parts, C), is added afterwards: in the same order, and to the same bits, at every run. Where l is a single place, as
// behind a linear layer, neighbouring channels are neighbours in memory: column_sums has one thread a channel.
//
// Where a convolution's bias is added, see to_pictures in im2col.cu: in the pass that writes y anyway.

#include "common.cuh"

const int THREADS = 256;

extern "C" __global__ void channel_sums(global<const REAL> gy, global<REAL> partial, long long pictures, int channels,
                                        int places) {
    SHARED(REAL, scratch, THREADS);
    int c = blockIdx.x, part = blockIdx.y;
    REAL sum = 0;
    for (long long picture = part; picture < pictures; picture += gridDim.y)
        for (int l = threadIdx.x; l < places; l += THREADS) sum += gy[(picture * channels + c) * places + l];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) partial[(long long)part * channels + c] = sum;
}

extern "C" __global__ void column_sums(global<const REAL> gy, global<REAL> gb, long long rows, long long columns) {
    for (long long c = thread_number(); c < columns; c += thread_count()) {
        REAL sum = 0;
        for (long long n = 0; n < rows; ++n) sum += gy[n * columns + c];
        gb[c] = sum;
    }
}

extern "C" __global__ void add_bias(global<REAL> y, global<const REAL> b, long long rows, int columns) {
    FOR_EACH_PLANE(row, rows) FOR_EACH_PLACE(c, columns) y[row * columns + c] += b[c];
}
