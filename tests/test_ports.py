"""Scripts written for torch: with only their import lines changed they give torch's numbers.

tutorials/porting/ has whole scripts, tests/helpers/snippets.py short pieces, tutorials/coming_from_torch.md what differs.
"""

from __future__ import annotations

import json
import re

import numpy as np
import porting
import pytest
import usable
from on_request import heavy

from minialex import use_backend

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own

every_script = pytest.mark.parametrize("name", porting.SCRIPTS)
# numba and the emulator take seconds to compile
BACKENDS = [b if b == "numpy" or not isinstance(b, str) else pytest.param(b, marks=heavy) for b in usable.EVERY]
TOLERANCE = {"numpy": 1e-5, "numba": 1e-5, "emulator": 1e-4, "cupy": 1e-4}


def test_there_are_ten_scripts_and_all_are_torchs():
    assert len(porting.SCRIPTS) == 10
    for name in porting.SCRIPTS:
        source = porting.script(name)
        assert "minialex" not in source and re.search(r"^import torch$", source, re.M)


@every_script
def test_only_import_lines_change(name):
    before, after = porting.script(name).splitlines(), porting.ported(porting.script(name)).splitlines()
    assert len(before) == len(after)
    changed = [(a, b) for a, b in zip(before, after) if a != b]
    assert changed and all(re.match("(import|from) torch", a) and "minialex" in b for a, b in changed)


def test_an_import_that_the_page_does_not_have_is_found():
    with pytest.raises(AssertionError, match="does not say what becomes of 'import torch.fft'"):
        porting.ported("import torch\nimport torch.fft\n")


@pytest.mark.parametrize("backend", BACKENDS)
@every_script
def test_a_script_gives_torchs_numbers(name, backend):
    """Losses of every step, and whatever else train returns: stored, so that torch is not needed."""
    usable.or_skip(backend)
    use_backend(backend)
    _, numbers, _ = porting.run_minialex(name)
    stored = json.loads(porting.STORED.read_text(encoding="utf-8"))[name]
    rtol = TOLERANCE[backend]
    np.testing.assert_allclose(numbers, stored, rtol=rtol, atol=rtol)


@every_script
def test_the_stored_numbers_are_torchs(torch, name):
    """And the weights after the last step are equal, under the same names, in the same order."""
    weights, _, after = porting.run_minialex(name)
    numbers, theirs = porting.run_torch(name, weights)
    stored = json.loads(porting.STORED.read_text(encoding="utf-8"))[name]
    np.testing.assert_allclose(stored, numbers, rtol=2e-6, atol=2e-6, err_msg="run tests/golden/make.py --ports")
    assert list(after) == list(theirs)
    for key, array in theirs.items():
        assert array.dtype == after[key].dtype
        np.testing.assert_allclose(after[key], array, rtol=1e-5, atol=1e-5, err_msg=key)


SNIPPETS = porting.SNIPPETS.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ours():
    """The module that the snippets are under minialex."""
    return porting.module(porting.ported(SNIPPETS), "ported_snippets")


@pytest.mark.parametrize("name", re.findall(r"^def (\w+)\(\):", SNIPPETS, re.M))
def test_a_snippet_gives_torchs_results(torch, ours, name):
    import minialex

    minialex.manual_seed(0)
    found = getattr(ours, name)()
    with porting.drawing_as_minialex(torch):
        minialex.manual_seed(0)
        expected = getattr(porting.module(SNIPPETS, "snippets"), name)()
    if name != "network":
        porting.assert_same(found, expected, name)
