// CUDA on a processor: what g++ needs to compile the kernels unchanged, and a machine that runs them.
//
// The fast build runs the threads of a block one after the other: a kernel without barriers is a plain loop over
// threadIdx. Where a kernel waits at barriers, each thread is a fiber, with a stack of its own: __syncthreads() puts
// it aside and goes on with the next one. Blocks are independent, and are shared out to the cores by the caller.
//
// The checked build (-DCHECKED) always uses fibers, and gives global<T>, SHARED and __syncthreads() classes that watch
// every access: see checked.h.
//
// To step through a kernel: README.md beside this file, "Stepping through a kernel".

#pragma once

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __global__ inline
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
};

struct uint3 {
    unsigned x, y, z;
};

static thread_local uint3 threadIdx, blockIdx;
static thread_local dim3 blockDim, gridDim;

template <typename T>
inline T min(T a, T b) {
    return b < a ? b : a;
}
template <typename T>
inline T max(T a, T b) {
    return a < b ? b : a;
}
inline float min(float a, float b) { return b < a ? b : a; }  // also for a float and a cell of the checked build
inline float max(float a, float b) { return a < b ? b : a; }
inline double min(double a, double b) { return b < a ? b : a; }
inline double max(double a, double b) { return a < b ? b : a; }
inline unsigned __umulhi(unsigned a, unsigned b) { return (uint64_t)a * b >> 32; }

namespace emulator {

// ------------------------------------------------------------------------------------------------- fibers

const size_t STACK = 64 << 10;  // bytes for each thread of a block; its pages are only taken once they are touched

struct Fiber {
    enum State { NEW, WAITING, DONE } state;
    jmp_buf here;
    ucontext_t first;  // setcontext starts it; from then on longjmp, which makes no system call, changes over
    char* stack;
    const char* file;  // and
    int line;          // of the barrier that it waits at
};

static thread_local Fiber* fiber;  // the one that runs; null in a kernel without barriers
static thread_local jmp_buf scheduler;
static thread_local void (*entry)(void*);
static thread_local void* entry_argument;

inline void fiber_main() {
    entry(entry_argument);
    fiber->state = Fiber::DONE;
    _longjmp(scheduler, 1);
}

inline void resume(Fiber& next) {
    fiber = &next;
    if (_setjmp(scheduler)) return;  // comes back here when the fiber waits or is done
    if (next.state == Fiber::NEW) setcontext(&next.first);
    _longjmp(next.here, 1);
}

// Threads of blocks run in the order of their number; x runs fastest, as on a GPU.
inline void place_thread(unsigned number) {
    threadIdx.x = number % blockDim.x;
    threadIdx.y = number / blockDim.x % blockDim.y;
    threadIdx.z = number / (blockDim.x * blockDim.y);
}

inline void place_block(long long number) {
    blockIdx.x = number % gridDim.x;
    blockIdx.y = number / gridDim.x % gridDim.y;
    blockIdx.z = number / ((long long)gridDim.x * gridDim.y);
}

}  // namespace emulator

#ifdef CHECKED
#include "checked.h"
#else

template <typename T>
using global = T* __restrict__;
#define SHARED(type, name, size) static thread_local type name[size]
#define SHARED2(type, name, rows, columns) static thread_local type name[rows][columns]
#define __syncthreads() emulator::barrier()

namespace emulator {

inline void barrier() {
    fiber->state = Fiber::WAITING;
    if (!_setjmp(fiber->here)) _longjmp(scheduler, 1);
}

inline void thread_runs(unsigned) {}
inline void block_begins() {}
inline void block_ends() {}
inline void epoch_ends(const Fiber*, unsigned) {}

}  // namespace emulator
#endif

namespace emulator {

// A block whose threads wait for each other: in every round each of them runs up to its next barrier.
template <typename Body>
void run_fibers(Body& body, Fiber* fibers, unsigned threads) {
    entry = [](void* argument) { (*(Body*)argument)(); };
    entry_argument = &body;
    for (unsigned t = 0; t < threads; ++t) {
        fibers[t].state = Fiber::NEW;
        getcontext(&fibers[t].first);
        fibers[t].first.uc_stack.ss_sp = fibers[t].stack;
        fibers[t].first.uc_stack.ss_size = STACK;
        fibers[t].first.uc_link = nullptr;
        makecontext(&fibers[t].first, fiber_main, 0);
    }
    for (unsigned alive = threads; alive;) {
        alive = 0;
        for (unsigned t = 0; t < threads; ++t) {
            if (fibers[t].state == Fiber::DONE) continue;
            place_thread(t);
            thread_runs(t);
            resume(fibers[t]);
            alive += fibers[t].state != Fiber::DONE;
        }
        epoch_ends(fibers, threads);
    }
    fiber = nullptr;
}

template <typename Body>
void run(const unsigned* grid, const unsigned* block, bool barriers, long long first, long long last, Body body) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    unsigned threads = block[0] * block[1] * block[2];
    Fiber* fibers = nullptr;
    char* stacks = nullptr;
    if (barriers) {
        fibers = (Fiber*)calloc(threads, sizeof(Fiber));
        stacks = (char*)malloc(threads * STACK);
        for (unsigned t = 0; t < threads; ++t) fibers[t].stack = stacks + t * STACK;
    }
    for (long long number = first; number < last; ++number) {
        place_block(number);
        block_begins();
        if (barriers) {
            run_fibers(body, fibers, threads);
        } else {
            for (unsigned t = 0; t < threads; ++t) {
                place_thread(t);
                body();
            }
        }
        block_ends();
    }
    free(stacks);
    free(fibers);
}

}  // namespace emulator
