"""A trained network, ready for use: what evaluate, predict and look begin with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import checkpoint, models
from .data import Normalization
from .data.pipeline import Pipeline
from .nn import Module


@dataclass(frozen=True)
class Trained:
    """model: in evaluation mode; pipeline: how it is shown pictures; classes: a name for each of its logits.

    resize: pixels that the shorter side of a photograph is brought to, before it is cropped to the network's size.
    """

    path: Path
    checkpoint: checkpoint.Checkpoint
    model: Module
    pipeline: Pipeline
    classes: list[str]
    resize: int

    @property
    def preset(self):
        return models.get_preset(self.checkpoint.model)


def load(path):
    """The network in a checkpoint, or the best one of a run's folder (its last one, if nothing validated it).

    FileNotFoundError where there is none, ValueError for a file that is no checkpoint of minialex, or a damaged one.
    """
    path = Path(path)
    if path.is_dir():
        candidates = [path / "best.npz", path / "last.npz"]
        path = next((file for file in candidates if file.is_file()), None)
        if path is None:
            raise FileNotFoundError(f"{candidates[0].parent} holds no checkpoint: neither best.npz nor last.npz")
    elif path.suffix in (".pth", ".pt", ".safetensors", ".onnx"):
        raise ValueError(f"{path} is no checkpoint of minialex: python -m minialex.convert {path} NEW.npz makes one")
    saved = checkpoint.load(path)
    pipeline = Pipeline(Normalization.from_arrays(saved.normalization), saved.input_size, saved.channel_order)
    model = saved.build_model().eval()
    return Trained(path, saved, model, pipeline, saved.classes, saved.resize or saved.input_size)
