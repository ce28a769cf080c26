"""Scripts written for torch: with only their import lines changed they give torch's numbers.

Whole scripts are in tutorials/porting/, short pieces in tests/helpers/snippets.py; tutorials/coming_from_torch.md lists
what differs, and each of its rows is run.
"""

from __future__ import annotations

import difflib
import io
import json
import re

import numpy as np
import porting
import pytest
import usable
from on_request import heavy

import minialex
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


IMPORTED = {  # what stands for `...` in the lines of the page's table
    "torch": "nn, optim, Tensor",
    "torch.nn": "functional as F, init, Module, Parameter",
    "torch.nn.utils": "clip_grad_norm_",
    "torch.optim": "SGD, AdamW, lr_scheduler",
    "torch.optim.lr_scheduler": "StepLR, CosineAnnealingLR",
    "torch.utils": "data",
    "torch.utils.data": "DataLoader, Dataset",
}


@pytest.mark.parametrize("line, instead", porting.import_lines(), ids=[line for line, _ in porting.import_lines()])
def test_the_import_lines_of_the_page(line, instead):
    package = re.match(r"(?:from|import) (\S+)", line)[1]
    line = line.replace("...", IMPORTED.get(package, ""))
    names = re.findall(r"(\w+)(?:,|$)", line.partition("import ")[2])
    made = porting.module(porting.ported(line), "imports")
    assert porting.ported(line) == instead.replace("...", IMPORTED.get(package, "")) + "\n"
    found = [getattr(made, name) for name in names]
    assert found and all(getattr(x, "__module__", x.__name__).startswith("minialex") for x in found)


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


# ------------------------------------------------------------------------------ short pieces

SNIPPETS = porting.SNIPPETS.read_text(encoding="utf-8")
NAMES = [name for name in re.findall(r"^def (\w+)\(\):", SNIPPETS, re.M) if name != "network"]


@pytest.fixture(scope="module")
def ours():
    """The module that the snippets are under minialex."""
    return porting.module(porting.ported(SNIPPETS), "ported_snippets")


@pytest.mark.parametrize("name", NAMES)
def test_a_snippet_gives_torchs_results(torch, ours, name):
    minialex.manual_seed(0)
    found = getattr(ours, name)()
    with porting.drawing_as_minialex(torch):
        minialex.manual_seed(0)
        expected = getattr(porting.module(SNIPPETS, "snippets"), name)()
    porting.assert_same(found, expected, name)


# ------------------------------------------------------------------------------ what differs: the page's tables

PAGE = porting.PAGE.read_text(encoding="utf-8")


def rows(heading):
    """The cells of the first table below a heading of the page."""
    table = re.search(rf"^## {heading}.*?\n\|---.*?\n(.*?)\n\n", PAGE, re.M | re.S)[1]
    return [row[2:-2].split(" | ") for row in table.split("\n")]


SILENT, LOUD = rows("What differs without an error"), rows("What raises")
SETTING = """
import copy
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader
x = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
labels = torch.tensor([2, 1])
w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
model = nn.Sequential(nn.Linear(3, 2))
with torch.no_grad():
    model[0].weight.copy_(torch.arange(6.0).view(2, 3) / 10)
    model[0].bias.fill_(0.5)
F.cross_entropy(model(x), torch.tensor([0, 1])).backward()
"""


def value(cell, ported):
    """What the code of a cell comes to: statements, and an expression behind the last semicolon."""
    code = re.fullmatch("`(.*)`", cell)[1]
    names = vars(porting.module(porting.ported(SETTING) if ported else SETTING, "setting"))
    *statements, expression = code.split("; ")
    exec("\n".join(statements), names)
    return eval(expression, names)


def names_of(rows):
    return pytest.mark.parametrize("theirs, here, instead", rows, ids=[row[0].strip("`") for row in rows])


@names_of(SILENT)
def test_what_differs_without_an_error(torch, theirs, here, instead):
    expected, found = value(theirs, ported=False), value(theirs, ported=True)
    with pytest.raises(AssertionError):
        porting.assert_same(found, expected)
    porting.assert_same(value(instead, ported=True), expected)


@names_of(LOUD)
def test_what_raises(torch, theirs, here, instead):
    expected = value(theirs, ported=False)
    with pytest.raises(Exception) as error:
        value(theirs, ported=True)
    assert type(error.value).__name__ == re.match(r"`(\w+)`", here)[1]
    porting.assert_same(value(instead, ported=True), expected)


def test_what_is_not_here(torch):
    """Each name of the page's list is torch's, and missing."""
    import torch.fft

    listed = re.findall(r"`(.*?)`", re.search(r"^\* Not here: .*?\.\n\*", PAGE, re.M | re.S)[0])
    assert len(listed) > 10
    for name in listed:
        path = name.removeprefix("torch.").split(".")
        place, here = torch, minialex
        for part in path[:-1]:
            place, here = getattr(place, part), getattr(here, part)
        assert hasattr(place, path[-1]), name
        assert not hasattr(here, path[-1]), name


def test_what_the_page_says_of_errors_files_and_arrays(torch):
    a, w = minialex.ones(2, 3), minialex.ones(2, requires_grad=True)
    with pytest.raises(ValueError):
        a @ a
    with pytest.raises(RuntimeError):
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert w.numpy() is w.data
    file = io.BytesIO()
    torch.save({"w": torch.ones(2)}, file)
    with pytest.raises(ValueError, match=r"minialex\.convert"):
        minialex.load(io.BytesIO(file.getvalue()))


def test_the_difference_that_the_page_shows_is_the_scripts():
    before = porting.script("mnist_cnn")
    lines = difflib.ndiff(before.splitlines(), porting.ported(before).splitlines())
    changed = [line[0] + line[2:] for line in lines if line[0] in "+-"]
    shown = re.search(r"```diff\n(.*?)```", PAGE, re.S)[1].splitlines()
    assert sorted(shown) == sorted(changed)


def test_the_page_lists_every_script():
    assert set(re.findall(r"^\| \[(\w+)\.py\]\(porting/\1\.py\) \|", PAGE, re.M)) == set(porting.SCRIPTS)
