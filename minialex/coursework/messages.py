"""Arrays exchanged by the grader and its child process: .npz bytes, never pickles, of limited size."""

from __future__ import annotations

import io
import zipfile

import numpy as np

MOST = 64 * 2**20  # bytes of arrays in one message


def write_arrays(arrays):
    """Serialise arrays, {"x": array, ...}, to bytes; raises TypeError for anything but numbers, booleans and text."""
    made: dict = {name: np.asarray(value) for name, value in arrays.items()}
    for name, array in made.items():
        if array.dtype.kind not in "biufU":
            raise TypeError(f"{name} is not an array of numbers: its dtype is {array.dtype}")
    file = io.BytesIO()
    np.savez(file, **made)
    return file.getvalue()


def read_arrays(data):
    """Read data written by write_arrays; raises ValueError for anything else."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:  # uncompressed, so that few bytes cannot be a huge array
            members = archive.infolist()
            if any(m.compress_type != zipfile.ZIP_STORED for m in members) or sum(m.file_size for m in members) > MOST:
                raise ValueError("compressed or too large")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # a damaged archive raises one of a dozen types
        raise ValueError(f"these bytes are not arrays ({error})") from error


def read_inputs(data):
    """As read_arrays(data), but 0-dimensional arrays become Python numbers and strings, as a check's `run` expects."""
    return {name: array.item() if array.ndim == 0 else array for name, array in read_arrays(data).items()}
