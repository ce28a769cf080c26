"""Arrays on their way between the grader and its child: .npz bytes, never a pickle, and never more than was said."""

from __future__ import annotations

import io
import zipfile

import numpy as np

MOST = 64 * 2**20  # bytes of arrays in one message


def write_arrays(arrays):
    """{"x": array, ...} as bytes; TypeError for what is no array of numbers, truth values or text."""
    made: dict = {name: np.asarray(value) for name, value in arrays.items()}
    for name, array in made.items():
        if array.dtype.kind not in "biufU":
            raise TypeError(f"{name} is no array of numbers: its dtype is {array.dtype}")
    file = io.BytesIO()
    np.savez(file, **made)
    return file.getvalue()


def read_arrays(data):
    """What write_arrays wrote; ValueError for anything else."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:  # stored, so that a small message is not a huge array
            members = archive.infolist()
            if any(m.compress_type != zipfile.ZIP_STORED for m in members) or sum(m.file_size for m in members) > MOST:
                raise ValueError("it is packed, or too large")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # a damaged archive shows itself in a dozen ways
        raise ValueError(f"these bytes are no arrays ({error})") from error


def read_inputs(data):
    """The same for a check's `run`: arrays without axes become Python numbers and texts."""
    return {name: array.item() if array.ndim == 0 else array for name, array in read_arrays(data).items()}
