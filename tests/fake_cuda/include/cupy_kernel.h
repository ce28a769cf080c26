// The headers of CuPy's own kernels, compiled once in advance.
#include "cuda_on_cpu.h"
#include <cupy/complex.cuh>
#include <cupy/carray.cuh>
#include <cupy/atomics.cuh>
#include <cupy/math_constants.h>
