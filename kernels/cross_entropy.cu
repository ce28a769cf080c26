// Softmax and cross-entropy in one, so that logits of +-1e4 neither overflow nor lose their gradient.
//
//   log p = (x - m) - log sum exp(x - m),  m = max x            loss = -sum over c of q_c log p_c
//   gx = gy (p sum q - q)                                       q_c = w_c ((1 - s) [c = label] + s / C)
//
// x (rows, C). One block a row: each thread takes every 256th class, and the row's maximum and sum go through a tree
// in shared memory. Rows that do not count (valid = 0) lose nothing and get no gradient.

#include "common.cuh"

const int THREADS = 256;

template <typename Scratch>
__device__ inline REAL block_max(REAL value, Scratch& scratch) {
    int t = threadIdx.x;
    scratch[t] = value;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (t < half) {
            REAL mine = scratch[t], other = scratch[t + half];
            if (other > mine || other != other) scratch[t] = other;  // NaN is not hidden
        }
        __syncthreads();
    }
    REAL largest = scratch[0];
    __syncthreads();
    return largest;
}

extern "C" __global__ void cross_entropy(global<const REAL> x, global<const long long> labels, global<const REAL> w,
                                         global<const unsigned char> valid, REAL smoothing, global<REAL> logp,
                                         global<REAL> losses, long long classes) {
    SHARED(REAL, scratch, THREADS);
    long long row = blockIdx.x, first = row * classes;
    REAL largest = x[first];
    for (long long c = threadIdx.x; c < classes; c += THREADS) {
        REAL value = x[first + c];
        if (value > largest || value != value) largest = value;
    }
    largest = block_max(largest, scratch);
    REAL sum = 0;
    for (long long c = threadIdx.x; c < classes; c += THREADS) sum += exp(x[first + c] - largest);
    REAL log_sum = log(block_sum(sum, scratch)), spread = 0;
    for (long long c = threadIdx.x; c < classes; c += THREADS) {
        REAL value = x[first + c] - largest - log_sum;
        logp[first + c] = value;
        spread += value * w[c];
    }
    spread = block_sum(spread, scratch);
    if (threadIdx.x == 0) {
        long long label = labels[row];
        REAL there = x[first + label] - largest - log_sum, loss = -(1 - smoothing) * w[label] * there;
        if (smoothing != 0) loss -= smoothing / (REAL)classes * spread;  // 0 times an infinite spread would be NaN
        losses[row] = valid[row] ? loss : (REAL)0;
    }
}

extern "C" __global__ void cross_entropy_backward(global<const REAL> gy, global<const REAL> logp,
                                                  global<const long long> labels, global<const REAL> w,
                                                  global<const unsigned char> valid, REAL smoothing, global<REAL> gx,
                                                  long long classes) {
    SHARED(REAL, scratch, THREADS);
    long long row = blockIdx.x, first = row * classes, label = labels[row];
    REAL share = smoothing / (REAL)classes, weights = 0;
    for (long long c = threadIdx.x; c < classes; c += THREADS) weights += w[c];
    REAL total = share * block_sum(weights, scratch) + (1 - smoothing) * w[label], factor = gy[row];
    if (!valid[row]) factor = 0;  // not 0 gy, which may be NaN
    for (long long c = threadIdx.x; c < classes; c += THREADS) {
        REAL q = share * w[c];
        if (c == label) q += (1 - smoothing) * w[c];
        gx[first + c] = (exp(logp[first + c]) * total - q) * factor;
    }
}
