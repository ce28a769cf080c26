"""Training on a GPU against training on NumPy: optimisers, batch norm, AlexNet, uploads.

`python -m pytest -m gpu` runs these tests; tests/fake_cuda runs them where there is no GPU.
"""

from __future__ import annotations

import numpy as np
import pytest
import usable
from test_gpu import train

from minialex import Tensor, backends, functional, models, nn, optim, random

pytestmark = pytest.mark.gpu
ALEXNET_STEPS = 10


@pytest.fixture
def gpu():
    """The backend, or a skipped test."""
    return usable.or_skip("cupy")


# ---------------------------------------------------------------------------------------------- steps


OPTIMISERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1, weight_decay=1e-2),
    "Nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "the paper's": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, velocity="paper", weight_decay=1e-2),
    "the paper's, Nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, velocity="paper", nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=1e-2, weight_decay=1e-2),
    "AdamW": lambda p: optim.AdamW(p, lr=1e-2),
}


def five_steps(backend, make):
    """(losses, weights and running statistics by name) of a small network with batch norm and dropout."""
    random.manual_seed(1)
    model = nn.Sequential(
        {
            "conv": nn.Conv2d(3, 4, 3, bias=False),  # batch norm takes a bias away: its gradient is rounding alone
            "norm": nn.BatchNorm2d(4),
            "relu": nn.ReLU(),
            "flat": nn.Flatten(),
            "fc1": nn.Linear(4 * 36, 5),
            "drop": nn.Dropout(0.3),
            "fc2": nn.Linear(5, 3),
        }
    ).to(backend)
    optimizer, draw, losses = make(list(model.parameters())), np.random.default_rng(2), []
    for _ in range(5):
        x, labels = draw.standard_normal((4, 3, 8, 8), np.float32), draw.integers(0, 3, 4)
        loss = functional.cross_entropy(model(Tensor(x, backend=backend)), labels, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: backends.get_backend(backend).to_numpy(array) for name, array in model.state_dict().items()}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_five_steps_of_every_optimiser(gpu, name):
    losses, ours = five_steps("cupy", OPTIMISERS[name])
    expected, theirs = five_steps("numpy", OPTIMISERS[name])
    assert losses == pytest.approx(expected, rel=1e-5) and len(set(expected)) == 5
    assert "norm.running_var" in theirs
    for key, array in theirs.items():
        assert ours[key].dtype == array.dtype
        np.testing.assert_allclose(ours[key], array, rtol=0, atol=2e-6, err_msg=key)


@pytest.mark.heavy
def test_steps_of_alexnet_as_on_numpy(gpu):
    """At batch 2, with dropout: losses and every weight."""
    (losses, ours), (expected, theirs) = (train("alexnet", backend, 2, ALEXNET_STEPS) for backend in (gpu, "numpy"))
    assert losses == pytest.approx(expected, rel=1e-5) and len(set(expected)) == ALEXNET_STEPS
    random.manual_seed(5)
    for name, start in models.build("alexnet").named_parameters():
        moved, apart = np.linalg.norm(theirs[name] - start.numpy()), np.linalg.norm(ours[name] - theirs[name])
        # Roundings send a gradient along other ways where two maxima nearly tie: the Numba backend differs by as much.
        assert apart < (1e-4 if name.startswith("fc") else 0.1) * moved, name


# ---------------------------------------------------------------------------------------------- uploads


def squares(backend, batches):
    """The sum of a function of each batch that backend.upload yields; arrays of the images' size come and go."""
    sums = []
    for images, _ in backend.upload(batches):
        a = images * np.float32(2)
        b = backend.relu(a)
        c = b + a
        del a, b
        sums.append((c * c).sum())
        del c
    return [float(s) for s in sums]


def test_each_batch_arrives_whole(gpu, rng):
    """Twice over, as in two epochs: the second takes memory that the first was still using a moment ago."""
    images = [rng.standard_normal((n, 3, 16, 16), np.float32) for n in (8, 8, 8, 8, 8, 3, 9)]
    expected = [float(((np.maximum(2 * x, 0) + 2 * x).astype(np.float64) ** 2).sum()) for x in images]
    batches = [(x, np.arange(len(x))) for x in images]
    assert squares(gpu, batches) + squares(gpu, batches) == pytest.approx(2 * expected, rel=1e-5)
    assert [list(labels) for _, labels in gpu.upload(batches)] == [list(range(len(x))) for x in images]


def test_what_is_made_after_a_loop_that_was_left_early(gpu, rng):
    """The copies that are still on their way reach nothing that others have made since."""
    for _ in gpu.upload((rng.standard_normal((8, 3, 16, 16), np.float32), 0) for _ in range(4)):
        break
    arrays = [gpu.xp.full((8, 3, 16, 16), k, np.float32) for k in range(6)]
    gpu.xp.cuda.runtime.deviceSynchronize()
    assert [float(abs(a - k).max()) for k, a in enumerate(arrays)] == [0.0] * 6
