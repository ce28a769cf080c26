"""A network divided among ranks by its channels: the two towers of Krizhevsky et al. 2012, section 3.2 and figure 2.

"The parallelization scheme that we employ essentially puts half of the kernels (or neurons) on each GPU, with one
additional trick: the GPUs communicate only in certain layers."

    layer                             its input on a rank         exchange
    Conv2d, groups=2                  own half of the channels    none: its group is there
    Conv2d, Linear                    whole                       none
    Conv2d, Linear                    own half of the channels    all_gather before it
    LocalResponseNorm, groups=2       own half                    none: windows do not cross
    LocalResponseNorm                 own half                    all_gather before it, its own part behind it
    Dropout                           own half                    none: the whole mask is drawn, its part is used
    the last one                      own half                    gather_same behind it: all compute the loss

Every weight and bias divides along axis 0: a rank has the rows of its outputs.
"""

from __future__ import annotations

from .. import nn
from ..support.types import Any, Iterable, Iterator
from .group import Group, part
from .layers import AllGather, GatherSame, OwnPart, PartDropout, twin

LOCAL = (  # what they compute of a channel depends on this channel alone, and nothing is drawn
    *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus, nn.Sigmoid, nn.Tanh, nn.Identity),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.ContrastNorm),
    *(nn.ZeroPad2d, nn.ConstantPad2d, nn.Upsample),
)


def towers(model: nn.Sequential, group: Group) -> nn.Sequential:
    """This rank's tower of a network.

    model: a Sequential, whole, with equal weights on all ranks; Sequentials may stand in it. It is not changed.
    group: the Group; of two ranks for groups=2, as in the paper.

    Returns a Sequential: (N, C, H, W), the whole batch -> logits (N, num_classes), whole and equal on all ranks. Its
    parameters bear the model's names and are copies of this rank's rows, see states.py. Where the loss is the same on
    all ranks, their gradients are those of one process and need no exchange. The gradient of the pictures is a part:
    its sum over the ranks is the whole one.
    Raises ValueError, with the layer's name, where a layer cannot be divided so.
    """
    check_unshared(model)
    return nn.Sequential(divided(model.named_children(), group))


def check_unshared(model: nn.Module) -> None:
    """Raise ValueError where layers of a network share weights: their parts would be apart."""
    if len(list(model.parameters())) != len(list(model.named_parameters(remove_duplicate=False))):
        raise ValueError("a network in which layers share weights cannot be divided among ranks: give each its own")


def divided(layers: Iterable[tuple[str, nn.Module]], group: Group) -> dict[str, nn.Module]:
    """This rank's layers, and the exchanges between them, of some layers whose input is whole and output gathered.

    layers: (name, layer), one applied after another.
    group: the Group.
    """
    walk = _Walk(group)
    own = walk.through(layers)
    if walk.channels is not None:
        own["gather_same"] = GatherSame(group, walk.channels)
    return own


class _Walk:
    """A way through the layers, from the input on.

    channels: how many channels the activation has of which each rank has its part; None where each has the whole.
    maps: whether the activation consists of maps, (N, C, H, W).
    """

    def __init__(self, group: Group) -> None:
        self.group, self.channels, self.maps = group, None, False
        self.layer, self.place = nn.Module(), ""  # where the walk is

    def through(self, layers: Iterable[tuple[str, nn.Module]], path: str = "") -> dict[str, nn.Module]:
        own: dict[str, nn.Module] = {}
        for name, layer in layers:
            if isinstance(layer, nn.Sequential):
                own[name] = nn.Sequential(self.through(layer.named_children(), f"{path}{name}."))
                continue
            self.layer, self.place = layer, path + name
            if type(layer) not in _RULES:
                self.refuse("no rule says what its parts are")
            own.update(_RULES[type(layer)](self, name, layer))
        return own

    def refuse(self, why: str) -> None:
        kind, ranks = type(self.layer).__name__, self.group.size
        raise ValueError(f"layer {self.place} ({kind}) cannot be divided among {ranks} ranks: {why}")

    def gathered(self, name: str) -> Iterator[tuple[str, nn.Module]]:
        """The exchange, where one is needed, after which every rank has the whole activation."""
        if self.channels is not None:
            yield f"gather_{name}", AllGather(self.group, self.channels)
            self.channels = None

    def own_rows(self, layer: nn.Module, setting: str, **settings: Any) -> Any:
        """The layer's twin with this rank's rows, of which the whole layer has as many as a setting of it says."""
        self.channels = count = getattr(layer, setting)
        if count < self.group.size:
            self.refuse(f"{setting}={count}, and each needs one")
        rows = part(count, self.group.rank, self.group.size)
        return twin(layer, rows, **{setting: rows.stop - rows.start}, **settings)


def _local(walk, name, layer):
    yield name, twin(layer)


def _conv2d(walk, name, layer):
    walk.maps = True
    if layer.groups == 1:
        yield from walk.gathered(name)
        yield name, walk.own_rows(layer, "out_channels")
        return
    if layer.groups % walk.group.size:
        walk.refuse(f"the ranks would have to divide its groups={layer.groups}")
    if walk.channels is None:
        yield f"own_{name}", OwnPart(walk.group, layer.in_channels)
    size = walk.group.size
    yield name, walk.own_rows(layer, "out_channels", in_channels=layer.in_channels // size, groups=layer.groups // size)


def _linear(walk, name, layer):
    if walk.maps:
        walk.refuse("a Flatten() must stand between the maps and it")
    yield from walk.gathered(name)
    yield name, walk.own_rows(layer, "out_features")


def _local_response_norm(walk, name, layer):
    if walk.channels is None or layer.within_channel:
        yield name, twin(layer)
    elif layer.groups % walk.group.size == 0:
        yield name, twin(layer, groups=layer.groups // walk.group.size)
    else:
        channels = walk.channels
        yield from walk.gathered(name)
        yield name, twin(layer)
        yield f"own_{name}", OwnPart(walk.group, channels)
        walk.channels = channels


def _batch_norm2d(walk, name, layer):
    yield name, twin(layer) if walk.channels is None else walk.own_rows(layer, "num_features")


def _dropout(walk, name, layer):
    yield name, twin(layer) if walk.channels is None else PartDropout(layer, walk.group, walk.channels)


def _flatten(walk, name, layer):
    if walk.maps and (layer.start_dim, layer.end_dim) not in ((1, -1), (1, 3)):
        walk.refuse("only Flatten() keeps the features of a channel together")
    walk.maps = False
    yield name, twin(layer)


_RULES = dict.fromkeys(LOCAL, _local) | {
    nn.Conv2d: _conv2d,
    nn.Linear: _linear,
    nn.LocalResponseNorm: _local_response_norm,
    nn.BatchNorm2d: _batch_norm2d,
    nn.Dropout: _dropout,
    nn.Flatten: _flatten,
}
