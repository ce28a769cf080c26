"""`python -m minialex.tutorials`: what is solved, what is next, and a lesson of one's own."""

from __future__ import annotations

import json
import subprocess

import pytest

from minialex import cli
from minialex.tutorials import __main__ as command
from minialex.tutorials import learner, lessons


@pytest.fixture(autouse=True)
def own(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIALEX_LEARNER", str(tmp_path / "learner.json"))


def run(capsys, *arguments):
    code = cli.run(command.main, list(arguments))
    return code, *capsys.readouterr()


def test_the_lessons_are_read():
    found = lessons.read(lessons.folder())
    assert [lesson.number for lesson in found] == list(range(1, len(found) + 1))
    assert found[0].title == "Autograd in eighty lines" and found[0].question.endswith("?")
    for lesson in found:
        assert [e.name for e in lesson.exercises] == [f"{lesson.number}.{i + 1}" for i in range(len(lesson.exercises))]
        assert len(lesson.exercises) >= 3 and all(1 <= e.stars <= 3 for e in lesson.exercises)
    assert {e.stars for lesson in found for e in lesson.exercises} == {1, 2, 3}


def test_what_is_solved_is_shown_and_what_comes_next(capsys):
    code, out, _ = run(capsys)
    assert code == 0 and "0 of" in out and "next: 1.1 ★" in out
    for name in ("1.1", "1.2", "1.4"):
        learner.note(name, solved=True, hints=1)
    code, out, _ = run(capsys)
    assert code == 0 and "  1  Autograd in eighty lines     ● ● ○ ● ○   3 hints\n" in out
    assert "3 of" in out and "next: 1.3 ★" in out and "--open 1" in out


def test_the_end(capsys):
    names = [exercise.name for lesson in lessons.read(lessons.folder()) for exercise in lesson.exercises]
    all_solved = {name: {"solved": True, "hints": 0} for name in names}
    learner.path().write_text(json.dumps({"format": 1, "exercises": all_solved}))
    out = run(capsys)[1]
    assert "○" not in out and "next" not in out


def test_reset(capsys):
    learner.note("1.1", solved=True)
    code, out, _ = run(capsys, "--reset")
    assert code == 0 and "1 solved" in out and "learner.json.old" in out and learner.read() == {}


def test_a_damaged_file_is_one_sentence(capsys):
    learner.path().write_text("no JSON")
    code, _, err = run(capsys)
    assert code == 2 and err.count("\n") == 1 and "move it away" in err


def test_without_a_checkout_it_says_what_to_do(capsys, monkeypatch):
    monkeypatch.setattr(lessons, "checkout", lambda: None)
    code, _, err = run(capsys, "--open", "1")
    assert code == 2 and err.count("\n") == 1 and "pip install -e '.[tutorials]'" in err


def test_unknown_lessons(capsys):
    code, _, err = run(capsys, "--open", "99")
    assert code == 2 and "there is no lesson 99" in err


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder of lessons with one of them, and what Jupyter would have been asked."""
    place = tmp_path / "tutorials"
    place.mkdir()
    (place / "01_one.py").write_text("# %% [markdown]\n# # 1. One\n#\n# *Why?*\n")
    (place / "01_one.ipynb").write_text(json.dumps({"metadata": {"minialex": {"sha256": "old"}}}))
    asked = []
    monkeypatch.setattr(lessons, "folder", lambda: place)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())

    def started(line, env, check):
        asked.append((line, env))
        return subprocess.CompletedProcess(line, 0)

    monkeypatch.setattr(subprocess, "run", started)
    return place, asked


def test_a_lesson_is_opened_as_a_copy_that_stays(tree, capsys):
    place, asked = tree
    own = place / "work" / "01_one.ipynb"
    assert run(capsys, "--open")[0] == 0
    ((line, environment),) = asked
    assert line[1:] == ["-m", "jupyterlab", str(own)] and str(place) in environment["PYTHONPATH"].split(":")
    own.write_text(own.read_text() + " ")  # the learner's work
    (place / "01_one.ipynb").write_text(json.dumps({"metadata": {"minialex": {"sha256": "new"}}}))
    code, _, err = run(capsys, "--open", "1")
    assert code == 0 and "has changed since" in err and own.read_text().endswith(" ")


def test_without_jupyterlab_it_says_what_to_install(tree, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run(capsys, "--open", "1")
    assert code == 2 and "pip install -e '.[tutorials]'" in err
