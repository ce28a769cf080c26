"""Training that begins with what another network has learned."""

from __future__ import annotations

from ..models.names import published_names


def class_names(known, count):
    """A name for each of `count` classes: the data's, then names for those that no picture has.

    count: None for as many as the data has. ValueError if it has more.
    """
    known = list(known)
    if count is not None and count < len(known):
        raise ValueError(f"num_classes={count}: the data has {len(known)} classes, so at least as many are needed")
    return known + [f"unused {number}" for number in range(len(known) + 1, (count or 0) + 1)]


class WithClasses:
    """A data set under the longer list of classes of a network that has outputs for more of them."""

    def __init__(self, dataset, classes):
        self._dataset, self.classes = dataset, classes

    def __len__(self):
        return len(self._dataset)

    def __getattr__(self, name):
        return getattr(self._dataset, name)


def transfer(model, weights):
    """Load a state dict into `model`, but for its last layer where that has another number of classes.

    Returns in words what became of the last layer. ValueError where anything else does not fit.
    """
    own, head = model.state_dict(), [*published_names(model).values()][-1]
    theirs = weights[f"{head}.weight"].shape[0] if f"{head}.weight" in weights else 0
    classes = own[f"{head}.weight"].shape[0]
    if theirs == classes:
        model.load_state_dict(weights)
        return f"{head} is kept, of as many classes"
    fresh = {name: array for name, array in own.items() if name.rpartition(".")[0] == head}
    model.load_state_dict({**weights, **fresh})
    return f"{head} is new, of {classes} classes instead of {theirs}"
