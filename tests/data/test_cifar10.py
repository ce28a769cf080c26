"""CIFAR-10's files: read in order, held out from the end, and every kind of damage named."""

import hashlib
import io
import itertools
import tarfile

import numpy as np
import pytest

from minialex import data
from minialex.data import cifar10, download
from minialex.support import lock

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FILES = (*cifar10.TRAINING_FILES, cifar10.TEST_FILE)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A data folder whose files hold three records each: record r of file f has label f + r and pixels of its own."""
    monkeypatch.setattr(cifar10, "RECORDS", 3)
    folder = tmp_path / cifar10.FOLDER
    folder.mkdir()
    for f, name in enumerate(FILES):
        labels = np.array([[f], [f + 1], [f + 2]], np.uint8)
        planes = np.repeat([[10, 20, 30]], 3, axis=0) + 3 * np.arange(3)[:, None] + 40 * f
        pixels = np.repeat(planes.astype(np.uint8), 1024, axis=1)
        pixels[:, 33] = 255  # red plane, row 1, column 1
        np.concatenate([labels, pixels], axis=1).tofile(folder / name)
    (folder / cifar10.NAMES_FILE).write_text("\n".join(NAMES) + "\n\n")
    return folder


def test_records_are_read_in_order(tiny):
    train, validation, test = data.load("cifar10", data_dir=tiny.parent, validation=0)
    assert validation is None and train.classes == test.classes == tuple(NAMES)
    assert train.labels.tolist() == [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6] and test.labels.tolist() == [5, 6, 7]
    assert train.images[4, :, 0, 0].tolist() == [53, 63, 73]  # file 1, record 1: red, green, blue
    assert train.images[4, :, 1, 1].tolist() == [255, 63, 73]
    assert train.images.shape == (15, 3, 32, 32) and test.images[2, :, 31, 31].tolist() == [216, 226, 236]


def test_validation_is_held_out_from_the_end_and_limit_keeps_the_first(tiny):
    train, validation, test = data.load("cifar10", data_dir=tiny.parent, validation=4)
    assert train.labels.tolist() == [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4] and validation.labels.tolist() == [5, 4, 5, 6]
    train, validation, test = data.load("cifar10", data_dir=tiny.parent, validation=4, limit=2)
    assert train.labels.tolist() == [0, 1] and validation.labels.tolist() == [5, 4] and test.labels.tolist() == [5, 6]


def test_the_folder_itself_may_be_named(tiny):
    assert len(data.load("cifar10", data_dir=tiny, validation=0).train) == 15
    assert len(data.load("cifar10", data_dir=str(tiny.parent), validation=0).train) == 15


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cifar10.find() == tmp_path / "minialex" / "cifar-10-batches-bin"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cifar10.find() == tmp_path / "home" / ".cache" / "minialex" / "cifar-10-batches-bin"


@pytest.mark.parametrize("name", [*FILES, cifar10.NAMES_FILE])
def test_a_missing_file_is_named(tiny, name):
    (tiny / name).unlink()
    with pytest.raises(
        FileNotFoundError, match=f"{name} does not exist; .*data_dir=.*, or download it .* download=True"
    ):
        data.load("cifar10", data_dir=tiny.parent, validation=0)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}/cifar-10-batches-bin/.*does not exist"):
        data.load("cifar10", data_dir=tmp_path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("change", "words"), [(-1, "cut short: 9218"), (1, "too long: 9220")])
def test_a_file_of_the_wrong_length_is_named(tiny, name, change, words):
    content = (tiny / name).read_bytes() + b"x"
    (tiny / name).write_bytes(content[: 9219 + change])
    with pytest.raises(ValueError, match=f"{name} is {words} bytes where 9219 were expected; .*download=True"):
        data.load("cifar10", data_dir=tiny.parent, validation=0)


def test_the_official_length(tiny, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(ValueError, match="9219 bytes where 30730000 were expected"):
        data.load("cifar10", data_dir=tiny.parent)


def test_a_wrong_label_is_named(tiny):
    records = np.fromfile(tiny / "data_batch_4.bin", np.uint8).reshape(3, -1)
    records[1, 0] = 10
    records.tofile(tiny / "data_batch_4.bin")
    with pytest.raises(ValueError, match=r"data_batch_4\.bin is damaged: record 1 has label 10 where 0 to 9"):
        data.load("cifar10", data_dir=tiny.parent, validation=0)


def test_a_wrong_list_of_names_is_named(tiny):
    (tiny / cifar10.NAMES_FILE).write_text("cat\ndog\n")
    with pytest.raises(ValueError, match=r"batches\.meta\.txt lists 2 class names where 10 were expected"):
        data.load("cifar10", data_dir=tiny.parent, validation=0)


@pytest.mark.parametrize("validation", [-1, 15])
def test_a_wrong_validation_count_is_named(tiny, validation):
    with pytest.raises(ValueError, match=f"from 0 to 14 of the 15 training pictures, got {validation}"):
        data.load("cifar10", data_dir=tiny.parent, validation=validation)


@pytest.mark.parametrize("size", [16, 33, 0])
def test_another_size_is_refused(tiny, size):
    with pytest.raises(ValueError, match=f"enlarged from 32 to 64, 96, 128, ... pixels, not to {size}"):
        data.load("cifar10", data_dir=tiny.parent, validation=0, size=size)


def test_enlarged_pictures(tiny):
    """Every pixel becomes nine."""
    plain, enlarged = (data.load("cifar10", data_dir=tiny.parent, validation=2, size=size) for size in (32, 96))
    assert type(plain.train).__name__ == "ArrayDataset" and enlarged.test.image_shape == (3, 96, 96)
    for one, other in zip(plain, enlarged):
        assert len(one) == len(other) and one.classes == other.classes
        (images, labels), (larger, same) = one.fetch([1, 0]), other.fetch([1, 0])
        assert (labels == same).all() and larger.dtype == np.uint8 and larger.shape == (2, 3, 96, 96)
        for y, x in itertools.product(range(3), repeat=2):
            assert (larger[:, :, y::3, x::3] == images).all()
    assert data.load("cifar10", data_dir=tiny.parent, validation=0, size=64).validation is None


def test_two_downloads_into_one_folder(tiny):
    (tiny / "data_batch_4.bin").unlink()
    with lock.Lock(tiny.parent), pytest.raises(lock.Held, match="another process is downloading into .*: wait for it"):
        data.load("cifar10", data_dir=tiny.parent, download=True, validation=3)


def test_what_a_killed_download_left_is_removed(tiny):
    """It was killed when all was done."""
    (tiny.parent / lock.NAME).touch()
    (tiny.parent / f".{tiny.name}.partial" / tiny.name).mkdir(parents=True)
    data.load("cifar10", data_dir=tiny.parent, download=True, validation=3)
    assert [path.name for path in tiny.parent.iterdir()] == [tiny.name]
    with lock.Lock(tiny.parent):  # somebody else is about to end: there is nothing to wait for
        data.load("cifar10", data_dir=tiny.parent, download=True, validation=3)


@pytest.fixture
def published(tiny, tmp_path, monkeypatch):
    """The tiny files as the published archive; what the network would send, and a log of what was asked for."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(tiny, cifar10.FOLDER)
    asked = []

    def transfer(url, part, size):
        asked.append(url)
        part.write_bytes(packed.getvalue())

    monkeypatch.setattr(download, "_transfer", transfer)
    monkeypatch.setattr(cifar10, "MD5", hashlib.md5(packed.getvalue()).hexdigest())
    return asked


def test_download_fetches_unpacks_and_reads(published, tmp_path):
    target = tmp_path / "new" / "place"
    train, _, _ = data.load("cifar10", data_dir=target, download=True, validation=0)
    assert published == ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"] and len(train) == 15
    assert sorted(path.name for path in target.iterdir()) == ["cifar-10-batches-bin", "cifar-10-binary.tar.gz"]


def test_nothing_is_downloaded_unasked_or_twice(published, tiny, tmp_path):
    with pytest.raises(FileNotFoundError):
        data.load("cifar10", data_dir=tmp_path / "empty", validation=0)
    data.load("cifar10", data_dir=tiny.parent, download=True, validation=0)
    assert published == [] and not (tmp_path / "empty").exists()


def test_download_mends_a_damaged_folder(published, tiny):
    (tiny / "test_batch.bin").write_bytes(b"short")
    (tiny / "data_batch_2.bin").unlink()
    splits = data.load("cifar10", data_dir=tiny, download=True, validation=0)
    assert len(splits.train) == 15 and len(splits.test) == 3 and len(published) == 1


def test_the_real_files(data_dir):
    train, validation, test = data.load("cifar10", data_dir=data_dir)
    assert (len(train), len(validation), len(test)) == (45_000, 5000, 10_000)
    assert (np.bincount(train.labels) + np.bincount(validation.labels)).tolist() == [5000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    assert train.classes == tuple(NAMES)
    means = data.Normalize.channels(train).mean.ravel()
    np.testing.assert_allclose(means, [125.3, 123.0, 113.9], atol=1)  # as published everywhere: red, green, blue
