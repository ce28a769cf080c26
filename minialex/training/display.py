"""What is shown of a training: its progress, and a line for each epoch."""

from __future__ import annotations

from typing import Any

from ..support import progress


class TrainingProgress(progress.Progress):
    """The progress of a Trainer until `epochs` epochs are done.

    trainer: a Trainer.
    epochs: of the whole training.
    shown: whether to show anything.
    """

    def __init__(self, trainer: Any, epochs: int, *, shown: bool = True) -> None:
        self.trainer, self.epochs = trainer, epochs
        loader = trainer.loader
        most = len(loader) * loader.batch_size
        self._per_epoch = min(most, len(loader.dataset)) if hasattr(loader, "dataset") else most
        super().__init__("", epochs * self._per_epoch, "images", initial=self._images(), shown=shown)
        self.show()

    def _images(self):
        t = self.trainer
        return t.epoch * self._per_epoch + min(t.batch * t.loader.batch_size, self._per_epoch)

    def show(self) -> None:
        """Show where the Trainer is now."""
        t = self.trainer
        self.description = f"epoch {t.epoch + 1}/{self.epochs}"
        self.place = f"batch {t.batch:,} of {len(t.loader):,}"
        self.note = f"loss {t.running.loss:.3f}" if t.running.pictures else ""
        self.update(self._images() - self.done)

    def write(self, text: str) -> None:
        """Print a line above the bar. text: the line, folded where the terminal is too narrow."""
        progress.write(progress.folded(text))


def epoch_text(row: dict[str, Any], epochs: int) -> str:
    """The line that Trainer.fit prints after an epoch.

    row: of Trainer.history.
    epochs: of the whole training.
    """
    parts = [f"training loss {row['train_loss']:.4f}"]
    if "val_loss" in row:
        parts += [f"validation loss {row['val_loss']:.4f}", f"error {100 * row['val_top1_error']:.1f} %"]
    else:
        parts.append(f"training error {100 * row['train_error']:.1f} %")
    return f"epoch {row['epoch']}/{epochs}: {', '.join(parts)}, {row['seconds']:.1f} s"
