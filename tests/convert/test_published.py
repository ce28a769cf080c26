"""Published weights by name: fetched from a server on this machine, checked, and used by models.build and commands."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import serving
from PIL import Image

from minialex import Tensor, cli, evaluate, models, nn, no_grad, predict, random
from minialex.convert import Imported, formats, load_published
from minialex.convert.description import NORMALIZATIONS
from minialex.convert.published import class_names, with_names
from minialex.data import Normalize
from minialex.look import __main__ as look
from minialex.models import published
from minialex.models.published import TABLE, Published
from minialex.nn import init
from minialex.runs import trained
from minialex.support import lock

MEAN, STD = (120.0, 110.0, 90.0), (50.0, 60.0, 70.0)


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    """A file of bare weights of cifar_quick."""
    random.manual_seed(8)
    path = tmp_path_factory.mktemp("published") / "quick.npz"
    state = models.build("cifar_quick").state_dict()
    np.savez(path, **{name: 40 * array if array.ndim == 4 else array + 0.01 for name, array in state.items()})
    return path.read_bytes()


@pytest.fixture
def server(body):
    with serving.serving(body) as server:
        yield server


@pytest.fixture
def row(server, body, tmp_path, monkeypatch):
    """A row of the table for that file at that server, called "quick"; the cache and the current folder are new."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    row = Published(
        name="quick",
        summary="of these tests",
        preset="cifar_quick",
        file="quick.npz",
        url=server.url,
        kind="sha256",
        digest=hashlib.sha256(body).hexdigest()[:12],
        size=len(body),
        mean=MEAN,
        std=STD,
        channel_order="BGR",
        resize=40,
        input_size=32,
        num_classes=10,
        source="tests/convert/test_published.py",
    )
    monkeypatch.setitem(TABLE, "quick", row)
    return row


@pytest.fixture
def change(row, monkeypatch):
    """A function that changes the row."""
    return lambda **fields: monkeypatch.setitem(TABLE, "quick", replace(row, **fields))


@pytest.fixture
def picture(tmp_path, rng):
    path = tmp_path / "a.png"
    Image.fromarray(rng.integers(0, 256, (50, 46, 3), np.uint8)).save(path)
    return path


def cached(tmp_path):
    return tmp_path / "cache" / "minialex" / "weights" / "quick.npz"


# ------------------------------------------------------------------------------------------------------------ the table


def test_rows_are_what_they_must_be():
    digits = {"md5": 32, "sha1": 40, "sha256": 64}
    for name, row in TABLE.items():
        assert row.name == name and name != "published" and re.fullmatch(r"[a-z0-9_]+", name)
        assert re.fullmatch(r"https?://[^/ ]+/\S+", row.url) and row.url.rpartition("/")[2] == row.file
        assert re.fullmatch(rf"[0-9a-f]{{{digits[row.kind]}}}", row.digest)
        assert re.search(r"\w+/\w+, \S+\.(py|md|json): ", row.source), "a repository, a file, and what it says"
        assert row.input_size <= row.resize and row.num_classes == 1000
        preset = models.PRESETS[row.preset or "alexnet_caffe"]  # of as many parameters as its variants
        assert (row.channel_order == preset.channel_order and row.input_size == preset.input_size) or not row.preset
        with init.skipped():
            weights = sum(p.numel() for p in preset.build().parameters())
        assert row.size is None or 4 * weights < row.size < 4 * weights + 10_000, "float32, and a header"
    assert len({row.digest for row in TABLE.values()}) == len({row.file for row in TABLE.values()}) == len(TABLE)


def test_torchvision_s_row_is_torchvision_s():
    row = TABLE["torchvision"]
    assert row.file == f"alexnet-owt-{row.digest[:8]}.pth"
    assert (row.resize, row.input_size) == (256, 224)


@pytest.mark.parametrize("name", ["torchvision", "caffe", "caffenet", "guerzhoy"])
def test_preprocessing_is_that_of_a_file_of_the_kind(name):
    """A file that is named, and one that is given by its path, are used alike."""
    row = TABLE[name]
    normalization, order = NORMALIZATIONS["torchvision" if name == "torchvision" else "caffe"]
    expected = normalization.to_arrays()
    np.testing.assert_array_equal(np.float32(row.mean), expected["mean"].ravel())
    np.testing.assert_array_equal(np.float32(row.std), np.broadcast_to(expected["std"].ravel(), 3))
    assert row.channel_order == order


def test_the_readme_names_them_all():
    text = (Path(models.__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| (?:`(\w+)`|as its file says) \|$", text, re.MULTILINE)
    assert {name: preset or None for name, preset in rows} == {name: row.preset for name, row in TABLE.items()}


def test_help_says_which_have_not_been_tried(monkeypatch):
    assert re.search(r"torchvision .*\(\*\)\n(?s:.*)this very file has not been tried", published.overview())
    for name, row in TABLE.items():
        monkeypatch.setitem(TABLE, name, replace(row, tried=True))
    assert "(*)" not in published.overview()


def test_the_names_of_imagenet_s_classes():
    names = class_names(1000)
    assert len(names) == len(set(names)) == 1000 and class_names(10) is None and class_names(1001) is None
    known = {  # of torchvision's AlexNet_Weights.IMAGENET1K_V1.meta["categories"]
        **{0: "tench", 1: "goldfish", 99: "goose", 100: "black swan", 151: "Chihuahua", 250: "Siberian Husky"},
        **{292: "tiger", 340: "zebra", 388: "giant panda", 398: "abacus", 404: "airliner", 508: "computer keyboard"},
        **{607: "jack-o'-lantern", 701: "parachute", 817: "sports car", 852: "tennis ball", 879: "umbrella"},
        **{924: "guacamole", 954: "banana", 963: "pizza", 985: "daisy", 997: "bolete"},
    }
    assert {number: names[number] for number in known} == known


def test_folders_of_imagenet_get_its_names():
    folders = [f"n{number:08}" for number in range(1440764, 1441764)]
    names = class_names(1000)

    def named(classes):
        return list(with_names(SimpleNamespace(classes=classes, size=7)).classes)

    assert named(folders) == names and named(tuple(folders)) == names
    assert with_names(SimpleNamespace(classes=folders, size=7)).size == 7
    for others in (folders[::-1], folders[:999], [*folders[:-1], "zebra"], ["cat", "dog"]):
        assert named(others) == others


# ----------------------------------------------------------------------------------------------------- fetched and read


def test_it_is_fetched_once_and_used_with_its_preprocessing(row, server, tmp_path, rng, body):
    network = load_published("quick")
    assert network.path == cached(tmp_path) and network.path.read_bytes() == body and len(server.ranges) == 1
    assert network.resize == 40 and network.classes == [f"class {number}" for number in range(10)]
    assert (network.checkpoint.channel_order, network.preset) == ("BGR", models.PRESETS["cifar_quick"])
    images = rng.integers(0, 256, (3, 3, 40, 40), np.uint8)
    normalized = (images - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    expected = np.ascontiguousarray(normalized[:, ::-1, 4:36, 4:36], np.float32)
    np.testing.assert_allclose(network.pipeline.views(images, 1)[0], expected, rtol=1e-5, atol=1e-5)
    server.body = b"gone"
    again = load_published("quick")
    assert len(server.ranges) == 1 and not again.model.training
    with np.load(cached(tmp_path)) as arrays:
        assert all(np.array_equal(again.checkpoint.weights[name], arrays[name]) for name in arrays)
    assert [path.name for path in cached(tmp_path).parent.iterdir()] == ["quick.npz"]


def test_a_download_that_was_cut_goes_on(row, server, body, tmp_path):
    server.manner = "breaks"
    by_hand = rf"download quick\.npz by other means and put it into {cached(tmp_path).parent}, or name its folder with"
    kept = rf"closed after .* bytes\); the part received is kept in .*quick\.npz\.part, .*; or {by_hand} weights_dir=\."
    with pytest.raises(OSError, match=kept):
        load_published("quick")
    server.manner = "ranges"
    assert load_published("quick").path.read_bytes() == body
    assert server.ranges == [None, f"bytes={len(body) // 2}-"]


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        (404, "HTTP Error 404: Not Found"),
        (500, "HTTP Error 500"),
        ("file:///etc/hostname", "Redirection to url 'file:///etc/hostname' is not allowed"),
        ("ftp://127.0.0.1/x", "ftp://127.0.0.1/x is not an address of http or https"),
    ],
)
def test_what_a_server_may_say(row, server, tmp_path, manner, says):
    server.manner = manner
    with pytest.raises(OSError, match=f"{re.escape(says)}.*; or download quick.npz by other means"):
        load_published("quick")
    assert [*cached(tmp_path).parent.iterdir()] == []


def test_another_file_of_the_same_size_is_not_kept(row, server, body, tmp_path):
    server.body = body[:-1] + bytes([body[-1] ^ 1])
    with pytest.raises(OSError, match=f"SHA-256 [0-9a-f]{{64}} where {row.digest} was expected; it was removed"):
        load_published("quick")
    server.body = body + b"more"
    with pytest.raises(OSError, match=r"sends [\d,]+ bytes, where [\d,]+ were expected; nothing was saved"):
        load_published("quick")
    assert [*cached(tmp_path).parent.iterdir()] == []


def test_without_a_network_it_says_what_to_put_where(row, change, tmp_path, monkeypatch, capsys, picture):
    port = serving.closed_port()
    change(url=f"http://127.0.0.1:{port}/quick.npz")
    folder = tmp_path / "by hand"
    code = run(predict.main, "--weights", "quick", "--weights-dir", folder, picture)
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err == (
        f"error: downloading http://127.0.0.1:{port}/quick.npz failed (Connection refused); run the same command again"
        f"; or download quick.npz by other means and put it into {folder}, or name its folder with --weights-dir\n"
    )


def test_a_file_put_there_by_hand_is_checked_too(row, server, body, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "quick.npz").write_bytes(body)
    folder.chmod(0o555)
    assert load_published("quick", weights_dir="mine").path == folder / "quick.npz"
    (folder / "quick.npz").write_bytes(b"something else")
    told = f"mine/quick.npz is not the published file, which has the SHA-256 {row.digest}, but this one [0-9a-f]{{64}}:"
    with pytest.raises(ValueError, match=told):
        load_published("quick", weights_dir=folder)
    assert (folder / "quick.npz").read_bytes() == b"something else" and server.ranges == []


def test_a_folder_that_cannot_be_made(row, server, tmp_path):
    (tmp_path / "a file").touch()
    told = (
        r"^quick\.npz is not in .*/a file/x, nor can it be put there \(Not a directory\): name another .* weights_dir="
    )
    with pytest.raises(OSError, match=told):
        load_published("quick", weights_dir="a file/x")
    assert server.ranges == []


def test_one_process_at_a_time_downloads(row, server, tmp_path):
    with (
        lock.Lock(cached(tmp_path).parent, "downloading into"),
        pytest.raises(ValueError, match="another process is downloading into"),
    ):
        load_published("quick")
    assert server.ranges == []
    network = load_published("quick")
    with lock.Lock(cached(tmp_path).parent):
        assert load_published("quick").path == network.path, "what is there already needs no lock"


def test_a_file_of_another_network(row, change):
    change(preset="cifar_18pct")
    with pytest.raises(ValueError, match=r"cache/minialex/weights/quick\.npz: .*unexpected: fc64\.weight"):
        load_published("quick")
    change(num_classes=1000)
    with pytest.raises(ValueError, match="1000 class names were given for the network's 10 classes"):
        load_published("quick")


def graph(layers):
    """A file of another framework as its reader gives it: a network that ends in probabilities, for blue first."""
    network = nn.Graph([*layers, ("prob", nn.Softmax(1), layers[-1][0])]).eval()
    wrong = Normalize(np.zeros((3, 1, 1)) + 7, 3)
    return Imported(network, (3, 32, 32), "RGB", wrong, ["a"] * 10, 99, "a test")


def test_a_network_that_its_file_describes(row, change, monkeypatch, rng):
    random.manual_seed(2)
    layers = [("conv", nn.Conv2d(3, 4, 5, 3), "x"), ("flat", nn.Flatten(), "conv"), ("fc", nn.Linear(400, 10), "flat")]
    found = graph(layers)
    monkeypatch.setattr(formats, "read", lambda path: found)
    change(preset=None)
    network = load_published("quick")
    assert (network.checkpoint.model, network.resize, network.checkpoint.channel_order) == ("graph", 40, "BGR")
    assert network.classes == ["a"] * 10, "what the table does not name, the file does"
    x = rng.standard_normal((2, 3, 32, 32)).astype(np.float32)
    with no_grad():
        logits = network.model(Tensor(x)).numpy()
        np.testing.assert_allclose(
            np.exp(logits) / np.exp(logits).sum(1)[:, None], found.network(Tensor(x)).numpy(), 1e-4
        )
    np.testing.assert_array_equal(network.checkpoint.normalization["mean"].ravel(), np.float32(MEAN))
    found.input_shape = None
    assert load_published("quick").pipeline.input_size == 32
    found.input_shape = (3, 30, 30)
    with pytest.raises(ValueError, match=r"quick\.npz: layer fc \(Linear\): expects 400"):
        load_published("quick")
    monkeypatch.setattr(formats, "read", lambda path: {"w": np.zeros(3)})
    with pytest.raises(ValueError, match=r"quick\.npz: this is not what was published"):
        load_published("quick")


def test_weights_from_a_file_that_describes_its_network(row, monkeypatch):
    """As a .caffemodel does; the preset has layers of the same names."""
    random.manual_seed(5)
    model = models.build("cifar_quick")
    layers, before = [], "x"
    for name, layer in model.named_children():
        layers.append((name, layer, before))
        before = name
    monkeypatch.setattr(formats, "read", lambda path: graph(layers))
    network = load_published("quick")
    assert (network.checkpoint.model, network.resize) == ("cifar_quick", 40)
    expected, found = model.state_dict(), models.build("cifar_quick", weights="quick").state_dict()
    assert [*expected] == [*found] and all(np.array_equal(expected[name], found[name]) for name in expected)


# -------------------------------------------------------------------------------------------------------- models.build


def test_build_with_published_weights(row, server, body, tmp_path):
    model = models.build("cifar_quick", weights="published")
    assert model.training and model.input_shape == (3, 32, 32)
    with np.load(cached(tmp_path)) as arrays:
        assert {n: a.tobytes() for n, a in model.state_dict().items()} == {n: arrays[n].tobytes() for n in arrays}
    (tmp_path / "mine").mkdir()
    cached(tmp_path).rename(tmp_path / "mine" / "quick.npz")
    other = models.build("cifar_quick", weights="quick", weights_dir=tmp_path / "mine", num_classes=10)
    assert np.array_equal(other.conv1.weight.numpy(), model.conv1.weight.numpy()) and len(server.ranges) == 1
    random.manual_seed(1)
    assert not np.array_equal(models.build("cifar_quick").conv1.weight.numpy(), model.conv1.weight.numpy())


def test_build_refuses_in_a_sentence(row, server):
    with pytest.raises(ValueError, match=r"quick are of cifar_quick with 10 classes and its other arguments as .*fc"):
        models.build("cifar_quick", weights="published", num_classes=12)
    with pytest.raises(
        ValueError, match="no trained weights of alexnet_dl4j are published; there are some of alexnet_t"
    ):
        models.build("alexnet_dl4j", weights="published")
    with pytest.raises(
        ValueError, match="the published weights torchvision are of alexnet_torchvision, not of cifar_quick"
    ):
        models.build("cifar_quick", weights="torchvision")
    with pytest.raises(ValueError, match="there are no published weights called 'best'; choose one of torchvision, "):
        models.build("cifar_quick", weights="best")
    assert len(server.ranges) == 1


def test_a_network_of_the_user_s_own_may_have_such_arguments(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from minialex import nn\n\n\ndef build(num_classes=10, weights='none', weights_dir='here'):\n"
        "    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, num_classes))\n"
        "    model.asked = weights, weights_dir\n    return model\n"
    )
    name = models.own.register(f"{path}:build")
    assert models.build(name, num_classes=3, weights="good").asked == ("good", "here")
    assert models.build(name, num_classes=3, input_size=32).asked == ("none", "here")


# ------------------------------------------------------------------------------------------------------------ commands


def run(main, *words):
    return cli.run(main, [str(word) for word in (*words, "--backend", "numpy")])


def probabilities(network, path):
    with Image.open(path) as image:
        side = image.resize((40, int(image.height * 40 / image.width)), Image.Resampling.BILINEAR)
        top = round((side.height - 40) / 2)
        pixels = np.asarray(side.crop((0, top, 40, top + 40)))[4:36, 4:36].astype(np.float64)
    x = ((pixels - MEAN) / STD)[:, :, ::-1].transpose(2, 0, 1)
    with no_grad():
        logits = network.model(Tensor(x[None].astype(np.float32))).numpy()[0].astype(np.float64)
    return np.exp(logits) / np.exp(logits).sum()


def test_predict(row, picture, capsys):
    for words in (["--weights", "quick", picture, picture], [picture, "--weights=quick", picture]):
        assert run(predict.main, *words, "--json", "--top", 3) == 0
        answer, same = json.loads(capsys.readouterr().out)
        assert answer == same
        p = probabilities(load_published("quick"), picture)
        best = np.argsort(-p)[:3]
        assert answer["file"] == str(picture)
        assert [line["class"] for line in answer["predictions"]] == [f"class {c}" for c in best]
        np.testing.assert_allclose([line["probability"] for line in answer["predictions"]], p[best], rtol=1e-3)


def test_what_look_draws(row, picture, capsys, monkeypatch):
    asked = []

    def draw(subject, options, path):
        asked.append((path.name, options.picture, subject.network.checkpoint.model))

    monkeypatch.setattr(look, "DRAWN", dict.fromkeys(look.DRAWN, draw))

    def drawn(*words):
        asked.clear()
        assert run(look.main, "--weights", "quick", *words) == 0
        assert {model for _, _, model in asked} == {"cifar_quick"}
        assert len({str(pictures) for _, pictures, _ in asked}) == 1
        return capsys.readouterr().out.split(), asked[0][1]

    everything = [f"look/{view}.png" for view in ("filters", "features", "gradient", "graph")]
    assert drawn(picture) == (everything, [str(picture)])
    assert drawn(picture, "b.png", "--picture", "c.png")[1] == ["c.png", str(picture), "b.png"]
    assert drawn() == (["look/filters.png", "look/graph.png"], None), "what needs no image"
    assert drawn("graph", picture, "--out", "there", "filters")[0] == ["there/filters.png", "there/graph.png"]
    with_data = [path for path in everything if "graph" not in path] + ["look/neighbours.png", "look/graph.png"]
    assert drawn("--dataset", "shapes") == (with_data, None)


@pytest.mark.heavy
def test_look_draws(row, picture, capsys):
    assert run(look.main, "--weights", "quick", picture) == 0
    for path in capsys.readouterr().out.split():
        with Image.open(path) as image:
            assert np.asarray(image).std() > 5


def test_evaluate(row, tmp_path, capsys, rng):
    for number in range(20):
        folder = tmp_path / "set" / "val" / f"class {number % 10}"
        for place in (folder, tmp_path / "set" / "train" / f"class {number % 10}"):
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (45, 40, 3), np.uint8)).save(place / f"{number}.png")
    words = ["--weights", "quick", "--dataset", "folder", "--data-dir", "set"]
    assert run(evaluate.main, *words) == 0
    out = capsys.readouterr().out
    network = load_published("quick")
    files = sorted((tmp_path / "set" / "val").rglob("*.png"))
    answers = [np.log(probabilities(network, path)) for path in files]
    labels = [int(path.parent.name[-1]) for path in files]
    loss = -np.mean([answer[label] for answer, label in zip(answers, labels)])
    wrong = np.mean([answer.argmax() != label for answer, label in zip(answers, labels)])
    assert "20 test images of folder, 1 view, numpy backend" in out
    assert re.search(rf"weights/quick\.npz +{100 * wrong:.2f} % +[\d.]+ % +{loss:.4f}\n", out)
    assert run(evaluate.main, "--weights", "quick") == 2
    assert "does not name the data set that it was trained on: choose one with --dataset" in capsys.readouterr().err


def test_evaluate_names_imagenet_s_folders():
    images = SimpleNamespace(classes=[f"n{number:08}" for number in range(1000)])
    network = SimpleNamespace(
        classes=class_names(1000), checkpoint=SimpleNamespace(configuration={}), size_of=lambda _: 9
    )
    network.splits = lambda *_, **__: ("folder", SimpleNamespace(validation=images))
    options = dict.fromkeys(("dataset", "weights", "limit", "workers", *trained.CARRIED)) | {"split": "validation"}
    found = [
        evaluate._pictures(SimpleNamespace(**options | {"weights": name}), [network])[1] for name in (None, "caffe")
    ]
    assert [picture.classes for picture in found] == [images.classes, network.classes]


@pytest.mark.parametrize(
    ("main", "words", "says"),
    [
        (predict.main, ["--weights", "quack", "a.png"], "--weights: invalid choice: 'quack'.*torchvision"),
        (predict.main, ["--weights", "quick"], "required: IMAGE"),
        (predict.main, ["a.npz"], "required: IMAGE"),
        (
            predict.main,
            ["a.npz", "a.png", "--weights-dir", "b"],
            "--weights-dir is the folder for the file of --weights",
        ),
        (evaluate.main, [], "required: RUN"),
        (look.main, [], "required: RUN"),
        (
            look.main,
            ["--weights", "quick", "curves"],
            "curves needs the folder of a training run, which --weights quick",
        ),
        pytest.param(
            *(
                look.main,
                ["--weights", "quick", "neighbours"],
                "does not name the data set .*choose one with --dataset",
            ),
            marks=pytest.mark.heavy,  # it imports Matplotlib
        ),
        pytest.param(look.main, ["--weights", "quick", "nothing.png"], "nothing.png", marks=pytest.mark.heavy),
    ],
)
def test_commands_refuse_in_a_sentence(row, capsys, main, words, says):
    assert run(main, *words) == 2
    err = capsys.readouterr().err
    assert re.search(says, err) and err.count("\n") == 1 and "Traceback" not in err


# ----------------------------------------------------------------------------------------- a file of torchvision's form

CHILD = """
import sys
from dataclasses import replace
from importlib import import_module
from minialex import cli
from minialex.models.published import TABLE
url, digest, size, command, *words = sys.argv[1:]
TABLE["torchvision"] = replace(TABLE["torchvision"], url=url, digest=digest, size=int(size))
sys.exit(cli.run(import_module(command).main, words))
"""


@pytest.fixture
def alexnet(torch):
    """A file as torchvision's, of random weights under which an image decides: its bytes, and the state dict."""
    torch.manual_seed(4)
    with init.skipped():
        shapes = {name: array.shape for name, array in models.build("alexnet_torchvision").state_dict().items()}
    state = {}
    for name, shape in shapes.items():
        spread = 1 if len(shape) == 1 else (2 / np.prod(shape[1:])) ** 0.5
        state[name] = spread * torch.randn(shape)
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue(), state


def torch_s_logits(torch, state, path):
    """torchvision's transforms, as its documentation says, and its layers in functions."""
    nn = torch.nn.functional
    with Image.open(path) as image:
        short = min(image.size)
        image = image.resize(
            [256 if n == short else int(256 * n / short) for n in image.size], Image.Resampling.BILINEAR
        )
        left, top = (round((n - 224) / 2) for n in image.size)
        x = torch.from_numpy(np.array(image.crop((left, top, left + 224, top + 224)))).permute(2, 0, 1)[None] / 255
    x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    for number, options in {0: {"stride": 4, "padding": 2}, 3: {"padding": 2}, 6: {}, 8: {}, 10: {}}.items():
        weight, bias = (state[f"features.{number}.{kind}"] for kind in ("weight", "bias"))
        x = nn.relu(nn.conv2d(x, weight, bias, **options or {"padding": 1}))
        x = nn.max_pool2d(x, 3, 2) if number in (0, 3, 10) else x
    x = nn.adaptive_avg_pool2d(x, (6, 6)).flatten(1)
    for number in (1, 4, 6):
        x = nn.linear(x, state[f"classifier.{number}.weight"], state[f"classifier.{number}.bias"])
        x = nn.relu(x) if number < 6 else x
    return x[0]


@pytest.mark.heavy
def test_predict_and_look_with_a_whole_file(torch, alexnet, tmp_path, rng):
    body, state = alexnet
    path = tmp_path / "photo.png"
    small = Image.fromarray(rng.integers(0, 256, (6, 9, 3), np.uint8))
    small.resize((451, 300), Image.Resampling.BICUBIC).save(path)
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "MPLBACKEND": "agg"}

    def child(url, command, *words):
        row = [url, hashlib.sha256(body).hexdigest(), str(len(body)), command]
        options = ["--weights", "torchvision", str(path), "--backend", "numpy"]
        done = subprocess.run(
            [sys.executable, "-c", CHILD, *row, *words, *options],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
        return done.stdout

    with serving.serving(body) as server:
        answer = child(server.url, "minialex.predict", "--json")
        assert server.ranges == [None]
    assert (tmp_path / "cache" / "minialex" / "weights" / "alexnet-owt-7be5be79.pth").read_bytes() == body
    ((found,),) = [json.loads(answer)]
    best = torch.softmax(torch_s_logits(torch, state, path).double(), 0).topk(5)
    assert [line["class"] for line in found["predictions"]] == [class_names(1000)[c] for c in best.indices]
    np.testing.assert_allclose([line["probability"] for line in found["predictions"]], best.values, rtol=1e-3)
    drawn = child(server.url, "minialex.look.__main__", "filters", "features", "gradient").split()  # the server is gone
    assert drawn == [f"look/{view}.png" for view in ("filters", "features", "gradient")]
    for name in drawn:
        with Image.open(tmp_path / name) as image:
            assert np.asarray(image).std() > 5
