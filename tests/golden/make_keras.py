"""Store models that Keras has written, and their predictions: `python tests/golden/make_keras.py` with Keras 3.15.

The archive has the bytes of each file, such as "functional.keras", and "functional.images" and "functional.output".
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

os.environ["KERAS_BACKEND"] = "torch"
sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

import keras_models

SUFFIXES = "h5", "keras", "weights.h5"


def main():
    """Write keras.npz."""
    import keras

    stored = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, model in keras_models.build(keras).items():
            images = keras_models.pictures(model)
            stored |= {f"{name}.images": images, f"{name}.output": np.asarray(model(images, training=False).detach())}
            for suffix in SUFFIXES:
                path = Path(folder) / f"{name}.{suffix}"
                (model.save_weights if suffix == "weights.h5" else model.save)(path)
                stored[path.name] = np.frombuffer(path.read_bytes(), np.uint8)
            for number, array in enumerate(model.get_weights()):
                stored[f"{name}.weights.{number}"] = array
    np.savez_compressed(Path(__file__).with_name("keras.npz"), **stored)


if __name__ == "__main__":
    main()
