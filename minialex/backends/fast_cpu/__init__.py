"""The numba backend: the methods of NumPyBackend, compiled, fused and in parallel."""
