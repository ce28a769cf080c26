"""Weights that a run keeps of every so many epochs, in its folder kept/: what it was like on its way.

Each is a checkpoint for use, epoch_003.npz for the weights after 3 epochs: without the state of training, and without
what a clock or another machine would change, so that a run which is resumed, or repeated, keeps the same bytes.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from ..nn import Module
from ..support import files
from ..support.errors import UserError
from .checkpoint import Checkpoint, save

FOLDER = "kept"
LARGEST = 10_000_000  # bytes of the weights of a network that a page computes with, see minialex.explore
PASSING = ("epochs", "threads", "workers", "parallel", "processes")  # settings that a resumed run may change
_NAME = re.compile(r"epoch_([0-9]{3,9})\.npz")


def check(model: Module, every: int) -> None:
    """Raise UserError where a run is to keep the weights of a network that is too large for it.

    model: the network.
    every: epochs, 0 for none.
    """
    size = sum(t.numel() * t.dtype.itemsize for t in (*model.parameters(), *model.buffers()))
    if every and size > LARGEST:
        raise UserError(
            f"keep_every={every} is for networks of up to {LARGEST / 1e6:g} MB, which a page can show, and this one "
            f"has {size / 1e6:,.1f} MB: leave it out"
        )


def keep(folder: Path, snapshot: Checkpoint, epoch: int) -> None:
    """Write the weights after an epoch.

    folder: of the run.
    snapshot: the Checkpoint of its state.
    epoch: how many are done.
    """
    settings = {name: value for name, value in snapshot.configuration.items() if name not in PASSING}
    path = folder / FOLDER / f"epoch_{epoch:03}.npz"
    path.parent.mkdir(exist_ok=True)
    save(path, dataclasses.replace(snapshot, configuration=settings, trainer_state={}, history=[]))


def found(folder: Path) -> dict[int, Path]:
    """The files of a run's kept weights by their epochs, in order; folder: of the run."""
    paths = (folder / FOLDER).iterdir() if (folder / FOLDER).is_dir() else ()
    named = {int(name[1]): path for path in paths if (name := _NAME.fullmatch(path.name)) and path.is_file()}
    return dict(sorted(named.items()))


def leftovers(folder: Path) -> list[Path]:
    """The incomplete files that a killed run left among them; folder: of the run."""
    inside = folder / FOLDER
    hidden = [path.name[1:] for path in (inside.iterdir() if inside.is_dir() else ()) if path.name.startswith(".")]
    return files.leftovers(inside, {name[0] for text in hidden if (name := _NAME.match(text))})
