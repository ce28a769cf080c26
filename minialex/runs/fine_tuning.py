"""Fine-tuning: training that starts with the weights of another network."""

from __future__ import annotations

from ..models.names import published_names


def class_names(known, count):
    """Names for a network's classes: the data's, then "unused 11", ... for those without images.

    known: the names of the data's classes.
    count: classes of the network; None for as many as the data has.

    Returns a list of names.
    Raises ValueError where the data has more classes.
    """
    known = list(known)
    if count is not None and count < len(known):
        raise ValueError(f"num_classes={count}: must be at least {len(known)}, the number of classes in the data")
    return known + [f"unused {number}" for number in range(len(known) + 1, (count or 0) + 1)]


class WithClasses:
    """A data set with the class names of a network that has more classes.

    dataset: see data/dataset.py.
    classes: the names, beginning with the data set's own.
    """

    def __init__(self, dataset, classes):
        self._dataset, self.classes = dataset, classes

    def __len__(self):
        return len(self._dataset)

    def __getattr__(self, name):
        return getattr(self._dataset, name)


def _only_misfit(own, weights):
    """The layer that alone has other shapes in two state dicts: another number of outputs; None if there is none."""
    misfits = {name.rpartition(".")[0] for name in own if name in weights and own[name].shape != weights[name].shape}
    layer = misfits.pop() if len(misfits) == 1 else None
    name = f"{layer}.weight"
    return layer if layer and name in own and own[name].shape[1:] == weights[name].shape[1:] else None


def transfer(model, weights):
    """Load a state dict into a model; the last layer keeps its own weights if the number of classes differs.

    model: a Module, changed in place.
    weights: the state dict, {name: array}.

    Returns a text that says whether the last layer is kept or new.
    Raises ValueError where any other weight does not fit.
    """
    own, layers = model.state_dict(), [*published_names(model).values()]
    if not layers:
        model.load_state_dict(weights)
        return "all are kept"
    head = _only_misfit(own, weights) or layers[-1]
    theirs = weights[f"{head}.weight"].shape[0] if f"{head}.weight" in weights else 0
    classes = own[f"{head}.weight"].shape[0]
    if theirs == classes:
        model.load_state_dict(weights)
        return f"{head} is kept, for the same number of classes"
    fresh = {name: array for name, array in own.items() if name.rpartition(".")[0] == head}
    model.load_state_dict({**weights, **fresh})
    return f"{head} is new, for {classes} classes instead of {theirs}"
