"""explore.block: the page of a block holds its trace, and nothing runs that is not the program."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
import usable

from minialex import explore
from minialex.explore import blocks

SHIFT = """
extern "C" __global__ void shift(global<const REAL> x, global<REAL> y, int n) {
    SHARED(REAL, tile, 32);
    int t = threadIdx.x;
    tile[t] = x[t];
    y[t] = tile[(t + 1) % n];  // </script><b>
}
"""


@pytest.fixture
def arrays():
    usable.or_skip("emulator")
    return np.arange(32, dtype=np.float32), np.full(32, np.nan, np.float32)


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="network">(.*?)</script>', page)[1])["block"]


@pytest.mark.heavy
def test_the_page_holds_the_trace(arrays):
    x, y = arrays
    steps = explore.block("shift", 1, 32, x, y, 32, text=SHIFT)
    page = steps.page()
    data = data_of(page)
    trace = steps.trace
    fields = np.frombuffer(base64.b64decode(data["numbers"]), "<i4").reshape(7, -1)
    assert np.array_equal(fields[0], trace.steps()) and np.array_equal(fields[1], trace.events["thread"])
    assert np.array_equal(np.frombuffer(base64.b64decode(data["values"]), "<f8"), trace.events["value"])
    named = {name.get("name"): name for name in data["names"]}
    assert named["x"]["before"] == x.tolist() and named["y"]["before"] == ["NaN"] * 32, "as before the kernel ran"
    assert named["tile"]["before"] is None and named["tile"]["shared"]
    assert data["raceCount"] == 32 and len(data["races"]) == 32 == len(steps.races)
    both = "thread 0 writes (line 5 of shift.cu) and thread 31 reads (line 6 of shift.cu)"
    assert steps.races[0] == f"tile[0]: {both}, with no barrier between"
    (source,) = data["sources"]
    assert source["lines"][0][1].startswith('extern "C" __global__ void shift(') and source["lines"][0][0] == 2
    assert page.count("<script") == 2 and "</script><b>" not in page.partition("<main")[2].partition("</main>")[0]
    assert steps._repr_html_().startswith('<iframe sandbox="allow-scripts"')


@pytest.mark.heavy
def test_arrays_have_the_shape_of_the_arguments(arrays):
    a, b, c = np.ones((3, 16, 32), np.float32)
    text = """
extern "C" __global__ void add(global<const REAL> a, global<const REAL> b, global<REAL> c, int n) {
    int i = threadIdx.y * n + threadIdx.x;
    c[i] = a[i] + b[i];
}
"""
    steps = explore.block("add", 1, (32, 16), a, b, c, 32, text=text)
    names = [name for name in data_of(steps.page())["names"] if name.get("size")]
    assert {(name["name"], name["columns"], name["drawn"]) for name in names} == {(n, 32, True) for n in "abc"}
    assert (c == 2).all() and not steps.races and not steps.problems


@pytest.mark.heavy
def test_a_large_array_is_not_drawn_and_an_idle_block_not_shown(arrays):
    x, y = np.zeros(blocks.CELLS + 1, np.float32), np.zeros(blocks.CELLS + 1, np.float32)
    data = data_of(explore.block("relu", 1, 32, x, y, 40).page())
    assert {name["drawn"] for name in data["names"] if "name" in name} == {False}
    with pytest.raises(ValueError, match="no thread of this block of relu reads, writes or waits"):
        explore.block("relu", 2, 32, x, y, 10, number=1).page()
