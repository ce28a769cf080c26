"""`python -m minialex.look`: which figures it draws, where it puts them, and what it refuses."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tiny_runs
from PIL import Image

from minialex import cli, look
from minialex.look import __main__ as command
from minialex.look.subject import Subject, read_metrics
from minialex.runs import checkpoint, trained


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        tiny_runs.without_figures(patch)
        assert tiny_runs.run(*tiny_runs.TINY, "--epochs", 2, "--backend", "numpy", "--out", folder) == 0
    return folder


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def said(capsys, *words):
    """(exit code, stdout, stderr) of the command."""
    code = cli.run(command.main, [str(word) for word in (*words, "--backend", "numpy")])
    return code, *capsys.readouterr()


def test_all_figures_of_one_run(run, capsys):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    code, out, error = said(capsys, run)
    assert code == 0 and not error
    assert out.splitlines() == [str(run / "look" / f"{view}.png") for view in command.VIEWS]
    for line in out.splitlines():
        with Image.open(line) as picture:
            assert picture.width <= 1110
    assert {name: (run / name).read_bytes() for name in before} == before, "the run itself is left alone"


def test_one_figure_into_a_file_and_curves_of_two_runs(run, tmp_path, capsys):
    assert said(capsys, run, "filters", "--layer", "conv2", "--out", tmp_path / "f.svg")[0] == 0
    assert b"<svg" in (tmp_path / "f.svg").read_bytes()
    other = shutil.copytree(run, tmp_path / "other")
    assert said(capsys, run, other, "--out", tmp_path / "both")[:2] == (0, f"{tmp_path / 'both' / 'curves.png'}\n")


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_the_first_filters_are_drawn_in_red_green_blue(run, monkeypatch, order):
    from minialex import plotting

    drawn = []
    monkeypatch.setattr(plotting, "filters", lambda weight, *args, **options: drawn.append(weight))
    saved = checkpoint.load(run / "best.npz")
    saved.channel_order = order
    checkpoint.save(run / "best.npz", saved)
    for layer in ("conv1", "conv2"):
        command.main([str(run), "filters", "--layer", layer, "--backend", "numpy"])
    first = saved.weights["conv1.weight"]
    np.testing.assert_array_equal(drawn[0], first if order == "RGB" else first[:, ::-1])
    np.testing.assert_array_equal(drawn[1], saved.weights["conv2.weight"])


def test_neighbours_are_those_of_the_runs_own_training_pictures(run, monkeypatch):
    from minialex import plotting

    drawn = {}
    monkeypatch.setattr(plotting, "neighbours", lambda *args, **options: drawn.update(options, args=args))
    command.main([str(run), "neighbours", "--picture", "3", "--batch-size", "7", "--backend", "numpy"])
    network = trained.load(run)
    subject = Subject(network, {})
    train, test = subject.splits.train, subject.splits.test
    assert len(train) == 20, "as --limit said in training"
    pool = look.hidden_values(network.model, subject.shown(train.fetch(np.arange(20))[0]))
    query = look.hidden_values(network.model, subject.shown(test.fetch([3])[0]))[0]
    far = np.linalg.norm(pool.astype(float) - query, axis=1)
    queries, found, _ = drawn["args"]
    np.testing.assert_array_equal(queries[0][0], test.fetch([3])[0][0])
    np.testing.assert_allclose(drawn["distances"][0], np.sort(far)[:6], rtol=1e-4)
    for (image, name), index in zip(found[0], np.argsort(far)):
        np.testing.assert_array_equal(image, train.fetch([index])[0][0])
        assert name == train.classes[train.labels[index]]


def test_a_picture_file_and_a_class_by_name(run, tmp_path, capsys):
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "black.png")
    picture = "--picture", tmp_path / "black.png"
    assert said(capsys, run, "gradient", "features", *picture, "--class", "star")[0] == 0
    assert said(capsys, run / "best.npz", "gradient", *picture, "--class", "3")[0] == 0


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["gradient", "--class", "dog"], "no such class; give a name"),
        (["features", "--picture", "99999"], "there is no test image 99999: test images are numbered from 0"),
        (["features", "--picture", "nowhere.png"], "nowhere.png: No such file"),
        (["filters", "--layer", "fc4"], "--layer fc4 is not a convolution; the convolutions are conv1, conv2, conv3"),
        (["filters", "--layer", "conv9"], "there is no layer 'conv9'"),
        (["filters", "graph", "--out", "x.png"], "is one file, but 2 figures are to be drawn"),
        (["elsewhere", "graph"], "graph needs exactly one RUN, got 2"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(run, capsys, words, sentence):
    code, _, error = said(capsys, run, *words)
    assert code == 2 and sentence in error and len(error.splitlines()) == 1


def test_no_run_and_a_folder_that_is_none(tmp_path, capsys):
    assert "RUN is missing" in said(capsys, "filters")[2]
    assert "holds no checkpoint" in said(capsys, tmp_path, "filters")[2]
    assert "has no metrics.csv" in said(capsys, tmp_path, "curves")[2]


@pytest.mark.heavy
def test_weights_that_do_not_say_what_they_were_trained_on(run, tmp_path, capsys):
    saved = checkpoint.load(run / "best.npz")
    saved.configuration = {}
    checkpoint.save(tmp_path / "bare.npz", saved)
    error = said(capsys, tmp_path / "bare.npz", "features")[2]
    assert "does not name the data set that it was trained on" in error and "--dataset" in error
    assert said(capsys, tmp_path / "bare.npz", "features", "--dataset", "shapes", "--limit", "20")[0] == 0


def test_metrics_are_read_as_they_were_written(run):
    rows = read_metrics(run)
    history = checkpoint.load(run / "last.npz").history
    assert [row["epoch"] for row in rows] == [1, 2]
    for row, written in zip(rows, history):
        assert row == {key: written[key] for key in row} and "val_loss" in row
    (run / "metrics.csv").write_text("epoch,train_loss\n1,abc\n")
    with pytest.raises(ValueError, match="is damaged"):
        read_metrics(run)
