"""Results of long work, kept on disk: arrays by a key that says what they were computed from."""

from __future__ import annotations

import sys
import zipfile

import numpy as np

from ..support.files import replacing
from ..support.resources import cache_folder


def cached(key, names, compute):
    """The arrays `names` that `compute()` returns as a dict, or that it returned before for this `key`.

    A file that is damaged is made again; one that cannot be written is reported on stderr, and done without.
    """
    path = cache_folder() / "statistics" / f"{key}.npz"
    kept = _read(path)
    if kept.keys() == set(names):
        return kept
    arrays = compute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            np.savez(file, **arrays)
    except OSError as error:
        print(f"not kept for the next time: {error}", file=sys.stderr)
    return arrays


def _read(path):
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):  # not there, or not whole
        return {}
