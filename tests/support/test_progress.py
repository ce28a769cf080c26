"""The bar at every width, the lines of a log by a clock of the test's own, and which of them is shown where."""

from __future__ import annotations

import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from minialex import data, nn, optim
from minialex.support import progress
from minialex.support.progress import Progress
from minialex.training.trainer import Trainer


class Clock:
    """The module `time`, whose monotonic() moves on only by hand."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


class Screen(io.StringIO):
    """A terminal of a width: `lines` is what a person would see."""

    encoding = "utf-8"

    def __init__(self, tty=True):
        super().__init__()
        self.tty = tty

    def isatty(self):
        return self.tty

    @property
    def lines(self):
        seen = []
        for line in self.getvalue().split("\n"):
            cells = ""
            for text in line.split("\r"):
                cells = text + cells[len(text) :]
            seen.append(cells.rstrip())
        return seen


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def streams(monkeypatch, stdout, stderr):
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stdout=stdout, stderr=stderr))


@pytest.fixture
def terminal(monkeypatch):
    """stderr and stdout are one terminal of 80 columns; `columns` changes them."""
    screen = Screen()
    streams(monkeypatch, screen, screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "columns", lambda stream: screen.columns)
    screen.columns = 80
    return screen


@pytest.fixture
def halfway(clock, terminal):
    """100 of 400 images were done before, and 100 more in 2 seconds."""
    with Progress("epoch 12/90", 400, "images", initial=100) as bar:
        bar.note = "loss 2.303"
        yield bar


def test_the_bar_by_hand(clock, terminal, halfway):
    """50 images a second, so 4 s for the other 200; of 79 columns, 24 are left for the bar."""
    clock.now += 2
    halfway.update(100)
    assert terminal.lines == ["epoch 12/90:  50% |" + "█" * 12 + " " * 12 + "| 50 images/s, 0:04 left, loss 2.303"]
    clock.now += 0.01
    halfway.update(100)
    assert "50%" in terminal.lines[0], "too soon to draw again"
    halfway.clear()
    assert terminal.lines == [""], "nothing is left of it"


@pytest.mark.parametrize("width", [*range(25, 90), 300])
def test_at_no_width_is_the_loss_cut_off(clock, terminal, halfway, width):
    terminal.columns = width
    clock.now += 2
    halfway.update(100)
    (line,) = terminal.lines
    assert len(line) < width and line.startswith("epoch 12/90") and line.endswith(", loss 2.303")
    for part, needed in (("50%", 30), ("0:04 left", 41), ("50 images/s", 54), ("|███", 62)):
        assert (part in line) == (width >= needed), part


def test_what_is_too_long_for_any_line(clock, terminal):
    terminal.columns = 20
    with Progress("reading a folder with a long name", 5) as bar:
        clock.now += 2
        bar.update(1)
        assert terminal.lines == ["reading a folder wi"]
        bar.note = "loss 2.303"
        clock.now += 2
        bar.update(1)
        assert terminal.lines == ["reading, loss 2.303"]


def test_the_speed_is_that_of_the_last_minute(clock, terminal, halfway):
    """A second per image while kernels were compiled, ten images a second for two minutes since."""
    for pause, count in [(1, 1)] * 10 + [(1, 10)] * 30:
        clock.now += pause
        halfway.update(count)
    assert halfway.speed() == pytest.approx(310 / 40)
    for _ in range(90):
        clock.now += 1
        halfway.update(10)
    assert halfway.speed() == pytest.approx(10)


def test_lines_stand_above_the_bar(clock, terminal, halfway):
    clock.now += 2
    halfway.update(100)
    progress.write("epoch 12/90: done")
    clock.now += 0.01
    halfway.update(1)
    above, bar = terminal.lines
    assert above == "epoch 12/90: done" and bar.startswith("epoch 12/90:  50% |")


def test_of_two_bars_the_inner_one_is_shown(clock, terminal, halfway):
    with Progress("statistics", 10, "images", delay=1) as inner:
        clock.now += 0.9
        inner.update(1)
        halfway.update(1)
        assert terminal.lines == [""], "an inner bar that waits, and an outer one that is not on top"
        clock.now += 0.2
        inner.update(1)
        assert terminal.lines[0].startswith("statistics:  20% |")
    clock.now += 0.2
    halfway.update(1)
    assert terminal.lines[0].startswith("epoch 12/90:  26% |")


@pytest.fixture
def log(monkeypatch):
    stream = Screen(tty=False)
    streams(monkeypatch, Screen(tty=False), stream)
    return stream


def test_a_log_has_a_line_after_30_seconds_of_silence(clock, log):
    with Progress("reading train", 50_000, "images") as bar:
        for _ in range(100):
            clock.now += 1
            bar.update(250)
    seconds = (30, 60, 90)
    lines = [f"reading train: {250 * s:,} of 50,000 images, 250 images/s, {_clock(200 - s)} left" for s in seconds]
    assert log.getvalue().splitlines() == lines and "\r" not in log.getvalue()


def _clock(seconds):
    return f"{seconds // 60}:{seconds % 60:02}"


def test_other_output_is_no_silence(clock, log):
    with Progress("reading train", 50_000, "images") as bar:
        for second in range(1, 101):
            clock.now += 1
            bar.update(250)
            if second % 25 == 0:
                progress.write("epoch 1/9: done")
    assert log.getvalue() == ""


def test_a_training_in_a_log(clock, log, rng):
    """Two epochs of batches of 8, 8 and 4, at 20 s each; the speed is that of the 28 images between 20 s and 100 s."""
    pictures = data.ArrayDataset(rng.integers(0, 256, (20, 1, 4, 4), dtype=np.uint8), np.arange(20) % 3, "abc")
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))

    class Slow(data.Loader):
        def epoch(self, *arguments, **options):
            for batch in super().epoch(*arguments, **options):
                clock.now += 20
                yield batch

    loader = Slow(pictures, 8, [data.Normalize.channels(pictures)])
    t = Trainer(model, optim.SGD(model.parameters(), 0.1), None, loader)
    seen = []
    t.fit(2, on_step=lambda t, row: seen.append(t.running.loss))
    first, second = log.getvalue().splitlines()
    assert first == f"epoch 1/2: batch 2 of 3, 0.40 images/s, loss {seen[1]:.3f}, 1:00 left"
    assert second == f"epoch 2/2: batch 2 of 3, 0.35 images/s, loss {seen[4]:.3f}, 0:11 left"


def test_bytes_and_unknown_totals(clock, log, terminal):
    with Progress("cifar-10.tar", 170_498_071, "B", initial=2_000_000) as bar:
        clock.now += 2
        bar.update(10_000_000)
        assert bar.line() == "cifar-10.tar: 12.0 of 170.5 MB, 5.0 MB/s, 0:32 left"
    with Progress("cifar-10.tar", None, "B") as bar:
        clock.now += 2
        bar.update(10_000_000)
        assert bar.line() == "cifar-10.tar: 10.0 MB, 5.0 MB/s"
        assert terminal.lines == ["cifar-10.tar: 10.0 MB, 5.0 MB/s"]
    with Progress("nothing", 0) as bar:
        clock.now += 2
        bar.update(0)
        assert bar.bar(40) == "nothing: 0 items, 0 items/s"


def test_a_terminal_without_block_characters(clock, terminal, halfway):
    terminal.encoding = "ascii"
    clock.now += 2
    halfway.update(100)
    assert f"|{'#' * 12}{'-' * 12}|" in terminal.lines[0]


def test_which_form_is_shown(monkeypatch):
    kernel = type("OutStream", (Screen,), {"__module__": "ipykernel.iostream"})
    monkeypatch.setenv("TERM", "xterm")
    for stdout, stderr, expected in [
        (Screen(), Screen(), progress.TERMINAL),
        (Screen(tty=False), Screen(), progress.TERMINAL),  # output in a pipe, the bar on the terminal
        (Screen(), Screen(tty=False), progress.LOG),
        (kernel(tty=False), kernel(tty=False), progress.NOTEBOOK),
        (None, None, progress.LOG),  # a program without a console
    ]:
        streams(monkeypatch, stdout, stderr)
        assert progress.form() == expected
    streams(monkeypatch, Screen(), Screen())
    monkeypatch.setenv("TERM", "dumb")
    assert progress.form() == progress.LOG


def test_in_a_notebook_one_line_is_replaced(clock, monkeypatch):
    """By IPython's display, here one that notes what it is given: a line for each place on the screen."""
    kernel = type("OutStream", (Screen,), {"__module__": "ipykernel.iostream"})(tty=False)
    streams(monkeypatch, kernel, None)
    places = []

    def display(bundle, raw, display_id):
        assert raw and display_id
        places.append([bundle["text/plain"]])
        return SimpleNamespace(update=lambda bundle, raw, place=places[-1]: place.append(bundle["text/plain"]))

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    with Progress("reading", 40, "images", initial=10) as bar:
        for _ in range(10):
            clock.now += 0.1
            bar.update(3)
        progress.write("a line")
        clock.now += 64
    (place,) = places
    assert len(place) == 3, "at most two a second, and the end"
    assert place[0].startswith("reading:  62% |") and all(len(text) <= 80 for text in place)
    assert place[2] == "reading: 30 images in 1:05" and kernel.getvalue() == "a line\n"
    with Progress("quick", 10) as bar:
        clock.now += 0.4
        bar.update(10)
    assert len(places) == 1, "what is done at once leaves nothing"


def test_it_can_be_switched_off(clock, terminal, monkeypatch):
    monkeypatch.setenv("MINIALEX_PROGRESS", "off")
    with Progress("reading", 10) as bar:
        clock.now += 5
        bar.update(5)
    assert terminal.getvalue() == ""


def test_nothing_is_shown_where_nothing_shall_be(clock, terminal):
    with Progress("reading", 10, shown=False) as bar:
        clock.now += 5
        bar.update(5)
        progress.write("a line")
        clock.now += 5
        bar.update(5)
    assert terminal.lines == ["a line", ""] and bar.done == 10


EPOCH = (
    "epoch 1/8: training loss 2.1583, validation loss 1.5655, top-1 error 59.4 %, top-5 error 4.8 %, "
    "1,786 images/s, 12.9 s"
)


@pytest.mark.parametrize("width", [50, 80])
def test_long_lines_are_folded_after_a_comma(terminal, width):
    terminal.columns = width
    lines = progress.folded(EPOCH).split("\n")
    assert all(len(line) <= width for line in lines) and all(line.startswith("  ") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == EPOCH
    assert all(line.endswith(",") for line in lines[:-1])
    assert len(lines) == {50: 3, 80: 2}[width]


def test_lines_that_fit_and_lines_of_files_are_not_folded(terminal):
    terminal.columns = len(EPOCH)
    assert progress.folded(EPOCH) == EPOCH
    terminal.columns = 50
    assert progress.folded(EPOCH, Screen(tty=False)) == EPOCH
    assert progress.folded("a" * 60 + ", b") == "a" * 60 + ",\n  b"


def test_track(clock, terminal):
    seen = []
    for item in progress.track("abcd", "spelling", "letters"):
        clock.now += 1
        seen.append((item, terminal.lines[-1][:14]))
    assert seen == [("a", ""), ("b", "spelling:  25%"), ("c", "spelling:  50%"), ("d", "spelling:  75%")]
    assert terminal.lines == [""]


def test_the_width_of_a_stream_that_is_no_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "61")
    assert progress.columns(io.StringIO()) == 61
    assert re.fullmatch(r"\d+", str(progress.columns(sys.__stderr__)))
