// Adam: one pass over parameter p, gradient g and the moving averages m of g and v of g^2.
//
//   m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2      p = shrink p - rate m / (sqrt(v / correction) + eps)
//
// rate = lr / (1 - b1^t), correction = 1 - b2^t. Weight decay is added to g, or, decoupled, in shrink = 1 - lr
// weight_decay. Source: Kingma and Ba, "Adam", 2015; Loshchilov and Hutter, "Decoupled weight decay regularization",
// 2019.

#include "common.cuh"

extern "C" __global__ void adam(global<REAL> p, global<const REAL> g, global<REAL> m, global<REAL> v, REAL rate,
                                REAL b1, REAL b2, REAL correction, REAL eps, REAL shrink, REAL weight_decay,
                                long long n) {
    for (long long i = thread_number(); i < n; i += thread_count()) {
        REAL parameter = p[i], gradient = g[i] + weight_decay * parameter;
        REAL first = m[i], second = v[i];
        first += (1 - b1) * (gradient - first);
        second = b2 * second + (1 - b2) * gradient * gradient;
        m[i] = first;
        v[i] = second;
        p[i] = parameter * shrink - rate * first / (sqrt(second / correction) + eps);
    }
}
