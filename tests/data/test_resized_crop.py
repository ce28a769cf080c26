"""RandomResizedCrop: torchvision's algorithm, written out here, and Pillow's resizing, whatever the images' sizes."""

from __future__ import annotations

import functools
import math

import numpy as np
import photographs
import pytest
from PIL import Image

from minialex import data
from minialex.data.decode import decode_whole
from minialex.data.device_plan import device_plan
from minialex.data.loader import _AUGMENTATION, _words
from minialex.data.pipeline import Pipeline
from minialex.random import philox

COUNT = 4000


def words(count, seed=0):
    return philox((np.arange(count), 0, 0, 9), (seed, 1)).T


def as_defined(rng, height, width, scale=(0.08, 1), ratio=(3 / 4, 4 / 3)):
    """torchvision.transforms.RandomResizedCrop.get_params: (top, left, height, width)."""
    for _ in range(10):
        target = height * width * rng.uniform(*scale)
        aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1)), h, w
    w, h = width, height
    if width / height < min(ratio):
        h = round(w / min(ratio))
    elif width / height > max(ratio):
        w = round(h * max(ratio))
    return (height - h) // 2, (width - w) // 2, h, w


def distance(ours, theirs):
    """Of Kolmogorov and Smirnov: how far apart two samples' distribution functions are at most."""
    at = np.sort(np.concatenate([ours, theirs]))
    return np.abs(
        np.searchsorted(np.sort(ours), at, "right") / len(ours)
        - np.searchsorted(np.sort(theirs), at, "right") / len(theirs)
    ).max()


LIMIT = 1.63 * math.sqrt(2 / COUNT)  # which samples of one distribution pass in one of a hundred cases


def measured(parts, height, width):
    """What of the parts is compared: area, shape, and place within the space that is left."""
    top, left, h, w = np.asarray(parts, np.float64).T
    jitter = np.random.default_rng(5).random((2, len(top)))  # against steps of whole pixels
    places = (top + jitter[0]) / (height - h + 1), (left + jitter[1]) / (width - w + 1)
    return {"area": h * w, "shape": w / h, "top": places[0], "left": places[1], "height": h}


@functools.cache
def expected(sides):
    rng = np.random.default_rng(0)
    return measured([as_defined(rng, *sides) for _ in range(COUNT)], *sides)


@pytest.mark.parametrize("sides", [(375, 500), (700, 233)])
def test_the_parts_are_distributed_as_torchvisions(sides):
    """Also of an image so narrow that many of the ten tries fail: the last chance, the centre, is among them."""
    theirs = expected(sides)
    ours = measured(data.RandomResizedCrop(224).parts([sides] * COUNT, words(COUNT)), *sides)
    found = {name: distance(ours[name], theirs[name]) for name in theirs}
    assert max(found.values()) < LIMIT, found


@pytest.mark.parametrize("wrong", [{"scale": (0.13, 1)}, {"ratio": (0.7, 4 / 3)}, {"ratio": (3 / 4, 1.4)}])
def test_the_comparison_sees_other_ranges(wrong):
    sides = 375, 500
    theirs = expected(sides)
    ours = measured(data.RandomResizedCrop(224, **wrong).parts([sides] * COUNT, words(COUNT)), *sides)
    assert max(distance(ours[name], theirs[name]) for name in theirs) > LIMIT


@pytest.mark.parametrize(
    ("sides", "expected"),
    [((1000, 10), (493, 0, 13, 10)), ((10, 1000), (0, 493, 10, 13)), ((1, 1), (0, 0, 1, 1)), ((50, 2), (23, 0, 3, 2))],
)
def test_where_nothing_fits_it_is_the_centre(sides, expected):
    """As much of it as the ratio allows: 10 / (3 / 4) = 13.3, 10 * 4 / 3 = 13.3."""
    crop = data.RandomResizedCrop(7, scale=(0.9, 1))
    parts = crop.parts([sides] * 40, words(40))
    assert (parts == expected).all(), parts
    assert as_defined(np.random.default_rng(0), *sides, scale=(0.9, 1)) == expected


def test_every_part_is_inside_and_images_of_any_size_go_together(rng):
    sides = rng.integers(1, 300, (2000, 2))
    crop = data.RandomResizedCrop(8)
    top, left, height, width = (parts := crop.parts(sides, words(2000))).T
    assert min(top.min(), left.min()) == 0 and min(height.min(), width.min()) >= 1
    assert (top + height <= sides[:, 0]).all() and (left + width <= sides[:, 1]).all()
    alone = [crop.parts(sides[i : i + 1], words(2000)[i : i + 1])[0] for i in range(0, 2000, 100)]
    np.testing.assert_array_equal(alone, parts[::100])


@pytest.mark.parametrize("size", [6, (5, 9)])
def test_the_part_alone_is_resized_as_pillow_does(rng, size):
    images, crop = rng.integers(0, 256, (12, 3, 40, 31), np.uint8), data.RandomResizedCrop(size)
    height, width = crop.size
    before = images.copy()
    shown = crop(images, words(12))
    assert shown.shape == (12, 3, height, width) and shown.dtype == np.uint8
    np.testing.assert_array_equal(images, before)
    for image, view, (t, l, h, w) in zip(images, shown, crop.parts([(40, 31)] * 12, words(12)).tolist(), strict=True):
        part = Image.fromarray(image.transpose(1, 2, 0)).crop((l, t, l + w, t + h))
        expected = part.resize((width, height), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(view.transpose(1, 2, 0), np.asarray(expected))
    np.testing.assert_allclose(crop(images.astype(np.float32), words(12)), shown, atol=1.01)  # not rounded twice
    assert crop(images[:0], words(0)).shape == (0, 3, height, width)


def test_the_whole_at_its_own_size_is_the_image(rng):
    images = rng.integers(0, 256, (3, 2, 9, 9), np.uint8)
    np.testing.assert_array_equal(data.RandomResizedCrop(9, (1, 1), (1, 1))(images, words(3)), images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "size must be pixels, at least 1, or .height, width., got 0"),
        (((3, 2.5),), "size must be pixels"),
        ((4, (0, 1)), r"scale must be the smallest and the largest, both above 0, got \(0, 1\)"),
        ((4, (0.5, 0.2)), "scale must be"),
        ((4, (0.5, 1), (2, math.inf)), "ratio must be"),
        ((4, (0.5, 1), (math.nan, 1)), "ratio must be"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.RandomResizedCrop(*arguments)


def test_other_types_are_refused(rng):
    with pytest.raises(TypeError, match="uint8 or float32, got int64"):
        data.RandomResizedCrop(4)(rng.integers(0, 9, (1, 3, 8, 8)), words(1))


# ------------------------------------------------------------------------------ in a pipeline


def loader_of(pictures, workers=1, **options):
    transforms = Pipeline(data.Normalize(np.full((3, 1, 1), 100)), 12).training_transforms(
        random_resized_crop=True, flip=True
    )
    return data.Loader(pictures, 4, transforms, shuffle=True, seed=3, workers=workers, **options)


def batches(loader, start=0, epoch=2):
    return [(images.tobytes(), labels.tolist()) for images, labels in loader.epoch(epoch, start)]


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Of a folder: squares of 20 for all but this transform."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = photographs.folder(tmp_path / "d", {"a": 6, "b": 6})
    return data.load("folder", data_dir=root, size=20, validation=1, workers=3).train


def test_photographs_are_cropped_as_wholes(pictures):
    """Not the centre square of 20 pixels, which evaluation sees: parts of the files' own pixels."""
    loader = loader_of(pictures)
    order, shown = loader.order(2), np.concatenate([images for images, _ in loader.epoch(2)])
    drawn = _words(order, 2, 0, _AUGMENTATION, 3).T
    flips = _words(order, 2, 2, _AUGMENTATION, 3)[0] < 2**31
    listing, crop = pictures._survey.pictures, loader.transforms[0]
    for index, image, its_words, flip in zip(order, shown, drawn, flips, strict=True):
        whole = decode_whole(listing.path(index))
        assert whole.shape[1:] != (20, 20)
        np.testing.assert_array_equal(whole.transpose(1, 2, 0), np.asarray(Image.open(listing.path(index))))
        expected = crop.one(whole, its_words).astype(np.float32) - 100
        np.testing.assert_array_equal(image, expected[..., ::-1] if flip else expected)
    squares, _ = pictures.fetch(order)
    assert not np.array_equal(crop(squares, drawn), crop_of_wholes(pictures, crop, order, drawn))


def crop_of_wholes(pictures, crop, order, drawn):
    return pictures.fetch_cropped(order, crop, drawn)[0]


@pytest.mark.parametrize("kind", ["folder", "memory"])
@pytest.mark.parametrize("workers", [1, 3])
def test_resume_within_an_epoch_is_exact_with_any_number_of_threads(pictures, rng, kind, workers):
    if kind == "memory":
        pictures = data.ArrayDataset(rng.integers(0, 256, (11, 3, 17, 23), np.uint8), np.arange(11) % 2, "ab")
    whole = batches(loader_of(pictures))
    assert len({images for images, _ in whole}) == 3
    for start in (0, 1, 2):
        assert batches(loader_of(pictures, workers), start) == whole[start:]
    assert batches(loader_of(pictures), epoch=3) != whole


def test_it_stays_on_the_host(pictures):
    """A backend that takes bytes gets the same floats."""
    loader = loader_of(pictures, as_bytes=True)
    assert device_plan(loader.transforms) is None
    assert batches(loader) == batches(loader_of(pictures))


def test_padding_and_a_mean_of_whole_images_are_refused():
    mean = data.Normalize(np.full((3, 20, 20), 100))
    for pipeline, padding in ((Pipeline(mean, 12), 0), (Pipeline(data.Normalize(np.zeros((3, 1, 1))), 12), 2)):
        with pytest.raises(ValueError, match="takes no padding, and no mean of whole images"):
            pipeline.training_transforms(crop_padding=padding, random_resized_crop=True)
    Pipeline(mean, 20).training_transforms(random_resized_crop=True)  # a mean of crops
