"""The figures that judge: predictions, confusion, and the layers in training. Read back from their pixels."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from on_request import heavy_but
from PIL import Image

from minialex import data, plotting
from minialex.plotting import style


def pixels(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def near(pixel, color):
    """Whether a pixel has this colour, but for rounding."""
    return bool(np.abs(np.asarray(pixel) - 255 * np.array(to_rgb(color))).max() <= 2)


def shades(count, channels=3):
    """A data set whose picture i is grey of brightness 5 i; its labels are 0, 1, 2, 0, ..."""
    images = np.broadcast_to(5 * np.arange(count, dtype=np.uint8)[:, None, None, None], (count, channels, 16, 12))
    return data.ArrayDataset(images, np.arange(count) % 3, ["ant", "bee", "cat"])


def logits_saying(said, sureness=5.0):
    logits = np.zeros((len(said), 3), np.float32)
    logits[np.arange(len(said)), said] = sureness
    return logits


def shown(path):
    """(which picture, whether marked as right) of each cell, and the picture of the figure."""
    picture = pixels(path)
    cells = []
    for row in range((picture.shape[0] - 46) // 130):
        for column in range(4):
            x, y = 12 + 242 * column, 46 + 130 * row + 17
            value = picture[y + 48, x + 48]
            if not near(picture[y + 48, x], "white"):
                assert (value == value[0]).all() and value[0] % 5 == 0
                colors = [near(picture[y + 48, x], c) for c in (style.RIGHT, style.WRONG)]
                assert sum(colors) == 1
                cells.append((int(value[0]) // 5, colors[0]))
    return cells, picture


class TestPredictions:
    def test_the_surest_mistake_of_each_kind_comes_first(self, tmp_path):
        pictures = shades(40)
        said = pictures.labels.copy()
        logits = logits_saying(said)
        # kinds: 0 taken for 1 (pictures 3, 6, 9), 1 for 2 (4), 2 for 0 (5)
        for index, (wrong, sureness) in {3: (1, 2.0), 6: (1, 9.0), 9: (1, 8.0), 4: (2, 1.0), 5: (0, 3.0)}.items():
            logits[index] = logits_saying([wrong], sureness)[0]
        plotting.predictions(pictures, logits, tmp_path / "p.png")
        cells, _ = shown(tmp_path / "p.png")
        assert cells == [(i, False) for i in (6, 5, 4, 9, 3)] + [(i, True) for i in (0, 1, 2, 7, 8, 10, 11)]

    @pytest.mark.parametrize(
        ("wrong", "right", "mistakes_shown", "right_shown"),
        heavy_but(
            [(20, 20, 6, 6), (1, 2, 1, 2)],
            [(20, 20, 6, 6), (3, 20, 3, 9), (20, 2, 10, 2), (0, 20, 0, 12), (20, 0, 12, 0), (1, 2, 1, 2), (0, 1, 0, 1)],
        ),
    )
    def test_how_many_of_which(self, tmp_path, wrong, right, mistakes_shown, right_shown):
        pictures = shades(wrong + right)
        said = (pictures.labels + (np.arange(wrong + right) < wrong)) % 3
        plotting.predictions(pictures, logits_saying(said), tmp_path / "p.png")
        cells, picture = shown(tmp_path / "p.png")
        assert [mark for _, mark in cells] == [False] * mistakes_shown + [True] * right_shown
        assert all((index >= wrong) == mark for index, mark in cells)
        assert picture.shape[0] == 46 + 130 * -(-len(cells) // 4)

    def test_bars_are_as_long_as_probabilities_and_tell_true_from_said(self, tmp_path):
        pictures = shades(2)
        logits = np.log(np.array([[0.1, 0.7, 0.2], [0.25, 0.7, 0.05]], np.float32))  # 0 is said to be 1; 1 is right
        plotting.predictions(pictures, logits, tmp_path / "p.png")
        _, picture = shown(tmp_path / "p.png")
        tints = {color: style.tint(color, 0.45) for color in (style.RIGHT, style.WRONG, "#999999")}
        expected = [  # by cell and row: colour and length
            [(style.WRONG, 0.7), ("#999999", 0.2), (style.RIGHT, 0.1)],
            [(style.RIGHT, 0.7), ("#999999", 0.25), ("#999999", 0.05)],
        ]
        for cell, rows in enumerate(expected):
            for row, (color, length) in enumerate(rows):
                line = picture[46 + 17 + 3 + round(row * 94 / 4), 12 + 242 * cell + 104 :][:122]  # above the text
                count = sum(near(p, tints[color]) for p in line)
                assert abs(count - 122 * length) <= 2, (cell, row)

    def test_the_true_class_is_shown_however_unlikely(self, tmp_path):
        pictures = data.ArrayDataset(np.zeros((1, 3, 8, 8), np.uint8), np.array([6]), [f"c{i}" for i in range(7)])
        logits = np.log(np.array([[0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1]], np.float32))
        plotting.predictions(pictures, logits, tmp_path / "p.png")
        line = pixels(tmp_path / "p.png")[46 + 17 + 3 + round(3 * 94 / 4), 12 + 104 :][:122]
        assert 10 <= sum(near(p, style.tint(style.RIGHT, 0.45)) for p in line) <= 14

    @pytest.mark.parametrize("classes", [2, pytest.param(1000, marks=pytest.mark.heavy)])
    def test_any_number_of_classes_large_pictures_one_channel(self, tmp_path, rng, classes):
        names = [f"a name that is much too long {i}" for i in range(classes)]
        pictures = data.ArrayDataset(np.full((5, 1, 227, 227), 50, np.uint8), np.array([0, 1, 0, 1, 0]), names)
        plotting.predictions(pictures, rng.standard_normal((5, classes)), tmp_path / "p.png")
        assert len(shown(tmp_path / "p.png")[0]) == 5

    def test_logits_that_overflow_a_naive_softmax(self, tmp_path):
        plotting.predictions(shades(2), np.array([[1e4, 0, 0], [0, 1e4, 0]], np.float32), tmp_path / "p.png")
        assert shown(tmp_path / "p.png")[0] == [(0, True), (1, True)]


def cell(picture, row, column, size=46, left=140, top=48):
    """The colour of a cell of the confusion matrix, away from a number in its middle."""
    inside = size // 8 if size == 46 else size // 2
    return picture[top + row * size + inside, left + column * size + inside]


class TestConfusion:
    def test_rows_are_true_columns_predicted_colours_shares_of_the_row(self, tmp_path):
        """Class 0: 3 of 4 right, 1 taken for 2. Class 1: never seen. Class 2: 1 right, 99 taken for 0."""
        labels = np.array([0] * 4 + [2] * 100)
        predicted = np.array([0, 0, 0, 2] + [2] + [0] * 99)
        plotting.confusion(labels, predicted, ["ant", "bee", "cat"], tmp_path / "c.png")
        picture = pixels(tmp_path / "c.png")
        for row, column, share in ((0, 0, 0.75), (0, 2, 0.25), (2, 2, 0.01), (2, 0, 0.99), (0, 1, 0), (1, 1, 0)):
            color = style.RIGHT if row == column else style.WRONG
            assert near(cell(picture, row, column), style.tint(color, share**0.5)), (row, column)

    @pytest.mark.parametrize(
        ("classes", "size"),
        heavy_but([(1, 46), (20, 46), (21, 24)], [(1, 46), (20, 46), (21, 24), (100, 7), (1000, 1)]),
    )
    def test_many_classes(self, tmp_path, classes, size):
        labels = np.repeat(np.arange(classes), 2)
        predicted = labels.copy()
        predicted[0] = classes - 1
        plotting.confusion(labels, predicted, [f"class number {i}" for i in range(classes)], tmp_path / "c.png")
        picture = pixels(tmp_path / "c.png")
        for index in range(3, classes - 3):  # away from the frame
            assert near(cell(picture, index, index, size), style.RIGHT)
        if size > 1 and classes > 1:
            assert near(cell(picture, 0, classes - 1, size), style.tint(style.WRONG, 0.5**0.5))
            assert near(cell(picture, classes - 1, 1, size), "white")
        if size > 10:
            middle = picture[48 : 48 + size, 140 : 140 + size][4:-4, 4:-4]
            assert (np.ptp(middle[..., 0]) > 50) == (classes <= 20), "counts for up to 20 classes"


def layers(**figures):
    return [
        {"layer": f"fc{i}"} | {key: values[i] for key, values in figures.items()}
        for i in range(len(next(iter(figures.values()))))
    ]


def panel(picture, number, row, column, columns):
    """The colour of layer `row` in epoch `column`, in one of the four panels."""
    return picture[34 + 24 * row + 12, 70 + 228 * number + round(172 * (column + 0.5) / columns)]


class TestDiagnosis:
    @pytest.mark.heavy
    def test_what_is_healthy_is_pale_too_small_blue_too_large_orange(self, tmp_path):
        first = layers(
            activation=[1.0, 1.0, 0.1], dead=[0.0, 0.49, None], gradient=[1.0, 0.01, 1.0], update=[1e-3, 1e-9, 4e-5]
        )
        second = layers(
            activation=[1.0, 0.1, 0.1], dead=[0.51, 1.0, None], gradient=[1.0, 0.01, None], update=[2e-2, 10.0, 4e-2]
        )
        history = [{"epoch": 3}, {"epoch": 4, "layers": first}, {"epoch": 5, "layers": second}]
        plotting.diagnosis(history, tmp_path / "d.png")
        picture = pixels(tmp_path / "d.png")
        assert picture.shape == (34 + 3 * 24 + 82, 70 + 4 * 228, 3)

        def colors(number):
            return [[panel(picture, number, row, column, 2) for column in (0, 1)] for row in range(3)]

        pale, ink = style.PALE, style.INK
        assert [[near(c, ink) for c in row] for row in colors(0)] == [[True, True], [True, False], [False, False]]
        assert near(colors(0)[2][0], pale) and near(colors(2)[0][0], ink) and near(colors(2)[1][1], pale)
        dead, update = colors(1), colors(3)
        assert near(dead[0][0], pale) and near(dead[1][0], pale), "up to half is healthy"
        assert near(dead[1][1], style.WRONG) and dead[0][1][0] > dead[0][1][2] + 40, "more is not"
        assert near(dead[2][0], "white") and near(colors(2)[2][1], "white"), "no such figure"
        assert [near(update[row][column], pale) for row, column in ((0, 0), (0, 1), (2, 0))] == [True] * 3
        assert near(update[1][0], style.BLUE) and near(update[1][1], style.WRONG)
        assert update[2][1][0] > update[2][1][2] + 40, "just above: a tint of orange"

    @pytest.mark.parametrize(("epochs", "count"), [(1, 1), (90, 30)])
    def test_of_any_size_even_without_a_single_figure(self, tmp_path, epochs, count):
        nothing = layers(activation=[0.0] * count, dead=[None] * count, gradient=[None] * count, update=[None] * count)
        plotting.diagnosis([{"epoch": e + 1, "layers": nothing} for e in range(epochs)], tmp_path / "d.png")
        assert pixels(tmp_path / "d.png").shape == (34 + 24 * count + 82, 982, 3)
