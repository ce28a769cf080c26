"""Figures: written whole, of the size they should have, showing what they are given."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from minialex import plotting
from minialex.plotting import style


def history(epochs, validation=True):
    rows = [{"epoch": e, "train_loss": 2 / e, "train_error": 0.9 / e} for e in range(1, epochs + 1)]
    for row in rows if validation else ():
        row |= {"val_loss": 2.2 / row["epoch"], "val_top1_error": 0.8 / row["epoch"], "val_top5_error": 0.2}
    return rows


def pixels(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def ink(picture, color):
    """How many pixels have exactly this colour."""
    return int((picture == [int(color[i : i + 2], 16) for i in (1, 3, 5)]).all(-1).sum())


@pytest.mark.parametrize("epochs", [1, 2, 12, 90])
@pytest.mark.parametrize("validation", [True, False])
def test_curves(tmp_path, epochs, validation):
    plotting.curves(history(epochs, validation), tmp_path / "curves.png")
    picture = pixels(tmp_path / "curves.png")
    assert picture.shape == (396, 990, 3)  # 9 x 3.6 inches at 110 dots an inch
    left, right = picture[:, :495], picture[:, 495:]
    assert ink(left, style.TRAIN) > 5 and ink(right, style.TRAIN) > 5
    assert (ink(left, style.VALIDATION) > 5) == validation
    assert (ink(right, style.VALIDATION) > 5) == (ink(right, style.VALIDATION_TOP5) > 5) == validation
    assert [p.name for p in tmp_path.iterdir()] == ["curves.png"], "nothing is left beside it"


def test_curves_of_a_resumed_run_that_had_no_validation_at_first(tmp_path):
    plotting.curves(history(2, validation=False) + history(3)[2:], tmp_path / "curves.png")
    assert ink(pixels(tmp_path / "curves.png"), style.VALIDATION) == 0


def tile(picture, number, height, width, columns=16, margin=12, gap=4):
    """The pixels of one filter: tiles stand in rows from the lower left margin up."""
    pixel = 48 // max(height, width)
    rows = (picture.shape[0] - margin - 30 + gap) // (height * pixel + gap)
    top = picture.shape[0] - margin - rows * (height * pixel + gap) + gap
    y = top + number // columns * (height * pixel + gap)
    x = margin + number % columns * (width * pixel + gap)
    return picture[y : y + height * pixel, x : x + width * pixel]


def test_filters_in_colour_on_one_scale_about_grey(tmp_path):
    weight = np.zeros((20, 3, 4, 6), np.float32)
    weight[0, 0] = 2.0  # the largest: full red, the other channels at their middle
    weight[1, 1] = -1.0  # half as strong, towards no green
    weight[17, 2, 1, 5] = 2.0  # second row, second column: one blue weight
    plotting.filters(weight, tmp_path / "filters.png")
    picture = pixels(tmp_path / "filters.png")
    assert picture.shape == (2 * (4 * 8 + 4) - 4 + 12 + 30, 16 * (6 * 8 + 4) - 4 + 2 * 12, 3)
    assert (abs(tile(picture, 0, 4, 6) - np.array([255.0, 127, 127])) <= 1).all()
    assert (abs(tile(picture, 1, 4, 6) - np.array([127.0, 64, 127])) <= 1).all()
    assert (abs(tile(picture, 2, 4, 6) - 127.0) <= 1).all(), "a filter of zeros is grey"
    blue = tile(picture, 17, 4, 6)[..., 2] > 200
    assert blue[8:16, 40:48].all() and blue.sum() == 64


def test_filters_of_other_channel_counts_are_grey_tiles(tmp_path):
    weight = np.zeros((3, 2, 5, 5))
    weight[1, 1] = 1.0
    plotting.filters(weight, tmp_path / "filters.png")
    picture = pixels(tmp_path / "filters.png")
    means = [tile(picture, number, 5, 5).mean() for number in range(6)]
    assert means[3] > 250 and all(126 < mean < 129 for mean in means[:3] + means[4:])


def test_filters_of_zeros_and_wrong_shapes(tmp_path):
    plotting.filters(np.zeros((1, 3, 11, 11)), tmp_path / "filters.png")
    assert (abs(tile(pixels(tmp_path / "filters.png"), 0, 11, 11) - 127.0) <= 1).all()
    with pytest.raises(ValueError, match=r"\(O, C, h, w\), got shape \(10, 64\)"):
        plotting.filters(np.zeros((10, 64)), tmp_path / "linear.png")
