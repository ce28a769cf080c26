"""Cosine, warm-up and sequences of schedules: worked numbers, and torch's over many epochs."""

import numpy as np
import pytest

from minialex import nn, optim


def optimizer(*rates):
    return optim.SGD([{"params": [nn.Parameter(np.zeros(1))], "lr": rate} for rate in rates])


def path(schedule, epochs):
    rates = []
    for _ in range(epochs):
        rates.append([group["lr"] for group in schedule.optimizer.param_groups])
        schedule.step()
    return np.array(rates)


def test_cosine_by_hand():
    rates = path(optim.CosineAnnealingLR(optimizer(1.0), 4, eta_min=0.2), 5)[:, 0]
    half = 0.8 * (1 + 0.5**0.5) / 2
    np.testing.assert_allclose(rates, [1.0, 0.2 + half, 0.6, 0.2 + 0.8 - half, 0.2], rtol=1e-12)


def test_warm_up_by_hand():
    rates = path(optim.LinearLR(optimizer(0.4, 4.0), start_factor=0.25, total_iters=3), 5)
    np.testing.assert_allclose(rates[:, 0], [0.1, 0.2, 0.3, 0.4, 0.4], rtol=1e-12)
    np.testing.assert_allclose(rates[:, 1], 10 * rates[:, 0], rtol=1e-12)


def sequence(module, o):
    return module.SequentialLR(
        o, [module.LinearLR(o, 0.1, total_iters=3), module.CosineAnnealingLR(o, 7, eta_min=0.01)], [3]
    )


def test_warm_up_then_cosine_by_hand():
    rates = path(sequence(optim, optimizer(1.0)), 11)[:, 0]
    np.testing.assert_allclose(rates[:4], [0.1, 0.4, 0.7, 1.0], rtol=1e-12)
    assert rates[10] == pytest.approx(0.01)
    assert (np.diff(rates[3:]) < 0).all()


MAKERS = [
    lambda m, o: m.CosineAnnealingLR(o, 9, eta_min=0.003),
    lambda m, o: m.LinearLR(o),
    lambda m, o: m.LinearLR(o, 0.2, 0.9, 6),
    sequence,
    lambda m, o: m.SequentialLR(o, [m.StepLR(o, 2), m.MultiStepLR(o, [1, 3], 0.5), m.StepLR(o, 1, 0.9)], [3, 7]),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own, about the order of step() calls
def test_twelve_epochs_equal_torch(torch, make):
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    theirs = torch.optim.SGD([{"params": [p], "lr": lr} for p, lr in zip(parameters, (0.3, 2.0), strict=True)])
    expected = path(_Torch(make(torch.optim.lr_scheduler, theirs), theirs), 12)
    np.testing.assert_allclose(path(make(optim, optimizer(0.3, 2.0)), 12), expected, rtol=1e-9)


class _Torch:
    def __init__(self, schedule, optimizer):
        self.schedule, self.optimizer = schedule, optimizer

    def step(self):
        self.optimizer.step()
        self.schedule.step()


def test_a_saved_sequence_goes_on():
    whole = path(sequence(optim, optimizer(1.0)), 11)
    first = sequence(optim, optimizer(1.0))
    path(first, 5)
    second = sequence(optim, optimizer(1.0))
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(path(second, 6), whole[5:])


@pytest.mark.parametrize(
    "make,message",
    [
        (lambda o: optim.StepLR(o, 0), "step_size"),
        (lambda o: optim.CosineAnnealingLR(o, 0), "T_max"),
        (lambda o: optim.LinearLR(o, 0), "factors"),
        (lambda o: optim.SequentialLR(o, [optim.StepLR(o, 1)], [3]), "1 schedulers need 0 milestones"),
        (lambda o: optim.ReduceLROnPlateau(o, factor=2), "factor"),
    ],
)
def test_impossible_schedules_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(optimizer(1.0))
