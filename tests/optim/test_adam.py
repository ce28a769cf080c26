"""Adam and AdamW: by hand, against torch, and their state."""

import numpy as np
import pytest

from minialex import nn, optim


def parameter(*shape, seed=0):
    return nn.Parameter(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def test_two_steps_by_hand():
    """Gradients 1, then 3: m = 0.1, 0.39; v = 0.001, 0.009999; corrected by 1 - b^t. Worked with pen and paper."""
    p = nn.Parameter(np.array([2.0], np.float64))
    optimizer = optim.Adam([p], lr=0.1, betas=(0.9, 0.999), eps=1e-8)
    p.grad = np.array([1.0])
    optimizer.step()
    assert p.item() == pytest.approx(2 - 0.1 * 1 / (1 + 1e-8), abs=1e-12)
    p.grad = np.array([3.0])
    optimizer.step()
    m, v = (0.9 * 0.1 + 0.1 * 3) / (1 - 0.81), (0.999 * 0.001 + 0.001 * 9) / (1 - 0.998001)
    assert p.item() == pytest.approx(1.9 - 0.1 * m / (v**0.5 + 1e-8), abs=1e-8)


def test_decay_in_the_gradient_and_apart_from_it():
    """With gradient 0, Adam's decay is a gradient of its own, of which only the sign shows; AdamW's is a factor."""
    for cls, expected in ((optim.Adam, 2 - 0.1), (optim.AdamW, 2 * (1 - 0.1 * 0.5))):
        p = nn.Parameter(np.array([2.0]))
        p.grad = np.array([0.0])
        cls([p], lr=0.1, weight_decay=0.5).step()
        assert p.item() == pytest.approx(expected, abs=1e-6), cls


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("options", [{}, {"lr": 0.02, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}])
def test_twelve_steps_equal_torch(torch, rng, name, options):
    ours = [parameter(70, 500), parameter(3, seed=1)]  # the first is larger than a chunk of the backend
    theirs = [torch.nn.Parameter(torch.tensor(p.data.copy())) for p in ours]
    own = getattr(optim, name)([{"params": ours[:1]}, {"params": ours[1:], "lr": 0.5}], **options)
    other = getattr(torch.optim, name)([{"params": theirs[:1]}, {"params": theirs[1:], "lr": 0.5}], **options)
    for step in range(12):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = rng.standard_normal(p.shape).astype(np.float32)
            q.grad = torch.tensor(p.grad.numpy())
        if step == 4:
            ours[1].grad = theirs[1].grad = None  # it misses a step, and a count
        own.step()
        other.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-4, atol=2e-6)
    assert own.state_dict()["state"][1]["step"] == 11


def test_the_state_goes_on_exactly(rng):
    gradients = rng.standard_normal((6, 4, 3)).astype(np.float32)

    def run(p, optimizer, some):
        for g in some:
            p.grad = g.copy()
            optimizer.step()

    whole = parameter(4, 3)
    run(whole, optim.AdamW([whole], lr=0.05), gradients)
    half = parameter(4, 3)
    first = optim.AdamW([half], lr=0.05)
    run(half, first, gradients[:3])
    rest = nn.Parameter(half.data.copy())
    second = optim.AdamW([rest], lr=0.7)
    second.load_state_dict(first.state_dict())
    run(half, first, [gradients[0]])  # what was loaded is a copy
    run(rest, second, gradients[3:])
    np.testing.assert_array_equal(rest.data, whole.data)


def test_wrong_settings_and_states_are_refused():
    p = parameter(2)
    for options, message in (({"lr": -1}, "lr"), ({"betas": (0.9, 1.0)}, "betas"), ({"eps": -1}, "eps")):
        with pytest.raises(ValueError, match=message):
            optim.Adam([p], **options)
    with pytest.raises(ValueError, match="does not support amsgrad=True"):
        optim.Adam([p], amsgrad=True)
    with pytest.raises(TypeError, match="ndarray"):
        optim.Adam([np.ones(3)])
    optimizer = optim.Adam([p])
    state = {"state": {5: {}}, "param_groups": optimizer.state_dict()["param_groups"]}
    with pytest.raises(ValueError, match="parameter 5"):
        optimizer.load_state_dict(state)
