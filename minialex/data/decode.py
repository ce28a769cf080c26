"""Decoding an image file, resized and cropped to the square that networks see crops of.

Section 2 of the paper: "Given a rectangular image, we first rescaled the image such that the shorter side was of
length 256, and then cropped out the central 256x256 patch from the resulting image."
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import io
import logging
import os
import stat

import numpy as np
from PIL import Image, ImageOps

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp")  # lower case
_IN_16_BITS = ("PNG", "PPM")  # formats whose grey images have at most 16 bits, in Pillow's mode of 32
_LONGEST = 8  # how many times as long as its shorter side an image is resized as a whole
_SPARE = 3  # decoding a JPEG at this multiple of the target size changes the result by at most 2 in 255
_PIXELS, _PIXELS_PER_BYTE = 12_000_000, 1000  # of an image: as many as any may have; for each byte of its file

logging.getLogger("PIL").addHandler(logging.NullHandler())  # without a handler Python prints what Pillow logs to stderr


class Damaged(OSError):
    """A file that is damaged or not an image.

    path: of the file.
    reason: what is wrong with it, in words.
    """

    def __init__(self, path, reason):
        super().__init__(f"{path} is damaged or not an image ({reason})")
        self.path, self.reason = path, reason


def decode(path, size=256):
    """Decode an image file, resize its shorter side to `size` pixels, and crop the centre.

    path: an image file in any of Pillow's formats.
    size: pixels per side of the result.

    Resizing is antialiased bilinear; the longer side and the margins are rounded as by torchvision's Resize and
    CenterCrop. The EXIF orientation is applied, the first of several frames is taken, 16 bits are reduced to 8, larger
    numbers are clipped to 0 to 255, and transparent pixels are composed on white.

    Returns uint8 (3, size, size), channels RGB.
    Raises Damaged for a file that is damaged, not an image or implausibly large, a link to a missing file, and what is
    no file, such as a pipe; any other OSError names the file.
    """
    # Decodes a JPEG that is far too large at a half, a quarter or an eighth of its size: several times faster.
    return _decoded(path, (_SPARE * size, _SPARE * size), lambda image: _centre(image, size))


def decode_whole(path):
    """Decode an image file as a whole, at its own size.

    path: an image file, read and converted as by `decode`.

    Returns uint8 (3, H, W), channels RGB.
    Raises as `decode` does.
    """
    return _decoded(path, None, lambda image: image)


def _decoded(path, draft, finish):
    """An image file as an array, upright, after finish(image in RGB); draft: at least which size is needed, or None."""
    try:
        _check_does_not_wait(path)
        with _Bounded(io.FileIO(os.fspath(path))) as file, Image.open(file) as image:
            if image.format == "EPS":  # for which Pillow would start Ghostscript
                raise Damaged(path, "PostScript, which is a program")
            if image.format == "TIFF":
                _silence_libtiff()
            if draft:
                image.draft(None, draft)
            _check_is_plausible(path, image)
            image.load()  # here a damaged image raises an error; only damaged EXIF data is to be ignored
            with contextlib.suppress(Exception):
                ImageOps.exif_transpose(image, in_place=True)
            return np.asarray(finish(_in_rgb(image))).transpose(2, 0, 1)
    except (MemoryError, Damaged):
        raise
    except Image.UnidentifiedImageError as error:
        raise Damaged(path, "unknown format") from error
    except Exception as error:  # damaged files make Pillow raise many kinds of errors: struct.error, SyntaxError ...
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = error.filename or str(path)
            raise
        raise Damaged(path, " ".join(str(error).split()) or type(error).__name__) from error


class _Bounded(io.BufferedReader):
    """A file of which no more is asked for than it has: Pillow passes on whatever length a file claims for a part."""

    def read(self, size=-1, /):
        if size is not None and size > io.DEFAULT_BUFFER_SIZE:
            size = min(size, max(0, os.fstat(self.fileno()).st_size - self.tell()))
        return super().read(size)


def _check_does_not_wait(path):
    """Raise Damaged, before it is opened, for a pipe, which would wait for its writer, and for a link to nothing."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if os.path.islink(path) and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise Damaged(path, "a link to a missing file") from error
        raise
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # of a folder the error is clear
        raise Damaged(path, "a pipe or a device")


def _check_is_plausible(path, image):
    """Raise Damaged, before memory is taken for them, for far more pixels than the file has room for."""
    pixels, length = image.width * image.height, os.path.getsize(path)
    if pixels > max(_PIXELS, _PIXELS_PER_BYTE * length):
        raise Damaged(path, f"{image.width} x {image.height} pixels in {length:,} bytes")


def _in_rgb(image):
    """Convert an image of any mode to RGB."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in _IN_16_BITS):
        # Pillow would clip at 255 instead of dividing.
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _centre(image, size):
    """The central square of an image whose shorter side is resized to `size` pixels."""
    short, long = sorted(image.size)
    width, height = (size if side == short else size * side // short for side in image.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    if long > _LONGEST * short:  # resized as a whole, a line of pixels could take gigabytes
        x, y = image.width / width, image.height / height  # pixels of the image for one of the result
        right, bottom = min((left + size) * x, image.width), min((top + size) * y, image.height)
        return image.resize((size, size), Image.Resampling.BILINEAR, (left * x, top * y, right, bottom))
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return image.crop((left, top, left + size, top + size))


@functools.cache
def _silence_libtiff():
    """Keep libtiff from printing to stderr what is wrong with a file: Pillow raises an error as well."""
    with contextlib.suppress(OSError, AttributeError):  # another system, or libtiff is a part of Pillow's own library
        with open("/proc/self/maps", encoding="utf-8") as file:
            paths = {line.rstrip("\n").partition("/")[2] for line in file if "/libtiff" in line}
        for path in paths:
            library = ctypes.CDLL(f"/{path}")
            for kind in ("Error", "Warning"):
                getattr(library, f"TIFFSet{kind}Handler")(None)
