"""ArrayDataset and the registry of data sets."""

import numpy as np
import pytest

from minialex import data


def test_fetch_returns_copies_in_the_order_asked_for(rng):
    images = rng.integers(0, 256, (5, 2, 3, 4), dtype=np.uint8)
    dataset = data.ArrayDataset(images, np.array([2, 0, 1, 1, 0], np.int8), ["a", "b", "c"])
    fetched, labels = dataset.fetch([3, 0, 3])
    np.testing.assert_array_equal(fetched, images[[3, 0, 3]])
    assert fetched.dtype == np.uint8 and labels.dtype == np.int64 and labels.tolist() == [1, 2, 1]
    assert not np.shares_memory(fetched, images)
    assert len(dataset) == 5 and dataset.image_shape == (2, 3, 4) and dataset.classes == ("a", "b", "c")
    assert dataset.labels.dtype == np.int64


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 3, 4, 4), np.float32), [0, 1], r"uint8 \(N, C, H, W\), got float32"),
        (np.zeros((2, 4, 4), np.uint8), [0, 1], r"uint8 \(N, C, H, W\), got uint8 \(2, 4, 4\)"),
        (np.zeros((2, 3, 4, 4), np.uint8), [0, 1, 1], r"shape \(2,\), got int64 \(3,\)"),
        (np.zeros((2, 3, 4, 4), np.uint8), [0.0, 1.0], "integer labels"),
        (np.zeros((2, 3, 4, 4), np.uint8), [1, 2], "label 2 of image 1 is not one of 2 classes"),
        (np.zeros((2, 3, 4, 4), np.uint8), [-1, 0], "label -1 of image 0"),
    ],
)
def test_what_does_not_fit_is_refused(images, labels, message):
    with pytest.raises(ValueError, match=message):
        data.ArrayDataset(images, labels, ["a", "b"])


def test_load_names_what_exists():
    with pytest.raises(ValueError, match="no data set 'mnist'; choose one of shapes, cifar10"):
        data.load("mnist")


def test_load_refuses_what_a_data_set_does_not_offer(tmp_path):
    with pytest.raises(ValueError, match="cifar10 takes no train_count or seed; it offers data_dir"):
        data.load("cifar10", data_dir=tmp_path, train_count=5, seed=1)
    with pytest.raises(ValueError, match="shapes takes no workers or strict or val_labels"):
        data.load("shapes", workers=2, strict=True, val_labels="val.txt")
    with pytest.raises(ValueError, match="limit must be at least 1 picture, got 0"):
        data.load("shapes", limit=0)


def test_load_passes_every_choice_on():
    splits = data.load("shapes", size=9, train_count=7, validation=3, test_count=4, seed=5, limit=6, data_dir="unused")
    assert [len(split) for split in splits] == [6, 3, 4]
    assert splits.train.image_shape == (3, 9, 9)
    expected = data.shapes.draw(np.arange(6), "train", 9, 5)[0]
    np.testing.assert_array_equal(splits.train.images, expected)


def test_every_data_set_says_what_it_is():
    assert set(data.DATASETS) == {"shapes", "cifar10", "folder"}
    assert all(source.summary and "\n" not in source.summary for source in data.DATASETS.values())
