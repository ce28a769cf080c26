"""A program without faults that uses what the fake watches: two streams, events, pinned memory, products, a kernel."""

import json

import cupy
import cupyx
import numpy as np
import sitecustomize as fake

KERNEL = r"""
extern "C" __global__ void reversed(const float* x, float* y, int n) {
    __shared__ float tile[256];
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) tile[threadIdx.x] = x[i];
    __syncthreads();
    int last = min(255, n - 1 - (int)blockIdx.x * 256);
    if (i < n) y[n - 1 - (blockIdx.x * 256 + last - (int)threadIdx.x)] = tile[last - (int)threadIdx.x];
}
"""


def compute():
    """A number from every part."""
    copying, found = cupy.cuda.Stream(non_blocking=True), {}
    kernel = cupy.RawKernel(KERNEL, "reversed")
    pinned = cupyx.empty_pinned((3, 1000), np.float32)
    pinned[...] = np.arange(3000).reshape(3, 1000)
    x = cupy.zeros((3, 1000), np.float32)
    copying.wait_event(cupy.cuda.get_current_stream().record())
    x.set(pinned, stream=copying)
    arrived = copying.record()
    arrived.synchronize()
    pinned[...] = -1
    cupy.cuda.get_current_stream().wait_event(arrived)
    y = cupy.empty_like(x)
    kernel((12,), (256,), (x, y, np.int32(3000)))
    found["reversed"] = bool((cupy.asnumpy(y).ravel() == np.arange(3000)[::-1]).all())
    found["product"] = float((y @ x.T).sum())
    found["statistics"] = [float(v) for v in (y.mean(), y.max(), cupy.sqrt(x).sum())]
    found["rows"] = cupy.asnumpy(x[cupy.array([2, 0])][:, :2]).tolist()
    return found


results = []
for order in range(4):
    fake.set_order(order)
    results.append(compute())
assert all(result == results[0] for result in results), results
x = np.arange(3000, dtype=np.float64).reshape(3, 1000)
assert np.isclose(results[0]["product"], (x.ravel()[::-1].reshape(3, 1000) @ x.T).sum(), rtol=1e-6), results[0]
assert np.allclose(results[0]["statistics"], [x.mean(), 2999, np.sqrt(x).sum()], rtol=1e-6)
assert results[0]["rows"] == [[2000, 2001], [0, 1]] and results[0]["reversed"]
fresh = cupy.cuda.alloc(800_000)  # more than the pool has
assert np.isnan(cupy.asnumpy(cupy.ndarray(100_000, np.float64, fresh))).all()
print(json.dumps(fake.counters()))
