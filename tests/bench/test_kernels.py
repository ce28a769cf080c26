"""The table of counts: each kernel on its layer, per element."""

from __future__ import annotations

import pytest
import usable

from minialex.backends.cuda import compile as cuda_compile
from minialex.bench import kernels


@pytest.fixture
def table(monkeypatch, capsys):
    """{(layer, kernel): numbers} of a small network's layers."""
    usable.or_skip("emulator")
    try:
        cuda_compile.ptx("", "float")
    except OSError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(kernels, "BATCH", 8)
    monkeypatch.setattr(kernels, "CONVOLUTIONS", {"conv": ((8, 16, 16), 3, 1, 0)})
    monkeypatch.setattr(kernels, "NORMS", {"norm": (8, 8, 32)})
    monkeypatch.setattr(kernels, "BIASES", {"bias": (8, 3, 16, 16)})
    monkeypatch.setattr(kernels, "ROWS", {"fc": (256, 64)})
    kernels.main([])
    header, second, *lines = capsys.readouterr().out.splitlines()
    assert {len(line) for line in (header, *lines)} == {len(header)} and "square" in header and "roots" in second
    cells = [line.split() for line in lines]
    return {(layer, kernel): [float(n.replace(",", "")) for n in numbers] for layer, kernel, *numbers in cells}


def test_counts(table):
    """Columns: blocks, loads of a thread; of an element instructions, roots, divisions (2), loads, stores, sectors."""
    assert list(table) == [
        *[("conv", "im2col_naive"), ("conv", "im2col")],
        *[("norm", "lrn_across"), ("norm", "lrn_across_backward")],
        *[("norm", "lrn_registers"), ("norm", "lrn_registers_backward")],
        *[("bias", "channel_sums"), ("fc", "column_sums")],
    ]
    naive, ours = table["conv", "im2col_naive"], table["conv", "im2col"]
    assert naive[0] == 8 * 9 * 8 and naive[1] == 1 and naive[2] > 60 and naive[6:8] == [1, 1]
    assert ours[0] == 7 * 2 and ours[1] == 4 * 9 and ours[2] < 35 and ours[6:8] == [1, 1]
    anew, ours = table["norm", "lrn_across_backward"], table["norm", "lrn_registers_backward"]
    members = (5 * 8 - 6) / 8  # of a window, which the first and last two channels cut off
    assert anew[3:5] == [2 * members, 2 * members] and anew[6] == round(3 * members + 1, 2)
    assert ours[3:5] == [2, 2] and ours[6:] == [2, 1, 0.38]  # sectors: 3 / 8
    assert table["norm", "lrn_across"][7] == 2 and table["norm", "lrn_registers"][6:] == [1, 1, 2 / 8]
    assert table["bias", "channel_sums"][:2] == [3, 4 * 8 / 4] and table["bias", "channel_sums"][6] == 1
    assert table["fc", "column_sums"][:2] == [2 * 2, 16] and table["fc", "column_sums"][6] == 1
