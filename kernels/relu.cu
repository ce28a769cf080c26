// Rectified linear unit.
//
//   forward    y = max(x, 0)                 NaN stays NaN
//   backward   gx = gy [y > 0 or NaN]        from the output, since relu may have worked in place
//
// One thread an element, neighbours beside each other: a warp's 32 loads are one run over memory.
// Bytes: 8 an element forward, 12 backward (float). Nothing to compute: memory is what it waits for.

#include "common.cuh"

extern "C" __global__ void relu(global<const REAL> x, global<REAL> y, long long n) {
    for (long long i = thread_number(); i < n; i += thread_count()) {
        REAL value = x[i];
        y[i] = value <= 0 ? (REAL)0 : value;
    }
}

// A kernel of its own: global<> promises the compiler that no other parameter reaches the same memory.
extern "C" __global__ void relu_in_place(global<REAL> x, long long n) {
    for (long long i = thread_number(); i < n; i += thread_count()) {
        REAL value = x[i];
        if (value <= 0) x[i] = 0;
    }
}

extern "C" __global__ void relu_backward(global<const REAL> gy, global<const REAL> y, global<REAL> gx, long long n) {
    for (long long i = thread_number(); i < n; i += thread_count()) {
        REAL gradient = gy[i];
        gx[i] = y[i] <= 0 ? (REAL)0 : gradient;
    }
}
