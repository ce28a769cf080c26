"""nn.trace: a Module with a forward of its own as a Graph, which computes the same and shares its parameters."""

from __future__ import annotations

import inspect
import sys

import numpy as np
import pytest

from minialex import Tensor, functional, nn, no_grad, random
from minialex import functional as F
from minialex.functional import relu

RNG = np.random.default_rng(8)


def images(n=2, size=8):
    return RNG.standard_normal((n, 3, size, size)).astype(np.float32)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else None

    def forward(self, x):
        identity = x if self.shortcut is None else self.shortcut(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class Residual(nn.Module):
    def __init__(self, num_classes=5):
        super().__init__()
        self.fc = nn.Linear(16, num_classes)  # defined first, runs last
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.gain = nn.Parameter(np.full((8, 1, 1), 1.5, np.float32))
        self.blocks = nn.Sequential(Block(8, 8), Block(8, 16, 2))

    def forward(self, x):
        x = relu(self.stem(x)) * self.gain
        x = self.blocks(x)
        x = F.dropout(x.mean((2, 3)), 0.4, self.training)
        return self.fc(x.view(x.size(0), -1))


def same(module, graph, *inputs):
    """Whether both have the same output and the same gradients of the parameters, in evaluation mode."""
    results = []
    for network in (module, graph):
        module.zero_grad()
        y = network.eval()(*map(Tensor, inputs))
        y.backward(np.random.default_rng(1).standard_normal(y.shape).astype(np.float32))
        results.append([y.numpy(), *(np.array(p.grad) for p in module.parameters() if p.grad is not None)])
    return len(results[0]) == len(results[1]) and all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(*results))


def test_a_residual_network():
    random.manual_seed(0)
    net = Residual()
    graph = nn.trace(net, images())
    assert same(net, graph, images(3)) and same(net, graph, images(1, 12))
    own, traced = net.state_dict(), graph.state_dict()
    assert own.keys() == traced.keys() and all(own[name] is traced[name] for name in own)
    assert {id(p) for p in net.parameters()} == {id(p) for p in graph.parameters()}
    assert [(name, sources) for name, _, sources in graph.layers][:11] == [
        ("stem", ("x",)),
        ("relu", ("stem",)),
        ("gain", ()),
        ("mul", ("relu", "gain")),
        ("blocks.0.conv1", ("mul",)),
        ("blocks.0.bn1", ("blocks.0.conv1",)),
        ("blocks.0.relu", ("blocks.0.bn1",)),
        ("blocks.0.conv2", ("blocks.0.relu",)),
        ("blocks.0.bn2", ("blocks.0.conv2",)),
        ("blocks.0.add", ("blocks.0.bn2", "mul")),
        ("blocks.0.relu_2", ("blocks.0.add",)),
    ]
    assert [name for name, _, _ in graph.layers][-4:] == ["mean", "dropout", "flatten", "fc"]


def test_a_traced_network_against_torch(torch):
    """The same forward in torch, with the graph's state dict: outputs, gradients and running statistics in training."""

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.stem = torch.nn.Linear(16, 5), torch.nn.Conv2d(3, 8, 3, padding=1)
            self.gain = torch.nn.Parameter(torch.ones(8, 1, 1))
            self.blocks = torch.nn.Sequential(self.block(8, 8, 1), self.block(8, 16, 2))

        @staticmethod
        def block(inputs, outputs, stride):
            parts = {
                "conv1": torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                "bn1": torch.nn.BatchNorm2d(outputs),
                "conv2": torch.nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                "bn2": torch.nn.BatchNorm2d(outputs),
            }
            return torch.nn.ModuleDict(
                parts | ({"shortcut": torch.nn.Conv2d(inputs, outputs, 1, stride)} if stride > 1 else {})
            )

        def forward(self, x):
            x = torch.relu(self.stem(x)) * self.gain
            for b in self.blocks:
                y = b["bn2"](b["conv2"](torch.relu(b["bn1"](b["conv1"](x)))))
                x = torch.relu(y + (b["shortcut"](x) if "shortcut" in b else x))
            return self.fc(x.mean((2, 3)))

    random.manual_seed(0)
    net = Residual()
    graph = nn.trace(net, images())
    graph.get_submodule("dropout").p = 0.0
    theirs, x, gy = Theirs(), images(4), RNG.standard_normal((4, 5)).astype(np.float32)
    theirs.load_state_dict({name: torch.tensor(np.array(a)) for name, a in graph.state_dict().items()})
    ours, expected = graph(Tensor(x)), theirs(torch.tensor(x))
    ours.backward(gy)
    expected.backward(torch.tensor(gy))
    np.testing.assert_allclose(ours.numpy(), expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    gradients = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    for name, p in graph.named_parameters():
        scale = np.abs(gradients[name]).max()
        np.testing.assert_allclose(np.array(p.grad), gradients[name], rtol=1e-3, atol=1e-4 * scale)
    statistics = dict(theirs.named_buffers())
    for name, b in graph.named_buffers():
        np.testing.assert_allclose(b.numpy(), statistics[name].numpy(), rtol=1e-4, atol=1e-6)


def test_the_graph_trains_as_the_module_does():
    """In training mode, with dropout and batch statistics, from the same seed."""
    random.manual_seed(0)
    net, x = Residual(), images(6)
    graph, outputs = nn.Graph.from_module(net, images()), []
    for network in (net, graph):
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.data[...] = 0
        random.manual_seed(5)
        outputs.append((network.train()(Tensor(x)).numpy(), net.blocks[0].bn1.running_mean.numpy().copy()))
    np.testing.assert_array_equal(outputs[0][0], outputs[1][0])
    np.testing.assert_array_equal(outputs[0][1], outputs[1][1])
    assert (outputs[0][1] != 0).any()


def test_tracing_changes_nothing():
    random.manual_seed(1)
    net = Residual().train()
    before, call = {name: a.copy() for name, a in net.state_dict().items()}, random.default_generator.call
    profile = sys.getprofile()
    nn.trace(net, images())
    assert all((before[name] == a).all() for name, a in net.state_dict().items())
    assert random.default_generator.call == call and sys.getprofile() is profile
    assert all(module.training and not any(module._hooks.values()) for module in net.modules())
    net.blocks[0].bn1.eval()
    graph = nn.trace(net, images())
    assert [name for name, module in graph.named_modules() if not module.training] == ["blocks.0.bn1"]
    assert not any(module.training for module in nn.trace(net.eval(), images()).modules())


def made(forward, *layers):
    """A Module with this forward, and layers a, b, c, ..."""
    module = type("Made", (nn.Module,), {"forward": forward})()
    for name, layer in zip("abcd", layers):
        setattr(module, name, layer)
    return module


CONSTANT = np.arange(8, dtype=np.float32)
FORWARDS = {
    "arithmetic": lambda self, x: (1 - x) * 2 / (x * x + 3) + -x - 0.5 * x**2,
    "numbers on the left": lambda self, x: 2 - x + 3 * x,
    "an array": lambda self, x: x * CONSTANT + Tensor(CONSTANT),
    "cat": lambda self, x: F.cat([self.a(x), x, relu(x)], dim=1),
    "chunks": lambda self, x: F.cat(x.split([1, 2], 1)[::-1], 1) * x.chunk(3, 1)[1],
    "slices": lambda self, x: x[:, 1:, ::2, -3:],
    "flatten": lambda self, x: x.flatten(1),
    "flatten a part": lambda self, x: functional.flatten(x, 2),
    "view": lambda self, x: x.view(x.shape[0], -1),
    "reshape of the batch": lambda self, x: x.reshape(-1, 3 * 8 * 8),
    "reshape to maps": lambda self, x: x.reshape(len(x), 3, -1).transpose(1, 2),
    "squeeze": lambda self, x: functional.adaptive_avg_pool2d(x, 1).squeeze(),
    "unsqueeze": lambda self, x: x.mean((2, 3)).unsqueeze(-1).unsqueeze(-1) * x,
    "pools": lambda self, x: F.max_pool2d(x, 3, 2, 1) + F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "activations": lambda self, x: F.leaky_relu(x, 0.3) + x.sigmoid() * x.tanh() + F.gelu(x) + F.silu(F.elu(x)),
    "softmax": lambda self, x: F.softmax(x.flatten(1), 1) + F.log_softmax(x.flatten(1), dim=1),
    "lrn": lambda self, x: F.local_response_norm(x, 3, 0.1, k=2.0, alpha_over="element"),
    "pad": lambda self, x: F.pad(x, (1, 2, 0, 1), value=3.0),
    "bounds": lambda self, x: F.clamp(x, max=0.5) + F.clamp(x, -1, 1) + x.clamp(min=0),
    "larger": lambda self, x: F.maximum(x, 0.1) + F.minimum(x * 2, x),
    "in place": lambda self, x: (x + 1).mul_(x).add_(x, alpha=2).clamp_(-1, 2),
    "layers on the fly": lambda self, x: nn.ReLU()(nn.MaxPool2d(2)(x)),
    "a layer twice": lambda self, x: self.a(self.a(x)),
    "its parameters elsewhere": lambda self, x: self.a(x) + self.a.bias.sum(),
    "functional layers": lambda self, x: F.conv2d(x, self.a.weight, self.a.bias, padding=1) @ self.b.weight,
    "identity": lambda self, x: self.c(x) + self.d(x),
    "loop": lambda self, x: [x := layer(x) for layer in (self.a, self.c)][-1],
    "two outputs": lambda self, x: (self.a(x), x),
    "to its own dtype": lambda self, x: x.float().contiguous() + 1,
    "enlarged": lambda self, x: F.interpolate(x, scale_factor=2) + F.interpolate(x, size=(16, 16), mode="bilinear"),
    "matmul": lambda self, x: x @ x.transpose(2, 3),
    "std": lambda self, x: (x - x.mean(1, True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt(),
}


@pytest.mark.parametrize("name", FORWARDS)
def test_functions_and_methods_become_layers(name):
    random.manual_seed(2)
    net = made(FORWARDS[name], nn.Conv2d(3, 3, 3, padding=1), nn.Linear(8, 8), nn.Dropout(0.5), nn.Identity()).eval()
    graph, x = nn.trace(net, images()), images(5)
    with no_grad():
        expected, found = net(Tensor(x)), graph.eval()(Tensor(x))
    for a, b in zip(*(y if isinstance(y, tuple) else [y] for y in (expected, found)), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    again = nn.Graph(graph.layers, graph.inputs, graph.output)
    assert repr(again) == repr(graph) and set(graph.state_dict()) <= set(net.state_dict())


def test_dropout_beside_its_input_drops_one_of_them_only():
    """In evaluation the dropout returns its input: without care, the sum would be twice the dropped one."""
    graph = nn.trace(made(lambda self, x: self.a(x) + x, nn.Dropout(1.0)), images())
    x = images(3)
    np.testing.assert_array_equal(graph.train()(Tensor(x)).numpy(), x)


def _compare(self, x):
    if x.sum() > 0:
        return x
    return -x


def _array(self, x):
    scale = x.numpy().max()
    return x / scale


def _item(self, x):
    return x * x.max().item()


def _data(self, x):
    return Tensor(x.data * 2)


def _operation(self, x):
    array = np.ones(x.shape, np.float32)
    return Tensor.from_operation(array, lambda gy: (gy,), x, name="mine") + self.a(x)


def _sorted(self, x):
    return x.sort(1).values


def _pair(self, x):
    return x.max(1).values


def _mask(self, x):
    return F.where(x > 0, x, 0.0)


def _assigned(self, x):
    y = x + 1
    y[:, 0] = 0
    return y


def _always(self, x):
    return F.dropout(x, 0.5)


def _unclear(self, x):
    y = F.dropout(x, 0.5, self.training)
    return y + x


def _statistics(self, x):
    return F.batch_norm(x, Tensor(np.zeros(3, np.float32)), Tensor(np.ones(3, np.float32)))


def _cut(self, x):
    return self.a(x.detach())


def _keyword(self, x):
    return self.a(input=x)


def _unregistered(self, x):
    return LOOSE[0](x)


LOOSE = [nn.Conv2d(3, 3, 1)]
REFUSED = {
    _compare: (1, "a comparison cannot become a layer"),
    _array: (1, "numpy cannot become a layer"),
    _item: (1, "item cannot become a layer"),
    _data: (1, "data cannot become a layer"),
    _operation: (2, "mine cannot become a layer"),
    _sorted: (1, "cannot become a layer"),
    _pair: (1, "max returns several tensors"),
    _mask: (1, "a comparison cannot become a layer"),
    _assigned: (2, "an assignment in place cannot become a layer"),
    _always: (1, "training=True drops in evaluation, too: write training=self.training"),
    _unclear: (1, "use the layer nn.Dropout"),
    _statistics: (1, "use nn.BatchNorm2d"),
    _cut: (1, "detach cannot become a layer"),
    _keyword: (1, "Conv2d takes its input without a keyword"),
    _unregistered: (1, "this Conv2d is not a part of the network"),
}


@pytest.mark.parametrize("forward", REFUSED, ids=lambda forward: forward.__name__)
def test_what_cannot_be_traced_is_refused_with_its_line(forward):
    line, reason = REFUSED[forward]
    net = made(forward, nn.Conv2d(3, 3, 3, padding=1))
    with pytest.raises(nn.Untraceable) as caught:
        nn.trace(net, images())
    place = f"test_tracing.py:{inspect.getsourcelines(forward)[1] + line}: "
    assert place in str(caught.value) and reason in str(caught.value) and "\n" not in str(caught.value)


def test_what_one_run_does_not_show_is_found_by_another():
    states = iter(range(10))
    for forward in (
        lambda self, x: x * next(states),
        lambda self, x: x / x.shape[0],
        lambda self, x: x + Tensor(np.random.default_rng().standard_normal(8).astype(np.float32)),
        lambda self, x: x.flatten(1) if len(x) == 2 else -x.flatten(1),
    ):
        with pytest.raises(nn.Untraceable, match="one run does not show"):
            nn.trace(made(forward), images())
    with pytest.raises(nn.Untraceable, match="fails for another batch size"):
        nn.trace(made(lambda self, x: x.reshape(2, 192)), images())


def test_two_inputs_bear_the_names_of_forwards_arguments():
    class Two(nn.Module):
        def forward(self, left, right):
            return left - 2 * right

    graph = nn.trace(Two(), images(), images())
    x, y = images(), images()
    assert graph.inputs == ("left", "right")
    np.testing.assert_allclose(graph(Tensor(x), Tensor(y)).numpy(), x - 2 * y, rtol=1e-6)


def test_an_error_of_forward_is_its_own():
    before = sys.getprofile()
    with pytest.raises(ValueError, match="channels") as caught:
        nn.trace(made(lambda self, x: self.a(x), nn.Conv2d(5, 3, 1)), images())
    assert not isinstance(caught.value, nn.Untraceable) and sys.getprofile() is before
