"""The training loop of a rank: that of one process, with an exchange of gradients before each step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..parallel.group import Group
from ..parallel.schemes import Alone
from .evaluation import Diverged
from .trainer import Trainer


class SharedTrainer(Trainer):
    """A Trainer of which every rank has one; all of them do the same steps, and know the losses of the whole batch.

    scheme: how the network is shared out, see parallel.schemes.
    group: all ranks.
    arguments, options: as of Trainer, without the model; the loader gives each rank its own pictures, and all labels.

    Its state is that of one process: it can be loaded by any number of ranks.
    """

    def __init__(self, scheme: Alone, group: Group, *arguments: Any, **options: Any) -> None:
        super().__init__(scheme.model, *arguments, **options)
        self.scheme, self.group = scheme, group

    def _before_update(self) -> None:
        self.scheme.reduce()
        super()._before_update()

    @contextlib.contextmanager
    def _one_reason(self) -> Iterator[None]:
        """A context in which all ranks meet the same Diverged; they report what the one has seen that knows why."""
        try:
            yield
        except Diverged as error:
            error.args = (self.group.text(str(error), self.scheme.first_at_fault()),)
            raise

    def _read_losses(self, images: Any = None, call: Any = None) -> Any:
        with self._one_reason():
            return super()._read_losses(images, call)

    def finish_epoch(self, validation: Any = None) -> dict[str, Any]:
        with self._one_reason():
            return super().finish_epoch(validation)

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        return state | {"optimizer": self.scheme.whole_optimizer(state["optimizer"], self.optimizer)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        own = {"optimizer": self.scheme.own_optimizer(state["optimizer"], self.optimizer)}
        super().load_state_dict(state | own)
