"""The synthetic data set `shapes`: ten classes of textured, coloured, rotated, cluttered shapes.

Nothing is stored and nothing is downloaded: image i of a split is a pure function of (seed, split, i), so a
longer data set begins with the images of a shorter one. An image is painted in layers, back to front:

    background -> fragments behind -> the shape -> fragments in front -> light -> noise

Every outline is the zero set of a signed distance function (negative inside), from which the coverage of each pixel is
computed: edges are antialiased at any size. Colours and textures do not depend on the class, so a network must learn
outlines; shape and background always differ in brightness, so a person can see them. Pixels are computed with + - * /,
sqrt and comparisons only, whose rounding IEEE 754 fixes: every machine draws the same bytes.
"""

from __future__ import annotations

import numpy as np

from ..random import philox
from ..support.types import Array, Indices
from .dataset import ArrayDataset, ImageDataset, Splits

SPLITS = {"train": 0, "validation": 1, "test": 2}
_PARAMETERS, _NOISE = 0, 1  # the last word of the Philox counter: two separate streams
_PARAMETER_BLOCKS = 24  # of four numbers each, for one image
_CHUNK_PIXELS = 2**17  # pixels painted at a time: the layers of one chunk stay in the CPU's cache
_HELD_IN_MEMORY = 2**28  # bytes; a larger split is drawn as it is fetched


# The outlines: (u, v) -> distance, in the shape's own coordinates, where it fills roughly the unit circle.


def _half_planes(u, v, count, offset):
    """Signed distances to `count` lines at a distance of `offset` from the origin, at evenly spaced angles."""
    angles = 2 * np.pi * np.arange(count) / count
    return [float(np.cos(a)) * u + float(np.sin(a)) * v - offset for a in angles]


def _box(u, v, width, height):
    return np.maximum(np.abs(u) - width, np.abs(v) - height)


def _disc(u, v, radius):
    return np.sqrt(u * u + v * v) - radius


def _circle(u, v):
    return _disc(u, v, 0.88)


def _square(u, v):
    return _box(u, v, 0.76, 0.76)


def _triangle(u, v):
    return np.maximum.reduce(_half_planes(u, v, 3, 0.52))


def _star(u, v):
    """The pentagram: the points inside at least four of five half-planes."""
    return np.sort(_half_planes(u, v, 5, 0.36), axis=0)[-2]


def _cross(u, v):
    return np.minimum(_box(u, v, 0.95, 0.28), _box(u, v, 0.28, 0.95))


def _ring(u, v):
    return np.abs(_disc(u, v, 0.68)) - 0.23


def _crescent(u, v):
    return np.maximum(_disc(u, v, 0.92), -_disc(u - 0.5, v, 0.72))


def _heart(u, v):
    """Two bars that meet at a corner, the tip of the heart, each with a round end."""
    bars = np.minimum(_box(u - 0.08, v, 0.58, 0.5), _box(u, v - 0.08, 0.5, 0.58))
    ends = np.minimum(_disc(u - 0.66, v, 0.5), _disc(u, v - 0.66, 0.5))
    return np.minimum(bars, ends)


def _arrow(u, v):
    head = np.maximum(0.05 - u, 0.7 * (u + np.abs(v) - 0.95))
    return np.minimum(head, _box(u + 0.4, v, 0.5, 0.2))


def _hourglass(u, v):
    u, v = np.abs(u), np.abs(v)
    return np.maximum(u - 0.85, 0.8 * (v - 0.75 * u) - 0.1)


_OUTLINES = _circle, _square, _triangle, _star, _cross, _ring, _crescent, _heart, _arrow, _hourglass
CLASSES = tuple(outline.__name__.strip("_") for outline in _OUTLINES)


def load(
    size: int = 32, train_count: int = 10_000, validation: int = 1000, test_count: int = 2000, limit: int | None = None,
    seed: int = 0,
) -> Splits:  # fmt: skip
    """Generate `shapes`.

    size: pixels per side, at least 8.
    train_count, validation, test_count: images in each split; validation=0 leaves that split out.
    limit: at most so many images in each split.
    seed: which images are drawn, an integer from 0 to 2^64 - 1.

    Returns Splits of images uint8 (n, 3, size, size).
    Raises ValueError for an argument out of range.
    """
    if size < 8:
        raise ValueError(f"pictures of shapes must be at least 8 pixels wide, got {size}")
    if train_count < 1 or test_count < 1 or validation < 0:
        raise ValueError(
            "shapes needs at least 1 training and 1 test picture, and 0 or more for validation, "
            f"got {train_count}, {test_count} and {validation}"
        )
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be an integer from 0 to 2^64 - 1, got {seed}")
    counts = {"train": train_count, "validation": validation, "test": test_count}
    if max(counts.values()) > 2**32:  # an image's number is one word of the Philox counter
        raise ValueError(f"a split of shapes has at most {2**32} pictures, got {max(counts.values())}")
    return Splits(**{split: _dataset(split, min(n, limit or n), size, seed) for split, n in counts.items()})


def _dataset(split, count, size, seed):
    if not count:
        return None
    drawn = DrawnShapes(split, count, size, seed)
    if count * 3 * size**2 > _HELD_IN_MEMORY:
        return drawn
    images, labels = drawn.fetch(np.arange(count))
    return ArrayDataset(images, labels, CLASSES)


class DrawnShapes(ImageDataset):
    """A split whose images are drawn when they are fetched, and not kept in memory.

    split: "train", "validation" or "test".
    count: images in it.
    size: pixels per side.
    seed: which images are drawn.
    """

    classes = CLASSES

    def __init__(self, split: str, count: int, size: int, seed: int = 0) -> None:
        self.split, self.size, self.seed = split, size, seed
        self.labels = np.arange(count) % len(CLASSES)
        self.image_shape = (3, size, size)

    def __len__(self) -> int:
        return len(self.labels)

    def fetch(self, indices: Indices) -> tuple[Array, Array]:
        """Draw the images, uint8 (n, 3, size, size), and their labels, int64 (n,), at `indices`, integers (n,)."""
        return draw(np.asarray(indices), self.split, self.size, self.seed)


def draw(indices: Array, split: str = "train", size: int = 32, seed: int = 0) -> tuple[Array, Array]:
    """Draw images of a split; image i shows class i mod 10.

    indices: which images, integers (n,) from 0 to 2^32 - 1.
    split: "train", "validation" or "test".
    size: pixels per side.
    seed: an integer from 0 to 2^64 - 1.

    Returns uint8 (n, 3, size, size) and the labels, int64 (n,).
    """
    indices = np.asarray(indices, np.int64)
    images = np.empty((len(indices), 3, size, size), np.uint8)
    key = (seed & 0xFFFFFFFF, seed >> 32)
    chunk = max(1, _CHUNK_PIXELS // size**2)
    for start in range(0, len(indices), chunk):
        images[start : start + chunk] = _paint(indices[start : start + chunk], SPLITS[split], size, key)
    return images, indices % len(CLASSES)


def _paint(indices, split, size, key):
    """The finished images before rounding down, float32 (n, 3, size, size)."""
    uniform = _dice(indices, split, key)
    grid = ((np.arange(size) + 0.5) * (2 / size) - 1).astype(np.float32)
    x, y = grid[None, None, :], grid[None, :, None]  # the image is the square from -1 to 1

    side = np.sign(uniform(-1, 3))  # in three images of four the shape is brighter than the background
    middle, gap = uniform(100, 155), uniform(38, 70)
    background_level, shape_level = middle - side * gap, middle + side * gap
    picture = _textured(x, y, background_level, uniform)
    shape = _textured(x, y, shape_level, uniform)
    mask = _coverage(_shape_distance(x, y, indices % len(CLASSES), uniform), size)

    for _ in range(4):
        fragment = _coverage(_fragment_distance(x, y, 0.09, uniform), size)
        _over(picture, fragment, _colour(background_level + side * gap * uniform(-0.6, 1), uniform))
    _over(picture, mask, shape)
    for _ in range(2):
        fragment = _coverage(_fragment_distance(x, y, 0.05, uniform), size)
        _over(picture, fragment, _colour(middle + gap * uniform(-1.4, 1.4), uniform))

    slope_x, slope_y, gain = uniform(-0.15, 0.15), uniform(-0.15, 0.15), uniform(0.75, 1.15)
    picture *= (gain + slope_x * x + slope_y * y)[:, None]
    amplitude = uniform(0.05, 0.25)[:, None]
    picture += amplitude * _noise(indices, split, size, key)
    return np.clip(picture, 0, 255) + 0.5


def _dice(indices, split, key):
    """A function uniform(low, high) that draws the next parameter of each image, float32 (n, 1, 1)."""
    block = np.arange(_PARAMETER_BLOCKS)[:, None]
    words = philox((block, indices, split, _PARAMETERS), key)
    numbers = iter(words.reshape(-1, len(indices)) * 2.0**-32)

    def uniform(low, high):
        return (low + (high - low) * next(numbers)).astype(np.float32)[:, None, None]

    return uniform


def _noise(indices, split, size, key):
    """Independent noise from -127.5 to 127.5, three bytes of a random word per pixel: float32 (n, 3, size, size)."""
    block = np.arange(-(-size * size // 4))
    words = philox((block, indices[:, None], split, _NOISE), key)
    words = np.concatenate(words, axis=1)[:, : size * size].reshape(-1, 1, size, size)
    shifts = np.array([0, 8, 16], np.uint32)[:, None, None]
    return ((words >> shifts) & np.uint32(255)).astype(np.float32) - 127.5


def _direction(uniform):
    """Cosine and sine of a random angle; rounded from float64, so equal on every machine."""
    angle = 2 * np.pi * uniform(0, 1).astype(np.float64)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _colour(level, uniform):
    """A colour of brightness `level` and random hue, (n, 3, 1, 1)."""
    cos, sin = _direction(uniform)
    saturation = uniform(10, 60)
    root = 0.75**0.5
    hue = np.stack([cos, root * sin - 0.5 * cos, -root * sin - 0.5 * cos], axis=1)  # a third of a turn apart
    return level[:, None] + saturation[:, None] * hue


def _textured(x, y, level, uniform):
    """A colour with stripes, checks, dots or a gradient of another hue: (n, 3, size, size)."""
    cos, sin = _direction(uniform)
    kind, frequency = uniform(0, 4), uniform(1.2, 2.6)
    frequency = np.where(kind < 1, 0.25, frequency)  # a gradient is a quarter of a wave
    a = _wave(frequency * (cos * x + sin * y) + uniform(0, 1))
    b = _wave(frequency * (cos * y - sin * x) + uniform(0, 1))
    pattern = np.where(kind < 2, a, np.where(kind < 3, a * b * 2, np.maximum(a + b - 0.4, -1)))
    pattern = np.clip(pattern * 2, -1, 1)
    tint = _colour(uniform(5, 20), uniform) * 0.8
    return _colour(level, uniform) + tint * pattern[:, None]


def _wave(t):
    """Triangle wave of period 1 from -1 to 1."""
    return 4 * np.abs(t - np.floor(t) - 0.5) - 1


def _shape_distance(x, y, labels, uniform):
    """Distance to the outline of each image's class, rotated, scaled, stretched and shifted."""
    cos, sin = _direction(uniform)
    x, y = x - uniform(-0.22, 0.22), y - uniform(-0.22, 0.22)
    scale, stretch = uniform(0.55, 0.8), uniform(0.9, 1.11)
    u, v = (cos * x + sin * y) / (scale * stretch), (cos * y - sin * x) / scale * stretch
    distance = np.empty_like(u)
    for label, outline in enumerate(_OUTLINES):
        own = labels == label
        distance[own] = outline(u[own], v[own])
    return distance * scale


def _fragment_distance(x, y, thickness, uniform):
    """Distance to a random line with round ends, a dot when short; one in three is missing."""
    cos, sin = _direction(uniform)
    x, y = x - uniform(-1, 1), y - uniform(-1, 1)
    u, v = cos * x + sin * y, cos * y - sin * x
    u = np.maximum(np.abs(u) - uniform(0, 0.35), 0)
    return np.sqrt(u * u + v * v) - uniform(-thickness / 2, thickness)


def _coverage(distance, size):
    """The share of each pixel that lies inside the outline, from the distance of its centre."""
    return np.clip(0.5 - distance * size / 2, 0, 1)


def _over(picture, mask, paint):
    picture += mask[:, None] * (paint - picture)
