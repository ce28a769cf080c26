"""Finding the state dict in what a training script has saved: at the top, or nested among other things."""

from __future__ import annotations

import numpy as np

from ..support.text import printable
from .torch_tensors import Tensor

_NESTED = (  # under which training scripts save a state dict beside others, the likeliest first
    *(
        "state_dict",
        "model_state_dict",
        "model",
        "model_state",
        "net",
        "network",
        "net_state_dict",
        "weights",
        "params",
    ),
    *("module", "ema", "state_dict_ema", "model_ema"),
)


def find(path, found):
    """The state dict in what a file holds.

    path: of the file, for messages.
    found: what its pickle holds.

    Returns a dict of Tensors and arrays.
    Raises ValueError where there is none, or one cannot be chosen from several.
    """
    if _is_state_dict(found):
        return found
    if plain := _among_numbers(found):
        return plain
    level, names = [found], []
    for _ in range(3):
        inner = {str(key): value for one in level if isinstance(one, dict) for key, value in one.items()}
        names += inner
        level = [*{id(value): value for value in inner.values()}.values()]  # each once: a small file can name one often
        fitting = {id(value) for value in level if _is_state_dict(value)}
        states = {name: value for name, value in inner.items() if id(value) in fitting}
        chosen = next((name for name in _NESTED if name in states), None)
        if chosen or len(fitting) == 1:
            return states[chosen or next(iter(states))]
        if states:
            raise ValueError(f"{path} holds several state dicts, {_listed(states)}: save one of them alone")
    there = f"; it holds {_listed(dict.fromkeys(names))}" if names else ""
    raise ValueError(f"{path} holds no state dict, neither at the top nor under 'state_dict' or another name{there}")


def _listed(names):
    """The first five names."""
    return ", ".join(printable(name[:100]) for name in [*names][:5])


def _is_tensor(value):
    return isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _is_number(value):
    """Whether a value is one that scripts save beside weights; NumPy's numbers are arrays without axes here."""
    return value is None or isinstance(value, int | float | str | np.ndarray)


def _is_state_dict(value):
    if not isinstance(value, dict) or not any(map(_is_tensor, value.values())):
        return False
    return all(_is_tensor(one) or isinstance(one, np.ndarray) for one in value.values())


def _among_numbers(found):
    """The tensors of a state dict to which numbers and texts were added; None for another thing."""
    if not isinstance(found, dict):
        return None
    tensors = {name: value for name, value in found.items() if _is_tensor(value)}
    if not any("." in str(name) for name in tensors):
        return None
    return tensors if all(_is_number(value) for name, value in found.items() if name not in tensors) else None
