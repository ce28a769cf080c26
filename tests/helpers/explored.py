"""Networks and pictures for the explorer's tests, and what minialex computes of them."""

from __future__ import annotations

import base64
import contextlib
import threading

import numpy as np

from minialex import data, explore, functional, nn
from minialex.explore import serving
from minialex.models.layout import as_graph, layout
from minialex.tensor import Tensor, no_grad

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


def of_2012():
    """Layers of cuda-convnet."""
    return classifier(
        (3, 11, 9),
        nn.ContrastNorm(3, alpha=9.0, beta=0.75, k=1.0),
        nn.ContrastNorm(4, alpha=20.0, beta=0.5, k=2.0),
        nn.StochasticPool2d(2, 1, 1, evaluation="max"),
        nn.Conv2d(3, 5, 2),
        nn.StochasticPool2d(3, 2),
    )


def other_sizes():
    return classifier(
        (2, 5, 4),
        nn.AdaptiveMaxPool2d((4, 3)),
        nn.Upsample(scale_factor=2),
        nn.Upsample((7, 6), mode="bilinear"),
        nn.Upsample((6, 9), mode="bicubic", align_corners=True),
        nn.ConstantPad2d((1, -2, 0, 3), 0.7),
        nn.Upsample((4, 5), mode="area"),
        nn.ZeroPad2d((0, 1, 2, 0)),
        nn.Reshape(3, 6, 4),
    )


def joins():
    """Several inputs that broadcast, and softmax over channels and as the last layer."""
    layers = [
        ("conv1", nn.Conv2d(3, 4, 3, padding=1), ["x"]),
        ("pool", nn.AdaptiveAvgPool2d(1), ["conv1"]),
        ("gate", nn.Sigmoid(), ["pool"]),
        ("scaled", nn.Multiply(), ["conv1", "gate"]),
        ("row", nn.Call("mean", dim=2, keepdim=True), ["scaled"]),
        ("lifted", nn.Add(), ["row", "scaled", "pool"]),
        ("square", nn.Multiply(), ["lifted", "lifted"]),
        ("tall", nn.Concat(2), ["square", "row"]),
        ("wide", nn.Concat(-1), ["tall", "tall"]),
        ("shares", nn.Softmax(1), ["wide"]),
        ("difference", nn.Call("sub"), ["wide", "shares"]),
        ("larger", nn.Call("maximum"), ["difference", "shares"]),
        ("above", nn.Call("add", other=2.0), ["shares"]),
        ("quotient", nn.Call("div"), ["larger", "above"]),
        ("smaller", nn.Call("minimum"), ["quotient", "difference"]),
        ("small", nn.Call("mul", other=0.05), ["smaller"]),
        ("flat", nn.Flatten(), ["small"]),
        ("fc", nn.Linear(4 * 7 * 10, CLASSES), ["flat"]),
        ("logarithms", nn.LogSoftmax(-1), ["fc"]),
    ]
    return nn.Graph(layers), (3, 6, 5)


def calls():
    """Functions as layers."""
    steps = [
        *(nn.Call("mul", other=0.5), nn.Call("sub", input=1), nn.Call("add", other=0.3, alpha=2), nn.Call("neg")),
        *(nn.Call("abs"), nn.Call("sqrt"), nn.Call("add", other=0.5), nn.Call("log"), nn.Call("exp")),
        *(nn.Call("pow", exponent=1.5), nn.Call("clamp", min=0.5, max=2.2), nn.Call("div", input=2)),
        *(nn.Call("div", other=3), nn.Call("square"), nn.Call("reciprocal"), nn.Call("rsqrt")),
        *(nn.Call("pad", pad=(1, 2, 2, 0), mode="reflect"), nn.Call("flip", dims=(-1,))),
        *(nn.Call("transpose", dim0=1, dim1=3), nn.Call("getitem", index=(slice(None), slice(None, None, 2)))),
        *(nn.Call("repeat", repeats=(1, 1, 2, 3)), nn.Call("sum", dim=3, keepdim=True)),
        *(nn.Call("permute", dims=(0, 2, 3, 1)), nn.Call("mean", dim=(2, 3)), nn.Linear(16, CLASSES)),
    ]
    return nn.Sequential(*steps), (3, 6, 5)


def extremes():
    """The smallest and largest numbers along axes, of which some are equal."""
    steps = nn.Call("amin", dim=1, keepdim=True), nn.ReLU(), nn.Call("amax", dim=3, keepdim=True)
    return classifier((3, 12, 5), nn.Call("repeat", repeats=(1, 2, 1, 1)), *steps)


def shared():
    """A convolution that is used twice, and a bias that two layers have."""
    conv, other = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, groups=3)
    other.bias = conv.bias
    return classifier((3, 6, 5), conv, nn.ReLU(), conv, nn.LeakyReLU(0.1), other)


NETWORKS = [convolutions, pools, norms, activations, branches, of_2012, other_sizes, joins, calls, extremes, shared]


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
    text = explore.page(layers, pictures, names, title, reading, served=count)
    return serving.Answers(text, layers, explore.layers_of(model, shape), pictures, reading, by_number, count)


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


def logits(model, images):
    """Of float32 (N, C, H, W)."""
    with no_grad():
        return model(Tensor(images)).numpy()


def timeline_page(classes, names=None):
    """The page of a network of so many classes, with two epochs whose predictions are made up."""
    rng = np.random.default_rng(0)
    models = [filled(nn.Sequential(nn.Flatten(), nn.Linear(12, classes)), rng) for _ in range(2)]
    layers = [explore.describe(model, (3, 2, 2)) for model in models]
    encoded = lambda numbers: base64.b64encode(np.ascontiguousarray(numbers, "<i4").tobytes()).decode()  # noqa: E731
    entries = [
        {"epoch": epoch, "weights": weights, "predicted": encoded(rng.integers(0, classes, 60))}
        for epoch, weights in ((1, {2: {n: layers[0][2][n] for n in ("weight", "bias")}}), (2, None))
    ]
    tested = {"tested": encoded(range(60)), "of": 70, "most": 12, "labels": encoded(np.arange(60) % classes)}
    made = {"entries": entries, "start": 1, "note": "", "pictures": {}, **tested}
    names = names or [f"class {n}" for n in range(classes)]
    return explore.page(layers[1], [picture((3, 2, 2), rng)], names, "a network", timeline=made)
