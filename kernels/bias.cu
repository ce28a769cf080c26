// A number for each channel, added to all its places: y = x + b[c]. Its gradient is the sum of the channel.
//
//   gb[c] = sum over n, l of gy[n, c, l]        gy (N, C, L)
//
// channel_sums: a channel's pictures are shared out to `parts` blocks, so that a few channels keep a whole GPU busy,
// and a block's to teams of `team` threads, as many as a map of `places` keeps busy; the threads of a block add up
// theirs and then each other's in shared memory. What the parts give, partial (parts, C), is a matrix whose columns are
// added up: by column_sums, which also takes gy itself where a picture has one place, as behind a linear layer.
//
// column_sums: a block has 32 columns, neighbours in memory, for the 32 threads of a warp, and a warp every eighth row;
// a matrix of many rows is again shared out to parts, (parts, C), for a second launch to add up.
//
// Which thread adds what depends on the shapes alone, and no two threads add to one number: the same order, and the
// same bits, at every run.
//
// Where a convolution's bias is added, see to_pictures in im2col.cu: in the pass that writes y anyway.

#include "common.cuh"

const int THREADS = 256, ACROSS = 32, WARPS = THREADS / ACROSS;

extern "C" __global__ void channel_sums(global<const REAL> gy, global<REAL> partial, int team, long long pictures,
                                        int channels, int places) {
    SHARED(REAL, scratch, THREADS);
    int c = blockIdx.x, part = blockIdx.y, teams = THREADS / team;
    REAL sum = 0;
    for (long long picture = part * teams + threadIdx.x / team; picture < pictures; picture += gridDim.y * teams) {
        long long map = (picture * channels + c) * places;
        for (int l = threadIdx.x % team; l < places; l += team) sum += gy[map + l];
    }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) partial[(long long)part * channels + c] = sum;
}

extern "C" __global__ void column_sums(global<const REAL> gy, global<REAL> partial, long long rows, long long columns) {
    SHARED2(REAL, scratch, WARPS, ACROSS);
    int lane = threadIdx.x, warp = threadIdx.y, part = blockIdx.y;
    long long c = (long long)blockIdx.x * ACROSS + lane;
    REAL sum = 0;
    for (long long row = part * WARPS + warp; row < rows && c < columns; row += gridDim.y * WARPS)
        sum += gy[row * columns + c];
    scratch[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || c >= columns) return;
    for (int other = 1; other < WARPS; ++other) sum += (REAL)scratch[other][lane];
    partial[part * columns + c] = sum;
}

extern "C" __global__ void add_bias(global<REAL> y, global<const REAL> b, long long rows, int columns) {
    FOR_EACH_PLANE(row, rows) FOR_EACH_PLACE(c, columns) y[row * columns + c] += b[c];
}
