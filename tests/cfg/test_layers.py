"""Every type of layer: the loss and each gradient of a small network, against torch and loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cfg_files import network, program, rates
from on_request import heavy_but

from minialex import Tensor

CONV = (
    "[{name}]\ntype={type}\ninputs={inputs}\nchannels={channels}\nfilters={filters}\nfilterSize={size}\ninitW={std}\n"
)


def conv(name="c", type="conv", inputs="data", channels="3", filters="4", size="3", std="0.3", more=""):
    return CONV.format(**locals()) + more


def filtered(F, x, weight, bias, stride=1, padding=0, groups=1):
    """A convolution whose last window may go beyond the picture, where zeros are."""
    beyond = -(x.shape[-1] + 2 * padding - weight.shape[-1]) % stride
    x = F.pad(x, (padding, padding + beyond, padding, padding + beyond))
    return F.conv2d(x, weight, bias, stride, 0, 1, groups)


def local(torch, F, x, weight, bias, stride, padding):
    """Filters of their own at every place, by a loop over places."""
    (oh, ow), k = weight.shape[:2], weight.shape[-1]
    beyond = -(x.shape[-1] + 2 * padding - k) % stride
    x = F.pad(x, (padding, padding + beyond, padding, padding + beyond))
    y = [
        [
            (x[:, None, :, i * stride : i * stride + k, j * stride : j * stride + k] * weight[i, j]).sum((2, 3, 4))
            for j in range(ow)
        ]
        for i in range(oh)
    ]
    return torch.stack([torch.stack(row, -1) for row in y], -2) + bias


def pooled(torch, x, size, stride, start, out, function):
    """A function of every window, clipped to the picture, by loops."""
    n = x.shape[-1]
    cuts = [slice(max(start + i * stride, 0), min(start + i * stride + size, n)) for i in range(out)]
    return torch.stack([torch.stack([function(x[..., a, b]) for b in cuts], -1) for a in cuts], -2)


def around(F, x, n, whole):
    """Sums over n x n pixels, or means over those that exist."""
    mean = F.avg_pool2d(x, n, 1, n // 2, count_include_pad=whole)
    return mean * n * n if whole else mean


# name: (layers, the last of them, sections of the parameter file, its output by (torch, F, x, parameters))
CASES = {
    "conv": (
        conv(more="stride=2\npadding=1\ninitB=0.5\nneuron=relu\npartialSum=3\ngpu=0\n"),
        "c",
        "",
        lambda t, F, x, p: F.relu(filtered(F, x, p["c.weight"], p["c.bias"], 2, 1)),
    ),
    "conv in groups": (
        conv("a", filters="4")
        + conv("c", inputs="a", channels="4", filters="3", more="groups=2\nneuron=tanh[1.7,0.6]\n"),
        "c",
        "",
        lambda t, F, x, p: (
            1.7
            * t.tanh(
                0.6 * filtered(F, filtered(F, x, p["a.weight"], p["a.bias"]), p["c.weight"], p["c.bias"], groups=2)
            )
        ),
    ),
    "conv of two inputs": (
        conv("a", filters="2")
        + conv("b", filters="5", more="stride=2\npadding=1\n", size="4")
        + conv(
            inputs="a,b", channels="2,5", filters="4,4", size="3,2", std="0.3,0.2", more="stride=2,1\npadding=0,0\n"
        ),
        "c",
        "",
        lambda t, F, x, p: (
            filtered(F, filtered(F, x, p["a.weight"], p["a.bias"]), p["c.0.weight"], p["c.0.bias"], 2)
            + filtered(F, filtered(F, x, p["b.weight"], p["b.bias"], 2, 1), p["c.1.weight"], None)
        ),
    ),
    "conv with a bias for every place": (
        conv(more="sharedBiases=false\nneuron=logistic\n"),
        "c",
        "",
        lambda t, F, x, p: t.sigmoid(filtered(F, x, p["c.0.weight"], None) + p["c.bias"]),
    ),
    "local": (
        conv(type="local", size="4", more="stride=3\npadding=1\nneuron=linear[2,-0.3]\n"),
        "c",
        "",
        lambda t, F, x, p: 2 * local(t, F, x, p["c.weight"], p["c.bias"], 3, 1) - 0.3,
    ),
    "local of two inputs": (
        conv("a", filters="2") + conv(type="local", inputs="a,a", channels="2,2", filters="3,3", size="3,3", std="1,1"),
        "c",
        "",
        lambda t, F, x, p: (
            sum(local(t, F, filtered(F, x, p["a.weight"], p["a.bias"]), p[f"c.{i}.weight"], 0, 1, 0) for i in range(2))
            + p["c.0.bias"]
        ),
    ),
    "fc of two inputs": (
        conv("a", filters="2") + "[c]\ntype=fc\ninputs=data,a\noutputs=6\ninitW=0.1,0.2\nneuron=relu\n",
        "c",
        "",
        lambda t, F, x, p: F.relu(
            F.linear(x.flatten(1), p["c.0.weight"], p["c.0.bias"])
            + F.linear(filtered(F, x, p["a.weight"], p["a.bias"]).flatten(1), p["c.1.weight"])
        ),
    ),
    "pool max": (
        "[c]\ntype=pool\npool=max\ninputs=data\nchannels=3\nsizeX=3\nstride=2\nneuron=relu\n",
        "c",
        "",
        lambda t, F, x, p: F.relu(pooled(t, x, 3, 2, 0, 4, lambda w: w.amax((-2, -1)))),
    ),
    "pool avg, from before the picture": (
        "[c]\ntype=pool\npool=avg\ninputs=data\nchannels=3\nsizeX=4\nstride=2\nstart=-2\noutputsX=0\n",
        "c",
        "",
        lambda t, F, x, p: pooled(t, x, 4, 2, -2, 4, lambda w: w.mean((-2, -1))),
    ),
    "pool avg, from far before the picture": (
        "[c]\ntype=pool\npool=avg\ninputs=data\nsizeX=3\nstride=2\nstart=-2\n",
        "c",
        "",
        lambda t, F, x, p: pooled(t, x, 3, 2, -2, 5, lambda w: w.mean((-2, -1))),
    ),
    "pool max, from far before the picture, fewer outputs": (
        "[c]\ntype=pool\npool=max\ninputs=data\nsizeX=4\nstride=2\nstart=-3\noutputsX=3\n",
        "c",
        "",
        lambda t, F, x, p: pooled(t, x, 4, 2, -3, 3, lambda w: w.amax((-2, -1))),
    ),
    "pool avg, fewer outputs": (
        "[c]\ntype=pool\npool=avg\ninputs=data\nchannels=3\nsizeX=3\nstride=3\nstart=-1\noutputsX=2\n",
        "c",
        "",
        lambda t, F, x, p: pooled(t, x, 3, 3, -1, 2, lambda w: w.mean((-2, -1))),
    ),
    "pool max, from within the picture": (
        "[c]\ntype=pool\npool=max\ninputs=data\nsizeX=2\nstride=2\nstart=1\n",
        "c",
        "",
        lambda t, F, x, p: pooled(t, x, 2, 2, 1, 4, lambda w: w.amax((-2, -1))),
    ),
    "cmrnorm": (
        conv("a", filters="7") + "[c]\ntype=cmrnorm\ninputs=a\nchannels=7\nsize=5\n",
        "c",
        "[c]\nscale=0.9\npow=0.6\nminDiv=1.5\n",
        lambda t, F, x, p: F.local_response_norm(filtered(F, x, p["a.weight"], p["a.bias"]), 5, 0.9, 0.6, 1.5),
    ),
    "rnorm, with settings in the definition": (
        "[c]\ntype=rnorm\ninputs=data\nchannels=3\nsizeX=3\nscale=0.8\npow=.75\n",
        "c",
        "",
        lambda t, F, x, p: x * (1 + 0.8 / 9 * around(F, x * x, 3, True)) ** -0.75,
    ),
    "cnorm": (
        "[c]\ntype=cnorm\ninputs=data\nchannels=3\nsize=3\n",
        "c",
        "[c]\nscale=0.8\npow=0.5\n",
        lambda t, F, x, p: x * (1 + 0.8 / 9 * around(F, (x - around(F, x, 3, False)) ** 2, 3, True)) ** -0.5,
    ),
    "concat of maps, and of vectors": (
        conv("a", filters="2", more="padding=1\n")
        + "[b]\ntype=concat\ninputs=data,a\n[f]\ntype=fc\ninputs=b\noutputs=5\ninitW=0.1\n[c]\ntype=pass\ninputs=f,a\n",
        "c",
        "",
        lambda t, F, x, p: (
            lambda a: t.cat([F.linear(t.cat([x, a], 1).flatten(1), p["f.weight"], p["f.bias"]), a.flatten(1)], 1)
        )(filtered(F, x, p["a.weight"], p["a.bias"], 1, 1)),
    ),
    "eltsum": (
        conv("a", filters="3", more="padding=1\n") + "[c]\ntype=eltsum\ninputs=a,data\ncoeffs=2,-0.5\n",
        "c",
        "",
        lambda t, F, x, p: 2 * filtered(F, x, p["a.weight"], p["a.bias"], 1, 1) - 0.5 * x,
    ),
    "blur and nailbed": (
        "[b]\ntype=blur\ninputs=data\nchannels=3\nfilterSize=5\nstdev=1.5\n"
        "[c]\ntype=nailbed\ninputs=b\nchannels=3\nstride=3\n",
        "c",
        "",
        lambda t, F, x, p: blurred(t, F, x, 5, 1.5)[..., 1::3, 1::3],
    ),
    "href": ("[c]\ntype=href\ninputs=data\nchannels=3\n", "c", "", lambda t, F, x, p: x.flip(3)),
    "maps of a vector": (
        "[f]\ntype=fc\ninputs=data\noutputs=18\ninitW=0.1\n" + conv(inputs="f", channels="2", filters="4", size="2"),
        "c",
        "",
        lambda t, F, x, p: filtered(
            F, F.linear(x.flatten(1), p["f.weight"], p["f.bias"]).reshape(-1, 2, 3, 3), p["c.weight"], p["c.bias"]
        ),
    ),
    "a neuron as a layer": (
        conv("a", filters="2", more="neuron=ident\n") + "[c]\ntype=neuron\ninputs=a\nneuron=softrelu\n",
        "c",
        "",
        lambda t, F, x, p: F.softplus(filtered(F, x, p["a.weight"], p["a.bias"]), 1, 4),
    ),
    "dropout that is switched off": (
        "[a]\ntype=hs\ninputs=data\nkeep=0.7\n[c]\ntype=dropout\ninputs=a\n",
        "c",
        "[a]\nenable=false\n[c]\nenable=0\nkeep=0.3\n",
        lambda t, F, x, p: 0.7 * x,
    ),
}


def blurred(torch, F, x, size, stdev):
    taps = torch.tensor([math.exp(-((i - size // 2) ** 2) / (2 * stdev**2)) for i in range(size)], dtype=x.dtype)
    taps = taps / taps.sum()
    square = torch.outer(taps, taps).expand(3, 1, size, size)
    return F.conv2d(x, square, None, 1, size // 2, groups=3)


@pytest.mark.parametrize("name", heavy_but(["conv of two inputs", "local"], CASES))
def test_loss_and_gradients(name, torch, rng):
    layers, last, others, forward = CASES[name]
    text = network(layers, last)
    made = program(text, rates(text, others))
    found = made.network(8)
    model = found.build()
    found.initialise(model)
    model.double()
    for parameter in model.parameters():  # biases, too, and weights of the size of the rest
        parameter.data[...] = rng.standard_normal(parameter.shape) * 0.4
    images, labels = rng.standard_normal((2, 3, 8, 8)), np.array([2, 0])
    loss = made.loss(model(Tensor(images)), labels)
    loss.backward()
    theirs = {n: torch.tensor(p.numpy(), requires_grad=True) for n, p in model.named_parameters()}
    F = torch.nn.functional
    top = forward(torch, F, torch.tensor(images), theirs).flatten(1)
    expected = F.cross_entropy(F.linear(top, theirs["fc.weight"], theirs["fc.bias"]), torch.tensor(labels))
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert theirs.keys() == found.learned.keys()
    for n, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), theirs[n].grad.numpy(), rtol=2e-5, atol=1e-7, err_msg=n)
        assert found.learned[n].count == parameter.numel()
    assert found.parameters == sum(p.numel() for p in model.parameters())


def test_random_connections_are_drawn_evenly_and_by_the_seed(rng):
    text = network(
        conv("a", filters="6")
        + conv(inputs="a", channels="6", filters="2", more="groups=4\nrandSparse=true\nfilterChannels=3\n"),
        "c",
    )
    made = program(text)

    def seen(seed):
        found = made.network(8, seed=seed)
        entry = next(e for e in found.description["layers"] if e[0] == "c.channels")
        return entry[2]["index"][1], found

    channels, found = seen(0)
    assert sorted(channels) == sorted([*range(6)] * 2) and sorted(channels[:6]) == [*range(6)]
    assert seen(0)[0] == channels != seen(1)[0]
    model = found.build()
    images = rng.standard_normal((2, 3, 8, 8)).astype(np.float32)
    parts = dict(model.named_modules())
    a, weight, bias = parts["a"](Tensor(images)).numpy(), parts["c"].weight.numpy(), parts["c"].bias.numpy()
    groups = [(channels[3 * g : 3 * g + 3], slice(2 * g, 2 * g + 2)) for g in range(4)]
    expected = np.concatenate([_plain(a[:, seen], weight[own], bias[own]) for seen, own in groups], 1)
    top = parts["fc"](Tensor(expected.reshape(2, -1))).numpy()
    np.testing.assert_allclose(model(Tensor(images)).numpy(), top, rtol=1e-4, atol=1e-5)


def _plain(x, weight, bias):
    """A convolution by a loop over pixels."""
    n = x.shape[-1] - weight.shape[-1] + 1
    k = weight.shape[-1]
    y = [[np.einsum("nchw,ochw->no", x[:, :, i : i + k, j : j + k], weight) + bias for j in range(n)] for i in range(n)]
    return np.array(y).transpose(2, 3, 0, 1)


def arguments(layers, others, name="c", initial="data"):
    text = network(layers, name)
    return {e[0]: e for e in program(text, rates(text, others)).network(8).description["layers"]}


def test_dropout_of_both_kinds():
    entries = arguments(
        "[a]\ntype=dropout2\ninputs=data\n[b]\ntype=dropout\ninputs=a\n[c]\ntype=hs\nkeep=0.8\ninputs=b\n",
        "[a]\nkeep=0.25\n",
    )
    assert entries["a"][1:3] == ["Dropout", {"p": 0.75, "inverted": False}]
    assert entries["b"][1:3] == ["Dropout", {"p": 0.5, "inverted": True}]
    assert entries["c"][1:3] == ["Dropout", {"p": pytest.approx(0.2), "inverted": False}]


def test_pooling_at_random():
    layers = "[c]\ntype=pool\npool=rand\ninputs=data\nsizeX=3\nstride=2\n"
    entry = arguments(layers, "[c]\ndoMax=true\n")["c"]
    assert entry[1] == "StochasticPool2d" and entry[2]["evaluation"] == "max"
    assert arguments(layers, "")["c"][2]["evaluation"] == "mean"


def test_min_div_of_a_map_is_read_by_the_second_program_alone():
    layers = "[c]\ntype=rnorm\ninputs={}\nsize=3\n"
    others = "[c]\nscale=1\npow=1\nminDiv=3\n"
    assert arguments(layers.format("data"), others)["c"][2]["k"] == 1
    second = "[d]\ntype=dropout2\ninputs=data\n" + layers.format("d")
    assert arguments(second, others)["c"][2]["k"] == 3


def test_costs_of_other_kinds(torch, rng):
    """flickr's: targets for each output, or the squares of what is left of labels."""
    data = "[data]\ntype=data\ndataIdx=0\n[labels]\ntype=data\ndataIdx=1\n"
    fc = "[fc]\ntype=fc\ninputs=data\noutputs=5\ninitW=0.05\nneuron=logistic\n"
    made = program(f"{data}{fc}[cost]\ntype=cost.crossent2\ninputs=labels,fc\n", rates(fc, "[cost]\ncoeff=3\n"))
    found = made.network(4)
    model = found.build()
    images, targets = rng.standard_normal((2, 3, 4, 4)).astype("f"), rng.random((2, 5)).astype("f")
    outputs = model(Tensor(images))
    expected = torch.nn.functional.binary_cross_entropy(
        torch.tensor(outputs.numpy()), torch.tensor(targets), reduction="sum"
    )
    assert made.loss(outputs, targets).item() == pytest.approx(expected.item() / 2, rel=1e-5)
    assert made.coefficient == 3

    made = program(
        f"{data}{fc}[d]\ntype=eltsum\ninputs=labels,fc\ncoeffs=1,-1\n[cost]\ntype=cost.sum2\ninputs=d\n", rates(fc)
    )
    found = made.network(4)
    assert found.description["inputs"] == ["data", "labels"]
    model = found.build()
    left = model(Tensor(images), Tensor(targets))
    parts = dict(model.named_modules())
    plain = parts["fc_neuron"](parts["fc"](Tensor(images.reshape(2, -1)))).numpy()
    np.testing.assert_allclose(left.numpy(), targets - plain, rtol=1e-5, atol=1e-6)
    assert made.loss(left).item() == pytest.approx(((targets - plain) ** 2).sum() / 2, rel=1e-5)
