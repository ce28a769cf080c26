"""Images as bytes: what the kernel makes of them on the emulator, against the transforms on the host, bit by bit."""

from __future__ import annotations

import dataclasses
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import usable
from tiny_runs import TINY, metrics, run

from minialex import backends, data, nn
from minialex.backends.raw_images import RawImages
from minialex.data import device_plan
from minialex.data.pipeline import Pipeline, blue_first
from minialex.data.transforms import CenterCrop, CornerCrop, Normalize, RandomCrop, RandomHorizontalFlip
from minialex.training import evaluation

SIDES, SIZE = (11, 9), 7
KINDS = ("channels", "whole", "crop")


@pytest.fixture
def backend():
    return usable.or_skip("emulator")


def normalize(kind, rng, size=SIZE, channels=3):
    shape = {"channels": (channels, 1, 1), "whole": (channels, *SIDES), "crop": (channels, size, size)}[kind]
    std = rng.uniform(30, 60, (channels, 1, 1)) if kind != "crop" else 1.0
    return Normalize(rng.uniform(90, 140, shape), std)


def noise(by, rng, std=1.0):
    statistics = data.statistics(data.ArrayDataset(rng.integers(0, 256, (5, 3, 4, 4), np.uint8), [0] * 5, ["a"]))
    return data.ColorNoise(0.1, statistics, by, std)


def dataset(rng, count=13, channels=3):
    return data.ArrayDataset(rng.integers(0, 256, (count, channels, *SIDES), np.uint8), np.arange(count) % 2, "ab")


def batches(pictures, transforms, as_bytes, epoch=3, **options):
    options = {"shuffle": True, "seed": 2**40 + 5, **options}
    return list(data.Loader(pictures, 5, transforms, as_bytes=as_bytes, **options).epoch(epoch))


def assert_alike(backend, pictures, transforms, **options):
    """A loader's batches as bytes become those of the host, and really travel as bytes."""
    raw = batches(pictures, transforms, True, **options)
    assert all(isinstance(images, RawImages) for images, _ in raw)
    on_host = batches(pictures, transforms, False, **options)
    for (images, labels), (expected, its_labels) in zip(backend.upload(raw), on_host, strict=True):
        assert images.dtype == np.float32 and images.flags.c_contiguous
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(labels, its_labels)


def augmented():
    """(kind of mean, order of channels, flip, padding, noise): all that a recipe may have."""
    for kind, order, flip, padding in itertools.product(KINDS, ("RGB", "BGR"), (False, True), (0, 2)):
        if kind != "crop" or not padding:  # a mean of crops cannot be subtracted before a padded crop
            yield from ((kind, order, flip, padding, by) for by in (None, "std", "eigenvalue"))


@pytest.mark.parametrize(("kind", "order", "flip", "padding", "by"), list(augmented()))
def test_training(backend, rng, kind, order, flip, padding, by):
    normalization = normalize(kind, rng)
    colours = [noise(by, rng, normalization.std)] if by else []
    pipeline = Pipeline(normalization, SIZE, order)
    transforms = pipeline.training_transforms(crop_padding=padding, flip=flip, noise=colours)
    assert_alike(backend, dataset(rng), transforms)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [SIZE, 8, 1])
def test_evaluation(backend, rng, kind, order, size):
    """Centre crops, of sizes whose margins are even and odd."""
    transforms = Pipeline(normalize(kind, rng, size), size, order).evaluation_transforms()
    assert_alike(backend, dataset(rng), transforms, shuffle=False)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 10])
def test_views(backend, rng, kind, order, count):
    pipeline, images = Pipeline(normalize(kind, rng), SIZE, order), dataset(rng).images[:4]
    raw = device_plan.raw_views(pipeline, images, count)
    [(shown, _)] = backend.upload([(raw, None)])
    np.testing.assert_array_equal(shown.reshape(count, 4, 3, SIZE, SIZE), pipeline.views(images, count))


@pytest.mark.parametrize("views", [1, 10])
@pytest.mark.parametrize("change", [0, 0.5], ids=["whole numbers", "no bytes"])
def test_predictions_from_bytes(backend, rng, monkeypatch, views, change):
    """Where they are bytes: the same probabilities, from a hundredth of the host's work."""
    monkeypatch.setattr(backends, "_default", "emulator")
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 4)).to(backend)
    trained = SimpleNamespace(pipeline=Pipeline(normalize("whole", rng), SIZE, "BGR"), model=network, path="n.npz")
    images = dataset(rng).images.astype(np.float32) + np.float32(change)
    on_host, made, preprocess = evaluation.log_probabilities(trained, images, views), [], backend.preprocess
    monkeypatch.setattr(backend, "preprocess", lambda raw: made.append(len(raw.pixels)) or preprocess(raw))
    monkeypatch.setattr(type(backend), "takes_bytes", True)
    np.testing.assert_array_equal(evaluation.log_probabilities(trained, images, views), on_host)
    assert made == ([] if change else [13])
    monkeypatch.setattr(Pipeline, "views", lambda self, images, count, views=Pipeline.views: views(self, images, count))
    evaluation.log_probabilities(trained, images, views)
    assert made == ([] if change else [13])


def test_views_are_refused_as_on_the_host(rng):
    pipeline, images = Pipeline(normalize("channels", rng), 10), dataset(rng).images
    for views in (pipeline.views, lambda *given: device_plan.raw_views(pipeline, *given)):
        with pytest.raises(ValueError, match="1, the centre crop, or 10, got 5"):
            views(images, 5)
        with pytest.raises(ValueError, match="a crop of 10x10 does not fit into pictures of 11x9"):
            views(images, 10)


LISTS = {
    "nothing": lambda rng: [],
    "normalisation only": lambda rng: [normalize("whole", rng)],
    "one std, one mean": lambda rng: [Normalize(np.full((1, 1, 1), 99), 7), RandomCrop(5)],
    "a mean of rows": lambda rng: [Normalize(rng.uniform(90, 140, (3, SIDES[0], 1))), RandomCrop(5)],
    "a crop of bytes": lambda rng: [RandomCrop(SIZE, 3)],
    "a corner": lambda rng: [CornerCrop(SIZE, 1, 0), normalize("crop", rng)],
    "half-way between corners": lambda rng: [CornerCrop(SIZE, 0.5, 1), normalize("crop", rng)],
    "another corner": lambda rng: [normalize("whole", rng), CornerCrop(SIZE, 0, 1)],
    "rare mirror images": lambda rng: [RandomHorizontalFlip(0.2), blue_first],
    "noise on bytes": lambda rng: [CenterCrop(SIZE), noise("std", rng)],
    "the whole of it, padded": lambda rng: [normalize("channels", rng), RandomCrop(13, 2)],
}


@pytest.mark.parametrize("name", LISTS)
def test_other_lists_of_transforms(backend, rng, name):
    assert_alike(backend, dataset(rng), LISTS[name](rng))


def changed(raw, **changes):
    """RawImages with a mistake in what is done to all alike."""
    return dataclasses.replace(raw, preprocessing=dataclasses.replace(raw.preprocessing, **changes))


def with_views(raw, columns, by=lambda views: views):
    """RawImages whose views have these columns, and are changed."""
    return raw.of(raw.pixels, np.ascontiguousarray(by(raw.views[:, columns].copy())), raw.noise)


MISTAKES = {
    "top and left exchanged": lambda raw: with_views(raw, [0, 2, 1, 3]),
    "nothing mirrored": lambda raw: with_views(raw, [0, 1, 2, 3], lambda views: views * np.int32([1, 1, 1, 0])),
    "all mirrored": lambda raw: with_views(raw, [0, 1, 2, 3], lambda views: views | np.int32([0, 0, 0, 1])),
    "another image": lambda raw: with_views(raw, [0, 1, 2, 3], lambda views: views[::-1]),
    "padding forgotten": lambda raw: with_views(raw, [0, 1, 2, 3], lambda views: np.maximum(views, 0)),
    "no noise": lambda raw: raw.of(raw.pixels, raw.views, 0 * raw.noise),
    "noise in the other order": lambda raw: raw.of(raw.pixels, raw.views, raw.noise[:, ::-1].copy()),
    "one colour for all": lambda raw: raw.of(raw.pixels, raw.views, np.repeat(raw.noise[:1], len(raw), 0)),
    "not divided": lambda raw: changed(raw, divisor=1),
    "red first": lambda raw: changed(raw, blue_first=False),
    "the mean of another place": lambda raw: changed(raw, mean=raw.preprocessing.mean[:, ::-1].copy()),
    "one std": lambda raw: changed(raw, std=np.full_like(raw.preprocessing.std, raw.preprocessing.std[0])),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_seen(backend, rng, name, monkeypatch):
    """The comparison of the other tests rejects every one of these."""
    normalization, plan = normalize("whole", rng), device_plan.DevicePlan.__call__
    pipeline = Pipeline(normalization, SIZE, "BGR")
    transforms = pipeline.training_transforms(crop_padding=2, flip=True, noise=[noise("std", rng, normalization.std)])
    pictures = dataset(rng)
    assert_alike(backend, pictures, transforms)
    monkeypatch.setattr(
        device_plan.DevicePlan, "__call__", lambda self, images, words: MISTAKES[name](plan(self, images, words))
    )
    with pytest.raises(AssertionError, match="not equal"):
        assert_alike(backend, pictures, transforms)


def test_one_channel(backend, rng):
    pipeline = Pipeline(normalize("channels", rng, channels=1), SIZE)
    assert_alike(backend, dataset(rng, channels=1), pipeline.training_transforms(flip=True))


class Brighter(Normalize):
    """A transform of one's own, of a kind that a plan knows."""

    def __call__(self, images, words=None):
        return super().__call__(images) + 1


ON_THE_HOST = {
    "a function": lambda rng: [normalize("channels", rng), lambda images, words: images * 2],
    "a subclass": lambda rng: [Brighter(np.zeros((3, 1, 1)))],
    "mirrored before the crop": lambda rng: [RandomHorizontalFlip(), RandomCrop(SIZE)],
    "noise before mirrored": lambda rng: [noise("std", rng), RandomHorizontalFlip()],
    "blue first, first": lambda rng: [blue_first, normalize("channels", rng)],
    "normalised twice": lambda rng: [normalize("channels", rng), normalize("channels", rng)],
    "two crops": lambda rng: [RandomCrop(8), CenterCrop(SIZE)],
    "noise twice": lambda rng: [noise("std", rng), noise("std", rng)],
    "mirrored twice": lambda rng: [RandomHorizontalFlip(), RandomHorizontalFlip()],
    "padded with black": lambda rng: [RandomCrop(SIZE, 2), normalize("channels", rng)],
}


@pytest.mark.parametrize("name", ON_THE_HOST)
def test_what_a_backend_cannot_do_stays_on_the_host(backend, rng, name):
    transforms, pictures = ON_THE_HOST[name](rng), dataset(rng)
    assert device_plan.device_plan(transforms) is None
    given, expected = (batches(pictures, transforms, as_bytes) for as_bytes in (True, False))
    for (images, _), (floats, _) in zip(backend.upload(given), expected, strict=True):
        assert isinstance(images, np.ndarray)
        np.testing.assert_array_equal(images, floats)


@pytest.mark.parametrize("kind", [RandomCrop, RandomHorizontalFlip, Normalize, CenterCrop, data.ColorNoise])
def test_a_transform_whose_code_was_replaced_stays_on_the_host(rng, kind, monkeypatch):
    made = {RandomCrop: lambda: RandomCrop(SIZE), CenterCrop: lambda: CenterCrop(SIZE), RandomHorizontalFlip: kind}
    made |= {Normalize: lambda: normalize("whole", rng), data.ColorNoise: lambda: noise("std", rng)}
    assert device_plan.device_plan([made[kind]()])
    monkeypatch.setattr(kind, "__call__", lambda self, images, words: images)
    assert device_plan.device_plan([made[kind]()]) is None


def test_images_of_another_dtype_stay_on_the_host(rng):
    pictures = dataset(rng)
    pictures.images = pictures.images.astype(np.float32)
    [(images, _), *_] = batches(pictures, [RandomCrop(SIZE)], True)
    assert isinstance(images, np.ndarray)


def test_a_list_for_each_epoch(rng):
    """A function of the user's own in the first epoch only."""
    loader = data.Loader(dataset(rng), 5, lambda epoch: [] if epoch else [lambda images, words: images], as_bytes=True)
    assert [isinstance(next(loader.epoch(epoch))[0], RawImages) for epoch in (0, 1)] == [False, True]


@pytest.mark.parametrize(
    "transforms",
    [[RandomCrop(10)], [CornerCrop(12, 0, 0)], [RandomCrop(SIZE), Normalize(np.zeros((3, 6, 7)))]]
    + [[Normalize(np.zeros((3, 11, 8)))], [Normalize(np.zeros((4, 1, 1)))]],
    ids=["crop", "corner", "mean of crops", "mean of images", "channels"],
)
def test_what_does_not_fit_is_refused_in_the_same_words(rng, transforms):
    messages = []
    for as_bytes in (False, True):
        with pytest.raises(ValueError, match="fit") as error:
            batches(dataset(rng), transforms, as_bytes)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_fewer_bytes(rng):
    """Of AlexNet's batches: the images and little else, a quarter of the floats and less."""
    images = rng.integers(0, 256, (4, 3, 256, 256), np.uint8)
    plan = device_plan.device_plan(Pipeline(normalize("channels", rng), 227).training_transforms(flip=True))
    raw = plan(images, lambda position: np.zeros((4, 4), np.uint32))
    assert sum(array.nbytes for array in raw.arrays()) < 1.001 * images.nbytes < 0.33 * 4 * 4 * 3 * 227 * 227


def test_the_mean_is_sent_once(backend, rng, monkeypatch):
    """Not with every batch."""
    sent, asarray = [], type(backend).asarray
    monkeypatch.setattr(type(backend), "asarray", lambda self, *given: sent.append(given) or asarray(self, *given))
    transforms = Pipeline(normalize("whole", rng), SIZE).training_transforms()
    assert len(list(backend.upload(batches(dataset(rng), transforms, True)))) == 3 and len(sent) == 2  # mean and std


@pytest.mark.heavy
def test_training_through_bytes(backend, monkeypatch, tmp_path):
    """Runs on the emulator: losses of training, validation and test digit by digit as with floats."""
    options = (*TINY, "--epochs", 2, "--backend", "emulator", "--recipe", recipe(tmp_path))
    preprocessed, preprocess, results = [], backend.preprocess, []
    monkeypatch.setattr(backend, "preprocess", lambda raw: preprocessed.append(len(raw)) or preprocess(raw))
    for takes_bytes in (False, True):
        monkeypatch.setattr(type(backend), "takes_bytes", takes_bytes)
        assert run(*options, "--out", tmp_path / str(takes_bytes)) == 0
        assert bool(preprocessed) == takes_bytes
        results.append(metrics(tmp_path / str(takes_bytes)))
    assert results[0] == results[1] and len(results[0]) == 2


def recipe(folder):
    """A file with all kinds of augmentation."""
    settings = {"flip": True, "crop_padding": 3, "color_noise": 0.2, "color_noise_until": 1}
    path = folder / "recipe.toml"
    path.write_text("\n".join(f"{name} = {str(value).lower()}" for name, value in settings.items()))
    return path
