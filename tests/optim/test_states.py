"""What load_state_dict of optimisers and schedulers refuses, and that nothing is changed by what it refuses."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from minialex import nn, optim
from minialex.training import schedule_text


def made(cls=optim.SGD, **options):
    """An optimiser of two parameters that has taken two steps."""
    ps = [nn.Parameter(np.full(shape, 2.0)) for shape in ((2, 3), (2,))]
    optimizer = cls([{"params": [ps[0]]}, {"params": [ps[1]], "lr": 0.5}], lr=0.1, **options)
    for _ in range(2):
        for p in ps:
            p.grad = np.ones(p.shape)
        optimizer.step()
    return optimizer


MAKERS = {
    "SGD": lambda: made(momentum=0.9),
    "Adam": lambda: made(optim.Adam),
    "AdamW": lambda: made(optim.AdamW),
    "RMSprop": lambda: made(optim.RMSprop, momentum=0.5, centered=True),
}


def with_group(**changes):
    return lambda state: state["param_groups"][0].update(changes)


def with_entry(**changes):
    return lambda state: state["state"][0].update(changes)


def set_at(*keys, value):
    def change(state):
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = value

    return change


STATES = {
    "lr text": ("SGD", with_group(lr="x"), r"param_groups\[0\].lr should be a finite number, got 'x'"),
    "lr true": ("SGD", with_group(lr=True), r"param_groups\[0\].lr should be a finite number, got True"),
    "lr null": ("Adam", with_group(lr=None), r"param_groups\[0\].lr should be a finite number, got None"),
    "lr NaN": ("Adam", with_group(lr=math.nan), r"param_groups\[0\].lr should be a finite number, got nan"),
    "lr huge": ("SGD", with_group(lr=10**400), r"param_groups\[0\].lr should be a finite number, got 1000"),
    "lr negative": ("SGD", with_group(lr=-0.1), r"param_groups\[0\]: SGD: lr must be a number from 0 on, got -0.1"),
    "dampening": ("SGD", with_group(dampening="x"), r"param_groups\[0\].dampening should be a finite number, got 'x'"),
    "momentum": ("SGD", with_group(momentum=-1), r"param_groups\[0\]: SGD: momentum must be"),
    "nesterov": ("SGD", with_group(nesterov="yes"), r"param_groups\[0\].nesterov should be true or false, got 'yes'"),
    "and dampening": ("SGD", with_group(nesterov=True, dampening=0.5), "nesterov needs a momentum and no dampening"),
    "one beta": ("Adam", with_group(betas=[0.9]), r"param_groups\[0\].betas should be 2 numbers, got \[0.9\]"),
    "betas of text": ("Adam", with_group(betas=["a", "b"]), r"param_groups\[0\].betas should be 2 numbers"),
    "a beta of 1": ("AdamW", with_group(betas=(0.9, 1.0)), "betas must be from 0 to below 1"),
    "unknown": ("SGD", with_group(zzz=1), r"param_groups\[0\] has an unknown setting 'zzz'; SGD has lr, momentum"),
    "maximize": ("SGD", with_group(maximize=True), r"param_groups\[0\].maximize should be False for SGD, got True"),
    "AdamW's": (
        "Adam",
        with_group(decoupled_weight_decay=True),
        "decoupled_weight_decay should be False for Adam, got T",
    ),
    "Adam's": ("AdamW", with_group(decoupled_weight_decay=False), "decoupled_weight_decay should be True for AdamW"),
    "params twice": (
        "SGD",
        with_group(params=[0, 1]),
        r"other parameters: the params of its param_groups should be \[1, 1\]",
    ),
    "params of others": ("SGD", with_group(params=[1]), r"param_groups\[0\].params should be \[0\], got \[1\]"),
    "params text": ("SGD", with_group(params="a"), "other parameters"),
    "no params": ("SGD", lambda s: s["param_groups"][0].pop("params"), "other parameters"),
    "no groups": ("SGD", lambda s: s.pop("param_groups"), "the field param_groups is missing"),
    "groups text": ("SGD", set_at("param_groups", value="x"), "param_groups should be a list of dicts, got 'x'"),
    "a group text": ("SGD", set_at("param_groups", 0, value="x"), r"param_groups\[0\] should be a dict, got 'x'"),
    "a group less": ("SGD", lambda s: s["param_groups"].pop(), "other parameters"),
    "state text": ("SGD", set_at("state", value="x"), "state should be a dict, got 'x'"),
    "state of text": ("SGD", set_at("state", 0, value="x"), "state.0 should be a dict of arrays, got 'x'"),
    "key text": ("SGD", set_at("state", "x", value={}), "a parameter 'x'; there are 2"),
    "key -1": ("SGD", set_at("state", -1, value={}), "a parameter -1; there are 2"),
    "key huge": ("SGD", set_at("state", "9" * 5000, value={}), "a parameter '9+[.]+9+'; there are 2"),
    "entry unknown": ("SGD", with_entry(zzz=np.ones((2, 3))), "state.0 has 'zzz'; SGD keeps momentum_buffer"),
    "entry missing": ("Adam", lambda s: s["state"][0].pop("exp_avg"), "state.0 has no exp_avg, which Adam keeps"),
    "step missing": ("Adam", lambda s: s["state"][0].pop("step"), "state.0 has no step, which Adam keeps"),
    "average missing": ("RMSprop", lambda s: s["state"][0].pop("square_avg"), "state.0 has no square_avg"),
    "step -1": ("Adam", with_entry(step=-1), "the step of parameter 0 should be a whole number, got -1"),
    "step 1.5": ("Adam", with_entry(step=1.5), "the step of parameter 0 should be a whole number, got 1.5"),
    "step text": ("Adam", with_entry(step="3"), "the step of parameter 0 should be a whole number, got '3'"),
    "step list": ("Adam", with_entry(step=[3]), "the step of parameter 0 should be a whole number, got"),
    "step huge": ("Adam", with_entry(step=10**400), "the step of parameter 0 should be a whole number, got 1000"),
    "buffer null": ("SGD", with_entry(momentum_buffer=None), r"momentum_buffer of parameter 0 has shape \(\)"),
    "buffer shape": ("SGD", with_entry(momentum_buffer=np.ones((3, 2))), r"has shape \(3, 2\), its parameter \(2, 3\)"),
    "buffer of texts": (
        "SGD",
        with_entry(momentum_buffer=np.full((2, 3), "a")),
        "momentum_buffer of parameter 0 .*not num",
    ),
    "buffer complex": (
        "SGD",
        with_entry(momentum_buffer=np.full((2, 3), 1j)),
        "momentum_buffer of parameter 0 .*not num",
    ),
}


@pytest.mark.parametrize("case", STATES)
def test_a_wrong_state_of_an_optimiser_changes_nothing(case):
    maker, change, message = STATES[case]
    optimizer = MAKERS[maker]()
    before, state = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(optimizer.state_dict())
    state["param_groups"][1]["lr"] = 0.25
    change(state)
    with pytest.raises(ValueError, match=message) as error:
        optimizer.load_state_dict(state)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300
    np.testing.assert_equal(optimizer.state_dict(), before)


@pytest.mark.parametrize("state", [None, [], "x", 3, {}])
def test_what_is_no_state(state):
    with pytest.raises(ValueError, match="should be a dict|is missing"):
        made().load_state_dict(state)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_state_as_torch_has_it(maker):
    """With torch's settings that change nothing, and its step as an array."""
    optimizer, other = MAKERS[maker](), MAKERS[maker]()
    state = copy.deepcopy(optimizer.state_dict())
    for group in state["param_groups"]:
        group |= {"foreach": None, "maximize": False, "fused": None, "differentiable": False, "initial_lr": 0.1}
        if "betas" in group:
            group |= {"betas": [*group["betas"]], "capturable": False, "amsgrad": False}
            group["decoupled_weight_decay"] = maker == "AdamW"
    for entries in state["state"].values():
        if "step" in entries:
            entries["step"] = np.array(float(entries["step"]))
    other.load_state_dict(state)
    np.testing.assert_equal(other.state_dict(), optimizer.state_dict())


class Halving(optim.Optimizer):
    """An optimiser of a user's own, which keeps what it likes."""

    def __init__(self, params, lr=1.0):
        super().__init__(params, {"lr": lr, "weight_decay": 0.0, "name": "mine", "limit": None})

    def update(self, p, group, state):
        state["seen"] = np.ones(p.shape, np.float32)


def test_an_optimiser_of_ones_own_keeps_any_names():
    p = nn.Parameter(np.zeros(3, np.float32))
    first, second = Halving([p]), Halving([p])
    p.grad = np.ones(3, np.float32)
    first.step()
    first.param_groups[0].update(limit=4, lr=np.float32(0.5))
    second.load_state_dict(first.state_dict())
    np.testing.assert_equal(second.state_dict(), first.state_dict())
    with pytest.raises(ValueError, match=r"param_groups\[0\].name should be a str, got 3"):
        second.load_state_dict({"state": {}, "param_groups": [{"params": [0], "name": 3}]})


SCHEDULES = {
    "step": lambda o: optim.StepLR(o, 2, 10.0),
    "cycle": lambda o: optim.OneCycleLR(o, 0.5, 10),
    "plateau": lambda o: schedule_text.Plateau(o, 0.5, 1, 3),
    "by group": lambda o: schedule_text.ByGroup(o, ["constant", "cosine"], 9),
}
SCHEDULE_STATES = {
    "epoch -1": ("step", {"last_epoch": -1}, "StepLR: last_epoch should be at least 0, got -1"),
    "epoch 1.5": ("step", {"last_epoch": 1.5}, "StepLR: last_epoch should be an integer, got 1.5"),
    "epoch text": ("by group", {"last_epoch": "1"}, "ByGroup: last_epoch should be an integer, got '1'"),
    "an epoch without a rate": (
        "step",
        {"last_epoch": 10**6},
        "StepLR: after 1,000,000 epochs the learning rate is not",
    ),
    "beyond the cycle": ("cycle", {"last_epoch": 99}, "OneCycleLR: step 99 of a cycle of total_steps=10"),
    "base text": ("step", {"base_lrs": ["x", 1]}, r"base_lrs\[0\] should be a number, got 'x'"),
    "base NaN": ("step", {"base_lrs": [math.nan, 1]}, "base_lrs should be at least 0 and finite, got nan"),
    "base negative": ("step", {"base_lrs": [-1, 1]}, "base_lrs should be at least 0 and finite, got -1"),
    "one base": (
        "step",
        {"base_lrs": [1.0]},
        "this schedule's state is of 1 parameter groups .base_lrs., the optimiser has 2",
    ),
    "three own": ("step", {"own_lrs": [1.0] * 3}, "this schedule's state is of 3 parameter groups"),
    "groups null": ("step", {"group_lrs": None}, "group_lrs should be a list of numbers, got None"),
    "unknown": ("step", {"zzz": 3}, "this state is not of a StepLR: it has 'zzz'"),
    "the optimiser": ("step", {"optimizer": 3}, "this state is not of a StepLR: it has 'optimizer'"),
    "an attribute": ("step", {"gamma": 3}, "this state is not of a StepLR: it has 'gamma'"),
    "no best": ("plateau", {"best": None, "bad_epochs": None}, "bad_epochs should be an integer, got None"),
    "best NaN": ("plateau", {"best": math.nan}, "best should be a number, not NaN, got nan"),
    "factor": ("plateau", {"by": 1.5}, "Plateau: by should be at least 0 and below 1, got 1.5"),
    "factor text": ("plateau", {"by": "x"}, "by should be a number, got 'x'"),
    "mode": ("plateau", {"mode": "up"}, "mode should be one of min, max, got 'up'"),
    "patience": ("plateau", {"patience": "x"}, "patience should be a number, got 'x'"),
    "min_lrs": ("plateau", {"min_lrs": [0.0]}, "this schedule's state is of 1 parameter groups"),
    "acted": ("plateau", {"acted": -1}, "acted should be at least 0, got -1"),
    "times": ("plateau", {"times": "x"}, "times should be an integer or null, got 'x'"),
    "of a plateau": ("plateau", {"zzz": 3}, "this state is not of a Plateau: it has 'zzz'"),
}


@pytest.mark.parametrize("case", SCHEDULE_STATES)
def test_a_wrong_state_of_a_schedule_changes_nothing(case):
    kind, changes, message = SCHEDULE_STATES[case]
    optimizer = made()
    schedule = SCHEDULES[kind](optimizer)
    before, lrs = copy.deepcopy(schedule.state_dict()), [group["lr"] for group in optimizer.param_groups]
    with pytest.raises(ValueError, match=message):
        schedule.load_state_dict(copy.deepcopy(before) | changes)
    assert schedule.state_dict() == before and [group["lr"] for group in optimizer.param_groups] == lrs
    assert schedule.optimizer is optimizer


@pytest.mark.parametrize("state", [None, [], "x", {}, {"last_epoch": 1}])
@pytest.mark.parametrize("kind", SCHEDULES)
def test_what_is_no_state_of_a_schedule(kind, state):
    with pytest.raises(ValueError, match="this state is not of a"):
        SCHEDULES[kind](made()).load_state_dict(state)


def test_a_state_of_another_kind():
    optimizer = made()
    step, plateau = SCHEDULES["step"](optimizer), SCHEDULES["plateau"](optimizer)
    with pytest.raises(ValueError, match="this state is not of a Plateau: the field best is missing"):
        plateau.load_state_dict(step.state_dict())
    with pytest.raises(ValueError, match="this state is not of a StepLR: it has '_last_lr'"):
        step.load_state_dict(plateau.state_dict())


class Noting(optim.ReduceLROnPlateau):
    """A scheduler of a user's own with one attribute more."""

    def __init__(self, optimizer):
        super().__init__(optimizer)
        self.notes = []


def test_a_schedule_of_ones_own_keeps_its_attributes():
    optimizer = made()
    first, second = Noting(optimizer), Noting(optimizer)
    first.notes.append("a")
    second.load_state_dict(first.state_dict())
    assert second.notes == ["a"]
