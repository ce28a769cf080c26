// What g++ needs to compile kernels as CuPy hands them to NVRTC, its own and minialex's: CUDA's words and functions.
//
// A thread of a block is a call of the kernel; where threads wait for each other, each has a stack of its own (a fiber)
// and gives way at the barrier. A launch is one loop over all blocks, and the fake runs one launch at a time: shared
// memory is a static array, and atomics need not be atomic. Warps that exchange values (__shfl_sync and its like) are
// not simulated: such a kernel does not compile.
#pragma once
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <limits>
#include <type_traits>
#include <utility>

#define __global__ inline
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __shared__ static
#define __constant__ static
#define __align__(n) __attribute__((aligned(n)))
#define __CUDA_ARCH__ 900

struct dim3 {
    unsigned x, y, z;
};
struct uint3 {
    unsigned x, y, z;
};
static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;

// ---------------------------------------------------------------------------------------------- functions

// As in CUDA, a call with two different types is ambiguous.
#define MIN_MAX(T)                                 \
    inline T min(T a, T b) { return b < a ? b : a; } \
    inline T max(T a, T b) { return a < b ? b : a; }
MIN_MAX(int)
MIN_MAX(unsigned)
MIN_MAX(long)
MIN_MAX(unsigned long)
MIN_MAX(long long)
MIN_MAX(unsigned long long)
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline float rsqrt(float x) { return 1 / sqrtf(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }

template <class T, class U>
inline T bits_as(U x) {
    static_assert(sizeof(T) == sizeof(U));
    T result;
    memcpy(&result, &x, sizeof x);
    return result;
}
inline int __float_as_int(float x) { return bits_as<int>(x); }
inline unsigned __float_as_uint(float x) { return bits_as<unsigned>(x); }
inline float __int_as_float(int x) { return bits_as<float>(x); }
inline float __uint_as_float(unsigned x) { return bits_as<float>(x); }
inline long long __double_as_longlong(double x) { return bits_as<long long>(x); }
inline double __longlong_as_double(long long x) { return bits_as<double>(x); }
inline unsigned short __float2half_rn(float x) { return bits_as<unsigned short>((_Float16)x); }
inline float __half2float(unsigned short x) { return (float)bits_as<_Float16>(x); }

template <class T, class U>
inline T atomicAdd(T* p, U v) { T old = *p; *p = old + (T)v; return old; }
template <class T, class U>
inline T atomicMax(T* p, U v) { T old = *p; if ((T)v > old) *p = (T)v; return old; }
template <class T, class U>
inline T atomicMin(T* p, U v) { T old = *p; if ((T)v < old) *p = (T)v; return old; }
template <class T>
inline T atomicCAS(T* p, T compare, T v) { T old = *p; if (old == compare) *p = v; return old; }
template <class T>
inline T atomicExch(T* p, T v) { T old = *p; *p = v; return old; }
template <class T>
inline T __ldg(const T* p) { return *p; }
inline void __threadfence() {}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (uint64_t)a * b >> 32; }
inline uint64_t __umul64hi(uint64_t a, uint64_t b) { return (unsigned __int128)a * b >> 64; }

// ---------------------------------------------------------------------------------------------- threads and barriers

namespace cpu {

const size_t STACK = 64 << 10;
const unsigned MOST_THREADS = 1024;

// A stack with a loop that calls the kernel once for each block.
struct Fiber {
    void* stack_pointer;  // where it waits: at a barrier, or between two blocks; null before the first
    bool done;            // with this block
};

static Fiber* fiber;  // the one that runs
static void* scheduler;
static void (*entry)(void*);
static void* entry_argument;

// Save the registers that a function has to keep, go over to another stack, and go on there: by a jump, which processors
// predict better than a return to another place than that of the last call.
__attribute__((naked, noinline)) static void change_stack(void** from, void* to) {
    __asm__(
        "push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15;"
        "mov %rsp, (%rdi); mov %rsi, %rsp;"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; pop %rcx; jmp *%rcx");
}

inline void barrier() { change_stack(&fiber->stack_pointer, scheduler); }

inline void fiber_main() {
    for (;;) {
        entry(entry_argument);
        fiber->done = true;
        barrier();
    }
}

inline void resume(Fiber& next, char* stack) {
    if (!next.stack_pointer) {
        void** top = (void**)(stack + STACK - 64);  // for change_stack: six registers, and where to return to
        top[6] = (void*)fiber_main;
        next.stack_pointer = top;
    }
    fiber = &next;
    change_stack(&scheduler, next.stack_pointer);
}

template <class Body>
void for_each_thread(Body body) {
    for (threadIdx.z = 0; threadIdx.z < blockDim.z; ++threadIdx.z)
        for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y)
            for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x) body();
}

// Rounds: each lets every thread of the block run up to its next barrier.
template <class Body>
void run_fibers(Body& body, unsigned threads) {
    static Fiber* fibers = (Fiber*)calloc(MOST_THREADS, sizeof(Fiber));
    static char* stacks = (char*)aligned_alloc(STACK, MOST_THREADS * STACK);
    entry = [](void* argument) { (*(Body*)argument)(); };
    entry_argument = &body;
    for (unsigned t = 0; t < threads; ++t) fibers[t].done = false;
    for (unsigned alive = threads; alive;) {
        alive = 0;
        unsigned t = 0;
        for_each_thread([&] {
            if (!fibers[t].done) resume(fibers[t], stacks + t * STACK);
            alive += !fibers[t].done;
            ++t;
        });
    }
}

template <class Body>
void run(const unsigned* grid, const unsigned* block, bool barriers, long long first, long long last, Body body) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    for (long long n = first; n < last; ++n) {
        const long long row = n / gridDim.x;
        blockIdx = {unsigned(n % gridDim.x), unsigned(row % gridDim.y), unsigned(row / gridDim.y)};
        if (barriers)
            run_fibers(body, blockDim.x * blockDim.y * blockDim.z);
        else
            for_each_thread(body);
    }
}

// A kernel's parameters: their number and sizes, and a call with each at an address.
template <class F>
struct Parameters;
template <class... A>
struct Parameters<void(A...)> {
    static constexpr int count = sizeof...(A);
    static constexpr int sizes[count + 1] = {(int)sizeof(A)..., 0};
    template <size_t... I>
    static void call(void (*f)(A...), void** at, std::index_sequence<I...>) {
        f(*(std::remove_const_t<A>*)at[I]...);
    }
};

}  // namespace cpu

#define __syncthreads() cpu::barrier()
#define __syncwarp(...) cpu::barrier()  // every thread of a block that reaches it: more than a warp, never less

// What src/driver.cpp looks for: behind every kernel, by sitecustomize.py.
#define ENTRY(name, barriers)                                                                                       \
    extern "C" const int count_##name = cpu::Parameters<decltype(name)>::count;                                     \
    extern "C" const int* const sizes_##name = cpu::Parameters<decltype(name)>::sizes;                              \
    extern "C" void run_##name(const unsigned* g, const unsigned* b, long long first, long long last, void** at) {  \
        cpu::run(g, b, barriers, first, last, [=] {                                                                 \
            using P = cpu::Parameters<decltype(name)>;                                                              \
            P::call(&name, at, std::make_index_sequence<P::count>());                                               \
        });                                                                                                         \
    }
