"""Reading Keras's files: whole models with their weights, and weights alone.

    .h5, .hdf5      attribute model_config: the network as JSON; group model_weights: the weights, which are in the root
                    group where the network is left out
    .weights.h5     weights alone, of Keras 3
    .keras          a .zip file: config.json, the network; model.weights.h5, its weights; metadata.json, the version

Where the weights stand is in keras_weights.py, how the network is read in keras_network.py. Nothing that a file names
is imported or called. https://keras.io/guides/serialization_and_saving/
"""

from __future__ import annotations

import io
import os
import zipfile

from ..support import npz, schema
from ..support.text import brief, printable
from . import hdf5, keras_network, keras_weights

_MOST_JSON = 2**23  # bytes of a network's description
_WEIGHTS = "model.weights.h5"


def read(path):
    """Read a file of Keras.

    path: of the file, .keras, .h5 or .hdf5.

    Returns an Imported where the file has the network, else its arrays in the order of the model's layers,
    {"arr_0": array, "arr_1": ...}, as convert.description takes them.
    Raises OSError where the file cannot be read, ValueError where it is damaged, or has what is not read.
    """
    try:
        with open(path, "rb") as file:
            return _keras(file) if file.read(4) == b"PK\3\4" else _hdf5(file)
    except ValueError as error:
        raise ValueError(f"{printable(str(path))}: {error}") from error


def _hdf5(file):
    """A .h5 file."""
    root = hdf5.File(file).root
    text = root.attribute("model_config")
    group = root["model_weights" if "model_weights" in root else ""]
    weights = _weights(group)
    if text is None:
        arrays = weights.every()
        if not arrays:
            raise ValueError("it holds no weights")
        return {f"arr_{number}": array for number, array in enumerate(arrays)}
    versions = [root.attribute(name) or group.attribute(name) for name in ("keras_version", "backend")]
    return _network(text, weights, versions)


def _weights(group):
    if keras_weights.texts(group, "layer_names") is not None:
        return keras_weights.Old(group)
    if any(name in group for name in ("layers", "_layer_checkpoint_dependencies")):
        return keras_weights.New(group)
    raise ValueError("it is an HDF5 file, but not one of Keras: there is neither layer_names nor a group layers")


def _keras(file):
    """A .keras file, of which only the three known members are read."""
    allowed = npz.allowance(os.fstat(file.fileno()).st_size)
    try:
        archive = zipfile.ZipFile(file)
    except Exception as error:  # zipfile raises many kinds of errors for a damaged file
        raise ValueError(f"it is damaged ({brief(error)})") from error
    with archive:
        config, weights = (_member(archive, *limited) for limited in (("config.json", _MOST_JSON), (_WEIGHTS, allowed)))
        metadata = _member(archive, "metadata.json", _MOST_JSON) if "metadata.json" in archive.namelist() else b"{}"
    version = _json(metadata, "metadata.json").get("keras_version")
    group = hdf5.File(io.BytesIO(weights), allowed).root
    return _network(config, _weights(group), [version, None])


def _member(archive, name, most):
    """The content of a member of an archive, at most `most` bytes."""
    if name not in archive.namelist():
        raise ValueError(f"it is damaged, or not a .keras file: there is no {name} in it")
    size = archive.getinfo(name).file_size
    if size > most:
        raise ValueError(f"{name} in it would take far more memory than the file is long")
    try:
        with archive.open(name) as member:
            return member.read(size)  # read() would ask for as much as the archive says that is stored
    except MemoryError:
        raise
    except Exception as error:  # zipfile and zlib raise many kinds of errors for a damaged file
        raise ValueError(f"{name} in it is damaged ({brief(error)})") from error


def _json(text, name):
    try:
        found = schema.from_json(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{name} is not a JSON object")
    return found


def _network(text, weights, versions):
    """The Imported of a description in JSON; versions: of Keras and its backend, texts or None."""
    if not isinstance(text, (str, bytes)) or len(text) > _MOST_JSON:
        raise ValueError("its model_config is not a text")
    described = _json(text, "its model_config")
    version, backend = (value[:30] if isinstance(value, str) else None for value in versions)
    origin = printable(" ".join(["Keras", *filter(None, [version])]) + (f", {backend}" if backend else ""))
    return keras_network.network(described, weights, origin)
