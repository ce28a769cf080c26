"""torch's names on tensors, by hand and on every backend: what holds where torch is not installed, too."""

from __future__ import annotations

import math

import numpy as np
import pytest
import usable

from minialex import Tensor, functional

inf = np.inf


def normal(*shape, dtype=np.float64):
    return np.random.default_rng([4, *shape]).standard_normal(shape).astype(dtype)


def test_a_view_shares_memory_and_reshape_is_its_hint():
    x = Tensor(np.arange(6.0).reshape(2, 3))
    y = x.view(3, 2)
    y[0, 0] = 7.0
    assert x.tolist() == [[7.0, 1.0, 2.0], [3.0, 4.0, 5.0]] and x.version == y.version == 1
    with pytest.raises(RuntimeError, match="without a copy: use reshape"):
        x.transpose(0, 1).view(6)
    with pytest.raises(TypeError, match="to\\(dtype\\)"):
        x.view(np.int32)
    assert Tensor(np.zeros((0, 3))).view(3, 0).shape == (3, 0)


def test_an_expanded_tensor_is_not_written_to():
    y = Tensor(np.zeros((3, 1), np.float32)).expand(3, 4)
    for write in (lambda: y.zero_(), lambda: y.__iadd__(1.0), lambda: y.__setitem__(0, 1.0)):
        with pytest.raises(RuntimeError, match=r"clone\(\)"):
            write()
    z = y.clone()
    z += 1.0
    assert z.tolist() == [[1.0] * 4] * 3 and y.tolist() == [[0.0] * 4] * 3


def test_a_flipped_tensor_is_a_copy():
    x = Tensor(np.arange(3.0))
    x.flip(0).zero_()
    assert x.tolist() == [0.0, 1.0, 2.0]


def test_gather_picks_the_logit_of_each_label():
    """The line that is written for a loss by hand; of numbers without axes, too."""
    x = Tensor(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), requires_grad=True)
    y = x.gather(1, np.array([[2], [0]]))
    assert y.tolist() == [[3.0], [4.0]]
    y.backward(np.array([[10.0], [20.0]]))
    assert np.asarray(x.grad).tolist() == [[0.0, 0.0, 10.0], [20.0, 0.0, 0.0]]
    assert Tensor(5.0).gather(0, np.array(0)).item() == 5.0


def test_masked_fill_with_a_tensor_and_what_it_refuses():
    x, v = Tensor(np.ones((2, 2)), requires_grad=True), Tensor(np.array(5.0), requires_grad=True)
    mask = np.array([[True, False], [True, True]])
    y = x.masked_fill(mask, v)
    assert y.tolist() == [[5.0, 1.0], [5.0, 5.0]]
    y.backward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert np.asarray(x.grad).tolist() == [[0.0, 2.0], [0.0, 0.0]] and float(v.grad) == 8.0
    with pytest.raises(TypeError, match="mask of truth values"):
        x.masked_fill(np.array([1, 0]), 0.0)
    with pytest.raises(TypeError, match="int64 cannot hold 0.5"):
        Tensor(np.array([1, 2])).masked_fill(np.array([True, False]), 0.5)
    with pytest.raises(TypeError, match="cannot hold"):
        Tensor(np.array([1, 2])).masked_fill(np.array([True, False]), -inf)
    with pytest.raises(ValueError, match="one value"):
        x.masked_fill(mask, Tensor(np.zeros(2)))


def test_a_mask_that_was_changed_is_missed():
    x, mask = Tensor(np.ones(3), requires_grad=True), Tensor(np.array([True, False, True]))
    y = x.masked_fill(mask, 0.0)
    mask ^= True
    with pytest.raises(RuntimeError, match="masked_fill needs a value that was changed in place"):
        y.backward(np.ones(3))


def test_formats_by_hand():
    assert f"{Tensor(0.123456):.3f} {Tensor([[2.0]]):5.1f}|{Tensor([1.0])}" == "0.123   2.0|Tensor([1.])"
    with pytest.raises(TypeError, match=r"'.2f' formats one number, this tensor has shape \(2,\)"):
        f"{Tensor([1.0, 2.0]):.2f}"
    with pytest.raises(TypeError, match="float32"):
        [1, 2, 3][Tensor(1.0)]
    assert [1, 2, 3][Tensor(np.array([2]))] == 3 and np.arange(3)[Tensor(np.array([0, 2]))].tolist() == [0, 2]


def test_named_results_and_their_gradient():
    x = Tensor(np.array([3.0, 1.0, 2.0]), requires_grad=True)
    y = x.topk(2)
    assert y.values.tolist() == [3.0, 2.0] and y.indices.tolist() == [0, 2] and y.indices.dtype == np.int64
    y.values.backward(np.array([10.0, 20.0]))
    assert np.asarray(x.grad).tolist() == [10.0, 0.0, 20.0]
    assert Tensor(np.array([1, 1, 1])).argsort(descending=True).tolist() == [0, 1, 2]


def test_norm_by_hand():
    x = Tensor(np.array([[3.0, -4.0], [0.0, 0.0]]), requires_grad=True)
    y = x.norm(dim=1)
    assert y.tolist() == [5.0, 0.0]
    y.backward(np.array([10.0, 10.0]))
    assert np.asarray(x.grad).tolist() == [[6.0, -8.0], [0.0, 0.0]]
    for wrong, error in [
        (lambda: x.norm("nuc"), ValueError), (lambda: Tensor(np.array([1, 2])).norm(), TypeError),
        (lambda: Tensor(np.zeros(0)).norm(inf), ValueError),
    ]:  # fmt: skip
        with pytest.raises(error, match="norm"):
            wrong()


def test_the_gradient_where_nothing_varies_is_0():
    x = Tensor(np.ones(3), requires_grad=True)
    x.std().backward()
    assert np.asarray(x.grad).tolist() == [0.0, 0.0, 0.0]


def test_operators_by_hand():
    x = Tensor(np.array([-1.0, 0.5, 2.0]))
    assert ((x > 0) & ~(x > 1)).tolist() == [False, True, False] and ((x < 0) | (x > 1)).tolist() == [True, False, True]
    assert (x // 1.5).tolist() == [-1.0, 0.0, 1.0] and (Tensor(np.array([7, -7])) % 4).tolist() == [3, 1]
    assert (x % 0.0).tolist()[0] != 0 and (x // 0.0).tolist() == [-inf, inf, inf]
    for wrong in (lambda: Tensor(np.array([1])) % 0, lambda: 1 // Tensor(np.array([0]))):
        with pytest.raises(ValueError, match="float"):
            wrong()
    for wrong in (lambda: x & 1, lambda: ~x, lambda: Tensor(np.array([True])) % 1.0 & x):
        with pytest.raises(TypeError, match="compare first"):
            wrong()


def test_operators_in_place():
    """`mask &= other` writes into the array: every name of it sees the change."""
    mask = alias = Tensor(np.array([True, True, False]))
    mask &= np.array([True, False, True])
    assert mask is alias and alias.tolist() == [True, False, False] and alias.version == 1
    mask |= np.array([False, False, True])
    mask ^= True
    assert mask is alias and alias.tolist() == [False, True, False]
    t = name = Tensor(np.array([7, -7, 9]))
    t //= 2
    t %= 3
    assert t is name and name.tolist() == [0, 2, 1]
    with pytest.raises(RuntimeError, match="would lose"):
        x = Tensor(np.ones(2), requires_grad=True)
        x %= 2.0


@pytest.mark.parametrize("name", ["gelu", "elu", "silu", "softplus"])
def test_whole_numbers_are_refused(name):
    with pytest.raises(TypeError, match=f"{name} computes with floating-point numbers, got int64"):
        getattr(functional, name)(Tensor(np.array([1, 2])))


def test_the_error_function_to_the_last_digits():
    """erfc of small and large numbers against the C library."""
    from minialex.functional.more import activation

    x = np.linspace(-8, 30, 3801)
    expected = np.array([math.erfc(v) for v in x])
    ours = activation._erfc(np, x)
    np.testing.assert_allclose(ours[x < 6], expected[x < 6], rtol=5e-14)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-15)
    assert activation._erfc(np, np.array([inf, -inf])).tolist() == [0.0, 2.0]
    assert functional.gelu(Tensor(np.array([-40.0, 40.0]))).tolist() == [0.0, 40.0]


def test_binary_cross_entropy_by_hand():
    x = Tensor(np.array([0.0, 0.0], np.float32), requires_grad=True)
    loss = functional.binary_cross_entropy_with_logits(x, np.array([1, 0]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2)) and np.asarray(x.grad).tolist() == [-0.25, 0.25]
    with pytest.raises(ValueError, match=r"logits' shape \(2,\), got \(2, 1\)"):
        functional.binary_cross_entropy_with_logits(x, np.ones((2, 1)))
    with pytest.raises(ValueError, match="reduction="):
        functional.binary_cross_entropy_with_logits(x, np.ones(2), size_average=True)


def test_interpolate_by_hand():
    x = Tensor(np.array([[[[1.0, 3.0]]]]), requires_grad=True)
    assert functional.interpolate(x, (1, 4)).tolist() == [[[[1.0, 1.0, 3.0, 3.0]]]]
    y = functional.interpolate(x, (1, 4), mode="bilinear")
    assert y.tolist() == [[[[1.0, 1.5, 2.5, 3.0]]]]
    y.backward(np.array([[[[1.0, 10.0, 100.0, 1000.0]]]]))
    assert x.grad.tolist() == [[[[1 + 7.5 + 25, 2.5 + 75 + 1000]]]]
    spread = functional.interpolate(Tensor(np.array([[[[inf, 1.0, 2.0]]]])), (1, 6))
    assert spread.tolist() == [[[[inf, inf, 1.0, 1.0, 2.0, 2.0]]]]


def test_one_hot_by_hand():
    assert functional.one_hot(np.array([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(TypeError, match="float64"):
        functional.one_hot(np.array([0.5]))
    with pytest.raises(ValueError, match="labels from 0 to 3 for 3 classes"):
        functional.one_hot(np.array([0, 3]), 3)


EVERYWHERE = {
    "squeeze": lambda x: x.unsqueeze(1).squeeze(),
    "view": lambda x: x.view(-1, 2),
    "expand": lambda x: functional.relu(x.unsqueeze(0).expand(2, -1, -1)),
    "expand to its own shape": lambda x: functional.linear(x.expand(3, 4), x.expand(1, 3, 4)[0]),
    "repeat": lambda x: x.repeat(2, 3),
    "flip": lambda x: functional.relu(x.flip(-1)),
    "chunk": lambda x: functional.cat([part * 2 for part in x.chunk(2, 1)]),
    "split": lambda x: x.split([1, 3], 1)[1],
    "gather": lambda x: x.gather(1, np.array([[3, 0], [1, 1]])),
    "masked_fill": lambda x: x.masked_fill(x > 0, -2.0),
    "sort": lambda x: x.sort(0, True).values,
    "topk": lambda x: x.topk(2, largest=False).values,
    "clone": lambda x: x.transpose(0, 1).clone(),
    "contiguous": lambda x: x.transpose(0, 1).contiguous(),
    "float": lambda x: x.double().float(),
    "norm": lambda x: x.norm(2, 1),
    "std": lambda x: x.std(0),
    "cumsum": lambda x: x.cumsum(1),
    "remainder": lambda x: x % 0.7,
    "gelu": lambda x: functional.gelu(x),
    "silu in place": lambda x: functional.silu(x * 1.0, inplace=True),
    "bce": lambda x: functional.binary_cross_entropy_with_logits(x, np.ones((3, 4))),
    "argmin": lambda x: x.argmin(1),
    "argsort": lambda x: x.argsort(),
    "one_hot": lambda x: functional.one_hot(x.abs().long() + 1),
    "operators": lambda x: (x > 0) & ~(x > 1) | (x < -1),
    "//": lambda x: x // 0.5,
    "any": lambda x: x.bool().any(0),
}


@pytest.mark.parametrize("backend", usable.EVERY)
@pytest.mark.parametrize("call", EVERYWHERE.values(), ids=EVERYWHERE)
def test_every_backend_as_numpy(backend, call):
    results = []
    for name in ("numpy", usable.or_skip(backend).name):
        x = Tensor(normal(3, 4, dtype=np.float32), requires_grad=True, backend=name)
        y = call(x)
        assert y.backend.name == name
        if y.requires_grad:
            y.backward(normal(*y.shape, dtype=np.float32))
        results.append((y.numpy(), 0 if x.grad is None else Tensor(x.grad, backend=x.backend).numpy()))
        assert y.cpu().backend.name == ("numpy" if name == "cupy" else name) and y.tolist() == y.numpy().tolist()
    for ours, numpys in zip(results[1], results[0]):
        np.testing.assert_allclose(ours, numpys, rtol=1e-6, atol=1e-6)
