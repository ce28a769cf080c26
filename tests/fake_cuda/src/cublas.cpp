// cuBLAS, by NumPy's OpenBLAS ($FAKE_BLAS): the functions that CuPy's dot, matmul and tensordot call, and no more.
//
// There is no header of cuBLAS to check against: its wheel is large. Every array's last element must lie in device
// memory. Matrices are stored in columns; op 0 is none, 1 a transpose.

using namespace fake;

namespace fake {

enum Status { SUCCESS = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum DataType { R_32F = 0, R_64F = 1 };
enum ComputeType {
    COMPUTE_32F = 68,
    COMPUTE_32F_PEDANTIC = 69,
    COMPUTE_64F = 70,
    COMPUTE_64F_PEDANTIC = 71,
    TF32 = 77
};

struct Handle {
    void* stream = nullptr;
    int math_mode = 0, pointer_mode = 0;  // pointer_mode 1: alpha, beta and results lie on the device
};

struct Matrix {
    const void* data;
    int type, ld;
    long long stride;  // elements from one matrix of the batch to the next
};

template <class T>
void blas_gemm(int op_a, int op_b, int m, int n, int k, T alpha, const void* a, int lda, const void* b, int ldb, T beta,
               void* c, int ldc) {
    typedef void (*Gemm)(int, int, int, int64_t, int64_t, int64_t, T, const void*, int64_t, const void*, int64_t, T,
                         void*, int64_t);
    static void* library = dlopen(setting("FAKE_BLAS").c_str(), RTLD_NOW);
    static auto gemm = (Gemm)dlsym(library, sizeof(T) == 8 ? "scipy_cblas_dgemm64_" : "scipy_cblas_sgemm64_");
    gemm(102, 111 + op_a, 111 + op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

// To ten bits behind the point, as tensor cores read them.
std::vector<float> to_tf32(const void* data, size_t size) {
    std::vector<float> rounded((const float*)data, (const float*)data + size);
    for (float& number : rounded) {
        uint32_t bits;
        memcpy(&bits, &number, 4);
        bits = (bits + 0x1000) & ~0x1fffu;
        memcpy(&number, &bits, 4);
    }
    return rounded;
}

int refused(const char* name, const std::string& why, Status status = INVALID_VALUE) {
    problem(std::string(name) + ": " + why);
    return status;
}

template <class T>
bool vector_on_device(const T* x, int n, int step) {
    return n <= 0 || (step > 0 && on_device(x, ((size_t)(n - 1) * step + 1) * sizeof(T)));
}

template <class T>
bool matrix_on_device(const void* data, int rows, int columns, int ld) {
    return !rows || !columns || on_device(data, ((size_t)ld * (columns - 1) + rows) * sizeof(T));
}

template <class T>
int gemm(const char* name, Handle* h, int op_a, int op_b, int m, int n, int k, const void* alpha, Matrix a, Matrix b,
         const void* beta, Matrix c, int batch, int compute) {
    count("cublas:calls");
    count(std::string("cublas:") + name);
    const int rows_a = op_a ? k : m, rows_b = op_b ? n : k;
    const bool negative = m < 0 || n < 0 || k < 0 || batch < 0 || op_a < 0 || op_a > 1 || op_b < 0 || op_b > 1;
    if (negative || a.ld < std::max(1, rows_a) || b.ld < std::max(1, rows_b) || c.ld < std::max(1, m))
        return refused(name, "m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k) +
                                 " with leading dimensions " + std::to_string(a.ld) + ", " + std::to_string(b.ld) +
                                 ", " + std::to_string(c.ld) + " is not permitted");
    if (h->pointer_mode) return refused(name, "alpha and beta on the device are not simulated", NOT_SUPPORTED);
    for (int i = 0; i < batch; ++i) {
        auto outside = [&](const Matrix& x, int rows, int columns) {
            return !matrix_on_device<T>((const T*)x.data + i * x.stride, rows, columns, x.ld);
        };
        if (m && n && k && (outside(a, rows_a, op_a ? m : k) || outside(b, rows_b, op_b ? k : n)))
            return refused(name, "a factor reaches outside of device memory");
        if (n && outside(c, m, n)) return refused(name, "the result reaches outside of device memory");
    }
    if (!m || !n || !batch) return SUCCESS;
    const T al = *(const T*)alpha, be = *(const T*)beta;
    push(at(h->stream), [=] {
        for (int i = 0; i < batch; ++i) {
            const void *one = (const T*)a.data + i * a.stride, *other = (const T*)b.data + i * b.stride;
            std::vector<float> rounded_a, rounded_b;
            if (compute == TF32 && k) {
                rounded_a = to_tf32(one, (size_t)a.ld * ((op_a ? m : k) - 1) + rows_a);
                rounded_b = to_tf32(other, (size_t)b.ld * ((op_b ? k : n) - 1) + rows_b);
                one = rounded_a.data(), other = rounded_b.data();
            }
            blas_gemm<T>(op_a, op_b, m, n, k, al, one, a.ld, other, b.ld, be, (T*)c.data + i * c.stride, c.ld);
        }
    });
    return SUCCESS;
}

int gemm_ex(const char* name, Handle* h, int op_a, int op_b, int m, int n, int k, const void* alpha, Matrix a, Matrix b,
            const void* beta, Matrix c, int batch, int compute) {
    const bool single = compute == COMPUTE_32F || compute == COMPUTE_32F_PEDANTIC || compute == TF32;
    const bool both = compute == COMPUTE_64F || compute == COMPUTE_64F_PEDANTIC;
    if (a.type == R_32F && b.type == R_32F && c.type == R_32F && single)
        return gemm<float>(name, h, op_a, op_b, m, n, k, alpha, a, b, beta, c, batch, compute);
    if (a.type == R_64F && b.type == R_64F && c.type == R_64F && both)
        return gemm<double>(name, h, op_a, op_b, m, n, k, alpha, a, b, beta, c, batch, compute);
    return refused(name, "types " + std::to_string(a.type) + ", " + std::to_string(b.type) + ", " +
                             std::to_string(c.type) + " computed in " + std::to_string(compute) + " are not simulated",
                   NOT_SUPPORTED);
}

// The matrices' addresses lie on the device, and may still be on their way there.
template <class T>
int gemm_batched(const char* name, Handle* h, int op_a, int op_b, int m, int n, int k, const T* alpha, T** a, int lda,
                 T** b, int ldb, const T* beta, T** c, int ldc, int batch) {
    count("cublas:calls");
    count(std::string("cublas:") + name);
    for (T** table : {a, b, c})
        if (!on_device(table, batch * sizeof(T*))) return refused(name, "addresses that do not lie in device memory");
    const T al = *alpha, be = *beta;
    push(at(h->stream), [=] {
        for (int i = 0; i < batch; ++i) {
            if (!matrix_on_device<T>(a[i], op_a ? k : m, op_a ? m : k, lda) ||
                !matrix_on_device<T>(b[i], op_b ? n : k, op_b ? k : n, ldb) || !matrix_on_device<T>(c[i], m, n, ldc))
                return void(refused(name, "a matrix reaches outside of device memory"));
            blas_gemm<T>(op_a, op_b, m, n, k, al, a[i], lda, b[i], ldb, be, c[i], ldc);
        }
    });
    return SUCCESS;
}

template <class T>
int dot(const char* name, Handle* h, int n, const T* x, int step_x, const T* y, int step_y, T* result) {
    count("cublas:calls");
    count(std::string("cublas:") + name);
    if (!vector_on_device(x, n, step_x) || !vector_on_device(y, n, step_y))
        return refused(name, "a factor reaches outside of device memory");
    if (on_device(result, sizeof(T)) != (h->pointer_mode == 1))
        return refused(name, "the result is not where the pointer mode says");
    push(at(h->stream), [=] {
        T sum = 0;
        for (long long i = 0; i < n; ++i) sum += x[i * step_x] * y[i * step_y];
        *result = sum;
    });
    if (!h->pointer_mode) {
        count("sync:dot");
        drain(at(h->stream));
    }
    return SUCCESS;
}

template <class T>
int gemv(const char* name, Handle* h, int op, int m, int n, const T* alpha, const T* a, int lda, const T* x, int step_x,
         const T* beta, T* y, int step_y) {
    count("cublas:calls");
    count(std::string("cublas:") + name);
    const int rows = op ? n : m, depth = op ? m : n;
    if (!matrix_on_device<T>(a, m, n, lda) || !vector_on_device(x, depth, step_x) || !vector_on_device(y, rows, step_y))
        return refused(name, "an array reaches outside of device memory");
    const T al = *alpha, be = *beta;
    push(at(h->stream), [=] {
        for (long long i = 0; i < rows; ++i) {
            T sum = 0;
            for (long long k = 0; k < depth; ++k) sum += (op ? a[k + i * lda] : a[i + k * lda]) * x[k * step_x];
            T& result = y[i * step_y];
            result = al * sum + (be == 0 ? 0 : be * result);
        }
    });
    return SUCCESS;
}

}  // namespace fake

extern "C" {

int cublasCreate_v2(Handle** h) { return *h = new Handle, SUCCESS; }
int cublasDestroy_v2(Handle*) { return SUCCESS; }
int cublasGetVersion_v2(Handle*, int* version) { return *version = 130000, SUCCESS; }
int cublasSetStream_v2(Handle* h, void* stream) { return h->stream = stream, SUCCESS; }
int cublasGetStream_v2(Handle* h, void** stream) { return *stream = h->stream, SUCCESS; }
int cublasSetMathMode(Handle* h, int mode) { return h->math_mode = mode, SUCCESS; }
int cublasGetMathMode(Handle* h, int* mode) { return *mode = h->math_mode, SUCCESS; }
int cublasSetPointerMode_v2(Handle* h, int mode) { return h->pointer_mode = mode, SUCCESS; }
int cublasGetPointerMode_v2(Handle* h, int* mode) { return *mode = h->pointer_mode, SUCCESS; }

int cublasGemmEx(Handle* h, int op_a, int op_b, int m, int n, int k, const void* alpha, const void* a, int type_a,
                 int lda, const void* b, int type_b, int ldb, const void* beta, void* c, int type_c, int ldc,
                 int compute, int) {
    Call call(__func__);
    return gemm_ex("GemmEx", h, op_a, op_b, m, n, k, alpha, {a, type_a, lda, 0}, {b, type_b, ldb, 0}, beta,
                   {c, type_c, ldc, 0}, 1, compute);
}

int cublasGemmStridedBatchedEx(Handle* h, int op_a, int op_b, int m, int n, int k, const void* alpha, const void* a,
                               int type_a, int lda, long long stride_a, const void* b, int type_b, int ldb,
                               long long stride_b, const void* beta, void* c, int type_c, int ldc, long long stride_c,
                               int batch, int compute, int) {
    Call call(__func__);
    return gemm_ex("GemmStridedBatchedEx", h, op_a, op_b, m, n, k, alpha, {a, type_a, lda, stride_a},
                   {b, type_b, ldb, stride_b}, beta, {c, type_c, ldc, stride_c}, batch, compute);
}

// The same functions for float and for double: S and D in the names.
#define BOTH(S, T, TYPE, COMPUTE)                                                                                     \
    int cublas##S##gemm_v2(Handle* h, int op_a, int op_b, int m, int n, int k, const T* alpha, const T* a, int lda,   \
                           const T* b, int ldb, const T* beta, T* c, int ldc) {                                       \
        Call call(__func__);                                                                                          \
        return gemm<T>(#S "gemm", h, op_a, op_b, m, n, k, alpha, {a, TYPE, lda, 0}, {b, TYPE, ldb, 0}, beta,          \
                       {c, TYPE, ldc, 0}, 1, COMPUTE);                                                                \
    }                                                                                                                 \
    int cublas##S##gemmBatched(Handle* h, int op_a, int op_b, int m, int n, int k, const T* alpha, T** a, int lda,    \
                               T** b, int ldb, const T* beta, T** c, int ldc, int batch) {                            \
        Call call(__func__);                                                                                          \
        return gemm_batched(#S "gemmBatched", h, op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, batch);    \
    }                                                                                                                 \
    int cublas##S##dot_v2(Handle* h, int n, const T* x, int step_x, const T* y, int step_y, T* result) {              \
        Call call(__func__);                                                                                          \
        return dot(#S "dot", h, n, x, step_x, y, step_y, result);                                                     \
    }                                                                                                                 \
    int cublas##S##gemv_v2(Handle* h, int op, int m, int n, const T* alpha, const T* a, int lda, const T* x,          \
                           int step_x, const T* beta, T* y, int step_y) {                                             \
        Call call(__func__);                                                                                          \
        return gemv(#S "gemv", h, op, m, n, alpha, a, lda, x, step_x, beta, y, step_y);                               \
    }
BOTH(S, float, R_32F, COMPUTE_32F)
BOTH(D, double, R_64F, COMPUTE_64F)

}  // extern "C"
