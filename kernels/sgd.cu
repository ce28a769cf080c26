// Stochastic gradient descent with momentum: one pass over parameter p, gradient g and velocity v.
//
//   g' = g + weight_decay p
//   rate outside (torch):   v = momentum v + kept g'         p = p - lr v
//   rate inside (paper):    v = momentum v + kept lr g'      p = p - v
//   nesterov: the step is g' + momentum v (torch), lr g' + momentum v (paper) in place of v
//
// kept = 1 - dampening; without momentum (has_v = 0) the step is g'. One thread four elements: 16 bytes in one access.
// Bytes: 20 an element (float). AlexNet's 61 million parameters: 1.2 GB. Source: Krizhevsky et al. 2012, section 5,
// for the rate inside.

#include "common.cuh"

struct Rule {
    REAL lr, momentum, kept, weight_decay;
    int has_v, nesterov, rate_inside;
};

__device__ inline void step(REAL& p, REAL g, REAL& v, const Rule& rule) {
    REAL change = g + rule.weight_decay * p;
    if (rule.rate_inside) change *= rule.lr;
    if (rule.has_v) {
        v = rule.momentum * v + rule.kept * change;
        change = rule.nesterov ? change + rule.momentum * v : v;
    }
    p -= rule.rate_inside ? change : rule.lr * change;
}

extern "C" __global__ void sgd(global<REAL> p, global<const REAL> g, global<REAL> v, int has_v, REAL lr, REAL momentum,
                               REAL kept, REAL weight_decay, int nesterov, int rate_inside, int by_four, long long n) {
    Rule rule = {lr, momentum, kept, weight_decay, has_v, nesterov, rate_inside};
    long long fours = by_four ? n / 4 : 0;
    for (long long i = thread_number(); i < fours; i += thread_count()) {
        Four mine = load4(p, 4 * i), gradient = load4(g, 4 * i), velocity = {};
        if (has_v) velocity = load4(v, 4 * i);
        for (int k = 0; k < 4; ++k) step(mine.v[k], gradient.v[k], velocity.v[k], rule);
        store4(p, 4 * i, mine);
        if (has_v) store4(v, 4 * i, velocity);
    }
    for (long long i = 4 * fours + thread_number(); i < n; i += thread_count()) {
        REAL mine = p[i], velocity = 0;
        if (has_v) velocity = v[i];
        step(mine, g[i], velocity, rule);
        p[i] = mine;
        if (has_v) v[i] = velocity;
    }
}
