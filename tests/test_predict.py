"""The command `python -m minialex.predict`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusals import must_refuse

from minialex import cli, data, models, predict, random
from minialex.runs import checkpoint, trained
from minialex.tensor import Tensor, no_grad


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A checkpoint of random weights, and of classes in words."""
    random.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "net.npz"
    values = {name: 1.7 * array for name, array in models.build("shapes_net").state_dict().items()}
    norm = data.Normalize(np.array([100, 120, 140])[:, None, None], 50)
    classes = [f"class {letter}" for letter in "abcdefghij"]
    checkpoint.save(path, checkpoint.Checkpoint("shapes_net", {}, values, 32, norm.to_arrays(), classes, {}, resize=40))
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    """The current folder, with pictures of 40x40: two in colour, a.png and b.png, and what is none."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(name)
    Path("bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
    return tmp_path


def run(*arguments):
    return cli.run(predict.main, [str(argument) for argument in (*arguments, "--backend", "numpy")])


def expected(weights, path, views=1):
    """Probabilities of a picture of 40x40, one view after the other."""
    network = trained.load(weights)
    with Image.open(path) as image:
        picture = np.asarray(image.convert("RGB")).transpose(2, 0, 1).astype(np.float32)
    mean = np.array([100, 120, 140], np.float32)[:, None, None]
    corners = [(0, 0), (0, 8), (8, 0), (8, 8), (4, 4)] if views == 10 else [(4, 4)]
    corners = [(top, left) for top in (0, 4, 8) for left in (0, 4, 8)] if views == 9 else corners
    total = np.zeros(10)
    with no_grad():
        for top, left in corners:
            for step in (1, -1) if views == 10 else (1,):
                view = (picture[:, top : top + 32, left : left + 32][:, :, ::step] - mean) / 50
                powers = np.exp(network.model(Tensor(view[None])).numpy()[0].astype(np.float64))
                total += powers / powers.sum() / views
    return total


@pytest.mark.parametrize("views", [1, 9, 10])
def test_json_holds_the_likeliest_classes_of_each_picture(weights, folder, capsys, views):
    assert run(weights, "a.png", "b.png", "--views", views, "--json", "--top", 3) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["file"] for answer in answers] == ["a.png", "b.png"]
    for answer in answers:
        p = expected(weights, answer["file"], views)
        best = np.argsort(-p)[:3]
        assert [row["class"] for row in answer["predictions"]] == [f"class {'abcdefghij'[c]}" for c in best]
        np.testing.assert_allclose([row["probability"] for row in answer["predictions"]], p[best], rtol=1e-4)


def test_lines_for_a_person(weights, folder, capsys):
    assert run(weights, "a.png", "b.png", "--top", 99) == 0
    out, err = capsys.readouterr()
    assert err == ""
    first, second = out.split("\n\n")
    for name, text in (("a.png", first), ("b.png", second)):
        p = np.sort(expected(weights, name))[::-1]
        title, *lines = text.strip().split("\n")
        assert title == name and len(lines) == 10
        assert [line[:11] for line in lines] == [f"  {100 * value:6.2f} % " for value in p]


def test_any_number_of_pictures_at_a_time(weights, folder, capsys, monkeypatch):
    printed = []
    for at_once in (1, 2, 100):
        monkeypatch.setattr(predict, "AT_ONCE", at_once)
        assert run(weights, "a.png", "b.png", "a.png") == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] == printed[2] and printed[0].count("a.png") == 2


def test_grey_pictures_cmyk_and_other_sizes(weights, folder, capsys):
    grey = Image.new("L", (60, 45), 128)
    names = []
    for mode, name in (("L", "grey.png"), ("RGB", "colour.png"), ("CMYK", "ink.jpg"), ("1", "bits.gif")):
        grey.convert(mode).save(name)
        names.append(name)
    assert run(weights, *names, "--json") == 0
    answers = json.loads(capsys.readouterr().out)
    assert len(answers) == 4 and answers[0]["predictions"] == answers[1]["predictions"]


def test_what_cannot_be_read_is_named_and_the_rest_is_answered(weights, folder, capsys):
    assert run(weights, "bad.jpg", "a.png", "gone.png", ".", "b.png", "--picture", "p.png") == 2
    out, err = capsys.readouterr()
    assert out.startswith("a.png\n") and "\n\nb.png\n" in out and Path("p.png").exists()
    assert err.startswith("error: 3 of 5 images could not be read: bad.jpg is damaged") and err.count("\n") == 1
    assert "; gone.png: No such file or directory; .: Is a directory" in err


def test_bad_input(weights, folder, capsys):
    for arguments, sentence in {
        (weights, "bad.jpg"): "the image could not be read: bad.jpg is damaged",
        (weights, "a.png", "--picture", "p.jpg"): "--picture p.jpg: the name of a figure must end in .png or .svg",
        (weights, *["a.png"] * 101, "--picture", "p.png"): "--picture draws at most 100 images, got 101",
        (weights,): "IMAGE",
        ("a.png", "b.png"): "a.png is not a minialex checkpoint",
        (weights, "a.png", "--views", 5): "invalid choice",
        (weights, "a.png", "--top", 0): "whole number of at least 1",
    }.items():
        assert sentence in must_refuse(capsys, *arguments, main=predict.main), arguments


@pytest.mark.parametrize("name", ["p.png", "p.svg"])
def test_a_figure(weights, folder, name):
    assert run(weights, "a.png", "b.png", "--picture", name) == 0
    if name.endswith("svg"):
        assert b"<svg" in Path(name).read_bytes()
    else:
        with Image.open(name) as image:
            assert image.size == (2 * 16 + 2 * 200 + 22, 2 * 16 + 200 + 24 + 5 * 21)
