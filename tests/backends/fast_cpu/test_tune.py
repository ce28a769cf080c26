"""The user's own table of how convolutions are computed: what is measured and chosen, and its file."""

from __future__ import annotations

import json

import pytest

from minialex import threads
from minialex.backends.fast_cpu import tune, ways
from minialex.window import Window

WINDOW = Window.over((32, 9, 7), 3, 1, 1)
LAYER = tune.Convolution("net conv2", (32, 9, 7), (24, 16, 3, 3), WINDOW, 2, batch_size=5)
ALL = ["direct", "F(4,3)", "F(5,3)"]


@pytest.fixture(autouse=True)
def the_built_in_choice():
    yield
    ways.use(None)


class FakeTime:
    """A clock that goes on when a convolution is computed: by cost(way, number of the step) for each step."""

    def __init__(self, monkeypatch, cost):
        self.now, self.cost, self.steps, self.shapes = 100.0, cost, [], set()
        monkeypatch.setattr(ways, "conv2d", self.conv2d)
        monkeypatch.setattr(ways, "conv2d_backward", self.conv2d_backward)

    def __call__(self):
        return self.now

    def conv2d(self, x, w, b, window, groups):
        self.steps.append(str(ways.choose(x.shape[1:], w.shape, window, groups, x.dtype)))
        self.shapes.add((x.shape, w.shape, b.shape, window, groups))

    def conv2d_backward(self, gy, x_shape, w_shape, x, w, window, groups):
        way = str(ways.choose(x_shape[1:], w_shape, window, groups, gy.dtype))
        assert way == self.steps[-1]
        self.shapes.add((gy.shape, x_shape, w_shape, x.shape, None if w is None else w.shape, window, groups))
        self.now += self.cost(way, len(self.steps))


def test_medians_of_rounds_in_which_the_ways_take_turns(monkeypatch):
    times = {"direct": 0.5, "F(4,3)": 0.3, "F(5,3)": 0.4}
    slow = {1, 2, 3, 7, 5, 8, 11}  # the first round, which compiles; later once the first way, thrice the second

    def cost(way, step):
        return times[way] * (100 if step in slow else 1)

    clock, ticks = FakeTime(monkeypatch, cost), []
    found = tune.measure(LAYER, clock, lambda: ticks.append(1))
    assert clock.steps == ALL * (1 + tune.ROUNDS) and len(ticks) == LAYER.steps == len(clock.steps)
    assert found.seconds == pytest.approx(times)
    assert (found.choice, found.convolution) == ("F(4,3)", LAYER)
    x, w, gy = (5, 32, 9, 7), (24, 16, 3, 3), (5, 24, 9, 7)
    assert clock.shapes == {(x, w, (24,), WINDOW, 2), (gy, x, w, x, w, WINDOW, 2)}


def test_a_short_step_is_repeated(monkeypatch):
    clock = FakeTime(monkeypatch, lambda way, step: tune.LONG_ENOUGH * 0.4)
    found = tune.measure(LAYER, clock)
    assert len(clock.steps) == 3 * LAYER.steps and clock.steps[:4] == ["direct"] * 3 + ["F(4,3)"]
    assert found.seconds == pytest.approx(dict.fromkeys(ALL, tune.LONG_ENOUGH * 0.4))


def test_images_get_no_gradient(monkeypatch):
    clock = FakeTime(monkeypatch, lambda way, step: 1.0)
    window = Window.over((3, 9, 7), 3)
    found = tune.measure(tune.Convolution("net conv1", (3, 9, 7), (24, 3, 3, 3), window, 1, 2, first=True), clock)
    assert found.seconds == {"direct": 1.0} and found.choice == "direct", "over three channels there is no choice"
    assert {shapes[4] for shapes in clock.shapes if len(shapes) == 7} == {None}


@pytest.mark.parametrize("in_use", [{}, {LAYER.key: "F(5,3)"}, {"another layer": "direct"}])
def test_the_built_in_choice_is_that_without_a_table_and_the_table_comes_back(monkeypatch, in_use):
    def interrupted(way, step):
        if step == 5:
            raise KeyboardInterrupt
        return 1.0

    ways.use({})
    built_in = str(ways.choose(LAYER.image, LAYER.filters, WINDOW, 2, "float32"))
    assert built_in != "F(5,3)"
    ways.use(in_use)
    assert tune.measure(LAYER, FakeTime(monkeypatch, lambda way, step: 1.0)).built_in == built_in
    assert ways.table() == in_use
    with pytest.raises(KeyboardInterrupt):
        tune.measure(LAYER, FakeTime(monkeypatch, interrupted))
    assert ways.table() == in_use


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({"direct": 1.0, "F(4,3)": 0.96, "F(5,3)": 2.0}, "direct"),
        ({"direct": 1.0, "F(4,3)": 0.94, "F(5,3)": 2.0}, "F(4,3)"),
        ({"direct": 1.0, "F(4,3)": 0.94, "F(5,3)": 0.93}, "F(5,3)"),
        ({"direct": 1.0, "F(4,3)": 3.0, "F(5,3)": 2.0}, "direct"),
        ({"direct": 1.0}, "direct"),
    ],
)
def test_another_way_has_to_save_more_than_noise(seconds, chosen):
    assert tune.Measured(LAYER, seconds, "direct").choice == chosen


# ------------------------------------------------------------------------------ the file


def good(**changes):
    """A table as JSON, with other values."""
    return {
        "format": "minialex convolutions 1",
        "minialex": "0.1.0",
        "processor": "a processor",
        "threads": 2,
        "date": "2026-01-31",
        "ways": {LAYER.key: "F(5,3)"},
    } | changes


def test_what_is_written_is_read(tmp_path):
    other = tune.Convolution("net conv3", (32, 9, 7), (24, 32, 3, 3), WINDOW, 1, batch_size=5)
    measured = [
        tune.Measured(LAYER, {"direct": 1.0, "F(4,3)": 0.5, "F(5,3)": 2.0}, "direct"),
        tune.Measured(other, {"direct": 1.0, "F(4,3)": 0.99, "F(5,3)": 2.0}, "direct"),
    ]
    tune.write(tmp_path / "my.json", measured, "0.1.0", "a processor")
    content = json.loads((tmp_path / "my.json").read_text())
    assert content == good(threads=threads.count(), date=content["date"], ways=content["ways"])
    table = tune.read(tmp_path / "my.json", threads.count())
    assert table == content["ways"] == {LAYER.key: "F(4,3)", other.key: "direct"}
    ways.use(table)
    assert str(ways.choose(LAYER.image, LAYER.filters, WINDOW, 2, "float32")) == "F(4,3)"
    assert [path.name for path in tmp_path.iterdir()] == ["my.json"]


def text(**changes):
    return json.dumps(good(**changes)).encode()


BAD = {
    "cut short": (text()[:-9], "not a table of convolutions: it is not JSON "),
    "no text": (b"\xff\xfe\x00", "not a table of convolutions: it is not JSON "),
    "nested": (b"[" * 100_000, "not a table of convolutions: it is not JSON that can be read: it is nested too deeply"),
    "a list": (b"[1, 2]", 'not a table of convolutions: its format is not "minialex convolutions 1"'),
    "another format": (text(format="minialex convolutions 2"), "its format is not"),
    "without a format": (b'{"ways": {}}', "its format is not"),
    "without ways": (json.dumps({k: v for k, v in good().items() if k != "ways"}).encode(), "field ways is missing"),
    "no ways": (text(ways={}), "ways should be of at least 1 item"),
    "unknown way": (text(ways={LAYER.key: "F(9,9)"}), r"should be one of direct, F\(4,3\), .*, got 'F\(9,9\)'"),
    "a way that is a number": (text(ways={LAYER.key: 4}), "should be a string, got 4"),
    "a stranger": (text(colour="blue"), "unknown field colour"),
    "threads as text": (text(threads="2"), "threads should be an integer, got '2'"),
    "a layer twice": (text()[:-2] + b', "a": "direct", "a": "direct"}}', "has the key a twice"),
    "too long": (text() + b" " * 2**20, "it is longer than 1,048,576 bytes"),
    "other threads": (
        text(threads=1),
        "measured with 1 thread, but this run has 2: tune again with threads=2, or leave conv_table=... out",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files(tmp_path, case):
    content, expected = BAD[case]
    (tmp_path / "my.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{tmp_path}/my.json (is|was) .*{expected}"):
        tune.read(tmp_path / "my.json", 2)


def test_a_file_of_the_largest_size(tmp_path):
    (tmp_path / "my.json").write_bytes(text().ljust(2**20))
    assert tune.read(tmp_path / "my.json", 2) == good()["ways"]
