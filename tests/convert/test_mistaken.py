"""Files that users give by mistake, and what each is said to be; options of convert, predict, look and summary."""

from __future__ import annotations

import re

import numpy as np
import pytest
from refusals import must_refuse

from minialex import models, predict, train
from minialex.convert import __main__ as convert
from minialex.convert.description import describe
from minialex.look import __main__ as look
from minialex.summary import __main__ as summary

SUFFIXES = ("pth", "onnx", "h5", "keras", "npz", "safetensors", "caffemodel", "npy")


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Check the sentence of a command that must fail, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def check(command, words, pattern):
        sentence = must_refuse(capsys, *words, main=command.main)
        assert re.search(pattern, sentence), sentence

    return check


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<!DOCTYPE html><html><body>404</body></html>", "is a web page, .*: download the file itself"),
        (b"\n<HTML>", "is a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "is a pointer of git-lfs.*run git lfs pull",
        ),
    ],
    ids=["page", "page without a doctype", "git-lfs"],
)
def test_a_file_that_is_no_file_of_weights(refused, tmp_path, suffix, content, what):
    (tmp_path / f"a.{suffix}").write_bytes(content)
    refused(convert, ["a." + suffix, "b.npz"], rf"a\.{suffix} {what}")
    refused(predict, ["a." + suffix, "cat.jpg"], rf"a\.{suffix} {what}")


def test_a_folder_and_another_format(refused, tmp_path):
    (tmp_path / "a.onnx").mkdir()
    refused(convert, ["a.onnx", "b.npz"], r"a\.onnx is a folder: name a file in it")
    (tmp_path / "a.pth").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    refused(convert, ["a.pth", "b.npz"], r"a\.pth is an HDF5 file: give it the suffix \.h5")


@pytest.mark.parametrize("suffix", ["onnx", "safetensors", "npy", "caffemodel"])
def test_another_format_by_its_first_bytes(refused, tmp_path, suffix):
    np.savez(tmp_path / "a.npz", weight=np.zeros(3))
    (tmp_path / "a.npz").rename(tmp_path / f"a.{suffix}")
    refused(convert, [f"a.{suffix}", "b.npz"], r"is a zip archive, .*: give it the suffix \.pth, \.npz or \.keras")


@pytest.mark.parametrize("suffix", ["pth", "onnx", "h5", "npz"])
def test_a_safetensors_file_of_another_name(refused, tmp_path, suffix):
    header = b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
    (tmp_path / f"a.{suffix}").write_bytes(len(header).to_bytes(8, "little") + header)
    refused(convert, [f"a.{suffix}", "b.npz"], r"is a safetensors file: give it the suffix \.safetensors")


def test_one_file_of_several(refused, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    safetensors.save_file({"conv.weight": np.zeros((2, 3, 3, 3), np.float32)}, "model-00001-of-00002.safetensors")
    sentence = r"it is one of several files: name model\.safetensors\.index\.json"
    refused(convert, ["model-00001-of-00002.safetensors", "b.npz"], sentence)


@pytest.mark.parametrize("text", ["garbage", "1,2", "1", "1,2,3/1", "1,2,3/0,1,1", "nan,1,2", "1,2,3/1,1,1/1,1,1"])
def test_a_normalisation_of_wrong_numbers(refused, text):
    refused(convert, ["a.onnx", "b.npz", "--normalization", text], "--normalization: .* is neither torchvision, caffe")


def test_what_convert_takes_and_others_do_not(refused, tmp_path):
    torch_file = tmp_path / "a.pth"
    from minialex.convert import torch_file as writer

    with open(torch_file, "wb") as file:
        writer.write(file, {"weight": np.zeros(3, np.float32)}, None)
    for command, words in ((summary, ["a.pth"]), (predict, ["a.pth", "cat.jpg"]), (look, ["a.pth", "filters"])):
        refused(command, words, r"name it with python -m minialex\.convert a\.pth NEW\.npz --model NAME")
    refused(summary, ["nowhere.onnx"], r"there is no file nowhere\.onnx")


def test_a_figure_that_there_is_not(refused, tmp_path):
    (tmp_path / "a.npz").touch()
    refused(look, ["a.npz", "filter"], "there is no run 'filter', and WHAT is one of: filters, features")


def test_published_weights_are_converted_before_training(refused):
    refused(
        train, ["--weights", "torchvision"], "predict --weights torchvision downloads, with python -m minialex.conv"
    )


@pytest.mark.parametrize("beside", ["criterion.weight", "ema_model.fc.weight", "n_averaged"])
def test_a_network_beside_other_things_that_its_training_had(beside):
    """Not a mistake: Lightning's checkpoint has what the module holds, such as a loss with a weight for each class."""
    weights = models.build("shapes_net").state_dict()
    held = {f"model.{name}": array for name, array in weights.items()} | {beside: np.ones((10, 2), np.float32)}
    assert describe(held).model == "shapes_net"
    with pytest.raises(ValueError, match="do not fit any network"):
        describe({name: array for name, array in held.items() if name != "model.conv1.weight"})
