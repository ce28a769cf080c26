"""RMSprop by hand, against torch, and its state; groups added to an optimiser; gradients set to zero."""

from __future__ import annotations

import numpy as np
import pytest
import usable

from minialex import backends, nn, optim


def parameter(*values):
    return nn.Parameter(np.array(values))


def test_two_steps_by_hand():
    """Gradients 2, then 1: s = 0.4, then 0.56; steps 0.1 * 2 / (sqrt(0.4) + 1e-3), and so on."""
    p = parameter(1.0)
    optimizer, w, s = optim.RMSprop([p], lr=0.1, alpha=0.9, eps=1e-3), 1.0, 0.0
    for g in (2.0, 1.0):
        p.grad = np.array([g])
        optimizer.step()
        s = 0.9 * s + 0.1 * g**2
        w -= 0.1 * g / (s**0.5 + 1e-3)
        assert p.item() == pytest.approx(w, rel=1e-12)
    assert s == pytest.approx(0.46) and p.version == 2


OPTIONS = [
    {},
    {"lr": 0.03, "alpha": 0.7, "eps": 1e-2},
    {"weight_decay": 0.2},
    {"momentum": 0.9},
    {"centered": True},
    {"lr": 0.02, "alpha": 0.8, "eps": 1e-4, "weight_decay": 0.1, "momentum": 0.5, "centered": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_twelve_steps_equal_torch(torch, rng, options, backend):
    values = [rng.standard_normal(shape) for shape in [(3, 4), (5,), (), (2, 3, 2, 2)]]
    ours = [nn.Parameter(v.copy(), backend=backends.get_backend(backend)) for v in values]
    theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    own = optim.RMSprop([{"params": ours[:2]}, {"params": ours[2:], "lr": 0.1, "momentum": 0.3}], **options)
    other = torch.optim.RMSprop([{"params": theirs[:2]}, {"params": theirs[2:], "lr": 0.1, "momentum": 0.3}], **options)
    for step in range(12):
        for p, q in zip(ours, theirs, strict=True):
            g = rng.standard_normal(p.shape)
            p.grad, q.grad = np.array(g), torch.tensor(g)
        if step == 4:
            ours[1].grad = theirs[1].grad = None  # it misses a step
        own.step()
        other.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-10)
    state = own.state_dict()["state"]
    assert state[1]["step"] == 11
    assert set(state[0]) == {k for k in other.state_dict()["state"][0]}


@pytest.mark.parametrize("name", usable.EVERY)
def test_every_backend_takes_the_same_steps(rng, name):
    backend = usable.or_skip(name)
    values, gradients = rng.standard_normal((40, 30)), rng.standard_normal((3, 40, 30))
    found = []
    for where in (backends.get_backend("numpy"), backend):
        p = nn.Parameter(values.astype(np.float32), backend=where)
        optimizer = optim.RMSprop([p], 0.05, alpha=0.8, weight_decay=0.1, momentum=0.5, centered=True)
        for g in gradients:
            p.grad = where.asarray(g.astype(np.float32))
            optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        assert not p.grad.numpy().any()
        found.append(p.numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)


def test_float32_stays_float32_and_changes_in_place():
    p = nn.Parameter(np.ones((2, 3), np.float32))
    array, p.grad = p.data, np.ones((2, 3), np.float32)
    optimizer = optim.RMSprop([p], lr=np.float64(0.1), momentum=0.9, centered=True, weight_decay=0.1)
    optimizer.step()
    assert p.data is array and p.dtype == np.float32 and (array < 1).all()
    kinds = {name: value.dtype for name, value in optimizer.state[0].items() if name != "step"}
    assert kinds == dict.fromkeys(["square_avg", "momentum_buffer", "grad_avg"], np.float32)


def test_a_constant_gradient_centered_stays_finite():
    """s - a^2 falls to 0, where rounding would take it below."""
    p = nn.Parameter(np.zeros(50, np.float32))
    optimizer = optim.RMSprop([p], lr=1e-3, alpha=0.5, centered=True)
    g = np.linspace(0.1, 3, 50, dtype=np.float32)
    for _ in range(200):
        p.grad = g.copy()
        optimizer.step()
    assert np.isfinite(p.data).all()


@pytest.mark.parametrize("shape", [(4, 3), ()])
def test_the_state_goes_on_exactly(rng, shape):
    gradients = rng.standard_normal((6, *shape))
    options = {"lr": 0.05, "momentum": 0.9, "centered": True}

    def run(p, optimizer, some):
        for g in some:
            p.grad = np.array(g)
            optimizer.step()

    whole, half = nn.Parameter(np.ones(shape)), nn.Parameter(np.ones(shape))
    run(whole, optim.RMSprop([whole], **options), gradients)
    first = optim.RMSprop([half], **options)
    run(half, first, gradients[:3])
    rest = nn.Parameter(half.data.copy())
    second = optim.RMSprop([rest])
    second.load_state_dict(first.state_dict())
    run(rest, second, gradients[3:])
    np.testing.assert_array_equal(rest.data, whole.data)


def test_impossible_settings_are_refused():
    for options in ({"alpha": 1.5}, {"alpha": -0.1}, {"eps": -1}, {"momentum": -1}, {"lr": -1}, {"weight_decay": -1}):
        with pytest.raises(ValueError, match=f"RMSprop: {next(iter(options))} must be"):
            optim.RMSprop([parameter(1.0)], **options)


# ------------------------------------------------------------------------------------------------------------- groups


def test_an_added_group_is_trained_with_its_own_settings():
    p, q, r = (parameter(1.0) for _ in range(3))
    optimizer = optim.SGD([p], lr=0.1, momentum=0.5)
    for t in (p, q, r):
        t.grad = np.array([1.0])
    optimizer.step()
    optimizer.add_param_group({"params": q, "lr": 0.2})
    optimizer.add_param_group({"params": iter([r]), "momentum": 0})
    optimizer.step()
    assert [t.item() for t in (p, q, r)] == pytest.approx([1 - 0.1 - 0.15, 0.8, 0.9])
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.2, 0.1]
    assert [g["params"] for g in optimizer.state_dict()["param_groups"]] == [[0], [1], [2]]
    optimizer.zero_grad()
    assert p.grad is q.grad is r.grad is None


def test_a_group_that_does_not_fit_is_refused_and_changes_nothing():
    p = parameter(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    for group, error, said in [
        ({"params": [p]}, ValueError, "twice"),
        ({"params": [parameter(2.0)], "rate": 1}, ValueError, "unknown settings"),
        ({"params": [parameter(2.0)], "lr": -1}, ValueError, "lr must be"),
        ({"params": [np.ones(1)]}, TypeError, "ndarray"),
    ]:
        with pytest.raises(error, match=said):
            optimizer.add_param_group(group)
    assert len(optimizer.param_groups) == len(optimizer.state_dict()["param_groups"]) == 1
    q = parameter(3.0)
    optimizer.add_param_group({"params": [q]})
    assert optimizer.param_groups[1]["params"] == [q]


def test_gradients_are_set_to_zero_on_request():
    p, q = parameter(1.0, 2.0), parameter(1.0)
    p.grad = np.array([3.0, 4.0])
    optimizer = optim.SGD([p, q])
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0] and q.grad is None
