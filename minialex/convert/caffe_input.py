"""What Caffe's files say about the images: their size, and what is subtracted from them.

y = scale (x - mean)        for pixels x from 0 to 255, blue first      (src/caffe/data_transformer.cpp)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data import Normalize
from ..data.pipeline import LARGEST_SIDE
from .caffe_messages import string

# The layers without bottoms that give images, and the message of each that may have settings of the images.
DATA = {
    "Data": "data_param",
    "ImageData": "image_data_param",
    "WindowData": "window_data_param",
    "MemoryData": "memory_data_param",
    "HDF5Data": "",
    "DummyData": "dummy_data_param",
    "Input": "input_param",
}
PIXELS = ("Data", "ImageData", "WindowData", "MemoryData")  # the layers that transform what they read


@dataclass
class Image:
    """What is known about the images.

    shape: (C, H, W), with None for what is not known.
    means: numbers that are subtracted, one or one for each channel.
    scale: which they are then multiplied by.
    mean_file: name of a mean image.
    resize: pixels per side of the images before they are cropped; 0 if it is not known.
    raw: whether nothing is known about means and scale, rather than that there are none.
    """

    shape: tuple[int | None, ...] = (None, None, None)
    means: list[float] = field(default_factory=list)
    scale: float = 1.0
    mean_file: str = ""
    resize: int = 0
    raw: bool = True

    def take_from(self, layer):
        """Note what a layer does to the images that it reads; V1 has some of it in the message of its type."""
        if layer is None or layer.type not in PIXELS:
            return
        settings, own = layer.message.transform_param, getattr(layer.message, DATA[layer.type])
        v1 = layer.message.DESCRIPTOR.name == "V1LayerParameter" and layer.type != "MemoryData"

        def value(name):
            return getattr(own if v1 and own.HasField(name) else settings, name)

        self.means, self.raw = [*settings.mean_value], False
        self.scale, self.mean_file = float(str(np.float32(value("scale")))), string(value("mean_file"))[:100]
        crop, sides = value("crop_size"), (0, 0)
        if layer.type == "ImageData":
            sides = own.new_height, own.new_width
        if self.shape[1:] == (None, None) and (crop or all(sides)):
            self.shape = (self.shape[0], *_checked([1, 1, *([crop, crop] if crop else sides)], layer.name)[1:])
        if crop and sides[0] == sides[1] >= crop:
            self.resize = sides[0]


def of(net, layer, name):
    """What a network says about its images.

    net: its NetParameter.
    layer: the caffe.Layer that gives them; None where they are a field of the network.
    name: of their blob.

    Returns an Image; raises ValueError for images that a network cannot have.
    """
    if layer is None:
        number = [string(one) for one in net.input].index(name)
        dims = [*net.input_dim[4 * number : 4 * number + 4]]
        if not dims and len(net.input_shape) > number:
            dims = [*net.input_shape[number].dim]
        return Image(_checked(dims, name))
    image = Image(_checked(_dims(layer, layer.tops.index(name)), name))
    image.take_from(layer)
    return image


def _dims(layer, number):
    """The four numbers that a layer gives as the shape of a top, or []."""
    param: Any = getattr(layer.message, DATA[layer.type], None) if DATA[layer.type] else None
    if layer.type == "MemoryData":
        return [param.batch_size, param.channels, param.height, param.width]
    if layer.type in ("Input", "DummyData") and param is not None:
        shapes = [[*one.dim] for one in param.shape]
        if layer.type == "DummyData" and not shapes:
            shapes = [[*one] for one in zip(param.num, param.channels, param.height, param.width)]
        return shapes[number if number < len(shapes) else 0] if shapes else []
    return []


def _checked(dims, name):
    """(C, H, W) of the dims of a blob (N, C, H, W); of none, Nones."""
    if not dims:
        return None, None, None
    if len(dims) != 4 or not all(0 < n <= LARGEST_SIDE for n in dims[1:]):
        shown = " x ".join(map(str, dims[:9]))
        raise ValueError(f"the input {name[:100]} is {shown}; images (N, C, H, W) up to {LARGEST_SIDE:,} are needed")
    return tuple(dims[1:])


def normalization(image, shape, mean):
    """How images are normalised.

    image: an Image.
    shape: (C, H, W) of the network's input, with None for what is not known.
    mean: a mean image (3, H, W) that is given, blue first; or None.

    Returns a Normalize for channels in the order RGB, or None where it is not known; and the pixels per side to which
    images are resized before they are cropped, or None. A square mean image that is larger than the input is of images
    before the crop; of another one, its centre is used. Raises ValueError for a mean image of another size.
    """
    channels, *size = shape
    if not 1e-6 <= image.scale <= 1e6:
        raise ValueError(f"the pixels are multiplied by {image.scale}, but it should be a number near 1 / 256 or 1")
    resize = image.resize or None
    if mean is not None:
        if channels not in (None, 3):
            raise ValueError(f"the mean image has 3 channels, but the input has {channels}")
        sides = mean.shape[1:]
        if None not in size and sides != tuple(size):
            if any(side < n for side, n in zip(sides, size)):
                raise ValueError(
                    f"the mean image, {sides[0]} x {sides[1]}, is smaller than the input, {size[0]} x {size[1]}"
                )
            if sides[0] != sides[1] or size[0] != size[1]:
                top, left = ((side - n) // 2 for side, n in zip(sides, size))
                mean = mean[:, top : top + size[0], left : left + size[1]]
            else:
                resize = sides[0]
        elif None in size and sides[0] == sides[1]:
            resize = sides[0]
        return Normalize(mean[::-1], 1 / image.scale), resize
    if image.raw or image.mean_file:
        return None, resize
    means = image.means if len(image.means) != 1 else image.means * (channels or 3)
    means = means or [0.0] * (channels or 3)
    if len(means) != (channels or 3):
        raise ValueError(f"there are {len(means)} mean values for {channels or 3} channels")
    return Normalize(np.reshape(means[::-1], (-1, 1, 1)), 1 / image.scale), resize
