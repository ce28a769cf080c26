"""Training steps replayed against a twin in torch: the same weights, pictures and masks must give the same losses."""

from __future__ import annotations

import dataclasses
import resource
import time

import numpy as np
import pytest

from minialex import Tensor, functional, models, nn, random
from minialex.training.recipe import make_optimizer

pytest.importorskip("torch", reason="torch is not installed")
import torch
import twins

MIXED = models.Recipe(
    "shapes", 1, 1, lr=0.02, optimizer="sgd", weight_decay={"conv": 0.01, "fc": 0.1}, bias_lr=2.0, bias_decay=False
)
norm = np.linalg.norm


def odd_net():
    """What the published networks lack: tanh, norms within channels and groups, uneven padding, inverted dropout."""
    return nn.Sequential(
        {
            "conv1": nn.Conv2d(3, 6, 5, stride=2, padding="same"),
            "tanh1": nn.Tanh(),
            "norm1": nn.LocalResponseNorm(3, alpha=0.5, within_channel=True),
            "pool1": nn.AvgPool2d(3, 2, padding=1, ceil_mode=True, count_include_pad=False),
            "conv2": nn.Conv2d(6, 8, (3, 2), padding=((0, 2), (1, 1)), groups=2, bias=False),
            "relu2": nn.ReLU(inplace=True),
            "norm2": nn.LocalResponseNorm(4, alpha=0.3, beta=0.6, groups=2),
            "pool2": nn.MaxPool2d(3, 2, padding=1),
            "norm3": nn.LocalResponseNorm(2, alpha=0.2, alpha_over="element", within_channel=True),
            "drop2": nn.Dropout(0.2),
            "flatten": nn.Flatten(),
            "fc3": nn.Linear(8 * 5 * 5, 20),
            "relu3": nn.ReLU(),
            "drop3": nn.Dropout(0.4),
            "fc4": nn.Linear(20, 10),
        }
    )


def make(name):
    """(model, recipe) with dropout in the form that the name says."""
    if name == "odd_net":
        return odd_net(), MIXED
    name, _, form = name.partition(", ")
    model = models.build(name)
    for layer in model:
        if form and isinstance(layer, nn.Dropout):
            layer.inverted = form == "inverted"
    return model, models.PRESETS[name].recipe


def batches(seed, count, size, side, classes, dtype, scale=1.0):
    draw = np.random.default_rng(seed)
    for _ in range(count):
        yield (scale * draw.standard_normal((size, 3, side, side))).astype(dtype), draw.integers(0, classes, size)


def our_losses(model, recipe, data):
    """(the loss before each training step, seconds of each)."""
    optimizer, losses, seconds = make_optimizer(model, recipe), [], []
    for images, labels in data:
        start = time.perf_counter()
        loss = functional.cross_entropy(model(Tensor(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        losses.append(loss.item())
    return losses, seconds


def twin_losses(copy, recipe, data):
    optimizer = twins.twin_optimizer(copy, recipe)
    return [twins.train_step(copy, optimizer, images, labels) for images, labels in data]


def replay(model, recipe, data):
    """(our losses, the twin's, name -> (weights' distance from the twin's, how far the twin's moved))."""
    copy, data = twins.twin(model), list(data)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    losses = our_losses(model, recipe, data)[0], twin_losses(copy, recipe, data)
    after = {name: t.numpy() for name, t in copy.state_dict().items()}
    assert list(after) == list(before)
    return *losses, {n: (norm(w - after[n]), norm(after[n] - before[n])) for n, w in model.state_dict().items()}


@pytest.mark.parametrize("name", ["shapes_net", "shapes_net, inverted", "cifar_quick", "odd_net"])
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-9)], ids=["float32", "float64"])
def test_ten_training_steps_are_a_twins(name, dtype, tolerance):
    random.manual_seed(3)
    model, recipe = make(name)
    model.to(dtype)
    scale = 60.0 if recipe.normalization == "mean-image" else 1.0
    ours, theirs, weights = replay(model, recipe, batches(4, 10, 9, 32, 10, dtype, scale))
    np.testing.assert_allclose(ours, theirs, rtol=tolerance)
    assert max(ours) - min(ours) > 100 * tolerance * ours[0]  # they did learn something
    for n, (distance, moved) in weights.items():
        assert moved > 0 and distance < 50 * tolerance * moved, n


@pytest.mark.parametrize("name", ["shapes_net", "shapes_net, inverted", "cifar_quick", "odd_net"])
def test_evaluation_is_a_twins(name):
    model, _ = make(name)
    model.to(np.float64).eval()
    x = np.random.default_rng(5).standard_normal((4, 3, 32, 32))
    call = random.default_generator.call
    logits = twins.twin(model)(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(model(Tensor(x)).data, logits, rtol=1e-10, atol=1e-13)
    assert random.default_generator.call == call


def test_a_twin_notices_another_mask_and_another_rate():
    """The comparison is worth something: a mask or a rate that differs shows at once."""

    def losses(spoil):
        random.manual_seed(3)
        model, recipe = make("shapes_net")
        data = list(batches(4, 4, 9, 32, 10, np.float32))
        copy = twins.twin(model, random.Generator(99) if spoil == "mask" else None)
        slower = dataclasses.replace(recipe, lr=recipe.lr * 0.9) if spoil == "rate" else recipe
        return np.array(our_losses(model, recipe, data)[0]), np.array(twin_losses(copy, slower, data))

    for spoil in ("mask", "rate"):
        ours, theirs = losses(spoil)
        assert np.abs(ours / theirs - 1).max() > 1e-4
    np.testing.assert_allclose(*losses(None), rtol=1e-5)


def test_a_layer_without_a_twin_is_named():
    class Strange(nn.Module):
        pass

    with pytest.raises(TypeError, match="Strange has no twin"):
        twins.twin(nn.Sequential(Strange()))


# ------------------------------------------------------------------------------------------------ AlexNet in full size


def replay_alexnet(dtype):
    random.manual_seed(0)
    model, recipe = make("alexnet")
    return replay(model.to(dtype), recipe, batches(1, 2, 2, 227, 1000, dtype))


def test_two_steps_of_alexnet_are_a_twins():
    """Its maps begin almost flat (weights of 0.01 beside biases of 1), so that in float32 the winners of many pools are
    decided by rounding: the convolutions' gradients have few digits, torch's as well as ours. The float64 test has all.
    """
    ours, theirs, weights = replay_alexnet(np.float32)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert 6.6 < ours[0] < 8.6
    for n, (distance, moved) in weights.items():
        assert moved > 0 and distance < (0.1 if n.startswith("conv") else 1e-3) * moved, n


@pytest.mark.heavy
def test_ten_steps_of_alexnet_at_batch_32(capsys):
    """Run alone, `pytest --heavy tests/models/test_twins.py -k batch_32`, it prints seconds a step and peak memory."""

    def make_again():
        random.manual_seed(0)
        return (*make("alexnet"), batches(1, 10, 32, 227, 1000, np.float32))

    ours, seconds = our_losses(*make_again())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # before the twin is made
    model, recipe, data = make_again()
    start = time.perf_counter()
    theirs = twin_losses(twins.twin(model), recipe, data)
    twins_seconds = (time.perf_counter() - start) / 10
    difference = max(abs(a / b - 1) for a, b in zip(ours, theirs))
    with capsys.disabled():
        print(f"\nlosses {' '.join(f'{x:.4f}' for x in ours)}; largest relative difference {difference:.1e}")
        print(f"{np.median(seconds):.2f} s a step (median of ten), the twin {twins_seconds:.2f} s")
        print(f"peak memory {peak:.2f} GiB, of the whole process, before the twin was made")
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert 6.6 < ours[0] < 8.6


@pytest.mark.heavy
def test_two_steps_of_alexnet_in_float64_are_a_twins():
    ours, theirs, weights = replay_alexnet(np.float64)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    for n, (distance, moved) in weights.items():
        assert moved > 0 and distance < 1e-9 * moved, n
