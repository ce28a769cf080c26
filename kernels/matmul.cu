// C = A @ B, three times: the same numbers, with fewer and fewer loads from global memory.
//
//   c[i][j] = sum over k of a[i][k] b[k][j]                   A (rows, depth), B (depth, columns), C (rows, columns)
//
//   kernel           a thread makes   a block makes   loads from global memory per multiplication
//   matmul_naive     1 entry          16 x 16         2: of a and of b
//   matmul_tiled     1 entry          16 x 16         (16 + 16) / 16^2 = 1/8
//   matmul_blocked   4 x 4 entries    64 x 64         (64 + 64) / 64^2 = 1/32
//
// The second and the third load each entry once a block: for a step along k, s + s entries serve the s^2
// multiplications of a tile of side s. From there on shared memory is what a thread waits for: matmul_tiled reads 2
// entries of it per multiplication, matmul_blocked 8 for 16, 1/2.
//
// Blocks are numbered row by row of tiles, in blockIdx.x alone: a grid may be 65535 blocks high, but 2^31 - 1 wide.

#include "common.cuh"
#include "tile.cuh"

const int SIDE = 16;

// Neighbours in a warp make neighbours in a row of C: they load the same a, and a run of b.
extern "C" __global__ void matmul_naive(global<const REAL> a, global<const REAL> b, global<REAL> c, long long rows,
                                        long long columns, long long depth) {
    long long across = (columns + SIDE - 1) / SIDE;
    long long i = blockIdx.x / across * SIDE + threadIdx.y, j = blockIdx.x % across * SIDE + threadIdx.x;
    if (i >= rows || j >= columns) return;
    REAL sum = 0;
    for (long long k = 0; k < depth; ++k) sum += a[i * depth + k] * b[k * columns + j];
    c[i * columns + j] = sum;
}

// Thread (tx, ty) fills cell [ty][tx] of both tiles; outside the matrices with 0, since all must reach the barriers.
// No padding: a warp reads one row of b's tile, 16 banks, and two cells of a's, 16 banks apart.
extern "C" __global__ void matmul_tiled(global<const REAL> a, global<const REAL> b, global<REAL> c, long long rows,
                                        long long columns, long long depth) {
    SHARED2(REAL, a_tile, SIDE, SIDE);
    SHARED2(REAL, b_tile, SIDE, SIDE);
    int tx = threadIdx.x, ty = threadIdx.y;
    long long across = (columns + SIDE - 1) / SIDE;
    long long i = blockIdx.x / across * SIDE + ty, j = blockIdx.x % across * SIDE + tx;
    REAL sum = 0;
    for (long long first = 0; first < depth; first += SIDE) {
        a_tile[ty][tx] = i < rows && first + tx < depth ? a[i * depth + first + tx] : (REAL)0;
        b_tile[ty][tx] = first + ty < depth && j < columns ? b[(first + ty) * columns + j] : (REAL)0;
        __syncthreads();
        for (int k = 0; k < SIDE; ++k) sum += a_tile[ty][k] * b_tile[k][tx];
        __syncthreads();  // before somebody fills the tiles again
    }
    if (i < rows && j < columns) c[i * columns + j] = sum;
}

// The cursor `b` of tile_product: one column of a matrix that stands in memory row by row.
struct Column {
    global<const REAL> x;
    long long column, columns, depth, k;

    __device__ REAL entry() const { return k < depth && column < columns ? x[k * columns + column] : (REAL)0; }
    __device__ void walk(int steps) { k += steps; }
};

extern "C" __global__ void matmul_blocked(global<const REAL> a, global<const REAL> b, global<REAL> c, long long rows,
                                          long long columns, long long depth) {
    int t = threadIdx.x;
    long long across = (columns + TILE - 1) / TILE;
    long long top = blockIdx.x / across * TILE, left = blockIdx.x % across * TILE;
    Sums sums =
        tile_product(Rows{a, top, rows, depth, t % DEPTH}, Column{b, left + t % TILE, columns, depth, t / TILE}, depth);
    for (int r = 0; r < 4; ++r)
        for (int s = 0; s < 4; ++s) {
            long long i = top + sums.row + r, j = left + sums.column + s;
            if (i < rows && j < columns) c[i * columns + j] = sums.of[r][s];
        }
}
