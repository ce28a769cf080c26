"""A layer of a file of Keras while it is read: its configuration, its weights, and the graph that it adds to."""

from __future__ import annotations

import math
from typing import NoReturn

import numpy as np

from .. import nn
from ..nn import init
from ..support.text import printable
from ..tensor import Tensor
from ..window import Window
from .keras_building import Value

_MOST = 2**16  # of any whole number in a configuration: pixels, channels, neurons
_MOST_VALUES = 2**31  # of the numbers that a layer gives out for one image


class Layer:
    """A layer of Keras.

    of: the Building.
    kind: its class's name.
    name: for the graph, and for messages.
    config: the arguments of its constructor, a dict from the file.
    weights: a function that returns its arrays, in Keras's order.

    Its methods return what the configuration says, or raise ValueError with the layer's name.
    """

    def __init__(self, of, kind, name, config, weights):
        self.of, self.kind, self.name, self.config = of, kind, name, config
        self._weights, self._arrays = weights, None
        self.channels_first = of.channels_first

    def refuse(self, why) -> NoReturn:
        """Raise ValueError: `why` this layer cannot be read."""
        raise ValueError(f"layer {printable(self.name[:100])} ({printable(self.kind[:60])}): {printable(str(why))}")

    def renamed(self, suffix):
        """The layer under a name with a suffix."""
        return Layer(self.of, self.kind, self.name + suffix, self.config, self._weights)

    def inner(self, described, x):
        """The output of an activation that is itself a layer, described as {"class_name": ..., "config": {...}}."""
        from .keras_layers import TABLE

        kind, config = described.get("class_name"), described.get("config")
        if kind not in ("ReLU", "LeakyReLU", "ELU", "Softmax") or not isinstance(config, dict):
            self.refuse(f"the activation {kind!r:.60} is not read")
        return TABLE[kind](Layer(self.of, kind, f"{self.name}_{kind.lower()}", config, list), x)

    # ---------------------------------------------------------------------------------------------------- the graph

    def add(self, module, inputs, suffix="", shape=None, maps=...):
        """Add a module to the graph.

        inputs: a Value, or several.
        suffix: of its name.
        shape, maps: of its output; those of its first input by default.

        Returns the Value of its output.
        """
        several = (inputs,) if isinstance(inputs, Value) else tuple(inputs)
        shape = several[0].shape if shape is None else tuple(shape)
        if math.prod(shape) > _MOST_VALUES or min(shape, default=1) < 1:
            self.refuse(f"its output {shape} is too large")
        if maps is ...:
            maps = several[0].maps if shape == several[0].shape else None
        return Value(self.of.add(self.name + suffix, module, [value.name for value in several]), shape, maps)

    def value(self, numbers, form, suffix):
        """Add constant numbers, in a shape, to the graph; returns their Value."""
        tensor = Tensor(np.asarray(numbers, self.of.dtype).reshape(form if np.size(numbers) > 1 else (1,) * len(form)))
        return Value(self.of.add(self.name + suffix, tensor, []), (1,))

    def module(self, kind, *arguments, state, key=None, **options):
        """A module with weights; a layer that is called again has the one that it has already, for the same key."""
        known = (self.name, kind, arguments, key)
        if known not in self.of.shared:
            try:
                with init.skipped():
                    module = kind(*arguments, dtype=self.of.dtype, **options)
                module.load_state_dict({name: array for name, array in state.items() if array is not None})
            except ValueError as error:
                self.refuse(error)
            self.of.shared[known] = module.eval()
        return self.of.shared[known]

    def in_keras_order(self, x):
        """A Value whose numbers have Keras's order: a flattened image is turned to (H, W, C) and flattened again."""
        if x.maps is None:
            return x
        y = self.add(nn.Reshape(*x.maps), x, "_maps", x.maps, None)
        channels, height, width = x.maps
        y = self.add(nn.Call("permute", dims=(0, 2, 3, 1)), y, "_last", (height, width, channels))
        return self.add(nn.Flatten(), y, "_flat", x.shape, None)

    def maps(self, x):
        """The Value itself, which must be of images."""
        if len(x.shape) != 3:
            self.refuse(f"it needs images, and its input has the shape {x.shape}")
        return x

    # -------------------------------------------------------------------------------------------------- the weights

    def weight(self, place, shape, count=None):
        """The array at a place in Keras's list, which must have a shape; count: how many arrays there must be."""
        if self._arrays is None:
            self._arrays = self._weights()
        arrays = self._arrays
        if place >= len(arrays) or (count is not None and len(arrays) < count):
            self.refuse(f"the file has {len(arrays)} arrays of weights for it, and {count or place + 1} are needed")
        if arrays[place].shape != tuple(shape):
            self.refuse(f"its weights have the shape {arrays[place].shape} where {tuple(shape)} is needed")
        return arrays[place]

    def bias(self, place, count):
        """The bias, or None where the layer has none."""
        return self.weight(place, (count,)) if self.flag("use_bias", True) else None

    # -------------------------------------------------------------------------------------------- the configuration

    def whole(self, key, default=None, least=1):
        """A whole number of the configuration."""
        value = self.config.get(key, default)
        if type(value) is not int or not least <= value <= _MOST:
            self.refuse(f"{key} should be a whole number from {least} to {_MOST:,}, got {value!r:.60}")
        return value

    def number(self, key, default, least=-1e30, most=1e30):
        """A number of the configuration; one in a list, as an old ReLU has it, is that number."""
        value = self.config.get(key, default)
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        value = default if value is None else value
        if type(value) not in (int, float) or not least <= value <= most:
            self.refuse(f"{key} should be a number from {least:g} to {most:g}, got {value!r:.60}")
        return float(value)

    def flag(self, key, default):
        """True or False."""
        value = self.config.get(key, default)
        if type(value) is not bool:
            self.refuse(f"{key} should be true or false, got {value!r:.60}")
        return value

    def pair(self, key, default=None):
        """(vertical, horizontal), from one whole number or two."""
        value = self.config.get(key, default)
        value = [value, value] if type(value) is int else value
        if not isinstance(value, (list, tuple)) or [*map(type, value)] != [int, int] or not _within(value, 1):
            self.refuse(f"{key} should be two whole numbers from 1 to {_MOST:,}, got {value!r:.60}")
        return tuple(value)

    def sides(self, key):
        """((top, bottom), (left, right)), from one whole number, two, or four."""
        value = self.config.get(key)
        value = [value, value] if type(value) is int else value
        if isinstance(value, list) and len(value) == 2:
            value = [[side, side] if type(side) is int else side for side in value]
            if all(isinstance(s, list) and [*map(type, s)] == [int, int] and _within(s, 0) for s in value):
                return value
        self.refuse(f"{key} should be pixels, such as [[1, 1], [2, 2]], got {value!r:.60}")

    def padding(self):
        """ "valid" or "same"."""
        value = self.config.get("padding", "valid")
        if value not in ("valid", "same"):
            self.refuse(f"padding should be valid or same, got {value!r:.60}")
        return value

    def window(self, x, *settings):
        """The Window of kernel, stride, padding and dilation over a Value."""
        try:
            return Window.over(x.shape, *settings)
        except ValueError as error:
            self.refuse(error)

    def axis_of(self, key, default):
        """An axis of the configuration, alone or in a list."""
        value = self.config.get(key, default)
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if type(value) is not int:
            self.refuse(f"{key} should be one axis, got {value!r:.60}")
        return value

    def axis(self, x, axis):
        """One of Keras's axes, 0 the batch's, as ours."""
        count = len(x.shape) + 1
        if not -count <= axis < count or axis % count == 0:
            self.refuse(f"the axis {axis} is not one of the {count - 1} of an image or its features")
        axis %= count
        return {1: 2, 2: 3, 3: 1}[axis] if count == 4 and not self.channels_first else axis

    def shape_of(self, key, x):
        """A shape without the batch, in which -1 stands for what is left."""
        value = self.config.get(key)
        size = math.prod(x.shape)
        if (
            isinstance(value, list)
            and len(value) in (1, 3)
            and all(type(n) is int and 0 < abs(n) <= size for n in value)
        ):
            known = math.prod(n for n in value if n > 0)
            shape = tuple(size // known if n == -1 else n for n in value)
            if min(shape) > 0 and math.prod(shape) == size and value.count(-1) <= 1:
                return shape
        self.refuse(f"{key} should be one number or three, {size:,} in all, got {value!r:.60}")

    def numbers(self, key, x, default=None):
        """A number, or one for each channel, as an array of float64."""
        value = self.config.get(key, default)
        if isinstance(value, dict):  # an array of Keras 3
            value = (value.get("config") or {}).get("value") if isinstance(value.get("config"), dict) else None
        while isinstance(value, list) and len(value) == 1:
            value = value[0]
        flat = value if isinstance(value, list) else [value]
        good = all(type(n) in (int, float) and abs(n) < 1e30 for n in flat)
        if not good or len(flat) not in (1, x.shape[0]) or (len(flat) > 1 and self.channels_first):
            self.refuse(f"{key} should be a number, or one for each of {x.shape[0]} channels, got {value!r:.60}")
        return np.array(flat, np.float64)


def _within(values, least):
    return all(least <= n <= _MOST for n in values)
