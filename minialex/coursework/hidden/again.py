"""Results must last: an array that the function's next call overwrites is none."""

from __future__ import annotations

import numpy as np


def after_another(lib, function, *arguments):
    """The result of a call, or the list of results, as it is after another call with other arrays of the same shapes.

    lib: the library.
    function, arguments: what is called.
    """
    made = lib.held(function, *arguments)
    function(*(_other(argument) for argument in arguments))
    return [_now(lib, item) for item in made] if isinstance(made, (tuple, list)) else _now(lib, made)


def _now(lib, result):
    return result if result is None or isinstance(result, (tuple, list)) else lib.value(result)


def _other(argument):
    if isinstance(argument, tuple):
        return tuple(_other(item) for item in argument)
    if not isinstance(argument, np.ndarray):
        return argument
    turned = argument[::-1]
    return turned / 2 if argument.dtype.kind == "f" else turned
