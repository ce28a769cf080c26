// In the place of CuPy's header, which g++ cannot compile: as much as its kernels for real numbers name.
#pragma once
template <typename T>
struct complex {
    T re, im;
    complex() = default;
    complex(T r, T i = 0) : re(r), im(i) {}
    T real() const { return re; }
    T imag() const { return im; }
    operator T() const { return re; }
    bool operator==(const complex& o) const { return re == o.re && im == o.im; }
    bool operator!=(const complex& o) const { return !(*this == o); }
    bool operator<(const complex& o) const { return re < o.re || (re == o.re && im < o.im); }
    bool operator>(const complex& o) const { return o < *this; }
};
template <typename T>
bool isnan(complex<T> x) { return isnan(x.re) || isnan(x.im); }
template <typename T>
bool isinf(complex<T> x) { return isinf(x.re) || isinf(x.im); }
template <typename T>
bool isfinite(complex<T> x) { return isfinite(x.re) && isfinite(x.im); }
template <typename T>
T arg(complex<T> x) { return atan2(x.im, x.re); }
