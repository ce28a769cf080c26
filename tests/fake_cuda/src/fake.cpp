// CUDA's driver, runtime and cuBLAS in host memory: see ../README.md.
#include "fake.h"
#include "streams.cpp"
#include "memory.cpp"
#include "device.cpp"
#include "driver.cpp"
#include "cublas.cpp"
#include "hooks.cpp"
