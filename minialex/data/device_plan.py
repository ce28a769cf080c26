"""Transforms as data, for a backend that applies them where it computes: the host then reads bytes, and copies bytes.

    Normalize and a crop, in either order - RandomHorizontalFlip - ColorNoise - blue_first         each at most once

is what such a backend does, and all that the recipes need. A list with anything else in it, such as a function of one's
own, stays on the host as a whole, and so does one with a transform whose code was replaced: half of it on the host
would still make floats there, which is what costs the time.

Positions, mirror images and noise are drawn here as the transforms draw them, from the same random words.
"""

from __future__ import annotations

import numpy as np

from ..backends import raw_images
from .color import ColorNoise, normals
from .pipeline import Pipeline, blue_first
from .transforms import CenterCrop, CornerCrop, Normalize, RandomCrop, RandomHorizontalFlip, _below, _check_fits

_STEPS = {  # class: its place in the order above, and its name there
    Normalize: (0, "normalize"),
    RandomCrop: (0, "crop"),
    CenterCrop: (0, "crop"),
    CornerCrop: (0, "crop"),
    RandomHorizontalFlip: (1, "flip"),
    ColorNoise: (2, "noise"),
}
_CODE = {kind: kind.__call__ for kind in _STEPS}
_VIEWS = Pipeline.views


def device_plan(transforms):
    """The DevicePlan that is equal to a list of transforms, or None where they have to stay on the host."""
    steps: dict = {}
    reached = 0
    for position, transform in enumerate(transforms):
        place, name = _step(transform)
        if place < reached or name in steps:
            return None
        steps[name], reached = (position, transform), place
    crop_first = [name for name in steps if name in ("normalize", "crop")] == ["crop", "normalize"]
    padding = crop_first and getattr(steps["crop"][1], "padding", None)
    return None if padding else DevicePlan(steps, crop_first)  # there a padded 0 is black, not the mean


def _step(transform):
    kind = type(transform)
    if transform is blue_first:
        return 3, "blue_first"
    return _STEPS[kind] if kind in _STEPS and kind.__call__ is _CODE[kind] else (-1, None)


class DevicePlan:
    """Draws what a list of transforms would do to images, and leaves the doing to a backend.

    steps: {name of the step: (its position in the list, the transform)}.
    crop_first: whether the mean is subtracted from crops, not from whole images.
    """

    def __init__(self, steps, crop_first):
        self.steps, self.crop_first = steps, crop_first
        self._preprocessings: dict = {}  # by the images' shape: the backend keeps the mean of each

    def __call__(self, images, words):
        """The RawImages of a batch.

        images: uint8 (n, C, H, W).
        words: a function of a transform's position that returns its random words, uint32 (n, 4).

        Raises ValueError as the transforms do.
        """
        n, sides = len(images), images.shape[2:]
        drawn = {name: (transform, words(position)) for name, (position, transform) in self.steps.items()}
        top, left, size = _corner(*drawn.get("crop", (None, None)), *sides)
        views, added = np.zeros((n, 4), np.int32), np.zeros((n, images.shape[1]), np.float32)
        views[:, 0], views[:, 1], views[:, 2] = np.arange(n), top, left
        if "flip" in drawn:
            flip, its_words = drawn["flip"]
            views[:, 3] = its_words[:, 0] < round(flip.p * 2**32)
        if "noise" in drawn:
            noise, its_words = drawn["noise"]
            added[...] = normals(its_words)[:, : len(noise.axes)] @ noise.axes.T
        preprocessing = self._preprocessing(images.shape[1:], size)
        return raw_images.RawImages(np.ascontiguousarray(images), views, added, size, preprocessing)

    def _preprocessing(self, shape, size):
        if shape not in self._preprocessings:
            self._preprocessings[shape] = self._make_preprocessing(shape, size)
        return self._preprocessings[shape]

    def _make_preprocessing(self, shape, size):
        mean, std, mean_of = np.zeros((1, 1, 1), np.float32), np.float32(1), raw_images.MEAN_OF_CHANNELS
        if "normalize" in self.steps:
            normalize = self.steps["normalize"][1]
            seen = (shape[0], *size) if self.crop_first else shape
            normalize(np.empty((0, *seen), np.uint8))  # raises where the mean does not fit
            mean, std = normalize.mean, normalize.std
            if mean.shape[1:] != (1, 1):
                mean = np.broadcast_to(mean, seen)
                mean_of = raw_images.MEAN_OF_CROPS if self.crop_first else raw_images.MEAN_OF_IMAGES
        mean = np.broadcast_to(mean, (shape[0], *mean.shape[1:]))
        noise = self.steps.get("noise", (0, None))[1]
        return raw_images.Preprocessing(
            mean=np.ascontiguousarray(mean),
            std=np.ascontiguousarray(np.broadcast_to(std.reshape(-1), shape[0])),
            mean_of=mean_of,
            divisor=1 + noise.coefficient if noise and noise.by == "std" else 1,
            blue_first="blue_first" in self.steps,
        )


def _corner(crop, words, height, width):
    """(top, left, (rows, columns)) of the views: numbers, or one for each image."""
    if crop is None:
        return 0, 0, (height, width)
    size, padding = crop.size, getattr(crop, "padding", 0)
    height, width = height + 2 * padding, width + 2 * padding
    _check_fits(size, height, width)
    if isinstance(crop, RandomCrop):
        top, left = _below(words[:, 0], height - size + 1), _below(words[:, 1], width - size + 1)
    elif isinstance(crop, CenterCrop):
        top, left = round((height - size) / 2), round((width - size) / 2)
    else:
        top, left = round(crop.bottom * (height - size)), round(crop.right * (width - size))
    return top - padding, left - padding, (size, size)


def raw_views(pipeline, images, count):
    """Pipeline.views as RawImages: each image goes to the backend once, however many views are made of it there.

    pipeline: a Pipeline.
    images, count: as of Pipeline.views; uint8.

    Returns RawImages of count * n views, view by view; None where Pipeline.views was replaced.
    Raises ValueError as Pipeline.views does.
    """
    if type(pipeline).views is not _VIEWS:
        return None
    if count not in (1, 10):
        raise ValueError(f"views must be 1, the centre crop, or 10, got {count}")
    size = pipeline.input_size
    corners = [CornerCrop(size, bottom, right) for bottom in (0, 1) for right in (0, 1)] if count == 10 else []
    shown = []
    for mirrored in (0, 1) if count == 10 else (0,):
        for crop in (*corners, CenterCrop(size)):
            raw = device_plan([*pipeline._normalized(crop), *pipeline._order()])(images, lambda position: None)
            raw.views[:, 3] = mirrored
            shown.append(raw)
    views, noise = (np.concatenate([getattr(raw, name) for raw in shown]) for name in ("views", "noise"))
    return shown[0].of(shown[0].pixels, views, noise)
