"""D/CLASS/*.jpg, without train/: divided by chance into training, validation and test."""

from __future__ import annotations

import numpy as np
import pytest
from photographs import folder as photographs

from minialex import data


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path):
    """Classes of 24, 14, 3 and 2 pictures, no two of them alike."""
    photographs(tmp_path / "pictures", {"a": 24, "b": 14, "c": 3, "d": 2}, split="")
    return tmp_path / "pictures"


def load(root, **options):
    return data.load("folder", data_dir=root, **{"size": 16, **options})


def names(dataset):
    return set(dataset._all.names)


def counts(dataset):
    return np.bincount(dataset.labels, minlength=4).tolist()


def test_of_every_class_a_tenth_for_validation_and_a_tenth_for_the_test(root):
    train, validation, test = splits = load(root)
    assert [counts(split) for split in splits] == [[20, 12, 1, 2], [2, 1, 1, 0], [2, 1, 1, 0]]
    assert len(names(train) | names(validation) | names(test)) == 43, "every picture in one split"
    assert all(split.classes == ("a", "b", "c", "d") for split in splits)
    assert "seed 0" in train.division and not load(root, seed=3).test.division
    images, labels = test.fetch([3])
    assert images.shape == (1, 3, 16, 16) and labels.tolist() == [2]


def test_the_seed_decides_and_nothing_else(root):
    first, again, other = (load(root, seed=seed) for seed in (0, 0, 1))
    assert names(first.test) == names(again.test) != names(other.test)
    assert sorted(first.test._all.names) == first.test._all.names, "in order, whatever the draw"
    assert names(load(root, validation=7).test) == names(first.test)


def test_a_number_for_validation(root):
    train, validation, test = load(root, validation=10)
    assert len(validation) == 10 and counts(test) == [2, 1, 1, 0] and len(train) == 43 - 14
    assert not names(validation) & names(train) and min(counts(validation)[:2]) >= 2
    assert load(root, validation=0).validation is None and len(load(root, validation=0).train) == 39
    for wrong in (-1, 39):
        with pytest.raises(ValueError, match=r"validation must be from 0 to 38, .* got"):
            load(root, validation=wrong)


def test_limit_takes_some_of_each_split(root):
    whole, some = load(root), load(root, limit=3)
    assert [len(split) for split in some] == [3, 3, 3]
    assert all(names(a) <= names(b) for a, b in zip(some, whole))


def test_class_names_and_stray_files(root, capsys):
    (root / "classes.txt").write_text("a apple\nb banana\n")
    (root / "a" / "notes.txt").write_text("x")
    assert load(root).train.classes == ("apple", "banana", "c", "d")
    len(load(root).test)
    assert "2 other files" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("classes", "options", "message"),
    [
        ({"a": 2, "b": 1}, {}, "no class has the 3 pictures that dividing it takes, the largest has 2"),
        ({"a": 4}, {"val_labels": "x"}, "there is no folder .*val that the labels"),
        ({}, {}, "holds no pictures: expected .*train/CLASS.*, or .*CLASS"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, classes, options, message):
    root = tmp_path / "pictures"
    root.mkdir()
    photographs(root, classes, split="")
    with pytest.raises((ValueError, OSError), match=message):
        load(root, **options)


def test_a_class_without_pictures_is_named(root):
    (root / "empty").mkdir()
    with pytest.raises(ValueError, match="empty holds no pictures: add some, or remove the folder"):
        load(root)


def test_train_and_val_are_taken_as_they_are(root):
    photographs(root, {"x": 12})
    splits = load(root)
    assert splits.train.classes == ("x",) and splits.test is splits.validation and not splits.train.division
