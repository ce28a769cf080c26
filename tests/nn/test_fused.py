"""A convolution and the ReLU behind it, computed in one pass: the same bits and the same tape, and never unseen."""

from __future__ import annotations

import re

import numpy as np
import pytest
from on_request import heavy

import minialex
from minialex import Tensor, backends, explore, functional, nn, training
from minialex.backends.fast_cpu import backend, elementwise, ways
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
    calls, original = [], elementwise.relu

    def counted(x, y):
        calls.append(len(x))
        original(x, y)

    monkeypatch.setattr(elementwise, "relu", counted)
    monkeypatch.setattr(backend, "_FEW", 1 << 30)  # a call is one piece
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
@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=heavy)])
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
        assert not relu_calls
        one = net(Tensor(x[2], backend=NUMBA)).numpy()
    np.testing.assert_allclose(one, batch[2], atol=1e-5)
    net.relu.inplace = True
    with pytest.raises(RuntimeError, match="relu in place would lose a gradient"):
        net(Tensor(x[2], backend=NUMBA))


@pytest.mark.parametrize("inplace", [False, True])
def test_versions(rng, inplace):
    net, x = network(rng, *WAYS["direct"][0], inplace=inplace)
    x = Tensor(x, backend=NUMBA)
    assert net(x).version == net.relu(net.conv(x)).version == int(inplace)


def test_the_search_for_what_is_not_finite_sees_the_convolution(rng):
    net, x = network(rng, *WAYS["direct"][0])
    net.conv.weight.data[...] = -1e30
    with pytest.raises(FloatingPointError, match="conv2d in conv"), training.find_nonfinite(net):
        net(Tensor(abs(x) * 1e30, backend=NUMBA))


def errors_of(layers, x):
    """What a network says, and what its layers say one by one, without the layer's name."""
    x = Tensor(x, backend=NUMBA) if isinstance(x, np.ndarray) else x
    texts = []
    for network in ([nn.Sequential(*layers)], layers):
        with pytest.raises((TypeError, ValueError, RuntimeError, AttributeError)) as caught:
            y = x
            for layer in network:
                y = layer(y)
        texts.append((caught.type, re.sub(r"^layer [^()]+ \(\w+\): ", "", str(caught.value))))
    return texts


class To(nn.Module):
    def __init__(self, target):
        super().__init__()
        self.target = target

    def forward(self, input):
        return self.target(input)


def test_what_does_not_fit_is_refused_as_by_the_layers(rng):
    x = rng.standard_normal((2, 3, 6, 6)).astype(np.float32)
    conv, relu = nn.Conv2d(3, 3, 3).to("numba"), nn.ReLU()
    wrong = [
        ([nn.Conv2d(4, 3, 3).to("numba"), relu], x),
        ([conv, relu], x.astype(float)),
        ([conv, relu], x[0, 0]),
        ([conv, relu], x[:, :, :2]),
        ([conv, relu], Tensor(x, backend="numpy")),
        ([To(lambda x: x), conv, relu], [1, 2]),
        ([conv, relu, To(lambda x: x.numpy()), conv, relu], x),
        ([conv, relu, To(lambda x: (x, x)), conv, relu], x),
        ([conv, relu, To(lambda x: x.to("numpy")), conv, relu], x),
    ]
    for layers, images in wrong:
        together, apart = errors_of(layers, images)
        assert together == apart
    odd = nn.Conv2d(3, 3, 3).to("numba")
    odd.groups = 0
    assert len(set(errors_of([odd, relu], x))) == 1
    del odd.groups
    assert len(set(errors_of([odd, relu], x))) == 1


def test_a_backend_in_the_middle(rng, relu_calls):
    """What a layer hands on may stand on another backend, such as one of a student's own."""

    class Less(NumbaBackend):
        def conv2d(self, *arguments):
            y, saved = super().conv2d(*arguments)
            return y - 1, saved

    x = rng.standard_normal((2, 3, 6, 6)).astype(np.float32)
    for target in ("numpy", Less()):
        first, second = nn.Conv2d(3, 3, 3).to("numba"), nn.Conv2d(3, 4, 3).to(target)
        layers = [first, nn.ReLU(), To(lambda x, target=target: x.to(target)), second, nn.ReLU()]
        y = Tensor(x, backend=NUMBA)
        for layer in layers:
            y = layer(y)
        np.testing.assert_array_equal(nn.Sequential(*layers)(Tensor(x, backend=NUMBA)).numpy(), y.numpy())
        assert y.numpy().min() == 0


def test_an_interrupted_convolution_leaves_nothing_behind(rng, monkeypatch):
    net, x = network(rng, *WAYS["direct"][0])
    x = Tensor(x, backend=NUMBA)
    with monkeypatch.context() as changed:

        def interrupted(*arguments, **options):
            raise KeyboardInterrupt

        changed.setattr(ways, "conv2d", interrupted)
        with pytest.raises(KeyboardInterrupt) as kept:
            net(x)
    assert (net.conv(x).numpy() < 0).any() and kept


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
    for owner, name in (*fused._CALLED, (nn.Module, "__call__"), (NumbaBackend, "conv2d"), (NumbaBackend, "relu")):
        with monkeypatch.context() as changed:
            original = vars(owner).get(name) or getattr(owner, name)
            bound = getattr(original, "__func__", original)  # of a class method
            replaced = lambda *a, bound=bound, **k: bound(*a, **k)  # noqa: E731
            changed.setattr(owner, name, replaced if bound is original else classmethod(replaced))
            assert count_of(net, x, relu_calls) == 1, name
    for name in ("conv2d", "relu"):
        with monkeypatch.context() as changed:
            changed.setattr(NUMBA, name, getattr(NUMBA, name))
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
