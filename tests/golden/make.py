"""Write torch.npz and ports.json: what torch makes of every case of minialex.cases, every script of tutorials/porting.

    python tests/golden/make.py            (--ports for the scripts alone)

Run it from anywhere, with torch 2.13 installed, after cases were added or changed. An array a case for y, one for each
gradient, and a fingerprint that tells tests/test_cases.py whether the case is still the one that torch was asked about.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
# the checkout, installed or not, and the modules that tests share
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "helpers")]


def ports():
    """What each script of tutorials/porting gives under torch, from minialex's initial weights and random numbers."""
    import json

    import porting

    numbers = {name: porting.run_torch(name, porting.run_minialex(name)[0])[0] for name in porting.SCRIPTS}
    lines = [f'"{name}": {json.dumps([float(f"{n:.8g}") for n in found])}' for name, found in numbers.items()]
    porting.STORED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{porting.STORED.name}: {len(lines)} scripts")


def main():
    import oracle

    import golden
    from minialex.cases import CASES

    arrays = {}
    for case in CASES:
        y, gradients = oracle.gradients(case, case.arrays(), case.cotangent)
        arrays[f"{case.name} fingerprint"] = np.array(golden.fingerprint(case))
        arrays[f"{case.name} y"] = y
        arrays |= {f"{case.name} gradient {i}": g for i, g in enumerate(gradients)}
    beside = golden.FILE.with_suffix(".tmp.npz")
    np.savez_compressed(beside, **arrays)
    os.replace(beside, golden.FILE)
    print(f"{golden.FILE.name}: {len(CASES)} cases, {golden.FILE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    ports()
    if "--ports" not in sys.argv:
        main()
