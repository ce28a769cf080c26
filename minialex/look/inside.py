"""Activations by forward hooks, and gradients with respect to the input; the model is left unchanged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..models.names import published_names
from ..nn import Graph, Linear, Module
from ..nn.more import evaluating
from ..support.types import Array
from ..tensor import Tensor, no_grad


class Maps(NamedTuple):
    """A layer's feature maps.

    name: of the layer in the network.
    layer: the Module.
    maps: its output (N, C, H, W).
    """

    name: str
    layer: Module
    maps: np.ndarray


def feature_maps(model: Module, images: Array) -> list[Maps]:
    """The feature maps of every layer whose output is 4-D, in the order of computation; of a Graph by its names.

    model: any Module; it runs in evaluation mode.
    images: float (N, C, H, W), preprocessed.

    Returns a list of Maps.
    """
    found: list[Maps] = []
    names: dict[Module, list[str]] = {}  # of a module that runs several times, the names in order

    def look(module, inputs, output):
        name = names[module].pop(0) if len(names[module]) > 1 else names[module][0]
        if output.ndim == 4:
            found.append(Maps(name, module, np.array(output.numpy())))  # a copy: an in-place ReLU may overwrite it

    layers = model.layers if isinstance(model, Graph) else [(*pair, ()) for pair in model.named_modules()]
    for name, module, _ in layers:
        if isinstance(module, Module) and not list(module.children()):
            names.setdefault(module, []).append(name)
    with contextlib.ExitStack() as stack, no_grad(), evaluating(model):
        for module in names:
            stack.enter_context(module.register_forward_hook(look))
        model(Tensor(images))
    return found


def input_gradient(model: Module, images: Array, targets: Array | None = None) -> tuple[Array, Array, Array]:
    """The gradient of one logit per image with respect to the image's pixels.

        gradient_n = d logit[n, targets_n] / d images_n

    model: a classifier; it runs in evaluation mode, and its parameters' gradients are neither computed nor changed.
    images: float (N, C, H, W), preprocessed.
    targets: a class index for each image; the predicted classes if None.

    Returns (gradient (N, C, H, W), logits (N, K), targets (N,)).
    Raises ValueError for a class that the network does not have.
    Simonyan, Vedaldi, Zisserman 2013, section 3.
    """
    x = Tensor(images, requires_grad=True)
    learned = [p for p in model.parameters() if p.requires_grad]
    with contextlib.ExitStack() as stack, evaluating(model):
        for p in learned:
            p.requires_grad_(False)
            stack.callback(p.requires_grad_, True)
        logits = model(x)
    values = logits.numpy()
    targets = values.argmax(1) if targets is None else np.asarray(targets)
    if targets.shape != values.shape[:1] or targets.min() < 0 or targets.max() >= values.shape[1]:
        raise ValueError(
            f"targets must be {len(values)} classes from 0 to {values.shape[1] - 1}, got {targets.tolist()}"
        )
    logits.backward((np.arange(values.shape[1]) == targets[:, None]).astype(values.dtype))
    return x.grad.numpy(), values, targets  # type: ignore[union-attr]


def hidden_layer(model: Module) -> tuple[Module, str]:
    """The last fully connected layer, and the name of the layer with weights before it, e.g. "fc7".

    model: a classifier; the order of its layers is that of their definition, which in a Sequential or a Graph is the
        one in which they run.

    Returns (layer, name), the name being "its input" where there is no layer with weights before it.
    Raises ValueError for a network without a fully connected layer.
    """
    modules = dict(model.named_modules())
    layers = [(modules[own], name) for name, own in published_names(model).items()]
    last = next((n for n in reversed(range(len(layers))) if isinstance(layers[n][0], Linear)), None)
    if last is None:
        raise ValueError("this network has no fully connected layer, so no last hidden layer")
    return layers[last][0], layers[last - 1][1] if last else "its input"


def hidden_values(model: Module, images: Array) -> Array:
    """The activations of the last hidden layer, which are the input of the last fully connected layer.

    model: a classifier; it runs in evaluation mode.
    images: float (N, C, H, W), preprocessed.

    Returns (N, D).
    Raises ValueError for a network without a fully connected layer.
    """
    layer, _ = hidden_layer(model)
    seen = []
    hook = layer.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].numpy()))
    with hook, no_grad(), evaluating(model):
        model(Tensor(images))
    return np.array(seen[0])


def nearest(queries: Array, batches: Iterable[Array], count: int) -> tuple[Array, Array]:
    """The k nearest neighbours of each query by Euclidean distance, nearest first; ties go to the lower index.

    queries: (Q, D).
    batches: an iterable of arrays (n, D), whose rows are numbered from 0 through all batches; only one is in memory.
    count: k; all rows where there are fewer.

    Returns (indices (Q, count), distances (Q, count)).
    """
    queries = np.asarray(queries, np.float64)
    indices, squares = np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0))
    start = 0
    for batch in batches:
        batch = np.asarray(batch, np.float64)
        far = (queries**2).sum(1)[:, None] - 2 * queries @ batch.T + (batch**2).sum(1)
        squares = np.concatenate([squares, np.maximum(far, 0)], 1)
        numbers = np.arange(start, start + len(batch))
        indices = np.concatenate([indices, np.broadcast_to(numbers, far.shape)], 1)
        best = np.argsort(squares, axis=1, kind="stable")[:, :count]
        indices, squares = np.take_along_axis(indices, best, 1), np.take_along_axis(squares, best, 1)
        start += len(batch)
    return indices, np.sqrt(squares)
