"""Predictions are the reader's: what they are about is nowhere in the open, in no notebook."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from on_request import heavy

from tutorials import notebooks

TUTORIALS = Path(__file__).resolve().parents[2] / "tutorials"
NOTEBOOKS = sorted(TUTORIALS.glob("[0-9][0-9]_*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def printed(outputs):
    return "".join("".join(output.get("text", "")) for output in outputs)


def predictions(path):
    """[(number of the cell, what came out)] of a notebook."""
    cells, found = read(path), []
    for number, cell in enumerate(cells):
        if "prediction" in notebooks.tags(cell):
            found.append([number, ""])
        outputs = notebooks.unfolded(cell)[1]
        told = re.search(r"^it is (.+)$", printed(outputs), re.MULTILINE)
        if told:
            assert "outcome" in notebooks.tags(cell) and found and not found[-1][1], "one outcome for each prediction"
            found[-1][1] = told[1]
    assert all(told for _, told in found), "no outcome without a comparison"
    return found


def in_the_open(cell):
    """What a reader of a notebook sees of a cell without unfolding anything."""
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    hidden = cell["metadata"].get("jupyter", {}).get("source_hidden")
    return ("" if hidden else text) + json.dumps(cell["outputs"])


@each_notebook
def test_every_prediction_is_asked_for_in_a_cell_of_its_own(path):
    cells = read(path)
    asked = [n for n, cell in enumerate(cells) if "**predict" in "".join(cell["source"]).lower()]
    assert asked and [n for n, _ in predictions(path)] == [n + 1 for n in asked]
    for number, _ in predictions(path):
        code = "".join(cells[number]["source"])
        assert re.fullmatch(r"prediction = \.\.\.(  # .+)?", code) and not cells[number]["outputs"]
        assert "**Predict" in in_the_open(cells[number - 1])


@each_notebook
def test_what_came_out_is_nowhere_in_the_open(path):
    """Neither printed nor drawn; and none of the text up to the next section says it."""
    cells = read(path)
    for number, cell in enumerate(cells):
        if "outcome" in notebooks.tags(cell):
            assert cell["cell_type"] == "markdown" or not cell["outputs"], f"cell {number}"
            assert not re.search("^#+ ", notebooks.unfolded(cell)[0], re.MULTILINE) or cell["cell_type"] == "code"
    for number, told in predictions(path):
        end = next((n for n in range(number, len(cells)) if re.match("## ", in_the_open(cells[n]))), len(cells))
        before = "\n".join(map(in_the_open, cells[:end]))
        choices = cells[number]["metadata"].get("choices")
        if not choices and len(told) > 2:  # what has to be chosen is named, and short numbers are many
            assert not re.search(rf"(?<![\w.,]){re.escape(told)}(?![\w])", before), told
        assert f"it is {told}" not in "\n".join(map(in_the_open, cells))


@each_notebook
def test_an_outcome_is_one_of_the_choices(path):
    cells = read(path)
    for number, told in predictions(path):
        choices = cells[number]["metadata"].get("choices")
        assert not choices or told in choices or " apart, in gradients" in told


def test_the_cells_that_decide_the_first_prediction_can_run_twice():
    """What they add to is theirs."""
    cells = read(NOTEBOOKS[0])
    (number, told), *_ = predictions(NOTEBOOKS[0])
    names: dict = {}
    for cell in cells[:number]:
        code = "".join(cell["source"])
        if cell["cell_type"] == "code" and ("class Value" in code or "def " in code) and "formula(" not in code:
            exec("import math\n" + code, names)
    outcomes = []
    names.update(compare=lambda prediction, outcome: outcomes.append(outcome), prediction=...)
    for _ in range(2):
        exec("".join(cells[number + 1]["source"]), names)
    assert outcomes == [float(told)] * 2


def test_what_only_draws_is_recognised():
    assert notebooks.drawn_from("figure, axes = panels(1)\naxes.plot(x)\nshow(figure, 'a', 'b')") == 0
    assert notebooks.drawn_from("x = 1\nfigure, axes = sheet(2, 3)\nshow(figure, 'a', 'b')") == 1
    assert notebooks.drawn_from("axes.plot(x)\nshow(figure, 'a', 'b')") == 0
    assert notebooks.drawn_from("def arrow(axes, x):\n    axes.plot(x)") == 0
    assert notebooks.drawn_from("x = 1\nprint(x)") is None


def test_a_cell_is_folded_and_unfolded():
    outputs = [{"output_type": "stream", "name": "stdout", "text": "it is 4711\n"}]
    cell = {"cell_type": "code", "metadata": {"tags": ["outcome"]}, "source": "compare(prediction, 4711)"}
    text = {"cell_type": "markdown", "metadata": {"tags": ["outcome"]}, "source": "So it is."}
    cell["outputs"] = outputs
    notebooks.fold(cell)
    notebooks.fold(text)
    assert not cell["outputs"] and "4711" not in json.dumps(cell["metadata"]) and not in_the_open(text).strip()
    assert notebooks.unfolded(cell) == ("compare(prediction, 4711)", outputs)
    assert notebooks.unfolded(text) == ("So it is.", [])


RUN = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import build
print(build.execute(pathlib.Path(sys.argv[2]), "quick"))
"""


@heavy
@pytest.mark.parametrize("name", ["01_autograd", "02_arrays", "05_pooling"])
def test_what_is_committed_is_what_a_run_prints(name):
    """Numbers that only rounding makes are left out, since they depend on the processor."""
    for library in ("jupytext", "nbclient", "ipykernel"):
        pytest.importorskip(library, reason="the extra `tutorials` is not installed")
    command = [sys.executable, "-c", RUN, str(TUTORIALS), str(TUTORIALS / f"{name}.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr

    def told(cells):
        text = "".join(printed(notebooks.unfolded(cell)[1]) for cell in cells)
        return re.sub(r"\d(\.\d+)?e-\d\d|0\.0\b", "tiny", text)

    assert told(json.loads(done.stdout)["cells"]) == told(read(TUTORIALS / f"{name}.ipynb"))
