"""Messages for common mistakes with shapes and types: what was given, and what to write instead.

All but `check_broadcast` and `broadcast` runs only where an error is raised.
"""

from __future__ import annotations

import math

import numpy as np


def check_broadcast(name, *shapes):
    """Raise ValueError where shapes do not broadcast together.

    name: of the operation.
    shapes: of its operands, two or more.
    """
    if broadcast(*shapes):
        return
    rank = max(map(len, shapes))
    for axis in range(rank - 1, -1, -1):  # as broadcasting does, from the last one on
        lengths = [shape[axis - rank] for shape in shapes if len(shape) >= rank - axis]
        if len({*lengths, 1}) > 2:
            break
    raise ValueError(
        f"{name} of {_listed(shapes)}: the lengths {_listed(lengths)} of axis {axis} must be equal, or 1"
        + _stretched(shapes)
    )


def _listed(things):
    return f"{', '.join(map(str, things[:-1]))} and {things[-1]}"


def broadcast(*shapes):
    """Whether shapes broadcast together."""
    if shapes.count(shapes[0]) == len(shapes):
        return True
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


def _stretched(shapes):
    """A hint to the axes of length 1 that are missing behind those of the smaller of two operands."""
    small, large = sorted(shapes, key=len)[-2:]
    for new in range(1, len(large) - len(small) + 1):
        shape = (*small, *[1] * new)
        if small and broadcast(large, shape):
            return f"; {small} fits as .reshape({', '.join(map(str, shape))})"
    return ""


def about_channels(shape, channels):
    """A hint for images whose channels are not as many as a layer needs, or "".

    shape: of the images, (N, C, H, W) or (C, H, W).
    channels: how many there should be.
    """
    if len(shape) == 4 and shape[1] != channels == shape[3]:
        return f"; {shape} looks like NHWC: x.permute(0, 3, 1, 2)"
    if len(shape) == 3 and shape[0] != channels == shape[2]:
        return f"; {shape} looks like HWC: x.permute(2, 0, 1)"
    if len(shape) == 3 and channels == 1:
        return f"; {shape} looks like (N, H, W): x.unsqueeze(1) adds the axis of channels"
    if len(shape) == 4 and shape[1] == 1:
        return f"; x.expand(-1, {channels}, -1, -1) repeats the channel of grey images"
    return ""


def about_features(shape, weight):
    """A hint for an input that a fully connected layer cannot take, or "".

    shape: of the input.
    weight: shape of the weight, (out, in).
    """
    if len(shape) > 2 and math.prod(shape[1:]) == weight[-1]:
        return f": x.flatten(1) makes it ({shape[0]}, {weight[-1]})"
    if shape and shape[-1:] == weight[:1]:
        return ": a weight is (out, in), so weight.T would fit"
    return ""


def about_labels(shape, target):
    """A hint for a target that does not fit to the scores of classes, or "".

    shape: of the scores, (N, C, ...).
    target: the array of class labels.
    """
    if target.shape == shape:
        return ": of one-hot rows, target.argmax(1) gives the labels"
    if len(shape) > 1 and target.shape[1:] == shape[2:]:
        return f": there are {shape[0]} rows of scores, but {len(target)} of labels"
    if target.shape in ((*shape[:1], 1), (*shape[:1], 1, *shape[2:])):
        return ": target.squeeze(1) takes the axis of length 1 away"
    return ""


def about_dtypes(name, dtypes):
    """The message for an input, a weight and a bias that are not of one dtype.

    name: of the operation.
    dtypes: theirs, in this order; None for one that was left out.
    """
    roles = ("input", "weight", "bias")
    given = ", ".join(f"{role} is {dtype}" for role, dtype in zip(roles, dtypes) if dtype is not None)
    own = {dtype for dtype in dtypes[1:] if dtype is not None}
    cast = {"float32": ".float()", "float64": ".double()"}.get(str(*own)) if len(own) == 1 else None
    advice = f"convert the input, x{cast}" if cast else "convert with .to()"
    return f"{name} needs one dtype, but its {given}: {advice}"


def not_a_tensor(value):
    """The message for something else in the place of a Tensor.

    value: what was given.
    """
    kind = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    advice = "wrap the array first, Tensor(array)"
    if value is None:
        kind, advice = "None", "did a forward forget to return its result?"
    elif hasattr(value, "named_modules"):  # a Module, or a class of them
        made = f"{value.__name__}()" if isinstance(value, type) else "layer"
        advice = f"call the module, {made}(x), and pass its result"
    elif isinstance(value, (list, tuple)) and any(hasattr(v, "requires_grad") for v in value):
        kind, advice = f"{kind} of {len(value)}", "unpack it (x, y = batch), or join tensors with functional.stack"
    elif isinstance(value, (list, tuple, int, float)):
        advice = "make a tensor first, Tensor(value)"
    elif hasattr(value, "detach"):
        kind, advice = f"a {type(value).__module__.split('.')[0]} {kind}", "Tensor(value.detach().numpy())"
    return f"a function of tensors got {kind}: {advice}"


def about_lists(data, error):
    """The message for data that no array can be made of.

    data: what was given.
    error: NumPy's.
    """
    lengths = [len(row) if isinstance(row, (list, tuple)) else 0 for row in data] if isinstance(data, list) else []
    if len(set(lengths)) > 1:
        row = next(i for i, n in enumerate(lengths) if n != lengths[0])
        found = f"the one at index 0 holds {lengths[0]}, the one at {row} holds {lengths[row]}"
        return f"the lists of a tensor must be equally long: {found}"
    return str(error)
