"""Damaged run folders and checkpoints, and places that cannot be written to: one clear sentence, exit code 2.

Every case runs the command. Nothing that was there before may be lost, nothing half written may stay.
"""

from __future__ import annotations

import errno
import functools
import io
import json
import os
import pickle
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from refusals import SMALL, must_refuse, no_figures, small_run, start, the_sentence
from tiny_runs import assert_same_arrays, assert_same_end, run

from minialex import train
from minialex.runs import checkpoint
from minialex.support import files


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """must_refuse, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(must_refuse, capsys)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of one epoch, without figures."""
    return small_run(tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of that run, to damage."""
    return Path(shutil.copytree(whole, tmp_path / "r"))


# Run folders


def edited(**changes):
    """config.json with other values."""
    return lambda content: json.dumps(json.loads(content) | changes).encode()


def without(name):
    def edit(content):
        values = json.loads(content)
        del values[name]
        return json.dumps(values).encode()

    return edit


DAMAGED_CONFIGURATION = {
    "no JSON": lambda content: content[:50],
    "empty": lambda content: b"",
    "no text": lambda content: b"\xff\xfe\x00" + content,
    "nested too deeply": lambda content: b"[" * 100_000,
    "a list": lambda content: b"[1, 2]",
    "a number": lambda content: b"3",
    "null": lambda content: b"null",
    "an empty object": lambda content: b"{}",
    "no versions": without("versions"),
    "versions is a list": edited(versions=[1]),
    "a key twice": lambda content: content.rstrip()[:-1] + b', "lr": 0.5}',
    "epochs is huge": edited(epochs=10**400),
    "lr is huge": edited(lr=10**400),
    "threads is huge": edited(threads=10**9),
    "num_classes is huge": edited(num_classes=10**9),
    "input_size is huge": edited(input_size=10**9),
    "freeze is deep": edited(freeze=functools.reduce(lambda inner, _: [inner], range(600), 0)),
    "warm-up is huge": edited(schedule=f"warmup:{10**400}+cosine"),
    "no model": without("model"),
    "no lr": without("lr"),
    "a stranger": edited(colour="blue"),
    "unknown model": edited(model="vgg"),
    "unknown data set": edited(dataset="mnist"),
    "unknown backend": edited(backend="tpu"),
    "unknown schedule": edited(schedule="exponential"),
    "unknown optimizer": edited(optimizer="warp"),
    "unknown normalization": edited(normalization="none"),
    "model is a list": edited(model=["shapes_net"]),
    "batch size is text": edited(batch_size="8"),
    "batch size is 0": edited(batch_size=0),
    "batch size is 1.5": edited(batch_size=1.5),
    "batch size is null": edited(batch_size=None),
    "epochs is text": edited(epochs="3"),
    "epochs is -1": edited(epochs=-1),
    "lr is text": edited(lr="0.1"),
    "lr is nan": edited(lr=float("nan")),
    "lr is -1": edited(lr=-1),
    "lr is null": edited(lr=None),
    "momentum is 1.5": edited(momentum=1.5),
    "weight decay is text": edited(weight_decay="0.1"),
    "weight decay of texts": edited(weight_decay={"conv": "0.1"}),
    "diagnose is a number": edited(diagnose=1),
    "seed is -1": edited(seed=-1),
    "seed is text": edited(seed="3"),
    "limit is 0": edited(limit=0),
    "limit is text": edited(limit="20"),
    "validation is -1": edited(validation=-1),
    "data_dir is a number": edited(data_dir=3),
    "schedule is null": edited(schedule=None),
    "crop padding is text": edited(crop_padding="4"),
    "accumulate is 0": edited(accumulate=0),
    "conv_ways is a list": edited(conv_ways=["direct"]),
    "conv_ways of numbers": edited(conv_ways={"32x7x7 to 64": 4}),
    "conv_ways of another backend": edited(conv_ways={"32x7x7 to 64": "direct"}, backend="numpy"),
}


@pytest.mark.parametrize("case", DAMAGED_CONFIGURATION)
def test_damaged_configurations(refused, folder, case):
    path = folder / "config.json"
    path.write_bytes(DAMAGED_CONFIGURATION[case](path.read_bytes()))
    message = refused("--resume", "r", "--epochs", 2)
    assert re.search(r"config.json is damaged( \(|: )", message)
    (folder / "last.npz").unlink()
    assert refused("--resume", "r", "--epochs", 2) == message, "the same where no checkpoint was saved yet"


def test_places_that_are_no_run_folder(refused, tmp_path, whole):
    assert "there is no run folder nowhere" in refused("--resume", "nowhere")
    assert "there is no run folder" in refused("--resume", whole / "last.npz")
    assert "there is no run folder" in refused("--resume", whole / "last.npz" / "below")
    (tmp_path / "r").mkdir()
    assert "r is not the folder of a training run: it has no config.json" in refused("--resume", "r")
    shutil.copy(whole / "last.npz", tmp_path / "r")
    assert "r is not the folder of a training run: it has no config.json" in refused("--resume", "r")
    (tmp_path / "r" / "config.json").mkdir()
    assert "r is not the folder of a training run: it has no config.json" in refused("--resume", "r")


@pytest.mark.parametrize("option", ["--resume", "--out", "--data-dir"])
def test_an_empty_name(refused, monkeypatch, option):
    """As in --resume "$RUN" where RUN is not set: no reason to start another run, in another place."""
    monkeypatch.setattr(train, "Run", lambda *arguments: pytest.fail("a run was started"))
    assert option in refused(option, "")


OTHERS = [
    "--model shapes_net",
    "--dataset shapes",
    "--download",
    "--limit 20",
    "--validation 0",
    "--batch-size 10",
    "--optimizer sgd",
    "--lr 0.1",
    "--momentum 0",
    "--weight-decay 0",
    "--schedule constant",
    "--seed 0",
    "--backend numpy",
    "--out x",
    "--accumulate 1",
    "--diagnose",
    "--overfit 3",
    "--conv-table my.json",
    "--exchange turns",
    "--local-batch-norm",
]


@pytest.mark.parametrize("option", OTHERS)
def test_other_options_with_resume(refused, folder, option):
    allowed = "--threads, --workers, --parallel and, for a network of your own, --model are allowed"
    expected = f"{option.split()[0]} cannot be changed when a run is resumed; .*start a new run .*{allowed}"
    assert re.search(expected, refused("--resume", "r", *option.split()))


def test_a_run_that_is_further_than_asked(refused, folder, monkeypatch):
    no_figures(monkeypatch)
    assert run("--resume", folder, "--epochs", 2) == 0
    assert "the run has finished 2 epochs already: --epochs must be at least 2" in refused(
        "--resume", "r", "--epochs", 1
    )


def test_places_where_no_run_can_be_left(refused, tmp_path, folder):
    assert re.search(
        "r exists and is not empty: choose another folder with --out, or .*--resume r", refused("--out", "r")
    )
    (tmp_path / "file").write_text("mine")
    assert re.search("file exists and is not empty: choose another folder with --out", refused("--out", "file"))
    for place in ("file/x", "file/x/y", "r/last.npz/x"):
        assert re.search(f"{place.split('/x')[0]}.*Not a directory", refused(*SMALL, "--out", place))
    assert "File name too long" in refused(*SMALL, "--out", "x" * 300)


# Checkpoints


def members(content):
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return dict(archive)


def npz(arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def described(**changes):
    """A checkpoint with other values in its description; one that is None is left out."""

    def edit(content):
        arrays = members(content)
        tree = json.loads(arrays["checkpoint"].tobytes()) | changes
        text = json.dumps({key: value for key, value in tree.items() if value is not None})
        return npz(arrays | {"checkpoint": np.frombuffer(text.encode(), np.uint8)})

    return edit


def described_by(text):
    return lambda content: npz(members(content) | {"checkpoint": np.frombuffer(text, np.uint8)})


def without_array(content):
    arrays = members(content)
    arrays.pop("weights/conv1.weight")
    return npz(arrays)


def zip_with(name, text):
    def edit(content):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(name, text)
        return file.getvalue()

    return edit


def flipped(content):
    place = content.index(members(content)["weights/fc4.weight"].tobytes()) + 1000
    return content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :]


DAMAGED, FOREIGN = "last.npz is (cut short or )?damaged", "last.npz is not a minialex checkpoint"
CHECKPOINTS = {
    "empty": (lambda content: b"", FOREIGN),
    "a text": (lambda content: b"hello", FOREIGN),
    "a pickle": (lambda content: pickle.dumps({"weights": 1}), FOREIGN),
    "another zip": (zip_with("hello.txt", "hello"), FOREIGN),
    "an empty zip": (lambda content: zip_with("x", "")(content)[-22:], FOREIGN),
    "an npz of arrays": (lambda content: npz({"weight": np.zeros(3)}), FOREIGN),
    "a bit flipped": (flipped, DAMAGED),
    "something behind it": (lambda content: content + b"x" * 70_000, DAMAGED),
    "no JSON": (described_by(b"hello"), FOREIGN),
    "JSON without end": (described_by(b"[" * 100_000), FOREIGN),
    "another JSON": (described_by(b"[1]"), FOREIGN),
    "another format": (described(format="checkpoint of others"), FOREIGN),
    "a newer version": (described(version=3), "written by a newer minialex: .*up to 2; update minialex"),
    "no version": (described(version=None), DAMAGED),
    "the version a text": (described(version="one"), DAMAGED),
    "another model": (described(model="cifar_quick"), "holds the weights of 'cifar_quick', not of 'shapes_net'"),
    "the model a list": (described(model=["shapes_net"]), DAMAGED),
    "no weights": (described(weights=None), DAMAGED),
    "an array missing": (without_array, DAMAGED),
    "weights no dict": (described(weights=[]), DAMAGED),
    "weights no arrays": (described(weights={"conv1.weight": 3}), DAMAGED),
    "classes no texts": (described(classes=[1, 2]), DAMAGED),
    "something unknown": (described(colour="blue"), DAMAGED),
    "a member that is no array": (zip_with("checkpoint", '{"format": "minialex checkpoint", "version": 1}'), DAMAGED),
    "other weights": (described(weights={}), "last.npz"),
    "no normalization": (described(normalization={}), "last.npz"),
    "no state of training": (described(trainer_state={}), "last.npz has weights but no training state"),
    "half a state of training": (described(trainer_state={"epoch": 0, "batch": 1}), "last.npz"),
    "a batch that does not exist": (described(trainer_state={"epoch": 0, "batch": 99}), "last.npz"),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_checkpoints(refused, folder, case):
    damage, expected = CHECKPOINTS[case]
    (folder / "last.npz").write_bytes(damage((folder / "last.npz").read_bytes()))
    assert re.search(expected, refused("--resume", "r", "--epochs", 2))


def test_a_checkpoint_cut_short(refused, folder):
    content = (folder / "last.npz").read_bytes()
    for length in [1, 3, 4, 29, 30, 100, *range(5000, len(content), len(content) // 15), len(content) - 1]:
        (folder / "last.npz").write_bytes(content[:length])
        assert re.search(f"({DAMAGED}|{FOREIGN})", refused("--resume", "r", "--epochs", 2)), length


def test_any_bit_of_a_checkpoint(folder, rng):
    """A flipped bit is reported, or, in a date for instance, changes nothing."""
    saved = checkpoint.load(folder / "last.npz")
    saved.model, saved.arguments = "own.py:build", {}  # whose weights may have any shapes
    saved.weights = {"conv1.weight": saved.weights["conv1.weight"][:1, :, :2, :2]}
    saved.trainer_state, path = {}, folder / "small.npz"
    checkpoint.save(path, saved)
    content, reported = path.read_bytes(), 0
    for place in rng.integers(0, 8 * len(content), 600):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            loaded = checkpoint.load(path)
        except ValueError as error:
            assert re.match(r"\S*small.npz is (cut short or damaged|damaged|not a minialex checkpoint)", str(error))
            reported += 1
        else:
            assert_same_arrays(loaded.weights, saved.weights)
            assert (loaded.history, loaded.configuration) == (saved.history, saved.configuration)
    assert reported > 300


def test_files_in_the_place_of_last(refused, folder):
    last = folder / "last.npz"
    shutil.copy(folder / "best.npz", last)
    assert "last.npz has weights but no training state, like best.npz" in refused("--resume", "r", "--epochs", 2)
    last.unlink()
    last.mkdir()
    assert "last.npz: Is a directory" in refused("--resume", "r", "--epochs", 2)


# Saving


class Full(io.FileIO):
    """A file on a disk that has no space left."""

    def write(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", ["last.npz", "metrics.csv", "config.json"])
def test_a_full_disk(folder, tmp_path, monkeypatch, capsys, name):
    """One file finds no space left. With space again the run goes on to the right end."""
    no_figures(monkeypatch)
    before, beside = (folder / name).read_bytes(), files._beside

    def opened(path):
        return Full(path.with_name(f".{name}.partial"), "wb") if path.name == name else beside(path)

    with monkeypatch.context() as m:
        m.setattr(files, "_beside", opened)
        assert run("--resume", folder, "--epochs", 3) == 2
    message = the_sentence(2, capsys.readouterr().err)
    assert f"cannot write {folder / name}: No space left on device" in message
    assert (folder / name).read_bytes() == before and not list(folder.glob(".*"))
    assert run("--resume", folder, "--epochs", 3) == 0
    assert run(*SMALL, "--epochs", 3, "--out", tmp_path / "never full") == 0
    assert_same_end(folder, tmp_path / "never full")


LIMITED = """
import pathlib, resource, sys
from minialex import cli, train
from minialex.runs import checkpoint
from minialex.support import files

path = pathlib.Path(sys.argv[1]) / "last.npz"
saved, content = checkpoint.load(path), path.read_bytes()
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for limit in [0, 1, 100, 4096, 8191, 8192, *range(10_000, len(content), len(content) // 12), len(content) - 1]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        checkpoint.save(path, saved)
    except OSError as error:
        assert str(error) == f"cannot write {path}: File too large", (limit, error)
    else:
        raise AssertionError(f"a file of {len(content)} bytes fits into {limit}")
    assert path.read_bytes() == content and not list(path.parent.glob(".*")), limit

resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) - 1, hard))
sys.exit(cli.run(train.main, ["--resume", sys.argv[1], "--epochs", "2"]))
"""


@pytest.mark.heavy
def test_a_file_that_may_not_grow(folder, tmp_path):
    """The system refuses to write on, after any number of bytes: the old checkpoint stays, nothing lies about."""
    pytest.importorskip("resource", reason="this system has no limits of resources")
    content = (folder / "last.npz").read_bytes()
    done = start(["-c", LIMITED, folder])
    assert f"cannot write {folder / 'last.npz'}: File too large" in the_sentence(done.returncode, done.stderr)
    assert (folder / "last.npz").read_bytes() == content and not list(folder.glob(".*"))
    checkpoint.load(folder / "best.npz")
