"""A convolution and the ReLU behind it, computed in one pass: the same bits and the same tape, and never unseen."""

from __future__ import annotations

import numpy as np
import pytest

import minialex
from minialex import Tensor, backends, explore, functional, nn
from minialex.backends.fast_cpu import ways
from minialex.backends.fast_cpu.backend import NumbaBackend
from minialex.nn import fused

NUMBA = backends.get_backend("numba")
WAYS = {  # channels, filters, size, kernel, stride, padding, groups; and the way that is taken
    "direct": ((5, 6, 7, 3, 1, 1, 1), "direct"),
    "direct, strided, in groups": ((6, 8, (11, 9), 5, 3, 2, 2), "direct"),
    "F(4, 3) or F(5, 3)": ((32, 32, 13, 3, 1, 1, 1), "F"),
    "5x5": ((32, 32, 16, 5, 1, 2, 1), "F"),
    "blocks": ((3, 32, 43, 11, 4, 0, 1), "F"),
    "few channels": ((3, 32, 16, 5, 1, 2, 1), "F"),
}


@pytest.fixture
def relu_calls(monkeypatch):
    """How often the numba backend's pass of ReLU has run: where it has not, the layers were fused."""
    calls, original = [], NumbaBackend.relu

    def counted(self, x, out=None):
        calls.append(x.shape)
        return original(self, x, out)

    monkeypatch.setattr(NumbaBackend, "relu", counted)
    return calls


def network(rng, channels, filters, size, kernel, stride, padding, groups, dtype=np.float32, inplace=False, bias=True):
    conv = nn.Conv2d(channels, filters, kernel, stride, padding, groups=groups, bias=bias, dtype=dtype)
    for p in conv.parameters():
        p.data[...] = rng.standard_normal(p.shape)
    net = nn.Sequential({"conv": conv, "relu": nn.ReLU(inplace)}).to("numba")
    height, width = size if isinstance(size, tuple) else (size, size)
    return net, rng.standard_normal((5, channels, height, width)).astype(dtype)


def result(layers, x, gy=None):
    """The output of layers that are called one by one, or of a network, and all gradients."""
    input = Tensor(x, requires_grad=True, backend=NUMBA)
    y = input
    for layer in layers:
        y = layer(y)
    gy = np.random.default_rng(3).standard_normal(y.shape).astype(y.dtype) if gy is None else gy
    y.backward(Tensor(gy, backend=NUMBA))
    gradients = [input.grad.numpy().copy()]
    for layer in layers:
        for p in layer.parameters():
            gradients.append(p.grad.numpy().copy())
            p.grad = None
    return [y.numpy(), *gradients]


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", WAYS)
def test_the_same_bits(rng, relu_calls, name, dtype, inplace):
    geometry, way = WAYS[name]
    net, x = network(rng, *geometry, dtype=dtype, inplace=inplace, bias=name != "5x5")
    window = minialex.window.Window.over(x.shape, net.conv.weight.shape[2:], net.conv.stride, net.conv.padding)
    taken = str(ways.choose(x.shape[1:], net.conv.weight.shape, window, net.conv.groups, x.dtype))
    assert taken.startswith(way)
    together = result([net], x)
    assert not relu_calls
    apart = result(list(net), x)
    assert len(relu_calls) == 1
    assert (together[0] == 0).mean() > 0.2
    for a, b in zip(together, apart, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", WAYS)
def test_nan_infinity_and_zeros(rng, relu_calls, name):
    net, x = network(rng, *WAYS[name][0])
    net.conv.bias.data[:4] = [np.nan, -np.inf, np.inf, -0.0]
    net.conv.weight.data[3] = 0
    together = net(Tensor(x, backend=NUMBA)).numpy()
    assert not relu_calls
    assert np.isnan(together[:, 0]).all() and (together[:, 1] == 0).all() and np.isposinf(together[:, 2]).all()
    assert not np.signbit(together).any()
    apart = net.relu(net.conv(Tensor(x, backend=NUMBA))).numpy()
    assert together.tobytes() == apart.tobytes()


def test_the_tape_is_the_same(rng):
    net, x = network(rng, *WAYS["direct"][0])

    def tape_of(y):
        names, node = [], y.node
        while node is not None:
            names.append((node.name, node.module, node.shape, [type(edge).__name__ for edge in node.parents]))
            node = node.parents[0] if isinstance(node.parents[0], minialex.tape.Node) else None
        return names

    x = Tensor(x, backend=NUMBA)
    assert tape_of(net(x)) == tape_of(net.relu(net.conv(x)))
    assert [(name, module) for name, module, *_ in tape_of(net(x))] == [("relu", net.relu), ("conv2d", net.conv)]


def test_a_result_changed_in_place_is_noticed(rng):
    net, x = network(rng, *WAYS["direct"][0])
    y = net(Tensor(x, backend=NUMBA))
    loss = y.sum()
    y.data[...] = 1
    y.bump_version()
    with pytest.raises(RuntimeError, match="backward of relu needs a value that was changed in place"):
        loss.backward()


def test_without_gradients_and_for_one_image(rng, relu_calls):
    net, x = network(rng, *WAYS["direct"][0])
    with minialex.no_grad():
        batch = net(Tensor(x, backend=NUMBA)).numpy()
        one = net(Tensor(x[2], backend=NUMBA)).numpy()
    assert not relu_calls
    np.testing.assert_allclose(one, batch[2], atol=1e-5)


def test_an_error_names_the_layer_and_leaves_nothing_behind(rng, relu_calls):
    net, x = network(rng, *WAYS["direct"][0])
    with pytest.raises(ValueError, match="layer conv"):
        net(Tensor(x[:, :3], backend=NUMBA))
    y = net.conv(Tensor(x, backend=NUMBA)).numpy()
    assert (y < 0).any()


def count_of(net, x, relu_calls):
    relu_calls.clear()
    net(Tensor(x, backend=NUMBA))
    return len(relu_calls)


def test_whoever_looks_in_between_sees_each_layer(rng, relu_calls, monkeypatch):
    net, x = network(rng, *WAYS["direct"][0])
    assert count_of(net, x, relu_calls) == 0
    seen = []
    for layer in net:
        with layer.register_forward_hook(lambda module, inputs, output: seen.append(output.numpy().copy())):
            assert count_of(net, x, relu_calls) == 1
        with layer.register_full_backward_hook(lambda module, grad_input, grad_output: None):
            assert count_of(net, x, relu_calls) == 1
    assert (seen[0] < 0).any() and not (seen[1] < 0).any()
    assert count_of(net, x, relu_calls) == 0
    with explore.trace() as steps:
        assert count_of(net, x, relu_calls) == 1
    assert [node["name"] for node in steps.data["nodes"]][-2:] == ["conv2d", "relu"]
    assert count_of(net, x, relu_calls) == 0
    for layer in net:
        layer.forward = type(layer).forward.__get__(layer)
        assert count_of(net, x, relu_calls) == 1
        del layer.forward
    for owner, name in fused._CALLED:
        with monkeypatch.context() as changed:
            original = getattr(owner, name)
            changed.setattr(owner, name, lambda *a, original=original, **k: original(*a, **k))
            assert count_of(net, x, relu_calls) == 1
    assert count_of(net, x, relu_calls) == 0


def test_layers_and_backends_of_the_users_own(rng, relu_calls):
    class Conv(nn.Conv2d):
        pass

    class Rectifier(nn.ReLU):
        def forward(self, input):
            return functional.relu(input) + 1

    class Own(NumbaBackend):
        def conv2d(self, *arguments):
            y, saved = super().conv2d(*arguments)
            assert (y < 0).any()
            return y, saved

    x = rng.standard_normal((2, 3, 6, 6)).astype(np.float32)
    for layers in ([Conv(3, 4, 3), nn.ReLU()], [nn.Conv2d(3, 4, 3), nn.LeakyReLU()], [nn.ReLU(), nn.Conv2d(3, 4, 3)]):
        net = nn.Sequential(*layers).to("numba")
        y = x
        for layer in net:
            y = layer(Tensor(y, backend=NUMBA)).numpy()
        np.testing.assert_array_equal(net(Tensor(x, backend=NUMBA)).numpy(), y)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), Rectifier()).to("numba")
    assert net(Tensor(x, backend=NUMBA)).numpy().min() == 1
    own = Own()
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).to(own)
    assert net(Tensor(x, backend=own)).numpy().min() == 0


def test_two_in_a_row_and_what_stands_around(rng, relu_calls):
    layers = [nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 1), nn.ReLU(), nn.ReLU(), nn.Conv2d(5, 2, 1)]
    net = nn.Sequential(*layers).to("numba")
    x = rng.standard_normal((2, 3, 6, 6)).astype(np.float32)
    for a, b in zip(result([net], x), result(layers, x), strict=True):
        assert a.tobytes() == b.tobytes()
    assert len(relu_calls) == 2 + 4
    assert (net(Tensor(x, backend=NUMBA)).numpy() < 0).any()
