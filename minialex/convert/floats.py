"""Floating-point types that NumPy lacks, widened to float32, which holds each of their values exactly.

    value = (-1)^s 2^(e - bias) (1 + m / 2^M)   for e > 0,      (-1)^s 2^(1 - bias) m / 2^M   for e = 0

    bfloat16                    8 bits of e, M = 7, bias 127: the upper half of a float32
    float8_e5m2                 M = 2, bias 15: the upper half of a float16
    float8_e4m3fn               M = 3, bias 7; no infinity, NaN where all bits of e and m are 1
    float8_e4m3fnuz, _e5m2fnuz  M = 3, bias 8; M = 2, bias 16; no infinity, NaN in the place of -0
    float8_e8m0fnu              2^(e - 127); no sign, no 0, NaN where all bits are 1

Micikevicius et al. 2022, "FP8 formats for deep learning", table 1; Noune et al. 2022, "8-bit numerical formats for deep
neural networks"; Open Compute Project 2023, "OCP Microscaling formats", section 5.4.1.
"""

from __future__ import annotations

import numpy as np

STORED: dict[str, np.dtype] = {  # {name in torch: NumPy's type of the codes}
    "bfloat16": np.dtype("u2"),
    **{f"float8_{kind}": np.dtype("u1") for kind in ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e8m0fnu")},
}


def widened(codes, name):
    """The float32 values of codes.

    codes: an array of STORED[name], native byte order.
    name: a key of STORED.

    Returns an array of the same shape.
    """
    if name == "bfloat16":
        return (codes.astype(np.uint32) << 16).view(np.float32)
    if name == "float8_e5m2":
        return (codes.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
    return _values(name)[codes]


def _values(name):
    """The values of the 256 codes of a float8."""
    code = np.arange(256)
    if name == "float8_e8m0fnu":
        values, nan = 2.0 ** (code - 127), 255
    else:
        bits, bias, nan = {"e4m3fn": (3, 7, 127), "e4m3fnuz": (3, 8, 128), "e5m2fnuz": (2, 16, 128)}[name[7:]]
        e, m = (code & 127) >> bits, (code & (1 << bits) - 1) / (1 << bits)
        values = np.where(e > 0, (1 + m) * 2.0 ** (e - bias), m * 2.0 ** (1 - bias)) * np.where(code & 128, -1, 1)
    values[code == nan] = np.nan
    if name == "float8_e4m3fn":
        values[255] = np.nan
    return values.astype(np.float32)
