// The kernel of the puzzle "find the bug": there is one.
extern "C" __global__ void softmax(global<const REAL> x, global<REAL> y, int columns) {
    SHARED(REAL, scratch, 64);
    int t = threadIdx.x, row = blockIdx.x * columns;
    REAL most = x[row];
    for (int j = t; j < columns; j += 64) most = max(most, x[row + j]);
    scratch[t] = most;
    __syncthreads();
    for (int half = 32; half > 0; half /= 2) {
        if (t < half) scratch[t] = max(scratch[t], scratch[t + half]);
        __syncthreads();
    }
    most = scratch[0];
    REAL sum = 0;
    for (int j = t; j < columns; j += 64) sum += exp(x[row + j] - most);
    scratch[t] = sum;
    __syncthreads();
    for (int half = 32; half > 0; half /= 2) {
        if (t < half) scratch[t] += scratch[t + half];
        __syncthreads();
    }
    for (int j = t; j < columns; j += 64) y[row + j] = exp(x[row + j] - most) / scratch[0];
}
