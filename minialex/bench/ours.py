"""minialex as a contender: its work on one backend, as functions without arguments that a clock can be held to."""

from __future__ import annotations

from .. import backends, functional, nn
from ..tensor import Tensor, no_grad
from ..training.recipe import make_optimizer
from .workloads import RECIPE


class Minialex:
    """A backend by its name. Whatever the backend cannot be made for is raised: ImportError, OSError, ValueError."""

    def __init__(self, name):
        self.name, self.backend = name, backends.get_backend(name)

    def model(self, workload):
        """The network on this backend."""
        return workload.build().to(self.backend)

    def network(self, workload, batch_size):
        """The network with its optimiser and a batch: `.step()` and `.forward()`."""
        return Network(self.model(workload), self.backend, workload.batch(batch_size))

    def layer(self, model, layer, images, cotangent):
        """Forward and backward of one layer of `model` alone."""
        module = dict(model.named_children())[layer.name]
        if isinstance(module, nn.ReLU):
            module = nn.ReLU()  # not in place: an input that is nobody's result may not be overwritten
        x, gy = self._tensor(images, requires_grad=not layer.first), self.backend.asarray(cotangent)

        def run():
            x.grad = None
            module.zero_grad()
            module(x).backward(gy)

        return run

    def loss(self, logits, labels):
        """Softmax, cross-entropy and their gradient."""
        x = self._tensor(logits, requires_grad=True)

        def run():
            x.grad = None
            functional.cross_entropy(x, labels).backward()

        return run

    def update(self, model):
        """The optimiser's step on all parameters."""
        for p in model.parameters():
            p.grad = self.backend.xp.full_like(p.data, 1e-3)
        return make_optimizer(model, RECIPE).step

    def _tensor(self, array, requires_grad):
        return Tensor(array, requires_grad=requires_grad, backend=self.backend)


class Network:
    """A network in training, with its optimiser and one batch."""

    def __init__(self, model, backend, batch):
        self.model, self.optimizer = model, make_optimizer(model, RECIPE)
        self.images, self.labels = Tensor(batch[0], backend=backend), batch[1]

    def step(self):
        """Forward, loss, backward, update."""
        functional.cross_entropy(self.model(self.images), self.labels).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()  # at the end: while the others have their turn no gradients are held

    def forward(self):
        """The logits, as in evaluation."""
        self.model.eval()
        with no_grad():
            self.model(self.images)
        self.model.train()
