"""Learning a few pictures by heart: what counts as knowing, and when it gives up."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import data, nn, optim
from minialex.tensor import Tensor
from minialex.training import evaluation, overfit, trainer


def task(rng, count=6, classes=3, batch_size=4):
    images = rng.integers(0, 256, (count, 1, 4, 4), dtype=np.uint8)
    pictures = data.ArrayDataset(images, np.arange(count) % classes, "abc")
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5, inverted=False), nn.Linear(16, classes))
    return overfit.without_dropout(model), data.Loader(pictures, batch_size, [data.Normalize.channels(pictures)])


def test_it_stops_when_all_are_right_and_sure(rng):
    model, loader = task(rng)
    initial = {name: array.copy() for name, array in model.state_dict().items()}
    knows, right, steps, loss = overfit.overfit_batch(model, optim.SGD(model.parameters(), 0.5), loader)
    assert knows and right == 6 and steps % 2 == 0 and loss < overfit.TARGET_LOSS
    result = evaluation.validate(model, loader.epoch())
    assert (result.top1_errors, result.loss) == (0, loss), "of the weights as they are now"

    model.load_state_dict(initial)
    losses = []
    for _ in range(steps // 2):
        list(trainer.Trainer(model, optim.SGD(model.parameters(), 0.5), None, loader).steps())
        losses.append(evaluation.validate(model, loader.epoch()))
    assert all(r.top1_errors or r.loss >= overfit.TARGET_LOSS for r in losses[:-1]), "no pass too many"


def test_pictures_that_contradict_each_other(rng, monkeypatch):
    monkeypatch.setattr(overfit, "MOST_STEPS", 7)
    model, loader = task(rng)
    loader.dataset.images[...] = loader.dataset.images[0]
    knows, right, steps, loss = overfit.overfit_batch(model, optim.SGD(model.parameters(), 0.1), loader)
    assert not knows and right == 2 and steps == 8 and loss > 1, "whole passes: two steps each"


def test_right_is_not_enough(rng, monkeypatch):
    """Known from the start, but barely: the loss decides."""
    monkeypatch.setattr(overfit, "MOST_STEPS", 4)
    model, loader = task(rng, count=1, classes=2)
    model[2].weight.data[...] = 0
    model[2].bias.data[...] = [0.1, 0]
    knows, right, steps, loss = overfit.overfit_batch(model, optim.SGD(model.parameters(), 0.0), loader)
    assert (knows, right, steps) == (False, 1, 4) and loss == pytest.approx(np.log1p(np.exp(-0.1)))


def test_neither_is_a_low_loss(monkeypatch):
    """One picture in a hundred is wrong, the others are known well: a mean loss of 0.06."""
    monkeypatch.setattr(overfit, "MOST_STEPS", 1)
    labels = np.zeros(100, int)
    labels[70] = 1
    pictures = data.ArrayDataset(np.zeros((100, 1, 2, 2), np.uint8), labels, "ab")
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    model[1].bias.data[...] = [4, 0]
    loader = data.Loader(pictures, 100, [data.Normalize.channels(pictures)])
    knows, right, _, loss = overfit.overfit_batch(model, optim.SGD(model.parameters(), 0.0), loader)
    assert (knows, right) == (False, 99) and loss < overfit.TARGET_LOSS


def test_accumulation_and_a_watcher(rng, monkeypatch):
    monkeypatch.setattr(overfit, "MOST_STEPS", 2)
    watched = []

    def watch(items):
        for item in items:
            watched.append(item)
            yield item

    model, loader = task(rng)
    _, _, steps, _ = overfit.overfit_batch(model, optim.SGD(model.parameters(), 0.0), loader, 2, watch)
    assert steps == 2 and len(watched) == 2 * (1 + 2), "a step, and two batches of evaluation, in each of two passes"


def test_without_dropout(rng):
    model = nn.Sequential(nn.Sequential(nn.Dropout(0.5, inverted=False)), nn.Dropout(0.9))
    x = rng.standard_normal((3, 5))
    assert overfit.without_dropout(model) is model
    for mode in (True, False):
        assert (model.train(mode)(Tensor(x)).data == x).all()
