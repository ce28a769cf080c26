"""Clipping of gradients: by hand, and against torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import usable

from minialex import Tensor, nn


def parameters(*gradients):
    made = []
    for g in gradients:
        made.append(nn.Parameter(np.zeros(np.shape(g), np.float32 if g is None else np.asarray(g).dtype)))
        made[-1].grad = None if g is None else np.array(g)
    return made


def test_a_norm_of_5_is_clipped_to_1_by_hand():
    a, none, b = parameters([3.0, 0.0], None, [[4.0]])
    before = a.grad
    norm = nn.utils.clip_grad_norm_([a, none, b], 1.0)
    assert isinstance(norm, Tensor) and norm.shape == () and norm.item() == pytest.approx(5)
    np.testing.assert_allclose([*a.grad, *b.grad[0]], [0.6, 0, 0.8], rtol=1e-6)
    assert a.grad is before and none.grad is None
    nn.utils.clip_grad_norm_(a, 10.0)  # shorter: left as it is, to the bit
    assert a.grad.tolist() == before.tolist()
    (small,) = parameters([2e-6])
    nn.utils.clip_grad_norm_(small, 1e-6)  # 1e-6 / (2e-6 + 1e-6)
    np.testing.assert_allclose(small.grad, [2e-6 / 3], rtol=1e-6)


@pytest.mark.parametrize("norm_type", [2.0, 1, 3, 0.5, "inf", math.inf, -math.inf, 0])
@pytest.mark.parametrize("max_norm", [0.3, 1e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms_equal_torch(torch, rng, norm_type, max_norm, dtype):
    gradients = [rng.standard_normal(shape).astype(dtype) for shape in [(3, 4), (7,), (2, 1, 5)]]
    ours = parameters(*gradients)
    theirs = [torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.tensor(g).dtype)) for g in gradients]
    for q, g in zip(theirs, gradients, strict=True):
        q.grad = torch.tensor(g)
    norm = nn.utils.clip_grad_norm_((p for p in ours), max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert norm.dtype == dtype
    assert norm.item() == pytest.approx(expected.item(), rel=1e-5)
    for p, q in zip(ours, theirs, strict=True):
        assert p.grad.dtype == dtype
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_not_finite(torch, bad):
    ours = parameters(np.array([1.0, bad], np.float32), np.array([2.0], np.float32))
    theirs = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))]
    theirs[0].grad, theirs[1].grad = torch.tensor([1.0, bad]), torch.tensor([2.0])
    with pytest.raises(RuntimeError, match=f"norm of the gradients is {bad}"):
        nn.utils.clip_grad_norm_(ours, 1.0, error_if_nonfinite=True)
    assert ours[0].grad[0] == 1 and ours[1].grad[0] == 2
    norm = nn.utils.clip_grad_norm_(ours, 1.0)
    expected = torch.nn.utils.clip_grad_norm_(theirs, 1.0)
    np.testing.assert_equal(norm.item(), expected.item())
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(p.grad, q.grad.numpy())


@pytest.mark.parametrize("norm_type", [2, 1, 0, math.inf])
@pytest.mark.parametrize("name", usable.EVERY)
def test_every_backend_clips(rng, name, norm_type):
    backend = usable.or_skip(name)
    gradients = [rng.standard_normal(shape).astype(np.float32) for shape in [(30, 40), (7,)]]
    whole = np.concatenate([g.ravel() for g in gradients])
    made = [nn.Parameter(np.zeros_like(g), backend=backend) for g in gradients]
    for p, g in zip(made, gradients, strict=True):
        p.grad = backend.asarray(g.copy())
    norm = nn.utils.clip_grad_norm_(made, 0.5, norm_type)
    expected = len(gradients) if norm_type == 0 else np.linalg.norm(whole, norm_type)  # torch's 0-norm of 0-norms
    assert norm.backend is backend and norm.item() == pytest.approx(expected, rel=1e-5)
    factor = min(1, 0.5 / (norm.item() + 1e-6))
    for p, g in zip(made, gradients, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), g * factor, rtol=1e-5)
    nn.utils.clip_grad_value_(made, 1e-3)
    assert np.abs(made[0].grad.numpy()).max() == np.float32(1e-3)


def test_no_gradient_at_all():
    assert nn.utils.clip_grad_norm_([], 1.0).item() == 0
    assert nn.utils.clip_grad_norm_(parameters(None), 1.0, error_if_nonfinite=True).item() == 0
    nn.utils.clip_grad_value_(parameters(None), 1.0)


def test_values_are_clipped_in_place():
    a, none, b = parameters([-3.0, 0.25, 2.0], None, [1.5])
    before = a.grad
    assert nn.utils.clip_grad_value_([a, none, b], 1) is None
    assert a.grad is before and a.grad.tolist() == [-1, 0.25, 1] and b.grad.tolist() == [1]
    nn.utils.clip_grad_value_(a, 0.5)
    assert a.grad.tolist() == [-0.5, 0.25, 0.5]


def test_clipping_between_backward_and_step(rng):
    layer = nn.Linear(4, 3)
    layer(Tensor(100 * rng.standard_normal((5, 4)).astype(np.float32))).sum().backward()
    before = nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
    after = nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
    assert before.item() > 10 and after.item() == pytest.approx(1, rel=1e-4)
