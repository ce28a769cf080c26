"""Evaluation, against plain loops and numbers worked by hand, and the command `python -m minialex.evaluate`."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusals import must_refuse, no_figures
from tiny_runs import TINY
from tiny_runs import run as train

from minialex import cli, data, evaluate, models, nn
from minialex.data.pipeline import Pipeline
from minialex.runs import checkpoint, trained
from minialex.tensor import Tensor, is_grad_enabled
from minialex.training import evaluation

PLAIN = data.Normalize(np.zeros((3, 1, 1)))


class Says(nn.Module):
    """To a picture of nothing but the value i it says row i of a table of logits."""

    def __init__(self, logits):
        super().__init__()
        self.logits = np.asarray(logits, np.float32)

    def forward(self, x):
        assert not is_grad_enabled()
        return Tensor(self.logits[x.numpy()[:, 0, 0, 0].astype(int)])


def saying(logits, classes="abc"):
    return trained.Trained(Path("net.npz"), None, Says(logits), Pipeline(PLAIN, 4), list(classes), 4)


def numbered(labels, classes="abc"):
    """A data set whose picture i has the value i everywhere."""
    images = np.broadcast_to(np.arange(len(labels), dtype=np.uint8)[:, None, None, None], (len(labels), 3, 4, 4))
    return data.ArrayDataset(images, np.asarray(labels), tuple(classes))


def judge(networks, labels, classes="abc", batch_size=2):
    pictures = numbered(labels, classes)
    return evaluation.evaluate(networks, data.Loader(pictures, batch_size).epoch(), pictures.classes)


def shapes_net(path, size=32, **changes):
    """A checkpoint of random weights at `path`, loaded."""
    rng = np.random.default_rng(size)
    model = models.build("shapes_net")
    weights = {name: 3 * w for name, w in model.state_dict().items()}
    norm = data.Normalize(rng.uniform(90, 140, (3, 37, 37)), 40)
    saved = checkpoint.Checkpoint("shapes_net", {}, weights, 32, norm.to_arrays(), list("abcdefghij"), {})
    for name, value in changes.items():
        setattr(saved, name, value)
    checkpoint.save(path, saved)
    return trained.load(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a tiny run."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        assert train(*TINY, "--epochs", 1, "--out", folder) == 0
    return folder


def command(*arguments):
    return cli.run(evaluate.main, [str(argument) for argument in arguments])


# ----------------------------------------------------------------------------------------------------- the arithmetic


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_ten_views_against_a_plain_loop(tmp_path, rng, order):
    network = shapes_net(tmp_path / "n.npz", channel_order=order)
    images = rng.integers(0, 256, (3, 3, 37, 37), np.uint8)
    norm = network.checkpoint.normalization
    expected = np.zeros((3, 10))
    for n, picture in enumerate(images):
        picture = (picture - norm["mean"].astype(np.float64)) / norm["std"]
        picture = picture[::-1] if order == "BGR" else picture
        for top, left in ((0, 0), (0, 5), (5, 0), (5, 5), (2, 2)):
            for step in (1, -1):
                view = picture[:, top : top + 32, left : left + 32][:, :, ::step]
                logits = network.model(Tensor(view[None].astype(np.float32))).numpy()[0]
                powers = [math.exp(float(value)) for value in logits]
                expected[n] += [power / sum(powers) / 10 for power in powers]
    actual = np.exp(evaluation.log_probabilities(network, images, views=10))
    np.testing.assert_allclose(actual, expected, rtol=1e-4)
    assert np.ptp(expected, axis=0).max() > 1e-3, "pictures differ"
    one = np.exp(evaluation.log_probabilities(network, images))
    assert not np.allclose(one, expected, rtol=1e-3), "views differ"


@pytest.mark.parametrize("views", [1, 10])
def test_the_batch_size_changes_nothing(tmp_path, rng, views):
    network = shapes_net(tmp_path / "n.npz")
    pictures = data.ArrayDataset(rng.integers(0, 256, (7, 3, 37, 37), np.uint8), np.arange(7), network.classes)
    results = [
        evaluation.evaluate([network], data.Loader(pictures, size).epoch(), pictures.classes, views)[0]
        for size in (1, 3, 7)
    ]
    for other in results[1:]:
        np.testing.assert_allclose(np.array(other), np.array(results[0]), rtol=1e-4, atol=1e-6)


def test_one_view_counts_as_training_does(tmp_path, rng):
    network = shapes_net(tmp_path / "n.npz")
    pictures = data.ArrayDataset(rng.integers(0, 256, (9, 3, 37, 37), np.uint8), np.arange(9), network.classes)
    ours = evaluation.evaluate([network], data.Loader(pictures, 4).epoch(), pictures.classes)[0]
    theirs = evaluation.validate(
        network.model, data.Loader(pictures, 4, network.pipeline.evaluation_transforms()).epoch()
    )
    assert (ours.top1_error, ours.top5_error) == (theirs.top1_error, theirs.top5_error)
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)


def test_probabilities_are_averaged_not_logits():
    """(0.7 + 0.1) / 2 = 0.4 stands before (0.2 + 0.5) / 2 = 0.35; the geometric means stand the other way round."""
    first, second = (saying(np.log([p])) for p in ([0.7, 0.2, 0.1], [0.1, 0.5, 0.4]))
    one, two, both = judge([first, second], [1])
    assert (one.predicted[0], two.predicted[0], both.predicted[0]) == (0, 1, 0)
    assert (one.top1_error, two.top1_error, both.top1_error) == (1, 0, 1)
    assert [v.loss for v in (one, two, both)] == pytest.approx([-math.log(p) for p in (0.2, 0.5, 0.35)])
    assert math.exp(both.log_predicted[0]) == pytest.approx(0.4)


def test_networks_that_list_their_classes_in_another_order():
    first = saying(np.log([[0.7, 0.2, 0.1]] * 2), "abc")
    second = saying(np.log([[0.3, 0.6, 0.1]] * 2), "cab")  # a 0.6, b 0.1, c 0.3
    one, two, both = judge([first, second], [0, 2])
    assert one.loss == pytest.approx(-math.log(0.7 * 0.1) / 2)
    assert two.loss == pytest.approx(-math.log(0.6 * 0.3) / 2)
    assert both.loss == pytest.approx(-math.log(0.65 * 0.2) / 2)
    assert both.predicted.tolist() == [0, 0] and both.rank.tolist() == [0, 1]


def test_top5_and_equal_logits():
    logits = np.zeros((3, 7))
    logits[1, 6], logits[2, 3] = 1, -1
    verdicts = judge([saying(logits, "abcdefg")], [4, 6, 3], "abcdefg")[0]
    assert verdicts.rank.tolist() == [4, 0, 6]  # of equal ones the lower class comes first
    assert verdicts.top1_error == pytest.approx(2 / 3) and verdicts.top5_error == pytest.approx(1 / 3)


def test_a_probability_too_small_for_a_number_has_a_loss_all_the_same():
    one, _, both = judge([saying([[0, 2000, 0]]), saying([[0, 1000, 0]])], [0])
    assert one.loss == 2000 and both.loss == pytest.approx(1000 + math.log(2))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_no_numbers(bad):
    with pytest.raises(evaluation.NotFinite, match=r"net\.npz computes NaN or infinite logits"):
        judge([saying([[0, bad, 0]])], [0])


def test_by_class_by_hand():
    """Of a: one right, two said to be b. Of b: one right. c never comes, and is never said."""
    p = [[0.5, 0.3, 0.2], [0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1]]
    rows = evaluation.by_class(judge([saying(np.log(p))], [0, 0, 0, 1])[0], "abc")
    a, b, c = (list(row.values()) for row in rows)
    assert a == ["a", 3, pytest.approx(2 / 3), 0, pytest.approx(-math.log(0.5 * 0.3 * 0.1) / 3), 1, 1, "b", 2]
    assert b == ["b", 1, 0, 0, pytest.approx(-math.log(0.7)), 3, pytest.approx(1 / 3), None, 0]
    assert c == ["c", 0, None, None, None, 0, None, None, 0]


def test_mistakes_begin_with_the_largest_loss():
    p = [[0.4, 0.5, 0.1], [0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.2, 0.5, 0.3]]
    assert judge([saying(np.log(p))], [0, 0, 0, 0])[0].mistakes().tolist() == [2, 3, 0]


# ---------------------------------------------------------------------------------------------------------- the command


def test_a_run_on_its_own_test_pictures(run, tmp_path, capsys):
    out = tmp_path / "report"
    assert command(run, "--out", out, "--batch-size", 7, "--classes", 2, "--backend", "numpy") == 0
    printed, err = capsys.readouterr()
    assert err == "" and printed.startswith("20 test images of shapes, 1 view, numpy backend\n")
    network = trained.load(run)
    pictures = data.load("shapes", limit=20).test
    truth = evaluation.validate(
        network.model, data.Loader(pictures, 20, network.pipeline.evaluation_transforms()).epoch()
    )
    summary = json.loads((out / "summary.json").read_text())
    assert [summary[key] for key in ("dataset", "split", "pictures", "views")] == ["shapes", "test", 20, 1]
    (figures,) = summary["networks"]
    assert figures.pop("network") == str(run / "best.npz") and figures == summary["average"]
    assert (figures["top1_error"], figures["top5_error"]) == (truth.top1_error, truth.top5_error)
    assert figures["loss"] == pytest.approx(truth.loss, rel=1e-5)
    assert f"{100 * truth.top1_error:.2f} %" in printed and f"{truth.loss:.4f}" in printed
    assert "The 2 worst of 10 classes" in printed and "images/s" in printed and "average" not in printed
    with open(out / "classes.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list(pictures.classes)
    assert sum(float(row["top1_error"]) for row in rows) / 10 == pytest.approx(truth.top1_error)  # two of each class
    for name in ("confusion.png", "mistakes.png"):
        with Image.open(out / name) as image:
            assert min(image.size) > 200


def test_several_networks_each_and_together(run, tmp_path, capsys):
    assert command(run, run / "last.npz", "--split", "validation", "--views", 10, "--backend", "numpy") == 0
    printed = capsys.readouterr().out
    lines = [line.split("  ") for line in printed.splitlines() if ".npz" in line or line.startswith("the average")]
    assert [line[0] for line in lines] == [str(run / "best.npz"), str(run / "last.npz"), "the average of 2"]
    assert len({tuple(text.strip() for text in line[1:] if text) for line in lines}) == 1, "the same weights"
    assert printed.startswith("20 validation images of shapes, 10 views")


def test_options_go_before_what_the_run_had(run, capsys):
    assert command(run, "--limit", 3, "--backend", "numpy") == 0
    assert capsys.readouterr().out.startswith("3 test images of shapes")
    assert command(run, "--dataset", "shapes", "--split", "train", "--backend", "numpy") == 0
    assert capsys.readouterr().out.startswith("20 train images of shapes")


@pytest.mark.heavy
def test_a_network_with_spare_classes_is_judged_among_all_of_them(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train(*TINY, "--num-classes", 12, "--epochs", 1, "--backend", "numpy", "--out", "spare") == 0
    capsys.readouterr()
    assert command("spare", "--out", "report", "--backend", "numpy") == 0
    with open("report/classes.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and [row["pictures"] for row in rows[10:]] == ["0", "0"]
    assert sum(int(row["predicted"]) for row in rows) == 20, "a spare class may be said, and is then a mistake"


def test_bad_input(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("text")
    shapes_net("strange.npz")
    shapes_net("broken.npz", classes=list(data.load("shapes", limit=1).test.classes))
    saved = checkpoint.load("broken.npz")
    saved.weights["conv1.weight"] = saved.weights["conv1.weight"] * np.float32(np.nan)
    saved.normalization = {"mean": np.zeros((3, 1, 1), np.float32), "std": np.ones((), np.float32)}
    checkpoint.save("broken.npz", saved)
    for arguments, expected in {
        ("nowhere",): "there is no checkpoint nowhere",
        (".",): "holds no checkpoint",
        ("file",): "file is not a minialex checkpoint",
        ("strange.npz",): "strange.npz does not name the data set that it was trained on: choose one with --dataset",
        (
            "strange.npz",
            "--dataset",
            "shapes",
            "--limit",
            2,
        ): "strange.npz was trained on 10 classes (a, b, c, ...), the data has 10",
        (
            "broken.npz",
            "--dataset",
            "shapes",
            "--limit",
            2,
            "--backend",
            "numpy",
        ): "broken.npz computes NaN or infinite logits: conv1",
        (run, "--out", "file"): "file: File exists",
        (run, "--views", 3): "invalid choice",
        (run, "--validation", 0, "--split", "validation"): "shapes has no validation images: choose another --split",
        (run, "--workers", 2): "takes no workers",
    }.items():
        assert expected in must_refuse(capsys, *arguments, main=evaluate.main), arguments


def test_networks_that_want_other_pictures(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classes = trained.load(run).classes
    norm = data.Normalize(np.zeros((3, 1, 1))).to_arrays()
    weights = models.build("shapes_net", input_size=40).state_dict()
    arguments = {"input_size": 40}
    checkpoint.save("large.npz", checkpoint.Checkpoint("shapes_net", arguments, weights, 40, norm, classes, {}))
    sentence = must_refuse(capsys, run, "large.npz", main=evaluate.main)
    assert "images of different sizes" in sentence and "large.npz: 40" in sentence
    network = trained.load("large.npz")
    small = data.load("shapes", limit=2).test
    with pytest.raises(ValueError, match=r"large\.npz expects images of 40x40, but those of shapes are 32x32"):
        evaluate._check_fit([network], "shapes", small, 1)
