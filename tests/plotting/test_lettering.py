"""Text in figures is shown as it is written, whatever it holds, and drawing costs a run nothing."""

import os
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text
from refusals import SMALL
from tiny_runs import run

from minialex import plotting
from minialex.plotting import lettering, results
from minialex.plotting.style import Figure, short, write
from minialex.runs.folder import RunFolder
from minialex.support import headless

NAMES = (
    "$1 and $100",
    "$\\frac{x",
    "a_{b}^$c$",
    "\x1b[31mred",
    os.fsdecode(b"caf\xe9"),
    "two\nlines",
    "größer",
    "猫",
    "$",
)


class Pictures:
    classes, labels = NAMES, np.arange(36) % 9

    def fetch(self, indices):
        return np.zeros((len(indices), 3, 4, 4), np.uint8), self.labels[np.asarray(indices)]


@pytest.fixture
def no_mathematics(monkeypatch):
    """Whatever would set mathematics fails, also where Matplotlib's own settings ask for it."""

    def parse(*arguments, **options):
        raise AssertionError("mathematics")

    monkeypatch.setattr(MathTextParser, "parse", parse)
    with matplotlib.rc_context({"text.parse_math": True, "axes.formatter.use_mathtext": True, "text.usetex": False}):
        yield


@pytest.mark.parametrize("suffix", ["png", pytest.param("svg", marks=pytest.mark.heavy)])
def test_names_of_classes_are_text(tmp_path, rng, no_mathematics, suffix):
    logits = rng.standard_normal((36, 9))
    labels = Pictures.labels
    plotting.confusion(labels, logits.argmax(1), NAMES, tmp_path / f"c.{suffix}")
    images = [np.zeros((3, 4, 4), np.uint8)]
    plotting.bars(images, ["$x \n\udcff"], np.full((1, 9), 1 / 9), NAMES, tmp_path / f"b.{suffix}", top=9)
    if suffix == "svg":
        plotting.predictions(Pictures(), logits, tmp_path / f"p.{suffix}")
    assert len({*tmp_path.iterdir()}) == (3 if suffix == "svg" else 2)


def test_any_text_of_any_figure_is_as_it_is_written(no_mathematics):
    """A figure with every kind of text that Matplotlib makes, some of it only when it draws."""
    figure = Figure(layout="constrained")
    axes = figure.add_subplot()
    axes.plot([1e-5, 1], [1, 2], label="$l$")
    axes.set_xscale("log")
    axes.set_yticks([1, 2], ["$1$", "$\\x{"])
    axes.set_title("$t$")
    axes.set_xlabel("$x$")
    axes.annotate("$a$", (1e-3, 1))
    axes.legend()
    figure.suptitle("$s$")
    write(figure)._repr_png_()
    shown = {text.get_text() for text in figure.findobj(Text)}
    assert {"$l$", "$1$", "$\\x{", "$t$", "$x$", "$a$", "$s$", "0.001"} <= shown and not any(
        "mathd" in t for t in shown
    )


def test_a_setting_for_latex_is_not_followed(tmp_path):
    with matplotlib.rc_context({"text.usetex": True}):
        plotting.confusion([0, 1], [0, 1], ["a_b", "100 %"], tmp_path / "c.png")
        assert lettering.width_of("a_b$", 8) > lettering.width_of("a", 8) > lettering.width_of("", 8) == 0
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_a_name_is_cut_after_it_is_made_printable():
    assert short("\x1b[31mred", 6) == "\\x1b[…" and short("a\nb", 10) == "a\\nb"


def test_a_font_that_has_the_characters_is_used(monkeypatch, capsys):
    """DejaVu Sans has no Ethiopic letter here; another font has."""
    font = next(font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Serif")
    characters = lettering._in_font(font.fname)
    monkeypatch.setattr(
        lettering, "_in_font", lambda path: characters | {0x1200} if path.endswith("DejaVuSerif.ttf") else characters
    )
    for function in (lettering._characters, lettering._fonts_with, lettering._installed):
        function.cache_clear()
    figure = Figure()
    text = figure.text(0, 0, "ሀ")
    write(figure)._repr_png_()
    assert text.get_fontfamily() == ["sans-serif", "DejaVu Serif"] and capsys.readouterr().err == ""
    for function in (lettering._characters, lettering._fonts_with, lettering._installed):
        function.cache_clear()


def test_characters_that_no_font_has_are_said_once(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(lettering, "_reported", set())
    absent = "\U000f0000"  # for private use
    for _ in range(2):
        plotting.confusion([0, 1], [0, 1], [absent, "b"], tmp_path / "c.png")
    assert capsys.readouterr().err.count(f"no installed font has {absent}: squares are drawn instead") == 1


@pytest.mark.parametrize(
    "name", [pytest.param("module://matplotlib_inline.no_such_backend", marks=pytest.mark.heavy), "garbage"]
)
def test_backends_that_are_not_installed(tmp_path, name):
    """In a process of its own: Matplotlib reads MPLBACKEND when it is imported."""
    code = (
        "from minialex.support.headless import import_matplotlib as m; import os; m(); print(os.environ['MPLBACKEND'])"
    )
    environment = os.environ | {"MPLBACKEND": name, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, headless.__file__], capture_output=True, text=True, env=environment, timeout=60
    )
    assert (done.stdout, done.stderr) == (f"{name}\n", "")


def test_a_figure_that_cannot_be_drawn_is_said(tmp_path, capsys, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("no\n\x1b[31mfigure")

    monkeypatch.setattr(plotting, "curves", fail)
    RunFolder(tmp_path / "r").draw([{"epoch": 1}], None, now=True)
    assert capsys.readouterr().err == f"the figures of {tmp_path / 'r'} cannot be drawn: no \\x1b[31mfigure\n"


@pytest.mark.heavy
def test_a_figure_that_cannot_be_drawn_costs_a_run_nothing(tmp_path, capsys, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("no\n\x1b[31mfigure")

    monkeypatch.setattr(plotting, "curves", fail)
    monkeypatch.setattr(results, "sheet_of", fail)
    assert run(*SMALL, "--epochs", 1, "--out", tmp_path / "r") == 0
    out, err = capsys.readouterr()
    assert "test accuracy" in out and (tmp_path / "r" / "last.npz").is_file()
    assert err.count("cannot be drawn: no \\x1b[31mfigure\n") == 2
