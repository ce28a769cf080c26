"""Schedules by their texts, and one for each group of parameters."""

from __future__ import annotations

import re

import numpy as np
import pytest

from minialex import data, models, nn, optim
from minialex.training import recipes, schedule_text, trainer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("constant", [1, 1, 1, 1, 1]),
        ("step:2", [1, 1, 0.1, 0.1, 0.01]),
        ("step:1:0.5", [1, 0.5, 0.25, 0.125, 0.0625]),
        ("multistep:1,4", [1, 0.1, 0.1, 0.1, 0.01]),
        ("multistep:3:0.2", [1, 1, 1, 0.2, 0.2]),
        ("cosine", [1, (1 + 0.8090169944) / 2, (1 + 0.3090169944) / 2, (1 - 0.3090169944) / 2, (1 - 0.8090169944) / 2]),
        ("warmup:3+constant", [0.25, 0.5, 0.75, 1, 1]),
        ("warmup:1+cosine", [0.5, 1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
        ("warmup:2+step:2:0.5", [1 / 3, 2 / 3, 1, 1, 0.5]),
        ("plateau:1", [1, 1, 1, 1, 0.1]),  # the loss below falls once and then stays
    ],
)
def test_schedules_by_name(text, expected):
    model = nn.Linear(4, 3)
    pictures = data.ArrayDataset(np.zeros((2, 4, 1, 1), np.uint8), np.array([0, 1]), "abc")
    flat = nn.Sequential(nn.Flatten(), model)
    optimizer = optim.SGD(model.parameters(), 1.0)
    loader = data.Loader(pictures, 2, [lambda images, words: images.astype(np.float32)])
    t = trainer.Trainer(flat, optimizer, schedule_text.make_schedule(text, optimizer, 5), loader)
    path = []
    for epoch in range(5):
        # Zero pictures and these biases make the validation loss: falling once, then constant.
        t.finish_epoch(_constant_loss(model, 1.0 if epoch == 0 else 2.0))
        path.append(t.history[-1]["lr"])
    assert path == pytest.approx(expected)


def _constant_loss(model, margin):
    model.bias.data[...] = [margin, 0, 0]
    return [(np.zeros((1, 4, 1, 1), np.float32), np.array([0]))]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cosine:3",
        "warmup:3",
        "warmup:0+cosine",
        "warmup:2+plateau:3",
        "warm:2+cosine",
        "constant:1",
        "step",
        "step:",
        "step:0",
        "step:1.5",
        "step:1,2",
        "step:1:0",
        "step:1:1",
        "step:1:x",
        "step:1:0.1:2",
        "multistep:1:0.1:2",
        "plateau:1:0.1:0",
        "plateau:1:0.1:x",
        "plateau:1:0.1:2:2",
        "multistep:",
        "multistep:3,",
        "multistep:0,3",
        "plateau:1,2",
        "plateau:-1",
        "step:1:nan",
    ],
)
def test_texts_that_are_no_schedule(text):
    with pytest.raises(ValueError, match=f"^'{re.escape(text)}' is not a schedule; expected constant, cosine, step:"):
        schedule_text.parse_schedule(text)


def test_every_recipe_has_a_schedule():
    """The short ones and the authors' files, whose schedules of biases and of single layers are texts, too."""
    for name, preset in models.PRESETS.items():
        for recipe in (preset.recipe, recipes.of(name)):
            texts = [recipe.schedule, recipe.bias_schedule or "constant", *recipe.layer_schedules.values()]
            assert all(schedule_text.parse_schedule(text)[0] for text in texts), name


def optimizer_of(*lrs):
    return optim.SGD([{"params": [nn.Parameter(np.zeros(1))], "lr": lr} for lr in lrs])


def test_a_plateau_acts_so_many_times_and_no_more():
    """A loss that never falls after the first epoch; without a limit it goes on."""
    for text, expected in (
        ("plateau:1:0.5:2", [1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]),
        ("plateau:1:0.5", [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]),
    ):
        optimizer, path = optimizer_of(1.0, 3.0), []
        schedule = schedule_text.make_schedule(text, optimizer, 8)
        for _ in range(8):
            schedule.step(1.0)
            path.append([group["lr"] for group in optimizer.param_groups])
        np.testing.assert_allclose(path, np.outer(expected, [1, 3]))


def test_a_saved_plateau_remembers_how_often_it_acted():
    optimizer = optimizer_of(1.0)
    schedule = schedule_text.make_schedule("plateau:1:0.5:2", optimizer, 9)
    for _ in range(4):
        schedule.step(1.0)
    again = schedule_text.make_schedule("plateau:1:0.5:2", optimizer, 9)
    again.load_state_dict(schedule.state_dict())
    for _ in range(6):
        again.step(1.0)
    assert optimizer.param_groups[0]["lr"] == 0.25


TEXTS = ["constant", "multistep:2", "warmup:1+step:2:0.5", "cosine"]


def path_of(schedule, epochs):
    path = []
    for _ in range(epochs):
        path.append([group["lr"] for group in schedule.optimizer.param_groups])
        schedule.step()
    return np.array(path)


def test_every_group_follows_its_own_schedule_as_if_it_were_alone():
    lrs = [0.1, 0.2, 0.4, 0.8]
    together = path_of(schedule_text.ByGroup(optimizer_of(*lrs), TEXTS, 5), 5)
    for column, text, lr in zip(together.T, TEXTS, lrs, strict=True):
        alone = path_of(schedule_text.make_schedule(text, optimizer_of(lr), 5), 5)[:, 0]
        np.testing.assert_array_equal(column, alone)
    np.testing.assert_allclose(together[:, 1], [0.2, 0.2, 0.02, 0.02, 0.02])
    np.testing.assert_allclose(together[:, 2], [0.2, 0.4, 0.4, 0.2, 0.2])


def test_schedules_by_group_go_on_from_a_saved_state():
    whole = path_of(schedule_text.ByGroup(optimizer_of(1, 2, 3, 4), TEXTS, 5), 5)
    first, second = (schedule_text.ByGroup(optimizer_of(1, 2, 3, 4), TEXTS, 5) for _ in range(2))
    path_of(first, 3)
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(path_of(second, 2), whole[3:])


def test_a_plateau_cannot_be_the_schedule_of_one_group():
    with pytest.raises(ValueError, match="plateau:3 can only be the schedule of all layers"):
        schedule_text.ByGroup(optimizer_of(1, 2), ["constant", "plateau:3"], 5)
