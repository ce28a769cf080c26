"""Schedules stepped together, rates that the user sets between steps, and their saved states; torch's paths."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest

from minialex import nn, optim

BASES = 0.1, 0.7


def optimizer(*rates):
    return optim.SGD([{"params": [nn.Parameter(np.zeros(1))], "lr": rate} for rate in rates or BASES], momentum=0.9)


def rates(o):
    return [group["lr"] for group in o.param_groups]


def torch_optimizer(torch, *bases):
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in bases or BASES]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(parameters, bases or BASES, strict=True)]
    return torch.optim.SGD(groups, momentum=0.9)


def walk(o, schedules, epochs, by_hand=()):
    """The rates before each epoch; by_hand: {epoch: rate} that the user sets at its beginning."""
    path = []
    for epoch in range(epochs):
        if epoch in dict(by_hand):
            o.param_groups[0]["lr"] = dict(by_hand)[epoch]
        path.append([*rates(o), *(rate for schedule in schedules for rate in schedule.get_last_lr())])
        o.step()
        for schedule in schedules:
            schedule.step()
    return np.array(path)


def half_life(epoch):
    return 0.5**epoch


MAKERS = {
    "linear": lambda m, o: m.LinearLR(o, 0.1, 1.0, 4),
    "linear down": lambda m, o: m.LinearLR(o, 1.0, 0.2, 6),
    "linear to 0": lambda m, o: m.LinearLR(o, 1.0, 0.0, 5),
    "step": lambda m, o: m.StepLR(o, 2),
    "step 3": lambda m, o: m.StepLR(o, 3, 0.7),
    "multistep": lambda m, o: m.MultiStepLR(o, [3, 5, 5, 9], 0.5),
    "multistep 0": lambda m, o: m.MultiStepLR(o, [0, 4], 0.5),
    "exponential": lambda m, o: m.ExponentialLR(o, 0.9),
    "cosine": lambda m, o: m.CosineAnnealingLR(o, 7, eta_min=0.003),
    "cosine 0": lambda m, o: m.CosineAnnealingLR(o, 5),
    "lambda": lambda m, o: m.LambdaLR(o, half_life),
    "lambdas": lambda m, o: m.LambdaLR(o, [half_life, lambda epoch: 1 / (1 + epoch)]),
    "warm-up": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, total_iters=3), m.CosineAnnealingLR(o, 6, eta_min=0.01)], [3]
    ),
    "three": lambda m, o: m.SequentialLR(
        o, [m.StepLR(o, 2), m.ExponentialLR(o, 0.8), m.LambdaLR(o, half_life)], [3, 7]
    ),
    "one cycle": lambda m, o: m.OneCycleLR(o, 0.5, total_steps=30),
    "one cycle, linear": lambda m, o: m.OneCycleLR(
        o, [0.5, 0.2], total_steps=25, anneal_strategy="linear", pct_start=0.4, div_factor=10.0, final_div_factor=50.0
    ),
    "one cycle, three phases": lambda m, o: m.OneCycleLR(
        o, 0.5, epochs=5, steps_per_epoch=5, three_phase=True, base_momentum=0.7, max_momentum=[0.9, 0.8]
    ),
    "one cycle, after a warm-up": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, total_iters=3), m.OneCycleLR(o, 0.5, total_steps=30)], [3]
    ),
    "one cycle, at the end": lambda m, o: m.OneCycleLR(o, 0.5, total_steps=24, pct_start=0.0),
}
CHAINS = [
    ("linear", "step"),
    ("step", "linear"),
    ("linear", "cosine"),
    ("cosine", "linear"),
    ("cosine", "step 3"),
    ("step 3", "cosine"),
    ("cosine", "cosine 0"),
    ("exponential", "multistep"),
    ("multistep 0", "exponential"),
    ("linear to 0", "step"),
    ("linear", "linear down", "step", "exponential"),
    ("warm-up", "step 3"),
    ("step 3", "warm-up"),
    ("three", "exponential"),
    ("lambda", "step"),
    ("step", "lambda"),
    ("linear", "lambdas"),
    ("exponential", "one cycle"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, about the order of step() calls and closed forms
@pytest.mark.parametrize("names", [*((name,) for name in MAKERS), *CHAINS], ids=" + ".join)
def test_twenty_four_epochs_equal_torch(torch, names):
    ours, theirs = optimizer(), torch_optimizer(torch)
    mine = [MAKERS[name](optim.lr_scheduler, ours) for name in names]
    other = [MAKERS[name](torch.optim.lr_scheduler, theirs) for name in names]
    expected = walk(theirs, other, 24)
    np.testing.assert_allclose(walk(ours, mine, 24), expected, rtol=1e-9, atol=1e-15)
    assert len(np.unique(expected[:, 0])) > 1


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "name", ["step 3", "multistep", "exponential", "cosine", "cosine 0", "linear", "warm-up", "three", "lambda"]
)
def test_a_rate_set_by_hand_goes_on_as_in_torch(torch, name):
    by_hand = {2: 0.5, 9: 0.04, 10: 0.3}
    ours, theirs = optimizer(), torch_optimizer(torch)
    mine, other = MAKERS[name](optim.lr_scheduler, ours), MAKERS[name](torch.optim.lr_scheduler, theirs)
    expected = walk(theirs, [other], 20, by_hand)
    np.testing.assert_allclose(walk(ours, [mine], 20, by_hand), expected, rtol=1e-9, atol=1e-15)


def test_two_schedules_multiply_by_hand():
    """0.1 (0.1, 0.325, 0.55, 0.775, 1, 1) times (1, 1, 0.1, 0.1, 0.01, 0.01)."""
    o = optimizer(0.1)
    schedules = [optim.LinearLR(o, 0.1, 1.0, 4), optim.StepLR(o, 2)]
    expected = [0.01, 0.0325, 0.0055, 0.00775, 0.001, 0.001]
    np.testing.assert_allclose(walk(o, schedules, 6)[:, 0], expected, rtol=1e-12)


def test_a_plateau_and_a_schedule_multiply():
    o = optimizer(1.0)
    cosine, plateau = optim.CosineAnnealingLR(o, 4), optim.ReduceLROnPlateau(o, factor=0.5, patience=0)
    path = []
    for metric in (3.0, 3.0, 2.0, 2.0):
        cosine.step()
        plateau.step(metric)
        path.append(rates(o)[0])
        assert plateau.get_last_lr() == rates(o)
    half = 0.5**0.5 / 2
    np.testing.assert_allclose(path, [0.5 + half, 0.25, (0.5 - half) / 2, 0], rtol=1e-12, atol=1e-16)


CLOSED = {  # what each schedule alone has always given, operation by operation
    "step 3": lambda base, epoch: base * 0.7 ** (epoch // 3),
    "multistep": lambda base, epoch: base * 0.5 ** sum(epoch >= m for m in (3, 5, 5, 9)),
    "cosine": lambda base, epoch: 0.003 + (base - 0.003) * (1 + math.cos(math.pi * epoch / 7)) / 2,
    "linear": lambda base, epoch: base * (0.1 + (1.0 - 0.1) * min(epoch / 4, 1)),
    "exponential": lambda base, epoch: base * 0.9**epoch,
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_schedule_alone_is_its_closed_form_bit_for_bit(name):
    o = optimizer()
    path = walk(o, [MAKERS[name](optim, o)], 40)[:, :2]
    assert path.tolist() == [[float(CLOSED[name](base, epoch)) for base in BASES] for epoch in range(40)]


def saved(o, schedules):
    """Through JSON, which checkpoints keep these numbers in."""
    state = copy.deepcopy(o.state_dict())
    for group in state["param_groups"]:
        group.pop("params")
    return json.loads(json.dumps([state["param_groups"], [schedule.state_dict() for schedule in schedules]]))


def load_optimizer(o, groups):
    o.load_state_dict({"state": {}, "param_groups": [{**g, "params": [i]} for i, g in enumerate(groups)]})


RESUMED = [("step 3",), ("cosine",), ("warm-up",), ("lambda",), ("one cycle",), *CHAINS[:8], *CHAINS[10:13]]


@pytest.mark.parametrize("names", RESUMED, ids=" + ".join)
@pytest.mark.parametrize("order", ["optimiser first", "schedules first"])
@pytest.mark.parametrize("stop", [0, 1, 3, 4, 7, 10])
def test_resumed_schedules_go_on_bit_for_bit(names, order, stop):
    o = optimizer()
    schedules = [MAKERS[name](optim, o) for name in names]
    path = walk(o, schedules, stop)
    groups, states = saved(o, schedules)
    expected = walk(o, schedules, 12)

    other = optimizer()
    resumed = [MAKERS[name](optim, other) for name in names]
    if order == "optimiser first":
        load_optimizer(other, groups)
    before = copy.deepcopy(states)
    for schedule, state in zip(resumed, states, strict=True):
        schedule.load_state_dict(state)
    assert states == before  # loading leaves the state as it is
    if order == "schedules first":
        load_optimizer(other, groups)
    assert rates(other) == [group["lr"] for group in groups]
    np.testing.assert_array_equal(walk(other, resumed, 12)[:, :2], expected[:, :2])
    assert len(path) == stop


@pytest.mark.parametrize("names", [("linear", "step"), ("step 3", "exponential"), ("cosine 0", "step")], ids=" + ".join)
def test_chained_schedules_go_on_without_the_optimisers_state(names):
    o, other = optimizer(), optimizer()
    schedules, resumed = ([MAKERS[name](optim, which) for name in names] for which in (o, other))
    walk(o, schedules, 3)
    for schedule, state in zip(resumed, saved(o, schedules)[1], strict=True):
        schedule.load_state_dict(state)
    np.testing.assert_allclose(walk(other, resumed, 9)[:, :2], walk(o, schedules, 9)[:, :2], rtol=1e-12)


@pytest.mark.parametrize("names", [("linear", "step"), ("step", "linear"), ("linear", "step", "exponential")], ids=str)
@pytest.mark.parametrize("start", ["other rates", "optimiser first"])
def test_chained_schedules_of_an_optimiser_with_other_initial_rates(names, start):
    """Made for other learning rates than those that were saved, or after the optimiser's state was loaded."""
    o, other = optimizer(), optimizer(0.5, 3.0)
    schedules = [MAKERS[name](optim, o) for name in names]
    walk(o, schedules, 5)
    groups, states = saved(o, schedules)
    if start == "optimiser first":
        load_optimizer(other, groups)
    resumed = [MAKERS[name](optim, other) for name in names]
    for schedule, state in zip(resumed, states, strict=True):
        schedule.load_state_dict(state)
    np.testing.assert_allclose(walk(other, resumed, 9)[:, :2], walk(o, schedules, 9)[:, :2], rtol=1e-12)


def test_a_rate_set_by_hand_survives_a_resume():
    o, other = optimizer(), optimizer()
    schedule, resumed = optim.StepLR(o, 2), optim.StepLR(other, 2)
    walk(o, [schedule], 3)
    o.param_groups[0]["lr"] = 0.4
    groups, states = saved(o, [schedule])
    load_optimizer(other, groups)
    resumed.load_state_dict(states[0])
    assert rates(other)[0] == 0.4
    np.testing.assert_allclose(walk(other, [resumed], 3)[:, 0], [0.4, 0.04, 0.04])


def test_a_resume_leaves_every_rate_as_it_was_to_the_bit(rng):
    """Also where it is measured from an eta_min, which adding and subtracting would round."""
    o, other = optimizer(), optimizer()
    schedule, resumed = (optim.CosineAnnealingLR(which, 30, eta_min=0.07) for which in (o, other))
    for lr in rng.uniform(0, 1, 25).tolist():
        schedule.step()
        o.param_groups[0]["lr"] = lr
        groups, (state,) = saved(o, [schedule])
        load_optimizer(other, groups)
        resumed.load_state_dict(state)
        assert rates(other) == rates(o)


@pytest.mark.parametrize("name", ["step 3", "cosine", "warm-up", "linear"])
@pytest.mark.parametrize("loaded", [False, True], ids=["schedule alone", "optimiser too"])
def test_states_from_before_schedules_multiplied(name, loaded):
    """They hold last_epoch and base_lrs alone."""
    o, other = optimizer(), optimizer()
    schedule, resumed = (MAKERS[name](optim, which) for which in (o, other))
    walk(o, [schedule], 5)
    groups, (state,) = saved(o, [schedule])
    if loaded:
        load_optimizer(other, groups)
    resumed.load_state_dict({"last_epoch": state["last_epoch"], "base_lrs": state["base_lrs"]})
    np.testing.assert_array_equal(walk(other, [resumed], 9)[:, :2], walk(o, [schedule], 9)[:, :2])


@pytest.mark.parametrize("old", [False, True], ids=["new state", "old state"])
@pytest.mark.parametrize("loaded", [False, True], ids=["schedule alone", "optimiser too"])
@pytest.mark.parametrize("kinds", [("step 3", "step"), ("cosine", "linear"), ("multistep", "warm-up")], ids=" to ".join)
def test_a_state_of_another_schedule_goes_on_with_this_ones_rates(kinds, loaded, old):
    o, other, whole = optimizer(), optimizer(), optimizer()
    schedule, resumed = MAKERS[kinds[0]](optim, o), MAKERS[kinds[1]](optim, other)
    walk(o, [schedule], 5)
    groups, (state,) = saved(o, [schedule])
    if old:
        state = {"last_epoch": state["last_epoch"], "base_lrs": state["base_lrs"]}
    if loaded:
        load_optimizer(other, groups)
    resumed.load_state_dict(state)
    expected = walk(whole, [MAKERS[kinds[1]](optim, whole)], 12)[5:, :2]
    np.testing.assert_array_equal(walk(other, [resumed], 7)[:, :2], expected)


@pytest.mark.parametrize("name", ["exponential", "cosine", "warm-up"])
def test_the_optimisers_state_may_be_of_an_epoch_before(name):
    """As in a script that steps the schedule between saving the one and the other."""
    o, other = optimizer(), optimizer()
    schedule, resumed = (MAKERS[name](optim, which) for which in (o, other))
    walk(o, [schedule], 4)
    groups, _ = saved(o, [schedule])
    schedule.step()
    _, (state,) = saved(o, [schedule])
    load_optimizer(other, groups)
    resumed.load_state_dict(state)
    np.testing.assert_array_equal(walk(other, [resumed], 6)[:, :2], walk(o, [schedule], 6)[:, :2])


def test_one_of_two_chained_schedules_resumed_with_other_arguments():
    o, other, whole = optimizer(), optimizer(), optimizer()
    schedules = [optim.LinearLR(o, 0.1, 1.0, 8), optim.StepLR(o, 2)]
    walk(o, schedules, 5)
    groups, states = saved(o, schedules)
    resumed = [optim.LinearLR(other, 0.1, 1.0, 8), optim.StepLR(other, 3)]
    load_optimizer(other, groups)
    for schedule, state in zip(resumed, states, strict=True):
        schedule.load_state_dict(state)
    expected = walk(whole, [optim.LinearLR(whole, 0.1, 1.0, 8), optim.StepLR(whole, 3)], 12)[5:, :2]
    np.testing.assert_allclose(walk(other, resumed, 7)[:, :2], expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["SGD", "Adam", "RMSprop"])
@pytest.mark.parametrize("name", [name for name in MAKERS if name.startswith("one cycle")])
def test_one_cycle_moves_the_momentum_as_torch(torch, kind, name):
    options = {} if kind == "Adam" else {"momentum": 0.5}

    def momentums(module, parameters, schedulers):
        o = getattr(module, kind)([{"params": [p], "lr": 0.1} for p in parameters], **options)
        schedule, path = MAKERS[name](schedulers, o), []
        for _ in range(24):
            path.append([g["betas"][0] if kind == "Adam" else g["momentum"] for g in o.param_groups])
            o.step()
            schedule.step()
        return np.array(path)

    expected = momentums(torch.optim, [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)], torch.optim.lr_scheduler)
    found = momentums(optim, [nn.Parameter(np.zeros(1)) for _ in range(2)], optim)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.ptp(expected) > 0.05


def test_one_cycle_by_hand():
    """Ten steps, three of them up: 0.04, halfway 0.52, 1, then half a wave of seven steps down to 4e-6."""
    o = optimizer(7.0)
    path = walk(o, [optim.OneCycleLR(o, 1.0, total_steps=10)], 10)[:, 0]
    np.testing.assert_allclose(path[:3], [0.04, 0.52, 1.0], rtol=1e-12)
    wave = 4e-6 + (1 - 4e-6) * (1 + np.cos(np.pi * np.arange(1, 8) / 7)) / 2
    np.testing.assert_allclose(path[3:], wave, rtol=1e-9)
    o = optimizer(7.0)
    schedule = optim.OneCycleLR(o, 1.0, total_steps=3, cycle_momentum=False)
    for _ in range(3):
        schedule.step()
    assert o.param_groups[0]["momentum"] == 0.9
    with pytest.raises(ValueError, match="step 4 of a cycle of total_steps=3"):
        schedule.step()


def test_get_last_lr_is_a_copy_of_what_the_step_left():
    o = optimizer()
    schedule = optim.ExponentialLR(o, 0.5)
    assert schedule.get_last_lr() == list(BASES)
    schedule.step()
    o.param_groups[0]["lr"] = 3.0
    assert schedule.get_last_lr() == [0.05, 0.35]
    schedule.get_last_lr()[0] = 9
    assert schedule.get_last_lr() == [0.05, 0.35]


def test_a_schedule_of_ones_own_needs_a_rate_alone():
    class Root(optim.LRScheduler):
        def rate(self, base, epoch):
            return base / (1 + epoch) ** 0.5

    o = optimizer()
    np.testing.assert_array_equal(walk(o, [Root(o)], 9)[:, 0], [0.1 / (1 + e) ** 0.5 for e in range(9)])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda o: optim.LambdaLR(o, [half_life]), "lr_lambda has 1 values, the optimiser 2"),
        (lambda o: optim.OneCycleLR(o, 0.1), "total_steps, or both"),
        (lambda o: optim.OneCycleLR(o, 0.1, epochs=3), "total_steps, or both"),
        (lambda o: optim.OneCycleLR(o, 0.1, 0), "at least 1 step"),
        (lambda o: optim.OneCycleLR(o, 0.1, 2.5), "at least 1 step"),
        (lambda o: optim.OneCycleLR(o, 0.1, 9, pct_start=1.5), "pct_start"),
        (lambda o: optim.OneCycleLR(o, 0.1, 9, anneal_strategy="sine"), "anneal_strategy"),
        (lambda o: optim.OneCycleLR(o, [0.1] * 3, 9), "max_lr has 3 values"),
        (lambda o: optim.OneCycleLR(o, 0.1, 9, max_momentum=[0.1]), "max_momentum has 1 values"),
        (lambda o: optim.SequentialLR(o, [optim.StepLR(o, 1), optim.ReduceLROnPlateau(o)], [3]), "got ReduceLROnPl"),
    ],
)
def test_impossible_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make(optimizer())


def test_groups_added_after_a_schedule_was_made():
    o = optimizer()
    schedule = optim.StepLR(o, 1)
    o.add_param_group({"params": [nn.Parameter(np.zeros(1))], "lr": 5.0})
    with pytest.raises(ValueError, match="made for 2 parameter groups, the optimiser has 3: make schedulers after"):
        schedule.step()
    optim.ExponentialLR(o, 0.5).step()
    np.testing.assert_allclose(rates(o), [0.05, 0.35, 2.5])


def test_a_state_of_other_groups_is_refused_and_changes_nothing():
    o, other = optimizer(), optimizer(0.3)
    schedule, resumed = optim.StepLR(o, 1), optim.StepLR(other, 1)
    walk(o, [schedule, optim.ExponentialLR(o, 0.5)], 3)
    with pytest.raises(ValueError, match="of 2 parameter groups, the optimiser has 1"):
        resumed.load_state_dict(schedule.state_dict())
    assert resumed.last_epoch == 0 and rates(other) == resumed.base_lrs == [0.3]


def test_the_module_of_schedules_is_reachable_as_in_torch():
    assert optim.lr_scheduler.OneCycleLR is optim.OneCycleLR
    assert optim.lr_scheduler.LRScheduler is optim.LRScheduler
