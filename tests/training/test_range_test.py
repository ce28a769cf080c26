"""The learning-rate range test: what it tries, what it suggests, and that all is afterwards as it was before."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from tiny_trainer import everything
from tiny_trainer import prepared as trainer

from minialex import Tensor, data, functional, nn, optim, random
from minialex.training import lr_find


def bowl(curvature=1.0):
    """Gradient descent on c w^2 / 2 from w = 1: w shrinks by 1 - lr c, and grows above lr = 2 / c."""
    w = nn.Parameter(np.ones(1, np.float32))
    model = nn.Module()
    model.w, model.forward = w, lambda x: x * w * w
    return model, optim.SGD([w], 0.5), [(Tensor(np.full(1, curvature / 2, np.float32)), None)]


def mean(outputs, targets):
    return outputs.sum()


def test_the_learning_rates_are_a_geometric_series():
    tested = lr_find(*bowl(), mean, lowest=1e-4, highest=1e-2, steps=5)
    np.testing.assert_allclose(tested.lrs, [1e-4, 10**-3.5, 1e-3, 10**-2.5, 1e-2])
    assert not tested.diverged and len(tested.losses) == 5


def test_losses_and_their_average_by_hand():
    tested = lr_find(*bowl(), mean, lowest=0.01, highest=0.1, steps=3)
    w, losses = 1.0, []
    for lr in tested.lrs:
        losses.append(w * w / 2)
        w *= 1 - lr
    np.testing.assert_allclose(tested.losses, losses, rtol=1e-5)
    a, b, c = losses
    np.testing.assert_allclose(tested.smoothed, [a, (0.9 * a + b) / 1.9, (0.81 * a + 0.9 * b + c) / 2.71], rtol=1e-5)


@pytest.mark.parametrize("curvature", [0.1, 1.0, 30.0])
def test_it_suggests_by_the_curvature_and_stops_where_the_loss_grows(curvature):
    """The best learning rate of the bowl is 1 / c, and 2 / c too high; a sweep has done most of its way before."""
    tested = lr_find(*bowl(curvature), mean, lowest=1e-5, highest=1e3, steps=100)
    assert tested.diverged and len(tested.lrs) < 100
    assert 0.005 < tested.suggestion * curvature < 0.5
    assert tested.losses[-1] > 4 * np.nanmin(tested.losses)


def test_no_suggestion_where_the_loss_does_not_fall(rng):
    model, optimizer, _ = bowl()
    noise = [(Tensor(rng.standard_normal(1).astype(np.float32) * 1e-3), None) for _ in range(50)]
    tested = lr_find(model, optimizer, noise, lambda y, t: y.sum() * 0 + y.detach() + 5, steps=50)
    assert tested.suggestion is None and not tested.diverged


def test_a_loss_that_becomes_nan_ends_it():
    model, optimizer, batches = bowl()
    tested = lr_find(model, optimizer, batches, lambda y, t: (y * 1e30).sum(), lowest=1e-4, highest=1e8, steps=50)
    assert tested.diverged and not np.isfinite(tested.losses[-1]) and len(tested.losses) < 50


class TestNothingHasChanged:
    def states(self, t):
        return everything(t), [p.grad for p in t.model.parameters()], t.loader._iterations

    def test_after_a_few_steps_of_training(self):
        t = trainer()
        for _, _ in zip(range(2), t.steps(), strict=False):
            pass
        grads = [p.grad for p in t.model.parameters()]
        t.model[5].bias.requires_grad_(False)
        before, modes = self.states(t), [module.training for module in t.model.modules()]
        versions = [p.version for p in t.model.parameters()]
        options = {"accumulate": 2, "clip_grad_norm": 1.0, "frozen": [t.model[0]]}
        tested = lr_find(t.model, t.optimizer, t.loader, steps=20, **options)
        assert len(tested.lrs) > 5 and len({*tested.losses}) > 5
        np.testing.assert_equal(self.states(t)[0], before[0])
        assert all(a is b for a, b in zip(self.states(t)[1], grads, strict=True)) and t.loader._iterations == before[2]
        assert [module.training for module in t.model.modules()] == modes
        assert [p.requires_grad for p in t.model.parameters()] == [True] * 5 + [False]
        assert all(p.version > version for p, version in zip(t.model.parameters(), versions, strict=True))

    def test_and_training_goes_on_as_if_it_had_not_been(self):
        expected = trainer()
        expected.fit(2, progress=False)
        t = trainer()
        lr_find(t.model, t.optimizer, t.loader, steps=10)
        t.fit(2, progress=False)
        np.testing.assert_equal(everything(t), everything(expected))

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
    def test_after_an_interruption(self, error):
        t = trainer()
        before = self.states(t)

        def loss(outputs, targets):
            if t.optimizer.param_groups[0]["lr"] > 1e-3:
                raise error
            return functional.cross_entropy(outputs, targets)

        with pytest.raises(error):
            lr_find(t.model, t.optimizer, t.loader, loss, steps=20)
        np.testing.assert_equal(self.states(t), before)

    def test_generators_of_layers_and_adam(self):
        generator = random.Generator(5)
        model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5, generator=generator), nn.Linear(4, 3))
        optimizer = optim.Adam(model.parameters(), 0.1)
        batch = Tensor(np.ones((2, 4), np.float32)), np.array([0, 1])
        functional.cross_entropy(model(batch[0]), batch[1]).backward()
        optimizer.step()
        state, call = copy.deepcopy(optimizer.state_dict()), generator.call
        lr_find(model, optimizer, [batch], steps=5)
        np.testing.assert_equal(optimizer.state_dict(), state)
        assert generator.call == call


def test_groups_keep_the_ratio_of_their_learning_rates(monkeypatch):
    a, b = nn.Parameter(np.ones(1, np.float32)), nn.Parameter(np.ones(1, np.float32))
    model = nn.Module()
    model.a, model.b, model.forward = a, b, lambda x: x * a * b
    optimizer, rates = optim.SGD([{"params": [a], "lr": 0.2}, {"params": [b], "lr": 0.4}], 0.1), []
    monkeypatch.setattr(optimizer, "step", lambda: rates.append([group["lr"] for group in optimizer.param_groups]))
    lr_find(model, optimizer, [(Tensor([1.0]), None)], mean, lowest=1e-3, highest=1e-1, steps=3)
    np.testing.assert_allclose(rates, [[1e-3, 2e-3], [1e-2, 2e-2], [1e-1, 2e-1]])
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 0.4]


def test_accumulated_batches_are_one_large_batch():
    x = np.arange(12, dtype=np.float32).reshape(4, 3) / 10
    labels = np.array([0, 1, 1, 0])

    def run(batches, accumulate):
        random.manual_seed(1)
        model = nn.Linear(3, 2)
        return lr_find(model, optim.SGD(model.parameters(), 1), batches, steps=4, highest=1.0, accumulate=accumulate)

    parts = [(Tensor(x[:2]), labels[:2]), (Tensor(x[2:]), labels[2:])]
    np.testing.assert_allclose(run(parts, 2).losses, run([(Tensor(x), labels)], 1).losses, rtol=1e-5)


def test_bad_limits_and_no_batches():
    model, optimizer, batches = bowl()
    for limits in ({"lowest": 0}, {"lowest": 2, "highest": 1}, {"steps": 1}, {"highest": np.inf}):
        with pytest.raises(ValueError, match="lr_find needs 0 < lowest < highest and 2 steps or more"):
            lr_find(model, optimizer, batches, mean, **limits)
    with pytest.raises(ValueError, match="lr_find got no batches: give a loader, a list"):
        lr_find(model, optimizer, [], mean)
    with pytest.raises(ValueError, match="too few batches"):
        lr_find(model, optimizer, iter(batches * 3), mean, steps=5)


def test_on_a_data_set_of_images(rng):
    pictures = data.ArrayDataset(rng.integers(0, 256, (20, 1, 4, 4), dtype=np.uint8), np.arange(20) % 2, "ab")
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    loader = data.Loader(pictures, 8, [data.Normalize.channels(pictures)], shuffle=True)
    tested = lr_find(model, optim.SGD(model.parameters(), 0.1, momentum=0.9), loader, steps=60)
    assert tested.suggestion is not None and 1e-4 < tested.suggestion < 1
