"""What notebooks show of tensors and modules: right numbers and pictures, escaped and bounded."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minialex import Tensor, models, nn, random
from minialex.support import html


class Page(HTMLParser):
    """The text, tables and pictures of some HTML, whose tags all close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.pictures, self.words, self.tags = [], [], [], [], set()
        self.feed(text)
        self.close()
        assert not self.open
        assert self.tags <= {"div", "b", "table", "tr", "th", "td", "img", "pre"}, self.tags
        self.text = " ".join(self.words)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "tr":
            self.cells.append([])
        if tag == "img":
            data = dict(attributes)["src"].removeprefix("data:image/png;base64,")
            with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as image:
                assert image.format == "PNG" and image.mode == "RGB"
                self.pictures.append(np.asarray(image))
        else:
            self.open.append(tag)
            if tag in ("td", "th"):
                self.cells[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1][-1] += data


def page(thing):
    return Page(thing._repr_html_())


class TestTensors:
    def test_statistics_by_hand(self):
        shown = page(Tensor(np.array([[0.0, 1, 2], [3, -1, np.nan], [np.inf, np.inf, 1]], np.float32)))
        assert shown.cells[0] == ["min", "max", "mean", "std", "zeros", "NaN", "infinite"]
        assert shown.cells[1] == ["-1", "3", "1", "1.291", "16.7 %", "1", "2"]  # of 0 1 2 3 -1 1
        assert shown.text.startswith("Tensor (3, 3), float32, on numpy") and "nan" in shown.text

    def test_what_it_is(self):
        x = nn.Parameter(np.ones(2, np.float32))
        assert page(x).text.startswith("Parameter (2,), float32, on numpy, requires_grad ")
        y = (x * 2).sum()
        assert page(y).text.startswith("Tensor (), float32, on numpy, made by sum ") and page(y).text.endswith("4.")
        y.backward()
        assert "requires_grad, with a gradient" in page(x).text
        assert page(Tensor([True, False, True])).cells == [["true", "false"], ["2", "1"]]
        assert page(Tensor(np.zeros((0, 3)))).text.endswith("no elements")
        assert page(Tensor(np.full(3, np.nan))).cells == [["NaN"], ["3"]]
        assert page(Tensor(np.array([2**40, 1]))).cells[1][:2] == ["1", "1.1e+12"]

    def test_many_values_are_not_all_printed(self, rng):
        assert len(Tensor(rng.standard_normal((300, 400)))._repr_html_()) < 3000
        assert len(Tensor(rng.standard_normal((2, 10**6)))._repr_html_()) < 3000

    def test_the_values_are_left_alone(self, rng):
        x = Tensor(rng.standard_normal((2, 3, 8, 8)).astype(np.float32), requires_grad=True)
        before, version = x.numpy().copy(), x.version
        page(x)
        assert (x.numpy() == before).all() and x.version == version and x.grad is None


class TestPictures:
    def test_bytes_keep_their_colours(self, rng):
        images = rng.integers(0, 256, (3, 3, 32, 16), dtype=np.uint8)
        shown = page(Tensor(images))
        (picture,) = shown.pictures
        assert picture.shape == (64, 3 * 32 + 2 * 2, 3) and "3 images, values from 0 to 255" in shown.text
        for number, image in enumerate(images):
            tile = picture[:, number * 34 : number * 34 + 32]
            assert (tile[::2, ::2] == image.transpose(1, 2, 0)).all() and (tile[1::2, 1::2] == tile[::2, ::2]).all()
        assert (picture[:, 32:34] == 255).all()

    def test_other_numbers_are_scaled_from_the_lowest_to_the_highest(self):
        image = np.array([[[[-1.0, 0.0], [0.5, 3.0]]]], np.float32)
        shown = page(Tensor(image))
        pixels = shown.pictures[0][::32, ::32, 0]
        assert pixels.tolist() == [[0, 64], [96, 255]] and "1 image, black is -1, white 3" in shown.text

    def test_feature_maps_are_channels_of_the_first_sample(self, rng):
        maps = rng.standard_normal((2, 40, 64, 64)).astype(np.float32)
        shown = page(Tensor(maps))
        assert "16 of 40 channels of the first sample" in shown.text
        tile = shown.pictures[0][66:130, 66:130].astype(float)  # the second row's second: channel 9
        assert (tile[..., 0] == tile[..., 1]).all() and np.corrcoef(tile[..., 0].ravel(), maps[0, 9].ravel())[
            0, 1
        ] > 0.99

    def test_what_is_not_finite_stands_out(self):
        image = np.zeros((1, 3, 4, 4), np.float32)
        image[0, 1, 2, 3], image[0, 0, 0, 0] = np.nan, 1
        shown = page(Tensor(image))
        pixels = shown.pictures[0][::16, ::16]
        assert pixels[2, 3].tolist() == list(html.NOT_FINITE) and pixels[0, 0].tolist() == [255, 0, 0]
        assert (pixels == 0).all(-1).sum() == 14 and "orange: NaN or infinite" in shown.text
        page(Tensor(np.full((1, 3, 4, 4), np.nan, np.float32)))
        page(Tensor(np.full((1, 3, 4, 4), 7, np.float32)))

    @pytest.mark.parametrize("shape", [(17, 3, 227, 227), (1, 3, 1000, 300), (1, 1, 3, 5000), (2, 50, 100, 100)])
    def test_a_picture_is_bounded(self, rng, shape):
        count = 16 if shape[0] > 1 else 1  # all that is drawn: zeros elsewhere are quick
        array = np.zeros(shape, np.float32)
        array[:1, :16] = rng.standard_normal((1, min(16, shape[1]), *shape[2:]))
        x = Tensor(array)
        text = x._repr_html_()
        (picture,) = Page(text).pictures
        assert picture.shape[0] * picture.shape[1] < 1.2 * html.PIXELS and len(text) < 4.5 * html.PIXELS
        assert "th pixel is a mean of" in text or count * shape[2] * shape[3] <= html.PIXELS

    def test_shrunk_pixels_are_means(self):
        image = np.arange(1024 * 512, dtype=np.float32).reshape(1, 1, 1024, 512)
        (picture,) = page(Tensor(image)).pictures
        step = 3  # sqrt(2^19 / 2^16) = 2.8
        means = image[0, 0, :1023, :510].reshape(341, step, 170, step).mean((1, 3))
        expected = np.round((means - means.min()) / (means.max() - means.min()) * 255)
        assert picture.shape == (341, 170, 3) and abs(picture[..., 0] - expected).max() <= 1

    @pytest.mark.parametrize("shape", [(2, 3, 1, 5), (3, 8, 8), (2, 3)])
    def test_not_of_everything(self, shape):
        assert page(Tensor(np.ones(shape, np.float32))).pictures == []


def alexnet_at_127():
    with nn.init.skipped():
        return models.build("alexnet_torchvision", input_size=127, num_classes=10)


class TestModules:
    def test_a_published_network_has_its_shapes(self):
        shown = page(models.build("shapes_net", num_classes=7))
        assert shown.cells[0] == ["layer", "type", "output", "parameters", "MACs"]
        assert shown.cells[1] == [
            "conv1",
            "Conv2d(3, 32, kernel_size=(5, 5), stride=(2, 2), padding=(2, 2))",
            "32 × 16 × 16",
            "2,432",
            "614,400",
        ]
        assert shown.cells[-1][:2] == ["total", ""] and shown.cells[-2][2] == "7"
        assert shown.text.startswith("Sequential: 123,399 parameters, 0.5 MB, in training mode")
        assert "input 3 × 32 × 32" in shown.text

    def test_another_input_size(self):
        shown = page(alexnet_at_127())
        assert "input 3 × 127 × 127" in shown.text and "64 × 31 × 31" in shown.cells[1]

    def test_a_perceptron_knows_its_input(self):
        model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2)).eval()
        model[1].weight.requires_grad_(False)
        shown = page(model)
        assert [row[2] for row in shown.cells[1:-1]] == ["12", "5", "5", "2"]
        assert shown.text.startswith("Sequential: 77 parameters, 60 of them frozen, 0.3 kB, in evaluation mode")

    def test_without_shapes_the_layers_and_their_parameters(self):
        class Own(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(3, 8, 3)
                self.twin = self.conv  # one layer under two names counts once
                self.head = nn.Sequential(nn.Flatten(), nn.Linear(8, 2))
                self.scale = nn.Parameter(np.ones(3, np.float32))

        shown = page(Own())
        assert [(row[0], row[2]) for row in shown.cells] == [
            ("layer", "parameters"),
            ("-", "3"),
            ("conv", "224"),
            ("head.0", "-"),
            ("head.1", "18"),
            ("total", "245"),
        ]
        assert page(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())).cells[0] == ["layer", "type", "parameters"]

    def test_an_own_network_that_says_its_input(self):
        class Own(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 2)

            def forward(self, x):
                return self.fc(self.conv(x).relu().mean((2, 3)))

        model = Own()
        model.input_shape = (3, 10, 10)
        call = random.default_generator.call
        outputs = {row[0]: row[2] for row in page(model).cells}
        assert (outputs["conv"], outputs["fc"]) == ("8 × 8 × 8", "2")
        assert model.training and random.default_generator.call == call
        model.input_shape = (4, 10, 10)  # wrong: the layers without shapes
        assert page(model).cells[0] == ["layer", "type", "parameters"]

    def test_a_network_that_was_changed_since(self):
        model = models.build("shapes_net")
        model[-1] = nn.Linear(3, 10)  # no longer fits
        assert page(model).cells[0] == ["layer", "type", "parameters"]

    def test_names_are_escaped(self):
        class Odd(nn.Module):
            def extra_repr(self):
                return "<script>alert('&')</script>"

        text = nn.Sequential({"<b>": Odd()})._repr_html_()
        assert "<script" not in text and "<b>&lt;b&gt;" not in text and "&lt;script&gt;" in text
        assert [row[:2] for row in Page(text).cells[1:2]] == [["<b>", "Odd(<script>alert('&')</script>)"]]

    def test_a_long_network_is_cut(self):
        shown = page(nn.Sequential(*(nn.ReLU() for _ in range(500)), nn.Conv2d(1, 1, 1)))
        assert len(shown.cells) == 1 + html.ROWS + 1 + 1 and shown.cells[-2][0] == "... and 301 more"


def test_a_png_by_hand():
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    with Image.open(io.BytesIO(html.png(pixels))) as image:
        assert (np.asarray(image) == pixels).all()


@pytest.mark.heavy
def test_matplotlib_and_pillow_are_not_needed():
    code = """
import sys, minialex
minialex.Tensor([[1.0]])._repr_html_()
minialex.models.build("shapes_net")._repr_html_()
print(sorted({"matplotlib", "PIL", "IPython"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout == "[]\n", done.stderr
    assert not re.search("Error", done.stderr)
