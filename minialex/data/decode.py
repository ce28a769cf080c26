"""Decoding an image file, resized and cropped to the square that networks see crops of.

Section 2 of the paper: "Given a rectangular image, we first rescaled the image such that the shorter side was of
length 256, and then cropped out the central 256x256 patch from the resulting image."
"""

from __future__ import annotations

import contextlib

import numpy as np
from PIL import Image, ImageOps

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp")  # lower case
_SPARE = 3  # decoding a JPEG at this multiple of the target size changes the result by at most 2 in 255


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
    CenterCrop. The EXIF orientation is applied, the first of several frames is taken, 16 bits are reduced to 8, and
    transparent pixels are composed on white.

    Returns uint8 (3, size, size), channels RGB.
    Raises Damaged for a file that is damaged, not an image or implausibly large; any other OSError names the file.
    """
    try:
        with Image.open(path) as image:
            # Decodes a JPEG that is far too large at a half, a quarter or an eighth of its size: several times faster.
            image.draft(None, (_SPARE * size, _SPARE * size))
            image.load()  # here a damaged image raises an error; only damaged EXIF data is to be ignored
            with contextlib.suppress(Exception):
                ImageOps.exif_transpose(image, in_place=True)
            image = _in_rgb(image)
            width, height = image.size
            short = min(width, height)
            width, height = (size if side == short else size * side // short for side in (width, height))
            left, top = round((width - size) / 2), round((height - size) / 2)
            image = image.resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(image.crop((left, top, left + size, top + size))).transpose(2, 0, 1)
    except MemoryError:
        raise
    except Image.UnidentifiedImageError as error:
        raise Damaged(path, "unknown format") from error
    except Exception as error:  # damaged files make Pillow raise many kinds of errors: struct.error, SyntaxError ...
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = error.filename or str(path)
            raise
        raise Damaged(path, " ".join(str(error).split()) or type(error).__name__) from error


def _in_rgb(image):
    """Convert an image of any mode to RGB."""
    if image.mode.startswith("I"):  # 16 bits per pixel, which Pillow would clip at 255 instead of dividing
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
