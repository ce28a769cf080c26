"""The commands on a GPU, against the same on NumPy: train, resume, evaluate, predict, look, convert, fine tuning.

`python -m pytest -m gpu` runs these tests; tests/fake_cuda runs them where there is no GPU.
"""

from __future__ import annotations

import json
import re

import numpy as np
import photographs
import pytest
import tiny_runs
import usable
from refusals import no_figures

from minialex import cli, evaluate, predict
from minialex.runs import checkpoint

pytestmark = pytest.mark.gpu


@pytest.fixture
def gpu():
    """The backend, or a skipped test."""
    return usable.or_skip("cupy")


def command(main, *arguments):
    """Run a command on the GPU."""
    assert cli.run(main, [*map(str, arguments), "--backend", "cupy"]) == 0


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with the same run of three epochs by NumPy and by the GPU."""
    usable.or_skip("cupy")
    folder = tmp_path_factory.mktemp("gpu")
    with pytest.MonkeyPatch.context() as patch:
        tiny_runs.without_figures(patch)
        for backend in ("numpy", "cupy"):
            options = "--epochs", 3, "--seed", 5, "--backend", backend, "--out", folder / backend
            assert tiny_runs.run(*tiny_runs.TINY, *options) == 0
    return folder


def close(ours, theirs, rel):
    """Two tables of metrics.csv agree."""
    assert [row.keys() for row in ours] == [row.keys() for row in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert {k: float(v) for k, v in a.items()} == pytest.approx({k: float(v) for k, v in b.items()}, rel=rel)


def test_train(runs):
    close(tiny_runs.metrics(runs / "cupy"), tiny_runs.metrics(runs / "numpy"), rel=1e-5)
    ours, theirs = (checkpoint.load(runs / backend / "last.npz").weights for backend in ("cupy", "numpy"))
    for name, w in theirs.items():
        np.testing.assert_allclose(ours[name], w, rtol=0, atol=1e-5 * np.abs(w).max(), err_msg=name)


def test_resume(runs, tmp_path, monkeypatch, quick_figures):
    """From within an epoch: the run ends with the bits of one that nobody stopped."""
    with monkeypatch.context() as patch:
        tiny_runs.after_forwards(patch, 8, tiny_runs.ctrl_c)
        options = "--epochs", 3, "--seed", 5, "--backend", "cupy", "--out", tmp_path / "r"
        assert tiny_runs.run(*tiny_runs.TINY, *options) == 130
    assert tiny_runs.run("--resume", tmp_path / "r") == 0
    tiny_runs.assert_same_end(tmp_path / "r", runs / "cupy")


def test_evaluate(runs, tmp_path, monkeypatch, capsys):
    no_figures(monkeypatch)
    printed = []
    for backend in ("cupy", "numpy"):
        arguments = runs / "cupy", "--views", 10, "--limit", 12, "--out", tmp_path / backend, "--backend", backend
        assert cli.run(evaluate.main, [str(a) for a in arguments]) == 0
        printed.append([line for line in capsys.readouterr().out.splitlines() if "accuracy" in line or "error" in line])
    assert printed[0] == printed[1] and printed[0]


def test_predict(runs, tmp_path, capsys):
    photograph = photographs.write(tmp_path / "a.png", 3, 40, 40)
    command(predict.main, runs / "cupy", photograph, "--views", 10, "--json")
    ours = json.loads(capsys.readouterr().out)
    assert (
        cli.run(
            predict.main, [str(a) for a in (runs / "cupy", photograph, "--views", 10, "--json", "--backend", "numpy")]
        )
        == 0
    )
    theirs = json.loads(capsys.readouterr().out)
    assert json.dumps(ours, default=float) and _rounded(ours) == _rounded(theirs)


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


@pytest.mark.heavy
def test_look(runs, tmp_path):
    from minialex.look.__main__ import main

    command(main, runs / "cupy", "--limit", 20, "--out", tmp_path / "figures")
    assert len(list((tmp_path / "figures").iterdir())) >= 5


def test_convert(runs, tmp_path):
    """A checkpoint from the GPU is written in another format, and trains there again."""
    from minialex.convert.__main__ import main

    pytest.importorskip("safetensors")
    assert cli.run(main, [str(runs / "cupy" / "last.npz"), str(tmp_path / "a.safetensors")]) == 0
    assert cli.run(main, [str(tmp_path / "a.safetensors"), str(tmp_path / "b.npz")]) == 0
    ours, theirs = (checkpoint.load(path).weights for path in (runs / "cupy" / "last.npz", tmp_path / "b.npz"))
    tiny_runs.assert_same_arrays(ours, theirs)


@pytest.mark.heavy
def test_overfit_and_diagnose(gpu, tmp_path, capsys, quick_figures):
    options = "--limit", 24, "--batch-size", 8, "--epochs", 1, "--seed", 5, "--overfit", 4, "--diagnose"
    said = []
    for backend in ("cupy", "numpy"):
        assert tiny_runs.run(*options, "--backend", backend, "--out", tmp_path / backend) == 0
        out = capsys.readouterr().out
        assert re.search(r"^memorised 4 of 4 pictures after \d+ steps", out, re.MULTILINE)
        said.append(re.findall(r"^  (conv\d|fc\d)  +(\S+) .* (\S+e-\d\d) +(\S+e-\d\d)", out, re.MULTILINE))
    assert len(said[1]) == 5
    for (name, *ours), (other, *theirs) in zip(*said, strict=True):
        assert name == other and [*map(float, ours)] == pytest.approx([*map(float, theirs)], rel=0.02)


def test_fine_tuning(runs, tmp_path, quick_figures):
    """With a frozen layer, as on NumPy."""
    ends = []
    for backend in ("cupy", "numpy"):
        options = "--limit", 16, "--batch-size", 8, "--epochs", 1, "--seed", 5, "--freeze", "conv1"
        out = tmp_path / backend
        assert tiny_runs.run("--weights", runs / "numpy", *options, "--backend", backend, "--out", out) == 0
        ends.append((tiny_runs.metrics(out), checkpoint.load(out / "last.npz").weights))
    close(ends[0][0], ends[1][0], rel=1e-5)
    before = checkpoint.load(runs / "numpy" / "best.npz").weights
    np.testing.assert_array_equal(ends[0][1]["conv1.weight"], before["conv1.weight"])


@pytest.mark.heavy
def test_the_default_run_has_the_losses_of_numpy(gpu, tmp_path, quick_figures):
    """All but its size is the default: network, data, recipe, seed."""
    options = "--limit", 320, "--epochs", 2
    for backend in ("cupy", "numpy"):
        assert tiny_runs.run(*options, "--backend", backend, "--out", tmp_path / backend) == 0
    close(tiny_runs.metrics(tmp_path / "cupy"), tiny_runs.metrics(tmp_path / "numpy"), rel=1e-5)
