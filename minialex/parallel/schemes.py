"""How a training run is shared out among ranks, and what a trainer has to know of it, whichever way it is.

    data      every rank has the whole network and a part of each batch           data.py
    towers    two ranks have half of each layer each; n pairs share batches       towers.py
    hybrid    convolutions as in data, fully connected layers divided             hybrid.py

In each of them a forward pass gives every rank the logits of the whole batch, and `reduce` makes its gradients, of
what it has of the weights, those of the whole batch. So a trainer, an optimiser and an evaluation remain what they are
in one process.
"""

from __future__ import annotations

from ..nn import Module
from ..support.types import Any, Callable
from . import states
from .data import DataParallel, Numbered, equalise
from .group import Group
from .hybrid import hybrid, shared_parameters, split_parameters
from .reducer import Reducer
from .towers import towers

NAMES = ("data", "hybrid", "towers")


class Alone:
    """One process: nothing is shared out. The other schemes have the same attributes and methods.

    model: the network.

    `model` is what this rank trains, `pictures` the Group whose ranks have a part of each batch.
    """

    def __init__(self, model: Module) -> None:
        self.model, self.pictures = model, Group()

    def reduce(self) -> None:
        """Make every `.grad` that of the whole batch."""

    def first_at_fault(self) -> int:
        """The lowest rank on whose pictures the last logits were NaN or infinite; 0 where all have computed them."""
        return 0

    def whole_state(self, own: dict[str, Any]) -> dict[str, Any]:
        """The state_dict of the whole network. own: that of `model`."""
        return own

    def own_state(self, whole: dict[str, Any]) -> dict[str, Any]:
        """What `model` loads. whole: a state_dict of the whole network."""
        return whole

    def whole_optimizer(self, own: dict[str, Any], optimizer: Any) -> dict[str, Any]:
        """The state of one process's optimizer. own: that of this rank's optimizer."""
        return own

    def own_optimizer(self, whole: dict[str, Any], optimizer: Any) -> dict[str, Any]:
        """What this rank's optimizer loads. whole: a state of one process's optimizer."""
        return whole


class Data(Alone):
    """Every rank has the whole network, and a part of each batch.

    model: the network, which gets hooks.
    group: all ranks.
    options: of DataParallel.
    """

    def __init__(self, model: Module, group: Group, **options: Any) -> None:
        self.model, self.pictures = model, group
        self.parallel = DataParallel(model, group, **options)

    def reduce(self) -> None:
        self.parallel.reduce()

    def first_at_fault(self) -> int:
        return self.parallel.first_at_fault()


class _Divided(Alone):
    """Of some parameters each rank has rows.

    rows: the Group whose ranks have them together.
    split: the names of these parameters and buffers; all if None.
    """

    def __init__(self, model: Module, pictures: Group, rows: Group, split: Any = None) -> None:
        self.model, self.pictures, self.rows, self.split = model, pictures, rows, split

    def _indices(self, optimizer):
        """The numbers of the divided parameters in the optimizer's state."""
        named = dict(self.model.named_parameters())
        names = named if self.split is None else self.split
        return states.indices(optimizer, [named[name] for name in names if name in named])

    def whole_state(self, own: dict[str, Any]) -> dict[str, Any]:
        return states.whole_state(own, self.rows, self.split)

    def own_state(self, whole: dict[str, Any]) -> dict[str, Any]:
        return states.own_state(whole, self.rows, self.split)

    def whole_optimizer(self, own: dict[str, Any], optimizer: Any) -> dict[str, Any]:
        return states.whole_optimizer(own, self.rows, self._indices(optimizer))

    def own_optimizer(self, whole: dict[str, Any], optimizer: Any) -> dict[str, Any]:
        return states.own_optimizer(whole, self.rows, self._indices(optimizer))


class Towers(_Divided):
    """Ranks 0 and 1 have a tower each, so have 2 and 3, and so on; the pairs share each batch.

    model: the network, a Sequential.
    group: all ranks, an even number.
    options: of DataParallel, for the pairs.

    Raises ValueError for an odd number of ranks, and for a network that cannot be divided.
    """

    def __init__(self, model: Any, group: Group, **options: Any) -> None:
        if group.size % 2:
            raise ValueError(f"parallel=towers is for pairs of processes: there are {group.size}")
        pair, pairs = group.split(group.rank // 2), group.split(group.rank % 2)
        super().__init__(towers(model, pair), pairs, pair)
        self.parallel = DataParallel(self.model, pairs, **options)

    def reduce(self) -> None:
        self.parallel.reduce()


class Hybrid(_Divided):
    """Every rank has the convolutions, and a part of each batch for them, and rows of the fully connected layers.

    model: the network, a Sequential.
    group: all ranks.
    overlap: as of Reducer.
    exchange: as of hybrid.hybrid.

    Raises ValueError for a network that cannot be divided so.
    """

    def __init__(self, model: Any, group: Group, *, overlap: bool = True, exchange: str = "all") -> None:
        own = hybrid(model, group, exchange)
        super().__init__(own, group, group, split_parameters(own).keys())
        self._numbered = Numbered(own, group)
        self._reducer = Reducer(shared_parameters(own), group, overlap=overlap)

    def reduce(self) -> None:
        self._reducer.finish()


_SCHEMES: dict[str, Callable[..., Alone]] = {"data": Data, "hybrid": Hybrid, "towers": Towers}


def share_out(name: str | None, model: Module, group: Group, **options: Any) -> Alone:
    """The scheme of this name, for a network that all ranks have built alike; it takes the weights of rank 0.

    name: one of NAMES, or None for one process.
    model: the whole network.
    group: all ranks.
    options: of the scheme.
    """
    if name is None or group.size == 1:
        return Alone(model)
    equalise(model, group)
    return _SCHEMES[name](model, group, **options)
