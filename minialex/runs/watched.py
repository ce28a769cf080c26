"""A run's folder as all ranks see it but the first: it is read, and never written to."""

from __future__ import annotations

from typing import Any, Self

from .folder import RunFolder


class WatchedFolder(RunFolder):
    """A RunFolder that another process writes to: what writes does nothing here, and nothing is ever due.

    path: of the folder.
    """

    @classmethod
    def open(cls, path: Any) -> WatchedFolder:
        folder = cls(path)
        folder.check_is_run()
        return folder

    def acquire(self, made: Any = None) -> None:
        """Nothing: the folder is the first rank's."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing, as above."""

    def save_is_due(self) -> bool:
        return False

    def steps_are_due(self) -> bool:
        return False

    def _nothing(self, *arguments: Any, **options: Any) -> None:
        """Instead of a method that writes."""

    remove_leftovers = write_configuration = save = save_best = keep = write_metrics = keep_steps = write_steps = (
        _nothing
    )
    draw = draw_test = _nothing
