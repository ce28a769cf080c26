"""Further activation functions."""

from __future__ import annotations

import math

import numpy as np

from ...tensor import Tensor, check_dtypes
from ..activation import _result, sigmoid


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit.

        y = x P(x)      gx = gy (P(x) + x P'(x))

        "none"   P(x) = (1 + erf(x / sqrt(2))) / 2, the share of a normal distribution below x
        "tanh"   P(x) = (1 + tanh(u)) / 2,  u = sqrt(2 / pi) (x + 0.044715 x^3)

    input: any shape of floating-point numbers.
    approximate: "none" or "tanh".

    Hendrycks and Gimpel 2016.
    """
    check_dtypes("gelu", input)
    x, xp = input.data, input.backend.xp
    if approximate == "tanh":
        scale = math.sqrt(2 / math.pi)
        t = xp.tanh(scale * (x + 0.044715 * x**3))
        below = 0.5 * (1 + t)
        slope = 0.5 * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x)
    elif approximate == "none":
        below = 0.5 * _erfc(xp, x * -math.sqrt(0.5))
        slope = xp.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    else:
        raise ValueError(f'gelu: approximate is "none" or "tanh", got {approximate!r}')
    derivative = below + x * slope

    def backward(gy):
        return (gy * derivative,)

    return Tensor.from_operation(x * below, backward, input, name="gelu")


def _log_erfc(t):
    """log(erfc(z) / t) + z^2 where t = 2 / (2 + z): smooth, so that a polynomial has it to the last digit."""
    z = 2 / t - 2
    return np.log([math.erfc(v) for v in z] / t) + z * z


_FIRST = 2 / (2 + 6)  # erfc(6) = 2e-17: beyond, only its size counts
_ERFC = np.polynomial.chebyshev.chebinterpolate(lambda s: _log_erfc((1 + _FIRST + s * (1 - _FIRST)) / 2), 27).tolist()


def _erfc(xp, x):
    """1 - erf(x), which NumPy has not: 2 / sqrt(pi) times the integral of exp(-z^2) from x on."""
    z = xp.abs(x)
    t = 2 / (2 + z)
    s = (2 * t - 1 - _FIRST) / (1 - _FIRST)
    b, before = xp.zeros_like(s), xp.zeros_like(s)
    for coefficient in _ERFC[:0:-1]:  # Clenshaw's sum of Chebyshev polynomials
        b, before = 2 * s * b - before + coefficient, b
    y = t * xp.exp(s * b - before + _ERFC[0] - z * z)
    return xp.where(x < 0, 2 - y, y)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Exponential linear unit.

        y = x where x > 0, else alpha (e^x - 1)      gx = gy where x > 0, else gy alpha e^x

    input: any shape of floating-point numbers.
    alpha: minus the limit for x -> -infinity.
    inplace: write the result into the input's array, as `relu` does.
    """
    check_dtypes("elu", input)
    x, xp, alpha = input.data, input.backend.xp, float(alpha)
    negative = xp.minimum(x, x.dtype.type(0))
    y = xp.where(x > 0, x, alpha * xp.expm1(negative))
    slope = xp.where(x > 0, x.dtype.type(1), alpha * xp.exp(negative))
    return _activated(input, y, slope, inplace, "elu")


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Sigmoid linear unit, also called swish.

        y = x s(x)      gx = gy (s + x s (1 - s)),   s(x) = 1 / (1 + e^-x)

    input: any shape of floating-point numbers.
    inplace: write the result into the input's array, as `relu` does.
    """
    check_dtypes("silu", input)
    x, s = input.data, sigmoid(input.detach()).data
    return _activated(input, x * s, s * (1 + x * (1 - s)), inplace, "silu")


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """A smooth relu.

        y = log(1 + e^(beta x)) / beta      gx = gy / (1 + e^(-beta x))

    input: any shape of floating-point numbers.
    beta: how sharply it bends.
    threshold: beta x from which on y = x and gx = gy.
    """
    check_dtypes("softplus", input)
    x, xp, beta = input.data, input.backend.xp, float(beta)
    linear = beta * x > threshold
    z = xp.where(linear, x.dtype.type(0), beta * x)
    e = xp.exp(-xp.abs(z))  # at most 1, so that nothing overflows
    y = xp.where(linear, x, (xp.maximum(z, x.dtype.type(0)) + xp.log1p(e)) / beta)
    slope = xp.where(linear, x.dtype.type(1), xp.where(z >= 0, 1 / (1 + e), e / (1 + e)))
    return _activated(input, y, slope, False, "softplus")


def _activated(input, y, slope, inplace, name):
    def backward(gy):
        return (gy * slope,)

    return _result(y, backward, input, inplace, name)
