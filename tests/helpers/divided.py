"""Small AlexNets, and what a training of them by one process leaves, to which one by ranks is compared."""

from __future__ import annotations

import copy

import numpy as np

from minialex import Tensor, functional, nn, optim
from minialex.parallel import group as groups
from minialex.random import Generator

CLASSES, PICTURES, SIDE = 7, 5, 35
STEPS = 3


def small(kind="2012"):
    """The layers of a preset of models/, with few channels; all have odd numbers of features where they may."""
    lrn = {"2012": [("rnorm1", nn.LocalResponseNorm(5, 0.5, 0.75, 2.0, groups=2))],
           "paper": [("norm1", nn.LocalResponseNorm(3, 0.3, 0.75, 2.0, alpha_over="element"))],
           "bn": [("bn1", nn.BatchNorm2d(8))]}[kind]  # fmt: skip
    layers = [
        ("conv1", nn.Conv2d(3, 8, 7, stride=4, padding=((0, 3), (0, 1)))),
        *lrn,
        ("pool1", nn.MaxPool2d(3, 2, ceil_mode=True)),
        ("relu1", nn.ReLU()),
        ("conv2", nn.Conv2d(8, 12, 3, padding=1, groups=2)),
        ("relu2", nn.ReLU()),
        ("cnorm2", nn.LocalResponseNorm(3, 0.3, 0.75, 1.0, within_channel=True)),
        ("conv3", nn.Conv2d(12, 10, 3, padding=1)),
        ("relu3", nn.ReLU()),
        ("conv4", nn.Conv2d(10, 6, 3, padding=1, groups=2)),
        ("drop4", nn.Dropout(0.2, inverted=False)),
        ("conv5", nn.Conv2d(6, 10, 3, padding=1, groups=2)),
        ("pool5", nn.MaxPool2d(2, 2, ceil_mode=True)),
        ("relu5", nn.Tanh()),
        ("flatten", nn.Flatten()),
        ("fc6", nn.Linear(40, 13)),
        ("relu6", nn.ReLU()),
        ("drop6", nn.Dropout(0.5, inverted=False)),
        ("fc7", nn.Linear(13, 11)),
        ("relu7", nn.ReLU()),
        ("drop7", nn.Dropout(0.5)),
        ("fc8", nn.Linear(11, CLASSES)),
    ]
    return nn.Sequential(dict(layers)).to(np.float64)


def nested():
    """The form of torchvision's AlexNet: a Sequential of Sequentials, without groups; dropout before the layers."""
    return nn.Sequential(
        {
            "features": nn.Sequential(
                nn.Conv2d(3, 5, 7, stride=4), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
                nn.Conv2d(5, 7, 3, padding=1), nn.ReLU(inplace=True),
            ),
            "avgpool": nn.AdaptiveAvgPool2d((2, 2)),
            "flatten": nn.Flatten(),
            "classifier": nn.Sequential(
                nn.Dropout(0.5), nn.Linear(28, 13), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(13, CLASSES)
            ),
        }
    ).to(np.float64)  # fmt: skip


def own_generator(model):
    """A copy of a network whose dropout draws from a generator of its own: the default one is of the whole process."""
    model, generator = copy.deepcopy(model), Generator(7)
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.generator = generator
    return model


def pictures(count, seed=6):
    return np.random.default_rng(seed).standard_normal((count, 3, SIDE, SIDE))


def optimizer_of(model):
    biases = [p for p in model.parameters() if p.ndim == 1]
    weights = [p for p in model.parameters() if p.ndim > 1]
    settings = [{"params": weights, "weight_decay": 0.01}, {"params": biases, "lr": 0.1}]
    return optim.SGD(settings, lr=0.05, momentum=0.9)


def train(model, count=PICTURES, own=slice(None), after_backward=lambda: None):
    """Three steps: [(logits, loss, {name: gradient})], and the optimiser. own: the pictures that the model gets."""
    optimizer, steps = optimizer_of(model), []
    for step in range(STEPS):
        labels = np.random.default_rng(step).integers(0, CLASSES, count)
        optimizer.zero_grad()
        logits = model(Tensor(pictures(count, step)[own]))
        loss = functional.cross_entropy(logits, labels)
        loss.backward()
        after_backward()
        gradients = {name: p.grad.numpy().copy() for name, p in model.named_parameters()}
        steps.append((logits.numpy().copy(), loss.item(), gradients))
        optimizer.step()
    return steps, optimizer


def alone(model, count=PICTURES):
    """The training of one process: its steps, state, optimiser's state, and evaluation."""
    model = own_generator(model)
    steps, optimizer = train(model, count)
    return steps, model.state_dict(), optimizer.state_dict(), model.eval()(Tensor(pictures(2))).numpy()


def compare(found, expected):
    """Assert that two trainings are one, to rounding."""
    for step, wanted in zip(found[0], expected[0], strict=True):
        close(step[0], wanted[0])
        close(step[1], wanted[1])
        same_dicts(step[2], wanted[2])
    same_dicts(found[1], expected[1])
    assert found[2]["param_groups"] == expected[2]["param_groups"]
    assert found[2]["state"].keys() == expected[2]["state"].keys()
    for index, arrays in expected[2]["state"].items():
        same_dicts(found[2]["state"][index], arrays)
    close(found[3], expected[3])


def close(found, expected):
    """Assert that numbers are equal to rounding, as a share of the largest of them."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * max(1e-3, np.abs(expected).max(initial=0)))


def same_dicts(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        close(found[name], array)


def backwards(group, array, axis=0, lengths=None):
    """A mistake for the tests to find: an all_gather of ThreadGroup in the wrong order of the ranks."""
    return np.concatenate(group._exchange(array.copy())[::-1], axis)


def without_sum(group, array, axis=0, lengths=None):
    """Another: a reduce_scatter that takes this rank's slice and adds nothing."""
    lengths = groups.equal_lengths(array, axis, group.size) if lengths is None else lengths
    group._exchange(None)
    return groups.pieces(array, axis, lengths)[group.rank].copy()
