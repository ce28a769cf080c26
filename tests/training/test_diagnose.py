"""When training goes wrong: where a NaN began, a loss at chance, the figures of each layer, and who is left alone."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from minialex import data, functional, nn, optim, random
from minialex.tensor import Tensor
from minialex.training import diagnose, trainer


class Times(nn.Module):
    """x times a number; inf and nan make a broken layer."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def network(**broken):
    """Three levels of names; the layers in `broken` are replaced."""
    head = nn.Sequential({"relu": nn.ReLU(), "fc": nn.Linear(4, 3), **broken.pop("head", {})})
    return nn.Sequential({"flatten": nn.Flatten(), "fc1": nn.Linear(4, 4), **broken, "head": head})


PICTURES = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4, 1, 1)


class TestFirstFault:
    def test_the_first_of_many_and_by_its_dotted_name(self):
        model = network(scale=Times(np.inf), head={"fc": nn.Linear(4, 3)})
        fault = diagnose.first_fault(model, PICTURES)
        assert fault == "scale (Times) is the first module whose output is not finite; all weights still are"
        fault = diagnose.first_fault(network(head={"last": Times(np.nan)}), PICTURES)
        assert fault.startswith("head.last (Times) is the first module")

    def test_the_network_itself(self):
        class Own(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = nn.Flatten()

            def forward(self, x):
                return self.inner(x) * np.inf

        assert diagnose.first_fault(Own(), PICTURES).startswith("the network (Own) is the first module")

    def test_weights_that_were_lost_before(self):
        model = network()
        model.head.fc.weight.data[1, 2] = np.nan
        model.head.fc.bias.data[0] = np.inf
        fault = diagnose.first_fault(model, PICTURES)
        assert fault == (
            "head.fc (Linear) is the first module whose output is not finite; "
            "head.fc.weight and 1 other became NaN or inf in an earlier step"
        )
        model.fc1.bias.data[0] = np.inf
        assert "fc1 (Linear) is the first" in diagnose.first_fault(model, PICTURES)
        assert diagnose.nonfinite_tensors(model) == "fc1.bias and 2 others"
        assert diagnose.nonfinite_tensors(network()) == ""

    def test_a_buffer_counts_too(self):
        norm = nn.BatchNorm2d(4)
        norm.running_var.data[3] = np.nan
        assert diagnose.nonfinite_tensors(nn.Sequential({"bn": norm})) == "bn.running_var"

    def test_pictures_and_losses(self):
        assert diagnose.first_fault(network(), PICTURES * np.nan) == "the input images contain NaN or inf"
        assert diagnose.first_fault(network(), PICTURES) == (
            "every module's output is finite, so the loss itself overflowed; all weights still are"
        )

    def test_no_hook_is_left(self):
        model = network(scale=Times(np.inf))
        diagnose.first_fault(model, PICTURES)
        assert not any(module._hooks_of("forward") for _, module in model.named_modules())


def test_training_looks_again_with_the_same_dropout():
    """A module that fails under one mask and not under the other: the second look must draw the first one's mask."""

    class Fragile(nn.Module):
        def forward(self, x):
            return x / x

    model = nn.Sequential({"flat": nn.Flatten(), "drop": nn.Dropout(0.5), "div": Fragile(), "fc": nn.Linear(1, 2)})
    pictures = data.ArrayDataset(np.ones((40, 1, 1, 1), np.uint8), np.zeros(40, int), "ab")
    for seed in range(20):
        random.manual_seed(seed)
        t = trainer.Trainer(model, optim.SGD(model.parameters(), 0), None, data.Loader(pictures, 1))
        with pytest.raises(trainer.Diverged, match=r"became nan in epoch 1, batch \d+: div \(Fragile\) is the first "):
            list(t.steps())


class TestChance:
    def row(self, epoch, loss, val=None):
        return {"epoch": epoch, "train_loss": loss} | ({} if val is None else {"val_loss": val})

    def test_once_and_only_after_enough_steps(self):
        chance = math.log(10)
        rows = [self.row(e, chance * 1.005, chance) for e in (1, 2, 3, 4)]
        told = [diagnose.chance_hint(rows[:n], 10, 50) is not None for n in (1, 2, 3, 4)]
        assert told == [False, True, False, False]
        hint = diagnose.chance_hint(rows[:1], 10, 100)
        assert "ln(10) = 2.3026" in hint and "guessing among 10 classes" in hint
        assert all(word in hint for word in ("initial weights", "lr=...", "biases", "diagnose=True", "overfit=20"))
        assert diagnose.chance_hint(rows[:1], 10, 99) is None

    @pytest.mark.parametrize("classes", [2, 10, 1000])
    def test_within_one_percent_on_either_side(self, classes):
        chance = math.log(classes)
        for factor, expected in ((0.985, False), (0.995, True), (1.005, True), (1.015, False)):
            assert (diagnose.chance_hint([self.row(1, chance * factor)], classes, 500) is not None) == expected
        assert diagnose.chance_hint([self.row(1, math.log(7))], classes, 500) is None

    def test_a_mean_that_only_passes_by_is_no_standstill(self):
        """From 3 down to 1.9 within the epoch: its mean is ln(10), the validation says that it learns."""
        assert diagnose.chance_hint([self.row(1, 2.3026, 1.9)], 10, 500) is None
        assert diagnose.chance_hint([self.row(1, 2.3026, 2.31)], 10, 500)

    def test_worse_than_guessing(self):
        """A network whose ReLUs have died, at a high rate; but a loss that only began high is no standstill."""
        assert "(2.4500) stays at" in diagnose.chance_hint([self.row(1, 2.45, 2.5)], 10, 500)
        assert diagnose.chance_hint([self.row(1, 2.45, 2.2)], 10, 500) is None
        assert diagnose.chance_hint([self.row(1, 2.45)], 10, 500) is None

    def test_the_default_run_and_cifar_quick_are_not_blamed(self):
        """Their first epochs: 157 steps, and 391 without validation."""
        assert diagnose.chance_hint([self.row(1, 2.0498, 1.3787)], 10, 157) is None
        assert diagnose.chance_hint([self.row(1, 1.6743)], 10, 391) is None

    def test_one_class_and_a_late_standstill(self):
        assert diagnose.chance_hint([self.row(1, 0.0, 0.0)], 1, 500) is None, "there is nothing to guess"
        assert diagnose.chance_hint([self.row(1, 1.5), self.row(2, 2.3026)], 10, 500)


def layered():
    """A network with all that must be left alone: batch norm, dropout of two generators, a frozen layer."""
    return nn.Sequential(
        {
            "conv1": nn.Conv2d(2, 5, 3, padding=1),
            "norm": nn.BatchNorm2d(5),
            "relu1": nn.ReLU(),
            "drop": nn.Dropout(0.5, inverted=False),
            "drop2": nn.Dropout(0.5, generator=random.Generator(7)),
            "flatten": nn.Flatten(),
            "fc2": nn.Linear(5 * 16, 6),
            "relu2": nn.ReLU(inplace=True),
            "fc3": nn.Linear(6, 3),
        }
    )


def batch(rng, count=9):
    return rng.standard_normal((count, 2, 4, 4)).astype(np.float32), rng.integers(0, 3, count)


def learn(model, optimizer, images, labels):
    optimizer.zero_grad()
    functional.cross_entropy(model(Tensor(images)), labels).backward()
    optimizer.step()


OPTIMIZERS = {
    "torch": lambda p: optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
    "paper": lambda p: optim.SGD(p, 0.1, momentum=0.9, velocity="paper"),
    "plain": lambda p: optim.SGD(p, 0.1),
    "adam": lambda p: optim.Adam(p, 0.01),
}


class TestMeasure:
    @pytest.mark.parametrize("name", OPTIMIZERS)
    @pytest.mark.parametrize("steps", [0, 2])
    def test_training_goes_on_as_if_nobody_had_looked(self, rng, name, steps):
        model = layered()
        optimizer = OPTIMIZERS[name](model.parameters())
        for _ in range(steps):
            learn(model, optimizer, *batch(rng))

        def everything():
            return copy.deepcopy(
                (
                    model.state_dict(),
                    optimizer.state_dict(),
                    random.default_generator.call,
                    model.drop2.generator.call,
                    [module.training for _, module in model.named_modules()],
                )
            )

        before = everything()
        diagnose.measure(model, optimizer, *batch(rng))
        after = everything()
        np.testing.assert_equal(after, before)
        assert not any(module._hooks_of("forward") for _, module in model.named_modules())
        assert all(p.grad is None for p in model.parameters())

    def test_figures_against_the_formulas(self, rng):
        """x -> W x + b -> relu -> V h + c, in float64 by hand."""
        model = nn.Sequential({"flat": nn.Flatten(), "fc1": nn.Linear(8, 5), "relu": nn.ReLU(), "fc2": nn.Linear(5, 3)})
        model.fc1.bias.data[...] = [0, 0, -99, 0, -99]  # two units that nothing wakes
        w, b, v, c = (p.data.astype(np.float64) for p in model.parameters())
        images, labels = rng.standard_normal((7, 2, 2, 2)).astype(np.float32), np.array([0, 1, 2, 0, 1, 2, 0])
        optimizer = optim.SGD(model.parameters(), 0.3)
        rows = diagnose.measure(model, optimizer, images, labels)

        x = images.reshape(7, 8).astype(np.float64)
        a = x @ w.T + b
        h = np.maximum(a, 0)
        y = h @ v.T + c
        p = np.exp(y) / np.exp(y).sum(1, keepdims=True)
        gy = (p - np.eye(3)[labels]) / 7
        gv, gw = gy.T @ h, ((gy @ v) * (h > 0)).T @ x
        expected = [
            ("fc1", a.std(), 0.4, gw.std(), 0.3 * np.linalg.norm(gw) / np.linalg.norm(w)),
            ("fc2", y.std(), None, gv.std(), 0.3 * np.linalg.norm(gv) / np.linalg.norm(v)),
        ]
        for row, (layer, *figures) in zip(rows, expected, strict=True):
            assert row == {"layer": layer} | {
                name: figure if figure is None else pytest.approx(figure, rel=1e-4)
                for name, figure in zip(("activation", "dead", "gradient", "update"), figures, strict=True)
            }

    def test_a_step_is_the_one_that_training_would_take(self, rng):
        """With velocity: as large as what a real step on the same batch then does. No dropout, no batch norm here."""
        model = nn.Sequential({"flat": nn.Flatten(), "fc": nn.Linear(32, 3)})
        optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
        learn(model, optimizer, *batch(rng))
        probe = batch(rng)
        (row,) = diagnose.measure(model, optimizer, *probe)
        old = model.fc.weight.data.copy()
        learn(model, optimizer, *probe)
        moved = np.linalg.norm(model.fc.weight.data - old) / np.linalg.norm(old)
        assert row["update"] == pytest.approx(moved, rel=1e-5)

    def test_a_channel_is_dead_where_no_picture_wakes_it_anywhere(self):
        """Channel 0: always; 1: never; 2: for one picture at one place; 3: only where others would be below zero."""
        model = nn.Sequential(
            {"conv": nn.Conv2d(1, 4, 1), "relu": nn.ReLU(), "flat": nn.Flatten(), "fc": nn.Linear(36, 2)}
        )
        model.conv.weight.data[...] = np.array([1, -1, 1, -1], np.float32).reshape(4, 1, 1, 1)
        model.conv.bias.data[...] = [1, -1, -2.5, 0.5]
        images = np.ones((5, 1, 3, 3), np.float32)
        images[3, 0, 2, 1] = 3
        rows = diagnose.measure(model, optim.SGD(model.parameters(), 0.1), images, np.zeros(5, int))
        assert [row["dead"] for row in rows] == [0.5, None]

    def test_which_relu_belongs_to_which_layer(self, rng):
        model = layered()
        rows = diagnose.measure(model, optim.SGD(model.parameters(), 0.1), *batch(rng))
        assert [row["layer"] for row in rows] == ["conv1", "norm", "fc2", "fc3"]
        assert [row["dead"] is None for row in rows] == [True, False, False, True]

    def test_frozen_layers_and_zero_weights(self, rng):
        model = layered()
        model.conv1.weight.requires_grad_(False)
        model.fc3.weight.data[...] = 0
        rows = diagnose.measure(model, optim.SGD(model.parameters(), 0.1), *batch(rng))
        assert rows[0]["gradient"] is None and rows[0]["update"] is None and rows[0]["activation"] > 0
        assert rows[3]["update"] is None and rows[3]["gradient"] > 0
        assert rows[1]["update"] == 0, "behind weights of zero no gradient arrives"

    def test_the_model_works_as_in_evaluation(self, rng):
        """The same batch gives the same figures every time, dropout or not."""
        model = layered()
        optimizer, probe = optim.SGD(model.parameters(), 0.1), batch(rng)
        assert diagnose.measure(model, optimizer, *probe) == diagnose.measure(model, optimizer, *probe)
        random.default_generator.call += 5
        assert diagnose.measure(model, optimizer, *probe) == diagnose.measure(model.eval(), optimizer, *probe)


def test_the_table():
    rows = [
        {"layer": "conv1", "activation": 0.71234, "dead": 0.123, "gradient": 0.00123, "update": 0.001},
        {"layer": "features.conv2", "activation": 12.0, "dead": 0.9, "gradient": 1e-9, "update": 1e-7},
        {"layer": "fc", "activation": 1e-5, "dead": None, "gradient": 2.0, "update": 0.4},
        {"layer": "frozen", "activation": 1.0, "dead": 0.5, "gradient": None, "update": None},
    ]
    assert diagnose.table(rows).splitlines() == [
        "  layer           activation  dead ReLUs  gradient  update/weight",
        "  conv1                0.712        12 %   1.2e-03        1.0e-03",
        "  features.conv2          12        90 %   1.0e-09        1.0e-07  <- many dead, steps small",
        "  fc                   1e-05               2.0e+00        4.0e-01  <- steps large",
        "  frozen                   1        50 %",
    ]
