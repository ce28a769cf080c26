"""Contact sheets and bars, read back from their pixels."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from minialex import data, plotting
from minialex.plotting import sheets, style
from minialex.training import evaluation


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def count(line, color):
    """How many pixels of a line have a colour, but for rounding."""
    return int((np.abs(line - 255 * np.array(to_rgb(color))).max(1) <= 2).sum())


def greys(number, channels=3):
    images = np.broadcast_to(5 * np.arange(number, dtype=np.uint8)[:, None, None, None], (number, channels, 16, 16))
    return data.ArrayDataset(images, np.zeros(number, int), ["ant", "a name that is far too long for its place"])


def verdicts(right):
    """Of pictures of class 0: the larger i, the larger the loss; those of `right` are right."""
    p = 0.4 / (1 + np.arange(len(right)))
    p = np.where(right, 0.9, p)
    return evaluation.Predictions.of(np.log(np.stack([p, 1 - p], 1)), np.zeros(len(right), int))


@pytest.mark.parametrize("channels", [1, 3])
def test_mistakes_are_shown_the_worst_first(tmp_path, channels):
    right = np.zeros(40, bool)
    right[[38, 5]] = True
    plotting.mistakes(greys(40, channels), verdicts(right), tmp_path / "m.png")
    picture = pixels(tmp_path / "m.png")
    shown = [picture[34 + 180 * row + 70, 14 + 154 * column + 70, 0] // 5 for row in range(4) for column in range(6)]
    assert shown == [39, *range(37, 14, -1)]


@pytest.mark.parametrize("wrong", [0, 1, 3, 7])
def test_few_mistakes_or_none(tmp_path, wrong):
    plotting.mistakes(greys(8), verdicts(np.arange(8) >= wrong), tmp_path / "m.png")
    picture = pixels(tmp_path / "m.png")
    rows = -(-wrong // 6)
    assert picture.shape[0] == 34 + 14 + 180 * rows and picture.shape[1] == max(420, 14 + 154 * min(max(wrong, 1), 6))


@pytest.mark.parametrize(
    ("p", "text"), [(1, "100 %"), (0.97, "97 %"), (0.0999, "10 %"), (0.031, "3.1 %"), (0.0004, "0.04 %"), (0, "0 %")]
)
def test_percent(p, text):
    assert sheets.percent(p) == text


def test_bars_are_as_long_as_probabilities_the_likeliest_first(tmp_path):
    images = [np.full((3, 32, 32), value, np.uint8) for value in (0, 100, 200, 50, 150)]
    p = np.array([[0.1, 0.6, 0.3], [1, 0, 0], [0.2, 0.2, 0.6], [0.3, 0.3, 0.4], [0.25, 0.7, 0.05]])
    plotting.bars(images, [f"{i}.jpg" for i in range(5)], p, ["ant", "bee", "cat"], tmp_path / "b.png")
    picture = pixels(tmp_path / "b.png")
    cell = 200 + 24 + 3 * 21
    assert picture.shape == (2 * 16 + 2 * cell + 22, 2 * 16 + 4 * 200 + 3 * 22, 3)
    first, other = style.tint(style.RIGHT, 0.5), style.tint(style.RIGHT, 0.25)
    for place in range(5):
        x, y = 16 + place % 4 * 222, 16 + place // 4 * (cell + 22)
        assert (picture[y + 100, x + 100] == images[place][0, 0, 0]).all()
        for line, share in enumerate(sorted(p[place], reverse=True)):
            across = picture[y + 224 + 21 * line + 1, x : x + 200]  # above the text
            assert abs(count(across, other if line else first) - 200 * share) <= 3, (place, line)
