// What every kernel begins with.
//
// REAL is float or double: each file is compiled once for either, with -DREAL=float or -DREAL=double. Write numbers
// as (REAL)0.5, or a float kernel computes in double where nobody looks.
//
//   global<const REAL> x    an array in global memory that the kernel reads
//   global<REAL> y          one that it writes
//   SHARED(REAL, tile, n)   an array that the threads of a block share: tile[i]
//   SHARED2(REAL, t, m, n)  the same with two indices: t[i][j]
//
// To the CUDA compiler these are plain pointers and plain __shared__ arrays. The emulator (emulator.h) compiles the
// same files with g++, and in its checked build gives both a meaning of its own: they watch every access.

#ifdef EMULATOR
#include "emulator.h"
#else
template <typename T>
using global = T* __restrict__;
// Aligned to 16 bytes, so that the compiler may read neighbours in it four at a time.
#define SHARED(type, name, size) __shared__ __align__(16) type name[size]
#define SHARED2(type, name, rows, columns) __shared__ __align__(16) type name[rows][columns]
#endif

// Four neighbours in one access of 16 bytes (32 for doubles): x + i must be a multiple of that from an aligned array.
#ifdef CHECKED
using Four = emulator::Four<REAL>;
template <typename T>
inline Four load4(global<T> x, emulator::Place i) {
    return x.load4(i);
}
inline void store4(global<REAL> y, emulator::Place i, Four four) { y.store4(i, four); }
#else
struct alignas(16) Four {
    REAL v[4];
};
__device__ inline Four load4(const REAL* x, long long i) { return *reinterpret_cast<const Four*>(x + i); }
__device__ inline void store4(REAL* y, long long i, Four four) { *reinterpret_cast<Four*>(y + i) = four; }
#endif

// A window that slides over pictures; a pair (vertical, horizontal) each. minialex/window.py makes it.
struct Window {
    int size[2], kernel[2], stride[2], before[2], dilation[2], output[2];
};

// Number of this thread, and of all threads: for (i = thread_number(); i < n; i += thread_count()) visits each i once
// whatever the size of the grid, neighbouring threads at neighbouring places ("grid-stride loop").
__device__ inline long long thread_number() { return (long long)blockIdx.x * blockDim.x + threadIdx.x; }

__device__ inline long long thread_count() { return (long long)gridDim.x * blockDim.x; }

// The same over many maps of equal size, each a row of the grid: no thread has to divide a long number to find out
// where it is, which takes a GPU longer than the memory needs for a pixel.
//
//   FOR_EACH_PLANE(map, maps) FOR_EACH_PLACE(place, places) { ... x[map * places + place] ... }
#define FOR_EACH_PLANE(plane, planes) for (long long plane = blockIdx.y; plane < (planes); plane += gridDim.y)
#define FOR_EACH_PLACE(place, places) \
    for (int place = blockIdx.x * blockDim.x + threadIdx.x; place < (places); place += gridDim.x * blockDim.x)

// Which windows hold a pixel, along one axis: outputs `first` to `last`, and at which tap of the kernel.
struct Meeting {
    int there, stride, dilation, first, last;

    __device__ Meeting(const Window& w, int axis, int at)
        : there(at + w.before[axis]), stride(w.stride[axis]), dilation(w.dilation[axis]) {
        int reach = (w.kernel[axis] - 1) * dilation;
        first = there > reach ? (there - reach + stride - 1) / stride : 0;
        last = min(there / stride, w.output[axis] - 1);
    }

    // -1 where the pixel lies between two taps of a dilated kernel
    __device__ int tap(int output) const {
        int away = there - output * stride;
        if (dilation == 1) return away;
        return away % dilation ? -1 : away / dilation;
    }
};

// The sum of `value` over the threads of a block, known to all of them: in each round the first half adds what the
// other half holds. `scratch` has a place for each thread; the block's size is a power of two.
template <typename Scratch>
__device__ inline REAL block_sum(REAL value, Scratch& scratch) {
    int t = threadIdx.x;
    scratch[t] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (t < half) scratch[t] += (REAL)scratch[t + half];
        __syncthreads();
    }
    REAL sum = scratch[0];
    __syncthreads();  // before somebody writes to scratch again
    return sum;
}

// Of local response normalisation: d^-beta. The paper's 3/4 by two square roots, many times faster than a power.
__device__ inline REAL minus_power(REAL d, REAL beta) {
    if (beta == (REAL)0.75) return (REAL)1 / sqrt(d * sqrt(d));
    return pow(d, -beta);
}
