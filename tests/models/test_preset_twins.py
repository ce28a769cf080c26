"""Every published network against a twin written out in torch: logits and the gradients of weights and pictures.

The twins are built from the published descriptions, not from our networks, so that a wrong setting on our side has
nowhere to hide. Weights are random and of a size that lets all layers matter (He et al. 2015).
"""

from __future__ import annotations

import math
from collections import OrderedDict

import numpy as np
import pytest

from minialex import Tensor, functional, models
from minialex.nn import init

pytest.importorskip("torch", reason="torch is not installed")
import torch
from torch import nn
from torch.nn import functional as F

C = 10  # classes

# ----------------------------------------------------------------------------------------------------- parts of twins


class Halve(nn.Module):
    """The paper's dropout in evaluation."""

    def forward(self, x):
        return x * 0.5


class Norm(nn.Module):
    """torch's local response normalisation, which divides alpha by the size of the window; parts: of the channels."""

    def __init__(self, alpha, k, parts=1, n=5):
        super().__init__()
        self.alpha, self.k, self.parts, self.n = alpha, k, parts, n

    def forward(self, x):
        parts = x.chunk(self.parts, 1)
        return torch.cat([F.local_response_norm(p, self.n, self.alpha, 0.75, self.k) for p in parts], 1)


class SameMap(nn.Module):
    """cuda-convnet's rnorm: x / (1 + alpha / n^2 * sum over n x n places of the same map)^0.75."""

    def __init__(self, n, alpha):
        super().__init__()
        self.n, self.alpha = n, alpha

    def forward(self, x):
        ones = torch.ones(x.shape[1], 1, self.n, self.n, dtype=x.dtype)
        sums = F.conv2d(x**2, ones, padding=self.n // 2, groups=x.shape[1])
        return x / (1 + self.alpha / self.n**2 * sums) ** 0.75


class Local(nn.Module):
    """A convolution of 3 x 3 with padding 1 and filters, and biases, of its own for every pixel of a square map."""

    def __init__(self, channels, filters, side):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(side, side, filters, channels, 3, 3))
        self.bias = nn.Parameter(torch.empty(filters, side, side))

    def forward(self, x):
        seen = F.pad(x, (1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 3, 1)  # N, C, H, W, 3, 3
        return torch.einsum("nchwuv,hwocuv->nohw", seen, self.weight) + self.bias


def pool(ceil=False):
    return nn.MaxPool2d(3, 2, ceil_mode=ceil)


def mean():
    return nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False)


def hidden(inputs, *behind):
    return [nn.Linear(inputs, 4096), nn.ReLU(), *behind]


def classic(first, groups, behind, pools=pool, tail=(), pads=(2, 1, 1, 1)):
    """All layers, with 1 x 1 of the last map. first: padding before conv1; behind: {number of a convolution: what
    stands between it and its pool, or the next one}, by default ReLU; tail: what stands behind the ReLU of fc6 and fc7.
    """

    def after(number):
        return behind.get(number, [nn.ReLU()])

    return nn.Sequential(
        first, nn.Conv2d(3, 96, 11, 4), *after(1), pools(),
        nn.Conv2d(96, 256, 5, padding=pads[0], groups=groups), *after(2), pools(),
        nn.Conv2d(256, 384, 3, padding=pads[1]), *after(3),
        nn.Conv2d(384, 384, 3, padding=pads[2], groups=groups), *after(4),
        nn.Conv2d(384, 256, 3, padding=pads[3], groups=groups), *after(5), pools(),
        nn.Flatten(), *hidden(256, *tail), *hidden(4096, *tail), nn.Linear(4096, C),
    )  # fmt: skip


def released(c1, c2, c3, parts):
    """layers-145.cfg (two parts) and layers-145-half.cfg (one), for pictures of 64 x 64."""
    return nn.Sequential(
        nn.ZeroPad2d((0, 3, 0, 3)), nn.Conv2d(3, c1, 11, 4), Norm(1e-4, 2, parts), pool(True), nn.ReLU(),
        nn.Conv2d(c1, c2, 5, padding=2, groups=parts), nn.ReLU(), Norm(1e-4, 2, parts), SameMap(5, 1e-3), pool(True),
        nn.Conv2d(c2, c3, 3, padding=1), nn.ReLU(),
        nn.Conv2d(c3, c3, 3, padding=1, groups=parts), nn.ReLU(),
        nn.Conv2d(c3, 256, 3, padding=1, groups=parts), pool(True), nn.ReLU(),
        nn.Flatten(), *hidden(256, Halve()), *hidden(4096, Halve()), nn.Linear(4096, C),
    )  # fmt: skip


def torchvisions(widths, classes, pooled=256 * 36, adaptive=True):
    """torchvision's class AlexNet, or that of articles on PyTorch, with the names of their parts."""
    c1, c2, c3, c4, c5 = widths
    parts = OrderedDict(
        features=nn.Sequential(
            nn.Conv2d(3, c1, kernel_size=11, stride=4, padding=2), nn.ReLU(inplace=True), pool(),
            nn.Conv2d(c1, c2, kernel_size=5, padding=2), nn.ReLU(inplace=True), pool(),
            nn.Conv2d(c2, c3, kernel_size=3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(c3, c4, kernel_size=3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(c4, c5, kernel_size=3, padding=1), nn.ReLU(inplace=True), pool(),
        ),
        avgpool=nn.AdaptiveAvgPool2d((6, 6)) if adaptive else nn.Identity(),
        flatten=nn.Flatten(),
        classifier=nn.Sequential(
            nn.Dropout(p=0.5), nn.Linear(pooled, 4096), nn.ReLU(inplace=True),
            nn.Dropout(p=0.5), nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Linear(4096, classes),
        ),
    )  # fmt: skip
    return nn.Sequential(parts)


def bn(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def cifar(*between, tail):
    """cuda-convnet's three convolutions; between: what stands behind each of the first two pools."""
    one, two = between
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2), pool(True), nn.ReLU(), one,
        nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(), mean(), two,
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), mean(), nn.Flatten(), *tail,
    )  # fmt: skip


def local(filters, norm):
    """cuda-convnet's two convolutions and two local layers; norm: what stands behind pool1 and before pool2."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 5, padding=2), nn.ReLU(), pool(True), norm(),
        nn.Conv2d(64, 64, 5, padding=2), nn.ReLU(), norm(), pool(True),
        Local(64, filters, 5), nn.ReLU(), Local(filters, 32, 5), nn.ReLU(), nn.Flatten(), nn.Linear(800, C),
    )  # fmt: skip


def with_norm(kind, *numbers):
    return {number: [nn.ReLU(), kind(number)] for number in numbers}


WIDTH = {1: 96, 2: 256, 3: 384, 4: 384, 5: 256}
# preset: (side of the pictures, twin for ten classes); the sides leave 1 x 1 of the last map, or odd padding
TWINS = {
    "shapes_net": (32, lambda: nn.Sequential(
        nn.Conv2d(3, 32, 5, 2, padding=2), nn.ReLU(), Norm(0.1, 1), pool(),
        nn.Conv2d(32, 64, 3, padding=1, groups=2), nn.ReLU(), Norm(0.1, 1), pool(),
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(576, 128), nn.ReLU(), Halve(), nn.Linear(128, C))),
    "cifar_quick": (31, lambda: cifar(nn.Identity(), nn.Identity(), tail=[
        nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, C)])),
    "cifar_18pct": (32, lambda: cifar(SameMap(3, 5e-5), SameMap(3, 5e-5), tail=[nn.Linear(1024, C)])),
    "cifar_13pct": (21, lambda: local(32, nn.Identity)),  # 21, 10, 5
    "cifar_11pct": (20, lambda: local(64, lambda: Norm(1e-3, 1, n=9))),  # 20, 10, 5
    # the paper's alpha stands before the plain sum: five times torch's
    "alexnet": (67, lambda: classic(nn.Identity(), 2, with_norm(lambda _: Norm(5e-4, 2), 1, 2), tail=[Halve()])),
    "alexnet_2012": (64, lambda: released(96, 256, 384, 2)),
    "alexnet_2012_one_gpu": (64, lambda: released(48, 128, 192, 1)),
    "alexnet_caffe": (64, lambda: classic(nn.Identity(), 2, with_norm(lambda _: Norm(1e-4, 1), 1, 2),
                                          lambda: pool(True))),
    "alexnet_merged": (67, lambda: classic(nn.Identity(), 1, {})),
    "alexnet_pad2": (64, lambda: torchvisions((96, 256, 384, 384, 256), C, 256, adaptive=False)),
    "alexnet_torchvision": (64, lambda: torchvisions((64, 192, 384, 256, 256), C)),
    "alexnet_keras_bn": (64, lambda: classic(  # 64 = 16 x 4: "same" adds 7, three before and four after
        nn.ZeroPad2d((3, 4, 3, 4)), 1, with_norm(lambda n: bn(WIDTH[n]), 1, 2))),
    "alexnet_keras_bn10": (67, lambda: nn.Sequential(*[
        *classic(nn.Identity(), 1, with_norm(lambda n: bn(WIDTH[n]), 1, 2, 3, 4, 5))][:-3],
        nn.Linear(4096, C))),
    "alexnet_dl4j": (195, lambda: classic(nn.Identity(), 1, {}, pads=(0, 0, 0, 0))),
}  # fmt: skip


# --------------------------------------------------------------------------------------------------------- comparisons


def pair_of(name, dtype):
    """(ours, the twin) with the same random weights, which they share; and the pictures' side."""
    side, make = TWINS[name]
    with init.skipped():
        ours = models.build(name, num_classes=C, input_size=side)
    with torch.device("meta"):
        twin = make()
    draw = np.random.default_rng(7)
    for array in ours.state_dict().values():
        if array.ndim > 1:
            draw.standard_normal(out=array, dtype=np.float32)
            array *= math.sqrt(2 / math.prod(array.shape[1:]))
        elif array.ndim:  # biases, and what BatchNorm holds: variances must be positive
            array[...] = draw.uniform(0.05, 0.6, array.shape)
    ours.to(dtype)
    arrays = [t.data for t in (*ours.parameters(), *ours.buffers()) if t.ndim]
    named = [*twin.named_parameters(), *((n, b) for n, b in twin.named_buffers() if b.ndim)]
    state = {n: torch.from_numpy(array) for (n, _), array in zip(named, arrays, strict=True)}
    counters = {n: torch.tensor(0) for n, b in twin.named_buffers() if not b.ndim}
    twin.load_state_dict(state | counters, assign=True)  # by their places: names are ours alone
    for parameter in twin.parameters():
        parameter.requires_grad_()
    return ours, twin, side


def answers(ours, twin, images, labels):
    """Logits and gradients (of the pictures, then of all parameters in order) of both, for the mean cross entropy."""
    x, y = Tensor(images, requires_grad=True), torch.from_numpy(images).requires_grad_()
    logits, expected = ours(x), twin(y)
    functional.cross_entropy(logits, labels).backward()
    F.cross_entropy(expected, torch.from_numpy(labels)).backward()
    yield "logits", logits.data, expected.detach().numpy()
    yield "pictures", x.grad, y.grad.numpy()
    for (name, p), q in zip(ours.named_parameters(), twin.parameters(), strict=True):
        yield name, p.grad, q.grad.numpy()


def assert_equal_twins(ours, twin, side, dtype, tolerance):
    draw = np.random.default_rng(8)
    images, labels = draw.standard_normal((2, 3, side, side)).astype(dtype), draw.integers(0, C, 2)
    for name, mine, theirs in answers(ours, twin, images, labels):
        size = np.linalg.norm(theirs)
        assert mine.dtype == dtype and size > 0 and np.linalg.norm(mine - theirs) < tolerance * size, name


def test_every_preset_has_a_twin():
    assert set(TWINS) == set(models.PRESETS)


@pytest.mark.parametrize("name", TWINS)
def test_evaluation_is_a_twins(name):
    """In float64, where what float32 would forgive is seen; torchvision's fc6 alone would take 300 MB four times."""
    dtype, tolerance = (np.float32, 1e-5) if name == "alexnet_torchvision" else (np.float64, 1e-10)
    ours, twin, side = pair_of(name, dtype)
    assert_equal_twins(ours.eval(), twin.eval(), side, dtype, tolerance)


@pytest.mark.parametrize("name", ["alexnet_keras_bn", "alexnet_keras_bn10"])
def test_training_with_batch_normalisation_is_a_twins(name):
    """The batch's own statistics, and what is kept of them; without dropout, whose masks are torch's own."""
    ours, twin, side = pair_of(name, np.float64)
    twin.load_state_dict(twin.state_dict() | {n: b.clone() for n, b in twin.named_buffers()}, assign=True)
    for layer in ours.modules():
        layer.p = 0.0  # of the Dropouts
    assert_equal_twins(ours.train(), twin.train(), side, np.float64, 1e-8)
    for (n, mine), theirs in zip(
        [(n, b) for n, b in ours.named_buffers() if b.ndim], [b for b in twin.buffers() if b.ndim], strict=True
    ):
        np.testing.assert_allclose(mine.data, theirs.numpy(), rtol=1e-10, err_msg=n)


def test_a_twin_notices_a_small_difference():
    """The comparison is worth something: Caffe's LRN in the place of the paper's."""
    ours, twin, side = pair_of("shapes_net", np.float64)
    twin[2].alpha = 1e-4
    with pytest.raises(AssertionError, match="logits"):
        assert_equal_twins(ours.eval(), twin.eval(), side, np.float64, 1e-10)


# ---------------------------------------------------------------------------------------- torchvision's, in full size

KEYS = [f"features.{i}.{kind}" for i in (0, 3, 6, 8, 10) for kind in ("weight", "bias")]
KEYS += [f"classifier.{i}.{kind}" for i in (1, 4, 6) for kind in ("weight", "bias")]


@pytest.mark.parametrize("name", ["alexnet_pad2", "alexnet_torchvision"])
def test_the_published_keys(name):
    with init.skipped():
        assert list(models.build(name).state_dict()) == KEYS


def test_torchvisions_weights_load_strictly():
    """224 x 224 pictures, 1000 classes, float32; torchvision's own network where it is installed, else its twin."""
    torch.manual_seed(1)
    try:
        from torchvision.models import alexnet
    except ImportError:
        theirs = torchvisions((64, 192, 384, 256, 256), 1000)
    else:
        theirs = alexnet(weights=None)
    state = {key: t.numpy() for key, t in theirs.state_dict().items()}
    assert list(state) == KEYS
    with init.skipped():
        ours = models.build("alexnet_torchvision")
    assert ours.load_state_dict(state) == ([], [])
    draw = np.random.default_rng(2)
    images, labels = draw.standard_normal((2, 3, 224, 224)).astype(np.float32), np.array([3, 997])
    for name, mine, expected in answers(ours.eval(), theirs.eval(), images, labels):
        assert np.linalg.norm(mine - expected) < 1e-4 * np.linalg.norm(expected), name
    spoilt = {key.replace("classifier.6", "classifier.7"): value for key, value in state.items()}
    with pytest.raises(ValueError, match=r"missing: classifier\.6\.weight.*unexpected: classifier\.7\.weight"):
        ours.load_state_dict(spoilt)
