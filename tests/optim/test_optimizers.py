"""SGD in both conventions by hand and against torch; its state; the schedules."""

from __future__ import annotations

import copy
import math
import warnings

import numpy as np
import pytest

from minialex import nn
from minialex.optim import SGD, MultiStepLR, ReduceLROnPlateau, StepLR


def parameter(*values, grad=None):
    p = nn.Parameter(np.array(values))
    p.grad = None if grad is None else np.array(grad, float)
    return p


def walk(gradients, rates=None, start=1.0, **options):
    """Where a single weight stands after each step with these gradients (and rates)."""
    p = parameter(start)
    optimizer, path = SGD([p], **options), []
    for i, g in enumerate(gradients):
        if rates:
            optimizer.param_groups[0]["lr"] = rates[i]
        p.grad = np.array([float(g)])
        optimizer.step()
        path.append(p.data.item())
    return path


# ------------------------------------------------------------------------------------------------- worked out by hand

# fmt: off
STEPS = [
    # options, gradients, path from w = 1
    ({"lr": 0.1}, [1, 2, -4], [0.9, 0.7, 1.1]),
    # v = 1, 2.5, -2.75
    ({"lr": 0.1, "momentum": 0.5}, [1, 2, -4], [0.9, 0.65, 0.925]),
    # g + w/2: 1.5, 2.425, -3.69625
    ({"lr": 0.1, "weight_decay": 0.5}, [1, 2, -4], [0.85, 0.6075, 0.977125]),
    # g + w/2 = 1.5, then 2 + .425 = 2.425; v = 1.5, 3.175
    ({"lr": 0.1, "momentum": 0.5, "weight_decay": 0.5}, [1, 2], [0.85, 0.5325]),
    # the first velocity is not dampened: v = 1, .5 + .75 * 2 = 2, 1 - 3 = -2
    ({"lr": 0.1, "momentum": 0.5, "dampening": 0.25}, [1, 2, -4], [0.9, 0.7, 0.9]),
    # v = 1, 2.5, -2.75; steps g + v/2: 1.5, 3.25, -5.375
    ({"lr": 0.1, "momentum": 0.5, "nesterov": True}, [1, 2, -4], [0.85, 0.525, 1.0625]),
    # g' = 1.5, 2 + .3875 = 2.3875; v = 1.5, 3.1375; steps 1.5 + .75 = 2.25, 2.3875 + 1.56875 = 3.95625
    ({"lr": 0.1, "momentum": 0.5, "weight_decay": 0.5, "nesterov": True}, [1, 2], [0.775, 0.379375]),
]
# fmt: on


@pytest.mark.parametrize("options, gradients, path", STEPS)
@pytest.mark.parametrize("velocity", ["torch", "paper"])
def test_steps_worked_out_by_hand(options, gradients, path, velocity):
    """While the rate is constant, both conventions take the same path."""
    assert walk(gradients, velocity=velocity, **options) == pytest.approx(path, rel=1e-12)


def test_after_a_change_of_rate_the_conventions_part():
    """g = 1 throughout, momentum 1/2, rate 0.1, 0.1, 0.01, 0.01.

    torch: v = 1, 1.5, 1.75, 1.875; steps .1, .15, .0175, .01875.
    paper: v = .1, .15, .085, .0525, and those are the steps: the old rate lives on in the velocity.
    """
    rates, options = [0.1, 0.1, 0.01, 0.01], {"lr": 0.1, "momentum": 0.5}
    torch_path = walk([1] * 4, rates, **options)
    paper_path = walk([1] * 4, rates, velocity="paper", **options)
    assert torch_path == pytest.approx([0.9, 0.75, 0.7325, 0.71375], rel=1e-12)
    assert paper_path == pytest.approx([0.9, 0.75, 0.665, 0.6125], rel=1e-12)


def test_the_papers_own_formula():
    """v = 0.9 v - 0.0005 lr w - lr g; w = w + v, as section 5 prints it."""
    gradients, rates = [0.5, -2.0, 1.0, 3.0, -1.0], [0.01, 0.01, 0.001, 0.001, 0.1]
    w, v, expected = 1.0, 0.0, []
    for g, lr in zip(gradients, rates):
        v = 0.9 * v - 0.0005 * lr * w - lr * g
        w = w + v
        expected.append(w)
    path = walk(gradients, rates, lr=1.0, momentum=0.9, weight_decay=0.0005, velocity="paper")
    assert path == pytest.approx(expected, rel=1e-12)


def test_the_velocity_is_what_the_state_holds():
    for velocity, expected in [("torch", [1.0, 10.0]), ("paper", [0.1, 1.0])]:
        p = parameter(0.0, 0.0, grad=[1.0, 10.0])
        optimizer = SGD([p], lr=0.1, momentum=0.9, velocity=velocity)
        optimizer.step()
        assert optimizer.state_dict()["state"][0]["momentum_buffer"].tolist() == pytest.approx(expected)


# -------------------------------------------------------------------------------------------------- behaviour


@pytest.mark.parametrize("velocity", ["torch", "paper"])
@pytest.mark.parametrize("size", [32767, 32768, 32769, 100_003])
def test_arrays_longer_than_a_chunk(rng, size, velocity):
    """Every element is moved, once: the same as each element alone."""
    w, gradients = rng.standard_normal(size), rng.standard_normal((2, size))
    p = nn.Parameter(w.copy())
    optimizer = SGD([p], lr=0.1, momentum=0.9, weight_decay=0.3, velocity=velocity)
    v = 0.0
    for g in gradients:
        p.grad = g.copy()
        optimizer.step()
        v = 0.9 * v + (g + 0.3 * w)
        w = w - 0.1 * v
        assert np.array_equal(p.grad, g)  # a gradient is read only
    np.testing.assert_allclose(p.data, w, rtol=1e-12, atol=1e-12)


def test_a_gradient_in_another_memory_order_is_read_in_its_own(rng):
    p = nn.Parameter(np.zeros((200, 300)))
    g = rng.standard_normal((300, 200)).T
    p.grad = g
    SGD([p], lr=1.0, momentum=0.9).step()
    assert np.array_equal(p.data, -g)


def test_a_step_changes_arrays_in_place_and_keeps_their_type():
    p = nn.Parameter(np.ones((2, 3), np.float32))
    array, p.grad = p.data, np.ones((2, 3), np.float32)
    optimizer = SGD([p], lr=np.float64(0.1), momentum=0.9)
    optimizer.step()
    assert p.data is array and p.dtype == np.float32 and p.version == 1
    assert optimizer.state[0]["momentum_buffer"].dtype == np.float32
    np.testing.assert_allclose(array, 0.9, rtol=1e-6)


def test_a_parameter_without_a_gradient_is_left_alone():
    p, q = parameter(1.0), parameter(1.0, grad=[1.0])
    optimizer = SGD([p, q], lr=0.1, momentum=0.9, weight_decay=0.5)
    optimizer.step()
    assert p.data.tolist() == [1.0] and p.version == 0 and q.data.item() == pytest.approx(0.85)
    assert list(optimizer.state) == [1]
    p.grad = np.array([2.0])
    optimizer.step()  # its first velocity starts now
    assert p.data.item() == pytest.approx(1 - 0.1 * 2.5)


def test_groups_have_their_own_settings():
    p, q, r = (parameter(1.0, grad=[1.0]) for _ in range(3))
    groups = [{"params": [p]}, {"params": [q], "lr": 0.2, "weight_decay": 0}, {"params": iter([r]), "momentum": 0}]
    optimizer = SGD(groups, lr=0.1, momentum=0.5, weight_decay=1.0)
    for _ in range(2):
        optimizer.step()
    # p: g' = 2, 1.8; v = 2, 2.8     q: v = 1, 1.5     r: g' = 2, 1.8
    assert [t.data.item() for t in (p, q, r)] == pytest.approx([0.52, 0.5, 0.62])


def test_zero_grad():
    p, q = parameter(1.0, grad=[1.0]), parameter(1.0, grad=[1.0])
    SGD([{"params": [p]}, {"params": [q]}]).zero_grad()
    assert p.grad is None and q.grad is None


def test_a_generator_of_parameters_is_read_once():
    layer = nn.Linear(2, 3)
    assert len(SGD(layer.parameters()).param_groups[0]["params"]) == 2


# fmt: off
IMPOSSIBLE = [
    ({"lr": -0.1}, "lr must be a number from 0 on, got -0.1"),
    ({"lr": math.nan}, "lr must be a number from 0 on, got nan"),
    ({"lr": math.inf}, "lr must be"),
    ({"momentum": -1}, "momentum must be"),
    ({"weight_decay": -1}, "weight_decay must be"),
    ({"nesterov": True}, "nesterov needs a momentum and no dampening"),
    ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "nesterov needs a momentum and no dampening"),
    ({"velocity": "heavy"}, "\"torch\" or \"paper\", got 'heavy'"),
]
# fmt: on


@pytest.mark.parametrize("options, said", IMPOSSIBLE)
def test_impossible_settings(options, said):
    with pytest.raises(ValueError, match=said):
        SGD([parameter(1.0)], **options)
    if "velocity" not in options:
        with pytest.raises(ValueError, match=said):
            SGD([{"params": [parameter(1.0)], **options}])


def test_impossible_parameters():
    p = parameter(1.0)
    for params, said in [
        ([], "no parameters"),
        ([p, p], "twice"),
        ([{"params": [p]}, {"params": [p]}], "twice"),
        ([{"params": [p], "rate": 1}], "unknown settings.*rate"),
    ]:
        with pytest.raises(ValueError, match=said):
            SGD(params)


# ------------------------------------------------------------------------------------------------------------- state


@pytest.mark.parametrize("velocity", ["torch", "paper"])
def test_a_saved_state_goes_on_bit_for_bit(rng, velocity):
    gradients = rng.standard_normal((6, 2, 3))

    def make(values):
        ps = [nn.Parameter(v.copy()) for v in values]
        groups = [{"params": ps[:1], "lr": 0.5}, {"params": ps[1:]}]
        return ps, SGD(groups, lr=0.1, momentum=0.9, weight_decay=0.01, velocity=velocity)

    def steps(ps, optimizer, part):
        for gs in part:
            for p, g in zip(ps, gs):
                p.grad = g
            optimizer.step()

    ps, optimizer = make(rng.standard_normal((2, 3)))
    steps(ps, optimizer, gradients[:3])
    optimizer.param_groups[0]["lr"] = 0.05  # as a schedule does
    saved = copy.deepcopy(optimizer.state_dict())
    others, resumed = make([p.data for p in ps])
    resumed.load_state_dict(saved)
    steps(ps, optimizer, gradients[3:])
    steps(others, resumed, gradients[3:])
    for p, q in zip(ps, others):
        assert np.array_equal(p.data, q.data)
    assert saved["state"][0]["momentum_buffer"].tolist() != optimizer.state[0]["momentum_buffer"].tolist()
    assert resumed.param_groups[0]["lr"] == 0.05
    assert resumed.param_groups[0]["params"] == [others[0]]


def test_the_layout_of_the_state_is_torchs():
    p, q, r = (parameter(1.0, grad=[1.0]) for _ in range(3))
    optimizer = SGD([{"params": [p, q]}, {"params": [r], "lr": 0.2}], lr=0.1, momentum=0.9)
    optimizer.step()
    state = optimizer.state_dict()
    assert set(state) == {"state", "param_groups"} and list(state["state"]) == [0, 1, 2]
    assert [g["params"] for g in state["param_groups"]] == [[0, 1], [2]]
    assert [g["lr"] for g in state["param_groups"]] == [0.1, 0.2]
    assert optimizer.param_groups[0]["params"] == [p, q]  # the state is a description, the groups stay


def test_loading_copies_the_velocities():
    p = parameter(1.0, grad=[1.0])
    optimizer = SGD([p], momentum=0.9)
    v = np.array([5.0])
    optimizer.load_state_dict({"state": {"0": {"momentum_buffer": v}}, "param_groups": [{"params": [0], "lr": 0.5}]})
    optimizer.step()  # v = 4.5 + 1; the index may be text, as JSON makes it
    assert v.tolist() == [5.0] and p.data.item() == pytest.approx(1 - 0.5 * 5.5)


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing():
    p = parameter(1.0, 2.0)
    optimizer = SGD([p], lr=0.1, momentum=0.9)
    for state, said in [
        ({"state": {}, "param_groups": [{"params": [0, 1], "lr": 9}]}, "other parameters"),
        ({"state": {}, "param_groups": [{"params": [0]}, {"params": [1]}]}, "other parameters"),
        ({"state": {0: {"momentum_buffer": np.zeros(3)}}, "param_groups": [{"params": [0], "lr": 9}]}, r"\(3,\).*\(2,"),
    ]:
        with pytest.raises(ValueError, match=said):
            optimizer.load_state_dict(state)
        assert optimizer.state == {} and optimizer.param_groups[0]["lr"] == 0.1


# --------------------------------------------------------------------------------------------------------- schedules


def rates(schedule, optimizer, metrics):
    """The first group's rate after each epoch."""
    path = []
    for metric in metrics:
        schedule.step(*(() if metric is None else (metric,)))
        path.append(optimizer.param_groups[0]["lr"])
    return path


def two_rates():
    return SGD([{"params": [parameter(1.0)]}, {"params": [parameter(1.0)], "lr": 2.0}], lr=1.0)


def test_step_and_multistep_by_hand():
    optimizer = two_rates()
    assert rates(StepLR(optimizer, 3), optimizer, [None] * 7) == pytest.approx([1, 1, 0.1, 0.1, 0.1, 0.01, 0.01])
    assert optimizer.param_groups[1]["lr"] == pytest.approx(0.02)
    optimizer = two_rates()
    path = rates(MultiStepLR(optimizer, [5, 2, 5], gamma=0.5), optimizer, [None] * 6)
    assert path == [1, 0.5, 0.5, 0.5, 0.125, 0.125] and optimizer.param_groups[1]["lr"] == 0.25
    optimizer = two_rates()
    assert rates(MultiStepLR(optimizer, [8]), optimizer, [None] * 10) == pytest.approx([1] * 7 + [0.1] * 3)


def test_plateau_by_hand():
    """Patience 1: the second epoch in a row without anything better brings the rate down, and counting begins again."""
    optimizer = two_rates()
    schedule = ReduceLROnPlateau(optimizer, patience=1)
    metrics = [5, 4, 4, 3.9999, 4, 4, 3, math.nan, 3, 3.5]
    #          .  better  1  2: within the threshold, x0.1;  1  2: x0.1  better  1  2: x0.1  1
    expected = [1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001]
    assert rates(schedule, optimizer, metrics) == pytest.approx(expected)
    assert optimizer.param_groups[1]["lr"] == pytest.approx(0.002)
    optimizer = two_rates()
    schedule = ReduceLROnPlateau(optimizer, "max", factor=0.5, patience=0, threshold=0.1)
    assert rates(schedule, optimizer, [1, 1.05, 1.2, 1.3, 1.4]) == [1, 0.5, 0.5, 0.5 / 2, 0.25]
    with pytest.raises(ValueError, match='"min" or "max", got \'best\''):
        ReduceLROnPlateau(optimizer, "best")


@pytest.mark.parametrize(
    "make, metric",
    [
        (lambda o: StepLR(o, 2), [None] * 7),
        (lambda o: MultiStepLR(o, [3, 4]), [None] * 7),
        (lambda o: ReduceLROnPlateau(o, patience=1), [3.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0]),
    ],
    ids=["step", "multistep", "plateau"],
)
def test_a_schedule_goes_on_where_it_was_saved(make, metric):
    """The optimiser's state holds the rate of the moment, the schedule's all the rest."""
    optimizer = two_rates()
    whole = rates(make(optimizer), optimizer, metric)
    for stop in range(7):
        first = two_rates()
        schedule = make(first)
        path = rates(schedule, first, metric[:stop])
        saved = copy.deepcopy((first.state_dict(), schedule.state_dict()))
        second = two_rates()
        schedule = make(second)
        second.load_state_dict(saved[0])
        schedule.load_state_dict(saved[1])
        assert path + rates(schedule, second, metric[stop:]) == whole


# -------------------------------------------------------------------------------------------------------------- torch


@pytest.mark.parametrize("seed", range(12))
def test_random_settings_against_torch(torch, seed):
    rng = np.random.default_rng(seed)
    shapes = [(3, 4), (5,), (2, 3, 2, 2)]

    def settings():
        momentum = float(rng.choice([0.0, 0.5, 0.9]))
        nesterov = bool(momentum and rng.random() < 0.4)
        return dict(
            lr=float(rng.uniform(0.01, 0.3)),
            momentum=momentum,
            nesterov=nesterov,
            dampening=0.0 if nesterov else float(rng.choice([0.0, 0.3])),
            weight_decay=float(rng.choice([0.0, 0.1])),
        )

    def groups(ps):
        return [{"params": ps[:2]}, {"params": ps[2:], **own}]

    values, general, own = [rng.standard_normal(s) for s in shapes], settings(), settings()
    ours = [nn.Parameter(v.copy()) for v in values]
    theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    optimizer, reference = SGD(groups(ours), **general), torch.optim.SGD(groups(theirs), **general)
    for step in range(8):
        for p, q in zip(ours, theirs):
            missing = rng.random() < 0.2
            g = rng.standard_normal(p.shape)
            p.grad, q.grad = (None, None) if missing else (g, torch.tensor(g))
        if step == 5:
            for group in (*optimizer.param_groups, *reference.param_groups):
                group["lr"] *= 0.1
        optimizer.step()
        reference.step()
        for p, q in zip(ours, theirs):
            np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-11, atol=1e-13)


def test_schedules_against_torch(torch, rng):
    metrics = np.round(rng.standard_normal(40), 2).tolist()
    for kind, arguments, given in [
        (StepLR, (4, 0.5), [None] * 20),
        (MultiStepLR, ([3, 9, 9],), [None] * 20),
        (ReduceLROnPlateau, ("min", 0.5, 3), metrics),
        (ReduceLROnPlateau, ("max", 0.5, 2, 0.05), metrics),
    ]:
        exactly = {"eps": 0} if kind is ReduceLROnPlateau else {}  # torch leaves rates below 1e-8 as they are
        optimizer, reference = two_rates(), torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch wants optimizer.step() before the schedule's
            theirs = getattr(torch.optim.lr_scheduler, kind.__name__)(reference, *arguments, **exactly)
            expected = rates(theirs, reference, given)
        assert rates(kind(optimizer, *arguments), optimizer, given) == pytest.approx(expected, rel=1e-12)
        assert len(set(expected)) > 2
