"""Golden values: torch's outputs and gradients of every case, kept in a file so that the comparison needs no torch.

golden/make.py writes the file; this module reads it.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("torch.npz")
RTOL = 1e-13  # of each element, and of the array's largest; measured: 3e-16


def fingerprint(case):
    """What the golden values of a case depend on, in 16 letters: operation, options, inputs, cotangent's seed.

    Rounded to float32, so that a last digit that another processor draws differently does not count.
    """
    options = {name: getattr(value, "tolist", lambda v=value: v)() for name, value in sorted(case.options.items())}
    digest = hashlib.sha256(f"{case.op} {options}".encode())
    for x in [*case.arrays(), case.cotangent((8,))]:
        digest.update(f"{x.shape}".encode() + x.astype(np.float32).tobytes())
    return digest.hexdigest()[:16]


@functools.cache
def load():
    """Name of an array -> array; read once."""
    with np.load(FILE, allow_pickle=False) as file:
        return dict(file)


def check(case, y, gradients):
    """AssertionError unless y and the gradients are torch's."""
    stored = load()
    assert str(stored.get(f"{case.name} fingerprint")) == fingerprint(case), (
        f"{FILE.name} knows nothing of the case '{case.name}', or it was another one then: "
        "with torch installed, run   python tests/golden/make.py"
    )
    assert_close(y, stored[f"{case.name} y"], f"y of {case.name}")
    for i, g in enumerate(gradients):
        assert_close(g, stored[f"{case.name} gradient {i}"], f"gradient {i} of {case.name}")


def assert_close(actual, expected, what, rtol=RTOL):
    """Equal to `rtol` of each element, or of the largest where elements cancelled."""
    assert actual.shape == expected.shape, f"{what} has shape {actual.shape}, expected {expected.shape}"
    floor = rtol * np.abs(expected).max(initial=0)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=floor, err_msg=what)
