"""Packed pictures: the same as the folder's, complete or not there."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from photographs import damage, write
from photographs import folder as photographs

from minialex import cli, data
from minialex.data import decode, folder, pack, packed


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path):
    root = photographs(tmp_path / "pictures", {"a": 23, "b": 30})
    damage(root / "train" / "a" / "4.jpg")
    photographs(root, {"b": 5, "a": 2}, "val")
    (root / "classes.txt").write_text("a apple\nb pear\n")
    return root


@pytest.fixture
def out(tmp_path):
    return tmp_path / "packed"


def command(*arguments):
    return pack.main([str(argument) for argument in arguments])


def everything(splits):
    return [(*split.fetch(range(len(split))), split.labels) for split in splits]


def same(ours, theirs):
    return all(np.array_equal(a, b) for x, y in zip(ours, theirs, strict=True) for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize("shard", [1, 7, 26, 52, 1000])
def test_the_same_pictures_as_in_the_folder(source, out, shard, capsys):
    command(source, out, "--size", 16, "--shard", shard, "--workers", 2)
    captured = capsys.readouterr()
    assert "train: 52 pictures packed, 1 damaged" in captured.out and "a/4.jpg is damaged" in captured.err
    assert len([*out.glob("train-0*.npy")]) == -(-52 // shard)
    theirs, ours = data.load("folder", data_dir=source, size=16), data.load("folder", data_dir=out)
    assert same(everything(ours), everything(theirs)) and ours.validation is ours.test
    assert ours.train.classes == ("apple", "pear") and ours.train.image_shape == (3, 16, 16)
    picked = [51, 0, 30, 30]
    assert same([ours.train.fetch(picked)], [theirs.train.fetch(picked)])
    for name, value in vars(theirs.train.statistics()).items():
        assert np.array_equal(value, getattr(ours.train.statistics(), name)), name


def test_what_is_fetched_is_a_copy(source, out):
    command(source, out, "--size", 16)
    train = data.load("folder", data_dir=out).train
    images, labels = train.fetch([3])
    kept = images.copy()
    images += 1
    labels += 1
    np.testing.assert_array_equal(train.fetch([3])[0], kept)
    assert train.labels[3] == 0


def test_parts_of_it(source, out):
    """limit and validation choose the same pictures; the statistics are those of the chosen ones, kept for later."""
    shutil.rmtree(source / "val")
    (source / "train" / "a" / "4.jpg").unlink()
    command(source, out, "--size", 16)
    options = {"limit": 20, "validation": 9}
    theirs = data.load("folder", data_dir=source, size=16, **options)
    for _ in range(2):
        ours = data.load("folder", data_dir=out, **options)
        assert [len(split) for split in ours] == [20, 9, 9] and same(everything(ours), everything(theirs))
        found, expected = ours.train.statistics(), theirs.train.statistics()
        np.testing.assert_array_equal(found.mean_image, expected.mean_image)


def test_statistics_of_a_part_are_not_those_of_another_pack(source, out, tmp_path):
    """Both have files of the same names and lengths."""
    command(source, out, "--size", 16)
    first = data.load("folder", data_dir=out, limit=10).train.statistics()
    for path in (source / "train" / "b").iterdir():
        write(path, 77)
    command(source, tmp_path / "other", "--size", 16)
    second = data.load("folder", data_dir=tmp_path / "other", limit=10).train.statistics()
    assert not np.array_equal(first.mean_image, second.mean_image)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_resume_within_an_epoch_is_exact_with_any_number_of_threads(source, out, workers):
    command(source, out, "--size", 16, "--shard", 10)

    def batches(workers, start=0):
        train = data.load("folder", data_dir=out, workers=workers).train
        steps = [data.Normalize.mean_image(train), data.RandomCrop(12), data.RandomHorizontalFlip()]
        loader = data.Loader(train, 8, steps, shuffle=True, seed=1, workers=workers)
        return [(images.tobytes(), labels.tolist()) for images, labels in loader.epoch(3, start)]

    whole = batches(1)
    assert len(whole) == 7
    for start in (0, 1, 4, 7):
        assert batches(workers, start) == whole[start:]


def test_interrupted_and_started_again(source, out, monkeypatch):
    def interrupted(path, size):
        if path.parts[-3:-1] == ("val", "b"):
            raise KeyboardInterrupt
        return decode.decode(path, size)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "decode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            command(source, out, "--size", 16, "--shard", 3)
    assert (out / "train-00017.npy").exists() and not (out / packed.INDEX).exists()
    with pytest.raises(FileNotFoundError, match="holds no pictures"):
        data.load("folder", data_dir=out)
    (out / ".train-00018.npy.partial").write_bytes(b"of a process that was killed")
    command(source, out, "--size", 16, "--shard", 40)
    assert sorted(path.name for path in out.iterdir()) == [
        "pack.json",
        "statistics.npz",
        "train-00000.npy",
        "train-00001.npy",
        "train-labels.npy",
        "val-00000.npy",
        "val-labels.npy",
    ]
    theirs = data.load("folder", data_dir=source, size=16)
    assert same(everything(data.load("folder", data_dir=out)), everything(theirs))


def test_a_folder_in_use_is_left_alone(source, out, tmp_path, monkeypatch):
    command(source, out, "--size", 16)
    with pytest.raises(cli.UserError, match="holds packed pictures already"):
        command(source, out, "--size", 16)
    with pytest.raises(cli.UserError, match=r"is not empty \(it holds classes.txt\)"):
        command(source, source)
    with pytest.raises(FileNotFoundError, match="holds no pictures"):
        command(tmp_path / "nothing", tmp_path / "new")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(cli.UserError, match=r"has 0.0 GB free, but the pictures take 0.0 GB"):
        command(source, tmp_path / "full", "--size", 16)


def drop(out, name):
    (out / name).unlink()


def cut(out, name):
    damage(out / name)


def flip(out, name):
    content = bytearray((out / name).read_bytes())
    content[-1] ^= 1
    (out / name).write_bytes(content)


def of_format_2(out, name):
    (out / name).write_text(json.dumps({"format": 2}))


def without_classes(out, name):
    (out / name).write_text(json.dumps(json.loads((out / name).read_text()) | {"classes": None}))


@pytest.mark.parametrize(
    ("harm", "name", "message"),
    [
        (drop, "train-00001.npy", "train-00001.npy is missing from the packed pictures; pack .* again"),
        (cut, "val-00000.npy", "val-00000.npy is cut short: .* bytes where"),
        (flip, "train-labels.npy", "train-labels.npy is damaged: its checksum"),
        (flip, "statistics.npz", "statistics.npz is damaged: its checksum"),
        (cut, "pack.json", "pack.json is damaged"),
        (without_classes, "pack.json", "pack.json is damaged"),
        (of_format_2, "pack.json", "has format 2, but this minialex reads format 1"),
    ],
)
def test_damage_is_said(source, out, harm, name, message):
    command(source, out, "--size", 16, "--shard", 30)
    harm(out, name)
    with pytest.raises(ValueError, match=message):
        data.load("folder", data_dir=out)


def test_what_does_not_fit_is_said(source, out):
    command(source, out, "--size", 16)
    with pytest.raises(ValueError, match="packed at 16 pixels, not 20: use size=16"):
        data.load("folder", data_dir=out, size=20)
    with pytest.raises(ValueError, match="leave out val_labels="):
        data.load("folder", data_dir=out, val_labels="x")


def test_the_command_itself():
    """As it is run: Python warns where a package has imported the module already."""
    result = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-m", "minialex.data.pack", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0 and not result.stderr and "examples:" in result.stdout
