"""Networks and pictures for the explorer's tests, and what minialex computes of them."""

from __future__ import annotations

import contextlib
import threading

import numpy as np

from minialex import data, explore, functional, nn
from minialex.explore import serving
from minialex.models.layout import as_graph, layout
from minialex.tensor import Tensor

CLASSES = 5
HOSTILE = ["</script><script>alert(1)</script>", "<!--<script>", '"><img src=x onerror=alert(1)>', "\u2028'\\", "&lt;"]


def classifier(shape, *layers):
    """(a Sequential of the layers and a Linear to CLASSES logits, the shape of its input)."""
    before = layout(nn.Sequential(*layers), shape)[-1].output
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(int(np.prod(before)), CLASSES)), shape


def branches():
    """A Graph whose input and whose first layer are both used twice."""
    layers = [
        ("conv1", nn.Conv2d(3, 4, 3, padding=1), ["x"]),
        ("relu1", nn.ReLU(), ["conv1"]),
        ("sum", nn.Add(), ["relu1", "conv1"]),
        ("all", nn.Concat(), ["x", "sum", "relu1"]),
        ("norm", nn.BatchNorm2d(11), ["all"]),
        ("flat", nn.Flatten(), ["norm"]),
        ("fc", nn.Linear(11 * 30, CLASSES), ["flat"]),
    ]
    return nn.Graph(layers), (3, 6, 5)


def norms():
    return classifier(
        (6, 5, 4),
        nn.LocalResponseNorm(4, alpha=0.9, beta=0.75, k=2.0, alpha_over="element"),
        nn.BatchNorm2d(6),
        nn.LocalResponseNorm(3, alpha=1.1, beta=0.6, k=1.0, groups=2),
        nn.BatchNorm2d(6, affine=False, eps=0.1),
        nn.LocalResponseNorm(3, alpha=2.0, beta=0.75, k=1.0, within_channel=True),
        nn.LocalResponseNorm(2, alpha=2.0, beta=0.75, k=1.5, within_channel=True),
        nn.Flatten(),
        nn.BatchNorm1d(120),
    )


def convolutions():
    return classifier(
        (4, 13, 11),
        nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=((1, 2), (0, 1)), groups=2),
        nn.LeakyReLU(0.1),
        nn.Conv2d(6, 4, 3, stride=2, padding="same", bias=False),
        nn.Conv2d(4, 3, 2, dilation=(1, 2), padding=1),
        nn.Local2d(3, 6, (2, 3), (5, 6), stride=(2, 1), padding=((1, 0), (0, 1)), groups=3),
        nn.Local2d(6, 2, 2, (3, 5), bias=False),
    )


def pools():
    return classifier(
        (3, 17, 14),
        nn.MaxPool2d(3, 2, ceil_mode=True),  # 8 x 7, overlapping; the input's negative side is padded with -infinity
        nn.ReLU(),
        nn.MaxPool2d((3, 2), 1, padding=1, dilation=(1, 2)),  # of equal zeros the first wins
        nn.AvgPool2d(3, 2, 1, ceil_mode=True),
        nn.AvgPool2d(2, 1, 1, count_include_pad=False),
        nn.AvgPool2d(2, 1, divisor_override=3),
        nn.AdaptiveAvgPool2d((2, 3)),
    )


def activations():
    return classifier(
        (2, 3, 4),
        *(nn.Sigmoid(), nn.Tanh(), nn.GELU(), nn.GELU("tanh"), nn.ELU(0.7), nn.SiLU(), nn.Softplus(1.3)),
        *(nn.Dropout(0.3), nn.Dropout(0.3, inverted=False), nn.Dropout2d(0.2), nn.Identity(), nn.ReLU()),
    )


NETWORKS = [convolutions, pools, norms, activations, branches]


def filled(model, rng):
    """The model in evaluation mode with random parameters and statistics."""
    for p in model.parameters():
        p.data[...] = rng.normal(0, 1.5 / max(1, np.prod(p.shape[1:])) ** 0.5, p.shape)
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.data[...] = rng.uniform(0.5, 2, buffer.shape)
    return model.eval()


def picture(shape, rng, caption="a picture", label=None):
    """A Picture of random pixels and a random input."""
    pixels = rng.integers(0, 256, (3, *shape[1:]), np.uint8)
    return explore.Picture(caption, pixels, rng.normal(size=shape).astype(np.float32), label)


def html(model, pictures, classes=None, title="a network"):
    """The page of a network."""
    layers = explore.describe(model, pictures[0].input.shape)
    count = layers[-1]["output"][0]
    return explore.page(layers, pictures, classes or [f"class {n}" for n in range(count)], title)


def computed(model, image, target):
    """What minialex computes: (values, gradients, [{parameter: gradient}], loss), by the numbers of the page's layers.

    All arrays are without the batch; the last gradient is None, since the page's backward begins at the logits.
    """
    graph = as_graph(model, image.shape)
    tensors = {graph.inputs[0]: Tensor(image[None], requires_grad=True)}
    for name, layer, sources in graph.layers:
        y = layer(*(tensors[source] for source in sources))
        if any(y is tensors[source] for source in sources):
            y = y.view(*y.shape)  # dropout in evaluation returns its input itself
        y.retain_grad()
        tensors[name] = y
    logits = tensors[graph.output]
    loss = functional.cross_entropy(logits, np.array([target]))
    loss.backward()
    values = [t.numpy()[0] for t in tensors.values()] + [functional.softmax(logits, 1).numpy()[0]]
    gradients = [t.grad.numpy()[0] for t in tensors.values()] + [None]
    parameters = [{n: p.grad.numpy() for n, p in layer.named_parameters()} for _, layer, _ in graph.layers]
    return values, gradients, [{}, *parameters, {}], loss.item()


def answers(model, pictures, by_number=None, count=0, classes=None, title="a network", reading=None):
    """The serving.Answers of a network; reading: None for pictures as they are, of the input's size."""
    shape = pictures[0].input.shape
    layers = explore.describe(model, shape)
    names = classes or [f"class {n}" for n in range(layers[-1]["output"][0])]
    reading = reading or explore.Reading(shape[1], data.Normalize(np.zeros((3, 1, 1)), 1.0))
    return serving.Answers(layers, layout(model, shape), pictures, reading, by_number, count, names, title)


@contextlib.contextmanager
def served(answers):
    """A context with a serving.Server of Answers, at work in a thread."""
    with serving.Server(answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
