"""What all lessons share: where figures are, how a lesson ends early, how far it is."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import pytest

TUTORIALS = Path(__file__).resolve().parents[2] / "tutorials"


@pytest.fixture
def lesson(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(TUTORIALS))
    monkeypatch.setenv("MINIALEX_LEARNER", str(tmp_path / "learner.json"))
    monkeypatch.setitem(sys.modules, "IPython", None)  # plain Python, wherever the tests run
    with matplotlib.rc_context():
        import lesson

        monkeypatch.setattr(lesson, "_said", False)
        yield lesson


def test_plain_python_says_once_where_figures_are(lesson, monkeypatch, capsys, tmp_path):
    figure, _ = lesson.panels()
    for name in ("a", "b"):
        lesson.show(figure, name, "a figure")
    assert capsys.readouterr().out == "(Figures: MINIALEX_FIGURES=DIR writes them to DIR.)\n"
    monkeypatch.setattr(lesson, "_said", False)
    monkeypatch.setenv("MINIALEX_FIGURES", str(tmp_path))
    lesson.show(figure, "c", "a figure")
    assert capsys.readouterr().out == f"(Figures are written to {tmp_path}.)\n" and (tmp_path / "c.png").exists()


def test_a_lesson_that_cannot_go_on_ends_plain_python(lesson, capsys):
    with pytest.raises(SystemExit) as ended:
        lesson.stop("There is no compiler.")
    assert not ended.value.code and capsys.readouterr().out == "There is no compiler.\n"


def test_a_lesson_that_cannot_go_on_leaves_a_notebook_without_an_error(lesson, monkeypatch, capsys):
    """The cells behind it become empty."""
    shell = SimpleNamespace(input_transformers_cleanup=[])
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    lesson.stop("There is no compiler.")
    (transform,) = shell.input_transformers_cleanup
    assert transform(["raise ValueError\n"]) == [] and capsys.readouterr().out == "There is no compiler.\n"


def test_progress_hands_on_every_item_and_may_be_left(lesson):
    assert list(lesson.progress((n for n in range(3)), "counting", "numbers")) == [0, 1, 2]
    for n in lesson.progress(range(5), "counting", "numbers"):
        if n == 1:
            break
    from minialex.support import progress

    assert not progress._shown, "no bar is left at work"
