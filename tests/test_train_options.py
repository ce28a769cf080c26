"""Options of `train` that watch over a run, or spread a step over batches: what they do, and what they leave alone."""

from __future__ import annotations

import csv
import functools
import json
import os
import re
import shutil
import signal

import numpy as np
import pytest
from on_request import heavy_but
from PIL import Image
from refusals import must_refuse
from tiny_runs import TINY, assert_same_arrays, assert_same_end, metrics, run

from minialex import cli, data, functional, models, random, threads, train
from minialex.runs import checkpoint
from minialex.runs import folder as run_folder
from minialex.runs import run as running
from minialex.runs.folder import RunFolder
from minialex.support.errors import UserError
from minialex.training import RangeTest, diagnose, lr_find, overfit

pytestmark = pytest.mark.usefixtures("quick_figures")


@pytest.fixture(scope="module")
def diagnosed(tmp_path_factory):
    """The same run, watched."""
    folder = tmp_path_factory.mktemp("runs") / "diagnosed"
    assert run(*TINY, "--epochs", 3, "--seed", 5, "--diagnose", "--out", folder) == 0
    return folder


class TestAccumulate:
    def test_it_reaches_training_and_resumes_exactly(self, tmp_path, monkeypatch, capsys):
        options = (*TINY, "--epochs", 3, "--accumulate", 2, "--out")
        assert run(*options, tmp_path / "whole") == 0
        assert "3 of 3 batches of 8 pictures, 2 batches per step, seed 0" in capsys.readouterr().out
        assert json.loads((tmp_path / "whole" / "config.json").read_text())["accumulate"] == 2
        with monkeypatch.context() as m:  # in the first batch of the second epoch's first step: that step is finished
            interrupt_at_loss(m, 3 + 3 + 1)
            assert run(*options, tmp_path / "parts") == 130
        state = checkpoint.load(tmp_path / "parts" / "last.npz").trainer_state
        assert (state["epoch"], state["batch"]) == (1, 2)
        assert run("--resume", tmp_path / "parts") == 0
        assert_same_end(tmp_path / "parts", tmp_path / "whole")

    def test_it_changes_the_steps(self, whole, tmp_path):
        assert run(*TINY, "--epochs", 1, "--seed", 5, "--accumulate", 3, "--out", tmp_path / "r") == 0
        assert metrics(tmp_path / "r")[0] != metrics(whole)[0]


def interrupt_at_loss(monkeypatch, count):
    """Ctrl-C while the count-th loss from now on is computed."""
    loss, seen = functional.cross_entropy, []

    def counted(*arguments):
        seen.append(1)
        if len(seen) == count:
            signal.raise_signal(signal.SIGINT)
        return loss(*arguments)

    monkeypatch.setattr(functional, "cross_entropy", counted)


class TestDiagnose:
    def rows(self, folder):
        with open(folder / "diagnose.csv", newline="") as file:
            return list(csv.DictReader(file))

    @pytest.mark.heavy
    def test_it_leaves_training_alone(self, whole, diagnosed):
        a, b = (checkpoint.load(folder / "last.npz") for folder in (whole, diagnosed))
        assert_same_arrays(a.weights, b.weights)
        a.trainer_state.pop("seconds"), b.trainer_state.pop("seconds")
        np.testing.assert_equal(b.trainer_state, a.trainer_state)
        assert metrics(diagnosed) == metrics(whole)

    def test_a_line_for_each_layer_of_each_epoch(self, diagnosed):
        rows = self.rows(diagnosed)
        assert list(rows[0]) == ["epoch", "layer", "activation", "dead", "gradient", "update"]
        names = ["conv1", "conv2", "conv3", "fc4", "fc5"]
        assert [(row["epoch"], row["layer"]) for row in rows] == [(e, name) for e in "123" for name in names]
        for row in rows:
            assert float(row["activation"]) > 0 and float(row["gradient"]) > 0 and 0 < float(row["update"]) < 1
            assert (row["dead"] == "") == (row["layer"] == "fc5")
        assert len({row["activation"] for row in rows}) == 15
        with Image.open(diagnosed / "diagnose.png") as image:
            assert image.format == "PNG" and image.width > 900

    def test_what_it_prints(self, diagnosed, tmp_path, capsys):
        assert run(*TINY, "--epochs", 1, "--seed", 5, "--diagnose", "--out", tmp_path / "r") == 0
        lines = capsys.readouterr().out.splitlines()
        (start,) = (i for i, line in enumerate(lines) if line.startswith("epoch 1/1"))
        assert lines[start + 1].split() == ["layer", "activation", "dead", "ReLUs", "gradient", "update/weight"]
        shown = lines[start + 2].split()
        row = self.rows(diagnosed)[0]
        assert shown[0] == "conv1" and float(shown[1]) == pytest.approx(float(row["activation"]), rel=0.01)
        assert lines[start + 6].split()[0] == "fc5" and lines[start + 7].startswith("test accuracy")

    @pytest.mark.parametrize("loss", heavy_but([8], [5, 8, 9, 11]))
    def test_a_resumed_run_keeps_its_rows_and_goes_on_alike(self, diagnosed, tmp_path, monkeypatch, loss):
        """Interrupted in training, while measuring (7 and 14), and in validation."""
        folder = tmp_path / "r"
        with monkeypatch.context() as m:
            interrupt_at_loss(m, loss)
            assert run(*TINY, "--epochs", 3, "--seed", 5, "--diagnose", "--out", folder) == 130
        assert run("--resume", folder) == 0
        assert_same_end(folder, diagnosed)
        assert (folder / "diagnose.csv").read_bytes() == (diagnosed / "diagnose.csv").read_bytes()

    def test_no_file_without_it(self, whole):
        assert not list(whole.glob("diagnose.*"))


class TestOverfit:
    def test_the_run_proceeds_as_without_it(self, whole, tmp_path, capsys):
        assert run(*TINY, "--epochs", 3, "--seed", 5, "--overfit", 5, "--out", tmp_path / "r") == 0
        lines = capsys.readouterr().out.splitlines()
        assert re.fullmatch(r"memorised 5 of 5 pictures after \d+ steps, loss 0\.0\d+", lines[8])
        assert lines[9].startswith("epoch 1/3")
        assert_same_end(tmp_path / "r", whole)
        assert json.loads((tmp_path / "r" / "config.json").read_text())["overfit"] == 5

        assert run("--resume", tmp_path / "r", "--epochs", 4) == 0
        assert "memorised" not in capsys.readouterr().out, "a run that has begun has passed it"

    def test_it_learns_the_pictures_that_training_begins_with(self, tmp_path, monkeypatch):
        seen = {}

        def overfit_batch(model, optimizer, loader, accumulate, watch):
            seen.update(locals())
            return overfit.Overfit(True, 3, 1, 0.0)

        monkeypatch.setattr(overfit, "overfit_batch", overfit_batch)
        assert run(*TINY, "--momentum", 0.3, "--accumulate", 2, "--epochs", 1, "--overfit", 3, "--out", tmp_path) == 0
        train_set = data.load("shapes", limit=20).train
        order = data.Loader(train_set, 8, shuffle=True, seed=0).order(0)
        assert (seen["loader"].dataset.images == train_set.images[order[:3]]).all()
        assert (seen["loader"].dataset.labels == train_set.labels[order[:3]]).all()
        assert {type(t) for t in seen["loader"].transforms} == {data.Normalize, data.CenterCrop}, "undistorted"
        assert seen["accumulate"] == 2
        group = seen["optimizer"].param_groups[0]
        assert group["momentum"] == 0.3 and group["params"][0] is next(seen["model"].parameters())
        random.manual_seed(0)
        assert_same_arrays(seen["model"].state_dict(), models.build("shapes_net").state_dict())
        assert seen["model"].drop4.p == 0

    def test_a_network_that_cannot_learn(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(overfit, "MOST_STEPS", 3)
        assert run(*TINY, "--lr", 0, "--overfit", 10, "--out", tmp_path / "r") == 1
        out, err = capsys.readouterr()
        assert re.search(
            r"\nmemorised \d of 10 pictures after 4 steps, loss 2\.\d+\n(.*\n)+.*lower learning rate; ", out
        )
        assert "epoch 1/" not in out and err == "" and not (tmp_path / "r").exists(), "nothing is left behind"

    def test_too_many_pictures_and_a_loss_that_runs_away(self, tmp_path, capsys):
        assert run(*TINY, "--overfit", 21, "--out", tmp_path / "r") == 2
        error = capsys.readouterr().err
        assert "--overfit 21: there are only 20 training pictures" in error
        assert run(*TINY, "--lr", "1e12", "--overfit", 5, "--out", tmp_path / "r") == 2
        error = capsys.readouterr().err
        assert re.search(r"--overfit 5: the .* loss .*became (nan|inf) .*lower learning rate .--lr", error)
        assert not (tmp_path / "r").exists()

    def test_ctrl_c_and_again(self, whole, tmp_path, monkeypatch, capsys):
        folder = tmp_path / "r"
        with monkeypatch.context() as m:
            interrupt_at_loss(m, 4)
            assert run(*TINY, "--epochs", 3, "--seed", 5, "--overfit", 5, "--out", folder) == 130
        assert "stopped after 0 epochs and 0 batches" in capsys.readouterr().out
        assert run("--resume", folder) == 0
        assert "memorised 5 of 5 pictures" in capsys.readouterr().out
        assert_same_end(folder, whole)


class TestClipping:
    def test_it_is_in_force_and_goes_on_exactly(self, whole, tmp_path, monkeypatch, capsys):
        options = (*TINY, "--epochs", 3, "--seed", 5, "--clip-grad-norm", 0.05)
        assert run(*options, "--out", tmp_path / "clipped") == 0
        assert "multistep:1,2:0.5, gradients clipped to norm 0.05" in capsys.readouterr().out
        assert json.loads((tmp_path / "clipped" / "config.json").read_text())["clip_grad_norm"] == 0.05
        rows = steps(tmp_path / "clipped")
        assert all(float(row["grad_norm"]) > 0.05 for row in rows), "the norm is that before clipping"
        assert rows[0]["loss"] == steps(whole)[0]["loss"] and rows[3]["loss"] != steps(whole)[3]["loss"]
        with monkeypatch.context() as m:
            interrupt_at_loss(m, 6)
            assert run(*options, "--out", tmp_path / "parts") == 130
        assert run("--resume", tmp_path / "parts") == 0
        assert_same_end(tmp_path / "parts", tmp_path / "clipped")

    def test_of_a_recipe_file_and_off_by_default(self, whole, tmp_path, capsys):
        assert json.loads((whole / "config.json").read_text())["clip_grad_norm"] is None
        assert {row["grad_norm"] for row in steps(whole)} == {""}
        recipe = tmp_path / "mine.toml"
        recipe.write_text("clip_grad_norm = 2.5\n")
        options = train.parser().parse_args(["--recipe", str(recipe)])
        assert train.configured(options).recipe.clip_grad_norm == 2.5
        with_option = train.parser().parse_args(["--recipe", str(recipe), "--clip-grad-norm", "3"])
        assert train.configured(with_option).recipe.clip_grad_norm == 3
        for text in ("0", "-1", '"1"', "inf"):
            recipe.write_text(f"clip_grad_norm = {text}\n")
            assert run(*TINY, "--recipe", recipe, "--out", tmp_path / "s") == 2
            assert "clip_grad_norm" in capsys.readouterr().err
        assert run(*TINY, "--clip-grad-norm", 0, "--out", tmp_path / "s") == 2
        assert "a clip_grad_norm of 0 would set every gradient to 0" in capsys.readouterr().err


def steps(folder):
    with open(folder / "steps.csv", newline="") as file:
        return list(csv.DictReader(file))


class TestSteps:
    def test_a_row_for_each_step(self, whole):
        rows = steps(whole)
        assert [(row["step"], row["epoch"], row["batch"]) for row in rows] == [
            (str(3 * epoch + batch), str(epoch + 1), str(batch)) for epoch in range(3) for batch in (1, 2, 3)
        ]
        assert [row["lr"] for row in rows] == ["0.02"] * 3 + ["0.01"] * 3 + ["0.005"] * 3
        for number, row in enumerate(metrics(whole)):
            losses = [float(row["loss"]) for row in rows[3 * number : 3 * number + 3]]
            assert np.dot(losses, [8, 8, 4]) / 20 == pytest.approx(float(row["train_loss"]), rel=1e-12)

    @pytest.mark.parametrize("cut", [0, 1, 20])
    def test_rows_after_the_checkpoint_and_half_a_row_are_cut(self, whole, tmp_path, cut):
        """A run that was killed: it had written more steps than its checkpoint knows, the last of them in part."""
        text = (whole / "steps.csv").read_text()
        lines = text.splitlines(keepends=True)
        folder = RunFolder(tmp_path)
        (tmp_path / "steps.csv").write_text(text[: len(text) - cut])
        folder.keep_steps(4)
        assert (tmp_path / "steps.csv").read_text() == "".join(lines[:5])
        folder.write_steps([{"step": 5, "epoch": 2, "batch": 2, "loss": 0.5, "lr": 0.01, "grad_norm": None}])
        assert steps(tmp_path)[-1] == dict(step="5", epoch="2", batch="2", loss="0.5", lr="0.01", grad_norm="")

    def test_rows_that_are_damaged_are_cut(self, whole, tmp_path):
        lines = (whole / "steps.csv").read_bytes().splitlines(keepends=True)
        odd = [
            b"\xff\x80\n",
            b"9" * 5000 + b",1,1,1,1,\n",
            b"2,1,2\n",
            b"-1,1,1,0.5,0.1,\n",
            b"1;1;1\n",
            "²,1,1,0.5,0.1,\n".encode(),
        ]
        (tmp_path / "steps.csv").write_bytes(b"".join([*lines[:2], *odd, lines[2]]))
        RunFolder(tmp_path).keep_steps(4)
        assert (tmp_path / "steps.csv").read_bytes() == b"".join(lines[:3])

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "steps.csv")
        with pytest.raises(UserError, match="steps.csv is not a file: remove it"):
            RunFolder(tmp_path).keep_steps(4)

    def test_a_run_from_before_there_was_such_a_file(self, tmp_path):
        folder = RunFolder(tmp_path)
        folder.keep_steps(7)
        assert (tmp_path / "steps.csv").read_text() == "step,epoch,batch,loss,lr,grad_norm\n"

    def test_rows_are_on_the_disk_while_the_run_goes_on(self, tmp_path, monkeypatch):
        monkeypatch.setattr(run_folder, "WRITE_STEPS_EVERY", 0)
        seen, check = [], cli.Interrupt.check
        monkeypatch.setattr(cli.Interrupt, "check", lambda self: (seen.append(len(steps(tmp_path / "r"))), check(self)))
        assert run(*TINY, "--epochs", 1, "--out", tmp_path / "r") == 0
        assert seen[:4] == [0, 1, 2, 3]


class TestLrFind:
    def test_the_suggestion_and_the_command(self, tmp_path, monkeypatch, capsys):
        found = RangeTest(np.array([1e-3, 1e-2]), np.array([2.0, 1.0]), np.array([2.0, 1.5]), 0.01234, False)
        monkeypatch.setattr(running, "lr_find", lambda *arguments, **options: found)
        folder = tmp_path / "new" / "my run"
        options = (*TINY[:-4], "--lr", 0.5, "--lr-find", "--seed", 5, "--out", folder)
        assert run(*options) == 0
        line = capsys.readouterr().out.splitlines()[-1]
        picture = tmp_path / "new" / "my run.lr-find.png"
        assert line == (
            f"suggested learning rate 0.012, where the loss falls fastest; drawn: {picture}; to use it: "
            f"python -m minialex.train --limit 20 --batch-size 8 --seed 5 --out '{folder}' --lr 0.012"
        )
        assert picture.exists() and not folder.exists(), "the folder is free for the run"

    def test_a_real_one_changes_nothing(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(running, "lr_find", functools.partial(lr_find, steps=4))
        assert run(*TINY, "--lr-find", "--out", tmp_path / "r") == 1
        assert "no learning rate to suggest: from 1e-05 to 1e+01 the loss never fell noticeably; drawn: " in (
            capsys.readouterr().out
        )
        options = train.parser().parse_args([*map(str, TINY), "--freeze", "conv1", "--accumulate", "2"])
        made = running.Run(train.configured(options), RunFolder(tmp_path / "s"))
        before = {name: array.copy() for name, array in made.model.state_dict().items()}
        tested, trained = made.find_lr(), []
        assert len(tested.lrs) == 4
        for name, array in made.model.state_dict().items():
            assert array.tobytes() == before[name].tobytes()
        assert made.trainer.epoch == made.trainer.batch == 0 and not trained

    def test_not_of_a_resumed_run(self, whole, capsys):
        assert run("--resume", whole, "--lr-find") == 2
        assert "--lr-find cannot be changed when a run is resumed" in capsys.readouterr().err


def test_a_loss_that_stays_at_chance_is_pointed_out_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(diagnose, "CHANCE_STEPS", 4)
    assert run(*TINY, "--lr", 0, "--epochs", 3, "--out", tmp_path / "r") == 0
    out = capsys.readouterr().out
    assert out.count("ln(10) = 2.3026") == 1 and out.index("epoch 2/3") < out.index("hint: ") < out.index("epoch 3/3")
    monkeypatch.setattr(diagnose, "CHANCE_STEPS", 3)
    assert run(*TINY, "--lr", 0, "--accumulate", 2, "--epochs", 1, "--out", tmp_path / "s") == 0
    assert "hint" not in capsys.readouterr().out, "3 batches, but 2 steps"


def test_adam_and_a_warm_up_train_and_go_on_exactly(tmp_path, capsys):
    options = (*TINY, "--optimizer", "adamw", "--lr", 0.001, "--schedule", "warmup:1+cosine", "--seed", 5)
    assert run(*options, "--epochs", 3, "--out", tmp_path / "whole") == 0
    assert "optimizer  adamw, lr 0.001, weight decay 0.0005, schedule warmup:1+cosine" in capsys.readouterr().out
    assert [row["lr"] for row in metrics(tmp_path / "whole")] == ["0.0005", "0.001", "0.0005"]
    # Longer than at first: a cosine then ends where the longer run ends.
    assert run(*options, "--epochs", 2, "--out", tmp_path / "part") == 0
    assert run("--resume", tmp_path / "part", "--epochs", 3) == 0
    rates = [float(row["lr"]) for row in metrics(tmp_path / "part")]
    assert rates == pytest.approx([0.0005, 0.001, 0.0005])


def test_matmul_precision_is_a_gpus(tmp_path, capsys):
    numpy = *TINY, "--epochs", 1, "--backend", "numpy"
    assert run(*numpy, "--matmul-precision", "float32", "--out", tmp_path / "r") == 0
    assert "backend    numpy, float32, " in capsys.readouterr().out
    assert json.loads((tmp_path / "r" / "config.json").read_text())["matmul_precision"] == "float32"
    assert run(*numpy, "--matmul-precision", "tf32", "--out", tmp_path / "s") == 2
    assert "only a GPU multiplies in tf32: use --backend cupy" in capsys.readouterr().err
    assert run(*TINY, "--matmul-precision", "half") == 2


class TestConvTable:
    """--conv-table: how the numba backend computes convolutions, as the user's own table says."""

    LAYER = "32x7x7 to 64, 3x3, stride 1x1, padding 1 1 1 1, dilation 1x1, groups 2, float32"  # built in: direct
    OPTIONS = (*TINY, "--epochs", 3, "--seed", 5)

    @pytest.fixture
    def table(self, tmp_path):
        """The path of a table with another way for a layer than the built-in one, and with one that is not ours."""
        pytest.importorskip("numba")
        found = {"format": "minialex convolutions 1", "minialex": "0.1.0", "processor": "", "threads": threads.count()}
        layers = {self.LAYER: "F(4,3)", self.LAYER.replace("32x7x7", "32x8x8"): "direct"}
        path = tmp_path / "my.json"
        path.write_text(json.dumps(found | {"date": "2026-01-31", "ways": layers}))
        return path

    def in_use(self):
        from minialex.backends.fast_cpu import ways

        return ways.table()

    @pytest.mark.heavy  # compiles F(4,3)
    def test_it_changes_the_bits_and_a_resumed_run_obeys_it_without_the_file(
        self, whole, table, tmp_path, monkeypatch, capsys
    ):
        content = json.loads(table.read_text())["ways"]
        assert run(*self.OPTIONS, "--conv-table", table, "--out", tmp_path / "a") == 0
        topic = "  convolutions  as in my.json (1 of 3 layers)\n"
        assert topic in capsys.readouterr().out
        assert self.in_use() == {}, "it is the run's, not the process's"
        own, other = (checkpoint.load(folder / "last.npz") for folder in (tmp_path / "a", whole))
        assert own.weights["conv3.weight"].tobytes() != other.weights["conv3.weight"].tobytes()
        np.testing.assert_allclose(own.weights["conv3.weight"], other.weights["conv3.weight"], atol=1e-3)
        saved = json.loads((tmp_path / "a" / "config.json").read_text())
        for settings in (saved, own.configuration):
            assert (settings["conv_table"], settings["conv_ways"]) == ("my.json", content)
        with monkeypatch.context() as m:
            interrupt_at_loss(m, 8)
            assert run(*self.OPTIONS, "--conv-table", table, "--out", tmp_path / "b") == 130
        table.unlink()
        assert run("--resume", tmp_path / "b") == 0
        assert topic in capsys.readouterr().out.split("--resume")[1]
        assert self.in_use() == {}
        assert_same_end(tmp_path / "b", tmp_path / "a")

    NET = """
from minialex import functional as F, nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(900, 10)

    def forward(self, x):
        return self.fc(F.dropout(F.max_pool2d(F.relu(self.conv(x)), 2)).flatten(1))
"""

    def test_the_header_of_a_network_that_cannot_be_traced_draws_nothing(self, table, tmp_path):
        """Its dropout never rests; a run that resumes prints the header once more than one that was not stopped."""
        from minialex.backends.fast_cpu import ways

        (tmp_path / "net.py").write_text(self.NET)
        net = f"{tmp_path / 'net.py'}:Net"
        options = (*TINY, "--epochs", 1, "--model", net, "--conv-table", table)
        assert run(*options, "--out", tmp_path / "r") == 0
        try:
            resumed = running.Run.resume(tmp_path / "r", model=net)
            before = random.default_generator.call
            assert "  convolutions  as in my.json\n" in resumed.header()
            assert random.default_generator.call == before > 0
        finally:
            ways.use(None)

    def test_without_one_the_header_says_nothing_of_it(self, tmp_path, capsys):
        assert run(*TINY, "--epochs", 1, "--out", tmp_path / "r") == 0
        out = capsys.readouterr().out
        assert "  backend    " in out and "convolutions" not in out
        saved = json.loads((tmp_path / "r" / "config.json").read_text())
        assert (saved["conv_table"], saved["conv_ways"]) == (None, {})

    @pytest.mark.parametrize(
        ("options", "change", "expected"),
        [
            (["--backend", "numpy"], {}, "--conv-table is only for --backend numba, .* not for numpy: leave it out"),
            ([], {"ways": {"a layer": "F(9,9)"}}, r"my.json is damaged: .* should be one of direct, .*'F\(9,9\)'"),
            ([], {"format": "recipe"}, "my.json is not a table of convolutions: its format is not"),
            (["--threads", "3"], {"threads": 2}, "with 2 threads, but this run has 3: .*--threads 3, .*--conv-table"),
        ],
    )
    def test_what_is_refused(self, table, tmp_path, monkeypatch, capsys, options, change, expected):
        monkeypatch.chdir(tmp_path)
        table.write_text(json.dumps(json.loads(table.read_text()) | change))
        message = must_refuse(capsys, *TINY, *options, "--conv-table", table, "--out", "r")
        assert re.search(expected, message)

    def test_a_file_that_is_not_there(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        pytest.importorskip("numba")
        assert "nowhere.json: No such file" in must_refuse(capsys, *TINY, "--conv-table", "nowhere.json")

    def test_a_way_that_this_version_does_not_have(self, whole, tmp_path, capsys):
        """As in a run of a later version."""
        folder = shutil.copytree(whole, tmp_path / "r")
        (folder / "last.npz").unlink()
        saved = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(saved | {"conv_ways": {"a layer": "F(9,9)"}}))
        assert run("--resume", folder) == 2
        assert "maps layers to one of direct, F(4,3), " in capsys.readouterr().err
