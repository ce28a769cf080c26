"""Weights kept of every so many epochs: which, that they are the run's, and the same bytes however it came to them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from tiny_runs import TINY, after_forwards, assert_same_arrays, ctrl_c, run

from minialex import models
from minialex.nn import init
from minialex.runs import checkpoint, kept, trained
from minialex.support.errors import UserError

pytestmark = pytest.mark.usefixtures("quick_figures")
KEEPING = (*TINY, "--epochs", 3, "--seed", 5, "--keep-every")


@pytest.fixture(scope="module")
def keeping(tmp_path_factory):
    """A run that keeps its weights after each of three epochs."""
    folder = tmp_path_factory.mktemp("runs") / "keeping"
    assert run(*KEEPING, 1, "--out", folder) == 0
    return folder


@pytest.mark.heavy
class TestRuns:
    def test_each_epoch_is_kept_and_none_without_the_option(self, keeping, whole):
        assert [path.name for path in kept.found(keeping).values()] == [f"epoch_00{n}.npz" for n in (1, 2, 3)]
        assert not (whole / "kept").exists()
        saved = [checkpoint.load(path) for path in kept.found(keeping).values()]
        assert_same_arrays(saved[2].weights, checkpoint.load(keeping / "last.npz").weights)
        assert_same_arrays(saved[2].weights, checkpoint.load(whole / "last.npz").weights)
        first, second = (saved[n].weights["conv1.weight"] for n in (0, 1))
        assert not np.array_equal(first, second)
        assert all(s.trainer_state == {} and s.history == [] and s.classes == saved[2].classes for s in saved)
        assert trained.load(kept.found(keeping)[1]).model.conv1.weight.numpy().tobytes() == first.tobytes()

    def test_every_second(self, tmp_path):
        assert run(*KEEPING, 2, "--out", tmp_path / "r") == 0
        assert list(kept.found(tmp_path / "r")) == [2]

    @pytest.mark.parametrize("forwards", [2, 6])
    def test_a_resumed_run_keeps_the_same_bytes(self, keeping, tmp_path, monkeypatch, forwards):
        """Interrupted in the first and in the second epoch; and lengthened by one epoch at its end."""
        with monkeypatch.context() as m:
            after_forwards(m, forwards, ctrl_c)
            assert run(*KEEPING, 1, "--out", tmp_path / "r") == 130
        assert run("--resume", tmp_path / "r") == 0
        for epoch, path in kept.found(keeping).items():
            assert kept.found(tmp_path / "r")[epoch].read_bytes() == path.read_bytes()
        assert run("--resume", tmp_path / "r", "--epochs", 4) == 0
        assert list(kept.found(tmp_path / "r")) == [1, 2, 3, 4]

    def test_what_a_killed_run_left_is_removed(self, keeping, tmp_path):
        folder = shutil.copytree(keeping, tmp_path / "r")
        for name in (".epoch_004.npz.partial", ".epoch_005.npz.12-1.partial", ".note.partial", "note.npz"):
            (folder / "kept" / name).touch()
        assert list(kept.found(folder)) == [1, 2, 3]
        assert run("--resume", folder, "--epochs", 3) == 0
        assert sorted(path.name for path in (folder / "kept").iterdir())[:2] == [".note.partial", "epoch_001.npz"]


def test_only_what_a_page_can_show_is_kept():
    with init.skipped():
        small, large = models.build("shapes_net"), models.build("alexnet")
    kept.check(small, 1)
    kept.check(large, 0)
    with pytest.raises(UserError, match=r"keep_every=2 is for networks of up to 10 MB.*has 243\.\d MB: leave it out"):
        kept.check(large, 2)


@pytest.mark.heavy
def test_a_larger_network_is_refused_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "from minialex import nn\ndef build(num_classes, input_size):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3 * input_size**2, 1000), nn.Linear(1000, num_classes))\n"
    )
    assert run(*TINY, "--model", "net.py:build", "--keep-every", 2, "--out", "r") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --keep-every 2 is for networks of up to 10 MB") and len(error.splitlines()) == 1
    assert not (tmp_path / "r").exists()
