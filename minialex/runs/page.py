"""What notebooks show of a Run: where it stands, its curves, its settings."""

from __future__ import annotations

from ..support import html
from .report import settings

LAST = 5  # epochs in the table


def of_run(run):
    """A Run as HTML.

    run: a Run.

    Returns the text.
    """
    t, epochs = run.trainer, run.configuration.recipe.epochs
    heading = f"Run of {run.configuration.model}: {t.epoch} of {epochs} epochs done"
    heading += f", and {t.batch} of {len(t.loader)} batches" if t.batch else ""
    return html.block(
        heading, _last(t.history), _curves(t.history), html.table(None, settings(run, place=False), left=(0, 1))
    )


def _last(history):
    """The metrics of the last epochs as a table."""
    columns = {
        "epoch": ("epoch", "{}"),
        "train_loss": ("training loss", "{:.4f}"),
        "val_loss": ("validation loss", "{:.4f}"),
        "val_top1_error": ("top-1 error in %", "{:.1f}"),
        "lr": ("learning rate", "{:.3g}"),
        "seconds": ("seconds", "{:.1f}"),
    }
    if not history:
        return ""
    shown = {name: column for name, column in columns.items() if name in history[-1]}
    rows = [row | {"val_top1_error": 100 * row.get("val_top1_error", 0)} for row in history[-LAST:]]
    rows = [[form.format(row[name]) if name in row else "" for name, (_, form) in shown.items()] for row in rows]
    return html.table([title for title, _ in shown.values()], rows, left=())


def _curves(history):
    if not history:
        return ""
    from .. import plotting  # Matplotlib takes a second to import

    return html.inline(plotting.curves(history)._repr_png_(), 720, "loss and error over the epochs")
