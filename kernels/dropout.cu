// Dropout: every element is kept with probability `keep`, the others become 0.
//
//   y_i = scale x_i  where word i % 4 of Philox4x32-10 (counter (i / 4, call), key seed) < below,  else 0
//   backward: the same on gy. Nothing is stored: who knows seed and call draws the same words again.
//
// One thread four elements: a counter gives 128 bits. `first` is the number of the first counter: 0, unless other GPUs
// have the pictures before these. The masks are those of the CPU, bit by bit; how Philox works is told in
// minialex/random.py. Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

#include "common.cuh"

struct Words {
    unsigned word[4];
};

__device__ inline Words philox(unsigned long long counter, unsigned long long call, unsigned long long seed) {
    unsigned c0 = (unsigned)counter, c1 = (unsigned)(counter >> 32), c2 = (unsigned)call, c3 = (unsigned)(call >> 32);
    unsigned k0 = (unsigned)seed, k1 = (unsigned)(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        unsigned long long p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
        c0 = (unsigned)(p1 >> 32) ^ c1 ^ k0;
        c2 = (unsigned)(p0 >> 32) ^ c3 ^ k1;
        c1 = (unsigned)p1;
        c3 = (unsigned)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// `below` is round(keep 2^32), which for keep = 1 needs more than 32 bits.
extern "C" __global__ void dropout(global<const REAL> x, global<REAL> y, unsigned long long below, REAL scale,
                                   unsigned long long seed, unsigned long long call, long long n,
                                   unsigned long long first) {
    for (long long i = thread_number(); 4 * i < n; i += thread_count()) {
        Words words = philox(first + (unsigned long long)i, call, seed);
        if (4 * i + 4 <= n) {
            Four four = load4(x, 4 * i);
            for (int k = 0; k < 4; ++k) four.v[k] *= words.word[k] < below ? scale : (REAL)0;
            store4(y, 4 * i, four);
        } else {
            for (int k = 0; 4 * i + k < n; ++k) y[4 * i + k] = x[4 * i + k] * (words.word[k] < below ? scale : (REAL)0);
        }
    }
}
