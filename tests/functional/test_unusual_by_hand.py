"""Whole numbers, labels of one sample, copies, and torch's names of operators: by hand, and on every backend."""

from __future__ import annotations

import numpy as np
import pytest
import usable

from minialex import Tensor, functional, nn
from minialex.functional.more import names
from minialex.gradcheck import gradcheck


def normal(*shape, dtype=np.float64):
    return np.random.default_rng([7, *shape]).standard_normal(shape).astype(dtype)


# of arrays of whole numbers (2, 2, 5, 5)
WHOLE = {
    "linear, bias": lambda x: functional.linear(x, x[0, 0], x[0, 0, :, 0]),
    "conv2d": lambda x: functional.conv2d(x, x[:, :, :3, :2], x[0, 0, :2, 0], (2, 1), (1, 0)),
    "max_pool2d": lambda x: functional.max_pool2d(x, 2, 1, 1, 1, True),
    "avg_pool2d": lambda x: functional.avg_pool2d(x, 3, 2, 1, True, False),
    "local_response_norm": lambda x: functional.local_response_norm(x, 2, 0.9, 0.8, 1.2),
}
W3 = np.array([0.5, 2.0, 1.0])


@pytest.mark.parametrize("backend", usable.EVERY)
def test_indices_on_every_backend(backend):
    backend = usable.or_skip(backend)
    x = normal(2, 3, 7, 6, dtype=np.float32)
    y, indices = nn.MaxPool2d(3, 2, 1, 1, True, True)(Tensor(x, backend=backend))
    assert y.backend is backend is indices.backend and indices.dtype == np.int64
    picked = np.take_along_axis(x.reshape(2, 3, 42), indices.numpy().reshape(2, 3, -1), 2)
    np.testing.assert_array_equal(picked.reshape(y.shape), y.numpy())
    alone = nn.MaxPool2d(3, 2, 1, 1, False, True)(Tensor(x, backend=backend))
    np.testing.assert_array_equal(alone.numpy(), y.numpy())


def test_whole_numbers_stay_exact():
    big = np.array([2**62 + 1, 2**62, -(2**62) - 1, 3])
    y, indices = functional.max_pool2d(Tensor(big.reshape(1, 1, 2, 2)), 2, return_indices=True)
    assert y.item() == 2**62 + 1 and indices.item() == 0
    assert functional.linear(Tensor(big[None, :1]), Tensor(np.array([[1]]))).item() == 2**62 + 1
    assert (
        functional.conv2d(Tensor(big.reshape(1, 1, 1, 4)), Tensor(np.ones((1, 1, 1, 1), np.int64))).tolist()[0][0][0][1]
        == 2**62
    )
    lowest = np.iinfo(np.int8).min
    y, indices = functional.max_pool2d(Tensor(np.full((1, 1, 2, 2), lowest, np.int8)), 2, 2, 1, return_indices=True)
    assert y.tolist() == [[[[lowest] * 2] * 2]] and indices.tolist() == [[[[0, 1], [2, 3]]]]


@pytest.mark.parametrize("backend", usable.EVERY)
@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_on_every_backend(name, backend):
    """Never memory that nobody wrote: as NumPy's."""
    backend, x = usable.or_skip(backend), np.random.default_rng(8).integers(-9, 10, (2, 2, 5, 5))
    expected = WHOLE[name](Tensor(x, backend="numpy"))
    y = WHOLE[name](Tensor(x, backend=backend))
    assert y.backend is backend and y.dtype == expected.dtype
    np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-6)


def test_a_label_in_an_array_of_one():
    x = Tensor(normal(3), requires_grad=True)
    loss = functional.cross_entropy(x, np.array([1]), reduction="none")
    loss.backward(np.ones(1))
    p = np.exp(x.numpy()) / np.exp(x.numpy()).sum()
    np.testing.assert_allclose(loss.numpy(), [-np.log(p[1])], rtol=1e-12)
    np.testing.assert_allclose(x.grad.numpy(), p - [0, 1, 0], rtol=1e-12)
    assert functional.nll_loss(x, [1]).shape == () and functional.cross_entropy(x, 1).shape == ()


def test_probabilities_of_one_hot_rows_are_labels():
    x, labels = Tensor(normal(4, 3), requires_grad=True), np.array([2, 0, 1, 2])
    by_label = functional.cross_entropy(x, labels, W3, reduction="sum")
    by_row = functional.cross_entropy(x, np.eye(3)[labels], W3, reduction="sum")
    assert by_label.item() == pytest.approx(by_row.item(), rel=1e-12)
    for target in (np.eye(3, dtype=np.int64)[labels], np.eye(3, dtype=np.int64)[labels].tolist()):
        with pytest.raises(ValueError, match=r"of one-hot rows, target.argmax\(1\)"):
            functional.cross_entropy(x, target)
    with pytest.raises(ValueError, match="ignore_index=1 goes with labels"):
        functional.cross_entropy(x, np.eye(3)[labels], ignore_index=1)


def test_a_gradient_is_not_lost_in_integers():
    x = Tensor(normal(3, 4), requires_grad=True)
    for call in (lambda: x.sum(dtype=np.int64), lambda: functional.cumsum(x, 0, dtype=bool)):
        with pytest.raises(TypeError, match="has no gradient: detach"):
            call()
    assert x.detach().sum(dtype=np.int64).dtype == np.int64 and x.sum(dtype=np.float32).requires_grad


def test_to_copies_on_request():
    x = Tensor(normal(2, 3))
    assert x.to(np.float64) is x and x.to("cpu") is x and x.to() is x
    for copied in (
        x.to(copy=True),
        x.to(np.float64, False, True),
        x.to(np.float64, copy=True),
        x.to("numpy", copy=True),
    ):
        assert copied is not x and not np.shares_memory(copied.data, x.data)
    assert x.to("numba", np.float32).backend.name == "numba" and x.to("numba", np.float32).dtype == np.float32


def test_dropout_in_place():
    x = Tensor(normal(4, 5), requires_grad=True)
    hidden = x * 2.0
    y = nn.Dropout(0.5, True)(hidden)
    assert y is hidden and y.version == 1 and repr(nn.Dropout(0.5, True)) == "Dropout(p=0.5, inplace=True)"
    y.backward(np.ones((4, 5)))
    kept = y.numpy() != 0
    assert 0 < kept.sum() < 20
    np.testing.assert_allclose(x.grad.numpy(), np.where(kept, 4.0, 0.0))
    with pytest.raises(RuntimeError, match="would lose the value of a leaf"):
        functional.dropout(x, 0.5, True, True)
    assert functional.dropout(x, 0.5, False, True) is x


@pytest.mark.parametrize(
    "call",
    [functional.floor, functional.ceil, functional.round, functional.sign, lambda x: functional.round(x, decimals=1)],
)
def test_steps_have_the_gradient_zero(call):
    """torch records them; without a node, the backward() of a loss that is only rounded would be refused."""
    x = Tensor(np.array([-1.26, 0.0, 2.5]), requires_grad=True)
    y = call(x)
    (y * 3.0 + x).sum().backward()
    assert y.requires_grad and x.grad.tolist() == [1.0, 1.0, 1.0]
    call(x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("function", [functional.sin, functional.cos, functional.square, functional.amax])
def test_finite_differences(function):
    assert gradcheck(function, normal(3, 4)).ok


def test_t_is_a_view():
    x = Tensor(np.zeros((2, 3)))
    x.t()[0, 1] = 5.0
    assert x[1, 0].item() == 5.0


def test_equal_ones_share_the_gradient():
    x = Tensor(np.array([[1.0, 3.0, 3.0]]), requires_grad=True)
    x.amax(1).backward(np.array([6.0]))
    assert x.grad.tolist() == [[0.0, 3.0, 3.0]]


def test_values_by_hand():
    """What holds without torch, too."""
    x = Tensor(np.array([[1.0, -2.0], [3.5, 0.0]], np.float32))
    assert x.square().tolist() == [[1.0, 4.0], [12.25, 0.0]] and x.sign().tolist() == [[1.0, -1.0], [1.0, 0.0]]
    assert x.floor().tolist() == [[1.0, -2.0], [3.0, 0.0]] and x.round().tolist() == [[1.0, -2.0], [4.0, 0.0]]
    assert x.t().tolist() == [[1.0, 3.5], [-2.0, 0.0]] and x.mm(x).tolist() == [[-6.0, -2.0], [3.5, -7.0]]
    assert (
        x.amin().item() == -2.0
        and x.amax(0).tolist() == [3.5, 0.0]
        and x.eq(0).tolist() == [[False] * 2, [False, True]]
    )
    assert [part.tolist() for part in x.unbind(1)] == [[1.0, 3.5], [-2.0, 0.0]]
    assert Tensor(np.array([1, 1, 4])).bincount().tolist() == [0, 2, 0, 0, 1]
    assert functional.vstack([x, x[0]]).shape == (3, 2) and functional.hstack([x, x]).shape == (2, 4)
    assert functional.normalize(Tensor([[3.0, 4.0]])).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]
    assert functional.cos(Tensor([0.0])).tolist() == [1.0] and functional.sin(Tensor([0.0])).tolist() == [0.0]


def test_every_name_is_published():
    own = {name for name, f in vars(names).items() if getattr(f, "__module__", "") == names.__name__ and name[0] != "_"}
    assert own <= set(functional.__all__)
