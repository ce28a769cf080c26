"""The hidden checks of A6: initial values, logits, options, padding, edges, other noise and views, resumed epochs."""

from __future__ import annotations

import numpy as np

from .. import a6_checks as public
from ..declaration import Check

# ------------------------------------------------------------------------------ augmentation


def _edge_words(rng, positions, pictures):
    """Words on both sides of the thresholds between positions (rows, columns), and the smallest and largest ones."""
    words = public.random_words(rng, pictures)
    for axis, count in enumerate(positions):
        edges = [-(-k * 2**32 // count) - below for k in range(1, count) for below in (0, 1)]
        column = np.resize([0, 2**32 - 1, *edges], pictures)
        words[:, axis] = rng.permutation(column)
    return words


def _crop_range_draw(rng):
    """Images for crops with few positions or one, and a word for every edge."""
    size = int(rng.integers(4, 7))
    pictures = 24
    return {
        "size": size,
        **{
            name: rng.standard_normal((pictures, 2, size + down, size + right), np.float32)
            for name, down, right in (("images", 5, 6), ("rows", 2, 0), ("columns", 0, 4), ("whole", 0, 0))
        },
        **{
            f"{name}_words": _edge_words(rng, (down + 1, right + 1), pictures)
            for name, down, right in (("images", 5, 6), ("rows", 2, 0), ("columns", 0, 4), ("whole", 0, 0))
        },
    }


def _crop_range_run(lib, size, **arrays):
    crop = lib.data.transforms.RandomCrop(size)
    names = ("images", "rows", "columns", "whole")
    answers = {f"of_{name}": crop(arrays[name], arrays[f"{name}_words"]) for name in names}
    too_large = lib.data.transforms.RandomCrop(size + 1)
    refused = lib.refused(too_large, arrays["columns"], arrays["columns_words"])
    return answers | {"refuses_a_larger_crop": "ValueError" in refused}


def _padding_draw(rng):
    return public.crop_draw(rng) | {"padding": 2}


def _padding_run(lib, images, words, high, high_words, size, padding):
    """Crops smaller than the image, and larger ones, which fit only with the margins."""
    answers = public.crop_run(lib, images, words, high, high_words, size, padding=padding)
    larger = public.crop_run(lib, images, words, high, high_words, images.shape[2] + 1, padding=padding + 1)
    return answers | {f"larger {name}": y for name, y in larger.items()}


_CHANCES = (0.0, 0.3, 0.7, 1.0)  # 0.3 and 0.7 of 2^32 are rounded, up and down


def _chances_draw(rng):
    drawn = {"images": rng.standard_normal((16, 2, 1, 5), np.float32)}
    for i, p in enumerate(_CHANCES):
        words = public.random_words(rng, 16)
        words[:8, 0] = np.clip(round(p * 2**32) + rng.permutation(np.arange(8) - 4), 0, 2**32 - 1)
        drawn[f"words_{i}"] = words
    return drawn


def _chances_run(lib, images, **words):
    flip = lib.data.transforms.RandomHorizontalFlip
    return {f"p_{p}": flip(p)(images, words[f"words_{i}"]) for i, p in enumerate(_CHANCES)}


def _of_channels(rng):
    return rng.uniform(20, 70, (3, 1, 1))


# ------------------------------------------------------------------------------ views


def _centre_run(lib, images, **settings):
    """The single view, and what is refused."""
    answers = public.views_run(lib, images, **settings)
    pipeline = lib.data.pipeline.Pipeline(
        lib.data.transforms.Normalize(settings["mean"], settings["std"]), settings["size"]
    )
    refused = [lib.refused(pipeline.views, images, count) for count in (0, 2, 5)]
    refused.append(lib.refused(pipeline.views, images[:, :, : settings["size"] - 1], 1))
    return answers | {"refuses_other_counts_and_small_images": ["ValueError" in names for names in refused]}


# ------------------------------------------------------------------------------ training


def _books_run(lib, replayed, **inputs):
    """What the Trainer counts in two epochs, the first of which is resumed; its modes, and what it asks the loader for.

    The learning rate is 0, so that the metrics do not depend on the updates.
    """
    training = public.Trained(lib, **inputs)
    answers = {}
    for epoch in ("first", "second"):
        counts, modes, metrics = [], [], []
        for _, loss in zip(range(100), training.trainer.steps(), strict=False):
            running = training.trainer.running
            counts.append((training.trainer.batch, running.pictures, running.top1_errors, running.top5_errors))
            modes.append((training.model.training, training.layer.training))
            metrics.append((float(loss), running.loss))
        answers |= {f"{epoch} counts": np.array(counts), f"{epoch} modes": np.array(modes)}
        answers[f"{epoch} losses"] = np.array(metrics)
        row = training.trainer.finish_epoch()
        answers[f"{epoch} row"] = np.array([row["train_loss"], row["train_error"]])
        training.model.eval()  # as after a validation
    return answers | {"asked_of_the_loader": np.array(training.asked), "weights": training.state()[0]}


_books_draw = public.steps_draw(22, np.float32, lr=0.0, accumulate=2, epoch=2, batch=2)


def _resumed_draw(rng):
    drawn = public.steps_draw(30, accumulate=3, epoch=1, batch=3)(rng)
    return drawn | {"replayed": np.array([0, 1])}


ALEXNET = {"norm": "bn", "dropout": "before", "inverted": True}
CAFFE = {"norm": "none", "dropout": "before", "inverted": False}
_LOGITS = public.run_on(public.logits_run, function="alexnet")
_OPTIONS = public.run_on(public.logits_run, function="alexnet", others=({"norm": "none", "dropout": "after"},))
_CAFFE = public.run_on(public.logits_run, function="alexnet_caffe", others=({"norm": "bn", "dropout": "after"},))
_INITIAL = {name: public.run_on(public.initial_run, function=name) for name in ("alexnet", "alexnet_caffe")}
_NETWORK = public.with_row(public.network((130,)))

CHECKS = (
    Check("alexnet initial values", 3, _NETWORK, _INITIAL["alexnet"], public=False, rtol=0.05),
    Check("alexnet logits", 3, public.network_with_numbers((98,)), _LOGITS, public=False, rtol=1e-4),
    Check("alexnet options", 2, public.network_with_numbers((98,), **ALEXNET), _OPTIONS, public=False, rtol=1e-4),
    Check("alexnet_caffe initial values", 2, _NETWORK, _INITIAL["alexnet_caffe"], public=False, rtol=0.05),
    Check("alexnet_caffe options", 2, public.network_with_numbers((74,), **CAFFE), _CAFFE, public=False, rtol=1e-4),
    Check("RandomCrop padding", 3, _padding_draw, _padding_run, public=False),
    Check("RandomCrop range", 3, _crop_range_draw, _crop_range_run, public=False),
    Check("RandomHorizontalFlip chances", 3, _chances_draw, _chances_run, public=False),
    Check("ColorNoise by std", 3, public.noise_draw(3, "std", _of_channels), public.noise_run, public=False, rtol=1e-5),
    Check(
        "ColorNoise scales", 2, public.noise_draw(4, "eigenvalue", lambda rng: rng.uniform(20, 70)), public.noise_run,
        public=False, rtol=1e-5,
    ),
    Check("views mean picture", 3, public.views_draw(10, "whole", "BGR"), public.views_run, public=False),
    Check("views centre", 3, public.views_draw(1, "crops"), _centre_run, public=False),
    Check("steps accumulate", 3, public.steps_draw(42, accumulate=3), public.steps_run, public=False),
    Check("steps resumed", 2, _resumed_draw, public.steps_run, public=False),
    Check("steps books", 3, _books_draw, _books_run, public=False),
)  # fmt: skip
