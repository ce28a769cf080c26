"""The lessons run, their notebooks are theirs, and their exercises accept what is right and nothing else."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import matplotlib
import puzzling
import pytest
import usable
from on_request import heavy_but

from tutorials.notebooks import unfolded

TUTORIALS = Path(__file__).resolve().parents[2] / "tutorials"
LESSONS = sorted(TUTORIALS.glob("[0-9][0-9]_*.py"))
MARKER = re.compile(r"^# %%(?P<rest>.*)\n", re.MULTILINE)
LONG = "04_convolution", "06_training", "07_relu", "08_alexnet", "09_tricks", "10_cuda", "11_two_gpus"
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)


def cells(lesson):
    """The cells of a source, [(is markdown, header, text)], in jupytext's percent format."""
    parts = MARKER.split(lesson.read_text(encoding="utf-8"))
    assert not parts[0], "a lesson begins with its first cell"
    read = []
    for header, body in zip(parts[1::2], parts[2::2]):
        markdown = "[markdown]" in header
        text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.splitlines()) if markdown else body
        read.append((markdown, header, text.strip()))
    return read


def exercises(lesson):
    """Name of each exercise -> (what its cell calls the answer, the solution's code)."""
    read, found = cells(lesson), {}
    for (_, _, above), (_, header, text), (_, _, following) in zip(read, read[1:], read[2:]):
        asked = re.search(r'^check\("([\d.]+)", (\w+)\)$', text, re.MULTILINE)
        if "exercise" in header:
            assert re.match(rf"### Exercise {asked[1]} ★{{1,3}} .+\n\n", above), (
                f"{lesson.name}: {asked[1]} has no text"
            )
            assert not re.match("#", text), f"{asked[1]}: the question is text, not a comment"
            assert asked, f"{lesson.name}: an exercise without its check"
            assert f"<summary>Solution {asked[1]}</summary>" in following, f"{asked[1]}: no solution behind it"
            found[asked[1]] = asked[2], re.search(r"^```python\n(.*?)^```", following, re.MULTILINE | re.DOTALL)[1]
        else:
            assert not asked, f"{lesson.name}: {asked and asked[1]} lacks the tag exercise"
    return found


@pytest.fixture
def machinery(monkeypatch, tmp_path):
    """The lessons' helper modules, importable; and matplotlib's settings as they were, afterwards."""
    monkeypatch.syspath_prepend(str(TUTORIALS))
    monkeypatch.setenv("MINIALEX_SIZE", "smoke")
    monkeypatch.setenv("MINIALEX_LEARNER", str(tmp_path / "learner.json"))
    with matplotlib.rc_context():
        import exercises
        import lesson

        assert lesson.__file__ == str(TUTORIALS / "lesson.py")
        yield exercises


@pytest.mark.parametrize(
    "lesson", heavy_but([x for x in LESSONS if x.stem not in LONG], LESSONS), ids=lambda path: path.stem
)
def test_runs_and_every_solution_is_accepted(lesson, machinery, monkeypatch):
    if lesson.stem == "10_cuda":
        usable.or_skip("emulator")
    shown = []
    monkeypatch.setattr("lesson.show", lambda figure, name, description: shown.append((name, description)))
    source, names = lesson.read_text(encoding="utf-8"), {"__name__": "__main__", "__file__": str(lesson)}
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(source, str(lesson), "exec"), names)  # with its file name, so that inspect finds the source
    assert len(shown) >= 3 and len(set(shown)) == len(shown)
    assert all(name.startswith(lesson.stem[:2]) and len(description) > 20 for name, description in shown)
    solutions = exercises(lesson)
    assert printed.getvalue().count("not answered yet") == len(solutions), "a stub is not taken for an answer"
    for name, (variable, code) in solutions.items():
        exec(code, names)
        verdict = machinery.judge(name, names[variable])
        assert verdict.right is True, f"the solution of {name}: {verdict.text}"


@pytest.mark.parametrize(
    "lesson", heavy_but([x for x in LESSONS if x.stem != "10_cuda"], LESSONS), ids=lambda path: path.stem
)
def test_every_exercise_rejects_its_mistakes_and_says_why(lesson, machinery):
    if lesson.stem == "10_cuda":
        usable.or_skip("emulator")
        puzzling.compile_all()
    names = exercises(lesson)
    number = int(lesson.stem[:2])
    table = machinery.find(f"{number}.1"), *(machinery.find(f"{number}.{i}") for i in range(2, len(names) + 1))
    assert 3 <= len(names) <= 9 and list(names) == [f"{number}.{i + 1}" for i in range(len(table))]
    for name, exercise in zip(names, table):
        assert machinery.judge(name, exercise.expected).right is True
        assert len(exercise.mistakes) >= 3 and len(set(exercise.hints)) == 3
        for wrong, why in exercise.mistakes:
            verdict = machinery.judge(name, wrong)
            assert verdict.right is False and why in verdict.text, f"{name}, {why}: {verdict.text}"


@each_lesson
def test_its_form(lesson):
    read = cells(lesson)
    assert re.match(rf"# {int(lesson.stem[:2])}\. .+\n\n\*[^*]+\?\*\n", read[0][2] + "\n"), "a title, and a question"
    texts = [re.sub(r"```.*?```", "", text, flags=re.DOTALL) for markdown, _, text in read if markdown]
    prose = " ".join(text for text in texts if not text.startswith(("### Exercise", "## Find the bug")))
    assert 1200 <= len(prose.split()) <= 2100, f"{len(prose.split())} words"
    for markdown, _, text in read:
        lines = [line for line in text.splitlines() if line.strip()]
        assert markdown or len(lines) <= 15, f"a cell of {len(lines)} lines: {lines[0]}"
    assert "**Predict" in prose and "$" in prose
    assert "## What to read next" in prose
    for path in re.findall(r"`((?:minialex|tests|kernels|tutorials)/[\w/.]+)`", prose):
        assert (TUTORIALS.parent / path).exists(), f"{path} is not there to be read"


@each_lesson
def test_the_notebook_belongs_to_its_source(lesson):
    path = lesson.with_suffix(".ipynb")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    again = f"python tutorials/build.py {lesson.stem}"
    assert notebook["metadata"]["minialex"]["sha256"] == hashlib.sha256(lesson.read_bytes()).hexdigest(), again
    assert notebook["metadata"]["minialex"]["size"] == "quick"
    seen = [unfolded(cell) for cell in notebook["cells"]]
    made = [(cell["cell_type"] == "markdown", text) for cell, (text, _) in zip(notebook["cells"], seen)]
    assert made == [(markdown, text) for markdown, _, text in cells(lesson)], again
    outputs = [output for _, shown in seen for output in shown]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs)
    assert path.stat().st_size < 700_000
    assert all(len(output["metadata"]["image/png"]["alt"]) > 20 for output in outputs if output.get("data"))


@each_lesson
def test_what_is_imported_is_used(lesson):
    """All but hint, which the reader calls: ruff does not look, for its sake."""
    tree = ast.parse(lesson.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.asname or alias.name.split(".")[0] for node in imports for alias in node.names}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert names - used == {"hint"}


def test_the_contents_page_names_every_lesson():
    text = (TUTORIALS / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((\w+)\.ipynb\)", text)
    assert links == [lesson.stem for lesson in LESSONS]


@pytest.mark.heavy
def test_plain_python_runs_a_lesson_from_anywhere(tmp_path):
    environment = {**os.environ, "MINIALEX_SIZE": "smoke", "MINIALEX_FIGURES": str(tmp_path / "figures")}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, str(TUTORIALS / "01_autograd.py")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert {"01-graph.png", "01-moons.png"} <= {path.name for path in (tmp_path / "figures").iterdir()}


def test_an_unknown_lesson_is_one_sentence():
    command = [sys.executable, str(TUTORIALS / "build.py"), "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "'nonsense'" in done.stderr
