"""Checkpoints: exact, never half written, never a pickle, and clear about what is wrong with a file."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from minialex import models
from minialex.runs import checkpoint
from minialex.runs.checkpoint import Checkpoint
from minialex.support import files


def example(**changes):
    """A checkpoint with everything that is awkward to keep: tiny numbers, -0.0, 0-d arrays, names in any script."""
    first = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2) / 7
    weights = {"conv1.weight": first, "odd.bias": np.array([1e-45, -0.0, np.finfo(np.float32).max, 0.1], np.float32)}
    group = {"params": [*range(len(weights))], "lr": 0.1, "weight_decay": 0.004, "momentum": 0.9, "nesterov": False}
    values = {
        "model": "net.py:build",  # of the user's own: its weights may have any shapes
        "arguments": {"num_classes": 3},
        "weights": weights,
        "input_size": 32,
        "normalization": {"mean": np.zeros((3, 1, 1), np.float32), "std": np.array(3.0)},
        "classes": ["circle", "Dreieck", "çarpı"],
        "configuration": {"lr": 0.1, "weight_decay": {"conv": 0.004}, "limit": None},
        "trainer_state": {
            "epoch": 1,
            "batch": 3,
            "running": {"pictures": 24, "loss_sum": 1 / 3, "top1_errors": 2, "top5_errors": 0},
            "seconds": 0.1 + 0.2,
            "generator": {"seed": 2**64 - 1, "call": 12},
            "optimizer": {"state": {"0": {"momentum_buffer": first / 2}}, "param_groups": [group]},
            "schedule": {"last_epoch": 1, "best": float("inf"), "base_lrs": [0.1], "mode": "min"},
        },
        "history": [dict(epoch=1, train_loss=1 / 3, train_error=0.5, lr=0.1, seconds=2.5, images_per_second=1e3)],
    }
    return Checkpoint(**(values | changes))


def same(a, b):
    """Equal in type, and arrays bit for bit."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)
    else:
        assert a == b


def test_everything_comes_back_exactly(tmp_path):
    saved = example()
    checkpoint.save(tmp_path / "c.npz", saved)
    same(vars(checkpoint.load(tmp_path / "c.npz")), vars(saved))
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]


def test_numpy_numbers_become_plain_ones_and_strangers_are_refused(tmp_path):
    row = example().history[0]
    numbers = {"train_loss": np.float64(0.1), "epoch": np.int64(1)}
    checkpoint.save(tmp_path / "c.npz", example(history=[row | numbers]))
    same(checkpoint.load(tmp_path / "c.npz").history, [row | {"train_loss": 0.1, "epoch": 1}])
    with pytest.raises(TypeError, match="cannot hold a set"):
        checkpoint.save(tmp_path / "d.npz", example(arguments={"names": {1, 2}}))
    assert not (tmp_path / "d.npz").exists()


def test_a_person_can_read_it_with_numpy_alone(tmp_path):
    checkpoint.save(tmp_path / "c.npz", example())
    with np.load(tmp_path / "c.npz", allow_pickle=False) as archive:
        assert (
            "weights/conv1.weight" in archive.files
            and "trainer_state/optimizer/state/0/momentum_buffer" in archive.files
        )
        description = json.loads(archive["checkpoint"].tobytes())
    assert description["format"] == "minialex checkpoint" and description["version"] == 2
    assert description["channel_order"] == "RGB" and description["classes"][2] == "çarpı"


def test_cut_at_any_byte(tmp_path):
    checkpoint.save(tmp_path / "whole.npz", example())
    whole = (tmp_path / "whole.npz").read_bytes()
    cut = tmp_path / "cut.npz"
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.npz is (cut short or damaged|not a minialex checkpoint)"):
            checkpoint.load(cut)


def test_a_flipped_bit_in_the_weights(tmp_path):
    path = tmp_path / "c.npz"
    checkpoint.save(path, example())
    content = bytearray(path.read_bytes())
    content[content.index((np.arange(5, 9) / 7).astype(np.float32).tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cut short or damaged.*CRC"):
        checkpoint.load(path)


def npz(**members):
    file = io.BytesIO()
    np.savez(file, **members)
    return file.getvalue()


def text(value):
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def zip_file():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("hello.txt", "hello")
    return file.getvalue()


FOREIGN = {
    "a text": (b"hello", "it is not an .npz file"),
    "nothing": (b"", "it is not an .npz file"),
    "a pickle": (pickle.dumps({"weights": 1}), "it is not an .npz file"),
    "another zip": (zip_file(), "it has no description"),
    "another npz": (npz(weight=np.zeros(3)), "it has no description"),
    "no JSON": (npz(checkpoint=np.zeros(3, np.uint8)), "its description is not JSON"),
    "another JSON": (npz(checkpoint=text([1, 2])), "its description has another format"),
    "another format": (npz(checkpoint=text({"format": "other", "version": 1})), "its description has another format"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_files_that_are_none_of_ours(tmp_path, kind):
    content, reason = FOREIGN[kind]
    (tmp_path / "c.npz").write_bytes(content)
    with pytest.raises(ValueError, match=f"c.npz is not a minialex checkpoint: {reason}"):
        checkpoint.load(tmp_path / "c.npz")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_opened(tmp_path):
    """It would wait for its writer."""
    os.mkfifo(tmp_path / "c.npz")
    with pytest.raises(ValueError, match="is not a minialex checkpoint: it is a pipe"):
        checkpoint.load(tmp_path / "c.npz")


def test_names_of_classes_are_printable(tmp_path):
    checkpoint.save(tmp_path / "c.npz", example(classes=["a", "\x1b[31mred", "\udce9"]))
    assert checkpoint.load(tmp_path / "c.npz").classes == ["a", "\\x1b[31mred", "\\xe9"]


class Bomb:
    def __reduce__(self):
        return open, ("exploded", "w")


def test_a_pickle_inside_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.npz").write_bytes(npz(checkpoint=np.array([Bomb()], object)))
    with pytest.raises(ValueError, match="damaged"):
        checkpoint.load("c.npz")
    assert not (tmp_path / "exploded").exists()


def test_missing_newer_other_and_incomplete(tmp_path, monkeypatch):
    path = tmp_path / "c.npz"
    with pytest.raises(FileNotFoundError, match="there is no checkpoint .*c.npz"):
        checkpoint.load(path)
    checkpoint.save(path, example())
    assert checkpoint.load(path, model="net.py:build").model == "net.py:build"
    with pytest.raises(ValueError, match="holds the weights of 'net.py:build', not of 'alexnet'"):
        checkpoint.load(path, model="alexnet")
    monkeypatch.setattr(checkpoint, "VERSION", 2)
    checkpoint.save(path, example())
    monkeypatch.setattr(checkpoint, "VERSION", 1)
    with pytest.raises(ValueError, match="by a newer minialex: its format is 2, this version reads up to 1"):
        checkpoint.load(path)
    path.write_bytes(npz(checkpoint=text({"format": "minialex checkpoint", "version": 1, "model": "shapes_net"})))
    with pytest.raises(ValueError, match="c.npz is damaged: the field arguments is missing"):
        checkpoint.load(path)


def test_the_model_is_rebuilt_with_its_weights(tmp_path):
    model = models.build("shapes_net", num_classes=7)
    checkpoint.save(
        tmp_path / "c.npz",
        example(
            model="shapes_net",
            arguments={"num_classes": 7},
            weights=model.state_dict(),
            classes=[*"abcdefg"],
            trainer_state={},
        ),
    )
    loaded = checkpoint.load(tmp_path / "c.npz")
    same(dict(loaded.build_model().state_dict()), dict(model.state_dict()))
    loaded.weights.popitem()
    with pytest.raises(ValueError, match="missing"):
        loaded.build_model()


def test_whatever_interrupts_a_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "c.npz"
    checkpoint.save(path, example(resize=41))
    for error in (KeyboardInterrupt(), OSError(28, "No space left on device"), MemoryError()):

        def half(file, error=error, **arrays):
            file.write(b"PK\3\4 the first half")
            raise error

        monkeypatch.setattr(np, "savez", half)
        with pytest.raises(type(error)) as raised:
            checkpoint.save(path, example(resize=42))
        monkeypatch.undo()
        assert checkpoint.load(path).resize == 41
        assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]
        if isinstance(error, OSError):
            assert str(raised.value) == f"cannot write {path}: No space left on device"


def test_a_killed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "c.npz"
    checkpoint.save(path, example(resize=41))
    killed = """
import os, sys
from minialex.support import files
with files.replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", killed, path]).returncode == 9
    assert checkpoint.load(path).resize == 41
    checkpoint.save(path, example(resize=42))
    assert checkpoint.load(path).resize == 42
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"], "what the killed one left is used up"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OSError, match="cannot write .*nowhere.*No such file"):
        files.write_text(tmp_path / "nowhere" / "a.txt", "a")


def test_the_first_format_is_read(tmp_path):
    """Until version 2: `training` for the trainer's state, `recipe` for a recipe's name, another word for std."""
    saved = example(configuration={"model": "shapes_net", "recipe_name": "2012", "color_noise_by": "std", "epochs": 3})
    arrays = checkpoint.to_arrays(saved)
    tree = json.loads(arrays["checkpoint"].tobytes())
    tree["version"] = 1
    tree["training"] = tree.pop("trainer_state")
    tree["configuration"] = {"model": "shapes_net", "recipe": "2012", "color_noise_by": "deviation", "epochs": 3}
    arrays["checkpoint"] = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    np.savez(tmp_path / "old.npz", **arrays)
    read = checkpoint.load(tmp_path / "old.npz")
    same(read.trainer_state, saved.trainer_state)
    assert read.configuration == saved.configuration
