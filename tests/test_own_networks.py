"""Networks of the user's own, `--model my_net.py:build`, in every command."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusals import must_refuse, no_figures
from tiny_runs import run

from minialex import Tensor, cli, convert, data, evaluate, look, models, nn, no_grad, predict, summary
from minialex.convert import __main__ as convert_command
from minialex.look import __main__ as look_command
from minialex.models import own
from minialex.runs import checkpoint, trained
from minialex.summary import __main__ as summary_command

NET = '''"""A residual network; its layers are not defined in the order in which they run."""
from minialex import functional as F, nn


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.fc, self.hidden = nn.Linear(9, classes), nn.Linear(6, 9)
        self.conv = nn.Conv2d(6, 6, 3, padding=1)
        self.stem = nn.Conv2d(3, 6, 5, stride=4)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = F.relu(x + self.norm(self.conv(x)))
        x = F.dropout(F.relu(self.hidden(x.mean((2, 3)))), 0.1, self.training)
        return self.fc(x)


def build(num_classes=10):
    return Net(num_classes)


def sized(num_classes, input_size=24):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * input_size**2, num_classes))


class Flat(nn.Sequential):
    input_size = 16

    def __init__(self, num_classes):
        super().__init__(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, num_classes))


def plain():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 7))


def broken():
    return nn.Sequential(nn.Conv3d(3, 4, 3))


def odd(width):
    return width


def nothing():
    return "a network"


def unfit(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(99, num_classes))


ready = plain()


class Slip(nn.Module):
    def forward(self, x):
        return x.flatten(1) @ wieghts
'''
TINY = ("--limit", 20, "--batch-size", 8, "--backend", "numpy", "--threads", 1)


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    """my_net.py in the current folder, not registered yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own, "REGISTERED", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    no_figures(monkeypatch)
    Path("my_net.py").write_text(NET)
    return Path("my_net.py")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a run of two epochs of my_net.py:build."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own, "REGISTERED", {})
        patch.setattr(sys, "path", [*sys.path])
        no_figures(patch)
        (folder / "my_net.py").write_text(NET)
        assert (
            run("--model", folder / "my_net.py:build", *TINY, "--epochs", 2, "--seed", 4, "--out", folder / "run") == 0
        )
    return folder / "run"


OWN = ("--model", "my_net.py:build")


def command(main, *arguments):
    return cli.run(main, [str(argument) for argument in arguments])


def test_a_run_remembers_the_name_and_the_hash_of_the_text_and_no_code(saved):
    best = checkpoint.load(saved / "best.npz")
    config = json.loads((saved / "config.json").read_text())
    assert best.model == config["model"] == "my_net.py:build"
    assert best.configuration["model_sha256"] == config["model_sha256"] == hashlib.sha256(NET.encode()).hexdigest()
    for path in saved.iterdir():
        assert b"import functional" not in path.read_bytes() and b"def build" not in path.read_bytes()


def test_resume_is_exact_and_needs_the_file(saved, tmp_path, capsys):
    assert run(*OWN, *TINY, "--epochs", 1, "--seed", 4, "--out", "run") == 0
    own.REGISTERED.clear()
    capsys.readouterr()
    sentence = must_refuse(capsys, "--resume", "run", "--epochs", 2)
    assert "my_net.py:build is a network of your own" in sentence and "--model PATH/my_net.py:build" in sentence
    assert "a run of my_net.py:build, not of my_net.py:Flat" in must_refuse(
        capsys, "--resume", "run", "--model", "my_net.py:Flat"
    )
    assert "--model cannot be changed" in must_refuse(capsys, "--resume", "run", "--model", "alexnet")
    assert run("--resume", "run", "--epochs", 2, *OWN) == 0
    ours, theirs = checkpoint.load("run/last.npz"), checkpoint.load(saved / "last.npz")
    assert all((ours.weights[name] == array).all() for name, array in theirs.weights.items())
    assert ours.weights.keys() == theirs.weights.keys() and ours.trainer_state.keys() == theirs.trainer_state.keys()


def test_nothing_in_a_checkpoint_is_executed(saved, file):
    file.write_text("raise SystemExit('the file was executed')\n")
    for use in (trained.load, lambda path: checkpoint.load(path / "best.npz").build_model()):
        with pytest.raises(ValueError, match=r"name it again, with model=PATH/my_net\.py:build"):
            use(saved)


def test_a_module_or_a_name_given_in_code(saved):
    network = trained.load(saved, model="my_net.py:build")
    assert type(network.model).__name__ == "Net" and network.note == "" and network.preset.path == "my_net.py"
    model = own.REGISTERED["my_net.py:build"].build(num_classes=10)
    own.REGISTERED.clear()
    again = trained.load(saved, model=model)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32))
    with no_grad():
        assert again.model is model and (again.model(x).numpy() == network.model(x).numpy()).all()
    with pytest.raises(ValueError, match="this state does not fit Sequential"):
        trained.load(saved, model=nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match=r"holds the weights of 'my_net\.py:build', not of 'alexnet'"):
        trained.load(saved, model="alexnet")


def test_a_changed_file_is_said(saved, file, capsys):
    file.write_text(NET + "# a comment\n")
    assert command(evaluate.main, saved, *OWN, "--backend", "numpy") == 0
    out, err = capsys.readouterr()
    assert "20 test images of shapes" in out
    assert err.startswith("note: my_net.py has changed since these weights were trained (its SHA-256 was ")
    file.write_text(
        NET.replace(
            "self.hidden = nn.Linear(9, classes), nn.Linear(6, 9)",
            "self.hidden = nn.Linear(8, classes), nn.Linear(6, 8)",
        )
    )
    sentence = must_refuse(capsys, saved, *OWN, main=evaluate.main)
    assert "fc.weight (is (10, 9), expected (10, 8))" in sentence and "my_net.py has changed since" in sentence


def test_evaluate_predict_and_look(saved, capsys, monkeypatch):
    assert "name it again" in must_refuse(capsys, saved, main=evaluate.main)
    assert "a published network" in must_refuse(capsys, saved, "--model", "alexnet", main=evaluate.main)
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)).save("a.png")
    assert "name it again" in must_refuse(capsys, saved, "a.png", main=predict.main)
    assert command(predict.main, saved, "a.png", "--json", *OWN, "--backend", "numpy") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert len(row["predictions"]) == 5 and 0 < row["predictions"][0]["probability"] < 1
    seen = {}
    monkeypatch.setattr("minialex.plotting.features", lambda maps, path, **o: seen.update(maps=maps, names=o["names"]))
    monkeypatch.setattr("minialex.plotting.filters", lambda weight, path, **o: seen.update(filters=(weight.shape, o)))
    monkeypatch.setattr("minialex.plotting.neighbours", lambda shown, found, path, **o: seen.update(title=o["title"]))
    views = ("filters", "features", "gradient", "neighbours", "graph")
    assert command(look_command.main, saved, *views, *OWN, "--backend", "numpy", "--out", "look") == 0
    assert [m.name for m in seen["maps"]] == ["stem", "relu", "conv", "norm", "add", "relu_2"]
    assert not {"conv1", "fc1"} & set(seen["names"].values())
    shape, options = seen["filters"]
    assert shape == (6, 3, 5, 5) and options["gpus"] == 1 and options["title"] == "stem of my_net.py:build"
    assert seen["title"] == "Nearest of 20 training images in hidden"


def test_the_last_hidden_layer_is_the_one_that_runs_last():
    """fc is defined first: by the order of definition, "hidden" would be the last layer."""
    own.register("my_net.py:build")
    model, x = models.build("my_net.py:build").eval(), np.ones((2, 3, 32, 32), np.float32)
    graph = nn.trace(model, x)
    layer, name = look.hidden_layer(graph)
    assert layer is model.fc and models.names.published_names(graph)[name] == "hidden"
    assert look.hidden_values(graph, x).shape == (2, 9)


def test_convert(saved, capsys):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    assert "name it again" in must_refuse(capsys, saved / "best.npz", "n.onnx", main=convert_command.main)
    assert command(convert_command.main, saved / "best.npz", "n.onnx", *OWN) == 0
    network = trained.load(saved)
    images = 50 * np.random.default_rng(3).standard_normal((3, 3, 32, 32)).astype(np.float32)
    session = onnxruntime.InferenceSession("n.onnx", providers=["CPUExecutionProvider"])
    (theirs,) = session.run(["logits"], {"input": images})
    with no_grad():
        ours = network.model(Tensor(images)).numpy()
    np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-5 * np.abs(ours).max())
    assert session.get_modelmeta().custom_metadata_map["model"] == "my_net.py:build"

    own.REGISTERED.clear()  # weights and description need no code
    assert command(convert_command.main, saved / "best.npz", "n.safetensors") == 0
    assert command(convert_command.main, "n.safetensors", "back.npz") == 0
    ours, theirs = checkpoint.load("back.npz"), checkpoint.load(saved / "best.npz")
    assert all((ours.weights[name] == array).all() for name, array in theirs.weights.items())
    assert ours.configuration == theirs.configuration
    assert command(convert_command.main, "n.safetensors", "bare.safetensors", "--weights-only") == 0
    capsys.readouterr()
    bare = ("bare.safetensors", "described.npz", *OWN)
    assert "for which input size it is: give --input-size" in must_refuse(capsys, *bare, main=convert_command.main)
    assert command(convert_command.main, *bare, "--input-size", 32) == 0
    described = convert.read("described.npz")
    assert described.model == "my_net.py:build" and described.arguments["num_classes"] == 10
    capsys.readouterr()
    assert "without branches" in must_refuse(capsys, saved / "best.npz", "n.keras.npz", *OWN, main=convert_command.main)


@pytest.mark.parametrize(
    ("model", "options", "size"),
    [("sized", (), 24), ("sized", ("--input-size", 20), 20), ("Flat", (), 16), ("build", (), 32)],
)
def test_the_input_size(model, options, size, capsys):
    """The option, then the function's attribute or argument, then the data's."""
    assert run("--model", f"my_net.py:{model}", *options, *TINY, "--epochs", 1, "--out", "run") == 0
    assert f"pictures 3x{size}x{size}, 10 classes" in capsys.readouterr().out
    best = checkpoint.load("run/best.npz")
    assert best.input_size == size and best.build_model().state_dict().keys() == best.weights.keys()


@pytest.mark.heavy
def test_the_default_recipe_and_options(capsys):
    assert run(*OWN, *TINY, "--epochs", 1, "--out", "run") == 0
    out = capsys.readouterr().out
    assert "adam, lr 0.001, weight decay 0.0, schedule cosine" in out
    assert run(*OWN, *TINY, "--epochs", 1, "--optimizer", "sgd", "--out", "sgd") == 0
    assert "sgd, lr 0.01, momentum 0.9" in capsys.readouterr().out
    assert (
        run(*TINY, "--weights", "run", *OWN, "--num-classes", 12, "--freeze", "stem", "--epochs", 1, "--out", "fine")
        == 0
    )
    assert "fc is new, for 12 classes instead of 10" in capsys.readouterr().out
    start, end = checkpoint.load("run/best.npz").weights, checkpoint.load("fine/last.npz").weights
    assert (start["stem.weight"] == end["stem.weight"]).all() and (start["conv.weight"] != end["conv.weight"]).any()
    assert (start["norm.running_mean"] != end["norm.running_mean"]).any(), "norm follows conv, wherever it is defined"
    assert run(*TINY, "--weights", "run", *OWN, "--freeze", "conv2", "--epochs", 1, "--out", "other") == 0
    end = checkpoint.load("other/last.npz").weights
    assert all((start[name] == end[name]).all() for name in ("conv.weight", "norm.running_mean", "norm.weight"))
    assert (start["stem.weight"] != end["stem.weight"]).any()


@pytest.mark.heavy
def test_overfit_and_diagnose(capsys):
    assert run(*OWN, *TINY, "--epochs", 1, "--overfit", 1, "--diagnose", "--lr", 0.01, "--out", "diagnosed") == 0
    out = capsys.readouterr().out
    assert "memorised 1 of 1 pictures after" in out and "  stem " in out and "  fc " in out


LATER = """from minialex import nn


class Later(nn.Linear):
    def __init__(self, num_classes): super().__init__(3072, num_classes)
    def forward(self, x):
        y = super().forward(x.flatten(1)) * (1 / 0 if self.training else 1)
        return y
"""
REFUSED = {
    "my_net.py": "'my_net.py' does not say which function of it: write my_net.py:FUNCTION",
    "alexnett": "unknown model 'alexnett'; choose one of shapes_net",
    "absent.py:build": "there is no file absent.py that could define a network",
    "my_net.py:absent": "absent is not there, but must be a function that returns a Module; it has Net, build, sized",
    "my_net.py:ready": "ready is a Sequential, but must be a function that returns a Module",
    "my_net.py:broken": "my_net.py:40: AttributeError: ",
    "my_net.py:odd": "odd needs width, but only num_classes and input_size are given",
    "my_net.py:nothing": "nothing must return a Module, it returned str",
    "my_net.py:plain": "logits of shape (2, 10), this one something of shape (2, 7); let the function take num_classes",
    "my_net.py:unfit": "this network does not take pictures of 3x32x32 (layer 1 (Linear):",
    "my_net.py:Slip": "my_net.py:60: NameError: name 'wieghts' is not defined",
    "syntax.py:build": "syntax.py:2: SyntaxError: ",
    "raises.py:build": "raises.py:2: ZeroDivisionError: ",
    "folder.py:build": "there is no file folder.py",
    "leaves.py:build": "leaves.py:2: SystemExit: 3",
    "pair.py:Pair": "logits of shape (2, 10), this one something of type tuple",
    "bare.py:build": "this network has no parameter with requires_grad=True: nothing to train",
    "a_class.py:build": "build must return a Module, it returned the class ReLU, without the parentheses",
    "foreign.py:build": "build must return a Module, it returned torch's ReLU: write from minialex import nn",
}


@pytest.mark.parametrize("model", REFUSED)
def test_what_is_wrong_is_said_in_one_sentence(model, capsys):
    Path("syntax.py").write_text("\ndef build(:\n")
    Path("raises.py").write_text("def build(): pass\n1 / 0\n")
    Path("folder.py").mkdir()
    Path("pair.py").write_text(LATER.replace("Later", "Pair").replace("return y", "return y, y"))
    Path("bare.py").write_text("from minialex import nn\n\ndef build(): return nn.Flatten()\n")
    Path("leaves.py").write_text("import sys\nsys.exit(3)\n")
    Path("a_class.py").write_text("from minialex import nn\n\ndef build(): return nn.ReLU\n")
    Path("foreign.py").write_text("class ReLU: __module__ = 'torch.nn.modules.activation'\n\nbuild = lambda: ReLU()\n")
    assert REFUSED[model] in must_refuse(capsys, "--model", model, *TINY, "--out", "run")


def test_an_error_in_training_names_its_line(capsys):
    Path("later.py").write_text(LATER)
    sentence = must_refuse(capsys, "--model", "later.py:Later", *TINY, "--out", "run", leaves="run")
    assert "later.py:7: ZeroDivisionError: division by zero" in sentence


def test_a_second_file_of_the_same_name_is_refused():
    Path("other").mkdir()
    Path("other/my_net.py").write_text(NET)
    assert own.register("my_net.py:build") == own.register("./my_net.py:build") == "my_net.py:build"
    with pytest.raises(ValueError, match="have the same name: rename one of them"):
        own.register("other/my_net.py:build")


def test_a_file_may_import_its_neighbours():
    Path("parts.py").write_text("from minialex import nn\n\nhead = nn.Flatten\n")
    Path("uses.py").write_text("from parts import head\n\n\ndef build():\n    return head()\n")
    assert isinstance(models.build(own.register("uses.py:build")), nn.Flatten)
    sys.modules.pop("parts")


def test_the_network_in_the_readme():
    text = (Path(models.__file__).parent / "README.md").read_text(encoding="utf-8")
    Path("readme.py").write_text(text.partition("```python\n")[2].partition("```")[0])
    model = models.build(own.register("readme.py:Net"), num_classes=5)
    graph = nn.trace(model, np.zeros((2, 3, 32, 32), np.float32))
    assert graph.state_dict().keys() == model.state_dict().keys()
    assert list(graph) == ["stem", "relu", "conv", "norm", "add", "relu_2", "mean", "fc"]


def test_the_summary(capsys):
    sentence = must_refuse(capsys, "my_net.py:build", main=summary_command.main)
    assert "give --input-size" in sentence
    assert command(summary_command.main, "my_net.py:build", "--input-size", 32) == 0
    out = capsys.readouterr().out
    assert "add      Add          6 x 7 x 7" in out and "relu, norm" in out
    own.register("my_net.py:build")
    model = models.build("my_net.py:build", num_classes=10)
    table = summary.table(model, (3, 32, 32), batch_size=1)
    assert table.trainable == sum(p.numel() for p in model.parameters()) and table.parameters == table.trainable + 12
    assert table.macs == 7 * 7 * (6 * 3 * 25 + 6 * 6 * 9) + 6 * 9 + 9 * 10
    with pytest.raises(ValueError, match=r"the shape of one image is needed, such as \(3, 32, 32\), got 32"):
        summary.table(model, 32)
    assert table["add"].sources == ("relu", "norm") and table[0].name == "stem" and len(table) == len(list(table)) == 11
    assert repr(table).splitlines()[4].startswith("stem ") and f"parameters: {table.parameters:,}" in repr(table)
    for style in ("keras", "table", "mermaid", "torch"):
        assert command(summary_command.main, "my_net.py:build", "--input-size", 32, "--style", style) == 0
    assert " dense (Dense) " in capsys.readouterr().out, "layers are numbered as in a fresh session"
    Path("peeks.py").write_text(
        "from minialex import nn\n\n\nclass Peeks(nn.ReLU):\n    def forward(self, x): return x * x.numpy().mean()\n"
    )
    peeks = "peeks.py:Peeks", "--input-size", 32
    assert "numpy cannot become a layer" in must_refuse(capsys, *peeks, main=summary_command.main)
    assert command(summary_command.main, *peeks, "--style", "torch") == 0, "which needs no trace"
    assert capsys.readouterr().out == "Peeks()\n"
    assert command(summary_command.main, "my_net.py:Flat", "--explain") == 0
    assert "parameters = 10 * 12 + 10 = 130" in capsys.readouterr().out


def test_class_folders_of_four_classes(capsys):
    """The classes are the data's, the input size is given, and there is no top-5 error of four classes."""
    rng = np.random.default_rng(0)
    for name in "abcd":
        for number in range(4):
            Path("pictures", name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (30, 30, 3), np.uint8)).save(f"pictures/{name}/{number}.png")
    folder = (
        "--dataset",
        "folder",
        "--data-dir",
        "pictures",
        "--input-size",
        24,
        "--backend",
        "numpy",
        "--batch-size",
        4,
    )
    assert run(*OWN, *folder, "--epochs", 1, "--out", "run") == 0
    out = capsys.readouterr().out
    assert "folder: 8 training, 4 validation and 4 test pictures" in out and "4 classes" in out
    assert "divided by chance, of every class a tenth for the test (seed 0): there is no folder train" in out
    assert "the test has only 4 pictures, each of them 25 % of the test error" in out and "top-5" not in out
    assert command(evaluate.main, "run", *OWN, "--backend", "numpy") == 0
    out = capsys.readouterr().out
    assert "note: the test has only 4 pictures" in out and "top-5" not in out and "top-1 error" in out
    first = data.load("folder", data_dir="pictures", size=27).test
    assert sorted(first.labels.tolist()) == [0, 1, 2, 3]


WIDE = """from minialex import nn


def build(num_classes=10, width=4, inverted=False, act="relu"):
    layers = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, width), {"relu": nn.ReLU, "tanh": nn.Tanh}[act]()]
    return nn.Sequential(*layers, nn.Dropout(0.5, inverted=inverted), nn.Linear(width, num_classes))
"""


def test_arguments_are_set_and_kept(capsys):
    """In the checkpoint and in config.json; resumed, evaluated and used as a start with them."""
    Path("wide.py").write_text(WIDE)
    wide, options = ("--model", "wide.py:build"), ("--set", "width=6", "--set", "inverted=true", "--set", "act=tanh")
    assert run(*wide, *options, *TINY, "--epochs", 1, "--out", "run") == 0
    assert "wide.py:build (width=6, inverted=True, act=tanh), 148 parameters" in capsys.readouterr().out
    best = checkpoint.load("run/best.npz")
    assert best.arguments == {"width": 6, "inverted": True, "act": "tanh", "num_classes": 10, "input_size": 32}
    assert json.loads(Path("run/config.json").read_text())["arguments"]["width"] == 6
    model = best.build_model()
    assert model[2].weight.shape == (6, 12) and model[4].inverted and isinstance(model[3], nn.Tanh)
    assert "--set cannot be changed when a run is resumed" in must_refuse(capsys, "--resume", "run", "--set", "width=4")
    assert run("--resume", "run", *wide, "--epochs", 2) == 0
    assert checkpoint.load("run/last.npz").weights["2.weight"].shape == (6, 12)
    assert run("--weights", "run", *wide, *TINY, "--epochs", 1, "--set", "inverted=false", "--out", "fine") == 0
    fine = checkpoint.load("fine/last.npz")
    assert fine.arguments == best.arguments | {"inverted": False}, "the others are those of the weights"
    capsys.readouterr()
    refused = ("--weights", "run", *wide, *TINY, "--set", "width=4", "--out", "other")
    assert "does not fit this run" in must_refuse(capsys, *refused)
    for text, message in {
        "width=a": "width must be a whole number, got 'a'",
        "wdith=4": "wide.py:build has no argument 'wdith': it has width, inverted, act",
        "num_classes=4": "num_classes is not set like other arguments of wide.py:build: use --num-classes",
        "act=gelu": "wide.py:5: KeyError: 'gelu'",
    }.items():
        assert message in must_refuse(capsys, *wide, *TINY, "--set", text, "--out", "r")
    assert command(summary_command.main, "wide.py:build", "--set", "width=9", "--input-size", 8) == 0
    assert "wide.py:build (width=9): a network of your own" in capsys.readouterr().out


@pytest.mark.heavy
def test_a_published_networks_arguments_are_kept(capsys):
    """Of alexnet, for small pictures: without normalisation, dropout before the layers and inverted."""
    options = ("--model", "alexnet", "--set", "norm=none", "--set", "dropout=before", "--set", "inverted=true")
    small = ("--input-size", 67, "--limit", 12, "--batch-size", 6, "--backend", "numpy", "--threads", 1)
    assert run(*options, *small, "--epochs", 1, "--out", "run") == 0
    out = capsys.readouterr().out
    assert "alexnet (norm=none, dropout=before, inverted=True), " in out
    assert "recipe     paper, as its authors trained it, but for epochs, batch_size" in out
    assert "colour noise 0.1 by eigenvalue" in out
    best = checkpoint.load("run/best.npz")
    assert (best.arguments["norm"], best.arguments["dropout"], best.arguments["inverted"]) == ("none", "before", True)
    assert command(evaluate.main, "run", "--backend", "numpy") == 0
    assert run("--resume", "run", "--epochs", 2) == 0
    kinds = [type(layer).__name__ for layer in checkpoint.load("run/last.npz").build_model()]
    assert "LocalResponseNorm" not in kinds and kinds[kinds.index("Flatten") + 1] == "Dropout"
