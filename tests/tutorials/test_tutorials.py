"""The lessons run, their notebooks are theirs, and their exercises accept what is right and nothing else."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import matplotlib
import numpy as np
import puzzling
import pytest
import usable
from on_request import heavy_but

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
    for (_, header, text), (_, _, following) in itertools.pairwise(read):
        asked = re.search(r'^check\("([\d.]+)", (\w+)\)$', text, re.MULTILINE)
        if "exercise" in header:
            assert asked, f"{lesson.name}: an exercise without its check"
            assert f"<summary>Solution {asked[1]}</summary>" in following, f"{asked[1]}: no solution behind it"
            found[asked[1]] = asked[2], re.search(r"^```python\n(.*?)^```", following, re.MULTILINE | re.DOTALL)[1]
        else:
            assert not asked, f"{lesson.name}: {asked and asked[1]} lacks the tag exercise"
    return found


@pytest.fixture
def machinery(monkeypatch):
    """The lessons' helper modules, importable; and matplotlib's settings as they were, afterwards."""
    monkeypatch.syspath_prepend(str(TUTORIALS))
    monkeypatch.setenv("MINIALEX_SIZE", "smoke")
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
        assert len(exercise.mistakes) >= 3
        for wrong, why in exercise.mistakes:
            verdict = machinery.judge(name, wrong)
            assert verdict.right is False and why in verdict.text, f"{name}, {why}: {verdict.text}"


@each_lesson
def test_its_form(lesson):
    read = cells(lesson)
    assert re.match(rf"# {int(lesson.stem[:2])}\. .+\n\n\*[^*]+\?\*\n", read[0][2] + "\n"), "a title, and a question"
    prose = " ".join(re.sub(r"```.*?```", "", text, flags=re.DOTALL) for markdown, _, text in read if markdown)
    most = 2000 + 150 * max(0, len(exercises(lesson)) - 5)
    assert 1200 <= len(prose.split()) <= most, f"{len(prose.split())} words"
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
    made = [(cell["cell_type"] == "markdown", "".join(cell["source"])) for cell in notebook["cells"]]
    assert made == [(markdown, text) for markdown, _, text in cells(lesson)], again
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs)
    assert path.stat().st_size < 700_000
    assert all(len(output["metadata"]["image/png"]["alt"]) > 20 for output in outputs if output.get("data"))


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


# ------------------------------------------------------------------------------ what a check answers


@pytest.fixture
def judge(machinery, monkeypatch):
    """judge(answer, expected, **of the Exercise): the verdict."""

    def ask(answer, expected, mistakes=(), **options):
        exercise = machinery.Exercise(expected, mistakes, **options)
        monkeypatch.setattr(machinery, "find", lambda name: exercise)
        return machinery.judge("0.1", answer)

    return ask


def test_a_number_is_compared_but_not_given_away(judge):
    assert judge(2.0, 2).right and judge([1, 2], np.array([1.0, 2.0])).right
    verdict = judge(3.0, 1.5)
    assert verdict.right is False and "2 times" in verdict.text and "1.5" not in verdict.text
    assert judge(2 + 1e-5, 2).right is False and judge(2 + 1e-7, 2).right
    assert judge(float("nan"), 2.0).right is False and judge(0.0, 2.0).right is False


def test_the_first_difference_is_named(judge):
    verdict = judge([[1, 2], [3, 9]], np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert verdict.right is False and "[1, 1]" in verdict.text
    verdict = judge(lambda x: x, lambda x: x * np.array([1, 1, 2]), cases=((np.ones(3),),))
    assert "[2]" in verdict.text and "2 is expected" in verdict.text


def test_a_shape_is_told_first(judge):
    verdict = judge([[1.0, 2.0]], np.array([1.0, 2.0]))
    assert verdict.right is False and "(2,)" in verdict.text and "(1, 2)" in verdict.text
    assert "different lengths" in judge([[1], [1, 2]], np.ones((2, 2))).text


def test_a_known_mistake_is_recognised_by_what_it_gives(judge):
    mistakes = ((lambda x: x + 1, "Added."), (lambda x: x * x, "Squared."))
    cases = ((3.0,), (2.0,))
    assert judge(lambda x: x**2, lambda x: 2 * x, mistakes, cases=cases).text.endswith("Squared.")
    assert "Squared" not in judge(lambda x: -x, lambda x: 2 * x, mistakes, cases=cases).text


def test_what_is_no_answer_yet(judge):
    assert judge(..., 1).right is None
    assert judge(lambda x: None, lambda x: x, cases=((1.0,),)).right is None
    assert judge(1.0, lambda x: x, cases=((1.0,),)).right is False


def test_a_function_that_stops_or_returns_too_little(judge):
    verdict = judge(lambda x: x / 0, lambda x: x, cases=((1.0,),))
    assert verdict.right is False and "ZeroDivisionError" in verdict.text
    assert "2 results" in judge(lambda x: x, lambda x: (x, x), cases=((1.0,),)).text


def test_an_answer_cannot_spoil_the_cases(judge):
    case = np.ones(3)

    def greedy(x):
        x *= 2
        return x

    assert judge(greedy, lambda x: 2 * x, cases=((case,),)).right and (case == 1).all()


def test_texts_are_compared_as_texts(judge):
    assert judge("b", "b").right and judge("c", "b").right is False
    assert "numbers" in judge("b", 1.0).text and "text" in judge(1.0, "b").text


# ------------------------------------------------------------------------------ the pages


@pytest.mark.heavy
def test_pages_need_nothing_but_themselves(tmp_path):
    for library in ("nbconvert", "latex2mathml"):
        pytest.importorskip(library, reason=f"{library} is not installed")
    command = [sys.executable, str(TUTORIALS / "build.py"), "--no-execute", "--html", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = [f"{lesson.stem}.html" for lesson in LESSONS]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*names, "index.html"]
    for i, name in enumerate(names):
        page = (tmp_path / name).read_text(encoding="utf-8")
        links = set(re.findall(r'<a href="([\w.]+\.html)"', page))
        assert {"index.html", *names[max(i - 1, 0) : i], *names[i + 1 : i + 2]} <= links
        assert all((tmp_path / link).exists() for link in links)
        assert "<math" in page and "<details>" in page and "viewport" in page
        assert "<script" not in page and not re.search(r'(src|href)="(https?:)?//', page)
        prose = re.sub(r"<(pre|math|code)\b.*?</\1>", "", page, flags=re.DOTALL)
        assert "$" not in re.sub(r"<style>.*?</style>", "", prose, flags=re.DOTALL), "a formula was left as it was"


def test_an_unknown_lesson_is_one_sentence():
    command = [sys.executable, str(TUTORIALS / "build.py"), "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "'nonsense'" in done.stderr
