"""A network at work on one input, computed by minialex: what a page shows of a network that is too large to compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import functional, nn
from ..models.layout import Row
from ..nn.more import evaluating
from ..support.types import Array
from ..tensor import Tensor, no_grad


class AtWork:
    """All values of a network for one input, and all gradients of the loss of one class.

        values[n + 1] = layer_n(values of its sources)      values[-1] = softmax(logits)      loss = -log values[-1][t]

    rows: the network's layers, of `layers_of`.
    image: float32 (C, H, W), preprocessed.
    target: t, the number of the class; None for the most probable one.

    Layers are numbered as by `describe`: 0 is the input, the last is softmax.
    values, gradients: a list of arrays without the batch; the last gradient is None: backward begins at the logits.
    parameter_gradients: for each layer {name: array}.
    loss: a number.
    cams: {layer: (H, W)}, Grad-CAM of every layer of maps, see `grad_cam`.
    """

    def __init__(self, rows: Sequence[Row], image: Array, target: int | None = None) -> None:
        self.rows = rows
        with evaluating(nn.ModuleList([row.layer for row in rows])), _GradientsApart(rows):
            tensors = _forward(rows, image)
            logits = tensors[-1]
            self.values = [t.numpy()[0] for t in tensors]
            self.values.append(functional.softmax(logits.detach(), 1).numpy()[0])
            self.target = int(self.values[-1].argmax()) if target is None else target
            loss = functional.cross_entropy(logits, np.array([self.target]))
            loss.backward()
            self.loss = loss.item()
            self.gradients = [_gradient(t) for t in tensors] + [None]
            self.parameter_gradients: list[dict[str, Array]] = [{}, *map(_of_parameters, rows), {}]
        self.cams = grad_cam(rows, image, self.target)

    def weight(self, n: int) -> Array:
        """The weight of a layer; n: its number."""
        layer: Any = self.rows[n - 1].layer
        return layer.weight.numpy()


def grad_cam(rows: Sequence[Row], image: Array, target: int) -> dict[int, Array]:
    """Grad-CAM of every layer of maps A and a class t:

        a_c = mean over i, j of  d logit_t / d A_cij      L_ij = max(0, sum over c of  a_c A_cij)

    Arguments as of AtWork. Returns {number of the layer: (H, W)}. Selvaraju et al. 2017.
    """
    with evaluating(nn.ModuleList([row.layer for row in rows])), _GradientsApart(rows, needed=False):
        tensors = _forward(rows, image)
        tensors[-1][0, target].backward()
        found = {}
        for n, maps in enumerate(tensors):
            if n and maps.ndim == 4 and maps.shape[2] * maps.shape[3] > 1:
                weights = _gradient(maps).mean((1, 2))
                found[n] = np.maximum(np.tensordot(weights, maps.numpy()[0], 1), 0)
    return found


def probabilities(rows: Sequence[Row], images: Array) -> Array:
    """softmax(logits) of several images; rows: as of AtWork; images: float32 (N, C, H, W). Returns (N, classes)."""
    with no_grad(), evaluating(nn.ModuleList([row.layer for row in rows])):
        return functional.softmax(_forward(rows, images)[-1], 1).numpy()


def _forward(rows, images):
    """The tensors of the input, one image or several, and of all layers, each of which keeps its gradient."""
    first = next((p for row in rows for p in row.layer.parameters()), None)
    like: dict[str, Any] = {} if first is None else {"dtype": first.dtype, "backend": first.backend}
    x = Tensor(np.asarray(images, np.float32).reshape(-1, *images.shape[-3:]), requires_grad=True, **like)
    known = {next(source for row in rows for source in row.sources): x}
    tensors = [x]
    for row in rows:
        layer = nn.ReLU() if isinstance(row.layer, nn.ReLU) else row.layer  # in place, it would overwrite its input
        y = layer(*(known[source] for source in row.sources))
        if any(y is known[source] for source in row.sources):
            y = y.view(*y.shape)  # as dropout in evaluation, which returns its input itself
        if y.requires_grad:
            y.retain_grad()
        known[row.name] = y
        tensors.append(y)
    return tensors


def _gradient(tensor):
    """That of a tensor, without the batch; 0 where the loss does not depend on it."""
    return np.zeros(tensor.shape[1:], np.float32) if tensor.grad is None else tensor.grad.numpy()[0]


def _of_parameters(row):
    return {name: p.grad.numpy() for name, p in row.layer.named_parameters() if p.grad is not None}


class _GradientsApart:
    """A context in which parameters begin without gradients, and with needed=False get none; then all is as before."""

    def __init__(self, rows, needed=True):
        self.parameters = list({id(p): p for row in rows for p in row.layer.parameters()}.values())
        self.needed = needed

    def __enter__(self):
        self.before = [(p.grad, p.requires_grad) for p in self.parameters]
        for p in self.parameters:
            p.grad = None
            p.requires_grad = p.requires_grad and self.needed

    def __exit__(self, *error):
        for p, (gradient, required) in zip(self.parameters, self.before):
            p.grad, p.requires_grad = gradient, required
