"""A batch without pictures, as a process has that shares a short last batch: empty logits, gradients of 0."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import Tensor, backends, models
from minialex.nn import init

SIZES = {"shapes_net": 32, "cifar_quick": 32, "cifar_18pct": 32, "cifar_13pct": 24, "alexnet_2012": 67}


@pytest.mark.parametrize("backend", ["numpy", "numba", "emulator"])
@pytest.mark.parametrize("name", SIZES)
def test_nothing_passes_through(name, backend):
    before = backends.get_backend()
    backends.use_backend(backend)
    try:
        with init.skipped():
            size = {"input_size": 67} if name == "alexnet_2012" else {}
            model = models.build(name, num_classes=7, **size).train()
        logits = model(Tensor(np.zeros((0, 3, SIZES[name], SIZES[name]), np.float32)))
        assert logits.shape == (0, 7)
        logits.backward(np.zeros((0, 7), np.float32))
        for parameter in model.parameters():
            assert parameter.grad.shape == parameter.shape and not parameter.grad.numpy().any()
    finally:
        backends.use_backend(before)
