// CUDA's driver, runtime, cuBLAS and NCCL in host memory: see ../README.md.
#include "fake.h"
#include "streams.cpp"
#include "memory.cpp"
#include "device.cpp"
#include "driver.cpp"
#include "cublas.cpp"
#include "nccl.cpp"
#include "hooks.cpp"
