"""The command `python -m minialex.train`: what it prints, what it leaves, what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_runs import TIMES, TINY, assert_same_end, metrics, run

from minialex import backends, data, functional, models, optim, plotting, random, threads, train
from minialex.runs import checkpoint
from minialex.runs import folder as run_folder
from minialex.runs import run as running
from minialex.support import progress
from minialex.tensor import Tensor
from minialex.train import configured, parser
from minialex.training import evaluation, recipes, trainer

pytestmark = pytest.mark.usefixtures("quick_figures")


class TestRun:
    def test_what_it_prints(self, whole, tmp_path, capsys):
        assert run(*TINY, "--epochs", 3, "--seed", 5, "--out", tmp_path / "r") == 0
        out, err = capsys.readouterr()
        assert err == "", "no progress bar where there is no terminal"
        lines = out.splitlines()
        header = "\n".join(lines[:8])
        parameters = sum(p.numel() for p in models.build("shapes_net").parameters())
        for expected in (
            "minialex 0.1.0",
            f"shapes_net, {parameters:,} parameters, pictures 3x32x32, 10 classes",
            "shapes: 20 training, 20 validation and 20 test pictures",
            f"{backends.fastest()}, float32, ",
            " thread",
            "lr 0.02",
            "momentum 0.9, weight decay 0.0005",
            "schedule multistep:1,2:0.5",
            "recipe     minialex's own, for this network, but for epochs, batch_size, schedule",
            "3 of 3 batches of 8 pictures, seed 5",
            str(tmp_path / "r"),
        ):
            assert expected in header
        number = r"\d+\.\d+"
        for epoch, line, row in zip((1, 2, 3), lines[8:11], metrics(tmp_path / "r"), strict=True):
            match = re.fullmatch(
                rf"epoch {epoch}/3: training loss ({number}), validation loss ({number}), top-1 error ({number}) %, "
                rf"top-5 error ({number}) %, [\d,]+ images/s, {number} s",
                line,
            )
            assert match, line
            shown = [float(text) for text in match.groups()]
            kept = [float(row[n]) for n in ("train_loss", "val_loss", "val_top1_error", "val_top5_error")]
            assert shown == pytest.approx([kept[0], kept[1], 100 * kept[2], 100 * kept[3]], abs=0.051)
        assert re.fullmatch(
            rf"test accuracy {number} %, top-1 error {number} %, top-5 error {number} % \(20 pictures\)", lines[-1]
        )
        assert len(lines) == 12
        assert_same_end(tmp_path / "r", whole)  # one seed, one result

    def test_the_test_is_of_the_last_weights(self, whole, capsys):
        saved = checkpoint.load(whole / "last.npz")
        test = data.load("shapes", limit=20).test
        loader = data.Loader(test, 7, [data.Normalize.from_arrays(saved.normalization)])
        result = evaluation.validate(saved.build_model(), loader.epoch())
        assert run("--resume", whole) == 0  # a finished run only tests
        top1, top5 = 100 * result.top1_error, 100 * result.top5_error
        line = f"test accuracy {100 - top1:.1f} %, top-1 error {top1:.1f} %, top-5 error {top5:.1f} % (20 pictures)"
        assert capsys.readouterr().out.splitlines()[-1] == line

    def test_the_folder(self, whole):
        assert {p.name for p in whole.iterdir()} == {
            "config.json",
            "metrics.csv",
            "steps.csv",
            "curves.png",
            "filters.png",
            "predictions.png",
            "confusion.png",
            "last.npz",
            "best.npz",
        }
        configuration = json.loads((whole / "config.json").read_text())
        assert configuration["versions"]["numpy"] == np.__version__
        expected = dict(
            model="shapes_net",
            dataset="shapes",
            epochs=3,
            batch_size=8,
            lr=0.02,
            momentum=0.9,
            seed=5,
            weight_decay=0.0005,
            backend=backends.fastest(),
            threads=threads.count(),
            limit=20,
            validation=None,
            schedule="multistep:1,2:0.5",
            normalization="channels",
            accumulate=1,
            diagnose=False,
            overfit=None,
        )
        assert configuration.items() >= expected.items()
        rows = metrics(whole)
        assert list(rows[0]) == [name for name in run_folder.COLUMNS if name not in TIMES]
        assert [row["epoch"] for row in rows] == ["1", "2", "3"]
        assert [row["lr"] for row in rows] == ["0.02", "0.01", "0.005"]
        for name, width in (("curves", 990), ("filters", 12 + 16 * 49 - 4 + 12)):
            with Image.open(whole / f"{name}.png") as image:
                assert image.format == "PNG" and image.width == width

    def test_last_and_best(self, whole):
        last, best = (checkpoint.load(whole / f"{name}.npz") for name in ("last", "best"))
        assert last.model == "shapes_net" and last.arguments == {"num_classes": 10} and last.input_size == 32
        assert last.classes == list(data.load("shapes", limit=1).train.classes) and last.channel_order == "RGB"
        random.manual_seed(5)
        models.build("shapes_net")
        calls = random.default_generator.call + 3 * 3  # the initial weights, and a dropout for each batch
        assert last.trainer_state["epoch"] == 3 and last.trainer_state["generator"] == {"seed": 5, "call": calls}
        assert len(best.history) == trainer.best_row(last.history)["epoch"] and best.trainer_state == {}
        assert [row["epoch"] for row in last.history] == [1, 2, 3]

    def test_the_figures_of_the_test_show_its_pictures(self, whole, tmp_path, monkeypatch):
        """In their order, with what the last weights say to them; one pass over them is enough."""
        shown, passes = {}, []
        monkeypatch.setattr(
            plotting,
            "predictions",
            lambda dataset, logits, path: shown.update(pictures=dataset.fetch(np.arange(len(dataset))), logits=logits),
        )
        monkeypatch.setattr(
            plotting,
            "confusion",
            lambda labels, predicted, classes, path: shown.update(labels=labels, predicted=predicted, classes=classes),
        )
        forward = functional.cross_entropy
        monkeypatch.setattr(functional, "cross_entropy", lambda *a: (passes.append(a), forward(*a))[1])
        assert run("--resume", whole) == 0
        saved, test = checkpoint.load(whole / "last.npz"), data.load("shapes", limit=20).test
        images, labels = test.fetch(np.arange(20))
        assert (shown["pictures"][0] == images).all() and (shown["labels"] == labels).all()
        network = saved.build_model().eval()
        logits = network(Tensor(data.Normalize.from_arrays(saved.normalization)(images))).numpy()
        np.testing.assert_allclose(shown["logits"], logits, rtol=1e-4, atol=1e-5)
        assert (shown["predicted"] == shown["logits"].argmax(1)).all() and tuple(shown["classes"]) == test.classes
        assert len(passes) == 3, "batches of 8, 8 and 4"

    def test_another_seed_is_another_run(self, whole, tmp_path):
        assert run(*TINY, "--epochs", 1, "--seed", 6, "--out", tmp_path / "r") == 0
        assert metrics(tmp_path / "r")[0] != metrics(whole)[0]

    def test_the_seed_decides_the_order_too(self, tmp_path):
        orders = []
        for seed in (5, 6):
            options = parser().parse_args(["--model", "shapes_net", "--limit", "20", "--seed", str(seed)])
            configuration = configured(options)
            orders.append(running.Run(configuration, run_folder.RunFolder(tmp_path)).trainer.loader.order(0))
        assert sorted(orders[0]) == sorted(orders[1]) == list(range(20)) and (orders[0] != orders[1]).any()

    def test_without_validation(self, tmp_path, capsys):
        assert run(*TINY, "--epochs", 1, "--validation", 0, "--out", tmp_path / "r") == 0
        out = capsys.readouterr().out
        assert "20 training, no validation and 20 test pictures" in out
        assert re.search(r"epoch 1/1: training loss [\d.]+, training error [\d.]+ %, no validation pictures, ", out)
        assert not (tmp_path / "r" / "best.npz").exists()
        assert metrics(tmp_path / "r")[0]["val_loss"] == ""

    def test_options_reach_the_optimiser(self, tmp_path):
        def last(name, *options):
            assert run("--limit", 40, "--batch-size", 20, "--epochs", 2, "--out", tmp_path / name, *options) == 0
            return checkpoint.load(tmp_path / name / "last.npz")

        base = ("--lr", 0.05, "--momentum", 0.5, "--weight-decay", 0.25, "--schedule", "step:1:0.5")
        paper, torch = last("paper", *base), last("torch", *base, "--optimizer", "sgd")
        settings = paper.trainer_state["optimizer"]["param_groups"][0]
        assert settings["momentum"] == 0.5 and settings["weight_decay"] == 0.25 and settings["lr"] == 0.0125
        assert paper.history[0]["val_loss"] == pytest.approx(torch.history[0]["val_loss"], rel=1e-4)
        assert paper.history[1]["val_loss"] != pytest.approx(torch.history[1]["val_loss"], rel=1e-6)

    def test_the_progress_bar(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        monkeypatch.setitem(progress.TICK, progress.TERMINAL, 0)
        monkeypatch.setenv("TERM", "xterm")
        assert run(*TINY, "--epochs", 2, "--out", tmp_path / "r") == 0
        out, err = capsys.readouterr()
        assert re.search(r"epoch 2/2: +\d+% \|.*\| +[\d.,]+ images/s, [\d:]+ left, loss \d\.\d{3}", err)
        assert "images/s, " in out and "left" not in out

    def test_as_a_process(self, tmp_path):
        command = [sys.executable, "-m", "minialex.train", "--limit", "20", "--epochs", "1"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1].startswith("test accuracy ")
        (folder,) = (tmp_path / "runs").iterdir()
        assert re.fullmatch(r"shapes_net-shapes-\d{8}-\d{6}", folder.name) and (folder / "last.npz").exists()

    def test_cifar_quick_on_real_pictures(self, data_dir, tmp_path, capsys):
        arguments = ("--model", "cifar_quick", "--limit", 32, "--batch-size", 16, "--data-dir", data_dir)
        assert run(*arguments, "--epochs", 1, "--out", tmp_path / "r") == 0
        assert "weight decay conv 0.004, fc 0.03 (none for biases)" in capsys.readouterr().out
        saved = checkpoint.load(tmp_path / "r" / "last.npz")
        assert saved.normalization["mean"].shape == (3, 32, 32) and saved.classes[0] == "airplane"
        assert run("--resume", tmp_path / "r", "--epochs", 2, "--data-dir", data_dir) == 0


def sentence(capsys, *arguments):
    """The one line on stderr of a command that must fail with exit code 2."""
    assert run(*arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err, err
    return err


class TestErrors:
    def test_pictures_of_another_size(self, data_dir, capsys):
        error = sentence(capsys, "--model", "alexnet", "--dataset", "cifar10", "--data-dir", data_dir)
        assert (
            "alexnet takes pictures of 227x227, but those of cifar10 are 32x32: give --resize 256, which enlarges"
            in error
        )

    def test_a_folder_in_use(self, whole, tmp_path, capsys):
        before = {p.name: p.stat().st_mtime_ns for p in whole.iterdir()}
        assert f"{whole} exists and is not empty: choose another folder with --out, or continue" in sentence(
            capsys, "--out", whole
        )
        assert {p.name: p.stat().st_mtime_ns for p in whole.iterdir()} == before
        (tmp_path / "file").touch()
        assert "file exists and is not empty" in sentence(capsys, "--out", tmp_path / "file")
        (tmp_path / "empty").mkdir()
        assert run("--limit", 10, "--epochs", 1, "--out", tmp_path / "empty") == 0

    @pytest.mark.parametrize(
        "option",
        [
            ["--lr", "0.1"],
            ["--seed", "0"],
            ["--download"],
            ["--model", "shapes_net"],
            ["--out", "x"],
            ["--backend", "numpy"],
            ["--accumulate", "1"],
            ["--overfit", "3"],
            ["--diagnose"],
            ["--keep-every", "0"],
        ],
    )
    def test_options_that_a_resumed_run_cannot_change(self, whole, capsys, option):
        assert f"{option[0]} cannot be changed when a run is resumed" in sentence(capsys, "--resume", whole, *option)

    def test_folders_and_checkpoints_that_cannot_go_on(self, whole, tmp_path, capsys):
        folder = tmp_path / "r"
        folder.mkdir()
        assert "r is not the folder of a training run: it has no config.json" in sentence(capsys, "--resume", folder)
        assert "there is no run folder" in sentence(capsys, "--resume", whole / "last.npz")
        (folder / "config.json").write_text("{}")
        assert "config.json is damaged" in sentence(capsys, "--resume", folder)
        (folder / "config.json").write_text((whole / "config.json").read_text().replace("limit", "limits"))
        assert "config.json is damaged" in sentence(capsys, "--resume", folder)
        (folder / "config.json").write_text((whole / "config.json").read_text())
        content = (whole / "last.npz").read_bytes()
        (folder / "last.npz").write_bytes(content[: len(content) // 2])
        assert "last.npz is cut short or damaged" in sentence(capsys, "--resume", folder)
        (folder / "last.npz").write_bytes((whole / "best.npz").read_bytes())
        assert "no training state" in sentence(capsys, "--resume", folder)
        (folder / "last.npz").write_bytes(content)
        (folder / "config.json").write_text((whole / "config.json").read_text().replace("shapes_net", "cifar_quick"))
        assert "holds the weights of 'shapes_net', not of 'cifar_quick'" in sentence(capsys, "--resume", folder)

    def test_a_run_that_diverges(self, tmp_path, capsys, recwarn):
        error = sentence(capsys, *TINY, "--lr", "1e12", "--epochs", 2, "--out", tmp_path / "r")
        assert re.search(r"the (training|validation) loss .*became (nan|inf) in .*(epoch 1|batch \d)", error)
        assert re.search(
            r": \w+ \(\w+\) is the first module whose output is not finite; .*lower learning rate .--lr", error
        )
        assert "no checkpoint was saved yet" in error and not recwarn.list
        assert not list((tmp_path / "r").glob("*.npz"))

    @pytest.mark.parametrize(
        ("step", "validation"), [(5, 0), *(pytest.param(6, n, marks=pytest.mark.heavy) for n in (0, 20))]
    )
    def test_a_good_checkpoint_outlives_what_comes_after(self, tmp_path, capsys, monkeypatch, step, validation):
        """Lost in the second epoch's second step, or in its last, when nothing is left that would show it."""
        folder, steps, good = tmp_path / "r", [], {}
        real = optim.SGD.step

        def fatal(self):
            real(self)
            steps.append(self)
            if len(steps) == step:
                good.update({name: (folder / name).read_bytes() for name in ("last.npz", "metrics.csv")})
                self.param_groups[0]["params"][2].data[0] = np.nan  # conv2.weight

        monkeypatch.setattr(optim.SGD, "step", fatal)
        error = sentence(capsys, *TINY, "--validation", validation, "--epochs", 2, "--out", folder)
        assert "conv2.weight" in error and f"the last good checkpoint is {folder / 'last.npz'}" in error
        assert {name: (folder / name).read_bytes() for name in good} == good
        assert checkpoint.load(folder / "last.npz").trainer_state["epoch"] == 1
        monkeypatch.undo()
        assert run("--resume", folder) == 0, "and goes on from there"

    def test_ctrl_c_does_not_save_lost_weights_either(self, tmp_path, capsys, monkeypatch):
        real = optim.SGD.step

        def fatal(self):
            real(self)
            self.param_groups[0]["params"][0].data[0] = np.inf
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(optim.SGD, "step", fatal)
        assert run(*TINY, "--out", tmp_path / "r") == 2
        assert "conv1.weight became NaN or inf" in capsys.readouterr().err
        assert not list((tmp_path / "r").glob("*.npz"))

    def test_a_disk_that_is_full(self, tmp_path, capsys, monkeypatch):
        def full(file, **arrays):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(np, "savez", full)
        assert "npz: No space left on device" in sentence(capsys, "--limit", 10, "--epochs", 1, "--out", tmp_path / "r")


def test_help_names_every_option_and_its_default(capsys):
    with pytest.raises(SystemExit) as exit_:
        train.main(["--help"])
    assert exit_.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name in (
        "backend",
        "model",
        "dataset",
        "data-dir",
        "download",
        "epochs",
        "batch-size",
        "optimizer",
        "lr",
        "momentum",
        "weight-decay",
        "schedule",
        "seed",
        "out",
        "limit",
        "validation",
        "accumulate",
        "diagnose",
        "keep-every",
        "overfit",
        "weights",
        "num-classes",
        "input-size",
        "freeze",
        "recipe",
        "set",
        "workers",
        "strict",
        "val-labels",
        "resize",
        "threads",
        "conv-table",
        "matmul-precision",
    ):
        assert re.search(rf" --{name} (?:(?! --[a-z]).)*\(default: ", text), name
    assert " --resume " in text and text.count("python -m minialex.train --") >= 4
    for name, preset in models.PRESETS.items():
        t = recipes.of(name)
        assert f"{name} {t.dataset} {t.epochs} {t.batch_size} {t.optimizer}" in re.sub(" +", " ", text)
        assert re.search(rf"{re.escape(t.schedule)} +{preset.recipe_file or '-'} ", text + " ")
