"""What minialex has computed, as data of a page: maps in 8 bits, and in float32 the numbers that explain a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..models.layout import Row
from ..support.types import Array
from . import reaching
from .computing import AtWork
from .encoding import eight_bits, encoded, summary_of
from .page import Picture


def carried(layers: list[dict[str, Any]], work: AtWork) -> dict[str, Any]:
    """What a page shows of a network at work: for every layer its maps and gradients, and what is known about them.

    layers: the network, of `describe`.
    work: the AtWork of one picture.

    Returns a dict: target, loss, logits, probabilities, values, gradients, parameters, cams.
    """
    parameters = [
        {name: _parameter(layer.get(name, {}), gradient) for name, gradient in gradients.items()}
        for layer, gradients in zip(layers, work.parameter_gradients)
    ]
    return {
        "target": work.target,
        "loss": encoded(np.array([work.loss])),
        "logits": encoded(work.values[-2]),
        "probabilities": encoded(work.values[-1]),
        "values": [{**eight_bits(x), "summary": summary_of(x)} for x in work.values[:-1]],
        "gradients": [{**eight_bits(g, signed=True), "summary": summary_of(g)} for g in work.gradients[:-1]],
        "parameters": parameters,
        "cams": {n: eight_bits(cam) for n, cam in work.cams.items()},
    }


def results(
    layers: list[dict[str, Any]], rows: Sequence[Row], pictures: Sequence[Picture], places: list[Any] | None = None
) -> list[dict[str, Any]]:
    """What a page carries of some pictures: all that is drawn, and the numbers that explain some places.

    layers, rows: the network, of `describe` and of `layers_of`.
    pictures: each with its input and label.
    places: pairs (number of a layer, (c, y, x)); None for that of the largest value of each layer.
    """
    found = []
    for picture in pictures:
        work = AtWork(rows, picture.input, picture.label)
        shown = carried(layers, work)
        wanted = places or [(n, largest(work.values[n], layers[n]["output"])) for n in range(len(layers) - 1)]
        found.append({**shown, "explained": [explained(layers, work, n, at) for n, at in wanted]})
    return found


def _parameter(described, gradient):
    """The gradient of a parameter: a picture of it where the page has its numbers, and a summary."""
    picture = eight_bits(gradient, signed=True) if "data" in described else {}
    return {**picture, "summary": summary_of(gradient)}


def explained(layers: list[dict[str, Any]], work: AtWork, n: int, at: list[int], name: str | None = None) -> Any:
    """The numbers that explain a value and its gradient, or the gradient of a parameter; arguments as of `reaching`.

    name: of a parameter of layer n; None for a value.

    Returns {"layer", "at", "name", "boxes": [{"of", "layer", "box", "data"}]}.
    """
    boxes = reaching.of_value(layers, n, at) if name is None else reaching.of_parameter(layers, n, name, at)
    return {"layer": n, "at": at, "name": name, "boxes": [_numbers(layers, work, *box) for box in boxes]}


def _numbers(layers, work, of, n, box):
    if of == "weight":
        array = work.weight(n)
        kept = "data" in layers[n]["weight"]  # then the page has all of it
    else:
        array, kept = (work.values if of == "values" else work.gradients)[n], False
    array = array if array.ndim == len(box) else array.reshape(layers[n]["output"])
    part = array[tuple(slice(first, end) for first, end in box)]
    return {"of": of, "layer": n, "box": box, "data": None if kept else encoded(part)}


def largest(value: Array, shape: list[int]) -> list[int]:
    """The place (c, y, x) of the largest number of an array of this shape."""
    return [int(k) for k in np.unravel_index(np.argmax(value), shape)]
