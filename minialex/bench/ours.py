"""minialex as a contender: its work on one backend, as functions without arguments to be timed."""

from __future__ import annotations

from .. import backends, functional, nn
from ..tensor import Tensor, no_grad
from ..training.recipe import make_optimizer
from .workloads import RECIPE


class Minialex:
    """minialex on one backend.

    name: of the backend.

    Raises ImportError, OSError or ValueError where the backend does not run here.
    """

    def __init__(self, name):
        self.name, self.backend = name, backends.get_backend(name)

    def model(self, workload):
        """The workload's network on this backend."""
        return workload.build().to(self.backend)

    def network(self, workload, batch_size):
        """The workload's network with an optimiser and a batch of batch_size images; has .step() and .forward()."""
        return Network(self.model(workload), self.backend, workload.batch(batch_size))

    def layer(self, model, layer, images, cotangent):
        """A function that runs forward and backward of one layer.

        model: what `model` returned.
        layer: a workloads.Layer.
        images, cotangent: NumPy arrays, the layer's input and the gradient of its output.
        """
        module = dict(model.named_children())[layer.name]
        if isinstance(module, nn.ReLU):
            module = nn.ReLU()  # not in place: a leaf may not be overwritten
        x, gy = self._tensor(images, requires_grad=not layer.first), self.backend.asarray(cotangent)

        def run():
            x.grad = None
            module.zero_grad()
            module(x).backward(gy)

        return run

    def loss(self, logits, labels):
        """A function that runs cross-entropy, forward and backward. logits: (N, C); labels: (N,)."""
        x = self._tensor(logits, requires_grad=True)

        def run():
            x.grad = None
            functional.cross_entropy(x, labels).backward()

        return run

    def update(self, model):
        """A function that runs one optimiser step on all parameters of `model`."""
        for p in model.parameters():
            p.grad = self.backend.xp.full_like(p.data, 1e-3)
        return make_optimizer(model, RECIPE).step

    def _tensor(self, array, requires_grad):
        return Tensor(array, requires_grad=requires_grad, backend=self.backend)


class Network:
    """A network in training, with its optimiser and one batch.

    model: a Module on the backend.
    backend: a Backend.
    batch: (images, labels), NumPy arrays.
    """

    def __init__(self, model, backend, batch):
        self.model, self.optimizer = model, make_optimizer(model, RECIPE)
        self.images, self.labels = Tensor(batch[0], backend=backend), batch[1]

    def step(self):
        """Forward, loss, backward, update."""
        functional.cross_entropy(self.model(self.images), self.labels).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()  # at the end, so that no gradients are held while other contenders run

    def forward(self):
        """Forward pass in evaluation mode."""
        self.model.eval()
        with no_grad():
            self.model(self.images)
        self.model.train()
