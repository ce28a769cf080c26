"""Networks of other frameworks: what their files say, what the user adds, and all that our commands do with them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from minialex import Tensor, convert, evaluate, models, nn, predict, train
from minialex.convert import formats
from minialex.convert.__main__ import main as convert_main
from minialex.convert.imported import Imported
from minialex.convert.loading import Given, described
from minialex.data import Normalize
from minialex.look import __main__ as look_command
from minialex.models.layout import as_graph
from minialex.nn import init
from minialex.runs import checkpoint, trained
from minialex.summary import __main__ as summary_command
from minialex.support.errors import UserError


def network(seed=3, classes=4, end=()):
    """A branch that is added, a convolution instead of a fully connected layer, and any layers after it."""
    draw = np.random.default_rng(seed)
    layers = [
        ("conv1", nn.Conv2d(3, 6, 3, 2, 1), "x"),
        ("relu1", nn.ReLU(), "conv1"),
        ("conv2", nn.Conv2d(6, 6, 3, 1, 1), "relu1"),
        ("sum", nn.Add(), ["conv2", "relu1"]),
        ("pool", nn.AdaptiveAvgPool2d(1), "sum"),
        ("conv3", nn.Conv2d(6, classes, 1), "pool"),
    ]
    for name, layer in end:
        layers.append((name, layer, layers[-1][0]))
    graph = nn.Graph(layers)
    for p in graph.parameters():
        p.data[...] = draw.standard_normal(p.shape) * 0.5
    return graph.eval()


def imported(**changes):
    given = {
        "network": network(end=[("flat", nn.Flatten()), ("prob", nn.Softmax(1))]),
        "input_shape": (3, 12, 12),
        "channel_order": "BGR",
        "normalization": Normalize(np.array([10.0, 20, 30])[:, None, None], np.array([500.0, 600, 700])[:, None, None]),
        "classes": ["ant", "bee", "cat", "dog"],
        "origin": "a test",
    }
    return Imported(**given | changes)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file that the reader of .onnx is taken to have read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-net.v2.onnx").write_bytes(b"")
    found = imported()
    for module in (formats, convert):
        monkeypatch.setattr(module, "read", lambda path, **companions: found)
    monkeypatch.setattr(formats, "SUFFIXES", (*formats.SUFFIXES, ".onnx"))
    return found


def test_what_the_file_says_comes_along():
    saved, notes = described(imported(), "dir/my-net.v2.onnx", Given())
    assert (saved.model, saved.input_size, saved.channel_order, saved.resize) == ("graph", 12, "BGR", None)
    assert saved.classes == ["ant", "bee", "cat", "dog"] and saved.arguments["description"]["name"] == "my_net"
    np.testing.assert_array_equal(saved.normalization["std"].ravel(), [500, 600, 700])
    assert notes == ["the network is from a test"]
    names = [name for name, *_ in saved.arguments["description"]["layers"]]
    assert names == ["conv1", "relu1", "conv2", "sum", "pool", "conv3", "flat"]  # logits: no softmax


@pytest.mark.parametrize(
    "end",
    [
        [],
        [("flat", nn.Flatten())],
        [("prob", nn.Softmax(1))],
        [("flatten", nn.Flatten()), ("log", nn.LogSoftmax(1))],
        [("drop", nn.Dropout()), ("flat", nn.Flatten()), ("prob", nn.Softmax(1)), ("out", nn.Identity())],
    ],
)
def test_the_logits_are_those_before_a_softmax(rng, end):
    x = Tensor(rng.standard_normal((3, 3, 12, 12)).astype(np.float32))
    saved, _ = described(imported(network=network(end=end)), "n.onnx", Given())
    expected = network()(x).numpy().reshape(3, 4)
    np.testing.assert_allclose(saved.build_model().eval()(x).numpy(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "given", "message"),
    [
        ({"normalization": None}, {}, r"n\.onnx: the file does not say how pixels are normalised: give normalization="),
        ({"input_shape": None}, {}, "does not say how large images are: give input_size="),
        ({"input_shape": (1, 12, 12)}, {}, "takes 1x12x12; images are needed that are 3xSxS"),
        ({"input_shape": (3, 12, 10)}, {}, "takes 3x12x10"),
        ({}, {"input_size": 13}, "images of 12 pixels, not 13"),
        ({}, {"classes": ["a", "b"]}, "2 class names were given for the network's 4 classes"),
        ({"classes": ["a"]}, {}, "1 class names"),
        ({}, {"model": "alexnet"}, "describes its network: leave out model="),
        ({"network": nn.Graph([("conv", nn.Conv2d(3, 4, 3), "x")])}, {}, r"for an image is \(4, 10, 10\)"),
    ],
)
def test_what_neither_says(changes, given, message):
    with pytest.raises(ValueError, match=message):
        described(imported(**changes), "n.onnx", Given(**given))


def test_what_replaces_the_normalisation_of_the_file_is_said():
    stated = Normalize(np.full((3, 1, 1), 7.0))
    said = "the normalisation that the file states is replaced by the given one"
    assert said in described(imported(normalization=stated), "n.onnx", Given(normalization=stated))[1]
    assert said not in described(imported(normalization=stated), "n.onnx", Given())[1]


def test_a_command_says_how_to_add_it(file, tmp_path):
    file.normalization = None
    Image.fromarray(np.zeros((12, 12, 3), np.uint8)).save("a.png")
    with pytest.raises(
        UserError,
        match=r"pixels are normalised: first run python -m minialex\.convert my-net.* NEW\.npz --normalization t",
    ):
        predict.main(["my-net.v2.onnx", "a.png"])


def test_weights_of_a_known_network_bring_its_normalisation():
    with init.skipped():
        preset = models.build("alexnet_torchvision", num_classes=3)
    bare = imported(
        network=as_graph(preset, (3, 224, 224)), input_shape=None, normalization=None, channel_order=None, classes=None
    )
    with pytest.raises(ValueError, match="how large images are"):
        described(bare, "n.onnx", Given())
    saved, notes = described(bare, "n.onnx", Given(input_size=224))
    np.testing.assert_allclose(saved.normalization["mean"].ravel(), [123.675, 116.28, 103.53])
    assert notes[1:] == ["its weights have the names and shapes of alexnet_torchvision, whose normalisation is taken"]


def test_weights_of_a_known_network_bring_imagenets_classes():
    with init.skipped():
        state = models.build("alexnet_torchvision").state_dict()
    saved, notes = described(state, "n.pth", Given())
    assert saved.classes[:2] == ["tench", "goldfish"] and len(saved.classes) == 1000
    assert any(note.startswith("classes: the 1,000 of ILSVRC 2012") for note in notes)
    names = [f"name {n}" for n in range(1000)]
    saved, notes = described(state, "n.pth", Given(classes=names))
    assert saved.classes == names and not any("ILSVRC" in note for note in notes)


def test_the_user_adds_what_the_file_does_not_say():
    bare = imported(normalization=None, channel_order=None, classes=None, input_shape=None)
    given = Given(input_size=20, normalization=Normalize(np.ones((3, 1, 1))), classes=list("abcd"))
    saved, notes = described(bare, "n.onnx", given)
    assert (saved.input_size, saved.channel_order, saved.classes) == (20, "RGB", list("abcd"))
    assert notes[1] == "the channels are taken to be red, green and blue (pixel_order=bgr changes it)"
    given.pixel_order = "BGR"
    saved, notes = described(bare, "n.onnx", given)
    assert saved.channel_order == "BGR" and len(notes) == 1


def test_commands_take_the_file_itself(file, rng, tmp_path, capsys):
    pixels = rng.integers(0, 256, (12, 12, 3), np.uint8)
    Image.fromarray(pixels).save("a.png")
    predict.main(["my-net.v2.onnx", "a.png", "--json"])
    found = json.loads(capsys.readouterr().out)[0]["predictions"]
    x = (pixels.transpose(2, 0, 1) - [[[10]], [[20]], [[30]]]) / [[[500]], [[600]], [[700]]]
    logits = network()(Tensor(x[None, ::-1].astype(np.float32))).numpy().ravel()
    p = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert [row["class"] for row in found] == [["ant", "bee", "cat", "dog"][i] for i in np.argsort(-p)]
    np.testing.assert_allclose([row["probability"] for row in found], np.sort(p)[::-1], atol=1e-6)

    views = ["filters", "features", "gradient", "graph"]
    look_command.main(["my-net.v2.onnx", *views, "--picture", "a.png", "--out", "figures"])
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {f"{view}.png" for view in views}
    capsys.readouterr()
    for style in summary_command.STYLES:
        summary_command.main(["my-net.v2.onnx", "--style", style])
        assert ("6 x 6    3 x 3" if style == "table" else "conv2") in capsys.readouterr().out
    summary_command.main(["my-net.v2.onnx", "--picture", "net.svg", "--explain"])
    assert "my_net: a network from a file" in capsys.readouterr().out and (tmp_path / "net.svg").stat().st_size > 1000
    file.normalization = None
    summary_command.main(["my-net.v2.onnx"])
    with pytest.raises(UserError, match="says all of its network: leave out the other options"):
        summary_command.main(["my-net.v2.onnx", "--num-classes", "3"])


@pytest.mark.heavy
def test_converted_evaluated_and_trained_on(file, tmp_path, rng, capsys):
    convert_main(["my-net.v2.onnx", "net.npz"])
    assert "net.npz: graph for 4 classes, 526 numbers, channel order BGR" in capsys.readouterr().out
    saved = checkpoint.load("net.npz")
    x = Tensor(rng.standard_normal((2, 3, 12, 12)).astype(np.float32))
    np.testing.assert_allclose(saved.build_model().eval()(x).numpy(), network()(x).numpy().reshape(2, 4), atol=1e-6)

    for split, count in (("train", 12), ("val", 4)):
        for name in saved.classes:
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (14, 14, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / split / name / f"{number}.png")
    evaluate.main(["net.npz", "--dataset", "folder", "--data-dir", "data"])
    assert "16 pictures" in capsys.readouterr().out

    (tmp_path / "data" / "train" / "eel").mkdir()
    (tmp_path / "data" / "val" / "eel").mkdir()
    Image.fromarray(pixels).save(tmp_path / "data" / "train" / "eel" / "0.png")
    Image.fromarray(pixels).save(tmp_path / "data" / "val" / "eel" / "0.png")
    options = ["--dataset", "folder", "--data-dir", "data", "--epochs", "1", "--batch-size", "7", "--validation", "0"]
    train.main(["--weights", "net.npz", *options, "--freeze", "conv1", "--out", "run"])
    assert "conv3 is new, for 5 classes instead of 4" in capsys.readouterr().out
    tuned = trained.load("run")
    assert tuned.classes == ["ant", "bee", "cat", "dog", "eel"] and tuned.pipeline.channel_order == "BGR"
    np.testing.assert_array_equal(tuned.model.conv1.weight.numpy(), network().conv1.weight.numpy())
    assert not np.array_equal(tuned.model.conv2.weight.numpy(), network().conv2.weight.numpy())
    train.main(["--resume", "run", "--epochs", "2"])
    assert trained.load("run").checkpoint.trainer_state["epoch"] == 2


def test_the_other_channel_order(rng):
    two = [("a", nn.Conv2d(3, 4, 3), "x"), ("b", nn.Conv2d(3, 4, 3), "x"), ("sum", nn.Add(), ["a", "b"])]
    branched = nn.Graph([*two, ("pool", nn.AdaptiveAvgPool2d(1), "sum")])
    saved, _ = described(imported(network=branched), "n.onnx", Given())
    changed = convert.in_channel_order(saved, "RGB")
    x = rng.standard_normal((2, 3, 12, 12)).astype(np.float32)
    y, same = (s.build_model()(Tensor(images)).numpy() for s, images in ((saved, x), (changed, x[:, ::-1])))
    np.testing.assert_allclose(same, y, rtol=1e-5, atol=1e-6)
    assert changed.channel_order == "RGB"
    scaled = nn.Graph([("half", nn.Call("mul", other=0.5), "x"), ("conv", nn.Conv2d(3, 4, 12), "half")])
    saved, _ = described(imported(network=scaled), "n.onnx", Given())
    with pytest.raises(ValueError, match="half, which takes the image, is no convolution"):
        convert.in_channel_order(saved, "RGB")


def test_weights_of_a_network_that_comes_in(file):
    state = convert.load_weights("my-net.v2.onnx")
    np.testing.assert_array_equal(state["conv2.weight"], network().conv2.weight.numpy())
