"""Weights and optimiser states of divided networks: from the ranks' rows to the files of one process, and back.

whole = rows of rank 0, rows of rank 1, ...      rank r of P has rows floor(r n / P) to floor((r + 1) n / P)
"""

from __future__ import annotations

import numpy as np

from ..support.types import Any, Array, Callable, Iterable, Mapping
from .group import Group, part


def whole_rows(own: Array, group: Group) -> Array:
    """The rows of all ranks, a new array, on every rank. own: this rank's."""
    lengths = group.all_gather(np.array([len(own)]))
    return group.all_gather(own, 0, [int(length) for length in lengths])


def own_rows(whole: Array, group: Group) -> Array:
    """This rank's rows of an array, copied. whole: the array."""
    return whole[part(len(whole), group.rank, group.size)].copy()


def whole_state(own: Mapping[str, Array], group: Group, split: Iterable[str] | None = None) -> dict[str, Array]:
    """The state_dict of one process, on every rank; all ranks call it.

    own: this rank's state_dict, which names the same arrays in the same order on all ranks.
    group: the Group.
    split: the names of the arrays that are divided; all of them if None. Those without axes never are.
    """
    return _converted(own, group, split, whole_rows)


def own_state(whole: Mapping[str, Array], group: Group, split: Iterable[str] | None = None) -> dict[str, Array]:
    """This rank's part of the state_dict of one process. whole: that; group, split: as of whole_state."""
    return _converted(whole, group, split, own_rows)


def whole_optimizer(own: Mapping[str, Any], group: Group, split: Iterable[int] | None = None) -> dict[str, Any]:
    """The state of the optimiser of one process, on every rank; all ranks call it.

    own: Optimizer.state_dict() of this rank, whose parameters stand in the order of the whole network's.
    group: the Group.
    split: the indices of the parameters that are divided, see `indices`; all of them if None.
    """
    return _converted_optimizer(own, group, split, whole_rows)


def own_optimizer(whole: Mapping[str, Any], group: Group, split: Iterable[int] | None = None) -> dict[str, Any]:
    """This rank's part of the state of one process's optimiser. whole: that; group, split: as of whole_optimizer."""
    return _converted_optimizer(whole, group, split, own_rows)


def indices(optimizer: Any, parameters: Iterable[Any]) -> set[int]:
    """The numbers of some parameters in an optimiser's state.

    optimizer: an Optimizer.
    parameters: some of its Parameters.
    """
    listed = {id(p) for p in parameters}
    every = (p for group in optimizer.param_groups for p in group["params"])
    return {index for index, p in enumerate(every) if id(p) in listed}


def _converted(
    arrays: Mapping[str, Any], group: Group, split: Iterable[str] | None, convert: Callable[..., Array]
) -> dict[str, Any]:
    names = set(arrays if split is None else split)
    return {name: convert(a, group) if name in names and np.ndim(a) else a for name, a in arrays.items()}


def _converted_optimizer(state, group, split, convert):
    divided = set(map(str, state["state"] if split is None else split))  # in files, indices are text
    entries = {
        index: _converted(arrays, group, None if str(index) in divided else (), convert)
        for index, arrays in sorted(state["state"].items(), key=lambda item: str(item[0]))
    }
    return {**state, "state": entries}
