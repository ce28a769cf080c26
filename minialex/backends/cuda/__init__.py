"""The CUDA kernels of `kernels/`, launched on a GPU by CuPy or on a processor by the emulator."""
