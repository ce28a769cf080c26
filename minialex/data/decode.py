"""A picture file as the square of pixels that the networks are shown crops of.

Section 2 of the paper: "Given a rectangular image, we first rescaled the image such that the shorter side was of
length 256, and then cropped out the central 256x256 patch from the resulting image."
"""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp")  # in small letters
_SPARE = 3  # a JPEG reduced to so many times the size wanted gives the same pixels in the end, up to 2 in 255
_UPRIGHT = {  # by what EXIF says of a camera's position
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Damaged(OSError):
    """A file that is no whole picture: `path`, and the `reason` in words."""

    def __init__(self, path, reason):
        super().__init__(f"{path} is damaged, or no picture ({reason})")
        self.path, self.reason = path, reason


def decode(path, size=256):
    """The middle of a picture, its shorter side resized to `size`: uint8 (3, size, size), red, green, blue.

    Antialiased bilinear resizing, the longer side and the margins rounded as torchvision's Resize and CenterCrop do.
    Turned upright as its EXIF data says, the first frame of several, 16 bits reduced to 8, transparency on white.
    Damaged for a file that is broken or too large to be true; other OSErrors, which name it, are the system's.
    """
    try:
        with Image.open(path) as image:
            # A JPEG far too large is decoded at a half, a quarter or an eighth of its size: several times faster.
            image.draft(None, (_SPARE * size, _SPARE * size))
            image = _in_rgb(_upright(image))
            width, height = image.size
            short = min(width, height)
            width, height = (size if side == short else size * side // short for side in (width, height))
            left, top = round((width - size) / 2), round((height - size) / 2)
            image = image.resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(image.crop((left, top, left + size, top + size))).transpose(2, 0, 1)
    except MemoryError:
        raise
    except Image.UnidentifiedImageError as error:
        raise Damaged(path, "of no known format") from error
    except Exception as error:  # broken files make Pillow's decoders raise a dozen kinds: struct.error, SyntaxError ...
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = error.filename or str(path)
            raise
        raise Damaged(path, " ".join(str(error).split()) or type(error).__name__) from error


def _upright(image):
    """As the photographer saw it. EXIF data that is damaged is passed over: the picture itself may be whole."""
    try:
        turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:
        return image
    return image if turn is None else image.transpose(turn)


def _in_rgb(image):
    """Any of Pillow's modes as RGB."""
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would not divide but cut off at 255
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
