// Local response normalisation across channels, for windows of 2 to 5 channels: lrn.cu has the formulas.
//
// lrn_across_backward in lrn.cu computes the power of a channel's scale again for every window that holds it: five
// times two square roots and two divisions an element, while the memory waits. Here a thread on its way through the
// channels of a block keeps the last SIZE of each number that windows share, in registers: SIZE is known when the
// kernel is compiled, so that every index into `Last` is, and an array with such indices needs no memory. Each power is
// computed once; sums are still added afresh, in the order of lrn.cu, and give the same bits.
//
// The scale d is not saved for backward but computed again, from the x that backward reads anyway: five squares are
// cheaper than writing d in one pass over memory and reading it in another, and it takes no memory between the two.

#include "common.cuh"

// The last COUNT of the numbers that were put in; v[COUNT - 1] is the latest. Before that: zeros.
template <int COUNT>
struct Last {
    REAL v[COUNT] = {};

    __device__ void put(REAL value) {
        for (int k = 0; k < COUNT - 1; ++k) v[k] = v[k + 1];
        v[COUNT - 1] = value;
    }
    __device__ REAL sum() const {
        REAL sum = 0;
        for (int k = 0; k < COUNT; ++k) sum += v[k];
        return sum;
    }
    __device__ REAL sum_of_squares() const {
        REAL sum = 0;
        for (int k = 0; k < COUNT; ++k) sum += v[k] * v[k];
        return sum;
    }
};

// One place of the pictures, for channels `from` to `to` of a block. When x of channel c has come in, the window of
// channel c - AFTER is complete.
template <int SIZE>
__device__ inline void forward(global<const REAL> x, global<REAL> y, REAL a, REAL beta, REAL k, int block, int places,
                               long long start, int from, int to) {
    const int BEFORE = SIZE / 2, AFTER = SIZE - 1 - BEFORE;
    Last<SIZE> values;
    for (int c = max(0, from - BEFORE); c < to + AFTER; ++c) {
        values.put(c < block ? x[start + (long long)c * places] : (REAL)0);
        int i = c - AFTER;
        if (i < from) continue;
        REAL d = k + a * values.sum_of_squares();
        y[start + (long long)i * places] = values.v[BEFORE] * minus_power(d, beta);
    }
}

// The same with two windows, one behind the other: as soon as the scale of channel j = c - AFTER is known, so is what j
// gives to all windows that hold it; BEFORE channels later the mirrored window of i = j - BEFORE is complete. (Of the
// first channels that are read the scale lacks squares, but no window of `from` holds these.)
template <int SIZE>
__device__ inline void backward(global<const REAL> gy, global<const REAL> x, global<REAL> gx, REAL a, REAL beta, REAL k,
                                int block, int places, long long start, int from, int to) {
    const int BEFORE = SIZE / 2, AFTER = SIZE - 1 - BEFORE;
    Last<SIZE> values, given;  // given: gy x d^(-beta - 1)
    Last<BEFORE + 1> through;  // gy d^-beta
    for (int c = max(0, from - SIZE + 1); c < to + SIZE - 1; ++c) {
        values.put(c < block ? x[start + (long long)c * places] : (REAL)0);
        int j = c - AFTER, i = j - BEFORE;
        REAL passed = 0, share = 0;
        if (j >= 0 && j < block) {
            REAL d = k + a * values.sum_of_squares();
            passed = gy[start + (long long)j * places] * minus_power(d, beta);
            share = passed * values.v[BEFORE] / d;
        }
        through.put(passed);
        given.put(share);
        if (i >= from) gx[start + (long long)i * places] = through.v[0] - 2 * a * beta * values.v[0] * given.sum();
    }
}

// `share`: channels of a thread; a block of channels is shared out where pictures and places alone are too few threads.
// Each then reads a few channels more than it makes.
#define FOR_EACH_SHARE                                                                                                 \
    int parts = (block + share - 1) / share;                                                                           \
    FOR_EACH_PLANE(plane, (long long)n * (channels / block) * parts) FOR_EACH_PLACE(l, places)

// Two blocks of 256 threads to a multiprocessor: without that limit the compiler takes half as many registers again for
// a thread, and fewer threads wait for memory at once.
extern "C" __global__ void __launch_bounds__(256, 2) lrn_registers(
    global<const REAL> x, global<REAL> y, int size, REAL a, REAL beta, REAL k, int channels, int block, int share,
    int places, int n) {
    FOR_EACH_SHARE {
        long long start = plane / parts * block * places + l;  // of this place in the first channel of the block
        int from = (int)(plane % parts) * share, to = min(block, from + share);
        switch (size) {
            case 2: forward<2>(x, y, a, beta, k, block, places, start, from, to); break;
            case 3: forward<3>(x, y, a, beta, k, block, places, start, from, to); break;
            case 4: forward<4>(x, y, a, beta, k, block, places, start, from, to); break;
            case 5: forward<5>(x, y, a, beta, k, block, places, start, from, to); break;
        }
    }
}

extern "C" __global__ void __launch_bounds__(256, 2) lrn_registers_backward(
    global<const REAL> gy, global<const REAL> x, global<REAL> gx, int size, REAL a, REAL beta, REAL k, int channels,
    int block, int share, int places, int n) {
    FOR_EACH_SHARE {
        long long start = plane / parts * block * places + l;
        int from = (int)(plane % parts) * share, to = min(block, from + share);
        switch (size) {
            case 2: backward<2>(gy, x, gx, a, beta, k, block, places, start, from, to); break;
            case 3: backward<3>(gy, x, gx, a, beta, k, block, places, start, from, to); break;
            case 4: backward<4>(gy, x, gx, a, beta, k, block, places, start, from, to); break;
            case 5: backward<5>(gy, x, gx, a, beta, k, block, places, start, from, to); break;
        }
    }
}
