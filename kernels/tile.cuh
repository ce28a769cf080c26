// A tile of a matrix product, the work of one block: what matmul_blocked and the convolutions by implicit GEMM share.
//
//   sums[i][j] = sum over k of a[i][k] b[k][j]            i, j < TILE
//
// The block steps along k. In each step its THREADS threads put TILE x DEPTH entries of either factor into shared
// memory; then thread t takes rows 4 (t / 16) ... + 3 and columns 4 (t % 16) ... + 3: 16 products, kept in registers,
// for 8 entries read from shared memory. A thread an entry would read 32.
//
// Where the entries come from, two cursors know. Each stands at a place along k, and walks on:
//
//   a.entry(i)   a[i][k]            thread t fills column t % DEPTH of a's tile, and begins at that k
//   b.entry()    b[k][t % TILE]     thread t fills column t % TILE of b's tile, and begins at k = t / TILE
//   .walk(s)     k += s
//
// Outside the matrix an entry is 0, and loads nothing: it adds nothing to any sum.

const int TILE = 64, DEPTH = 16, THREADS = 256;

struct Sums {
    REAL of[4][4];
    int row, column;  // of the tile, where the 4 x 4 begin
};

template <typename A, typename B>
__device__ inline Sums tile_product(A a, B b, long long depth) {
    // a's rows are written down the columns: a warp stores 16 k of two rows. Rows of 64 would all begin in the same of
    // the 32 banks, and the 16 stores wait for each other; 4 more, and only two meet. (4, not 1: rows then begin at
    // multiples of 16 bytes, and four neighbours are one read.)
    SHARED2(REAL, a_tile, DEPTH, TILE + 4);
    SHARED2(REAL, b_tile, DEPTH, TILE);
    int t = threadIdx.x;
    Sums sums = {{}, t / 16 * 4, t % 16 * 4};
    for (long long first = 0; first < depth; first += DEPTH) {
        for (int i = t / DEPTH; i < TILE; i += THREADS / DEPTH) a_tile[t % DEPTH][i] = a.entry(i);
        a.walk(DEPTH);
        for (int k = t / TILE; k < DEPTH; k += THREADS / TILE, b.walk(THREADS / TILE)) b_tile[k][t % TILE] = b.entry();
        __syncthreads();
        for (int k = 0; k < DEPTH; ++k) {
            REAL row[4], column[4];
            for (int i = 0; i < 4; ++i) row[i] = a_tile[k][sums.row + i];
            for (int j = 0; j < 4; ++j) column[j] = b_tile[k][sums.column + j];
            for (int i = 0; i < 4; ++i)
                for (int j = 0; j < 4; ++j) sums.of[i][j] += row[i] * column[j];
        }
        __syncthreads();  // before somebody fills the tiles again
    }
    return sums;
}

// The cursor `a` over a matrix (count, depth) that stands in memory row by row; its tile begins at row `first`.
struct Rows {
    global<const REAL> x;
    long long first, count, depth, k;

    __device__ REAL entry(int i) const { return first + i < count && k < depth ? x[(first + i) * depth + k] : (REAL)0; }
    __device__ void walk(int steps) { k += steps; }
};
