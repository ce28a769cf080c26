"""What users of other frameworks write in their first hour: small programs, against a NumPy formula and by differences.

Each sample is a function of tensors, the same in NumPy on arrays, and the arrays. Values are compared with NumPy's, and
gradients with central differences of the NumPy formula, so that minialex's own checker has no part in it.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from minialex import functional as F
from minialex import nn, optim
from minialex.tensor import Tensor


def normal(*shape, seed=0):
    return np.random.default_rng([3, seed, *shape]).standard_normal(shape)


def np_softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def np_conv(x, w, stride=1, pad=0):
    """A window at a time, by einsum."""
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwuv,ocuv->nohw", windows, w)


def np_normalised(x, axis):
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + 1e-5)


def attention(q, k, v):
    return F.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), -1) @ v


def rnn(x, wx, wh):
    h = Tensor(np.zeros((x.shape[1], wh.shape[0])))
    for step in x:
        h = (step @ wx + h @ wh).tanh()
    return h


def np_rnn(x, wx, wh):
    h = np.zeros((x.shape[1], wh.shape[0]))
    for step in x:
        h = np.tanh(step @ wx + h @ wh)
    return h


def gelu(x):
    return 0.5 * x * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)).tanh())


LABELS, ONE_HOT = np.array([2, 0, 1, 2]), np.eye(3)[[2, 0, 1, 2]]
ORDER = np.array([2, 0, 0, 1])
M, V, X, W = normal(4, 3), normal(3, seed=1), normal(2, 3, 5, 4), normal(4, 3, 3, 3)

SAMPLES = {
    "a line": (lambda x, w, b: x @ w + b, lambda x, w, b: x @ w + b, (M, V, np.array(0.5))),
    "a polynomial": (lambda x: 3 * x**3 - 2 * x**2 + x - 7, lambda x: 3 * x**3 - 2 * x**2 + x - 7, (M,)),
    "a fraction": (
        lambda x, y: (x + 1) / (y * y + 1) - 2 / (x * x + 3),
        lambda x, y: (x + 1) / (y * y + 1) - 2 / (x * x + 3),
        (M, V),
    ),
    "distances": (
        lambda a, b: ((a[:, None] - b[None]) ** 2).sum(-1).sqrt(),
        lambda a, b: np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1)),
        (M, normal(2, 3)),
    ),
    "a norm": (lambda x: (x * x).sum() ** 0.5, lambda x: np.sqrt((x * x).sum()), (M,)),
    "a cosine": (
        lambda a, b: (a * b).sum(1) / ((a * a).sum(1) * (b * b).sum(1)).sqrt(),
        lambda a, b: (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1)),
        (M, normal(4, 3, seed=2)),
    ),
    "two layers": (
        lambda x, w, v: F.relu(x @ w) @ v,
        lambda x, w, v: np.maximum(x @ w, 0) @ v,
        (M, normal(3, 5), normal(5, 2)),
    ),
    "logistic regression": (
        lambda x, w: -F.log(F.sigmoid(x @ w)).mean(),
        lambda x, w: np.log1p(np.exp(-x @ w)).mean(),
        (M, V),
    ),
    "cross entropy from its parts": (
        lambda x: -(F.log_softmax(x, 1) * Tensor(ONE_HOT)).sum(1).mean(),
        lambda x: -np.log(np_softmax(x)[range(4), LABELS]).mean(),
        (M,),
    ),
    "cross entropy by picking": (
        lambda x: F.logsumexp(x, 1) - x[np.arange(4), LABELS],
        lambda x: -np.log(np_softmax(x)[range(4), LABELS]),
        (M,),
    ),
    "cross entropy": (
        lambda x: F.cross_entropy(x, LABELS),
        lambda x: -np.log(np_softmax(x)[range(4), LABELS]).mean(),
        (M,),
    ),
    "softmax with a temperature": (lambda x: F.softmax(x / 0.5, 1) ** 2, lambda x: np_softmax(x / 0.5) ** 2, (M,)),
    "entropy": (
        lambda x: -(F.softmax(x, 1) * F.log_softmax(x, 1)).sum(1),
        lambda x: -(np_softmax(x) * np.log(np_softmax(x))).sum(1),
        (M,),
    ),
    "attention": (
        attention,
        lambda q, k, v: np_softmax(q @ k.swapaxes(-1, -2) / math.sqrt(3)) @ v,
        (normal(2, 4, 3), normal(2, 5, 3), normal(2, 5, 2)),
    ),
    "layer norm": (
        lambda x: (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt(),
        lambda x: np_normalised(x, -1),
        (M,),
    ),
    "batch norm": (lambda x: F.batch_norm(x, None, None, training=True), lambda x: np_normalised(x, (0, 2, 3)), (X,)),
    "an embedding": (lambda table: table[ORDER] * 2, lambda table: table[ORDER] * 2, (M,)),
    "a gated unit": (
        lambda x: x[:, :2].sigmoid() * x[:, -2:].tanh(),
        lambda x: np.tanh(x[:, -2:]) / (1 + np.exp(-x[:, :2])),
        (M,),
    ),
    "a recurrent net": (rnn, np_rnn, (normal(4, 2, 3), normal(3, 3), normal(3, 3, seed=4))),
    "gelu": (gelu, lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), (M,)),
    "softplus": (lambda x: (1 + x.exp()).log(), lambda x: np.log1p(np.exp(x)), (M,)),
    "swish": (lambda x: x * x.sigmoid(), lambda x: x / (1 + np.exp(-x)), (M,)),
    "elu": (lambda x: F.where(x.data > 0, x, x.exp() - 1), lambda x: np.where(x > 0, x, np.exp(x) - 1), (M,)),
    "a hinge": (lambda x: F.maximum(0.0, 1 - x).mean(), lambda x: np.maximum(0, 1 - x).mean(), (M,)),
    "huber": (
        lambda x: F.where(abs(x).data < 1, x * x / 2, abs(x) - 0.5),
        lambda x: np.where(np.abs(x) < 1, x * x / 2, np.abs(x) - 0.5),
        (2 * M,),
    ),
    "a picture turned round": (
        lambda x: x[:, :, ::-1, ::-1].permute(0, 2, 3, 1),
        lambda x: x[:, :, ::-1, ::-1].transpose(0, 2, 3, 1),
        (X,),
    ),
    "a residual block": (
        lambda x, w: F.relu(x + F.conv2d(F.relu(F.conv2d(x, w, padding=1)), w, padding=1)),
        lambda x, w: np.maximum(x + np_conv(np.maximum(np_conv(x, w, 1, 1), 0), w, 1, 1), 0),
        (X, W[:3]),
    ),
    "convolution, pooling, flatten": (
        lambda x, w: F.flatten(F.avg_pool2d(F.conv2d(x, w, stride=2, padding=1), 2, 1), 1),
        lambda x, w: np_conv(np_conv(x, w, 2, 1), np.eye(4)[:, :, None, None] * np.full((2, 2), 0.25)).reshape(2, -1),
        (X, W),
    ),
    "max pooling by reshaping": (
        lambda x: x[:, :, :4].reshape(2, 3, 2, 2, 2, 2).max(5).values.max(3).values,
        lambda x: x[:, :, :4].reshape(2, 3, 2, 2, 2, 2).max((3, 5)),
        (X,),
    ),
    "global average": (lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1), lambda x: x.mean((2, 3)), (X,)),
    "channels joined": (
        lambda x: F.concatenate([x, 2 * x[:, :1]], 1).mean((0, 2, 3)),
        lambda x: np.concatenate([x, 2 * x[:, :1]], 1).mean((0, 2, 3)),
        (X,),
    ),
    "pixels shuffled": (
        lambda x: F.pad(x.reshape(6, 20)[:, ORDER], (1, 0)),
        lambda x: np.pad(x.reshape(6, 20)[:, ORDER], ((0, 0), (1, 0))),
        (X,),
    ),
    "an outer product": (lambda a, b: a.reshape(-1, 1) * b, lambda a, b: np.outer(a, b), (V, normal(4))),
    "a trace": (lambda x: x[np.arange(3), np.arange(3)].sum(), lambda x: np.trace(x), (normal(3, 3),)),
    "a determinant of two": (lambda x: x[0, 0] * x[1, 1] - x[0, 1] * x[1, 0], np.linalg.det, (normal(2, 2),)),
    "a value used five times": (lambda x: x * x + x / (1 + x * x) - x, lambda x: x * x + x / (1 + x * x) - x, (M,)),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_value_and_gradient(sample):
    ours, formula, arrays = SAMPLES[sample]
    leaves = [Tensor(x.copy(), requires_grad=True) for x in arrays]
    y = ours(*leaves)
    expected = np.asarray(formula(*arrays))
    assert y.shape == expected.shape
    np.testing.assert_allclose(y.data, expected, rtol=1e-10, atol=1e-12)
    cotangent = normal(*y.shape, seed=9)
    y.backward(cotangent)
    for i, leaf in enumerate(leaves):
        numeric = np.zeros(leaf.shape)
        for index in np.ndindex(leaf.shape):
            above, below = ([x.copy() for x in arrays] for _ in range(2))
            above[i][index] += 1e-5
            below[i][index] -= 1e-5
            numeric[index] = ((formula(*above) - formula(*below)) * cotangent).sum() / 2e-5
        np.testing.assert_allclose(leaf.grad, numeric, rtol=1e-6, atol=1e-7 * np.abs(numeric).max())


def test_gradient_descent_by_hand_finds_the_line():
    """y = 2 x - 1, weights changed by assignment and gradients set back to None: the loop of every first tutorial."""
    x = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    w, b = Tensor(np.zeros((1, 1)), True, np.float32), Tensor(np.zeros(1), True, np.float32)
    for _ in range(200):
        loss = ((Tensor(x) @ w + b - (2 * x - 1)) ** 2).mean()
        loss.backward()
        for t in (w, b):
            t.data = t.data - 0.3 * t.grad
            t.grad = None
    np.testing.assert_allclose([w.item(), b.item()], [2, -1], atol=1e-5)


def test_a_net_learns_exclusive_or():
    x, labels = Tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
    for _ in range(200):
        optimizer.zero_grad()
        F.cross_entropy(net(x), labels).backward()
        optimizer.step()
    assert net(x).argmax(1).data.tolist() == labels.tolist()
