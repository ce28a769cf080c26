"""The pictures of a run: photographs in a folder, crops, what the checkpoint keeps, and what does not go together."""

from __future__ import annotations

import numpy as np
import photographs
import pytest
from refusals import must_refuse, no_figures
from tiny_runs import after_forwards, assert_same_arrays, ctrl_c, run, velocities, without_times

from minialex import data, models
from minialex.data import statistics
from minialex.data.pipeline import Pipeline
from minialex.runs import checkpoint, trained
from minialex.runs import run as running
from minialex.runs.folder import RunFolder
from minialex.runs.pictures import Pictures
from minialex.train import configured, parser

COUNTS = {"cat": 6, "dog": 5, "eel": 4}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """15 photographs to train on, 6 to validate and test on."""
    root = photographs.folder(tmp_path_factory.mktemp("photographs") / "d", COUNTS)
    return photographs.folder(root, dict.fromkeys(COUNTS, 2), "val", "png")


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    no_figures(monkeypatch)


def configuration_of(*options):
    return configured(parser().parse_args([str(option) for option in options]))


def of(root, *options):
    """The Pictures of such options, for shapes_net's 32 pixels."""
    return Pictures(configuration_of("--dataset", "folder", "--data-dir", root, *options), models.PRESETS["shapes_net"])


def recipe(tmp_path, text):
    path = tmp_path / "my.toml"
    path.write_text(text)
    return "--recipe", path


@pytest.mark.parametrize(("options", "side"), [((), 37), (("--resize", 48), 48), (("--resize", 32), 32)])
def test_the_size_of_photographs(root, options, side):
    pictures = of(root, *options)
    assert pictures.splits.train.image_shape == (3, side, side) and pictures.resize == side, "8/7 of 32 is 36.6"
    images, _ = next(pictures.loader().epoch(0))
    assert images.shape == (15, 3, 32, 32)
    assert ("crops of 32x32 from" in pictures.describe()) == (side > 32)


def test_networks_of_photographs_get_256(root):
    options = ("--dataset", "folder", "--data-dir", root, "--limit", 3)
    assert Pictures(configuration_of(*options), models.PRESETS["alexnet_2012"]).splits.train.image_shape == (
        3,
        256,
        256,
    )


@pytest.mark.parametrize("kind", ["channels", "mean-image", "mean-image-center"])
def test_training_sees_random_crops_and_evaluation_the_centre(root, tmp_path, kind):
    """Every crop of training is a window of its picture, of whose mean just the right part was subtracted."""
    pictures = of(root, "--resize", 36, *recipe(tmp_path, f'normalization = "{kind}"\nflip = false'))
    train, of_all = pictures.splits.train, statistics(pictures.splits.train)
    mean, std = of_all.mean_image, 1.0
    if kind == "channels":
        mean, std = of_all.channel_means[:, None, None], of_all.channel_stds[:, None, None]
    if kind == "mean-image-center":
        mean = mean[:, 2:34, 2:34]
    raw, _ = train.fetch(np.arange(len(train)))

    def window(picture, y, x):
        whole = mean[:, y : y + 32, x : x + 32] if kind == "mean-image" else mean
        return (picture[:, y : y + 32, x : x + 32] - whole) / std

    loader, places = pictures.loader(), set()
    shown, _ = next(loader.epoch(1))
    for image, index in zip(shown, loader.order(1), strict=True):
        windows = {(y, x): window(raw[index], y, x) for y in range(5) for x in range(5)}
        (place,) = (place for place, expected in windows.items() if np.abs(image - expected).max() < 1e-3)
        places.add(place)
    assert len(places) > 5, "at random places"
    centre, _ = next(pictures.undistorted(train).epoch())
    np.testing.assert_allclose(centre, [window(picture, 2, 2) for picture in raw], atol=1e-3)


def test_a_checkpoint_shows_pictures_as_its_run_did(root, tmp_path, monkeypatch):
    """A mean image of 40 pixels and centre crops of 32, blue first, from the file alone."""
    monkeypatch.setitem(
        models.PRESETS, "shapes_net", models.Preset(**vars(models.PRESETS["shapes_net"]) | {"channel_order": "BGR"})
    )
    mean = recipe(tmp_path, 'normalization = "mean-image"')
    options = ("--dataset", "folder", "--data-dir", root, "--resize", 40, *mean, "--epochs", 1, "--batch-size", 5)
    assert run(*options, "--out", tmp_path / "r") == 0
    kept = trained.load(tmp_path / "r")
    assert kept.resize == 40 and kept.pipeline.normalization.mean.shape == (3, 40, 40)
    assert kept.checkpoint.channel_order == "BGR" and kept.classes == list(COUNTS)
    pictures = of(root, "--resize", 40, *mean)
    raw, _ = pictures.splits.test.fetch([0, 1, 2])
    shown = kept.pipeline.views(raw, 1)[0]
    expected = raw - statistics(pictures.splits.train).mean_image
    np.testing.assert_allclose(shown, expected[:, ::-1, 4:36, 4:36], atol=1e-3)
    evaluated, _ = next(data.Loader(pictures.splits.test, 3, kept.pipeline.evaluation_transforms()).epoch())
    np.testing.assert_array_equal(evaluated, shown)


@pytest.mark.parametrize("forward", [2, 7])
def test_an_interrupted_run_goes_on_exactly_with_other_workers(root, tmp_path, monkeypatch, forward):
    """Crops, flips, noise, a mean image: 3 batches an epoch in training, 2 in validation."""
    text = 'normalization = "mean-image"\nflip = true\ncolor_noise = 0.1'
    options = ("--dataset", "folder", "--data-dir", root, *recipe(tmp_path, text), "--batch-size", 5, "--epochs", 3)
    assert run(*options, "--workers", 1, "--out", tmp_path / "whole") == 0
    with monkeypatch.context() as m:
        after_forwards(m, forward, ctrl_c)
        assert run(*options, "--workers", 3, "--out", tmp_path / "r") == 130
    state = checkpoint.load(tmp_path / "r" / "last.npz").trainer_state
    assert (state["epoch"], state["batch"]) == divmod(forward - forward // 6 * 2, 3)
    assert run("--resume", tmp_path / "r", "--workers", 2) == 0
    a, b = (checkpoint.load(tmp_path / name / "last.npz") for name in ("whole", "r"))
    assert_same_arrays(a.weights, b.weights)
    assert_same_arrays(velocities(a), velocities(b))
    assert without_times(a.history) == without_times(b.history)


def test_weights_bring_their_mean_image_and_the_size_of_its_pictures(root, tmp_path, capsys, monkeypatch):
    options = ("--dataset", "folder", "--data-dir", root, "--epochs", 1, "--batch-size", 5)
    mean = recipe(tmp_path, 'normalization = "mean-image"')
    assert run(*options, *mean, "--resize", 40, "--out", tmp_path / "first") == 0
    assert run(*options, "--weights", tmp_path / "first", "--lr", 0, "--out", tmp_path / "second") == 0
    first, second = (trained.load(tmp_path / name) for name in ("first", "second"))
    assert second.resize == 40
    assert_same_arrays(second.pipeline.normalization.to_arrays(), first.pipeline.normalization.to_arrays())
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    message = must_refuse(capsys, *options, "--weights", tmp_path / "first", "--resize", 44)
    assert "the mean image of the weights is 40x40, but the pictures of folder are 44x44" in message
    assert "give --resize 40, or start with other weights" in message


def test_what_is_refused(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    message = must_refuse(capsys, "--dataset", "folder", "--data-dir", root, "--resize", 20)
    assert "shapes_net takes pictures of 32x32, but those of folder are 20x20: give --resize 32 or more" in message
    assert "--data-dir" in must_refuse(capsys, "--dataset", "folder")


def test_a_flat_validation_folder_with_its_labels(tmp_path, monkeypatch):
    """Named from where the command runs; the run goes on from anywhere, and the data may have moved."""
    root = photographs.folder(tmp_path / "d", {"cat": 3, "dog": 3})
    for name in ("a.png", "b.png"):
        photographs.write(root / "val" / name, seed=len(name))
    (tmp_path / "labels.txt").write_text("a.png dog\nb.png cat\n")
    monkeypatch.chdir(tmp_path)
    options = ("--dataset", "folder", "--data-dir", "d", "--val-labels", "labels.txt", "--epochs", 1)
    assert run(*options, "--out", "r") == 0
    configuration = checkpoint.load("r/last.npz").configuration
    assert configuration["val_labels"] == str(tmp_path / "labels.txt")
    assert Pictures(configuration_of(*options), models.PRESETS["shapes_net"]).splits.test.labels.tolist() == [1, 0]
    (tmp_path / "labels.txt").rename(tmp_path / "moved.txt")
    assert run("--resume", "r", "--val-labels", "moved.txt", "--epochs", 2) == 0


def test_no_number_of_workers_changes_what_is_shown(root, tmp_path):
    def shown(workers):
        options = ("--dataset", "folder", "--data-dir", root, "--workers", workers, "--batch-size", 4)
        loader = running.Run(configuration_of(*options), RunFolder(tmp_path / "none")).trainer.loader
        return [images for epoch in (0, 3) for images, _ in loader.epoch(epoch, start_batch=1)]

    for a, b in zip(shown(1), shown(4), strict=True):
        np.testing.assert_array_equal(a, b)


def test_diagnosis_and_learning_by_heart_see_the_centre(root, tmp_path, capsys):
    options = ("--dataset", "folder", "--data-dir", root, "--epochs", 1, "--diagnose", "--overfit", 3)
    assert run(*options, "--out", tmp_path / "r") == 0
    assert "memorised 3 of 3 pictures" in capsys.readouterr().out
    assert (tmp_path / "r" / "diagnose.csv").read_text().count("\n") == 6, "five layers"


def test_another_input_size(root, tmp_path):
    """The network, the crops and the photographs are smaller; the checkpoint knows, and a resumed run as well."""
    options = ("--dataset", "folder", "--data-dir", root, "--input-size", 21, "--batch-size", 8)
    assert run(*options, "--epochs", 1, "--out", tmp_path / "r") == 0
    kept = trained.load(tmp_path / "r")
    assert (kept.checkpoint.arguments, kept.resize) == ({"num_classes": 3, "input_size": 21}, 24)
    assert kept.pipeline.input_size == kept.checkpoint.input_size == 21
    assert run("--resume", tmp_path / "r", "--epochs", 2) == 0


def test_a_fault_of_the_network_is_said_before_the_photographs_are_read(root, tmp_path, monkeypatch, capsys):
    """That takes an hour with ImageNet."""
    monkeypatch.setattr(data.folder, "survey", lambda *a, **k: pytest.fail("the photographs were read"))
    monkeypatch.chdir(tmp_path)
    options = ("--dataset", "folder", "--data-dir", root)
    assert "no layer 'conv9'" in must_refuse(capsys, *options, "--freeze", "conv9")
    assert "leaves no pixels" in must_refuse(capsys, *options, "--input-size", 2)


RESIZED = "random_resized_crop = true\nflip = true\ncolor_noise = 0.1\nlr = 0.01\n"


def test_random_resized_crops_of_whole_photographs(root, tmp_path):
    """Evaluation still sees the centre of the square of 37 pixels."""
    pictures = of(root, *recipe(tmp_path, RESIZED))
    assert pictures.describe().startswith("random parts of whole pictures, resized to 32x32, half of them mirrored")
    images, _ = next(pictures.loader().epoch(0))
    again, _ = next(pictures.loader().epoch(1))
    assert images.shape == (15, 3, 32, 32) and not np.array_equal(images, again)
    raw, _ = pictures.splits.train.fetch(np.arange(15))
    centre, _ = next(pictures.undistorted(pictures.splits.train).epoch())
    np.testing.assert_allclose(centre, pictures.pipeline.normalization(raw)[:, :, 2:34, 2:34], atol=1e-5)
    drawn = Pictures(configuration_of(*recipe(tmp_path, RESIZED), "--limit", 9), models.PRESETS["shapes_net"])
    assert drawn.describe().startswith("random parts of pictures of 32x32, resized to 32x32, half")


@pytest.mark.heavy
def test_an_interrupted_run_with_random_resized_crops_goes_on_exactly(root, tmp_path, monkeypatch):
    options = ("--dataset", "folder", "--data-dir", root, *recipe(tmp_path, RESIZED), "--batch-size", 5, "--epochs", 3)
    assert run(*options, "--workers", 1, "--out", tmp_path / "whole") == 0
    with monkeypatch.context() as m:
        after_forwards(m, 7, ctrl_c)
        assert run(*options, "--workers", 3, "--out", tmp_path / "r") == 130
    assert run("--resume", tmp_path / "r", "--workers", 2) == 0
    a, b = (checkpoint.load(tmp_path / name / "last.npz") for name in ("whole", "r"))
    assert_same_arrays(a.weights, b.weights)
    assert without_times(a.history) == without_times(b.history)


def test_a_mean_of_whole_pictures_has_no_random_resized_crop(root, tmp_path):
    known = Pipeline(data.Normalize(np.full((3, 37, 37), 100)), 32)
    options = ("--dataset", "folder", "--data-dir", root, *recipe(tmp_path, RESIZED))
    with pytest.raises(ValueError, match="which a random-resized crop has not"):
        Pictures(configuration_of(*options), models.PRESETS["shapes_net"], known, 37)
