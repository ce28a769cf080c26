"""Training through the CUDA kernels, on the emulator."""

from __future__ import annotations

import numpy as np
import pytest
import usable
from tiny_runs import metrics, run

from minialex import Tensor, backends, cli, data, functional, models, nn, optim, random, train
from minialex.training import trainer
from minialex.training.recipe import make_optimizer


@pytest.fixture(autouse=True)
def a_compiler():
    usable.or_skip("emulator")


def losses(backend, steps):
    """Of the default network, trained by its recipe on the first pictures of its data set."""
    backends.use_backend(backend)
    random.manual_seed(0)
    preset = models.PRESETS["shapes_net"]
    pictures = data.load("shapes", limit=256).train
    model = models.build("shapes_net")
    loader = data.Loader(pictures, 25, [data.Normalize.channels(pictures)], shuffle=True, seed=0)
    run = trainer.Trainer(model, make_optimizer(model, preset.recipe), None, loader)
    return [loss for loss, _ in zip(run.steps(), range(steps))]


@pytest.mark.heavy
def test_ten_steps_as_on_numpy():
    expected = losses("numpy", 10)
    assert losses("emulator", 10) == pytest.approx(expected, rel=1e-4)
    assert len(set(expected)) == 10


@pytest.mark.heavy
def test_the_command(tmp_path, capsys):
    """The default network, through the real .cu files."""
    options = "--limit", 256, "--epochs", 1
    assert run(*options, "--backend", "emulator", "--out", tmp_path / "cuda") == 0
    out = capsys.readouterr().out
    assert "backend    emulator, float32" in out and out.splitlines()[-1].startswith("test accuracy ")
    assert run(*options, "--backend", "numpy", "--out", tmp_path / "numpy") == 0
    ours, theirs = metrics(tmp_path / "cuda"), metrics(tmp_path / "numpy")
    assert [row["train_error"] for row in ours] == [row["train_error"] for row in theirs]
    for column in ("train_loss", "val_loss"):
        assert float(ours[0][column]) == pytest.approx(float(theirs[0][column]), rel=1e-4)


def every_kind_of_layer(dtype):
    """A network that reaches each kernel, and the optimiser that it is trained with."""
    draw = np.random.default_rng(3)
    model = nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, padding=((0, 2), (1, 0)), dilation=2, groups=2),
        nn.ReLU(inplace=True),
        nn.LocalResponseNorm(5, alpha=0.1),
        nn.LocalResponseNorm(3, alpha=0.1, within_channel=True),
        nn.BatchNorm2d(6),
        nn.MaxPool2d(3, 2, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2, 1),
        nn.Flatten(),
        nn.Dropout(0.3, generator=random.Generator(7)),
        nn.Linear(6 * 3 * 2, 5),
    )
    for p in model.parameters():
        p.data = (draw.standard_normal(p.shape) * 0.4 + 0.1).astype(np.float32)
    return model.to(dtype)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.01, velocity="paper"),
        lambda p: optim.SGD(p, 0.05, momentum=0.9, dampening=0.1, nesterov=False),
        lambda p: optim.SGD(p, 0.05, momentum=0.8, nesterov=True),
        lambda p: optim.SGD(p, 0.05),
        lambda p: optim.Adam(p, 0.01, weight_decay=0.01),
        lambda p: optim.AdamW(p, 0.01),
    ],
    ids=["paper", "dampening", "nesterov", "plain", "Adam", "AdamW"],
)
@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
def test_every_kernel_and_optimiser(make, dtype):
    """Weights after three steps; float64 agrees to a few digits less than it has."""
    images = np.random.default_rng(1).standard_normal((7, 4, 15, 13)).astype(dtype)
    labels = np.array([0, 4, 2, -100, 1, 3, 2])
    ends = {}
    for backend in ("numpy", "emulator"):
        model = every_kind_of_layer(dtype).to(backend)
        optimizer = make(model.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            logits = model(Tensor(images, backend=backend))
            functional.cross_entropy(logits, labels, label_smoothing=0.1).backward()
            optimizer.step()
        ends[backend] = [p.numpy() for p in model.parameters()]
    for ours, expected in zip(ends["emulator"], ends["numpy"], strict=True):
        assert ours.dtype == dtype
        tolerance = 1e-11 if dtype == np.float64 else 1e-4
        np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


@pytest.mark.heavy
def test_one_seed_one_run():
    assert losses("emulator", 3) == losses("emulator", 3)


def test_convolution_in_chunks(rng, monkeypatch):
    """Columns of two pictures at a time, and of the one that is left: as if they were all there."""
    backend = backends.get_backend("emulator")
    x, w = (Tensor(rng.standard_normal(shape), True, backend=backend) for shape in ((5, 4, 6, 7), (6, 2, 3, 2)))
    gy = rng.standard_normal((5, 6, 4, 6))
    ends = []
    for columns in (1 << 30, 2 * 4 * 6 * 24 * 8):
        monkeypatch.setattr(type(backend), "columns", columns)
        x.grad = w.grad = None
        y = functional.conv2d(x, w, groups=2)
        y.backward(gy)
        ends.append([y.numpy(), x.grad, w.grad])
    for whole, pieces in zip(*ends, strict=True):
        np.testing.assert_allclose(pieces, whole, rtol=1e-12, atol=1e-12)


def test_pooling_windows_of_more_than_256_places(rng):
    """Their numbers do not fit into a byte: such windows are left to the array module."""
    x = rng.standard_normal((2, 3, 20, 19))
    ends = []
    for backend in ("numpy", "emulator"):
        t = Tensor(x, True, backend=backend)
        y = functional.max_pool2d(t, 17, 2)
        y.backward(np.ones(y.shape) * np.arange(y.shape[3]))
        ends.append((y.numpy(), t.grad))
    for ours, expected in zip(*ends, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_without_a_gpu(tmp_path, capsys):
    try:
        backends.get_backend("cupy")
    except ValueError:
        pass
    else:
        pytest.skip("there is a GPU here")
    assert cli.run(train.main, ["--backend", "cupy", "--limit", "10", "--out", str(tmp_path / "r")]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: the cupy backend cannot be used here (CuPy ") and err.count("\n") == 1 and not out
    assert not (tmp_path / "r" / "last.npz").exists()
