"""Weights on their way between formats: nothing lost, nothing run, and one sentence about what does not fit."""

from __future__ import annotations

import itertools
import os
import pickle
import re
import subprocess
import sys
from collections import OrderedDict

import converting
import numpy as np
import pytest
from converting import assert_same
from refusals import must_refuse

from minialex import Tensor, cli, convert, models, nn, no_grad
from minialex.convert import __main__ as command
from minialex.convert import description
from minialex.convert.keras import to_keras
from minialex.models.layout import layout
from minialex.runs import checkpoint
from minialex.support import files

LIBRARIES = {".npz": "numpy", ".keras.npz": "numpy", ".safetensors": "safetensors", ".pth": "torch", ".onnx": "onnx"}
FULL = (".npz", ".safetensors", ".pth")  # formats that carry the description


def library(suffix):
    name = LIBRARIES[suffix]
    return pytest.importorskip(name, reason=f"{name} is not installed")


def run(*arguments):
    assert cli.run(command.main, [str(argument) for argument in arguments]) == 0


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A Checkpoint, which is in ours.npz of the current folder as well."""
    monkeypatch.chdir(tmp_path)
    saved = converting.a_checkpoint()
    checkpoint.save("ours.npz", saved)
    return saved


# -------------------------------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("first, second", [*itertools.product(FULL, FULL)])
def test_every_pair_of_formats_keeps_everything(saved, first, second):
    library(first), library(second)
    run("ours.npz", f"a{first}")
    run(f"a{first}", f"b{second}")
    run(f"b{second}", "back.npz")
    assert_same(checkpoint.load("back.npz"), checkpoint.load("ours.npz"))
    assert_same(convert.load_weights(f"b{second}"), saved.weights)


@pytest.mark.parametrize("suffix", [*FULL, ".keras.npz"])
def test_weights_alone_keep_every_bit(saved, suffix, capsys):
    library(suffix)
    run("ours.npz", f"alone{suffix}", "--weights-only")
    run(f"alone{suffix}", "back.npz", "--normalization", "1,2,3/4,5,6")
    assert "the model is shapes_net, the only one with these" in capsys.readouterr().err
    back = checkpoint.load("back.npz")
    assert_same(back.weights, saved.weights)
    assert back.classes == [f"class {i}" for i in range(7)] and back.trainer_state == {} and back.history == []
    assert (back.model, back.input_size, back.channel_order, back.resize) == ("shapes_net", 32, "RGB", None)
    triples = (np.array(numbers, np.float32).reshape(3, 1, 1) for numbers in ((1, 2, 3), (4, 5, 6)))
    assert_same(back.normalization, dict(zip(("mean", "std"), triples)))


def test_weights_alone_are_what_other_programs_expect(saved, torch):
    library(".safetensors")
    from safetensors.numpy import load_file

    for suffix in FULL:
        run("ours.npz", f"alone{suffix}", "--weights-only")
    with np.load("alone.npz") as arrays:
        assert_same(dict(arrays), saved.weights)
    assert_same(load_file("alone.safetensors"), saved.weights)
    state = torch.load("alone.pth", weights_only=True)
    assert_same({name: tensor.numpy() for name, tensor in state.items()}, saved.weights)


def test_a_described_pth_is_a_plain_state_dict_for_torch(saved, torch):
    import twins

    run("ours.npz", "ours.pth")
    model = saved.build_model().eval()
    twin = twins.twin(model)
    for parameter in twin.parameters():
        parameter.data.zero_()
    twin.load_state_dict(torch.load("ours.pth", weights_only=True))
    images = converting.pictures(2, 32)
    with torch.no_grad(), no_grad():
        np.testing.assert_allclose(model(Tensor(images)).numpy(), twin(torch.from_numpy(images)).numpy(), rtol=1e-4)


def test_keras_arrays_are_those_of_get_weights(saved):
    run("ours.npz", "for.keras.npz")
    with np.load("for.keras.npz") as arrays:
        assert list(arrays) == [f"arr_{i}" for i in range(10)]
        assert arrays["arr_0"].shape == (5, 5, 3, 32) and arrays["arr_6"].shape == (576, 128)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_options_change_what_a_checkpoint_says(saved, capsys, encoding):
    with open("names.txt", "w", encoding=encoding) as file:
        file.write("\n".join(["çarpı", *"bcdef", "\x1b[31mred"]) + "\n\n")
    run("ours.npz", "new.npz", "--classes", "names.txt", "--normalization", "none", "--model", "shapes_net")
    new = checkpoint.load("new.npz")
    assert new.classes == ["çarpı", *"bcdef", "\\x1b[31mred"] and not new.normalization["mean"].any()
    assert_same(new.trainer_state, checkpoint.load("ours.npz").trainer_state)
    run("ours.npz", "new.npz", "--channel-order", "bgr")
    new = checkpoint.load("new.npz")
    assert_same(new.weights["conv1.weight"], saved.weights["conv1.weight"][:, ::-1].copy())
    assert new.channel_order == "BGR" and "cannot be resumed" in capsys.readouterr().err


@pytest.mark.heavy
def test_merge_and_group(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved = converting.a_checkpoint("alexnet")
    checkpoint.save("paper.npz", saved)
    run("paper.npz", "merged.npz", "--merge")
    assert checkpoint.load("merged.npz").weights["conv2.weight"].shape == (256, 96, 5, 5)
    run("merged.npz", "back.npz", "--group")
    assert_same(checkpoint.load("back.npz").weights, saved.weights)


# ----------------------------------------------------------------------------------- weights without a description


def torchvision_alexnet(torch):
    """torchvision's `alexnet()`, written out here."""
    t = torch.nn

    class AlexNet(t.Module):
        def __init__(self):
            super().__init__()
            self.features = t.Sequential(
                t.Conv2d(3, 64, 11, 4, 2),
                t.ReLU(),
                t.MaxPool2d(3, 2),
                t.Conv2d(64, 192, 5, padding=2),
                t.ReLU(),
                t.MaxPool2d(3, 2),
                t.Conv2d(192, 384, 3, padding=1),
                t.ReLU(),
                t.Conv2d(384, 256, 3, padding=1),
                t.ReLU(),
                t.Conv2d(256, 256, 3, padding=1),
                t.ReLU(),
                t.MaxPool2d(3, 2),
            )
            self.avgpool = t.AdaptiveAvgPool2d((6, 6))
            self.classifier = t.Sequential(
                t.Dropout(),
                t.Linear(9216, 4096),
                t.ReLU(),
                t.Dropout(),
                t.Linear(4096, 4096),
                t.ReLU(),
                t.Linear(4096, 1000),
            )

        def forward(self, x):
            return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))

    with torch.device("meta"):
        twin = AlexNet()
    twin.to_empty(device="cpu").eval()
    for parameter in twin.parameters():
        bound = (6 / max(1, parameter[0].numel())) ** 0.5
        parameter.data = torch.empty(parameter.shape).uniform_(-bound, bound)
    return twin


def test_torchvisions_published_state_dict_loads_strictly(tmp_path, torch):
    twin = torchvision_alexnet(torch)
    torch.save(twin.state_dict(), tmp_path / "alexnet-owt.pth")
    found = convert.read(tmp_path / "alexnet-owt.pth")
    assert list(found) == [
        f"{part}.{number}.{kind}"
        for part, numbers in (("features", (0, 3, 6, 8, 10)), ("classifier", (1, 4, 6)))
        for number in numbers
        for kind in ("weight", "bias")
    ]
    described = convert.describe(found)
    assert (described.model, described.input_size, described.resize) == ("alexnet_torchvision", 224, 256)
    assert_same(described.normalization, description.NORMALIZATIONS["torchvision"][0].to_arrays())
    images = converting.pictures(2, 224) / 100
    with torch.no_grad(), no_grad():
        ours, theirs = described.build_model().eval()(Tensor(images)).numpy(), twin(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())


def test_torchvisions_normalisation_is_ours_on_another_scale(rng):
    pixels = rng.integers(0, 256, (2, 3, 4, 4), np.uint8)
    mean, std = (np.array(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    ours, order = description.NORMALIZATIONS["torchvision"]
    np.testing.assert_allclose(ours(pixels), (pixels / 255 - mean) / std, atol=1e-5)
    assert order == "RGB"


def test_a_network_that_sees_blue_first():
    described = convert.describe(converting.build("alexnet_caffe").state_dict(), "alexnet_caffe", input_size=68)
    assert (described.channel_order, described.arguments) == ("BGR", {"num_classes": 7, "input_size": 68})


def test_arrays_of_keras_are_counted_not_sorted_as_words():
    model = converting.build("alexnet_dl4j", input_size=227)
    arrays = to_keras(model.state_dict(), layout(model, (3, 227, 227)))
    found = convert.describe({f"arr_{i}": array for i, array in reversed([*enumerate(arrays)])})
    assert found.model == "alexnet_dl4j" and len(arrays) == 16
    assert_same(found.weights, model.state_dict())


def test_pictures_of_another_size_than_published(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("wide.npz", **converting.build("cifar_quick", input_size=40).state_dict())
    run("wide.npz", "new.npz", "--input-size", 40)
    new = checkpoint.load("new.npz")
    assert (new.model, new.input_size) == ("cifar_quick", 40)
    assert new.build_model()(Tensor(converting.pictures(1, 40))).shape == (1, 7)


SIMILAR = {"alexnet", "alexnet_2012", "alexnet_caffe"}  # their weights have the same names and shapes


@pytest.mark.parametrize("name", models.PRESETS)
def test_networks_are_known_by_their_shapes(name):
    arrays = converting.shapes_only(name)
    if name not in SIMILAR:
        assert description.guess(arrays) == name
    else:
        with pytest.raises(ValueError, match=f"fit {', '.join(sorted(SIMILAR))}, which have the same .* model="):
            description.guess(arrays)


@pytest.mark.parametrize(
    "nest",
    [
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s},
        lambda s: {"module." + n: a for n, a in s.items()},
        lambda s: {"state_dict": {"module." + n: a for n, a in s.items()}},
        lambda s: OrderedDict((n, a.bfloat16()) for n, a in s.items()),
    ],
)
def test_state_dicts_as_training_scripts_leave_them(saved, torch, nest):
    state = {name: torch.from_numpy(array).bfloat16().float() for name, array in saved.weights.items()}
    torch.save(nest(state), "their.pt")
    assert_same(convert.load_weights("their.pt"), {name: tensor.numpy() for name, tensor in state.items()})
    run("their.pt", "ours.npz", "--model", "shapes_net")
    assert_same(checkpoint.load("ours.npz").weights, {name: tensor.numpy() for name, tensor in state.items()})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w.pop("conv2.bias"), "missing: conv2.bias"),
        (lambda w: w.update(extra=np.zeros(3)), "unexpected: extra"),
        (lambda w: w.update({"fc4.bias": np.zeros(3)}), r"misshapen: fc4.bias \(is \(3,\), expected \(128,\)\)"),
        (lambda w: w.update({"fc4.bias": np.array(["x"] * 128)}), "fc4.bias of this state is not numbers"),
        (lambda w: w.pop("fc5.bias"), "not the weights of shapes_net: there is no fc5.bias"),
    ],
)
def test_weights_that_do_not_fit(saved, capsys, change, reason):
    weights = dict(saved.weights)
    change(weights)
    np.savez("their.npz", **weights)
    said = must_refuse(capsys, "their.npz", "new.npz", "--model", "shapes_net", main=command.main)
    assert re.search(f"^error: their.npz: .*{reason}", said)


def test_weights_of_no_network(saved, capsys):
    np.savez("their.npz", **{"fc5.bias": np.zeros(7)})
    said = must_refuse(capsys, "their.npz", "new.npz", main=command.main)
    assert said.startswith("error: their.npz: these weights do not fit any network by name and shape: give --model")


# --------------------------------------------------------------------------------------------------- bad files, errors


class Bomb:
    def __reduce__(self):
        return open, ("exploded", "w")


def test_nothing_is_unpickled_but_tensors(saved, torch, capsys):
    torch.save({"state_dict": Bomb()}, "zip.pth")
    torch.save({"state_dict": Bomb()}, "old.pth", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(2, 2), "module.pth")
    with open("plain.pt", "wb") as file:
        pickle.dump(Bomb(), file)
    np.savez("objects.npz", weight=np.array([Bomb()], object))
    for name in ("zip.pth", "old.pth", "module.pth", "plain.pt", "objects.npz"):
        said = must_refuse(capsys, name, "new.npz", main=command.main)
        assert said.startswith(f"error: {name} holds an object of ") and "whose code was not run: save " in said
    assert not os.path.exists("exploded")


def test_pth_files_that_hold_something_else(saved, torch, capsys):
    circle = {}
    circle["model"] = circle
    for number, value in enumerate([circle, [1, 2], {"a": 3}, torch.ones(3), {"model": 5}]):
        torch.save(value, f"{number}.pth")
        said = must_refuse(capsys, f"{number}.pth", "new.npz", main=command.main)
        assert "holds no state dict, neither at the top nor under 'state_dict' or another" in said


@pytest.mark.parametrize("suffix", FULL)
@pytest.mark.parametrize("options", [(), ("--weights-only",)], ids=["described", "alone"])
def test_truncated_files(saved, capsys, suffix, options):
    library(suffix)
    run("ours.npz", f"whole{suffix}", *options)
    capsys.readouterr()
    with open(f"whole{suffix}", "rb") as file:
        whole = file.read()
    for length in [0, 1, 4, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1]:
        with open(f"cut{suffix}", "wb") as file:
            file.write(whole[:length])
        said = must_refuse(capsys, f"cut{suffix}", "new.npz", main=command.main)
        assert f"cut{suffix} is " in said and ("damaged" in said or "not a minialex checkpoint" in said)


def test_a_state_dict_of_nothing(saved, torch, capsys):
    torch.save({}, "empty.pth")
    assert "empty.pth holds no state dict" in must_refuse(capsys, "empty.pth", "new.npz", main=command.main)


def test_a_description_that_does_not_fit_its_arrays(saved, torch):
    text = checkpoint.to_arrays(saved)["checkpoint"].tobytes().decode()
    for metadata in ({"text": text, "arrays": {}}, {"text": "{", "arrays": {}}, {"text": 3, "arrays": {}}, 5, 6, {}):
        state = OrderedDict(weight=torch.zeros(2))
        state._metadata = {"checkpoint": metadata} if metadata != 6 else metadata
        torch.save(state, "odd.pth")
        with pytest.raises(ValueError, match=r"odd\.pth"):
            convert.read("odd.pth")


@pytest.mark.parametrize("suffix", [*FULL, ".keras.npz", ".onnx"])
@pytest.mark.parametrize("options", [(), ("--weights-only",)], ids=["described", "alone"])
def test_a_write_that_fails_leaves_the_old_file(saved, capsys, monkeypatch, suffix, options):
    library(suffix)
    with open(f"new{suffix}", "wb") as file:
        file.write(b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    said = must_refuse(capsys, "ours.npz", f"new{suffix}", *options, main=command.main)
    assert said == f"error: cannot write new{suffix}: No space left on device\n"


def test_requests_that_cannot_be_met(saved, capsys):
    with open("two.txt", "w") as file:
        file.write("a\nb\n")
    np.savez("bare.npz", a=np.zeros(3, np.float32))
    refused = {
        ("nowhere.npz", "new.npz"): "there is no file nowhere.npz",
        ("ours.onnx", "new.npz"): "there is no file ours.onnx",
        ("ours.npz", "new.txt"): "new.txt: the suffix must give the format",
        ("ours.h5", "new.npz"): "there is no file ours.h5",
        ("two.txt", "new.npz"): "two.txt: the suffix must give the format",
        ("ours.npz", "nowhere/new.npz"): "cannot write nowhere/new.npz",
        ("ours.npz", "new.npz", "--model", "alexnet"): "ours.npz holds the weights of shapes_net, not of alexnet",
        ("ours.npz", "new.npz", "--input-size", "40"): "ours.npz is for pictures of 32 pixels, not 40",
        ("ours.npz", "new.npz", "--set", "norm=lrn"): "holds a description, which names the network's arguments: leave",
        ("bare.npz", "new.npz", "--set", "norm=lrn"): "--set is of a network that is named: give --model, too",
        ("bare.npz", "new.npz", "--set", "norm=x", "--model", "alexnet"): "norm must be",
        ("ours.npz", "new.npz", "--classes", "two.txt"): "2 class names were given for the network's 7 classes",
        ("ours.npz", "new.npz", "--classes", "nowhere.txt"): "nowhere.txt: No such file",
        ("ours.npz", "new.npz", "--classes", "ours.npz"): "ours.npz, line 1: the byte 0x",
        ("ours.npz", "new.npz", "--normalization", "1,x,3"): "is neither torchvision, caffe, none nor three means",
        (
            "ours.npz",
            "new.npz",
            "--normalization",
            "1,2,3/0,1,1",
        ): "is neither torchvision, caffe, none nor three means",
        ("ours.npz", "new.npz", "--merge"): "cannot merge shapes_net",
        ("ours.npz", "new.npz", "--merge", "--group"): "not allowed with argument",
    }
    for arguments, reason in refused.items():
        assert reason in must_refuse(capsys, *arguments, main=command.main), arguments


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
def test_a_library_that_is_not_installed(saved, capsys, monkeypatch, suffix):
    monkeypatch.setitem(sys.modules, LIBRARIES[suffix], None)
    said = must_refuse(capsys, "nowhere.npz", f"new{suffix}", main=command.main)  # before IN is read
    assert said == f"error: this format needs {LIBRARIES[suffix]}: pip install 'minialex[convert]'\n"


def test_nothing_optional_is_imported_before_it_is_needed():
    code = "import sys, minialex.convert.__main__; print({'torch', 'onnx', 'safetensors'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_arguments_of_weights_without_a_description(monkeypatch, tmp_path, capsys):
    """Of a network that is wider than its function makes it by default: it has to be said."""

    def build(num_classes=10, input_size=8, *, width=4):
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * input_size**2, width), nn.Linear(width, num_classes))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(models.PRESETS, "wide", models.Preset(build, 8, 10, "", models.PRESETS["shapes_net"].recipe))
    arrays = build(3, width=6).state_dict()
    with pytest.raises(ValueError, match="this state does not fit Sequential: misshapen"):
        convert.describe(arrays, "wide")
    np.savez("bare.npz", **arrays)
    run("bare.npz", "described.npz", "--model", "wide", "--set", "width=6")
    described = checkpoint.load("described.npz")
    assert described.arguments == {"width": 6, "num_classes": 3, "input_size": 8}
    assert described.build_model()[1].weight.shape == (6, 192)


def test_images_are_resized_to_at_least_the_input_size():
    alexnet, cifar = models.PRESETS["alexnet"], models.PRESETS["cifar_quick"]
    sizes = [
        description.resize_for(preset.input_size, size)
        for preset, size in ((alexnet, 227), (alexnet, 300), (cifar, 32))
    ]
    assert sizes == [256, 343, None]
