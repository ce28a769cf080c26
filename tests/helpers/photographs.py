"""Folders of small pictures for tests."""

from __future__ import annotations

import numpy as np
from PIL import Image


def pixels(seed, height, width):
    """Smooth noise, uint8 (height, width, 3): JPEG keeps it, and no two seeds are alike."""
    small = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def write(path, seed=0, height=21, width=34):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(seed, height, width)).save(path)
    return path


def folder(root, counts, split="train", ending="jpg"):
    """root/split/CLASS/i.ending, counts {class: pictures}, of odd sizes."""
    seed = 0
    for name, count in counts.items():
        for i in range(count):
            seed += 1
            write(root / split / name / f"{i}.{ending}", seed, 17 + 5 * (seed % 4), 19 + 7 * (seed % 3))
    return root


def damage(path):
    """Cut off its end."""
    path.write_bytes(path.read_bytes()[:-60])
