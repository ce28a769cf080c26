"""The commands on .cfg files: train, resume, and what needs the files no more afterwards."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cfg_files import COST, DATA, network, rates
from tiny_runs import after_forwards, assert_same_end, ctrl_c, run

from minialex import cli
from minialex.runs import checkpoint, trained
from minialex.summary import __main__ as summary_command

pytestmark = pytest.mark.usefixtures("quick_figures")

CONV = "[conv1]\ntype=conv\ninputs=data\nchannels=3\nfilters=4\nfilterSize=5\nstride=2\ninitW=0.01\n"
LAYERS = (
    f"{CONV}[norm1]\ntype=cmrnorm\ninputs=conv1\nsize=3\n"
    "[pool1]\ntype=pool\npool=max\ninputs=norm1\nsizeX=3\nstride=2\nneuron=relu\n"
    "[local2]\ntype=local\ninputs=pool1\nchannels=4\nfilters=3\nfilterSize=3\npadding=1\ninitW=0.1\nneuron=relu\n"
    "[drop]\ntype=hs\ninputs=local2\nkeep=0.5\n"
)
DEFINITION = network(LAYERS, "drop").replace("outputs=3", "outputs=10")
NORM = "[norm1]\nscale=0.001\npow=0.75\nminDiv=2\n"
PARAMETERS = rates(DEFINITION, NORM).replace(
    "epsW=0.01", "epsW=0.01\nschedW=dexp[tgtFactor=10,noiseStdev=0.1,numSteps=3]"
)
SMALL = ("--limit", 20, "--batch-size", 8, "--seed", 5)


@pytest.fixture
def files(tmp_path):
    """The options that name a pair of files, and the files."""
    first, second = tmp_path / "layers-tiny.cfg", tmp_path / "layer-params-tiny.cfg"
    first.write_text(DEFINITION)
    second.write_text(PARAMETERS)
    return first, second


def options(files):
    return ("--cfg", files[0], "--cfg-params", files[1], "--dataset", "shapes")


@pytest.mark.heavy
def test_a_run_goes_on_without_the_files_as_if_never_stopped(files, tmp_path, monkeypatch, capfd):
    assert run(*options(files), *SMALL, "--epochs", 3, "--out", tmp_path / "whole") == 0
    out = capfd.readouterr().out
    assert "layers-tiny.cfg and layer-params-tiny.cfg" in out
    assert "weights 0.01 to 0.001 in 3 equal steps (dexp), times 1 + |N(0, 1)| 0.1, biases 0.02" in out
    with monkeypatch.context() as m:
        after_forwards(m, 11, ctrl_c)
        assert run(*options(files), *SMALL, "--epochs", 3, "--out", tmp_path / "r") == 130
    for path in files:
        path.unlink()
    assert run("--resume", tmp_path / "r") == 0
    assert_same_end(tmp_path / "r", tmp_path / "whole")
    steps = (tmp_path / "whole" / "steps.csv").read_text().split("\n")[1:-1]
    lrs = [float(line.split(",")[4]) for line in steps]
    bases = [0.01, 0.01, 0.01, 0.01, *[0.01 / 10**0.5] * 3, 0.001, 0.001]  # 9 steps: p = 3/9 is of the first third
    assert all(base <= lr <= 1.5 * base for base, lr in zip(bases, lrs)) and len({*lrs}) == 9


@pytest.mark.heavy
def test_what_uses_a_run_needs_no_files(files, tmp_path, rng, capsys):
    folder = tmp_path / "r"
    assert run(*options(files), *SMALL, "--epochs", 1, "--out", folder) == 0
    for path in files:
        path.unlink()
    found = trained.load(folder / "last.npz")
    assert found.name == "tiny"
    capsys.readouterr()
    assert cli.run(summary_command.main, [str(folder / "last.npz")]) == 0
    text = capsys.readouterr().out
    assert "tiny: " in text and "local2" in text and "Local2d" in text
    ort = pytest.importorskip("onnxruntime")
    from minialex.convert import __main__ as convert_command

    assert cli.run(convert_command.main, [str(folder / "last.npz"), str(tmp_path / "a.onnx")]) == 0
    images = rng.standard_normal((2, 3, 32, 32)).astype(np.float32)
    from minialex import Tensor, no_grad

    with no_grad():
        expected = found.model(Tensor(images)).numpy()
    (logits,) = ort.InferenceSession(str(tmp_path / "a.onnx")).run(None, {"input": images})
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.heavy
def test_the_configuration_holds_the_texts(files, tmp_path):
    assert run(*options(files), *SMALL, "--epochs", 1, "--out", tmp_path / "r", "--init-rates") == 0
    written = json.loads((tmp_path / "r" / "config.json").read_text())
    assert written["cfg_definition"] == DEFINITION and written["cfg_parameters"] == PARAMETERS
    assert written["cfg_files"] == ["layers-tiny.cfg", "layer-params-tiny.cfg"] and written["cfg_initial_rates"]
    assert written["model"] == "graph" and written["normalization"] == "mean-image-center" and not written["flip"]
    saved = checkpoint.load(tmp_path / "r" / "last.npz")
    assert saved.arguments["description"]["name"] == "tiny"
    np.testing.assert_array_equal(saved.normalization["std"], 1)


@pytest.mark.heavy
def test_weights_by_the_functions_of_a_file(files, tmp_path, capsys):
    assert run(*options(files), *SMALL, "--epochs", 1, "--out", tmp_path / "old") == 0
    files[0].write_text(DEFINITION.replace("initW=0.01\n", "initW=0.01\ninitWFunc=initw.makew(conv1)\n"))
    files[1].write_text(PARAMETERS.replace("epsW=0.01", "epsW=1e-12", 1).replace("momW=0.9", "momW=0", 1))
    assert run(*options(files), *SMALL, "--epochs", 1, "--out", tmp_path / "r") == 2
    assert "takes its first values from another network, by initw.makew(conv1): give that network with --weights" in (
        capsys.readouterr().err
    )
    assert (
        run(*options(files), *SMALL, "--epochs", 1, "--out", tmp_path / "r", "--weights", tmp_path / "old" / "last.npz")
        == 0
    )
    assert "conv1 are taken, as the file says" in capsys.readouterr().out
    old, new = (checkpoint.load(tmp_path / name / "last.npz").weights for name in ("old", "r"))
    np.testing.assert_allclose(new["conv1.weight"], old["conv1.weight"], rtol=1e-5)
    assert not np.allclose(new["local2.weight"], old["local2.weight"])


REFUSED = {
    "rate": (("--lr", 0.1), "--lr stands in the parameter file, as epsW and epsB of each layer"),
    "schedule": (("--schedule", "cosine"), "--schedule stands in the parameter file"),
    "model": (("--model", "alexnet"), "--cfg is the network: leave out --model"),
    "argument": (("--set", "norm=none"), "graph has no argument 'norm'"),
    "classes": (("--num-classes", 4), "--num-classes 4: must be at least 10"),
    "range test": (("--lr-find",), "--lr-find is for one learning rate"),
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", REFUSED)
def test_options_that_do_not_go_together(name, files, tmp_path, capsys):
    given, what = REFUSED[name]
    assert run(*options(files), *SMALL, *given, "--out", tmp_path / "r") == 2
    error = capsys.readouterr().err
    assert what in error and "Traceback" not in error


def test_files_that_do_not_go_together(files, tmp_path, capsys):
    first, second = files
    assert run("--cfg", first) == 2
    assert "give its parameter file, layer-params-*.cfg, too: --cfg-params" in capsys.readouterr().err
    assert run("--cfg-params", second) == 2
    assert "--cfg-params belongs to a definition file: give --cfg, too" in capsys.readouterr().err
    assert run("--cfg", tmp_path / "none.cfg", "--cfg-params", second) == 2
    assert "none.cfg: No such file" in capsys.readouterr().err


@pytest.mark.heavy
def test_files_that_do_not_go_with_the_data(files, tmp_path, capsys):
    first, second = files
    first.write_text(DEFINITION.replace("outputs=10", "outputs=1000"))
    assert run(*options(files), "--out", tmp_path / "r") == 2
    expected = "has 1,000 outputs, but the data has 10 classes: --num-classes 10 gives it as many, --num-classes 1000"
    assert expected in capsys.readouterr().err
    first.write_text(f"{DATA}[fc]\ntype=fc\ninputs=data\noutputs=4\n[cost]\ntype=cost.crossent2\ninputs=labels,fc\n")
    second.write_text("[fc]\nepsW=1\nepsB=1\nmomW=0\nmomB=0\n")
    assert run(*options(files), "--out", tmp_path / "r") == 2
    assert "is a cost.crossent2, for which no data set here has targets" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_summary(files, capsys):
    first, second = map(str, files)
    assert cli.run(summary_command.main, [first]) == 0
    out, err = capsys.readouterr()
    assert "tiny: the network of layers-tiny.cfg" in out and "local2" in out
    assert "note: without --cfg-params, scale, pow are taken to have their usual values" in err
    assert cli.run(summary_command.main, [first, "--cfg-params", second, "--explain", "--input-size", "40"]) == 0
    text = capsys.readouterr().out
    assert "conv1, of data: convolution of 4 filters 5 x 5 x 3, stride 2; the last window goes 1 pixel beyond" in text
    assert "scale=0.001 is divided by the 3 maps of the window, so alpha is 0.000333333" in text
    assert "norm1: sums of both signs are normalised, before their ReLU" in text
    assert cli.run(summary_command.main, ["alexnet", "--cfg-params", second]) == 2
    assert "belongs to a layer definition file" in capsys.readouterr().err


def test_summary_of_a_network_that_takes_labels(files, capsys):
    first = str(files[0])
    text = DEFINITION[: DEFINITION.index("[probs]")] + "[diff]\ntype=eltsum\ninputs=fc,labels\ncoeffs=1,-1\n"
    files[0].write_text(text + "[cost]\ntype=cost.sum2\ninputs=diff\n")
    assert cli.run(summary_command.main, [first, "--explain"]) == 0
    assert "sum of 1 fc + -1 labels" in capsys.readouterr().out
    assert cli.run(summary_command.main, [first, "--style", "torch"]) == 0
    capsys.readouterr()
    assert cli.run(summary_command.main, [first]) == 2
    assert "[cost] compares labels within the network: --explain or --style torch show it" in capsys.readouterr().err
    assert cli.run(summary_command.main, ["none.cfg"]) == 2
    assert "there is no file none.cfg" in capsys.readouterr().err


@pytest.mark.heavy
def test_pictures_that_are_too_small(files, tmp_path, capsys):
    files[0].write_text(DEFINITION.replace("sizeX=3\nstride=2", "sizeX=20\nstride=2"))
    assert run(*options(files), *SMALL, "--out", tmp_path / "r") == 2
    error = capsys.readouterr().err
    assert "[pool1] sizeX=20" in error and "pictures have 32 pixels, those of such networks usually 224" in error


def test_nearly_no_rate_is_said(files, capsys):
    first, second = files
    second.write_text(PARAMETERS.replace("epsW=0.01", "epsW=0.00001"))
    assert cli.run(summary_command.main, [str(first), "--cfg-params", str(second)]) == 0
    note = " ".join(capsys.readouterr().err.split())
    assert "has the learning rates of the end of its training" in note and "--init-rates of train" in note


@pytest.mark.heavy
def test_weights_of_a_run_for_a_file_without_functions(files, tmp_path, capsys):
    """All are taken; and a head of another size is new."""
    assert run(*options(files), *SMALL, "--epochs", 1, "--out", tmp_path / "old") == 0
    files[1].write_text(PARAMETERS.replace("epsW=0.01", "epsW=1e-12").replace("epsB=0.02", "epsB=1e-12"))
    again = (*SMALL, "--epochs", 1, "--weights", tmp_path / "old" / "last.npz")
    assert run(*options(files), *again, "--out", tmp_path / "r") == 0
    old, new = (checkpoint.load(tmp_path / name / "last.npz").weights for name in ("old", "r"))
    for name in old:
        np.testing.assert_allclose(new[name], old[name], rtol=1e-4, atol=1e-7, err_msg=name)
    capsys.readouterr()
    assert run(*options(files), *again, "--num-classes", 12, "--out", tmp_path / "s") == 0
    assert "fc is new, for 12 classes instead of 10" in capsys.readouterr().out
    assert checkpoint.load(tmp_path / "s" / "last.npz").weights["fc.weight"].shape[0] == 12


@pytest.mark.heavy
def test_measuring_leaves_the_run_as_it_is(files, tmp_path):
    assert run(*options(files), *SMALL, "--epochs", 2, "--out", tmp_path / "whole") == 0
    assert run(*options(files), *SMALL, "--epochs", 2, "--diagnose", "--out", tmp_path / "r") == 0
    old, new = (checkpoint.load(tmp_path / name / "last.npz").weights for name in ("whole", "r"))
    assert all(old[name].tobytes() == new[name].tobytes() for name in old)


@pytest.mark.heavy
def test_outputs_that_are_joined(files, tmp_path, capsys):
    """Classes that several layers divide among them; their number is that of the file."""
    first, second = files
    layers = "[a]\ntype=fc\ninputs=data\noutputs=4\ninitW=0.01\n[b]\ntype=fc\ninputs=data\noutputs={}\ninitW=0.01\n"
    ends = "[fc]\ntype=concat\ninputs=a,b\n"
    first.write_text(DATA + layers.format(6) + ends + COST)
    second.write_text(rates(layers))
    assert run(*options(files), *SMALL, "--epochs", 1, "--out", tmp_path / "r") == 0
    assert trained.load(tmp_path / "r" / "last.npz").checkpoint.weights["b.weight"].shape == (6, 3072)
    first.write_text(DATA + layers.format(7) + ends + COST)
    capsys.readouterr()
    assert run(*options(files), *SMALL, "--epochs", 1, "--out", tmp_path / "s") == 2
    assert "[logprob] compares 11 outputs with the data's 10 classes" in capsys.readouterr().err


@pytest.mark.heavy
def test_a_configuration_that_was_edited(files, tmp_path, capsys):
    """A run that has no checkpoint yet is built from the texts in config.json; whatever stands there is checked."""
    folder = tmp_path / "r"
    assert run(*options(files), *SMALL, "--epochs", 1, "--out", folder) == 0
    values = json.loads((folder / "config.json").read_text())
    for changes, what in (
        (
            {"cfg_definition": DEFINITION.replace("type=conv", "type=cov")},
            "layers-tiny.cfg, line 8: [conv1] type='cov'",
        ),
        ({"cfg_parameters": None}, "two texts, their names"),
        ({"cfg_files": ["a.cfg"]}, "two texts, their names"),
        ({"model": "alexnet", "arguments": {}}, "two texts, their names"),
        ({"cfg_definition": 7}, "cfg_definition should be"),
    ):
        (folder / "last.npz").unlink(missing_ok=True)
        (folder / "config.json").write_text(json.dumps(values | changes))
        assert run("--resume", folder) == 2
        error = capsys.readouterr().err
        assert what in error and "Traceback" not in error
    (folder / "config.json").write_text(json.dumps(values))
    assert run("--resume", folder) == 0
