"""Packed pictures: the same as the folder's, complete or not there."""

import json
import shutil
import subprocess
import sys
import zlib

import numpy as np
import pytest
from photographs import damage, write
from photographs import folder as photographs

from minialex import cli, data
from minialex.data import decode, folder, listing, pack, packed
from minialex.support import lock


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
    killed = out / ".val-00000.npy.partial"
    killed.write_bytes(b"of a process that was killed")
    with open(out / pack.UNFINISHED, "a") as file:
        file.write(f"val-00000.npy {killed.stat().st_ino}\n")
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


FOREIGN = ("train-00000.npy", "val-00012.npy", "statistics.npz", "val-labels.npy", ".train-00000.npy.partial", "x y")


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_others_are_never_replaced(source, out, name):
    """Also those with the names of ours: only what this command has written, as it has written it, is its own."""
    out.mkdir()
    (out / name).write_bytes(b"somebody's")
    with pytest.raises(cli.UserError, match=f"is not empty .it holds {name}"):
        command(source, out, "--size", 16)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {name: b"somebody's"}


def interrupt(source, out, monkeypatch):
    """Leave what an interrupted call leaves, with one complete shard."""

    def interrupted(path, size):
        if path.parts[-2] == "b":
            raise KeyboardInterrupt
        return decode.decode(path, size)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "decode", interrupted)
        patch.setattr(folder, "_BLOCK", 5)
        with pytest.raises(KeyboardInterrupt):
            command(source, out, "--size", 16, "--shard", 5, "--workers", 1)
    assert (out / "train-00000.npy").is_file()


def test_killed_within_the_last_file_or_before_the_first_byte_of_one(source, out, monkeypatch):
    """What is left then is ours, too, and a folder that is complete is tidied up."""
    interrupt(source, out, monkeypatch)
    with open(out / pack.UNFINISHED, "a") as file:
        (out / ".pack.json.partial").write_text('{"half')
        file.write(f"pack.json\npack.json {(out / '.pack.json.partial').stat().st_ino}\nval-00000.npy\n")
    (out / ".val-00000.npy.partial").touch()
    command(source, out, "--size", 16)
    assert not [*out.glob(".*")]
    (out / pack.UNFINISHED).write_text("pack.json 1\n")
    with pytest.raises(cli.UserError, match="holds packed pictures already"):
        command(source, out, "--size", 16)
    assert not [*out.glob(".*")] and data.load("folder", data_dir=out)


def test_an_empty_file_of_others_stays(source, out, monkeypatch):
    interrupt(source, out, monkeypatch)
    (out / "val-00007.npy").touch()
    with pytest.raises(cli.UserError, match="is not empty .it holds val-00007.npy"):
        command(source, out, "--size", 16)


@pytest.mark.parametrize("name", ["train-00000.npy", "train-00077.npy"])
def test_what_was_put_beside_an_interrupted_packing_stays(source, out, monkeypatch, name):
    interrupt(source, out, monkeypatch)
    (out / name).unlink(missing_ok=True)
    (out / name).write_bytes(b"somebody's")
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(cli.UserError, match=f"is not empty .it holds {name}"):
        command(source, out, "--size", 16)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    (out / name).unlink()
    command(source, out, "--size", 16)
    assert not (out / pack.UNFINISHED).exists() and not (out / lock.NAME).exists()


def test_a_list_that_is_damaged_or_forged_gives_no_right_to_other_files(source, out, tmp_path):
    """Not outside of the folder, and not to names that are not those of packed pictures."""
    out.mkdir()
    victim = tmp_path / "mine"
    for path in (victim, out / "mine"):
        path.write_bytes(b"somebody's")
    status = (out / "mine").stat()
    lines = [f"{name} {status.st_size} {status.st_mtime_ns}" for name in ("mine", "../mine", str(victim), "")]
    (out / pack.UNFINISHED).write_bytes("\n".join(lines).encode() + b"\xff\n\n\0")
    with pytest.raises(cli.UserError, match="is not empty .it holds mine"):
        command(source, out, "--size", 16)
    assert victim.read_bytes() == (out / "mine").read_bytes() == b"somebody's"


def test_a_second_packing_into_the_same_folder_is_refused(source, out, monkeypatch):
    troubles = []

    def slowly(path, size):
        if not troubles:
            with pytest.raises(cli.UserError) as caught:
                command(source, out, "--size", 20)
            troubles.append(str(caught.value))
        return decode.decode(path, size)

    monkeypatch.setattr(folder, "decode", slowly)
    command(source, out, "--size", 16, "--workers", 1)
    assert troubles == [f"another process is packing into {out}: wait for it, or choose another folder"]
    assert data.load("folder", data_dir=out).train.image_shape == (3, 16, 16)


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


def forged(out, name, array, header=None):
    """Replace a file of packed pictures, by an array or a header alone, with its length and checksum in pack.json."""
    with open(out / name, "wb") as file:
        if header is not None:
            np.lib.format.write_array_header_1_0(file, header)
            file.write(bytes(768))
        elif isinstance(array, dict):
            np.savez(file, **array)
        else:
            np.save(file, array)
    content, index = (out / name).read_bytes(), json.loads((out / packed.INDEX).read_text())
    index["files"][name] = {"bytes": len(content), "crc32": zlib.crc32(content)}
    (out / packed.INDEX).write_text(json.dumps(index))


def changed(keys, value):
    def change(out):
        index = json.loads((out / packed.INDEX).read_text())
        place = index
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        (out / packed.INDEX).write_text(json.dumps(index))

    return change


SUMS = {"count": 3, "total": np.zeros((3, 16, 16), np.int64), "products": np.zeros((3, 3), np.int64)}
FORGED = {
    "label -1": (
        lambda out: forged(out, "train-labels.npy", np.array([0, -1, 1])),
        "picture 1 is -1, which is not one",
    ),
    "label 2": (lambda out: forged(out, "val-labels.npy", np.array([2])), "picture 0 is 2, which is not one of the 2"),
    "one label": (lambda out: forged(out, "val-labels.npy", np.array(0)), r"holds int64 \(\)"),
    "labels of objects": (lambda out: forged(out, "val-labels.npy", np.array([None])), "Python objects"),
    "floats": (lambda out: forged(out, "val-labels.npy", np.array([0.0])), "holds float64"),
    "too few": (lambda out: forged(out, "train-labels.npy", np.array([0, 1])), "do not belong together"),
    "a size that overflows": (
        lambda out: forged(out, "val-00000.npy", None, {"descr": "|u1", "fortran_order": False, "shape": (2**40,) * 4}),
        "val-00000.npy is damaged",
    ),
    "another size": (
        lambda out: forged(out, "val-00000.npy", np.zeros((1, 3, 8, 8), np.uint8)),
        "splits.val.pictures: 1 of 16 pixels take 768 bytes, but its shards have 320",
    ),
    "size 37.0": (changed(["size"], 37.0), "size should be an integer, got 37.0"),
    "size 0": (changed(["size"], 0), "size should be at least 1"),
    "no classes": (changed(["classes"], []), "classes should be of at least 1 item"),
    "a class twice": (changed(["classes"], ["a\n", "a\\n"]), r"classes has 'a..n' twice"),
    "classes of numbers": (changed(["classes"], ["a", 1]), r"classes\[1\] should be a string, got 1"),
    "pictures null": (
        changed(["splits", "train", "pictures"], None),
        "splits.train.pictures should be an integer, got None",
    ),
    "pictures 10^12": (
        changed(["splits", "train", "pictures"], 10**12),
        "1,000,000,000,000 of 16 pixels take 768,000,0",
    ),
    "pictures huge": (
        changed(["splits", "val", "pictures"], 10**400),
        "splits.val.pictures should be at least 1 and at",
    ),
    "size huge": (changed(["size"], 10**400), "size should be at least 1 and at most 65,536"),
    "pictures true": (
        changed(["splits", "train", "pictures"], True),
        "splits.train.pictures should be an integer, got True",
    ),
    "shards of numbers": (changed(["splits", "train", "shards"], [1]), r"splits.train.shards\[0\] should be a string"),
    "shards elsewhere": (
        changed(["splits", "val", "shards"], ["../x/val-00000.npy"]),
        "splits.val.shards should be val-00000",
    ),
    "a shard twice": (
        changed(["splits", "val", "shards"], ["val-00000.npy"] * 2),
        "splits.val.shards should be val-00000",
    ),
    "train's shard": (
        changed(["splits", "val", "shards"], ["train-00000.npy"]),
        "splits.val.shards should be val-00000",
    ),
    "no shards": (changed(["splits", "val", "shards"], []), "files should not list 'val-00000.npy'"),
    "no files": (changed(["files"], {}), "files does not list 'statistics.npz'"),
    "another file": (changed(["files", "/etc/passwd"], {"bytes": 1, "crc32": 1}), "should not list '/etc/passwd'"),
    "a file null": (changed(["files", "val-labels.npy"], None), "files.val-labels.npy should be an object, got None"),
    "bytes -1": (changed(["files", "val-labels.npy", "bytes"], -1), "files.val-labels.npy.bytes should be at least 0"),
    "crc text": (changed(["files", "val-labels.npy", "crc32"], "0"), "files.val-labels.npy.crc32 should be an integer"),
    "splits null": (changed(["splits"], None), "splits should be a dict"),
    "a split more": (changed(["splits", "test"], {}), "the field splits.test.pictures is missing"),
    "split null": (changed(["splits", "val"], None), "splits.val should be an object"),
    "format null": (changed(["format"], None), "has format None"),
    "a list": (lambda out: (out / "pack.json").write_text("[1]"), "the description should be an object"),
    "nested": (lambda out: (out / "pack.json").write_text("[" * 100_000), "pack.json is damaged"),
}


@pytest.fixture(scope="module")
def small_pack(tmp_path_factory):
    """Three and one packed pictures."""
    root = tmp_path_factory.mktemp("small")
    photographs(photographs(root / "in", {"a": 1, "b": 2}), {"a": 1}, "val")
    classes, train, val = listing.read(root / "in")
    pack.pack(root / "out", classes, {"train": train, "val": val}, 16)
    return root / "out"


@pytest.mark.parametrize("case", FORGED)
def test_forged_packs_are_refused(small_pack, tmp_path, case, recwarn):
    out = tmp_path / "forged"
    shutil.copytree(small_pack, out)
    assert len(data.load("folder", data_dir=out).train) == 3
    harm, message = FORGED[case]
    harm(out)
    with pytest.raises(ValueError, match=message) as caught:
        data.load("folder", data_dir=out)
    assert str(out) in str(caught.value) and "\n" not in str(caught.value)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 4}, "they are of 4 pictures, not of 3"),
        ({"count": 3.0}, "count is float64"),
        ({"total": np.zeros((3, 400, 400), np.int64)}, "total is int64 .3, 400, 400., expected"),
        ({"products": np.array([None] * 9).reshape(3, 3)}, "products: it holds Python objects"),
        ({"total": None}, "total: it holds Python objects"),
    ],
)
def test_forged_statistics_are_refused(small_pack, tmp_path, change, message):
    out = tmp_path / "forged"
    shutil.copytree(small_pack, out)
    forged(out, "statistics.npz", SUMS | change)
    with pytest.raises(ValueError, match=f"statistics.npz is damaged .{message}"):
        data.load("folder", data_dir=out).train.statistics()


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
