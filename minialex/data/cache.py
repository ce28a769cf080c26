"""A disk cache of arrays that take long to compute."""

from __future__ import annotations

import sys

import numpy as np

from ..support import npz
from ..support.files import replacing
from ..support.resources import cache_folder
from ..support.text import printable


def cached(key, names, compute):
    """The result of `compute()`, from the cache if it was computed before.

    key: a text, fit for a file name, that identifies everything the result depends on.
    names: the keys of the result.
    compute: a function without arguments that returns {name: array}.

    Returns {name: array}. A damaged cache file is replaced; failing to write one is only reported on stderr.
    """
    try:
        path = cache_folder() / "statistics" / f"{key}.npz"
    except OSError as error:
        return _without_cache(compute(), error)
    kept = _read(path)
    if kept.keys() == set(names):
        return kept
    arrays = compute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            np.savez(file, **arrays)
    except OSError as error:
        return _without_cache(arrays, error)
    return arrays


def _without_cache(arrays, error):
    print(f"the result could not be cached: {printable(str(error))}", file=sys.stderr)
    return arrays


def _read(path):
    try:
        with npz.Archive(path) as arrays:
            return dict(arrays)
    except (OSError, npz.Damaged):  # missing or damaged
        return {}
