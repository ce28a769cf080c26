"""Training that begins with trained weights: what is kept, what is new, what is frozen, and that it goes on exactly."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from refusals import must_refuse, no_figures
from tiny_runs import after_forwards, assert_same_arrays, ctrl_c, run, velocities, without_times

from minialex import functional, models, nn
from minialex.runs import checkpoint, fine_tuning, trained
from minialex.training import overfit

PICTURES = ("--limit", 20, "--batch-size", 8)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    no_figures(monkeypatch)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run of one epoch on 30 pictures; best.npz is what others begin with."""
    folder = tmp_path_factory.mktemp("runs") / "source"
    with pytest.MonkeyPatch.context() as m:
        no_figures(m)
        assert run("--limit", 30, "--batch-size", 8, "--epochs", 1, "--seed", 9, "--out", folder) == 0
    return folder


def begun(source, folder, *options):
    """What a run begins with: a rate and a decay of 0 leave the weights as they are."""
    still = ("--lr", 0, "--epochs", 1, "--seed", 4)
    assert run("--weights", source, *PICTURES, *still, *options, "--out", folder) == 0
    return checkpoint.load(folder / "last.npz")


class TestWhatItBeginsWith:
    def test_as_many_classes(self, source, tmp_path, capsys):
        start, found = checkpoint.load(source / "best.npz"), begun(source, tmp_path / "r")
        assert_same_arrays(found.weights, start.weights)
        text = rf"weights +from {source}, with their normalisation; fc5 is kept, for the same number of classes\n"
        assert re.search(text, capsys.readouterr().out)
        assert json.loads((tmp_path / "r" / "config.json").read_text())["weights"] == str(source)

    def test_the_normalisation_is_kept(self, source, tmp_path):
        """It was measured on 30 pictures, and there are 20 now."""
        start, found = checkpoint.load(source / "best.npz"), begun(source, tmp_path / "r")
        assert_same_arrays(found.normalization, start.normalization)
        own = tmp_path / "own"
        assert run(*PICTURES, "--epochs", 1, "--out", own) == 0
        assert (checkpoint.load(own / "last.npz").normalization["mean"] != start.normalization["mean"]).all()

    def test_more_classes(self, source, tmp_path, capsys):
        """The last layer is drawn anew, by the seed and as the network draws it; the others are kept."""
        start = checkpoint.load(source / "best.npz")
        found = begun(source / "best.npz", tmp_path / "r", "--num-classes", 12)
        assert "fc5 is new, for 12 classes instead of 10" in capsys.readouterr().out
        assert {name for name in start.weights if not np.array_equal(start.weights[name], found.weights[name])} == {
            "fc5.weight",
            "fc5.bias",
        }
        assert found.weights["fc5.weight"].shape == (12, 128)
        assert found.weights["fc5.weight"].std() == pytest.approx(0.01, rel=0.1)
        assert found.arguments["num_classes"] == 12
        assert found.classes == [*start.classes, "unused 11", "unused 12"]
        assert trained.load(tmp_path / "r").model.fc5.out_features == 12
        assert run("--resume", tmp_path / "r", "--epochs", 2) == 0

    def test_a_recipes_initial_values_are_for_the_new_layer_alone(self, source, tmp_path):
        (tmp_path / "wide.toml").write_text("[init_std]\nall = 0.5\n")
        found = begun(source, tmp_path / "r", "--num-classes", 11, "--recipe", tmp_path / "wide.toml")
        start = checkpoint.load(source / "best.npz").weights
        assert found.weights["fc5.weight"].std() == pytest.approx(0.5, rel=0.1)
        np.testing.assert_array_equal(found.weights["conv1.weight"], start["conv1.weight"])

    def test_the_model_is_that_of_the_weights_with_its_arguments(self, tmp_path, source):
        """Here one for pictures of 20 pixels, which no option says."""
        given = checkpoint.load(source / "best.npz")
        network = models.build("shapes_net", num_classes=10, input_size=20)
        given.arguments, given.input_size = {"num_classes": 10, "input_size": 20}, 20
        given.weights, given.channel_order = network.state_dict(), "BGR"
        checkpoint.save(tmp_path / "small.npz", given)
        found = begun(tmp_path / "small.npz", tmp_path / "r", "--num-classes", 11)
        assert found.arguments == {"num_classes": 11, "input_size": 20}
        assert (found.input_size, found.channel_order, found.model) == (20, "BGR", "shapes_net")


TRAINING = (*PICTURES, "--lr", 0.02, "--epochs", 3, "--seed", 4, "--num-classes", 11, "--freeze", "conv1,fc4")


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as m:
        no_figures(m)
        assert run("--weights", source, *TRAINING, "--out", folder) == 0
    return folder


class TestTraining:
    def test_what_is_frozen(self, source, whole):
        start, found = checkpoint.load(source / "best.npz").weights, checkpoint.load(whole / "last.npz")
        kept = {name for name in start if np.array_equal(start[name], found.weights[name])}
        assert kept == {"conv1.weight", "conv1.bias", "fc4.weight", "fc4.bias"}
        assert found.configuration["freeze"] == ["conv1", "fc4"] and len(velocities(found)) == 6

    @pytest.mark.parametrize("forward", [2, 9, 13])
    def test_interrupted_it_goes_on_exactly(self, source, whole, tmp_path, monkeypatch, forward):
        """Without the weights it began with: they may be gone."""
        shutil.copytree(source, tmp_path / "start")
        with monkeypatch.context() as m:
            after_forwards(m, forward, ctrl_c)
            assert run("--weights", tmp_path / "start", *TRAINING, "--out", tmp_path / "r") == 130
        shutil.rmtree(tmp_path / "start")
        assert run("--resume", tmp_path / "r") == 0
        self.same(whole, tmp_path / "r")

    def test_killed_before_its_first_checkpoint_it_begins_again(self, source, whole, tmp_path, monkeypatch):
        def die(*arguments):
            raise SystemExit(9)

        with monkeypatch.context() as m, pytest.raises(SystemExit):
            m.setattr(functional, "cross_entropy", die)
            run("--weights", source, *TRAINING, "--out", tmp_path / "r")
        assert not (tmp_path / "r" / "last.npz").exists()
        assert run("--resume", tmp_path / "r") == 0
        self.same(whole, tmp_path / "r")

    def same(self, folder, other):
        a, b = (checkpoint.load(f / "last.npz") for f in (folder, other))
        assert_same_arrays(a.weights, b.weights)
        assert_same_arrays(velocities(a), velocities(b))
        assert_same_arrays(a.normalization, b.normalization)
        assert without_times(a.history) == without_times(b.history) and len(a.history) == 3

    def test_overfit_leaves_frozen_layers_alone_too(self, source, tmp_path, monkeypatch):
        seen = {}

        def overfit_batch(model, *arguments):
            seen.update({name: p.requires_grad for name, p in model.named_parameters()})
            return overfit.Overfit(True, 3, 1, 0.0)

        monkeypatch.setattr("minialex.training.overfit.overfit_batch", overfit_batch)
        begun(source, tmp_path / "r", "--freeze", "conv1,conv2", "--overfit", 3)
        assert [name for name, needed in seen.items() if not needed] == [
            "conv1.weight",
            "conv1.bias",
            "conv2.weight",
            "conv2.bias",
        ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--weights", "nowhere.npz"], "there is no checkpoint nowhere.npz"),
        (
            ["--weights", "a.pth"],
            "a.pth is not a minialex checkpoint: convert it with python -m minialex.convert a.pth NEW.npz",
        ),
        (["--weights", "SOURCE", "--model", "cifar_quick"], "holds the weights of 'shapes_net', not of 'cifar_quick'"),
        (["--weights", "SOURCE", "--num-classes", "9"], "--num-classes 9: must be at least 10, the number of classes"),
        (["--num-classes", "3"], "--num-classes 3: must be at least 10"),
        (
            ["--weights", "SOURCE", "--freeze", "conv9"],
            "no layer 'conv9' with weights; choose from conv1, conv2, conv3",
        ),
        (["--weights", "SOURCE", "--resume", "SOURCE"], "--weights cannot be changed when a run is resumed"),
        (["--freeze", "conv1", "--resume", "SOURCE"], "--freeze cannot be changed when a run is resumed"),
        (
            ["--weights", "SOURCE", "--input-size", "32"],
            "a run that starts with --weights has .* size: leave out --input-size",
        ),
        (["--input-size", "3"], "pictures of shapes must be at least 8 pixels wide, got 3"),
        (["--workers", "2"], r"--workers is only for pictures read from files \(--dataset folder\), not for shapes"),
        (["--strict"], "--strict is only for pictures read from files"),
        (["--val-labels", "f"], "--val-labels is only for pictures read from files"),
        (["--resize", "40"], "--resize is only for pictures .* not for shapes"),
        (["--resize", "40", "--dataset", "cifar10"], "CIFAR-10 can be enlarged from 32 to 64, .* not to 40"),
        (["--workers", "2", "--resume", "SOURCE"], "--workers is only for pictures read from files"),
    ],
)
def test_what_is_refused(source, tmp_path, monkeypatch, capsys, options, expected):
    monkeypatch.chdir(tmp_path)
    given = [str(source) if option == "SOURCE" else option for option in options]
    assert re.search(expected, must_refuse(capsys, *(PICTURES if "--resume" not in options else ()), *given))


def test_weights_that_do_not_fit(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    saved = checkpoint.load(source / "best.npz")
    saved.normalization = {"mean": np.zeros((3, 40, 40), np.float32), "std": np.array(1, np.float32)}
    checkpoint.save("other.npz", saved)
    message = must_refuse(capsys, *PICTURES, "--weights", "other.npz")
    assert "the mean image of the weights is 40x40, but the pictures of shapes are 32x32: start" in message


def test_transfer_refuses_other_shapes_and_says_which():
    """All of it or nothing: a network that was half overwritten would train all the same."""

    def network(width):
        return nn.Sequential({"fc1": nn.Linear(4, width), "fc2": nn.Linear(width, 3)})

    model = network(5)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"fc1.weight \(is \(6, 4\), expected \(5, 4\)\)"):
        fine_tuning.transfer(model, network(6).state_dict())
    weights = network(5).state_dict()
    del weights["fc1.bias"]
    with pytest.raises(ValueError, match="missing: fc1.bias"):
        fine_tuning.transfer(model, weights)
    assert_same_arrays(model.state_dict(), before)
