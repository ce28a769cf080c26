"""The first values of weights and biases: initW, initB, or those of another network."""

from __future__ import annotations

from ..nn import init


def initialise(model, network, weights=None):
    """Draw the first values of a network.

        weight ~ N(0, initW^2)        bias = initB

    model: the Graph, changed in place.
    network: its program.Network.
    weights: state dict of the network whose numbers initw.makew(LAYER) and initw.makeb(LAYER) take, or None.

    Raises ValueError where there is none, or where its layer is missing or of another shape.
    """
    parameters = dict(model.named_parameters())
    for name, learned in network.learned.items():
        parameter = parameters[name]
        if learned.function:
            _take(parameter, learned, weights)
        elif learned.input is None:
            init.constant_(parameter, learned.initial)
        else:
            init.normal_(parameter, std=learned.initial)
    buffers = dict(model.named_buffers())
    for name, array in network.fixed.items():
        buffers[name].data[...] = buffers[name].backend.asarray(array)
        buffers[name].bump_version()


def _take(parameter, learned, weights):
    """The numbers of a layer of another network, under the name that the layer's weight or bias has there."""
    function, (layer,) = learned.function
    if weights is None:
        raise ValueError(
            f"[{learned.layer}] takes its first values from another network, by {function}({layer}): give that "
            "network with weights=..."
        )
    name = f"{layer}{learned.name.removeprefix(learned.layer)}"
    if name not in weights or tuple(weights[name].shape) != parameter.shape:
        found = f"has the shape {tuple(weights[name].shape)}" if name in weights else "is not there"
        raise ValueError(
            f"[{learned.layer}] takes its first values by {function}({layer}), {parameter.shape}, but {name} {found} "
            "in the network of weights=..."
        )
    parameter.data[...] = parameter.backend.asarray(weights[name], parameter.dtype)
    parameter.bump_version()
